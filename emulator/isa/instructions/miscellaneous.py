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


@instruction("pmevent a", a="immediate u32", kind="machine", section="9.7.19.3")
@instruction("pmevent.mask a", a="immediate u32", kind="machine", requires="3.0 sm_20", section="9.7.19.3")
def pmevent(ops: Ops, i: Variant, a: Value) -> None:
    """Trigger performance monitor events; there are none here."""
