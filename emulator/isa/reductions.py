"""What atomic operations and reductions make of an old value (manual, 9.7.13.5)."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.isa.floats import canonical_nan, flush, is_nan, number_of
from emulator.isa.ops import F32, Ops, Value
from emulator.isa.packed import pack, unpack
from emulator.ptx_types import TYPES, ScalarType

HALVES = ("f16", "bf16")


def combine(
    ops: Ops, operation: str, kind: ScalarType, old: Value, operands: Sequence[Value], in_global: Value
) -> Value:
    """The new value; in_global: the lanes whose f32 additions flush subnormals, as the L2 cache of sm_90 does.

    The halves of a packed type are combined each for itself.
    """
    b = operands[0]
    if kind.kind == "v":
        element = TYPES[kind.name.removesuffix("x2")]
        parts = zip(unpack(ops, old, element), unpack(ops, b, element), strict=True)
        return pack(ops, [combine(ops, operation, element, x, [y], in_global) for x, y in parts], kind)
    if kind.is_float or kind.name in HALVES:
        return _combine_floats(ops, operation, old, b, in_global)
    if operation == "cas":
        return ops.select(old == b, operands[1], old)
    return _combine_integers(ops, operation, old, b)


def _combine_integers(ops: Ops, operation: str, old: Value, b: Value) -> Value:
    if operation == "exch":
        return b
    if operation == "inc":
        return ops.select(old >= b, ops.const(old.type, 0), old + 1)
    if operation == "dec":
        return ops.select((old == 0) | (old > b), b, old - 1)
    simple = {
        "add": ops.add,
        "min": ops.minimum,
        "max": ops.maximum,
        "and": ops.and_,
        "or": ops.or_,
        "xor": ops.xor,
    }
    return simple[operation](old, b)


def _combine_floats(ops: Ops, operation: str, old: Value, b: Value, in_global: Value) -> Value:
    """add rounds to nearest even; min and max give the number beside a NaN, and -0 < +0 (a guess for atomics)."""
    if operation != "add":
        number = number_of(ops, old, b, least=operation == "min")
        return ops.select(is_nan(ops, old) & is_nan(ops, b), canonical_nan(ops, old.type), number)
    if old.type.name in HALVES:  # an f32 sum of two halves is rounded once more without harm: 24 >= 2 * 11 + 2 bits
        return ops.fconvert(ops.fadd(ops.fconvert(old, F32), ops.fconvert(b, F32)), old.type)
    total = ops.fadd(old, b)
    if old.type is not F32:
        return total
    return ops.select(in_global, flush(ops, ops.fadd(flush(ops, old), flush(ops, b))), total)
