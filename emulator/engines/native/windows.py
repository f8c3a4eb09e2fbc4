"""32-bit loads of shared memory whose lanes lie within 128 bytes: two vector loads and a permutation, as LLVM text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.engines.native.text import splat
from emulator.isa.ops import Value
from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.engines.native.patterns import Pattern

HALF = WARP_SIZE // 2
WINDOW = 128  # bytes of shared memory that two vector registers hold


@dataclass
class Window:
    """Where the lanes' addresses of shared memory are, counted from that of lane 0: within WINDOW bytes behind it.

    first: the register in lane 0, "" as long as nothing is known.  indices: the words of both halves.  room: the last
    word of shared memory at which lane 0's may lie.
    """

    first: str = ""
    indices: tuple[str, str] = ("", "")
    room: str = ""


class WindowLoad:
    """One load."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.ops = pattern.ops

    def load(self) -> Value:
        """The words of the lanes; what does not fit has left."""
        ops, pattern, word = self.ops, self.pattern, self.pattern.word
        if pattern.full and ops.window is not None:
            return self._load_from_lane_0(ops.window)
        raw = pattern.raw(pattern.first)
        low = ops.emit(f"and i64 {pattern.address(raw)}, {-WINDOW}")
        offset = ops.emit(f"sub i64 {low}, {ops.field('shared_origin')}")
        end = ops.emit(f"add i64 {offset}, {WINDOW - 1}")  # the offset is a multiple of the window: this cannot wrap
        outside = ops.emit(f"icmp uge i64 {end}, {ops.field('shared_size')}")
        back = ops.emit(f"sub i64 {pattern.place.addend}, {low}")
        if word == "i32":
            back = ops.emit(f"trunc i64 {back} to i32")
        kind = f"<{HALF} x {word}>"
        moved = [ops.emit(f"add {kind} {pattern.part(half)}, {pattern.spread(HALF, word, back)}") for half in range(2)]
        self._require(ops.emit(f"or i1 {outside}, {self._beyond(kind, moved)}"))
        start = ops.emit(f"getelementptr i8, ptr {ops.field('shared', 'ptr')}, i64 {offset}")
        indices = []
        for data in moved:
            narrow = data if word == "i32" else ops.emit(f"trunc {kind} {data} to <16 x i32>")
            indices.append(ops.emit(f"lshr <16 x i32> {narrow}, {splat('i32', 2)}"))
        return self._picked(start, indices)

    def _load_from_lane_0(self, window: Window) -> Value:
        """The same counted from lane 0, so that what several accesses do alike is done once."""
        ops, pattern = self.ops, self.pattern
        if not window.first:
            self._measure(window)
        offset = ops.emit(f"sub i64 {pattern.address(window.first)}, {ops.field('shared_origin')}")
        given = [("i64", offset), ("i64", offset), ("i64", "2")]
        place = ops.intrinsic("llvm.fshr.i64", "i64", given)  # the word; of a misaligned address far outside
        self._require(ops.emit(f"icmp ugt i64 {place}, {window.room}"))
        start = ops.emit(f"getelementptr i8, ptr {ops.field('shared', 'ptr')}, i64 {offset}")
        return self._picked(start, window.indices)

    def _measure(self, window: Window) -> None:
        """Where the lanes are from lane 0; a miss unless all are within the window, at multiples of four."""
        ops, pattern, word = self.ops, self.pattern, self.pattern.word
        kind = f"<{HALF} x {word}>"
        first = pattern.raw("0")
        apart = [ops.emit(f"sub {kind} {pattern.part(half)}, {pattern.spread(HALF, word, first)}") for half in range(2)]
        self._require(self._beyond(kind, apart))
        if word != "i32":
            apart = [ops.emit(f"trunc {kind} {data} to <16 x i32>") for data in apart]
        name, both = "llvm.umax.v16i32", [("<16 x i32>", data) for data in apart]
        most = ops.intrinsic(name, "<16 x i32>", both)
        last = ops.intrinsic("llvm.vector.reduce.umax.v16i32", "i32", [("<16 x i32>", most)])
        length = ops.emit(f"add i64 {ops.emit(f'zext i32 {last} to i64')}, 4")
        room = ops.emit(f"sub i64 {ops.field('shared_size')}, {length}")
        self._require(ops.emit(f"icmp slt i64 {room}, 0"))
        low, high = (ops.emit(f"lshr <16 x i32> {data}, {splat('i32', 2)}") for data in apart)
        window.first, window.indices, window.room = first, (low, high), ops.emit(f"lshr i64 {room}, 2")

    def _require(self, bad: str) -> None:
        """A miss where an i1 holds."""
        after = self.ops.label()
        self.ops.lines += [f"  br i1 {bad}, label %miss, label %{after}", f"{after}:"]

    def _picked(self, start: str, indices: Sequence[str]) -> Value:
        """For both halves the words of a window, as one vector."""
        ops, pattern = self.ops, self.pattern
        behind = ops.emit(f"getelementptr i8, ptr {start}, i64 {WINDOW // 2}")
        tables = [ops.emit(f"load <16 x i32>, ptr {at}, align 1") for at in (start, behind)]
        both = ops.from_table(tables[0], tables[1], indices)
        if pattern.element != "i32":
            both = ops.emit(f"bitcast <32 x i32> {both} to <32 x {pattern.element}>")
        return Value(ops, pattern.kind, both)

    def _beyond(self, kind: str, moved: list[str]) -> str:
        """Whether an executing lane is outside of the window or not at a multiple of four."""
        ops, pattern, outside = self.ops, self.pattern, splat(self.pattern.word, ~(WINDOW - 4))
        if pattern.full:
            both = ops.emit(f"or {kind} {moved[0]}, {moved[1]}")
            where = ops.emit(f"icmp ne {kind} {ops.emit(f'and {kind} {both}, {outside}')}, zeroinitializer")
            return ops.emit(f"icmp ne i16 {ops.emit(f'bitcast <{HALF} x i1> {where} to i16')}, 0")
        every = ", ".join(f"i32 {n}" for n in range(WARP_SIZE))
        parts = []
        for data in moved:
            parts.append(ops.emit(f"icmp ne {kind} {ops.emit(f'and {kind} {data}, {outside}')}, zeroinitializer"))
        both = ops.emit(f"shufflevector <16 x i1> {parts[0]}, <16 x i1> {parts[1]}, <32 x i32> <{every}>")
        seen = ops.emit(f"and <32 x i1> {both}, {ops.lanes.data}")
        return ops.emit(f"icmp ne i32 {ops.emit(f'bitcast <32 x i1> {seen} to i32')}, 0")
