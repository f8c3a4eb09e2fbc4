"""The native engine: turns of a warp in machine code, single instructions by the reference engine.

Whatever native code does not do itself (barriers, calls, exits, faults, an instruction without a native form) it
hands to the reference engine for that one instruction, over the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.engines.native.context import ALLOCATION, CONTEXT, GLOBALS
from emulator.engines.native.library import library
from emulator.engines.native.records import NativeProgram, aligned_bytes
from emulator.engines.native.runtime import LEAVE, TURN_OVER
from emulator.engines.reference.engine import ReferenceEngine
from emulator.engines.reference.operands import constant_row, fixed_address
from emulator.machine import memory as m
from emulator.machine.cta import Cta
from emulator.machine.warp import HEADER_BYTES, Warp
from emulator.observer import Events
from emulator.program import Program

if TYPE_CHECKING:
    from emulator.engines.run import Runner


class NativeEngine(ReferenceEngine):
    """Executes turns natively where nothing asks for single instructions."""

    name = "native"

    def __init__(self, runner: Runner, features: str | None = None) -> None:
        super().__init__(runner)
        self._library = library(features)
        self._programs: dict[int, NativeProgram] = {}
        self._globals = aligned_bytes(GLOBALS.itemsize).view(GLOBALS)
        self._table = np.zeros(0, ALLOCATION)
        self._epoch = -1

    def program(self, program: Program) -> NativeProgram:
        """The records of a program, made when it is first launched."""
        found = self._programs.get(id(program))
        if found is None:
            found = NativeProgram(program, self._library)
            self._programs[id(program)] = found
            program.constant_bytes = found.row_bytes - program.row_bytes
        return found

    def prepare_program(self, program: Program) -> None:
        """Before the first CTA of a launch: its warps need room for the constants."""
        self.program(program)

    def prepare_cta(self, cta: Cta) -> None:
        """Fill the rows of constants, and tell native code where the CTA's memory is."""
        native = self.program(cta.grid.program)
        for warp in cta.warps:
            self.ops.bind(warp, 0, cta.grid.program.instructions[0])
            for row in native.constants.values():
                data = np.ascontiguousarray(constant_row(self.ops, row.place, row.type)).view(np.uint8).ravel()
                warp.rows[row.offset : row.offset + len(data)] = data
            warp.context = self._context(warp, native)

    def _context(self, warp: Warp, native: NativeProgram) -> Any:
        context = aligned_bytes(CONTEXT.itemsize).view(CONTEXT)
        cta = warp.cta
        fields = context[0]
        fields["shared"] = cta.shared.ctypes.data
        fields["shared_size"] = len(cta.shared)
        fields["shared_origin"] = (cta.rank << m.CLUSTER_SHIFT) + m.SHARED_BASE
        fields["local"] = warp.local.ctypes.data
        fields["stack_bytes"] = warp.stack_bytes
        fields["params"] = cta.grid.parameters.ctypes.data
        fields["param_size"] = len(cta.grid.parameters)
        fields["globals"] = self._globals.ctypes.data
        fields["map"] = native.map.ctypes.data
        return context

    def run(self, warp: Warp, count: int, *, exact: bool, single: bool) -> bool:
        """A turn: native between the instructions that need the reference engine."""
        if exact or single or self.runner.events.wants is not Events.NONE:
            return super().run(warp, count, exact=exact, single=single)
        self._refresh_allocations()
        context = warp.context
        fields = context[0]
        regs = warp.state.ctypes.data + HEADER_BYTES
        left = count
        while True:
            fields["budget"], fields["time"], fields["progress"] = left, 0, 0
            status = self._library.dispatch(None, regs, context.ctypes.data, 0)
            executed = int(fields["time"])
            self.runner.time += executed
            self.runner.progress += int(fields["progress"])
            left -= executed
            if status == TURN_OVER:
                return True
            if status != LEAVE:
                return True
            self.step(warp)
            left -= 1
            if self.ops.yielded or (left <= 0 and self.ops.moved) or not warp.runnable:
                return True
            if self.runner.memory.epoch != self._epoch:
                self._refresh_allocations()

    def _refresh_allocations(self) -> None:
        """The allocation table of native code, after allocations have changed."""
        memory = self.runner.memory
        if memory.epoch == self._epoch:
            return
        self._epoch = memory.epoch
        entries = [(a.base, a.end, a.read_only, 0) for a in memory.allocations()]
        self._table = np.array(entries, ALLOCATION)
        fields = self._globals[0]
        fields["memory"] = memory.bytes.ctypes.data - m.DEVICE_BASE
        fields["dirty"] = memory.dirty.ctypes.data - (m.DEVICE_BASE >> m.PAGE_SHIFT)
        fields["table"] = self._table.ctypes.data
        fields["count"] = len(entries)
        for native in self._programs.values():
            native.forget_allocations()


__all__ = ["NativeEngine", "fixed_address"]
