"""Places in a program: a line, a label, a kernel, opcode:bar.sync, file:line through `.loc`, *PC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from emulator.debugger.errors import DebuggerError
from emulator.parse import nodes
from emulator.program import Program
from emulator.program.scopes import nearest

A_PLACE = "a line, a label, a function, opcode:bar.sync, file:line"


@dataclass(frozen=True, eq=False)
class Place:
    """Where a text points to: pcs by program."""

    text: str
    pcs: dict[Program, frozenset[int]]

    def describe(self) -> str:
        """`line 12`, `3 places`."""
        lines = sorted({program.instructions[pc].line for program, pcs in self.pcs.items() for pc in pcs})
        if len(lines) == 1:
            return f"line {lines[0]}"
        return f"lines {', '.join(map(str, lines[:4]))}{', ...' if len(lines) > 4 else ''} ({len(lines)})"


def find_place(text: str, programs: Iterable[Program], here: int | None = None) -> Place:
    """The place of a text in some programs; DebuggerError if there is none.  here: the pc that `.` means."""
    text = text.strip()
    programs = list(programs)
    pcs = {program: frozenset(_pcs(text, program, here)) for program in programs}
    found = {program: some for program, some in pcs.items() if some}
    if not found:
        raise _nothing(text, programs)
    return Place(text, found)


def _pcs(text: str, program: Program, here: int | None) -> Iterable[int]:
    if text in (".", ""):
        return () if here is None else (here,)
    if text.startswith("*") and text[1:].strip().isdecimal():
        pc = int(text[1:])
        return (pc,) if pc < len(program.instructions) else ()
    if text.isdecimal():
        return at_line(program, int(text))
    head, colon, tail = text.rpartition(":")
    if colon and head == "opcode":
        return [i.pc for i in program.instructions if f"{i.opcode}.".startswith(f"{tail}.")]
    if colon and tail.isdecimal():
        return _in_file(program, head, int(tail))
    function = program.functions.get(text)
    if function is not None and not function.external:
        return (function.first_pc,)
    return labels_of(program).get(text, ())


def at_line(program: Program, line: int) -> list[int]:
    """The first instruction of a PTX line, or of the next line that has one in the same function."""
    best: tuple[int, int] | None = None
    for instruction in program.instructions:
        if instruction.line >= line and (best is None or instruction.line < best[0]):
            best = instruction.line, instruction.pc
    return [best[1]] if best is not None else []


def labels_of(program: Program) -> dict[str, list[int]]:
    """Labels of all functions and the pcs that they name."""
    found: dict[str, list[int]] = {}
    for function in program.functions.values():
        for scope in {id(scope): scope for _, scope in function.scopes}.values():
            for name, pc in scope.labels.items():
                found.setdefault(name, []).append(pc)
    return found


def files_of(program: Program) -> dict[int, str]:
    """Source files of `.file`, by number."""
    return {item.index: item.path for item in program.module.items if isinstance(item, nodes.File)}


def _in_file(program: Program, name: str, line: int) -> list[int]:
    if PurePath(name).name == PurePath(program.source.name).name:
        return at_line(program, line)
    numbers = {number for number, path in files_of(program).items() if _is_named(path, name)}
    found: list[int] = []
    previous = False
    for instruction in program.instructions:
        loc = instruction.loc
        here = loc is not None and loc.file in numbers and loc.line == line
        if here and not previous:
            found.append(instruction.pc)
        previous = here
    return found


def _is_named(path: str, name: str) -> bool:
    parts = PurePath(name).parts
    return PurePath(path).parts[-len(parts) :] == parts


def _nothing(text: str, programs: list[Program]) -> DebuggerError:
    names = [name for program in programs for name in (*program.functions, *labels_of(program))]
    head, colon, _ = text.rpartition(":")
    if text.isdecimal():
        last = max((i.line for program in programs for i in program.instructions), default=0)
        return DebuggerError(f"no instruction at or after line {text}", help=f"the last one is at line {last}")
    if head == "opcode" and text.endswith(":"):
        return DebuggerError("which opcode?", help="such as opcode:bar.sync")
    if head == "opcode":
        opcodes = {i.opcode for program in programs for i in program.instructions}
        return DebuggerError(f"no instruction here is {text.removeprefix('opcode:')}", help=nearest(text[7:], opcodes))
    if colon:
        files = sorted({PurePath(path).name for program in programs for path in files_of(program).values()})
        known = f"files of .loc: {', '.join(files)}" if files else "this text has no .loc lines"
        return DebuggerError(f"no instruction belongs to {text}", help=known)
    if not text:
        return DebuggerError("nothing is running here: name a place", help="a line, a label, opcode:bar.sync")
    filtered = re.search(r"\s(thread|lane|warp|block)\b", text)
    if filtered:
        help = "a warp by number, a block as 3 or (3,0,0); lanes go into a condition: if lane 5"
        return DebuggerError("a place may be followed by if COND, warp N, block X", text, *filtered.span(1), help=help)
    return DebuggerError(f"{text!r} is no line, label or function here", help=nearest(text, names) or A_PLACE)
