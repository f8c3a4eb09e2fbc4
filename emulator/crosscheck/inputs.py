"""The registers that an instruction read at one of its executions, from a replay of the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.instrument import LANES, Instrumented, is_inserted
from emulator.crosscheck.job import Job, place
from emulator.crosscheck.trace import NEVER, Difference, prepare
from emulator.machine.warp import Warp
from emulator.program import Instruction
from emulator.program.operands import Immediate, Operand, Register

NEAR = 512  # instructions before the place from which on it is stepped, at first
Row = npt.NDArray[Any]


def sources_at(
    emulator: EmulatorBackend, job: Job, instrumented: Instrumented, addresses: list[int], at: Difference
) -> list[tuple[str, list[int]]]:
    """(text, bits of 32 lanes) of each source register of the instruction at a difference, as it read them.

    The instrumented job runs again; times are the same in every run.  A difference has the time at which its clock was
    read: other warps may have come between that and the instruction, so it is looked for from ever farther away.
    """
    near = NEAR
    while True:
        found = _stepped(emulator, job.with_text(instrumented.ptx), addresses, at, near)
        if found is not None or near > at.time:
            break
        near *= 8
    if found is None:
        return []
    return [(_name(operand), row) for operand in found[0].sources if (row := _lanes(operand, found[1])) is not None]


def _stepped(
    emulator: EmulatorBackend, traced: Job, addresses: list[int], at: Difference, near: int
) -> tuple[Instruction, bytes] | None:
    """The last instruction of the text before a place, among the `near` ones, and the registers before it."""
    placed = place(emulator, traced, addresses)
    prepare(placed, (at.cta, at.warp), [NEVER] * LANES, NEVER)
    runner = emulator.system.runner
    placed.enqueue()
    while runner.time < at.time - near and runner.settle() is not None:
        runner.run_turn(at.time - near - runner.time)
    before: bytes | None = None
    found: tuple[Instruction, bytes] | None = None
    while runner.time <= at.time:
        step = emulator.system.step()
        if step is None:
            break
        if (step.warp.cta.linear, step.warp.index) != (at.cta, at.warp):
            continue
        if before is not None and step.lanes >> at.lane & 1 and not is_inserted(step.instruction.node):
            found = step.instruction, before
        before = _rows(step.warp)
    return found


def _name(operand: Operand) -> str:
    """A register's name; of anything else the manual's name of the operand."""
    return operand.place.name if isinstance(operand.place, Register) else operand.name


def _rows(warp: Warp) -> bytes:
    return warp.rows.tobytes()


def _lanes(operand: Operand, rows: bytes) -> list[int] | None:
    place = operand.place
    if isinstance(place, Immediate):
        return [place.bits] * LANES
    if not isinstance(place, Register) or place.type.width > 64:
        return None
    kind = "u1" if place.type.width <= 8 else f"u{place.type.bytes}"
    return [int(bits) for bits in np.frombuffer(rows, kind, LANES, place.offset)]
