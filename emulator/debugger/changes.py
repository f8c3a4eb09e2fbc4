"""What the user changes: a register, memory, where lanes go next.  Each is a Deed of the history, done again by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.debugger.motor import Halted, Watcher
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, RegisterTarget, Target
from emulator.debugger.timeline import Timeline
from emulator.debugger.values import State
from emulator.engines.schedule import WarpKey
from emulator.machine.memory import DEVICE_BASE, PAGE_SHIFT
from emulator.machine.warp import lanes_of
from emulator.ptx_types import WARP_SIZE


@dataclass(frozen=True, eq=False)
class Change:
    """Bytes written by the user into a target: `data` where `mask` is set."""

    time: int
    target: Target
    data: State
    mask: State
    session: Session
    takes_time: bool = False

    @property
    def key(self) -> WarpKey:
        """The warp that it belongs to."""
        return self.target.key

    def perform(self, timeline: Timeline, watcher: Watcher) -> Halted | None:
        """Write the bytes."""
        raw = self.target.bytes_of(self.session)
        if raw is None:
            return None
        raw[self.mask] = self.data[self.mask]
        watcher.begin()
        if isinstance(self.target, MemoryTarget) and self.target.space == "global":
            first = self.target.low - DEVICE_BASE
            last = first + len(raw) - 1
            timeline.runner.memory.dirty[first >> PAGE_SHIFT : (last >> PAGE_SHIFT) + 1] = 1
        return None


@dataclass(frozen=True)
class Jump:
    """Lanes of a warp go on at a pc."""

    time: int
    key: WarpKey
    lanes: int
    pc: int
    takes_time: bool = False

    def perform(self, timeline: Timeline, watcher: Watcher) -> Halted | None:
        """Move their pcs."""
        warp = timeline.warp(self.key)
        if warp is not None:
            warp.pc[lanes_of(self.lanes)] = self.pc
            timeline.runner.engine.lanes_moved()
        return None


def changes_of(session: Session, target: Target, before: int) -> list[Change]:
    """What the user has written into bytes of a target before or at a time of this history."""
    done = session.timeline.deeds
    return [deed for deed in done if isinstance(deed, Change) and deed.time <= before and _meets(deed, target)]


def _meets(change: Change, target: Target) -> bool:
    """Whether a change and a target have bytes in common."""
    mine = change.target
    if isinstance(mine, RegisterTarget) and isinstance(target, RegisterTarget):
        same = mine.key == target.key and mine.register.offset == target.register.offset
        written = change.mask.reshape(WARP_SIZE, -1).any(axis=1)
        return same and bool((written & lanes_of(target.lanes)).any())
    if not isinstance(mine, MemoryTarget) or not isinstance(target, MemoryTarget) or mine.space != target.space:
        return False
    owners = {"global": 0, "param": 1, "shared": 2, "local": 3}[mine.space]
    same = mine.key[:owners] == target.key[:owners] and (mine.space != "local" or mine.lane == target.lane)
    return same and mine.low < target.low + target.size and target.low < mine.low + mine.size


def edited(session: Session) -> bool:
    """Whether the user has changed the run up to now."""
    return any(isinstance(deed, Change | Jump) and deed.time <= session.timeline.now for deed in session.timeline.deeds)


def mask_over(lanes: int, width: int) -> State:
    """Which bytes of a row belong to some lanes."""
    return np.repeat(lanes_of(lanes), width)
