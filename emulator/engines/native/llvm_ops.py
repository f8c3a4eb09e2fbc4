"""The value operations of `Ops` as LLVM text.

A value's `data` is the name (or constant) of a vector of 32 lanes: predicates <32 x i1>, integers and untyped
bits <32 x iN>, floats <32 x half|float|double>.  Every operation appends one or a few lines to `lines`.  The
text uses no fast-math flags, so LLVM keeps every rounding and never fuses.
"""

from __future__ import annotations

import struct
from abc import update_abstractmethods
from collections.abc import Sequence
from typing import Any, NoReturn

from emulator.engines.native import directed, rounding
from emulator.engines.native.control_ops import ControlOps
from emulator.engines.native.machine_ops import MachineOps
from emulator.engines.native.text import NoNativeForm, lane_type, splat, vector
from emulator.isa.ops import F64, PRED, U32, Value
from emulator.isa.tables import table
from emulator.ptx_types import TYPES, ScalarType

NAN = {16: 0x7FFF, 32: 0x7FFFFFFF, 64: 0xFFF8000000000000}
QUIET_F64 = 1 << 51


def fall_back(cls: type[MachineOps]) -> type[MachineOps]:
    """Give every operation that the class leaves open a body that says so: the reference step does its work."""
    for name in sorted(cls.__abstractmethods__):

        def missing(self: MachineOps, *arguments: Any, _name: str = name, **keywords: Any) -> NoReturn:
            raise NoNativeForm(_name)

        setattr(cls, name, missing)
    update_abstractmethods(cls)
    return cls


class LaneText(ControlOps):
    """Builds the text of one function."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.rooms: list[str] = []
        self.declarations: set[str] = set()
        self.tables: set[str] = set()
        self.count = 0  # of names so far

    # --- text ------------------------------------------------------------------------------------

    def emit(self, text: str) -> str:
        """Append `%name = text`; the name."""
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {text}")
        return name

    def value(self, kind: ScalarType, text: str) -> Value:
        """A value from the right side of an assignment."""
        return Value(self, kind, self.emit(text))

    def emit_later(self) -> str:
        """A name whose line is appended by hand."""
        self.count += 1
        return f"%v{self.count}"

    def label(self) -> str:
        """A new label's name."""
        self.count += 1
        return f"l{self.count}"

    def intrinsic(self, name: str, result: str, arguments: Sequence[tuple[str, str]]) -> str:
        """A call of an LLVM intrinsic, declared once."""
        return self.emit(self._call(name, result, arguments))

    def call_void(self, name: str, arguments: Sequence[tuple[str, str]]) -> None:
        """A call of an LLVM intrinsic without a result."""
        self.lines.append("  " + self._call(name, "void", arguments))

    def _call(self, name: str, result: str, arguments: Sequence[tuple[str, str]]) -> str:
        self.declarations.add(f"declare {result} @{name}({', '.join(kind for kind, _ in arguments)})")
        return f"call {result} @{name}({', '.join(f'{kind} {data}' for kind, data in arguments)})"

    def _type(self, a: Value) -> str:
        return vector(lane_type(a.type))

    def _binary(self, operation: str, a: Value, b: Value) -> Value:
        if lane_type(a.type) != lane_type(b.type):
            raise TypeError(f"{operation} of {a.type} and {b.type}: cast or view first")
        return self.value(a.type, f"{operation} {self._type(a)} {a.data}, {b.data}")

    # --- constants and views -----------------------------------------------------------------------

    def const(self, kind: ScalarType, value: int | float) -> Value:
        """The same number in every lane."""
        element = lane_type(kind)
        if kind.kind == "p":
            return Value(self, kind, splat("i1", "true") if value else "zeroinitializer")
        if kind.width == 16 and kind.is_float:
            return Value(self, kind, splat(element, int.from_bytes(struct.pack("<e", value), "little")))
        if kind.is_float:
            return Value(self, kind, splat(element, _float_constant(float(value), kind.width)))
        width = max(8, kind.width)
        return Value(self, kind, splat(element, int(value) & ((1 << width) - 1)))

    def undefined(self, kind: ScalarType) -> Value:
        """Zeros."""
        return self.const(kind, 0)

    def cast(self, a: Value, kind: ScalarType) -> Value:
        """An integer or predicate as another integer type."""
        if a.type.is_float or kind.kind in "fp":
            raise TypeError(f"cast from {a.type} to {kind}: convert or compare instead")
        have = 1 if a.type.kind == "p" else max(8, a.type.width)
        want = max(8, kind.width)
        if have == want:
            return Value(self, kind, a.data)
        word = "trunc" if have > want else "sext" if a.type.is_signed else "zext"
        return self.value(kind, f"{word} {self._type(a)} {a.data} to {vector(lane_type(kind))}")

    def view(self, a: Value, kind: ScalarType) -> Value:
        """The same bits as another type of the same width."""
        if a.type.width != kind.width:
            raise TypeError(f"view of {a.type} as {kind}: the widths differ")
        if lane_type(a.type) == lane_type(kind):
            return Value(self, kind, a.data)
        return self.value(kind, f"bitcast {self._type(a)} {a.data} to {vector(lane_type(kind))}")

    # --- integers ----------------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        """a + b, wrapped."""
        return self._binary("add", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b, wrapped."""
        return self._binary("sub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """The low half of a * b."""
        return self._binary("mul", a, b)

    def mul_high(self, a: Value, b: Value) -> Value:
        """The high half of a * b, over the double width."""
        width = a.type.width
        wide, word = vector(f"i{2 * width}"), "sext" if a.type.is_signed else "zext"
        x = self.emit(f"{word} {self._type(a)} {a.data} to {wide}")
        y = self.emit(f"{word} {self._type(b)} {b.data} to {wide}")
        product = self.emit(f"mul {wide} {x}, {y}")
        high = self.emit(f"lshr {wide} {product}, {splat(f'i{2 * width}', width)}")
        return self.value(a.type, f"trunc {wide} {high} to {self._type(a)}")

    def _divide(self, word: str, a: Value, b: Value, overflow: int | None) -> Value:
        """Division where no lane can trap: a zero divisor gives all ones, INT_MIN by -1 a fixed result."""
        kind, zero = self._type(a), b == 0
        safe = self.select(zero, self.const(b.type, 1), b)
        if not a.type.is_signed:
            result = self.value(a.type, f"u{word} {kind} {a.data}, {safe.data}")
        else:
            least = self.const(a.type, 1 << a.type.width - 1)
            wraps = (a == least) & (b == -1)
            safe = self.select(wraps, self.const(b.type, 1), safe)
            result = self.value(a.type, f"s{word} {kind} {a.data}, {safe.data}")
            result = self.select(wraps, least if overflow is None else self.const(a.type, overflow), result)
        return self.select(zero, self.const(a.type, -1), result)

    def divide(self, a: Value, b: Value) -> Value:
        """a / b rounded toward zero."""
        return self._divide("div", a, b, None)

    def remainder(self, a: Value, b: Value) -> Value:
        """The remainder with the sign of a."""
        return self._divide("rem", a, b, 0)

    def and_(self, a: Value, b: Value) -> Value:
        """Bitwise and."""
        return self._binary("and", a, b)

    def or_(self, a: Value, b: Value) -> Value:
        """Bitwise or."""
        return self._binary("or", a, b)

    def xor(self, a: Value, b: Value) -> Value:
        """Bitwise exclusive or."""
        return self._binary("xor", a, b)

    def not_(self, a: Value) -> Value:
        """Bitwise complement."""
        return self._binary("xor", a, self.const(a.type, 1 if a.type.kind == "p" else -1))

    def _amount(self, a: Value, n: Value) -> tuple[Value, Value]:
        """The shift amount in a's type, 0 where it is the width or more, and where that is."""
        n = self.view(n, TYPES[f"u{n.type.width}"])
        beyond = n >= a.type.width
        amount = self.cast(self.select(beyond, self.const(n.type, 0), n), TYPES[f"u{a.type.width}"])
        return amount, beyond

    def shl(self, a: Value, n: Value) -> Value:
        """a shifted left; 0 where n is the width or more."""
        amount, beyond = self._amount(a, n)
        moved = self.value(a.type, f"shl {self._type(a)} {a.data}, {amount.data}")
        return self.select(beyond, self.const(a.type, 0), moved)

    def shr(self, a: Value, n: Value) -> Value:
        """a shifted right; all sign bits where n is the width or more."""
        amount, beyond = self._amount(a, n)
        word = "ashr" if a.type.is_signed else "lshr"
        moved = self.value(a.type, f"{word} {self._type(a)} {a.data}, {amount.data}")
        fill = self.const(a.type, 0)
        if a.type.is_signed:
            top = splat(lane_type(a.type), a.type.width - 1)
            fill = self.value(a.type, f"ashr {self._type(a)} {a.data}, {top}")
        return self.select(beyond, fill, moved)

    def _bit_count(self, name: str, a: Value, *more: tuple[str, str]) -> Value:
        kind, width = self._type(a), a.type.width
        found = self.intrinsic(f"llvm.{name}.v32i{width}", kind, [(kind, a.data), *more])
        return self.cast(Value(self, TYPES[f"u{width}"], found), U32)

    def popcount(self, a: Value) -> Value:
        """The number of one bits, u32."""
        return self._bit_count("ctpop", a)

    def leading_zeros(self, a: Value) -> Value:
        """The number of zero bits above the highest one, u32."""
        return self._bit_count("ctlz", a, ("i1", "false"))

    def reverse_bits(self, a: Value) -> Value:
        """Bit i moves to bit width-1-i."""
        kind = self._type(a)
        return Value(self, a.type, self.intrinsic(f"llvm.bitreverse.v32i{a.type.width}", kind, [(kind, a.data)]))

    def compare(self, relation: str, a: Value, b: Value) -> Value:
        """eq ne lt le gt ge of two integers or predicates."""
        if lane_type(a.type) != lane_type(b.type):
            raise TypeError(f"a comparison of {a.type} and {b.type}: cast or view first")
        sign = "" if relation in ("eq", "ne") else "s" if a.type.is_signed else "u"
        return self.value(PRED, f"icmp {sign}{relation} {self._type(a)} {a.data}, {b.data}")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """a where the predicate holds, else b."""
        if lane_type(a.type) != lane_type(b.type):
            raise TypeError(f"a selection of {a.type} or {b.type}: cast or view first")
        kind = self._type(a)
        return self.value(a.type, f"select {vector('i1')} {condition.data}, {kind} {a.data}, {kind} {b.data}")

    def lookup(self, name: str, index: Value) -> Value:
        """The entry of a constant table: a gather."""
        entries = table(name)
        self.tables.add(name)
        element = lane_type(entries.type)
        size = len(entries.values)
        places = self.emit(
            f"getelementptr [{size} x {element}], ptr @table.{name}, {vector('i32')} zeroinitializer, "
            f"{self._type(index)} {index.data}"
        )
        kind, every = vector(element), splat("i1", "true")
        arguments = [(vector("ptr"), places), ("i32", "8"), (vector("i1"), every), (kind, "poison")]
        return Value(self, entries.type, self.intrinsic(f"llvm.masked.gather.v32{element}.v32p0", kind, arguments))

    # --- floats ------------------------------------------------------------------------------------

    def _canonical(self, result: Value, *operands: Value) -> Value:
        """NaN results canonical; f64 keeps the first NaN operand, made quiet.

        They are rare: what follows does not wait for the choice, only for a branch that is hardly ever taken.
        """
        kind = result.type
        if kind.width == 16:
            return self._chosen_nan(result, *operands)
        low, high = self.halves(lane_type(kind), result.data)
        either = self.emit(f"fcmp uno <16 x {lane_type(kind)}> {low}, {high}")
        some = self.emit(f"icmp ne i16 {self.emit(f'bitcast <16 x i1> {either} to i16')}, 0")
        start, rare, after = self.label(), self.label(), self.label()
        self.lines += [f"  br label %{start}", f"{start}:", f"  br i1 {some}, label %{rare}, label %{after}"]
        self.lines.append(f"{rare}:")
        mended = self._chosen_nan(result, *operands)
        end = self.block_end(after)
        self.lines.append(f"{after}:")
        return self.value(kind, f"phi {self._type(result)} [ {result.data}, %{start} ], [ {mended.data}, %{end} ]")

    def _chosen_nan(self, result: Value, *operands: Value) -> Value:
        width, kind = result.type.width, result.type
        nan = self.view(self.const(TYPES[f"u{width}"], NAN[width]), kind)
        if width == 64:
            for operand in reversed(operands):
                bits = self.view(operand, TYPES["u64"]) | QUIET_F64
                nan = self.select(self._is_nan(operand), self.view(bits, kind), nan)
        return self.select(self._is_nan(result), nan, result)

    def _canonical_like(self, result: Value, x: Value) -> Value:
        """The canonical NaN of the result's type where x is NaN."""
        width = result.type.width
        nan = self.view(self.const(TYPES[f"u{width}"], NAN[width]), result.type)
        return self.select(self._is_nan(x), nan, result)

    def _is_nan(self, a: Value) -> Value:
        if a.type.width == 16:
            a = rounding.widen(self, a)
        return self.value(PRED, f"fcmp uno {self._type(a)} {a.data}, {a.data}")

    def _short(self, kind: ScalarType, rnd: str) -> bool:
        """Whether an operation goes through f64: halves, and f32 in directed modes."""
        return kind.width == 16 or (kind.width == 32 and rnd != "rn")

    def _narrowed(self, x: Value, kind: ScalarType, rnd: str) -> Value:
        """f64 rounded once to the type; NaN is canonical."""
        return self._canonical_like(rounding.round_to(self, x, kind, rnd), x)

    def fadd(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a + b rounded once."""
        if not self._short(a.type, rnd) and rnd == "rn":
            return self._canonical(self._binary("fadd", a, b), a, b)
        total, error = rounding.exact_sum(self, rounding.widen(self, a), rounding.widen(self, b), rnd)
        if a.type is F64:
            return self._canonical(rounding.directed(self, total, error, rnd), a, b)
        return self._narrowed(rounding.to_odd(self, total, error), a.type, rnd)

    def fmul(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a * b rounded once."""
        if a.type is F64 and rnd != "rn":
            return self._canonical(directed.product(self, a, b, rnd), a, b)
        return self._product("fmul", a, b, rnd)

    def fdiv(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a / b rounded once; quotients of short floats may be rounded to f64 first."""
        if a.type is F64 and rnd != "rn":
            return self._canonical(directed.quotient(self, a, b, rnd), a, b)
        return self._product("fdiv", a, b, rnd)

    def _product(self, operation: str, a: Value, b: Value, rnd: str) -> Value:
        if self._short(a.type, rnd):
            wide = rounding.raw(self, operation, rounding.widen(self, a), rounding.widen(self, b))
            return self._narrowed(wide, a.type, rnd)
        return self._canonical(self._binary(operation, a, b), a, b)

    def fma(self, a: Value, b: Value, c: Value, rnd: str = "rn") -> Value:
        """a * b + c rounded once."""
        if self._short(a.type, rnd):
            x, y, z = (rounding.widen(self, value) for value in (a, b, c))
            total, error = rounding.exact_sum(self, rounding.raw(self, "fmul", x, y), z, rnd)
            return self._narrowed(rounding.to_odd(self, total, error), a.type, rnd)
        if rnd != "rn":
            return self._canonical(directed.fused(self, a, b, c, rnd), a, b, c)
        kind = self._type(a)
        arguments = [(kind, x.data) for x in (a, b, c)]
        result = Value(self, a.type, self.intrinsic(f"llvm.fma.v32f{a.type.width}", kind, arguments))
        return self._canonical(result, a, b, c)

    def fsqrt(self, a: Value, rnd: str = "rn") -> Value:
        """The square root rounded once; roots of short floats may be rounded to f64 first."""
        if a.type is F64 and rnd != "rn":
            return self._canonical(directed.root(self, a, rnd), a)
        short = self._short(a.type, rnd)
        x = rounding.widen(self, a) if short else a
        kind = self._type(x)
        root = Value(self, x.type, self.intrinsic(f"llvm.sqrt.v32f{x.type.width}", kind, [(kind, x.data)]))
        return self._narrowed(root, a.type, rnd) if short else self._canonical(root, a)

    def fcompare(self, relation: str, a: Value, b: Value) -> Value:
        """Ordered relations are false beside NaN, those with a u are true; num, nan."""
        word = {"num": "ord", "nan": "uno"}.get(relation)
        if word is None:
            unordered = relation.endswith("u") and len(relation) == 3
            word = f"u{relation[:-1]}" if unordered else "one" if relation == "ne" else f"o{relation}"
        if a.type.width == 16:
            a, b = rounding.widen(self, a), rounding.widen(self, b)
        return self.value(PRED, f"fcmp {word} {self._type(a)} {a.data}, {b.data}")

    def fconvert(self, a: Value, kind: ScalarType, rnd: str = "rn") -> Value:
        """A float as another, rounded once."""
        x = rounding.widen(self, a)
        return self._canonical(x) if kind is F64 else self._narrowed(x, kind, rnd)

    def fround(self, a: Value, mode: str) -> Value:
        """To an integral value."""
        name = {"rni": "rint", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}[mode]
        x = rounding.widen(self, a) if a.type.width == 16 else a
        kind = self._type(x)
        found = Value(self, x.type, self.intrinsic(f"llvm.{name}.v32f{x.type.width}", kind, [(kind, x.data)]))
        return self._narrowed(found, a.type, "rn") if a.type.width == 16 else self._canonical(found, a)

    def float_to_int(self, a: Value, kind: ScalarType) -> Value:
        """An integral float as an integer, saturated; NaN gives 0."""
        x = rounding.widen(self, a) if a.type.width == 16 else a
        name, result = "fptosi" if kind.is_signed else "fptoui", vector(f"i{kind.width}")
        intrinsic = f"llvm.{name}.sat.v32i{kind.width}.v32f{x.type.width}"
        return Value(self, kind, self.intrinsic(intrinsic, result, [(self._type(x), x.data)]))

    def int_to_float(self, a: Value, kind: ScalarType, rnd: str = "rn") -> Value:
        """An integer as a float, rounded once: the exact sum of its halves."""
        if a.type.width < 64:
            x = self._to_double(a)
            return self._canonical(x) if kind is F64 else self._narrowed(x, kind, rnd)
        high, low = self._to_double(a >> 32), self._to_double(a & 0xFFFFFFFF)
        scaled = rounding.raw(self, "fmul", high, self.const(F64, 2.0**32))
        total, error = rounding.exact_sum(self, scaled, low, rnd)
        if kind is F64:
            return rounding.directed(self, total, error, rnd)
        return self._narrowed(rounding.to_odd(self, total, error), kind, rnd)

    def _to_double(self, a: Value) -> Value:
        word = "sitofp" if a.type.is_signed else "uitofp"
        return self.value(F64, f"{word} {self._type(a)} {a.data} to {vector('double')}")


@fall_back
class LlvmOps(LaneText):
    """The whole vocabulary; operations without a native form raise NoNativeForm."""


def new_ops() -> LaneText:
    """An empty function's operations."""
    complete: Any = LlvmOps
    found: LaneText = complete()
    return found


def _float_constant(value: float, width: int) -> str:
    """A float in LLVM's exact notation: the bits of the double."""
    if width == 32:
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    return "0x" + struct.pack(">d", value).hex().upper()
