"""Kernel faults as diagnostics: instruction, lanes, addresses, buffer, likely fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.engines.access_faults import report_access
from emulator.errors import (
    Diagnostic,
    Hang,
    IllegalAddress,
    IllegalBarrier,
    IllegalTarget,
    InstructionLimit,
    KernelFault,
    Label,
    MisalignedAddress,
    StackOverflow,
    Trap,
)
from emulator.machine import memory as m
from emulator.machine.warp import Warp, lanes_of, mask_of
from emulator.parse import operand_spans
from emulator.program import Instruction
from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps
    from emulator.engines.run import Runner

Facts = tuple[tuple[str, str], ...]
_ACCESS_FAULTS: dict[str, tuple[str, type[KernelFault]]] = {
    "illegal": ("PTX-M0101", IllegalAddress),
    "misaligned": ("PTX-M0102", MisalignedAddress),
    "read_only": ("PTX-M0103", IllegalAddress),
    "private": ("PTX-M0101", IllegalAddress),
    "multimem": ("PTX-M0101", IllegalAddress),
}


def lane_picture(lanes: int, live: int) -> str:
    """32 characters: `!` at fault, `.` executing elsewhere or off, `x` exited."""
    return "".join("!" if lanes >> n & 1 else "." if live >> n & 1 else "x" for n in range(WARP_SIZE))


class Faults:
    """Makes the faults of one runner."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    # --- memory ----------------------------------------------------------------------------------

    def access(self, fault: m.AccessFault, warp: Warp, instruction: Instruction) -> KernelFault:
        """An access outside, misaligned, or to read-only memory."""
        code, family = _ACCESS_FAULTS[fault.kind]
        headline, facts, fix = report_access(fault, warp, instruction, self.runner.memory)
        lanes, *where = self._lanes_fact(warp, fault.lanes, instruction)
        return family(self._diagnostic(code, headline, instruction, (lanes, *facts, *where), fix, bracket=True))

    # --- barriers and control ----------------------------------------------------------------------

    def kernel_stopped(self, warp: Warp, lanes: int, instruction: Instruction, kind: str) -> KernelFault:
        """`trap` or `brkpt`."""
        facts = self._lanes_fact(warp, lanes, instruction)
        return Trap(self._diagnostic("PTX-T0501", f"the kernel executed {kind}", instruction, facts, ""))

    def assertion(self, warp: Warp, lanes: int, instruction: Instruction, text: str) -> KernelFault:
        """A failed device assertion."""
        facts = self._lanes_fact(warp, lanes, instruction)
        return Trap(self._diagnostic("PTX-T0502", text, instruction, facts, ""))

    def bad_barrier(self, ops: ReferenceOps, lanes: Any, why: str) -> KernelFault:
        """A barrier number or count that there is not."""
        facts = self._lanes_fact(ops.warp, mask_of(lanes), ops.instruction)
        text = f"{ops.instruction.opcode} on {why}"
        return IllegalBarrier(self._diagnostic("PTX-B0302", text, ops.instruction, facts, ""))

    def mbarrier(self, ops: ReferenceOps, lanes: Any, lane: int, address: int, word: int, why: int) -> KernelFault:
        """An operation that an mbarrier object does not allow; lane: the first of those at fault."""
        from emulator.engines.mbarrier_report import broken_rule

        instruction, warp = ops.instruction, ops.warp
        text, facts, fix = broken_rule(ops, lane, address, word, why)
        first, *where = self._lanes_fact(warp, mask_of(lanes), instruction)
        return IllegalBarrier(self._diagnostic("PTX-B0303", text, instruction, (first, *facts, *where), fix))

    def not_a_member(self, warp: Warp, lanes: int, instruction: Instruction, mask: int) -> KernelFault:
        """A lane that executes a .sync instruction with a mask in which it is not."""
        facts = (*self._lanes_fact(warp, lanes, instruction), ("mask", f"{mask:#010x}"))
        text = f"{instruction.opcode}: executing lanes are not in the member mask"
        fix = "the mask names the lanes that execute; undefined behaviour on hardware"
        return IllegalBarrier(self._diagnostic("PTX-B0302", text, instruction, facts, fix))

    def stack_overflow(self, warp: Warp, lanes: int, instruction: Instruction, callee: str | None) -> KernelFault:
        """Recursion, or an alloca, beyond the stack."""
        depth = int(warp.depth[lanes_of(lanes)].max())
        place = f"{depth:,} calls, into {callee}" if callee else f"{depth:,} calls"
        facts = (*self._lanes_fact(warp, lanes, instruction), ("depth", place))
        fix = "does the recursion end?" if callee else f"a lane's stack has {warp.stack_bytes:,} bytes"
        text = "the call stack is full" if callee else f"{instruction.opcode} leaves the stack"
        return StackOverflow(self._diagnostic("PTX-T0503", text, instruction, facts, fix))

    def illegal_target(self, warp: Warp, lanes: int, instruction: Instruction, why: str) -> KernelFault:
        """An indirect call or branch to nowhere."""
        facts = self._lanes_fact(warp, lanes, instruction)
        return IllegalTarget(self._diagnostic("PTX-T0504", why, instruction, facts, ""))

    def limit(self, warp: Warp, count: int) -> KernelFault:
        """The instruction limit."""
        instruction = self._at(warp)
        text = f"the limit of {count:,} warp instructions was reached"
        facts = self._lanes_fact(warp, warp.runnable, instruction) if instruction else ()
        fix = "raise the limit (--max-instructions) if the kernel is not in an endless loop"
        return InstructionLimit(self._diagnostic("PTX-H0402", text, instruction, facts, fix))

    def _at(self, warp: Warp) -> Instruction | None:
        live = np.flatnonzero(lanes_of(warp.live))
        return warp.cta.grid.program.instructions[int(warp.pc[live[0]])] if len(live) else None

    # --- hangs -------------------------------------------------------------------------------------

    def hang(self, spinning: list[Warp], idle: int) -> KernelFault:
        """A report of who waits where for what."""
        from emulator.engines.hang_report import hang_report

        ops = self.runner.engine.ops
        code, headline, instruction, facts, fix = hang_report(self.runner.devices, ops, spinning, idle)
        family = IllegalBarrier if code == "PTX-B0301" else Hang
        return family(self._diagnostic(code, headline, instruction, facts, fix))

    # --- parts -------------------------------------------------------------------------------------

    def _lanes_fact(self, warp: Warp, lanes: int, instruction: Instruction) -> Facts:
        grid = warp.cta.grid
        place = f"block {warp.cta.index} warp {warp.index}  {lanes:#010x}"
        device = f" on device {grid.device}" if len(self.runner.devices) > 1 else ""
        run = f"instruction {self.runner.time:,}, schedule {self.runner.schedule.name}"
        picture = f"{lane_picture(lanes, warp.live)}  {place}"
        return (("lanes", picture), ("kernel", f"{grid.name}{device}"), ("run", run))

    def _diagnostic(
        self, code: str, text: str, instruction: Instruction | None, facts: Facts, fix: str, *, bracket: bool = False
    ) -> Diagnostic:
        if instruction is None:
            return Diagnostic(code, "fault", text, facts=facts, help=fix)
        span = instruction.span
        if bracket:
            spans = operand_spans(instruction.source, instruction.node)
            for node_span in spans:
                if instruction.source.text[node_span.start : node_span.start + 1] == "[":
                    span = node_span
                    break
        kind = "hang" if code.startswith("PTX-H") else "fault"
        return Diagnostic(code, kind, text, instruction.source, (Label(span),), facts, fix)
