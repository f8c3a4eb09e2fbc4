"""Multimem addresses of 32 lanes -> addresses on the devices, checked (manual, 8.2.3 and 9.7.9.14)."""

from __future__ import annotations

import numpy as np

from emulator.engines.reference.access import Addresses, Lanes
from emulator.machine.memory import AccessFault, AddressSpace
from emulator.machine.multicast import is_multicast
from emulator.machine.warp import mask_of
from emulator.ptx_types import WARP_SIZE


def locations(memory: AddressSpace, addresses: Addresses, lanes: Lanes, size: int) -> list[Addresses]:
    """Addresses a lane, device after device, one row at least; 0 in lanes that are off or have fewer devices.

    AccessFault if any lane's bytes are no multimem address, are misaligned, or if a device has no memory bound.
    """
    rows = [np.zeros(WARP_SIZE, dtype=np.uint64)]
    wrong = {kind: np.zeros(WARP_SIZE, dtype=np.bool_) for kind in ("misaligned", "multimem")}
    for lane in np.flatnonzero(lanes).tolist():
        address = int(addresses[lane])
        members = members_of(memory, address, size)
        wrong["misaligned"][lane] = address % size != 0
        wrong["multimem"][lane] = not members
        for number, member in enumerate(members):
            if number == len(rows):
                rows.append(np.zeros(WARP_SIZE, dtype=np.uint64))
            rows[number][lane] = member
    for kind, bad in wrong.items():
        if bad.any():
            raise AccessFault(kind, "multimem", mask_of(bad), addresses.copy(), size, is_write=False)
    return rows


def members_of(memory: AddressSpace, address: int, size: int) -> list[int]:
    """The addresses behind a multimem address; none unless all bytes are inside and all devices are bound."""
    found = memory.multicasts.at(address)
    if found is None or not is_multicast(address) or address + size > found.end:
        return []
    members = [
        member.base + address - found.base for member in found.members.values() if member and memory.holds(member)
    ]
    return members if len(members) == len(found.members) else []
