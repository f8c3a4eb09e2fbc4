"""9.7.3.13 to 9.7.3.22 rcp, sqrt, rsqrt, sin, cos, lg2, ex2, tanh: IEEE rounding, or the multi-function unit.

The approximations without .ftz are the unit's (isa/approximate.py) between multiplications that keep subnormal
numbers away from it, as ptxas writes them for sm_90.
"""

from __future__ import annotations

from emulator.isa import approximate
from emulator.isa.floats import ROUNDING, flushed, is_nan, magnitude, negate, result
from emulator.isa.ops import F32, F64, S32, Ops, Value
from emulator.isa.registry import Variant, instruction

LEAST_NORMAL = 0x00800000


def tiny(ops: Ops, a: Value, yes: float, no: Value | float = 1.0) -> Value:
    """One f32 factor where |a| < 2^-126, else another."""
    other = no if isinstance(no, Value) else ops.const(F32, no)
    return ops.select(magnitude(ops, a) < LEAST_NORMAL, ops.const(F32, yes), other)


@instruction("rcp.rnd{.ftz}.type d, a", rnd=ROUNDING, type="f32", loose=True, requires="1.4 sm_20", section="9.7.3.13")
@instruction("rcp.rnd.type d, a", rnd=ROUNDING, type="f64", loose=True, requires="1.4 sm_13", section="9.7.3.13")
def rcp(ops: Ops, i: Variant, a: Value) -> Value:
    """d = 1 / a, rounded once.

    example: rcp.rn.f32 3.0 -> 0f3eaaaaab
    example: rcp.rz.f32 3.0 -> 0f3eaaaaaa
    example: rcp.rn.f32 0f80000000 -> 0fff800000
    example: rcp.rn.f32 0f7e800001 -> 0f007fffff
    example: rcp.rn.ftz.f32 0f7e800001 -> 0f00000000
    example: rcp.rn.ftz.f32 0f80400000 -> 0fff800000
    example: rcp.rp.f64 3.0 -> 0d3fd5555555555556
    example: rcp.rn.f64 0d7ff0000000000000 -> 0.0
    """
    (a,) = flushed(ops, i, a)
    return result(ops, i, ops.fdiv(ops.const(i.type, 1.0), a, i.rnd))


@instruction("rcp.approx{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.13")
def rcp_approximate(ops: Ops, i: Variant, a: Value) -> Value:
    """d = 1 / a, at most 1 ulp off.

    example: rcp.approx.f32 4.0 -> 0.25
    example: rcp.approx.ftz.f32 0f7f000000 -> 0f00000000
    example: rcp.approx.f32 0f7f000000 -> 0f00400000
    example: rcp.approx.f32 0f80400000 -> 0fff000000
    example: rcp.approx.f32 0f00000001 -> 0f7f800000
    example: rcp.approx.f32 0fff800000 -> 0f80000000
    example: rcp.approx.f32 0f7fc00000 -> 0f7fffffff
    """
    if i.ftz:
        return approximate.rcp(ops, a)
    large = magnitude(ops, a) > 0x7E800000
    scale = tiny(ops, a, 2.0**24, ops.select(large, ops.const(F32, 0.25), ops.const(F32, 1.0)))
    return ops.fmul(scale, approximate.rcp(ops, ops.fmul(a, scale)))


@instruction("rcp.approx.ftz.type d, a", type="f64", loose=True, requires="2.1 sm_20", section="9.7.3.14")
def rcp_high(ops: Ops, i: Variant, a: Value) -> Value:
    """d = about 1 / a, from the high word of a; the low word of d is 0.

    example: rcp.approx.ftz.f64 4.0 -> 0.25
    example: rcp.approx.ftz.f64 0d80000000ffffffff -> 0dfff0000000000000
    example: rcp.approx.ftz.f64 0d000fffff00000000 -> 0d7ff0000000000000
    example: rcp.approx.ftz.f64 0d7ff8000000000000 -> 0d7fffffff00000000
    """
    return approximate.rcp64h(ops, a)


@instruction("sqrt.rnd{.ftz}.type d, a", rnd=ROUNDING, type="f32", loose=True, requires="1.4 sm_20", section="9.7.3.15")
@instruction("sqrt.rnd.type d, a", rnd=ROUNDING, type="f64", loose=True, requires="1.4 sm_13", section="9.7.3.15")
def sqrt(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the square root of a, rounded once; -0 for -0, NaN below.

    example: sqrt.rn.f32 2.0 -> 0f3fb504f3
    example: sqrt.rp.f32 2.0 -> 0f3fb504f4
    example: sqrt.rn.f32 -1.0 -> 0f7fffffff
    example: sqrt.rn.f32 0f80000000 -> 0f80000000
    example: sqrt.rn.f32 0f00000001 -> 0f1a3504f3
    example: sqrt.rn.ftz.f32 0f80000001 -> 0f80000000
    example: sqrt.rn.f64 2.0 -> 0d3ff6a09e667f3bcd
    example: sqrt.rz.f64 2.0 -> 0d3ff6a09e667f3bcc
    example: sqrt.rn.f64 -1.0 -> 0dfff8000000000000
    """
    (a,) = flushed(ops, i, a)
    return result(ops, i, ops.fsqrt(a, i.rnd))


@instruction("sqrt.approx{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.15")
def sqrt_approximate(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the square root of a, relative error at most 2^-23.

    example: sqrt.approx.f32 4.0 -> 2.0
    example: sqrt.approx.f32 0f00000001 -> 0f1a3504f3
    example: sqrt.approx.ftz.f32 0f00000001 -> 0f00000000
    example: sqrt.approx.f32 0f80000000 -> 0f80000000
    example: sqrt.approx.f32 -1.0 -> 0f7fffffff
    example: sqrt.approx.f32 0f7f800000 -> 0f7f800000
    """
    if i.ftz:
        return approximate.sqrt(ops, a)
    return ops.fmul(approximate.sqrt(ops, ops.fmul(a, tiny(ops, a, 2.0**24))), tiny(ops, a, 2.0**-12))


@instruction("rsqrt.approx{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.16")
def rsqrt(ops: Ops, i: Variant, a: Value) -> Value:
    """d = 1 / the square root of a, relative error at most 2^-22.9.

    example: rsqrt.approx.f32 4.0 -> 0.5
    example: rsqrt.approx.f32 0f80000000 -> 0fff800000
    example: rsqrt.approx.f32 -1.0 -> 0f7fffffff
    example: rsqrt.approx.f32 0f7f800000 -> 0f00000000
    example: rsqrt.approx.ftz.f32 0f00400000 -> 0f7f800000
    example: rsqrt.approx.f32 0f00200000 -> 0f5f800000
    """
    if i.ftz:
        return approximate.rsqrt(ops, a)
    return ops.fmul(approximate.rsqrt(ops, ops.fmul(a, tiny(ops, a, 2.0**24))), tiny(ops, a, 2.0**12))


@instruction("rsqrt.approx.type d, a", type="f64", loose=True, section="9.7.3.16")
def rsqrt_f64(ops: Ops, i: Variant, a: Value) -> Value:
    """d = 1 / the square root of a: the high-word approximation and one step of third order, as on sm_90.

    example: rsqrt.approx.f64 4.0 -> 0.5
    example: rsqrt.approx.f64 0d0010000000000000 -> 0d5fe0000000000000
    example: rsqrt.approx.f64 0d0004000000000000 -> 0d5ff0000000000000
    example: rsqrt.approx.f64 0d8000000000000000 -> 0dfff0000000000000
    example: rsqrt.approx.f64 -1.0 -> 0dfff8000000000000
    example: rsqrt.approx.f64 0d7ff0000000000000 -> 0.0
    """
    bits, one = magnitude(ops, a), ops.const(F64, 1.0)
    subnormal = bits < 1 << 52
    x = ops.fmul(a, ops.select(subnormal, ops.const(F64, 2.0**54), one))
    y = approximate.rsqrt64h(ops, x)
    error = ops.fma(x, negate(ops, ops.fmul(y, y)), one)
    slope = ops.fma(error, ops.const(F64, 0.375), ops.const(F64, 0.5))
    root = ops.fmul(ops.fma(slope, ops.fmul(y, error), y), ops.select(subnormal, ops.const(F64, 2.0**27), one))
    special = ops.select(is_nan(ops, y), ops.fsqrt(a), y)  # a NaN is kept, made quiet; 0dfff8... for negative numbers
    return ops.select((bits == 0) | (bits >= 0x7FF << 52) | is_nan(ops, y), special, root)


@instruction("rsqrt.approx.ftz.type d, a", type="f64", loose=True, requires="4.0 sm_20", section="9.7.3.17")
def rsqrt_high(ops: Ops, i: Variant, a: Value) -> Value:
    """d = about 1 / the square root of a, from the high word of a; the low word of d is 0.

    example: rsqrt.approx.ftz.f64 0.25 -> 2.0
    example: rsqrt.approx.ftz.f64 0d8000000100000000 -> 0dfff0000000000000
    example: rsqrt.approx.ftz.f64 -1.0 -> 0d7fffffff00000000
    """
    return approximate.rsqrt64h(ops, a)


TURN = 0x3E22F983  # 1 / (2 pi) in f32


@instruction("sin.approx{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.18")
def sin(ops: Ops, i: Variant, a: Value) -> Value:
    """d = sin(a), absolute error at most 2^-20.5 in [-2 pi, 2 pi].

    The angle is multiplied by 1 / (2 pi), rounded toward zero, and truncated to 2^-25 turns: .ftz changes nothing.
    example: sin.approx.f32 0f80000000 -> 0f80000000
    example: sin.approx.f32 0f7f800000 -> 0f7fffffff
    example: sin.approx.ftz.f32 0f3fc90fdb -> 1.0
    """
    return approximate.sin(ops, _turns(ops, a))


@instruction("cos.approx{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.19")
def cos(ops: Ops, i: Variant, a: Value) -> Value:
    """d = cos(a), absolute error at most 2^-20.4 in [-2 pi, 2 pi] (the manual says 2^-20.5).

    example: cos.approx.f32 0f80000000 -> 1.0
    example: cos.approx.f32 0fff800000 -> 0f7fffffff
    example: cos.approx.ftz.f32 0f40490fdb -> -1.0
    """
    return approximate.cos(ops, _turns(ops, a))


def _turns(ops: Ops, a: Value) -> Value:
    return ops.fmul(a, ops.view(ops.const(S32, TURN), F32), "rz")


@instruction("lg2.approx{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.20")
def lg2(ops: Ops, i: Variant, a: Value) -> Value:
    """d = log2(a), absolute error at most 2^-22 in (0.5, 2), relative error at most 2^-22 elsewhere.

    example: lg2.approx.f32 8.0 -> 3.0
    example: lg2.approx.f32 1.0 -> 0.0
    example: lg2.approx.f32 0f00000001 -> 0fc3150000
    example: lg2.approx.ftz.f32 0f00000001 -> 0fff800000
    example: lg2.approx.f32 0f80000000 -> 0fff800000
    example: lg2.approx.f32 -1.0 -> 0f7fffffff
    """
    if i.ftz:
        return approximate.lg2(ops, a)
    logarithm = approximate.lg2(ops, ops.fmul(a, tiny(ops, a, 2.0**24)))
    return ops.fadd(logarithm, tiny(ops, a, -24.0, 0.0))


@instruction("ex2.approx{.ftz}.type d, a", type="f32", loose=True, section="9.7.3.21")
def ex2(ops: Ops, i: Variant, a: Value) -> Value:
    """d = 2 to the power a, at most 2 ulp off.

    example: ex2.approx.f32 3.0 -> 8.0
    example: ex2.approx.f32 0f80000001 -> 1.0
    example: ex2.approx.f32 -149.0 -> 0f00000001
    example: ex2.approx.ftz.f32 -149.0 -> 0f00000000
    example: ex2.approx.f32 128.0 -> 0f7f800000
    example: ex2.approx.f32 0fff800000 -> 0f00000000
    example: ex2.approx.f32 0f7fc00000 -> 0f7fffffff
    """
    if i.ftz:
        return approximate.ex2(ops, a)
    small = ops.fcompare("lt", a, ops.const(F32, -126.0))
    power = approximate.ex2(ops, ops.select(small, ops.fmul(a, ops.const(F32, 0.5)), a))
    return ops.select(small, ops.fmul(power, power), power)


@instruction("tanh.approx.type d, a", type="f32", loose=True, requires="7.0 sm_75", section="9.7.3.22")
def tanh(ops: Ops, i: Variant, a: Value) -> Value:
    """d = tanh(a), relative error below 2^-11; subnormal numbers are kept.

    example: tanh.approx.f32 0f80000000 -> 0f80000000
    example: tanh.approx.f32 0f00000001 -> 0f00000001
    example: tanh.approx.f32 0fff800000 -> -1.0
    example: tanh.approx.f32 0f7fffffff -> 0f7fffffff
    """
    return approximate.tanh(ops, a)
