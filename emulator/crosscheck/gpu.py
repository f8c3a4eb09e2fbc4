"""A real GPU, through the driver API of NVIDIA's package cuda-bindings, which is imported when a GPU is asked for.

Memory is one range of virtual addresses where the emulator has that of its device 0, so that buffers have the same
addresses on both machines; should the driver not give that range, addresses differ and `at_emulator_addresses` says so.
A driver that maps no memory at addresses gives buffers one by one.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from emulator.crosscheck.backend import HARDWARE, Identity
from emulator.crosscheck.tensor_map import TensorMap, encoded
from emulator.errors import Diagnostic, DriverError, NoGpu, Source
from emulator.machine.grid import LaunchShape
from emulator.machine.memory import DEVICE_BASE, DEVICE_STRIDE

BINDINGS = "cuda.bindings.driver"
LOG_BYTES = 1 << 16
ALIGN = 256
PAGE = 4096  # the emulator's first page stays free, here too
PORTABLE_CLUSTER = 8
VERSION = re.compile(r"^[ \t]*\.version\s+(\d+)\.(\d+)", re.MULTILINE)
VERSIONS = tuple((8, minor) for minor in range(8, -1, -1))  # from 8.0 on there is sm_90a
TOO_NEW = "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"


def import_driver() -> Any:
    """The module of driver calls; NoGpu if the package is not there."""
    try:
        return importlib.import_module(BINDINGS)
    except ImportError as error:
        raise no_gpu("the package cuda-bindings is not installed", "pip install 'ptxemu[gpu]'") from error


def no_gpu(why: str, fix: str = "") -> NoGpu:
    """One sentence of what is missing."""
    help = fix or "`ptxemu crosscheck verify` compares with what a GPU answered before"
    return NoGpu(Diagnostic("PTX-G0601", "usage", f"no GPU to compare with: {why}", help=help))


@contextmanager
def _standard_output() -> Iterator[Callable[[], str]]:
    """The process's own standard output goes to a file: the driver prints there what kernels print."""
    sys.stdout.flush()
    with tempfile.TemporaryFile() as file:
        before = os.dup(1)
        os.dup2(file.fileno(), 1)

        def kept() -> str:
            file.seek(0)
            return file.read().decode(errors="replace")

        try:
            yield kept
        finally:
            os.dup2(before, 1)
            os.close(before)


class GpuBackend:
    """One GPU of this machine.  driver: a module with the calls of cuda.bindings.driver."""

    def __init__(self, ordinal: int = 0, driver: Any = None) -> None:
        self.driver = driver or import_driver()
        self._start(ordinal)
        self._modules: list[Any] = []
        self._failed = False
        self._prints = False  # whether a text that is loaded calls vprintf
        self._version: tuple[int, int] | None = None  # the newest PTX that the driver takes, where a text was newer
        self.printed = ""
        self._open_context()

    def _start(self, ordinal: int) -> None:
        cu = self.driver
        try:
            error, *_ = cu.cuInit(0)
        except Exception as failure:  # what the bindings raise when there is no libcuda belongs to another package
            raise no_gpu(f"the NVIDIA driver cannot be loaded ({failure})") from failure
        if int(error):
            raise no_gpu(f"the driver says {self._name_of(error)}")
        count = self._call("cuDeviceGetCount")
        if ordinal >= count:
            raise no_gpu(f"the driver knows {count} devices, number {ordinal} was asked for")
        self._device = self._call("cuDeviceGet", ordinal)
        name = self._call("cuDeviceGetName", 256, self._device).split(b"\0")[0].decode()
        self.sms = self._attribute("CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT")
        major = self._attribute("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR")
        minor = self._attribute("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR")
        arch = f"sm_{major}{minor}" + ("a" if major >= 9 else "")
        version = self._call("cuDriverGetVersion")
        self.identity = Identity(HARDWARE, name, f"CUDA {version // 1000}.{version % 1000 // 10}", arch)

    def _open_context(self) -> None:
        self._context = self._call("cuDevicePrimaryCtxRetain", self._device)
        self._call("cuCtxSetCurrent", self._context)
        self._properties = self._allocation_properties()
        self._base = self._reserve()
        self._mapped = self._base
        self._cursor = self._base + PAGE
        self._handles: list[Any] = []
        self._plain: list[int] = []  # what cuMemAlloc gave, where there is no arena

    def _reserve(self) -> int:
        """The address of the arena: the emulator's, another one, or 0 if the driver cannot map memory at addresses."""
        flag = self.driver.CUmemAllocationGranularity_flags.CU_MEM_ALLOC_GRANULARITY_MINIMUM
        error, granularity = self.driver.cuMemGetAllocationGranularity(self._properties, flag)
        if int(error):
            return 0
        self._granularity = int(granularity)
        for wanted in (DEVICE_BASE, 0):
            error, base = self.driver.cuMemAddressReserve(DEVICE_STRIDE, 0, wanted, 0)
            if not int(error):
                return int(base)
        return 0

    @property
    def at_emulator_addresses(self) -> bool:
        """Whether buffers can lie where the emulator has them."""
        return self._base == DEVICE_BASE

    # --- the protocol ------------------------------------------------------------------------------

    def load(self, ptx: str, name: str) -> Any:
        """Compile a text with the driver's compiler; DriverError with its log if it refuses.

        A driver that is older than the text's .version is asked for an older one, which it may do with as well.
        """
        error, module, text = self._compile(ptx)
        while int(error) and self._name_of(error) == TOO_NEW:
            older = next((version for version in VERSIONS if self._version is None or version < self._version), None)
            if older is None:
                break
            self._version = older
            error, module, text = self._compile(ptx)
        if int(error):
            facts = (("driver's log", text or "empty"), ("error", self._name_of(error)))
            message = f"the driver refused {name}"
            raise DriverError(Diagnostic("PTX-G0602", "semantic", message, Source("", name), facts=facts))
        self._modules.append(module)
        self._prints |= "vprintf" in ptx
        return module

    def _compile(self, ptx: str) -> tuple[Any, Any, str]:
        """(error, module, the compiler's log) of a text, with the newest .version that this driver is known to take."""
        stated = VERSION.search(ptx)
        if self._version is not None and stated and (int(stated[1]), int(stated[2])) > self._version:
            ptx = VERSION.sub(".version {}.{}".format(*self._version), ptx, count=1)
        option = self.driver.CUjit_option
        log = bytearray(LOG_BYTES)
        options = [option.CU_JIT_ERROR_LOG_BUFFER, option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]
        error, module = self.driver.cuModuleLoadDataEx(ptx.encode() + b"\0", len(options), options, [log, LOG_BYTES])
        return error, module, bytes(log).split(b"\0")[0].decode(errors="replace").strip()

    def symbol(self, code: Any, name: str) -> int:
        """The address of a module's variable."""
        address, _ = self._call("cuModuleGetGlobal", code, name.encode())
        return int(address)

    def allocate(self, size: int, name: str, address: int | None = None) -> int:
        """The address of new memory that holds zeros, at the chosen one if it lies behind all other memory."""
        if not self._base:
            self._plain.append(int(self._call("cuMemAlloc", size)))
            self._call("cuMemsetD8", self._plain[-1], 0, size)
            return self._plain[-1]
        if address is None or address < self._cursor or address + size > self._base + DEVICE_STRIDE:
            address = -(-self._cursor // ALIGN) * ALIGN
        self._map_up_to(address + size)
        self._cursor = address + size + ALIGN
        self._call("cuMemsetD8", address, 0, size)
        return address

    def write(self, address: int, data: bytes) -> None:
        """Copy to the GPU."""
        if data:
            self._call("cuMemcpyHtoD", address, data, len(data))

    def read(self, address: int, size: int) -> bytes:
        """Copy from the GPU."""
        data = bytearray(size)
        if size:
            self._call("cuMemcpyDtoH", data, address, size)
        return bytes(data)

    def tensor_map(self, tensor: TensorMap, address: int) -> bytes:
        """The opaque bytes of a map of a buffer, as this driver makes them."""
        return encoded(self.driver, self._call, tensor, address)

    def launch(
        self, code: Any, kernel: str, shape: LaunchShape, parameters: Sequence[bytes], *, cooperative: bool = False
    ) -> None:
        """Queue a kernel on the default stream."""
        function = self._call("cuModuleGetFunction", code, kernel.encode())
        self._allow(function, shape)
        kept = [ctypes.create_string_buffer(raw, len(raw)) for raw in parameters]
        pointers = (ctypes.c_void_p * max(1, len(kept)))(*[ctypes.addressof(item) for item in kept])
        self._call("cuLaunchKernelEx", self._config(shape, cooperative), function, ctypes.addressof(pointers), 0)

    def sync(self) -> None:
        """Wait until all launches have ended; DriverError if one of them failed."""
        if not self._prints:
            self._call("cuCtxSynchronize")
            return
        with _standard_output() as kept:
            self._call("cuCtxSynchronize")
            ctypes.CDLL(None).fflush(None)
            self.printed += kept()

    def reset(self) -> None:
        """Give memory and texts back; after a kernel's fault the context is made anew."""
        self._prints, self.printed = False, ""
        if self._failed:
            self._modules.clear()
            self._give_arena_back()
            self.driver.cuDevicePrimaryCtxReset(self._device)
            self.driver.cuDevicePrimaryCtxRelease(self._device)
            self._failed = False
            self._open_context()
            return
        for module in self._modules:
            self._call("cuModuleUnload", module)
        self._modules.clear()
        self._cursor = self._base + PAGE
        for address in self._plain:
            self._call("cuMemFree", address)
        self._plain.clear()

    def _give_arena_back(self) -> None:
        """Unmap and free the arena; in a context that has failed the calls may fail too, and nothing is lost then."""
        if self._mapped > self._base:
            self.driver.cuMemUnmap(self._base, self._mapped - self._base)
        for handle in self._handles:
            self.driver.cuMemRelease(handle)
        if self._base:
            self.driver.cuMemAddressFree(self._base, DEVICE_STRIDE)

    # --- parts -------------------------------------------------------------------------------------

    def _call(self, name: str, *arguments: Any) -> Any:
        """One call of the driver: its value, or several; DriverError if it fails."""
        error, *values = getattr(self.driver, name)(*arguments)
        if int(error):
            self._failed = True
            called = self._name_of(error)
            message = f"{name} failed on {getattr(self, 'identity', 'the GPU')}: {called}"
            facts = (("error", called), ("which means", self._text_of(error)))
            raise DriverError(Diagnostic("PTX-G0603", "fault", message, facts=facts))
        return values[0] if len(values) == 1 else tuple(values)

    def _name_of(self, error: Any) -> str:
        failed, text = self.driver.cuGetErrorName(error)
        return f"error {int(error)}" if int(failed) or not text else str(text.decode())

    def _text_of(self, error: Any) -> str:
        failed, text = self.driver.cuGetErrorString(error)
        return f"error {int(error)}" if int(failed) or not text else str(text.decode())

    def _attribute(self, name: str) -> int:
        return int(self._call("cuDeviceGetAttribute", getattr(self.driver.CUdevice_attribute, name), self._device))

    def _location(self) -> Any:
        location = self.driver.CUmemLocation()
        location.type = self.driver.CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
        location.id = int(self._device)
        return location

    def _allocation_properties(self) -> Any:
        properties = self.driver.CUmemAllocationProp()
        properties.type = self.driver.CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
        properties.location = self._location()
        return properties

    def _map_up_to(self, end: int) -> None:
        """Back the arena with memory up to an address, in whole multiples of the driver's granularity."""
        if end <= self._mapped:
            return
        size = -(-(end - self._mapped) // self._granularity) * self._granularity
        handle = self._call("cuMemCreate", size, self._properties, 0)
        self._call("cuMemMap", self._mapped, size, 0, handle, 0)
        access = self.driver.CUmemAccessDesc()
        access.location = self._location()
        access.flags = self.driver.CUmemAccess_flags.CU_MEM_ACCESS_FLAGS_PROT_READWRITE
        self._call("cuMemSetAccess", self._mapped, size, [access], 1)
        self._handles.append(handle)
        self._mapped += size

    def _allow(self, function: Any, shape: LaunchShape) -> None:
        """Ask for what a kernel does not get by itself: much shared memory, large clusters."""
        attribute = self.driver.CUfunction_attribute
        if shape.shared:
            kind = attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            self._call("cuFuncSetAttribute", function, kind, shape.shared)
        if shape.cluster is not None and shape.cluster.count > PORTABLE_CLUSTER:
            self._call("cuFuncSetAttribute", function, attribute.CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1)

    def _config(self, shape: LaunchShape, cooperative: bool) -> Any:
        cu = self.driver
        config = cu.CUlaunchConfig()
        config.gridDimX, config.gridDimY, config.gridDimZ = shape.grid.x, shape.grid.y, shape.grid.z
        config.blockDimX, config.blockDimY, config.blockDimZ = shape.block.x, shape.block.y, shape.block.z
        config.sharedMemBytes = shape.shared
        attributes = []
        if shape.cluster is not None:
            cluster = cu.CUlaunchAttribute()
            cluster.id = cu.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
            sizes = cluster.value.clusterDim
            sizes.x, sizes.y, sizes.z = shape.cluster.x, shape.cluster.y, shape.cluster.z
            attributes.append(cluster)
        if cooperative:
            together = cu.CUlaunchAttribute()
            together.id = cu.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_COOPERATIVE
            together.value.cooperative = 1
            attributes.append(together)
        config.attrs = attributes
        config.numAttrs = len(attributes)
        return config
