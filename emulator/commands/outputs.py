"""Arrays as text and JSON: every number can be read back to the same bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.arguments import type_name_of

Array = NDArray[Any]
WIDTH = 80


def describe(array: Array) -> str:
    """Type and shape as in a SPEC: f32[4, 256]."""
    return f"{type_name_of(array.dtype)}{list(array.shape)}"


def number_text(value: Any) -> str:
    """A number in the fewest digits that give the same bits; of a NaN its bits are told."""
    if np.asarray(value).dtype.kind in "biu":
        return str(int(value))
    if math.isnan(float(value)):
        raw = np.asarray(value).view(f"u{value.dtype.itemsize}")
        return f"nan(0x{int(raw):0{2 * value.dtype.itemsize}x})"
    return str(value)


def first_values(array: Array, width: int) -> str:
    """As many values as have room, and ... if there are more."""
    values = array.reshape(-1)
    text = ""
    for number, value in enumerate(values):
        word = number_text(value)
        more = 4 if number + 1 < len(values) else 0  # room for " ..."
        if len(text) + 1 + len(word) + more > width:
            return f"{text} ..." if text else "..."
        text += f" {word}" if text else word
    return text or "(empty)"


def table(array: Array, width: int = WIDTH) -> list[str]:
    """All values; every line begins with the index of its first value and ends with its row."""
    if array.size == 0:
        return []
    rows = array.reshape(-1, array.shape[-1] if array.ndim else 1)
    words = [[number_text(value) for value in row] for row in rows]
    cell = max(len(word) for row in words for word in row)
    places = [_index(array.shape, row, 0) for row in range(len(rows))]
    lead = max(len(_index(array.shape, len(rows) - 1, rows.shape[1] - 1)), *map(len, places)) + 4
    fitting = max(1, (width - lead + 1) // (cell + 1))
    columns = next(count for count in (32, 16, 8, 4, 2, 1) if count <= fitting)
    lines = []
    for number, row in enumerate(words):
        for first in range(0, len(row), columns):
            body = " ".join(f"{word:>{cell}}" for word in row[first : first + columns])
            lines.append(f"{_index(array.shape, number, first):>{lead - 2}}  {body}")
    return lines


def _index(shape: tuple[int, ...], row: int, column: int) -> str:
    outer = np.unravel_index(row, shape[:-1]) if len(shape) > 1 else ()
    return str([*map(int, outer), column])


def json_values(array: Array) -> Any:
    """Nested lists of numbers; infinities and NaNs, which JSON does not have, as text."""
    if array.ndim:
        return [json_values(part) for part in array]
    value = array[()]
    if array.dtype.kind in "biu":
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else number_text(value)
