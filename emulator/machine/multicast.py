"""Multicast objects: one address that points to a memory location on each of several devices (manual, 8.2.3).

They lie in a window of their own, outside of the devices' memory, at multiples of 2 MiB from its start.  An offset
means the same offset in the memory that is bound on each device.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.machine.memory import Allocation

MULTICAST_WINDOW = 0x6C00_0000_0000
MULTICAST_END = 0x6D00_0000_0000
GRANULARITY = 2 << 20


@dataclass(frozen=True, slots=True)
class Multicast:
    """Addresses and the memory behind them.

    members: a device each, in the order in which reductions go through them, with the allocation that is bound
    there, if any.
    """

    base: int
    size: int
    name: str
    members: Mapping[int, Allocation | None]

    @property
    def end(self) -> int:
        return self.base + self.size


def is_multicast(address: int) -> bool:
    """Whether an address lies in the window of multicast objects."""
    return MULTICAST_WINDOW <= address < MULTICAST_END


class Multicasts:
    """The multicast objects of a system, by address."""

    def __init__(self) -> None:
        self._objects: list[Multicast] = []
        self.epoch = 0  # counts changes

    def create(self, size: int, name: str, devices: tuple[int, ...]) -> Multicast:
        """Addresses of `size` bytes at the first free place, for some devices, on which no memory is bound yet."""
        base = MULTICAST_WINDOW
        for found in self._objects:
            if base + size < found.base:
                break
            base = found.base + (found.size // GRANULARITY + 1) * GRANULARITY
        if base + size >= MULTICAST_END:
            raise ValueError(f"no place for {size:,} bytes of multimem addresses")
        return self._put(Multicast(base, size, name, dict.fromkeys(devices)))

    def _put(self, new: Multicast) -> Multicast:
        """Add an object, or replace the one of its address."""
        self.epoch += 1
        self._objects = sorted([*(one for one in self._objects if one.base != new.base), new], key=lambda one: one.base)
        return new

    def bind(self, base: int, device: int, memory: Allocation) -> Multicast:
        """Let the addresses of an object mean this memory of a device."""
        found = self.at(base)
        assert found is not None and device in found.members and memory.size == found.size
        return self._put(replace(found, members={**found.members, device: memory}))

    def free(self, base: int) -> None:
        """Give the addresses back; the memory stays."""
        self.epoch += 1
        self._objects = [one for one in self._objects if one.base != base]

    def at(self, address: int) -> Multicast | None:
        """The object at or below an address, the nearest one; the address may lie beyond its end."""
        number = bisect.bisect(self._objects, address, key=lambda one: one.base)
        return self._objects[number - 1] if number else None

    def snapshot(self) -> list[Multicast]:
        """All objects; they never change."""
        return self._objects

    def restore(self, objects: list[Multicast]) -> None:
        """Bring back the objects of a snapshot."""
        self.epoch += 1
        self._objects = objects
