"""Lines with colours, and the answers of commands: what panes and commands return, and only the console prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emulator.debugger.stops import Stop

WIDTH = 80
HEIGHT = 25


class Line(str):
    """A text that knows its colours: (start, end, style) by the names of highlight.STYLES."""

    spans: tuple[tuple[int, int, str], ...] = ()


def paint(*parts: str | tuple[str, str]) -> Line:
    """A line of texts and (text, style) pairs; lines inside keep their colours."""
    text, spans = "", []
    for part in parts:
        if isinstance(part, tuple):
            spans.append((len(text), len(text) + len(part[0]), part[1]))
            text += part[0]
            continue
        if isinstance(part, Line):
            spans += [(start + len(text), end + len(text), style) for start, end, style in part.spans]
        text += part
    line = Line(text)
    line.spans = tuple(spans)
    return line


def clip(line: str, width: int = WIDTH) -> str:
    """A line cut to a width, with its colours."""
    if len(line) <= width:
        return line
    cut = Line(line[: width - 3] + "...")
    cut.spans = tuple((a, min(b, width - 3), style) for a, b, style in getattr(line, "spans", ()) if a < width - 3)
    return cut


def shorten(lines: Sequence[str], most: int = HEIGHT, hint: str = "") -> list[str]:
    """At most so many lines, the last of which says how many are left out."""
    if len(lines) <= most:
        return list(lines)
    left = len(lines) - most + 1
    return [*lines[: most - 1], f"  ... {left:,} more{': ' + hint if hint else ''}"]


@dataclass(frozen=True)
class Answer:
    """What a command gives: lines to show, the object of --json, the stop if it moved."""

    lines: Sequence[str] = ()
    data: Any = None
    stop: Stop | None = None
    quit: bool = False
