"""The native engine that stops at places: their records leave native code, which otherwise runs at full speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.debugger.motor import NOWHERE, Places, Standing, standing_of
from emulator.engines.native.engine import NativeEngine
from emulator.engines.reference.engine import Step
from emulator.engines.run import TurnSuspended
from emulator.machine.warp import Warp
from emulator.program import Program

if TYPE_CHECKING:
    from emulator.engines.run import Runner


class StoppingEngine(NativeEngine):
    """Runs whole turns natively and suspends one before an instruction at which `stops` says so.

    reached: the standing that suspended the last turn.
    """

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.reached: Standing | None = None
        self._places: Places = NOWHERE
        self._stops: Callable[[Standing], bool] | None = None
        self._patched: dict[Program, frozenset[int]] = {}

    def watch(self, places: Places, stops: Callable[[Standing], bool]) -> None:
        """Stop at places from now on, until `unwatch`."""
        if places != self._places:
            self._places = dict(places)
            for program in {*self._patched, *places}:
                self._patch(program, places.get(program, frozenset()))
        self._stops = stops
        self.reached = None

    def unwatch(self) -> None:
        """Stop nowhere; the records stay as they are."""
        self._stops = None

    def run_freely(self, most: int) -> bool:
        """Turns of all warps, up to about so many instructions; whether there were any."""
        kept = self._stretch
        self._stretch = min(kept, most)
        try:
            return self.run_ready()
        finally:
            if most < kept:
                self._stretch = kept

    def _patch(self, program: Program, pcs: frozenset[int]) -> None:
        """Have the records of these pcs, and of no others, leave native code."""
        handlers, patched = self.program(program).handlers, self._patched.get(program, frozenset())
        for pc in patched - pcs:
            handlers.clear(pc)
        for pc in pcs - patched:
            handlers.plant(pc, self._library.runtime["leave"])
        self._patched[program] = pcs
        self.parkings.forget()

    def _check(self, standing: Standing) -> None:
        if self._stops is None or standing.pc not in self._places.get(standing.warp.cta.grid.program, ()):
            return
        if self._stops(standing):
            self.reached = standing
            self.lanes_moved()
            raise TurnSuspended

    def step(self, warp: Warp) -> Step:
        """As the reference engine, unless it stops here."""
        standing = standing_of(warp) if self._stops is not None else None
        if standing is not None:
            self._check(standing)
        return super().step(warp)
