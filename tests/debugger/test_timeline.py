"""Time travel: every moment is the same, however it is reached."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from emulator.debugger import motion, timeline
from emulator.debugger.focus import Focus
from emulator.debugger.places import find_place
from emulator.debugger.session import Session
from emulator.debugger.stops import Breakpoint

Busy = Callable[..., Session]
SCHEDULES = ("round_robin", "round_robin:5", "random:3")


def state(session: Session) -> dict[str, Any]:
    """Everything that an instruction can change."""
    runner = session.runner
    found: dict[str, Any] = {"time": runner.time, "ready": [(w.cta.linear, w.index) for w in runner.ready]}
    turn = runner.turn
    found["turn"] = (turn.warp.cta.linear, turn.warp.index, turn.instructions) if turn is not None else None
    for allocation in runner.memory.allocations():
        found[allocation.name] = runner.memory.view(allocation.base, allocation.size).tobytes()
    for device in runner.devices:
        for grid in device.grids:
            for cta in grid.resident.values():
                found[f"shared {cta.linear}"] = cta.shared.tobytes()
                for warp in cta.warps:
                    rows = warp.state[: 704 + grid.program.row_bytes]
                    found[f"warp {cta.linear} {warp.index}"] = rows.tobytes(), warp.local.tobytes(), warp.executed
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_seeking_gives_the_bytes_of_a_fresh_run(busy: Busy, schedule: str) -> None:
    session = busy(schedule=schedule, grid=2)
    motion.continue_(session)
    end = session.timeline.end
    choose = random.Random(1)
    for _ in range(12):
        time = choose.randrange(end)
        motion.seek(session, time)
        fresh = busy(schedule=schedule, grid=2)
        motion.seek(fresh, time)
        assert session.runner.time == time
        assert state(session) == state(fresh)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_steps_back_and_forth_come_to_the_same_place(busy: Busy, schedule: str) -> None:
    session = busy(schedule=schedule)
    motion.step(session, 25)
    visited = []
    for _ in range(20):
        motion.step(session)
        visited.append(state(session))
    for expected in reversed(visited[:-1]):
        motion.reverse_step(session)
        assert state(session) == expected
    for expected in visited[1:]:
        motion.step(session)
        assert state(session) == expected


def test_steps_of_several_warps_are_part_of_the_history(busy: Busy) -> None:
    session = busy()
    choose = random.Random(5)
    for _ in range(60):
        assert session.focus is not None
        session.focus = Focus((*session.focus.key[:2], choose.randrange(2)), 0)
        motion.step(session)
    visited = state(session)
    time = session.runner.time
    motion.continue_(session)
    ended = state(session)
    motion.seek(session, time // 2)
    motion.seek(session, time)
    assert state(session) == visited
    motion.continue_(session)
    assert state(session) == ended


def test_another_schedule_in_the_past_begins_a_new_history(busy: Busy) -> None:
    session = busy()
    motion.continue_(session)
    end = session.timeline.end
    motion.seek(session, 20)
    motion.set_schedule(session, "random:11")
    assert session.timeline.end == 20 < end
    motion.seek(session, 90)
    expected = state(session)
    motion.continue_(session)
    motion.seek(session, 30)
    motion.seek(session, 90)
    assert state(session) == expected


def test_reverse_continue_finds_every_stop_of_continue(busy: Busy) -> None:
    session = busy()
    place = find_place("ODD", session.programs)
    session.breakpoints[1] = Breakpoint(1, place)
    times = []
    while motion.continue_(session).reason == "breakpoint":
        times.append(session.runner.time)
    assert len(times) > 4
    found = []
    while motion.reverse_continue(session).reason == "breakpoint":
        found.append(session.runner.time)
        assert session.pc in place.pcs[session.programs[0]]
    assert found == times[::-1]


def test_when_a_warp_ran_is_found_out_in_any_part_of_a_run(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "EXPLORED", 8)  # so that most of it is a search between snapshots
    session = busy(grid=3)
    session.timeline.motor.by_turns = True
    motion.continue_(session)
    searched = busy(grid=3)
    motion.continue_(searched)
    assert None in searched.timeline.index.keys
    end, keys = session.timeline.end, [(1, cta, warp) for cta in range(3) for warp in range(2)]
    chance = random.Random(2)
    for _ in range(30):
        time, key, count = chance.randrange(end + 1), chance.choice(keys), chance.choice((1, 2, 7))
        motion.seek(searched, chance.randrange(end + 1))
        expected = session.timeline.index.times_before(time, key, count)
        assert searched.timeline.times_before(time, key, count) == expected
    motion.seek(searched, end)
    for key in keys:
        assert searched.timeline.times_before(end, key, 1) == session.timeline.index.times_before(end, key, 1)


def test_finish_comes_back_from_a_call_and_reverse_finish_to_it(busy: Busy) -> None:
    session = busy()
    session.breakpoints[1] = Breakpoint(1, find_place("scramble", session.programs), temporary=True)
    motion.continue_(session)
    called = session.runner.time
    motion.finish(session)
    assert session.instruction.opcode == "bra"
    motion.seek(session, called)
    motion.reverse_finish(session)
    assert session.instruction.opcode == "call"
    assert session.runner.time == called - 1


def test_next_steps_over_a_call(busy: Busy) -> None:
    session = busy()
    motion.until(session, find_place("ROUND", session.programs))
    opcodes = []
    for _ in range(5):
        opcodes.append(session.instruction.opcode)
        motion.next_(session)
    assert opcodes == ["and.b32", "setp.ne.u32", "bra", "call", "bra"]


def test_a_step_over_a_barrier_lets_the_others_come(busy: Busy) -> None:
    session = busy()
    motion.until(session, find_place("opcode:bar.sync", session.programs))
    assert [warp.executed for warp in session.cta.warps][1] == 0
    motion.step(session)
    assert session.instruction.opcode == "atom.global.add.u32"
    other = session.cta.warps[1]
    assert other.executed > 0
    assert session.cta.grid.program.instructions[int(other.pc[0])].opcode == "atom.global.add.u32"


def test_at_the_end_the_history_can_be_walked_back(busy: Busy) -> None:
    session = busy()
    assert motion.continue_(session).reason == "end"
    motion.reverse_step(session)
    assert session.instruction.opcode == "ret"
    assert motion.step(session).reason in ("step", "end")
    assert motion.seek(session, None).reason == "end"


def test_an_interruption_stops_at_an_exact_state(busy: Busy) -> None:
    session = busy(2000)
    session.timeline.motor.interrupted = True
    assert motion.continue_(session).reason == "interrupted"
    session.timeline.motor.interrupted = False
    motion.seek(session, 5000)
    fresh = busy(2000)
    motion.seek(fresh, 5000)
    assert state(session) == state(fresh)
