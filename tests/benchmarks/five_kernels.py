"""The five kernels of tests/data/bench: their launches, the same work in C, and what their results must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emulator import LaunchConfig, ObjectCode, System, launch
from tests.benchmarks.bound import Bound

DATA = Path(__file__).resolve().parents[1] / "data" / "bench"
N = 1 << 20
THREADS = 65536
WIDTH = 512
MOST = 256
FIRST = (np.arange(N) % 1000 * np.float32(0.001)).astype(np.float32)
SECOND = (np.arange(N) % 777 * np.float32(0.002)).astype(np.float32)


@dataclass(frozen=True)
class Workload:
    """A kernel at full size and scaled down.

    inputs: arrays that it reads.  outputs: (shape, dtype) of those that it writes.  scalars: the other arguments.
    order: how the arguments are passed, "i" an input, "o" an output, "s" a scalar.  bounds: functions of bound.c, the
    vectorised one first.  check: whether the results are right.  exact: whether the C code rounds as the kernel does.
    """

    name: str
    inputs: tuple[np.ndarray, ...]
    outputs: tuple[tuple[int, Any], ...]
    scalars: tuple[Any, ...]
    order: str
    grid: int | tuple[int, int]
    block: int | tuple[int, int]
    small_grid: int | tuple[int, int]
    bounds: tuple[str, ...]
    c_arguments: Callable[[Sequence[int], Sequence[int]], tuple[Any, ...]]
    check: Callable[[list[np.ndarray]], bool]
    exact: bool = True


def _alu_right(results: list[np.ndarray]) -> bool:
    thread = np.arange(THREADS, dtype=np.int32)
    k = thread.copy()
    a = thread.astype(np.float32) * np.float32(1e-6)
    for i in range(1000):
        k = (k + np.int32(i)) ^ thread
        a = (a.astype(np.float64) * np.float32(0.999) + np.float32(0.5)).astype(np.float32)
    return bool((results[1] == k).all() and np.allclose(results[0], a, rtol=1e-5))


def _tree(values: np.ndarray) -> np.ndarray:
    """Sums along the last axis, the upper half added to the lower one."""
    while values.shape[-1] > 1:
        half = values.shape[-1] // 2
        values = values[..., :half] + values[..., half:]
    return values[..., 0]


def _mandel_right(results: list[np.ndarray]) -> bool:
    """The counts of the escape iteration in double precision, but for pixels at the edge of the set."""
    y, x = np.mgrid[0:WIDTH, 0:WIDTH]
    cx, cy = -2.0 + 3.0 * x / WIDTH, -1.5 + 3.0 * y / WIDTH
    zx, zy, count = np.zeros_like(cx), np.zeros_like(cx), np.zeros(cx.shape, np.int32)
    going = np.ones(cx.shape, bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(MOST):
            going &= zx * zx + zy * zy <= 4
            zx, zy = zx * zx - zy * zy + cx, 2 * zx * zy + cy
            count += going
    return bool((results[0].reshape(count.shape) == count).mean() > 0.985)


def _sgemm_right(results: list[np.ndarray]) -> bool:
    size = WIDTH * WIDTH
    a, b = (m[:size].reshape(WIDTH, WIDTH).astype(np.float64) for m in (FIRST, SECOND))
    return bool(np.allclose(results[0].reshape(WIDTH, WIDTH), a @ b, rtol=1e-4))


WORKLOADS = (
    Workload(
        "vecadd", (FIRST, SECOND), ((N, np.float32),), (np.int32(N),), "iios", N // 256, 256, 64, ("vecadd",),
        lambda i, o: (*i, *o, N), lambda r: bool((r[0] == FIRST + SECOND).all()),
    ),
    Workload(
        "alu", (), ((THREADS, np.float32), (THREADS, np.int32)), (np.float32(0.999), np.float32(0.5), np.int32(1000)),
        "oosss", THREADS // 256, 256, 1, ("alu_simd", "alu_scalar"),
        lambda i, o: (*o, np.float32(0.999), np.float32(0.5), 1000), _alu_right,
    ),
    Workload(
        "sgemm", (FIRST[: WIDTH * WIDTH], SECOND[: WIDTH * WIDTH]), ((WIDTH * WIDTH, np.float32),), (np.int32(WIDTH),),
        "iios", (WIDTH // 16, WIDTH // 16), (16, 16), 1, ("sgemm_ikj", "sgemm_tiled"),
        lambda i, o: (*i, *o, WIDTH), _sgemm_right,
    ),
    Workload(
        "reduce", (FIRST,), ((N // 256, np.float32),), (np.int32(N),), "ios", N // 256, 256, 32, ("reduce_tree",),
        lambda i, o: (*i, *o, N // 256),
        lambda r: bool((r[0] == _tree(_tree(FIRST.reshape(-1, 8, 32)))).all()),
    ),
    Workload(
        "mandel", (), ((WIDTH * WIDTH, np.int32),), (np.int32(WIDTH), np.int32(WIDTH), np.int32(MOST)), "osss",
        (WIDTH // 16, WIDTH // 16), (16, 16), (32, 1), ("mandel_simd", "mandel_scalar"),
        lambda i, o: (*o, MOST), _mandel_right, exact=False,
    ),
)  # fmt: skip


class Launch:
    """A workload on a system, its buffers in place: run it as often as wanted."""

    def __init__(self, workload: Workload, system: System, *, small: bool = False) -> None:
        self.workload = workload
        self.system = system
        self.device = system.device(0)
        self.kernel = ObjectCode.from_ptx(DATA / f"{workload.name}.ptx").get_kernel(workload.name)
        grid = workload.small_grid if small else workload.grid
        self.config = LaunchConfig(grid, block=workload.block)
        inputs = iter([self.device.array(a) for a in workload.inputs])
        self.outputs = [self.device.zeros(count, kind) for count, kind in workload.outputs]
        outputs, scalars = iter(self.outputs), iter(workload.scalars)
        sources = {"i": inputs, "o": outputs, "s": scalars}
        self.arguments = [next(sources[letter]) for letter in workload.order]

    def run(self) -> None:
        """One launch to its end."""
        launch(self.device.default_stream, self.config, self.kernel, *self.arguments)
        self.device.sync()

    def results(self) -> list[np.ndarray]:
        """What the outputs hold."""
        return [buffer.numpy() for buffer in self.outputs]


class Port:
    """A workload in C."""

    def __init__(self, workload: Workload, bound: Bound, name: str) -> None:
        import ctypes

        def aligned(count: int, kind: Any) -> np.ndarray:
            raw = np.zeros(count * np.dtype(kind).itemsize + 64, np.uint8)
            start = -raw.ctypes.data % 64
            return raw[start : start + count * np.dtype(kind).itemsize].view(kind)

        self.function = getattr(bound, name)
        self.inputs = [aligned(len(a), a.dtype) for a in workload.inputs]
        for mine, given in zip(self.inputs, workload.inputs, strict=True):
            mine[:] = given
        self.outputs = [aligned(count, kind) for count, kind in workload.outputs]
        places = ([a.ctypes.data for a in self.inputs], [a.ctypes.data for a in self.outputs])
        kinds: dict[type, Any] = {np.float32: ctypes.c_float}
        self.arguments = [
            kinds.get(type(a), ctypes.c_void_p if a > 1 << 32 else ctypes.c_int)(a)
            for a in workload.c_arguments(*places)
        ]

    def run(self) -> None:
        """One call."""
        self.function(*self.arguments)
