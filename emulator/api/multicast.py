"""Multicast: one pointer to an array on each of several devices, for multimem instructions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.api.device import Buffer

if TYPE_CHECKING:
    from emulator.api.system import System


class Multicast:
    """An array of one shape on several devices, with a multimem address that means all of them.

    Made by `System.multicast`.  As a kernel argument it is its address, which only multimem.ld_reduce, multimem.st
    and multimem.red may access; ordinary loads and stores use the buffers.  address: also int(multicast).
    buffers: the array of each device, in the order of `devices`; closing one unbinds it.  In the CUDA driver's words:
    cuMulticastCreate, cuMulticastAddDevice, cuMulticastBindMem and cuMemMap in one.
    """

    def __init__(
        self, system: System, name: str, devices: tuple[int, ...], dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> None:
        self._system = system
        self._memory = system.runner.memory
        self.name = name
        self.devices = devices
        self.dtype = dtype
        self.shape = shape
        with system.lock:
            created = self._memory.multicasts.create(math.prod(shape) * dtype.itemsize, name, devices)
        self.address = created.base
        self.nbytes = created.size
        self._bound: dict[int, Buffer] = {}
        self._closed = False

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The bound buffers, in the order of `devices`."""
        return tuple(self._bound[device] for device in self.devices if device in self._bound)

    @property
    def closed(self) -> bool:
        """Whether the addresses are given back: by close(), or by the system's reset()."""
        return self._closed or self._memory is not self._system.runner.memory

    def bind(self, buffer: Buffer) -> None:
        """Put another buffer of the same size in the place of its device's; ValueError if it does not fit."""
        if self.closed or buffer.closed:
            raise ValueError(f"{self if self.closed else buffer} is closed")
        device = self._memory.device_of(buffer.address)
        if device not in self.devices:
            raise ValueError(f"{buffer.name} is on device {device}, {self.name} has the devices {self.devices}")
        if buffer.nbytes != self.nbytes or buffer.allocation.read_only:
            what = "read-only" if buffer.allocation.read_only else f"{buffer.nbytes:,} bytes"
            raise ValueError(f"{buffer.name} is {what}, {self.name} needs {self.nbytes:,} bytes to write")
        with self._system.lock:
            self._system.sync()
            self._memory.multicasts.bind(self.address, device, buffer.allocation)
            self._bound[device] = buffer

    def numpy(self) -> npt.NDArray[Any]:
        """Copies of the contents, a device each along the first axis, after everything launched so far."""
        return np.stack([buffer.numpy() for buffer in self.buffers])

    def close(self) -> None:
        """Give the addresses and the buffers back, after everything launched so far."""
        with self._system.lock:
            if not self.closed:
                for buffer in self.buffers:
                    buffer.close()
                self._memory.multicasts.free(self.address)
                self._closed = True

    def __int__(self) -> int:
        return self.address

    def __repr__(self) -> str:
        return f"Multicast({self.name}, {self.dtype}{list(self.shape)} on {self.devices}, {self.address:#x})"


def make(
    system: System,
    shape: int | tuple[int, ...],
    dtype: npt.DTypeLike,
    devices: Sequence[int] | None,
    name: str | None,
) -> Multicast:
    """An array of zeros on each device; ValueError for devices that there are not."""
    system.require_healthy()
    known = range(len(system.runner.devices))
    chosen = tuple(known if devices is None else devices)
    if not chosen or len(set(chosen)) != len(chosen) or not set(chosen) <= set(known):
        raise ValueError(f"devices {chosen}: a multicast has one or more, each once, of {len(known)}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    made = Multicast(system, name or system.next_buffer_name("multicast"), chosen, np.dtype(dtype), sizes)
    for device in chosen:
        made.bind(system.device(device).zeros(sizes, dtype, name=f"{made.name} on device {device}"))
    return made
