"""Pages that nobody may touch: a process that does dies at once, so that harm cannot go unseen.

Under `install` only those pages of the device memory of a system can be touched in which there is an allocation, and
the blocks of resident CTAs lie between two such pages.  On Windows nothing is guarded.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.machine import blocks
from emulator.machine.memory import DEVICE_BASE, AddressSpace, Allocation

PAGE = mmap.PAGESIZE
AVAILABLE = sys.platform in ("linux", "darwin")
CLOSED, OPEN = 0, 3  # PROT_NONE, PROT_READ | PROT_WRITE


def protect(address: int, size: int, access: int) -> None:
    """Change the access to the pages of a range."""
    start, end = address // PAGE * PAGE, -(-(address + size) // PAGE) * PAGE
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(end - start), access):
        raise OSError(ctypes.get_errno(), f"mprotect({start:#x}, {end - start:#x}, {access})")


def guarded_zeros(size: int, alignment: int = 64) -> npt.NDArray[np.uint8]:
    """Zeroed bytes between two closed pages, the second of which follows the last byte."""
    assert size % alignment == 0
    inner = -(-size // PAGE) * PAGE
    raw = np.frombuffer(mmap.mmap(-1, inner + 2 * PAGE), np.uint8)
    address = raw.ctypes.data
    protect(address, PAGE, CLOSED)
    protect(address + PAGE + inner, PAGE, CLOSED)
    return raw[PAGE + inner - size : PAGE + inner]


def install() -> None:
    """Guard the memory of all systems that are made from now on."""
    if not AVAILABLE:
        return
    make, allocate = AddressSpace.__init__, AddressSpace.allocate

    def closed(this: AddressSpace, *arguments: Any, **options: Any) -> None:
        make(this, *arguments, **options)
        protect(this.bytes.ctypes.data, len(this.bytes), CLOSED)

    def opened(this: AddressSpace, *arguments: Any, **options: Any) -> Allocation:
        found = allocate(this, *arguments, **options)
        protect(this.bytes.ctypes.data + found.base - DEVICE_BASE, max(1, found.size), OPEN)
        return found

    AddressSpace.__init__, AddressSpace.allocate = closed, opened  # type: ignore[method-assign]
    blocks.aligned_zeros = guarded_zeros
