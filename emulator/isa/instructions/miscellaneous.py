"""9.7.19 Miscellaneous instructions."""

from __future__ import annotations

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction


@instruction("trap", kind="machine", section="9.7.19.4")
def trap(ops: Ops, i: Variant) -> None:
    """Stop the grid with an error."""
    ops.fault(ops.lanes, "trap")


@instruction("brkpt", kind="machine", section="9.7.19.1")
def brkpt(ops: Ops, i: Variant) -> None:
    """Stop in a debugger."""
    ops.fault(ops.lanes, "brkpt")


@instruction("nanosleep.type t", type="u32", t="type", kind="machine", requires="6.3 sm_70", section="9.7.19.2")
def nanosleep(ops: Ops, i: Variant, t: Value) -> None:
    """Let others go on; time is counted in instructions here, so the thread only gives up its turn."""
    ops.yield_(ops.lanes)


@instruction("pmevent a", a="static u32", limits={"a": range(16)}, kind="machine", requires="1.4",
             section="9.7.19.3")  # fmt: skip
@instruction("pmevent.mask a", a="static u32", limits={"a": range(1 << 16)}, kind="machine", requires="3.0 sm_20",
             section="9.7.19.3")  # fmt: skip
def pmevent(ops: Ops, i: Variant) -> None:
    """Trigger the performance monitor event a, or with .mask those whose bits are set; there are none here."""


@instruction("setmaxnreg.action.sync.aligned.type a", action="inc dec", type="u32", a="static type",
             limits={"a": range(24, 257, 8)}, kind="machine", requires="8.0 sm_90a", section="9.7.19.5")  # fmt: skip
def setmaxnreg(ops: Ops, i: Variant) -> None:
    """Set how many registers a thread of the warp owns; nothing here: registers have no number.

    On hardware .inc waits for registers that others have given back, and new registers are undefined.
    """
