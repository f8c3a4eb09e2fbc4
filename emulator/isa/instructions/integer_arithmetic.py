"""9.7.1 Integer arithmetic instructions."""

from __future__ import annotations

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction
from emulator.ptx_types import TYPES, ScalarType

INTEGERS = "u16 u32 u64 s16 s32 s64"


def limits(kind: ScalarType) -> tuple[int, int]:
    """The least and the greatest number of an integer type."""
    return (-1 << kind.width - 1, (1 << kind.width - 1) - 1) if kind.is_signed else (0, (1 << kind.width) - 1)


def widen(ops: Ops, a: Value) -> Value:
    """An integer in twice its width."""
    return ops.cast(a, TYPES[f"{a.type.kind}{2 * a.type.width}"])


def saturate(ops: Ops, a: Value, kind: ScalarType) -> Value:
    """A wider signed integer as one of a type, limited to its range."""
    least, greatest = (ops.const(a.type, limit) for limit in limits(kind))
    return ops.cast(ops.minimum(ops.maximum(a, least), greatest), kind)


@instruction("add.type d, a, b", type="u16 u32 u64 s16 s64", section="9.7.1.1")
@instruction("add{.sat}.type d, a, b", type="s32", loose=True, section="9.7.1.1")
def add(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a + b, wrapped; .sat limits the sum to INT_MIN..INT_MAX.

    example: add.u32 0xffffffff, 2 -> 1
    example: add.s64 0x7fffffffffffffff, 1 -> 0x8000000000000000
    example: add.s32 0x7fffffff, 1 -> 0x80000000
    example: add.sat.s32 0x7fffffff, 1 -> 0x7fffffff
    example: add.sat.s32 0x80000000, -1 -> 0x80000000
    example: add.u16 0xffff, 0xffff -> 0xfffe
    """
    return saturate(ops, widen(ops, a) + widen(ops, b), i.type) if i.get("sat") else a + b


@instruction("sub.type d, a, b", type="u16 u32 u64 s16 s64", section="9.7.1.2")
@instruction("sub{.sat}.type d, a, b", type="s32", loose=True, section="9.7.1.2")
def sub(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a - b, wrapped; .sat limits the difference to INT_MIN..INT_MAX.

    example: sub.u32 0, 1 -> 0xffffffff
    example: sub.s32 0x80000000, 1 -> 0x7fffffff
    example: sub.sat.s32 0x80000000, 1 -> 0x80000000
    example: sub.sat.s32 0, 0x80000000 -> 0x7fffffff
    example: sub.s16 0x8000, 1 -> 0x7fff
    """
    return saturate(ops, widen(ops, a) - widen(ops, b), i.type) if i.get("sat") else a - b


def product(ops: Ops, mode: str, a: Value, b: Value) -> Value:
    """The part of a * b that .lo, .hi or .wide names."""
    if mode == "wide":
        return widen(ops, a) * widen(ops, b)
    return ops.mul_high(a, b) if mode == "hi" else a * b


@instruction("mul.mode.type d, a, b", mode="lo hi", type=INTEGERS, section="9.7.1.3")
@instruction("mul.mode.type d, a, b", mode="wide", type="u16 u32 s16 s32", d="wide type", section="9.7.1.3")
def mul(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the low half, the high half or all of a * b.

    example: mul.lo.s32 0x80000000, -1 -> 0x80000000
    example: mul.hi.u32 0xffffffff, 0xffffffff -> 0xfffffffe
    example: mul.hi.s32 0x80000000, 0x80000000 -> 0x40000000
    example: mul.hi.s64 -1, 1 -> -1
    example: mul.wide.s16 0x8000, 0x8000 -> 0x40000000
    example: mul.wide.u32 0xffffffff, 0xffffffff -> 0xfffffffe00000001
    """
    return product(ops, i.mode, a, b)


@instruction("mad.mode.type d, a, b, c", mode="lo hi", type=INTEGERS, section="9.7.1.4")
@instruction(
    "mad.mode.type d, a, b, c", mode="wide", type="u16 u32 s16 s32", d="wide type", c="wide type", section="9.7.1.4"
)
@instruction("mad.mode.sat.type d, a, b, c", mode="hi", type="s32", section="9.7.1.4")
def mad(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = c + the low half, the high half or all of a * b, wrapped; .sat limits the sum to INT_MIN..INT_MAX.

    example: mad.lo.u32 0x10000, 0x10000, 7 -> 7
    example: mad.hi.s32 0x80000000, 2, 0 -> -1
    example: mad.wide.u16 0xffff, 0xffff, 0xffffffff -> 0xfffe0000
    example: mad.wide.s32 -1, 1, 0x8000000000000000 -> 0x7fffffffffffffff
    example: mad.hi.sat.s32 0x80000000, 0x80000000, 0x7fffffff -> 0x7fffffff
    example: mad.hi.sat.s32 0x80000000, 0x7fffffff, 0x80000000 -> 0x80000000
    """
    part = product(ops, i.mode, a, b)
    return saturate(ops, widen(ops, part) + widen(ops, c), i.type) if i.get("sat") else part + c
