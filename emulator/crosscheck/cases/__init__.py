"""What is recorded: one module a group, each with a function `cases()`.

samples.py    every sample
opcodes.py    every instruction that computes: edges and random bits of all operands
programs.py   random straight programs
probes.py     the open questions: what no document answers
  tensor_maps.py    those about copies by tensor maps
tensor.py     tensor cores: mma.sync and wgmma on random rows and corners
  tensor_rows.py    rows that decide between models; two ways to one result
  tensor_sparse.py  sparse products
units.py      the approximate units over all 2^32 inputs
cores.py      the same units, every result of one octave
patterns.py   access patterns, for the profiler's counters
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from emulator.crosscheck.case import Case

GROUPS = ("samples", "opcodes", "programs", "probes", "tensor", "units", "cores", "patterns")
PARTS = {"probes": ("tensor_maps",), "tensor": ("tensor_rows", "tensor_sparse")}  # further modules of a group


def cases_of(group: str) -> Iterator[Case]:
    """The cases of a group; KeyError if there is no such group."""
    if group not in GROUPS:
        raise KeyError(group)
    for name in (group, *PARTS.get(group, ())):
        yield from importlib.import_module(f"{__name__}.{name}").cases()
