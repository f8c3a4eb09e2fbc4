"""Who waits where for what, when nothing can go on or nothing changes any more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.engines.mbarrier_report import Wait, wait_lines, waits_of
from emulator.machine.cta import Barrier, Cta
from emulator.machine.device import DeviceState, Stream
from emulator.machine.grid import Grid
from emulator.machine.warp import Warp, lanes_of
from emulator.program import Instruction
from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps

MOST_LINES = 12
Report = tuple[str, str, "Instruction | None", tuple[tuple[str, str], ...], str]


def hang_report(devices: list[DeviceState], ops: ReferenceOps, spinning: list[Warp], idle: int) -> Report:
    """(code, headline, instruction, facts, help) of a hang."""
    grids = [grid for device in devices for grid in device.grids]
    streams = [stream for device in devices for stream in device.streams]
    stuck = _stuck_barrier(grids)
    if stuck is not None and not spinning:
        return _barrier_report(*stuck)
    facts = [("waits", line) for line in _wait_lines(grids)]
    instruction = None
    if spinning:
        waits, rest = _mbarrier_waits(ops, spinning)
        instruction = waits[0].instruction if waits else _instruction(spinning[0])
        lines = wait_lines(waits)
        more = [f"and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
        facts = [("mbarrier", line) for line in lines[:MOST_LINES] + more] + facts
        facts = [("spins", line) for line in _spin_lines(rest)] + facts
    elif facts:
        instruction = next(
            (_instruction(w) for g in grids for c in g.resident.values() for w in c.warps if w.live), None
        )
    facts += [("absent", line) for line in (*_not_resident(grids), *_in_streams(streams))]
    if spinning and not rest:
        text = "a hang: whoever could go on waits for an mbarrier whose phase does not complete"
        fix = "count the arrivals that mbarrier.init expects and the bytes that come; is it the parity of this round?"
    elif spinning:
        text = f"a hang: {idle:,} warp instructions without any change of memory, barriers or warps"
        fix = "what should end the loop, and who writes it? For a long computation raise System(hang_after=...)"
    else:
        text = "a hang: every warp waits"
        fix = "the lanes of a member mask must all come to the instruction, or exit"
    if _not_resident(grids):
        fix = "a CTA must not wait for a CTA that can only start after it has ended; launch fewer CTAs"
    first = {key: index for index, (key, _) in reversed(list(enumerate(facts)))}
    shown = tuple((key if first[key] == n else "", line) for n, (key, line) in enumerate(facts[: 2 * MOST_LINES]))
    return "PTX-H0401", text, instruction, shown, fix


def _mbarrier_waits(ops: ReferenceOps, warps: list[Warp]) -> tuple[list[Wait], list[Warp]]:
    """What warps wait for, by CTA and warp, and the warps that do something else."""
    waits, rest = [], []
    for warp in sorted(warps, key=lambda warp: (warp.cta.grid.number, warp.cta.linear, warp.index)):
        found = waits_of(ops, warp)
        if found is None:
            rest.append(warp)
        else:
            waits += found
    return waits, [warp for warp in warps if warp in rest]


def _instruction(warp: Warp) -> Instruction:
    """Where a warp stands: its first lane that can run, or that waits."""
    lane = int(np.flatnonzero(lanes_of(warp.runnable or warp.live))[0])
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
        lines.append(f"{_place(warp)}: {opcode} at line {line} waits for {_numbers('lane', missing)} of {mask:#010x}")
    for number, barrier in enumerate(warp.cta.barriers):
        lanes = barrier.waiting.get(warp.index, 0)
        if lanes:
            lines.append(f"{_place(warp)}: barrier {number} at line {_line(warp, lanes)}, {_numbers('lane', lanes)}")
    return lines


def _line(warp: Warp, lanes: int) -> int:
    pc = int(warp.pc[lanes_of(lanes)][0])
    line: int = warp.cta.grid.program.instructions[pc].line
    return line


def _numbers(what: str, mask: int) -> str:
    """`lanes 0-15, 20`, `warp 3`."""
    return f"{what}{'s' if mask & mask - 1 else ''} {_ranges(mask)}"


def _ranges(mask: int) -> str:
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
    first = cta.warps[min(barrier.waiting)]
    pc = int(first.pc[lanes_of(barrier.waiting[first.index])][0])
    instruction: Instruction = cta.grid.program.instructions[pc]
    expected = barrier.count // WARP_SIZE if barrier.count else sum(bool(w.live) for w in cta.warps)
    text = f"{instruction.text.rstrip(';')} in block {cta.index} of {cta.grid.name} can never complete"
    verb = "has" if barrier.arrivals == 1 else "have"
    expects = f"{expected} warp{'s' * (expected != 1)}, {barrier.arrivals} {verb} arrived (barrier {number})"
    facts = [("expects", expects)]
    lines = _barrier_lines(cta, barrier)
    for kind in ("waiting", "missing", "arrived"):
        keys = [kind] + [""] * len(lines)
        facts += list(zip(keys, lines.get(kind, ()), strict=False))
    fix = "every warp that the barrier counts must come to it; move it out of the branch, or count fewer threads"
    if "missing" not in lines:
        fix = f"its count of {barrier.count} threads is more than the block has at this barrier"
    return "PTX-B0301", text, instruction, tuple(facts), fix


def _barrier_lines(cta: Cta, barrier: Barrier) -> dict[str, list[str]]:
    """Who waits, who is missing and who has arrived and gone on: lines by these words, warps in one state in one."""
    warps: dict[tuple[str, str], int] = {}
    for warp in cta.warps:
        for state in _warp_states(warp, barrier):
            warps[state] = warps.get(state, 0) | 1 << warp.index
    lines: dict[str, list[str]] = {}
    for (kind, where), mask in warps.items():
        several = mask & mask - 1
        text = where.replace("its lanes", "their lanes") if several else where
        lines.setdefault(kind, []).append(f"{_numbers('warp', mask)}{text}")
    for kind, found in lines.items():
        if len(found) > MOST_LINES:
            lines[kind] = [*found[:MOST_LINES], f"and {len(found) - MOST_LINES} more"]
    return lines


def _warp_states(warp: Warp, barrier: Barrier) -> list[tuple[str, str]]:
    """(waiting, missing or arrived; where) of the lanes of a warp."""
    if not warp.live:
        return [("missing", ": exited")]
    here = barrier.waiting.get(warp.index, 0) | barrier.passing.get(warp.index, 0)
    rest = "arrived" if warp.index in barrier.arrived else "missing"
    states = [("waiting", lanes) for lanes in _by_line(warp, here)]
    states += [(rest, lanes) for lanes in _by_line(warp, warp.live & ~here)]
    return [(kind, _lanes_at(warp, lanes)) for kind, lanes in states]


def _by_line(warp: Warp, mask: int) -> list[int]:
    """Lanes as masks of those that stand at one line."""
    found: dict[int, int] = {}
    for lane in np.flatnonzero(lanes_of(mask)):
        line = _line(warp, 1 << int(lane))
        found[line] = found.get(line, 0) | 1 << int(lane)
    return list(found.values())


def _lanes_at(warp: Warp, mask: int) -> str:
    lanes = "all its lanes" if mask == warp.live else _numbers("lane", mask)
    pc = int(warp.pc[lanes_of(mask)][0])
    return f", {lanes}, at line {_line(warp, mask)}  {warp.cta.grid.program.instructions[pc].text}"


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


def _in_streams(streams: list[Stream]) -> list[str]:
    """Launches behind others of their stream."""
    waiting = Counter(
        (work.name, stream.device) for stream in streams for work in stream.pending if isinstance(work, Grid)
    )
    return [
        f"{count} launch{'es' * (count > 1)} of {name} wait{'s' * (count == 1)} in {'its' if count == 1 else 'their'}"
        f" stream on device {device}"
        for (name, device), count in waiting.items()
    ]
