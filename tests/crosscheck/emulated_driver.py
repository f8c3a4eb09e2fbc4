"""A driver whose GPU is the emulator: every call of the GPU backend, with kernels that really run."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from emulator import ObjectCode, System, launch
from emulator.crosscheck.backend import argument_of, launch_config
from emulator.crosscheck.stand_in import Lie, told
from emulator.errors import KernelFault, PtxError
from emulator.machine.grid import LaunchShape
from emulator.ptx_types import Dim3
from tests.crosscheck.fake_driver import OK, CUresult, FakeDriver

ARENA = 64 << 20


class EmulatedDriver(FakeDriver):
    """lies: told in every text, as by a stand-in.  The arena is mapped in one piece, with variables behind it."""

    def __init__(self, lies: Sequence[Lie] = (), engine: str | None = None) -> None:
        super().__init__()
        self.lies = lies
        self.engine = engine
        self._start()

    def _start(self) -> None:
        self.system = System(engine=self.engine, output=lambda text: None)
        self.bytes = self.system.runner.memory

    def cuMemGetAllocationGranularity(self, prop: Any, option: Any) -> Any:
        return OK, ARENA

    def cuMemAddressReserve(self, size: int, alignment: int, addr: int, flags: int) -> Any:
        self.bytes.allocate(0, ARENA, "arena", address=addr)
        return OK, addr

    def cuMemMap(self, ptr: int, size: int, offset: int, handle: int, flags: int) -> Any:
        assert size == ARENA
        return (OK,)

    def cuMemSetAccess(self, ptr: int, size: int, desc: Any, count: int) -> Any:
        return (OK,)

    def cuMemsetD8(self, dstDevice: int, uc: int, N: int) -> Any:
        self.bytes.write(dstDevice, bytes([uc]) * N)
        return (OK,)

    def cuMemcpyHtoD(self, dstDevice: int, srcHost: bytes, ByteCount: int) -> Any:
        self.bytes.write(dstDevice, srcHost)
        return (OK,)

    def cuMemcpyDtoH(self, dstHost: bytearray, srcDevice: int, ByteCount: int) -> Any:
        dstHost[:] = self.bytes.view(srcDevice, ByteCount).tobytes()
        return (OK,)

    def cuModuleLoadDataEx(self, image: bytes, numOptions: int, options: Any, optionValues: Any) -> Any:
        text = image.rstrip(b"\0").decode()
        for number, lie in enumerate(self.lies):
            text = told(text, lie, number)
        try:
            return OK, ObjectCode.from_ptx(text.encode())
        except PtxError:
            return CUresult.CUDA_ERROR_INVALID_IMAGE, None

    def cuModuleGetFunction(self, hmod: ObjectCode, name: bytes) -> Any:
        try:
            return OK, hmod.get_kernel(name.decode())
        except PtxError:
            return CUresult.CUDA_ERROR_NOT_FOUND, None

    def cuModuleGetGlobal(self, hmod: ObjectCode, name: bytes) -> Any:
        found = hmod.get_global(name.decode(), self.system.device(0))
        return OK, found.address, found.nbytes

    def cuLaunchKernelEx(self, config: Any, f: Any, kernelParams: int, extra: int) -> Any:
        attributes = {int(a.id): a.value for a in config.attrs}
        size = attributes[4].clusterDim if 4 in attributes else None
        shape = LaunchShape(
            Dim3(config.gridDimX, config.gridDimY, config.gridDimZ),
            Dim3(config.blockDimX, config.blockDimY, config.blockDimZ),
            None if size is None else Dim3(size.x, size.y, size.z),
            config.sharedMemBytes,
        )
        parameters = f.program.parameters
        pointers = ctypes.cast(kernelParams, ctypes.POINTER(ctypes.c_void_p))[: len(parameters)]
        raw = [ctypes.string_at(pointer, p.size) for pointer, p in zip(pointers, parameters, strict=True)]
        values = [argument_of(parameter, data) for parameter, data in zip(parameters, raw, strict=True)]
        launch(self.system.device(0).default_stream, launch_config(shape), f, *values)
        return (OK,)

    def cuCtxSynchronize(self) -> Any:
        try:
            self.system.sync()
        except KernelFault:
            return (CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,)
        return (OK,)

    def cuDevicePrimaryCtxReset(self, dev: int) -> Any:
        self._start()
        return super().cuDevicePrimaryCtxReset(dev)
