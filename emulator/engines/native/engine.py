"""The native engine: turns in machine code, single instructions by the reference engine.

Where nothing asks for single turns, `run_ready` hands the whole queue to native code.  Whatever native code does not do
itself (faults, calls of the runtime, an instruction without a native form) it leaves to the reference engine for that
one instruction, over the same bytes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from emulator.engines.native.context import ALLOCATION, CONTEXT, GLOBALS, new_run, offset_of
from emulator.engines.native.cta_life import ENDED, RETIRE
from emulator.engines.native.jobs import Jobs
from emulator.engines.native.lanes_text import DELIVER, IDLE, LEAVE, TURN_OVER, YIELDED
from emulator.engines.native.library import library
from emulator.engines.native.multimem import MulticastTable
from emulator.engines.native.parking import PARK, Parkings
from emulator.engines.native.records import NativeProgram
from emulator.engines.native.runs import Heat, Policy
from emulator.engines.native.templates import Kept, complete_block, complete_template
from emulator.engines.native.turns import EMPTY, HANG, LIMIT, NEEDS_BLOCK, PART
from emulator.engines.reference.engine import ReferenceEngine
from emulator.engines.reference.ops import ReferenceOps
from emulator.engines.schedule import Pick, RoundRobin
from emulator.machine import memory as m
from emulator.machine.cta import Cta
from emulator.machine.device import DeviceState
from emulator.machine.warp import HEADER_BYTES, Warp
from emulator.observer import Events
from emulator.program import Program

if TYPE_CHECKING:
    from emulator.engines.run import Runner
    from emulator.machine.grid import Grid

NEVER = 1 << 62
RUN = offset_of("globals") // 8
FIRST_STRETCH = 1 << 20  # instructions until Python looks for the first time
STRETCH_SECONDS = 0.05
SHARED_FIELDS = ("time", "progress", "last_progress", "idle", "turn_start")


class NativeEngine(ReferenceEngine):
    """Executes turns natively where nothing asks for single instructions."""

    name = "native"
    policy = Policy()

    def __init__(self, runner: Runner, features: str | None = None) -> None:
        super().__init__(runner)
        self.library = self._library = library(features)
        self.row_ops = ReferenceOps(runner)  # for rows of constants, also of a CTA that begins amid another one's step
        self._programs: dict[int, NativeProgram] = {}
        self.templates: dict[NativeProgram, Kept] = {}
        self._heats: dict[NativeProgram, Heat] = {}
        self._run = new_run()
        self._run["ring"] = runner.ready.fields.ctypes.data
        self._run["events"] = runner.events.rings.address
        self._recorded = Events.NONE
        self._address = self._run.ctypes.data
        self._words = self._run.view(np.int64)
        self._place = {name: number for number, name in enumerate(GLOBALS.names or ())}
        self._table = np.zeros(0, ALLOCATION)
        self._multicasts = MulticastTable(runner.memory)
        self._epochs = (-1, -1)
        self._stretch = FIRST_STRETCH
        self._pause = self._until = NEVER  # of a run to a time
        self.parkings = Parkings(self)
        self._run["scratch"] = self.parkings.scratch
        self.jobs: Jobs | None = None

    @property
    def run_address(self) -> int:
        """Where the record of the run is."""
        return self._address

    def program(self, program: Program) -> NativeProgram:
        """The records of a program, made when it is first launched."""
        found = self._programs.get(id(program))
        if found is None:
            found = NativeProgram(program, self._library)
            self._programs[id(program)] = found
            self._heats[found] = Heat(found, self._library, self.policy)
            if self._recorded is not Events.NONE:
                found.handlers.want(self._recorded)
            program.constant_bytes = found.row_bytes - program.row_bytes
        return found

    def native_programs(self) -> list[NativeProgram]:
        """Those that have been launched."""
        return list(self._programs.values())

    def is_settled(self) -> bool:
        """Whether the runs of all programs have been made (runs.py), so that they will not become faster."""
        return all(heat.is_settled for heat in self._heats.values())

    def prepare_program(self, program: Program) -> None:
        """Before the first CTA of a launch: its warps need room for the constants."""
        self.program(program)

    def prepare_grid(self, grid: Grid) -> None:
        """Write contexts and constants into the launch's template."""
        complete_template(self, grid)

    def prepare_cta(self, cta: Cta) -> None:
        """A block that Python has made: its own addresses and the rows that differ between CTAs."""
        complete_block(self, cta)

    def place(self, device: DeviceState, grid: Grid) -> bool:
        """Place CTAs on the device's SMs until there is no room; False if Python has to do it."""
        if not grid.fields["alone"][0]:
            return False
        self._set(progress=self.runner.progress, sms=device.sms)
        self._library.place_all(self._address, grid.address)
        self.runner.progress = self._get("progress")
        return True

    # --- the record of the run -------------------------------------------------------------------------

    def _set(self, **fields: int) -> None:
        for name, value in fields.items():
            self._words[self._place[name]] = value

    def _get(self, name: str) -> int:
        return int(self._words[self._place[name]])

    def field(self, name: str) -> int:
        """A field of the run's record (native/context.py)."""
        return self._get(name)

    def set_stray(self, whether: int) -> None:
        """Say whether lanes may stand where nobody looks for them."""
        self._set(stray=whether)

    # --- turns -------------------------------------------------------------------------------------

    def run(self, warp: Warp, count: int, *, exact: bool, single: bool) -> bool:
        """A turn: native between the instructions that need the reference engine."""
        self._record_what_is_wanted()
        if single:
            self._set(stray=1)
            return super().run(warp, count, exact=exact, single=single)
        if exact:
            self._set(stray=1)
        context = warp.context[: CONTEXT.itemsize].view(np.int64)
        address = warp.context.ctypes.data
        rows = warp.state.ctypes.data + HEADER_BYTES
        left = count
        while True:
            self._refresh_allocations()
            self._set(current=warp.address, time=self.runner.time)
            context[3] = 0  # progress
            context[RUN] = self._address
            status = self._library.run_turn(rows, address, left, exact)
            _, _, budget, progress = context[:4].tolist()
            warp.executed += left - budget
            self.runner.time += left - budget
            self.runner.progress += progress
            self._set(current=0)
            left = budget
            if status in (TURN_OVER, IDLE):
                return True
            if status == YIELDED:
                self.ops.yielded = True
                return True
            if status == DELIVER:
                self.runner.events.flush()
                continue
            left -= 1
            self.step(warp)
            if self.ops.yielded or (left <= 0 and (exact or self.ops.moved)) or not warp.runnable:
                return True

    def lanes_moved(self) -> None:
        """Lanes may stand where no turn ends."""
        self._set(stray=1)

    def run_ready(self) -> bool:
        """Run turns of the queue natively until somebody wants to look; False if nothing was done."""
        runner = self.runner
        if runner.turn is None and runner.launches.new_work and type(runner.schedule) is RoundRobin:
            runner.launches.start_work()
        if (
            runner.turn is not None
            or runner.turns is not None
            or runner.launches.new_work
            or runner.hangs.looking
            or not len(runner.ready)
            or type(runner.schedule) is not RoundRobin
        ):
            return False
        programs = [grid.program for device in runner.devices for grid in device.grids]
        before = runner.time
        done = self._run_stretch()
        for program in programs:
            self._heats[self.program(program)].add((runner.time - before) // len(programs))
        return done

    def _run_stretch(self) -> bool:
        """Turns of the queue, until Python is needed; False if nothing was done."""
        runner, schedule = self.runner, self.runner.schedule
        assert isinstance(schedule, RoundRobin)
        self._record_what_is_wanted()
        self._refresh_allocations()
        if runner.jobs > 1 and self._until == NEVER and self._run_on_threads():
            return True
        pause = runner.time + self._stretch
        self._set(
            limit=runner.free_until(),
            hang_after=runner.hangs.limit,
            look_at=runner.hangs.look_at,
            quantum=schedule.quantum,
            pause=min(pause, self._pause, self._until),
            until=self._until,
            current=0,
            parking=self.parkings.generation,
        )
        start = time.perf_counter()
        while True:
            status = self._call()
            if status == DELIVER:
                self._deliver()
                continue
            if status != NEEDS_BLOCK:
                break
            self.runner.cta_at(self._get("current")).grid.grow()
            self._set(current=0)
        self._note_stretch(time.perf_counter() - start, runner.time >= pause)
        self._after(status)
        return status != EMPTY

    def _note_stretch(self, taken: float, whole: bool) -> None:
        """Make the next stretch as long as it should be.  whole: this one has not ended early."""
        if taken > 2 * STRETCH_SECONDS or (taken < STRETCH_SECONDS / 2 and whole):
            self._stretch = max(1 << 14, int(self._stretch * STRETCH_SECONDS / max(taken, 1e-3)))

    def _run_on_threads(self) -> bool:
        """A stretch on several threads; False if it must be one."""
        runner = self.runner
        if runner.one_thread_because():
            return False
        if self._get("stray"):
            runner.one_thread = "turns have ended in the middle of straight runs"
            return False
        if self.jobs is None:
            self.jobs = Jobs(self, runner.jobs)
        self._write_counters()
        self._set(current=0, quantum=runner.schedule.turn)
        before = runner.time
        taken = self.jobs.stretch(self._run, self._stretch)
        if taken is None:
            return False
        self._note_stretch(taken, runner.time - before >= self._stretch)
        return True

    def _call(self) -> int:
        """Native code with the runner's counters."""
        self._write_counters()
        try:
            return int(self._library.run_ready(self._address))
        finally:
            for name in SHARED_FIELDS:
                setattr(self.runner, name, self._get(name))
            self.runner.hangs.look_at = self._get("look_at")

    def _write_counters(self) -> None:
        self._set(**{name: getattr(self.runner, name) for name in SHARED_FIELDS})

    def _record_what_is_wanted(self) -> None:
        """Have the handlers that record what observers want."""
        wants = self.runner.events.wants
        if wants != self._recorded:
            self._recorded = wants
            for native in self._programs.values():
                native.handlers.want(wants)

    def _deliver(self) -> None:
        """Deliver events in the middle of a turn, which goes on in Python if an observer objects."""
        runner = self.runner
        runner.take_up(Pick(runner.warp_at(self._get("current")), self._get("left"), exact=False))
        runner.events.flush()
        runner.take_up(None)

    def _after(self, status: int) -> None:
        """Do what native code has returned for."""
        runner, entry = self.runner, self._get("current")
        self._set(current=0)
        if status in (LEAVE, LIMIT, PART):
            runner.take_up(Pick(runner.warp_at(entry), self._get("left"), exact=False))
            if status == LIMIT:
                runner.require_time()
        elif status == RETIRE:
            runner.launches.retire(runner.warp_at(entry).cta)
            runner.watch_progress()
        elif status == ENDED:
            runner.launches.start_work()
            runner.watch_progress()
        elif status == HANG:
            runner.hangs.begin()
        elif status == PARK:
            self.parkings.park(runner.warp_at(entry), self._get("left"))

    def _refresh_allocations(self) -> None:
        """The tables of native code, after allocations or multicast objects have changed."""
        memory = self.runner.memory
        epochs = memory.epoch, memory.multicasts.epoch
        if epochs == self._epochs:
            return
        self._epochs = epochs
        self.parkings.forget()
        entries = [(a.base, a.end, a.read_only, 0) for a in memory.allocations()]
        self._table = np.array(entries, ALLOCATION)
        self._multicasts = MulticastTable(memory)
        self._set(
            memory=memory.bytes.ctypes.data - m.DEVICE_BASE,
            dirty=memory.dirty.ctypes.data - (m.DEVICE_BASE >> m.PAGE_SHIFT),
            table=self._table.ctypes.data,
            count=len(entries),
            multicasts=self._multicasts.entries.ctypes.data,
            multicast_count=len(self._multicasts.entries),
            memory_bytes=len(memory.bytes),
            stride=memory.stride,
        )
        for native in self._programs.values():
            native.forget_allocations()
