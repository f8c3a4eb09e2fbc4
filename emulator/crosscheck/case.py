"""A case: a launch that a GPU is asked about once, so that the emulator can be compared with its answer for ever."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emulator.crosscheck.job import Job, Memory, Parameter, Pointer, Tolerance
from emulator.crosscheck.operands import value_of
from emulator.crosscheck.tensor_map import TensorMap
from emulator.machine.grid import LaunchShape
from emulator.ptx_types import Dim3

MOST_THREADS = 1 << 16  # of a case without rows that an interpreter runs


@dataclass(frozen=True)
class Case:
    """A kernel with inputs that a seed gives.

    arguments: (name, source) in the order of the parameters; a source is as of operands.value_of, "= HEX" for the
    bytes of a scalar, or as of TensorMap.parse, behind the buffer that the map is of.  outputs: the buffers whose
    contents are kept.  question: what it asks the hardware, and guess what the emulator answers so far, where that is a
    guess.  rows: inputs whose elements each belong to one element of the outputs, so that a part of the case can be
    run.  short: sources that a part for a dry run takes instead, of a case each row of which is long.
    """

    name: str
    group: str
    ptx: str
    arguments: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    kernel: str = "k"
    grid: tuple[int, ...] = (1,)
    block: tuple[int, ...] = (32,)
    cluster: tuple[int, ...] = ()
    shared: int = 0
    seed: int = 1
    question: str = ""
    guess: str = ""
    rows: tuple[str, ...] = ()
    short: tuple[tuple[str, str], ...] = ()
    rtol: float = 0.0
    atol: float = 0.0

    def values(self) -> Iterator[tuple[str, Any]]:
        """Arrays and the bytes of scalars, by name."""
        for name, source in self.arguments:
            if not source.startswith("tensormap "):
                yield name, self.value(name, source)

    def value(self, name: str, source: str) -> Any:
        """An array, or the bytes of a scalar."""
        return bytes.fromhex(source[2:]) if source.startswith("= ") else value_of(source, self.seed, name)

    @property
    def is_long(self) -> bool:
        """Whether a part that can be run keeps an interpreter busy for seconds: a row, or all of it."""
        return bool(self.short) or (not self.rows and math.prod(self.grid) * math.prod(self.block) > MOST_THREADS)

    @property
    def row_count(self) -> int:
        """How many rows there are; 0 if it cannot be divided."""
        return next((len(value) for name, value in self.values() if name in self.rows), 0)

    def part(self, rows: int) -> Case:
        """The same case with fewer and shorter rows, for a dry run; itself if it cannot be divided."""
        count, short = self.row_count, dict(self.short)
        if rows >= count:
            return self
        kept = ",".join(map(str, spread(rows, count)))
        changed = []
        for name, source in self.arguments:
            if name in self.rows:
                source = f"only {kept} of {source}"
            elif name in self.outputs:
                source = source.replace(f"[{count}]", f"[{rows}]")
            changed.append((name, short.get(name, source)))
        block = math.gcd(rows, *self.block)
        return replace(self, arguments=tuple(changed), short=(), grid=(rows // block,), block=(block,))

    def job(self, only: Any = None) -> Job:
        """The launch.  only: numbers of the rows to which it is restricted."""
        buffers: list[Memory] = []
        parameters: list[Parameter] = []
        grid, block = self.grid, self.block
        for name, source in self.arguments:
            if source.startswith("tensormap "):
                parameters.append(TensorMap.parse(source, [memory.name for memory in buffers]))
                continue
            value = self.value(name, source)
            if isinstance(value, bytes):
                parameters.append(value)
                continue
            if not np.ndim(value):
                parameters.append(np.asarray(value).tobytes())
                continue
            if only is not None and (name in self.rows or name in self.outputs):
                value = value[only]
            parameters.append(Pointer(len(buffers)))
            tolerance = Tolerance(self.rtol, self.atol)
            buffers.append(Memory(name, value, tolerance=tolerance))
        if only is not None:
            block = (math.gcd(len(only), *self.block),)
            grid = (len(only) // block[0],)
        cluster = Dim3.of(self.cluster) if self.cluster else None
        shape = LaunchShape(Dim3.of(grid), Dim3.of(block), cluster, self.shared)
        return Job(self.ptx, self.name, self.kernel, shape, tuple(buffers), tuple(parameters), seed=self.seed)


def spread(rows: int, count: int) -> list[int]:
    """Numbers of `rows` of `count` rows, the first and the last among them."""
    return [int(number) for number in np.unique(np.linspace(0, count - 1, rows).astype(np.int64))]


def scalar(value: int, width: int = 32) -> str:
    """The source of a scalar."""
    return "= " + value.to_bytes(width // 8, "little").hex()


HEAD = ".version 8.8\n.target sm_90a\n.address_size 64\n"
INDEX = """
    .reg .b32 %cta, %threads, %thread, %i;
    mov.u32 %cta, %ctaid.x;
    mov.u32 %threads, %ntid.x;
    mov.u32 %thread, %tid.x;
    mad.lo.u32 %i, %cta, %threads, %thread;
"""


def kernel_text(parameters: tuple[str, ...], body: str, before: str = "") -> str:
    """A kernel `k` whose parameters are buffers; their addresses are in %NAME, the thread's number in %i."""
    declared = ", ".join(f".param .u64 {name}" for name in parameters)
    loads = "".join(f"    .reg .b64 %{name};\n    ld.param.u64 %{name}, [{name}];\n" for name in parameters)
    return f"{HEAD}{before}.visible .entry k({declared})\n{{{INDEX}{loads}{body}\n    ret;\n}}\n"


def address(register: str, base: str, bytes_each: int, index: str = "%i") -> str:
    """`register = base + index * bytes_each`."""
    return f"    .reg .b64 {register};\n    mad.wide.u32 {register}, {index}, {bytes_each}, %{base};\n"
