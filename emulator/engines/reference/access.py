"""Addresses of 32 lanes -> bytes of the machine, checked.

Every access is looked up in its state space: bounds, alignment and write protection are tested for all lanes
before any byte is read or written, so a fault leaves the state as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.machine import memory as m
from emulator.machine.warp import Warp, mask_of
from emulator.ptx_types import WARP_SIZE

Lanes = npt.NDArray[np.bool_]
Addresses = npt.NDArray[np.uint64]
LANE_INDEX = np.arange(WARP_SIZE, dtype=np.int64)


class Piece:
    """Some lanes of an access: the bytes they reach and where in them.

    dirty: the page map behind the bytes, None where pages are not tracked.  private: no other thread sees them.
    """

    __slots__ = ("buffer", "dirty", "index", "lanes", "private")

    def __init__(
        self,
        buffer: m.Bytes,
        index: npt.NDArray[np.int64],
        lanes: Lanes,
        dirty: m.Bytes | None = None,
        *,
        private: bool = False,
    ) -> None:
        self.buffer = buffer
        self.index = index
        self.lanes = lanes
        self.dirty = dirty
        self.private = private


class Access:
    """One memory instruction of one warp; align: what the addresses are multiples of, the size if not said."""

    def __init__(
        self, warp: Warp, memory: m.AddressSpace, space: str, addresses: Addresses, size: int, align: int = 0
    ) -> None:
        self.warp = warp
        self.memory = memory
        self.space = space
        self.addresses = _const_addresses(warp, memory, addresses) if space == "const" else addresses
        self.size = size
        self.align = align or size

    def pieces(self, lanes: Lanes, *, write: bool) -> list[Piece]:
        """Where the bytes of these lanes lie; AccessFault if any lane must not go there."""
        if not lanes.any():
            return []
        bad = lanes & (self.addresses % np.uint64(self.align) != 0)
        if bad.any():
            raise self._fault("misaligned", bad, write)
        return [piece for name, part in self._by_space(lanes, write) for piece in self._in_space(name, part, write)]

    def _by_space(self, lanes: Lanes, write: bool) -> Iterator[tuple[str, Lanes]]:
        """The lanes by the memory that they reach: generic addresses by their window, parameters by their owner.

        Parameters of functions lie in the lane's own stack; their addresses are marked by FRAME_FLAG, which .local
        takes too, since that is where a parameter is whose address was taken (manual, 5.1.6.4).
        """
        if self.space in ("global", "const"):
            yield self.space, lanes
            return
        window = self.addresses >> np.uint64(32)
        parts = {self.space: lanes & (window == 0)}
        if self.space == "generic":
            parts = {
                name: lanes & (window == np.uint64(m.WINDOWS[name] >> 32)) for name in ("shared", "local", "param")
            }
        rest = lanes & ~np.logical_or.reduce(list(parts.values()))
        if self.space == "generic":
            parts["global"] = rest
        elif rest.any():
            raise self._fault("illegal", rest, write)
        if "param" in parts:
            own = parts["param"] & (self.addresses & np.uint64(m.FRAME_FLAG) != 0)
            parts["param"] = parts["param"] & ~own
            parts["local"] = parts.get("local", own) | own
        yield from ((name, part) for name, part in parts.items() if part.any())

    def _in_space(self, name: str, lanes: Lanes, write: bool) -> list[Piece]:
        if name in ("global", "const"):
            return [self._global(lanes, write)]
        if name == "shared":
            return self._shared(lanes, write)
        if name == "local":
            return [self._local(lanes, write)]
        if write:
            raise self._fault("read_only", lanes, write)
        offset = (self.addresses & np.uint64(0xFFFFFFFF)).astype(np.int64)
        buffer = self.warp.cta.grid.parameters
        return [self._bounded(buffer, offset, lanes, len(buffer), write)]

    def _global(self, lanes: Lanes, write: bool) -> Piece:
        where = self.addresses[lanes]
        low, high = int(where.min()), int(where.max()) + self.size
        found = self.memory.find(low)
        if found is None or high > found.end or (write and found.read_only):
            self._check_each(lanes, write)
        index = (self.addresses - np.uint64(m.DEVICE_BASE)).astype(np.int64)
        return Piece(self.memory.bytes, index, lanes, self.memory.dirty)

    def _check_each(self, lanes: Lanes, write: bool) -> None:
        outside = np.zeros(WARP_SIZE, dtype=np.bool_)
        protected = outside.copy()
        for lane in np.flatnonzero(lanes):
            address = int(self.addresses[lane])
            found = self.memory.find(address)
            outside[lane] = found is None or address + self.size > found.end
            protected[lane] = write and found is not None and found.read_only
        if outside.any():
            raise self._fault("illegal", outside, write)
        if protected.any():
            raise self._fault("read_only", protected, write)

    def _shared(self, lanes: Lanes, write: bool) -> list[Piece]:
        """Shared memory of the warp's own CTA, or of the CTA of its cluster that the address names."""
        offset = (self.addresses & np.uint64(0xFFFFFFFF)).astype(np.int64)
        rank = offset >> m.CLUSTER_SHIFT
        index = (offset & ((1 << m.CLUSTER_SHIFT) - 1)) - m.SHARED_BASE
        pieces = []
        for number in np.unique(rank[lanes]):
            part = lanes & (rank == number)
            if number >= self.warp.cta.grid.cluster_size:
                raise self._fault("illegal", part, write)
            buffer = self.warp.cta.member(int(number)).shared
            pieces.append(self._bounded(buffer, index, part, len(buffer), write))
        return pieces

    def _local(self, lanes: Lanes, write: bool) -> Piece:
        """The stacks of the lanes."""
        offset = (self.addresses & np.uint64(m.FRAME_FLAG - 1)).astype(np.int64)
        size = self.warp.stack_bytes
        piece = self._bounded(self.warp.local, offset, lanes, size, write)
        piece.index = offset + LANE_INDEX * size
        piece.private = True
        return piece

    def _bounded(self, buffer: m.Bytes, index: npt.NDArray[np.int64], lanes: Lanes, size: int, write: bool) -> Piece:
        bad = lanes & ((index < 0) | (index + self.size > size))
        if bad.any():
            raise self._fault("illegal", bad, write)
        return Piece(buffer, index, lanes)

    def shared_pieces(self, lanes: Lanes) -> list[Piece]:
        """Where an atomic operation reads and writes: memory that other threads see (manual, 9.7.13.5)."""
        pieces = self.pieces(lanes, write=True)
        for piece in pieces:
            if piece.private:
                raise self._fault("private", piece.lanes, True)
        return pieces

    def _fault(self, kind: str, lanes: Lanes, write: bool) -> m.AccessFault:
        return m.AccessFault(kind, self.space, mask_of(lanes), self.addresses.copy(), self.size, write)


def _const_addresses(warp: Warp, memory: m.AddressSpace, addresses: Addresses) -> Addresses:
    """Addresses of constants that come from 32-bit registers, with the upper half of the device's window."""
    upper = memory.const_window(warp.cta.grid.device) >> 32 << 32
    return np.where(addresses >> np.uint64(32) == 0, addresses | np.uint64(upper), addresses)


def gather(pieces: list[Piece], size: int) -> npt.NDArray[np.uint8]:
    """(32, size) bytes; lanes off read zeros."""
    out = np.zeros((WARP_SIZE, size), dtype=np.uint8)
    columns = np.arange(size)
    for piece in pieces:
        out[piece.lanes] = piece.buffer[piece.index[piece.lanes, None] + columns]
    return out


def scatter(pieces: list[Piece], data: npt.NDArray[np.uint8]) -> bool:
    """Write (32, size) bytes, lower lanes first; whether any byte of shared or global memory changed."""
    columns = np.arange(data.shape[1])
    changed = False
    for piece in pieces:
        where = piece.index[piece.lanes, None] + columns
        new = data[piece.lanes]
        changed = changed or not (piece.private or np.array_equal(piece.buffer[where], new))
        piece.buffer[where] = new
        if piece.dirty is not None:
            piece.dirty[piece.index[piece.lanes] >> m.PAGE_SHIFT] = 1
    return changed


def raw_bytes(data: Any, size: int) -> npt.NDArray[np.uint8]:
    """A row (or b128 rows of two words) as (32, size) bytes."""
    return np.ascontiguousarray(data).view(np.uint8).reshape(WARP_SIZE, size)


def rounds(lanes: Lanes, addresses: Addresses) -> tuple[list[Lanes], npt.NDArray[np.int64]]:
    """(lane sets with distinct addresses, in the order in which lanes of one address take turns; for each lane the
    one before it at its address, or itself).
    """
    found: list[Lanes] = []
    before = np.arange(WARP_SIZE)
    latest: dict[int, tuple[int, int]] = {}
    for lane in np.flatnonzero(lanes).tolist():
        number, before[lane] = latest.get(int(addresses[lane]), (0, lane))
        latest[int(addresses[lane])] = number + 1, lane
        if number == len(found):
            found.append(np.zeros(WARP_SIZE, dtype=np.bool_))
        found[number][lane] = True
    return found, before
