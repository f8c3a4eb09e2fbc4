"""Memory as rows of numbers, with the name of what lies there."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulator.debugger.lines import paint
from emulator.debugger.memory import read_space, variables_of
from emulator.debugger.patterns import format_one
from emulator.debugger.session import Session
from emulator.debugger.values import reinterpret
from emulator.ptx_types import ScalarType


def examine(
    session: Session, space: str, address: int, count: int, kind: ScalarType, base: int
) -> tuple[list[str], list[Any]] | None:
    """`x`: count elements of a type from an address on; None if they are not all inside."""
    raw = read_space(session.runner, session.warp, space, address, count * kind.bytes, session.lane)
    if raw is None:
        return None
    bits = np.ascontiguousarray(raw).view(np.dtype(f"u{kind.bytes}"))
    values = reinterpret(bits, kind)
    cells = [format_one(value, base, kind.width) for value in values]
    width = max(len(cell) for cell in cells)
    columns = next(n for n in (16, 8, 4, 2, 1) if n == 1 or 26 + n * (width + 1) <= 80)
    lines: list[str] = []
    for first in range(0, count, columns):
        at = address + first * kind.bytes
        name = name_of(session, space, at)
        head = f"{space}:{at:#x}" if not name else f"{at:#x} {name}"
        body = " ".join(f"{cell:>{width}}" for cell in cells[first : first + columns])
        lines.append(paint((f"  {head:24}", space), f" {body}"))
    return lines, values.tolist()


def name_of(session: Session, space: str, address: int) -> str:
    """`<out+8>`: the variable at an address, or an empty text."""
    pc = session.pc if session.warp is not None else 0
    for variable in variables_of(session.runner, session.warp, pc).values():
        if np.ndim(variable.address) or not _same_memory(variable.space, space):
            continue
        offset = address - int(variable.address)
        if 0 <= offset < variable.size:
            return f"<{variable.name}+{offset}>" if offset else f"<{variable.name}>"
    return ""


def _same_memory(one: str, other: str) -> bool:
    flat = ("global", "const", "generic")
    return one == other or (one in flat and other in flat)
