"""Why an opcode has no variant: no PTX instruction, a wrong modifier, or one not executed yet."""

from __future__ import annotations

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError, Source, Span, UnsupportedInstruction
from emulator.isa.manual_index import SECTIONS, section_of
from emulator.isa.registry import Entry, candidates
from emulator.parse import nodes
from emulator.program.scopes import nearest


def opcode_span(node: nodes.Instruction, source: Source) -> Span:
    """Where the opcode stands."""
    word = node.opcode.partition(".")[0]
    start = source.text.find(word, node.span.start)
    return Span(start, start + len(node.opcode))


def unknown_opcode(node: nodes.Instruction, source: Source) -> PtxError:
    """The error for an opcode that no syntax line admits."""
    word, *parts = node.opcode.split(".")
    span = opcode_span(node, source)
    entries = [entry for entry in candidates(word) if _literals(entry) <= set(parts)] or candidates(word)
    section = section_of(node.opcode)
    if section is None:
        fix = nearest(word, SECTIONS)
        text = f"unknown instruction {word}"
        return PtxSemanticError(Diagnostic("PTX-P0101", "semantic", text, source, (Label(span),), help=fix))
    if not entries or _head_is_unsupported(node.opcode):
        return unsupported(node.opcode, section, source, span)
    return _wrong_modifier(node, entries, tuple(parts), source, span)


def unsupported(opcode: str, section: str, source: Source, span: Span) -> UnsupportedInstruction:
    """The error for valid PTX that is not executed yet."""
    text = f"{opcode} is not executed yet"
    note = (f"the manual describes it in section {section}",)
    return UnsupportedInstruction(Diagnostic("PTX-P0201", "unsupported", text, source, (Label(span),), notes=note))


def _literals(entry: Entry) -> set[str]:
    """The literal modifiers that an entry insists on, such as `async` of cp.async."""
    return {next(iter(slot.values)) for slot in entry.signature.slots if slot.literal and not slot.optional}


def _head_is_unsupported(opcode: str) -> bool:
    """Whether the longest head of the manual's index (cp.async.bulk) has no syntax line of ours."""
    parts = opcode.split(".")
    for length in range(len(parts), 1, -1):
        if ".".join(parts[:length]) in SECTIONS:
            needed = set(parts[1:length])
            return not any(needed <= _known(entry) for entry in candidates(parts[0]))
    return False


def _known(entry: Entry) -> set[str]:
    return {value for slot in entry.signature.slots for value in slot.values}


def _wrong_modifier(
    node: nodes.Instruction, entries: list[Entry], parts: tuple[str, ...], source: Source, span: Span
) -> PtxSemanticError:
    def distance(entry: Entry) -> int:
        return sum(part not in _known(entry) for part in parts)

    best = min(entries, key=distance)
    bad = best.signature.unknown_part(parts)
    if bad is not None:
        known = {value for entry in entries for value in _known(entry)}
        text = f"{node.opcode.partition('.')[0]} has no modifier .{bad} here"
        fix = nearest(bad, known)
        at = source.text.find("." + bad, span.start)
        span = Span(at, at + len(bad) + 1) if at >= 0 else span
    else:
        text = f"the modifiers of {node.opcode} are incomplete, out of order or do not go together"
        fix = ""
    lines = dict.fromkeys(entry.signature.line for entry in sorted(entries, key=distance))
    forms = tuple(("form" if n == 0 else "", line) for n, line in enumerate(list(lines)[:6]))
    return PtxSemanticError(Diagnostic("PTX-P0102", "semantic", text, source, (Label(span),), forms, help=fix))
