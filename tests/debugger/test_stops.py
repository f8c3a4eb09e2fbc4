"""Breakpoints: the same stops on both engines, conditions, filters, counts; cuda-gdb's rules of lanes."""

from collections.abc import Callable

import pytest

from emulator import samples
from emulator.debugger import motion
from emulator.debugger.commands import run_line
from emulator.debugger.focus import Focus
from emulator.debugger.places import find_place
from emulator.debugger.session import Session
from tests.debugger.scripted import session_of
from tests.debugger.test_timeline import state

Busy = Callable[..., Session]
PLACES = (
    "break ODD",
    "break opcode:bar.sync",
    "break JOIN warp 1",
    "break scramble if any(%t > 40)",
    "break ROUND if lane 5 && %i@0 == 1",
    "break opcode:atom block 1",
    "break opcode:ret",
    "break opcode:setp if all(%y == 1)",
)


def stops(session: Session) -> list[tuple[object, ...]]:
    """Every stop on the way to the end: when, who, where."""
    found: list[tuple[object, ...]] = []
    while (stop := motion.continue_(session)).reason == "breakpoint":
        found.append((stop.time, stop.key, stop.pc, stop.lanes, session.lane))
    assert stop.reason == "end"
    return found


@pytest.mark.parametrize("schedule", ["round_robin", "random:4"])
@pytest.mark.parametrize("line", PLACES)
def test_both_engines_stop_at_the_same_moments(busy: Busy, line: str, schedule: str) -> None:
    expected: list[object] = []
    found: list[object] = []
    for engine, into in (("reference", expected), ("native", found)):
        if engine == "native":
            pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")
        session = busy(engine=engine, schedule=schedule, grid=2)
        run_line(session, line)
        into += [*stops(session), state(session)]
    assert len(expected) > 1
    assert found == expected


def test_breakpoints_do_not_change_the_run(busy: Busy) -> None:
    plain, stopped = busy(grid=2), busy(grid=2)
    motion.continue_(plain)
    for line in PLACES:
        run_line(stopped, line)
    assert len(stops(stopped)) > 20
    assert state(stopped) == state(plain)


@pytest.mark.parametrize("most", [41, 437])
def test_the_limit_of_instructions_shows_the_warp_whose_turn_it_is(most: int) -> None:
    """On the native engine no warp may have executed on the reference engine by then."""
    session = session_of(samples.find("block_scan"), most=most)
    stop = motion.continue_(session)
    turn = session.runner.settle()
    assert stop.reason == "fault" and stop.fault is not None and turn is not None
    assert stop.key == stop.fault.warp == turn.warp.key


def test_a_breakpoint_that_is_deleted_stops_no_more(busy: Busy) -> None:
    session = busy()
    run_line(session, "break ODD")
    assert motion.continue_(session).reason == "breakpoint"
    run_line(session, "delete 1")
    assert motion.continue_(session).reason == "end"


def test_ignored_hits_are_counted(busy: Busy) -> None:
    session = busy()
    run_line(session, "break opcode:bar.sync")
    all_of_them = len(stops(session))
    session.begin()
    run_line(session, f"ignore 1 {all_of_them - 2}")
    assert len(stops(session)) == 2
    assert session.breakpoints[1].hits == 2 * all_of_them


def test_a_step_goes_on_until_the_lane_in_focus_executes(busy: Busy) -> None:
    session = busy()
    motion.until(session, find_place("opcode:bra", session.programs))
    odd, even = 1, 0
    assert session.focus is not None
    session.focus = Focus(session.focus.key, odd)
    motion.step(session)
    assert session.lane == odd
    assert session.group >> odd & 1
    assert not session.group >> even & 1
    assert session.instruction.opcode == "add.u32"
    assert session.runner.time > 12  # the even lanes have gone through their part before


def test_without_divergent_stepping_the_other_lanes_are_seen(busy: Busy) -> None:
    session = busy()
    motion.until(session, find_place("opcode:bra", session.programs))
    assert session.focus is not None
    session.focus = Focus(session.focus.key, 1)
    run_line(session, "set step_divergent_lanes off")
    time = session.runner.time
    motion.step(session)
    assert session.runner.time == time + 1


def test_step_warps_moves_every_warp_by_one(busy: Busy) -> None:
    session = busy()
    run_line(session, "step warps 5")
    assert [warp.executed for warp in session.cta.warps] == [5, 5]


def test_a_breakpoint_without_a_place_is_here(busy: Busy) -> None:
    session = busy()
    motion.step(session, 4)
    answer = run_line(session, "break")
    assert answer.lines[0] == f"Breakpoint 1 at line {session.instruction.line}"
