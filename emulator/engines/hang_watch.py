"""When a run hangs: nothing changes any more, and whoever can run only repeats itself.

A warp repeats itself when its bytes (registers, pcs, masks, stacks) are between two turns what they were between two
earlier ones, while no byte of memory, barrier or warp has changed in between: what it does next depends on nothing
else, unless its program reads a clock.  A warp that has executed nothing in between (its thread has not had a core,
docs/engine.md, Several threads) shows nothing.  To see that without slowing down a long computation samples are taken
at growing distances: the states of a few warps, and of more as long as those are found to repeat themselves.

FAR instructions of every warp without progress are a hang all the same.  Where the user gives a number, each warp that
does not wait has executed as many, or had FORCED_TURNS turns.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.machine.warp import Warp
from emulator.program import Program
from emulator.program.operands import Special

if TYPE_CHECKING:
    from emulator.engines.run import Runner

FIRST_LOOK = 20_000  # idle instructions a warp before the first sample
WITNESSES = 4  # warps of the first sample; four times as many whenever all of them repeat themselves
FORCED_TURNS = 8  # of a warp that gives up its turns, where the user gives a number of instructions
FAR = 500_000_000  # instructions a warp


class HangWatch:
    """Looks at the warps of a runner after their turns.

    looking: whether turns are counted at the moment, where the user has given a number of instructions.  look_at: the
    idle instructions at which to look next.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.looking = False
        self.look_at = 0
        self._samples = 0
        self._witnesses = WITNESSES
        self._states: defaultdict[int, dict[bytes, int]] = defaultdict(dict)  # by warp, with what it had executed
        self._repeating: set[int] = set()
        self._forced: dict[int, tuple[int, int]] = {}  # warp -> (instructions when looking began, turns since then)
        self._clocks: dict[Program, bool] = {}

    def reset(self) -> None:
        """Something has changed."""
        self.looking, self.look_at = False, 0

    @property
    def limit(self) -> int:
        """Idle instructions a warp that are the time to look, or a hang if the user has given a number."""
        forced = self.runner.limits.hang_after
        return FIRST_LOOK if forced is None else forced

    def after_turn(self, warp: Warp) -> None:
        """A turn without progress has ended."""
        runner = self.runner
        if self.looking:
            if warp.waiting & warp.suspended or self._has_executed(warp, self.limit):
                self._repeating.add(warp.address)
            entries = runner.ready.addresses()
            if entries and self._repeating.issuperset(entries):
                raise self._hang()
        else:
            self.look_over()

    def look_over(self) -> None:
        """After a turn, or many at once: look if so much time has gone by without progress."""
        runner = self.runner
        if runner.idle > self.limit * max(1, len(runner.ready)) and runner.idle > self.look_at:
            self.begin()

    def begin(self) -> None:
        """So much time has gone by without progress: take a sample, or count from now on what each warp executes."""
        runner = self.runner
        if runner.idle > FAR * max(1, len(runner.ready)):
            raise self._hang()
        if runner.limits.hang_after is None:
            self._sample()
            return
        self.looking = True
        self._repeating.clear()
        self._forced = {warp.address: (warp.executed, 0) for warp in runner.ready}

    def _sample(self) -> None:
        """Compare the states of warps with those of earlier samples; say when the next one is due."""
        runner, entries = self.runner, sorted(self.runner.ready.addresses())
        if not self.look_at:
            self._states.clear()
            self._repeating.clear()
            self._samples, self._witnesses = 0, WITNESSES
        for place, entry in enumerate(entries):
            if place == self._witnesses:
                if not self._repeating.issuperset(entries[:place]):
                    break
                self._witnesses *= 4
            if entry not in self._repeating:
                self._compare(runner.warp_at(entry))
        if entries and self._repeating.issuperset(entries):
            raise self._hang()
        self._samples += 1
        self.look_at = runner.idle + self._samples * max(1, len(entries)) * runner.schedule.turn

    def _has_executed(self, warp: Warp, count: int) -> bool:
        """Whether a warp has executed so many instructions since looking began, or had as many turns as matter."""
        began, turns = self._forced[warp.address]
        self._forced[warp.address] = began, turns + 1
        return warp.executed >= began + count or turns + 1 >= FORCED_TURNS

    def _hang(self) -> Exception:
        return self.runner.faults.hang(list(self.runner.ready), self.runner.idle)

    def _compare(self, warp: Warp) -> None:
        if self._reads_clock(warp.cta.grid.program):
            return
        total = hashlib.blake2b(warp.state.tobytes(), digest_size=16)
        for part in (warp.local.tobytes(), warp.call_stack.tobytes(), repr(warp.rendezvous).encode()):
            total.update(part)
        total.update(f"{self.runner.printed} {self.runner.memory.epoch}".encode())
        state, states = total.digest(), self._states[warp.address]
        if states.setdefault(state, warp.executed) != warp.executed:
            self._repeating.add(warp.address)

    def _reads_clock(self, program: Program) -> bool:
        """Whether what a warp does next may depend on the time."""
        if program not in self._clocks:
            places = [operand.place for i in program.instructions for operand in i.sources]
            volatile = [p for p in places if isinstance(p, Special) and SPECIAL_REGISTERS[p.name].volatile]
            self._clocks[program] = bool(volatile)
        return self._clocks[program]
