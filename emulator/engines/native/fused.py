"""Straight runs of instructions as one function: the second tier of the engine, for programs that run long.

A run begins at a record and has the code of the records behind it, without a jump from one to the next: past branches
that no lane takes, up to another control transfer.  Registers stay values from part to part, and from one time around a
loop to the next; their rows are written where the run ends.  What is unusual in a part (an access that fits no pattern,
lanes that part or wait for others) goes on in the instruction's own handler: there the rows are written first, so that
the state is that before the instruction, as if there were no run.  So does everything while a turn is carried out to
the instruction (`Context.careful`).

What decides the code are the keys of the instructions and which of their rows are the same, not where these lie:
kernels with the same loop share it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from emulator.engines.native.addresses import CONSTANT_FIELDS
from emulator.engines.native.context import HEADER, global_offset, offset_of
from emulator.engines.native.handlers import (
    GUARDS,
    INLINE_OPERANDS,
    PARAMETERS,
    RECORD_BYTES,
    HandlerKey,
    HandlerText,
    row_type,
)
from emulator.engines.native.lanes import CAREFUL
from emulator.engines.native.llvm_ops import new_ops
from emulator.engines.native.text import NoNativeForm, lane_type, vector
from emulator.engines.native.windows import Window
from emulator.isa.ops import Value
from emulator.isa.registry import Variant
from emulator.machine.warp import HEADER_BYTES

OWN_NAMES = re.compile(r"%(ip|miss|leave|apart|nobody)\b|^(nobody):")


@dataclass(frozen=True, slots=True)
class Part:
    """One record of a run.

    key: None for a place where lanes meet.  mode: the handler whose code it has.  rows: by the number of an operand's
    row, the guard's last, which of the run's rows it is.  values: the value of the run that it holds.  results: how
    many rows it writes, the first ones.  flush: whether one of its rows shares bytes with another that the run has
    written.  access: whether it names an address.
    """

    key: HandlerKey | None
    mode: str
    rows: tuple[int, ...] = ()
    values: tuple[int, ...] = ()
    results: int = 0
    flush: bool = False
    access: bool = False


@dataclass(frozen=True, slots=True)
class RunKey:
    """What decides a run's code.

    mode: for "full" or "part" groups.  widths: bits of the registers in its rows.  loop: whether it ends with a jump to
    its start, and no two of its rows share bytes.
    """

    parts: tuple[Part, ...]
    mode: str
    widths: tuple[int, ...]
    loop: bool


Variants = Sequence[Variant | None]  # of the parts
Dirty = dict[int, Value]  # by row what it will hold


@dataclass
class Known:
    """What a run knows so far.

    values: by number.  dirty: those whose rows have not been written.  held: what it has read of records.  windows: by
    the number of an address what is known of the lanes' distances.
    """

    values: dict[int, Value] = field(default_factory=dict)
    dirty: Dirty = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    windows: dict[int, Window] = field(default_factory=dict)


class PartText(HandlerText):
    """The code of one part, without its way to the next."""

    def __init__(
        self, variant: Variant, key: HandlerKey, part: Part, number: int, known: Known, group: str, *, wide: bool
    ) -> None:
        super().__init__(variant, key, part.mode, wide=wide)
        if part.access and part.mode in GUARDS:  # where it is executed, it is by the whole group
            self.mode, self.ops.guarded, self.ops.whole = group, False, group == "full"
        self._part = part
        self._number = number
        self._known = known.values
        self._dirty = known.dirty
        self._windows = known.windows
        self.ops.held = known.held
        self._numbers: dict[str, int] = {}  # which operand lies at a row's address

    def append(self, first_name: int) -> None:
        """Build the lines of the part, its names from a number on."""
        ops = self.ops
        ops.count = first_name
        numbers = iter(range(self._rows))
        places = [self._places(shape, numbers) for shape in self.key.results]
        self._bind_lanes()
        sources = self._sources([self._places(shape, numbers) for shape in self.key.sources])
        if self._part.mode in GUARDS and self._part.access:
            self._require_all_or_none()
        if self.variant.entry.sync is not None:
            self._require_members(sources)
        self._execute(sources, places)
        if ops.control not in ("", "branch"):
            self._finish()

    def _require_all_or_none(self) -> None:
        """An access under a guard that holds in all lanes, or a store under one that holds in none; else it leaves."""
        ops = self.ops
        taken = self._taken(GUARDS[self._part.mode])
        every, rest, all_lanes = ops.label(), ops.label(), ops.emit(f"icmp eq i32 {taken}, %mask")
        none = "leave" if self._part.results else f"on.{self._number}"
        ops.lines += [f"  br i1 {all_lanes}, label %{every}, label %{rest}", f"{rest}:"]
        nobody = ops.emit(f"icmp eq i32 {taken}, 0")
        ops.lines += [f"  br i1 {nobody}, label %{none}, label %leave", f"{every}:"]

    def lines(self) -> list[str]:
        """They, with the names that every handler has made those of this part."""
        return [OWN_NAMES.sub(self._renamed, line) for line in self.ops.lines]

    def _renamed(self, found: re.Match[str]) -> str:
        if found[2]:
            return f"nobody.{self._number}:"
        name = found[1] if found[1] in ("ip", "nobody") else "own"
        return f"%{name}.{self._number}"

    # --- rows ------------------------------------------------------------------------------------------

    def _offset(self, number: int) -> str:
        offset = super()._offset(number)
        self._numbers[offset] = number
        return offset

    def _row(self, offset: str) -> str:
        place = super()._row(offset)
        self._numbers[place] = self._numbers.get(offset, self._rows)  # the guard's offset is no operand's
        return place

    def _load(self, width: int, place: str) -> Value:
        number = self._part.values[self._numbers[place]]
        if number not in self._known:
            self._known[number] = super()._load(width, place)
        known = self._known[number]
        return Value(self.ops, known.type, known.data)

    def _from_register(self, width: int, row: str, addend: str) -> Value:
        self.ops.window = self._windows.get(self._part.values[self._numbers[row]])
        return super()._from_register(width, row, addend)

    def _store(self, value: Value, width: int, place: str) -> None:
        ops, number = self.ops, self._numbers[place]
        row = self._part.rows[number]
        if self.mode != "full":
            old = self._dirty[row] if row in self._dirty else super()._load(width, place)
            value = ops.select(ops.lanes, value, Value(ops, old.type, old.data))
        self._known[self._part.values[number]] = value
        self._dirty.pop(row, None)  # rows are written in the order of their last results
        self._dirty[row] = value


class RunText:
    """Builds the text of one run."""

    def __init__(self, key: RunKey, variants: Variants, *, wide: bool = False) -> None:
        self.declarations: set[str] = set()
        self.tables: set[str] = set()
        self._key = key
        self._variants = variants
        self._wide = wide
        self._loops = key.loop
        self._ops = new_ops()  # of what belongs to no part
        self._rooms: list[str] = []
        self._exits: dict[str, list[str]] = {}  # by label
        self._carried: dict[int, int] = {}  # by row the line with its value of the last time around the loop
        self._state = Known(windows=_windows(key.parts))
        self._ops.held = self._state.held
        self._dirty = self._state.dirty
        self._found: dict[int, tuple[int, int]] = {}  # by row the part and the operand whose offset it is
        for at, part in enumerate(key.parts):
            for number, row in enumerate(part.rows):
                self._found.setdefault(row, (at, number))

    def build(self, name: str) -> str:
        """The function as text; NoNativeForm if one of the instructions cannot be part of a run."""
        lines, last = self._ops.lines, len(self._key.parts) - 1
        self._head()
        if self._loops:
            self._begin_loop()
        for number, (part, variant) in enumerate(zip(self._key.parts, self._variants, strict=True)):
            if part.flush:
                lines += self._written(f"before.{number}")
                self._dirty.clear()
            self._exit(f"own.{number}", "@original", number)
            if part.key is None or variant is None:
                self._join(number)
            else:
                self._add(number, part, part.key, variant, is_last=number == last)
        self._exit("next", "", last + 1)
        for row, line in self._carried.items():
            lines[line] = lines[line].format(self._dirty[row].data)
        used = set(re.findall(r"label %([\w.]+)", "\n".join(lines)))
        ways = [line for label, found in self._exits.items() if label in used for line in found]
        body = "\n".join([*self._rooms, *self._constants(), *lines, *ways])
        if self._key.mode == "full":
            body = body.replace("%mask", "-1")
        return f"define i32 @{name}({PARAMETERS}) #0 {{\n{body}\n}}\n"

    def _add(self, number: int, part: Part, key: HandlerKey, variant: Variant, *, is_last: bool) -> None:
        """An instruction."""
        ops = self._ops
        text = PartText(variant, key, part, number, self._state, group=self._key.mode, wide=self._wide)
        text.append(ops.count)
        ops.count = text.ops.count
        self._rooms += text.ops.rooms
        self.declarations |= text.ops.declarations
        self.tables |= text.ops.tables
        control = text.ops.control
        if control in ("", "branch"):
            ops.lines += text.lines()
            if part.access and part.mode in GUARDS and not part.results:
                ops.lines += [f"  br label %on.{number}", f"on.{number}:"]
            if control:
                self._branch(number, part, text.ops.lane_mask, is_last=is_last)
            elif is_last:
                ops.lines.append("  br label %next")
            return
        if not is_last:
            raise NoNativeForm("a control transfer ends a run")
        ops.lines += self._written("last")
        ops.lines += text.lines()

    # --- the records of the run ------------------------------------------------------------------------

    def _head(self) -> None:
        """The records of the parts; a turn that may have to stop within the run does without it."""
        ops = self._ops
        for number in range(len(self._key.parts) + 1):
            ops.lines.append(f"  %ip.{number} = getelementptr i8, ptr %ip, i64 {RECORD_BYTES * number}")
        alone = ops.emit(f"icmp eq i32 {ops.field('careful', 'i32')}, {CAREFUL}")
        self._exit("single", "@original", 0)
        ops.lines += [f"  br i1 {alone}, label %single, label %begin", "begin:"]

    def _constants(self) -> list[str]:
        """What the parts read of records that do not change."""
        lines = [f"  %held.globals = getelementptr i8, ptr %ctx, i64 {offset_of('globals')}"]
        lines.append("  %held.run = load ptr, ptr %held.globals")
        for wanted, name in self._state.held.items():
            kind, field_name = wanted.split()
            base, place = "%ctx", offset_of(field_name) if field_name in CONSTANT_FIELDS else -1
            if place < 0:
                base, place = "%held.run", global_offset(field_name)
            lines.append(f"  {name}.at = getelementptr i8, ptr {base}, i64 {place}")
            lines.append(f"  {name} = load {kind}, ptr {name}.at")
        return lines

    def _join(self, number: int) -> None:
        """Where other lanes may stand: nothing for a whole warp."""
        ops = self._ops
        if self._key.mode == "part":
            meets = ops.emit(f"icmp eq i32 {self._pc(number)}, {ops.field('other_pc', 'i32')}")
            alone = ops.label()
            ops.lines += [f"  br i1 {meets}, label %own.{number}, label %{alone}", f"{alone}:"]
        if number == len(self._key.parts) - 1:
            ops.lines.append("  br label %next")

    def _pc(self, number: int) -> str:
        at = self._ops.emit(f"getelementptr i8, ptr %ip.{number}, i64 40")
        return self._ops.emit(f"load i32, ptr {at}")

    def _pointer(self, row: int, name: str) -> list[str]:
        """Lines that make `name` the address of a row."""
        at, number = self._found[row]
        part = self._key.parts[at]
        operands = len(part.rows) - (part.mode in GUARDS)
        base, place = f"%ip.{at}", 16 + 4 * number
        lines = []
        if number == operands:
            place = 44
        elif operands > INLINE_OPERANDS:
            lines = [
                f"  {name}.side = getelementptr i8, ptr {base}, i64 16",
                f"  {name}.table = load ptr, ptr {name}.side, align 8",
            ]
            base, place = f"{name}.table", 4 * number
        return [
            *lines,
            f"  {name}.at = getelementptr i8, ptr {base}, i64 {place}",
            f"  {name}.offset = load i32, ptr {name}.at, align 4",
            f"  {name} = getelementptr i8, ptr %regs, i32 {name}.offset",
        ]

    # --- how a run ends --------------------------------------------------------------------------------

    def _written(self, label: str) -> list[str]:
        """Lines that write the rows."""
        lines = []
        for row, value in self._dirty.items():
            name, data, width = f"%row.{label}.{row}", value.data, self._key.widths[row]
            lines += self._pointer(row, name)
            if width == 1:
                data = f"{name}.bytes"
                lines.append(f"  {data} = zext {vector('i1')} {value.data} to {vector('i8')}")
            lines.append(f"  store {vector(f'i{max(8, width)}')} {data}, ptr {name}, align 32")
        return lines

    def _exit(self, label: str, function: str, number: int) -> None:
        """A way to a function for a part's record, or to its handler, with the rows written as they are now."""
        lines = [f"{label}:", *self._written(label)]
        if not function:
            field = 0 if self._key.mode == "full" else 8
            function = f"%{label}.handler"
            lines.append(f"  {function}.at = getelementptr i8, ptr %ip.{number}, i64 {field}")
            lines.append(f"  {function} = load ptr, ptr {function}.at, align 8")
        arguments = f"ptr noalias %ip.{number}, ptr noalias %regs, ptr noalias %ctx, i32 %mask"
        lines.append(f"  %{label}.status = musttail call i32 {function}({arguments})")
        self._exits[label] = [*lines, f"  ret i32 %{label}.status"]

    def _branch(self, number: int, part: Part, taken: str, *, is_last: bool) -> None:
        """A branch of all lanes, or of those of the guard: of none the run goes on, of some it has ended."""
        ops = self._ops
        goes = f"every.{number}"
        self._exit(goes, "@branch_all", number)
        if is_last and self._loops:
            goes = "around"
        if part.mode in GUARDS:
            some, on = ops.label(), "next" if is_last else ops.label()
            none = ops.emit(f"icmp eq i32 {taken}, 0")
            ops.lines += [f"  br i1 {none}, label %{on}, label %{some}", f"{some}:"]
            every = ops.emit(f"icmp eq i32 {taken}, %mask")
            ops.lines.append(f"  br i1 {every}, label %{goes}, label %own.{number}")
            if not is_last:
                ops.lines.append(f"{on}:")
        else:
            ops.lines.append(f"  br label %{goes}")
        if goes == "around":
            self._close_loop(number)

    # --- loops -----------------------------------------------------------------------------------------

    def _begin_loop(self) -> None:
        """Read all rows; those that the loop writes are carried from one time to the next."""
        ops, carried = self._ops, self._rows_written()
        loaded = {row: self._loaded(row) for row in range(len(self._key.widths))}
        ops.lines += ["  br label %loop", "loop:"]
        for row in carried:
            kind = loaded[row].type
            self._carried[row] = len(ops.lines)
            name = f"%carried.{row}"
            lanes = vector(lane_type(kind))
            ops.lines.append(f"  {name} = phi {lanes} [ {loaded[row].data}, %begin ], [ {{}}, %latch ]")
            loaded[row] = self._dirty[row] = Value(ops, kind, name)
        for row, number in self._first_values().items():
            self._state.values[number] = loaded[row]

    def _loaded(self, row: int) -> Value:
        ops, width, name = self._ops, self._key.widths[row], f"%row.{row}"
        ops.lines += self._pointer(row, name)
        kind = row_type(width)
        found = ops.value(kind, f"load {vector(lane_type(kind))}, ptr {name}, align 32")
        return found != 0 if width == 1 else found

    def _rows_written(self) -> list[int]:
        """In the order of their last results."""
        found: dict[int, None] = {}
        for part in self._key.parts:
            for row in part.rows[: part.results]:
                found.pop(row, None)
                found[row] = None
        return list(found)

    def _first_values(self) -> dict[int, int]:
        """The values of the rows that are read before they are written."""
        found: dict[int, int] = {}
        written: set[int] = set()
        for part in self._key.parts:
            for row, number in list(zip(part.rows, part.values, strict=True))[part.results :]:
                if row >= 0 and row not in written:
                    found.setdefault(row, number)
            written |= set(part.rows[: part.results])
        return found

    def _close_loop(self, number: int) -> None:
        """Account for a time around the loop as `branch_all` does; when the turn is over, that does it."""
        ops = self._ops
        ops.lines.append("around:")
        start, budget = (ops.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of(f)}") for f in ("start_pc", "budget"))
        length = ops.emit(f"sub i32 {self._pc(number)}, {ops.emit(f'load i32, ptr {start}')}")
        count = ops.emit(f"zext i32 {ops.emit(f'add i32 {length}, 1')} to i64")
        left = ops.emit(f"sub i64 {ops.emit(f'load i64, ptr {budget}')}, {count}")
        more = ops.emit(f"icmp sgt i64 {left}, 0")
        length = ops.emit(f"getelementptr i8, ptr %regs, i64 {HEADER['run_length'] - HEADER_BYTES}")
        if self._key.mode == "part":
            more, place, rest = self._stays_alone(more, length, count)
        ops.lines += [f"  br i1 {more}, label %latch, label %every.{number}", "latch:"]
        if self._key.mode == "part":
            ops.lines.append(f"  store i32 {rest}, ptr {place}")
        ops.lines.append(f"  store i64 {left}, ptr {budget}")
        ops.lines.append(f"  store i32 {self._pc(0)}, ptr {start}")
        ops.lines += [f"  store i32 0, ptr {length}", "  br label %loop"]

    def _stays_alone(self, more: str, length: str, count: str) -> tuple[str, str, str]:
        """For a partial group: whether it goes around again; where its slice is and what is left of it then."""
        ops = self._ops
        fields = {
            name: ops.emit(f"getelementptr i8, ptr %regs, i64 {HEADER[name] - HEADER_BYTES}")
            for name in ("live", "waiting", "slice", "ran")
        }
        live, waiting, slice_, ran = (ops.emit(f"load i32, ptr {at}") for at in fields.values())
        runnable = ops.emit(f"and i32 {live}, {ops.emit(f'xor i32 {waiting}, -1')}")
        whole = ops.emit(f"icmp eq i32 %mask, {runnable}")
        taken = ops.emit(f"add i32 {ops.emit(f'load i32, ptr {length}')}, {ops.emit(f'trunc i64 {count} to i32')}")
        left = ops.emit(f"sub i32 {slice_}, {taken}")
        free = ops.emit(f"icmp slt i32 {self._pc(0)}, {ops.field('free_pc', 'i32')}")
        apart = ops.emit(f"and i1 {free}, {ops.emit(f'icmp sgt i32 {left}, 0')}")
        apart = ops.emit(f"and i1 {apart}, {ops.emit(f'icmp ne i32 {ran}, 0')}")
        alone = ops.emit(f"or i1 {whole}, {apart}")
        rest = ops.emit(f"select i1 {whole}, i32 {slice_}, i32 {left}")
        return ops.emit(f"and i1 {more}, {alone}"), fields["slice"], rest


def _windows(parts: Sequence[Part]) -> dict[int, Window]:
    """The addresses from which several loads of shared memory count, by their value's number."""
    counts: Counter[int] = Counter()
    for part in parts:
        if part.key is not None and part.key.opcode.startswith("ld.shared"):
            counts.update(part.values[part.results :])
    return {number: Window() for number, count in counts.items() if count > 1}
