"""Writes docs/coverage.md: which forms of sm_90a are executed, and what their results are compared with.

    make coverage-table                 from the operand sets that were counted last
    make coverage-table ARGS=--count    counts them first, which takes minutes

The forms are those that ptxas 13.0 takes (tests/data/ptx_forms); all that are taken here run in
tests/isa/test_forms_execute.py, and tests/isa/verified_by.py says who is the judge of their results.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from emulator.engines.native.handlers import HandlerKey, HandlerText
from emulator.engines.native.records import NativeProgram
from emulator.engines.native.runtime import FUNCTIONS
from emulator.engines.native.text import NoNativeForm
from emulator.errors import PtxError
from emulator.isa.registry import Variant, lookup
from emulator.parse import parse
from tests import forms
from tests.isa import form_runs
from tests.isa.test_forms import errors_of, is_wrong
from tests.isa.test_forms_execute import OPAQUE
from tests.isa.verified_by import OTHERS, Oracle, oracle_of
from tests.operand_sets import chapter_of, count_all, recorded

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
HEAD = """# Coverage

Written by `make coverage-table`; a test compares.

*Forms* are statements that differ in their modifiers, types or kinds of operands; *listed* are those that ptxas 13.0
takes for sm_90a, *parsed* those that the parser reads, *taken* those that the emulator takes, *run* those that a test
executes, *native* those of them that are run without the reference engine, to which the native engine hands an
instruction that it has no code for. *Refused* are statements that ptxas and the emulator refuse. *Sets* are the
operand sets on which the judging test executes the instruction, counted while it runs
(`python -m tests.operand_sets`). `ptxemu isa --coverage` counts the pages of the manual.
"""
LEFT = {
    "vprintf": "text goes to whatever Python prints to",
    "malloc": "Python keeps the lists of allocations",
    "__assertfail": "it is a fault, whose report Python makes",
    "{%clock, %clock_hi}": "a clock is no row of a register to be packed; compilers write `mov.u64 d, %clock64`",
}
MUTATIONS = """
## Wrong meanings are found

`python -m tests.mutate --seed N` puts one wrong body, in memory, into each of 50 random instructions, and runs their
examples and judging tests. The runs so far, with seeds that no test was tuned for:

| seed | mutants | killed | by an example | by the judging test | the same in meaning |
|---|--:|--:|--:|--:|--:|
| 20261121 | 50 | 50 | 36 | 14 | 0 |
| 424242 | 50 | 48 | 27 | 21 | 2 |
"""


class Row(NamedTuple):
    """An instruction, or another part of the language: its forms, and the judges of its results with their sets."""

    name: str
    listed: int
    parsed: int
    taken: int
    run: int
    native: int
    judges: dict[Oracle, int]
    left: Sequence[str] = ()  # the forms that the native engine leaves to the reference engine


def judges_of(group: str, family: str, opcodes: set[str]) -> dict[Oracle, int]:
    """What the results of some opcodes are compared with, and on how many operand sets."""
    if group in OTHERS:
        return {OTHERS[group]: 0}
    figures = recorded()
    entries = {variant.entry.meaning: variant.entry for opcode in opcodes for variant in lookup(opcode)}
    found: dict[Oracle, int] = {}
    for chapter, mnemonic in {(chapter_of(entry), entry.mnemonic) for entry in entries.values()}:
        oracle = oracle_of(chapter, mnemonic)
        name = family if family.partition(".")[0] == mnemonic else mnemonic
        found[oracle] = found.get(oracle, 0) + figures.get(oracle.test, {}).get(f"{chapter} {name}", 0)
    return dict(sorted(found.items()))


class Probe:
    """Stands for the library of native handlers: the address of one is 1 if it can be written, else 0."""

    def __init__(self) -> None:
        self.runtime = dict.fromkeys(FUNCTIONS, 0)

    def compile(self, wanted: dict[tuple[HandlerKey, str], Variant]) -> None:
        for (key, mode), variant in wanted.items():
            has_text(key, mode, variant)

    def address(self, key: HandlerKey, mode: str) -> int:
        return int(_texts[key, mode])


def is_native(record: forms.Record) -> bool:
    """Whether every instruction of a form, and of what it stands in, has native code."""
    for program in form_runs.programs_of(record):
        native = NativeProgram(program, Probe())  # type: ignore[arg-type]
        if not native.records.view(np.uint64).reshape(-1, 8)[native.places, :2].all():
            return False
    return True


_texts: dict[tuple[HandlerKey, str], bool] = {}


def has_text(key: HandlerKey, mode: str, variant: Variant) -> bool:
    """Whether a handler can be written."""
    if (key, mode) not in _texts:
        try:
            HandlerText(variant, key, mode).build("probe")
            _texts[key, mode] = True
        except NoNativeForm:
            _texts[key, mode] = False
    return _texts[key, mode]


def groups() -> dict[str, list[Row]]:
    """The rows of each group of forms."""
    records: dict[str, dict[str, list[forms.Record]]] = {}
    for record in forms.accepted():
        if "sm_90a" in record["targets"]:
            family = record["group"] if record["group"] in OTHERS else record["family"]
            records.setdefault(record["group"], {}).setdefault(family, []).append(record)
    return {
        group: [row_of(group, family, found) for family, found in sorted(families.items())]
        for group, families in sorted(records.items())
    }


def row_of(group: str, family: str, records: list[forms.Record]) -> Row:
    """One row: forms are taken if nothing is wrong with them."""
    is_taken = [not errors_of(record) for record in records]
    taken = [record for record, good in zip(records, is_taken, strict=True) if good]
    run = [record for record in taken if not any(word in record["text"] for word in OPAQUE)]
    opcodes = {opcode for record in taken for opcode in re.findall(r"[a-z]\w*(?:\.[\w:]+)*", record["text"])}
    mnemonic = re.split(r"[ .]", family)[0]
    mine = {opcode for opcode in opcodes if opcode.split(".")[0] == mnemonic}
    left = [record["text"] for record in run if not is_native(record)]
    parsed = sum(good or is_read(record) for record, good in zip(records, is_taken, strict=True))
    judges = judges_of(group, family.partition(" ")[0], mine)
    return Row(family, len(records), parsed, len(taken), len(run), len(run) - len(left), judges, left)


def is_read(record: forms.Record) -> bool:
    """Whether the parser takes a form."""
    try:
        parse(forms.source(record), str(record.get("id")))
    except PtxError:
        return False
    return True


def page() -> str:
    """The whole page."""
    found = groups()
    sections = (line for group, rows in found.items() for line in section(group, rows))
    return "\n".join([HEAD, *totals(found), *left_over(found), MUTATIONS.rstrip(), *sections])


def totals(found: dict[str, list[Row]]) -> Iterator[str]:
    """A line a group."""
    refusals: dict[str, list[bool]] = {group: [] for group in found}
    for record in forms.rejected():
        refusals.setdefault(record["group"], []).append(is_wrong(errors_of(record)))
    sums = [[group, *(sum(row[n] for row in rows) for n in range(1, 6))] for group, rows in found.items()]
    lines = [[*row, sum(refusals[str(row[0])]), len(refusals[str(row[0])])] for row in sums]
    everything = ["**all**", *(sum(int(line[n]) for line in lines) for n in range(1, 8))]
    yield from table(["group", "listed", "parsed", "taken", "run", "native", "refused", "of"], [*lines, everything])


def left_over(found: dict[str, list[Row]]) -> Iterator[str]:
    """Why some forms have no native code; each must have a reason, and each reason a form."""
    texts = [text for rows in found.values() for row in rows for text in row.left]
    whys = [[f"`{word}`", why] for word, why in LEFT.items() if any(word in text for text in texts)]
    assert len(whys) == len(LEFT) and all(any(word in text for word in LEFT) for text in texts), texts
    yield "\n## Left to the reference engine\n"
    yield from table(["forms with", "why"], whys)


def section(group: str, rows: list[Row]) -> Iterator[str]:
    """The instructions of a group."""
    yield f"\n## {group}\n"
    cells = [[f"`{row.name}`", *row[1:5], row.native if row.run else "", sets_of(row), judged(row)] for row in rows]
    head = ["instruction", "listed", "parsed", "taken", "run", "native", "sets", "results against"]
    yield from table(head, cells)


def sets_of(row: Row) -> int | str:
    """The operand sets of a row, where there are operands."""
    return sum(row.judges.values()) or "" if row.taken else ""


def judged(row: Row) -> str:
    """The judges with links to their tests."""
    return "; ".join(f"[{judge.text}](../{judge.test})" for judge in row.judges) if row.taken else ""


def table(head: list[str], rows: list[list[object]]) -> Iterator[str]:
    """A Markdown table; numbers stand on the right."""
    yield f"| {' | '.join(head)} |"
    numbers = [any(isinstance(row[n], int) for row in rows) for n in range(len(head))]
    yield f"|{'|'.join('--:' if number else '---' for number in numbers)}|"
    for row in rows:
        yield f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"


if __name__ == "__main__":
    if "--count" in sys.argv[1:]:
        count_all()
    PAGE.write_text(page() + "\n", encoding="utf-8")
