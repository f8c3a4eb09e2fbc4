"""What differs: between two times, two lanes, two warps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emulator.debugger.lines import clip, paint
from emulator.debugger.panes.registers import base_of, changed_lanes, live_registers, value_of
from emulator.debugger.patterns import compress, format_one, lane_cell
from emulator.debugger.session import Session
from emulator.debugger.targets import name_at, variable_at
from emulator.debugger.values import State, reinterpret
from emulator.machine.memory import DEVICE_BASE, PAGE_BYTES, MemorySnapshot
from emulator.machine.warp import ALL_LANES, Warp
from emulator.program.operands import Register
from emulator.ptx_types import TYPES

MOST_ELEMENTS = 3
Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Moment:
    """How things were: the focused warp's bytes (none if it was not there), shared memory, global memory."""

    time: int
    state: State | None
    shared: State | None
    memory: MemorySnapshot


def moment(session: Session) -> Moment:
    """Now."""
    warp = session.warp
    state, shared = (warp.state.copy(), warp.cta.shared.copy()) if warp is not None else (None, None)
    return Moment(session.timeline.now, state, shared, session.runner.memory.snapshot())


@dataclass
class Difference:
    """Lines and objects for --json."""

    lines: list[str] = field(default_factory=list)
    rows: Rows = field(default_factory=list)


def of_times(session: Session, warp: Warp | None, old: Moment, new: Moment) -> Difference:
    """Registers of a warp, its block's shared memory, buffers."""
    whose = f"block {warp.cta.index} warp {warp.index}, " if warp is not None else ""
    found = Difference([f"  {whose}event {old.time:,} -> event {new.time:,}"])
    if warp is not None and old.state is not None and new.state is not None:
        for register in warp.cta.grid.program.function_at(int(warp.pc[session.lane])).registers:
            _add_register(found, warp, register, old.state, new.state, session.lane)
    if old.shared is not None and new.shared is not None and len(old.shared) == len(new.shared):
        _add_bytes(found, session, "shared", 0x400, old.shared, new.shared)
    for allocation in session.runner.memory.allocations():
        before, after = (_bytes(one.memory, allocation.base, allocation.size) for one in (old, new))
        _add_bytes(found, session, "global", allocation.base, before, after)
    if len(found.lines) == 1:
        found.lines.append("  nothing that is shown differs")
    return found


def _add_register(found: Difference, warp: Warp, register: Register, old: State, new: State, lane: int) -> None:
    program = warp.cta.grid.program
    before, after = value_of(program, register, old), value_of(program, register, new)
    lanes = changed_lanes(before, after)
    if not lanes:
        return
    base = max(base_of(program, register, before), base_of(program, register, after))
    texts = [compress(value, lanes, base, 30) for value in (before, after)]
    found.lines.append(clip(paint(f"  {register.name:8} {texts[0]} -> ", (texts[1], "changed"))))
    found.rows.append({"register": register.name, "lanes": f"{lanes:#010x}", "before": texts[0], "after": texts[1]})


def _bytes(memory: MemorySnapshot, base: int, size: int) -> State:
    """Bytes of a snapshot; pages that were never written are zeros."""
    out = np.zeros(size, np.uint8)
    first = (base - DEVICE_BASE) // PAGE_BYTES
    last = (base + size - 1 - DEVICE_BASE) // PAGE_BYTES
    low, high = np.searchsorted(memory.pages, [first, last + 1])
    for page, data in zip(memory.pages[low:high], memory.data[low:high], strict=True):
        start = DEVICE_BASE + int(page) * PAGE_BYTES - base
        begin, end = max(0, start), min(size, start + PAGE_BYTES)
        out[begin:end] = data[begin - start : end - start]
    return out


def _add_bytes(found: Difference, session: Session, space: str, base: int, old: State, new: State) -> None:
    """A buffer or shared memory: how many elements differ, and the first of them."""
    if not len(old) or np.array_equal(old, new):
        return
    at = int(np.flatnonzero(old != new)[0])
    variable = variable_at(session, space, base + at)
    kind = variable.kind if variable is not None else TYPES["b32"]
    size = kind.bytes
    count = len(old) // size * size
    differs = (old[:count].reshape(-1, size) != new[:count].reshape(-1, size)).any(axis=1)
    shown = []
    for n in np.flatnonzero(differs)[:MOST_ELEMENTS].tolist():
        cells = [_cell(raw[n * size : n * size + size], kind.name) for raw in (old, new)]
        shown.append(f"{name_at(variable, space, base + n * size, size)} {cells[0]} -> {cells[1]}")
    number = int(differs.sum())
    name = variable.name if variable is not None else space
    more = ", ..." if number > MOST_ELEMENTS else ""
    found.lines.append(clip(f"  {name}: {number:,} element{'s' * (number != 1)}: {', '.join(shown)}{more}"))
    found.rows.append({"memory": name, "elements": number, "first": shown})


def _cell(raw: State, kind: str) -> str:
    type_ = TYPES[kind]
    bits = np.ascontiguousarray(raw).view(np.dtype(f"u{type_.bytes}"))
    return format_one(reinterpret(bits, type_).ravel()[0], 16 if type_.kind == "b" else 10, type_.width)


def of_lanes(session: Session, one: int, two: int) -> Difference:
    """Registers of the focused warp that two lanes hold differently."""
    warp = session.require_warp()
    program = warp.cta.grid.program
    lines = [program.instructions[int(warp.pc[lane])].line for lane in (one, two)]
    found = Difference([f"  {'':8} {'lane ' + str(one):>20} {'lane ' + str(two):>20}"])
    if lines[0] != lines[1]:
        found.lines.append(f"  {'line':8} {lines[0]:>20} {lines[1]:>20}")
    for register in live_registers(session):
        value = value_of(program, register, warp.state)
        if value.data[one].tobytes() == value.data[two].tobytes():
            continue
        base = base_of(program, register, value)
        cells = [lane_cell(value, lane, base) for lane in (one, two)]
        found.lines.append(clip(f"  {register.name:8} {cells[0]:>20} {cells[1]:>20}"))
        found.rows.append({"register": register.name, str(one): cells[0], str(two): cells[1]})
    if not found.rows:
        found.lines.append("  all registers are equal")
    return found


def of_warps(session: Session, one: Warp, two: Warp) -> Difference:
    """Registers that two warps of the block hold differently, as patterns."""
    program = one.cta.grid.program
    found = Difference([f"  {'':8} {'warp ' + str(one.index):34} warp {two.index}"])
    for register in live_registers(session):
        values = [value_of(program, register, warp.state) for warp in (one, two)]
        if not changed_lanes(values[0], values[1]):
            continue
        base = max(base_of(program, register, value) for value in values)
        texts = [compress(value, ALL_LANES, base, 33) for value in values]
        found.lines.append(clip(f"  {register.name:8} {texts[0]:34} {texts[1]}"))
        found.rows.append({"register": register.name, "values": texts})
    if not found.rows:
        found.lines.append("  all registers are equal")
    return found
