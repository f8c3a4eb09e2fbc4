"""CUDA host code run here, its kernels on an emulated device: the other side of cub/runtime.cpp.

A source is compiled to a shared library without NVIDIA's runtime, and to PTX. The runtime's functions that the host
code calls end in the methods of `Host`.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from emulator import Buffer, LaunchConfig, launch
from emulator.program import KernelParameter
from tests.kernels.gpu import Gpu

RUNTIME = Path(__file__).parent / "cub" / "runtime.cpp"
POINTER = ctypes.c_void_p
SIGNATURES = {
    "launch": (ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint), ctypes.c_size_t, ctypes.c_int, ctypes.POINTER(POINTER)),
    "fill": (POINTER, ctypes.c_int, ctypes.c_size_t),
    "copy": (POINTER, POINTER, ctypes.c_size_t),
    "attribute": (ctypes.c_int, ctypes.POINTER(ctypes.c_int)),
    "resident": (ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)),
}
MAX_GRID_DIM_X, MULTIPROCESSOR_COUNT, COMPUTE_CAPABILITY_MAJOR, COMPUTE_CAPABILITY_MINOR = 5, 16, 75, 76


def toolkit() -> str | None:
    """The nvcc of a CUDA toolkit 13, if one is on PATH."""
    nvcc = shutil.which("nvcc")
    if nvcc is None or sys.platform != "linux":
        return None
    version = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout
    return nvcc if "release 13." in version else None


def compile_host(nvcc: str, source: Path, folder: Path) -> tuple[Path, Path]:
    """A shared library of a source and the PTX of its kernels, in a folder."""
    library = folder / f"{source.stem}.so"
    command = [nvcc, "-std=c++17", "-arch=compute_90", "--shared", "-Xcompiler", "-fPIC"]
    command += ["-Xlinker", "-Bsymbolic", "-cudart", "none"]
    command += ["--keep", "--keep-dir", str(folder), str(source), str(RUNTIME), "-o", str(library)]
    subprocess.run(command, check=True, cwd=folder)
    return library, folder / f"{source.stem}.ptx"


class Callbacks(ctypes.Structure):
    """The struct Host of runtime.cpp."""

    _fields_ = tuple((name, ctypes.CFUNCTYPE(ctypes.c_int, *types)) for name, types in SIGNATURES.items())


class Host:
    """A device as the CUDA runtime shows it to host code; `launches` are the kernels that ran and their sizes."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.launches: list[tuple[str, LaunchConfig]] = []
        self.failure: BaseException | None = None
        answers = [kind(self._guarded(getattr(self, name))) for name, kind in Callbacks._fields_]
        self.callbacks = Callbacks(*answers)

    def _guarded(self, method: Callable[..., None]) -> Callable[..., int]:
        """No exception passes through C: it is kept, and the runtime's call fails."""

        def answer(*arguments: Any) -> int:
            try:
                method(*arguments)
            except BaseException as failure:
                self.failure = failure
                return 1
            return 0

        return answer

    def launch(self, name: bytes, sizes: Any, shared: int, programmatic: int, arguments: Any) -> None:
        kernel = self.gpu.code.get_kernel(name.decode())
        config = LaunchConfig(
            tuple(sizes[:3]),
            block=tuple(sizes[3:6]),
            shmem_size=shared,
            programmatic_stream_serialization=bool(programmatic),
        )
        values = [argument(parameter, arguments[n]) for n, parameter in enumerate(kernel.program.parameters)]
        self.launches.append((kernel.name, config))
        launch(self.gpu.device.default_stream, config, kernel, *values)
        self.gpu.system.sync()

    def fill(self, target: int, value: int, count: int) -> None:
        self.gpu.system.runner.memory.write(target, np.full(count, value, np.uint8))

    def copy(self, target: int, source: int, count: int) -> None:
        memory = self.gpu.system.runner.memory
        memory.write(target, memory.view(source, count).copy())

    def attribute(self, which: int, value: Any) -> None:
        known = {
            MAX_GRID_DIM_X: 2**31 - 1,
            MULTIPROCESSOR_COUNT: self.gpu.device.sms,
            COMPUTE_CAPABILITY_MAJOR: 9,
            COMPUTE_CAPABILITY_MINOR: 0,
        }
        value[0] = known[which]

    def resident(self, name: bytes, threads: int, shared: int, blocks: Any) -> None:
        """As many blocks as an SM of compute capability 9.0 holds, if registers do not limit them."""
        static = self.gpu.code.get_kernel(name.decode()).program.shared_bytes
        blocks[0] = min(2048 // threads, 32, (228 << 10) // (static + shared + 1024))

    def check(self, error: int) -> None:
        """Raise what went wrong in a call that gave this cudaError_t."""
        if self.failure is not None:
            raise self.failure
        assert error == 0, f"cudaError_t {error}"


def argument(parameter: KernelParameter, address: int) -> Any:
    """A kernel's argument as `launch` takes it, from where host code has put it."""
    raw = ctypes.string_at(address, parameter.size)
    if parameter.is_struct:
        return raw
    if parameter.node.type.startswith("f"):
        return np.frombuffer(raw, f"<f{parameter.size}")[0]
    return int.from_bytes(raw, "little", signed=parameter.node.type.startswith("s"))


class HostLibrary(Host):
    """The compiled host code of a source."""

    def __init__(self, gpu: Gpu, library: Path) -> None:
        super().__init__(gpu)
        self.library = ctypes.CDLL(str(library))
        self.library.set_host(ctypes.byref(self.callbacks))

    def run(self, function: str, *arguments: Any) -> int:
        """Call a function of CUB's kind: once for the size of its temporary storage, once to work; its launches."""
        values = [POINTER(value.address) if isinstance(value, Buffer) else value for value in arguments]
        size = ctypes.c_size_t()
        call = getattr(self.library, function)
        before = len(self.launches)
        self.check(call(None, ctypes.byref(size), *values))
        assert size.value > 0
        assert len(self.launches) == before
        rubbish = self.gpu.array(self.gpu.bits(size.value, np.uint8))
        self.check(call(POINTER(rubbish.address), ctypes.byref(size), *values))
        return len(self.launches) - before
