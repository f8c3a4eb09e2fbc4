"""One native function per instruction variant, over rows of a warp's registers.

A handler has the form `i32 h(ptr ip, ptr regs, ptr ctx, i32 mask)`.  `ip` is the instruction's record, 64 bytes:

    offset  size  field
         0     8  handler when all lanes of the warp execute
         8     8  handler when only the lanes of `mask` do
        16    24  6 x s32: byte offsets of the operands' rows, results first; of more than six the address of a table
        40     4  pc
        44     4  byte offset of the guard's row
        48     8  what an access remembers of the last allocation
        56     8  constant, record of the branch target, site of a call, or handler of the second half

and ends with a tail call of the next record's handler, so that a straight run of instructions never returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.engines.native.context import HEADER, offset_of
from emulator.engines.native.llvm_ops import new_ops
from emulator.engines.native.member_masks import each_mask
from emulator.engines.native.patterns import Place
from emulator.engines.native.text import lane_type, splat, vector
from emulator.isa.ops import PRED, U64, Value
from emulator.isa.registry import Variant, flat_operands
from emulator.machine.warp import HEADER_BYTES
from emulator.ptx_types import TYPES, ScalarType, bits_type

if TYPE_CHECKING:
    from emulator.program import Instruction

RECORD_BYTES = 64
INLINE_OPERANDS = 6
MODES = ("full", "part", "guard", "unless")
SLOW = {"full": "slow", "part": "slow", "guard": "slow_guard", "unless": "slow_unless"}  # where no pattern fits
RECORDING = ("recording", "recording_guard", "recording_unless")  # slow ones that note accesses (recording.py)
TIMES = {"time": 0, "time above": 32}  # forms of clocks: the bit of the time with which they begin
RESUME = "resume"  # the second half of an instruction that has waited, which returns
GUARDS = {"guard": True, "slow_guard": True, "unless": False, "slow_unless": False}  # by mode: what the guard must be
WATCHING = ("watching", "watching_guard", "watching_unless")  # slow ones that stop at watched bytes (watching.py)
GUARDS |= {"recording_guard": True, "recording_unless": False, "watching_guard": True, "watching_unless": False}
APART = {"full": "apart", "part": "apart", "guard": "apart_guard", "unless": "apart_unless"}  # several member masks
GUARDS |= {"apart_guard": True, "apart_unless": False}
PARAMETERS = "ptr noalias %ip, ptr noalias %regs, ptr noalias %ctx, i32 %mask"


def under_guard(instruction: Instruction, mode: str) -> str:
    """The mode of an instruction's handler: its own under a guard, in place of those of full and partial groups."""
    if instruction.guard is None:
        return mode
    own = "unless" if instruction.guard_negated else "guard"
    return own if mode in ("full", "part") else f"{mode}_{own}"


@dataclass(frozen=True, slots=True)
class Shape:
    """How one operand lies in the registers.

    type: as the instruction sees it.  widths: bits of each register it is made of, 0 for `_`.  form: "one" register,
    "negated" (a predicate), "packed" (several make up one value), "elements" (a vector of values), "sink"; "address"
    (a register, and a constant in the record's last field), "second" (a register, and a constant among the offsets of
    rows), "constant" (the record's last field alone), "frame" (that field, counted from the lane's frame), "variable"
    (the address of what lies there, as a value), "target" (a label), "targets" (labels), "callee" (whom a call may
    enter), "time" (a clock), "time above" (its upper half).
    """

    type: ScalarType
    widths: tuple[int, ...]
    form: str = "one"


@dataclass(frozen=True, slots=True)
class HandlerKey:
    """What decides a handler's code."""

    opcode: str
    line: str
    modifiers: tuple[tuple[str, str], ...]
    results: tuple[Shape | None, ...]
    sources: tuple[Shape, ...]


def row_type(width: int) -> ScalarType:
    """The untyped type of a register row; predicates are 8 bits in memory."""
    return TYPES["b8"] if width == 1 else bits_type(width)


class HandlerText:
    """Builds the text of one handler in one mode, among them the slow ones; other: a name for another mode's."""

    def __init__(
        self, variant: Variant, key: HandlerKey, mode: str, other: Callable[[str], str] = str, *, wide: bool = False
    ) -> None:
        self.variant = variant
        self.key = key
        self.mode = mode
        self.other = other
        self._goes_apart = False  # whether there is a way to the handler for several member masks
        self.ops = new_ops()
        self.ops.fast, self.ops.whole, self.ops.avx512 = mode in SLOW, mode == "full", wide
        self.ops.recording, self.ops.watching = mode in RECORDING, mode in WATCHING
        self.ops.guarded = mode in GUARDS
        shapes = [shape for shape in (*key.results, *key.sources) if shape is not None]
        self._rows = sum(sum(map(bool, shape.widths)) + (shape.form == "second") for shape in shapes)

    def build(self, name: str, linkage: str = "") -> str:
        """The function as text; NoNativeForm if the meaning needs what is not there."""
        ops, key = self.ops, self.key
        numbers = iter(range(self._rows))
        places = [self._places(shape, numbers) for shape in key.results]
        self._bind_lanes()
        start = len(ops.lines)
        given = [self._places(shape, numbers) for shape in key.sources]
        if self.mode in APART.values():
            self._execute_by_masks(given, places)
        else:
            sources = self._sources(given)
            if self.variant.entry.sync is not None:
                self._require_members(sources)
            self._execute(sources, places)
        self._finish()
        if ops.misses:
            self._ways_out(start)
        if self._goes_apart:
            ops.lines.append("apart:")
            self._end(f"@{self.other(APART[self.mode])}", "%ip")
        if ops.leaves:
            ops.lines.append("leave:")
            self._end("@leave", "%ip")
        body = "\n".join([*ops.rooms, *ops.lines])
        return f"define {linkage}i32 @{name}({PARAMETERS}) #0 {{\n{body}\n}}\n"

    def _execute(self, sources: Sequence[Any], places: list[list[str]]) -> None:
        """The meaning, and its results."""
        entry = self.variant.entry
        meaning = entry.resume if self.mode == RESUME and entry.resume is not None else entry.meaning
        self._write_results(meaning(self.ops, self.variant, *sources), places)

    def _execute_by_masks(self, given: list[list[str]], places: list[list[str]]) -> None:
        """The meaning for the lanes of each member mask; leaves unless of all masks all live lanes are here."""
        ops, here = self.ops, self.ops.lane_mask
        members, live = self._members(self._sources(given)), self._live_lanes()
        with each_mask(ops, members, here) as (mask, lanes):
            expected = ops.emit(f"and i32 {mask}, {live}")
            ops.go_on_unless(ops.emit(f"icmp ne i32 {lanes}, {expected}"))
        with each_mask(ops, members, here) as (_, lanes):
            ops.bind_lanes(lanes)
            self._execute(self._sources(given), places)

    def _ways_out(self, start: int) -> None:
        """Where an access fits no pattern, its slow version; under a guard, short ways for no lane and for all."""
        ops = self.ops
        ops.lines.append("miss:")
        self._end(f"@{self.other(SLOW[self.mode])}", "%ip")
        if self.mode not in GUARDS:
            return
        end = len(ops.lines)
        taken = ops.lane_mask
        any_lane, some = ops.label(), ops.label()
        none = ops.emit(f"icmp eq i32 {taken}, 0")
        ops.lines += [f"  br i1 {none}, label %none, label %{any_lane}", f"{any_lane}:"]
        every = ops.emit(f"icmp eq i32 {taken}, -1")
        ops.lines += [f"  br i1 {every}, label %every, label %{some}", f"{some}:"]
        choice = ops.lines[end:]
        ops.lines[end:] = []
        ops.lines[start:start] = choice
        ops.lines.append("every:")
        self._end(f"@{self.other('full')}", "%ip")
        ops.lines.append("none:")
        self._go_on()

    # --- how a handler ends --------------------------------------------------------------------------

    def _finish(self) -> None:
        """Go on, return, or end in a function of the scheduler, with a way for a group of which no lane executes."""
        ops = self.ops
        if self.mode == RESUME:
            ops.lines.append("  ret i32 0")
        elif not ops.control:
            self._go_on()
        elif ops.control == "branch":
            self._transfer()
        else:
            self._end(f"@{ops.control}", "%ip")
            if ops.may_pass:
                ops.lines.append("nobody:")
                self._go_on()

    def _end(self, function: str, record: str) -> None:
        ops = self.ops
        arguments = f"ptr noalias {record}, ptr noalias %regs, ptr noalias %ctx, i32 %mask"
        ops.lines.append(f"  %status.{function[1:]} = musttail call i32 {function}({arguments})")
        ops.lines.append(f"  ret i32 %status.{function[1:]}")

    def _go_on(self) -> None:
        """The next record's handler."""
        ops = self.ops
        following = ops.emit(f"getelementptr i8, ptr %ip, i64 {RECORD_BYTES}")
        field = following if self.mode == "full" else ops.emit(f"getelementptr i8, ptr {following}, i64 8")
        if self.mode not in ("full", "part"):  # one handler serves full and partial groups
            full = ops.emit("icmp eq i32 %mask, -1")
            field = ops.emit(f"select i1 {full}, ptr {following}, ptr {field}")
        self._end(ops.emit(f"load ptr, ptr {field}, align 8"), following)

    def _transfer(self) -> None:
        """A branch: of the whole group, or under a guard of none, some or all of its lanes."""
        ops = self.ops
        if self.mode not in GUARDS:
            self._end("@branch_all", "%ip")
            return
        taken = ops.lane_mask
        none = ops.emit(f"icmp eq i32 {taken}, 0")
        on, some, every, split = ops.label(), ops.label(), ops.label(), ops.label()
        ops.lines += [f"  br i1 {none}, label %{on}, label %{some}", f"{some}:"]
        whole = ops.emit(f"icmp eq i32 {taken}, %mask")
        ops.lines += [f"  br i1 {whole}, label %{every}, label %{split}", f"{every}:"]
        self._end("@branch_all", "%ip")
        ops.lines.append(f"{split}:")
        at = ops.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of('taken')}")
        ops.lines.append(f"  store i32 {taken}, ptr {at}")
        self._end("@branch_split", "%ip")
        ops.lines.append(f"{on}:")
        self._go_on()

    def _require_members(self, sources: Sequence[Any]) -> None:
        """Go another way unless the executing lanes are just the live lanes of one member mask, all here."""
        ops = self.ops
        live = ops.spread("i32", self._live_lanes())
        here, members = ops.ballot(ops.lanes), self._members(sources)
        expected = Value(ops, here.type, ops.emit(f"and {vector('i32')} {members.data}, {live}"))
        bad, good = ops.any_lane(((expected != here) & ops.lanes).data), ops.label()
        self._goes_apart = True
        ops.lines += [f"  br i1 {bad}, label %apart, label %{good}", f"{good}:"]

    def _members(self, sources: Sequence[Any]) -> Value:
        """The lanes' member masks."""
        specs = [spec for spec in flat_operands(self.variant.entry.signature.operands) if not spec.is_result]
        index = next(n for n, spec in enumerate(specs) if spec.name == self.variant.entry.sync)
        return self.ops.view(sources[index], TYPES["u32"])

    def _live_lanes(self) -> str:
        """An i32."""
        at = self.ops.emit(f"getelementptr i8, ptr %regs, i64 {HEADER['live'] - HEADER_BYTES}")
        return self.ops.emit(f"load i32, ptr {at}")

    def _bind_lanes(self) -> None:
        ops = self.ops
        if self.mode == "full":
            ops.lanes = ops.const(PRED, 1)
            return
        if self.mode not in GUARDS:
            ops.bind_lanes("%mask")
            return
        ops.bind_lanes(self._taken(GUARDS[self.mode]))

    def _taken(self, wanted: bool) -> str:
        """The lanes of the group in which the guard is as wanted, an i32."""
        ops = self.ops
        at = ops.emit("getelementptr i8, ptr %ip, i64 44")
        guard = self._load(1, self._row(ops.emit(f"load i32, ptr {at}, align 4")))
        bits = ops.emit(f"bitcast {vector('i1')} {guard.data} to i32")
        if not wanted:
            bits = ops.emit(f"xor i32 {bits}, -1")
        return ops.emit(f"and i32 {bits}, %mask")

    # --- rows --------------------------------------------------------------------------------------

    def _offset(self, number: int) -> str:
        """The row offset of operand register `number`."""
        ops = self.ops
        if self._rows <= INLINE_OPERANDS:
            at = ops.emit(f"getelementptr i8, ptr %ip, i64 {16 + 4 * number}")
        else:
            side = ops.emit("getelementptr i8, ptr %ip, i64 16")
            base = ops.emit(f"load ptr, ptr {side}, align 8")
            at = ops.emit(f"getelementptr i8, ptr {base}, i64 {4 * number}")
        return ops.emit(f"load i32, ptr {at}, align 4")

    def _row(self, offset: str) -> str:
        return self.ops.emit(f"getelementptr i8, ptr %regs, i32 {offset}")

    def _places(self, shape: Shape | None, numbers: Iterator[int]) -> list[str]:
        if shape is None or shape.form == "sink":
            return []
        found = [self._row(self._offset(next(numbers))) if width else "" for width in shape.widths]
        if shape.form == "second":
            found.append(self.ops.emit(f"sext i32 {self._offset(next(numbers))} to i64"))
        return found

    def _load(self, width: int, place: str) -> Value:
        """A register's row as untyped bits, or a predicate."""
        kind = row_type(width)
        found = self.ops.value(kind, f"load {vector(lane_type(kind))}, ptr {place}, align 32")
        return found != 0 if width == 1 else found

    def _sources(self, places: list[list[str]]) -> list[Any]:
        """The operands, loaded."""
        return [self._source(shape, at) for shape, at in zip(self.key.sources, places, strict=True)]

    def _source(self, shape: Shape, places: Sequence[str]) -> Any:
        if shape.form in ("target", "targets", "callee"):
            return None
        if shape.form in ("address", "constant", "frame"):
            return self._address(shape, places)
        if shape.form == "variable":
            return self._seen(self.ops.view(self._in_frame(self._last_field()), TYPES["b64"]), shape.type)
        if shape.form == "second":
            return self._from_register(shape.widths[0], places[0], places[1])
        if shape.form in TIMES:
            return self._seen(self.ops.executed_so_far() >> TIMES[shape.form], shape.type)
        loaded = [self._load(width, place) for width, place in zip(shape.widths, places, strict=True)]
        if shape.form == "elements":
            return [self._seen(value, shape.type) for value in loaded]
        if shape.form == "packed":
            return self._seen(self._pack(loaded, shape.type.width), shape.type)
        if shape.form == "negated":
            return ~loaded[0]
        return self._seen(loaded[0], shape.type)

    def _address(self, shape: Shape, places: Sequence[str]) -> Value:
        """What stands between the brackets, as u64; 32-bit registers wrap at 32 bits."""
        ops = self.ops
        addend = self._last_field()
        if shape.form == "constant":
            value = Value(ops, U64, ops.spread("i64", addend))
            ops.place = Place(value, None, 64, addend)
            return value
        if shape.form == "frame":
            ops.in_frame = True
            return self._in_frame(addend)
        return self._from_register(shape.widths[0], places[0], addend)

    def _last_field(self) -> str:
        """The constant of the record."""
        at = self.ops.emit("getelementptr i8, ptr %ip, i64 56")
        return self.ops.emit(f"load i64, ptr {at}")

    def _in_frame(self, addend: str) -> Value:
        """So many bytes behind the start of each lane's frame."""
        ops = self.ops
        rows = ops.emit(f"getelementptr i8, ptr %regs, i64 {HEADER['frame'] - HEADER_BYTES}")
        frame = ops.value(TYPES["u32"], f"load {vector('i32')}, ptr {rows}, align 32")
        return ops.cast(frame, U64) + Value(ops, U64, ops.spread("i64", addend))

    def _from_register(self, width: int, row: str, addend: str) -> Value:
        ops = self.ops
        base = self._load(width, row)
        if width == 32:
            short = Value(ops, base.type, ops.spread("i32", ops.emit(f"trunc i64 {addend} to i32")))
            value = ops.cast(base + short, U64)
        else:
            value = ops.view(base, U64) + Value(ops, U64, ops.spread("i64", addend))
        ops.place = Place(value, row, width, addend, base)
        return value

    def _pack(self, parts: list[Value], width: int) -> Value:
        ops, whole = self.ops, bits_type(width)
        step = width // len(parts)
        total = ops.cast(parts[0], whole)
        for number, part in enumerate(parts[1:], 1):
            wide = ops.cast(part, whole)
            places = splat(lane_type(whole), number * step)
            moved = ops.value(whole, f"shl {vector(lane_type(whole))} {wide.data}, {places}")
            total = ops.or_(total, moved)
        return total

    def _seen(self, value: Value, kind: ScalarType) -> Value:
        """A row in the type of the instruction: its low bits."""
        if kind is PRED:
            return value
        narrow = self.ops.cast(value, bits_type(max(8, kind.width)))
        return self.ops.view(narrow, kind) if kind.width >= 8 else Value(self.ops, kind, narrow.data)

    # --- results -----------------------------------------------------------------------------------

    def _write_results(self, results: Any, places: list[list[str]]) -> None:
        if results is None:
            return
        given = results if isinstance(results, tuple) else (results,)
        for shape, result, at in zip(self.key.results, given, places, strict=False):
            if shape is None or shape.form == "sink":
                continue
            if shape.form == "elements":
                for value, width, place in zip(result, shape.widths, at, strict=True):
                    if width:
                        self._store(self._extended(value, shape.type, width), width, place)
            elif shape.form == "packed":
                self._unpack(result, shape, at)
            else:
                self._store(self._extended(result, shape.type, shape.widths[0]), shape.widths[0], at[0])

    def _unpack(self, result: Value, shape: Shape, places: list[str]) -> None:
        ops, whole = self.ops, bits_type(shape.type.width)
        bits, step = ops.view(result, whole), shape.type.width // len(places)
        for number, (width, place) in enumerate(zip(shape.widths, places, strict=True)):
            if width:
                places_down = splat(lane_type(whole), number * step)
                moved = ops.value(whole, f"lshr {vector(lane_type(whole))} {bits.data}, {places_down}")
                self._store(ops.cast(moved, row_type(width)), width, place)

    def _extended(self, value: Value, kind: ScalarType, width: int) -> Value:
        """A result in the width of its register, extended by the sign of the instruction's type."""
        ops = self.ops
        if kind is PRED:
            return value
        if kind.width == width:
            return ops.view(value, bits_type(width))
        if kind.is_signed:
            return ops.cast(ops.view(value, kind), bits_type(width))
        return ops.cast(ops.view(value, bits_type(kind.width)), bits_type(width))

    def _store(self, value: Value, width: int, place: str) -> None:
        ops = self.ops
        kind = row_type(width)
        if width == 1:
            value = Value(ops, kind, ops.emit(f"zext {vector('i1')} {value.data} to {vector('i8')}"))
        element = vector(lane_type(kind))
        if self.mode != "full":
            old = ops.value(kind, f"load {element}, ptr {place}, align 32")
            value = ops.select(ops.lanes, value, old)
        ops.lines.append(f"  store {element} {value.data}, ptr {place}, align 32")


def key_modifiers(variant: Variant) -> tuple[tuple[str, str], ...]:
    """The modifiers of a variant, selectors of video operands among them, in a form that can be compared."""
    return tuple((name, str(value)) for name, value in variant.modifiers.items() if value is not None)
