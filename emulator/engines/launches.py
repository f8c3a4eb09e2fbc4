"""Launches: what streams have in front starts, CTAs are placed on SMs and leave them, points are reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.machine.blocks import Pool
from emulator.machine.cta import Cta
from emulator.machine.device import DeviceState, Record, Stream, Wait, Work
from emulator.machine.grid import Grid

if TYPE_CHECKING:
    from emulator.engines.run import Runner

POOLS = 4  # sets of blocks that are kept for later launches


class Launches:
    """The launches of a runner.  new_work: something has been enqueued since work was last started."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.count = 0
        self.new_work = False
        self.pools: list[Pool] = []

    def enqueue(self, stream: Stream, work: Work) -> None:
        """Put work behind the stream's other work."""
        stream.pending.append(work)
        self.new_work = True

    def start_work(self) -> None:
        """Start what streams have in front until nothing more can start, and place CTAs on free SMs."""
        self.new_work = False
        devices = self.runner.devices
        while any(self._advance_stream(device, stream) for device in devices for stream in device.streams):
            pass
        for device in devices:
            self.fill(device)

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
                self._start_grid(device, work)
            elif isinstance(work, Record):
                work.point.reached = reached = True
        return reached

    def _start_grid(self, device: DeviceState, grid: Grid) -> None:
        device.grids.append(grid)
        self.runner.events.launched(grid)
        self.runner.engine.prepare_program(grid.program)
        self._take_pool(grid)
        device.know(grid)
        self.runner.engine.prepare_grid(grid)
        self.note_alone()

    def _take_pool(self, grid: Grid) -> None:
        """Blocks that a launch that has ended has left, if there are any of the layout."""
        used = {id(running.pool) for device in self.runner.devices for running in device.grids if running is not grid}
        self.pools = [pool for pool in self.pools if id(pool) not in used][-POOLS:]
        for pool in self.pools:
            if pool.layout == grid.layout:
                grid.adopt(pool)
                return
        grid.adopt(Pool(grid.layout) if id(grid.pool) in used else grid.pool)  # one that starts again has had a pool
        self.pools.append(grid.pool)

    def note_alone(self) -> None:
        """Tell native code which launches have their device for themselves."""
        for device in self.runner.devices:
            for grid in device.grids:
                grid.fields["alone"] = len(device.grids) == 1

    def _end_grid(self, device: DeviceState, grid: Grid) -> None:
        device.grids.remove(grid)
        device.table.forget(grid)
        self.note_alone()
        memory = self.runner.memory
        workspace = memory.find(grid.workspace)
        if workspace is not None:
            memory.free(workspace)

    def fill(self, device: DeviceState) -> None:
        """Place CTAs of the device's launches, the oldest first, where there is room."""
        for grid in device.grids:
            if self.runner.engine.place(device, grid):
                continue
            while not grid.all_dispatched:
                ctas = device.dispatch(grid)
                if not ctas:
                    break
                self.runner.progress += 1
                for cta in ctas:
                    cta.queued = (1 << grid.warps) - 1
                    for index in range(grid.warps):
                        self.runner.ready.add(cta.address | index)

    def retire(self, cta: Cta) -> None:
        """A CTA has ended: others take its place."""
        device, grid = self.runner.devices[cta.grid.device], cta.grid
        device.retire(cta)
        if grid.finished:
            self.start_work()
        elif not grid.all_dispatched or len(device.grids) > 1:
            self.fill(device)

    @property
    def busy(self) -> bool:
        """Whether any stream has work."""
        return any(not stream.idle for device in self.runner.devices for stream in device.streams)
