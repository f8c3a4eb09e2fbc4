"""9.7.3 Floating-point instructions, f32 and f64; rcp to tanh (9.7.3.13 to 22) are in floating_point_functions.py.

f32 NaN results are 0x7fffffff.  f64 results keep the first NaN operand, made quiet.
"""

from __future__ import annotations

from emulator.isa import approximate
from emulator.isa.floats import (
    EXPONENT,
    ROUNDING,
    bits_of,
    extreme,
    flushed,
    is_nan,
    magnitude,
    negate,
    result,
    sign_bit,
    without_sign,
)
from emulator.isa.ops import F32, Ops, Value
from emulator.isa.registry import Variant, instruction

OPERATIONS = "finite infinite number notanumber normal subnormal"


@instruction("testp.op.type p, a", op=OPERATIONS, type="f32 f64", p="pred", requires="2.0 sm_20", loose=True,
             section="9.7.3.1")  # fmt: skip
def testp(ops: Ops, i: Variant, a: Value) -> Value:
    """p = whether a has a property; zeros are normal.

    example: testp.finite.f32 0f7f7fffff -> true
    example: testp.finite.f32 0f7f800000 -> false
    example: testp.infinite.f64 0dfff0000000000000 -> true
    example: testp.number.f32 0f7fc00000 -> false
    example: testp.notanumber.f32 0fff800001 -> true
    example: testp.normal.f32 0f80000000 -> true
    example: testp.normal.f32 0f807fffff -> false
    example: testp.subnormal.f64 0d0000000000000001 -> true
    example: testp.subnormal.f32 0f00000000 -> false
    """
    infinity, bits = EXPONENT[i.type.name], magnitude(ops, a)
    subnormal = (bits != 0) & ((bits & infinity) == 0)
    finite, nan = bits < infinity, bits > infinity
    found = {"finite": finite, "infinite": bits == infinity, "number": ~nan, "notanumber": nan}
    return (found | {"normal": finite & ~subnormal, "subnormal": subnormal})[i.op]


@instruction("copysign.type d, a, b", type="f32 f64", requires="2.0 sm_20", section="9.7.3.2")
def copysign(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = b with the sign of a; all other bits are kept, of NaN too.

    example: copysign.f32 0f80000000, 0f3f800000 -> 0fbf800000
    example: copysign.f32 1.0, 0fff800001 -> 0f7f800001
    example: copysign.f64 -2.0, 0.0 -> 0d8000000000000000
    """
    return ops.view(bits_of(ops, a) & sign_bit(i.type) | magnitude(ops, b), i.type)


@instruction("add{.rnd}{.ftz}{.sat}.type d, a, b", rnd=ROUNDING, type="f32", loose=True, section="9.7.3.3")
@instruction("add{.rnd}.type d, a, b", rnd=ROUNDING, type="f64", loose=True, section="9.7.3.3")
def add(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a + b, rounded once (rn if not said).

    .ftz takes subnormal operands and results as zeros of their sign; .sat clamps to [0, 1] and makes NaN +0.
    example: add.f32 1.0, 0f33800000 -> 1.0
    example: add.rp.f32 1.0, 0f33800000 -> 0f3f800001
    example: add.rz.f32 0f7f7fffff, 0f7f7fffff -> 0f7f7fffff
    example: add.f32 0f7f800000, 0fff800000 -> 0f7fffffff
    example: add.rm.f32 1.0, -1.0 -> 0f80000000
    example: add.f32 0f00000001, 0f00000001 -> 0f00000002
    example: add.ftz.f32 0f007fffff, 0f80000001 -> 0f00000000
    example: add.sat.f32 1.5, 2.5 -> 1.0
    example: add.sat.f32 0fffffffff, 1.0 -> 0f00000000
    example: add.f64 1.0, 0d3ca0000000000000 -> 1.0
    example: add.rp.f64 1.0, 0d3ca0000000000000 -> 0d3ff0000000000001
    example: add.f64 0dfff0000000000001, 1.0 -> 0dfff8000000000001
    """
    a, b = flushed(ops, i, a, b)
    return result(ops, i, ops.fadd(a, b, i.rnd or "rn"))


@instruction("sub{.rnd}{.ftz}{.sat}.type d, a, b", rnd=ROUNDING, type="f32", loose=True, section="9.7.3.4")
@instruction("sub{.rnd}.type d, a, b", rnd=ROUNDING, type="f64", loose=True, section="9.7.3.4")
def sub(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a - b, rounded once (rn if not said); .ftz and .sat as for add.

    example: sub.f32 1.0, 1.0 -> 0f00000000
    example: sub.rm.f32 1.0, 1.0 -> 0f80000000
    example: sub.f32 0f7f800000, 0f7f800000 -> 0f7fffffff
    example: sub.ftz.f32 0f00800001, 0f00800000 -> 0f00000000
    example: sub.sat.f32 1.0, 2.0 -> 0f00000000
    example: sub.rz.f64 1.0, 0d3c80000000000000 -> 0d3fefffffffffffff
    """
    a, b = flushed(ops, i, a, b)
    return result(ops, i, ops.fadd(a, negate(ops, b), i.rnd or "rn"))


@instruction("mul{.rnd}{.ftz}{.sat}.type d, a, b", rnd=ROUNDING, type="f32", loose=True, section="9.7.3.5")
@instruction("mul{.rnd}.type d, a, b", rnd=ROUNDING, type="f64", loose=True, section="9.7.3.5")
def mul(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a * b, rounded once (rn if not said); .ftz and .sat as for add.

    example: mul.f32 0f3f800001, 0f3f800001 -> 0f3f800002
    example: mul.rp.f32 0f3f800001, 0f3f800001 -> 0f3f800003
    example: mul.f32 0f00000000, 0fff800000 -> 0f7fffffff
    example: mul.f32 0f00800000, 0.5 -> 0f00400000
    example: mul.ftz.f32 0f80800000, 0.5 -> 0f80000000
    example: mul.sat.f32 -1.0, 0f00000000 -> 0f00000000
    example: mul.rz.f64 0d0000000000000001, 0.5 -> 0.0
    example: mul.rp.f64 0d0000000000000001, 0.5 -> 0d0000000000000001
    """
    a, b = flushed(ops, i, a, b)
    return result(ops, i, ops.fmul(a, b, i.rnd or "rn"))


@instruction(
    "fma.rnd{.ftz}{.sat}.type d, a, b, c",
    rnd=ROUNDING,
    type="f32",
    loose=True,
    requires="2.0 sm_20",
    section="9.7.3.6",
)
@instruction("fma.rnd.type d, a, b, c", rnd=ROUNDING, type="f64", loose=True, section="9.7.3.6")
@instruction("mad.rnd{.ftz}{.sat}.type d, a, b, c", rnd=ROUNDING, type="f32", loose=True, section="9.7.3.7")
@instruction("mad.rnd.type d, a, b, c", rnd=ROUNDING, type="f64", loose=True, section="9.7.3.7")
def fma(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a * b + c, rounded once: the product is exact.

    mad is the same instruction.  The sign of an exact zero sum is + unless both terms are negative zeros, or in rm.
    example: fma.rn.f32 0f3f800001, 0f3f800001, 0fbf800002 -> 0f28800000
    example: mad.rn.f32 0f3f800001, 0f3f800001, 0fbf800002 -> 0f28800000
    example: fma.rm.f32 1.0, 1.0, -1.0 -> 0f80000000
    example: fma.rn.f32 0f7f800000, 0f00000000, 1.0 -> 0f7fffffff
    example: fma.rn.ftz.f32 0f00000001, 1.0, 1.0 -> 1.0
    example: fma.rp.f32 0f00000001, 0f00000001, 1.0 -> 0f3f800001
    example: fma.rn.sat.f32 2.0, 2.0, 0.0 -> 1.0
    example: fma.rz.f64 0d7fe0000000000000, 2.0, -1.0 -> 0d7fefffffffffffff
    example: fma.rn.f64 0d3ff0000000000001, 0d3ff0000000000001, 0dbff0000000000002 -> 0d3970000000000000
    """
    a, b, c = flushed(ops, i, a, b, c)
    return result(ops, i, ops.fma(a, b, c, i.rnd))


@instruction(
    "div.rnd{.ftz}.type d, a, b", rnd=ROUNDING, type="f32", loose=True, requires="1.4 sm_20", section="9.7.3.8"
)
@instruction("div.rnd.type d, a, b", rnd=ROUNDING, type="f64", loose=True, requires="1.4 sm_13", section="9.7.3.8")
def div(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a / b, rounded once.

    example: div.rn.f32 1.0, 3.0 -> 0f3eaaaaab
    example: div.rz.f32 1.0, 3.0 -> 0f3eaaaaaa
    example: div.rn.f32 1.0, 0f80000000 -> 0fff800000
    example: div.rn.f32 0f00000000, 0f00000000 -> 0f7fffffff
    example: div.rn.f32 0f00800000, 2.0 -> 0f00400000
    example: div.rn.ftz.f32 0f00800000, 2.0 -> 0f00000000
    example: div.rp.f64 1.0, 3.0 -> 0d3fd5555555555556
    example: div.rn.f64 0.0, 0.0 -> 0dfff8000000000000
    example: div.rn.f64 1.0, 0d7ff0000000000005 -> 0d7ff8000000000005
    """
    a, b = flushed(ops, i, a, b)
    return result(ops, i, ops.fdiv(a, b, i.rnd))


@instruction("div.mode{.ftz}.type d, a, b", mode="approx full", type="f32", loose=True, section="9.7.3.8")
def div_approximate(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a * (1 / b) with the approximate reciprocal, at most 2 ulp off.

    Without .ftz a subnormal b is scaled up first; .full scales a b above 2^126 down, where .approx gives 0 or NaN.
    example: div.approx.f32 6.0, 3.0 -> 2.0
    example: div.approx.ftz.f32 1.0, 0f80000001 -> 0fff800000
    example: div.approx.ftz.f32 0f00800000, 2.0 -> 0f00000000
    example: div.approx.f32 0f00000002, 0f00000001 -> 2.0
    example: div.approx.f32 0f7f000000, 0f7f000000 -> 0f00000000
    example: div.full.f32 0f7f000000, 0f7f000000 -> 1.0
    example: div.approx.f32 0f7f800000, 0f7f000000 -> 0f7fffffff
    example: div.full.ftz.f32 1.0, 0f80000000 -> 0fff800000
    """
    x, y = quotient_factors(ops, i, a, b)
    return result(ops, i, ops.fmul(x, y))


def quotient_factors(ops: Ops, i: Variant, a: Value, b: Value) -> tuple[Value, Value]:
    """a and 1 / b, both scaled: their product is the approximate quotient."""
    size, scale = magnitude(ops, b), ops.const(F32, 1.0)
    if not i.ftz:
        scale = ops.select(size < 0x00800000, ops.const(F32, 2.0**24), scale)
    if i.mode == "full":
        scale = ops.select(size > 0x7E800000, ops.const(F32, 0.25), scale)
    a, b = flushed(ops, i, a, b)
    a, b = flushed(ops, i, ops.fmul(a, scale), ops.fmul(b, scale))
    return a, approximate.rcp(ops, b)


@instruction("abs{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.9")
@instruction("abs.type d, a", type="f64", section="9.7.3.9")
def abs_(ops: Ops, i: Variant, a: Value) -> Value:
    """d = |a|; a NaN becomes canonical in f32 and stays as it is in f64.

    example: abs.f32 0f80000000 -> 0f00000000
    example: abs.f32 0fff800001 -> 0f7fffffff
    example: abs.ftz.f32 0f80000001 -> 0f00000000
    example: abs.f64 -1.5 -> 1.5
    example: abs.f64 0dfff0000000000001 -> 0dfff0000000000001
    """
    if i.type == F32:
        return result(ops, i, ops.fadd(without_sign(ops, a), ops.const(F32, -0.0)))
    return ops.select(is_nan(ops, a), a, without_sign(ops, a))


@instruction("neg{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.10")
@instruction("neg.type d, a", type="f64", section="9.7.3.10")
def neg(ops: Ops, i: Variant, a: Value) -> Value:
    """d = -a, an addition of -0 on hardware: a NaN becomes canonical in f32 and quiet in f64.

    example: neg.f32 0f00000000 -> 0f80000000
    example: neg.f32 0f7f800001 -> 0f7fffffff
    example: neg.ftz.f32 0f00000001 -> 0f80000000
    example: neg.f64 0.0 -> 0d8000000000000000
    """
    return result(ops, i, ops.fadd(negate(ops, a), ops.const(i.type, -0.0)))


NEWER = {".NaN": "7.0 sm_80", ".xorsign": "7.2 sm_86"}


@instruction("min{.ftz}{.NaN}.type d, a, b", type="f32", loose=True, since=NEWER, section="9.7.3.11")
@instruction("min{.ftz}{.NaN}.xorsign.abs.type d, a, b", type="f32", loose=True, since=NEWER, section="9.7.3.11")
@instruction("min.type d, a, b", type="f64", section="9.7.3.11")
def min_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the smaller of a and b, where -0 < +0; the other operand for one NaN, unless .NaN.

    .xorsign.abs compares magnitudes and gives the product of the signs.
    example: min.f32 0f00000000, 0f80000000 -> 0f80000000
    example: min.f32 0f7f800001, 2.0 -> 2.0
    example: min.NaN.f32 0f7f800001, 2.0 -> 0f7fffffff
    example: min.f32 0f7f800001, 0fffc00000 -> 0f7fffffff
    example: min.ftz.f32 0f80000001, 1.0 -> 0f80000000
    example: min.xorsign.abs.f32 -2.0, 3.0 -> -2.0
    example: min.xorsign.abs.f32 -2.0, -3.0 -> 2.0
    example: min.f64 -1.0, 0dfff8000000000000 -> -1.0
    example: min.f64 0d7ff8000000000001, 0dfff0000000000002 -> 0dfff8000000000002
    """
    return _extreme(ops, i, a, b, least=True)


@instruction("max{.ftz}{.NaN}.type d, a, b", type="f32", loose=True, since=NEWER, section="9.7.3.12")
@instruction("max{.ftz}{.NaN}.xorsign.abs.type d, a, b", type="f32", loose=True, since=NEWER, section="9.7.3.12")
@instruction("max.type d, a, b", type="f64", section="9.7.3.12")
def max_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the greater of a and b, where -0 < +0; the other operand for one NaN, unless .NaN.

    example: max.f32 0f80000000, 0f00000000 -> 0f00000000
    example: max.f32 1.0, 0fffffffff -> 1.0
    example: max.NaN.f32 1.0, 0fffffffff -> 0f7fffffff
    example: max.ftz.f32 0f80000001, 0f80800000 -> 0f80000000
    example: max.NaN.xorsign.abs.f32 -2.0, 3.0 -> -3.0
    example: max.xorsign.abs.f32 -2.0, 0f7fc00000 -> -2.0
    example: max.f64 2.0, 3.0 -> 3.0
    """
    return _extreme(ops, i, a, b, least=False)


def _extreme(ops: Ops, i: Variant, a: Value, b: Value, *, least: bool) -> Value:
    """min or max; f64 selects, and makes b quiet where both are NaN (sm_90: DSETP.MIN, then an or)."""
    a, b = flushed(ops, i, a, b)
    found = extreme(ops, i, a, b, least=least)
    if i.type == F32:
        return found
    quiet = ops.view(bits_of(ops, b) | 1 << 51, i.type)
    return ops.select(is_nan(ops, a) & is_nan(ops, b), quiet, found)
