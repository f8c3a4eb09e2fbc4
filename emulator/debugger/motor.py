"""The one place that asks the engines: run until a time, a place, a fault, the end, or an interruption.

Whole turns run on the system's own engine; the native one stops at places by itself.  With a watcher that is asked
after every instruction, and with places on the reference engine, instructions are executed one by one.  The order of
the warps is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from emulator.engines.divergence import next_group
from emulator.engines.run import Runner
from emulator.engines.schedule import WarpKey, key_of
from emulator.errors import KernelFault
from emulator.machine.warp import Warp, lanes_of
from emulator.program import Instruction, Program

if TYPE_CHECKING:
    from emulator.debugger.native_places import StoppingEngine

Places = Mapping[Program, frozenset[int]]  # pcs by program
NOWHERE: Places = {}
FOREVER = 1 << 62
TRANSFERS = ("bra", "brx", "call", "ret", "exit")


class Standing(NamedTuple):
    """A warp about to execute: its lanes `group` stand at pc."""

    warp: Warp
    pc: int
    group: int

    @property
    def instruction(self) -> Instruction:
        """What they are about to execute."""
        instruction: Instruction = self.warp.cta.grid.program.instructions[self.pc]
        return instruction

    @property
    def moment(self) -> tuple[WarpKey, int]:
        """Names this instruction in the life of its warp."""
        return key_of(self.warp), self.warp.executed


@dataclass(frozen=True)
class Halted:
    """Why the machine does not run.  why: "time", "pause", "place", "watch", "fault", "end", "interrupted"."""

    why: str
    standing: Standing | None = None
    fault: KernelFault | None = None


class Reach(NamedTuple):
    """Bytes [low, low + size) of the addresses under a mask, in accesses of some kinds (r, w, a)."""

    mask: int
    low: int
    size: int
    kinds: str


class Trap(NamedTuple):
    """After which instructions a check has to be asked: those at places, and those that access bytes.

    owner: of one launch and CTA.  warp: of one warp of it.
    """

    places: Places = NOWHERE
    reach: Reach | None = None
    owner: tuple[int, int] | None = None
    warp: int | None = None

    def concerns(self, key: WarpKey) -> bool:
        """Whether it is about a warp."""
        return (self.owner is None or self.owner == key[:2]) and (self.warp is None or self.warp == key[2])


class Watcher(NamedTuple):
    """What may stop a run.  accept: whether a place that was reached counts.

    before, after: asked at every instruction; at those of `traps` alone, if these are known and the engine can trap.
    begin: remember how things are.
    """

    places: Places = NOWHERE
    accept: Callable[[Standing], bool] = lambda standing: True
    before: Callable[[Standing], None] = lambda standing: None
    after: Callable[[Standing], bool] | None = None
    traps: tuple[Trap, ...] | None = None
    begin: Callable[[], None] = lambda: None

    def stepwise(self) -> Watcher:
        """The same, but asked after every instruction, so that no turn runs as a whole."""
        return self._replace(after=self.after or (lambda standing: False), traps=None)

    def stops_at(self, standing: Standing) -> bool:
        """Whether a place is reached that counts."""
        pcs = self.places.get(standing.warp.cta.grid.program)
        return pcs is not None and standing.pc in pcs and self.accept(standing)


UNWATCHED = Watcher()


def standing_of(warp: Warp) -> Standing | None:
    """What a warp executes next, looked up without a change; None if it cannot run."""
    kept = warp.slice, warp.turn, warp.ran
    group = next_group(warp)
    warp.slice, warp.turn, warp.ran = kept
    return Standing(warp, int(warp.pc[lanes_of(group)][0]), group) if group else None


def _stopping_engine(runner: Runner) -> StoppingEngine | None:
    """The native engine of a runner that has not begun, exchanged for one that stops at places; None for another."""
    if runner.engine.name != "native" or runner.time:
        return None
    from emulator.debugger.native_places import StoppingEngine

    runner.engine = stopping = StoppingEngine(runner)
    return stopping


@lru_cache(maxsize=64)
def longest_run(program: Program) -> int:
    """About how many instructions of two groups of lanes stand between two control transfers of a program."""
    transfers = [i.pc for i in program.instructions if i.variant.entry.mnemonic in TRANSFERS]
    gaps = [after - before for before, after in pairwise([-1, *transfers, len(program.instructions)])]
    return min(4 * max(gaps), 2 * len(program.instructions)) + 32


def _part(left: int, most: int, over: int) -> int | None:
    """How much of a turn may run before a time in `most` instructions: all of it (None), a part, or nothing (0)."""
    if most > left + over:
        return None
    return most if most <= left else max(0, left - 1)


class Motor:
    """Runs a runner forward and notes in `ran` who ran when, in `freed` from when on that is not known.

    by_turns: always know it.
    """

    def __init__(self, runner: Runner, ran: Callable[[int, WarpKey], None], freed: Callable[[int], None]) -> None:
        self.runner = runner
        self.interrupted = False
        self.by_turns = False
        self._ran = ran
        self._freed = freed
        self.since = 0
        self._stopping = _stopping_engine(runner)

    def next(self) -> Standing | None:
        """The instruction that the schedule executes next; None when nothing is left.  Raises a hang."""
        turn = self.runner.settle()
        return standing_of(turn.warp) if turn is not None else None

    def run(self, until: int | None = None, watcher: Watcher = UNWATCHED, pause: int | None = None) -> Halted:
        """Run on.  until: stop at this time; where turns of divergent lanes last longer than expected, after it.

        pause: stop where it costs nothing, at or after this time.
        """
        runner = self.runner
        try:
            while until is None or runner.time < until:
                if self.interrupted:
                    return Halted("interrupted")
                if pause is not None and runner.time >= pause:
                    return Halted("pause")
                if self._may_run_turns(watcher) and self._whole_turns(until, pause, watcher):
                    reached = self._reached()
                    if reached is None:
                        continue
                    halted = self._look(reached, watcher) if self._trapped() else Halted("place", reached)
                else:
                    turn = runner.settle()
                    if turn is None:
                        return Halted("end")
                    halted = self._one(turn.warp, watcher)
                if halted is not None:
                    return halted
        except KernelFault as fault:
            return Halted("fault", fault=fault)
        return Halted("time")

    def _may_run_turns(self, watcher: Watcher) -> bool:
        """Whether whole turns may run: the engine stops by itself wherever somebody wants to be asked."""
        if watcher.after is not None and watcher.traps is None:
            return False
        if self._stopping is None:
            return not watcher.places and not watcher.traps
        return not watcher.traps or self._stopping.can_trap(watcher.traps)

    def _reached(self) -> Standing | None:
        """The place or trap that ended the last whole turn."""
        return self._stopping.reached if self._stopping is not None else None

    def _trapped(self) -> bool:
        """Whether it was a trap."""
        return self._stopping is not None and self._stopping.trapped

    def _whole_turns(self, until: int | None, pause: int | None, watcher: Watcher) -> bool:
        """Whole turns, with the engine watching for places and traps."""
        if self._stopping is None:
            return self._turns(until, pause)
        self._stopping.watch(watcher.places, watcher.accept, watcher.traps or ())
        try:
            return self._turns(until, pause)
        finally:
            self._stopping.unwatch()

    def _turns(self, until: int | None, pause: int | None) -> bool:
        """Whole turns, and a part of the last one, as long as they end by `until`; whether there was one."""
        runner, ran, stopping = self.runner, self._ran, self._stopping
        start = time = runner.time
        last = FOREVER if until is None else until
        end = last if pause is None else min(last, pause)
        over = self._overrun()
        while time < end and not self.interrupted:
            if self._freely(end, last - over):
                time = runner.time
                continue
            turn = runner.turn or runner.settle()
            if turn is None:
                break
            part = _part(turn.instructions, last - time, over)
            if part == 0:
                break
            ran(time, key_of(turn.warp))
            self.since = time
            runner.run_turn(part)
            time = runner.time
            if stopping is not None and stopping.reached is not None:
                break
        return time > start or self._reached() is not None

    def _freely(self, end: int, last: int) -> bool:
        """Turns of all warps in native code; whether there was one.  Who ran is told only if that has to be known.

        end: no turn begins at this time.  last: none goes on much beyond it.
        """
        runner, start = self.runner, self.runner.time
        if self._stopping is None or runner.turn is not None or start >= min(end, last):
            return False
        if self.by_turns:
            done, turns = self._stopping.run_logged(end, last)
            for time, key in turns:
                self._ran(time, key)
        else:
            self._freed(start)
            done = self._stopping.run_freely(end, last)
        self.since = runner.turn_start
        return done and runner.time > start

    def _overrun(self) -> int:
        """How many instructions a turn will hardly go on after its count, to the next control transfer."""
        self.runner.settle()
        programs = {grid.program for device in self.runner.devices for grid in device.grids}
        return max((longest_run(program) for program in programs), default=0)

    def _one(self, warp: Warp, watcher: Watcher) -> Halted | None:
        """One instruction of the turn in progress, unless a place is reached."""
        standing = standing_of(warp)
        if standing is not None and watcher.stops_at(standing):
            return Halted("place", standing)
        if standing is not None:
            return self._look(standing, watcher)
        self._ran(self.runner.time, key_of(warp))
        self.runner.step()
        return None

    def _look(self, standing: Standing, watcher: Watcher) -> Halted | None:
        """One instruction of the turn in progress, before and after which the watcher is asked."""
        self._ran(self.runner.time, key_of(standing.warp))
        watcher.before(standing)
        self.runner.step()
        if watcher.after is not None and watcher.after(standing):
            return Halted("watch", standing)
        return None

    def steer(self, warp: Warp, watcher: Watcher = UNWATCHED) -> Halted:
        """One instruction of a warp that can run, whoever's turn it is."""
        standing = standing_of(warp)
        if standing is not None:
            watcher.before(standing)
        try:
            self.runner.settle()
            self._ran(self.runner.time, key_of(warp))
            self.runner.step_out_of_turn(warp)
        except KernelFault as fault:
            return Halted("fault", fault=fault)
        if standing is not None and watcher.after is not None and watcher.after(standing):
            return Halted("watch", standing)
        return Halted("time", standing)
