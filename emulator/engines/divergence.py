"""Which lanes of a warp go next: the rule that both engines follow to the instruction.

The lanes that stand at one pc, in one depth of calls, are a group.  The group with the deepest call goes
first, then the one with the lowest pc, so that lanes that went apart meet again as early as they can.

Lanes that stay apart take turns, so that a lane that spins on another lane of its warp never starves it.
After SLICE instructions the lanes that have executed make room: until every lane has had its turn, the same
rule chooses among those that have not.  So each lane that can run executes within 32 slices.
"""

from __future__ import annotations

import numpy as np

from emulator.machine.warp import ALL_LANES, Warp, lanes_of, lowest_lane, mask_of

SLICE = 1000


def next_group(warp: Warp) -> int:
    """The mask of the lanes that execute next; 0 if none can."""
    runnable = warp.runnable
    if not runnable:
        return 0
    if _is_together(warp, runnable):
        _new_round(warp)
        return runnable
    group = runnable & _beside(warp, _first(warp, runnable & warp.turn or runnable))
    warp.ran |= group
    return group


def _is_together(warp: Warp, mask: int) -> bool:
    """Whether all these lanes stand at one pc, in one depth of calls."""
    return not mask & ~_beside(warp, lowest_lane(mask))


def _beside(warp: Warp, lane: int) -> int:
    """The lanes at the pc and in the depth of calls of a lane."""
    return mask_of((warp.pc == warp.pc[lane]) & (warp.depth == warp.depth[lane]))


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
