"""Other ways to run kernels without a GPU, beside this one: Numba's CUDA simulator and Triton's interpreter.

`make bench-peers` installs them into an environment of their own.  All run the same work, scaled down so that the
slowest ends within seconds, check their results, and say the CPU time of one launch; one that is not installed is left
out.  Numba's simulator runs a Python thread a CUDA thread; Triton's interpreter runs a program on NumPy arrays.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
os.environ["TRITON_INTERPRET"] = "1"

import numpy as np

from emulator import LaunchConfig, ObjectCode, System, launch
from tests.benchmarks.five_kernels import DATA, FIRST, SECOND

BLOCK = 256
BLOCKS = {"vecadd": 64, "alu": 1}
ROUNDS = 1000  # of alu
MUL, ADD = np.float32(0.999), np.float32(0.5)
Run = Callable[[], list[np.ndarray]]


def cpu_time(run: Run, rounds: int) -> float:
    """The median of a few runs after a first one."""
    run()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


def ours(name: str) -> Run:
    """The kernel on the native engine."""
    count = BLOCKS[name] * BLOCK
    device = System(engine="native").device(0)
    kernel = ObjectCode.from_ptx(DATA / f"{name}.ptx").get_kernel(name)
    config = LaunchConfig(BLOCKS[name], block=BLOCK)
    if name == "vecadd":
        outputs = [device.zeros(count, np.float32)]
        arguments = [device.array(FIRST[:count]), device.array(SECOND[:count]), *outputs, np.int32(count)]
    else:
        outputs = [device.zeros(count, np.float32), device.zeros(count, np.int32)]
        arguments = [*outputs, MUL, ADD, np.int32(ROUNDS)]

    def run() -> list[np.ndarray]:
        launch(device.default_stream, config, kernel, *arguments)
        device.sync()
        return [output.numpy() for output in outputs]

    return run


def numba_simulator(name: str) -> Run:
    """The same source for Numba's simulator."""
    from tests.benchmarks.peers import numba_kernels

    floats, integers = _outputs(name)
    count = len(floats)

    def run() -> list[np.ndarray]:
        if name == "vecadd":
            numba_kernels.vecadd[BLOCKS[name], BLOCK](FIRST[:count], SECOND[:count], floats)
            return [floats]
        numba_kernels.alu[BLOCKS[name], BLOCK](floats, integers, MUL, ADD, ROUNDS)
        return [floats, integers]

    return run


class Tensor:
    """An array with as much of a tensor as Triton's interpreter asks for, in place of all of PyTorch."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.dtype = str(array.dtype)

    def data_ptr(self) -> int:
        """Where the elements are."""
        return self.array.ctypes.data

    def untyped_storage(self) -> Tensor:
        """Its bytes: they are the host's already."""
        return self

    cpu = untyped_storage

    def new_empty(self, _: int, device: str) -> Tensor:
        """What `set_` then makes this tensor's view."""
        return Tensor(self.array)

    def set_(self, *_: Any) -> None:
        """The view is there already."""

    def copy_(self, other: Tensor) -> None:
        """Results are in place."""
        assert other.data_ptr() == self.data_ptr()

    storage_offset = size = stride = set_


def triton_interpreter(name: str) -> Run:
    """The same work as Triton programs, one a block."""
    from tests.benchmarks.peers import triton_kernels

    floats, integers = _outputs(name)
    count = len(floats)
    first, second, out, counts = (Tensor(array) for array in (FIRST[:count], SECOND[:count], floats, integers))

    def run() -> list[np.ndarray]:
        if name == "vecadd":
            triton_kernels.vecadd[(BLOCKS[name],)](first, second, out, BLOCK)
            return [floats]
        triton_kernels.alu[(BLOCKS[name],)](out, counts, float(MUL), float(ADD), ROUNDS, BLOCK)
        return [floats, integers]

    return run


def _outputs(name: str) -> tuple[np.ndarray, np.ndarray]:
    count = BLOCKS[name] * BLOCK
    return np.zeros(count, np.float32), np.zeros(count, np.int32)


PEERS: dict[str, tuple[str, Callable[[str], Run]]] = {
    "Numba's simulator": ("numba", numba_simulator),
    "Triton's interpreter": ("triton", triton_interpreter),
}


def main() -> None:
    """Measure, check and print."""
    print("| kernel | ptxemu | " + " | ".join(PEERS) + " |")
    print("|---|---|" + "---|" * len(PEERS))
    for name in BLOCKS:
        run = ours(name)
        wanted, mine = run(), cpu_time(run, 9)
        cells = [f"{mine * 1e3:.2f} ms"]
        for package, make in PEERS.values():
            if find_spec(package) is None:
                cells.append("not installed")
                continue
            run = make(name)
            same = all(np.allclose(a, b, rtol=1e-6) for a, b in zip(wanted, run(), strict=True))
            assert same, f"{name}: other results"
            seconds = cpu_time(run, 3)
            cells.append(f"{seconds * 1e3:,.0f} ms ({seconds / mine:,.0f} x)")
        print(f"| {name}, {BLOCKS[name]} x {BLOCK} threads | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
