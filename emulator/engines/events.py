"""From executed instructions to batches of records for the observers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.observer import INSTRUCTION_RECORD, MEMORY_RECORD, Events, Observer

if TYPE_CHECKING:
    from emulator.engines.reference.engine import Step
    from emulator.engines.reference.ops import ReferenceOps
    from emulator.engines.run import Runner
    from emulator.machine.grid import Grid

BATCH = 4096


class EventStream:
    """Collects what the observers want and delivers it in batches."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.observers: list[Observer] = []
        self.wants = Events.NONE
        self._instructions: list[tuple[int, ...]] = []
        self._accesses: list[tuple[Any, ...]] = []

    def add(self, observer: Observer) -> None:
        """Deliver to an observer from now on."""
        self.flush()
        self.observers.append(observer)
        self.wants |= observer.wants
        for device in self.runner.devices:
            for grid in device.grids:
                observer.on_launch(grid.number, grid.program)

    def remove(self, observer: Observer) -> None:
        """Deliver to an observer no more."""
        self.flush()
        self.observers.remove(observer)
        self.wants = Events.NONE
        for other in self.observers:
            self.wants |= other.wants

    def launched(self, grid: Grid) -> None:
        """A launch starts."""
        self.flush()
        for observer in self.observers:
            observer.on_launch(grid.number, grid.program)

    def instruction(self, step: Step) -> None:
        """An instruction executes."""
        if Events.INSTRUCTION not in self.wants:
            return
        cta = step.warp.cta
        pc = step.instruction.pc
        self._instructions.append((step.time, cta.grid.number, cta.linear, step.warp.index, pc, step.lanes))
        if len(self._instructions) >= BATCH:
            self.flush()

    def access(self, kind: str, ops: ReferenceOps, space: str, addresses: Any, size: int) -> None:
        """The executing lanes access memory."""
        if Events.MEMORY not in self.wants:
            return
        warp = ops.warp
        head = (self.runner.time, warp.cta.grid.number, warp.cta.linear, warp.index, ops.instruction.pc)
        for lane in np.flatnonzero(ops.lanes.data):
            self._accesses.append((*head, lane, kind.encode(), space.encode(), size, int(addresses[lane])))
        if len(self._accesses) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Deliver what has been collected."""
        for kind, dtype, collected in (
            (Events.INSTRUCTION, INSTRUCTION_RECORD, self._instructions),
            (Events.MEMORY, MEMORY_RECORD, self._accesses),
        ):
            if not collected:
                continue
            records = np.array(collected, dtype=dtype)
            collected.clear()
            for observer in self.observers:
                if kind in observer.wants:
                    deliver = observer.on_instructions if kind is Events.INSTRUCTION else observer.on_memory
                    deliver(records)
