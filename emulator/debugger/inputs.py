"""What an instruction read in a lane: registers, another lane's register, bytes of memory; at the time it executed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emulator.debugger.errors import DebuggerError
from emulator.debugger.focus import Focus
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, Target, located, register_target
from emulator.debugger.values import Row, row_of
from emulator.engines.schedule import key_of
from emulator.machine.memory import FRAME_FLAG
from emulator.machine.warp import Warp
from emulator.program import Instruction
from emulator.program.operands import Elements, Immediate, Memory, Operand, Packed, Register, Storage, Symbol
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType

MOST_INPUTS = 6
SHUFFLES = {"up": -1, "down": 1}


class Input(NamedTuple):
    """A register in a lane, or bytes, and the value then."""

    target: Target
    lane: int
    value: str


def inputs_of(session: Session, warp: Warp, instruction: Instruction, lane: int) -> list[Input]:
    """The inputs of an instruction that a warp is about to execute, the memory that it loads first."""
    values: list[Input] = []
    memory: MemoryTarget | None = None
    is_load = any(_holds_value(operand) for operand in instruction.results)
    for operand in instruction.sources:
        if isinstance(operand.place, Memory):
            memory = memory_of(session, warp, instruction, operand, lane)
            continue
        source = lane if operand.name != "a" else source_lane(warp, instruction, lane)
        for register in _values_in(operand):
            _add(session, values, register_target(warp, register, 1 << source), source)
    if memory is not None and is_load:
        _add(session, values, memory, lane, first=True)
    if instruction.guard is not None:
        _add(session, values, register_target(warp, instruction.guard, 1 << lane), lane)
    return values[:MOST_INPUTS]


def _values_in(operand: Operand | Storage) -> list[Register]:
    if isinstance(operand, Storage):
        return []
    place = operand.place
    if isinstance(place, Register):
        return [place]
    if isinstance(place, Elements | Packed):
        return [register for element in place.elements for register in _values_in(element)]
    return []


def _holds_value(operand: Operand | None) -> bool:
    return operand is not None and isinstance(operand.place, Register | Elements | Packed)


def _add(session: Session, values: list[Input], target: Target, lane: int, first: bool = False) -> None:
    if any(known.target.text == target.text for known in values):
        return
    raw = target.bytes_of(session)
    entry = Input(target, lane, target.show(raw, lane) if raw is not None else "?")
    values.insert(0 if first else len(values), entry)


def address_row(warp: Warp, operand: Operand) -> Row | None:
    """The addresses of a memory operand in all lanes; None where they come from elsewhere."""
    place = operand.place
    if not isinstance(place, Memory):
        return None
    base = place.base
    if isinstance(base, Register):
        return row_of(warp.state, base).astype(np.uint64) + np.uint64(place.offset & 2**64 - 1)
    if isinstance(base, Immediate):
        return np.full(WARP_SIZE, base.bits + place.offset, dtype=np.uint64)
    if isinstance(base, Symbol):
        return _symbol_row(warp, base, place.offset)
    return None


def _symbol_row(warp: Warp, symbol: Symbol, offset: int) -> Row | None:
    from emulator.debugger.memory import fixed_shared

    storage, more = symbol.storage, symbol.addend + offset
    if storage.space == "shared":
        return np.full(WARP_SIZE, fixed_shared(warp, storage) + more, dtype=np.uint64)
    if storage.space == "param":
        return np.full(WARP_SIZE, storage.offset + more, dtype=np.uint64)
    if storage.space == "frame":
        flag = FRAME_FLAG if storage.node is not None and storage.node.space != "local" else 0
        return (warp.frame.astype(np.uint64) + np.uint64(storage.offset + more)) | np.uint64(flag)
    address = warp.cta.grid.symbols.get(storage.name)
    return np.full(WARP_SIZE, address + more, dtype=np.uint64) if address is not None else None


def space_accessed(instruction: Instruction) -> str:
    """The state space of a memory instruction: generic where it names none."""
    words = instruction.opcode.split(".")
    for word in words[1:]:
        base = word.partition("::")[0]
        if base in ("global", "shared", "local", "const", "param"):
            return word
    return "generic"


def bytes_accessed(instruction: Instruction) -> int:
    """How many bytes a lane accesses; those of an asynchronous copy stand in the text."""
    if instruction.opcode.startswith("cp."):
        sizes = [one.place.bits for one in instruction.sources if isinstance(one.place, Immediate)]
        return next((size for size in sizes if size in (4, 8, 16)), 4)
    kind = _kind(instruction)
    return (kind.bytes if kind is not None else 4) * _elements(instruction)


def _elements(instruction: Instruction) -> int:
    words = instruction.opcode.split(".")
    return next((int(word[1:]) for word in words if word in ("v2", "v4", "v8")), 1)


def _kind(instruction: Instruction) -> ScalarType | None:
    words = [word for word in instruction.opcode.split(".")[1:] if word in TYPES]
    return TYPES[words[-1]] if words else None


def memory_of(
    session: Session, warp: Warp, instruction: Instruction, operand: Operand, lane: int
) -> MemoryTarget | None:
    """The bytes that a lane accesses; None if there are none."""
    row = address_row(warp, operand)
    if row is None:
        return None
    before = session.focus
    session.focus = Focus(key_of(warp), lane)
    try:
        kind, count = _kind(instruction), _elements(instruction)
        size = bytes_accessed(instruction)
        fitting = kind if kind is not None and kind.kind in "usf" and size == kind.bytes * count else None
        return located(session, space_accessed(instruction), int(row[lane]), size, fitting, lane)
    except DebuggerError:
        return None
    finally:
        session.focus = before


def source_lane(warp: Warp, instruction: Instruction, lane: int) -> int:
    """The lane whose value a shuffle takes; the lane itself for anything else (manual, 9.7.9.6)."""
    words = instruction.opcode.split(".")
    if words[0] != "shfl":
        return lane
    mode = next(word for word in words if word in ("up", "down", "bfly", "idx"))
    b, c = (_number(warp, operand, lane) for operand in instruction.sources[1:3])
    segment, clamp = c >> 8 & 31, c & 31
    highest = lane & segment | clamp & ~segment & 31
    lowest = lane & segment
    if mode in SHUFFLES:
        other = lane + SHUFFLES[mode] * (b & 31)
    else:
        other = lane ^ b & 31 if mode == "bfly" else lowest | b & 31 & ~segment
    inside = other >= highest if mode == "up" else other <= highest
    return other if inside and 0 <= other < 32 else lane


def _number(warp: Warp, operand: Operand, lane: int) -> int:
    place = operand.place
    if isinstance(place, Register):
        return int(row_of(warp.state, place)[lane])
    return place.bits if isinstance(place, Immediate) else 0
