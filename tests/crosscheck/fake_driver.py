"""The calls of cuda.bindings.driver that the GPU backend makes, with its signatures, in Python.

Memory is one bytearray a reservation; kernels are Python functions, by name.  A test compares the signatures with those
of the real package where it is installed.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from emulator.machine.memory import DEVICE_BASE


class CUresult(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_IMAGE = 200
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222
    CUDA_ERROR_NOT_FOUND = 500
    CUDA_ERROR_ILLEGAL_ADDRESS = 700


OK = CUresult.CUDA_SUCCESS


class CUjit_option(IntEnum):
    CU_JIT_ERROR_LOG_BUFFER = 5
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6


class CUdevice_attribute(IntEnum):
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76


class CUfunction_attribute(IntEnum):
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8
    CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14


class CUlaunchAttributeID(IntEnum):
    CU_LAUNCH_ATTRIBUTE_COOPERATIVE = 2
    CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4


class CUmemLocationType(IntEnum):
    CU_MEM_LOCATION_TYPE_DEVICE = 1


class CUmemAllocationType(IntEnum):
    CU_MEM_ALLOCATION_TYPE_PINNED = 1


class CUmemAccess_flags(IntEnum):
    CU_MEM_ACCESS_FLAGS_PROT_READWRITE = 3


class CUmemAllocationGranularity_flags(IntEnum):
    CU_MEM_ALLOC_GRANULARITY_MINIMUM = 0


class CUtensorMapDataType(IntEnum):
    CU_TENSOR_MAP_DATA_TYPE_UINT8 = 0
    CU_TENSOR_MAP_DATA_TYPE_UINT32 = 2
    CU_TENSOR_MAP_DATA_TYPE_FLOAT16 = 6
    CU_TENSOR_MAP_DATA_TYPE_FLOAT32 = 7
    CU_TENSOR_MAP_DATA_TYPE_FLOAT64 = 8
    CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 = 9
    CU_TENSOR_MAP_DATA_TYPE_FLOAT32_FTZ = 10
    CU_TENSOR_MAP_DATA_TYPE_TFLOAT32 = 11
    CU_TENSOR_MAP_DATA_TYPE_TFLOAT32_FTZ = 12


class CUtensorMapInterleave(IntEnum):
    CU_TENSOR_MAP_INTERLEAVE_NONE = 0


class CUtensorMapSwizzle(IntEnum):
    CU_TENSOR_MAP_SWIZZLE_NONE = 0
    CU_TENSOR_MAP_SWIZZLE_32B = 1
    CU_TENSOR_MAP_SWIZZLE_64B = 2
    CU_TENSOR_MAP_SWIZZLE_128B = 3


class CUtensorMapL2promotion(IntEnum):
    CU_TENSOR_MAP_L2_PROMOTION_NONE = 0


class CUtensorMapFloatOOBfill(IntEnum):
    CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0
    CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA = 1


ENUMS = (
    CUjit_option, CUdevice_attribute, CUfunction_attribute, CUlaunchAttributeID, CUmemLocationType,
    CUmemAllocationType, CUmemAccess_flags, CUmemAllocationGranularity_flags, CUtensorMapDataType,
    CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill,
)  # fmt: skip


class cuuint64_t(int):
    pass


class cuuint32_t(int):
    pass


class CUmemLocation(SimpleNamespace):
    pass


class CUmemAllocationProp(SimpleNamespace):
    pass


class CUmemAccessDesc(SimpleNamespace):
    pass


class CUlaunchConfig(SimpleNamespace):
    pass


class CUlaunchAttribute(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(value=SimpleNamespace(clusterDim=SimpleNamespace(x=0, y=0, z=0), cooperative=0))


class FakeDriver:
    """A module's worth of calls.

    elsewhere: the reservation is not given where it is asked for.  maps: whether memory can be mapped at addresses.
    """

    def __init__(self, *, devices: int = 1, elsewhere: bool = False, maps: bool = True, init: CUresult = OK) -> None:
        structures = (CUmemLocation, CUmemAllocationProp, CUmemAccessDesc, CUlaunchConfig, CUlaunchAttribute)
        for kind in (*ENUMS, *structures, cuuint32_t, cuuint64_t):
            setattr(self, kind.__name__, kind)
        self.devices, self.elsewhere, self.maps, self.init = devices, elsewhere, maps, init
        self.memory = bytearray()
        self.base = 0
        self.calls: list[tuple[Any, ...]] = []
        self.pending = OK
        self.newest: bytes | None = None  # .version that is compiled

    def cuInit(self, Flags: int) -> Any:
        return (self.init,)

    def cuGetErrorName(self, error: Any) -> Any:
        return OK, CUresult(error).name.encode()

    def cuGetErrorString(self, error: Any) -> Any:
        return OK, b"in the driver's words"

    def cuDriverGetVersion(self) -> Any:
        return OK, 13000

    def cuDeviceGetCount(self) -> Any:
        return OK, self.devices

    def cuDeviceGet(self, ordinal: int) -> Any:
        return OK, ordinal

    def cuDeviceGetName(self, length: int, dev: int) -> Any:
        return OK, b"fake GPU".ljust(length, b"\0")

    def cuDeviceGetAttribute(self, attrib: Any, dev: int) -> Any:
        return OK, {16: 132, 75: 9, 76: 0}[int(attrib)]

    def cuDevicePrimaryCtxRetain(self, dev: int) -> Any:
        return OK, "context"

    def cuDevicePrimaryCtxRelease(self, dev: int) -> Any:
        return (OK,)

    def cuDevicePrimaryCtxReset(self, dev: int) -> Any:
        self.pending = OK
        self.calls.append(("reset",))
        return (OK,)

    def cuCtxSetCurrent(self, ctx: Any) -> Any:
        return (OK,)

    def cuCtxSynchronize(self) -> Any:
        return (self.pending,)

    def cuMemGetAllocationGranularity(self, prop: Any, option: Any) -> Any:
        return OK, 1 << 21

    def cuMemAddressReserve(self, size: int, alignment: int, addr: int, flags: int) -> Any:
        if not self.maps:
            return CUresult.CUDA_ERROR_NO_DEVICE, None
        if self.elsewhere and addr:
            return CUresult.CUDA_ERROR_NOT_FOUND, None
        self.base = addr or DEVICE_BASE + (1 << 40)
        return OK, self.base

    def cuMemAlloc(self, bytesize: int) -> Any:
        self.base = self.base or 1 << 44
        self.memory += b"\xee" * bytesize
        return OK, self.base + len(self.memory) - bytesize

    def cuMemFree(self, dptr: int) -> Any:
        self.calls.append(("free", dptr))
        return (OK,)

    def cuMemAddressFree(self, ptr: int, size: int) -> Any:
        self.memory.clear()
        return (OK,)

    def cuMemCreate(self, size: int, prop: Any, flags: int) -> Any:
        assert prop.type == 1
        assert prop.location.type == 1
        return OK, size

    def cuMemMap(self, ptr: int, size: int, offset: int, handle: int, flags: int) -> Any:
        assert (ptr - self.base, handle) == (len(self.memory), size)
        return (OK,)

    def cuMemSetAccess(self, ptr: int, size: int, desc: Any, count: int) -> Any:
        assert (len(desc), desc[0].flags, desc[0].location.id) == (count, 3, 0)
        self.memory += b"\xee" * size
        return (OK,)

    def cuMemUnmap(self, ptr: int, size: int) -> Any:
        return (OK,)

    def cuMemRelease(self, handle: Any) -> Any:
        return (OK,)

    def _at(self, address: int, size: int) -> slice:
        start = int(address) - self.base
        assert 0 <= start <= start + size <= len(self.memory)
        return slice(start, start + size)

    def cuMemsetD8(self, dstDevice: int, uc: int, N: int) -> Any:
        self.memory[self._at(dstDevice, N)] = bytes([uc]) * N
        return (OK,)

    def cuMemcpyHtoD(self, dstDevice: int, srcHost: bytes, ByteCount: int) -> Any:
        self.memory[self._at(dstDevice, ByteCount)] = srcHost
        return (OK,)

    def cuMemcpyDtoH(self, dstHost: bytearray, srcDevice: int, ByteCount: int) -> Any:
        dstHost[:] = self.memory[self._at(srcDevice, ByteCount)]
        return (OK,)

    def cuModuleLoadDataEx(self, image: bytes, numOptions: int, options: Any, optionValues: Any) -> Any:
        assert image.endswith(b"\0")
        if b"REFUSED" in image:
            log = optionValues[options.index(CUjit_option.CU_JIT_ERROR_LOG_BUFFER)]
            text = b"ptxas fatal: this text is REFUSED\n"
            log[: len(text)] = text
            return CUresult.CUDA_ERROR_INVALID_IMAGE, None
        if self.newest is not None and image.startswith(b".version") and image[9:12] > self.newest:
            return CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION, None
        self.calls.append(("load", image))
        return OK, image

    def cuModuleUnload(self, hmod: Any) -> Any:
        self.calls.append(("unload",))
        return (OK,)

    def cuModuleGetFunction(self, hmod: Any, name: bytes) -> Any:
        return (OK, name.decode()) if name in (b"copy", b"fault") else (CUresult.CUDA_ERROR_NOT_FOUND, None)

    def cuModuleGetGlobal(self, hmod: Any, name: bytes) -> Any:
        return OK, 0x1234000, 64

    def cuTensorMapEncodeTiled(
        self,
        tensorDataType: Any,
        tensorRank: int,
        globalAddress: int,
        globalDim: Any,
        globalStrides: Any,
        boxDim: Any,
        elementStrides: Any,
        interleave: Any,
        swizzle: Any,
        l2Promotion: Any,
        oobFill: Any,
    ) -> Any:
        assert all(isinstance(n, cuuint64_t) for n in (*globalDim, *globalStrides))
        assert all(isinstance(n, cuuint32_t) for n in (*boxDim, *elementStrides))
        assert len(globalDim) == len(globalStrides) + 1 == len(boxDim) == len(elementStrides) == tensorRank == 2
        told = [globalAddress, tensorDataType, *globalDim, *globalStrides, *boxDim, *elementStrides]
        told += [interleave, swizzle, l2Promotion, oobFill]
        return OK, SimpleNamespace(opaque=[cuuint64_t(n) for n in [*told, *[0] * 16][:16]])

    def cuFuncSetAttribute(self, hfunc: Any, attrib: Any, value: int) -> Any:
        self.calls.append(("attribute", hfunc, int(attrib), value))
        return (OK,)

    def cuLaunchKernelEx(self, config: Any, f: Any, kernelParams: int, extra: int) -> Any:
        attributes = {int(a.id): a.value for a in config.attrs}
        assert len(attributes) == config.numAttrs
        cluster = attributes[4].clusterDim if 4 in attributes else None
        grid = (config.gridDimX, config.gridDimY, config.gridDimZ)
        block = (config.blockDimX, config.blockDimY, config.blockDimZ)
        size = None if cluster is None else (cluster.x, cluster.y, cluster.z)
        self.calls.append(("launch", f, grid, block, config.sharedMemBytes, size, 2 in attributes))
        if f == "fault":
            self.pending = CUresult.CUDA_ERROR_ILLEGAL_ADDRESS
            return (OK,)
        to, source, count = ctypes.cast(kernelParams, ctypes.POINTER(ctypes.c_void_p))[:3]
        to, source = (ctypes.cast(p, ctypes.POINTER(ctypes.c_uint64))[0] for p in (to, source))
        count = ctypes.cast(count, ctypes.POINTER(ctypes.c_uint32))[0]
        self.memory[self._at(to, count)] = self.memory[self._at(source, count)]
        return (OK,)
