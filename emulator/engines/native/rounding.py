"""Rounding in LLVM text, once and in every mode, with integers: the same bits on every target.

f16 and bf16 values are kept as their bits; their arithmetic, and that of f32 in directed modes, goes through
f64, where sums of such numbers and their exact errors are at hand (engines/reference/rounding.py does the
same).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.engines.native.text import vector
from emulator.isa.ops import F32, F64, U32, U64, Value
from emulator.ptx_types import TYPES, ScalarType

if TYPE_CHECKING:
    from emulator.engines.native.llvm_ops import LaneText

# type -> (significand bits with the hidden one, exponent of the least normal number, bits of infinity)
FORMATS = {"f16": (11, -14, 0x7C00), "bf16": (8, -126, 0x7F80), "f32": (24, -126, 0x7F800000)}
DOUBLE = vector("double")
HIDDEN = 1 << 52
MAGNITUDE = (1 << 63) - 1
INFINITY = 0x7FF << 52


def widen(ops: LaneText, a: Value) -> Value:
    """A float as f64, exactly; a NaN stays one."""
    if a.type is F64:
        return a
    if a.type.name in ("f16", "bf16"):
        a = _half_to_single(ops, a)
    return ops.value(F64, f"fpext {vector('float')} {a.data} to {DOUBLE}")


def _half_to_single(ops: LaneText, a: Value) -> Value:
    bits = ops.cast(ops.view(a, TYPES["u16"]), U32)
    if a.type.name == "bf16":
        return ops.view(bits << 16, F32)
    high = ops.view((bits & 0x7FFF) << 13, F32)  # 2^-112 of the value: the exponent fields differ in their bias
    scaled = ops.value(F32, f"fmul {vector('float')} {high.data}, {ops.const(F32, 2.0**112).data}")
    special = (bits & 0x7C00) == 0x7C00
    magnitude = ops.select(special, ops.view(high, U32) | 0x7F800000, ops.view(scaled, U32))
    return ops.view(magnitude | (bits & 0x8000) << 16, F32)


def round_to(ops: LaneText, x: Value, kind: ScalarType, rnd: str) -> Value:
    """f64 as f16, bf16 or f32, rounded once; what NaN becomes is left to the caller."""
    precision, least, infinity = FORMATS[kind.name]
    bits = ops.view(x, U64)
    negative, magnitude = bits >> 63 != 0, bits & MAGNITUDE
    field = magnitude >> 52
    exponent = ops.view(ops.maximum(field, ops.const(U64, 1)), TYPES["s64"]) - 1023
    significand = (magnitude & HIDDEN - 1) | ops.select(field == 0, ops.const(U64, 0), ops.const(U64, HIDDEN))
    floor = ops.const(TYPES["s64"], least)
    below = ops.select(exponent < floor, floor - exponent, ops.const(TYPES["s64"], 0))
    shift = ops.minimum(ops.view(below, U64) + (53 - precision), ops.const(U64, 62))
    kept = significand >> shift
    rest = significand & (ops.const(U64, 1) << shift) - 1
    half = ops.const(U64, 1) << shift - 1
    nothing = ops.const(TYPES["pred"], 0)
    up = {
        "rn": (rest > half) | ((rest == half) & (kept & 1 == 1)),
        "rz": nothing,
        "rm": (rest != 0) & negative,
        "rp": (rest != 0) & ~negative,
    }[rnd]
    kept = kept + ops.cast(up, U64)
    scale = ops.view(ops.maximum(exponent, floor) - floor, U64) << precision - 1
    result = scale + kept
    beyond = {"rn": infinity, "rz": infinity - 1}.get(rnd)
    edge = ops.const(U64, beyond) if beyond is not None else None
    if edge is None:
        to_infinity = negative if rnd == "rm" else ~negative
        edge = ops.select(to_infinity, ops.const(U64, infinity), ops.const(U64, infinity - 1))
    result = ops.select(result >= infinity, edge, result)
    result = ops.select(magnitude == INFINITY, ops.const(U64, infinity), result)
    result = result | ops.select(negative, ops.const(U64, 1 << kind.width - 1), ops.const(U64, 0))
    return ops.view(ops.cast(result, TYPES[f"u{kind.width}"]), kind)


def raw(ops: LaneText, operation: str, a: Value, b: Value) -> Value:
    """An f64 operation to nearest, its NaN as it comes."""
    return ops.value(F64, f"{operation} {DOUBLE} {a.data}, {b.data}")


def two_sum(ops: LaneText, a: Value, b: Value) -> tuple[Value, Value]:
    """a + b to nearest and the exact error (Dekker): NaN beside an infinite operand, infinite after an overflow."""
    larger = ops.view(a, U64) & MAGNITUDE >= ops.view(b, U64) & MAGNITUDE
    x, y = ops.select(larger, a, b), ops.select(larger, b, a)
    total = raw(ops, "fadd", x, y)
    return total, raw(ops, "fsub", y, raw(ops, "fsub", total, x))


def exact_sum(ops: LaneText, a: Value, b: Value, rnd: str) -> tuple[Value, Value]:
    """`two_sum`, where an exact zero has the sign that the mode gives it."""
    total, error = two_sum(ops, a, b)
    if rnd == "rm":
        signed = (ops.view(a, U64) | ops.view(b, U64)) >> 63 != 0
        minus = ops.const(F64, -0.0)
        total = ops.select(ops.fcompare("eq", total, ops.const(F64, 0.0)) & signed, minus, total)
    return total, error


def toward(ops: LaneText, x: Value, up: Value, where: Value) -> Value:
    """The next f64 above (up) or below x in the chosen lanes."""
    bits = ops.view(x, U64)
    one = ops.const(U64, 1)
    step = ops.select(up ^ (bits >> 63 != 0), one, ops.const(U64, -1))
    return ops.view(ops.select(where, bits + step, bits), F64)


def to_odd(ops: LaneText, x: Value, error: Value) -> Value:
    """The sum x + error rounded to odd."""
    zero = ops.const(F64, 0.0)
    even = ops.view(x, U64) & 1 == 0
    inexact = ops.fcompare("ne", error, zero)
    return toward(ops, x, ops.fcompare("gt", error, zero), even & inexact & _finite(ops, x) & _finite(ops, error))


def directed(ops: LaneText, x: Value, error: Value, rnd: str) -> Value:
    """The sum x + error rounded in a mode, where x is that sum to nearest."""
    if rnd == "rn":
        return x
    zero = ops.const(F64, 0.0)
    inexact, up = ops.fcompare("ne", error, zero), ops.fcompare("gt", error, zero)
    negative = ops.view(x, U64) >> 63 != 0
    where = {"rp": up, "rm": ~up, "rz": ~(up ^ negative)}[rnd]
    return toward(ops, x, up, inexact & where)


def _finite(ops: LaneText, x: Value) -> Value:
    return ops.view(x, U64) & MAGNITUDE < INFINITY
