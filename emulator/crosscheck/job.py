"""One launch that can be repeated on any backend: text, kernel, sizes, buffers and parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.api.parameters import pack_arguments
from emulator.crosscheck.backend import Backend
from emulator.crosscheck.tensor_map import TensorMap
from emulator.machine.grid import LaunchShape
from emulator.parse import nodes, parse
from emulator.program import Program
from emulator.program.layout import size_of
from emulator.program.link import expand, symbols_of
from emulator.ptx_types import TYPES

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tolerance:
    """|a - b| <= atol + rtol * |b|; both 0 means equal bits."""

    rtol: float = 0.0
    atol: float = 0.0

    @property
    def is_exact(self) -> bool:
        return self.rtol == self.atol == 0.0


EXACT = Tolerance()


@dataclass(frozen=True)
class Pointer:
    """A parameter that is the address of a buffer (by its place in Job.buffers) and a number of bytes."""

    buffer: int
    offset: int = 0


Parameter = bytes | Pointer | TensorMap


@dataclass(frozen=True, eq=False)
class Memory:
    """A buffer: its contents before the launch, where it should lie, how equal it must be afterwards."""

    name: str
    before: Array
    address: int | None = None
    tolerance: Tolerance = EXACT


@dataclass(frozen=True, eq=False)
class Job:
    """A launch.

    parameters: bytes, pointers to buffers or maps of them, in the order of the kernel's declaration.  variables: those
    of the module that are compared, too; they hold what the text says before the launch.
    """

    ptx: str
    name: str
    kernel: str
    shape: LaunchShape
    buffers: tuple[Memory, ...]
    parameters: tuple[Parameter, ...]
    cooperative: bool = False
    seed: int = 0
    variables: tuple[Memory, ...] = ()

    @property
    def memories(self) -> tuple[Memory, ...]:
        """All that is compared: buffers, then variables."""
        return *self.buffers, *self.variables

    def with_text(self, ptx: str) -> Job:
        """The same launch of another text."""
        return replace(self, ptx=ptx)

    def inputs_hash(self) -> str:
        """SHA-256 of the buffers' contents before the launch and of the parameters that are no pointers."""
        digest = hashlib.sha256()
        for memory in self.buffers:
            digest.update(f"{memory.name} {memory.before.dtype.str} {memory.before.shape}".encode())
            digest.update(np.ascontiguousarray(memory.before).tobytes())
        for parameter in self.parameters:
            digest.update(repr(parameter).encode())
        return digest.hexdigest()


@dataclass
class Placed:
    """A job on a backend: its code and the addresses of its buffers, and after the launch of its variables."""

    backend: Backend
    job: Job
    code: Any
    addresses: list[int] = field(default_factory=list)

    def launch(self) -> None:
        """Run it to its end."""
        self.enqueue()
        self.backend.sync()

    def enqueue(self) -> None:
        """Queue it."""
        raw = [self._raw(parameter) for parameter in self.job.parameters]
        job = self.job
        self.backend.launch(self.code, job.kernel, job.shape, raw, cooperative=job.cooperative)

    def _raw(self, parameter: Parameter) -> bytes:
        if isinstance(parameter, bytes):
            return parameter
        address = self.addresses[parameter.buffer]
        if isinstance(parameter, TensorMap):
            return self.backend.tensor_map(parameter, address)
        return (address + parameter.offset).to_bytes(8, "little")

    def outputs(self) -> list[Array]:
        """What stands in the buffers and variables."""
        found = []
        self.addresses += [self.backend.symbol(self.code, variable.name) for variable in self.job.variables]
        for memory, address in zip(self.job.memories, self.addresses, strict=True):
            raw = self.backend.read(address, memory.before.nbytes)
            found.append(np.frombuffer(raw, memory.before.dtype).reshape(memory.before.shape).copy())
        return found


def place(backend: Backend, job: Job, addresses: Sequence[int] | None = None) -> Placed:
    """A job on a machine that is emptied first; addresses: where its buffers should lie, if that can be had."""
    backend.reset()
    placed = Placed(backend, job, backend.load(job.ptx, job.name))
    for number, memory in enumerate(job.buffers):
        wanted = addresses[number] if addresses is not None else memory.address
        data = np.ascontiguousarray(memory.before).tobytes()
        placed.addresses.append(backend.allocate(max(len(data), 1), memory.name, wanted))
        backend.write(placed.addresses[-1], data)
    return placed


def run(backend: Backend, job: Job, addresses: Sequence[int] | None = None) -> tuple[list[Array], list[int]]:
    """(contents of the buffers and variables after the launch, their addresses)."""
    placed = place(backend, job, addresses)
    placed.launch()
    return placed.outputs(), placed.addresses


def variables_of(text: str) -> tuple[Memory, ...]:
    """The variables of a module that other modules see; not those that are initialised with addresses."""
    found = []
    for item in parse(text).items:
        if isinstance(item, nodes.Variable) and item.space == "global" and item.linkage in ("visible", "weak"):
            for variable in expand(item):
                size, width = size_of(variable), TYPES[variable.type].width if variable.type in TYPES else 0
                if size and width >= 8 and not symbols_of(variable.initial or ()):
                    kind = TYPES[variable.type]
                    name = f"{'f' if kind.kind == 'f' else 'u'}{min(width, 64) // 8}"
                    contents = np.zeros(size, np.uint8).view(name)
                    found.append(Memory(variable.name, contents))
    return tuple(found)


def job_of(
    program: Program,
    shape: LaunchShape,
    values: Mapping[str, Any],
    *,
    ptx: str = "",
    seed: int = 0,
    tolerances: Mapping[str, Tolerance] | None = None,
) -> Job:
    """A job from the values of a kernel's parameters, by name; arrays become buffers.  Raises UsageError."""
    buffers: list[Memory] = []
    given: list[Any] = []
    pointers: dict[str, Pointer] = {}
    for parameter, (name, value) in zip(program.parameters, values.items(), strict=False):
        if np.ndim(value) and not parameter.is_struct:
            pointers[parameter.name] = Pointer(len(buffers))
            buffers.append(Memory(name, np.asarray(value), tolerance=(tolerances or {}).get(name, EXACT)))
            value = 0
        given.append(value)
    data, _ = pack_arguments(program, given)
    parameters = tuple(pointers.get(p.name) or data[p.offset : p.offset + p.size].tobytes() for p in program.parameters)
    source = program.source
    text = ptx or source.text
    variables = variables_of(text)
    return Job(text, source.name, program.name, shape, tuple(buffers), parameters, seed=seed, variables=variables)
