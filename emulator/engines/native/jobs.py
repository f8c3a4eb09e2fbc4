"""Several threads: the CTAs of one launch in native code, without Python's lock.

The unit is a CTA, or a cluster: its CTAs share memory, and so a thread.  For a stretch the resident CTAs that have
begun are dealt out; every thread has a record of the run, a queue and a share of the launch (a copy of its GridBytes
with free blocks of its own), and takes the CTAs that have not begun from one list and the next ones of the launch from
one counter.  What needs Python is put aside, and all threads stop soon after, each between two turns: what they did is
added up, and the one thread that is left goes on as if it had been the only one.  So reference steps, faults, printf
and hangs are those of one thread.  Time is the sum of the threads' times.

While threads run nobody patches records: a place to which a turn must be exact, and lanes that stand where nobody
looks for them (`Run.stray`), need one thread.  What handlers remember in records (bytes 48 to 56) is written at once:
the address of an allocation's entry, which does not change.  Who finds another thread's entry there looks again or
leaves the instruction to the reference engine.  Whatever else native code writes belongs to a thread, or is written
only where it changes (the map of written pages): bytes that all threads wrote would travel between their caches.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emulator.engines.interrupts import interruptions_later
from emulator.engines.native.context import Fresh, Run, new_run
from emulator.engines.native.parking import SCRATCH_BYTES
from emulator.engines.native.threads import WorkThread
from emulator.engines.native.turns import EMPTY, NEEDS_BLOCK, PAUSED
from emulator.engines.ready import Entries, Ready
from emulator.machine.blocks import chain, chained
from emulator.machine.grid import GridBytes
from emulator.machine.layout import aligned_zeros, dtype_of
from emulator.machine.residents import RECORD

if TYPE_CHECKING:
    from emulator.engines.native.engine import NativeEngine
    from emulator.engines.run import Runner
    from emulator.machine.device import DeviceState
    from emulator.machine.grid import Grid
    from emulator.machine.residents import ResidentTable

NEVER = 1 << 62
LONG = 1 << 40  # idle instructions a warp that no thread reaches
BLOCKS = 64  # that a thread takes at once
SHORT = 1 << 18  # instructions that are too few for the work of dealing out
GO_ON = 0.001  # seconds that the others go on when a thread has nothing to do: dealing out takes about as long
MOST_ALONE = 64  # stretches on one thread after short ones
NOBODY = -1
IN_RUN = {name: number for number, name in enumerate(dtype_of(Run).names or ())}  # words of eight bytes
IN_GRID = {name: number for number, name in enumerate(dtype_of(GridBytes).names or ())}
Numbers = npt.NDArray[np.int64]
NONE: Entries = np.zeros(0, np.uint64)
NO_PLACE: Numbers = np.zeros(0, np.int64)


class Deal(NamedTuple):
    """What there is to deal out: places of resident CTAs."""

    places: Numbers  # of all that can run, with the others of their clusters
    fresh: Numbers  # those that have not begun, and nobody of their clusters; in the order of their numbers
    begun: Numbers  # the others
    owners: Numbers  # a number for each of these, the same in a cluster
    units: int  # how many CTAs or clusters there are
    is_new: bool  # whether no CTA of the launch has begun, so that all its blocks are free


class Share:
    """What one thread has: a record of the run, a queue, a copy of the launch, and the warps that wait for Python."""

    def __init__(self, engine: NativeEngine, lock: threading.Lock) -> None:
        runner = engine.runner
        self.library, self.lock = engine.library, lock
        self.run = new_run()
        self.ready = Ready(runner.ready.capacity, runner.warp_at)
        self.aside = Ready(runner.ready.capacity, runner.warp_at)
        self.parkings = engine.parkings
        self._scratch = np.zeros(SCRATCH_BYTES, np.uint8)
        self.grid: Any = aligned_zeros(dtype_of(GridBytes).itemsize).view(dtype_of(GridBytes))
        self._run_words, self._grid_words = self.run.view(np.int64), self.grid.view(np.int64)
        self._own = {
            "ring": self.ready.fields.ctypes.data,
            "aside": self.aside.fields.ctypes.data,
            "scratch": self._scratch.ctypes.data,
            "share": self.address,
            "hang_after": LONG,
            "log": 0,
            "parked_turns": 0,
        }
        self.whole: Grid | None = None
        self.others: list[Share] = []

    @property
    def address(self) -> int:
        """Of its copy of the launch."""
        return int(self.grid.ctypes.data)

    @property
    def free(self) -> int:
        """The first of its free blocks, 0 for none."""
        return int(self.grid["free"][0])

    def free_of(self, whole: Grid) -> int:
        """The first of its free blocks if they are those of a launch."""
        return self.free if self.whole is whole else 0

    def prepare(self, whole: Grid, run: Any, fields: dict[str, int], free: int) -> None:
        """Be as far as the run, with other values in some fields, and the launch are.  free: its first free block."""
        self.whole = whole
        self._grid_words[:] = whole.fields.view(np.int64)
        for name, value in {"free": free, "whole": whole.address, "finished": 0, "spare": 0, "spares": 0}.items():
            self._grid_words[IN_GRID[name]] = value
        self._run_words[:] = run.view(np.int64)
        new = {"parking": self.parkings.generation, "limit": NEVER, "until": NEVER}
        for name, value in (self._own | new | fields).items():
            self._run_words[IN_RUN[name]] = value
        self.aside.set_addresses(NONE)

    def field(self, name: str) -> int:
        """A field of its record of the run."""
        return int(self._run_words[IN_RUN[name]])

    def work(self) -> None:
        """Run turns until nobody is ready or a thread has stopped; then the others stop too, soon or at once."""
        whole, status = self.whole, PAUSED
        assert whole is not None
        began, start = self.field("time"), time.perf_counter()
        try:
            while (status := self.library.run_ready(self.run.ctypes.data)) == NEEDS_BLOCK:
                self.run["current"] = 0
                with self.lock:
                    self.grid["free"] = whole.take_blocks(BLOCKS)
            assert status in (PAUSED, EMPTY), status
        finally:
            executed, taken = self.field("time") - began, max(time.perf_counter() - start, 1e-6)
            for share in self.others:
                share.stop(max(SHORT, int(executed / taken * GO_ON)) if status == EMPTY else 0)

    def stop(self, soon: int = 0) -> None:
        """Have its thread stop between two turns after so many instructions."""
        self.run["pause"] = min(int(self.run["pause"][0]), int(self.run["time"][0]) + soon)


class Jobs:
    """The threads of an engine; the first share is that of the thread that calls."""

    def __init__(self, engine: NativeEngine, count: int) -> None:
        self.runner: Runner = engine.runner
        self._parkings = engine.parkings
        lock = threading.Lock()
        self.shares = [Share(engine, lock) for _ in range(count)]
        for share in self.shares:
            share.others = [other for other in self.shares if other is not share]
        self.threads = [WorkThread(f"ptxemu {number}") for number in range(1, count)]
        self._alone = 0  # stretches that one thread is to run
        self._penalty = 1
        self._launch: Grid | None = None
        self._fresh: Any = aligned_zeros(64)[: dtype_of(Fresh).itemsize].view(dtype_of(Fresh))
        self._places: Entries = np.zeros(0, np.uint64)

    def stretch(self, run: Any, instructions: int) -> float | None:
        """Run CTAs of the launch on all threads for about so many instructions each; the seconds that it took.

        None if it is not worth it: then nothing has been done.
        """
        runner = self.runner
        (grid,) = runner.running
        if grid is not self._launch:
            self._launch, self._alone, self._penalty = grid, 0, 1
        if self._alone:
            self._alone -= 1
            self._collect(grid)
            return None
        before = runner.time
        with interruptions_later(self._stop):
            taken, aside = self._run(grid, run, before + instructions)
        if taken is None:
            return None
        if runner.time - before < 2 * SHORT:
            self._alone, self._penalty = self._penalty, min(2 * self._penalty, MOST_ALONE)
        else:
            self._penalty = 1
        self._finish(grid, aside)
        return taken

    def _run(self, grid: Grid, run: Any, pause: int) -> tuple[float | None, int]:
        """Deal out, run, add up: the seconds that it took, None if there is too little to do; warps put aside."""
        device = self.runner.devices[grid.device]
        deal = _to_deal(device, grid, self.runner.ready)
        count = min(len(self.shares), deal.units)
        if count < 2:
            self._collect(grid)
            return None, 0
        shares = self.shares[:count]
        self._set_aside_fresh(device, grid, deal.fresh)
        for share, free in zip(shares, self._blocks(grid, deal, shares), strict=True):
            share.prepare(grid, run, {"pause": pause, "fresh": self._fresh.ctypes.data}, free)
        self._deal(device, deal, shares)
        self.runner.threaded = True
        start = time.perf_counter()
        with ExitStack() as together:
            for share, thread in zip(shares[1:], self.threads, strict=False):
                together.enter_context(thread.doing(share.work))
            shares[0].work()
        taken = time.perf_counter() - start
        self._add_up(device, grid, shares)
        run["repeated"] += sum(share.field("repeated") for share in shares) - count * run["repeated"]
        self._take_back(device, grid, deal.places)
        return taken, sum(len(share.aside) for share in shares)

    def _stop(self) -> None:
        """Have all threads stop."""
        for share in self.shares:
            share.stop()

    def _blocks(self, grid: Grid, deal: Deal, shares: list[Share]) -> list[int]:
        """The first free block of each thread: all are divided anew while all are free, else each keeps its own."""
        if not deal.is_new:
            return [share.free_of(grid) for share in shares]
        for share in self.shares:
            share.whole = None  # also of one that has no part this time, and had blocks of the launch before
        return grid.deal_blocks(len(shares))

    def _set_aside_fresh(self, device: DeviceState, grid: Grid, fresh: Numbers) -> None:
        """Let all threads draw from the CTAs that have not begun."""
        self._places = fresh.astype(np.uint64) * np.uint64(RECORD) + np.uint64(device.table.start)
        self._fresh[:] = (0, len(fresh), grid.cluster_size, self._places.ctypes.data)

    def _not_taken(self, grid: Grid) -> Entries:
        """The warps of the CTAs that no thread has taken, in their order."""
        places = self._places[int(self._fresh["next"][0]) :]
        return np.add.outer(places, np.arange(grid.warps, dtype=np.uint64)).ravel()

    def _aside(self, device: DeviceState, shares: list[Share]) -> Entries:
        """The warps that wait for Python, those of the first CTAs first."""
        if not any(len(share.aside) for share in shares):
            return NONE
        entries = np.concatenate([share.aside.entries() for share in shares])
        return entries[np.argsort(device.table.records["linear"][_numbers(device.table, entries)], stable=True)]

    def _deal(self, device: DeviceState, deal: Deal, shares: list[Share]) -> None:
        """Give every thread a part of the CTAs that have begun, and of the queue."""
        queues = [NONE for _ in shares]
        if len(deal.begun):
            records, entries = device.table.records, self.runner.ready.entries()
            owners = deal.owners % len(shares)
            records["grid"][deal.begun] = np.array([share.address for share in shares], np.uint64)[owners]
            owner_of = np.full(len(records), NOBODY)
            owner_of[deal.begun] = owners
            owners = owner_of[_numbers(device.table, entries)]
            queues = [entries[owners == number] for number in range(len(shares))]
        for share, queue in zip(shares, queues, strict=True):
            share.ready.set_addresses(queue)
        self.runner.ready.set_addresses(NONE)

    def _free_blocks(self, grid: Grid) -> list[int]:
        """The free blocks of a launch and of its shares, which have none then."""
        blocks = chained(int(grid.fields["free"][0]))
        for share in self.shares:
            if share.whole is grid:
                blocks += chained(share.free)
                share.grid["free"] = 0
        return blocks

    def _collect(self, grid: Grid) -> None:
        """The free blocks are the launch's again."""
        if any(share.whole is grid and share.free for share in self.shares):
            grid.fields["free"] = chain(self._free_blocks(grid))

    def _add_up(self, device: DeviceState, grid: Grid, shares: list[Share]) -> None:
        """One queue, one time, one launch again; who was put aside comes first."""
        runner, fields = self.runner, grid.fields
        began, progress, idle = runner.time, runner.progress, runner.idle
        for share in shares:
            runner.time += share.field("time") - began
            runner.progress += share.field("progress") - progress
            runner.idle += share.field("idle") - idle
            fields["finished"] += share.grid["finished"]
        ready = [share.ready.entries() for share in shares]
        runner.ready.set_addresses(np.concatenate([self._aside(device, shares), self._not_taken(grid), *ready]))
        fields["next"] = np.minimum(fields["next"], grid.cta_count)
        runner.turn_start = runner.time
        if runner.progress != progress:
            runner.watch_progress()

    def _take_back(self, device: DeviceState, grid: Grid, places: Numbers) -> None:
        """The CTAs that are there are the launch's again; the places of those that nobody has followed are free."""
        table = device.table
        is_free = table.records["grid"][places] == 0
        free = places[is_free]
        table.records["grid"][places[~is_free]] = grid.address
        table.give_back(free)
        counts = np.bincount(table.records["sm"][free], minlength=device.sms)
        device.held -= counts[:, None] * device.needs(grid)
        self.runner.engine.place(device, grid)

    def _finish(self, grid: Grid, aside: int) -> None:
        """Turns of those that were put aside, which come to what Python does; and what the end of a launch brings."""
        runner = self.runner
        for _ in range(aside):
            turn = runner.settle()
            if turn is not None and self._parkings.spins(turn.warp):
                self._parkings.park(turn.warp, turn.instructions)
            else:
                runner.run_turn()
        runner.hangs.look_over()
        if grid.finished and grid in runner.running:
            runner.launches.start_work()
            runner.watch_progress()


def _to_deal(device: DeviceState, grid: Grid, ready: Ready) -> Deal:
    """What there is of a launch; its CTAs that have not begun have all their warps in the queue."""
    records, size = device.table.records, grid.cluster_size
    resident = np.flatnonzero(records["grid"] == grid.address)
    has_begun, number = records["block"][resident] != 0, records["linear"][resident]
    if size == 1 and not has_begun.any():
        fresh = resident[np.argsort(number, kind="stable")]
        return Deal(resident, fresh, NO_PLACE, NO_PLACE, len(resident), is_new=True)
    can_run = np.zeros(len(records), bool)
    can_run[_numbers(device.table, ready.entries())] = True
    unit = grid.cluster_of(number) if size > 1 else number
    there = np.isin(unit, unit[can_run[resident]])
    places, number, unit = resident[there], number[there], np.unique(unit[there], return_inverse=True)[1]
    begun = np.bincount(unit, ~has_begun[there])[unit] < size  # somebody of the cluster, who may have ended
    order = np.lexsort((records["rank"][places], unit))
    fresh = places[order[~begun[order]]]
    return Deal(places, fresh, places[begun], unit[begun], int(unit.max(initial=-1)) + 1, is_new=False)


def _numbers(table: ResidentTable, entries: Entries) -> Entries:
    """The places of the CTAs whose warps are in a queue."""
    found: Entries = entries - np.uint64(table.start) >> np.uint64(RECORD.bit_length() - 1)
    return found
