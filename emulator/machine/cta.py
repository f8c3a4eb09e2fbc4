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
    exited.  Lanes at bar.arrive wait for the rest of their own warp only.
    """

    count: int = 0  # threads expected; 0: all warps with a live lane
    partial: dict[int, int] = field(default_factory=dict)  # warp -> lanes that have come, others have not
    arrived: dict[int, int] = field(default_factory=dict)  # warp -> complete arrivals
    waiting: dict[int, int] = field(default_factory=dict)  # warp -> lanes that wait for the barrier
    passing: dict[int, int] = field(default_factory=dict)  # warp -> lanes that go on once their warp has arrived
    voted: dict[int, int] = field(default_factory=dict)  # warp -> lanes that take part in a reduction
    in_favour: dict[int, int] = field(default_factory=dict)  # warp -> those of them whose predicate is true
    phase: int = 0

    @property
    def arrivals(self) -> int:
        return sum(self.arrived.values())

    @property
    def in_use(self) -> bool:
        return bool(self.partial or self.arrived)

    @property
    def votes(self) -> int:
        """Threads that took part in a reduction."""
        return sum(lanes.bit_count() for lanes in self.voted.values())

    @property
    def true_votes(self) -> int:
        """Those whose predicate was true."""
        return sum(lanes.bit_count() for lanes in self.in_favour.values())

    def add(self, warp: int, lanes: int, *, wait: bool, in_favour: int | None) -> None:
        """Lanes of a warp come to the barrier; in_favour: lanes whose predicate is true, None if nobody asks."""
        kind = self.waiting if wait else self.passing
        for mapping, mask in ((self.partial, lanes), (kind, lanes)):
            mapping[warp] = mapping.get(warp, 0) | mask
        if in_favour is not None:
            self.voted[warp] = self.voted.get(warp, 0) | lanes
            self.in_favour[warp] = self.in_favour.get(warp, 0) | in_favour

    def next_phase(self) -> Barrier:
        """The barrier once this one has completed: warps that have come in part belong to it alone."""
        after = Barrier(self.count if self.partial else 0, self.partial, phase=self.phase + 1)
        for name in ("waiting", "passing", "voted", "in_favour"):
            mine = getattr(self, name)
            setattr(after, name, {warp: mine.pop(warp) for warp in after.partial if warp in mine})
        self.partial = {}
        return after

    def copy(self) -> Barrier:
        """For snapshots."""
        after = Barrier(self.count, phase=self.phase)
        for name in ("partial", "arrived", "waiting", "passing", "voted", "in_favour"):
            setattr(after, name, dict(getattr(self, name)))
        return after


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
        row_bytes = program.row_bytes + program.constant_bytes
        self.warps = [
            Warp(self, n, min(WARP_SIZE, threads - n * WARP_SIZE), row_bytes, program.stack_bytes)
            for n in range(-(-threads // WARP_SIZE))
        ]
        for warp in self.warps:
            warp.pc[:] = program.entry.first_pc
            warp.stack_top[:] = program.entry.frame_size
        self.cluster: list[Cta] = [self]
        self.rank = 0

    @property
    def all_threads(self) -> int:
        """The count of a barrier for the whole CTA."""
        return len(self.warps) * WARP_SIZE

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

    def settle(self, barrier: Barrier) -> list[int]:
        """Turn the lanes of warps that are all there into arrivals; the indices of those warps."""
        complete = [index for index, lanes in barrier.partial.items() if not self.warps[index].live & ~lanes]
        for index in complete:
            del barrier.partial[index]
            barrier.arrived[index] = barrier.arrived.get(index, 0) + 1
        return complete

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
