"""The last writer of something long ago, at full speed: where single steps would take too long.

A register's writers are places in the text, at which the native engine stops by itself, so what is found is exact. Of
memory it is the last change: a later write of the same value is passed over.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.debugger.catches import executed_lanes
from emulator.debugger.glances import last_change
from emulator.debugger.motor import Glance, Halted, Standing, Watcher
from emulator.debugger.recording import go
from emulator.debugger.session import Session
from emulator.debugger.targets import RegisterTarget, Target
from emulator.debugger.watches import Watchpoint, lanes_touching
from emulator.engines.schedule import WarpKey, key_of
from emulator.program import Program


class FarWrite(NamedTuple):
    """Who wrote.  exact: no later write was passed over."""

    time: int
    key: WarpKey
    pc: int
    lane: int
    exact: bool


def far_write(session: Session, target: Target, before: int, pcs: dict[Program, frozenset[int]]) -> FarWrite | None:
    """The last write before a time; pcs: where a register is written.  The session stands anywhere afterwards."""
    go(session.timeline, before)
    if isinstance(target, RegisterTarget):
        return _register(session, target, pcs)
    watchpoint = Watchpoint(session, 0, "watch", target)

    def watcher() -> Watcher:
        glance = Glance([watchpoint])
        glance.begin()
        return Watcher(after=lambda standing: watchpoint.check(standing) is not None, glance=glance)

    timeline = session.timeline
    found = timeline.last_stop(watcher) if timeline.deeds else last_change(timeline, watcher)
    standing = _standing(found)
    if standing is None:
        return None
    lanes = lanes_touching(session, target, standing) or standing.group
    return FarWrite(timeline.now - 1, key_of(standing.warp), standing.pc, lanes.bit_length() - 1, False)


def _register(session: Session, target: RegisterTarget, pcs: dict[Program, frozenset[int]]) -> FarWrite | None:
    def accept(standing: Standing) -> bool:
        return key_of(standing.warp) == target.key and bool(executed_lanes(standing) & target.lanes)

    standing = _standing(session.timeline.last_stop(lambda: Watcher(pcs, accept)))
    if standing is None:
        return None
    lanes = executed_lanes(standing) & target.lanes
    return FarWrite(session.timeline.now, target.key, standing.pc, (lanes & -lanes).bit_length() - 1, True)


def _standing(halted: Halted | None) -> Standing | None:
    return halted.standing if halted is not None and halted.why in ("place", "watch") else None
