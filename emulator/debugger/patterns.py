"""32 values in one line: `0x40 + 4*lane`, `uniform 3`, `{0-15: 1, 16-31: 0}`; the first values where none fits."""

from __future__ import annotations

import numpy as np

from emulator.debugger.values import Row, Value
from emulator.machine.warp import ALL_LANES
from emulator.render import describe_row, lanes_of

FORMATS = {"x": 16, "d": 10, "u": 10, "f": 10, "t": 2, "b": 2, "c": 256}
DIGITS = 6


def format_one(value: object, base: int = 10, bits: int = 64, digits: int | None = DIGITS) -> str:
    """One number: base 2, 10, 16, or 256 for a character; negative numbers as bits except in base 10."""
    if isinstance(value, float | np.floating):
        if digits is None or not np.isfinite(value):
            return str(float(value))
        short = f"{float(value):.{digits}g}"
        return short if any(sign in short for sign in ".en") else f"{short}.0"
    number = int(value)  # type: ignore[call-overload]
    if base == 10:
        return str(number)
    if number < 0:
        number &= (1 << bits) - 1
    if base == 256:
        return repr(chr(number & 0xFF))
    return f"{number:#x}" if base == 16 else f"{number:#b}"


def compress(value: Value, lanes: int = ALL_LANES, base: int = 10, width: int = 60) -> str:
    """A row over some lanes in one line of at most `width` signs."""
    lanes &= value.lanes
    if not lanes:
        return "no lanes"
    if value.data.ndim > 1 and not value.is_wide:
        return _columns(value, lanes, base, width)
    if value.is_wide:
        return _wide(value, lanes, base) or _first_values(value, lanes, base, width)
    row = _as_bits(value, base)
    if base in (10, 16):
        pattern = describe_row(_readable(row), lanes, base)
        if pattern is not None and len(pattern) <= width:
            return pattern
    return _first_values(value, lanes, base, width)


def _wide(value: Value, lanes: int, base: int) -> str:
    """`0x12340000000000000000 + 2*lane` of 128-bit numbers; an empty text where they are not so."""
    numbers, places = value.numbers(), lanes_of(lanes)
    if len(places) < 3:
        return ""
    run, rise = places[1] - places[0], numbers[places[1]] - numbers[places[0]]
    first = numbers[places[0]] - rise // run * places[0]
    if rise <= 0 or first < 0 or any(numbers[n] != first + rise // run * n for n in places):
        return ""
    return f"{format_one(first, base)} + {'' if rise == run else f'{rise // run}*'}lane"


def _as_bits(value: Value, base: int) -> Row:
    """Signed integers as unsigned where they are shown as bits."""
    if base == 10 or value.data.dtype.kind != "i" or not (value.data < 0).any():
        return value.data
    return value.data.view(np.dtype(f"u{value.data.itemsize}"))


def _readable(row: Row) -> Row:
    """Predicates as numbers."""
    return row.astype(np.uint8) if row.dtype == np.bool_ else row


def _first_values(value: Value, lanes: int, base: int, width: int) -> str:
    bits, numbers = 8 * value.data.itemsize, value.numbers() if value.is_wide else value.data
    cells = [format_one(numbers[lane], base, bits) for lane in lanes_of(lanes)]
    if len(set(cells)) == 1:
        return f"uniform {cells[0]}"
    text = " ".join(cells)
    if len(text) <= width:
        return text
    last = f" ... {cells[-1]}"
    shown = cells[0]
    for cell in cells[1:-1]:
        if len(shown) + len(cell) + 1 + len(last) > width:
            break
        shown += f" {cell}"
    return shown + last


def _columns(value: Value, lanes: int, base: int, width: int) -> str:
    """Several values a lane: each as a row of its own, where they have patterns."""
    parts = [Value(np.ascontiguousarray(value.data[:, n]), value.type, value.lanes) for n in range(value.data.shape[1])]
    each = max(8, (width - 2 * len(parts)) // len(parts))
    return "[" + ", ".join(compress(part, lanes, base, each) for part in parts) + "]"


def lane_cell(value: Value, lane: int, base: int = 10, digits: int | None = DIGITS) -> str:
    """The value of one lane."""
    if not value.lanes >> lane & 1:
        return "?"
    bits = 8 * value.data.itemsize
    if value.is_wide:
        return format_one(value.numbers()[lane], base, bits)
    if value.data.ndim > 1:
        return "[" + " ".join(format_one(part, base, bits, digits) for part in value.data[lane]) + "]"
    return format_one(value.data[lane], base, bits, digits)
