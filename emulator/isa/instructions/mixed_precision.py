"""9.7.5 Mixed-precision floating-point instructions: f16 or bf16 operands of an f32 operation, sm_100 and newer."""

from __future__ import annotations

from emulator.isa.floats import ROUNDING, negate, result
from emulator.isa.ops import F32, Ops, Value
from emulator.isa.registry import Variant, instruction

NARROW = "f16 bf16"
NEWER = "8.6 sm_100"


@instruction(
    "add{.rnd}{.sat}.f32.atype d, a, c",
    rnd=ROUNDING,
    atype=NARROW,
    d="f32",
    a="atype",
    c="f32",
    loose=True,
    requires=NEWER,
    section="9.7.5.1",
)
def add(ops: Ops, i: Variant, a: Value, c: Value) -> Value:
    """d = a + c, a being f16 or bf16; rounded once (rn if not said).

    example: add.f32.f16 0x3c00, 0f33800000 -> 1.0
    example: add.rp.f32.f16 0x3c00, 0f33800000 -> 0f3f800001
    example: add.sat.f32.bf16 0x4000, 1.0 -> 1.0
    """
    return result(ops, i, ops.fadd(ops.fconvert(a, F32), c, i.rnd or "rn"))


@instruction(
    "sub{.rnd}{.sat}.f32.atype d, a, c",
    rnd=ROUNDING,
    atype=NARROW,
    d="f32",
    a="atype",
    c="f32",
    loose=True,
    requires=NEWER,
    section="9.7.5.2",
)
def sub(ops: Ops, i: Variant, a: Value, c: Value) -> Value:
    """d = a - c, a being f16 or bf16; rounded once (rn if not said).

    example: sub.f32.bf16 0x3f80, 3.0 -> -2.0
    example: sub.sat.f32.f16 0x3c00, 3.0 -> 0.0
    """
    return result(ops, i, ops.fadd(ops.fconvert(a, F32), negate(ops, c), i.rnd or "rn"))


@instruction(
    "fma.rnd{.sat}.f32.abtype d, a, b, c",
    rnd=ROUNDING,
    abtype=NARROW,
    d="f32",
    a="abtype",
    b="abtype",
    c="f32",
    loose=True,
    requires=NEWER,
    section="9.7.5.3",
)
def fma(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a * b + c, a and b being f16 or bf16; rounded once.

    example: fma.rn.f32.f16 0x3c01, 0x3c01, -1.0 -> 0f3b001000
    example: fma.rz.f32.bf16 0x3f80, 0x3f80, 0f33800000 -> 1.0
    example: fma.rn.sat.f32.bf16 0xbf80, 0x3f80, 0.5 -> 0.0
    """
    return result(ops, i, ops.fma(ops.fconvert(a, F32), ops.fconvert(b, F32), c, i.rnd))
