"""Watchpoints and searches for writers find what instruction by instruction would."""

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.debugger import motion
from emulator.debugger.catches import executed_lanes
from emulator.debugger.causes import trace
from emulator.debugger.commands import run_line
from emulator.debugger.focus import Focus
from emulator.debugger.motor import Standing
from emulator.debugger.session import Launched, Session
from emulator.debugger.targets import RegisterTarget, copied, target_of
from emulator.debugger.writers import written_by
from emulator.engines.schedule import key_of

Busy = Callable[..., Session]
SCHEDULES = ("round_robin", "round_robin:5", "random:3")


def steps(session: Session) -> Iterator[tuple[int, Standing, int]]:
    """Every instruction of a run: its time, who stands at it, the lanes that execute it."""
    motor = session.timeline.motor
    while True:
        standing = motor.next()
        if standing is None:
            return
        yield session.runner.time, standing, executed_lanes(standing)
        session.runner.step()


def changes(session: Session, text: str) -> list[int]:
    """The times after which a value is another one, found by looking after every instruction."""
    target = target_of(session, text)
    found: list[int] = []
    old = copied(target.bytes_of(session))
    assert old is not None
    while session.runner.step() is not None:
        now = target.bytes_of(session)
        if now is not None and target.changed(old, now):
            found.append(session.runner.time)
        old = old if now is None else now.copy()
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("text", ["out[0]", "box[3]", "box[40]", "%x@3"])
def test_a_watch_stops_at_every_change(busy: Busy, schedule: str, text: str) -> None:
    expected = changes(busy(schedule=schedule), text)
    session = busy(schedule=schedule)
    run_line(session, f"watch {text}")
    found = []
    while motion.continue_(session).reason == "watch":
        found.append(session.runner.time)
    assert found == expected
    back = []
    while motion.reverse_continue(session).reason == "watch":
        back.append(session.runner.time)
    assert back == expected[::-1]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_exact_watch_stops_at_every_write(busy: Busy, schedule: str) -> None:
    writers = [time + 1 for time, one, lanes in steps(busy(schedule=schedule)) if _writes_box_3(one, lanes)]
    session = busy(schedule=schedule)
    run_line(session, "watch -exact box[3]")
    found = []
    while motion.continue_(session).reason == "watch":
        found.append(session.runner.time)
    assert found == writers


def _writes_box_3(standing: Standing, lanes: int) -> bool:
    return standing.instruction.opcode.startswith("st.shared") and standing.warp.index == 0 and bool(lanes >> 3 & 1)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_why_names_the_last_writer_and_changes_nothing(busy: Busy, schedule: str) -> None:
    run = busy(schedule=schedule)
    offset = {r.name: r.offset for f in run.programs[0].functions.values() for r in f.registers}["%y"]
    writes = [
        time
        for time, one, lanes in steps(run)
        if lanes >> 9 & 1
        and key_of(one.warp) == (1, 0, 1)
        and offset in {r.offset for r in written_by(run.programs[0], one.instruction)}
    ]
    session = busy(schedule=schedule)
    end = run.runner.time
    choose = random.Random(5)
    for _ in range(6):
        motion.seek(session, choose.randrange(end - 20))
        session.focus = Focus((1, 0, 1), 9)
        before = session.runner.time, session.require_warp().state.tobytes(), session.cta.shared.tobytes()
        target = target_of(session, "%y@9")
        assert isinstance(target, RegisterTarget)
        write = trace(session, target, 9, 1).write
        latest = [time for time in writes if time < session.runner.time]
        assert (write.time if write is not None else None) == (latest[-1] if latest else None)
        assert before == (session.runner.time, session.require_warp().state.tobytes(), session.cta.shared.tobytes())


SEVERAL_PLACES = """
.visible .entry several(.param .u64 all)
{
    .shared .align 16 .b32 area[64]; .shared .align 8 .b64 bar;
    .reg .b64 %all, %at; .reg .b32 %t, %i; .reg .b128 %q; .reg .pred %first, %more;
    ld.param.u64 %all, [all]; mov.u32 %t, %tid.x; mov.u32 %i, 0; setp.eq.u32 %first, %t, 0;
@%first mbarrier.init.shared.b64 [bar], 1;
    bar.sync 0;
    mov.u64 %at, area; mad.wide.u32 %at, %t, 4, %at;
ROUND:
    st.async.shared::cta.mbarrier::complete_tx::bytes.u32 [%at], %i, [bar];
    multimem.red.add.u32 [%all+4], %i;
    red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [area+12], 1, [bar];
    atom.shared.exch.b128 %q, [area], %q;
    multimem.st.u32 [%all], %i;
    add.u32 %i, %i, 1; setp.lt.u32 %more, %i, 4;
@%more bra ROUND;
    ret;
}
"""


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("text", ["second[0]", "second[1]", "area[3]"])
def test_a_watch_sees_each_of_several_places(schedule: str, text: str) -> None:
    """Memory of the second device behind a multimem address, what asynchronous stores and 16 bytes reach."""

    def opened() -> Session:
        def start(output: Callable[[str], object]) -> Launched:
            system = System(2, output=output, registers="virtual", schedule=schedule)
            multicast = system.multicast(2, np.uint32)
            multicast.bind(system.device(1).zeros(2, np.uint32, name="second"))
            kernel = ObjectCode.from_ptx(f".version 8.6\n.target sm_90a\n.address_size 64\n{SEVERAL_PLACES}".encode())
            launch(system.device(0).default_stream, LaunchConfig(1, block=64), kernel.get_kernel("several"), multicast)
            return Launched(system, "k.ptx", lambda: (True, []))

        return Session(start)

    expected, session = changes(opened(), text), opened()
    run_line(session, f"watch {text}")
    found = []
    while motion.continue_(session).reason == "watch":
        found.append(session.runner.time)
    assert found == expected and len(found) > 2
