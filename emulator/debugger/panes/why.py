"""Where a value came from, as a tree; why a lane is off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emulator.debugger.causes import Cause
from emulator.debugger.lines import WIDTH, Line, clip, paint
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, RegisterTarget, spoken


def tree(session: Session, cause: Cause) -> list[str]:
    """`%f4@5 = 26.0   event 2,320  line 43  add.f32 %f4, %f2, %f3`, and its inputs below it."""
    rows = list(_branch(cause, "  ", "  "))
    width = min(34, max(len(head) for head, _ in rows))
    return [clip(_line(session, f"{head:{width}}  ", one)) for head, one in rows]


def _branch(cause: Cause, head: str, below: str) -> Iterator[tuple[str, Cause]]:
    yield f"{head}{spoken(cause.target, cause.lane)} = {cause.value}", cause
    for number, one in enumerate(cause.inputs):
        last = number == len(cause.inputs) - 1
        yield from _branch(one, below + ("`- " if last else "|- "), below + ("   " if last else "|  "))


def _line(session: Session, head: str, cause: Cause) -> Line:
    write = cause.write
    if write is None:
        told = isinstance(cause.target, MemoryTarget) and cause.target.space in ("global", "param")
        first = "there before the launch" if told else "nobody wrote it"
        return paint(head, (first if cause.complete else "not written lately", "dim"))
    if write.change is not None:
        return paint(head, (f"event {write.time:,}  set by you", "changed"))
    if cause.instruction is None:
        return paint(head, f"event {write.time:,}")
    by = _by(session, cause)
    start = f"{head}event {write.time:,}  line {cause.instruction.line}  "
    return paint(start, clip(cause.instruction.text.rstrip(";"), max(12, WIDTH - len(start) - len(by))), by)


def _by(session: Session, cause: Cause) -> str:
    """Who wrote, where it is not the warp and lane in focus."""
    write = cause.write
    assert write is not None
    mine = session.focus.key if session.focus is not None else None
    if write.key == mine and (write.lane == cause.lane or isinstance(cause.target, RegisterTarget)):
        return ""
    block = f"block {write.key[1]} " if mine is None or write.key[:2] != mine[:2] else ""
    warp = f"warp {write.key[2]} " if write.key != mine else ""
    return f"  by {block}{warp}lane {write.lane}"


def to_json(cause: Cause) -> dict[str, Any]:
    """The tree as objects."""
    write = cause.write
    return {
        "what": spoken(cause.target, cause.lane),
        "value": cause.value,
        "time": write.time if write is not None else None,
        "warp": list(write.key) if write is not None else None,
        "lane": write.lane if write is not None else None,
        "line": cause.instruction.line if cause.instruction is not None else None,
        "text": cause.instruction.text if cause.instruction is not None else None,
        "edited": write is not None and write.change is not None,
        "inputs": [to_json(one) for one in cause.inputs],
    }
