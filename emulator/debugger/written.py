"""What has happened to some bytes: which were ever written, and which have changed since the last stop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emulator.debugger.changes import changes_of
from emulator.debugger.recording import Past, Records, excursion, go
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, copied
from emulator.debugger.writers import MOST_LOOKED_AT, access_hits, offsets_in

Marks = npt.NDArray[np.bool_]  # a byte each


def changed_bytes(session: Session, target: MemoryTarget) -> Marks:
    """The bytes that are others than at the last stop."""
    now, before = copied(target.bytes_of(session)), session.before
    assert now is not None
    if before is None or before.time == session.timeline.now:
        return np.zeros(len(now), np.bool_)
    with excursion(session):
        go(session.timeline, before.time)
        old = copied(target.bytes_of(session))
    return np.zeros(len(now), np.bool_) if old is None else now != old


def written_bytes(session: Session, target: MemoryTarget) -> Marks | None:
    """The bytes of shared memory that its CTA has written so far; None where it has begun too long ago to tell."""
    warps = session.require_warp().cta.warps
    left = sum(warp.executed for warp in warps)
    found = np.zeros(target.size, np.bool_)
    for change in changes_of(session, target, session.timeline.now):
        assert isinstance(change.target, MemoryTarget)
        _mark(found, np.array([change.target.low - target.low]), np.array([change.target.size]))
    with excursion(session):
        for instructions, accesses in Past(session, session.timeline.now).stretches(MOST_LOOKED_AT):
            hits = access_hits(session, target, accesses)
            _mark(found, offsets_in(target, hits), hits["size"].astype(np.int64))
            left -= _own(target, instructions)
            if left <= 0:
                return found
    return found if not left else None


def _own(target: MemoryTarget, instructions: Records) -> int:
    """How many instructions are those of the CTA."""
    return int(((instructions["grid"] == target.key[0]) & (instructions["cta"] == target.key[1])).sum())


def _mark(found: Marks, first: npt.NDArray[np.int64], size: npt.NDArray[np.int64]) -> None:
    for start, count in set(zip(first.tolist(), size.tolist(), strict=True)):
        found[max(0, start) : max(0, start + count)] = True
