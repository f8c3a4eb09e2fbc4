"""Commands about time: back, seek, when, checkpoints, the order of warps."""

from __future__ import annotations

import re

from emulator.debugger import motion
from emulator.debugger.commands.running import stopped
from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import count_of
from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import Answer
from emulator.debugger.motor import FOREVER
from emulator.debugger.session import Checkpoint, Session


@command("reverse-step", "rs", "rsi", usage="reverse-step [N]", topic="time", repeat=True, looks=True)
def reverse_step(session: Session, text: str) -> Answer:
    """Go back to before the last N instructions of the lane in focus.

    (ptx) reverse-step
    """
    return stopped(session, motion.reverse_step(session, count_of(text)))


@command("reverse-next", "rn", "rni", usage="reverse-next [N]", topic="time", repeat=True, looks=True)
def reverse_next(session: Session, text: str) -> Answer:
    """As reverse-step, but over calls.

    (ptx) reverse-next
    """
    return stopped(session, motion.reverse_next(session, count_of(text)))


@command("reverse-continue", "rc", usage="reverse-continue", topic="time", repeat=True, looks=True)
def reverse_continue(session: Session, text: str) -> Answer:
    """Go back to the last breakpoint or watchpoint that was met, or to the beginning.

    (ptx) reverse-continue
    """
    return stopped(session, motion.reverse_continue(session))


@command("reverse-finish", "rfin", usage="reverse-finish", topic="time", repeat=True, looks=True)
def reverse_finish(session: Session, text: str) -> Answer:
    """Go back to the call of this function.

    (ptx) reverse-finish
    """
    return stopped(session, motion.reverse_finish(session))


@command("when", usage="when", topic="time", looks=True)
def when(session: Session, text: str) -> Answer:
    """The time: executed warp instructions so far, and how far the history goes.

    (ptx) when
    """
    timeline = session.timeline
    ahead = (
        f" of {timeline.end:,}: the past, {timeline.end - timeline.now:,} before its end" if timeline.in_past else ""
    )
    return Answer([f"event {timeline.now:,}{ahead}"], {"time": timeline.now, "end": timeline.end})


MOMENTS = ("start", "end", "fault")


@command(
    "seek",
    "goto",
    usage="seek EVENT|start|end|fault",
    topic="time",
    looks=True,
    completer=lambda s, t: MOMENTS,
)
def seek(session: Session, text: str) -> Answer:
    """Go to an event, the beginning, the end of the run or its fault; +N and -N count from here.

    (ptx) seek 1200
    """
    word = text.replace(",", "").replace("_", "")
    if word in ("end", "fault"):
        return stopped(session, motion.seek(session, None))
    if word == "start":
        return stopped(session, motion.seek(session, 0))
    if not re.fullmatch(r"[+-]?[0-9]+", word):
        raise DebuggerError("seek to which event?", text, 0, len(text), help="a number, start, end or fault")
    time = int(word) + (session.timeline.now if word[0] in "+-" else 0)
    return stopped(session, motion.seek(session, min(max(0, time), FOREVER)))


@command("checkpoint", "cp", usage="checkpoint [NAME]", topic="time", looks=True)
def checkpoint(session: Session, text: str) -> Answer:
    """Remember this moment under a name; restart NAME comes back to it.

    (ptx) checkpoint before_loop
    """
    name = text or str(len(session.checkpoints) + 1)
    session.checkpoints[name] = Checkpoint(name, session.timeline.now, session.focus)
    session.timeline.keep()
    return Answer(
        [f"checkpoint {name} at event {session.timeline.now:,}"], {"name": name, "time": session.timeline.now}
    )


@command("restart", usage="restart NAME", topic="time", looks=True, completer=lambda session, text: session.checkpoints)
def restart(session: Session, text: str) -> Answer:
    """Go to a checkpoint.

    (ptx) restart before_loop
    """
    if text not in session.checkpoints:
        known = ", ".join(session.checkpoints) or "none, make one with checkpoint"
        raise DebuggerError(f"no checkpoint is called {text!r}", help=f"there is {known}")
    found = session.checkpoints[text]
    stop = motion.seek(session, found.time)
    if found.focus is not None and session.warp is not None:
        session.focus = found.focus
    return stopped(session, stop)


@command("info checkpoints", usage="info checkpoints", topic="time", looks=True)
def info_checkpoints(session: Session, text: str) -> Answer:
    """The checkpoints and their times.

    (ptx) info checkpoints
    """
    rows = [{"name": one.name, "time": one.time} for one in session.checkpoints.values()]
    return Answer([f"  {row['name']}  event {row['time']:,}" for row in rows] or ["no checkpoints"], rows)


@command(
    "set scheduler",
    usage="set scheduler round_robin|random[:SEED]",
    topic="time",
    completer=lambda session, text: ("round_robin", "random:"),
)
def set_scheduler(session: Session, text: str) -> Answer:
    """The order in which warps run from here on; in the past it begins a new history.

    (ptx) set scheduler random:7
    """
    name = {"rr": "round_robin"}.get(text, text.replace("random ", "random:"))
    motion.set_schedule(session, name)
    return Answer([f"from event {session.timeline.now:,} on: {session.runner.schedule.name}"])
