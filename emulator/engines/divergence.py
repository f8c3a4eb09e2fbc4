"""Which lanes of a warp go next: the rule that both engines follow to the instruction.

The lanes that stand at one pc, in one depth of calls, are a group.  The group with the deepest call goes
first, then the one with the lowest pc, so that lanes that went apart meet again as early as they can.  A
group that goes on for SLICE instructions while others could run gives its turn to the next group in that
order at its next control transfer, so that a lane that spins on another lane of its warp never starves it.
"""

from __future__ import annotations

import numpy as np

from emulator.machine.warp import Warp, lanes_of, mask_of
from emulator.ptx_types import WARP_SIZE

SLICE = 1000
NOBODY = WARP_SIZE


def next_group(warp: Warp) -> int:
    """The mask of the lanes that execute next; 0 if none can."""
    runnable = warp.runnable
    if not runnable:
        return 0
    lanes = lanes_of(runnable)
    if _together(warp, lanes):
        warp.slice = SLICE
        warp.leader = NOBODY
        return runnable
    leader = warp.leader
    if leader == NOBODY or not runnable >> leader & 1:
        warp.leader = NOBODY
        leader = _first(warp, lanes)
    group = lanes & (warp.pc == warp.pc[leader]) & (warp.depth == warp.depth[leader])
    return mask_of(group)


def _together(warp: Warp, lanes: np.ndarray) -> bool:
    """Whether all these lanes stand at one pc in one depth of calls."""
    pcs = warp.pc[lanes]
    return bool((pcs == pcs[0]).all()) and (not warp.depth.any() or bool(np.ptp(warp.depth[lanes]) == 0))


def _first(warp: Warp, lanes: np.ndarray) -> int:
    """The lane of the deepest, then lowest group."""
    order = np.lexsort((warp.pc, -warp.depth, ~lanes))
    return int(order[0])


def take_turns(warp: Warp, group: int) -> None:
    """After a control transfer of a group: rotate when the slice is used up."""
    length, warp.run_length = warp.run_length, 0
    if group == warp.runnable:
        return
    left = warp.slice - length
    if left > 0:
        warp.slice = left
        return
    warp.slice = SLICE
    warp.leader = _after(warp, group)


def _after(warp: Warp, group: int) -> int:
    """The leading lane of the next group in the order of `next_group`, NOBODY behind the last."""
    others = lanes_of(warp.runnable & ~group)
    if not others.any():
        return NOBODY
    here = int(np.flatnonzero(lanes_of(group))[0])
    depth, pc = int(warp.depth[here]), int(warp.pc[here])
    behind = others & ((warp.depth < depth) | ((warp.depth == depth) & (warp.pc > pc)))
    if not behind.any():
        return NOBODY
    return _first(warp, behind)
