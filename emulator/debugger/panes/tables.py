"""Tables of cuda-gdb: warps, lanes, blocks, kernels, devices, barriers, buffers, parameters, breakpoints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from emulator.debugger.focus import grids_of
from emulator.debugger.lines import clip, paint
from emulator.debugger.memory import read_space, variables_of
from emulator.debugger.motor import standing_of
from emulator.debugger.session import Check, Session
from emulator.debugger.stops import Breakpoint
from emulator.machine.cta import Cta
from emulator.machine.grid import Grid
from emulator.machine.warp import Warp
from emulator.render import lane_ranges
from emulator.render import lanes_of as lane_numbers

Rows = list[dict[str, Any]]


def state_of(warp: Warp) -> str:
    """`=> 42`, `waits bar 0 @ 47`, `exited`."""
    if not warp.live:
        return "exited"
    instructions = warp.cta.grid.program.instructions
    standing = standing_of(warp)
    if standing is not None:
        return f"=> {instructions[standing.pc].line}"
    return waiting_text(warp)


def waiting_text(warp: Warp) -> str:
    """What a warp whose live lanes all wait waits for."""
    instructions = warp.cta.grid.program.instructions
    for number, barrier in enumerate(warp.cta.barriers):
        lanes = barrier.waiting.get(warp.index, 0)
        if lanes:
            line = instructions[int(warp.pc[lane_numbers(lanes)[0]])].line
            return f"waits bar {number} @ {line} ({barrier.arrivals} of {_expected(warp.cta, number)} arrived)"
    for (opcode, _), lanes in warp.rendezvous.items():
        line = instructions[int(warp.pc[lane_numbers(lanes)[0]])].line
        return f"waits {opcode} @ {line}"
    return "waits"


def groups_of(warp: Warp) -> Iterator[tuple[int, int, str]]:
    """(lanes, line, state) of the lanes of a warp that stand together, those that go next first."""
    standing = standing_of(warp)
    first = standing.group if standing is not None else 0
    left = warp.live & ~first
    if first:
        yield first, warp.cta.grid.program.instructions[standing.pc].line if standing else 0, "ready"
    while left:
        lane = (left & -left).bit_length() - 1
        pc = int(warp.pc[lane])
        lanes = sum(1 << n for n in lane_numbers(left) if int(warp.pc[n]) == pc and warp.depth[n] == warp.depth[lane])
        instruction = warp.cta.grid.program.instructions[pc]
        state = instruction.opcode if warp.waiting & lanes else "parked"
        yield lanes, instruction.line, f"waits at {state}" if warp.waiting & lanes else state
        left &= ~lanes


def _bar(warp: Warp, lanes: int) -> str:
    exited = ~warp.live
    return "".join("#" if lanes >> n & 1 else "x" if exited >> n & 1 else "." for n in range(32))


def warps(session: Session, every: bool = False) -> tuple[list[str], Rows]:
    """`info warps`: the lanes of each warp by where they stand."""
    ctas = (
        [session.cta] if not every else [cta for _, grid in grids_of(session.runner) for cta in grid.resident.values()]
    )
    lines, rows = [], []
    several = len({cta.grid.number for cta in ctas}) > 1
    for cta in ctas:
        where = f"device {cta.grid.device} kernel {cta.grid.number} " if several else ""
        lines.append(clip(where + _block_line(cta)))
        lines.append("  Wp  lane 0       8       16      24        mask        line  state")
        for warp in cta.warps:
            focus = "*" if warp is session.warp else " "
            for n, (lanes, line, state) in enumerate(groups_of(warp) if warp.live else [(0, 0, "exited")]):
                index = f"{warp.index}" if n == 0 else ""
                at = f"{line:6}" if warp.live else "      "
                head = paint((focus if n == 0 else " ", "here"), f"{index:>4}      ")
                lines.append(clip(paint(head, (_bar(warp, lanes), "value"), f"  {lanes:#010x}{at}  {state}")))
                rows.append(
                    {"block": cta.linear, "warp": warp.index, "lanes": f"{lanes:#010x}", "line": line, "state": state}
                )
    more = session.cta.grid.cta_count - 1
    if not every and more:
        lines.append(f"{more:,} more block{'s' * (more > 1)}: `info warps all`, `info blocks`")
    return lines, rows


def _block_line(cta: Cta) -> str:
    count = cta.grid.config.block.count
    line = f"block {cta.index}   {count} threads, {len(cta.warps)} warp{'s' * (len(cta.warps) > 1)}"
    used = [
        f"barrier {n}: {b.arrivals} of {_expected(cta, n)} warps arrived"
        for n, b in enumerate(cta.barriers)
        if b.in_use
    ]
    return clip(line + (f"    {'; '.join(used)}" if used else ""))


def _expected(cta: Cta, number: int) -> int:
    barrier = cta.barriers[number]
    return barrier.count // 32 if barrier.count else sum(bool(warp.live) for warp in cta.warps)


def lanes(session: Session) -> tuple[list[str], Rows]:
    """`info lanes`: state, pc and thread of each lane, equal neighbours together."""
    warp = session.require_warp()
    standing = standing_of(warp)
    group = standing.group if standing is not None else 0
    program = warp.cta.grid.program
    rows: Rows = []
    for lane in range(32):
        if lane + warp.first_thread >= warp.cta.grid.config.block.count:
            state, line = "no thread", 0
        elif not warp.live >> lane & 1:
            state, line = "exited", 0
        else:
            line = program.instructions[int(warp.pc[lane])].line
            state = "active" if group >> lane & 1 else "waits" if warp.waiting >> lane & 1 else "parked"
        thread = str(warp.cta.thread(warp, lane)) if state != "no thread" else ""
        rows.append({"lane": lane, "state": state, "line": line, "thread": thread, "depth": int(warp.depth[lane])})
    lines = ["   lanes    state      line  calls  threads"]
    for _, run in groupby(rows, key=lambda row: (row["state"], row["line"], row["depth"])):
        some = list(run)
        focus = "*" if any(row["lane"] == session.lane for row in some) else " "
        name = lane_ranges([row["lane"] for row in some])
        threads = some[0]["thread"] + (f"..{some[-1]['thread']}" if len(some) > 1 and some[0]["thread"] else "")
        at = some[0]["line"] or ""
        lines.append(f" {focus} {name:8} {some[0]['state']:9} {at:>5}  {some[0]['depth']:5}  {threads}")
    return lines, rows


def blocks(session: Session) -> tuple[list[str], Rows]:
    """`info blocks`: the CTAs of the focused kernel, neighbours in one state together."""
    grid = session.cta.grid
    rows: Rows = []
    here = session.cta.linear
    for state, run in groupby(_block_states(grid), key=lambda item: item[2]):
        some = list(run)
        sm = some[0][3] if len(some) == 1 else None
        rows.append({"first": some[0][0], "last": some[-1][1], "state": state, "sm": sm})
    lines = [
        f"{grid.name}: {grid.cta_count:,} blocks of {grid.config.block}",
        "   blocks                    SM   state",
    ]
    for row in rows:
        first, last = (grid.config.grid.index(row[end]) for end in ("first", "last"))
        focus = "*" if row["first"] <= here <= row["last"] else " "
        name = f"{first}" if row["first"] == row["last"] else f"{first} .. {last}"
        lines.append(clip(f" {focus} {name:25} {'' if row['sm'] is None else row['sm']:>3}   {row['state']}"))
    return lines, rows


def _block_states(grid: Grid) -> Iterator[tuple[int, int, str, int | None]]:
    """(first, last, state, SM) of the blocks of a grid in order; those without a state of their own as ranges."""
    at = 0
    for linear in [*sorted(grid.resident), grid.cta_count]:
        for last, state in ((min(linear, grid.next_cta), "ended"), (linear, "not started")):
            if at < last:
                yield at, last - 1, state, None
                at = last
        if linear < grid.cta_count:
            cta = grid.resident[linear]
            states = sorted({state_of(warp) for warp in cta.warps})
            yield linear, linear, ", ".join(states[:3]) + (", ..." if len(states) > 3 else ""), cta.sm
            at = linear + 1


def kernels(session: Session) -> tuple[list[str], Rows]:
    """`info kernels`: launches that run or wait."""
    rows: Rows = []
    for device, grid in grids_of(session.runner):
        state = f"{grid.finished_ctas:,} of {grid.cta_count:,} blocks ended, {len(grid.resident):,} resident"
        rows.append({"kernel": grid.number, "device": device.index, "name": grid.name, "state": state})
    for device in session.runner.devices:
        for stream in device.streams:
            for work in stream.pending:
                if isinstance(work, Grid):
                    rows.append({"kernel": work.number, "device": device.index, "name": work.name, "state": "waits"})
    here = session.warp.cta.grid.number if session.warp is not None else -1
    lines = ["   kernel  device  name"]
    for row in rows:
        focus = "*" if row["kernel"] == here else " "
        lines.append(clip(f" {focus} {row['kernel']:6}  {row['device']:6}  {row['name']}: {row['state']}"))
    return (lines if rows else ["no kernel is running"]), rows


def devices(session: Session) -> tuple[list[str], Rows]:
    """`info devices`."""
    rows: Rows = []
    for device in session.runner.devices:
        resident = sum(len(grid.resident) for grid in device.grids)
        rows.append({"device": device.index, "arch": device.arch, "sms": device.sms, "blocks": resident})
    lines = ["   device  arch     SMs  resident blocks"]
    here = session.warp.cta.grid.device if session.warp is not None else -1
    for row in rows:
        focus = "*" if row["device"] == here else " "
        lines.append(f" {focus} {row['device']:6}  {row['arch']:7} {row['sms']:4}  {row['blocks']:,}")
    return lines, rows


def barriers(session: Session) -> tuple[list[str], Rows]:
    """`info barriers`: the barriers of the CTA that are in use, and the meetings of lanes."""
    cta = session.cta
    rows: Rows = []
    lines: list[str] = []
    for number, barrier in enumerate(cta.barriers):
        if not barrier.in_use:
            continue
        expected = _expected(cta, number)
        missing = [w.index for w in cta.warps if w.live and w.index not in barrier.arrived]
        rows.append({"barrier": number, "arrived": sorted(barrier.arrived), "expected": expected, "missing": missing})
        text = (
            f"barrier {number}: {barrier.arrivals} of {expected} warps arrived ({lane_ranges(sorted(barrier.arrived))})"
        )
        lines.append(clip(f"  {text}, not yet: {lane_ranges(missing) or 'none'}"))
    for warp in cta.warps:
        for (opcode, mask), there in warp.rendezvous.items():
            absent = lane_ranges(lane_numbers(mask & warp.live & ~there))
            lines.append(
                clip(f"  warp {warp.index}: lanes {lane_ranges(lane_numbers(there))} at {opcode} wait for {absent}")
            )
            rows.append({"warp": warp.index, "opcode": opcode, "mask": f"{mask:#010x}", "there": f"{there:#010x}"})
    done = [f"{n}: {b.phase}" for n, b in enumerate(cta.barriers) if b.phase]
    if done:
        lines.append(f"  completed so far, by barrier: {', '.join(done)}")
    return lines or [f"no barrier of block {cta.index} is in use"], rows


def buffers(session: Session) -> tuple[list[str], Rows]:
    """`info buffers`: global and constant memory by name."""
    rows: Rows = []
    for allocation in session.runner.memory.allocations():
        note = allocation.note or allocation.kind
        rows.append({"name": allocation.name, "address": allocation.base, "bytes": allocation.size, "note": note})
    names = max((len(row["name"]) for row in rows), default=4)
    lines = [clip(f"  {row['name']:{names}}  {row['address']:#x}  {row['bytes']:>9,} B  {row['note']}") for row in rows]
    return lines or ["no memory is allocated"], rows


def params(session: Session) -> tuple[list[str], Rows]:
    """`info params`: the parameters of the focused kernel and what they were given."""
    warp = session.require_warp()
    grid = warp.cta.grid
    known = variables_of(session.runner, warp, session.pc)
    rows: Rows = []
    for parameter in grid.program.parameters:
        raw = read_space(session.runner, warp, "param", parameter.offset, min(parameter.size, 8))
        bits = int.from_bytes(bytes(raw), "little") if raw is not None else 0
        given = grid.arguments.get(parameter.name)
        text = str(given) if isinstance(given, str) else f"{given.name}, {given.note}" if given is not None else ""
        name = f".{parameter.node.type}"
        rows.append({"name": parameter.name, "type": name, "bits": f"{bits:#x}", "given": text})
    assert known is not None
    names = max((len(row["name"]) for row in rows), default=0)
    lines = [clip(f"  {row['name']:{names}}  {row['type']:5}  {row['bits']:>16}  {row['given']}") for row in rows]
    return lines or ["the kernel has no parameters"], rows


def breakpoints(session: Session) -> tuple[list[str], Rows]:
    """`info breakpoints`."""
    rows: Rows = []
    lines = []
    stoppers: list[Breakpoint | Check] = [*session.breakpoints.values(), *session.checks.values()]
    for one in sorted(stoppers, key=lambda one: one.number):
        marks = [
            *(["temporary"] if getattr(one, "temporary", False) else []),
            *(["disabled"] if not one.enabled else []),
        ]
        marks += [f"ignore {one.ignore} more"] if one.ignore else []
        marks += [f"hit {one.hits} time{'s' * (one.hits != 1)}"] if one.hits else []
        lines.append(clip(f"  {one.number}  {one.describe()}" + (f"    {', '.join(marks)}" if marks else "")))
        lines += [f"       {command}" for command in one.commands]
        rows.append({"number": one.number, "place": one.describe(), "hits": one.hits, "enabled": one.enabled})
    return lines or ["no breakpoints"], rows
