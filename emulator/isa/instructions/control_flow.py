"""9.7.12 Control flow instructions."""

from __future__ import annotations

from typing import Any

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction


@instruction("bra{.uni} target", target="label", kind="machine", section="9.7.12.3")
def bra(ops: Ops, i: Variant, target: Any) -> None:
    """Go on at a label."""
    ops.branch(ops.lanes, target)


@instruction(
    "brx.idx{.uni} a, tlist", a="u32", tlist="labels", kind="machine", requires="6.0 sm_30", section="9.7.12.4"
)
def brx_idx(ops: Ops, i: Variant, a: Value, tlist: Any) -> None:
    """Go on at label number a of a .branchtargets list."""
    ops.branch_table(ops.lanes, a, tlist)


@instruction("call{.uni} function", function="function", kind="machine", section="9.7.12.5")
def call(ops: Ops, i: Variant, function: Any) -> None:
    """Enter a function; its parameters receive copies of the arguments."""
    ops.call(ops.lanes, function)


@instruction("ret{.uni}", kind="machine", section="9.7.12.6")
def ret(ops: Ops, i: Variant) -> None:
    """Return to the caller; in a kernel, exit."""
    ops.ret(ops.lanes)


@instruction("exit", kind="machine", section="9.7.12.7")
def exit_(ops: Ops, i: Variant) -> None:
    """End the thread; barriers without a count no longer expect it."""
    ops.exit(ops.lanes)
