"""A small host for compiled kernels: arrays, launches, printed lines, and a registry of programs."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from emulator import Buffer, LaunchConfig, ObjectCode, System, launch
from tests.kernels.regenerate import read_ptx

PROGRAMS: dict[str, Callable[[Gpu], None]] = {}


def program(function: Callable[[Gpu], None]) -> Callable[[Gpu], None]:
    """Register the host side of the source that has the function's name."""
    PROGRAMS[function.__name__] = function
    return function


class Gpu:
    """One emulated device with a compiled source; `seed` gives the random inputs and the schedule's order."""

    def __init__(
        self, name: str, arch: str, schedule: str, engine: str = "reference", code: ObjectCode | None = None
    ) -> None:
        self.seed = zlib.crc32(f"{name} {arch} {schedule}".encode())
        self.random = np.random.default_rng(self.seed)
        self.printed: list[str] = []
        self.buffers: list[Buffer] = []
        self.arch = arch
        self.system = System(
            sms=4,
            arch=arch,
            engine=engine,
            schedule=schedule,
            seed=self.seed,
            memory=1 << 30,
            output=self.printed.append,
        )
        self.device = self.system.device(0)
        self.code = code or ObjectCode.from_ptx(read_ptx(name, arch).encode(), name=f"{arch}/{name}.ptx")

    def array(self, values: Any) -> Buffer:
        self.buffers.append(self.device.array(values))
        return self.buffers[-1]

    def zeros(self, shape: int | tuple[int, ...], dtype: Any) -> Buffer:
        return self.array(np.zeros(shape, dtype))

    def symbol(self, name: str) -> Buffer:
        """A variable of the module, as bytes."""
        return self.code.get_global(name, self.device)

    def launch(
        self, kernel: str, grid: Any, block: Any, *arguments: Any, shared: int = 0, cooperative: bool = False
    ) -> None:
        """Run a kernel; a part of its name is enough where only one has it."""
        found = [name for name in self.code.kernels if name == kernel]
        found = found or [name for name in self.code.kernels if kernel in name]
        assert len(found) == 1, f"{kernel}: {found or self.code.kernels}"
        config = LaunchConfig(grid, block=block, shmem_size=shared, is_cooperative=cooperative)
        launch(self.device.default_stream, config, self.code.get_kernel(found[0]), *arguments)
        self.system.sync()

    def integers(self, low: int, high: int, shape: Any, dtype: Any) -> Any:
        """Random numbers from low to high, both included."""
        return self.random.integers(low, high, shape, dtype=dtype, endpoint=True)

    def bits(self, shape: Any, dtype: Any) -> Any:
        """Random numbers of a whole integer type."""
        info = np.iinfo(dtype)
        return self.integers(info.min, info.max, shape, dtype)

    def outcome(self) -> tuple[int, list[bytes]]:
        """The executed warp instructions and the bytes of all arrays: what no engine may change."""
        return self.system.runner.time, [buffer.numpy().tobytes() for buffer in self.buffers]

    def lines(self) -> list[str]:
        """What kernels printed so far."""
        return "".join(self.printed).splitlines()


def same(got: Buffer | Any, expected: Any, rtol: float = 0.0, atol: float = 0.0) -> None:
    """Compare with the reference: bit for bit in value, or within a tolerance."""
    found = got.numpy() if isinstance(got, Buffer) else np.asarray(got)
    if rtol or atol:
        np.testing.assert_allclose(found.astype(np.float64), np.asarray(expected, np.float64), rtol, atol)
    else:
        np.testing.assert_array_equal(found, np.asarray(expected))


def blocks(n: int, block: int) -> int:
    """How many blocks cover n elements."""
    return -(-n // block)
