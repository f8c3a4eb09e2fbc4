"""9.7.1.14 to 9.7.1.22 Integer arithmetic instructions that count, find, move and mask bits."""

from __future__ import annotations

from emulator.isa.ops import U32, Ops, Value
from emulator.isa.packed import unsigned
from emulator.isa.registry import Variant, instruction


@instruction("popc.type d, a", type="b32 b64", d="u32", requires="2.0 sm_20", section="9.7.1.14")
def popc(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the number of one bits.

    example: popc.b32 0 -> 0
    example: popc.b32 0xf000000f -> 8
    example: popc.b64 -1 -> 64
    """
    return ops.popcount(a)


@instruction("clz.type d, a", type="b32 b64", d="u32", requires="2.0 sm_20", section="9.7.1.15")
def clz(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the number of zero bits above the highest one; the width for 0.

    example: clz.b32 1 -> 31
    example: clz.b32 0 -> 32
    example: clz.b32 0x80000000 -> 0
    example: clz.b64 0x100000000 -> 31
    example: clz.b64 0 -> 64
    """
    return ops.leading_zeros(a)


@instruction("bfind{.shiftamt}.type d, a", type="u32 u64 s32 s64", d="u32", requires="2.0 sm_20", loose=True,
             section="9.7.1.16")  # fmt: skip
def bfind(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the place of the highest bit that is no sign bit, or with .shiftamt how far to shift it to the top.

    0 has no such bit, nor has -1 of a signed type: both give 0xffffffff.

    example: bfind.u32 0x00010000 -> 16
    example: bfind.u32 0 -> 0xffffffff
    example: bfind.s32 -1 -> 0xffffffff
    example: bfind.s32 0x80000000 -> 30
    example: bfind.shiftamt.s32 0x80000000 -> 1
    example: bfind.shiftamt.u64 1 -> 63
    example: bfind.shiftamt.s64 -1 -> 0xffffffff
    """
    zeros = ops.leading_zeros(ops.select(a < 0, ~a, a))
    if i.shiftamt:
        return ops.select(zeros == a.type.width, ops.const(U32, -1), zeros)
    return a.type.width - 1 - zeros


def nth_one(ops: Ops, bits: Value, n: Value) -> Value:
    """The place of the n-th one bit from below, n counted from 1; meaningless if there are fewer."""
    place = ops.const(U32, 0)
    for width in (16, 8, 4, 2, 1):
        below = ops.popcount(bits & (1 << width) - 1)
        higher = below < n
        n = ops.select(higher, n - below, n)
        bits = ops.select(higher, bits >> width, bits)
        place = ops.select(higher, place + width, place)
    return place


@instruction("fns.b32 d, mask, base, offset", d="b32", mask="b32", base="b32", offset="s32", requires="6.0 sm_30",
             section="9.7.1.17")  # fmt: skip
def fns(ops: Ops, i: Variant, mask: Value, base: Value, offset: Value) -> Value:
    """d = the place of the |offset|-th one bit of mask from bit base on, upwards or (offset < 0) downwards.

    Offset 0 asks for the bit base itself.  What is not found gives 0xffffffff; base > 31 is undefined.

    example: fns.b32 0xaaaaaaaa, 3, 1 -> 3
    example: fns.b32 0xaaaaaaaa, 3, -1 -> 3
    example: fns.b32 0xaaaaaaaa, 2, 1 -> 3
    example: fns.b32 0xaaaaaaaa, 2, -1 -> 1
    example: fns.b32 0xaaaaaaaa, 2, 0 -> 0xffffffff
    example: fns.b32 0xaaaaaaaa, 0, 16 -> 31
    example: fns.b32 0xaaaaaaaa, 0, 17 -> 0xffffffff
    """
    down = offset < 0
    bits, start = ops.select(down, ops.reverse_bits(mask), mask), ops.select(down, 31 - base, base)
    n = ops.maximum(ops.view(ops.select(down, -offset, offset), U32), ops.const(U32, 1))
    bits = bits >> start << start
    place = nth_one(ops, bits, n)
    missing = (ops.popcount(bits) < n) | ((offset == 0) & (place != base))
    return ops.select(missing, ops.const(U32, -1), ops.select(down, 31 - place, place))


@instruction("brev.type d, a", type="b32 b64", requires="2.0 sm_20", section="9.7.1.18")
def brev(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the bits of a in reverse order.

    example: brev.b32 1 -> 0x80000000
    example: brev.b32 0x12345678 -> 0x1e6a2c48
    example: brev.b64 0x8000000000000002 -> 0x4000000000000001
    """
    return ops.reverse_bits(a)


@instruction("bfe.type d, a, b, c", type="u32 u64 s32 s64", b="u32", c="u32", requires="2.0 sm_20",
             limits={"b": range(256), "c": range(256)}, section="9.7.1.19")  # fmt: skip
def bfe(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = the c bits of a from bit b on, extended by the sign of type.

    b and c count with their low 8 bits; what lies beyond the register is like its top bit for .s, 0 for .u;
    c = 0 gives 0.

    example: bfe.u32 0xabcd1234, 8, 4 -> 0x2
    example: bfe.s32 0x000000f0, 4, 4 -> 0xffffffff
    example: bfe.s32 0xffffffff, 4, 0 -> 0
    example: bfe.s32 0x80000000, 40, 3 -> 0xffffffff
    example: bfe.u32 0x80000000, 31, 8 -> 1
    example: bfe.u32 0xff, 256, 4 -> 0xf
    example: bfe.s64 0x8000000000000000, 60, 255 -> -8
    """
    width, length = a.type.width, c & 255
    spare = ops.select(length < width, width - length, ops.const(U32, 0))
    return a >> (b & 255) << spare >> spare


@instruction("bfi.type f, a, b, c, d", type="b32 b64", c="u32", d="u32", requires="2.0 sm_20",
             limits={"c": range(256), "d": range(256)}, section="9.7.1.20")  # fmt: skip
def bfi(ops: Ops, i: Variant, a: Value, b: Value, c: Value, d: Value) -> Value:
    """f = b with its d bits from bit c on replaced by the lowest bits of a.

    c and d count with their low 8 bits; what lies beyond the register is dropped.

    example: bfi.b32 0xff, 0x12345678, 8, 4 -> 0x12345f78
    example: bfi.b32 0xff, 0x12345678, 8, 0 -> 0x12345678
    example: bfi.b32 0xff, 0x12345678, 32, 4 -> 0x12345678
    example: bfi.b32 0xff, 0, 28, 255 -> 0xf0000000
    example: bfi.b64 0xabc, -1, 256, 12 -> 0xfffffffffffffabc
    """
    position, ones = c & 255, ops.const(a.type, -1)
    field = ~(ones << (d & 255)) << position
    return b & ~field | a << position & field


@instruction("szext.mode.type d, a, b", mode="clamp wrap", type="u32 s32", b="u32", requires="7.6 sm_70", loose=True,
             section="9.7.1.21")  # fmt: skip
def szext(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the low b bits of a, extended by the sign of type; b = 0 gives 0.

    .clamp: b >= 32 leaves a.  .wrap: b counts with its low 5 bits.

    example: szext.clamp.s32 0x000000ff, 8 -> -1
    example: szext.clamp.u32 0xffffffff, 8 -> 0xff
    example: szext.clamp.s32 0x12345678, 33 -> 0x12345678
    example: szext.wrap.s32 0xffffffff, 32 -> 0
    example: szext.wrap.s32 0xffffffff, 33 -> -1
    """
    length = ops.minimum(b, ops.const(U32, 32)) if i.mode == "clamp" else b & 31
    spare = 32 - length
    return a << spare >> spare


@instruction("bmsk.mode.b32 d, a, b", mode="clamp wrap", d="b32", a="b32", b="b32", requires="7.6 sm_70", loose=True,
             section="9.7.1.22")  # fmt: skip
def bmsk(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = b one bits from bit a on, what lies beyond bit 31 dropped.

    .clamp: a >= 32 gives 0, b >= 32 all bits from a on.  .wrap: a and b count with their low 5 bits.

    example: bmsk.wrap.b32 1, 2 -> 0x6
    example: bmsk.clamp.b32 28, 8 -> 0xf0000000
    example: bmsk.clamp.b32 0, 32 -> 0xffffffff
    example: bmsk.wrap.b32 0, 32 -> 0
    example: bmsk.clamp.b32 32, 4 -> 0
    example: bmsk.wrap.b32 33, 1 -> 2
    """
    if i.mode == "wrap":
        a, b = a & 31, b & 31
    ones = ops.const(unsigned(a.type), -1)
    return ~(ones << b) << a
