"""When a warp stood still: found out in the snapshots' bytes without going there, then by going to the middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emulator.engines.schedule import WarpKey
from emulator.engines.snapshots import DeviceSnapshot, GridSnapshot, Snapshot
from emulator.machine.layout import dtype_of
from emulator.machine.residents import Resident

if TYPE_CHECKING:
    from emulator.debugger.timeline import Kept, Timeline

ENDED = 1 << 62  # instructions: more than any warp executes


def executed_in(snapshot: Snapshot, key: WarpKey) -> int:
    """Instructions of a warp before a snapshot: 0 while it has not begun, ENDED when its CTA is gone."""
    for launch in snapshot.grids:
        if launch.grid.number == key[0]:
            return _executed(snapshot.devices[launch.grid.device], launch, key)
    return ENDED


def _executed(device: DeviceSnapshot, launch: GridSnapshot, key: WarpKey) -> int:
    """The same on the device of the warp's launch."""
    records, blocks = device.residents[:2]
    residents = records.view(dtype_of(Resident))
    places = np.flatnonzero((residents["grid"] == launch.grid.address) & (residents["linear"] == key[1]))
    if not len(places):
        return 0 if key[1] >= launch.next_cta else ENDED
    layout, address = launch.grid.layout, int(residents["block"][places[0]])
    start = layout.warps_at + key[2] * layout.warp_bytes
    return next((int(data[start : start + 8].view(np.int64)[0]) for block, data in blocks if block == address), 0)


def executed_now(timeline: Timeline, key: WarpKey) -> int:
    """The same where the machine is."""
    warp = timeline.warp(key)
    if warp is not None:
        return warp.executed
    grids = [grid for device in timeline.runner.devices for grid in device.grids if grid.number == key[0]]
    return 0 if grids and key[1] >= grids[0].next_cta else ENDED


def quiet_since(snapshots: Sequence[Kept], first: int, last: int, key: WarpKey, executed: int) -> int:
    """From when on a warp executed nothing up to the end of a stretch, as snapshots show; else the end.

    executed: its instructions before the end.
    """
    quiet = last
    for kept in reversed(snapshots):
        if kept.time <= last:
            if executed_in(kept.snapshot, key) != executed:
                break
            quiet = max(first, kept.time)
            if kept.time <= first:
                break
    return quiet


def last_ran(
    timeline: Timeline, snapshots: Sequence[Kept], first: int, last: int, key: WarpKey, executed: int, near: int
) -> int:
    """A time, at most `near` after a warp's last instruction in a stretch; or that much after its beginning.

    Moves anywhere, and leaves snapshots behind for the next search.  executed: its instructions before the end.
    """
    for kept in snapshots:
        if first < kept.time < last and executed_in(kept.snapshot, key) != executed:
            first = kept.time
    while last - first > near and not timeline.motor.interrupted:
        middle = (first + last) // 2
        timeline.seek(middle, near=False)
        timeline.keep()
        if executed_now(timeline, key) == executed:
            last = middle
        else:
            first = middle
    return last
