"""`Device(0, backend="gpu")` and `Device(0, backend="both")`: the calls of the API on a real GPU, or on both machines.

On both, buffers live in the emulator.  A launch runs on both machines from the same contents and is compared before it
counts: Mismatch carries the report.  Each launch there begins with the module's own variables as the text initialises
them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from emulator.api.device import Buffer, Device, Stream
from emulator.api.kernel import Kernel, LaunchConfig, ObjectCode, launch
from emulator.api.parameters import pack_arguments
from emulator.api.system import System
from emulator.arguments import type_name_of
from emulator.crosscheck.backend import Backend, EmulatorBackend
from emulator.crosscheck.check import CrossCheck, Report
from emulator.crosscheck.job import Job, Memory, Pointer, Tolerance, variables_of
from emulator.crosscheck.report import lines
from emulator.errors import DiagnosedError, Diagnostic
from emulator.machine.grid import Grid
from emulator.machine.memory import Allocation, Bytes
from emulator.program import KernelParameter


class Mismatch(DiagnosedError):
    """The machines disagree; `report` says where."""

    def __init__(self, report: Report) -> None:
        message = f"{report.job.kernel} gave other results on {report.gpu}: {report.verdict.word}"
        super().__init__(Diagnostic("PTX-G0604", "fault", message, facts=(("report", "\n".join(lines(report))),)))
        self.report = report


class BothDevice(Device):
    """The emulator and another machine, compared launch by launch.

    gpu: the other machine, the GPU of the device's number if none is given.  tolerance: of all float buffers.
    reports: of all launches so far.  Within `everywhere` both are given there.
    """

    _of_systems: ClassVar[WeakKeyDictionary[System, list[Buffer]]] = WeakKeyDictionary()  # open buffers
    _given: ClassVar[list[tuple[Backend, Tolerance, list[Report]]]] = []

    def __init__(
        self,
        index: int = 0,
        *,
        backend: str | None = "both",
        system: System | None = None,
        gpu: Backend | None = None,
        tolerance: Tolerance | None = None,
    ) -> None:
        super().__init__(index, system=system)
        given = self._given[-1] if self._given and gpu is None else (gpu or _gpu(index), Tolerance(), [])
        self.gpu, self.tolerance, self.reports = given[0], tolerance or given[1], given[2]
        self._buffers = self._of_systems.setdefault(self.system, [])

    @property
    def default_stream(self) -> Stream:
        """The stream that is always there; a launch on it is compared at once."""
        stream = super().default_stream
        stream.submit = self._launch
        return stream

    def create_stream(self) -> Stream:
        """The default stream: compared launches follow each other."""
        return self.default_stream

    def _new_buffer(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], name: str | None, address: int | None
    ) -> Buffer:
        buffer = super()._new_buffer(dtype, shape, name, address)
        self._buffers[:] = [*(known for known in self._buffers if not known.closed), buffer]
        return buffer

    def _launch(self, config: LaunchConfig, kernel: Kernel, arguments: Sequence[Any]) -> Grid:
        self.system.sync()
        report = CrossCheck(_like(self.system), self.gpu).run(self._job(config, kernel, arguments))
        self.reports.append(report)
        if not report.ok:
            raise Mismatch(report)
        grid = launch(super().default_stream, config, kernel, *arguments)
        self.system.sync()
        return grid

    def _job(self, config: LaunchConfig, kernel: Kernel, arguments: Sequence[Any]) -> Job:
        program = kernel.code.program(kernel.name)
        data, _ = pack_arguments(program, arguments)
        open_ones = [buffer for buffer in self._buffers if not buffer.closed]
        memories = [
            Memory(buffer.name, buffer.numpy(), buffer.address, self.tolerance if buffer.dtype.kind == "f" else EXACT)
            for buffer in open_ones
        ]
        raw = [_parameter(p, data[p.offset : p.offset + p.size].tobytes(), open_ones) for p in program.parameters]
        source = program.source
        shape = config.shape()
        parts = tuple(memories), tuple(raw), config.is_cooperative
        return Job(source.text, source.name, kernel.name, shape, *parts, variables=variables_of(source.text))


EXACT = Tolerance()


def _parameter(parameter: KernelParameter, raw: bytes, buffers: list[Buffer]) -> bytes | Pointer:
    """A parameter's bytes, or which buffer they point into."""
    if parameter.size == 8 and not parameter.is_struct:
        address = int.from_bytes(raw, "little")
        for number, buffer in enumerate(buffers):
            if buffer.address <= address < buffer.address + max(buffer.nbytes, 1):
                return Pointer(number, address - buffer.address)
    return raw


def _like(system: System) -> EmulatorBackend:
    return EmulatorBackend(arch=system.arch, contract=system.contract)


def _gpu(index: int) -> Backend:
    from emulator.crosscheck.gpu import GpuBackend

    return GpuBackend(index)


@contextmanager
def checked(
    gpu: Backend | None = None, *, rtol: float = 0.0, atol: float = 0.0, **options: Any
) -> Iterator[BothDevice]:
    """A device for a Python test whose launches run on both machines; Mismatch where they differ.

    gpu: the other machine, GPU 0 if none is given.  options: as of System.
    """
    with System(**options) as system:
        yield BothDevice(system=system, gpu=gpu, tolerance=Tolerance(rtol, atol))


@contextmanager
def everywhere(gpu: Backend, tolerance: Tolerance) -> Iterator[list[Report]]:
    """Every `Device(i)` that names no backend compares with a GPU; gives the reports of all launches."""
    reports: list[Report] = []
    before = Device.default_backend
    BothDevice._given.append((gpu, tolerance, reports))
    Device.default_backend = "both"
    try:
        yield reports
    finally:
        Device.default_backend = before
        BothDevice._given.pop()


# --- a GPU alone ---------------------------------------------------------------------------------------


class GpuBuffer(Buffer):
    """An array in a GPU's memory; the memory lives until the end of the device."""

    def __init__(self, device: GpuDevice, allocation: Allocation, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._device = device
        self.allocation = allocation
        self.dtype = dtype
        self.shape = shape
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._closed

    def _sync(self) -> None:
        self._device.sync()

    def _bytes(self) -> Bytes:
        return np.frombuffer(self._device.gpu.read(self.address, self.nbytes), np.uint8).copy()

    def _store(self, raw: Bytes) -> None:
        self._device.gpu.write(self.address, raw.tobytes())

    def close(self) -> None:
        """Refuse further use."""
        self._closed = True


class GpuStream(Stream):
    """The default stream of a GPU."""

    def __init__(self, device: GpuDevice) -> None:
        self._device = device
        self.submit = device._launch

    def sync(self) -> None:
        """Wait until all launches have ended; DriverError if one failed."""
        self._device.sync()


class GpuDevice(Device):
    """A real GPU behind the API's calls.  gpu: a backend to use instead of the one of that number."""

    def __init__(
        self, index: int = 0, *, backend: str | None = "gpu", system: System | None = None, gpu: Backend | None = None
    ) -> None:
        if system is not None:
            raise ValueError("a GPU belongs to no emulated system")
        self.index = index
        self.gpu = gpu or _gpu(index)
        self._codes: dict[int, Any] = {}
        self._launches = 0

    @property
    def default_stream(self) -> Stream:
        """The stream that is always there."""
        return GpuStream(self)

    def create_stream(self) -> Stream:
        """The default stream: launches on a GPU follow each other here."""
        return self.default_stream

    @property
    def arch(self) -> str:
        return self.gpu.identity.arch

    @property
    def sms(self) -> int:
        return int(getattr(self.gpu, "sms", 1))

    def _new_buffer(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], name: str | None, address: int | None
    ) -> Buffer:
        size = math.prod(shape) * dtype.itemsize
        name = name or f"{type_name_of(dtype)}{list(shape)}"
        return GpuBuffer(self, Allocation(self.gpu.allocate(max(size, 1), name, address), size, name), dtype, shape)

    def sync(self) -> None:
        """Wait until all launches have ended, and print what they printed; DriverError if one failed."""
        before = len(self.gpu.printed)
        self.gpu.sync()
        sys.stdout.write(self.gpu.printed[before:])

    def _launch(self, config: LaunchConfig, kernel: Kernel, arguments: Sequence[Any]) -> Grid:
        program = kernel.code.program(kernel.name)
        data, given = pack_arguments(program, arguments)
        raw = [data[p.offset : p.offset + p.size].tobytes() for p in program.parameters]
        shape = config.shape()
        code = self._code(kernel.code)
        self.gpu.launch(code, kernel.name, shape, raw, cooperative=config.is_cooperative)
        self._launches += 1
        return Grid(self._launches, program, shape, data, self.index, {}, given)

    def _code(self, code: ObjectCode) -> Any:
        if code.number not in self._codes:
            self._codes[code.number] = self.gpu.load(code.module.source.text, code.module.source.name)
        return self._codes[code.number]

    def __repr__(self) -> str:
        return f"Device({self.index}, {self.gpu.identity}, {self.arch})"
