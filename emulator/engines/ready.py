"""The queue of the warps that can run: plain bytes, so that native code takes from it and adds to it too.

An entry is the address of a resident CTA's record with the number of the warp in its low bits (machine/residents.py).
Python sees warps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.machine.layout import Record, aligned_zeros, dtype_of, i64, u64
from emulator.machine.warp import Warp

Entries = npt.NDArray[np.uint64]


class Ring(Record):
    """The queue: `count` entries from number `head` on, which begins again behind `mask`."""

    entries: u64
    mask: i64
    head: i64
    count: i64


class Ready:
    """The queue as Python sees it.  warp_at: the warp of an entry."""

    def __init__(self, capacity: int, warp_at: Callable[[int], Warp]) -> None:
        self.capacity = capacity
        size = 1 << (capacity - 1).bit_length()
        self._entries: Entries = np.zeros(size, np.uint64)
        self.fields: npt.NDArray[Any] = aligned_zeros(64)[:32].view(dtype_of(Ring))
        self.fields["entries"], self.fields["mask"] = self._entries.ctypes.data, size - 1
        self._numbers = self.fields.view(np.int64)  # entries, mask, head, count
        self._warp_at = warp_at

    def __len__(self) -> int:
        return int(self._numbers[3])

    def entries(self) -> Entries:
        """A copy of all entries, the first in the queue first."""
        _, mask, head, count = self._numbers.tolist()
        found: Entries = self._entries[(head + np.arange(count)) & mask]
        return found

    def addresses(self) -> list[int]:
        """All entries as numbers."""
        found: list[int] = self.entries().tolist()
        return found

    def set_addresses(self, entries: Sequence[int] | Entries) -> None:
        """Have these entries."""
        new = np.asarray(entries, np.uint64)
        self._entries[: len(new)] = new
        self._numbers[2:] = 0, len(new)

    def __iter__(self) -> Iterator[Warp]:
        return map(self._warp_at, self.addresses())

    def append(self, warp: Warp) -> None:
        """Last in the queue."""
        self.add(warp.address)

    def add(self, entry: int) -> None:
        """An entry last in the queue."""
        _, mask, head, count = self._numbers.tolist()
        self._entries[head + count & mask] = entry
        self._numbers[3] = count + 1

    def appendleft(self, warp: Warp) -> None:
        """First in the queue."""
        _, mask, head, count = self._numbers.tolist()
        self._entries[head - 1 & mask] = warp.address
        self._numbers[2:] = head - 1 & mask, count + 1

    def popleft(self) -> Warp:
        """Take the first one out."""
        return self.take(0)

    def take(self, place: int) -> Warp:
        """Take out one; those behind it come first then, those before it last."""
        _, mask, head, count = self._numbers.tolist()
        if not 0 <= place < count:
            raise IndexError("no warp is ready")
        if place:
            entries = self.addresses()
            self.set_addresses(entries[place:] + entries[:place])
            head = 0
        warp = self._warp_at(int(self._entries[head]))
        self._numbers[2:] = head + 1 & mask, count - 1
        return warp

    def index(self, warp: Warp) -> int:
        """The place of a warp; ValueError if it is not in the queue."""
        return self.addresses().index(warp.address)

    def remove(self, warp: Warp) -> None:
        """Take out a warp; ValueError if it is not in the queue."""
        entries = self.addresses()
        entries.remove(warp.address)
        self.set_addresses(entries)

    def insert(self, place: int, warp: Warp) -> None:
        """Put a warp in front of what stands at a place."""
        entries = self.addresses()
        entries.insert(place, warp.address)
        self.set_addresses(entries)
