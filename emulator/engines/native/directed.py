"""f64 in the directed modes rz, rm and rp, as LLVM text: the same bits on every target, over the whole range.

Operands are scaled to [1, 2), where a fused multiply-add gives the exact error of a rounded product, quotient or root;
the sum of both is then rounded once, with integers, in the exponent that the result really has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.engines.native.rounding import DOUBLE, HIDDEN, INFINITY, MAGNITUDE, raw, to_odd, two_sum
from emulator.isa.ops import F64, U64, Value
from emulator.ptx_types import TYPES

if TYPE_CHECKING:
    from emulator.engines.native.llvm_ops import LaneText

S64 = TYPES["s64"]
BIAS, LEAST = 1023, -1022
FAR = 200  # binary digits between two terms of which the smaller one only says that the sum is not exact


def product(ops: LaneText, a: Value, b: Value, rnd: str) -> Value:
    """a * b."""
    (x, x_exponent), (y, y_exponent) = _scaled(ops, a), _scaled(ops, b)
    total = raw(ops, "fmul", x, y)
    result = _encode(ops, total, _fused(ops, x, y, _negated(ops, total)), x_exponent + y_exponent, rnd)
    return ops.select(_special(ops, a) | _special(ops, b), raw(ops, "fmul", a, b), result)


def quotient(ops: LaneText, a: Value, b: Value, rnd: str) -> Value:
    """a / b."""
    (x, x_exponent), (y, y_exponent) = _scaled(ops, a), _scaled(ops, b)
    total = raw(ops, "fdiv", x, y)
    rest = _fused(ops, _negated(ops, total), y, x)
    error = ops.select(_is_negative(ops, y), _negated(ops, rest), rest)
    result = _encode(ops, total, error, x_exponent - y_exponent, rnd)
    return ops.select(_special(ops, a) | _special(ops, b), raw(ops, "fdiv", a, b), result)


def root(ops: LaneText, a: Value, rnd: str) -> Value:
    """The square root of a."""
    x, exponent = _scaled(ops, a)
    odd = exponent & 1 != 0
    x = ops.select(odd, raw(ops, "fadd", x, x), x)
    total = _sqrt(ops, x)
    rest = _fused(ops, _negated(ops, total), total, x)
    result = _encode(ops, total, rest, exponent >> 1, rnd)
    return ops.select(_special(ops, a) | _is_negative(ops, a), _sqrt(ops, a), result)


def fused(ops: LaneText, a: Value, b: Value, c: Value, rnd: str) -> Value:
    """a * b + c, by Boldo and Melquiond's algorithm."""
    (x, x_exponent), (y, y_exponent), (z, z_exponent) = (_scaled(ops, value) for value in (a, b, c))
    exponent = x_exponent + y_exponent
    base = ops.maximum(exponent, z_exponent - FAR)
    addend = _moved(ops, z, ops.maximum(z_exponent - base, ops.const(S64, -FAR)))
    addend = ops.select(ops.view(c, U64) & MAGNITUDE == 0, c, addend)
    total = raw(ops, "fmul", x, y)
    low = _fused(ops, x, y, _negated(ops, total))
    upper, lower = two_sum(ops, addend, low)
    high, middle = two_sum(ops, total, upper)
    rest = to_odd(ops, *two_sum(ops, middle, lower))
    result, error = two_sum(ops, high, rest)
    zero = ops.view(result, U64) & MAGNITUDE == 0
    rounded = _encode(ops, result, error, base, rnd)
    rounded = ops.select(zero, ops.const(F64, -0.0 if rnd == "rm" else 0.0), rounded)
    special = _special(ops, a) | _special(ops, b) | ~_is_finite(ops, c)
    return ops.select(special, _plain_fused(ops, a, b, c, rnd), rounded)


def _plain_fused(ops: LaneText, a: Value, b: Value, c: Value, rnd: str) -> Value:
    """a * b + c where a factor is zero, or anything is not finite: nothing has to be rounded."""
    term = raw(ops, "fmul", a, b)
    total = raw(ops, "fadd", term, c)
    if rnd == "rm":
        signed = _is_negative(ops, term) | _is_negative(ops, c)
        exact_zero = ops.view(total, U64) & MAGNITUDE == 0
        total = ops.select(exact_zero & signed, ops.const(F64, -0.0), total)
    return ops.select(_is_finite(ops, a) & _is_finite(ops, b) & ~_is_finite(ops, c), c, total)


# --- parts of numbers ----------------------------------------------------------------------------------


def _scaled(ops: LaneText, x: Value) -> tuple[Value, Value]:
    """A finite number but 0 as one in [1, 2) of its sign, and its binary exponent (s64)."""
    tiny = ops.view(x, U64) & MAGNITUDE < HIDDEN
    bits = ops.view(ops.select(tiny, raw(ops, "fmul", x, ops.const(F64, 2.0**54)), x), U64)
    offset = ops.select(tiny, ops.const(S64, BIAS + 54), ops.const(S64, BIAS))
    exponent = ops.view((bits & MAGNITUDE) >> 52, S64) - offset
    return ops.view(bits & ~INFINITY & 2**64 - 1 | BIAS << 52, F64), exponent


def _moved(ops: LaneText, x: Value, exponent: Value) -> Value:
    """A number in [1, 2) with another exponent."""
    return ops.view(ops.view(x, U64) + (ops.view(exponent, U64) << 52), F64)


def _special(ops: LaneText, x: Value) -> Value:
    """Zero, infinite or NaN."""
    return (ops.view(x, U64) & MAGNITUDE == 0) | ~_is_finite(ops, x)


def _is_finite(ops: LaneText, x: Value) -> Value:
    return ops.view(x, U64) & MAGNITUDE < INFINITY


def _is_negative(ops: LaneText, x: Value) -> Value:
    return ops.view(x, U64) >> 63 != 0


def _negated(ops: LaneText, x: Value) -> Value:
    return ops.view(ops.view(x, U64) ^ 1 << 63, F64)


def _fused(ops: LaneText, a: Value, b: Value, c: Value) -> Value:
    """a * b + c to nearest, here always exact."""
    return Value(ops, F64, ops.intrinsic("llvm.fma.v32f64", DOUBLE, [(DOUBLE, x.data) for x in (a, b, c)]))


def _sqrt(ops: LaneText, a: Value) -> Value:
    return Value(ops, F64, ops.intrinsic("llvm.sqrt.v32f64", DOUBLE, [(DOUBLE, a.data)]))


def _encode(ops: LaneText, total: Value, error: Value, exponent: Value, rnd: str) -> Value:
    """(total + error) * 2**exponent, rounded once; total is a normal number, to nearest, and error much smaller."""
    zero = ops.const(F64, 0.0)
    negative = _is_negative(ops, total)
    inexact = ops.fcompare("ne", error, zero)
    less = inexact & (ops.fcompare("gt", error, zero) ^ ~negative)  # the sum is nearer to 0 than total
    cut = (ops.view(total, U64) & MAGNITUDE) - ops.cast(less, U64)
    exact = ops.view(cut >> 52, S64) - BIAS + exponent
    exact = ops.minimum(exact, ops.const(S64, 2 * BIAS))
    number = ((cut & HIDDEN - 1 | HIDDEN) << 2) | ops.cast(inexact, U64)
    floor = ops.const(S64, LEAST)
    below = ops.view(ops.maximum(floor - exact, ops.const(S64, 0)), U64)
    shift = ops.minimum(below + 2, ops.const(U64, 62))
    kept = number >> shift
    is_more = number & (ops.const(U64, 1) << shift) - 1 != 0
    away = {"rz": ops.const(TYPES["pred"], 0), "rm": negative, "rp": ~negative}[rnd]
    kept = kept + ops.cast(is_more & away, U64)
    result = (ops.view(ops.maximum(exact, floor) - LEAST, U64) << 52) + kept
    edge = ops.select(away, ops.const(U64, INFINITY), ops.const(U64, INFINITY - 1))
    result = ops.select(result >= INFINITY, edge, result)
    return ops.view(result | ops.select(negative, ops.const(U64, 1 << 63), ops.const(U64, 0)), F64)
