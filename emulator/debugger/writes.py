"""The history of a value: who wrote what when, over the last stretch of the run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emulator.debugger.causes import Write
from emulator.debugger.changes import changes_of
from emulator.debugger.recording import Past, excursion, go
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, Target, copied
from emulator.debugger.values import State
from emulator.debugger.writers import MOST_LOOKED_AT, access_hits, program_of, register_hits
from emulator.engines.schedule import WarpKey
from emulator.program import Instruction


class Entry(NamedTuple):
    """A write, its instruction (none for the user's), the lanes that wrote, the value after it."""

    write: Write
    instruction: Instruction | None
    lanes: int
    value: State | None


def history(session: Session, target: Target, count: int) -> tuple[list[Entry], bool]:
    """(the last writes of a target, the earliest first; whether the search reached the beginning of the run)."""
    now = session.timeline.now
    with excursion(session):
        past = Past(session, now)
        found: dict[tuple[int, WarpKey, int], int] = {}
        for instructions, accesses in past.stretches(MOST_LOOKED_AT):
            if isinstance(target, MemoryTarget):
                hits = access_hits(session, target, accesses)
                lanes = np.uint32(1) << hits["lane"].astype(np.uint32)
            else:
                program = program_of(session, target.key)
                hits = instructions[:0] if program is None else register_hits(target, program, instructions)
                lanes = hits["lanes"] & np.uint32(target.lanes)
            for hit, mask in zip(hits, lanes.tolist(), strict=True):
                key = int(hit["time"]), (int(hit["grid"]), int(hit["cta"]), int(hit["warp"])), int(hit["pc"])
                found[key] = found.get(key, 0) | mask
            if len(found) >= count:
                break
        writes = [(Write(time, key, pc, 0), mask) for (time, key, pc), mask in sorted(found.items())][-count:]
        first = writes[0][0].time if writes and past.begin else past.begin
        writes += [(Write(c.time, c.key, -1, 0, c), 0) for c in changes_of(session, target, now) if c.time >= first]
        writes.sort(key=lambda one: (one[0].time, one[0].change is None))
        return [_entry(session, target, write, mask) for write, mask in writes], past.begin == 0


def _entry(session: Session, target: Target, write: Write, lanes: int) -> Entry:
    """With the value after the write; times ascend, so that each is near the one before."""
    program = program_of(session, write.key)
    go(session.timeline, write.time if write.change is not None else write.time + 1)
    value = copied(target.bytes_of(session))
    instruction = program.instructions[write.pc] if program is not None and write.change is None else None
    return Entry(write, instruction, lanes, value)
