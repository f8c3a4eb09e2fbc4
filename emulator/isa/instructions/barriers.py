"""9.7.13.1 to 9.7.13.3 Barriers."""

from __future__ import annotations

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction


@instruction("bar{.cta}.sync a{, b}", a="u32", b="u32", kind="machine", section="9.7.13.1")
@instruction(
    "barrier{.cta}.sync{.aligned} a{, b}", a="u32", b="u32", kind="machine", requires="6.0 sm_30", section="9.7.13.1"
)
def bar_sync(ops: Ops, i: Variant, a: Value, b: Value | None = None) -> None:
    """Wait at barrier a until all warps with a live lane, or b threads, have arrived."""
    ops.barrier(ops.lanes, a, b, wait=True)


@instruction("bar{.cta}.arrive a, b", a="u32", b="u32", kind="machine", section="9.7.13.1")
@instruction(
    "barrier{.cta}.arrive{.aligned} a, b", a="u32", b="u32", kind="machine", requires="6.0 sm_30", section="9.7.13.1"
)
def bar_arrive(ops: Ops, i: Variant, a: Value, b: Value) -> None:
    """Arrive at barrier a of b threads without waiting."""
    ops.barrier(ops.lanes, a, b, wait=False)


def _result(ops: Ops, i: Variant, *_: Value) -> Value:
    """The second half of bar.red: the reduction over all threads of the barrier."""
    return ops.barrier_result(i.op)


@instruction(
    "bar{.cta}.red.op.type d, a{, b}, {!}c",
    op="popc", type="u32", a="u32", b="u32", c="pred", kind="machine", resume=_result, section="9.7.13.1",
)  # fmt: skip
@instruction(
    "bar{.cta}.red.op.type d, a{, b}, {!}c",
    op="and or", type="pred", a="u32", b="u32", c="pred", kind="machine", resume=_result, section="9.7.13.1",
)  # fmt: skip
@instruction(
    "barrier{.cta}.red.op{.aligned}.type d, a{, b}, {!}c",
    op="popc", type="u32", a="u32", b="u32", c="pred", kind="machine", resume=_result, requires="6.0 sm_30",
    section="9.7.13.1",
)  # fmt: skip
@instruction(
    "barrier{.cta}.red.op{.aligned}.type d, a{, b}, {!}c",
    op="and or", type="pred", a="u32", b="u32", c="pred", kind="machine", resume=_result, requires="6.0 sm_30",
    section="9.7.13.1",
)  # fmt: skip
def bar_red(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> None:
    """Wait at barrier a; d = how many threads had c (popc), or whether all (and) or any (or) had it."""
    count, predicate = (b, c) if c is not None else (None, b)
    ops.barrier(ops.lanes, a, count, wait=True, predicate=predicate)


@instruction(
    "bar.warp.sync membermask",
    membermask="u32", kind="warp", sync="membermask", requires="6.0 sm_30", section="9.7.13.2",
)  # fmt: skip
def bar_warp_sync(ops: Ops, i: Variant, membermask: Value) -> None:
    """Wait until all live lanes of the mask have come to a bar.warp.sync with the same mask."""
