"""The lane operations of the reference engine alone, for tests of meanings: no memory, no control."""

from __future__ import annotations

import numpy as np

from emulator.engines.reference.lane_ops import LaneOps, dtype_of
from emulator.isa.ops import Value
from emulator.isa.registry import lookup
from emulator.ptx_types import TYPES


def _refused(name):
    def method(self, *arguments, **keywords):
        raise AssertionError(f"ops.{name} in a test without a machine")

    return method


MACHINE = sorted(LaneOps.__abstractmethods__)
LaneBackend = type("LaneBackend", (LaneOps,), {name: _refused(name) for name in MACHINE})
LaneBackend.__doc__ = "LaneOps whose machine operations fail the test."


def value(ops: LaneOps, kind: str, data) -> Value:
    """A lane value of a type's name from an array of its dtype, or of its bits."""
    array = np.asarray(data)
    wanted = dtype_of(TYPES[kind])
    if array.dtype != wanted:
        array = array.astype(f"u{wanted.itemsize}").view(wanted)
    return ops.row(TYPES[kind], array)


def run(opcode: str, *sources: tuple[str, np.ndarray]):
    """The results of an instruction on arrays of any length: (type name, array) for each source operand."""
    length = max(len(data) for _, data in sources)
    width = -(-length // 32) * 32
    ops = LaneBackend(width)
    values = [value(ops, kind, np.resize(np.asarray(data), width)) for kind, data in sources]
    variants = lookup(opcode)
    assert variants, f"no entry for {opcode}"
    found = variants[0].entry.meaning(ops, variants[0], *values)
    results = found if isinstance(found, tuple) else (found,)
    rows = tuple(result.data[:length] for result in results)
    return rows if isinstance(found, tuple) else rows[0]
