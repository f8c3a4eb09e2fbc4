"""The reference engine: how a warp steps, on NumPy rows, one instruction at a time.

Reading it is its purpose.  An instruction is fetched for the lanes that stand at one pc, its guard picks the
executing lanes, its meaning computes on their rows, results are written under the mask, and `_advance` moves
the pcs.  A `.sync` instruction of a warp is a rendezvous of all lanes of its member mask, wherever they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.engines.divergence import next_group, take_turns
from emulator.engines.reference.lane_ops import dtype_of
from emulator.engines.reference.operands import read, register_row, write
from emulator.engines.reference.ops import ReferenceOps
from emulator.isa.ops import Value
from emulator.machine.cta import Cta
from emulator.machine.memory import AccessFault
from emulator.machine.warp import Warp, lanes_of, lowest_lane, mask_of
from emulator.program import Instruction, Program
from emulator.program.operands import Operand
from emulator.ptx_types import TYPES

if TYPE_CHECKING:
    from emulator.engines.run import Runner
    from emulator.machine.device import DeviceState
    from emulator.machine.grid import Grid

U32 = TYPES["u32"]


@dataclass(frozen=True, slots=True)
class Step:
    """One executed warp instruction.  group: the lanes that stood at it; lanes: those whose guard held."""

    warp: Warp
    instruction: Instruction
    group: int
    lanes: int
    time: int


class ReferenceEngine:
    """Executes warp instructions for a runner."""

    name = "reference"

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.ops = ReferenceOps(runner)
        self._stepping: Warp | None = None
        self._passed = 0  # its lanes that a barrier or rendezvous has moved on already

    def prepare_program(self, program: Program) -> None:
        """Before the first CTA of a launch."""

    def prepare_grid(self, grid: Grid) -> None:
        """Before the first CTA of a launch: its template is the engine's to complete."""

    def place(self, device: DeviceState, grid: Grid) -> bool:
        """Place CTAs on the device's SMs until there is no room; False if it is not done here."""
        return False

    def run_ready(self) -> bool:
        """Run many turns at once; False if they have to be run one by one."""
        return False

    def prepare_cta(self, cta: Cta) -> None:
        """A CTA has a block that is a copy of the template."""

    def run(self, warp: Warp, count: int, *, exact: bool, single: bool) -> bool:
        """Execute a turn of `count` instructions, or one instruction of it; whether the turn is over.

        Ctrl-C ends it like single steps.
        """
        executed = 0
        while warp.runnable:
            self.step(warp)
            executed += 1
            if self.ops.yielded or (executed >= count and (exact or self.ops.moved)):
                return True
            if single or self.runner.interrupted:
                return not warp.runnable
        return True

    def lanes_moved(self) -> None:
        """Somebody else has set the pcs of lanes, between two instructions."""

    def step(self, warp: Warp) -> Step:
        """Execute one instruction of the group of lanes whose turn it is."""
        group = next_group(warp)
        instruction = warp.cta.grid.program.instructions[int(warp.pc[lowest_lane(group)])]
        lanes = group & self._guard(warp, instruction)
        self.ops.bind(warp, lanes, instruction)
        self._stepping, self._passed = warp, 0
        step = Step(warp, instruction, group, lanes, self.runner.time)
        self.runner.before(step)
        try:
            self._execute(warp, lanes, instruction)
        except AccessFault as fault:
            raise self.runner.faults.access(fault, warp, instruction) from None
        self._advance(warp, group)
        return step

    def _guard(self, warp: Warp, instruction: Instruction) -> int:
        """The lanes whose guard predicate lets them execute."""
        if instruction.guard is None:
            return 0xFFFFFFFF
        holds = register_row(warp, instruction.guard)
        return mask_of(~holds if instruction.guard_negated else holds)

    def _execute(self, warp: Warp, lanes: int, instruction: Instruction) -> None:
        ops, entry = self.ops, instruction.variant.entry
        sources = [read(ops, operand) for operand in instruction.sources]
        if entry.sync is not None:
            self._meet(warp, lanes, instruction, sources)
            return
        results = entry.meaning(ops, instruction.variant, *sources)
        if results is not None and not ops.held:
            self._write(instruction, results)

    def _write(self, instruction: Instruction, results: Any) -> None:
        """Write the results under the mask of the executing lanes."""
        if not isinstance(results, tuple):
            operand = instruction.results[0]
            assert operand is not None
            write(self.ops, operand, _fresh(results) if isinstance(results, list) else results)
            return
        for operand, result in zip(instruction.results, _copied(results), strict=False):
            if operand is not None:
                write(self.ops, operand, result)

    def _advance(self, warp: Warp, group: int) -> None:
        """The only code that moves pcs on: to the next instruction, unless control took the lanes elsewhere."""
        moved = self.ops.moved
        stay = 0 if self.ops.held else group & ~moved & ~self._passed & ~warp.waiting
        if stay:
            np.add(warp.pc, lanes_of(stay), out=warp.pc)
        warp.executed += 1
        warp.run_length += 1
        self.runner.time += 1
        if moved:
            take_turns(warp, group & warp.live)

    def position(self) -> tuple[Any, ...]:
        """What the operations are bound to, to come back to after `resume`."""
        ops = self.ops
        if not hasattr(ops, "warp"):
            return ()
        return ops.warp, ops.lanes, ops.instruction, ops.moved, ops.yielded

    def back_to(self, position: tuple[Any, ...]) -> None:
        """Bind the operations again as they were."""
        ops = self.ops
        if position:
            ops.warp, ops.lanes, ops.instruction, ops.moved, ops.yielded = position
            ops.program = ops.warp.cta.grid.program
            ops.carry_row = ops.warp.carry

    # --- the second half of an instruction that waited ---------------------------------------------

    def resume(self, warp: Warp, lanes: int) -> None:
        """Let lanes go on that waited: their instruction's second half, then the next pc."""
        warp.waiting &= ~lanes
        if warp is self._stepping:
            self._passed |= lanes
        stood = warp.pc.copy()  # those that go on may come to where others waited
        for pc in np.unique(stood[lanes_of(lanes)]):
            part = lanes & mask_of(stood == pc)
            instruction = warp.cta.grid.program.instructions[int(pc)]
            entry = instruction.variant.entry
            if entry.resume is not None:
                self.ops.bind(warp, part, instruction)
                sources = [read(self.ops, operand) for operand in instruction.sources]
                self._write(instruction, entry.resume(self.ops, instruction.variant, *sources))
            warp.pc[lanes_of(part)] += 1

    # --- the rendezvous of a .sync instruction -----------------------------------------------------

    def _meet(self, warp: Warp, lanes: int, instruction: Instruction, sources: list[Any]) -> None:
        """Execute if all live lanes of the member mask are here, else wait for them (manual, 9.7.9.6)."""
        masks = self._member_masks(instruction, sources)
        for mask in sorted({int(n) for n in masks[lanes_of(lanes)]}):
            here = lanes & mask_of(masks == mask)
            if here & ~mask:
                raise self.runner.faults.not_a_member(warp, here & ~mask, instruction, mask)
            key = (instruction.opcode, mask)
            warp.rendezvous[key] = warp.rendezvous.get(key, 0) | here
            warp.waiting |= here
        for mask in sorted({int(n) for n in masks[lanes_of(lanes)]}):
            self.try_rendezvous(warp, (instruction.opcode, mask))

    def _member_masks(self, instruction: Instruction, sources: list[Any]) -> Any:
        sync = instruction.variant.entry.sync
        for operand, value in zip(instruction.sources, sources, strict=True):
            if operand.name == sync:
                return value.data
        raise AssertionError(f"{instruction.opcode} has no operand {sync}")

    def try_rendezvous(self, warp: Warp, key: tuple[str, int]) -> bool:
        """Execute a rendezvous whose live lanes are all there."""
        there = warp.rendezvous[key]
        if key[1] & warp.live & ~there:
            return False
        del warp.rendezvous[key]
        warp.waiting &= ~there
        pcs = sorted({int(pc) for pc in warp.pc[lanes_of(there)]})
        at = [(there & mask_of(warp.pc == pc), warp.cta.grid.program.instructions[pc]) for pc in pcs]
        results = self._together(warp, there, at)
        for lanes, instruction in at:
            self.ops.bind(warp, lanes, instruction)
            if results is not None:
                self._write(instruction, results)
            warp.pc[lanes_of(lanes)] += 1
        self._passed |= there
        return True

    def _together(self, warp: Warp, there: int, at: list[tuple[int, Instruction]]) -> Any:
        """The meaning, once, over operands that each lane takes from its own copy of the instruction."""
        ops = self.ops
        merged: list[Any] = []
        for lanes, instruction in at:
            ops.bind(warp, lanes, instruction)
            for number, operand in enumerate(instruction.sources):
                value = read(ops, operand)
                if number == len(merged):
                    merged.append(_fresh(value))
                elif isinstance(value, Value):
                    np.copyto(merged[number].data, value.data, where=ops.lanes.data)
        first = at[0][1]
        ops.bind(warp, there, first)
        return first.variant.entry.meaning(ops, first.variant, *merged)


def _fresh(value: Any) -> Any:
    """A value whose row is its own; all elements of a vector."""
    if isinstance(value, list):
        return [_fresh(element) for element in value]
    return Value(value.ops, value.type, value.data.copy()) if isinstance(value, Value) else value


def _copied(results: Any) -> list[Any]:
    """Several results, none of which looks at a register that another is written to."""
    return [_fresh(result) for result in results]


__all__ = ["Operand", "ReferenceEngine", "Step", "dtype_of"]
