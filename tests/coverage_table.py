"""Writes docs/coverage.md: which forms of sm_90a are executed, and what their results are compared with.

    python -m tests.coverage_table

The forms are those that ptxas 13.0 takes (tests/data/ptx_forms); all that are taken here run in
tests/isa/test_forms_execute.py, and tests/isa/verified_by.py says who is the judge of their results.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from emulator.isa.registry import lookup
from tests import forms
from tests.isa.test_forms import errors_of, is_wrong
from tests.isa.test_forms_execute import OPAQUE
from tests.isa.verified_by import OTHERS, Oracle, oracle_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coverage.md"
HEAD = """# Coverage

Written by `python -m tests.coverage_table`; a test compares.

*Forms* are statements that differ in their modifiers, types or kinds of operands; *listed* are those that ptxas 13.0
takes for sm_90a, *taken* those that the emulator takes, *run* those that a test executes. *Refused* are statements that
ptxas refuses and the emulator as well. `ptxemu isa --coverage` counts the pages of the manual.
"""


class Row(NamedTuple):
    """An instruction, or another part of the language: its forms, and the judges of its results."""

    name: str
    listed: int
    taken: int
    run: int
    judges: list[Oracle]


def judges_of(group: str, opcodes: set[str]) -> list[Oracle]:
    """What the results of some opcodes are compared with."""
    if group in OTHERS:
        return [OTHERS[group]]
    entries = {variant.entry.meaning: variant.entry for opcode in opcodes for variant in lookup(opcode)}
    chapters = {(meaning.__module__.rpartition(".")[2], entry.mnemonic) for meaning, entry in entries.items()}
    return sorted({oracle_of(*place) for place in chapters})


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
    taken = [record for record in records if not errors_of(record)]
    run = [record for record in taken if not any(word in record["text"] for word in OPAQUE)]
    opcodes = {opcode for record in taken for opcode in re.findall(r"[a-z]\w*(?:\.[\w:]+)*", record["text"])}
    mine = {opcode for opcode in opcodes if opcode.split(".")[0] == re.split(r"[ .]", family)[0]}
    return Row(family, len(records), len(taken), len(run), judges_of(group, mine))


def page() -> str:
    """The whole page."""
    found = groups()
    return "\n".join([HEAD, *totals(found), *(line for group, rows in found.items() for line in section(group, rows))])


def totals(found: dict[str, list[Row]]) -> Iterator[str]:
    """A line a group."""
    refusals: dict[str, list[bool]] = {group: [] for group in found}
    for record in forms.rejected():
        refusals.setdefault(record["group"], []).append(is_wrong(errors_of(record)))
    sums = [[group, *(sum(row[n] for row in rows) for n in (1, 2, 3))] for group, rows in found.items()]
    lines = [[*row, sum(refusals[str(row[0])]), len(refusals[str(row[0])])] for row in sums]
    everything = ["**all**", *(sum(int(line[n]) for line in lines) for n in range(1, 6))]
    yield from table(["group", "listed", "taken", "run", "refused", "of"], [*lines, everything])


def section(group: str, rows: list[Row]) -> Iterator[str]:
    """The instructions of a group."""
    yield f"\n## {group}\n"
    cells = [[f"`{row.name}`", row.listed, row.taken, row.run, judged(row)] for row in rows]
    yield from table(["instruction", "listed", "taken", "run", "results against"], cells)


def judged(row: Row) -> str:
    """The judges with links to their tests."""
    return "; ".join(f"[{judge.text}](../{judge.test})" for judge in row.judges) if row.taken else ""


def table(head: list[str], rows: list[list[object]]) -> Iterator[str]:
    """A Markdown table; numbers stand on the right."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('--:' if isinstance(cell, int) else '---' for cell in rows[0])}|"
    for row in rows:
        yield f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"


if __name__ == "__main__":
    PAGE.write_text(page() + "\n", encoding="utf-8")
