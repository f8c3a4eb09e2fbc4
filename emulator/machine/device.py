"""Devices: limits of an architecture, SMs and residency, and streams of launches."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from emulator.machine.cta import Cta
from emulator.machine.grid import Grid
from emulator.ptx_types import WARP_SIZE, Dim3


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device can hold (CUDA programming guide, compute capability 9.0)."""

    threads_per_block: int = 1024
    block: tuple[int, int, int] = (1024, 1024, 64)
    grid: tuple[int, int, int] = (2**31 - 1, 65535, 65535)
    threads_per_sm: int = 2048
    warps_per_sm: int = 64
    ctas_per_sm: int = 32
    shared_per_block: int = 227 << 10
    shared_per_sm: int = 228 << 10
    shared_reserved: int = 1 << 10
    cluster: int = 16


@dataclass(eq=False, slots=True)
class Sm:
    """What one SM holds at the moment."""

    index: int
    ctas: int = 0
    threads: int = 0
    warps: int = 0
    shared: int = 0


@dataclass(eq=False)
class Stream:
    """Launches and other work that follow each other; `pending` holds grids and callables in order."""

    device: int
    number: int
    pending: deque[Any] = field(default_factory=deque)
    running: Grid | None = None

    @property
    def idle(self) -> bool:
        return self.running is None and not self.pending


class DeviceState:
    """One emulated GPU: SMs, streams, and the CTAs that wait for a place."""

    def __init__(self, index: int, sms: int, arch: str) -> None:
        self.index = index
        self.arch = arch
        self.limits = Limits()
        self.sms = [Sm(n) for n in range(sms)]
        self.streams: list[Stream] = [Stream(index, 0)]
        self.grids: list[Grid] = []
        self._free: list[tuple[int, int]] = [(0, n) for n in range(sms)]

    def new_stream(self) -> Stream:
        """A further stream."""
        stream = Stream(self.index, len(self.streams))
        self.streams.append(stream)
        return stream

    def needs(self, grid: Grid) -> tuple[int, int, int]:
        """(threads, warps, shared bytes) of one CTA on its SM."""
        threads = grid.config.block.count
        return threads, -(-threads // WARP_SIZE), grid.shared_bytes + self.limits.shared_reserved

    def _fits(self, sm: Sm, needs: tuple[int, int, int]) -> bool:
        threads, warps, shared = needs
        limits = self.limits
        return (
            sm.ctas < limits.ctas_per_sm
            and sm.threads + threads <= limits.threads_per_sm
            and sm.warps + warps <= limits.warps_per_sm
            and sm.shared + shared <= limits.shared_per_sm
        )

    def dispatch(self, grid: Grid) -> list[Cta]:
        """Place the next cluster (or CTA) of a grid on the emptiest SMs; empty if there is no place."""
        count = grid.config.cluster.count if grid.config.cluster else 1
        needs = self.needs(grid)
        placed: list[Sm] = []
        for _ in range(count):
            sm = self._emptiest(needs)
            if sm is None:
                for taken in placed:
                    self._take(taken, needs, -1)
                return []
            self._take(sm, needs, 1)
            placed.append(sm)
        return self._start(grid, placed)

    def _emptiest(self, needs: tuple[int, int, int]) -> Sm | None:
        """The SM with the fewest CTAs that has room, the lowest first."""
        skipped: list[tuple[int, int]] = []
        found = None
        while self._free:
            ctas, index = heapq.heappop(self._free)
            sm = self.sms[index]
            if sm.ctas != ctas:
                continue
            if self._fits(sm, needs):
                found = sm
                break
            skipped.append((ctas, index))
        for item in skipped:
            heapq.heappush(self._free, item)
        return found

    def _take(self, sm: Sm, needs: tuple[int, int, int], sign: int) -> None:
        threads, warps, shared = needs
        sm.ctas += sign
        sm.threads += sign * threads
        sm.warps += sign * warps
        sm.shared += sign * shared
        heapq.heappush(self._free, (sm.ctas, sm.index))

    def _start(self, grid: Grid, placed: list[Sm]) -> list[Cta]:
        ctas = [Cta(grid, linear, sm.index) for linear, sm in zip(self._cluster_members(grid), placed, strict=True)]
        for rank, cta in enumerate(ctas):
            cta.cluster, cta.rank = ctas, rank
            grid.resident[cta.linear] = cta
        grid.next_cta += len(ctas)
        return ctas

    def _cluster_members(self, grid: Grid) -> list[int]:
        """Linear CTA numbers of the next cluster, by rank."""
        cluster = grid.config.cluster
        if cluster is None:
            return [grid.next_cta]
        size = grid.config.grid
        clusters = Dim3(size.x // cluster.x, size.y // cluster.y, size.z // cluster.z)
        at = clusters.index(grid.next_cta // cluster.count)
        members = []
        for rank in range(cluster.count):
            inner = cluster.index(rank)
            x, y, z = at.x * cluster.x + inner.x, at.y * cluster.y + inner.y, at.z * cluster.z + inner.z
            members.append(x + size.x * (y + size.y * z))
        return members

    def retire(self, cta: Cta) -> None:
        """Free the place of a finished CTA."""
        grid = cta.grid
        self._take(self.sms[cta.sm], self.needs(grid), -1)
        del grid.resident[cta.linear]
        grid.finished_ctas += 1

    def occupancy(self) -> list[tuple[int, int, int, int]]:
        """What every SM holds, for snapshots."""
        return [(sm.ctas, sm.threads, sm.warps, sm.shared) for sm in self.sms]

    def restore_occupancy(self, saved: list[tuple[int, int, int, int]]) -> None:
        """Bring back what `occupancy` said."""
        for sm, numbers in zip(self.sms, saved, strict=True):
            sm.ctas, sm.threads, sm.warps, sm.shared = numbers
        self._free = [(sm.ctas, sm.index) for sm in self.sms]
        heapq.heapify(self._free)
