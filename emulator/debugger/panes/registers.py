"""Registers as rows of 32 lanes: all, some by name, those that changed; old values beside new ones."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from emulator.debugger.lines import clip, paint
from emulator.debugger.patterns import compress, lane_cell
from emulator.debugger.session import Mark, Session
from emulator.debugger.values import State, Value, dtype_of, row_of, type_shown
from emulator.engines.schedule import key_of
from emulator.machine.warp import HEADER_BYTES
from emulator.program import Program
from emulator.program.operands import Memory, Register
from emulator.render import lane_ranges, lanes_of

Changed = tuple[Register, Value, Value]


@lru_cache(maxsize=64)
def address_rows(program: Program) -> frozenset[int]:
    """Offsets of the registers that some instruction uses as an address."""
    return frozenset(
        operand.place.base.offset
        for instruction in program.instructions
        for operand in instruction.sources
        if isinstance(operand.place, Memory) and isinstance(operand.place.base, Register)
    )


def value_of(program: Program, register: Register, state: State) -> Value:
    """A register's row in the type in which it is shown."""
    kind = type_shown(program, register)
    row = row_of(state, register)
    if register.type.width == 128:
        return Value(row.copy(), kind)
    return Value(row.view(dtype_of(kind)).copy(), kind)


def base_of(program: Program, register: Register, value: Value) -> int:
    """16 for addresses and wide numbers, 10 for others."""
    if register.type.width == 128:
        return 16
    if value.is_float or value.data.ndim > 1:
        return 10
    wide = value.data.dtype.kind == "u" and bool((value.data.astype(np.uint64) >= 1 << 32).any())
    return 16 if wide or register.offset in address_rows(program) else 10


def live_registers(session: Session, globs: Sequence[str] = ()) -> list[Register]:
    """The registers of the function in focus, all or by patterns; `%` may be left out."""
    function = session.instruction.function
    registers = [r for r in function.registers if not globs or any(_matches(r.name, glob) for glob in globs)]
    return sorted(registers, key=lambda r: _natural(r.name))


def _matches(name: str, glob: str) -> bool:
    return fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(name.lstrip("%"), glob)


def _natural(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or -1)


def changed(session: Session, mark: Mark | None) -> list[Changed]:
    """(register, before, now) of the registers in which a lane changed since a mark of the same warp."""
    warp = session.warp
    if warp is None or mark is None or mark.key != key_of(warp):
        return []
    program = warp.cta.grid.program
    if len(mark.state) != len(warp.state):
        return []
    different = np.flatnonzero(mark.state[HEADER_BYTES:] != warp.state[HEADER_BYTES:])
    if not len(different):
        return []
    found = []
    for function in program.functions.values():
        for register in function.registers:
            at = np.searchsorted(different, register.offset)
            if at < len(different) and different[at] < register.offset + register.row_bytes:
                found.append(
                    (register, value_of(program, register, mark.state), value_of(program, register, warp.state))
                )
    return found


def table(session: Session, registers: Sequence[Register], lane: int | None = None) -> list[str]:
    """name, type, pattern over the lanes in focus, and the value of the lane in focus."""
    warp = session.require_warp()
    program = warp.cta.grid.program
    group, lane = session.group, session.lane if lane is None else lane
    fresh = {register.offset for register, _, _ in changed(session, session.before)}
    names = max((len(r.name) for r in registers), default=0)
    lines = []
    for register in registers:
        value = value_of(program, register, warp.state)
        base = base_of(program, register, value)
        mine = lane_cell(value, lane, base)
        pattern = compress(value, group, base, 62 - names - len(mine))
        style = "changed" if register.offset in fresh else "value"
        kind = value.type.name if value.type is not None else ""
        head = f"  {register.name:{names}}  {kind:4} "
        gap = " " * max(1, 80 - 9 - len(head) - len(pattern) - len(mine))
        lines.append(clip(paint(head, (pattern, style), gap, f"lane {lane}: ", mine)))
    return lines


def changed_lines(session: Session, mark: Mark | None, most: int = 8) -> list[str]:
    """`%f2    0.0 -> 16.0 + lane      lane 5:  0.0 -> 21.0`, over the lanes in which something changed."""
    warp = session.warp
    if warp is None:
        return []
    rows = changed(session, mark)
    names = max((len(register.name) for register, _, _ in rows[:most]), default=0)
    lines: list[str] = []
    for register, old, new in rows[:most]:
        lines.append(_change(session, register, old, new, max(names, 5)))
    if len(rows) > most:
        lines.append(f"        and {len(rows) - most} more: info regs changed")
    return lines


def _change(session: Session, register: Register, old: Value, new: Value, names: int) -> str:
    program = session.require_warp().cta.grid.program
    base = max(base_of(program, register, old), base_of(program, register, new))
    differs = changed_lanes(old, new)
    lane = session.lane
    mine = ""
    if differs >> lane & 1:
        mine = f"lane {lane}: {lane_cell(old, lane, base)} -> {lane_cell(new, lane, base)}"
    room = 80 - 14 - names
    after = compress(new, differs, base, room - 8)
    before = compress(old, differs, base, max(10, room - len(after))).removeprefix("uniform ")
    alike = compress(new, differs | session.require_warp().live, base, room - 8) == after
    where = "" if alike or " ... " in after else _in_lanes(differs)
    text = paint(f"        {register.name:{names}}  {before} -> ", (after, "changed"), where)
    gap = 80 - len(text) - len(mine)
    return clip(paint(text, " " * gap, mine) if mine and gap > 1 else text)


def _in_lanes(lanes: int) -> str:
    """`  in 0-15`, for a change that the other lanes have no part in; how many where they are scattered."""
    text = lane_ranges(lanes_of(lanes))
    return f"  in {text}" if len(text) <= 16 else f"  in {lanes.bit_count()} lanes"


def changed_lanes(old: Value, new: Value) -> int:
    """The lanes whose bits differ."""
    size = old.data.nbytes // 32
    x, y = (np.ascontiguousarray(value.data).view(np.uint8).reshape(32, size) for value in (old, new))
    different = (x != y).any(axis=1)
    return int(sum(1 << int(lane) for lane in np.flatnonzero(different)))


def to_json(session: Session, registers: Sequence[Register]) -> list[dict[str, Any]]:
    """name, type and the values of all lanes."""
    warp = session.require_warp()
    found = []
    for register in registers:
        value = value_of(warp.cta.grid.program, register, warp.state)
        kind = value.type.name if value.type is not None else ""
        found.append({"name": register.name, "type": kind, "values": value.numbers()})
    return found
