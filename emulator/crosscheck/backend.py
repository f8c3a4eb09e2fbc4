"""A machine that runs PTX, as the cross-check sees it: the emulator, a GPU, or a stand-in for one.

Addresses are device addresses.  A backend gives memory where it is asked to if it can, so that the same buffers lie
at the same addresses on both machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from emulator.api.kernel import LaunchConfig, ObjectCode, launch
from emulator.api.system import System
from emulator.crosscheck.tensor_map import TensorMap
from emulator.errors import Diagnostic, PtxError
from emulator.machine.grid import LaunchShape
from emulator.program import KernelParameter

KEPT_TEXTS = 8
HARDWARE, EMULATOR, STAND_IN = "hardware", "emulator", "stand-in"


@dataclass(frozen=True)
class Identity:
    """Who answers.  origin: HARDWARE, EMULATOR or STAND_IN; only the first is evidence of what hardware does."""

    origin: str
    name: str
    driver: str = ""
    arch: str = ""

    def __str__(self) -> str:
        return self.name


class Backend(Protocol):
    """What the cross-check asks of a machine.  Errors of the machine are DiagnosedErrors.

    printed: what kernels have printed since the last reset.
    """

    identity: Identity
    printed: str

    def load(self, ptx: str, name: str) -> Any:
        """Compile a text; a handle to it."""

    def symbol(self, code: Any, name: str) -> int:
        """The address of a module's variable."""

    def allocate(self, size: int, name: str, address: int | None = None) -> int:
        """The address of new memory, at the chosen one if that can be had."""

    def write(self, address: int, data: bytes) -> None:
        """Copy to the machine."""

    def read(self, address: int, size: int) -> bytes:
        """Copy from the machine."""

    def tensor_map(self, tensor: TensorMap, address: int) -> bytes:
        """The opaque bytes of a map of a buffer."""

    def launch(
        self, code: Any, kernel: str, shape: LaunchShape, parameters: Sequence[bytes], *, cooperative: bool = False
    ) -> None:
        """Queue a kernel; one bytes object a parameter, in order."""

    def sync(self) -> None:
        """Wait until all launches have ended; what went wrong in one is raised here."""

    def reset(self) -> None:
        """Give everything back: memory, texts, faults."""


class EmulatorBackend:
    """The emulator.  options: as of System."""

    def __init__(self, **options: Any) -> None:
        self.printed = ""
        self.options = {"output": self._keep, **options}
        self.system = System(**self.options)
        self.identity = Identity(EMULATOR, "emulator", arch=self.system.arch)

    def load(self, ptx: str, name: str) -> ObjectCode:
        """Parse a text."""
        return _parsed(ptx, name)

    def symbol(self, code: ObjectCode, name: str) -> int:
        """The address of a module's variable."""
        return code.get_global(name, self.system.device(0)).address

    def allocate(self, size: int, name: str, address: int | None = None) -> int:
        """The address of new memory, at the chosen one if that can be had."""
        try:
            found = self.system.runner.memory.allocate(0, size, name, address=address)
        except ValueError:
            found = self.system.runner.memory.allocate(0, size, name)
        return found.base

    def write(self, address: int, data: bytes) -> None:
        """Copy to the machine."""
        self.system.runner.memory.write(address, data)

    def read(self, address: int, size: int) -> bytes:
        """Copy from the machine."""
        return self.system.runner.memory.view(address, size).tobytes()

    def tensor_map(self, tensor: TensorMap, address: int) -> bytes:
        """Refused: no instruction that the emulator executes reads a tensor map."""
        raise PtxError(Diagnostic("PTX-G0606", "semantic", "the emulator does not copy by tensor maps"))

    def launch(
        self,
        code: ObjectCode,
        kernel: str,
        shape: LaunchShape,
        parameters: Sequence[bytes],
        *,
        cooperative: bool = False,
    ) -> None:
        """Queue a kernel."""
        found = code.get_kernel(kernel)
        pairs = zip(found.program.parameters, parameters, strict=True)
        values = [argument_of(parameter, raw) for parameter, raw in pairs]
        stream = self.system.device(0).default_stream
        launch(stream, launch_config(shape, cooperative), found, *values)

    def sync(self) -> None:
        """Run everything to its end."""
        self.system.sync()

    def reset(self) -> None:
        """A new system."""
        self.printed = ""
        self.system = System(**self.options)

    def _keep(self, text: str) -> None:
        self.printed += text


@lru_cache(maxsize=KEPT_TEXTS)
def _parsed(ptx: str, name: str) -> ObjectCode:
    """The last few are kept, linked too, since each is launched again and again, on several machines."""
    return ObjectCode.from_ptx(ptx.encode(), name=name)


def launch_config(shape: LaunchShape, cooperative: bool = False) -> LaunchConfig:
    """A shape, which counts CTAs, as a LaunchConfig, whose grid counts clusters where there are any."""
    grid, block, cluster = shape.grid, shape.block, shape.cluster
    sizes = (grid.x, grid.y, grid.z)
    if cluster is not None:
        sizes = (grid.x // cluster.x, grid.y // cluster.y, grid.z // cluster.z)
    return LaunchConfig(
        sizes,
        cluster=None if cluster is None else (cluster.x, cluster.y, cluster.z),
        block=(block.x, block.y, block.z),
        shmem_size=shape.shared,
        is_cooperative=cooperative,
    )


def argument_of(parameter: KernelParameter, raw: bytes) -> Any:
    """A kernel's argument, as `launch` takes it, from its bytes."""
    kind = parameter.node.type
    if parameter.is_struct:
        return raw
    if kind in ("f32", "f64", "f16"):
        return np.frombuffer(raw, f"<f{len(raw)}")[0]
    return int.from_bytes(raw, "little", signed=kind.startswith("s"))
