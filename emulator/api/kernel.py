"""Modules, kernels and launches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.api.device import Buffer, Device, Stream
from emulator.api.parameters import pack_arguments
from emulator.errors import Diagnostic, Label, UsageError
from emulator.machine.grid import Grid, LaunchShape
from emulator.parse import nodes, parse
from emulator.program import Program, link, require_head
from emulator.program.compaction import compact
from emulator.program.contraction import contract as fuse
from emulator.program.initial_data import initial_bytes
from emulator.program.layout import align_of, size_of
from emulator.program.link import CODE_WINDOW, FUNCTION_STRIDE, expand
from emulator.program.scopes import nearest
from emulator.ptx_types import Dim3

if TYPE_CHECKING:
    from emulator.api.system import System

Size = int | tuple[int, ...]
_numbers = itertools.count()


@dataclass(frozen=True)
class LaunchConfig:
    """Sizes of a launch: grid and block in CTAs and threads (an int or up to three).

    With `cluster` set, `grid` counts clusters.  shmem_size: dynamic shared memory in bytes.
    """

    grid: Size
    cluster: Size | None = None
    block: Size = 1
    shmem_size: int = 0
    is_cooperative: bool = False
    programmatic_stream_serialization: bool = False

    def shape(self) -> LaunchShape:
        """In CTAs."""
        grid, block, shared = Dim3.of(self.grid), Dim3.of(self.block), index(self.shmem_size)
        if self.cluster is None:
            return LaunchShape(grid, block, None, shared)
        cluster = Dim3.of(self.cluster)
        grid = Dim3(grid.x * cluster.x, grid.y * cluster.y, grid.z * cluster.z)
        return LaunchShape(grid, block, cluster, shared)


class ObjectCode:
    """A parsed PTX module; kernels are linked when they are asked for."""

    def __init__(self, module: nodes.Module) -> None:
        self.module = module
        self.number = next(_numbers)
        self._programs: dict[tuple[str, str, str], Program] = {}

    @staticmethod
    def from_ptx(source: bytes | str | Path, *, name: str | None = None) -> ObjectCode:
        """bytes are PTX text; a str or Path is a file, a str with a newline is text."""
        if isinstance(source, bytes) or (isinstance(source, str) and "\n" in source):
            return ObjectCode(parse(source, name=name or "<text>"))
        path = Path(source)
        try:
            return ObjectCode(parse(path.read_bytes(), name=name or str(path)))
        except OSError as error:
            text = f"cannot read {path}: {error.strerror or error}"
            raise UsageError(Diagnostic("PTX-L0106", "usage", text)) from error

    @property
    def kernels(self) -> list[str]:
        """The names of the kernels, in order."""
        return [entry.name for entry in self.module.entries]

    def get_kernel(self, name: str) -> Kernel:
        """A kernel by name; PtxError if it cannot be executed, UsageError if there is none of the name."""
        if name not in self.kernels:
            known = ", ".join(self.kernels) or "none"
            fix = nearest(name, self.kernels)
            text = f"no kernel {name} in this file"
            raise UsageError(
                Diagnostic("PTX-L0101", "usage", text, self.module.source, facts=(("kernels", known),), help=fix)
            )
        return Kernel(self, name)

    def program(self, name: str, contract: str = "ptx", registers: str = "virtual") -> Program:
        """The linked program of a kernel; contract, registers: as of System."""
        key = (name, contract, registers)
        if key not in self._programs:
            if registers == "compact":
                self._programs[key] = compact(self.program(name, contract))
            else:
                self._programs[key] = fuse(self.program(name)) if contract == "ptxas" else link(self.module, name)
        return self._programs[key]

    def load(self, device: Device) -> dict[str, int]:
        """Allocate and initialise the module's variables on a device, once; their addresses by name."""
        system = device.system
        key = (self.number, device.index)
        if key not in system.loaded:
            require_head(self.module, device.arch)
            system.loaded[key] = self._allocate_variables(system, device.index)
        return system.loaded[key]

    def get_global(self, name: str, device: Device) -> Buffer:
        """A global or const variable of the module on a device, as bytes."""
        symbols = self.load(device)
        found = device.system.runner.memory.find(symbols[name]) if name in symbols else None
        if found is None:
            text = f"no variable {name} in {self.module.source.name}"
            if name in symbols:
                text = f"the size of {name} is not known: it is extern and an array without a size"
            fix = nearest(name, [known for known in symbols if known != name])
            raise UsageError(Diagnostic("PTX-L0101", "usage", text, self.module.source, help=fix))
        return Buffer(device.system, found, np.dtype(np.uint8), (found.size,))

    def load_statics(self, program: Program, device: Device) -> None:
        """Allocate and initialise the variables of blocks that a program has and the device does not."""
        symbols = self.load(device)
        variables = {s.name: s.node for s in program.statics.values() if s.name not in symbols and s.node is not None}
        self._allocate(device.system, device.index, variables, symbols)

    def _allocate_variables(self, system: System, device: int) -> dict[str, int]:
        variables: dict[str, nodes.Variable] = {}
        for item in self.module.items:
            if isinstance(item, nodes.Variable) and item.space in ("global", "const", "tex"):
                for variable in expand(item):
                    if variable.name not in variables or variables[variable.name].linkage == "extern":
                        variables[variable.name] = variable
        symbols: dict[str, int] = {}
        self._allocate(system, device, variables, symbols)
        return symbols

    def _allocate(
        self, system: System, device: int, variables: dict[str, nodes.Variable], symbols: dict[str, int]
    ) -> None:
        """Give variables addresses, add them to `symbols`, and write their initial values."""
        memory = system.runner.memory
        for name, variable in variables.items():
            const = variable.space == "const"
            kind, align = "const" if const else "global", max(16, align_of(variable))
            found = memory.allocate(device, size_of(variable), name, kind=kind, align=align, read_only=const)
            symbols[name] = found.base
        functions = list(self.module.functions)

        aliases = {item.name: item.target for item in self.module.items if isinstance(item, nodes.Alias)}

        def resolve(symbol: nodes.SymbolValue) -> int:
            for found in (f"{owner}.{symbol.name}", symbol.name):
                if found in symbols:
                    return symbols[found] + symbol.offset
            return CODE_WINDOW + (functions.index(aliases.get(symbol.name, symbol.name)) + 1) * FUNCTION_STRIDE

        for name, variable in variables.items():
            owner = name.rpartition(".")[0]
            if variable.initial is not None:
                memory.write(symbols[name], initial_bytes(variable, resolve))


class Kernel:
    """A kernel of a module."""

    def __init__(self, code: ObjectCode, name: str) -> None:
        self.code = code
        self.name = name
        self.program = code.program(name)

    def __getitem__(self, sizes: Any) -> ShortLaunch:
        """kernel[grid, block] or kernel[grid, block, shmem_size]: call it with NumPy arrays and scalars."""
        if not isinstance(sizes, tuple) or not 2 <= len(sizes) <= 3:
            raise TypeError("kernel[grid, block] or kernel[grid, block, shmem_size]")
        return ShortLaunch(self, LaunchConfig(sizes[0], block=sizes[1], shmem_size=sizes[2] if len(sizes) > 2 else 0))

    def __repr__(self) -> str:
        return f"Kernel({self.name})"


class ShortLaunch:
    """kernel[grid, block](...): NumPy arrays are copied in, the kernel runs to its end, arrays are copied out.

    An array that is given twice is one buffer.
    """

    def __init__(self, kernel: Kernel, config: LaunchConfig) -> None:
        self.kernel = kernel
        self.config = config

    def __call__(self, *arguments: Any, device: Device | None = None) -> None:
        """Run on a device, device 0 of the default system if none is given."""
        device = device or Device(0)
        names = [parameter.name for parameter in self.kernel.program.parameters]
        buffers: dict[int, tuple[Any, Buffer]] = {}
        values: list[Any] = []
        for number, value in enumerate(arguments):
            if isinstance(value, np.ndarray) and value.ndim and not self._is_struct(number):
                if id(value) not in buffers:
                    buffer = device.array(value, name=names[number] if number < len(names) else None)
                    buffers[id(value)] = value, buffer
                value = buffers[id(value)][1]
            values.append(value)
        launch(device.default_stream, self.config, self.kernel, *values, device=device)
        device.sync()
        lost = []
        for array, buffer in buffers.values():
            result = buffer.numpy()
            if array.flags.writeable:
                array[...] = result
            elif result.tobytes() != array.tobytes():
                lost.append(buffer.name)
            buffer.close()
        if lost:
            raise ValueError(f"{self.kernel.name} has written to {', '.join(lost)}: a read-only NumPy array")

    def _is_struct(self, number: int) -> bool:
        parameters = self.kernel.program.parameters
        return number < len(parameters) and parameters[number].is_struct


def launch(stream: Stream, config: LaunchConfig, kernel: Kernel, *arguments: Any, device: Device | None = None) -> Grid:
    """Launch a kernel on a stream; it runs when something waits (sync, numpy()).

    Arguments are checked against the kernel's `.param` declarations before anything runs: UsageError.
    """
    if stream.submit is not None:
        return stream.submit(config, kernel, arguments)
    with stream._system.lock:
        return _enqueue(stream, config, kernel, arguments, device)


def _enqueue(
    stream: Stream, config: LaunchConfig, kernel: Kernel, arguments: Sequence[Any], device: Device | None
) -> Grid:
    system = stream._system
    system.require_healthy()
    number = stream._machine.device
    device = device or system.device(number)
    symbols = kernel.code.load(device)
    program = kernel.code.program(kernel.name, system.contract, system.registers)
    shape = config.shape()
    check_shape(program, shape, device)
    data, given = pack_arguments(program, arguments)
    runner = system.runner
    kernel.code.load_statics(program, device)
    grid = Grid(runner.next_launch_number(), program, shape, data, number, symbols, given)
    _check_shared(program, grid, device)
    if config.is_cooperative:
        _check_cooperative(program, grid, device)
        grid.workspace = runner.memory.allocate(number, 4096, "cooperative workspace", kind="system").base
    for position, (name, value) in enumerate(given.items()):
        if not isinstance(value, str) and value.name.startswith("buffer "):
            value.name = name
        if not isinstance(value, str) and "argument" not in value.note:
            value.note = f"argument {position + 1} of {program.name}, {value.note}"
    stream.enqueue(grid)
    return grid


def check_shape(program: Program, shape: LaunchShape, device: Device) -> None:
    """The device's limits and the kernel's own directives (.maxntid, .reqntid, clusters); UsageError."""
    limits = device._state.limits
    faults: list[tuple[str, str]] = []
    if shape.block.count > limits.threads_per_block:
        text = f"a block of {shape.block} has {shape.block.count:,} threads, {limits.threads_per_block:,} at most"
        faults.append((text, "launch more CTAs with fewer threads each"))
    for what, size, most in (("grid", shape.grid, limits.grid), ("block", shape.block, limits.block)):
        for axis, found, limit in zip("xyz", (size.x, size.y, size.z), most, strict=True):
            if not 1 <= found <= limit:
                bound = f"{limit:,} at most" if found > limit else "1 at least"
                faults.append((f"{what}.{axis} = {found:,}, {bound}", ""))
    if shape.shared < 0:
        faults.append((f"{shape.shared} bytes of dynamic shared memory", ""))
    if program.stack_bytes > limits.local_per_thread:
        text = f"{program.stack_bytes:,} bytes of local memory a thread, {limits.local_per_thread:,} at most"
        faults.append((text, "use .global memory"))
    if shape.cluster is not None and not 1 <= shape.cluster.count <= limits.cluster:
        text = f"a cluster of {shape.cluster} has {shape.cluster.count} CTAs, {limits.cluster} at most"
        faults.append((text, ""))
    faults += _against_directives(program, shape)
    if faults:
        text, fix = faults[0]
        notes = tuple(note for note, _ in faults[1:])
        label = Label(program.entry.node.span)
        message = f"launch of {program.name}: {text}"
        raise UsageError(Diagnostic("PTX-L0104", "usage", message, program.source, (label,), notes=notes, help=fix))


def _against_directives(program: Program, shape: LaunchShape) -> Iterator[tuple[str, str]]:
    """What .reqntid and .maxntid do not allow, and what they would."""
    for directive in program.entry.node.directives:
        size = Dim3.of(tuple(int(value) for value in directive.values if isinstance(value, int)) or (1,))
        name = directive.name.lstrip(".")
        if name == "reqntid" and shape.block != size:
            yield f"a block of {shape.block}, but .reqntid says {size}", f"give the block {size}"
        if name == "maxntid" and shape.block.count > size.count:
            yield f"{shape.block.count:,} threads a block, but .maxntid allows {size.count:,}", "use a smaller block"


def _check_cooperative(program: Program, grid: Grid, device: Device) -> None:
    most = device._state.most_resident(grid)
    if grid.cta_count > most:
        text = f"a cooperative launch of {grid.cta_count:,} CTAs: {most:,} can be resident"
        raise UsageError(Diagnostic("PTX-L0104", "usage", text, program.source, (Label(program.entry.node.span),)))


def _check_shared(program: Program, grid: Grid, device: Device) -> None:
    most = device._state.limits.shared_per_block
    if grid.user_shared_bytes > most:
        text = f"launch of {program.name}: {grid.user_shared_bytes:,} bytes of shared memory, {most:,} at most"
        facts = (("static", f"{program.shared_bytes:,} bytes"), ("dynamic", f"{grid.config.shared:,} bytes"))
        label = Label(program.entry.node.span)
        raise UsageError(Diagnostic("PTX-L0104", "usage", text, program.source, (label,), facts))
