"""What an atomic operation makes of an old value (manual, 9.7.13.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.isa.ops import B32, F32, Value
from emulator.ptx_types import ScalarType

if TYPE_CHECKING:
    from emulator.engines.reference.lane_ops import LaneOps


def combine(
    ops: LaneOps, operation: str, kind: ScalarType, old: Value, operands: Sequence[Value], in_global: bool
) -> Value:
    """The new value; f32 additions in global memory flush subnormals, in shared memory they do not."""
    b = operands[0]
    if operation == "add" and kind.is_float:
        if kind is F32 and in_global:
            return _flush(ops, ops.fadd(_flush(ops, old), _flush(ops, b)))
        return ops.fadd(old, b)
    if operation == "inc":
        return ops.select(old >= b, ops.const(kind, 0), old + 1)
    if operation == "dec":
        return ops.select((old == 0) | (old > b), b, old - 1)
    if operation == "cas":
        return ops.select(old == b, operands[1], old)
    if operation == "exch":
        return b
    simple = {
        "add": ops.add,
        "min": ops.minimum,
        "max": ops.maximum,
        "and": ops.and_,
        "or": ops.or_,
        "xor": ops.xor,
    }
    return simple[operation](old, b)


def _flush(ops: LaneOps, a: Value) -> Value:
    """Subnormals to zeros of their sign."""
    bits = ops.view(a, B32)
    tiny = (bits & 0x7F800000) == 0
    return ops.view(ops.select(tiny, bits & 0x80000000, bits), F32)
