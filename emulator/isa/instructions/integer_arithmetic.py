"""9.7.1 Integer arithmetic instructions; those that look at bits (9.7.1.14 to 22) are in integer_bits.py."""

from __future__ import annotations

from collections.abc import Callable

from emulator.isa.ops import S32, Ops, Value
from emulator.isa.packed import pack, unpack
from emulator.isa.registry import Variant, instruction
from emulator.ptx_types import TYPES, ScalarType

INTEGERS = "u16 u32 u64 s16 s32 s64"
PACKED = "8.0 sm_90"


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


def by_halves(ops: Ops, i: Variant, function: Callable[[Value, Value], Value], a: Value, b: Value) -> Value:
    """A function of two 16-bit numbers on both halves of .u16x2 or .s16x2."""
    half = TYPES[i.type.name.removesuffix("x2")]
    return pack(ops, [function(x, y) for x, y in zip(unpack(ops, a, half), unpack(ops, b, half), strict=True)], i.type)


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


@instruction("add.type d, a, b", type="u16x2 s16x2", requires=PACKED, section="9.7.1.1")
def add_halves(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a + b in each half, wrapped there: no carry from the low half into the high one.

    example: add.u16x2 0x0001ffff, 0x00010001 -> 0x00020000
    example: add.s16x2 0x7fff8000, 0x0001ffff -> 0x80007fff
    """
    return by_halves(ops, i, ops.add, a, b)


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
@instruction("mad.mode.sat.type d, a, b, c", mode="hi", type="s32", loose=True, first="mode", section="9.7.1.4")
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


def product24(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """Bits 31..0 or 47..16 of the product of the low 24 bits of a and b, which have the sign of type."""
    low24 = (widen(ops, x << 8 >> 8) for x in (a, b))
    whole = ops.mul(*low24)
    return ops.cast(whole >> 16 if i.mode == "hi" else whole, i.type)


@instruction("mul24.mode.type d, a, b", mode="lo hi", type="u32 s32", section="9.7.1.5")
def mul24(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = bits 31..0 (.lo) or 47..16 (.hi) of the product of two 24-bit integers; the upper 8 bits do not count.

    example: mul24.lo.u32 0xff000003, 0xaa000005 -> 15
    example: mul24.lo.s32 0x00ffffff, 7 -> -7
    example: mul24.hi.u32 0xffffff, 0xffffff -> 0xfffffe00
    example: mul24.hi.s32 0x800000, 0x800000 -> 0x40000000
    """
    return product24(ops, i, a, b)


@instruction("mad24.mode.type d, a, b, c", mode="lo hi", type="u32 s32", section="9.7.1.6")
@instruction("mad24.mode.sat.type d, a, b, c", mode="hi", type="s32", loose=True, first="mode", section="9.7.1.6")
def mad24(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = c + bits 31..0 (.lo) or 47..16 (.hi) of a 24-bit product, wrapped; .sat limits to INT_MIN..INT_MAX.

    example: mad24.lo.s32 0x00ffffff, 1, 1 -> 0
    example: mad24.hi.u32 0xffffff, 0xffffff, 0x200 -> 0
    example: mad24.hi.s32 0x800000, 0x800000, 0x40000000 -> 0x80000000
    example: mad24.hi.sat.s32 0x800000, 0x800000, 0x40000000 -> 0x7fffffff
    example: mad24.hi.sat.s32 0x800000, 0x7fffff, 0x80000000 -> 0x80000000
    """
    part = product24(ops, i, a, b)
    return saturate(ops, widen(ops, part) + widen(ops, c), i.type) if i.get("sat") else part + c


@instruction("sad.type d, a, b, c", type=INTEGERS, section="9.7.1.7")
def sad(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = c + |a - b|, the difference taken as an unsigned number, the sum wrapped.

    example: sad.u32 3, 10, 100 -> 107
    example: sad.s32 0x80000000, 0x7fffffff, 1 -> 0
    example: sad.u16 0, 0xffff, 2 -> 1
    """
    return c + ops.select(a < b, b - a, a - b)


@instruction("div.type d, a, b", type=INTEGERS, section="9.7.1.8")
def div(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a / b, rounded toward zero; b = 0 gives all ones, INT_MIN / -1 gives INT_MIN (sm_90: read off its code).

    example: div.s32 -7, 2 -> -3
    example: div.u32 7, 0 -> 0xffffffff
    example: div.s64 -7, 0 -> -1
    example: div.u16 7, 0 -> 0xffff
    example: div.s32 0x80000000, -1 -> 0x80000000
    """
    return ops.divide(a, b)


@instruction("rem.type d, a, b", type=INTEGERS, section="9.7.1.9")
def rem(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a - b * (a / b), with the sign of a; b = 0 gives all ones, INT_MIN and -1 give 0 (sm_90: see div).

    example: rem.s32 -7, 2 -> -1
    example: rem.s32 7, -2 -> 1
    example: rem.u64 7, 0 -> 0xffffffffffffffff
    example: rem.s16 7, 0 -> -1
    example: rem.s32 0x80000000, -1 -> 0
    """
    return ops.remainder(a, b)


@instruction("abs.type d, a", type="s16 s32 s64", section="9.7.1.10")
def abs_(ops: Ops, i: Variant, a: Value) -> Value:
    """d = |a|; INT_MIN stays.

    example: abs.s32 -7 -> 7
    example: abs.s16 0x8000 -> 0x8000
    example: abs.s64 0x8000000000000000 -> 0x8000000000000000
    """
    return ops.select(a < 0, -a, a)


@instruction("neg.type d, a", type="s16 s32 s64", section="9.7.1.11")
def neg(ops: Ops, i: Variant, a: Value) -> Value:
    """d = -a; INT_MIN stays.

    example: neg.s32 7 -> -7
    example: neg.s32 0x80000000 -> 0x80000000
    example: neg.s16 0 -> 0
    """
    return -a


def extreme(ops: Ops, i: Variant, choose: Callable[[Value, Value], Value], a: Value, b: Value) -> Value:
    """The smaller or larger, in each half of a packed type; .relu makes what is negative 0."""

    def chosen(x: Value, y: Value) -> Value:
        result = choose(x, y)
        return ops.maximum(result, ops.const(result.type, 0)) if i.get("relu") else result

    return by_halves(ops, i, chosen, a, b) if i.type.kind == "v" else chosen(a, b)


@instruction("min.type d, a, b", type="u16 u32 u64 s16 s64", section="9.7.1.12")
@instruction("min.type d, a, b", type="u16x2", requires=PACKED, section="9.7.1.12")
@instruction("min{.relu}.type d, a, b", type="s32", since={".relu": PACKED}, loose=True, section="9.7.1.12")
@instruction("min{.relu}.type d, a, b", type="s16x2", requires=PACKED, loose=True, section="9.7.1.12")
def min_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the smaller of a and b, in each half of .u16x2 and .s16x2; .relu makes a negative result 0.

    example: min.s32 -1, 1 -> -1
    example: min.u32 -1, 1 -> 1
    example: min.relu.s32 -1, 1 -> 0
    example: min.u16x2 0x8000ffff, 0x00010001 -> 0x00010001
    example: min.s16x2 0x8000ffff, 0x00010001 -> 0x8000ffff
    example: min.relu.s16x2 0x80000003, 0x00010005 -> 0x00000003
    """
    return extreme(ops, i, ops.minimum, a, b)


@instruction("max.type d, a, b", type="u16 u32 u64 s16 s64", section="9.7.1.13")
@instruction("max.type d, a, b", type="u16x2", requires=PACKED, section="9.7.1.13")
@instruction("max{.relu}.type d, a, b", type="s32", since={".relu": PACKED}, loose=True, section="9.7.1.13")
@instruction("max{.relu}.type d, a, b", type="s16x2", requires=PACKED, loose=True, section="9.7.1.13")
def max_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the larger of a and b, in each half of .u16x2 and .s16x2; .relu makes a negative result 0.

    example: max.s64 -1, 1 -> 1
    example: max.u64 -1, 1 -> -1
    example: max.relu.s32 -2, -1 -> 0
    example: max.u16x2 0x8000ffff, 0x00010001 -> 0x8000ffff
    example: max.s16x2 0x8000ffff, 0x00010001 -> 0x00010001
    example: max.relu.s16x2 0x80000003, 0xffff0005 -> 0x00000005
    """
    return extreme(ops, i, ops.maximum, a, b)


def element(kind: ScalarType, width: int) -> ScalarType:
    """The integer of another width with the same sign."""
    return TYPES[f"{kind.kind}{width}"]


def dot(ops: Ops, a: list[Value], b: list[Value], c: Value) -> Value:
    """c plus the sum of the products, wrapped to 32 bits."""
    for x, y in zip(a, b, strict=True):
        c += ops.cast(ops.cast(x, S32) * ops.cast(y, S32), c.type)
    return c


# The manual gives d and c .u32 if both types are .u32; the registers and the bits of the sum are the same.
@instruction(
    "dp4a.atype.btype d, a, b, c", atype="u32 s32", btype="u32 s32", d="s32", a="atype", b="btype", c="s32",
    requires="5.0 sm_61", section="9.7.1.23",
)  # fmt: skip
def dp4a(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = c + the sum of the products of the four bytes of a and b, each with the sign of its type; wrapped.

    example: dp4a.u32.u32 0x01020304, 0x01010101, 10 -> 20
    example: dp4a.s32.s32 0x80808080, 0x80808080, 0 -> 0x10000
    example: dp4a.u32.s32 0xffffffff, 0xffffffff, 0 -> -1020
    example: dp4a.u32.u32 0xffffffff, 0xffffffff, 0xffffffff -> 0x3f803
    """
    return dot(ops, unpack(ops, a, element(i.atype, 8)), unpack(ops, b, element(i.btype, 8)), c)


@instruction(
    "dp2a.mode.atype.btype d, a, b, c", mode="lo hi", atype="u32 s32", btype="u32 s32", d="s32", a="atype", b="btype",
    c="s32", requires="5.0 sm_61", section="9.7.1.24",
)  # fmt: skip
def dp2a(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = c + the sum of the products of a's two halves with the two low (.lo) or high (.hi) bytes of b; wrapped.

    example: dp2a.lo.u32.u32 0x00020003, 0x00000504, 1 -> 23
    example: dp2a.hi.u32.u32 0x00020003, 0x05040000, 1 -> 23
    example: dp2a.lo.s32.s32 0x80008000, 0x8080, 0 -> 0x800000
    example: dp2a.lo.s32.u32 0xffffffff, 0xffff, 0 -> -510
    """
    part = unpack(ops, b, element(i.btype, 8))
    return dot(ops, unpack(ops, a, element(i.atype, 16)), part[2:] if i.mode == "hi" else part[:2], c)
