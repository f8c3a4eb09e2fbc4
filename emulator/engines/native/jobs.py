"""Several threads: the CTAs of one launch in native code, without Python's lock.

The unit is a CTA, or a cluster: its CTAs share memory, and so a thread.  For a stretch the resident CTAs are dealt
out; every thread has a record of the run, a queue and a share of the launch (a copy of its GridBytes with free blocks
of its own), and takes the next CTAs of the launch from one counter.  What needs Python is put aside, and all threads
stop soon after, each between two turns: what they did is added up, and the one thread that is left goes on as if it
had been the only one.  So reference steps, faults, printf and hangs are those of one thread.  Time is the sum of the
threads' times.

While threads run nobody patches records: a place to which a turn must be exact, and lanes that stand where nobody
looks for them (`Run.stray`), need one thread.  What handlers remember in records (bytes 48 to 56) is written at once:
the address of an allocation's entry, which does not change.  Who finds another thread's entry there looks again or
leaves the instruction to the reference engine.  Whatever else native code writes belongs to a thread, or is written
only where it changes (the map of written pages): bytes that all threads wrote would travel between their caches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.engines.interrupts import interruptions_later
from emulator.engines.native.context import new_run
from emulator.engines.native.turns import EMPTY, NEEDS_BLOCK, PAUSED
from emulator.engines.ready import Ready
from emulator.machine.grid import NEXT, GridBytes
from emulator.machine.layout import aligned_zeros, dtype_of, word_at
from emulator.machine.residents import RECORD

if TYPE_CHECKING:
    from emulator.engines.native.engine import NativeEngine
    from emulator.engines.run import Runner
    from emulator.machine.device import DeviceState
    from emulator.machine.grid import Grid
    from emulator.machine.residents import ResidentTable

NEVER = 1 << 62
LONG = 1 << 40  # idle instructions a warp that no thread reaches
SHORT = 1 << 18  # instructions that are too few for the work of dealing out
MOST_ALONE = 64  # stretches on one thread after short ones
Numbers = npt.NDArray[np.int64]


class Share:
    """What one thread has: a record of the run, a queue, a copy of the launch, and the warps that wait for Python."""

    def __init__(self, engine: NativeEngine, lock: threading.Lock) -> None:
        runner = engine.runner
        self.library, self.lock = engine.library, lock
        self.run = new_run()
        self.ready = Ready(runner.ready.capacity, runner.warp_at)
        self.aside = Ready(runner.ready.capacity, runner.warp_at)
        self.grid: Any = aligned_zeros(dtype_of(GridBytes).itemsize).view(dtype_of(GridBytes))
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

    def prepare(self, whole: Grid, run: Any, pause: int) -> None:
        """Be as far as the run and the launch are."""
        free = self.free if self.whole is whole else 0
        self.grid[:] = whole.fields
        self.grid["free"], self.grid["whole"], self.grid["finished"] = free, whole.address, 0
        self.grid["spare"] = self.grid["spares"] = 0
        self.whole = whole
        self.run[:] = run
        self.run["ring"], self.run["aside"] = self.ready.fields.ctypes.data, self.aside.fields.ctypes.data
        self.run["limit"], self.run["until"], self.run["hang_after"] = NEVER, NEVER, LONG
        self.run["pause"], self.run["parking"], self.run["log"] = pause, 0, 0
        self.aside.set_addresses([])

    def work(self) -> None:
        """Run turns until nobody is ready or a thread has stopped; then the others stop too, soon or at once."""
        whole, status = self.whole, PAUSED
        assert whole is not None
        try:
            while (status := self.library.run_ready(self.run.ctypes.data)) == NEEDS_BLOCK:
                self.run["current"] = 0
                with self.lock:
                    blocks = whole.pool.grow(whole.cta_count)
                self.grid["free"] = _chain(blocks)
            assert status in (PAUSED, EMPTY), status
        finally:
            for share in self.others:
                share.stop(SHORT if status == EMPTY else 0)

    def stop(self, soon: int = 0) -> None:
        """Have its thread stop between two turns after so many instructions."""
        self.run["pause"] = min(int(self.run["pause"][0]), int(self.run["time"][0]) + soon)


class Jobs:
    """The threads of an engine; the first share is that of the thread that calls."""

    def __init__(self, engine: NativeEngine, count: int) -> None:
        self.runner: Runner = engine.runner
        lock = threading.Lock()
        self.shares = [Share(engine, lock) for _ in range(count)]
        for share in self.shares:
            share.others = [other for other in self.shares if other is not share]
        self._threads = ThreadPoolExecutor(count - 1, thread_name_prefix="ptxemu")
        self._alone = 0  # stretches that one thread is to run
        self._penalty = 1
        self._launch: Grid | None = None

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
        if runner.time - before < SHORT:
            self._alone, self._penalty = self._penalty, min(2 * self._penalty, MOST_ALONE)
        else:
            self._penalty = 1
        self._finish(grid, aside)
        return taken

    def _run(self, grid: Grid, run: Any, pause: int) -> tuple[float | None, int]:
        """Deal out, run, add up: the seconds that it took, None if there is too little to do; warps put aside."""
        device = self.runner.devices[grid.device]
        places, units = self._to_deal(device, grid)
        count = min(len(self.shares), int(units.max(initial=-1)) + 1)
        if count < 2:
            self._collect(grid)
            return None, 0
        shares = self.shares[:count]
        for share in shares:
            share.prepare(grid, run, pause)
        self._deal(device, places, units % count, shares)
        self._deal_blocks(grid, shares)
        self.runner.threaded = True
        start = time.perf_counter()
        running = [self._threads.submit(share.work) for share in shares[1:]]
        try:
            shares[0].work()
        finally:
            wait(running)
        taken = time.perf_counter() - start
        self._add_up(grid, shares)
        self._take_back(device, grid, places)
        for future in running:
            future.result()
        return taken, sum(len(share.aside) for share in shares)

    def _stop(self) -> None:
        """Have all threads stop."""
        for share in self.shares:
            share.stop()

    def _to_deal(self, device: DeviceState, grid: Grid) -> tuple[Numbers, Numbers]:
        """The places of the resident CTAs that can run, with the others of their clusters, and each one's number:
        that of its cluster among these, or its own."""
        records = device.table.records
        can_run = np.zeros(len(records), bool)
        can_run[_numbers(device.table, self.runner.ready.entries())] = True
        if grid.cluster_size == 1:
            places = np.flatnonzero(can_run)
            return places, np.arange(len(places))
        resident = np.flatnonzero(records["grid"] == grid.address)
        clusters = grid.cluster_of(records["linear"][resident])
        there = np.isin(clusters, clusters[can_run[resident]])
        return resident[there], np.unique(clusters[there], return_inverse=True)[1]

    def _deal(self, device: DeviceState, places: Numbers, owners_of: Numbers, shares: list[Share]) -> None:
        """Give every thread a part of the CTAs, and of the queue."""
        table, entries = device.table, self.runner.ready.entries()
        owner_of = np.zeros(len(table.records), np.int64)
        owner_of[places] = owners_of
        table.records["grid"][places] = np.array([share.address for share in shares], np.uint64)[owner_of[places]]
        owners = owner_of[_numbers(table, entries)]
        for number, share in enumerate(shares):
            share.ready.set_addresses(entries[owners == number])
        self.runner.ready.set_addresses([])

    def _deal_blocks(self, grid: Grid, shares: list[Share]) -> None:
        """Give every thread as many free blocks, neighbours to one thread, if the launch has any or a thread none."""
        if grid.fields["free"][0] or not all(share.free for share in shares):
            blocks = np.array_split(sorted(self._free_blocks(grid)), len(shares))
            for share, part in zip(shares, blocks, strict=True):
                share.grid["free"] = _chain(part.tolist())
            grid.fields["free"] = 0

    def _free_blocks(self, grid: Grid) -> list[int]:
        """The free blocks of a launch and of its shares, which have none then."""
        blocks = _chained(int(grid.fields["free"][0]))
        for share in self.shares:
            if share.whole is grid:
                blocks += _chained(share.free)
                share.grid["free"] = 0
        return blocks

    def _collect(self, grid: Grid) -> None:
        """The free blocks are the launch's again."""
        if any(share.whole is grid and share.free for share in self.shares):
            grid.fields["free"] = _chain(self._free_blocks(grid))

    def _add_up(self, grid: Grid, shares: list[Share]) -> None:
        """One queue, one time, one launch again; who was put aside comes first."""
        runner, fields = self.runner, grid.fields
        began, progress, idle = runner.time, runner.progress, runner.idle
        for share in shares:
            run = share.run[0]
            runner.time += int(run["time"]) - began
            runner.progress += int(run["progress"]) - progress
            runner.idle += int(run["idle"]) - idle
            fields["finished"] += share.grid["finished"]
        queues = [share.aside for share in shares] + [share.ready for share in shares]
        runner.ready.set_addresses(np.concatenate([queue.entries() for queue in queues]))
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
            runner.run_turn()
        runner.hangs.look_over()
        if grid.finished and grid in runner.running:
            runner.launches.start_work()
            runner.watch_progress()


def _numbers(table: ResidentTable, entries: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The places of the CTAs whose warps are in a queue."""
    found: npt.NDArray[np.uint64] = (entries - np.uint64(table.start)) // np.uint64(RECORD)
    return found


def _chain(blocks: Sequence[int]) -> int:
    """Make a list of free blocks, in which each names the next one; the first of them, 0 if there is none."""
    for block, following in zip(blocks, [*blocks[1:], 0], strict=False):
        word_at(block + NEXT).value = following
    return blocks[0] if blocks else 0


def _chained(block: int) -> list[int]:
    """The blocks of such a list."""
    found = []
    while block:
        found.append(block)
        block = word_at(block + NEXT).value
    return found
