"""The panes of the full-screen view: what stands in as many lines as there is room for."""

from __future__ import annotations

from emulator.debugger.focus import grids_of
from emulator.debugger.lines import clip, paint
from emulator.debugger.memory import Variable, variables_of
from emulator.debugger.panes import memory as memory_pane
from emulator.debugger.panes import registers as register_pane
from emulator.debugger.panes import source as source_pane
from emulator.debugger.panes import tables
from emulator.debugger.panes.context import focus_line, headline
from emulator.debugger.patterns import FORMATS
from emulator.debugger.session import Session
from emulator.debugger.values import row_of
from emulator.engines.schedule import key_of
from emulator.machine.warp import Warp
from emulator.program.dataflow import reads, writes
from emulator.program.operands import Register
from emulator.ptx_types import TYPES
from emulator.render import lane_bar

MOST_SHARED = 4096  # bytes of a variable that are read for one screen


def source(session: Session, height: int) -> list[str]:
    """The text around the next instruction of the focus; after the end of the run, how it ended."""
    if session.warp is None:
        return headline(session, session.stop)[:height]
    line = session.instruction.line
    last = session.warp.cta.grid.program.source.line_count
    first = max(1, min(line - height // 2, last - height + 1))
    return source_pane.marked(session, first, first + height - 1)


def lanes(session: Session, height: int) -> list[str]:
    """Who executes next, and registers over the 32 lanes: those that matter here first."""
    warp = session.warp
    if warp is None:
        return ["nothing is running here: reverse-step goes back, run starts again"]
    group = session.group
    head = paint("  lanes  ", (lane_bar(group), "here"), f"  {group.bit_count()} of 32  {group:#010x}")
    shown = _in_order(session, warp)
    return [clip(head), *register_pane.table(session, shown[: height - 1])]


def _in_order(session: Session, warp: Warp) -> list[Register]:
    """Registers of the next instruction and of the last one, those that have changed, those that have a value."""
    known = register_pane.live_registers(session)
    last = session.last.standing.instruction if session.last is not None and session.last.standing else None
    near = [place for one in (session.instruction, last) if one is not None for place in (*writes(one), *reads(one))]
    changed = [register for register, _, _ in register_pane.changed(session, session.before)]
    used = [register for register in known if row_of(warp.state, register).any()]
    offsets = {register.offset for register in known}
    return list({one.offset: one for one in (*near, *changed, *used) if one.offset in offsets}.values())


def shared(session: Session, height: int) -> list[str]:
    """The shared variables of the block, from their beginnings."""
    warp = session.warp
    if warp is None:
        return []
    found = [one for one in variables_of(session.runner, warp, session.pc).values() if one.space == "shared"]
    if not found:
        return ["this kernel has no shared memory"]
    lines: list[str] = []
    room = max(1, height // len(found))
    for one in found:
        lines += _variable(session, one)[:room]
    return lines[:height]


def _variable(session: Session, one: Variable) -> list[str]:
    """The beginning of a shared variable, bytes as words; one without a size has those that the launch gives."""
    size = one.size or session.cta.grid.config.shared
    kind = TYPES["b32"] if one.kind.name == "b8" and size % 4 == 0 else one.kind
    count = min(size, MOST_SHARED) // kind.bytes
    base = FORMATS["x"] if kind.name[0] == "b" else FORMATS["d"]
    rows = memory_pane.examine(session, "shared", int(one.address), count, kind, base) if count else None
    return rows[0] if rows is not None else [f"  {one.name}: empty"]


def warps(session: Session, height: int) -> list[str]:
    """The lanes of the warps by where they stand, from the warp in focus on where there is no room for all."""
    if session.warp is None:
        return []
    lines, rows = tables.warps(session)
    body = lines[2 : 2 + len(rows)]
    mine = next(n for n, row in enumerate(rows) if row["warp"] == session.warp.index)
    head = lines[1:2] if height > len(body) else []
    start = max(0, min(mine, len(body) - height))
    return [*head, *body[start : start + height]]


def source_title(session: Session) -> str:
    """The target, and the time."""
    timeline = session.timeline
    ahead = f" of {timeline.end:,}" if timeline.in_past else ""
    return f"{session.launched.target}   event {timeline.now:,}{ahead}"


def lanes_title(session: Session) -> str:
    """The focus."""
    return focus_line(session) if session.warp is not None else "lanes"


def shared_title(session: Session) -> str:
    """Whose shared memory this is."""
    return f"shared memory of block {session.cta.index}" if session.warp is not None else "shared memory"


def warps_title(session: Session) -> str:
    """How many warps there are, and whom the barriers wait for."""
    return tables.warps(session)[0][0] if session.warp is not None else "warps"


def other_warp(session: Session, by: int) -> str:
    """The words that bring the focus to the next or previous live warp of the kernel; none if there is no other."""
    here = session.warp
    if here is None:
        return ""
    grid = next(grid for _, grid in grids_of(session.runner) if grid is here.cta.grid)
    live = [key_of(warp) for cta in grid.resident.values() for warp in cta.warps if warp.live or warp is here]
    if len(live) < 2:
        return ""
    _, block, warp = live[(live.index(key_of(here)) + by) % len(live)]
    return f"block {block} warp {warp}"
