"""What is recorded: one module a group, each with a function `cases()`.

samples.py    every sample
opcodes.py    every instruction that computes: edges and random bits of all operands
programs.py   random straight programs
probes.py     the open questions: what no document answers
tensor.py     tensor cores: mma.sync and wgmma on random rows and corners
units.py      the approximate units over all 2^32 inputs
cores.py      the same units, every result of one octave
patterns.py   access patterns, for the profiler's counters
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from emulator.crosscheck.case import Case

GROUPS = ("samples", "opcodes", "programs", "probes", "tensor", "units", "cores", "patterns")


def cases_of(group: str) -> Iterator[Case]:
    """The cases of a group; KeyError if there is no such group."""
    if group not in GROUPS:
        raise KeyError(group)
    module = importlib.import_module(f"{__name__}.{group}")
    yield from module.cases()
