"""A launch: its configuration, parameters, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from emulator.machine.memory import Allocation, Bytes
from emulator.ptx_types import Dim3

if TYPE_CHECKING:
    from emulator.machine.cta import Cta
    from emulator.program import Program


@dataclass(frozen=True, slots=True)
class LaunchShape:
    """Sizes of a launch: `grid` counts CTAs, `cluster` CTAs of a cluster, `shared` dynamic bytes."""

    grid: Dim3
    block: Dim3
    cluster: Dim3 | None = None
    shared: int = 0


@dataclass(eq=False)
class Grid:
    """One launched kernel.

    symbols: addresses of the module's global and const variables on this device.  arguments: what the
    parameters were given, for diagnostics: name -> allocation or text.
    """

    number: int
    program: Program
    config: LaunchShape
    parameters: Bytes
    device: int
    symbols: dict[str, int]
    arguments: dict[str, Allocation | str] = field(default_factory=dict)
    workspace: int = 0  # address of the zeroed workspace of a cooperative launch
    next_cta: int = 0
    finished_ctas: int = 0
    resident: dict[int, Cta] = field(default_factory=dict)

    def __post_init__(self) -> None:
        static = self.program.shared_bytes
        align = self.program.shared_align
        self.dynamic_offset = -(-static // align) * align if self.config.shared else static
        self.shared_bytes = self.dynamic_offset + self.config.shared
        self.parameters = np.ascontiguousarray(self.parameters)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def cta_count(self) -> int:
        return self.config.grid.count

    @property
    def finished(self) -> bool:
        return self.finished_ctas == self.cta_count

    @property
    def all_dispatched(self) -> bool:
        return self.next_cta == self.cta_count
