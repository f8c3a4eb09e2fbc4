"""Rounding, once and in every mode: rn (nearest even), rz, rm (down), rp (up).

f16 and f32 results are computed in f64, either exactly or "rounded to odd": the neighbour of the exact value
whose last bit is one.  A value rounded to odd with at least two bits to spare rounds further as the exact one
would (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).  f64 results come from
error-free transformations: the rounded result and its exact error.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

Row = Any
# f64: what ptxas's own sequences for div.f64 and sqrt.f64 give on sm_90 for 0/0, inf/inf and negative roots.
CANONICAL_NAN = {16: 0x7FFF, 32: 0x7FFFFFFF, 64: 0xFFF8000000000000}
QUIET_F64 = np.uint64(1 << 51)
_SPLIT = np.float64(2**27 + 1)


def canonical(x: Row, *operands: Row) -> Row:
    """The same floats with every NaN canonical; writes into x, which must be fresh.

    f64 results keep the first NaN among the operands, made quiet: so do div.f64 and sqrt.f64 on sm_90.
    """
    nan = np.isnan(x)
    if nan.any():
        bits = x.view(f"u{x.itemsize}")
        bits[nan] = CANONICAL_NAN[x.itemsize * 8]
        for operand in reversed(operands if x.itemsize == 8 else ()):
            inherited = np.isnan(operand)
            bits[inherited] = operand.view(np.uint64)[inherited] | QUIET_F64
    return x


def two_sum(a: Row, b: Row) -> tuple[Row, Row]:
    """a + b rounded to nearest and the exact error, which is 0 or NaN where the sum is not finite."""
    larger = np.abs(a) >= np.abs(b)
    x: Row = np.where(larger, a, b)
    y: Row = np.where(larger, b, a)
    total = x + y
    return total, y - (total - x)


def two_product(a: Row, b: Row) -> tuple[Row, Row]:
    """a * b rounded to nearest and the exact error, where no intermediate value leaves the normal range."""
    product = a * b
    a1, b1 = _high(a), _high(b)
    a0, b0 = a - a1, b - b1
    return product, ((a1 * b1 - product) + a1 * b0 + a0 * b1) + a0 * b0


def _high(a: Row) -> Row:
    """The upper 26 bits of a significand (Veltkamp's splitting)."""
    scaled = a * _SPLIT
    return scaled - (scaled - a)


def toward(x: Row, up: Row, where: Row) -> Row:
    """The next float above (up) or below x in the chosen lanes; from infinity to the largest finite number."""
    bits = x.view(f"i{x.itemsize}")
    step = np.where(up != (bits < 0), 1, -1).astype(bits.dtype)
    return np.where(where, bits + step, bits).view(x.dtype)


def to_odd(x: Row, error: Row) -> Row:
    """The sum x + error rounded to odd, where |error| is at most half a unit of x in the last place."""
    even = (x.view(np.int64) & 1) == 0
    return toward(x, error > 0, even & (error != 0) & np.isfinite(x) & np.isfinite(error))


def directed(x: Row, error: Row, rnd: str) -> Row:
    """The sum x + error rounded in a mode, where x is that sum rounded to nearest."""
    if rnd == "rn":
        return x
    inexact = (error != 0) & ~np.isnan(error)
    up = error > 0
    if rnd == "rp":
        return toward(x, up, inexact & up)
    if rnd == "rm":
        return toward(x, up, inexact & ~up)
    return toward(x, up, inexact & (up == np.signbit(x)))


def narrow(x: Row, dtype: np.dtype[Any], rnd: str) -> Row:
    """f64 as f32 or f16, rounded once."""
    result = x.astype(dtype)
    if rnd == "rn":
        return result
    back = result.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.where(back == x, 0.0, np.where(x > back, 1.0, -1.0))
    return directed(result, np.where(np.isnan(x), 0.0, error), rnd)


def narrow_bf16(x: Row, rnd: str) -> Row:
    """f64 as the bits of bf16 (uint16), rounded once."""
    down = narrow(x, np.dtype(np.float32), "rz")
    bits = down.view(np.uint32)
    odd = bits | (down.astype(np.float64) != x)  # f32 rounded to odd: the last bit also stands for all below
    kept, rest = odd >> np.uint32(16), odd & np.uint32(0xFFFF)
    negative = bits >> np.uint32(31) != 0
    if rnd == "rn":
        more = (rest > 0x8000) | ((rest == 0x8000) & (kept & 1 != 0))
    else:
        more = (rest != 0) & {"rz": np.False_, "rm": negative, "rp": ~negative}[rnd]
    rounded = (kept + more).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), rounded)


def exactly(operation: str, operands: tuple[float, ...], rnd: str) -> float:
    """One f64 operation on finite nonzero operands by integers: mul, fma, div, sqrt in any range."""
    parts = [x.as_integer_ratio() for x in operands]
    if operation == "sqrt":
        top, bottom = parts[0]  # bottom is a power of two
        scale = 120 + bottom.bit_length() + (bottom.bit_length() & 1 ^ 1)
        squared = (top << 2 * scale) // bottom if bottom.bit_length() == 1 else top * (4**scale // bottom)
        root = math.isqrt(squared)
        return encode(2 * root + (root * root != squared), -scale - 1, rnd)
    (a, a_scale), (b, b_scale) = parts[:2]
    if operation == "div":
        top, bottom = a * b_scale, b * a_scale
        shift = max(0, 120 + bottom.bit_length() - top.bit_length())
        quotient, rest = divmod(abs(top) << shift, abs(bottom))
        number = 2 * quotient + (rest != 0)
        return encode(-number if (top < 0) != (bottom < 0) else number, -shift - 1, rnd)
    c, c_scale = parts[2] if operation == "fma" else (0, 1)
    exponent = max((a_scale * b_scale).bit_length(), c_scale.bit_length()) - 1
    total = (a * b << exponent) // (a_scale * b_scale) + (c << exponent) // c_scale
    if total == 0:
        return -0.0 if rnd == "rm" else 0.0
    return encode(total, -exponent, rnd)


def encode(number: int, exponent: int, rnd: str) -> float:
    """The nonzero number * 2**exponent as f64, rounded once."""
    negative, number = number < 0, abs(number)
    away = {"rz": False, "rm": negative, "rp": not negative}.get(rnd)
    shift = max(number.bit_length() - 53, -1074 - exponent)
    if shift > 0:
        rest, half = number & ((1 << shift) - 1), 1 << (shift - 1)
        number >>= shift
        if away is None:
            number += rest > half or (rest == half and number & 1 == 1)
        else:
            number += away and rest != 0
        exponent += shift
    if number.bit_length() + exponent > 1024:
        return math.copysign(math.inf if away is not False else sys.float_info.max, -1.0 if negative else 1.0)
    return math.copysign(math.ldexp(number, exponent), -1.0 if negative else 1.0)
