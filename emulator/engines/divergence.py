"""Which lanes of a warp go next: the rule that both engines follow to the instruction.

The lanes that stand at one pc, in one depth of calls, are a group.  The group with the deepest call goes
first, then the one with the lowest pc, so that lanes that went apart meet again as early as they can.

Lanes that stay apart take turns, so that a lane that spins on another lane of its warp never starves it.
After SLICE instructions the lanes that have executed make room: until every lane has had its turn, the same
rule chooses among those that have not.  So each lane that can run executes within 32 slices.
"""

from __future__ import annotations

import numpy as np

from emulator.machine.warp import ALL_LANES, Warp, lanes_of, mask_of

SLICE = 1000


def next_group(warp: Warp) -> int:
    """The mask of the lanes that execute next; 0 if none can."""
    runnable = warp.runnable
    if not runnable:
        return 0
    if _is_together(warp, runnable):
        _new_round(warp)
        return runnable
    first = _first(warp, runnable & warp.turn or runnable)
    group = mask_of(lanes_of(runnable) & (warp.pc == warp.pc[first]) & (warp.depth == warp.depth[first]))
    warp.ran |= group
    return group


def _is_together(warp: Warp, mask: int) -> bool:
    """Whether all these lanes stand at one pc, in one depth of calls."""
    lanes = lanes_of(mask)
    pcs, depths = warp.pc[lanes], warp.depth[lanes]
    return bool((pcs == pcs[0]).all() and (depths == depths[0]).all())


def _first(warp: Warp, mask: int) -> int:
    """The lane of the deepest, then lowest group of some lanes."""
    order = np.lexsort((warp.pc, -warp.depth, ~lanes_of(mask)))
    return int(order[0])


def _new_round(warp: Warp) -> None:
    warp.slice = SLICE
    warp.turn = ALL_LANES
    warp.ran = 0


def take_turns(warp: Warp, group: int) -> None:
    """After a control transfer of a group: when the slice is used up, the lanes that ran in it make room."""
    length, warp.run_length = warp.run_length, 0
    if group == warp.runnable:
        return
    left = warp.slice - length
    if left > 0:
        warp.slice = left
        return
    rest = warp.turn & ~warp.ran
    _new_round(warp)
    if rest & warp.runnable:
        warp.turn = rest
