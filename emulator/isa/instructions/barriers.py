"""9.7.13.1 and 9.7.13.2 Barriers of a CTA and of a warp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Limit, Meaning, Variant, instruction

NUMBERS: Limit = range(16)
COUNTS: Limit = range(0, 1 << 32, 32)
ARRIVALS: Limit = range(32, 1 << 32, 32)
HEADS = (("bar", ""), ("bar.cta", "7.8"), ("barrier", "6.0 sm_30"), ("barrier.cta", "7.8 sm_30"))
OPERANDS: dict[str, Any] = {"a": "u32", "b": "u32", "kind": "machine", "loose": True, "section": "9.7.13.1"}


def _lines(tail: str, *, first: str = "", counts: Limit = COUNTS, **keywords: Any) -> Callable[[Meaning], Meaning]:
    """The lines of bar and barrier, with .cta and without; behind it the modifiers come in any order."""

    def register(meaning: Meaning) -> Meaning:
        for head, requires in HEADS:
            line = head + tail.replace("{}", "{.aligned}" if head.startswith("barrier") else "")
            start = f"cta {first}".strip() if ".cta" in head else first
            limits = {"a": NUMBERS, "b": counts}
            instruction(line, first=start, limits=limits, requires=requires, **OPERANDS, **keywords)(meaning)
        return meaning

    return register


@_lines(".sync{} a{, b}")
def bar_sync(ops: Ops, i: Variant, a: Value, b: Value | None = None) -> None:
    """Wait at barrier a until all warps with a live lane, or b threads, have arrived.

    A warp has arrived when all of its lanes that have not exited have.  A count of 0 is no count.
    """
    ops.barrier(ops.lanes, a, b, wait=True)


@_lines(".arrive{} a, b", first="arrive", counts=ARRIVALS)
def bar_arrive(ops: Ops, i: Variant, a: Value, b: Value) -> None:
    """Arrive at barrier a of b threads; wait for the other lanes of the warp only."""
    ops.barrier(ops.lanes, a, b, wait=False)


def _result(ops: Ops, i: Variant, *_: Value) -> Value:
    """The second half of bar.red: the reduction over all threads of the barrier."""
    return ops.barrier_result(i.op)


@_lines(".red.op{}.type d, a{, b}, {!}c", first="red", op="popc", type="u32", c="pred", resume=_result)
@_lines(".red.op{}.type d, a{, b}, {!}c", first="red", op="and or", type="pred", c="pred", resume=_result)
def bar_red(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> None:
    """Wait at barrier a; d = how many threads had c (popc), or whether all (and) or any (or) had it."""
    count, predicate = (b, c) if c is not None else (None, b)
    ops.barrier(ops.lanes, a, count, wait=True, predicate=predicate)


@instruction("bar.warp.sync membermask", membermask="u32", kind="warp", sync="membermask", requires="6.0 sm_30",
             section="9.7.13.2")  # fmt: skip
def bar_warp_sync(ops: Ops, i: Variant, membermask: Value) -> None:
    """Wait until all live lanes of the mask have come to a bar.warp.sync with the same mask."""
