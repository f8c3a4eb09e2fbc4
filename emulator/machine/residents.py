"""The CTAs that are resident on a device: a table of small records, whose blocks are made when they begin."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.machine.cta import Cta
from emulator.machine.layout import Bytes, Record, aligned_zeros, dtype_of, i64, size_of, u32, u64

if TYPE_CHECKING:
    from emulator.machine.grid import Grid


class Resident(Record):
    """A place in the table: 64 bytes at a multiple of 64, so that address | warp names a resident warp."""

    grid: u64  # the GridBytes of its launch, 0 while the place is free
    block: u64  # its block, 0 before it begins; of a free place the next free one
    linear: i64  # the CTA's number in the launch
    sm: u32
    rank: u32  # in its cluster
    queued: u32  # warps in the queue of those that are ready
    life: u32  # how many CTAs have had this place
    unused0: u64
    unused1: u64
    unused2: u64


RECORD = size_of(Resident)
Saved = tuple[Bytes, list[tuple[int, Bytes]], list[tuple[int, Cta, Any]], list["Grid"], int]


class ResidentTable:
    """The places of one device.  on_begin: called with a CTA whose block has just been made by Python."""

    def __init__(self, capacity: int) -> None:
        self._bytes = aligned_zeros(capacity * RECORD)
        self.records = self._bytes.view(dtype_of(Resident))
        self.start = self._bytes.ctypes.data
        self.free = np.array([self.start], np.uint64)  # the first free place, by address
        self.records["block"][:-1] = self.start + RECORD * np.arange(1, capacity, dtype=np.uint64)
        self._grids: dict[int, Grid] = {}
        self._views: dict[int, tuple[int, Cta]] = {}
        self.on_begin: Callable[[Cta], None] = lambda cta: None

    def address_of(self, number: int) -> int:
        """The address of a place."""
        return self.start + number * RECORD

    def number_at(self, address: int) -> int:
        """The place at an address."""
        return (address - self.start) // RECORD

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.start + len(self._bytes)

    def _give_back(self, number: int) -> None:
        self.records["grid"][number] = 0
        self.records["block"][number] = self.free[0]
        self.free[0] = self.address_of(number)

    def give_back(self, numbers: npt.NDArray[np.int64]) -> None:
        """Places that no CTA has any more are free."""
        addresses = np.append((self.start + RECORD * numbers).astype(np.uint64), self.free)
        self.free[0] = addresses[0]
        self.records["block"][numbers] = addresses[1:]

    def know(self, grid: Grid) -> None:
        """A launch has CTAs here."""
        self._grids[grid.address] = grid

    def forget(self, grid: Grid) -> None:
        """A launch has ended."""
        self._grids.pop(grid.address, None)

    def place(self, grid: Grid, linear: int, sm: int, rank: int) -> Cta:
        """Put the next CTA of a launch on an SM."""
        number = self.number_at(int(self.free[0]))
        record = self.records[number : number + 1]
        self.free[0] = record["block"][0]
        record["grid"], record["block"], record["linear"] = grid.address, 0, linear
        record["sm"], record["rank"], record["queued"] = sm, rank, 0
        record["life"] += 1
        return self.view(number)

    def view(self, number: int) -> Cta:
        """The CTA of a place; the same object as long as the CTA is there."""
        life = int(self.records["life"][number])
        known = self._views.get(number)
        if known is not None and known[0] == life:
            return known[1]
        cta = Cta(self, number, self._grids[int(self.records["grid"][number])])
        self._views[number] = life, cta
        return cta

    def remove(self, cta: Cta) -> None:
        """A CTA has left its place."""
        self._views.pop(cta.number, None)
        self._give_back(cta.number)
        self.records["life"][cta.number] += 1

    def of(self, grid: Grid) -> dict[int, int]:
        """Places of a launch's CTAs, by the numbers of the CTAs in their order."""
        places = np.flatnonzero(self.records["grid"] == grid.address)
        linear = self.records["linear"][places]
        order = np.argsort(linear)
        return dict(zip(linear[order].tolist(), places[order].tolist(), strict=True))

    def find(self, grid: Grid, linear: int) -> int | None:
        """The place of one CTA of a launch."""
        places = np.flatnonzero((self.records["grid"] == grid.address) & (self.records["linear"] == linear))
        return int(places[0]) if len(places) else None

    # --- snapshots ---------------------------------------------------------------------------------

    def snapshot(self) -> Saved:
        """All records, and the blocks of those that have begun."""
        started = np.flatnonzero((self.records["grid"] != 0) & (self.records["block"] != 0))
        blocks, views = [], []
        for number in started.tolist():
            grid, block = self._grids[int(self.records["grid"][number])], int(self.records["block"][number])
            blocks.append((block, grid.pool.block(block).copy()))
        for number, (life, cta) in self._views.items():
            if life == self.records["life"][number]:
                views.append((number, cta, (cta.cluster, cta.snapshot())))
        return self._bytes.copy(), blocks, views, list(self._grids.values()), int(self.free[0])

    def restore(self, saved: Saved) -> None:
        """Bring back a snapshot; the launches' pools must be theirs again."""
        records, blocks, views, grids, self.free[0] = saved
        self._bytes[:] = records
        self._grids = {grid.address: grid for grid in grids}
        by_grid: dict[int, set[int]] = {grid.address: set() for grid in grids}
        for number in np.flatnonzero(self.records["grid"] != 0).tolist():
            by_grid[int(self.records["grid"][number])].add(int(self.records["block"][number]))
        for grid in grids:
            grid.free_blocks_but(by_grid[grid.address])
        for address, data in blocks:
            ctypes.memmove(address, data.ctypes.data, len(data))
        self._views = {}
        for number, cta, (cluster, beside) in views:
            self._views[number] = int(self.records["life"][number]), cta
            cta.cluster = cluster
            cta.restore(beside)


class Residents(Mapping[int, Cta]):
    """The resident CTAs of a launch by their numbers."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def _places(self) -> dict[int, int]:
        table = self._grid.table
        return table.of(self._grid) if table is not None else {}

    def __getitem__(self, linear: int) -> Cta:
        table = self._grid.table
        place = table.find(self._grid, linear) if table is not None else None
        if table is None or place is None:
            raise KeyError(linear)
        return table.view(place)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places())

    def __len__(self) -> int:
        return len(self._places())
