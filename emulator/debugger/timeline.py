"""The history of a run: snapshots, deeds of the user, which warp ran when; any moment of it can be visited.

A moment is a time, and what was done at it without taking time (a change of a register, another schedule) has been
done.  Going back keeps what lies ahead: forward motion follows it to its end.  A new deed in the past forgets it.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import process_time
from typing import Protocol

from emulator.debugger.lifetimes import executed_now, last_ran, quiet_since
from emulator.debugger.motor import UNWATCHED, Halted, Motor, Watcher, standing_of
from emulator.debugger.turn_index import TurnIndex
from emulator.engines.run import Runner
from emulator.engines.schedule import Schedule, WarpKey, key_of, schedule_of
from emulator.engines.snapshots import Snapshot
from emulator.errors import KernelFault
from emulator.machine.warp import Warp

LEAST_SPACING = 2_000  # warp instructions between snapshots of a run
RUN_A_SNAPSHOT = 25  # so many times the time that a snapshot takes passes before the next one
MOST_SNAPSHOTS = 128
MOST_BYTES = 1 << 30  # of all snapshots together
AHEAD = ("fault", "place", "end")  # what lies behind a time that was reached
EXPLORED = 1 << 12  # instructions whose turns are found out at once, at first
NEAREST, FARTHEST = 1 << 10, 1 << 18  # instructions: the stretches in which stops are searched backwards
NEAR = 256  # instructions: how far back from a visited moment another snapshot is kept


class Deed(Protocol):
    """Something the user did at a time, besides letting the schedule run."""

    @property
    def time(self) -> int:
        """When."""

    @property
    def takes_time(self) -> bool:
        """Whether it executes an instruction."""

    def perform(self, timeline: Timeline, watcher: Watcher) -> Halted | None:
        """Do it, or do it again; a Halted if a watcher or a fault stops it."""


@dataclass(frozen=True, slots=True)
class Steer:
    """One instruction of a warp, out of turn."""

    time: int
    key: WarpKey
    takes_time: bool = True

    def perform(self, timeline: Timeline, watcher: Watcher) -> Halted | None:
        """Step the warp."""
        warp = timeline.warp(self.key)
        assert warp is not None
        halted = timeline.motor.steer(warp, watcher)
        return halted if halted.why != "time" else None


@dataclass(frozen=True, slots=True)
class Reschedule:
    """Another schedule from here on."""

    time: int
    schedule: str
    takes_time: bool = False

    def perform(self, timeline: Timeline, watcher: Watcher) -> Halted | None:
        """Exchange the policy; the turn in progress goes on."""
        timeline.runner.schedule = schedule_of(self.schedule, 0)
        return None


@dataclass(frozen=True, eq=False)
class Kept:
    """A snapshot, the policy of its moment, and how many deeds had been done."""

    time: int
    snapshot: Snapshot
    schedule: Schedule
    done: int

    @property
    def bytes(self) -> int:
        """What it holds, roughly: pages, and the blocks of resident CTAs."""
        return self.snapshot.bytes


class Timeline:
    """Moves a runner through its own history.  end: the farthest time; fault: what stopped it there."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.index = TurnIndex()
        self.motor = Motor(runner, self.index_turn, self._index_nobody)
        self._notes: list[tuple[int, WarpKey]] | None = None
        self.deeds: list[Deed] = []
        self.end = runner.time
        self.fault: Halted | None = None
        self._done = 0
        self._kept: list[Kept] = []
        self._spacing = self._least = LEAST_SPACING
        self._cost = 0.0
        self.keep()

    # --- where and who -----------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The time."""
        return self.runner.time

    @property
    def in_past(self) -> bool:
        """Whether some of the history lies ahead."""
        return self.now < self.end

    def index_turn(self, time: int, key: WarpKey) -> None:
        """Note who runs, where that is not known yet."""
        if self._notes is not None:
            self._notes.append((time, key))
        elif time >= self.end:
            self.index.note(time, key)

    def _index_nobody(self, time: int) -> None:
        if time >= self.end:
            self.index.note(time, None)

    def times_before(self, time: int, key: WarpKey, count: int) -> list[int]:
        """When a warp's last `count` instructions before a time were executed, the earliest first; moves anywhere."""
        if self.index.gap_before(time, key, count) is None:
            return self.index.times_before(time, key, count)
        self.seek(time, near=False)
        return self._times_before(time, key, count, executed_now(self, key))

    def _times_before(self, time: int, key: WarpKey, count: int, executed: int) -> list[int]:
        """The same, where nobody knows who ran in a part of it.  executed: the warp's instructions before the time."""
        part = EXPLORED
        while not self.motor.interrupted and (gap := self.index.gap_before(time, key, count)) is not None:
            late = [when for when in self.index.times_before(time, key, count) if when >= gap[1]]
            before = executed - len(late)
            quiet = quiet_since(self._kept, *gap, key, before)
            if quiet == gap[1]:
                first = max(gap[0], gap[1] - part)
                self._explore(first, gap[1])
                ran = self.index.next_from(first, key)
                if first == gap[0] or (ran is not None and ran < gap[1]):
                    part *= 4
                    continue
                quiet = last_ran(self, self._kept, gap[0], first, key, before, EXPLORED)
            elif quiet > gap[0]:
                quiet = last_ran(self, self._kept, gap[0], quiet, key, before, EXPLORED)
            return [*self._times_before(quiet, key, count - len(late), before), *late]
        return self.index.times_before(time, key, count)

    def next_from(self, time: int, key: WarpKey) -> int | None:
        """When a warp's first instruction at or after a time was executed."""
        here, part = self.now, EXPLORED
        while (gap := self.index.gap_from(time, key, self.end)) is not None and gap[0] < gap[1]:
            if self.motor.interrupted:
                break
            self._explore(gap[0], min(gap[1], gap[0] + part))
            part *= 4
        if self.now != here:
            self.seek(here)
        return self.index.next_from(time, key)

    def _explore(self, first: int, last: int) -> None:
        """Find out who ran in a stretch of the history, turn by turn."""
        if first < self.now:
            self._go_back_to(self._before(first))
        self.run(first)
        self._notes, self.motor.by_turns = [], True
        try:
            self.run(last)
            if self._notes and not self.motor.interrupted:
                self.index.fill(first, last, self.end, self._notes)
        finally:
            self._notes, self.motor.by_turns = None, False

    def warp(self, key: WarpKey) -> Warp | None:
        """A resident warp by its key; None before it starts and after its CTA has ended."""
        for device in self.runner.devices:
            for grid in device.grids:
                if grid.number == key[0]:
                    cta = grid.resident.get(key[1])
                    return cta.warps[key[2]] if cta is not None else None
        return None

    # --- snapshots ---------------------------------------------------------------------------------

    def keep(self) -> Kept:
        """A snapshot of now."""
        at = bisect.bisect_left(self._kept, self.now, key=lambda kept: kept.time)
        if at < len(self._kept) and self._kept[at].time == self.now:
            return self._kept[at]
        started = process_time()
        kept = Kept(self.now, self.runner.snapshot(), self.runner.schedule, self._done)
        self._kept.insert(at, kept)
        if len(self._kept) > max(2, min(MOST_SNAPSHOTS, MOST_BYTES // (kept.bytes + 1))):
            self._thin()
            if kept.time >= self.end:  # the run itself asks for them, not somebody who looks around in it
                self._least *= 2
        self._cost = process_time() - started
        return kept

    def _thin(self) -> None:
        """Drop every other snapshot but the first and the last ones."""
        recent = len(self._kept) // 4
        self._kept = [*self._kept[:-recent:2], *self._kept[-recent:]] if recent else [self._kept[0], self._kept[-1]]

    def _adapt(self, executed: int, seconds: float) -> None:
        """Have snapshots so far apart that they take a small part of the time."""
        rate = executed / max(seconds, 1e-6)
        self._spacing = max(self._least, int(rate * self._cost * RUN_A_SNAPSHOT))

    def _before(self, time: int) -> Kept:
        """The last snapshot that is not after a time."""
        return self._kept[bisect.bisect_right(self._kept, time, key=lambda kept: kept.time) - 1]

    def _go_back_to(self, kept: Kept) -> None:
        self.runner.schedule = kept.schedule
        self.runner.restore(kept.snapshot)
        self._done = kept.done

    # --- motion ------------------------------------------------------------------------------------

    def run(self, until: int | None = None, watcher: Watcher = UNWATCHED) -> Halted:
        """Forward: the history up to its end, then on, to a time or whatever stops it."""
        started, since = process_time(), self.now
        while True:
            halted = self._perform_deeds(until, watcher)
            if halted is not None:
                return self._stopped(halted)
            bound = min((time for time in (until, self._next_deed()) if time is not None), default=None)
            halted = self.motor.run(bound, watcher, self._next_snapshot())
            if bound is not None and self.now > bound:
                halted = self._look_closer(self.motor.since, bound, watcher)
                if halted.why != "time":
                    return self._stopped(halted)
            elif halted.why == "pause":
                self._adapt(self.now - since, process_time() - started)
                self.keep()
                started, since = process_time(), self.now
            elif halted.why != "time" and not (self.now == until and halted.why in AHEAD):
                return self._stopped(halted)
            if until is not None and self.now >= until and self._next_deed() != self.now:
                return self._stopped(Halted("time"))

    def _look_closer(self, since: int, end: int, watcher: Watcher) -> Halted:
        """The turn that began at a time again, instruction by instruction, up to a time."""
        self.end = max(self.end, end)
        self._go_back_to(self._before(since))
        self.run(since)
        return self.motor.run(end, watcher.stepwise())

    def settle(self) -> None:
        """Have the next turn picked, so that a moment is the same however it was reached; a hang shows later."""
        with suppress(KernelFault):
            self.runner.settle()

    def _stopped(self, halted: Halted) -> Halted:
        self.settle()
        self.end = max(self.end, self.now)
        if halted.why in ("fault", "end"):
            self.fault = halted
        return halted

    def _next_deed(self) -> int | None:
        return self.deeds[self._done].time if self._done < len(self.deeds) else None

    def _next_snapshot(self) -> int:
        return self._before(self.now).time + self._spacing

    def _perform_deeds(self, until: int | None, watcher: Watcher) -> Halted | None:
        """Do again what was done now; what takes time only before `until`."""
        while self._next_deed() == self.now:
            self.settle()
            deed = self.deeds[self._done]
            if deed.takes_time and until is not None and self.now >= until:
                return Halted("time")
            if isinstance(deed, Steer):
                halted = self._place_of(deed, watcher)
                if halted is not None:
                    return halted
            halted = deed.perform(self, watcher)
            self._done += 1
            if halted is not None:
                return halted
        return None

    def _place_of(self, deed: Steer, watcher: Watcher) -> Halted | None:
        warp = self.warp(deed.key)
        standing = standing_of(warp) if warp is not None else None
        return Halted("place", standing) if standing is not None and watcher.stops_at(standing) else None

    def act(self, deed: Deed, watcher: Watcher = UNWATCHED) -> Halted | None:
        """A new deed, now; what happened after now before is forgotten."""
        self.forget_future()
        self.deeds.append(deed)
        self._done += 1
        halted = deed.perform(self, watcher)
        if halted is not None and halted.why == "fault":
            self.deeds.pop()
            self._done -= 1
        self._stopped(halted or Halted("time"))
        return halted

    def forget_future(self) -> None:
        """What lies ahead did not happen."""
        del self.deeds[self._done :]
        if self.in_past:
            self.end, self.fault = self.now, None
            self.index.forget_from(self.now)
            self._kept = [kept for kept in self._kept if kept.time <= self.now]

    def steer(self, warp: Warp, watcher: Watcher = UNWATCHED) -> Halted:
        """One instruction of a warp that can run; a deed if it is not its turn."""
        turn = self.runner.settle()
        if turn is not None and turn.warp is warp:
            return self.run(self.now + 1, watcher)
        return self.act(Steer(self.now, key_of(warp)), watcher) or Halted("time")

    def seek(self, time: int, near: bool = True) -> Halted:
        """Go to a time, back or forward; beyond the end of the run its end or fault is reached.

        near: keep a snapshot a little before it.
        """
        if time < self.now:
            kept = self._before(time)
            self._go_back_to(kept)
            if near and time - kept.time > NEAR:
                halted = self.run(time - NEAR // 2)
                if halted.why != "time":
                    return halted
                self.keep()
        return self.run(time)

    def last_stop(self, watcher_of: Callable[[], Watcher]) -> Halted | None:
        """Go to the last moment before now at which a watcher would stop; None, somewhere before, if there is none."""
        now = upper = self.now
        stretch = NEAREST
        while upper:
            lower = max(0, upper - stretch)
            reached = self.seek(lower, near=False)
            found = reached if reached.why == "interrupted" else self._last_within(upper, watcher_of, upper < now)
            if found is not None:
                return found
            upper, stretch = lower, min(4 * stretch, FARTHEST)
        return None

    def _last_within(self, upper: int, watcher_of: Callable[[], Watcher], whole: bool) -> Halted | None:
        """The last stop between now and a time, and go there.  whole: also one after the last instruction."""
        best: tuple[int, str, WarpKey] | None = None
        while True:
            halted = self.run(upper, watcher_of())
            if halted.why == "interrupted":
                return halted
            last = upper if whole and halted.why == "watch" else upper - 1
            if halted.why not in ("place", "watch") or halted.standing is None or self.now > last:
                break
            best = self.now, halted.why, key_of(halted.standing.warp)
            if halted.why == "place":
                self.run(self.now + 1)
        if best is None:
            return None
        time, why, key = best
        if why == "watch":
            self.seek(time - 1)
            return self.run(time, watcher_of())
        self.seek(time)
        warp = self.warp(key)
        standing = standing_of(warp) if warp is not None else None
        assert standing is not None
        watcher_of().accept(standing)
        return Halted("place", standing)
