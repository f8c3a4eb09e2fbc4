"""`info ...`: the tables."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import number_of, registers
from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import Answer, shorten
from emulator.debugger.panes import frames, tables
from emulator.debugger.panes import registers as register_pane
from emulator.debugger.session import Session

Table = Callable[[Session], tuple[list[str], Any]]


@command(
    "info registers",
    "info regs",
    "info r",
    usage="info regs [GLOB...] [changed|pred] [lane N]",
    topic="looking",
    looks=True,
    completer=registers,
)
def info_registers(session: Session, text: str) -> Answer:
    """Registers of the function in focus as patterns over the lanes; changed: since the last stop, with old values.

    (ptx) info regs %r* lane 5
    (ptx) info regs changed
    """
    session.require_warp()
    words = text.split()
    lane = None
    if "lane" in words:
        at = words.index("lane")
        lane = number_of(words[at + 1] if at + 1 < len(words) else "", "the lane")
        if lane > 31:
            raise DebuggerError("a warp has 32 lanes, 0 to 31")
        del words[at : at + 2]
    if words == ["changed"]:
        rows = register_pane.changed(session, session.before)
        data = register_pane.to_json(session, [register for register, _, _ in rows])
        lines = register_pane.changed_lines(session, session.before, 23)
        since = f"  since event {session.before.time:,}" if session.before is not None else ""
        return Answer([since, *lines] if lines else ["no register has changed"], data)
    globs = [word for word in words if word not in ("pred", "all")]
    for glob in globs:
        if not register_pane.live_registers(session, [glob]):
            raise DebuggerError(f"no register here is called {glob}", help=_near(session, glob))
    found = register_pane.live_registers(session, globs)
    if "pred" in words:
        found = [register for register in found if register.type.kind == "p"]
    if not found:
        raise DebuggerError("no such register")
    lines = register_pane.table(session, found, lane)
    return Answer(shorten(lines, 25, "info regs %r1* shows some"), register_pane.to_json(session, found))


def _near(session: Session, glob: str) -> str:
    """The names that are most like a pattern; else the first ones that there are."""
    names = [register.name for register in register_pane.live_registers(session)]
    stems = {name.lstrip("%"): name for name in names}
    close = difflib.get_close_matches(glob.strip("%*?[]"), stems, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(stems[one] for one in close)}?"
    return f"there is {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else ""


@command("backtrace", "bt", usage="backtrace", topic="looking", looks=True)
def backtrace(session: Session, text: str) -> Answer:
    """The calls that the lane in focus has come through, the last one first.

    (ptx) backtrace
    """
    lines, rows = frames.backtrace(session)
    return Answer(shorten(lines), rows)


@command("info warps", "info w", usage="info warps [all]", topic="looking", looks=True)
def info_warps(session: Session, text: str) -> Answer:
    """The warps of the block: where their lanes stand, and what they wait for.  all: of all blocks.

    (ptx) info warps
    """
    lines, rows = tables.warps(session, text == "all")
    return Answer(shorten(lines), rows)


def _table(name: str, aliases: tuple[str, ...], help: str, make: Table) -> None:
    def show(session: Session, text: str) -> Answer:
        lines, rows = make(session)
        return Answer(shorten(lines), rows)

    show.__doc__ = f"{help}\n\n(ptx) info {name}"
    command(f"info {name}", *aliases, usage=f"info {name}", topic="looking", looks=True)(show)


for _name, _aliases, _help, _make in (
    ("lanes", (), "The lanes of the focused warp: active, parked, waiting or exited, and where.", tables.lanes),
    ("blocks", (), "The blocks of the focused kernel, by state.", tables.blocks),
    ("kernels", ("info grids",), "The launches that run or wait.", tables.kernels),
    ("devices", (), "The emulated devices.", tables.devices),
    (
        "barriers",
        (),
        "Barriers of the block that are in use, and meetings of lanes: who is there, who is not.",
        tables.barriers,
    ),
    ("buffers", (), "Global and constant memory by name.", tables.buffers),
    ("params", ("info args",), "The parameters of the kernel and what they were given.", tables.params),
):
    _table(_name, _aliases, _help, _make)
