"""Snapshots of a run: everything that running changes, between two instructions.

Restoring one and running on gives the same bytes, the same order and the same time, also under a random
schedule.  What observers have counted is theirs and stays.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.engines.schedule import Pick
from emulator.machine.device import DeviceState, Point, Record, Stream, Wait, Work
from emulator.machine.grid import Grid
from emulator.machine.memory import MemorySnapshot
from emulator.machine.residents import ResidentTable, Saved

if TYPE_CHECKING:
    from emulator.engines.run import Runner

COUNTERS = (
    "time", "progress", "last_progress", "idle", "turn_start", "printed", "_same_turn",
)  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class GridSnapshot:
    """How far a launch is."""

    grid: Grid
    next_cta: int
    finished_ctas: int
    table: ResidentTable | None

    @staticmethod
    def of(grid: Grid) -> GridSnapshot:
        """A launch that runs or is yet to start."""
        return GridSnapshot(grid, grid.next_cta, grid.finished_ctas, grid.table)

    def restore(self) -> None:
        """Bring back how far the launch was."""
        grid = self.grid
        grid.next_cta, grid.finished_ctas, grid.table = self.next_cta, self.finished_ctas, self.table


@dataclass(frozen=True, eq=False, slots=True)
class DeviceSnapshot:
    """What a device runs and has yet to run."""

    held: npt.NDArray[np.int64]
    residents: Saved
    running: list[Grid]
    streams: list[tuple[Stream, list[Work], Grid | None]]

    @staticmethod
    def of(device: DeviceState) -> DeviceSnapshot:
        """A device now."""
        streams = [(stream, list(stream.pending), stream.running) for stream in device.streams]
        return DeviceSnapshot(device.held.copy(), device.table.snapshot(), list(device.grids), streams)

    def restore(self, device: DeviceState) -> None:
        """Bring back the device's launches; streams made since have no work."""
        device.held[:] = self.held
        device.table.restore(self.residents)
        device.grids = list(self.running)
        for stream in device.streams:
            stream.pending, stream.running = deque(), None
        for stream, pending, running in self.streams:
            stream.pending, stream.running = deque(pending), running

    def grids(self) -> list[Grid]:
        """Launches that run or wait."""
        waiting = [work for _, pending, _ in self.streams for work in pending if isinstance(work, Grid)]
        return self.running + waiting

    def points(self) -> list[Point]:
        """Points of streams that pending work knows."""
        works = [work for _, pending, _ in self.streams for work in pending]
        return [work.point for work in works if isinstance(work, (Record, Wait))]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A moment of a run.  symbols: addresses of the variables of loaded modules, kept by the API."""

    memory: MemorySnapshot
    devices: list[DeviceSnapshot]
    grids: list[GridSnapshot]
    points: list[tuple[Point, bool]]
    ready: list[int]
    turn: tuple[int, int, bool] | None
    schedule: Any
    turns: int
    launches: tuple[int, bool]
    counters: tuple[Any, ...]
    symbols: dict[Any, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """What it holds, roughly: pages, and the blocks of resident CTAs."""
        blocks = sum(len(data) for device in self.devices for _, data in device.residents[1])
        return int(self.memory.data.nbytes) + blocks

    @property
    def time(self) -> int:
        """Warp instructions executed before this moment."""
        return int(self.counters[0])


def take_snapshot(runner: Runner) -> Snapshot:
    """This moment of a run."""
    devices = [DeviceSnapshot.of(device) for device in runner.devices]
    turn = runner.turn
    return Snapshot(
        memory=runner.memory.snapshot(),
        devices=devices,
        grids=[GridSnapshot.of(grid) for device in devices for grid in device.grids()],
        points=[(point, point.reached) for device in devices for point in device.points()],
        ready=runner.ready.addresses(),
        turn=None if turn is None else (turn.warp.address, turn.instructions, turn.exact),
        schedule=runner.schedule.snapshot(),
        turns=len(runner.turns or ()),
        launches=(runner.launches.count, runner.launches.new_work),
        counters=tuple(getattr(runner, name) for name in COUNTERS),
    )


def bring_back(runner: Runner, snapshot: Snapshot) -> None:
    """Make a run what it was."""
    runner.events.flush()
    runner.memory.restore(snapshot.memory)
    for device, saved in zip(runner.devices, snapshot.devices, strict=True):
        saved.restore(device)
    for grid in snapshot.grids:
        grid.restore()
    for point, reached in snapshot.points:
        point.reached = reached
    runner.ready.set_addresses(snapshot.ready)
    runner.launches.count, runner.launches.new_work = snapshot.launches
    runner.launches.note_alone()
    runner.hangs.reset()
    runner.schedule.restore(snapshot.schedule)
    if runner.turns is not None:
        del runner.turns[snapshot.turns :]
    for name, value in zip(COUNTERS, snapshot.counters, strict=True):
        setattr(runner, name, value)
    if snapshot.turn is not None:
        entry, instructions, exact = snapshot.turn
        runner.take_up(Pick(runner.warp_at(entry), instructions, exact))
    else:
        runner.take_up(None)
