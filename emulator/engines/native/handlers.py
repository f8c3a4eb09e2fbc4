"""One native function per instruction variant, over rows of a warp's registers.

A handler has the form `i32 h(ptr ip, ptr regs, ptr ctx, i32 mask)`.  `ip` is the instruction's record, 64 bytes:

    offset  size  field
         0     8  handler when all lanes of the warp execute
         8     8  handler when only the lanes of `mask` do
        16    24  6 x s32: byte offsets of the operands' rows, results first
        40     4  pc
        44     4  byte offset of the guard's row
        48     8  constant, or the address of a table of row offsets when there are more than six
        56     8  record of the branch target

and ends with a tail call of the next record's handler, so that a straight run of instructions never returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.engines.native.llvm_ops import LlvmOps, lane_type, splat, vector
from emulator.isa.ops import PRED, Value
from emulator.isa.registry import Variant
from emulator.isa.tables import table
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType, bits_type

RECORD_BYTES = 64
INLINE_OPERANDS = 6
MODES = ("full", "part", "guard", "unless")
PARAMETERS = "ptr noalias %ip, ptr noalias %regs, ptr noalias %ctx, i32 %mask"
ARGUMENTS = "ptr noalias %next, ptr noalias %regs, ptr noalias %ctx, i32 %mask"


@dataclass(frozen=True, slots=True)
class Shape:
    """How one operand lies in the registers.

    type: as the instruction sees it.  widths: bits of each register it is made of.  form: "one" register,
    "packed" (several make up one value), "elements" (a vector of values), "sink".
    """

    type: ScalarType
    widths: tuple[int, ...]
    form: str = "one"


@dataclass(frozen=True, slots=True)
class HandlerKey:
    """What decides a handler's code."""

    opcode: str
    line: str
    results: tuple[Shape | None, ...]
    sources: tuple[Shape, ...]


def row_type(width: int) -> ScalarType:
    """The untyped type of a register row; predicates are 8 bits in memory."""
    return TYPES["b8"] if width == 1 else bits_type(width)


class HandlerText:
    """Builds the text of one handler in one mode."""

    def __init__(self, variant: Variant, key: HandlerKey, mode: str) -> None:
        self.variant = variant
        self.key = key
        self.mode = mode
        self.ops = LlvmOps()
        self._rows = sum(len(shape.widths) for shape in (*key.results, *key.sources) if shape is not None)

    def build(self, name: str) -> str:
        """The function's text; NoNativeForm if the meaning needs what is not there."""
        ops, key = self.ops, self.key
        numbers = iter(range(self._rows))
        places = [self._places(shape, numbers) for shape in key.results]
        self._bind_lanes()
        sources = [self._source(shape, self._places(shape, numbers)) for shape in key.sources]
        results = self.variant.entry.meaning(ops, self.variant, *sources)
        self._write_results(results, places)
        ops.lines.append(f"  %next = getelementptr i8, ptr %ip, i64 {RECORD_BYTES}")
        field = "%next" if self.mode == "full" else ops.emit("getelementptr i8, ptr %next, i64 8")
        following = ops.emit(f"load ptr, ptr {field}, align 8")
        ops.lines.append(f"  %status = musttail call i32 {following}({ARGUMENTS})")
        ops.lines.append("  ret i32 %status")
        body = "\n".join(ops.lines)
        return f"define i32 @{name}({PARAMETERS}) #0 {{\n{body}\n}}\n"

    def _bind_lanes(self) -> None:
        ops = self.ops
        if self.mode == "full":
            ops.lanes = ops.const(PRED, 1)
            return
        mask = Value(ops, PRED, ops.emit(f"bitcast i32 %mask to {vector('i1')}"))
        if self.mode == "part":
            ops.lanes = mask
            return
        at = ops.emit("getelementptr i8, ptr %ip, i64 44")
        guard = self._load(1, self._row(ops.emit(f"load i32, ptr {at}, align 4")))
        holds = ops.view(guard, PRED) if guard.type is PRED else guard != 0
        ops.lanes = mask & (~holds if self.mode == "unless" else holds)

    # --- rows --------------------------------------------------------------------------------------

    def _offset(self, number: int) -> str:
        """The row offset of operand register `number`."""
        ops = self.ops
        if self._rows <= INLINE_OPERANDS:
            at = ops.emit(f"getelementptr i8, ptr %ip, i64 {16 + 4 * number}")
        else:
            side = ops.emit("getelementptr i8, ptr %ip, i64 48")
            base = ops.emit(f"load ptr, ptr {side}, align 8")
            at = ops.emit(f"getelementptr i8, ptr {base}, i64 {4 * number}")
        return ops.emit(f"load i32, ptr {at}, align 4")

    def _row(self, offset: str) -> str:
        return self.ops.emit(f"getelementptr i8, ptr %regs, i32 {offset}")

    def _places(self, shape: Shape | None, numbers: Iterator[int]) -> list[str]:
        if shape is None or shape.form == "sink":
            return []
        return [self._row(self._offset(next(numbers))) for _ in shape.widths]

    def _load(self, width: int, place: str) -> Value:
        """A register's row as untyped bits, or a predicate."""
        kind = row_type(width)
        found = self.ops.value(kind, f"load {vector(lane_type(kind))}, ptr {place}, align 32")
        return found != 0 if width == 1 else found

    def _source(self, shape: Shape, places: Sequence[str]) -> Any:
        loaded = [self._load(width, place) for width, place in zip(shape.widths, places, strict=True)]
        if shape.form == "elements":
            return [self._seen(value, shape.type) for value in loaded]
        if shape.form == "packed":
            return self._seen(self._pack(loaded, shape.type.width), shape.type)
        return self._seen(loaded[0], shape.type)

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
                    self._store(self._extended(value, shape.type, width), width, place)
            elif shape.form == "packed":
                self._unpack(result, shape, at)
            else:
                self._store(self._extended(result, shape.type, shape.widths[0]), shape.widths[0], at[0])

    def _unpack(self, result: Value, shape: Shape, places: list[str]) -> None:
        ops, whole = self.ops, bits_type(shape.type.width)
        bits, at = ops.view(result, whole), 0
        for width, place in zip(shape.widths, places, strict=True):
            places_down = splat(lane_type(whole), at)
            moved = ops.value(whole, f"lshr {vector(lane_type(whole))} {bits.data}, {places_down}")
            self._store(ops.cast(moved, row_type(width)), width, place)
            at += width

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


def module_text(functions: Sequence[tuple[str, Variant, HandlerKey, str]]) -> str:
    """One LLVM module with several handlers: (name, variant, key, mode) each; NoNativeForm if any has none."""
    bodies, declarations, tables = [], set(), set()
    for name, variant, key, mode in functions:
        text = HandlerText(variant, key, mode)
        bodies.append(text.build(name))
        declarations |= text.ops.declarations
        tables |= text.ops.tables
    constants = [_table_text(name) for name in sorted(tables)]
    return "\n".join([*constants, *sorted(declarations), *bodies, "attributes #0 = { nounwind }\n"])


def _table_text(name: str) -> str:
    entries = table(name)
    element = lane_type(entries.type)
    values = ", ".join(f"{element} {value}" for value in entries.values)
    return f"@table.{name} = internal constant [{len(entries.values)} x {element}] [{values}]"


__all__ = ["MODES", "RECORD_BYTES", "WARP_SIZE", "HandlerKey", "HandlerText", "Shape", "module_text"]
