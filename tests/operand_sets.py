"""Counts on how many operand sets the judging tests execute each instruction: `make coverage-table` keeps the figures.

    python -m tests.operand_sets            count all (minutes), write tests/data/operand_sets.json
    python -m tests.operand_sets FILE ...   the opcodes that a test executes, with their sets

Every meaning is wrapped: an executing lane is an operand set.  The tests run on the reference engine, one process a
file, without the slow ones.
"""

import functools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from emulator.engines.reference.lane_ops import LaneOps
from emulator.isa.registry import Entry, entries
from tests import forms
from tests.isa.verified_by import judging_tests

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "tests" / "data" / "operand_sets.json"
COUNT = "--count"
Figures = dict[str, dict[str, int]]  # test -> "chapter instruction" -> sets


def chapter_of(entry: Entry) -> str:
    """The file of an instruction."""
    return entry.meaning.__module__.rpartition(".")[2]


def counting(entry: Entry, counts: Counter[str]) -> Callable[..., Any]:
    """A meaning that counts the lanes that execute it."""
    meaning, chapter = entry.meaning, chapter_of(entry)

    @functools.wraps(meaning)
    def counted(ops: Any, variant: Any, *sources: Any, **keywords: Any) -> Any:
        if isinstance(ops, LaneOps):
            counts[f"{chapter} {variant.opcode}"] += int(np.count_nonzero(ops.lanes.data))
        return meaning(ops, variant, *sources, **keywords)

    return counted


def count_here(test: str) -> Counter[str]:
    """Run a test file in this process; "chapter opcode" -> sets."""
    import pytest

    counts: Counter[str] = Counter()
    for entry in entries():
        object.__setattr__(entry, "meaning", counting(entry, counts))
    options = ["-q", "--no-header", "-p", "no:cacheprovider", "-m", "not slow"]
    if pytest.main([*options, str(ROOT / test)]) != 0:
        raise SystemExit(f"{test} fails")
    return counts


def count_apart(test: str) -> dict[str, int]:
    """The same in a process of its own, on the reference engine."""
    environment = {**os.environ, "PTXEMU_ENGINE": "reference"}
    command = [sys.executable, "-m", "tests.operand_sets", COUNT, test]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, int] = json.loads(done.stdout.rstrip("\n").rpartition("\n")[2])
    return found


@functools.cache
def families() -> frozenset[str]:
    """The names under which the forms list instructions: add, match.any.sync, multimem.st."""
    return frozenset(record["family"] for record in forms.accepted())


def by_family(opcodes: dict[str, int]) -> dict[str, int]:
    """Sets of a chapter's instructions: of each mnemonic, and of each family that has more words."""
    total: Counter[str] = Counter()
    for name, sets in opcodes.items():
        chapter, _, opcode = name.partition(" ")
        parts = opcode.split(".")
        names = {".".join(parts[:n]) for n in range(2, len(parts) + 1)} & families()
        for family in {parts[0], *names}:
            total[f"{chapter} {family}"] += sets
    return dict(sorted(total.items()))


@functools.cache
def recorded() -> Figures:
    """The figures that were counted last."""
    found: Figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def count_all() -> None:
    """Write the figures of all judging tests."""
    figures = {test: by_family(count_apart(test)) for test in judging_tests()}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """What the head of this file says."""
    if arguments[:1] == [COUNT]:
        sys.stdout.write("\n" + json.dumps(count_here(arguments[1])) + "\n")
    elif arguments:
        for test in arguments:
            for name, sets in sorted(count_apart(test).items()):
                sys.stdout.write(f"{sets:9,}  {name}\n")
    else:
        count_all()


if __name__ == "__main__":
    main(sys.argv[1:])
