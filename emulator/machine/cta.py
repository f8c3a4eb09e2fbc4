"""A CTA: its warps, shared memory and sixteen named barriers (manual, 9.7.13.1), as views of its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from emulator.machine.blocks import BARRIERS as BARRIERS
from emulator.machine.blocks import HEADER, BarrierHead, BlockHeader
from emulator.machine.layout import Bytes, offset_of, size_of
from emulator.machine.warp import Warp
from emulator.ptx_types import WARP_SIZE, Dim3

if TYPE_CHECKING:
    from emulator.machine.grid import Grid
    from emulator.machine.residents import ResidentTable

HEAD_WORDS = size_of(BarrierHead) // 4
WARP_WORDS = 6
OPEN, LIVE = offset_of(BlockHeader, "open"), offset_of(BlockHeader, "live")
COUNT, PHASE, PARTIAL_WARPS, ARRIVED_WARPS, ARRIVALS, VOTED_WARPS = range(6)  # words of a BarrierHead
PARTIAL, ARRIVED, WAITING, PASSING, VOTED, IN_FAVOUR = range(WARP_WORDS)  # words of a BarrierWarp


class Barrier:
    """A named barrier, over its words.

    A warp has arrived when all its lanes that have not exited have.  Without a count the barrier expects
    exactly the warps that have a live lane; with a count of b threads it needs b/32 arrivals, whoever has
    exited.  Lanes at bar.arrive wait for the rest of their own warp only.
    """

    __slots__ = ("_bit", "_head", "_open", "_warps")

    def __init__(self, raw: Bytes, opened: npt.NDArray[np.uint32] | None = None, number: int = 0) -> None:
        """opened: the masks of barriers in use and of those that have been; None for one that stands for itself."""
        words = raw.view(np.uint32)
        self._head = words[:HEAD_WORDS]
        self._warps = words[HEAD_WORDS:].reshape(-1, WARP_WORDS)
        self._open, self._bit = opened, 1 << number

    @property
    def count(self) -> int:
        """Threads expected; 0: all warps with a live lane."""
        return int(self._head[COUNT])

    @count.setter
    def count(self, threads: int) -> None:
        self._head[COUNT] = threads

    @property
    def phase(self) -> int:
        """How often it has completed."""
        return int(self._head[PHASE])

    @property
    def arrivals(self) -> int:
        """Complete arrivals of warps."""
        return int(self._head[ARRIVALS])

    @property
    def in_use(self) -> bool:
        """Whether somebody has come."""
        return bool(self._head[PARTIAL_WARPS] | self._head[ARRIVED_WARPS])

    def _column(self, which: int) -> dict[int, int]:
        return {int(n): int(self._warps[n, which]) for n in np.flatnonzero(self._warps[:, which])}

    @property
    def partial(self) -> dict[int, int]:
        """Lanes that have come, by warp, where others have not."""
        return self._column(PARTIAL)

    @property
    def arrived(self) -> dict[int, int]:
        """Complete arrivals by warp."""
        return self._column(ARRIVED)

    @property
    def waiting(self) -> dict[int, int]:
        """Lanes that wait for the barrier, by warp."""
        return self._column(WAITING)

    @property
    def passing(self) -> dict[int, int]:
        """Lanes that go on once their warp has arrived, by warp."""
        return self._column(PASSING)

    @property
    def votes(self) -> int:
        """Threads that took part in a reduction."""
        return sum(int(lanes).bit_count() for lanes in self._warps[:, VOTED])

    @property
    def true_votes(self) -> int:
        """Those whose predicate was true."""
        return sum(int(lanes).bit_count() for lanes in self._warps[:, IN_FAVOUR])

    def add(self, warp: int, lanes: int, *, wait: bool, in_favour: int | None) -> None:
        """Lanes of a warp come to the barrier; in_favour: lanes whose predicate is true, None if nobody asks."""
        row = self._warps[warp]
        row[PARTIAL] |= lanes
        row[WAITING if wait else PASSING] |= lanes
        self._head[PARTIAL_WARPS] |= 1 << warp
        if in_favour is not None:
            row[VOTED] |= lanes
            row[IN_FAVOUR] |= in_favour
            self._head[VOTED_WARPS] |= 1 << warp
        if self._open is not None:
            self._open |= self._bit

    def settle(self, live: Sequence[int]) -> list[int]:
        """Turn the lanes of warps that are all there into arrivals; those warps.  live: lanes of each warp."""
        complete = [warp for warp, lanes in self.partial.items() if not live[warp] & ~lanes]
        for warp in complete:
            self._warps[warp, PARTIAL] = 0
            self._warps[warp, ARRIVED] += 1
            self._head[PARTIAL_WARPS] &= ~np.uint32(1 << warp)
            self._head[ARRIVED_WARPS] |= 1 << warp
            self._head[ARRIVALS] += 1
        return complete

    def take_passing(self, warp: int) -> int:
        """The lanes of a warp that go on since it has arrived."""
        lanes, self._warps[warp, PASSING] = int(self._warps[warp, PASSING]), 0
        return lanes

    def complete(self) -> Barrier:
        """Begin the next phase; the one that has completed.  Warps that have come in part belong to the next alone."""
        raw = np.concatenate((self._head, self._warps.ravel())).view(np.uint8)
        done = Barrier(raw)
        early = self._warps[:, PARTIAL] != 0
        done._warps[early] = 0
        self._warps[~early] = 0
        self._warps[early, ARRIVED] = 0
        self._head[PHASE] += 1
        self._head[ARRIVED_WARPS] = self._head[ARRIVALS] = 0
        self._head[VOTED_WARPS] &= self._head[PARTIAL_WARPS]
        if not self._head[PARTIAL_WARPS]:
            self._head[COUNT] = 0
            if self._open is not None:
                self._open[0] &= ~np.uint32(self._bit)
        return done


class Warps(Sequence[Warp]):
    """The warps of a CTA; a view of one is made when it is first asked for."""

    def __init__(self, cta: Cta) -> None:
        self._cta = cta
        self._made: dict[int, Warp] = {}

    def __len__(self) -> int:
        return self._cta.grid.warps

    @overload
    def __getitem__(self, index: int) -> Warp: ...
    @overload
    def __getitem__(self, index: slice) -> list[Warp]: ...
    def __getitem__(self, index: int | slice) -> Warp | list[Warp]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if index not in self._made:
            if not 0 <= index < len(self):
                raise IndexError(index)
            self._made[index] = self._cta.make_warp(index)
        return self._made[index]

    def __iter__(self) -> Iterator[Warp]:
        return (self[n] for n in range(len(self)))

    def made(self) -> list[Warp]:
        """Those of which there is a view."""
        return list(self._made.values())


class Cta:
    """One cooperative thread array that is resident: a view of its record and of its block."""

    def __init__(self, table: ResidentTable, number: int, grid: Grid, record: Any = None) -> None:
        """The CTA of a record of the table, or one that has ended by a record that only says what it was."""
        self.grid = grid
        self._table = table
        self._record = table.records[number : number + 1] if record is None else record
        self.number = number
        self.address = table.address_of(number)
        self.linear = int(self._record["linear"][0])
        self.sm = int(self._record["sm"][0])
        self.rank = int(self._record["rank"][0])
        self.index: Dim3 = grid.config.grid.index(self.linear)
        self.warps = Warps(self)
        self._address = 0
        self._bytes: Bytes | None = None

    @property
    def cluster(self) -> list[Cta]:
        """The CTAs of its cluster by rank."""
        return [self] if self.grid.config.cluster is None else self._table.members(self)

    def member(self, rank: int) -> Cta:
        """One CTA of its cluster."""
        return self if rank == self.rank else self.cluster[rank]

    @property
    def block(self) -> Bytes:
        """Its bytes; a CTA that has not begun gets them now."""
        if self._bytes is None:
            if not self.has_begun:
                self._begin()
            self.keep_block()
            self._bytes = self.grid.pool.block(self._address)
            self._masks = self._bytes[:HEADER].view(np.uint32)
        return self._bytes

    def _begin(self) -> None:
        """Take a block and make it what it is at the start of a CTA."""
        self._address = self.grid.take_block()
        self._record["block"] = self._address
        self._bytes = self.grid.pool.block(self._address)
        self._bytes[:] = self.grid.template
        self._bytes[:8].view(np.uint64)[0] = self.address
        self._masks = self._bytes[:HEADER].view(np.uint32)
        self._table.on_begin(self)

    def keep_block(self) -> None:
        """Its block stays its own when it leaves its place."""
        if self.has_begun:
            self._address = self._address or int(self._record["block"][0])

    def make_warp(self, index: int) -> Warp:
        """A view of one of the warps."""
        layout = self.grid.layout
        start = layout.warps_at + index * layout.warp_bytes
        return Warp(self, index, self.block[start : start + layout.warp_bytes], layout)

    @property
    def shared(self) -> Bytes:
        """Its shared memory."""
        layout = self.grid.layout
        return self.block[layout.shared_at : layout.shared_at + layout.shared_bytes]

    def barrier(self, number: int) -> Barrier:
        """One of the sixteen barriers."""
        size = self.grid.layout.barrier_bytes
        start = HEADER + number * size
        return Barrier(self.block[start : start + size], self._masks[OPEN // 4 : OPEN // 4 + 2], number)

    @property
    def barriers(self) -> list[Barrier]:
        """All sixteen."""
        return [self.barrier(number) for number in range(BARRIERS)]

    @property
    def open_barriers(self) -> list[int]:
        """The numbers of those that are in use."""
        if not self.has_begun:
            return []
        mask = int(self.block[OPEN : OPEN + 4].view(np.uint32)[0])
        return [number for number in range(BARRIERS) if mask >> number & 1]

    @property
    def has_begun(self) -> bool:
        """Whether one of its warps has had a turn, or somebody has looked at its bytes."""
        return bool(self._record["block"][0])

    @property
    def queued(self) -> int:
        """The warps that stand in the queue of those that are ready, as a mask."""
        return int(self._record["queued"][0])

    @queued.setter
    def queued(self, mask: int) -> None:
        self._record["queued"] = mask

    @property
    def live_warps(self) -> int:
        """The warps that have a live lane, as a mask."""
        return int(self.block[LIVE : LIVE + 4].view(np.uint32)[0])

    def note_live(self, index: int, lanes: int) -> None:
        """A warp has these live lanes now."""
        mask = self.block[LIVE : LIVE + 4].view(np.uint32)
        mask[0] = int(mask[0]) | 1 << index if lanes else int(mask[0]) & ~(1 << index)

    @property
    def all_threads(self) -> int:
        """The count of a barrier for the whole CTA."""
        return len(self.warps) * WARP_SIZE

    @property
    def finished(self) -> bool:
        """Whether every lane has exited."""
        return self.has_begun and not self.live_warps

    def is_complete(self, barrier: Barrier) -> bool:
        """Whether a barrier has all that it expects."""
        if barrier.count:
            return barrier.arrivals * WARP_SIZE >= barrier.count
        live = self.live_warps
        arrived = sum(1 << warp for warp in barrier.arrived)
        return live != 0 and not live & ~arrived

    def settle(self, barrier: Barrier) -> list[int]:
        """Turn the lanes of warps that are all there into arrivals; the indices of those warps."""
        return barrier.settle([warp.live for warp in self.warps])

    def thread(self, warp: Warp, lane: int) -> Dim3:
        """The thread index of a lane."""
        return self.grid.config.block.index(warp.first_thread + lane)

    # --- snapshots: the record and the block are copied by the table ---------------------------------------

    def snapshot(self) -> list[tuple[Warp, Any, dict[Any, int]]]:
        """What stands beside the bytes: call stacks and meetings."""
        return [(warp, warp.grown_calls(), dict(warp.rendezvous)) for warp in self.warps.made()]

    def restore(self, snapshot: list[tuple[Warp, Any, dict[Any, int]]]) -> None:
        """Bring back what stands beside the bytes; the record is what it was already."""
        if not self.has_begun:
            self._bytes, self._address, self.warps = None, 0, Warps(self)
        for warp in self.warps.made():
            warp.bring_calls(None)
            warp.rendezvous = {}
        for warp, call_stack, rendezvous in snapshot:
            warp.bring_calls(call_stack)
            warp.rendezvous = dict(rendezvous)
