"""A CTA: its warps, shared memory and sixteen named barriers (manual, 9.7.13.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.machine.warp import Warp
from emulator.ptx_types import WARP_SIZE, Dim3

if TYPE_CHECKING:
    from emulator.machine.grid import Grid

BARRIERS = 16


@dataclass(eq=False, slots=True)
class Barrier:
    """A named barrier.

    A warp has arrived when all its lanes that have not exited have.  Without a count the barrier expects
    exactly the warps that have a live lane; with a count of b threads it needs b/32 arrivals, whoever has
    exited.
    """

    count: int = 0  # threads expected; 0: all warps with a live lane
    partial: dict[int, int] = field(default_factory=dict)  # warp -> lanes that have arrived
    arrived: dict[int, int] = field(default_factory=dict)  # warp -> complete arrivals
    waiting: dict[int, int] = field(default_factory=dict)  # warp -> lanes that wait
    true_votes: int = 0
    votes: int = 0
    phase: int = 0

    @property
    def arrivals(self) -> int:
        return sum(self.arrived.values())

    @property
    def in_use(self) -> bool:
        return bool(self.partial or self.arrived)

    def copy(self) -> Barrier:
        """For snapshots."""
        copies = (dict(self.partial), dict(self.arrived), dict(self.waiting))
        return Barrier(self.count, *copies, self.true_votes, self.votes, self.phase)


class Cta:
    """One cooperative thread array."""

    def __init__(self, grid: Grid, linear: int, sm: int) -> None:
        self.grid = grid
        self.linear = linear
        self.sm = sm
        self.index: Dim3 = grid.config.grid.index(linear)
        self.shared = np.zeros(grid.shared_bytes, dtype=np.uint8)
        self.barriers = [Barrier() for _ in range(BARRIERS)]
        program, threads = grid.program, grid.config.block.count
        self.warps = [
            Warp(self, n, min(WARP_SIZE, threads - n * WARP_SIZE), program.row_bytes, program.stack_bytes)
            for n in range(-(-threads // WARP_SIZE))
        ]
        for warp in self.warps:
            warp.pc[:] = program.entry.first_pc
            warp.stack_top[:] = program.entry.frame_size
        self.cluster: list[Cta] = [self]
        self.rank = 0

    @property
    def finished(self) -> bool:
        """Whether every lane has exited."""
        return all(warp.live == 0 for warp in self.warps)

    def is_complete(self, barrier: Barrier) -> bool:
        """Whether a barrier has all that it expects."""
        if barrier.count:
            return barrier.arrivals * WARP_SIZE >= barrier.count
        expected = [warp.index for warp in self.warps if warp.live]
        return bool(expected) and all(barrier.arrived.get(index, 0) for index in expected)

    def settle(self, barrier: Barrier) -> None:
        """Turn the lanes of warps that are all there into arrivals."""
        for index, lanes in list(barrier.partial.items()):
            live = self.warps[index].live
            if lanes & live == live:
                del barrier.partial[index]
                if live or lanes:
                    barrier.arrived[index] = barrier.arrived.get(index, 0) + 1

    def thread(self, warp: Warp, lane: int) -> Dim3:
        """The thread index of a lane."""
        return self.grid.config.block.index(warp.first_thread + lane)

    def snapshot(self) -> tuple[Any, ...]:
        """Shared memory, barriers and warps."""
        return self.shared.copy(), [b.copy() for b in self.barriers], [w.snapshot() for w in self.warps]

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Bring back a snapshot."""
        shared, barriers, warps = snapshot
        self.shared[:] = shared
        self.barriers = [barrier.copy() for barrier in barriers]
        for warp, saved in zip(self.warps, warps, strict=True):
            warp.restore(saved)
