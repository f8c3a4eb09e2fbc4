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
    """A line for each row that has a pattern, and the others in a grid."""
    patterns = {text: compress(value, group, base, 52) for text, value, base in rows}
    names = min(20, max(len(text) for text in patterns))
    lines: list[str] = []
    for text, value, base in rows:
        if _is_pattern(patterns[text]):
            mine = lane_cell(value, focus, base)
            lines.append(clip(f"  {text[:names]:{names}}  {patterns[text]:44}  lane {focus}: {mine}".rstrip()))
    left = [row for row in rows if not _is_pattern(patterns[row[0]])]
    if len(left) == 1:
        return lines + _alone(left[0], group, focus)
    return lines + (grid(left, group, focus) if left else [])


def _alone(row: Row, group: int, focus: int) -> list[str]:
    """One row: eight lanes a line, or as many as fit."""
    text, value, base = row
    cells = [lane_cell(value, n, base) if group >> n & 1 else "." for n in range(WARP_SIZE)]
    width = max(len(cell) for cell in cells)
    name = text[:20]
    columns = next(n for n in (8, 4, 2, 1) if n == 1 or 11 + len(name) + n * (width + 1) <= WIDTH)
    lines: list[str] = []
    for first in range(0, WARP_SIZE, columns):
        head = f"  {name if first == 0 else '':{len(name)}}  {f'{first}-{first + columns - 1}':>5} "
        parts = [(f" {cells[n]:>{width}}", "here" if n == focus else "value") for n in range(first, first + columns)]
        lines.append(clip(paint(head, *parts)))
    return lines


def _is_pattern(text: str) -> bool:
    return text.startswith(("uniform", "{", "no lanes", "[uniform")) or "lane" in text


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every expression with its 32 values; null where it has none."""
    found = []
    for text, value, _ in rows:
        known = [number if value.lanes >> n & 1 else None for n, number in enumerate(value.numbers())]
        found.append({"expression": text, "type": value.type.name if value.type else None, "values": known})
    return found
