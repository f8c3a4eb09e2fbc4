"""Accesses whose lanes lie in a pattern, as LLVM text: no gather, no scatter, two look-ups of an allocation at most.

In most accesses of real kernels the lanes of each half of a warp lie side by side (also across the rows of a 16-wide
tile), or at one address; those to shared memory mostly lie within 128 bytes.  Each pattern is tested and its range
checked before anything else; an access that fits none, or whose range is not inside of the remembered allocation,
goes on in the slow version of its handler (machine_ops.py), which looks at every lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.engines.native.context import AHEAD, AHEAD_ENTRIES, offset_of
from emulator.engines.native.text import lane_type
from emulator.engines.native.windows import HALF, WindowLoad
from emulator.isa.ops import Value
from emulator.machine import memory as m
from emulator.ptx_types import WARP_SIZE, ScalarType

if TYPE_CHECKING:
    from emulator.engines.native.machine_ops import MachineOps

SPACES = ("global", "const", "shared", "generic")


@dataclass
class Place:
    """Where an address comes from: the row of its register (None for a constant), what is added, and what is there."""

    value: Value
    row: str | None
    width: int
    addend: str
    base: Value | None = None


@dataclass
class Range:
    """Bytes that are accessed as one: the device address of the first, their number, where they are in the host."""

    low: str
    length: str
    host: str
    bad: str


class Pattern:
    """One access of `count` elements of a kind in every executing lane."""

    def __init__(self, ops: MachineOps, place: Place, space: str, kind: ScalarType, count: int) -> None:
        self.ops = ops
        self.place = place
        self.space = space
        self.kind = kind
        self.count = count
        self.size = kind.bytes * count
        self.element = lane_type(kind)
        self.word = f"i{place.width}"
        self.full = ops.whole
        self.base = place.base.data if ops.held is not None and place.base is not None else None
        self.first = self._last = "0"
        if not self.full:
            lanes = self._lanes = ops.lane_mask
            self.first = ops.intrinsic("llvm.cttz.i32", "i32", [("i32", lanes), ("i1", "true")])
            above = ops.intrinsic("llvm.ctlz.i32", "i32", [("i32", lanes), ("i1", "true")])
            self._last = ops.emit(f"xor i32 {above}, 31")

    # --- addresses -----------------------------------------------------------------------------------

    def raw(self, lane: str) -> str:
        """A lane's register."""
        if self.base is not None and lane.isdigit():
            return self.ops.emit(f"extractelement <32 x {self.word}> {self.base}, i32 {lane}")
        at = self.ops.emit(f"getelementptr {self.word}, ptr {self.place.row}, i32 {lane}")
        return self.ops.emit(f"load {self.word}, ptr {at}")

    def address(self, raw: str) -> str:
        """The address that a register's value makes, i64."""
        ops, addend = self.ops, self.place.addend
        if self.place.width == 64:
            return ops.emit(f"add i64 {raw}, {addend}")
        total = ops.emit(f"add i32 {raw}, {ops.emit(f'trunc i64 {addend} to i32')}")
        return ops.emit(f"zext i32 {total} to i64")

    def part(self, half: int) -> str:
        """The registers of half a warp."""
        if self.base is not None:
            return self.ops.halves(self.word, self.base)[half]
        at = self.ops.emit(f"getelementptr {self.word}, ptr {self.place.row}, i32 {HALF * half}")
        return self.ops.emit(f"load <{HALF} x {self.word}>, ptr {at}, align 32")

    def spread(self, count: int, element: str, scalar: str) -> str:
        kind = f"<{count} x {element}>"
        first = self.ops.emit(f"insertelement {kind} poison, {element} {scalar}, i32 0")
        return self.ops.emit(f"shufflevector {kind} {first}, {kind} poison, <{count} x i32> zeroinitializer")

    def _off_pattern(self, stride: int, firsts: Sequence[str]) -> str:
        """Whether an executing lane is not `stride` bytes behind the one below it, counted from `firsts`; an i1."""
        ops, kind = self.ops, f"<{HALF} x {self.word}>"
        apart = []
        for half in range(2):
            start = self.spread(HALF, self.word, firsts[half])
            steps = ", ".join(f"{self.word} {(n if self.full else n + HALF * half) * stride}" for n in range(HALF))
            expected = ops.emit(f"add {kind} {start}, <{steps}>") if stride else start
            apart.append(ops.emit(f"xor {kind} {self.part(half)}, {expected}"))
        if self.full:
            both = ops.emit(f"or {kind} {apart[0]}, {apart[1]}")
            where = ops.emit(f"icmp ne {kind} {both}, zeroinitializer")
            return ops.emit(f"icmp ne i16 {ops.emit(f'bitcast <{HALF} x i1> {where} to i16')}, 0")
        masks = []
        for number, data in enumerate(apart):
            where = ops.emit(f"icmp ne {kind} {data}, zeroinitializer")
            wide = ops.emit(f"zext i16 {ops.emit(f'bitcast <{HALF} x i1> {where} to i16')} to i32")
            masks.append(ops.emit(f"shl i32 {wide}, {HALF * number}"))
        seen = ops.emit(f"and i32 {ops.emit(f'or i32 {masks[0]}, {masks[1]}')}, {self._lanes}")
        return ops.emit(f"icmp ne i32 {seen}, 0")

    def _start(self, raw: str, stride: int) -> str:
        """What lane 0's register would be if the lanes lay in a row."""
        if not stride:
            return raw
        ops = self.ops
        behind = ops.emit(f"mul i32 {self.first}, {stride}")
        if self.place.width == 64:
            behind = ops.emit(f"zext i32 {behind} to i64")
        return ops.emit(f"sub {self.word} {raw}, {behind}")

    # --- ranges --------------------------------------------------------------------------------------

    def ranges(self, stride: int, *, write: bool, miss: str) -> list[Range]:
        """The bytes of both halves (of all executing lanes in a partial group), or a jump to `miss`."""
        ops = self.ops
        if self.full:
            raws = [self.raw("0"), self.raw(str(HALF))]
            off = self._off_pattern(stride, raws)
            found = [self._range(self.address(raw), str(stride * (HALF - 1) + self.size), write) for raw in raws]
        else:
            raw = self.raw(self.first)
            off = self._off_pattern(stride, [self._start(raw, stride)] * 2)
            lanes = ops.emit(f"sub i32 {self._last}, {self.first}")
            length = ops.emit(f"add i32 {ops.emit(f'mul i32 {lanes}, {stride}')}, {self.size}")
            found = [self._range(self.address(raw), ops.emit(f"zext i32 {length} to i64"), write)]
        for one in found:
            off = ops.emit(f"or i1 {off}, {one.bad}")
        after = ops.label()
        ops.lines += [f"  br i1 {off}, label %{miss}, label %{after}", f"{after}:"]
        return found

    def _range(self, low: str, length: str, write: bool) -> Range:
        """A range in its space, checked for its bounds and its alignment."""
        ops = self.ops
        if self.space == "shared":
            host, bad = self._in_shared(low, length, 0)
        elif self.space == "generic":
            shared, outside = self._in_shared(low, length, m.SHARED_WINDOW)
            device, beyond = self._in_device(low, length, write)
            host = ops.emit(f"select i1 {outside}, i64 {device}, i64 {shared}")
            bad = ops.emit(f"and i1 {outside}, {beyond}")
        else:
            host, bad = self._in_device(low, length, write)
        if self.size > 1:
            odd = ops.emit(f"icmp ne i64 {ops.emit(f'and i64 {low}, {self.size - 1}')}, 0")
            bad = ops.emit(f"or i1 {bad}, {odd}")
        return Range(low, length, host, bad)

    def _in_shared(self, low: str, length: str, window: int) -> tuple[str, str]:
        ops = self.ops
        offset = ops.emit(f"sub i64 {low}, {ops.field('shared_origin')}")
        if window:
            offset = ops.emit(f"sub i64 {offset}, {window}")
        bad = self._outside(offset, ops.field("shared_size"), length)
        return ops.emit(f"add i64 {offset}, {ops.field('shared')}"), bad

    def _in_device(self, low: str, length: str, write: bool) -> tuple[str, str]:
        ops = self.ops
        entry = ops.emit(f"load ptr, ptr {ops.emit('getelementptr i8, ptr %ip, i64 48')}")
        base = ops.emit(f"load i64, ptr {entry}")
        end = ops.emit(f"load i64, ptr {ops.emit(f'getelementptr i8, ptr {entry}, i64 8')}")
        offset = ops.emit(f"sub i64 {low}, {base}")
        bad = self._outside(offset, ops.emit(f"sub i64 {end}, {base}"), length)
        if write:
            flag = ops.emit(f"load i64, ptr {ops.emit(f'getelementptr i8, ptr {entry}, i64 16')}")
            bad = ops.emit(f"or i1 {bad}, {ops.emit(f'icmp ne i64 {flag}, 0')}")
        return ops.emit(f"add i64 {low}, {ops.global_field('memory')}"), bad

    def _outside(self, offset: str, size: str, length: str) -> str:
        """Whether [offset, offset + length) is not inside of [0, size)."""
        ops = self.ops
        room = ops.emit(f"sub i64 {size}, {length}")
        small = ops.emit(f"icmp slt i64 {room}, 0")
        return ops.emit(f"or i1 {small}, {ops.emit(f'icmp ugt i64 {offset}, {room}')}")

    def _host(self, where: Range, stride: int = 0) -> str:
        """A pointer to a range's first byte; in a partial group to where lane 0's would be."""
        ops, host = self.ops, where.host
        if not self.full and stride:
            behind = ops.emit(f"zext i32 {ops.emit(f'mul i32 {self.first}, {stride}')} to i64")
            host = ops.emit(f"sub i64 {host}, {behind}")
        return ops.emit(f"inttoptr i64 {host} to ptr")

    # --- loads ---------------------------------------------------------------------------------------

    def load(self) -> list[Value]:
        """The elements of every lane; what fits no pattern has left."""
        ops = self.ops
        if self.place.row is None:
            return self._load_constant()
        ops.misses = True
        if self.space == "shared" and self.size == 4 and self.kind.width == 32 and ops.avx512:
            return [WindowLoad(self).load()]
        one_address, done = ops.label(), ops.label()
        ranges = self.ranges(self.size, write=False, miss=one_address)
        if self.space == "global" and self.full:
            self._fetch_ahead(ranges)
        side_by_side = self._load_row(ranges)
        end = ops.block_end(done)
        ops.lines.append(f"{one_address}:")
        spread = self._load_spread(self.ranges(0, write=False, miss="miss"))
        other_end = ops.block_end(done)
        ops.lines.append(f"{done}:")
        kind = f"<32 x {self.element}>"
        return [
            ops.value(self.kind, f"phi {kind} [ {a}, %{end} ], [ {b}, %{other_end} ]")
            for a, b in zip(side_by_side, spread, strict=True)
        ]

    def _fetch_ahead(self, ranges: list[Range]) -> None:
        """Have the bytes fetched that lie as far ahead as these lie behind the last ones that the instruction has read.

        Mostly the next warp reads them.  The address is remembered behind the run's record, which other threads do not
        share: a record that they all wrote would have to travel between their caches.
        """
        ops = self.ops
        number = ops.emit(f"lshr i64 {ops.emit('ptrtoint ptr %ip to i64')}, 3")
        behind = ops.emit(f"add i64 {ops.emit(f'and i64 {number}, {8 * (AHEAD_ENTRIES - 1)}')}, {AHEAD}")
        at = ops.emit(f"getelementptr i8, ptr {ops.field('globals', 'ptr')}, i64 {behind}")
        ahead = ops.emit(f"sub i64 {ranges[0].low}, {ops.emit(f'load i64, ptr {at}')}")
        ops.lines.append(f"  store i64 {ranges[0].low}, ptr {at}")
        for one in ranges:
            pointer = ops.emit(f"inttoptr i64 {ops.emit(f'add i64 {one.host}, {ahead}')} to ptr")
            ops.call_void("llvm.prefetch.p0", [("ptr", pointer), ("i32", "0"), ("i32", "3"), ("i32", "1")])

    def _load_constant(self) -> list[Value]:
        """All lanes read one address that the record holds."""
        ops = self.ops
        low = self.place.addend
        if self.space == "param":
            bad = self._outside(low, ops.field("param_size"), str(self.size))
            host = ops.emit(f"add i64 {low}, {ops.field('params')}")
            odd = ops.emit(f"icmp ne i64 {ops.emit(f'and i64 {low}, {self.size - 1}')}, 0")
            where = Range(low, str(self.size), host, ops.emit(f"or i1 {bad}, {odd}"))
        else:
            where = self._range(low, str(self.size), write=False)
        after = ops.label()
        ops.misses = True
        ops.lines += [f"  br i1 {where.bad}, label %miss, label %{after}", f"{after}:"]
        return [Value(ops, self.kind, data) for data in self._scalars(WARP_SIZE, self._host(where))]

    def _scalars(self, lanes: int, pointer: str) -> list[str]:
        """The elements at a pointer, each in so many lanes."""
        ops, found = self.ops, []
        for number in range(self.count):
            at = ops.emit(f"getelementptr {self.element}, ptr {pointer}, i32 {number}")
            found.append(self.spread(lanes, self.element, ops.emit(f"load {self.element}, ptr {at}")))
        return found

    def _load_spread(self, ranges: list[Range]) -> list[str]:
        if not self.full:
            return self._scalars(WARP_SIZE, self._host(ranges[0]))
        return self._joined([self._scalars(HALF, self._host(one)) for one in ranges])

    def _joined(self, halves: list[list[str]]) -> list[str]:
        """Two halves of a warp as one, element by element."""
        kind, every = f"<{HALF} x {self.element}>", ", ".join(f"i32 {n}" for n in range(WARP_SIZE))
        return [
            self.ops.emit(f"shufflevector {kind} {low}, {kind} {high}, <32 x i32> <{every}>")
            for low, high in zip(*halves, strict=True)
        ]

    def _load_row(self, ranges: list[Range]) -> list[str]:
        ops, element = self.ops, self.element
        if self.full:
            return self._joined([self._split(self._host(one), HALF) for one in ranges])
        pointer = self._host(ranges[0], self.size)
        kind = f"<32 x {element}>"
        name = f"llvm.masked.load.v32{_short(element)}.p0"
        lanes = [("ptr", pointer), ("i32", "1"), ("<32 x i1>", ops.lanes.data), (kind, "zeroinitializer")]
        return [ops.intrinsic(name, kind, lanes)]

    def _split(self, pointer: str, lanes: int) -> list[str]:
        """The elements that lie at a pointer, lane after lane."""
        ops, total = self.ops, lanes * self.count
        kind = f"<{total} x {self.element}>"
        data = ops.emit(f"load {kind}, ptr {pointer}, align {self.kind.bytes}")
        if self.count == 1:
            return [data]
        found = []
        for number in range(self.count):
            picks = ", ".join(f"i32 {n}" for n in range(number, total, self.count))
            found.append(ops.emit(f"shufflevector {kind} {data}, {kind} poison, <{lanes} x i32> <{picks}>"))
        return found

    # --- stores --------------------------------------------------------------------------------------

    def store(self, values: Sequence[Value]) -> None:
        """The elements of every lane, side by side; what fits no pattern has left."""
        ops = self.ops
        ops.misses = True
        ranges = self.ranges(self.size, write=True, miss="miss")
        pointers = [self._host(one, self.size) for one in ranges]
        kind = f"<{HALF * self.count} x {self.element}>"
        if self.full:
            pieces = [self._woven(values, half) for half in range(2)]
        else:
            kind, pieces = f"<32 x {self.element}>", [values[0].data]
        self._note_change(kind, pointers, pieces)
        for pointer, data in zip(pointers, pieces, strict=True):
            if self.full:
                ops.lines.append(f"  store {kind} {data}, ptr {pointer}, align {self.kind.bytes}")
            else:
                name = f"llvm.masked.store.v32{_short(self.element)}.p0"
                given = [(kind, data), ("ptr", pointer), ("i32", "1"), ("<32 x i1>", ops.lanes.data)]
                ops.call_void(name, given)
        if self.space != "shared":
            for one in ranges:
                self._mark_dirty(one)

    def _woven(self, values: Sequence[Value], half: int) -> str:
        """The elements of half a warp in the order of memory."""
        ops, element = self.ops, self.element
        whole = f"<32 x {element}>"
        picks = ", ".join(f"i32 {n + HALF * half}" for n in range(HALF))
        parts = [
            ops.emit(f"shufflevector {whole} {value.data}, {whole} poison, <{HALF} x i32> <{picks}>")
            for value in values
        ]
        lanes = HALF
        while len(parts) > 1:  # first and third, second and fourth are joined, so that the last weaving ends in order
            step = len(parts) // 2
            weave = ", ".join(f"i32 {n // 2 + lanes * (n % 2)}" for n in range(2 * lanes))
            kind = f"<{lanes} x {element}>"
            parts = [
                ops.emit(f"shufflevector {kind} {parts[n]}, {kind} {parts[n + step]}, <{2 * lanes} x i32> <{weave}>")
                for n in range(step)
            ]
            lanes *= 2
        return parts[0]

    def _note_change(self, kind: str, pointers: list[str], pieces: list[str]) -> None:
        """Count progress if a byte changes, once a turn."""
        ops = self.ops
        at = ops.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of('progress')}")
        known = ops.emit(f"icmp ne i64 {ops.emit(f'load i64, ptr {at}')}, 0")
        compare, after = ops.label(), ops.label()
        ops.lines += [f"  br i1 {known}, label %{after}, label %{compare}", f"{compare}:"]
        lanes = WARP_SIZE if not self.full else HALF * self.count
        bits = f"<{lanes} x i{self.kind.width}>"
        changed = "false"
        for pointer, data in zip(pointers, pieces, strict=True):
            new = data if bits == kind else ops.emit(f"bitcast {kind} {data} to {bits}")
            if self.full:
                old = ops.emit(f"load {bits}, ptr {pointer}, align {self.kind.bytes}")
            else:
                name = f"llvm.masked.load.v32i{self.kind.width}.p0"
                given = [("ptr", pointer), ("i32", "1"), ("<32 x i1>", ops.lanes.data), (bits, new)]
                old = ops.intrinsic(name, bits, given)
            differs = ops.emit(f"bitcast <{lanes} x i1> {ops.emit(f'icmp ne {bits} {old}, {new}')} to i{lanes}")
            changed = ops.emit(f"or i1 {changed}, {ops.emit(f'icmp ne i{lanes} {differs}, 0')}")
        ops.lines.append(f"  store i64 {ops.emit(f'zext i1 {changed} to i64')}, ptr {at}")
        ops.lines += [f"  br label %{after}", f"{after}:"]

    def _mark_dirty(self, one: Range) -> None:
        """The pages of the first and the last byte, where they are not marked yet; a range is shorter than a page."""
        ops = self.ops
        pages = ops.global_field("dirty")
        last = ops.emit(f"add i64 {one.low}, {ops.emit(f'sub i64 {one.length}, 1')}")
        if self.space == "generic":
            device = ops.emit(f"icmp uge i64 {one.low}, {m.DEVICE_BASE}")
            spare = ops.emit_later()
            ops.rooms.append(f"  {spare} = alloca i8")
            ops.lines.append(f"  store i8 1, ptr {spare}")
        places = []
        for address in (one.low, last):
            page = ops.emit(f"add i64 {pages}, {ops.emit(f'lshr i64 {address}, {m.PAGE_SHIFT}')}")
            places.append(ops.emit(f"inttoptr i64 {page} to ptr"))
            if self.space == "generic":
                places[-1] = ops.emit(f"select i1 {device}, ptr {places[-1]}, ptr {spare}")
        known = ops.emit(f"and i8 {ops.emit(f'load i8, ptr {places[0]}')}, {ops.emit(f'load i8, ptr {places[1]}')}")
        mark, after = ops.label(), ops.label()
        ops.lines += [f"  br i1 {ops.emit(f'icmp ne i8 {known}, 0')}, label %{after}, label %{mark}", f"{mark}:"]
        ops.lines += [f"  store i8 1, ptr {at}" for at in places]
        ops.lines += [f"  br label %{after}", f"{after}:"]


def fits(ops: MachineOps, space: str, kind: ScalarType, address: Value, count: int, *, write: bool) -> Place | None:
    """The place of an address if patterns are worth a try: not in slow versions of handlers."""
    place = ops.place
    if not ops.fast or place is None or address is not place.value or kind.width > 64 or ops.in_frame:
        return None
    if place.row is None:
        return place if not write and space in ("param", *SPACES) else None
    return place if space in SPACES and (ops.whole or count == 1) else None


def _short(element: str) -> str:
    return {"float": "f32", "double": "f64"}.get(element, element)
