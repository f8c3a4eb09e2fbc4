"""The values of special registers (manual, chapter 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.machine.memory import SHARED_BASE
from emulator.machine.warp import Warp
from emulator.program.layout import align_up
from emulator.ptx_types import WARP_SIZE, Dim3

if TYPE_CHECKING:
    from emulator.engines.run import Runner

LANES = np.arange(WARP_SIZE, dtype=np.uint32)
ONE = np.uint32(1)
SHARED_UNIT = 128  # of %total_smem_size, since sm_80 (10.30)
FULL = np.uint32(0xFFFFFFFF)


def special_row(name: str, component: int, warp: Warp, runner: Runner) -> Any:
    """A special register in all 32 lanes, as u32, u64 or bool."""
    if name in _BY_LANE:
        return _BY_LANE[name]
    if name == "tid":
        return _thread_index(warp, component)
    if name in _CLOCKS:
        return np.full(WARP_SIZE, _CLOCKS[name](runner.time))
    value = _of_cta(name, component, warp, runner)
    if isinstance(value, bool):
        return np.full(WARP_SIZE, value)
    wide = name in ("gridid", "current_graph_exec") or name.endswith("_64")
    return np.full(WARP_SIZE, value, dtype=np.uint64 if wide else np.uint32)


def _thread_index(warp: Warp, component: int) -> Any:
    block = warp.cta.grid.config.block
    linear = LANES + np.uint32(warp.first_thread)
    parts = (linear % block.x, linear // block.x % block.y, linear // (block.x * block.y), linear * 0)
    return parts[component].astype(np.uint32)


def _part(size: Dim3, component: int, fourth: int = 0) -> int:
    return (size.x, size.y, size.z, fourth)[component]


def _of_cta(name: str, component: int, warp: Warp, runner: Runner) -> int | bool:
    cta = warp.cta
    grid = cta.grid
    config = grid.config
    cluster = config.cluster or Dim3(1)
    size = config.grid
    device = runner.devices[grid.device]
    total = align_up(grid.user_shared_bytes, SHARED_UNIT)
    index = cta.index
    table: dict[str, int | bool | Dim3] = {
        "ntid": config.block,
        "ctaid": index,
        "nctaid": size,
        "warpid": warp.index,
        "nwarpid": device.limits.warps_per_sm,
        "smid": cta.sm,
        "nsmid": device.sms,
        "gridid": grid.number,
        "is_explicit_cluster": config.cluster is not None,
        "clusterid": Dim3(index.x // cluster.x, index.y // cluster.y, index.z // cluster.z),
        "nclusterid": Dim3(size.x // cluster.x, size.y // cluster.y, size.z // cluster.z),
        "cluster_ctaid": Dim3(index.x % cluster.x, index.y % cluster.y, index.z % cluster.z),
        "cluster_nctaid": cluster,
        "cluster_ctarank": cta.rank,
        "cluster_nctarank": cluster.count,
        "reserved_smem_offset_begin": 0,
        "reserved_smem_offset_end": SHARED_BASE,
        "reserved_smem_offset_cap": SHARED_BASE,
        "total_smem_size": total,
        "aggr_smem_size": total + SHARED_BASE,
        "dynamic_smem_size": config.shared,
        "envreg1": grid.workspace >> 32,
        "envreg2": grid.workspace & 0xFFFFFFFF,
    }
    value = table.get(name, 0)
    if isinstance(value, Dim3):
        return _part(value, component, fourth=1 if name in ("ntid", "nctaid", "nclusterid", "cluster_nctaid") else 0)
    return value


_CLOCKS: dict[str, Callable[[int], Any]] = {
    "clock": lambda time: np.uint32(time & 0xFFFFFFFF),
    "clock_hi": lambda time: np.uint32(time >> 32),
    "clock64": lambda time: np.uint64(time),
    "globaltimer": lambda time: np.uint64(time),
    "globaltimer_lo": lambda time: np.uint32(time & 0xFFFFFFFF),
    "globaltimer_hi": lambda time: np.uint32(time >> 32),
}

_BY_LANE = {
    "laneid": LANES,
    "lanemask_eq": ONE << LANES,
    "lanemask_lt": (ONE << LANES) - ONE,
    "lanemask_le": FULL >> (np.uint32(31) - LANES),
    "lanemask_ge": FULL << LANES,
    "lanemask_gt": (FULL << LANES) & ~(ONE << LANES),
}
