"""Motion over whole warps, with the rules of cuda-gdb: forwards, and back.

`step` moves the focused warp alone.  At a barrier the other warps run until it falls.  While the lane in focus is off,
stepping goes on until it executes again (step_divergent_lanes); when it has exited, the focus moves to another lane.
In the past every motion follows the history.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from emulator.debugger.errors import DebuggerError
from emulator.debugger.focus import Focus, first_focus
from emulator.debugger.motor import Halted, Places, Standing, standing_of
from emulator.debugger.places import Place
from emulator.debugger.recording import record
from emulator.debugger.session import Session
from emulator.debugger.stops import Stop
from emulator.debugger.timeline import Reschedule
from emulator.debugger.writers import program_of
from emulator.engines.schedule import key_of, schedule_of
from emulator.machine.warp import Warp, lanes_of
from emulator.program import Program

REACHED = Halted("time")
WAKING = ("bar", "barrier", "exit", "ret", "trap")
WINDOW = 2048  # instructions that a search backwards looks through at a time, at first


def step(session: Session, count: int = 1) -> Stop:
    """The focused warp executes instructions."""
    return _times(session, count, lambda: _step_once(session))


def next_(session: Session, count: int = 1) -> Stop:
    """As step, over calls."""

    def once() -> Halted:
        depth = _depth(session)
        halted = _step_once(session)
        if halted.why != "time" or _depth(session) <= depth:
            return halted
        return _walk(session, lambda: _depth(session) <= depth)

    return _times(session, count, once)


def _times(session: Session, count: int, once: Callable[[], Halted]) -> Stop:
    """Several times the same motion, unless something stops it or the warp ends."""
    session.require_warp()
    session.mark()
    halted = REACHED
    for _ in range(count):
        if session.warp is None or halted.why != "time":
            break
        halted = once()
    return session.arrive("step", _or_end(session, halted))


def finish(session: Session) -> Stop:
    """All warps run until the function of the lane in focus has returned."""
    program, depth = session.require_warp().cta.grid.program, _depth(session)
    if depth == 0:
        raise DebuggerError("the kernel itself cannot be finished", help="continue runs to its end")
    behind = frozenset(i.pc + 1 for i in program.instructions if i.call is not None)
    return _run_to(session, {program: behind}, lambda standing: _depth(session) < depth)


def until(session: Session, place: Place | None = None) -> Stop:
    """All warps run until the lane in focus comes to a place, or past this instruction: loops are left behind."""
    program, pc, depth = session.require_warp().cta.grid.program, session.pc, _depth(session)
    if place is not None:
        return _run_to(session, place.pcs, lambda standing: True)
    inside = session.instruction.function
    ahead = frozenset(i.pc for i in program.instructions if i.function is not inside or i.pc > pc)

    def past(standing: Standing) -> bool:
        now = _depth(session)
        return now < depth or (now == depth and standing.pc > pc)

    return _run_to(session, {program: ahead}, past)


def _run_to(session: Session, places: Places, counts: Callable[[Standing], bool]) -> Stop:
    """Everything runs until the lane in focus is about to execute at a place that counts, or something else stops."""
    warp, focus = session.require_warp(), session.focus
    assert focus is not None
    session.mark()
    begin = warp.executed
    watcher = session.watcher(also=places)

    def accept(standing: Standing) -> bool:
        if session.stops_at(standing):
            return True
        mine = key_of(standing.warp) == focus.key and standing.group >> focus.lane & 1
        here = standing.pc in places.get(standing.warp.cta.grid.program, ())
        return bool(mine) and here and standing.warp.executed != begin and counts(standing)

    halted = session.timeline.run(None, watcher._replace(accept=accept))
    if halted.why == "place" and session.hit is None:
        halted = REACHED
    return session.arrive("step", halted)


def step_line(session: Session) -> Stop:
    """Until the line of the source that `.loc` names changes."""
    warp = session.require_warp()
    if all(instruction.loc is None for instruction in warp.cta.grid.program.instructions):
        raise DebuggerError("this text has no .loc lines", help="step goes by instructions")
    session.mark()
    before = _loc(session)
    return session.arrive("step", _walk(session, lambda: _loc(session) not in (None, before)))


def _loc(session: Session) -> tuple[int, int] | None:
    if session.warp is None:
        return None
    loc = session.instruction.loc
    return (loc.file, loc.line) if loc is not None else None


def step_warps(session: Session, count: int = 1) -> Stop:
    """Every warp of the CTA that can run executes one instruction."""
    key = session.require_warp().cta
    session.mark()
    halted = REACHED
    for _ in range(count):
        for index in range(len(key.warps)):
            assert session.focus is not None
            warp = session.timeline.warp((*session.focus.key[:2], index))
            if warp is not None and warp.runnable and halted.why == "time":
                halted = session.timeline.steer(warp, session.watcher(places=False))
    _keep_focus(session)
    return session.arrive("step", halted)


def continue_(session: Session) -> Stop:
    """To a breakpoint, a watchpoint, a fault or the end."""
    session.mark()
    halted = session.timeline.run(None, session.watcher())
    return session.arrive("step", halted)


def set_schedule(session: Session, text: str) -> None:
    """Another order of warps from now on."""
    try:
        schedule_of(text, 0)
    except ValueError as error:
        raise DebuggerError(str(error)) from None
    session.timeline.act(Reschedule(session.timeline.now, text))


# --- one step, and many -----------------------------------------------------------------------------


def _step_once(session: Session) -> Halted:
    """One instruction of the lane in focus, and of the lanes that go before it."""
    while True:
        halted = _execute(session)
        if halted.why != "time":
            return halted
        warp = session.warp
        if warp is not None and warp.live and not warp.runnable:
            halted = _wait(session)
            if halted.why != "time":
                return halted
            warp = session.warp
        _keep_focus(session)
        if warp is None or session.warp is not warp or not session.settings.step_divergent_lanes:
            return REACHED
        standing = standing_of(warp)
        if standing is None or standing.group >> session.lane & 1 or session.timeline.motor.interrupted:
            return REACHED


def _or_end(session: Session, halted: Halted) -> Halted:
    """Where nothing is left to be stepped the run has ended."""
    if halted.why == "time" and session.warp is None:
        return session.timeline.run(None, session.watcher())
    return halted


def _execute(session: Session) -> Halted:
    """The next instruction of the focused warp."""
    timeline, warp = session.timeline, session.warp
    assert warp is not None and session.focus is not None
    if timeline.motor.interrupted:
        return Halted("interrupted")
    if not warp.runnable:
        return REACHED
    session.last = session.marked()
    if timeline.in_past:
        when = timeline.next_from(timeline.now, session.focus.key)
        if when is not None and when < timeline.end:
            halted = timeline.run(when, session.watcher(places=False))
            return timeline.run(when + 1, session.watcher(places=False)) if halted.why == "time" else halted
        halted = timeline.run(timeline.end, session.watcher(places=False))
        if halted.why != "time" or not warp.runnable:
            return halted
    return timeline.steer(warp, session.watcher(places=False))


def _wait(session: Session) -> Halted:
    """The others run until the focused warp can run: its barrier falls, or lanes that it waits for exit."""
    assert session.focus is not None
    timeline, key = session.timeline, session.focus.key
    while True:
        warp = timeline.warp(key)
        if warp is None or warp.runnable:
            return REACHED
        places = _wakers(session, warp)
        halted = timeline.run(None, session.watcher(also=places))
        if halted.why != "place" or session.hit is not None:
            return halted
        warp = timeline.warp(key)
        if warp is None or warp.runnable:
            return REACHED
        halted = timeline.run(timeline.now + 1, session.watcher(places=False))
        if halted.why != "time":
            return halted


def _wakers(session: Session, warp: Warp) -> Places:
    """Where another warp may wake this one, barriers and exits, and where it stands and goes on itself."""
    own = {int(pc) for pc in warp.pc[lanes_of(warp.live)]}
    here = frozenset(own | {pc + 1 for pc in own})
    return {program: _waking(program) | here for program in session.programs}


@lru_cache(maxsize=64)
def _waking(program: Program) -> frozenset[int]:
    """The pcs of instructions that can end another warp's wait."""
    return frozenset(i.pc for i in program.instructions if i.variant.entry.mnemonic in WAKING)


def _walk(session: Session, done: Callable[[], bool]) -> Halted:
    """Step until something holds."""
    while True:
        halted = _step_once(session)
        if halted.why != "time" or session.warp is None or done():
            return halted
        if session.timeline.motor.interrupted:
            return Halted("interrupted")


def _depth(session: Session) -> int:
    warp = session.warp
    return int(warp.depth[session.lane]) if warp is not None else 0


def _keep_focus(session: Session) -> None:
    """A lane that has exited gives the focus to the nearest one that goes next; a warp that has, to another."""
    warp, focus = session.warp, session.focus
    if focus is None:
        return
    if warp is not None and warp.live >> focus.lane & 1:
        return
    if warp is not None and warp.live:
        standing = standing_of(warp)
        lanes = standing.group if standing is not None else warp.live
        near = min((lane for lane in range(32) if lanes >> lane & 1), key=lambda lane: abs(lane - focus.lane))
        session.focus = Focus(focus.key, near)
        return
    session.focus = _other_warp(session, warp, focus)


def _other_warp(session: Session, warp: Warp | None, focus: Focus) -> Focus:
    """The next live warp of the CTA, of the grid, of anything; the focus stays where nothing lives."""
    if warp is not None:
        for other in (*warp.cta.warps[warp.index :], *warp.cta.warps):
            if other.live:
                lane = focus.lane if other.live >> focus.lane & 1 else (other.live & -other.live).bit_length() - 1
                return Focus((*focus.key[:2], other.index), lane)
    return first_focus(session.runner) or focus


# --- back ---------------------------------------------------------------------------------------------


def reverse_step(session: Session, count: int = 1) -> Stop:
    """To before the last instruction of the lane in focus."""
    return _reverse(session, count, lambda: True)


def reverse_next(session: Session, count: int = 1) -> Stop:
    """As reverse-step, over calls."""
    depth = _depth(session) if session.warp is not None else 1 << 30
    return _reverse(session, count, lambda: _depth(session) <= depth)


def reverse_finish(session: Session) -> Stop:
    """To the call that led here."""
    session.require_warp()
    depth = _depth(session)
    if depth == 0:
        raise DebuggerError("nobody called the kernel", help="seek start goes to its beginning")
    return _reverse(session, 1, lambda: _depth(session) < depth)


def _reverse(session: Session, count: int, wanted: Callable[[], bool]) -> Stop:
    """To the count-th last moment before an instruction of the focused warp at which something held."""
    if session.focus is None:
        raise DebuggerError("nothing has run yet")
    session.mark()
    timeline, key = session.timeline, session.focus.key
    upper, window, stood = timeline.now, count, _place(session)
    passes = session.settings.step_divergent_lanes and not timeline.deeds
    while times := timeline.times_before(upper, key, window):
        far = passes and window > count
        for when, pc, executed in reversed(_passed(session, times) if far else [(when, 0, True) for when in times]):
            if timeline.motor.interrupted:
                return session.arrive("step", Halted("interrupted"))
            if not executed and pc + 1 != stood:  # other lanes; one whose guard was false would stand behind it
                continue
            if _was(session, when):
                stood = _place(session)
                count -= wanted()
            if not count:
                return session.arrive("step", REACHED)
        upper, window = times[0], max(4 * window, WINDOW)
    timeline.seek(timeline.next_from(0, key) or 0)
    return session.arrive("history", REACHED, "the first instruction of this warp")


def _place(session: Session) -> int:
    """The pc at which the lane in focus stands; -1 where its warp is not there."""
    return int(session.warp.pc[session.lane]) if session.warp is not None else -1


def _passed(session: Session, times: list[int]) -> list[tuple[int, int, bool]]:
    """(time, pc, whether the lane in focus executed) of the instructions of its warp at these times.

    Left out are those of other lanes alone: without a guard that may have been false in this one.
    """
    assert session.focus is not None
    key, lane = session.focus.key, session.focus.lane
    instructions, _ = record(session, times[0], times[-1] + 1, memory=False)
    mine = (instructions["grid"] == key[0]) & (instructions["cta"] == key[1]) & (instructions["warp"] == key[2])
    found = instructions[mine]
    executed = found["lanes"] >> np.uint32(lane) & 1 != 0
    program = program_of(session, key)
    if program is not None:
        guarded = np.array([instruction.guard is not None for instruction in program.instructions])
        kept = executed | guarded[found["pc"]]
        found, executed = found[kept], executed[kept]
    return list(zip(found["time"].tolist(), found["pc"].tolist(), executed.tolist(), strict=True))


def _was(session: Session, when: int) -> bool:
    """Go to a time; whether the lane in focus executed there."""
    session.timeline.seek(when)
    warp = session.warp
    standing = standing_of(warp) if warp is not None else None
    if standing is None or not session.settings.step_divergent_lanes:
        return True
    return bool(standing.group >> session.lane & 1)


def reverse_continue(session: Session) -> Stop:
    """To the last time before now at which a breakpoint or a watchpoint stopped, or would have."""
    session.mark()
    found = session.timeline.last_stop(lambda: session.watcher()._replace(accept=session.covers))
    if found is None:
        session.timeline.seek(0)
        _keep_focus(session)
        return session.arrive("history", REACHED, "the beginning of the run")
    return session.arrive("step", found)


def seek(session: Session, time: int | None) -> Stop:
    """To a time; None: to the end of the run, or its fault."""
    session.mark()
    timeline = session.timeline
    halted = timeline.run(None, session.watcher(places=False)) if time is None else timeline.seek(time)
    if session.warp is None:
        _keep_focus(session)
    return session.arrive("seek", halted)
