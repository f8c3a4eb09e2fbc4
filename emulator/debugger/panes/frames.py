"""The calls that led here."""

from __future__ import annotations

from typing import Any

import numpy as np

from emulator.debugger.lines import clip, paint
from emulator.debugger.panes import source
from emulator.debugger.session import Session
from emulator.machine.warp import Warp

RECORD_BYTES = 12  # of a call on a lane's stack: return pc, frame, size of what is saved below


def pcs_of(warp: Warp, lane: int, pc: int) -> list[int]:
    """Where a lane stands, and the calls that it has come through, the last one first."""
    found, top = [pc], int(warp.call_top[lane])
    while top > 0:
        return_pc, _, saved = (int(n) for n in warp.call_stack[lane, top - RECORD_BYTES : top].view(np.int32))
        found.append(return_pc - 1)
        top -= RECORD_BYTES + saved
    return found


def backtrace(session: Session) -> tuple[list[str], list[dict[str, Any]]]:
    """`#1  kernel  line 30  call (%x), scramble, (%x);`"""
    warp = session.require_warp()
    program = warp.cta.grid.program
    at = [program.instructions[pc] for pc in pcs_of(warp, session.lane, session.pc)]
    names = max(len(instruction.function.name) for instruction in at)
    lines, rows = [], []
    for number, instruction in enumerate(at):
        name, text = instruction.function.name, source.code(instruction.source, instruction.line)
        lines.append(clip(paint(f"  #{number:<3} {name:{names}}  line {instruction.line}  ", source.stripped(text))))
        rows.append({"frame": number, "function": name, "line": instruction.line})
    return lines, rows
