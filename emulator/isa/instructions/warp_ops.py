"""9.7.9.5, 9.7.9.6 and 9.7.13.8 to 9.7.13.14: shuffles, votes, matches and reductions within a warp.

`ops.lanes` is the predicate of the lanes that take part.  Of a `.sync` instruction those are the lanes of its
member mask that have not exited: the engine runs the meaning when all of them have come.
"""

from __future__ import annotations

from emulator.isa.instructions.integer_arithmetic import limits
from emulator.isa.ops import U32, Ops, Value
from emulator.isa.registry import Variant, instruction

GONE = "6.4 sm_70"


@instruction("shfl.sync.mode.b32 d{|p}, a, b, c, membermask", mode="up down bfly idx", d="b32", p="pred sink", a="b32",
             b="b32", c="b32", membermask="b32", kind="warp", sync="membermask", requires="6.0 sm_30", loose=True,
             section="9.7.9.6")  # fmt: skip
@instruction("shfl.mode.b32 d{|p}, a, b, c", mode="up down bfly idx", d="b32", p="pred sink", a="b32", b="b32",
             c="b32", kind="warp", requires="3.0 sm_30", removed=GONE, loose=True, section="9.7.9.5")  # fmt: skip
def shfl(ops: Ops, i: Variant, a: Value, b: Value, c: Value, membermask: Value | None = None) -> tuple[Value, Value]:
    """d = a of another lane, p = whether that lane is in range; if not, d = the lane's own a.

    The other lane is b below (.up) or above (.down), it differs in the bits of b (.bfly), or it is b (.idx).
    c has the last lane in bits 4..0 (the first for .up) and a mask in bits 12..8 whose ones split the warp into
    parts that keep to themselves.  What a lane that does not take part holds is undefined.

    example: shfl.sync.up.b32 %laneid, 1, 0, -1 -> 0 0 1 2 3 _, 0 1
    example: shfl.sync.down.b32 %laneid, 2, 31, -1 -> 2 3 4 5 _, 1 1 1 _
    example: shfl.sync.bfly.b32 %laneid, 1, 31, -1 -> 1 0 3 2 _, true
    example: shfl.sync.idx.b32 %laneid, 5, 31, -1 -> 5, true
    example: shfl.sync.idx.b32 %laneid, 5, 0x1c03, -1 -> 1 1 1 1 5 5 5 5 9 _, true
    example: shfl.sync.down.b32 %laneid, 2, 0x1c03, -1 -> 2 3 2 3 6 7 6 7 _, 1 1 0 0 1 1 0 0 _
    example: shfl.sync.idx.b32 %laneid, 3, 1, -1 -> %laneid, false
    """
    lane, offset, clamp, mask = ops.lane(), ops.view(b, U32) & 31, ops.view(c, U32) & 31, ops.view(c, U32) >> 8 & 31
    first = lane & mask
    last = first | clamp & ~mask
    source = {"up": lane - offset, "down": lane + offset, "bfly": lane ^ offset, "idx": first | offset & ~mask}[i.mode]
    in_range = offset + last <= lane if i.mode == "up" else source <= last
    return ops.permute(a, ops.select(in_range, source, lane)), in_range


@instruction("vote.sync.mode.pred d, {!}a, membermask", mode="all any uni", d="pred", a="pred", membermask="b32",
             kind="warp", sync="membermask", requires="6.0 sm_30", loose=True, section="9.7.13.9")  # fmt: skip
@instruction("vote.mode.pred d, {!}a", mode="all any uni", d="pred", a="pred", kind="warp", requires="1.2 sm_12",
             removed=GONE, loose=True, section="9.7.13.8")  # fmt: skip
def vote(ops: Ops, i: Variant, a: Value, membermask: Value | None = None) -> Value:
    """d = whether a is true in all lanes that take part (.all), in some (.any), or the same in all (.uni).

    example: vote.sync.all.pred 1 1 0 1, -1 -> false
    example: vote.sync.all.pred 1 1 0 1, 0b1011 -> true
    example: vote.sync.any.pred 0 0 1 0, -1 -> true
    example: vote.sync.any.pred 0 0 1 0, 0b1011 -> false
    example: vote.sync.uni.pred 0 0 1 0, 0b1011 -> true
    example: vote.sync.uni.pred 0 1, -1 -> false
    """
    none, every = ops.ballot(ops.lanes & a) == 0, ops.ballot(ops.lanes & ~a) == 0
    return {"all": every, "any": ~none, "uni": none | every}[i.mode]


@instruction("vote.sync.ballot.b32 d, {!}a, membermask", d="b32", a="pred", membermask="b32", kind="warp",
             sync="membermask", requires="6.0 sm_30", loose=True, section="9.7.13.9")  # fmt: skip
@instruction("vote.ballot.b32 d, {!}a", d="b32", a="pred", kind="warp", requires="2.0 sm_20", removed=GONE,
             loose=True, section="9.7.13.8")  # fmt: skip
def vote_ballot(ops: Ops, i: Variant, a: Value, membermask: Value | None = None) -> Value:
    """d = the lanes in which a is true, a bit each; 0 for those that do not take part.

    example: vote.sync.ballot.b32 1 0 1 0, -1 -> 5
    example: vote.sync.ballot.b32 true, 0xf0 -> 0xf0
    """
    return ops.ballot(ops.lanes & a)


@instruction("match.any.sync.type d, a, membermask", type="b32 b64", d="u32", membermask="u32", kind="warp",
             sync="membermask", requires="6.0 sm_70", loose=True, section="9.7.13.10")  # fmt: skip
def match_any(ops: Ops, i: Variant, a: Value, membermask: Value) -> Value:
    """d = the lanes that take part and have the same a as this one, a bit each.

    example: match.any.sync.b32 7 8 7 9, 0xf -> 5 2 5 8
    example: match.any.sync.b64 0 0x100000000 0, -1 -> 0xfffffffd 2 0xfffffffd
    """
    same = ops.const(U32, 0)
    for lane in range(32):
        there = ops.const(U32, lane)
        equal = (ops.permute(a, there) == a) & (ops.ballot(ops.lanes) >> lane & 1 == 1)
        same = ops.select(equal, same | 1 << lane, same)
    return same


def leader(ops: Ops) -> Value:
    """The lowest lane that takes part."""
    members = ops.ballot(ops.lanes)
    return ops.popcount((members & -members) - 1) & 31


@instruction("match.all.sync.type d, a, membermask", type="b32 b64", d="u32 sink", membermask="u32", kind="warp",
             sync="membermask", requires="6.0 sm_70", loose=True, section="9.7.13.10")  # fmt: skip
@instruction("match.all.sync.type d|p, a, membermask", type="b32 b64", d="u32 sink", p="pred sink", membermask="u32",
             kind="warp", sync="membermask", requires="6.0 sm_70", loose=True, section="9.7.13.10")  # fmt: skip
def match_all(ops: Ops, i: Variant, a: Value, membermask: Value) -> tuple[Value, Value]:
    """d = the lanes that take part if a is the same in all of them, else 0; p = whether it is.

    example: match.all.sync.b32 7 7 8, 3 -> 3, true
    example: match.all.sync.b32 7 7 8, -1 -> 0, false
    example: match.all.sync.b64 0 0x100000000, -1 -> 0, false
    """
    alike = ops.ballot(ops.lanes & (a != ops.permute(a, leader(ops)))) == 0
    return ops.select(alike, ops.ballot(ops.lanes), ops.const(U32, 0)), alike


@instruction("activemask.b32 d", d="b32", kind="warp", requires="6.2 sm_30", section="9.7.13.11")
def activemask(ops: Ops, i: Variant) -> Value:
    """d = the lanes that execute this instruction together, a bit each.

    example: activemask.b32 -> 0xffffffff
    """
    return ops.ballot(ops.lanes)


@instruction("redux.sync.op.type dst, src, membermask", op="add min max", type="u32 s32", membermask="u32",
             kind="warp", sync="membermask", requires="7.0 sm_80", loose=True, section="9.7.13.12")  # fmt: skip
@instruction("redux.sync.op.b32 dst, src, membermask", op="and or xor", dst="u32", src="u32", membermask="u32",
             kind="warp", sync="membermask", requires="7.0 sm_80", loose=True, section="9.7.13.12")  # fmt: skip
def redux(ops: Ops, i: Variant, src: Value, membermask: Value) -> Value:
    """dst = the sum, least, greatest, and, or, exclusive or of src over the lanes that take part; sums wrap.

    example: redux.sync.add.u32 %laneid, -1 -> 496
    example: redux.sync.add.s32 0x7fffffff, 3 -> -2
    example: redux.sync.min.s32 5 -7 3, 0b101 -> 3
    example: redux.sync.max.u32 5 -7 3, -1 -> -7
    example: redux.sync.and.b32 0xf0 0x3c, 3 -> 0x30
    example: redux.sync.xor.b32 %laneid, 0b10110 -> 7
    """
    least, greatest = limits(src.type)
    neutral = {"add": 0, "min": greatest, "max": least, "and": -1, "or": 0, "xor": 0}[i.op]
    combine = {"add": ops.add, "min": ops.minimum, "max": ops.maximum, "and": ops.and_, "or": ops.or_, "xor": ops.xor}
    total = ops.select(ops.lanes, src, ops.const(src.type, neutral))
    for distance in (16, 8, 4, 2, 1):
        total = combine[i.op](total, ops.permute(total, ops.lane() ^ distance))
    return total


@instruction("elect.sync d|p, membermask", d="u32 sink", p="pred", membermask="u32", kind="warp", sync="membermask",
             requires="8.0 sm_90", section="9.7.13.14")  # fmt: skip
def elect(ops: Ops, i: Variant, membermask: Value) -> tuple[Value, Value]:
    """d = the lowest lane that takes part, p = whether this is it.

    example: elect.sync -1 -> 0, 1 0
    example: elect.sync 0b10100 -> 2, 0 0 1 0
    """
    chosen = leader(ops)
    return chosen, ops.lane() == chosen
