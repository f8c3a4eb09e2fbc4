"""Rounding to the small formats, as integer operations on the bits of f32: tf32, e4m3, e5m2, and f16 and bf16 limits.

bf16 and f16 themselves are rounded by `ops.fconvert`.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator.isa.floats import EXPONENT, bits_of, from_bits, is_nan, is_negative, magnitude, sign_bit
from emulator.isa.ops import F16, F32, U8, U16, U32, Ops, Value
from emulator.ptx_types import TYPES

TF32 = TYPES["tf32"]
TF32_NAN = 0x7FFFE000
TF32_TAIL = 0x1FFF  # the bits of an f32 that tf32 has not


@dataclass(frozen=True, slots=True)
class SmallFormat:
    """An 8-bit float: fraction bits, the exponent of the least normal number, the greatest finite code, NaN."""

    fraction: int
    least_exponent: int
    greatest: int
    nan: int


FP8 = {"e4m3": SmallFormat(3, -6, 0x7E, 0x7F), "e5m2": SmallFormat(2, -14, 0x7B, 0x7F)}


def to_fp8(ops: Ops, a: Value, name: str, *, relu: bool = False) -> Value:
    """An f32 as e4m3 or e5m2 bits (u8), rounded to nearest even; infinity and overflow give the greatest finite one.

    NaN gives 0x7f, whatever its sign; relu makes negative numbers and -0 zero.
    """
    form = FP8[name]
    size = magnitude(ops, a)
    exponent = ops.maximum(size >> 23, ops.const(U32, 1))
    significand = (size & 0x7FFFFF) | ops.select(size >= 0x800000, ops.const(U32, 0x800000), ops.const(U32, 0))
    least = ops.const(U32, form.least_exponent + 127)
    place = ops.maximum(exponent, least)
    drop = ops.minimum(place - exponent, ops.const(U32, 25)) + (23 - form.fraction)
    drop = ops.minimum(drop, ops.const(U32, 25))  # half a unit is then beyond every significand
    odd = significand >> drop & 1
    rounded = significand + (1 << drop - 1) - 1 + odd >> drop
    code = ops.minimum(rounded + (place - least << form.fraction), ops.const(U32, form.greatest))
    sign = ops.select(is_negative(ops, a), ops.const(U32, 0x80), ops.const(U32, 0))
    code = ops.select(sign != 0, ops.const(U32, 0), code) if relu else code | sign
    return ops.cast(ops.select(is_nan(ops, a), ops.const(U32, form.nan), code), U8)


def from_fp8(ops: Ops, code: Value, name: str) -> Value:
    """e4m3 or e5m2 bits (u8) as f16, exactly; NaN is canonical."""
    bits = ops.cast(code, U16)
    sign, size = (bits & 0x80) << 8, bits & 0x7F
    if name == "e5m2":
        return _with_nan(ops, ops.view(sign | size << 8, F16), size > 0x7C)
    widened = ops.fmul(ops.view(sign | size << 7, F16), ops.const(F16, 256.0))  # exponent biases 15 and 7
    return _with_nan(ops, widened, size == 0x7F)


def _with_nan(ops: Ops, a: Value, nan: Value) -> Value:
    return ops.select(nan, from_bits(ops, F16, 0x7FFF), a)


def to_tf32(ops: Ops, a: Value, rnd: str) -> Value:
    """An f32 as tf32 in the upper bits of a word: rn nearest even, rz toward zero, rna nearest, ties away.

    rna is an integer addition on sm_90: it carries into the exponent, and cuts NaN with a low payload to infinity.
    """
    bits = bits_of(ops, a)
    finite = magnitude(ops, a) < EXPONENT["f32"]
    if rnd == "rna":
        return ops.view(ops.select(finite, bits + 0x1000, bits) & ~TF32_TAIL, TF32)
    if rnd == "rn":
        bits = ops.select(finite, bits + 0xFFF + (bits >> 13 & 1), bits)
    return ops.view(ops.select(is_nan(ops, a), ops.const(U32, TF32_NAN), bits & ~TF32_TAIL), TF32)


def finite_tf32(ops: Ops, a: Value) -> Value:
    """Infinity as the greatest finite tf32; an integer subtraction on sm_90, which leaves NaN NaN."""
    bits = ops.view(a, U32)
    return ops.view(ops.select((bits & 0x7FFFFFFF) >= EXPONENT["f32"], bits - (TF32_TAIL + 1), bits), TF32)


def finite(ops: Ops, a: Value) -> Value:
    """Infinity as the greatest finite number of its sign (.satfinite); NaN stays."""
    infinity = EXPONENT[a.type.name]
    bits = bits_of(ops, a)
    return ops.view(ops.select((bits & sign_bit(a.type) - 1) == infinity, bits - 1, bits), a.type)


def widen_bf16(ops: Ops, a: Value) -> Value:
    """A bf16 as f32 by a shift: NaN keeps its payload."""
    return ops.view(ops.cast(ops.view(a, U16), U32) << 16, F32)
