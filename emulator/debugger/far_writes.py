"""The last writer of something long ago, at full speed: where single steps would take too long.

A register's writers are places in the text, accesses of some bytes traps: the native engine stops at both by itself.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.debugger.catches import executed_lanes
from emulator.debugger.motor import Halted, Standing, Watcher
from emulator.debugger.recording import go
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, RegisterTarget, Target
from emulator.debugger.watches import Watchpoint
from emulator.engines.schedule import WarpKey, key_of
from emulator.program import Program


class FarWrite(NamedTuple):
    """Who wrote."""

    time: int
    key: WarpKey
    pc: int
    lane: int


def far_write(session: Session, target: Target, before: int, pcs: dict[Program, frozenset[int]]) -> FarWrite | None:
    """The last write before a time; pcs: where a register is written.  The session stands anywhere afterwards."""
    if isinstance(target, MemoryTarget):
        before = min(before + 1, session.timeline.end)  # a watchpoint stops after the write
    go(session.timeline, before)
    if isinstance(target, RegisterTarget):
        return _register(session, target, pcs)
    watchpoint = Watchpoint(session, 0, "watch", target, exact=True)
    watcher = Watcher(
        before=watchpoint.before,
        after=lambda standing: watchpoint.check(standing) is not None,
        traps=watchpoint.traps,
    )
    standing = _standing(session.timeline.last_stop(lambda: watcher))
    if standing is None:
        return None
    return FarWrite(session.timeline.now - 1, key_of(standing.warp), standing.pc, watchpoint.lanes.bit_length() - 1)


def _register(session: Session, target: RegisterTarget, pcs: dict[Program, frozenset[int]]) -> FarWrite | None:
    def accept(standing: Standing) -> bool:
        return key_of(standing.warp) == target.key and bool(executed_lanes(standing) & target.lanes)

    standing = _standing(session.timeline.last_stop(lambda: Watcher(pcs, accept)))
    if standing is None:
        return None
    lanes = executed_lanes(standing) & target.lanes
    return FarWrite(session.timeline.now, target.key, standing.pc, (lanes & -lanes).bit_length() - 1)


def _standing(halted: Halted | None) -> Standing | None:
    return halted.standing if halted is not None and halted.why in ("place", "watch") else None
