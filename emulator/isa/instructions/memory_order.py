"""9.7.13.4 membar and fence, and 9.7.13.13 griddepcontrol."""

from __future__ import annotations

from emulator.isa.ops import Ops
from emulator.isa.registry import Variant, instruction

MEMBAR_SCOPES = {"cta": "cta", "gl": "gpu", "sys": "sys"}


@instruction("membar.level", level="cta gl sys", kind="machine", section="9.7.13.4")
def membar(ops: Ops, i: Variant) -> None:
    """fence.sc of the scope cta, gpu (.gl) or sys."""
    ops.fence("sc", MEMBAR_SCOPES[i.level])


@instruction(
    "fence{.sem}.scope",
    sem="sc acq_rel acquire release", scope="cta cluster gpu sys", kind="machine", requires="6.0 sm_70",
    since={".cluster": "7.8 sm_90", ".acquire": "8.6 sm_90", ".release": "8.6 sm_90"}, section="9.7.13.4",
)  # fmt: skip
def fence(ops: Ops, i: Variant) -> None:
    """Order this thread's memory operations before against those after, as seen in the scope."""
    ops.fence(i.sem or "acq_rel", i.scope)


@instruction("griddepcontrol.action", action="launch_dependents wait", kind="machine", requires="7.8 sm_90",
             section="9.7.13.13")  # fmt: skip
def griddepcontrol(ops: Ops, i: Variant) -> None:
    """Order dependent grids; nothing to do where the launch did not ask for overlap."""
