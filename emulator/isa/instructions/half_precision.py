"""9.7.4 Half-precision floating-point instructions: f16 and bf16, single or two in a 32-bit register.

NaN results are 0x7fff.  bf16 is computed in f32, which holds every exact sum and product that rounding can tell
apart; fma is rounded to odd there first, so that it too is rounded once.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.isa import approximate
from emulator.isa.floats import (
    bits_of,
    canonical_nan,
    extreme,
    flushed,
    from_bits,
    is_nan,
    negate,
    result,
    without_sign,
)
from emulator.isa.ops import F32, Ops, Value
from emulator.isa.packed import pack, unpack
from emulator.isa.registry import Variant, instruction
from emulator.ptx_types import TYPES

HALF, BRAIN = "f16 f16x2", "bf16 bf16x2"
Function = Callable[..., Value]


def in_halves(ops: Ops, i: Variant, function: Function, *operands: Value) -> Value:
    """A function of f16 or bf16 numbers on single operands or on both halves of packed ones."""
    if i.type.kind != "v":
        return function(*operands)
    element = TYPES[i.type.name.removesuffix("x2")]
    parts = [unpack(ops, operand, element) for operand in operands]
    return pack(ops, [function(*part) for part in zip(*parts, strict=True)], i.type)


def through_f32(ops: Ops, function: Function, *operands: Value) -> Value:
    """A function of f16 as it is, of bf16 computed in f32 and rounded to nearest even."""
    if operands[0].type.is_float:
        return function(*operands)
    return ops.fconvert(function(*(ops.fconvert(x, F32) for x in operands)), operands[0].type)


def arithmetic(ops: Ops, i: Variant, function: Function, *operands: Value) -> Value:
    """An operation with .ftz, .sat and .relu on f16 or bf16."""
    return in_halves(ops, i, lambda *x: result(ops, i, through_f32(ops, function, *flushed(ops, i, *x))), *operands)


@instruction(
    "add{.rnd}{.ftz}{.sat}.type d, a, b", rnd="rn", type=HALF, loose=True, requires="4.2 sm_53", section="9.7.4.1"
)
@instruction("add{.rnd}.type d, a, b", rnd="rn", type=BRAIN, loose=True, requires="7.8 sm_90", section="9.7.4.1")
def add(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a + b, rounded to nearest even.

    example: add.f16 0x3c00, 0x1000 -> 0x3c00
    example: add.f16 0x3c00, 0x1001 -> 0x3c01
    example: add.f16 0x7bff, 0x7bff -> 0x7c00
    example: add.f16 0x7c00, 0xfc00 -> 0x7fff
    example: add.ftz.f16 0x0001, 0x0001 -> 0
    example: add.sat.f16x2 0x3c003800, 0x3c003400 -> 0x3c003a00
    example: add.bf16 0x3f80, 0x3b80 -> 0x3f80
    example: add.bf16x2 0x3f803f81, 0x3f803b80 -> 0x40003f82
    """
    return arithmetic(ops, i, ops.fadd, a, b)


@instruction(
    "sub{.rnd}{.ftz}{.sat}.type d, a, b", rnd="rn", type=HALF, loose=True, requires="4.2 sm_53", section="9.7.4.2"
)
@instruction("sub{.rnd}.type d, a, b", rnd="rn", type=BRAIN, loose=True, requires="7.8 sm_90", section="9.7.4.2")
def sub(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a - b, rounded to nearest even.

    example: sub.f16 0x3c00, 0x3c00 -> 0
    example: sub.f16 0x7c00, 0x7c00 -> 0x7fff
    example: sub.sat.f16 0x3c00, 0x4000 -> 0
    example: sub.ftz.f16x2 0x04010401, 0x04000000 -> 0x00000401
    example: sub.bf16 0x0001, 0x0002 -> 0x8001
    """
    return arithmetic(ops, i, lambda x, y: ops.fadd(x, negate(ops, y)), a, b)


@instruction(
    "mul{.rnd}{.ftz}{.sat}.type d, a, b", rnd="rn", type=HALF, loose=True, requires="4.2 sm_53", section="9.7.4.3"
)
@instruction("mul{.rnd}.type d, a, b", rnd="rn", type=BRAIN, loose=True, requires="7.8 sm_90", section="9.7.4.3")
def mul(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a * b, rounded to nearest even.

    example: mul.f16 0x3c01, 0x3c01 -> 0x3c02
    example: mul.f16 0x0000, 0x7c00 -> 0x7fff
    example: mul.f16 0x0400, 0x3800 -> 0x0200
    example: mul.ftz.f16 0x8400, 0x3800 -> 0x8000
    example: mul.bf16x2 0xc0004000, 0x3fc00000 -> 0xc0400000
    """
    return arithmetic(ops, i, ops.fmul, a, b)


RELU = "7.0 sm_80"
OOB = "8.1 sm_90"


@instruction("fma.rn{.ftz}{.sat}.type d, a, b, c", type=HALF, loose=True, requires="4.2 sm_53", section="9.7.4.4")
@instruction("fma.rn{.ftz}.relu.type d, a, b, c", type=HALF, loose=True, requires=RELU, section="9.7.4.4")
@instruction("fma.rn{.relu}.type d, a, b, c", type=BRAIN, loose=True, requires=RELU, section="9.7.4.4")
@instruction("fma.rn.oob{.relu}.type d, a, b, c", type=f"{HALF} {BRAIN}", loose=True, requires=OOB, section="9.7.4.4")
@instruction("fma.rn.oob.sat.type d, a, b, c", type=HALF, loose=True, requires=OOB, section="9.7.4.4")
def fma(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a * b + c, rounded once to nearest even; .relu makes negative results zero.

    .oob gives +0 where a or b is NaN: which NaN stands for "out of bounds" is not known, so all of them do.
    example: fma.rn.f16 0x3c01, 0x3c01, 0xbc02 -> 0x0010
    example: fma.rn.f16 0x3c01, 0x3c01, 0x0001 -> 0x3c02
    example: fma.rn.relu.f16 0x3c00, 0x3c00, 0xc000 -> 0
    example: fma.rn.relu.f16 0x7e00, 0x3c00, 0x3c00 -> 0x7fff
    example: fma.rn.sat.f16x2 0x3c003c00, 0x40003400, 0 -> 0x3c003400
    example: fma.rn.bf16 0x3f81, 0x3f81, 0x0001 -> 0x3f82
    example: fma.rn.bf16 0x3f88, 0x3f88, 0x0001 -> 0x3f91
    example: fma.rn.bf16 0x3f88, 0x3f88, 0x8001 -> 0x3f90
    example: fma.rn.oob.f16 0x7fff, 0x3c00, 0x3c00 -> 0
    """
    return in_halves(ops, i, lambda x, y, z: _fma(ops, i, *flushed(ops, i, x, y, z)), a, b, c)


def _fma(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    if a.type.is_float:
        d = ops.fma(a, b, c)
    else:
        x, y, z = (ops.fconvert(operand, F32) for operand in (a, b, c))
        down, up = ops.fma(x, y, z, "rm"), ops.fma(x, y, z, "rp")
        odd = ops.select((bits_of(ops, down) & 1) != 0, down, up)
        d = ops.fconvert(odd, a.type)
    if i.get("oob"):
        d = ops.select(is_nan(ops, a) | is_nan(ops, b), from_bits(ops, a.type, 0), d)
    return result(ops, i, d)


def _canonical(ops: Ops, a: Value) -> Value:
    return ops.select(is_nan(ops, a), canonical_nan(ops, a.type), a)


@instruction("neg{.ftz}.type d, a", type=HALF, loose=True, requires="6.0 sm_53", section="9.7.4.5")
@instruction("neg.type d, a", type=BRAIN, loose=True, requires="7.0 sm_80", section="9.7.4.5")
def neg(ops: Ops, i: Variant, a: Value) -> Value:
    """d = -a; NaN becomes canonical.

    example: neg.f16 0x0000 -> 0x8000
    example: neg.f16 0xfe00 -> 0x7fff
    example: neg.ftz.f16x2 0x00013c00 -> 0x8000bc00
    example: neg.bf16x2 0x3f807f81 -> 0xbf807fff
    """
    return in_halves(ops, i, lambda x: result(ops, i, _canonical(ops, negate(ops, x))), a)


@instruction("abs{.ftz}.type d, a", type=HALF, loose=True, requires="6.5 sm_53", section="9.7.4.6")
@instruction("abs.type d, a", type=BRAIN, loose=True, requires="7.0 sm_80", section="9.7.4.6")
def abs_(ops: Ops, i: Variant, a: Value) -> Value:
    """d = |a|; NaN becomes canonical.

    example: abs.f16 0x8000 -> 0
    example: abs.f16 0xfe00 -> 0x7fff
    example: abs.ftz.f16 0x8001 -> 0
    example: abs.bf16x2 0xbf80ffff -> 0x3f807fff
    """
    return in_halves(ops, i, lambda x: result(ops, i, _canonical(ops, without_sign(ops, x))), a)


EXTREME = "7.0 sm_80"


@instruction("min{.ftz}{.NaN}.type d, a, b", type=HALF, loose=True, requires=EXTREME, section="9.7.4.7")
@instruction("min{.NaN}.type d, a, b", type=BRAIN, loose=True, requires=EXTREME, section="9.7.4.7")
@instruction("min{.ftz}{.NaN}.xorsign.abs.type d, a, b", type=HALF, loose=True, requires="7.2 sm_86", section="9.7.4.7")
@instruction("min{.NaN}.xorsign.abs.type d, a, b", type=BRAIN, loose=True, requires="7.2 sm_86", section="9.7.4.7")
def min_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the smaller of a and b, where -0 < +0; the other operand for one NaN, unless .NaN.

    example: min.f16 0x0000, 0x8000 -> 0x8000
    example: min.f16 0x7e01, 0x4000 -> 0x4000
    example: min.NaN.f16 0x7e01, 0x4000 -> 0x7fff
    example: min.ftz.f16 0x0001, 0x3c00 -> 0
    example: min.xorsign.abs.f16x2 0xc000c000, 0x4200c200 -> 0xc0004000
    example: min.bf16 0x7f81, 0xffff -> 0x7fff
    """
    return in_halves(ops, i, lambda x, y: extreme(ops, i, *flushed(ops, i, x, y), least=True), a, b)


@instruction("max{.ftz}{.NaN}.type d, a, b", type=HALF, loose=True, requires=EXTREME, section="9.7.4.8")
@instruction("max{.NaN}.type d, a, b", type=BRAIN, loose=True, requires=EXTREME, section="9.7.4.8")
@instruction("max{.ftz}{.NaN}.xorsign.abs.type d, a, b", type=HALF, loose=True, requires="7.2 sm_86", section="9.7.4.8")
@instruction("max{.NaN}.xorsign.abs.type d, a, b", type=BRAIN, loose=True, requires="7.2 sm_86", section="9.7.4.8")
def max_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the greater of a and b, where -0 < +0; the other operand for one NaN, unless .NaN.

    example: max.f16 0x8000, 0x0000 -> 0
    example: max.NaN.f16x2 0x7c013c00, 0x3c004000 -> 0x7fff4000
    example: max.bf16 0xbf80, 0x3f80 -> 0x3f80
    example: max.xorsign.abs.bf16 0xc000, 0x3f80 -> 0xc000
    """
    return in_halves(ops, i, lambda x, y: extreme(ops, i, *flushed(ops, i, x, y), least=False), a, b)


@instruction("tanh.approx.type d, a", type=HALF, loose=True, requires="7.0 sm_75", section="9.7.4.9")
@instruction("tanh.approx.type d, a", type=BRAIN, loose=True, requires="7.8 sm_90", section="9.7.4.9")
def tanh(ops: Ops, i: Variant, a: Value) -> Value:
    """d = tanh(a), absolute error at most 2^-10.987 in f16, 2^-8 in bf16: the f32 unit, rounded to nearest.

    example: tanh.approx.f16 0x8000 -> 0x8000
    example: tanh.approx.f16 0x0001 -> 0x0001
    example: tanh.approx.f16x2 0x7c00fc00 -> 0x3c00bc00
    example: tanh.approx.bf16 0xffc0 -> 0x7fff
    """
    return in_halves(ops, i, lambda x: _by_unit(ops, approximate.tanh, x), a)


@instruction("ex2.approx.type d, a", type=HALF, loose=True, requires="7.0 sm_75", section="9.7.4.10")
@instruction("ex2.approx.ftz.type d, a", type=BRAIN, loose=True, requires="7.8 sm_90", section="9.7.4.10")
def ex2(ops: Ops, i: Variant, a: Value) -> Value:
    """d = 2 to the power a, relative error at most 2^-9.9 in f16, 2^-7 in bf16: the f32 unit, rounded to nearest.

    example: ex2.approx.f16 0x4200 -> 0x4800
    example: ex2.approx.f16 0xce00 -> 0x0001
    example: ex2.approx.f16 0x4c00 -> 0x7c00
    example: ex2.approx.f16x2 0xfc008001 -> 0x00003c00
    example: ex2.approx.ftz.bf16 0x8001 -> 0x3f80
    example: ex2.approx.ftz.bf16x2 0x7fc0c2fe -> 0x7fff0000
    """
    return in_halves(ops, i, lambda x: result(ops, i, _by_unit(ops, approximate.ex2, x)), a)


def _by_unit(ops: Ops, unit: Function, a: Value) -> Value:
    """A function of the f32 unit on an f16 or bf16 number."""
    return ops.fconvert(unit(ops, ops.fconvert(a, F32)), a.type)
