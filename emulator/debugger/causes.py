"""The last writer of a register or a byte, the inputs of that instruction with their writers, and so on.

The past is executed again in stretches, backwards, and every instruction and access in them is looked at: what is found
there is exact, a write of the same value included.  Farther back far_writes.py searches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from emulator.debugger.changes import Change, changes_of
from emulator.debugger.far_writes import far_write
from emulator.debugger.inputs import inputs_of
from emulator.debugger.recording import Past, Records, excursion, go
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, RegisterTarget, Target
from emulator.debugger.writers import MOST_LOOKED_AT, access_hits, program_of, register_hits, writers_of
from emulator.engines.schedule import WarpKey
from emulator.program import Instruction

NEAR = 2_000  # instructions that are executed again one by one, where the native engine finds the same farther back


@dataclass(frozen=True)
class Write:
    """A write: by an instruction of a lane, or by the user (change)."""

    time: int
    key: WarpKey
    pc: int
    lane: int
    change: Change | None = None


def last_write(past: Past, target: Target, before: int) -> Write | None:
    """The last write to a target before a time, which `past` reaches up to; None if there is none."""
    session = past.session
    change = max(changes_of(session, target, before), key=lambda change: change.time, default=None)
    native = session.runner.engine.name == "native"
    for instructions, accesses in past.stretches(NEAR if native else MOST_LOOKED_AT):
        found = _last_in(session, target, before, instructions, accesses)
        if found is not None and (change is None or change.time <= found.time):
            return found
        if change is not None and len(instructions) and change.time >= int(instructions["time"][0]):
            break
    else:
        far = _far(past, target, before)
        if far is not None and (change is None or change.time <= far.time):
            return far
    return Write(change.time, change.key, -1, 0, change) if change is not None else None


def _far(past: Past, target: Target, before: int) -> Write | None:
    """The last write before the stretches."""
    session = past.session
    program = program_of(session, target.key)
    if not past.begin or program is None or session.runner.engine.name != "native":
        return None
    pcs = frozenset(writers_of(program).get(target.register.offset, ())) if isinstance(target, RegisterTarget) else None
    found = far_write(session, target, min(past.begin, before), {program: pcs} if pcs is not None else {})
    return Write(found.time, found.key, found.pc, found.lane) if found is not None else None


def _last_in(session: Session, target: Target, before: int, instructions: Records, accesses: Records) -> Write | None:
    if isinstance(target, MemoryTarget):
        hits = access_hits(session, target, accesses[accesses["time"] < before])
        if not len(hits):
            return None
        last = hits[-1]
        return Write(int(last["time"]), _key(last), int(last["pc"]), int(last["lane"]))
    program = program_of(session, target.key)
    if program is None:
        return None
    hits = register_hits(target, program, instructions[instructions["time"] < before])
    if not len(hits):
        return None
    last = hits[-1]
    lanes = int(last["lanes"]) & target.lanes
    return Write(int(last["time"]), _key(last), int(last["pc"]), (lanes & -lanes).bit_length() - 1)


def _key(record: np.void) -> WarpKey:
    return int(record["grid"]), int(record["cta"]), int(record["warp"])


@dataclass
class Cause:
    """A value and where it came from.  write: None where none was found; complete: the whole past was looked at."""

    target: Target
    lane: int
    value: str
    write: Write | None
    instruction: Instruction | None = None
    inputs: list[Cause] = field(default_factory=list)
    complete: bool = True


def trace(session: Session, target: Target, lane: int, hops: int) -> Cause:
    """The last writer of a target, the inputs of that instruction with their writers, and so on."""
    now = session.timeline.now
    raw = target.bytes_of(session)
    value = target.show(raw, lane) if raw is not None else "?"
    with excursion(session):
        past = Past(session, now)
        return _cause(past, target, lane, value, now, hops)


def _cause(past: Past, target: Target, lane: int, value: str, before: int, hops: int) -> Cause:
    session = past.session
    one = _narrowed(target, lane)
    write = last_write(past, one, before)
    cause = Cause(one, lane, value, write, complete=past.begin == 0 or session.runner.engine.name == "native")
    if write is None or write.change is not None:
        return cause
    go(session.timeline, write.time)
    warp = session.timeline.warp(write.key)
    if warp is None:
        return cause
    cause.instruction = warp.cta.grid.program.instructions[write.pc]
    if write.time < past.begin:
        past = Past(session, write.time)
    if hops > 0:
        for source, source_lane, shown in inputs_of(session, warp, cause.instruction, write.lane):
            cause.inputs.append(_cause(past, source, source_lane, shown, write.time, hops - 1))
    return cause


def _narrowed(target: Target, lane: int) -> Target:
    """A register in one lane."""
    if not isinstance(target, RegisterTarget):
        return target
    return RegisterTarget(
        f"{target.register.name}@{lane}", target.key, target.register, 1 << lane, target.kind, target.base
    )
