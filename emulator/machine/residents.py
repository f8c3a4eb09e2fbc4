"""The CTAs that are resident on a device: a table of small records, whose blocks are made when they begin."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.machine.blocks import BlockHeader
from emulator.machine.cta import Cta
from emulator.machine.layout import Bytes, Record, aligned_zeros, bytes_at, dtype_of, i64, size_of, u32, u64

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
    peer: u64  # the next place of a CTA of its cluster, in a ring; its own if there is no other
    ended: u64  # the blocks of those CTAs of its cluster that have ended, a list
    unused0: u64


RECORD = size_of(Resident)
HEADER = size_of(BlockHeader)
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

    def place(self, grid: Grid, members: Sequence[int], sms: Sequence[int]) -> list[Cta]:
        """Put the CTAs of a cluster on their SMs, or one CTA on its SM."""
        places = []
        for rank, (linear, sm) in enumerate(zip(members, sms, strict=True)):
            number = self.number_at(int(self.free[0]))
            record = self.records[number : number + 1]
            self.free[0] = record["block"][0]
            record["grid"], record["block"], record["linear"] = grid.address, 0, linear
            record["sm"], record["rank"], record["queued"] = sm, rank, 0
            record["ended"] = 0
            record["life"] += 1
            places.append(number)
        for number, following in zip(places, [*places[1:], places[0]], strict=True):
            self.records["peer"][number] = self.address_of(following)
        return [self.view(number) for number in places]

    def view(self, number: int) -> Cta:
        """The CTA of a place; the same object as long as the CTA is there."""
        life = int(self.records["life"][number])
        known = self._views.get(number)
        if known is not None and known[0] == life:
            return known[1]
        cta = Cta(self, number, self._grids[int(self.records["grid"][number])])
        self._views[number] = life, cta
        return cta

    def remove(self, cta: Cta) -> list[int]:
        """A CTA has left its place; the blocks that nobody looks at any more: none while others of its cluster run."""
        number, block = cta.number, int(self.records["block"][cta.number])
        blocks = [block] if block else []
        if cta.grid.cluster_size > 1:
            blocks = self._leave_cluster(number, block)
        self._views.pop(number, None)
        self.records["life"][number] += 1
        self.records["grid"][number], self.records["block"][number] = 0, self.free[0]
        self.free[0] = cta.address
        return blocks

    # --- clusters ----------------------------------------------------------------------------------

    def _leave_cluster(self, number: int, block: int) -> list[int]:
        """A CTA of a cluster ends: the blocks of all of them if it is the last one."""
        record, peers = self.records[number], self._ring(number)[1:]
        if block:
            header = self._header(block)
            header["next"], header["rank"], header["sm"] = record["ended"], record["rank"], record["sm"]
            record["ended"] = block
        if not peers:
            return [address for address, _ in self._ended(number)]
        self.records["ended"][peers] = record["ended"]
        self.records["peer"][peers[-1]] = record["peer"]
        return []

    def _ring(self, number: int) -> list[int]:
        """The places of the CTAs of a cluster that have not ended, from one of them on."""
        found = [number]
        while (peer := self.number_at(int(self.records["peer"][found[-1]]))) != number:
            found.append(peer)
        return found

    def _ended(self, number: int) -> list[tuple[int, Any]]:
        """The blocks of those that have ended: addresses and headers."""
        found, block = [], int(self.records["ended"][number])
        while block:
            header = self._header(block)
            found.append((block, header))
            block = int(header["next"])
        return found

    @staticmethod
    def _header(block: int) -> Any:
        return bytes_at(block, HEADER).view(dtype_of(BlockHeader))[0]

    def members(self, cta: Cta) -> list[Cta]:
        """The CTAs of the cluster of a resident CTA by their ranks, those that have ended too."""
        if self._views.get(cta.number) != (int(self.records["life"][cta.number]), cta):
            return [cta]  # it has left its place
        linear, found = cta.grid.members(cta.grid.cluster_of(cta.linear)), {}
        for number in self._ring(cta.number):
            found[int(self.records["rank"][number])] = self.view(number)
        for block, header in self._ended(cta.number):
            record, rank = np.zeros(1, dtype_of(Resident)), int(header["rank"])
            record["block"], record["linear"], record["rank"], record["sm"] = block, linear[rank], rank, header["sm"]
            found[rank] = Cta(self, -1, cta.grid, record)
        return [found[rank] for rank in range(len(linear))]

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
        blocks, views = [], []
        for address, grid in self._blocks().items():
            blocks.append((address, grid.pool.block(address).copy()))
        for number, (life, cta) in self._views.items():
            if life == self.records["life"][number]:
                views.append((number, cta, cta.snapshot()))
        return self._bytes.copy(), blocks, views, list(self._grids.values()), int(self.free[0])

    def _blocks(self) -> dict[int, Grid]:
        """The blocks of CTAs that have begun, and of those that have ended before others of their clusters."""
        found, records = {}, self.records
        for number in np.flatnonzero((records["grid"] != 0) & ((records["block"] | records["ended"]) != 0)).tolist():
            grid = self._grids[int(self.records["grid"][number])]
            for block in (int(self.records["block"][number]), *(address for address, _ in self._ended(number))):
                if block:
                    found[block] = grid
        return found

    def restore(self, saved: Saved) -> None:
        """Bring back a snapshot; the launches' pools must be theirs again."""
        records, blocks, views, grids, self.free[0] = saved
        self._bytes[:] = records
        self._grids = {grid.address: grid for grid in grids}
        for address, data in blocks:
            ctypes.memmove(address, data.ctypes.data, len(data))
        used = self._blocks()
        for grid in grids:
            grid.free_blocks_but({address for address, owner in used.items() if owner is grid})
        self._views = {}
        for number, cta, beside in views:
            self._views[number] = int(self.records["life"][number]), cta
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
