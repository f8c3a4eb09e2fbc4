"""9.7.13.4 membar and fence, and 9.7.13.13 griddepcontrol."""

from __future__ import annotations

from typing import Any

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction

MEMBAR_SCOPES = {"cta": "cta", "gl": "gpu", "sys": "sys"}
FENCE: dict[str, Any] = {"kind": "machine", "loose": True, "section": "9.7.13.4"}
PROXY: dict[str, Any] = {"first": "proxy", **FENCE}


@instruction("membar.level", level="cta gl sys", kind="machine", section="9.7.13.4")
def membar(ops: Ops, i: Variant) -> None:
    """fence.sc of the scope cta, gpu (.gl) or sys."""
    ops.fence("sc", MEMBAR_SCOPES[i.level])


@instruction(
    "fence{.sem}.scope", sem="sc acq_rel acquire release", scope="cta cluster gpu sys", requires="6.0 sm_70",
    since={".cluster": "7.8 sm_90"}, **FENCE,
)  # fmt: skip
@instruction("fence.sem.restrict.scope", sem="acquire", restrict="sync_restrict::shared::cluster", scope="cluster",
             requires="8.6 sm_90", **FENCE)  # fmt: skip
@instruction("fence.sem.restrict.scope", sem="release", restrict="sync_restrict::shared::cta", scope="cluster",
             requires="8.6 sm_90", **FENCE)  # fmt: skip
@instruction("fence.mbarrier_init.sem.scope", sem="release", scope="cluster", requires="8.0 sm_90", **FENCE)
def fence(ops: Ops, i: Variant) -> None:
    """Order this thread's memory operations before against those after, as seen in the scope.

    The manual has .acquire and .release from PTX 8.6 on; ptxas takes them in older modules too.
    .mbarrier_init orders prior mbarrier.init only, .sync_restrict only objects in the shared memory that it names.
    """
    ops.fence(i.sem or "acq_rel", i.scope)


@instruction("membar.proxy.alias", requires="7.5 sm_60", **PROXY)
@instruction("fence.proxy.alias", requires="7.5 sm_70", **PROXY)
@instruction("fence.proxy.async{.ss}", ss="global shared::cta shared::cluster", requires="8.0 sm_90", **PROXY)
@instruction("fence.proxy.tensormap::generic.sem.scope", sem="release", scope="cta cluster gpu sys",
             requires="8.3 sm_90", **PROXY)  # fmt: skip
@instruction("fence.proxy.async::generic.sem.restrict.scope", sem="acquire", restrict="sync_restrict::shared::cluster",
             scope="cluster", requires="8.6 sm_90", **PROXY)  # fmt: skip
@instruction("fence.proxy.async::generic.sem.restrict.scope", sem="release", restrict="sync_restrict::shared::cta",
             scope="cluster", requires="8.6 sm_90", **PROXY)  # fmt: skip
def fence_proxy(ops: Ops, i: Variant) -> None:
    """Order accesses through different proxies: generic, async, tensormap, or aliases of one address."""
    ops.fence("proxy", i.get("scope") or "cta")


@instruction("fence.proxy.tensormap::generic.sem.scope [a], size", sem="acquire", scope="cta cluster gpu sys",
             a="narrow", size="static u32", limits={"size": (128,)}, requires="8.3 sm_90", **PROXY)  # fmt: skip
def fence_proxy_acquire(ops: Ops, i: Variant, a: Value) -> None:
    """Order generic writes of the 128 bytes at address a before later reads of the tensor map there."""
    ops.fence("proxy", i.scope)


@instruction("griddepcontrol.action", action="launch_dependents wait", kind="machine", requires="7.8 sm_90",
             section="9.7.13.13")  # fmt: skip
def griddepcontrol(ops: Ops, i: Variant) -> None:
    """Order dependent grids; nothing to do where the launch did not ask for overlap."""
