"""Who waits where for what, when nothing can go on or nothing changes any more."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from emulator.machine.cta import Barrier, Cta
from emulator.machine.grid import Grid
from emulator.machine.warp import Warp, lanes_of
from emulator.program import Instruction
from emulator.ptx_types import WARP_SIZE

MOST_LINES = 12
Report = tuple[str, str, "Instruction | None", tuple[tuple[str, str], ...], str]


def hang_report(grids: list[Grid], spinning: list[Warp], idle: int) -> Report:
    """(code, headline, instruction, facts, help) of a hang."""
    stuck = _stuck_barrier(grids)
    if stuck is not None and not spinning:
        return _barrier_report(*stuck)
    facts = [("waits", line) for line in _wait_lines(grids)]
    instruction = None
    if spinning:
        instruction = _instruction(spinning[0])
        facts = [("spins", line) for line in _spin_lines(spinning)] + facts
    elif facts:
        instruction = next(
            (_instruction(w) for g in grids for c in g.resident.values() for w in c.warps if w.live), None
        )
    facts += [("absent", line) for line in _not_resident(grids)]
    if spinning:
        text = f"a hang: {idle:,} warp instructions without any change of memory, barriers or warps"
        fix = "what should end the loop, and who writes it?"
    else:
        text = "a hang: every warp waits"
        fix = "the lanes of a member mask must all come to the instruction, or exit"
    if _not_resident(grids):
        fix = "a CTA must not wait for a CTA that can only start after it has ended; launch fewer CTAs"
    first = {key: index for index, (key, _) in reversed(list(enumerate(facts)))}
    shown = tuple((key if first[key] == n else "", line) for n, (key, line) in enumerate(facts[: 2 * MOST_LINES]))
    return "PTX-H0401", text, instruction, shown, fix


def _instruction(warp: Warp) -> Instruction:
    lane = int(np.flatnonzero(lanes_of(warp.live))[0])
    instructions: list[Instruction] = warp.cta.grid.program.instructions
    return instructions[int(warp.pc[lane])]


def _place(warp: Warp) -> str:
    grid = warp.cta.grid
    return f"{grid.name} on device {grid.device}, block {warp.cta.index} warp {warp.index}"


def _spin_lines(spinning: list[Warp]) -> list[str]:
    lines = []
    for warp in spinning[:MOST_LINES]:
        instruction = _instruction(warp)
        lines.append(f"{_place(warp)}: line {instruction.line}  {instruction.text}")
    if len(spinning) > MOST_LINES:
        lines.append(f"and {len(spinning) - MOST_LINES} more warps")
    return lines


def _wait_lines(grids: list[Grid]) -> list[str]:
    found: Counter[str] = Counter()
    for grid in grids:
        for cta in grid.resident.values():
            for warp in cta.warps:
                found.update(_warp_waits(warp))
    lines = [text + (f"  (and {count - 1} like it)" if count > 1 else "") for text, count in found.items()]
    return lines[:MOST_LINES] + ([f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else [])


def _warp_waits(warp: Warp) -> list[str]:
    lines = []
    for (opcode, mask), there in warp.rendezvous.items():
        missing = mask & warp.live & ~there
        line = _line(warp, there)
        lines.append(f"{_place(warp)}: {opcode} at line {line} waits for lanes {_lane_list(missing)} of {mask:#010x}")
    for number, barrier in enumerate(warp.cta.barriers):
        lanes = barrier.waiting.get(warp.index, 0)
        if lanes:
            lines.append(f"{_place(warp)}: barrier {number} at line {_line(warp, lanes)}, lanes {_lane_list(lanes)}")
    return lines


def _line(warp: Warp, lanes: int) -> int:
    pc = int(warp.pc[lanes_of(lanes)][0])
    line: int = warp.cta.grid.program.instructions[pc].line
    return line


def _lane_list(mask: int) -> str:
    """`0-15, 20`."""
    parts, lane = [], 0
    while lane < WARP_SIZE:
        if mask >> lane & 1:
            end = lane
            while end + 1 < WARP_SIZE and mask >> (end + 1) & 1:
                end += 1
            parts.append(f"{lane}-{end}" if end > lane else f"{lane}")
            lane = end
        lane += 1
    return ", ".join(parts) or "none"


def _stuck_barrier(grids: list[Grid]) -> tuple[Cta, int, Barrier] | None:
    for grid in grids:
        for cta in grid.resident.values():
            for number, barrier in enumerate(cta.barriers):
                if barrier.waiting:
                    return cta, number, barrier
    return None


def _barrier_report(cta: Cta, number: int, barrier: Barrier) -> Report:
    waiting = [cta.warps[index] for index in sorted(barrier.waiting)]
    first = waiting[0]
    pc = int(first.pc[lanes_of(barrier.waiting[first.index])][0])
    instruction: Instruction = cta.grid.program.instructions[pc]
    expected = barrier.count // WARP_SIZE if barrier.count else sum(bool(w.live) for w in cta.warps)
    text = f"{instruction.text.rstrip(';')} in block {cta.index} of {cta.grid.name} can never complete"
    facts: list[tuple[str, str]] = [
        ("expects", f"{expected} warps, {barrier.arrivals} have arrived (barrier {number})")
    ]
    for warp in waiting:
        lanes = barrier.waiting[warp.index]
        facts.append(("waiting", f"warp {warp.index} at line {_line(warp, lanes)}, lanes {_lane_list(lanes)}"))
    for warp in cta.warps:
        lanes = barrier.waiting.get(warp.index, 0)
        if not warp.live:
            facts.append(("missing", f"warp {warp.index}: exited"))
        elif warp.live & ~lanes:
            rest = warp.live & ~lanes
            facts.append(("missing", f"warp {warp.index}: lanes {_lane_list(rest)} at line {_line(warp, rest)}"))
    fix = "every warp that the barrier counts must come to it; move it out of the branch, or count fewer threads"
    if not any(key == "missing" for key, _ in facts):
        fix = f"its count of {barrier.count} threads is more than the block has at this barrier"
    return "PTX-B0301", text, instruction, tuple(facts[:MOST_LINES]), fix


def _not_resident(grids: list[Any]) -> list[str]:
    lines = []
    for grid in grids:
        absent = grid.cta_count - grid.next_cta
        if absent:
            lines.append(
                f"{absent:,} of {grid.cta_count:,} CTAs of {grid.name} on device {grid.device} never became resident"
                f" ({len(grid.resident):,} are)"
            )
    return lines
