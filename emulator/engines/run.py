"""The run of a system: launches, residency, turns, progress, hangs, faults, snapshots.

One scheduler serves the resident warps of all CTAs of all running kernels of all devices.  Time is the
count of executed warp instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.engines.events import EventStream
from emulator.engines.faults import Faults
from emulator.engines.hang_watch import HangWatch
from emulator.engines.interrupts import interruptions_later
from emulator.engines.launches import Launches
from emulator.engines.meetings import Meetings
from emulator.engines.ready import Ready
from emulator.engines.reference.engine import ReferenceEngine, Step
from emulator.engines.reference.ops import ReferenceOps
from emulator.engines.runtime_calls import RuntimeCalls
from emulator.engines.schedule import QUANTUM, Pick, RoundRobin, Schedule, Turn, key_of
from emulator.engines.snapshots import Snapshot, bring_back, take_snapshot
from emulator.errors import KernelFault
from emulator.machine.cta import Barrier, Cta
from emulator.machine.device import DeviceState, Stream, Work
from emulator.machine.grid import Grid
from emulator.machine.memory import AddressSpace
from emulator.machine.residents import RECORD
from emulator.machine.warp import Warp
from emulator.observer import Events, Observer
from emulator.program import FunctionInfo
from emulator.program.instruction import CallInfo


class TurnSuspended(Exception):
    """Raised by an engine that stops before an instruction in the middle of a turn, which goes on later."""


@dataclass
class Limits:
    """When a run stops by itself: instructions in all, and instructions a runnable warp without progress.

    Without the second number a hang is what hang_watch.py says.
    """

    max_instructions: int | None = None
    hang_after: int | None = None

    @property
    def most(self) -> int:
        """The first of them, or more than a run can have."""
        return 1 << 62 if self.max_instructions is None else self.max_instructions


def _print(text: str) -> None:
    """What a kernel prints where nobody has said where: the sys.stdout of this moment."""
    print(text, end="")


def engine_of(name: str, runner: Runner) -> ReferenceEngine:
    """An engine by name: "reference" or "native"."""
    if name == "native":
        from emulator.engines.native.engine import NativeEngine

        return NativeEngine(runner)
    return ReferenceEngine(runner)


class Runner:
    """Runs everything that was launched on some devices.

    progress counts changes of shared and global memory, barrier phases, warps that exit and CTAs that start.
    """

    def __init__(
        self,
        devices: list[DeviceState],
        memory: AddressSpace,
        schedule: Schedule | None = None,
        limits: Limits | None = None,
        output: Callable[[str], object] | None = None,
        engine: str = "reference",
        jobs: int = 1,
    ) -> None:
        self.devices = devices
        self.memory = memory
        self.schedule = schedule or RoundRobin()
        self.limits = limits or Limits()
        self.output = output or _print
        self.jobs = jobs
        self.threaded = False  # whether several threads have run CTAs
        self.one_thread = ""  # why one had to do what several were to
        self.time = 0
        self.progress = 0
        self.ready = Ready(sum(len(device.held) * device.limits.warps_per_sm for device in devices), self.warp_at)
        self.launches = Launches(self)
        self.meetings = Meetings(self)
        self.hangs = HangWatch(self)
        self.turns: list[Turn] | None = None
        self.interrupted = False  # whether Ctrl-C waits for the end of an instruction
        self.kept = False  # whether somebody may come back to a snapshot
        self.faults = Faults(self)
        self.events = EventStream(self)
        self.engine = engine_of(engine, self)
        for device in devices:
            device.table.on_begin = lambda cta: self.engine.prepare_cta(cta)
        self.calls = RuntimeCalls(self)
        self._turn: Pick | None = None
        self.last_progress = 0
        self.idle = 0
        self.turn_start = 0
        self.printed = 0
        self._printed_most = 0
        self._same_turn = False
        self._last_step: Step | None = None

    # --- launches ----------------------------------------------------------------------------------

    def next_launch_number(self) -> int:
        """Numbers launches from 1."""
        self.launches.count += 1
        return self.launches.count

    def enqueue(self, stream: Stream, work: Work) -> None:
        """Put work behind the stream's other work."""
        self.launches.enqueue(stream, work)
        self._printed_most = self.printed

    @property
    def busy(self) -> bool:
        """Whether any stream has work."""
        return self.launches.busy

    @property
    def running(self) -> list[Grid]:
        """The launches that run."""
        return [grid for device in self.devices for grid in device.grids]

    def one_thread_because(self) -> str:
        """Why warps must run on one thread now, though several are allowed; "" if nothing speaks for it."""
        grids, why = self.running, ""
        if self.kept:
            why = "a snapshot has been taken"
        elif self.events.wants is not Events.NONE:
            why = "an observer looks on"
        elif self.limits.max_instructions is not None:
            why = "--max-instructions counts to the instruction"
        elif self.turns is not None:
            why = "the order of turns is recorded"
        elif type(self.schedule) is not RoundRobin:
            why = f"the schedule {self.schedule.name} has an order"
        elif self.engine.name != "native":
            why = "only the native engine has threads"
        elif len(grids) > 1:
            why = "several launches run at once"
        self.one_thread = why or self.one_thread
        return why

    # --- running -----------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool] | None = None, *, every_turn: bool = True) -> None:
        """Run until nothing is left, or a condition holds; KernelFault if a kernel does wrong.

        The condition is looked at after every turn, or only when a launch ends and a few times a second.  Ctrl-C comes
        between two instructions, so that a run can go on after it.
        """
        if self.jobs > 1:
            self.one_thread_because()
        while self._run_until_interrupted(until, freely=until is None or not every_turn):
            pass

    def _run_until_interrupted(self, until: Callable[[], bool] | None, *, freely: bool) -> bool:
        """Run; whether Ctrl-C has ended that."""
        self.interrupted = False
        with interruptions_later(self._interrupt):
            while not self.interrupted and not (until is not None and until()):
                if freely and self.engine.run_ready():
                    continue
                if not self._run_turn(single=False):
                    return False
            return self.interrupted

    def _interrupt(self) -> None:
        self.interrupted = True

    def step(self) -> Step | None:
        """Execute one warp instruction; None when nothing is left to run."""
        if not self._run_turn(single=True):
            return None
        return self._last_step

    @property
    def turn(self) -> Pick | None:
        """The turn in progress: its warp, and what is left of it."""
        return self._turn

    def take_up(self, turn: Pick | None) -> None:
        """Have this turn in progress."""
        self._turn = turn

    def settle(self) -> Pick | None:
        """The turn in progress, picked now if there is none; None when nothing is left to run."""
        if self._turn is None:
            self._next_turn()
        return self._turn

    def run_turn(self, part: int | None = None) -> bool:
        """Run the turn in progress, or the next one, to its end; False when all work is done.

        part: of a longer turn exactly so many instructions.
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
        left, warp.left = warp.left, 0
        warp.wake()
        try:
            self._run_turn(single=True)
        finally:
            self._turn, warp.left = held, left
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
        start = self.time
        try:
            self.require_time()
            room = (self.limits.most if exact else self.free_until()) - start
            most = max(1, min(left - 1, room) if left > room else left)
            part = most if part is None else min(most, part)
            single = single or (not exact and left > room <= 1)
            over = self._run_part(warp, part, left, exact=exact or part < left, single=single)
        except TurnSuspended:
            over = False
        except KernelFault as fault:
            fault.warp = key_of(warp)
            self._turn = Pick(warp, left - (self.time - start), exact)
            self.events.flush()
            raise
        executed = self.time - start
        self._note_turn(warp, executed)
        self._turn = None if over else Pick(warp, left - executed, exact)
        if over:
            self._end_turn(warp, 0 if exact else left - executed)
        return True

    def _run_part(self, warp: Warp, count: int, left: int, *, exact: bool, single: bool) -> bool:
        """Run `count` of the `left` instructions of a turn; whether the turn is over, and not only this part of it."""
        start = self.time
        self.engine.ops.yielded = False
        over = self.engine.run(warp, count, exact=exact, single=single)
        only_part = count <= self.time - start < left and bool(warp.runnable) and not self.engine.ops.yielded
        return over and not only_part

    def free_until(self) -> int:
        """The time up to which a turn may run on to the end of straight code; then the limit says where it ends."""
        return self.limits.most - max((len(grid.program.instructions) for grid in self.running), default=0)

    def require_time(self) -> None:
        """Raise the limit's fault if the turn in progress would go beyond it."""
        most = self.limits.max_instructions
        if most is not None and self.time >= most and self._turn is not None:
            raise self.faults.limit(self._turn.warp, most)

    def _next_turn(self) -> bool:
        if self.launches.new_work or not self.ready:
            self.launches.start_work()
        if not self.ready:
            self.events.flush()
            if self.launches.new_work:  # observers may launch
                self.launches.start_work()
        if not self.ready:
            if not self.busy:
                return False
            raise self.faults.hang([], self.idle)
        self._turn = self.schedule.pick(self.ready)
        self._turn.warp.queued = False
        self._turn.warp.wake()
        self.turn_start = self.time
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

    def _end_turn(self, warp: Warp, left: int) -> None:
        """A warp that has to wait keeps what is left of its turn; any other one goes to the end of the queue."""
        self._same_turn = False
        if warp.waiting & warp.suspended:
            self.idle += QUANTUM  # what it gives up, so that a hang is seen as early as if it had spun
        if warp.wants_turn:
            warp.left = 0
            self.make_ready([warp])
        else:
            warp.left = max(0, left)
            if not warp.live and not warp.cta.live_warps:
                self.launches.retire(warp.cta)
        self.watch_progress(warp)

    def make_ready(self, warps: list[Warp]) -> None:
        """Queue warps that can run: those whose turn was interrupted in front, in this order, the others behind."""
        running = self._turn.warp if self._turn is not None else None
        new = [warp for warp in warps if not warp.queued and warp.wants_turn and warp is not running]
        for warp in reversed(new):
            warp.queued = True
            if warp.left > 0:
                self.ready.appendleft(warp)
        for warp in new:
            if warp.left <= 0:
                self.ready.append(warp)

    def warp_at(self, entry: int) -> Warp:
        """The warp of an entry of the queue."""
        return self.cta_at(entry).warps[entry % RECORD]

    def cta_at(self, entry: int) -> Cta:
        """The CTA of an entry of the queue."""
        for device in self.devices:
            if entry in device.table:
                return device.table.view(device.table.number_at(entry))
        raise LookupError(f"{entry:#x} names no resident warp")

    def watch_progress(self, warp: Warp | None = None) -> None:
        """After a turn of a warp, None if native code has counted it: note progress, or that there was none."""
        if self.progress != self.last_progress:
            self.last_progress = self.progress
            self.idle = 0
            self.hangs.reset()
        elif warp is not None:
            self.idle += self.time - self.turn_start
            self.hangs.after_turn(warp)

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
        self.meetings.arrive(ops, number, threads, lanes, wait, votes)

    @property
    def completed(self) -> Barrier:
        """The barrier that has just completed, for the results of its reductions."""
        assert self.meetings.completed is not None
        return self.meetings.completed

    def lanes_exited(self, warp: Warp) -> None:
        """Lanes of a warp have exited: what waited for them may go on."""
        self.meetings.lanes_exited(warp)

    # --- snapshots -----------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything that running changes, between two instructions."""
        self.kept = True
        return take_snapshot(self)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot: running on gives the same bytes."""
        bring_back(self, snapshot)
