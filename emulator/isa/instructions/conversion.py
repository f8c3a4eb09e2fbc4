"""9.7.9.21 cvt between integers and floats; packed and small formats are in conversion_packed.py.

Which modifiers go with which types follows the manual and, where it is silent, ptxas 13.0 for sm_90a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.isa.floats import ROUNDING, flush, flushed, is_nan, magnitude, relu, result, saturate
from emulator.isa.formats import finite, widen_bf16
from emulator.isa.instructions.integer_arithmetic import limits
from emulator.isa.ops import F32, F64, Ops, Value
from emulator.isa.registry import Check, Meaning, Variant, instruction
from emulator.ptx_types import TYPES

INTEGERS = "u8 u16 u32 u64 s8 s16 s32 s64"
INTEGRAL = "rni rzi rmi rpi"
BF16 = TYPES["bf16"]


def conversion(
    modifiers: str,
    dtype: str,
    atype: str,
    *,
    rnd: str = ROUNDING,
    a: str = "atype",
    requires: str = "",
    since: dict[str, str] | None = None,
    check: Check | None = None,
) -> Callable[[Meaning], Meaning]:
    """Register `cvt{modifiers}.dtype.atype d, a`.

    Registers may be wider than the types, except beside bf16, which is as new as sm_90 where `requires` is not said.
    """
    with_bf16 = "bf16" in f"{dtype} {atype}".split()
    relaxed = "" if with_bf16 else "relaxed "
    keywords: dict[str, Any] = {"rnd": rnd} if ".rnd" in modifiers else {}
    return instruction(
        f"cvt{modifiers}.dtype.atype d, a",
        dtype=dtype,
        atype=atype,
        d=f"{relaxed}dtype",
        a=f"{relaxed}{a}",
        loose=True,
        section="9.7.9.21",
        requires=requires or ("7.8 sm_90" if with_bf16 else ""),
        since=since,
        check=check,
        **keywords,
    )


def saturation_is_possible(i: Variant) -> str | None:
    """.sat is refused where the destination holds every source."""
    (least, greatest), (low, high) = limits(i.dtype), limits(i.atype)
    if i.sat and least <= low and high <= greatest:
        return f".sat has no meaning: {i.dtype} holds every {i.atype}"
    return None


@conversion("{.sat}", INTEGERS, INTEGERS, a="special atype", check=saturation_is_possible)
def cvt_integer(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a, truncated or extended by its sign; .sat limits it to the range of dtype.

    example: cvt.u8.u32 0x12345678 -> 0x78
    example: cvt.s64.s32 0x80000000 -> 0xffffffff80000000
    example: cvt.u64.s32 -1 -> 0xffffffffffffffff
    example: cvt.sat.u8.s32 -1 -> 0
    example: cvt.sat.u8.s32 300 -> 255
    example: cvt.sat.s64.u64 0xffffffffffffffff -> 0x7fffffffffffffff
    """
    if i.sat:
        (least, greatest), (low, high) = limits(i.dtype), limits(i.atype)
        a = ops.maximum(a, ops.const(i.atype, max(least, low)))
        a = ops.minimum(a, ops.const(i.atype, min(greatest, high)))
    return ops.cast(a, i.dtype)


@conversion(".rnd{.sat}", INTEGERS, "f16 f64", rnd=INTEGRAL)
@conversion(".rnd{.ftz}{.sat}", INTEGERS, "f32", rnd=INTEGRAL)
@conversion(".rnd", INTEGERS, "bf16", rnd=INTEGRAL)
def cvt_to_integer(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a rounded to an integer and limited to the range of dtype, with .sat or without.

    NaN gives 0; from f64, or to 64 bits, it gives the number whose highest bit alone is set.
    example: cvt.rzi.s32.f32 -1.75 -> -1
    example: cvt.rni.s32.f32 2.5 -> 2
    example: cvt.rmi.s32.f32 0f80000001 -> -1
    example: cvt.rmi.ftz.s32.f32 0f80000001 -> 0
    example: cvt.rzi.u32.f32 -1.0 -> 0
    example: cvt.rzi.s32.f32 0f4f000000 -> 0x7fffffff
    example: cvt.rzi.u8.f32 256.0 -> 255
    example: cvt.rzi.s32.f32 0f7fffffff -> 0
    example: cvt.rzi.s32.f64 0d7ff8000000000000 -> 0x80000000
    example: cvt.rzi.u64.f32 0f7fffffff -> 0x8000000000000000
    example: cvt.rpi.u16.bf16 0x3f81 -> 2
    """
    (a,) = flushed(ops, i, a)
    number = ops.fconvert(a, F32) if i.atype == BF16 else a
    d = ops.float_to_int(ops.fround(number, i.rnd), i.dtype)
    if i.atype.width < 64 and i.dtype.width < 64:
        return d
    return ops.select(is_nan(ops, number), ops.const(i.dtype, 1 << i.dtype.width - 1), d)


@conversion(".rnd{.ftz}{.sat}", "f32", INTEGERS)
@conversion(".rnd{.sat}", "f16 f64", INTEGERS)
@conversion(".rnd", "bf16", INTEGERS)
def cvt_from_integer(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a as a float, rounded once; .sat clamps it to [0, 1].

    example: cvt.rn.f32.s32 16777217 -> 0f4b800000
    example: cvt.rp.f32.s32 16777217 -> 0f4b800001
    example: cvt.rn.f32.u64 0xffffffffffffffff -> 0f5f800000
    example: cvt.rn.f16.u32 65520 -> 0x7c00
    example: cvt.rz.f16.u32 65535 -> 0x7bff
    example: cvt.rn.sat.f32.s32 -5 -> 0.0
    example: cvt.rn.f64.s64 0x8000000000000000 -> 0dc3e0000000000000
    example: cvt.rn.bf16.s32 257 -> 0x4380
    """
    d = ops.int_to_float(a, i.dtype, i.rnd)
    return saturate(ops, d) if i.get("sat") else d


SATFINITE = {".satfinite": "8.1 sm_80"}


@conversion(".rnd{.ftz}{.sat}", "f16", "f32")
@conversion(".rnd{.sat}", "f16", "f64")
@conversion(".rnd{.ftz}", "bf16", "f32", requires="7.0 sm_80")
@conversion(".rnd.relu{.satfinite}", "f16", "f32", rnd="rn rz", requires="7.0 sm_80", since=SATFINITE)
@conversion(".rnd.relu{.satfinite}", "bf16", "f32", rnd="rn rz", requires="7.0 sm_80", since=SATFINITE)
@conversion(".rnd.satfinite", "f16", "f32", rnd="rn rz", requires="8.1 sm_80")
@conversion(".rnd.satfinite", "bf16", "f32", rnd="rn rz", requires="8.1 sm_80")
@conversion(".rnd", "bf16", "f64")
@conversion("{.rnd}", "bf16", "f16")
@conversion("{.rnd}", "f16 f64", "bf16")
@conversion("{.sat}", "f64", "f16")
@conversion("{.ftz}{.sat}", "f32", "f16")
@conversion("{.ftz}{.sat}", "f64", "f32")
def cvt_float(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a in another float format, rounded once.

    NaN becomes canonical.  .relu makes negative numbers zero, .satfinite makes infinity the greatest finite number.
    example: cvt.rn.f16.f32 65520.0 -> 0x7c00
    example: cvt.rz.f16.f32 65520.0 -> 0x7bff
    example: cvt.rn.satfinite.f16.f32 0fff800000 -> 0xfbff
    example: cvt.rn.relu.f16.f32 -1.0 -> 0
    example: cvt.rn.f16.f32 0f7f800001 -> 0x7fff
    example: cvt.rn.f16.f32 0f33000000 -> 0
    example: cvt.rn.f16.f32 0f33000001 -> 1
    example: cvt.rn.bf16.f32 0f3f808000 -> 0x3f80
    example: cvt.rn.bf16.f32 0f3f818000 -> 0x3f82
    example: cvt.rn.satfinite.bf16.f32 0f7f7fffff -> 0x7f7f
    example: cvt.rn.f16.f64 1.00048828125 -> 0x3c00
    example: cvt.f32.f16 0x0001 -> 0f33800000
    example: cvt.f32.f16 0xfe01 -> 0f7fffffff
    example: cvt.ftz.f64.f32 0f80000001 -> 0d8000000000000000
    example: cvt.rz.f16.bf16 0x3f81 -> 0x3c08
    """
    if i.get("ftz") and i.atype == F32:
        a = flush(ops, a)
    d = ops.fconvert(a, i.dtype, i.get("rnd") or "rn")
    if i.get("relu"):
        d = relu(ops, d)
    if i.get("satfinite"):
        d = finite(ops, d)
    return saturate(ops, d) if i.get("sat") else d


@conversion(".rnd{.ftz}{.sat}", "f32", "f64")
def cvt_f32_f64(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a in f32; .ftz flushes what would round below 2^-126 if the exponent had no limit, as ptxas writes it.

    example: cvt.rn.f32.f64 0d380ffffff0000000 -> 0f00800000
    example: cvt.rn.ftz.f32.f64 0d380ffffff0000000 -> 0f00800000
    example: cvt.rn.ftz.f32.f64 0d380fffffefffffff -> 0f00000000
    example: cvt.rz.ftz.f32.f64 0db80fffffffffffff -> 0f80000000
    example: cvt.rm.f32.f64 0d47efffffffffffff -> 0f7f7fffff
    example: cvt.rn.sat.f32.f64 -1.0 -> 0f00000000
    example: cvt.rn.f32.f64 0dfff0000000000001 -> 0f7fffffff
    """
    d = ops.fconvert(a, F32, i.rnd)
    if i.ftz:
        unlimited = ops.fconvert(ops.fmul(a, ops.const(F64, 2.0**64)), F32, i.rnd)
        tiny = magnitude(ops, unlimited) < magnitude(ops, ops.const(F32, 2.0**-62))
        d = ops.select(tiny, ops.fmul(d, ops.const(F32, 2.0**-126), "rz"), d)
    return saturate(ops, d) if i.sat else d


@conversion("{.rnd}{.ftz}", "f32", "bf16", requires="7.1 sm_80", since={".ftz": "7.8 sm_90"})
def cvt_f32_bf16(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a in f32: the bits, shifted left by 16, of NaN too; .ftz flushes subnormal numbers.

    example: cvt.f32.bf16 0x3f81 -> 0f3f810000
    example: cvt.f32.bf16 0xff81 -> 0fff810000
    example: cvt.ftz.f32.bf16 0x8001 -> 0f80000000
    """
    return flush(ops, ops.fconvert(a, F32)) if i.ftz else widen_bf16(ops, a)


@conversion("{.rnd}{.ftz}{.sat}", "f32", "f32", rnd=INTEGRAL)
@conversion("{.rnd}{.sat}", "f16", "f16", rnd=INTEGRAL)
@conversion("{.rnd}{.sat}", "f64", "f64", rnd=INTEGRAL)
@conversion("{.rnd}", "bf16", "bf16", rnd=INTEGRAL)
def cvt_same(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a, with .rni .rzi .rmi .rpi rounded to an integral value; the sign of zero is kept.

    Without modifiers f32 and f64 are only copied, NaN too; otherwise NaN becomes canonical.
    example: cvt.rni.f32.f32 2.5 -> 2.0
    example: cvt.rpi.f32.f32 -0.5 -> 0f80000000
    example: cvt.rmi.f64.f64 -0.5 -> -1.0
    example: cvt.rzi.f16.f16 0xbdff -> 0xbc00
    example: cvt.f32.f32 0f7f800001 -> 0f7f800001
    example: cvt.ftz.f32.f32 0f80000001 -> 0f80000000
    example: cvt.sat.f32.f32 0fffc00000 -> 0f00000000
    example: cvt.rni.sat.f32.f32 1.75 -> 1.0
    example: cvt.rni.bf16.bf16 0x3fc0 -> 0x4000
    example: cvt.f16.f16 0xfe01 -> 0x7fff
    """
    (d,) = flushed(ops, i, a)
    if i.rnd:
        wide = ops.fconvert(d, F32) if i.dtype == BF16 else d
        d = ops.fconvert(ops.fround(wide, i.rnd), BF16) if i.dtype == BF16 else ops.fround(wide, i.rnd)
    elif i.dtype.width == 16 or i.get("ftz"):
        d = ops.fconvert(d, i.dtype)
    return result(ops, i, d)
