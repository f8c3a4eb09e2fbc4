"""9.7.8 Logic and shift instructions."""

from __future__ import annotations

from emulator.isa.ops import U32, Ops, Value
from emulator.isa.registry import Variant, instruction


@instruction("and.type d, {!}a, {!}b", type="pred", section="9.7.8.1")
@instruction("and.type d, a, b", type="b16 b32 b64", section="9.7.8.1")
def and_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a & b.

    example: and.b32 0xff00ff00, 0x0ff00ff0 -> 0x0f000f00
    example: and.pred true, false -> false
    """
    return a & b


@instruction("or.type d, {!}a, {!}b", type="pred", section="9.7.8.2")
@instruction("or.type d, a, b", type="b16 b32 b64", section="9.7.8.2")
def or_(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a | b.

    example: or.b64 0x8000000000000000, 1 -> 0x8000000000000001
    example: or.pred true, false -> true
    """
    return a | b


@instruction("xor.type d, {!}a, {!}b", type="pred", section="9.7.8.3")
@instruction("xor.type d, a, b", type="b16 b32 b64", section="9.7.8.3")
def xor(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a ^ b.

    example: xor.b16 0xffff, 0x00ff -> 0xff00
    example: xor.pred true, true -> false
    """
    return a ^ b


@instruction("not.type d, {!}a", type="pred", section="9.7.8.4")
@instruction("not.type d, a", type="b16 b32 b64", section="9.7.8.4")
def not_(ops: Ops, i: Variant, a: Value) -> Value:
    """d = ~a.

    example: not.b32 0 -> 0xffffffff
    example: not.pred false -> true
    """
    return ~a


@instruction("cnot.type d, a", type="b16 b32 b64", section="9.7.8.5")
def cnot(ops: Ops, i: Variant, a: Value) -> Value:
    """d = 1 if a is 0, else 0.

    example: cnot.b32 0 -> 1
    example: cnot.b32 0x80000000 -> 0
    example: cnot.b64 -1 -> 0
    """
    return ops.select(a == 0, ops.const(a.type, 1), ops.const(a.type, 0))


def by_table(ops: Ops, a: Value, b: Value, c: Value, table: Value) -> Value:
    """In each bit the entry 4a + 2b + c of an 8-bit truth table."""
    entries = [-(table >> place & 1) for place in range(8)]
    for chooser in (c, b, a):
        entries = [low ^ (low ^ high) & chooser for low, high in zip(entries[::2], entries[1::2], strict=True)]
    return entries[0]


@instruction("lop3.b32 d, a, b, c, immLut", d="b32 sink", a="b32", b="b32", c="b32", immLut="immediate b32",
             requires="4.3 sm_50", section="9.7.8.6")  # fmt: skip
def lop3(ops: Ops, i: Variant, a: Value, b: Value, c: Value, immLut: Value) -> Value:
    """d = F(a, b, c) in each bit, where immLut = F(0xf0, 0xcc, 0xaa).

    example: lop3.b32 0xff00ff00, 0xf0f0f0f0, 0xcccccccc, 0x80 -> 0xc000c000
    example: lop3.b32 0xff00ff00, 0xf0f0f0f0, 0xcccccccc, 0x96 -> 0xc33cc33c
    example: lop3.b32 0xff00ff00, 0xf0f0f0f0, 0xcccccccc, 0x1a -> 0x03cc03cc
    example: lop3.b32 1, 2, 3, 0xff -> 0xffffffff
    """
    return by_table(ops, a, b, c, immLut)


@instruction("lop3.BoolOp.b32 d|p, a, b, c, immLut, {!}q", BoolOp="or and", d="b32 sink", p="pred", a="b32", b="b32",
             c="b32", immLut="immediate b32", q="pred", requires="8.2 sm_70", loose=True,
             section="9.7.8.6")  # fmt: skip
def lop3_bool(
    ops: Ops,
    i: Variant,
    a: Value,
    b: Value,
    c: Value,
    immLut: Value,
    q: Value,
) -> tuple[Value, Value]:
    """d = F(a, b, c) in each bit, where immLut = F(0xf0, 0xcc, 0xaa); p = (d != 0) BoolOp q.

    example: lop3.or.b32 0xff, 0x0f, 0, 0xc0, false -> 0x0f, true
    example: lop3.or.b32 0xff, 0x0f, 0, 0x80, false -> 0, false
    example: lop3.and.b32 0xff, 0x0f, 0, 0xc0, false -> 0x0f, false
    example: lop3.and.b32 0xff, 0x0f, 0, 0xc0, true -> 0x0f, true
    """
    d = by_table(ops, a, b, c, immLut)
    return d, (d != 0) | q if i.BoolOp == "or" else (d != 0) & q


@instruction("shf.dir.mode.b32 d, a, b, c", dir="l r", mode="clamp wrap", d="b32", a="b32", b="b32", c="u32",
             requires="3.1 sm_32", loose=True, first="dir", section="9.7.8.7")  # fmt: skip
def shf(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = the upper half of {b, a} shifted left by c (.l), or the lower half of {b, a} shifted right (.r).

    .clamp takes c > 32 as 32, .wrap the low 5 bits of c.

    example: shf.l.clamp.b32 0x89abcdef, 0x01234567, 8 -> 0x23456789
    example: shf.r.clamp.b32 0x89abcdef, 0x01234567, 8 -> 0x6789abcd
    example: shf.l.clamp.b32 0x89abcdef, 0x01234567, 99 -> 0x89abcdef
    example: shf.r.clamp.b32 0x89abcdef, 0x01234567, 99 -> 0x01234567
    example: shf.l.wrap.b32 0x89abcdef, 0x01234567, 32 -> 0x01234567
    example: shf.r.wrap.b32 0x89abcdef, 0x01234567, 0 -> 0x89abcdef
    """
    n = ops.minimum(c, ops.const(U32, 32)) if i.mode == "clamp" else c & 31
    return b << n | a >> 32 - n if i.dir == "l" else b << 32 - n | a >> n


@instruction("shl.type d, a, b", type="b16 b32 b64", b="u32", section="9.7.8.8")
def shl(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a << b; amounts beyond the width give 0.

    example: shl.b32 1, 31 -> 0x80000000
    example: shl.b32 1, 32 -> 0
    example: shl.b16 0xffff, 15 -> 0x8000
    example: shl.b64 -1, 0xffffffff -> 0
    """
    return a << b


@instruction("shr.type d, a, b", type="b16 b32 b64 u16 u32 u64 s16 s32 s64", b="u32", section="9.7.8.9")
def shr(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a >> b, filled with the sign for .s, with 0 for .u and .b; amounts beyond the width leave only the filling.

    example: shr.s32 0x80000000, 4 -> 0xf8000000
    example: shr.u32 0x80000000, 31 -> 1
    example: shr.b32 0x80000000, 32 -> 0
    example: shr.s64 0x8000000000000000, 0xffffffff -> -1
    example: shr.s16 0x4000, 16 -> 0
    """
    return a >> b
