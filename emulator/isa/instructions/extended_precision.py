"""9.7.2 Extended-precision integer arithmetic instructions: a carry bit, CC.CF, links one word to the next."""

from __future__ import annotations

from emulator.isa.instructions.integer_arithmetic import product
from emulator.isa.ops import Ops, Value
from emulator.isa.packed import unsigned
from emulator.isa.registry import Variant, instruction

WORDS = "u32 s32 u64 s64"
WIDE = {".u64": "4.3 sm_20", ".s64": "4.3 sm_20"}


def as_bits(ops: Ops, *values: Value) -> list[Value]:
    """The same bits as unsigned numbers."""
    return [ops.view(a, unsigned(a.type)) for a in values]


def sum_of(ops: Ops, i: Variant, a: Value, b: Value, carry_in: Value | None) -> Value:
    """a + b + carry in, wrapped; under .cc the carry out goes to CC.CF."""
    x, y = as_bits(ops, a, b)
    total = x + y
    carry = total < x
    if carry_in is not None:
        one = ops.cast(carry_in, x.type)
        total = total + one
        carry = carry | (total < one)
    if i.cc:
        ops.set_carry(carry)
    return ops.view(total, a.type)


@instruction("add.cc.type d, a, b", type=WORDS, requires="1.2", since=WIDE, loose=True, section="9.7.2.1")
def add_cc(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a + b, wrapped; CC.CF = the carry out.

    example: add.cc.u32 0xffffffff, 1 -> 0, CC.CF=1
    example: add.cc.s32 0x7fffffff, 1 -> 0x80000000, CC.CF=0
    example: add.cc.s64 -1, -1, CC.CF=1 -> -2, CC.CF=1
    """
    return sum_of(ops, i, a, b, None)


@instruction("addc{.cc}.type d, a, b", type=WORDS, requires="1.2", since=WIDE, loose=True, section="9.7.2.2")
def addc(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a + b + CC.CF, wrapped; under .cc, CC.CF = the carry out; else it stays.

    example: addc.u32 1, 2, CC.CF=1 -> 4, CC.CF=1
    example: addc.u32 0xffffffff, 1, CC.CF=0 -> 0, CC.CF=0
    example: addc.cc.u32 0xffffffff, 0xffffffff, CC.CF=1 -> 0xffffffff, CC.CF=1
    example: addc.cc.u64 0xffffffffffffffff, 0, CC.CF=1 -> 0, CC.CF=1
    example: addc.cc.s32 0, 0, CC.CF=1 -> 1, CC.CF=0
    """
    return sum_of(ops, i, a, b, ops.carry())


def difference_of(ops: Ops, i: Variant, a: Value, b: Value, carry_in: Value | None) -> Value:
    """a - b - borrow in, wrapped; CC.CF is the adder's carry, the borrow's opposite, before and after.

    The manual speaks of a borrow in CC.CF, which no chain of subtractions can tell apart; but the flag of a
    subtraction that an addition reads (nvcc's division of 128-bit numbers) is 1 where nothing was borrowed:
    ptxas 13.0 makes of sub.cc and addc, on sm_80, IADD3 R7, P0, R0, -R5, RZ and IADD3.X R9, R4, R4, RZ, P0.
    """
    x, y = as_bits(ops, a, b)
    rest = x - y
    borrow = x < y
    if carry_in is not None:
        one = ops.cast(~carry_in, x.type)
        borrow = borrow | (rest < one)
        rest = rest - one
    if i.cc:
        ops.set_carry(~borrow)
    return ops.view(rest, a.type)


@instruction("sub.cc.type d, a, b", type=WORDS, requires="1.2", since=WIDE, loose=True, section="9.7.2.3")
def sub_cc(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a - b, wrapped; CC.CF = 0 if that borrows, of the operands as unsigned numbers, else 1.

    example: sub.cc.u32 0, 1 -> 0xffffffff, CC.CF=0
    example: sub.cc.s32 0x80000000, 1 -> 0x7fffffff, CC.CF=1
    example: sub.cc.u64 5, 5, CC.CF=0 -> 0, CC.CF=1
    """
    return difference_of(ops, i, a, b, None)


@instruction("subc{.cc}.type d, a, b", type=WORDS, requires="1.2", since=WIDE, loose=True, section="9.7.2.4")
def subc(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a - b, less one where CC.CF = 0 says that a borrow came in; under .cc, CC.CF = 0 if that borrows.

    example: subc.u32 5, 2, CC.CF=0 -> 2, CC.CF=0
    example: subc.cc.u32 0, 0, CC.CF=0 -> 0xffffffff, CC.CF=0
    example: subc.cc.u32 0, 0xffffffff, CC.CF=0 -> 0, CC.CF=0
    example: subc.cc.s64 1, 0, CC.CF=0 -> 0, CC.CF=1
    """
    return difference_of(ops, i, a, b, ops.carry())


@instruction("mad.mode.cc.type d, a, b, c", mode="hi lo", type=WORDS, requires="3.0 sm_20", since=WIDE, loose=True,
             first="mode", section="9.7.2.5")  # fmt: skip
def mad_cc(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = c + the low or high half of a * b, wrapped; CC.CF = the carry out of the addition.

    example: mad.lo.cc.u32 0xffffffff, 1, 1 -> 0, CC.CF=1
    example: mad.hi.cc.u32 0x80000000, 4, 0xfffffffe -> 0, CC.CF=1
    example: mad.hi.cc.s32 -1, 1, 1 -> 0, CC.CF=1
    example: mad.lo.cc.s64 2, 3, 4, CC.CF=1 -> 10, CC.CF=0
    """
    return sum_of(ops, i, product(ops, i.mode, a, b), c, None)


@instruction("madc.mode{.cc}.type d, a, b, c", mode="hi lo", type=WORDS, requires="3.0 sm_20", since=WIDE, loose=True,
             first="mode", section="9.7.2.6")  # fmt: skip
def madc(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = c + CC.CF + the low or high half of a * b, wrapped; under .cc, CC.CF = the carry out; else it stays.

    example: madc.lo.u32 2, 3, 4, CC.CF=1 -> 11, CC.CF=1
    example: madc.hi.cc.u32 0xffffffff, 0xffffffff, 1, CC.CF=1 -> 0, CC.CF=1
    example: madc.lo.cc.s64 0, 0, -1, CC.CF=1 -> 0, CC.CF=1
    example: madc.hi.s32 -1, 1, 0, CC.CF=1 -> 0, CC.CF=1
    """
    return sum_of(ops, i, product(ops, i.mode, a, b), c, ops.carry())
