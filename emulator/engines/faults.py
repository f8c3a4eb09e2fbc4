"""Kernel faults as diagnostics: instruction, lanes, addresses, buffer, likely fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
from emulator.program.operands import Memory, Register
from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps
    from emulator.engines.run import Runner

Facts = tuple[tuple[str, str], ...]


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
        first = (fault.lanes & -fault.lanes).bit_length() - 1
        address = int(fault.addresses[first])
        verb = "store" if fault.is_write else "load"
        space, where, help_text = self._where(fault, warp, address)
        words = {
            "illegal": ("PTX-M0101", f"{verb} {where}", IllegalAddress),
            "misaligned": ("PTX-M0102", f"misaligned {space} {verb} of {fault.size} bytes", MisalignedAddress),
            "read_only": ("PTX-M0103", f"{verb} to read-only {space} memory", IllegalAddress),
        }
        code, headline, family = words[fault.kind]
        facts = self._lanes_fact(warp, fault.lanes, instruction)
        facts += (
            ("first", f"lane {first}, thread {warp.cta.thread(warp, first)}: {self._spot(address, fault, warp)}"),
        )
        facts += self._address_fact(instruction, fault)
        if fault.kind == "misaligned":
            help_text = f"an access of {fault.size} bytes needs an address that is a multiple of {fault.size}"
        return family(self._diagnostic(code, headline, instruction, facts, help_text, bracket=True))

    def _where(self, fault: m.AccessFault, warp: Warp, address: int) -> tuple[str, str, str]:
        """(space, "past the end of ...", help)."""
        space = fault.space if fault.space != "generic" else _window_name(address)
        if space in ("global", "const"):
            nearest = self.runner.memory.nearest(address)
            if nearest is None:
                return space, f"at {address:#x}, where there is no allocation", "is the pointer a device address?"
            if nearest.base <= address < nearest.end:
                fix = f"the access of {fault.size} bytes crosses the end of the buffer"
                return space, f'past the end of "{nearest.name}"', fix
            side = "past the end of" if address >= nearest.end else "before the start of"
            distance = address - nearest.end if address >= nearest.end else nearest.base - address
            if distance > 1 << 20:
                fix = "is the register that holds the address set, and is it a device address?"
                return space, f"at {address:#x}, far from every allocation", fix
            return space, f'{side} "{nearest.name}"', "guard the index, or make the buffer larger"
        sizes = {
            "shared": (
                len(warp.cta.shared),
                "static and dynamic shared memory; is the launch's shmem_size large enough?",
            ),
            "local": (warp.stack_bytes, "the lane's local memory"),
            "param": (len(warp.cta.grid.parameters), "the kernel's parameters"),
        }
        size, hint = sizes[space]
        return space, f"outside the {size:,} bytes of {space} memory", hint

    def _spot(self, address: int, fault: m.AccessFault, warp: Warp) -> str:
        space = fault.space if fault.space != "generic" else _window_name(address)
        if space in ("global", "const"):
            nearest = self.runner.memory.nearest(address)
            if nearest is not None and abs(address - nearest.base) < 1 << 40:
                after = address - nearest.end
                tail = f", {after} bytes after the end" if after >= 0 else ""
                return f"{nearest.describe(address)} ({address:#x}), {fault.size} bytes{tail}"
        if space == "shared":
            low = address & (1 << m.CLUSTER_SHIFT) - 1
            return f"shared offset {low - m.SHARED_BASE:#x} ({address:#x}), {fault.size} bytes"
        return f"{space}:{address:#x}, {fault.size} bytes"

    def _address_fact(self, instruction: Instruction, fault: m.AccessFault) -> Facts:
        for operand in instruction.sources:
            if isinstance(operand.place, Memory) and isinstance(operand.place.base, Register):
                values = fault.addresses[lanes_of(fault.lanes)]
                low, high = int(values.min()), int(values.max())
                text = f"[{operand.place.base.name}{operand.place.offset:+d}]" if operand.place.offset else ""
                text = text or f"[{operand.place.base.name}]"
                return (("address", f"{text} = {low:#x}" + (f" .. {high:#x}" if high != low else "")),)
        return ()

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

    def hang(self, grids: list[Any], spinning: list[Warp], idle: int) -> KernelFault:
        """A report of who waits where for what."""
        from emulator.engines.hang_report import hang_report

        code, headline, instruction, facts, fix = hang_report(grids, spinning, idle)
        family = IllegalBarrier if code == "PTX-B0301" else Hang
        return family(self._diagnostic(code, headline, instruction, facts, fix))

    # --- parts -------------------------------------------------------------------------------------

    def _lanes_fact(self, warp: Warp, lanes: int, instruction: Instruction) -> Facts:
        grid = warp.cta.grid
        place = f"block {warp.cta.index} warp {warp.index}  {lanes:#010x}"
        where = ("kernel", f"{grid.name}, device {grid.device}, instruction {self.runner.time:,} of the run")
        return (("lanes", f"{lane_picture(lanes, warp.live)}  {place}"), where)

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


def _window_name(address: int) -> str:
    """The space of a generic address."""
    windows = {m.SHARED_WINDOW >> 32: "shared", m.LOCAL_WINDOW >> 32: "local", m.PARAM_WINDOW >> 32: "param"}
    return windows.get(address >> 32, "global")
