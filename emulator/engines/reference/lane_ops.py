"""The value operations of `Ops` on NumPy rows: everything that needs no memory and no control.

A value's `data` is a row with one element a lane.  Its dtype follows the type: u8..u64 uintN, s8..s64 intN,
predicates bool, f16 f32 f64 floatN, untyped, packed and alternate float formats uintN; b128 has shape
(lanes, 2) of uint64, low half first.  No operation writes into a row that it was given.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from emulator.engines.reference.float_ops import RELATIONS, FloatOps
from emulator.isa.ops import PRED, U32, Value
from emulator.isa.tables import table
from emulator.ptx_types import ScalarType

Row = Any
REVERSED_BYTES = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(256, 8)[:, ::-1], axis=1)[:, 0]


@cache
def dtype_of(kind: ScalarType) -> np.dtype[Any]:
    """The element type of a row; b128 rows hold two uint64 a lane."""
    if kind.kind == "p":
        return np.dtype(np.bool_)
    width = max(8, min(kind.width, 64))
    letter = {"f": "float", "s": "int"}.get(kind.kind, "uint")
    return np.dtype(f"{letter}{width}")


@cache
def unsigned_of(width: int) -> np.dtype[Any]:
    """The unsigned element type of a width."""
    return np.dtype(f"uint{width}")


@cache
def constant(kind: ScalarType, value: int | float, width: int, sign: bool) -> Row:
    """A read-only row; `sign` tells -0.0 from 0.0 among the cache's keys."""
    if kind.width == 128:
        number = int(value)
        row: Row = np.empty((width, 2), np.uint64)
        row[:] = (number & 0xFFFFFFFFFFFFFFFF, number >> 64 & 0xFFFFFFFFFFFFFFFF)
    elif kind.kind == "p":
        row = np.full(width, bool(value))
    elif kind.kind == "f":
        with np.errstate(all="ignore"):
            row = np.full(width, np.float64(value)).astype(dtype_of(kind))
    else:
        bits = int(value) & ((1 << max(8, kind.width)) - 1)
        row = np.full(width, bits, unsigned_of(max(8, kind.width))).view(dtype_of(kind))
    row.flags.writeable = False
    return row


@cache
def table_row(name: str) -> tuple[ScalarType, Row]:
    """A constant table as an array."""
    found = table(name)
    return found.type, np.array(found.values, dtype_of(found.type))


class LaneOps(FloatOps):
    """Lane values as NumPy rows.  A row may hold several warps side by side: `width` is a multiple of 32.

    carry_row: the condition code CC.CF of each lane, which whoever steps a warp may replace by the warp's own.
    """

    def __init__(self, width: int = 32) -> None:
        self.width = width
        self._constants: dict[tuple[object, ...], Row] = {}
        self._amounts: dict[int, int] = {}  # numbers of constant rows by the rows' identities, for shifts
        self.lanes = self.row(PRED, np.ones(width, np.bool_))
        self.carry_row: Row = np.zeros(width, np.bool_)
        self._lane = np.arange(width, dtype=np.uint32) % np.uint32(32)
        self._warp = np.arange(width) // 32 * 32

    # --- constants and views ---------------------------------------------------------------------

    def row(self, kind: ScalarType, data: Row) -> Value:
        """A value from an array of the type's dtype, which the value shares."""
        return Value(self, kind, data)

    def const(self, kind: ScalarType, value: int | float) -> Value:
        """The same number in every lane; a read-only row shared by all who ask for it."""
        key = (kind.name, value, str(value)) if kind.is_float else (kind.name, value)  # -0.0 == 0.0
        row = self._constants.get(key)
        if row is None:
            row = self._constants[key] = constant(kind, value, self.width, str(value)[0] == "-")
            if kind is U32:
                self._amounts[id(row)] = int(value)
        return Value(self, kind, row)

    def undefined(self, kind: ScalarType) -> Value:
        """Zeros."""
        return self.const(kind, 0)

    def cast(self, a: Value, kind: ScalarType) -> Value:
        """An integer or predicate as another integer type; predicates are made by comparisons only."""
        if a.type.is_float or kind.kind in "fp":
            raise TypeError(f"cast from {a.type} to {kind}: convert or compare instead")
        data = a.data
        if a.type.width == 128:
            data = data if kind.width == 128 else data[:, 0]
        elif kind.width == 128:
            data = np.stack((data.astype(np.uint64), np.zeros(self.width, np.uint64)), axis=1)
        return Value(self, kind, data.astype(dtype_of(kind)))

    def view(self, a: Value, kind: ScalarType) -> Value:
        """The same bits as another type of the same width."""
        if a.type.width != kind.width:
            raise TypeError(f"view of {a.type} as {kind}: the widths differ")
        return Value(self, kind, a.data.view(dtype_of(kind)))

    # --- integers --------------------------------------------------------------------------------

    def _pair(self, a: Value, b: Value) -> tuple[Row, Row]:
        if a.data.dtype != b.data.dtype or a.type.is_float:
            raise TypeError(f"an integer operation on {a.type} and {b.type}: cast or view first")
        return a.data, b.data

    def add(self, a: Value, b: Value) -> Value:
        """a + b, wrapped."""
        x, y = self._pair(a, b)
        return Value(self, a.type, x + y)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b, wrapped."""
        x, y = self._pair(a, b)
        return Value(self, a.type, x - y)

    def mul(self, a: Value, b: Value) -> Value:
        """The low half of a * b."""
        x, y = self._pair(a, b)
        return Value(self, a.type, x * y)

    def mul_high(self, a: Value, b: Value) -> Value:
        """The high half of a * b."""
        x, y = self._pair(a, b)
        if a.type.width < 64:
            wide = np.int64 if a.type.is_signed else np.uint64
            product = x.astype(wide) * y.astype(wide)
            return Value(self, a.type, (product >> wide(a.type.width)).astype(x.dtype))
        high = _mul_high_u64(x.view(np.uint64), y.view(np.uint64))
        if a.type.is_signed:
            high = high - np.where(x < 0, y, 0).view(np.uint64) - np.where(y < 0, x, 0).view(np.uint64)
        return Value(self, a.type, high.view(x.dtype))

    def _quotient(self, a: Value, b: Value) -> tuple[Row, Row, Row, Row]:
        """Magnitudes of quotient and remainder, the divisor's zeros, and the lanes with unlike signs."""
        x, y = self._pair(a, b)
        unsigned = unsigned_of(a.type.width)
        zero = y == 0
        p, q = _magnitude(x).view(unsigned), np.where(zero, 1, _magnitude(y).view(unsigned)).astype(unsigned)
        return p // q, p % q, zero, (x < 0) != (y < 0)

    def divide(self, a: Value, b: Value) -> Value:
        """a / b rounded toward zero; all ones where b is 0; INT_MIN / -1 wraps to INT_MIN."""
        quotient, _, zero, unlike = self._quotient(a, b)
        signed = np.where(unlike, -quotient, quotient)
        return Value(self, a.type, np.where(zero, ~np.zeros_like(signed), signed).view(a.data.dtype))

    def remainder(self, a: Value, b: Value) -> Value:
        """The remainder with the sign of a; all ones where b is 0."""
        _, rest, zero, _ = self._quotient(a, b)
        signed = np.where(a.data < 0, -rest, rest)
        return Value(self, a.type, np.where(zero, ~np.zeros_like(signed), signed).view(a.data.dtype))

    def and_(self, a: Value, b: Value) -> Value:
        """Bitwise and."""
        x, y = self._pair(a, b)
        return Value(self, a.type, x & y)

    def or_(self, a: Value, b: Value) -> Value:
        """Bitwise or."""
        x, y = self._pair(a, b)
        return Value(self, a.type, x | y)

    def xor(self, a: Value, b: Value) -> Value:
        """Bitwise exclusive or."""
        x, y = self._pair(a, b)
        return Value(self, a.type, x ^ y)

    def not_(self, a: Value) -> Value:
        """Bitwise complement."""
        return Value(self, a.type, ~a.data)

    def shl(self, a: Value, n: Value) -> Value:
        """a shifted left; 0 where n is the width or more."""
        known = self._amounts.get(id(n.data), a.type.width)
        if known < a.type.width:
            return Value(self, a.type, a.data << a.data.dtype.type(known))
        data, amount, beyond = self._shift(a, n)
        return Value(self, a.type, np.where(beyond, data.dtype.type(0), data << amount))

    def shr(self, a: Value, n: Value) -> Value:
        """a shifted right; all sign bits where n is the width or more."""
        known = self._amounts.get(id(n.data), a.type.width)
        if known < a.type.width:
            return Value(self, a.type, a.data >> a.data.dtype.type(known))
        data, amount, beyond = self._shift(a, n)
        sign = data.dtype.type(a.type.width - 1)
        fill = data >> sign if a.type.is_signed else data.dtype.type(0)
        return Value(self, a.type, np.where(beyond, fill, data >> amount))

    def _shift(self, a: Value, n: Value) -> tuple[Row, Row, Row]:
        """The data, an amount below the width in its dtype, and the lanes whose amount is the width or more."""
        amount = n.data.view(unsigned_of(n.type.width))
        beyond = amount >= a.type.width
        return a.data, np.where(beyond, 0, amount).astype(a.data.dtype), beyond

    def popcount(self, a: Value) -> Value:
        """The number of one bits, u32."""
        return Value(self, U32, np.bitwise_count(a.data.view(unsigned_of(a.type.width))).astype(np.uint32))

    def leading_zeros(self, a: Value) -> Value:
        """The number of zero bits above the highest one, u32."""
        bits = a.data.view(unsigned_of(a.type.width))
        step = 1
        while step < a.type.width:
            bits = bits | bits >> bits.dtype.type(step)
            step *= 2
        return Value(self, U32, np.bitwise_count(~bits).astype(np.uint32))

    def reverse_bits(self, a: Value) -> Value:
        """Bit i moves to bit width-1-i."""
        octets = np.ascontiguousarray(a.data).view(np.uint8).reshape(self.width, -1)
        turned = np.ascontiguousarray(REVERSED_BYTES[octets][:, ::-1])
        return Value(self, a.type, turned.view(a.data.dtype).reshape(self.width))

    def compare(self, relation: str, a: Value, b: Value) -> Value:
        """eq ne lt le gt ge of two integers or predicates."""
        x, y = self._pair(a, b)
        row = RELATIONS[relation](x, y)
        return Value(self, PRED, row.all(axis=1) if a.type.width == 128 and relation == "eq" else row)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """a where the predicate holds, else b."""
        if a.data.dtype != b.data.dtype:
            raise TypeError(f"a selection of {a.type} or {b.type}: cast or view first")
        where = condition.data[:, None] if a.type.width == 128 else condition.data
        return Value(self, a.type, np.where(where, a.data, b.data))

    def lookup(self, name: str, index: Value) -> Value:
        """The entry of a constant table."""
        kind, entries = table_row(name)
        return Value(self, kind, entries[index.data])

    # --- carry and warp --------------------------------------------------------------------------

    def carry(self) -> Value:
        """CC.CF."""
        return Value(self, PRED, self.carry_row.copy())

    def set_carry(self, p: Value) -> None:
        """Write CC.CF of the executing lanes."""
        np.copyto(self.carry_row, p.data, where=self.lanes.data)

    def lane(self) -> Value:
        """The lane's number."""
        return Value(self, U32, self._lane)

    def permute(self, a: Value, source: Value) -> Value:
        """In each lane the value that lane `source` of its warp holds."""
        return Value(self, a.type, a.data[self._warp + source.data])

    def ballot(self, p: Value) -> Value:
        """In every lane the u32 whose bit j is the predicate of lane j."""
        words = np.packbits(p.data.reshape(-1, 32), axis=1, bitorder="little").view("<u4").astype(np.uint32)
        return Value(self, U32, np.repeat(words, 32))


def _magnitude(x: Row) -> Row:
    """|x|, where the least integer keeps its bits."""
    return np.where(x < 0, -x, x) if x.dtype.kind == "i" else x


def _mul_high_u64(a: Row, b: Row) -> Row:
    """The high 64 bits of an unsigned product, from 32-bit halves."""
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    a1, a0, b1, b0 = a >> half, a & low, b >> half, b & low
    middle = a1 * b0 + (a0 * b0 >> half)
    other = a0 * b1 + (middle & low)
    return a1 * b1 + (middle >> half) + (other >> half)
