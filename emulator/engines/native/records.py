"""A linked program as an array of records, and the rows of its constants."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from emulator.engines.native.call_sites import CallSites
from emulator.engines.native.handlers import (
    INLINE_OPERANDS,
    RECORD_BYTES,
    RESUME,
    HandlerKey,
    Shape,
    key_modifiers,
    under_guard,
)
from emulator.engines.native.library import Library, Wanted
from emulator.engines.native.recording import Recorded
from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.machine.memory import WINDOWS, Bytes
from emulator.program import Instruction, Program
from emulator.program.operands import (
    Callee,
    Elements,
    FunctionAddress,
    Immediate,
    Memory,
    Operand,
    Packed,
    Register,
    Sink,
    Special,
    Symbol,
    Targets,
    space_of,
)
from emulator.program.registers import ROW_ALIGN
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType

Bound = tuple[HandlerKey, list[int], int]  # of an instruction: (key, row offsets, last field)
Constant = Immediate | Special | Symbol | FunctionAddress
MEETING = ("bar", "barrier", "exit", "ret")  # mnemonics of instructions after which a barrier may complete
EMPTY = (1 << 62, (1 << 62) + 512, 0, 0)  # an allocation that no address is in
U64 = TYPES["u64"]
LAYOUT = struct.Struct("<QQ 6i i i QQ")  # of a record, as handlers.py says
assert LAYOUT.size == RECORD_BYTES


class NoRecord(Exception):
    """An operand that native code cannot reach; the reference step executes the instruction."""


def aligned_bytes(size: int, alignment: int = 64) -> Bytes:
    """Zeroed bytes at a multiple of an alignment."""
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size]


BY_WARP = ("tid", "warpid")
BY_CTA = ("ctaid", "smid", "clusterid", "cluster_ctaid", "cluster_ctarank")


class ConstantRow:
    """A row behind the registers for a constant, special register or address.

    level: whether it is the same in a whole "grid", in a "cta", or differs by "warp".
    """

    def __init__(self, place: Constant, kind: ScalarType, offset: int) -> None:
        self.place = place
        self.type = kind
        self.offset = offset
        self.level = "grid"
        if isinstance(place, Special):
            self.level = "warp" if place.name in BY_WARP else "cta" if place.name in BY_CTA else "grid"
        elif isinstance(place, Symbol) and place.storage.space == "shared":
            self.level = "cta"


class NativeProgram:
    """The records of one program.  Every join point has a record of its own before its instruction's."""

    def __init__(self, program: Program, library: Library) -> None:
        self.program = program
        self.constants: dict[tuple[str, str], ConstantRow] = {}
        self._end = -(-program.row_bytes // 64) * 64
        self._side: list[np.ndarray] = []
        self._shapes: dict[Shape, Shape] = {}
        self._plain: dict[tuple[int, int], Shape] = {}  # by the identities of two types
        self._handlers: dict[tuple[int, tuple[str, ...]], tuple[int, int, int]] = {}
        self._keys: dict[tuple[int, tuple[int, ...]], HandlerKey] = {}  # by the identities of variant and shapes
        self.sites = CallSites(program, self._constant)
        bound = self._bind_all()
        wanted: Wanted = {}
        seen: set[tuple[int, tuple[str, ...]]] = set()
        for instruction, found in zip(program.instructions, bound, strict=True):
            if found is None:
                continue
            modes = modes_of(instruction)
            if (id(found[0]), modes) not in seen:
                seen.add((id(found[0]), modes))
                wanted |= {(found[0], mode): instruction.variant for mode in modes}
        library.compile(wanted)
        joins = program.joins
        count = len(bound) + len(joins)
        size = RECORD_BYTES * (count + 1)
        both = aligned_bytes(2 * size)
        self.records, self.originals = both[:size], both[size:]  # the second ones while somebody watches (recording.py)
        self.places: list[int] = []  # of the instructions' records
        self.map = np.zeros(len(bound) + 1, np.uint64)
        self.empty = np.array(EMPTY, np.uint64)
        self._empty_address = self.empty.ctypes.data
        self.joins = np.zeros(len(bound) + 9, np.uint8)
        self.joins[list(joins)] = 1
        self._fill(bound, library)
        self.handlers = Recorded(self, library)
        self.row_bytes = self._end

    # --- binding -------------------------------------------------------------------------------------

    def _bind_all(self) -> list[Bound | None]:
        """Every instruction; what may complete a reduction has a native form only if its second half has one."""
        instructions = self.program.instructions
        bound = [self._bind(instruction) for instruction in instructions]
        if any(i.variant.entry.resume is not None and b is None for i, b in zip(instructions, bound, strict=True)):
            return [
                None if i.variant.entry.mnemonic in MEETING else b for i, b in zip(instructions, bound, strict=True)
            ]
        return bound

    def _bind(self, instruction: Instruction) -> Bound | None:
        """What an instruction needs; None if it has no native form."""
        offsets: list[int] = []
        variant = instruction.variant
        last = [0]
        try:
            if instruction.call is not None and not self.sites.is_known(instruction):
                raise NoRecord
            results = tuple([None if o is None else self._known_shape(o, offsets, last) for o in instruction.results])
            sources = tuple([self._known_shape(o, offsets, last) for o in instruction.sources])
        except NoRecord:
            return None
        known = id(variant), tuple([id(shape) for shape in (*results, *sources)])
        key = self._keys.get(known)
        if key is None:
            line = variant.entry.signature.line
            key = HandlerKey(instruction.opcode, line, key_modifiers(variant), results, sources)
            self._keys[known] = key
        return key, offsets, last[0]

    def operands_of(self, instruction: Instruction) -> tuple[HandlerKey, list[int]]:
        """What decides an instruction's handlers, and the offsets of its rows; it has a native form."""
        found = self._bind(instruction)
        assert found is not None
        return found[0], found[1]

    def key_of(self, instruction: Instruction) -> HandlerKey | None:
        """What decides an instruction's handlers; None if it has no native form."""
        found = self._bind(instruction)
        return None if found is None else found[0]

    def _known_shape(self, operand: Operand, offsets: list[int], last: list[int]) -> Shape:
        """The shape of an operand, the same object for equal shapes."""
        place, kind = operand.place, operand.type
        if type(place) is Register and kind is not None and not operand.negated:  # the common case first
            offsets.append(place.offset)
            pair = id(kind), id(place.type)
            found = self._plain.get(pair)
            if found is None:
                shape = Shape(kind, (_width(place.type),))
                found = self._plain[pair] = self._shapes.setdefault(shape, shape)
            return found
        shape = self._shape(operand, offsets, last)
        return self._shapes.setdefault(shape, shape)

    def _shape(self, operand: Operand, offsets: list[int], last: list[int]) -> Shape:
        place, kind = operand.place, operand.type
        if isinstance(place, Targets) and len(place.pcs) == 1:
            last[0] = place.pcs[0]
            return Shape(U64, (), "target")
        if isinstance(place, (Targets, Callee)):
            return Shape(U64, (), "targets" if isinstance(place, Targets) else "callee")
        if operand.negated:
            return self._negated(operand, offsets)
        if kind is None:
            raise NoRecord
        if isinstance(place, Memory):
            return self._address(place, offsets, last)
        if isinstance(place, Sink):
            return Shape(kind, (), "sink")
        if isinstance(place, (Packed, Elements)):
            form = "packed" if isinstance(place, Packed) else "elements"
            parts = [self._shape(element, offsets, last) for element in place.elements]
            if any(part.form not in ("one", "sink") for part in parts):
                raise NoRecord
            return Shape(kind, tuple(sum(part.widths) for part in parts), form)
        if isinstance(place, Register):
            offsets.append(place.offset)
            return Shape(kind, (_width(place.type),))
        if isinstance(place, Symbol) and place.storage.space == "frame":
            return self._variable(place, kind, last)
        if isinstance(place, Special) and SPECIAL_REGISTERS[place.name].volatile and kind.width <= place.type.width:
            return Shape(kind, (), "time above" if place.name.endswith("_hi") else "time")
        if isinstance(place, (Immediate, Special, Symbol, FunctionAddress)):
            offsets.append(self._constant(place, kind))
            return Shape(kind, (_width(kind),))
        raise NoRecord

    def _negated(self, operand: Operand, offsets: list[int]) -> Shape:
        """`!%p`."""
        if not isinstance(operand.place, Register) or operand.type is None or operand.type.kind != "p":
            raise NoRecord
        offsets.append(operand.place.offset)
        return Shape(operand.type, (1,), "negated")

    def _address(self, place: Memory, offsets: list[int], last: list[int]) -> Shape:
        if len(last) > 1:
            return self._second_address(place, offsets)
        last[0] = place.offset
        last.append(0)
        base = place.base
        if isinstance(base, Register):
            offsets.append(base.offset)
            return Shape(U64, (base.type.width,), "address")
        if isinstance(base, Immediate):
            last[0] += base.bits
            return Shape(U64, (), "constant")
        if base.storage.space == "frame":
            last[0] += base.storage.offset + base.addend
            return Shape(U64, (), "frame")
        if base.storage.space == "param":
            last[0] += base.storage.offset + base.addend
            return Shape(U64, (), "constant")
        offsets.append(self._constant(base, U64))
        return Shape(U64, (64,), "address")

    def _variable(self, place: Symbol, kind: ScalarType, last: list[int]) -> Shape:
        """The address of a local variable, counted from each lane's frame."""
        if len(last) > 1 or space_of(place.storage) != "local":
            raise NoRecord
        last[0] = place.storage.offset + place.addend + (WINDOWS["local"] if place.generic else 0)
        last.append(0)
        return Shape(kind, (), "variable")

    def _second_address(self, place: Memory, offsets: list[int]) -> Shape:
        """Of an instruction with two addresses: what is added to the register stands among the row offsets."""
        base = place.base
        if not -(1 << 31) <= place.offset < 1 << 31:
            raise NoRecord
        if isinstance(base, Register):
            offsets += [base.offset, place.offset]
            return Shape(U64, (base.type.width,), "second")
        if isinstance(base, Symbol) and base.storage.space not in ("frame", "param"):
            offsets += [self._constant(base, U64), place.offset]
            return Shape(U64, (64,), "second")
        raise NoRecord

    def _constant(self, place: Constant, kind: ScalarType) -> int:
        """The offset of the row that holds a constant."""
        if isinstance(place, Special) and SPECIAL_REGISTERS[place.name].volatile:
            raise NoRecord
        key = (kind.name, repr(place) if not isinstance(place, Symbol) else f"{id(place.storage)} {place!r}")
        if key not in self.constants:
            size = -(-WARP_SIZE * kind.bytes // ROW_ALIGN) * ROW_ALIGN
            self.constants[key] = ConstantRow(place, kind, self._end)
            self._end += size
        return self.constants[key].offset

    # --- records -------------------------------------------------------------------------------------

    def _fill(self, bound: list[Bound | None], library: Library) -> None:
        address = self.records.ctypes.data
        at = 0
        places = self.places
        for pc in range(len(bound)):
            self.map[pc] = address + RECORD_BYTES * at
            at += 1 + (pc in self.program.joins)
            places.append(at - 1)
        self.map[len(bound)] = address + RECORD_BYTES * at
        leave = library.runtime["leave"]
        for pc, (instruction, found) in enumerate(zip(self.program.instructions, bound, strict=True)):
            if pc in self.program.joins:
                before = self._record(places[pc] - 1)
                before[0:16].view(np.uint64)[:] = library.runtime["join_full"], library.runtime["join_part"]
                before[40:44].view(np.int32)[0] = pc
            if found is None:
                LAYOUT.pack_into(self.records.data, RECORD_BYTES * places[pc], leave, leave, *[0] * 6, pc, 0, 0, 0)
            else:
                self._fill_one(RECORD_BYTES * places[pc], instruction, found, library)
        end = self._record(at)
        end[0:16].view(np.uint64)[:] = leave

    def _record(self, number: int) -> Bytes:
        return self.records[RECORD_BYTES * number : RECORD_BYTES * (number + 1)]

    def _fill_one(self, at: int, instruction: Instruction, found: Bound, library: Library) -> None:
        key, offsets, last = found
        modes = modes_of(instruction)
        known = id(key), modes
        handlers = self._handlers.get(known)
        if handlers is None:
            addresses = [library.address(key, mode) for mode in modes]
            resume = addresses.pop() if modes[-1] == RESUME else 0
            handlers = self._handlers[known] = addresses[0], addresses[-1], resume
        full_mode, part_mode, resume = handlers
        guard = 0 if instruction.guard is None else instruction.guard.offset
        if len(offsets) > INLINE_OPERANDS:
            self._side.append(np.array(offsets, np.int32))
            offsets = np.array([self._side[-1].ctypes.data], np.uint64).view(np.int32).tolist()
        value = resume or self._last_field(instruction, last)
        rows = (*offsets, 0, 0, 0, 0, 0, 0)[:INLINE_OPERANDS]
        empty = self._empty_address
        LAYOUT.pack_into(self.records.data, at, full_mode, part_mode, *rows, instruction.pc, guard, empty, value)

    def _last_field(self, instruction: Instruction, last: int) -> int:
        """The record of a branch's target, the address of what a call or return needs, or the constant found before."""
        if instruction.call is not None:
            return self.sites.site(instruction)
        if instruction.variant.entry.mnemonic == "ret":
            return 0 if instruction.function is self.program.entry else self.sites.routine(instruction.function)
        lists = [operand.place.pcs for operand in instruction.sources if isinstance(operand.place, Targets)]
        if instruction.variant.entry.mnemonic == "brx":
            self._side.append(np.array([len(lists[0]), *lists[0]], np.int32))
            return int(self._side[-1].ctypes.data)
        return int(self.map[last]) if lists else last & (2**64 - 1)

    def forget_allocations(self) -> None:
        """Empty what memory instructions remember, after allocations have changed."""
        table = self.records.reshape(-1, RECORD_BYTES)
        for found in self._memory_records():
            table[found, 48:56].view(np.uint64)[0] = self.empty.ctypes.data

    def _memory_records(self) -> Iterator[int]:
        first = self.records.ctypes.data
        for instruction in self.program.instructions:
            if instruction.names_address:
                place = (int(self.map[instruction.pc]) - first) // RECORD_BYTES
                yield place + (instruction.pc in self.program.joins)


def modes_of(instruction: Instruction) -> tuple[str, ...]:
    """The handlers of an instruction: for full and partial groups, or one under its guard; for its second half."""
    modes = ("full", "part") if instruction.guard is None else (under_guard(instruction, "full"),)
    return modes if instruction.variant.entry.resume is None else (*modes, RESUME)


def _width(kind: ScalarType) -> int:
    return 1 if kind.kind == "p" else max(8, kind.width)
