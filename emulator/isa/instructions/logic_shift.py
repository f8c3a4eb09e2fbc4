"""9.7.8 Logic and shift instructions."""

from __future__ import annotations

from emulator.isa.ops import Ops, Value
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
