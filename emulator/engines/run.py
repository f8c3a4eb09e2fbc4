"""The run of a system: launches, residency, turns, progress, hangs, faults, snapshots.

One scheduler serves the resident warps of all CTAs of all running kernels of all devices.  Time is the
count of executed warp instructions.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.engines.events import EventStream
from emulator.engines.faults import Faults
from emulator.engines.reference.engine import ReferenceEngine, Step
from emulator.engines.reference.ops import ReferenceOps
from emulator.engines.runtime_calls import RuntimeCalls
from emulator.engines.schedule import QUANTUM, Pick, RoundRobin, Schedule, Turn, key_of
from emulator.engines.snapshots import Snapshot, bring_back, take_snapshot
from emulator.errors import KernelFault
from emulator.machine.cta import Barrier, Cta
from emulator.machine.device import DeviceState, Record, Stream, Wait, Work
from emulator.machine.grid import Grid
from emulator.machine.memory import AddressSpace
from emulator.machine.warp import Warp, mask_of
from emulator.observer import Observer
from emulator.program import FunctionInfo
from emulator.program.instruction import CallInfo

HANG_AFTER = 1_000_000


class TurnSuspended(Exception):
    """Raised by an engine that stops before an instruction in the middle of a turn, which goes on later."""


@dataclass
class Limits:
    """When a run stops by itself: instructions in all, and instructions a runnable warp without progress."""

    max_instructions: int | None = None
    hang_after: int = HANG_AFTER


def engine_of(name: str, runner: Runner) -> ReferenceEngine:
    """An engine by name: "reference" or "native"."""
    if name == "native":
        from emulator.engines.native.engine import NativeEngine

        return NativeEngine(runner)
    return ReferenceEngine(runner)


class Runner:
    """Runs everything that was launched on some devices.

    progress counts changes of shared and global memory, barrier phases, warps that exit and CTAs that start;
    `limits.hang_after` instructions of every runnable warp without it are a hang.
    """

    def __init__(
        self,
        devices: list[DeviceState],
        memory: AddressSpace,
        schedule: Schedule | None = None,
        limits: Limits | None = None,
        output: Callable[[str], object] | None = None,
        engine: str = "reference",
    ) -> None:
        self.devices = devices
        self.memory = memory
        self.schedule = schedule or RoundRobin()
        self.limits = limits or Limits()
        self.output = output or sys.stdout.write
        self.time = 0
        self.progress = 0
        self.ready: deque[Warp] = deque()
        self.turns: list[Turn] | None = None
        self.completed = Barrier()
        self.faults = Faults(self)
        self.events = EventStream(self)
        self.engine = engine_of(engine, self)
        self.calls = RuntimeCalls(self)
        self._turn: Pick | None = None
        self._last_progress = 0
        self._idle = 0
        self._launches = 0
        self._new_work = False
        self.printed = 0
        self._printed_most = 0
        self._same_turn = False
        self._last_step: Step | None = None

    # --- launches ----------------------------------------------------------------------------------

    def next_launch_number(self) -> int:
        """Numbers launches from 1."""
        self._launches += 1
        return self._launches

    def enqueue(self, stream: Stream, work: Work) -> None:
        """Put work behind the stream's other work."""
        stream.pending.append(work)
        self._new_work = True
        self._printed_most = self.printed

    def _start_work(self) -> None:
        """Start what streams have in front until nothing more can start, and place CTAs on free SMs."""
        self._new_work = False
        while any(self._advance_stream(device, stream) for device in self.devices for stream in device.streams):
            pass
        for device in self.devices:
            self._fill(device)

    def _advance_stream(self, device: DeviceState, stream: Stream) -> bool:
        """End the stream's grid if it has finished, start what can start; whether a point was reached."""
        if stream.running is not None and stream.running.finished:
            self._end_grid(device, stream.running)
            stream.running = None
        reached = False
        while stream.running is None and stream.pending:
            work = stream.pending[0]
            if isinstance(work, Wait) and not work.point.reached:
                break
            stream.pending.popleft()
            if isinstance(work, Grid):
                stream.running = work
                device.grids.append(work)
                self.events.launched(work)
                self.engine.prepare_program(work.program)
            elif isinstance(work, Record):
                work.point.reached = reached = True
        return reached

    def _end_grid(self, device: DeviceState, grid: Grid) -> None:
        device.grids.remove(grid)
        workspace = self.memory.find(grid.workspace)
        if workspace is not None:
            self.memory.free(workspace)

    def _fill(self, device: DeviceState) -> None:
        for grid in device.grids:
            while not grid.all_dispatched:
                ctas = device.dispatch(grid)
                if not ctas:
                    break
                self.progress += 1
                for cta in ctas:
                    self.engine.prepare_cta(cta)
                    for warp in cta.warps:
                        self.make_ready(warp)

    @property
    def busy(self) -> bool:
        """Whether any stream has work."""
        return any(not stream.idle for device in self.devices for stream in device.streams)

    # --- running -----------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Run until nothing is left, or a condition holds between turns; KernelFault if a kernel does wrong."""
        while not (until is not None and until()):
            if not self._run_turn(single=False):
                return

    def step(self) -> Step | None:
        """Execute one warp instruction; None when nothing is left to run."""
        if not self._run_turn(single=True):
            return None
        return self._last_step

    @property
    def turn(self) -> Pick | None:
        """The turn in progress: its warp, and what is left of it."""
        return self._turn

    def settle(self) -> Pick | None:
        """The turn in progress, picked now if there is none; None when nothing is left to run."""
        if self._turn is None:
            self._next_turn()
        return self._turn

    def run_turn(self, part: int | None = None) -> bool:
        """Run the turn in progress, or the next one, to its end; False when all work is done.

        part: of a longer turn only so many instructions, and on to the next control transfer.
        """
        return self._run_turn(single=False, part=part)

    def step_out_of_turn(self, warp: Warp) -> None:
        """One instruction of a warp that can run, between two of the turn in progress, which goes on as if nothing was.

        The warp keeps its place in the queue.
        """
        held = self.settle()
        if held is None or held.warp is warp:
            self._run_turn(single=True)
            return
        place = self.ready.index(warp)
        self.ready.remove(warp)
        warp.queued = False
        self._turn, self._same_turn = Pick(warp, 1, exact=True), False
        warp.wake()
        try:
            self._run_turn(single=True)
        finally:
            self._turn = held
            for moved in (held.warp, warp):
                if moved.queued:
                    self.ready.remove(moved)
                    moved.queued = False
            if warp.wants_turn:
                warp.queued = True
                self.ready.insert(place, warp)

    def _run_turn(self, *, single: bool, part: int | None = None) -> bool:
        """Run the current turn to its end, or one instruction of it; False when all work is done.

        A turn ends as schedule.py says, or when the warp waits, yields or ends: so it ends at the same instruction
        on every engine, and stepping does not change the schedule.
        """
        if self._turn is None and not self._next_turn():
            return False
        assert self._turn is not None
        warp, left, exact = self._turn
        most = self.limits.max_instructions
        if most is not None and self.time >= most:
            raise self.faults.limit(warp, most)
        start = self.time
        try:
            count = left if most is None else min(left, most - start)
            over = self._run_part(warp, min(count, part or count), left, exact=exact, single=single)
        except TurnSuspended:
            over = False
        except KernelFault:
            self._turn = Pick(warp, left - (self.time - start), exact)
            self.events.flush()
            raise
        executed = self.time - start
        self._note_turn(warp, executed)
        self._turn = None if over else Pick(warp, left - executed, exact)
        if over:
            self._end_turn(warp)
        self._watch_progress(executed)
        return True

    def _run_part(self, warp: Warp, count: int, left: int, *, exact: bool, single: bool) -> bool:
        """Run `count` of the `left` instructions of a turn; whether the turn is over, and not only this part of it."""
        start = self.time
        self.engine.ops.yielded = False
        over = self.engine.run(warp, count, exact=exact, single=single)
        only_part = count <= self.time - start < left and bool(warp.runnable) and not self.engine.ops.yielded
        return over and not only_part

    def _next_turn(self) -> bool:
        if self._new_work or not self.ready:
            self._start_work()
        if not self.ready:
            self.events.flush()
            if not self.busy:
                return False
            raise self.faults.hang([], self._idle)
        self._turn = self.schedule.pick(self.ready)
        self._turn.warp.queued = False
        self._turn.warp.wake()
        return True

    def _note_turn(self, warp: Warp, executed: int) -> None:
        if self.turns is None or not executed:
            return
        key = key_of(warp)
        if self.turns and self.turns[-1][0] == key and self._same_turn:
            self.turns[-1] = (key, self.turns[-1][1] + executed)
        else:
            self.turns.append((key, executed))
        self._same_turn = True

    def _end_turn(self, warp: Warp) -> None:
        self._same_turn = False
        if warp.waiting & warp.suspended:
            self._idle += QUANTUM  # what it gives up, so that a hang is seen as early as if it had spun
        if warp.wants_turn:
            self.make_ready(warp)
        elif not warp.live and warp.cta.finished:
            self._retire(warp.cta)

    def _retire(self, cta: Cta) -> None:
        grid = cta.grid
        if cta.linear not in grid.resident:
            return
        device = self.devices[grid.device]
        device.retire(cta)
        if grid.finished:
            self._start_work()
        elif not grid.all_dispatched or len(device.grids) > 1:
            self._fill(device)

    def make_ready(self, warp: Warp) -> None:
        """Queue a warp that can run."""
        if not warp.queued and warp.wants_turn and (self._turn is None or self._turn.warp is not warp):
            warp.queued = True
            self.ready.append(warp)

    def _watch_progress(self, executed: int) -> None:
        if self.progress != self._last_progress:
            self._last_progress = self.progress
            self._idle = 0
            return
        self._idle += executed
        if self._idle > self.limits.hang_after * max(1, len(self.ready)):
            raise self.faults.hang(list(self.ready), self._idle)

    # --- what the engine tells ---------------------------------------------------------------------

    def before(self, step: Step) -> None:
        """An instruction is about to execute."""
        self._last_step = step
        self.events.instruction(step)

    def write_output(self, text: str) -> None:
        """What a kernel prints; a replayed stretch of a run prints nothing twice."""
        self.printed += len(text)
        if self.printed > self._printed_most:
            self._printed_most = self.printed
            self.output(text)

    def note_access(self, kind: str, ops: ReferenceOps, space: str, addresses: Any, size: int) -> None:
        """A memory access of the executing lanes, for observers that want it."""
        self.events.access(kind, ops, space, addresses, size)

    def add_observer(self, observer: Observer) -> None:
        """Deliver events to an observer from now on."""
        self.events.add(observer)

    def runtime_call(self, ops: ReferenceOps, lanes: Any, callee: FunctionInfo, info: CallInfo) -> None:
        """A call of vprintf, malloc and the like."""
        self.calls.call(ops, lanes, callee, info)

    # --- barriers and exits ------------------------------------------------------------------------

    def arrive(self, ops: ReferenceOps, number: int, threads: int, lanes: Any, wait: bool, votes: Any) -> None:
        """Lanes arrive at a named barrier of their CTA; threads: its count, 0 for all of the CTA."""
        warp, cta, mask = ops.warp, ops.warp.cta, mask_of(lanes)
        barrier = cta.barriers[number]
        if not barrier.in_use:
            barrier.count = threads
        elif barrier.count != threads:
            if {barrier.count, threads} != {0, cta.all_threads}:
                text = f"barrier {number} with {threads or 'all'} threads: it was opened with {barrier.count or 'all'}"
                raise self.faults.bad_barrier(ops, lanes, text)
            barrier.count = 0
        barrier.add(warp.index, mask, wait=wait, in_favour=None if votes is None else mask_of(votes))
        warp.waiting |= mask
        self._try_barrier(cta, barrier)

    def _try_barrier(self, cta: Cta, barrier: Barrier) -> None:
        for index in cta.settle(barrier):
            self._let_go(cta.warps[index], barrier.passing.pop(index, 0))
        if not barrier.in_use or not cta.is_complete(barrier):
            return
        self.progress += 1
        cta.barriers[cta.barriers.index(barrier)] = barrier.next_phase()
        self.completed = barrier
        for index in sorted(barrier.waiting):
            self._let_go(cta.warps[index], barrier.waiting[index])

    def _let_go(self, warp: Warp, lanes: int) -> None:
        """Lanes that waited go on."""
        if lanes:
            here = self.engine.position()
            self.engine.resume(warp, lanes)
            self.make_ready(warp)
            self.engine.back_to(here)

    def lanes_exited(self, warp: Warp) -> None:
        """Lanes of a warp have exited: what waited for them may go on."""
        if not warp.live:
            self.progress += 1
        for barrier in list(warp.cta.barriers):
            if barrier.in_use:
                self._try_barrier(warp.cta, barrier)
        if warp.rendezvous:
            here = self.engine.position()
            for key in list(warp.rendezvous):
                self.engine.try_rendezvous(warp, key)
            self.engine.back_to(here)

    # --- snapshots -----------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything that running changes, between two instructions."""
        return take_snapshot(self)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot: running on gives the same bytes."""
        bring_back(self, snapshot)
