"""Watchpoints and seeks come to the same instructions however a kernel runs: natively up to them, or step by step."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.debugger import motion
from emulator.debugger.commands import run_line
from emulator.debugger.focus import Focus
from emulator.debugger.motor import standing_of
from emulator.debugger.session import Launched, Session
from tests.debugger.test_timeline import state
from tests.engines.random_kernels import random_kernel

WATCHES = (
    "watch %r3", "watch %r4@5", "watch %p2", "rwatch %r1", "awatch %r6@9", "watch -exact %r2@3", "watch out[7]",
    "watch fast.b32[0]", "rwatch shared[0x410:4]", "awatch mutable.b32[0]", "watch -exact local[0:8]", "rwatch out[3]",
    "catch nan", "catch diverge",
)  # fmt: skip
MOST = 15  # stops of a run
BEGIN = 20  # when the watch begins


def session_of(seed: int, engine: str) -> Session:
    code = ObjectCode.from_ptx(random_kernel(seed), name="k.ptx").get_kernel("k")

    def start(output: Callable[[str], object]) -> Launched:
        system = System(output=output, registers="virtual", engine=engine, max_instructions=3_000)
        device = system.device(0)
        out = device.array(np.zeros(256, np.uint32), name="out")
        launch(device.default_stream, LaunchConfig(2, block=64, shmem_size=64), code, out)
        return Launched(system, "k.ptx", lambda: (True, []))

    return Session(start)


def stops(session: Session, command: str) -> list[tuple[int, str, str]]:
    """Time, reason and text of every stop of `continue` after a command."""
    run_line(session, f"seek {BEGIN}")
    run_line(session, command.replace("fast.b32[0]", "shared[0x400:4]").replace("mutable.b32[0]", "mutable[0]"))
    found = []
    while len(found) < MOST:
        stop = motion.continue_(session)
        if stop.fault is not None and stop.fault.diagnostic.code == "PTX-H0402":
            break  # the limit: a turn that runs as a whole ends at a control transfer, perhaps behind it
        found.append((stop.time, stop.reason, stop.text))
        if stop.reason != "watch":
            break
    return found


def back(session: Session) -> list[int]:
    """The times of the stops of `reverse-continue` since the watch began."""
    found = []
    while len(found) < MOST and motion.reverse_continue(session).reason == "watch":
        found.append(session.runner.time)
    return [time for time in found if time > BEGIN]


def check(seed: int) -> None:
    for command in WATCHES:
        native, reference = session_of(seed, "native"), session_of(seed, "reference")
        expected = stops(reference, command)
        assert stops(native, command) == expected, (seed, command)
        before = [time for time, reason, _ in expected if reason == "watch" and time < native.timeline.now]
        assert back(native) == before[::-1], (seed, command)


@pytest.mark.parametrize("seed", range(2))
def test_watches_of_a_few_random_kernels(seed: int) -> None:
    check(seed)


@pytest.mark.parametrize("seed", range(40, 52))
def test_a_moment_is_the_same_however_it_is_reached(seed: int) -> None:
    native, reference = session_of(seed, "native"), session_of(seed, "reference")
    motion.continue_(reference)
    chance = random.Random(seed)
    for _ in range(4):
        time = chance.randrange(reference.timeline.end + 1)
        motion.seek(reference, time)
        motion.seek(native, time)
        assert state(native) == state(reference), time


def executions(session: Session, before: int, focus: Focus) -> list[int]:
    """The times before one at which a lane stood among those that executed, found by going to each."""
    found = []
    for time in session.timeline.times_before(before, focus.key, before):
        session.timeline.seek(time)
        warp = session.timeline.warp(focus.key)
        standing = standing_of(warp) if warp is not None else None
        if standing is None or standing.group >> focus.lane & 1:
            found.append(time)
    return found


@pytest.mark.parametrize("seed", range(300, 308))
def test_a_step_back_passes_over_what_other_lanes_executed(seed: int) -> None:
    session, chance = session_of(seed, "native"), random.Random(seed)
    motion.continue_(session)
    before = chance.randrange(1, min(session.timeline.end, 1000) + 1)
    focus = Focus((1, chance.randrange(2), chance.randrange(2)), chance.randrange(32))
    expected = executions(session, before, focus)
    for count in (1, 2, 5):
        motion.seek(session, before)
        session.focus = focus
        stop = motion.reverse_step(session, count)
        assert (stop.time if stop.reason != "history" else -1) == (expected[-count] if len(expected) >= count else -1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 116))
def test_watches_of_many_random_kernels(seed: int) -> None:
    check(seed)
