"""Expressions in all 32 lanes, side by side: one column a lane, as many lines as the values need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emulator.debugger.lines import WIDTH, clip, paint
from emulator.debugger.patterns import compress, lane_cell
from emulator.debugger.values import Value
from emulator.ptx_types import WARP_SIZE

Row = tuple[str, Value, int]  # text, value, base


def grid(rows: Sequence[Row], group: int, focus: int) -> list[str]:
    """Lanes as columns in blocks of equal width; `.` for lanes that do not stand with the focus."""
    names = max(len(text) for text, _, _ in rows)
    names = min(names, 20)
    cells = {text: [lane_cell(value, n, base) for n in range(WARP_SIZE)] for text, value, base in rows}
    width = max(max(len(cell) for cell in row) for row in cells.values())
    width = max(3, width)
    columns = next(n for n in (32, 16, 8, 4, 2, 1) if n == 1 or 4 + names + n * (width + 1) <= WIDTH)
    lines: list[str] = []
    for first in range(0, WARP_SIZE, columns):
        numbers = [f"{'*' if n == focus else ''}{n}" for n in range(first, first + columns)]
        lines.append(paint((f"  {'lane':{names}} " + "".join(f" {number:>{width}}" for number in numbers), "dim")))
        for text, row in cells.items():
            parts: list[str | tuple[str, str]] = [f"  {text[:names]:{names}} "]
            for n in range(first, first + columns):
                shown = f" {row[n]:>{width}}"
                parts.append((shown, "here") if n == focus else (shown, "value" if group >> n & 1 else "dim"))
            lines.append(clip(paint(*parts)))
    if group != 0xFFFFFFFF:
        lines.append(f"  executing: {group:#010x}")
    return lines


def lines_of(rows: Sequence[Row], group: int, focus: int) -> list[str]:
    """A pattern a row where all rows have one, else the grid."""
    patterns = [(text, compress(value, group, base, 52)) for text, value, base in rows]
    if all("..." not in pattern and _is_pattern(pattern) for _, pattern in patterns):
        names = min(20, max(len(text) for text, _ in patterns))
        return [
            clip(f"  {text[:names]:{names}}  {pattern:52}  lane {focus}: {lane_cell(value, focus, base)}")
            for (text, pattern), (_, value, base) in zip(patterns, rows, strict=True)
        ]
    return grid(rows, group, focus)


def _is_pattern(text: str) -> bool:
    return text.startswith(("uniform", "{", "no lanes")) or "lane" in text


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every expression with its 32 values; null where it has none."""
    found = []
    for text, value, _ in rows:
        known = [value.data[n].tolist() if value.lanes >> n & 1 else None for n in range(WARP_SIZE)]
        found.append({"expression": text, "type": value.type.name if value.type else None, "values": known})
    return found
