"""A session that breaks, steps, goes back, watches, asks why and runs to the end, on whatever was launched."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap

from emulator import System, samples
from emulator.debugger.commands import run_line
from emulator.debugger.lines import HEIGHT, WIDTH, Answer
from emulator.debugger.session import Launched, Session
from emulator.machine.warp import HEADER_BYTES
from emulator.program.dataflow import writes
from emulator.program.operands import Register

DEPTH = 60  # events into the run before anything is done


def session_of(sample: samples.Sample, most: int | None = None) -> Session:
    """A session on a sample; its verdict is that of the sample.  most: instructions of the run."""

    def start(output: Callable[[str], object]) -> Launched:
        system = System(sample.device_count, registers="virtual", max_instructions=most)
        printed: list[str] = []

        def write(text: str) -> None:
            printed.append(text)
            output(text)

        system.runner.output = write
        started = samples.start_sample(sample, system)

        def finish() -> tuple[bool, list[str]]:
            result = started.result("".join(printed))
            return result.ok, [part for line in result.lines() for part in wrap(line, WIDTH)]

        return Launched(system, sample.name, finish)

    return Session(start)


def do(session: Session, line: str) -> Answer:
    """Do a command; its answer fits the screen."""
    answer = run_line(session, line)
    assert [shown for shown in answer.lines if len(shown) > WIDTH] == [], line
    assert len(answer.lines) <= HEIGHT, line
    return answer


def result_of(session: Session) -> Register | None:
    """A register that the next instruction writes in every lane that executes it, if there is one."""
    if session.instruction.guard is not None:
        return None
    return next(iter(writes(session.instruction)), None)


def to_a_result(session: Session) -> Register:
    """Step until the next instruction writes a register."""
    while (register := result_of(session)) is None:
        do(session, "step")
    return register


def scripted(session: Session) -> None:
    """The session; leaves it at the end of the run or at its fault."""
    end = do(session, "seek end").stop
    do(session, f"seek {min(DEPTH, end.time // 2)}")
    register = to_a_result(session)
    line, lane = session.instruction.line, session.lane
    do(session, "seek start")
    stop = do(session, f"break {line}").stop
    stop = do(session, "continue").stop
    assert (stop.reason, session.instruction.line) == ("breakpoint", line)
    do(session, "delete 1")

    steps_and_back(session)
    do(session, f"watch {register.name}")
    stop = do(session, "continue").stop
    assert stop.reason in ("watch", "end", "fault")
    if stop.reason == "watch":
        watched = session.timeline.now
        why = do(session, f"why {register.name}@{changed_lane(stop.text, lane)}")
        assert any(" line " in shown for shown in why.lines), why.lines
        do(session, "reverse-step")
        assert session.timeline.now < watched
    do(session, "delete 2")
    last = do(session, "continue").stop
    assert (last.reason, last.time) == (end.reason, end.time) or end.reason == "seek"


def changed_lane(text: str, lane: int) -> int:
    """The lane that a watchpoint's text names, else the one in focus."""
    _, found, rest = text.partition(" lane ")
    return int(rest.split()[0].split("-")[0].strip(",")) if found else lane


def lanes_and_rows(session: Session) -> bytes:
    """Where the lanes of the warp in focus stand, which of them live or wait, and all registers."""
    state = session.require_warp().state
    return bytes(state[:680]) + bytes(state[HEADER_BYTES:])


def steps_and_back(session: Session) -> None:
    """Steps of a lane and as many back: the warp is as it was."""
    here, focus = session.timeline.now, session.focus
    before = lanes_and_rows(session)
    count = 0
    while count < 3 and session.warp is not None and session.focus == focus:
        do(session, "step")
        count += 1
    do(session, f"reverse-step {count}" if session.focus == focus else f"seek {here}")
    session.focus = focus  # where the warp had ended, the seek left another one in focus
    assert (session.timeline.now, lanes_and_rows(session)) == (here, before)
