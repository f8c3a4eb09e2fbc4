"""Arrays as lines of text: rows of 32 lanes, shared memory, bar charts.

Pure functions: arrays in, lines out, plain ASCII, at most 80 columns with the default arguments. A row of 32 values is
said in one line wherever it follows a pattern (`describe_row`); only otherwise it needs a grid (`lane_grid`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.ptx_types import WARP_SIZE

FULL_MASK = 0xFFFFFFFF
MOST_RUNS = 4
Row = NDArray[Any]


def format_value(value: Any, base: int = 10, digits: int | None = None) -> str:
    """One value: integers in base 10 or 16, floats in the fewest digits that give the same bits, or in `digits`."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        number = int(value)
        return f"{number:#x}" if base == 16 else str(number)
    if digits is None:
        return str(value)
    return f"{float(value):.{digits}g}"


def lanes_of(mask: int) -> list[int]:
    """The numbers of the lanes in a mask, ascending."""
    return [lane for lane in range(WARP_SIZE) if mask >> lane & 1]


def mask_of(flags: Iterable[Any]) -> int:
    """The lane mask of 32 truth values."""
    return sum(1 << lane for lane, flag in enumerate(flags) if flag)


def lane_bar(mask: int) -> str:
    """A mask as 32 signs, lane 0 first: `#` in it, `.` not."""
    return "".join("#" if mask >> lane & 1 else "." for lane in range(WARP_SIZE))


def lane_ranges(lanes: Sequence[int]) -> str:
    """Lane numbers as ranges: 0-3, 8, 10-11."""
    return ", ".join(_range(run[0], run[-1]) for run in _runs(lanes, lambda lane: 0))


def describe_row(values: Row, mask: int = FULL_MASK, base: int = 10) -> str | None:
    """The pattern of a row over the lanes of a mask, or None if it has none.

    example: uniform 3                        every lane holds 3
    example: 0x40 + 4*lane                    affine (base=16)
    example: 144*(lane/4) + 4*(lane%4)        affine in blocks of 2, 4, 8 or 16 lanes
    example: {0-15: 1, 16-31: 0}              up to four runs of equal values
    example: each 4 lanes: 0 7 6 1 5 3 4 2    equal in blocks of 4, 8 or 16 lanes; floats in four digits
    """
    lanes = lanes_of(mask)
    if not lanes:
        return "no lanes"
    row = _exact(values)
    if all(_same(row[lane], row[lanes[0]]) for lane in lanes):
        return f"uniform {format_value(values[lanes[0]], base)}"
    regular = len(lanes) > 2 and all(np.isfinite(row[lane]) for lane in lanes)
    runs = list(_runs(lanes, lambda lane: values[lane].tobytes()))
    if regular and (pattern := _affine(row, lanes, base)):
        return pattern
    if regular and len(runs) > 2 and (pattern := _blocks(row, lanes, base)):
        return pattern
    if len(runs) > MOST_RUNS:
        return _equal_blocks(values, lanes, base)
    said = (f"{_range(run[0], run[-1])}: {format_value(values[run[0]], base)}" for run in runs)
    return "{" + ", ".join(said) + "}"


def _exact(values: Row) -> list[Any]:
    """The values as Python numbers, in which sums and multiples are exact or compared exactly."""
    if values.dtype.kind in "biu":
        return [int(value) for value in values]
    return [float(value) for value in values]


def _same(x: Any, y: Any) -> bool:
    """Equal, NaN to NaN and -0.0 not to 0.0."""
    return bool(np.float64(x).tobytes() == np.float64(y).tobytes()) if isinstance(x, float) else bool(x == y)


def _runs(lanes: Sequence[int], key: Callable[[int], object]) -> Iterator[list[int]]:
    """Neighbouring lanes with equal keys, together."""
    run: list[int] = []
    for lane in lanes:
        if run and (lane != run[-1] + 1 or key(lane) != key(run[-1])):
            yield run
            run = []
        run.append(lane)
    if run:
        yield run


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _affine(row: list[Any], lanes: list[int], base: int) -> str | None:
    """start + step*lane, if that gives every lane's value exactly."""
    first, second = lanes[:2]
    step = (row[second] - row[first]) / (second - first)
    if isinstance(row[first], int):
        if (row[second] - row[first]) % (second - first):
            return None
        step = (row[second] - row[first]) // (second - first)
    start = row[first] - step * first
    if not all(_same(start + step * lane, row[lane]) for lane in lanes):
        return None
    return _sum(start, [(step, "lane")], base)


def _blocks(row: list[Any], lanes: list[int], base: int) -> str | None:
    """start + outer*(lane/w) + inner*(lane%w) over a whole warp, for a block width w."""
    if len(lanes) < WARP_SIZE:
        return None
    for width in (2, 4, 8, 16):
        inner, outer = row[1] - row[0], row[width] - row[0]
        if all(_same(row[0] + outer * (lane // width) + inner * (lane % width), row[lane]) for lane in lanes):
            return _sum(row[0], [(outer, f"(lane/{width})"), (inner, f"(lane%{width})")], base)
    return None


def _equal_blocks(values: Row, lanes: list[int], base: int) -> str | None:
    """One value for each block of 4, 8 or 16 lanes of a whole warp."""
    for width in (16, 8, 4):
        blocks = values.reshape(-1, width)
        if len(lanes) == WARP_SIZE and all(len({value.tobytes() for value in block}) == 1 for block in blocks):
            return f"each {width} lanes: " + " ".join(format_value(block[0], base, 4) for block in blocks)
    return None


def _sum(start: Any, terms: list[tuple[Any, str]], base: int) -> str:
    """`0x40 + 4*lane`: without zeros, without ones in front of a name."""
    parts = [(start, format_value(abs(start), base))] if start else []
    parts += [(factor, _product(abs(factor), name)) for factor, name in terms if factor]
    text = ("-" if parts[0][0] < 0 else "") + parts[0][1]
    for factor, part in parts[1:]:
        text += (" - " if factor < 0 else " + ") + part
    return text


def _product(factor: Any, name: str) -> str:
    """A factor and a name; one alone needs no brackets: lane/4, but 144*(lane/4)."""
    return name.strip("()") if factor == 1 else f"{format_value(factor)}*{name}"


def lane_grid(
    values: Row, mask: int = FULL_MASK, changed: int = 0, base: int = 10, digits: int = 4, width: int = 80
) -> list[str]:
    """All 32 values, 8 a line or as many as fit: `.` for lanes outside the mask, `*` after a value that changed."""
    cells = [format_value(values[lane], base, digits) if mask >> lane & 1 else "." for lane in range(WARP_SIZE)]
    if changed:
        cells = [cell + ("*" if changed >> lane & 1 else " ") for lane, cell in enumerate(cells)]
    cell_width = max(len(cell) for cell in cells)
    columns = next(count for count in (8, 4, 2, 1) if count == 1 or 8 + count * (cell_width + 1) <= width + 1)
    lines = []
    for first in range(0, WARP_SIZE, columns):
        body = " ".join(f"{cell:>{cell_width}}" for cell in cells[first : first + columns])
        lines.append(f"{_range(first, first + columns - 1):>6}  {body}".rstrip())
    return lines


def memory_grid(
    words: Row, address: int = 0, columns: int = 8, pitch: int | None = None, base: int = 16, digits: int = 4
) -> list[str]:
    """Memory as rows of `pitch` words (default: `columns`) of which the first `columns` are shown.

    Each line begins with its address; lines that repeat the one above are replaced by one `*`, as hexdump does.
    """
    pitch = pitch or columns
    cells = [format_value(word, base, digits) for word in words]
    width = max((len(cell) for cell in cells), default=1)
    lines: list[str] = []
    previous = None
    for first in range(0, len(cells), pitch):
        row = cells[first : first + min(columns, pitch)]
        hidden = min(len(cells) - first, pitch) - len(row)
        body = " ".join(f"{cell:>{width}}" for cell in row) + (f"  ... {hidden} more" if hidden > 0 else "")
        if body != previous:
            lines.append(f"{address + first * words.itemsize:#06x}  {body}")
        elif lines[-1] != "     *":
            lines.append("     *")
        previous = body
    return lines


def bar_chart(labels: Sequence[str], counts: Sequence[int], width: int = 40) -> list[str]:
    """One bar a label, the longest `width` signs long; a count that is not zero shows at least one sign."""
    most = max((*counts, 1))
    label_width = max((len(label) for label in labels), default=0)
    count_width = len(str(most))
    lines = []
    for label, count in zip(labels, counts, strict=True):
        bar = "#" * (max(1, round(count * width / most)) if count else 0)
        lines.append(f"{label:>{label_width}}  {count:>{count_width}}  {bar}".rstrip())
    return lines


def digit_row(counts: Iterable[int]) -> str:
    """Small counts, one sign each: `.` for 0, 1 to 9, `+` for more."""
    return "".join("." if count == 0 else str(count) if count < 10 else "+" for count in counts)
