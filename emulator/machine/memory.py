"""One flat 64-bit address space, not the host's: windows, allocations, bounds, dirty pages.

    0x6b00_0000_0000  code: addresses of functions
    0x6c00_0000_0000  multimem addresses (multicast.py)
    0x6d00_0000_0000  kernel parameters, as generic addresses
    0x6e00_0000_0000  a lane's local memory, as generic addresses
    0x6f00_0000_0000  shared memory, as generic addresses
    0x7000_0000_0000  device 0; device i lies DEVICE_STRIDE * i above it; its last 64 MiB are for .const

A device address plus one constant of the run is a host address, in an arena that the host commits when it
is touched.  Addresses are the same in every run.
"""

from __future__ import annotations

import bisect
import mmap
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.errors import Diagnostic, UsageError
from emulator.machine.multicast import Multicast, Multicasts

Bytes = npt.NDArray[np.uint8]

PARAM_WINDOW = 0x6D00_0000_0000
LOCAL_WINDOW = 0x6E00_0000_0000
SHARED_WINDOW = 0x6F00_0000_0000
WINDOWS = {"shared": SHARED_WINDOW, "shared::cluster": SHARED_WINDOW, "local": LOCAL_WINDOW, "param": PARAM_WINDOW}
WINDOW_BYTES = 1 << 32
DEVICE_BASE = 0x7000_0000_0000
DEVICE_STRIDE = 1 << 36
CONST_BYTES = 64 << 20
SHARED_BASE = 0x400  # sm_90a: the first KiB of shared memory is the system's
CLUSTER_SHIFT = 24  # shared::cluster addresses: rank of the CTA above these bits
FRAME_FLAG = 0x8000_0000  # param-space addresses from here on lie in the lane's own stack

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
ALLOCATION_ALIGN = 256
REDZONE = 256
DEFAULT_LIMIT = 16 << 30


@dataclass(eq=False, slots=True)
class Allocation:
    """A named range of device memory with an identity of its own."""

    base: int
    size: int
    name: str
    kind: str = "buffer"  # "buffer", "global", "const", "heap", "system"
    read_only: bool = False
    note: str = ""  # what the debugger says beside the name: "argument 3 (out), f32[500]"

    @property
    def end(self) -> int:
        return self.base + self.size

    def describe(self, address: int) -> str:
        """An address as `name+offset`."""
        offset = address - self.base
        return f"{self.name}{offset:+d}" if offset else self.name


class AddressSpace:
    """The memory of all devices of a system.  `limit` bounds the bytes of all allocations."""

    def __init__(self, devices: int, limit: int = DEFAULT_LIMIT) -> None:
        self.devices = devices
        self.limit = limit
        self.used = 0
        self.epoch = 0  # counts changes of the allocations
        self.multicasts = Multicasts()
        self.stride, self._map = _reserve(devices)
        self.bytes: Bytes = np.frombuffer(self._map, dtype=np.uint8)
        self.dirty: Bytes = np.frombuffer(mmap.mmap(-1, len(self.bytes) >> PAGE_SHIFT), dtype=np.uint8)
        self._views: dict[str, npt.NDArray[Any]] = {}
        self._bases: list[int] = []
        self._allocations: list[Allocation] = []
        self._extents: dict[tuple[int, bool], tuple[int, int]] = {}  # where allocations have ever been
        self._next = [DEVICE_BASE + device * self.stride + PAGE_BYTES for device in range(devices)]
        self._next_const = [self.const_window(device) for device in range(devices)]

    # --- allocations ----------------------------------------------------------------------------

    def allocate(
        self,
        device: int,
        size: int,
        name: str,
        *,
        kind: str = "buffer",
        align: int = ALLOCATION_ALIGN,
        address: int | None = None,
        read_only: bool = False,
    ) -> Allocation:
        """`size` bytes of zeros on a device, or at a chosen device address; UsageError when memory is out."""
        if size < 0:
            raise ValueError(f"an allocation of {size} bytes")
        if self.used + size > self.limit:
            raise self._out_of_memory(size, name)
        if address is None:
            address = self._place(device, size, max(align, 16), kind)
        elif not self._is_free(device, address, size):
            raise ValueError(f"{size} bytes at {address:#x} overlap another allocation or leave the device's window")
        allocation = Allocation(address, size, name, kind, read_only)
        low, high = self._extents.get((device, kind == "const"), (address, address))
        self._extents[device, kind == "const"] = min(low, address), max(high, address + size)
        at = bisect.bisect(self._bases, address)
        self._bases.insert(at, address)
        self._allocations.insert(at, allocation)
        self.used += size
        self.epoch += 1
        return allocation

    def _place(self, device: int, size: int, align: int, kind: str) -> int:
        """The next address behind the last one; from the window's start again when its end is reached."""
        cursors = self._next_const if kind == "const" else self._next
        first = self.const_window(device) if kind == "const" else self._window(device) + PAGE_BYTES
        end = self._window(device + 1) if kind == "const" else self.const_window(device)
        for start in (cursors[device], first):
            found = self._first_gap(start, size, align, end)
            if found is not None:
                cursors[device] = found + max(size, 1) + REDZONE
                return found
        raise self._out_of_memory(size, "a window")

    def _first_gap(self, start: int, size: int, align: int, end: int) -> int | None:
        """The first address from `start` on with room for an allocation and a red zone on both sides."""
        start = -(-start // align) * align
        while start + size <= end:
            at = bisect.bisect_left(self._bases, start + size + REDZONE)
            if at == 0 or self._allocations[at - 1].end + REDZONE <= start:
                return start
            start = -(-(self._allocations[at - 1].end + REDZONE) // align) * align
        return None

    def _window(self, device: int) -> int:
        return DEVICE_BASE + device * self.stride

    def device_of(self, address: int) -> int:
        """The device in whose window an address lies."""
        return (address - DEVICE_BASE) // self.stride

    def _is_free(self, device: int, address: int, size: int) -> bool:
        if not self._window(device) <= address <= address + size <= self._window(device + 1):
            return False
        at = bisect.bisect_left(self._bases, max(address + size, address + 1))
        return at == 0 or self._allocations[at - 1].end <= address

    def free(self, allocation: Allocation) -> None:
        """Give an allocation back; its bytes read as zeros if the range is used again."""
        at = bisect.bisect_left(self._bases, allocation.base)
        if at >= len(self._bases) or self._allocations[at] is not allocation:
            raise ValueError(f"{allocation.name} is freed already")
        del self._bases[at], self._allocations[at]
        self.used -= allocation.size
        self.epoch += 1
        first = allocation.base - DEVICE_BASE
        for page in self._dirty_pages(first, first + allocation.size):
            self.bytes[max(first, page << PAGE_SHIFT) : min(first + allocation.size, (page + 1) << PAGE_SHIFT)] = 0

    def find(self, address: int) -> Allocation | None:
        """The allocation that holds an address."""
        at = bisect.bisect(self._bases, address)
        if at and address < self._allocations[at - 1].end:
            return self._allocations[at - 1]
        return None

    def holds(self, allocation: Allocation | None) -> bool:
        """Whether an allocation is there, and has not been freed."""
        return allocation is not None and self.find(allocation.base) is allocation

    def nearest(self, address: int) -> Allocation | None:
        """The allocation below or above an address that is closest to it."""
        at = bisect.bisect(self._bases, address)
        around = self._allocations[max(0, at - 1) : at + 1]
        return min(around, key=lambda a: max(a.base - address, address - a.end + 1, 0), default=None)

    def allocations(self) -> Iterator[Allocation]:
        """All allocations by address."""
        return iter(list(self._allocations))

    def _out_of_memory(self, size: int, name: str) -> UsageError:
        text = f"out of emulated memory: {size:,} bytes for {name}, {self.used:,} of {self.limit:,} are in use"
        fix = "free buffers (buffer.close()), or raise the limit: System(memory=...)"
        return UsageError(Diagnostic("PTX-L0105", "usage", text, help=fix))

    def const_window(self, device: int) -> int:
        """Where a device's constants begin; the window does not cross a multiple of 4 GiB."""
        return DEVICE_BASE + (device + 1) * self.stride - CONST_BYTES

    # --- bytes ----------------------------------------------------------------------------------

    def view(self, address: int, size: int) -> Bytes:
        """The bytes of a range, to read or write."""
        start = address - DEVICE_BASE
        return self.bytes[start : start + size]

    def typed(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The whole arena as elements of a dtype."""
        name = np.dtype(dtype).str
        if name not in self._views:
            self._views[name] = self.bytes.view(dtype)
        return self._views[name]

    def write(self, address: int, data: bytes | Bytes) -> None:
        """A write by the host; marks dirty pages."""
        raw = np.frombuffer(data, dtype=np.uint8) if isinstance(data, bytes) else data
        self.view(address, len(raw))[:] = raw
        if len(raw):
            start = address - DEVICE_BASE
            self.dirty[start >> PAGE_SHIFT : (start + len(raw) - 1 >> PAGE_SHIFT) + 1] = 1

    def _dirty_pages(self, start: int, end: int) -> npt.NDArray[np.intp]:
        """Numbers of the pages of a range of the arena that were written."""
        first, last = start >> PAGE_SHIFT, end + PAGE_BYTES - 1 >> PAGE_SHIFT
        groups = np.flatnonzero(self.dirty[first & ~7 : last + 7 & ~7].view(np.uint64)) + (first >> 3)
        pages = (groups[:, None] * 8 + np.arange(8)).ravel()
        found: npt.NDArray[np.intp] = pages[(self.dirty[pages] != 0) & (pages >= first) & (pages < last)]
        return found

    def _written_pages(self) -> npt.NDArray[np.intp]:
        """Numbers of all pages that were written."""
        parts = [self._dirty_pages(low - DEVICE_BASE, high - DEVICE_BASE) for low, high in self._extents.values()]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.intp)

    def snapshot(self) -> MemorySnapshot:
        """Allocations and the pages written so far."""
        pages = self._written_pages()
        data = self.bytes.reshape(-1, PAGE_BYTES)[pages]
        lists = (list(self._bases), list(self._allocations), list(self._next), list(self._next_const))
        return MemorySnapshot(pages, data, lists, self.used, self.multicasts.snapshot())

    def restore(self, snapshot: MemorySnapshot) -> None:
        """Bring back a snapshot: same bytes, same allocations."""
        rows = self.bytes.reshape(-1, PAGE_BYTES)
        now = self._written_pages()
        rows[np.setdiff1d(now, snapshot.pages)] = 0
        rows[snapshot.pages] = snapshot.data
        self.dirty[now] = 0
        self.dirty[snapshot.pages] = 1
        bases, allocations, cursors, const_cursors = snapshot.lists
        self._bases, self._allocations = list(bases), list(allocations)
        self._next, self._next_const = list(cursors), list(const_cursors)
        self.used = snapshot.used
        self.multicasts.restore(snapshot.multicasts)
        self.epoch += 1


@dataclass(frozen=True, eq=False, slots=True)
class MemorySnapshot:
    """What `AddressSpace.snapshot` keeps."""

    pages: npt.NDArray[np.intp]
    data: Bytes
    lists: tuple[list[int], list[Allocation], list[int], list[int]]
    used: int
    multicasts: list[Multicast]


def _reserve(devices: int) -> tuple[int, mmap.mmap]:
    """(bytes a device, arena): address space only, committed on touch; smaller where the host refuses."""
    stride = DEVICE_STRIDE if sys.platform != "win32" else 1 << 30
    while True:
        try:
            if sys.platform == "win32":
                return stride, mmap.mmap(-1, devices * stride)
            no_reserve = 0x4000 if sys.platform == "linux" else 0x40
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve
            return stride, mmap.mmap(-1, devices * stride, flags=flags)
        except (OSError, ValueError):
            if stride <= 256 << 20:
                raise
            stride >>= 1


@dataclass(eq=False)
class AccessFault(Exception):
    """An access that must not happen; the engine adds the instruction and makes the diagnostic.

    kind: "illegal", "misaligned", "read_only", "private" for an atomic operation on memory of one thread, or
    "multimem" for an access that is no multimem access of a multimem address, or the other way round.
    lanes: mask of the offenders.  addresses: of all lanes.
    """

    kind: str
    space: str
    lanes: int
    addresses: npt.NDArray[np.uint64]
    size: int
    is_write: bool
