"""Devices, their buffers and streams."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.arguments import type_name_of
from emulator.machine.device import DeviceState, Point, Record, Wait, Work
from emulator.machine.device import Stream as MachineStream
from emulator.machine.grid import Grid
from emulator.machine.memory import Allocation, Bytes

if TYPE_CHECKING:
    from emulator.api.kernel import Kernel, LaunchConfig
    from emulator.api.system import System


class Buffer:
    """An array in device memory.

    address: the device address, also int(buffer).  dtype, shape, nbytes as in NumPy.  The memory lives until
    close() or the end of the system.
    """

    def __init__(self, system: System, allocation: Allocation, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._system = system
        self.allocation = allocation
        self.dtype = dtype
        self.shape = shape
        self._memory = system.runner.memory
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the memory is given back: by close(), or by the system's reset()."""
        return self._closed or self._memory is not self._system.runner.memory

    @property
    def address(self) -> int:
        return self.allocation.base

    @property
    def name(self) -> str:
        return self.allocation.name

    @property
    def nbytes(self) -> int:
        return self.allocation.size

    def __int__(self) -> int:
        return self.address

    def numpy(self) -> npt.NDArray[Any]:
        """A copy of the contents, after everything launched so far; kernel faults are raised here."""
        self._check_open()
        self._sync()
        return self._bytes().view(self.dtype).reshape(self.shape)

    def write(self, array: npt.ArrayLike) -> None:
        """Overwrite the contents, after everything launched so far; the size in bytes must be the same."""
        self._check_open()
        self._sync()
        raw = _bytes_of(np.asarray(array, dtype=self.dtype))
        if len(raw) != self.nbytes:
            raise ValueError(f"{len(raw)} bytes for the buffer {self.name} of {self.nbytes}")
        self._store(raw)

    def close(self) -> None:
        """Free the memory, after everything launched so far."""
        with self._system.lock:
            if not self.closed:
                self._system.sync()
                self._memory.free(self.allocation)
                self._closed = True

    def _sync(self) -> None:
        self._system.sync()

    def _bytes(self) -> Bytes:
        with self._system.lock:
            return self._memory.view(self.address, self.nbytes).copy()

    def _store(self, raw: Bytes) -> None:
        with self._system.lock:
            self._memory.write(self.address, raw)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError(f"the buffer {self.name} is closed")

    def __repr__(self) -> str:
        return f"Buffer({self.name}, {self.dtype}{list(self.shape)}, {self.address:#x})"


def _bytes_of(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


class Event:
    """A point in a stream's work, from `stream.record()`; recording it again moves it."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.point: Point | None = None

    @property
    def happened(self) -> bool:
        """Whether all work before the point has ended; True if the event was never recorded, as in CUDA."""
        return self.point is None or self.point.reached

    def sync(self) -> None:
        """Run until the point is reached; kernel faults are raised here."""
        self._system.run_until(lambda: self.happened, every_turn=False)


class Stream:
    """Launches that follow each other on one device; work in different streams progresses together."""

    submit: Callable[[LaunchConfig, Kernel, Sequence[Any]], Grid] | None = None  # of other backends: what launches

    def __init__(self, system: System, machine: MachineStream) -> None:
        self._system = system
        self._machine = machine

    def sync(self) -> None:
        """Run until the stream has no work left; kernel faults are raised here."""
        self._system.run_until(lambda: self._machine.idle, every_turn=False)

    def record(self, event: Event | None = None) -> Event:
        """An event behind the stream's work."""
        event = event or Event(self._system)
        event.point = Point()
        self.enqueue(Record(event.point))
        return event

    def wait(self, other: Event | Stream) -> None:
        """Later work of this stream waits for an event as it is recorded now, or for another stream's work."""
        event = other.record() if isinstance(other, Stream) else other
        if event.point is not None:
            self.enqueue(Wait(event.point))

    def enqueue(self, work: Work) -> None:
        """Put work behind the stream's other work; ValueError if the system was reset since the stream was made."""
        with self._system.lock:
            self._system.require_healthy()
            runner = self._system.runner
            if not any(self._machine is stream for device in runner.devices for stream in device.streams):
                raise ValueError("the stream was made before the system's reset(): make a new one")
            runner.enqueue(self._machine, work)


BACKENDS = {  # of Device: what they are, imported when they are asked for
    "gpu": ("emulator.crosscheck.devices", "GpuDevice"),
    "both": ("emulator.crosscheck.devices", "BothDevice"),
}


class Device:
    """One emulated GPU of a system; `Device(i)` is device i of the default system.

    arch: its architecture, such as sm_90a.  sms: the number of SMs.  backend: "emulator"; "gpu" is a real one, "both"
    runs every launch on both and compares (crosscheck/devices.py); None for `default_backend`.
    """

    default_backend = "emulator"

    def __new__(cls, index: int = 0, *, backend: str | None = None, **options: Any) -> Device:
        """A device of the backend's own class."""
        backend = backend or Device.default_backend
        if cls is Device and backend in BACKENDS:
            module, name = BACKENDS[backend]
            cls = getattr(importlib.import_module(module), name)
        return object.__new__(cls)

    def __init__(self, index: int = 0, *, backend: str | None = None, system: System | None = None) -> None:
        if backend not in (None, "emulator"):
            raise ValueError(f"backend {backend!r}: there is emulator, {', '.join(BACKENDS)}")
        if system is None:
            from emulator.api.system import default_system

            system = default_system()
        if not 0 <= index < len(system.runner.devices):
            raise ValueError(f"device {index}: the system has {len(system.runner.devices)}, numbered from 0")
        self.system = system
        self.index = index

    @property
    def _state(self) -> DeviceState:
        return self.system.runner.devices[self.index]

    @property
    def default_stream(self) -> Stream:
        """The stream that is always there."""
        return Stream(self.system, self._state.streams[0])

    @property
    def arch(self) -> str:
        return self._state.arch

    @property
    def sms(self) -> int:
        return self._state.sms

    def array(self, array: npt.ArrayLike, *, name: str | None = None, address: int | None = None) -> Buffer:
        """A copy of a NumPy array in device memory, at a chosen device address if given."""
        source = np.asarray(array)
        if source.dtype == object:
            raise TypeError("an array of Python objects cannot be copied to a device")
        if not source.dtype.isnative:
            raise TypeError("an array of big-endian numbers cannot be copied to a device: see numpy.ndarray.byteswap")
        buffer = self.zeros(source.shape, source.dtype, name=name, address=address)
        buffer._store(_bytes_of(source))
        return buffer

    def zeros(
        self,
        shape: int | tuple[int, ...],
        dtype: npt.DTypeLike = np.float32,
        *,
        name: str | None = None,
        address: int | None = None,
    ) -> Buffer:
        """An array of zeros in device memory."""
        return self._new_buffer(np.dtype(dtype), (shape,) if isinstance(shape, int) else tuple(shape), name, address)

    def _new_buffer(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], name: str | None, address: int | None
    ) -> Buffer:
        with self.system.lock:
            self.system.require_healthy()
            name = name or self.system.next_buffer_name()
            size = math.prod(shape) * dtype.itemsize
            allocation = self.system.runner.memory.allocate(self.index, size, name, address=address)
            allocation.note = f"{type_name_of(dtype)}{list(shape)}"
            return Buffer(self.system, allocation, dtype, shape)

    def create_stream(self) -> Stream:
        """A further stream."""
        with self.system.lock:
            return Stream(self.system, self._state.new_stream())

    def sync(self) -> None:
        """Run until the device has no work left; kernel faults are raised here."""
        self.system.run_until(lambda: all(stream.idle for stream in self._state.streams), every_turn=False)

    def __repr__(self) -> str:
        return f"Device({self.index}, {self.arch}, {self.sms} SMs)"
