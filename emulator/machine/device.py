"""Devices: limits of an architecture, SMs and residency, and streams of launches."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from emulator.machine.cta import Cta
from emulator.machine.grid import Grid
from emulator.machine.residents import ResidentTable
from emulator.ptx_types import WARP_SIZE


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device can hold (CUDA programming guide, compute capability 9.0)."""

    threads_per_block: int = 1024
    block: tuple[int, int, int] = (1024, 1024, 64)
    grid: tuple[int, int, int] = (2**31 - 1, 65535, 65535)
    threads_per_sm: int = 2048
    warps_per_sm: int = 64
    ctas_per_sm: int = 32
    local_per_thread: int = 512 << 10
    shared_per_block: int = 227 << 10
    shared_per_sm: int = 228 << 10
    shared_reserved: int = 1 << 10
    cluster: int = 16


@dataclass(eq=False, slots=True)
class Point:
    """A place in a stream's work that other streams can wait for."""

    reached: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Work of a stream: a point is reached."""

    point: Point


@dataclass(frozen=True, slots=True)
class Wait:
    """Work of a stream: go on when a point is reached."""

    point: Point


Work = Grid | Record | Wait


@dataclass(eq=False)
class Stream:
    """Work that follows each other; grids run, points are reached."""

    device: int
    number: int
    pending: deque[Work] = field(default_factory=deque)
    running: Grid | None = None

    @property
    def idle(self) -> bool:
        return self.running is None and not self.pending


class DeviceState:
    """One emulated GPU: SMs, streams, and the CTAs that wait for a place.

    held: what each SM holds, as columns CTAs, threads, warps, bytes of shared memory.
    """

    def __init__(self, index: int, sms: int, arch: str) -> None:
        self.index = index
        self.arch = arch
        self.limits = Limits()
        self.sms = sms
        self.streams: list[Stream] = [Stream(index, 0)]
        self.grids: list[Grid] = []
        self.held: npt.NDArray[np.int64] = np.zeros((sms, 4), dtype=np.int64)
        limits = self.limits
        self.table = ResidentTable(sms * limits.ctas_per_sm)
        self._room = np.array(
            [limits.ctas_per_sm, limits.threads_per_sm, limits.warps_per_sm, limits.shared_per_sm], dtype=np.int64
        )

    def new_stream(self) -> Stream:
        """A further stream."""
        stream = Stream(self.index, len(self.streams))
        self.streams.append(stream)
        return stream

    def needs(self, grid: Grid) -> npt.NDArray[np.int64]:
        """What one CTA of a grid takes of its SM, as a row of `held`."""
        threads = grid.config.block.count
        shared = grid.user_shared_bytes + self.limits.shared_reserved
        return np.array([1, threads, -(-threads // WARP_SIZE), shared], dtype=np.int64)

    def most_resident(self, grid: Grid) -> int:
        """How many CTAs of a grid the empty device holds at once."""
        return int((self._room // self.needs(grid)).min()) * self.sms

    def dispatch(self, grid: Grid) -> list[Cta]:
        """Place the next cluster (or CTA) of a grid on the emptiest SMs; empty if there is no place."""
        count = grid.cluster_size
        needs = self.needs(grid)
        placed: list[int] = []
        for _ in range(count):
            sm = self._emptiest(needs)
            if sm is None:
                for taken in placed:
                    self.held[taken] -= needs
                return []
            self.held[sm] += needs
            placed.append(sm)
        return self._start(grid, placed)

    def _emptiest(self, needs: npt.NDArray[np.int64]) -> int | None:
        """The SM with the fewest CTAs that has room, the lowest first."""
        fits = (self.held + needs <= self._room).all(axis=1)
        if not fits.any():
            return None
        return int(np.where(fits, self.held[:, 0], self.limits.ctas_per_sm).argmin())

    def _start(self, grid: Grid, placed: list[int]) -> list[Cta]:
        self.know(grid)
        ctas = self.table.place(grid, grid.members(grid.next_cta // grid.cluster_size), placed)
        grid.next_cta += len(ctas)
        return ctas

    def know(self, grid: Grid) -> None:
        """A launch is to have CTAs here."""
        if grid.table is not self.table:
            grid.table = self.table
            self.table.know(grid)
            ctas, threads, warps, shared = self.needs(grid)
            fields = grid.fields
            fields["held"], fields["places"] = self.held.ctypes.data, self.table.free.ctypes.data
            fields["capacity"] = self.most_resident(grid)
            fields["ctas"], fields["threads"], fields["warps_held"], fields["shared_held"] = (
                ctas,
                threads,
                warps,
                shared,
            )

    def retire(self, cta: Cta) -> None:
        """Free the place of a finished CTA, and its block unless others of its cluster may still look at it."""
        grid = cta.grid
        cta.keep_block()
        self.held[cta.sm] -= self.needs(grid)
        for address in self.table.remove(cta):
            grid.give_back(address)
        grid.finished_ctas += 1
