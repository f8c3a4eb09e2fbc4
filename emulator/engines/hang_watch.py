"""When a run hangs: nothing changes any more, and whoever can run only repeats itself.

A warp repeats itself when its bytes (registers, pcs, masks, stacks) are at the end of a turn what they were at the end
of an earlier one, while no byte of memory, barrier or warp has changed in between: what it does next depends on nothing
else, unless its program reads a clock.  States are compared at growing distances (Brent), now and then for a few
turns, so that a long computation is hardly slowed down.  FAR instructions of every warp without progress are a hang
all the same.  Where the user gives a number, each warp that does not wait has executed as many, or had FORCED_TURNS
turns.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.machine.warp import Warp
from emulator.program import Program
from emulator.program.operands import Special

if TYPE_CHECKING:
    from emulator.engines.run import Runner

FIRST_LOOK = 20_000  # idle instructions a warp before states are compared
TURNS = 24  # of each warp that are compared at a time, at least
FEW = 256  # turns in all, at least
PART = 16  # and this part of the time that has gone by
FORCED_TURNS = 8  # of a warp that gives up its turns, where the user gives a number of instructions
FAR = 500_000_000  # instructions a warp


class HangWatch:
    """Looks at the warps of a runner after their turns.  looking: states are compared at the moment."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.looking = False
        self.look_at = 0
        self._end = 0
        self._states: dict[int, tuple[bytes, int, int]] = {}  # warp -> (state, turns since then, turns until the next)
        self._repeating: set[int] = set()
        self._forced: dict[int, tuple[int, int]] = {}  # warp -> (instructions when looking began, turns since then)
        self._clocks: dict[Program, bool] = {}

    def reset(self) -> None:
        """Something has changed."""
        self.looking, self.look_at = False, 0
        self._states.clear()
        self._repeating.clear()

    @property
    def limit(self) -> int:
        """Idle instructions a warp that are the time to look, or a hang if the user has given a number."""
        forced = self.runner.limits.hang_after
        return FIRST_LOOK if forced is None else forced

    def after_turn(self, warp: Warp) -> None:
        """A turn without progress has ended."""
        runner = self.runner
        if self.looking:
            forced = runner.limits.hang_after
            if forced is None:
                self._compare(warp)
            elif warp.waiting & warp.suspended or self._has_executed(warp, forced):
                self._repeating.add(warp.address)
            entries = runner.ready.addresses()
            if entries and self._repeating.issuperset(entries):
                raise self._hang()
            if forced is None and runner.time >= self._end:
                self.look_at = 2 * runner.idle
                self.looking = False
        else:
            self.look_over()

    def look_over(self) -> None:
        """After a turn, or many at once: begin if so much time has gone by without progress."""
        runner = self.runner
        if runner.idle > self.limit * max(1, len(runner.ready)) and runner.idle > self.look_at:
            self.begin()

    def begin(self) -> None:
        """So much time has gone by without progress: look from now on at what each warp does."""
        runner = self.runner
        ready = max(1, len(runner.ready))
        if runner.idle > FAR * ready:
            raise self._hang()
        self.looking = True
        self._end = runner.time + max(max(TURNS * ready, FEW) * runner.schedule.turn, runner.idle // PART)
        self._states.clear()
        self._repeating.clear()
        self._forced = {warp.address: (warp.executed, 0) for warp in runner.ready}

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
        state, key = total.digest(), warp.address
        known, since, until = self._states.get(key, (b"", 0, 0))
        if state == known:
            self._repeating.add(key)
        elif since >= until:
            self._states[key] = state, 0, max(1, 2 * until)
        else:
            self._states[key] = known, since + 1, until

    def _reads_clock(self, program: Program) -> bool:
        """Whether what a warp does next may depend on the time."""
        if program not in self._clocks:
            places = [operand.place for i in program.instructions for operand in i.sources]
            volatile = [p for p in places if isinstance(p, Special) and SPECIAL_REGISTERS[p.name].volatile]
            self._clocks[program] = bool(volatile)
        return self._clocks[program]
