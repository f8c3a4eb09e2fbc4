"""Shared memory, each line with its first bank, and marks: touched, changed, never written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from emulator.debugger.accesses import BANKS, WORD, AccessShape
from emulator.debugger.lines import WIDTH, Line, clip, paint
from emulator.debugger.patterns import format_one
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget
from emulator.debugger.written import Marks
from emulator.machine.memory import SHARED_BASE

HEAD = 15  # signs before the first cell
FEW = 2  # lines of bytes that were never written which are shown as others are


@dataclass(frozen=True)
class Cell:
    """An element: its text, and the lane of the last access that touched it."""

    text: str
    style: str
    lane: int | None = None

    @property
    def shown(self) -> str:
        """In brackets if it was touched."""
        return f" {self.text} " if self.lane is None else f"[{self.text}]"


def shared(
    session: Session, target: MemoryTarget, access: AccessShape | None, written: Marks | None, changed: Marks
) -> list[str]:
    """Elements, four or eight a line; what the marks mean stands above."""
    cells = list(_cells(session, target, access, written, changed))
    width = max(len(cell.text) for cell in cells) + (1 if access is None else 2)
    columns = 8 if HEAD + 8 * width + (0 if access is None else 14) <= WIDTH else 4
    rows = [cells[n : n + columns] for n in range(0, len(cells), columns)]
    lines: list[str] = [*_legend(cells, access)]
    at, step = SHARED_BASE + target.low, columns * target.kind.bytes
    for blank, run in groupby(rows, key=lambda row: all(cell.text == "??" for cell in row)):
        some = list(run)
        if blank and len(some) > FEW:
            last = min(at + len(some) * step, SHARED_BASE + target.low + target.size) - 1
            lines.append(paint((f"  {at:#07x}..{last:#07x}  ", "shared"), ("never written", "dim")))
        else:
            lines += [_line(at + n * step, row, width, access is not None) for n, row in enumerate(some)]
        at += len(some) * step
    return lines


def _cells(
    session: Session, target: MemoryTarget, access: AccessShape | None, written: Marks | None, changed: Marks
) -> Iterator[Cell]:
    raw = target.bytes_of(session)
    assert raw is not None
    base, size = 16 if target.kind.kind == "b" else 10, target.kind.bytes
    touched = _touched(access) if access is not None else {}
    for n, value in enumerate(target.values(raw)):
        part = slice(n * size, (n + 1) * size)
        lane = touched.get(SHARED_BASE + target.low + n * size)
        text, style = format_one(value, base, target.kind.width, 4), "value" if lane is None else "here"
        if written is not None and not written[part].any():
            text, style = "??", "dim"
        elif changed[part].any():
            text, style = f"{text}*", "changed"
        yield Cell(text, style, lane)


def _legend(cells: list[Cell], access: AccessShape | None) -> list[Line]:
    parts = ["[v] last access"] if access is not None else []
    parts += ["v* since the last stop"] if any(cell.text.endswith("*") for cell in cells) else []
    parts += ["?? never written"] if any(cell.text == "??" for cell in cells) else []
    return [paint((f"  address bank  {'   '.join(parts)}", "dim"))] if parts else []


def _line(at: int, row: list[Cell], width: int, brackets: bool) -> str:
    head = (f"  {at:#07x}  {at // WORD % BANKS:>2}  ", "shared")
    parts = [(f"{cell.shown if brackets else cell.text:>{width}}", cell.style) for cell in row]
    lanes = [cell.lane for cell in row if cell.lane is not None]
    tail = f"  lane {lanes[0]}" if len(lanes) == 1 else f"  lanes {lanes[0]}..{lanes[-1]}" if lanes else ""
    if not tail:
        parts[-1] = parts[-1][0].rstrip(), parts[-1][1]
    return clip(paint(head, *parts, tail))


def _touched(access: AccessShape) -> dict[int, int]:
    """By byte: the first lane that accessed it."""
    found: dict[int, int] = {}
    for lane, at in access.addresses.items():
        for n in range(access.size):
            found.setdefault(at + n, lane)
    return found
