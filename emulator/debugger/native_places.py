"""The native engine that stops at places and traps: their records leave native code, which else runs at full speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from emulator.debugger.motor import NOWHERE, Places, Standing, Trap, standing_of
from emulator.engines.native.engine import NEVER, NativeEngine
from emulator.engines.native.recording import WATCHING
from emulator.engines.native.watching import ANYBODY, KINDS, WATCHES, no_watches
from emulator.engines.reference.engine import ReferenceEngine, Step
from emulator.engines.run import TurnSuspended
from emulator.engines.schedule import WarpKey, key_of
from emulator.machine.warp import Warp
from emulator.observer import Events
from emulator.program import Program

if TYPE_CHECKING:
    from emulator.engines.run import Runner

LOGGED = 4096  # turns that are written down until Python looks


class StoppingEngine(NativeEngine):
    """Runs whole turns natively and suspends one before an instruction at which `stops` says so, and at traps.

    reached: the standing that suspended the last turn.  trapped: by a trap.
    """

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.reached: Standing | None = None
        self.trapped = False
        self._places: Places = NOWHERE
        self._traps: tuple[Trap, ...] = ()
        self._stops: Callable[[Standing], bool] | None = None
        self._patched: dict[Program, dict[int, int]] = {}  # by pc the handler
        self._accesses: dict[Program, dict[int, int]] = {}
        self._log = np.zeros((LOGGED, 3), np.int64)
        self._watches = no_watches()
        self._set(watches=self._watches.ctypes.data)

    def can_trap(self, traps: Sequence[Trap]) -> bool:
        """Whether native code has room for so many, and nobody else listens to it."""
        return len(traps) <= WATCHES and self.runner.events.wants is Events.NONE

    def watch(self, places: Places, stops: Callable[[Standing], bool], traps: tuple[Trap, ...] = ()) -> None:
        """Stop at places and traps from now on, until `unwatch`."""
        self._plant(places, traps)
        self._stops = stops
        self.reached, self.trapped = None, False

    def unwatch(self) -> None:
        """Stop nowhere; the records stay as they are."""
        self._stops = None

    def run_freely(self, pause: int, until: int) -> bool:
        """Turns of all warps; whether there were any.  pause: no turn begins at or after this time.

        until: a turn that goes on beyond this time is interrupted at its next control transfer.
        """
        self._pause, self._until = pause, until
        try:
            return self.run_ready()
        finally:
            self._pause = self._until = NEVER

    def run_logged(self, pause: int, until: int) -> tuple[bool, list[tuple[int, WarpKey]]]:
        """The same, and which warp began a turn when."""
        first = self._log.ctypes.data
        self._set(log=first, log_end=first + self._log.nbytes)
        try:
            done = self.run_freely(pause, until)
            entries = self._log[: (self._get("log") - first) // self._log.strides[0]].tolist()
        finally:
            self._set(log=0)
        return done, [(time, (who & 0xFFFFFFFF, who >> 32, warp)) for time, who, warp in entries]

    def run(self, warp: Warp, count: int, *, exact: bool, single: bool) -> bool:
        """A turn; a single instruction changes nothing in native code."""
        if single:
            self.lanes_moved()
            return ReferenceEngine.run(self, warp, count, exact=exact, single=single)
        return super().run(warp, count, exact=exact, single=single)

    def prepare_program(self, program: Program) -> None:
        """A launch while something is watched."""
        super().prepare_program(program)
        self._patch(program)

    # --- what leaves native code -------------------------------------------------------------------

    def _plant(self, places: Places, traps: tuple[Trap, ...]) -> None:
        if places == self._places and traps == self._traps:
            return
        self._places, self._traps = dict(places), traps
        self.parkings.allowed = not traps  # who is watched executes what he does
        self.parkings.forget()
        self._watches[:] = no_watches()
        for entry, trap in zip(self._watches, traps, strict=False):
            if trap.owner is None:
                entry["who"] = ANYBODY
            else:
                entry["who"] = trap.owner[0] | trap.owner[1] << 32
            entry["warp"] = ANYBODY if trap.warp is None else trap.warp
            if trap.reach is not None:
                entry["mask"], entry["low"], entry["size"] = trap.reach[:3]
                entry["kinds"] = sum(KINDS[kind] for kind in trap.reach.kinds)
        known = [native.program for native in self._programs.values()]
        for program in {*known, *places, *(program for trap in traps for program in trap.places)}:
            self._patch(program)

    def _patch(self, program: Program) -> None:
        """Have the records leave native code that have to, and no others."""
        handlers, patched, wanted = (
            self.program(program).handlers,
            self._patched.get(program, {}),
            self._wanted(program),
        )
        for pc in patched.keys() - wanted.keys():
            handlers.clear(pc)
        for pc, handler in wanted.items():
            if patched.get(pc) != handler:
                handlers.plant(pc, handler)
        self._patched[program] = wanted

    def _wanted(self, program: Program) -> dict[int, int]:
        runtime = self._library.runtime
        wanted = {pc: runtime["leave_watched"] for trap in self._traps for pc in trap.places.get(program, ())}
        for pc, handler in self._accesses_of(program).items():
            wanted[pc] = runtime["leave"] if pc in wanted else handler
        return wanted | dict.fromkeys(self._places.get(program, ()), runtime["leave"])

    def _accesses_of(self, program: Program) -> dict[int, int]:
        """By pc the handlers of accesses that look at their addresses, if some bytes are watched."""
        if all(trap.reach is None for trap in self._traps):
            return {}
        if program not in self._accesses:
            self._accesses[program] = self.program(program).handlers.accesses(WATCHING)
        return self._accesses[program]

    def _record_what_is_wanted(self) -> None:
        """While somebody listens, records are what he wants: no traps."""
        if self._traps and self.runner.events.wants is not Events.NONE:
            self._plant(self._places, ())
        super()._record_what_is_wanted()

    # --- what stops --------------------------------------------------------------------------------

    def _check(self, standing: Standing, stops: Callable[[Standing], bool]) -> None:
        program = standing.warp.cta.grid.program
        if standing.pc in self._places.get(program, ()) and stops(standing):
            self._suspend(standing, trapped=False)
        accesses = self._accesses_of(program)
        for trap in self._traps:
            here = standing.pc in trap.places.get(program, ()) or (trap.reach is not None and standing.pc in accesses)
            if here and trap.concerns(key_of(standing.warp)):
                self._suspend(standing, trapped=True)

    def _suspend(self, standing: Standing, *, trapped: bool) -> None:
        self.reached, self.trapped = standing, trapped
        self.lanes_moved()
        raise TurnSuspended

    def step(self, warp: Warp) -> Step:
        """As the reference engine, unless it stops here."""
        stops = self._stops
        standing = standing_of(warp) if stops is not None else None
        if standing is not None and stops is not None:
            self._check(standing, stops)
        return super().step(warp)
