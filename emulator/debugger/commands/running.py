"""Commands that let the machine run."""

from __future__ import annotations

from emulator.debugger import motion
from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import count_of, places
from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import Answer
from emulator.debugger.panes.context import context
from emulator.debugger.places import find_place
from emulator.debugger.session import Session
from emulator.debugger.stops import Stop


def stopped(session: Session, stop: Stop) -> Answer:
    """The answer of a motion: the context."""
    return Answer(context(session), stop.to_json(), stop)


@command("run", "r", usage="run", topic="running", looks=True)
def run(session: Session, text: str) -> Answer:
    """Launch again, with the same arguments and seed; breakpoints stay, the history does not.

    (ptx) run
    """
    return stopped(session, session.begin())


@command("step", "s", "si", "stepi", usage="step [N]", topic="running", repeat=True, looks=True)
def step(session: Session, text: str) -> Answer:
    """The focused warp executes N PTX instructions; other warps stay.

    At a barrier the others run until it falls.  While the lane in focus is off,
    stepping goes on until it executes again (set step_divergent_lanes off: no).
    (ptx) step 3
    """
    return stopped(session, motion.step(session, count_of(text)))


@command("next", "n", "ni", "nexti", usage="next [N]", topic="running", repeat=True, looks=True)
def next_(session: Session, text: str) -> Answer:
    """As step, but a call is one step.

    (ptx) next
    """
    return stopped(session, motion.next_(session, count_of(text)))


@command("step warps", "sw", "round", usage="step warps [N]", topic="running", repeat=True, looks=True)
def step_warps(session: Session, text: str) -> Answer:
    """Every warp of the block that can run executes one instruction.

    (ptx) step warps 4
    """
    session.require_warp()
    return stopped(session, motion.step_warps(session, count_of(text)))


@command("step line", "sl", usage="step line", topic="running", repeat=True, looks=True)
def step_line(session: Session, text: str) -> Answer:
    """Step until the source line of `.loc` changes.

    (ptx) step line
    """
    return stopped(session, motion.step_line(session))


@command("finish", "fin", usage="finish", topic="running", repeat=True, looks=True)
def finish(session: Session, text: str) -> Answer:
    """Run until the function of the lane in focus has returned; the other warps run too.

    (ptx) finish
    """
    return stopped(session, motion.finish(session))


@command("until", "u", usage="until [LOC]", topic="running", repeat=True, looks=True, completer=places)
def until(session: Session, text: str) -> Answer:
    """Run until the lane in focus comes to a place, or, without one, past this instruction: out of a loop.

    The other warps run too.

    (ptx) until 42
    """
    place = find_place(text, session.programs) if text else None
    return stopped(session, motion.until(session, place))


@command("advance", usage="advance LOC", topic="running", looks=True, completer=places)
def advance(session: Session, text: str) -> Answer:
    """Run until the lane in focus comes to a place; the other warps run too.

    (ptx) advance SKIP
    """
    if not text:
        raise DebuggerError("advance to where?", help="a line, a label, opcode:bar.sync, file:line")
    return stopped(session, motion.until(session, find_place(text, session.programs)))


@command("continue", "c", "fg", usage="continue [N]", topic="running", repeat=True, looks=True)
def continue_(session: Session, text: str) -> Answer:
    """Run to a breakpoint, a watchpoint, a fault or the end; N: pass the breakpoint here N - 1 times.

    (ptx) continue
    """
    count = count_of(text)
    if session.stop.number in session.breakpoints:
        session.breakpoints[session.stop.number].ignore = count - 1
    return stopped(session, motion.continue_(session))
