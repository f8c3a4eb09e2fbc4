"""The multi-function unit: approximate reciprocal, roots, exponential, logarithm, sine, cosine, tangent.

rcp, rsqrt, ex2, lg2, sin and cos follow the published design of the unit (Oberman and Siu, "A high-performance
area-efficient multifunction interpolator", ARITH 2005) with the tables of isa/tables.py: the high bits of the
significand choose a segment, C0 + C1 x + C2 x^2 is summed as integers with a truncated square, and rounded by a
bias.  The models of the other functions are our own and meet the manual's bounds (docs/deviations.md).

Each function is one machine operation: subnormal inputs count as zeros, subnormal results become zeros, NaN
results are canonical.  What PTX adds around it stands in the chapter of the instruction.
"""

from __future__ import annotations

from emulator.isa.ops import F32, F64, S32, U32, U64, Ops, Value
from emulator.isa.tables import TANH_BITS

ONE = 0x00800000  # the hidden bit of a significand
INFINITY = 0x7F800000
NAN = 0x7FFFFFFF
SIGN = 0x80000000


def rcp(ops: Ops, a: Value) -> Value:
    """1 / a in f32, at most 1 ulp off."""
    bits = ops.view(a, U32)
    sign, exponent, fraction = bits & SIGN, bits >> 23 & 0xFF, bits & (ONE - 1)
    result = sign | _assemble(ops, 253 - exponent, _reciprocal(ops, fraction))
    result = ops.select(exponent == 0, sign | INFINITY, result)
    result = ops.select(exponent == 0xFF, ops.select(fraction == 0, sign, ops.const(U32, NAN)), result)
    return ops.view(result, F32)


def rsqrt(ops: Ops, a: Value) -> Value:
    """1 / sqrt(a) in f32, relative error at most 2^-22.9."""
    bits = ops.view(a, U32)
    sign, exponent, fraction = bits & SIGN, bits >> 23 & 0xFF, bits & (ONE - 1)
    half, significand = _reciprocal_root(ops, exponent - 127, fraction)
    result = _assemble(ops, 126 - half, significand)
    result = ops.select(bits == INFINITY, ops.const(U32, 0), result)
    result = ops.select((sign != 0) | (bits > INFINITY), ops.const(U32, NAN), result)
    return ops.view(ops.select(exponent == 0, sign | INFINITY, result), F32)


def sqrt(ops: Ops, a: Value) -> Value:
    """The square root in f32: correctly rounded, as the best guess at a unit whose error is below 2^-23."""
    bits = ops.view(a, U32)
    root = ops.view(ops.fsqrt(a), U32)
    return ops.view(ops.select((bits >> 23 & 0xFF) == 0, bits & SIGN, root), F32)


def ex2(ops: Ops, a: Value) -> Value:
    """2^a in f32, at most 2 ulp off: the input is truncated to 7.23 fixed point."""
    bits = ops.view(a, U32)
    sign, exponent = bits >> 31 != 0, bits >> 23 & 0xFF
    fixed = _fixed_point(ops, bits, 127)
    fraction, whole = fixed & (ONE - 1), fixed >> 23
    below = sign & (fraction != 0)  # -2.3 = -3 + 0.7; a one's complement stands for the subtraction
    whole = ops.select(sign, 0 - whole, whole) - ops.select(below, ops.const(U32, 1), ops.const(U32, 0))
    fraction = ops.select(below, ~fraction & (ONE - 1), fraction)
    c0, c1, c2, x, square = _segment(ops, "ex2", fraction, 17)
    significand = ops.cast(((c0 << 13) + c1 * x + c2 * square + 0x77E2) >> 15, U32)
    result = _assemble(ops, whole + 127, significand)
    beyond = ops.select(sign, ops.const(U32, 0), ops.const(U32, INFINITY))
    result = ops.select(exponent >= 134, beyond, result)  # |a| >= 128
    return ops.view(ops.select(_is_nan(bits), ops.const(U32, NAN), result), F32)


def lg2(ops: Ops, a: Value) -> Value:
    """log2(a) in f32: absolute error at most 2^-22 in (0.5, 2), relative error at most 2^-22 elsewhere."""
    bits = ops.view(a, U32)
    exponent, fraction = bits >> 23 & 0xFF, bits & (ONE - 1)
    c0, c1, c2, x, square = _segment(ops, "lg2", fraction, 17)
    logarithm = ((c0 << 12) + c1 * x - (c2 * square << 1) + 0x3345) >> 2
    number = logarithm + (ops.cast(exponent, U64) - 127 << 36)
    negative = number >> 63 != 0
    result = _normalized(ops, ops.select(negative, ~number, number), 36)
    result = result | ops.select(negative, ops.const(U32, SIGN), ops.const(U32, 0))
    result = ops.select(bits == 0x3F800000, ops.const(U32, 0), result)
    result = ops.select(bits >= INFINITY, ops.select(bits == INFINITY, bits, ops.const(U32, NAN)), result)
    return ops.view(ops.select(exponent == 0, ops.const(U32, SIGN | INFINITY), result), F32)


def sin(ops: Ops, turns: Value) -> Value:
    """The sine of an angle in turns, f32; the angle is truncated to 2.23 fixed point quadrants."""
    bits = ops.view(turns, U32)
    return _sine(ops, bits, _fixed_point(ops, bits, 125), bits & SIGN)


def cos(ops: Ops, turns: Value) -> Value:
    """The cosine of an angle in turns, f32: the sine one quadrant further, of the magnitude."""
    bits = ops.view(turns, U32)
    return _sine(ops, bits, _fixed_point(ops, bits, 125) + ONE, ops.const(U32, 0))


def _sine(ops: Ops, bits: Value, quadrants: Value, sign: Value) -> Value:
    fraction = ops.select((quadrants & ONE) != 0, ~quadrants, quadrants) & (ONE - 1)
    sign = sign ^ ((quadrants << 7) & SIGN)
    c0, c1, c2, x, square = _segment(ops, "sin", fraction, 17)
    result = sign | _normalized(ops, (c0 << 11) + c1 * x - c2 * square, 37)
    infinite = (bits & 0x7FFFFFFF) >= INFINITY
    return ops.view(ops.select(infinite, ops.const(U32, NAN), result), F32)


def tanh(ops: Ops, a: Value) -> Value:
    """tanh(a) in f32, relative error below 2^-11: a itself below 2^-5, one from 8, chords between."""
    bits = ops.view(a, U32)
    sign, magnitude = bits & SIGN, bits & 0x7FFFFFFF
    inside = (magnitude >= 0x3D000000) & (magnitude < 0x41000000)
    place = ops.select(inside, magnitude - 0x3D000000, ops.const(U32, 0))
    entry = ops.lookup("tanh", place >> 18)
    growth = (entry >> 32) * ops.cast(place & 0x3FFFF, U64) >> 18
    result = _normalized(ops, (entry & 0xFFFFFFFF) + growth, TANH_BITS)
    result = ops.select(magnitude < 0x3D000000, magnitude, result)
    result = ops.select(magnitude >= 0x41000000, ops.const(U32, 0x3F800000), result)
    return ops.view(ops.select(_is_nan(bits), ops.const(U32, NAN), sign | result), F32)


def rcp64h(ops: Ops, a: Value) -> Value:
    """1 / a in f64 from the high word alone; the low word of the result is 0."""
    high = ops.cast(ops.view(a, U64) >> 32, U32)
    sign, exponent, fraction = high & SIGN, high >> 20 & 0x7FF, high & 0xFFFFF
    result = sign | _assemble_high(ops, 2045 - exponent, _reciprocal(ops, fraction << 3))
    result = ops.select(exponent == 0, sign | 0x7FF00000, result)
    result = ops.select(exponent == 0x7FF, ops.select(fraction == 0, sign, ops.const(U32, NAN)), result)
    return ops.view(ops.cast(result, U64) << 32, F64)


def rsqrt64h(ops: Ops, a: Value) -> Value:
    """1 / sqrt(a) in f64 from the high word alone; the low word of the result is 0."""
    high = ops.cast(ops.view(a, U64) >> 32, U32)
    sign, exponent, fraction = high & SIGN, high >> 20 & 0x7FF, high & 0xFFFFF
    half, significand = _reciprocal_root(ops, exponent - 1023, fraction << 3)
    result = _assemble_high(ops, 1022 - half, significand)
    result = ops.select(high == 0x7FF00000, ops.const(U32, 0), result)
    result = ops.select((sign != 0) | (high > 0x7FF00000), ops.const(U32, NAN), result)
    result = ops.select(exponent == 0, sign | 0x7FF00000, result)
    return ops.view(ops.cast(result, U64) << 32, F64)


# --- parts that the functions share -------------------------------------------------------------------


def _is_nan(bits: Value) -> Value:
    return (bits & 0x7FFFFFFF) > INFINITY


def _segment(ops: Ops, name: str, position: Value, width: int) -> tuple[Value, Value, Value, Value, Value]:
    """Coefficients of the segment at a fraction (u32), the `width` bits x below it, and x^2; all u64."""
    entry = ops.lookup(name, position >> width)
    x = position & ((1 << width) - 1)
    square = _square(ops, x << 17 - width)
    constant, linear, quadratic = entry & 0xFFFFFFF, entry >> 28 & 0xFFFF, entry >> 44
    return constant, linear, quadratic, ops.cast(x, U64), ops.cast(square, U64)


def _square(ops: Ops, x: Value) -> Value:
    """x^2 / 2^19 of a 17-bit x, as the unit's squarer gives it: without the products of bits below 2^18.

    With x = 512 high + low those are all of low * low, and some of high * low, which counts twice.
    """
    high, low = x >> 9, x & 0x1FF
    cross = (low >> 8) * (high >> 1 & 1)
    for bit in range(2, 8):
        cross = cross + (low >> 9 - bit) * (high >> bit & 1)
    return (high * high + (cross << 1)) >> 1


def _reciprocal(ops: Ops, fraction: Value) -> Value:
    """2^47 / (2^23 + fraction): a significand of 24 bits, 2^24 for a fraction of 0."""
    c0, c1, c2, x, square = _segment(ops, "rcp", fraction, 16)
    return ops.cast(((c0 << 13) - c1 * x + c2 * square + 0x47E7) >> 15, U32)


def _reciprocal_root(ops: Ops, exponent: Value, fraction: Value) -> tuple[Value, Value]:
    """Half the exponent, rounded down, and the significand of 1 / sqrt(2^(exponent & 1) (1 + fraction))."""
    half = ops.view(ops.view(exponent, S32) >> 1, U32)
    position = fraction | (exponent & 1) << 23
    c0, c1, c2, x, square = _segment(ops, "rsqrt", position, 17)
    significand = ops.cast(((c0 << 14) - c1 * x + (c2 * square << 2) + 0x7FFF) >> 16, U32)
    return half, ops.select(position == 0, ops.const(U32, 2 * ONE), significand)


def _fixed_point(ops: Ops, bits: Value, unit: int) -> Value:
    """|a| times 2^(150 - unit), truncated: 23 fraction bits where the exponent field of 1.0 counts as `unit`."""
    exponent, significand = bits >> 23 & 0xFF, bits & (ONE - 1) | ONE
    fixed = ops.select(exponent < unit, significand >> unit - exponent, significand << exponent - unit)
    return ops.select(exponent == 0, ops.const(U32, 0), fixed)


def _assemble(ops: Ops, exponent: Value, significand: Value) -> Value:
    """f32 bits of a significand of 2^23 to 2^24; zero below the normal numbers, infinity above."""
    bits = ops.view((exponent << 23) + significand - ONE, S32)
    return ops.view(ops.select(bits < ONE, ops.const(S32, 0), bits), U32)


def _assemble_high(ops: Ops, exponent: Value, significand: Value) -> Value:
    """The high word of an f64 from a significand of 2^23 to 2^24, rounded to 20 fraction bits."""
    bits = ops.view((exponent << 20) + (significand + 4 >> 3) - 0x100000, S32)
    return ops.view(ops.select(bits < 0x100000, ops.const(S32, 0), bits), U32)


def _normalized(ops: Ops, number: Value, point: int) -> Value:
    """The u64 number / 2^point as f32 bits, truncated; number is 0 or at least 2^(point - 126)."""
    zeros = ops.leading_zeros(number)
    significand = ops.cast(number << zeros >> 40, U32)
    bits = ((190 - point) - zeros << 23) + significand - ONE
    return ops.select(number == 0, ops.const(U32, 0), bits)
