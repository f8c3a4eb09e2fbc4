"""Why a lane does not execute: it has exited, it waits, a guard or a branch took it elsewhere."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from emulator.debugger.causes import last_write
from emulator.debugger.errors import DebuggerError
from emulator.debugger.inputs import inputs_of
from emulator.debugger.motor import standing_of
from emulator.debugger.recording import Past, Records, excursion, go
from emulator.debugger.session import Session
from emulator.debugger.targets import register_target
from emulator.debugger.values import row_of
from emulator.debugger.writers import MOST_LOOKED_AT
from emulator.engines.schedule import WarpKey, key_of
from emulator.machine.warp import Warp
from emulator.program import Instruction
from emulator.program.operands import Register
from emulator.render import lane_ranges
from emulator.render import lanes_of as lane_numbers

MOST_BRANCHES = 64
BRANCHES = ("bra", "brx", "call", "ret")


class Reason(NamedTuple):
    """lines: in words.  data: for --json."""

    lines: list[str]
    data: dict[str, Any]


def why_inactive(session: Session, lane: int) -> Reason:
    """In words why a lane of the focused warp does not execute what the others execute next."""
    warp = session.require_warp()
    threads = warp.cta.grid.config.block.count - warp.first_thread
    if lane >= threads:
        text = f"lane {lane} has no thread: this warp of the block has {threads}"
        return Reason([text], {"lane": lane, "state": "none"})
    now, key = session.timeline.now, key_of(warp)
    with excursion(session):
        past = Past(session, now, memory=False)
        if not warp.live >> lane & 1:
            return _exited(past, key, lane, now)
        if warp.waiting >> lane & 1:
            return _waits(past, warp, lane, now)
        standing = standing_of(warp)
        group = standing.group if standing is not None else 0
        if not group >> lane & 1:
            return _apart(past, warp, lane, _other(session, group), now)
        guard = warp.cta.grid.program.instructions[int(warp.pc[lane])].guard
        if guard is not None:
            return _guarded(past, warp, guard, lane, now)
    line = warp.cta.grid.program.instructions[int(warp.pc[lane])].line
    return Reason([f"lane {lane} is active: it executes line {line} next"], {"lane": lane, "state": "active"})


def _other(session: Session, group: int) -> int:
    """A lane that executes: the one in focus, if it does."""
    if not group:
        raise DebuggerError("no lane of this warp can run: info warps says what they wait for")
    return session.lane if group >> session.lane & 1 else (group & -group).bit_length() - 1


def _last(past: Past, key: WarpKey, lane: int, before: int) -> tuple[int, Instruction] | None:
    """(time, instruction) of the last one that a lane executed."""
    for instructions, _ in past.stretches(MOST_LOOKED_AT):
        hits = _mine(instructions, key, before)
        hits = hits[hits["lanes"] >> np.uint32(lane) & 1 != 0]
        if len(hits):
            warp = past.session.timeline.warp(key)
            program = warp.cta.grid.program if warp is not None else past.session.programs[0]
            return int(hits[-1]["time"]), program.instructions[int(hits[-1]["pc"])]
    return None


def _mine(instructions: Records, key: WarpKey, before: int) -> Records:
    grid, block, warp = key
    mine = (instructions["grid"] == grid) & (instructions["cta"] == block) & (instructions["warp"] == warp)
    found: Records = instructions[mine & (instructions["time"] < before)]
    return found


def _exited(past: Past, key: WarpKey, lane: int, now: int) -> Reason:
    found = _last(past, key, lane, now)
    text = f"lane {lane} has exited"
    if found is None:
        return Reason([text], {"lane": lane, "state": "exited"})
    time, instruction = found
    line = f"{text}: event {time:,} line {instruction.line} `{instruction.text}`"
    return Reason([line], {"lane": lane, "state": "exited", "time": time, "line": instruction.line})


def _waits(past: Past, warp: Warp, lane: int, now: int) -> Reason:
    instruction = warp.cta.grid.program.instructions[int(warp.pc[lane])]
    what = _waited_for(warp, lane)
    found = _last(past, key_of(warp), lane, now)
    since = f" since event {found[0]:,}" if found is not None else ""
    lines = [f"lane {lane} waits{since} at line {instruction.line} `{instruction.text}`", f"  {what}"]
    return Reason(lines, {"lane": lane, "state": "waits", "line": instruction.line, "for": what})


def _waited_for(warp: Warp, lane: int) -> str:
    """What has to happen before the lane goes on."""
    for number, barrier in enumerate(warp.cta.barriers):
        if barrier.waiting.get(warp.index, 0) >> lane & 1:
            total = barrier.count // 32 if barrier.count else sum(1 for one in warp.cta.warps if one.live)
            missing = [str(one.index) for one in warp.cta.warps if one.live and not barrier.arrived.get(one.index)]
            return f"barrier {number}: {barrier.arrivals} of {total} warps have arrived, not yet: {', '.join(missing)}"
    for (opcode, mask), there in warp.rendezvous.items():
        if there >> lane & 1:
            missing_lanes = lane_ranges(lane_numbers(mask & warp.live & ~there))
            return f"{opcode} of lanes {mask:#010x}: lanes {missing_lanes} have not come"
    return "for other lanes of its warp"


def _guarded(past: Past, warp: Warp, guard: Register, lane: int, now: int) -> Reason:
    instruction = warp.cta.grid.program.instructions[int(warp.pc[lane])]
    on = bool(row_of(warp.state, guard)[lane]) != instruction.guard_negated
    if on:
        return Reason(
            [f"lane {lane} is active: it executes line {instruction.line} next"], {"lane": lane, "state": "active"}
        )
    head = f"lane {lane} steps over line {instruction.line}: it is not @{'!' * instruction.guard_negated}{guard.name}"
    lines = [head, *_because(past, warp, guard, lane, now)]
    return Reason(lines, {"lane": lane, "state": "guarded", "line": instruction.line, "guard": guard.name})


def _because(past: Past, warp: Warp, guard: Register, lane: int, before: int) -> list[str]:
    """`because %p2@20 = 1: line 39 setp.ge.s32 %p2, %r1, %r7   (20, 16)`; the session stands at `before`."""
    session = past.session
    value = int(row_of(warp.state, guard)[lane])
    text = f"because {guard.name}@{lane} = {value}"
    write = last_write(past, register_target(warp, guard, 1 << lane), before)
    if write is None:
        return [text]
    if write.change is not None:
        return [f"{text}: set by you at event {write.time:,}"]
    go(session.timeline, write.time)
    writer = session.timeline.warp(write.key)
    if writer is None:
        return [text]
    instruction = writer.cta.grid.program.instructions[write.pc]
    values = [f"{one.target.text} = {one.value}" for one in inputs_of(session, writer, instruction, lane)]
    tail = [f"  with {', '.join(values)}"] if values else []
    return [f"{text}: event {write.time:,} line {instruction.line} `{instruction.text}`", *tail]


def _apart(past: Past, warp: Warp, lane: int, other: int, now: int) -> Reason:
    """The last branch at which the lane and another one stood together, and after which they did not."""
    session, key = past.session, key_of(warp)
    program = warp.cta.grid.program
    line = program.instructions[int(warp.pc[lane])].line
    head = f"lane {lane} stands at line {line}, lane {other} at line {program.instructions[int(warp.pc[other])].line}"
    for time, pc, lanes in _branches(past, key, lane, other, now):
        go(session.timeline, time)
        then = session.timeline.warp(key)
        standing = standing_of(then) if then is not None else None
        if then is None or standing is None or not (standing.group >> lane & standing.group >> other & 1):
            continue
        instruction = program.instructions[pc]
        mover = lane if lanes >> lane & 1 else other
        lines = [head, f"  at event {time:,} line {instruction.line} `{instruction.text}` lane {mover} went away"]
        if instruction.guard is not None:
            because = _because(past, then, instruction.guard, lane, time)
            lines += [f"  {one}" for one in because]
        data = {"lane": lane, "state": "apart", "line": line, "time": time, "branch": instruction.line}
        return Reason(lines, data)
    return Reason([head], {"lane": lane, "state": "apart", "line": line})


def _branches(past: Past, key: WarpKey, lane: int, other: int, before: int) -> list[tuple[int, int, int]]:
    """(time, pc, lanes) of the branches that one of two lanes took alone, the latest first."""
    warp = past.session.timeline.warp(key)
    assert warp is not None
    program = warp.cta.grid.program
    pcs = [i.pc for i in program.instructions if i.opcode.partition(".")[0] in BRANCHES]
    found: list[tuple[int, int, int]] = []
    for instructions, _ in past.stretches(MOST_LOOKED_AT):
        hits = _mine(instructions, key, before)
        hits = hits[np.isin(hits["pc"], pcs)]
        one, two = hits["lanes"] >> np.uint32(lane) & 1, hits["lanes"] >> np.uint32(other) & 1
        alone = (one != two) | ((one != 0) & np.array([_is_table(program.instructions[pc]) for pc in hits["pc"]], bool))
        found += [(int(hit["time"]), int(hit["pc"]), int(hit["lanes"])) for hit in hits[alone][::-1]]
        if len(found) >= MOST_BRANCHES:
            break
    return found[:MOST_BRANCHES]


def _is_table(instruction: Instruction) -> bool:
    return instruction.opcode.startswith(("brx", "ret", "call"))
