"""From executed instructions to batches of records for the observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emulator.engines.event_ring import BATCH, Rings
from emulator.machine.warp import mask_of
from emulator.observer import Events, Observer

if TYPE_CHECKING:
    from emulator.engines.reference.engine import Step
    from emulator.engines.reference.ops import ReferenceOps
    from emulator.engines.run import Runner
    from emulator.machine.grid import Grid


Listener = Callable[[str, "ReferenceOps", str, Any, int], None]


class EventStream:
    """Collects what the observers want and delivers it in batches, the same ones on every engine.

    listener: hears of every access of the reference engine at once.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.observers: list[Observer] = []
        self.wants = Events.NONE
        self.rings = Rings()
        self.listener: Listener | None = None

    def add(self, observer: Observer) -> None:
        """Deliver to an observer from now on."""
        self.flush()
        self.observers.append(observer)
        self._sum_up()
        for device in self.runner.devices:
            for grid in device.grids:
                observer.on_launch(grid.number, grid.program)

    def remove(self, observer: Observer) -> None:
        """Deliver to an observer no more."""
        self.flush()
        self.observers.remove(observer)
        self._sum_up()

    def _sum_up(self) -> None:
        self.wants = Events.NONE
        for observer in self.observers:
            self.wants |= observer.wants
        self.rings.want(self.wants is not Events.NONE)

    def launched(self, grid: Grid) -> None:
        """A launch starts."""
        self.flush()
        for observer in self.observers:
            observer.on_launch(grid.number, grid.program)

    def instruction(self, step: Step) -> None:
        """An instruction executes."""
        if self.wants is Events.NONE:
            return
        if self.rings.full:
            self.flush()
        if Events.INSTRUCTION in self.wants:
            cta = step.warp.cta
            pc = step.instruction.pc
            self.rings.add_instruction((step.time, cta.grid.number, cta.linear, step.warp.index, pc, step.lanes))

    def access(self, kind: str, ops: ReferenceOps, space: str, addresses: Any, size: int) -> None:
        """The executing lanes access memory."""
        if self.listener is not None:
            self.listener(kind, ops, space, addresses, size)
        if Events.MEMORY not in self.wants:
            return
        warp, lanes = ops.warp, mask_of(ops.lanes.data)
        head = (self.runner.time, warp.cta.grid.number, warp.cta.linear, warp.index, ops.instruction.pc, lanes)
        if lanes and not self.rings.add_access(head, kind, space, size, addresses):
            self.flush()
            self.rings.add_access(head, kind, space, size, addresses)

    def flush(self) -> None:
        """Deliver what has been collected."""
        if self.wants is Events.NONE:
            return
        instructions, accesses = self.rings.take()
        for observer in self.observers:
            if len(instructions) and Events.INSTRUCTION in observer.wants:
                observer.on_instructions(instructions)
        for observer in self.observers:
            if len(accesses) and Events.MEMORY in observer.wants:
                observer.on_memory(accesses)


__all__ = ["BATCH", "EventStream"]
