"""The native engine: turns of a warp in machine code, single instructions by the reference engine.

Whatever native code does not do itself (barriers, calls, exits, faults, an instruction without a native form) it
hands to the reference engine for that one instruction, over the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.engines.divergence import next_group
from emulator.engines.native.context import ALLOCATION, CONTEXT, GLOBALS, PACKED, offset_of
from emulator.engines.native.library import library
from emulator.engines.native.records import ConstantRow, NativeProgram, aligned_bytes
from emulator.engines.native.runtime import LEAVE
from emulator.engines.reference.engine import ReferenceEngine
from emulator.engines.reference.operands import constant_row
from emulator.machine import memory as m
from emulator.machine.cta import Cta
from emulator.machine.memory import Bytes
from emulator.machine.warp import HEADER_BYTES, Warp, lanes_of
from emulator.observer import Events
from emulator.program import Program

if TYPE_CHECKING:
    from emulator.engines.run import Runner
    from emulator.machine.grid import Grid

START_PC, TAKEN = offset_of("start_pc"), offset_of("taken")


class Context:
    """A warp's CONTEXT, and what a turn needs of it."""

    __slots__ = ("address", "bytes", "counters", "registers", "start_pc", "taken")

    def __init__(self, raw: Bytes, warp: Warp) -> None:
        self.bytes = raw
        self.address = raw.ctypes.data
        self.registers = warp.state.ctypes.data + HEADER_BYTES
        self.counters = raw[:24].view(np.int64)  # budget, time, progress
        self.start_pc = raw[START_PC : START_PC + 4].view(np.int32)
        self.taken = raw[TAKEN : TAKEN + 4].view(np.uint32)


class NativeEngine(ReferenceEngine):
    """Executes turns natively where nothing asks for single instructions."""

    name = "native"

    def __init__(self, runner: Runner, features: str | None = None) -> None:
        super().__init__(runner)
        self._library = library(features)
        self._programs: dict[int, NativeProgram] = {}
        self._globals = aligned_bytes(GLOBALS.itemsize).view(GLOBALS)
        self._table = np.zeros(0, ALLOCATION)
        self._templates: dict[Grid, Bytes] = {}
        self._epoch = -1
        self._stopped_anywhere = False  # a turn or step may have ended in the middle of a straight run

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
        template = self._template(cta, native)
        start = cta.grid.program.row_bytes
        for row in native.constants.values():
            if row.level == "cta":
                self._fill_row(cta.warps[0], row, template[row.offset - start :])
        for warp in cta.warps:
            warp.rows[start:] = template
            for row in native.constants.values():
                if row.level == "warp":
                    self._fill_row(warp, row, warp.rows[row.offset :])
            warp.context = Context(self._context(warp, native), warp)

    def _template(self, cta: Cta, native: NativeProgram) -> Bytes:
        """The rows that are the same in all warps of a grid, made with its first CTA."""
        grid = cta.grid
        found = self._templates.get(grid)
        if found is None:
            found = np.zeros(grid.program.constant_bytes, np.uint8)
            for row in native.constants.values():
                if row.level == "grid":
                    self._fill_row(cta.warps[0], row, found[row.offset - grid.program.row_bytes :])
            running = [grid for device in self.runner.devices for grid in device.grids]
            self._templates = {known: rows for known, rows in self._templates.items() if known in running}
            self._templates[grid] = found
        return found

    def _fill_row(self, warp: Warp, row: ConstantRow, place: Bytes) -> None:
        self.ops.bind(warp, 0, warp.cta.grid.program.instructions[0])
        data = np.ascontiguousarray(constant_row(self.ops, row.place, row.type)).view(np.uint8).ravel()
        place[: len(data)] = data

    def _context(self, warp: Warp, native: NativeProgram) -> Bytes:
        """The bytes of a CONTEXT."""
        cta = warp.cta
        origin = (cta.rank << m.CLUSTER_SHIFT) + m.SHARED_BASE
        context = bytearray(CONTEXT.itemsize)
        shared = (cta.shared.ctypes.data, len(cta.shared), origin)
        local = (warp.local.ctypes.data, warp.stack_bytes)
        params = (cta.grid.parameters.ctypes.data, len(cta.grid.parameters))
        tables = (self._globals.ctypes.data, native.map.ctypes.data)
        PACKED.pack_into(context, 0, 0, 0, 0, *shared, *local, *params, *tables, 0, 0, 0, 0)
        return np.frombuffer(context, np.uint8)

    def run(self, warp: Warp, count: int, *, exact: bool, single: bool) -> bool:
        """A turn: native between the instructions that need the reference engine."""
        if exact or single or self.runner.events.wants is not Events.NONE:
            self._stopped_anywhere = True
            return super().run(warp, count, exact=exact, single=single)
        if self._stopped_anywhere and not self._others_stand_at_joins(warp):
            return super().run(warp, count, exact=exact, single=single)
        self._refresh_allocations()
        context: Context = warp.context
        counters, dispatch = context.counters, self._library.dispatch
        left = count
        while True:
            counters[:] = left, 0, 0
            status = dispatch(None, context.registers, context.address, 0)
            _, executed, progress = counters.tolist()
            warp.executed += executed
            self.runner.time += executed
            self.runner.progress += progress
            left -= executed
            if status != LEAVE:
                return True
            left -= 1
            if self._execute_one(warp, left):
                return True
            self._refresh_allocations()

    def lanes_moved(self) -> None:
        """Lanes may stand where no turn ends."""
        self._stopped_anywhere = True

    def _others_stand_at_joins(self, warp: Warp) -> bool:
        """Whether the lanes that go next can meet others only where native code looks for them."""
        others = warp.runnable & ~next_group(warp)
        return not others or set(warp.pc[lanes_of(others)].tolist()) <= warp.cta.grid.program.joins

    def _execute_one(self, warp: Warp, left: int) -> bool:
        """The instruction that native code left; whether the turn is over."""
        native = self.program(warp.cta.grid.program)
        pc, group = int(warp.context.start_pc[0]), int(warp.context.taken[0])
        barrier = native.barriers.get(pc)
        if barrier is not None:
            self.ops.bind(warp, group, native.program.instructions[pc])
            self._stepping, self._passed = warp, 0
            self.runner.arrive(self.ops, *barrier, lanes_of(group), True, None)
            self._count(warp)
            return not warp.runnable
        if pc in native.exits and group == warp.live and not warp.depth.any():
            warp.live = 0
            self.runner.lanes_exited(warp)
            self._count(warp)
            warp.run_length = 0
            return True
        self.step(warp)
        return self.ops.yielded or (left <= 0 and bool(self.ops.moved)) or not warp.runnable

    def _count(self, warp: Warp) -> None:
        warp.executed += 1
        warp.run_length += 1
        self.runner.time += 1

    def resume(self, warp: Warp, lanes: int) -> None:
        """As the reference does; warps that stand at a plain barrier as one go on at once."""
        where = lanes_of(lanes)
        pcs = warp.pc[where]
        instruction = warp.cta.grid.program.instructions[int(pcs[0])]
        if instruction.variant.entry.resume is not None or not (pcs == pcs[0]).all():
            super().resume(warp, lanes)
            return
        warp.waiting &= ~lanes
        if warp is self._stepping:
            self._passed |= lanes
        warp.pc[where] += 1

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
