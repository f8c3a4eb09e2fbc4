"""An instruction in words, with its operands' values; a chain of pointers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import WIDTH, clip, paint
from emulator.debugger.panes import source
from emulator.debugger.panes.registers import base_of, value_of
from emulator.debugger.patterns import compress, lane_cell
from emulator.debugger.session import Session
from emulator.debugger.targets import located, name_at, variable_at
from emulator.debugger.writers import registers_in
from emulator.errors import CODES
from emulator.explanations import EXPLANATIONS
from emulator.isa.registry import candidates, lookup
from emulator.isa.registry import entries as all_entries
from emulator.program import Instruction
from emulator.program.operands import Immediate, Memory, Operand, Register, Special, Symbol, Targets
from emulator.program.scopes import nearest
from emulator.ptx_types import TYPES

DEEPEST = 8


def here(session: Session) -> list[str]:
    """The next instruction: what it does, its operands and their values over the lanes that stand there."""
    instruction = session.instruction
    entry = instruction.variant.entry
    text = source.stripped(source.code(instruction.source, instruction.line))
    lines: list[str] = [clip(paint(f" line {instruction.line}  ", text))]
    lines += textwrap.wrap(f"{instruction.opcode}: {entry.summary} (PTX manual {entry.section})", WIDTH - 2,
                           initial_indent="  ", subsequent_indent="  ")  # fmt: skip
    if instruction.guard is not None:
        sign = "!" * instruction.guard_negated
        lines.append(_operand(session, f"@{sign}", instruction.guard))
    for operand in instruction.results:
        if operand is not None:
            lines += [f"{line}   (is written)" for line in _operands(session, operand)]
    for operand in instruction.sources:
        lines += _operands(session, operand)
    return [clip(line) for line in lines]


def _operands(session: Session, operand: Operand) -> Iterator[str]:
    place = operand.place
    if isinstance(place, Memory) and isinstance(place.base, Register):
        yield _operand(session, f"[{operand.name}]", place.base, f"{place.offset:+d}" if place.offset else "")
    elif isinstance(place, Immediate):
        yield f"  {operand.name:6} {_constant(operand, place)}"
    elif isinstance(place, Special):
        yield f"  {operand.name:6} %{place.name}"
    elif isinstance(place, Symbol):
        yield f"  {operand.name:6} the address of {place.storage.name}"
    elif isinstance(place, Targets):
        lines = [str(session.require_warp().cta.grid.program.instructions[pc].line) for pc in place.pcs[:6]]
        yield f"  {operand.name:6} line {', '.join(lines)}"
    else:
        for register in registers_in(operand):
            yield _operand(session, operand.name, register)


def _constant(operand: Operand, place: Immediate) -> str:
    kind = operand.type
    if kind is not None and kind.kind == "f" and kind.width in (32, 64):
        return str(np.array([place.bits], f"u{kind.bytes}").view(f"f{kind.bytes}")[0])
    return f"{place.bits:#x}" if place.bits > 0xFFFF else str(place.bits)


def _operand(session: Session, name: str, register: Register, more: str = "") -> str:
    """`  a      %f2   f32  16.0 + lane      lane 5: 21.0`."""
    warp = session.require_warp()
    value = value_of(warp.cta.grid.program, register, warp.state)
    base = base_of(warp.cta.grid.program, register, value)
    pattern = compress(value, session.group, base, 34)
    mine = f"  lane {session.lane}: {lane_cell(value, session.lane, base)}" if "lane" in pattern else ""
    kind = value.type.name if value.type is not None else ""
    return f"  {name:6} {register.name + more:10} {kind:4} {pattern}{mine}"


def of_code(code: str) -> list[str]:
    """A diagnostic's code."""
    found = EXPLANATIONS[code]
    return [
        f"{code}: {CODES[code]}",
        *textwrap.wrap(found.text, WIDTH),
        *textwrap.wrap(f"What to do: {found.fix}", WIDTH),
    ]


def of_opcode(opcode: str) -> list[str]:
    """The syntax lines and meaning of an opcode or a mnemonic."""
    entries = [variant.entry for variant in lookup(opcode)] or list(candidates(opcode.partition(".")[0]))
    if not entries:
        known = [*CODES, *(entry.mnemonic for entry in all_entries())]
        raise DebuggerError(
            f"no instruction and no code is {opcode}", help=nearest(opcode, known) or "such as bar.sync, or PTX-M0101"
        )
    lines = []
    for entry in entries:
        head = f"{entry.signature.line}  (PTX manual {entry.section})"
        lines += textwrap.wrap(head, WIDTH, subsequent_indent="    ") + textwrap.wrap(
            entry.summary, WIDTH, initial_indent="  ", subsequent_indent="  "
        )
    return lines


def instruction_json(instruction: Instruction) -> dict[str, Any]:
    """For --json."""
    entry = instruction.variant.entry
    return {"line": instruction.line, "text": instruction.text, "summary": entry.summary, "section": entry.section}


def chain(session: Session, space: str, address: int) -> tuple[list[str], list[dict[str, Any]]]:
    """`telescope`: what lies at an address, and where that points to, as far as it points anywhere."""
    lines: list[str] = []
    rows: list[dict[str, Any]] = []
    seen: set[int] = set()
    while len(lines) < DEEPEST and address not in seen:
        seen.add(address)
        variable = variable_at(session, space, address)
        name = name_at(variable, space, address, variable.kind.bytes) if variable is not None else ""
        try:
            word = located(session, space, address, 8, TYPES["u64"], session.lane)
        except DebuggerError:
            if lines:
                break
            raise
        raw = word.bytes_of(session)
        assert raw is not None
        bits = int(word.values(raw)[0])
        kind = variable.kind if variable is not None else TYPES["b32"]
        element = located(session, space, address, kind.bytes, kind, session.lane)
        value = element.show(raw[: kind.bytes])
        lines.append(clip(f"  {address:#x}  {name:24} {bits:#018x}  {kind.name} {value}"))
        rows.append({"address": address, "name": name, "bits": bits, "type": kind.name, "value": value})
        space, address = "generic", bits
        if not _is_pointer(session, bits):
            break
    return lines, rows


def _is_pointer(session: Session, bits: int) -> bool:
    return session.runner.memory.find(bits) is not None or bits >> 32 in (0x6F00, 0x6E00)
