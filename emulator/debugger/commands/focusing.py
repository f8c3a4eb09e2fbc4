"""Commands about the focus: cuda-gdb's words."""

from __future__ import annotations

from emulator.debugger.commands.table import Run, command
from emulator.debugger.errors import DebuggerError
from emulator.debugger.focus import Focus, first_focus, parse_focus
from emulator.debugger.lines import Answer
from emulator.debugger.motor import standing_of
from emulator.debugger.panes import source
from emulator.debugger.panes.context import focus_line
from emulator.debugger.session import Session
from emulator.engines.schedule import key_of


def _data(session: Session) -> dict[str, object]:
    warp = session.require_warp()
    cta = warp.cta
    return {
        "device": cta.grid.device,
        "kernel": cta.grid.number,
        "block": str(cta.index),
        "warp": warp.index,
        "lane": session.lane,
        "thread": str(cta.thread(warp, session.lane)),
        "line": session.instruction.line,
    }


@command("focus", "where", usage="focus [block B] [warp W] [lane L] [thread T]", topic="focus", looks=True)
def focus(session: Session, text: str) -> Answer:
    """Where am I, or go to other coordinates; what is left out stays.

    (ptx) focus block (1,0,0) warp 2 lane 5
    """
    if text:
        return switch(session, text)
    line = session.instruction.line
    code = source.marked(session, line, line)
    return Answer([focus_line(session), *code], _data(session))


def switch(session: Session, text: str) -> Answer:
    """Change the focus and say so."""
    here = session.focus or first_focus(session.runner)
    if here is None:
        session.require_warp()
    assert here is not None
    found = parse_focus(text, here, session.runner)
    warp = session.timeline.warp(found.key)
    if warp is None:
        raise DebuggerError("nothing runs there")
    if found.lane + warp.first_thread >= warp.cta.grid.config.block.count:
        raise DebuggerError(f"warp {warp.index} has no lane {found.lane}: the block ends before it")
    if "lane" not in text and "thread" not in text:
        found = _active(session, found)
    session.focus = found
    line = session.instruction.line
    answer = [f"[Switching focus to {focus_line(session)}]", *source.marked(session, line, line)]
    return Answer(answer, _data(session))


def _active(session: Session, found: Focus) -> Focus:
    """A warp that was named without a lane: its lane of before if that executes, else the first that does."""
    warp = session.timeline.warp(found.key)
    standing = standing_of(warp) if warp is not None else None
    if warp is None or standing is None or standing.group >> found.lane & 1:
        return found
    return Focus(key_of(warp), (standing.group & -standing.group).bit_length() - 1)


def _coordinate(word: str, example: str) -> Run:
    def change(session: Session, text: str) -> Answer:
        if not text:
            return Answer([focus_line(session)], _data(session))
        return switch(session, f"{word} {text}")

    change.__doc__ = f"Go to another {word}; further coordinates may follow.\n\n(ptx) {word} {example}"
    return change


for _word, _example in (
    ("block", "(1,0,0) thread 3"),
    ("warp", "2 lane 5"),
    ("lane", "5"),
    ("thread", "37"),
    ("kernel", "1"),
    ("device", "1"),
):
    command(_word, usage=f"{_word} [{_word[0].upper()}] ...", topic="focus", looks=True)(_coordinate(_word, _example))


@command(
    "set step_divergent_lanes",
    usage="set step_divergent_lanes on|off",
    topic="focus",
    completer=lambda session, text: ("on", "off"),
)
def set_step_divergent_lanes(session: Session, text: str) -> Answer:
    """Whether step goes on until the lane in focus executes again.

    (ptx) set step_divergent_lanes off
    """
    if text not in ("on", "off"):
        raise DebuggerError("on or off?", text, 0, len(text))
    session.settings.step_divergent_lanes = text == "on"
    return Answer()
