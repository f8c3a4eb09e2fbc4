"""Why an opcode has no variant: no PTX instruction, a wrong modifier, or one not executed yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import NamedTuple

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError, Source, Span, UnsupportedInstruction
from emulator.isa.manual_index import SECTIONS, section_of
from emulator.isa.registry import Entry, candidates
from emulator.parse import nodes, opcode_span
from emulator.program.scopes import nearest
from emulator.ptx_types import TYPES

Parts = tuple[str, ...]
MOST_FORMS = 6
MOST_PERMUTED = 5


def unknown_opcode(node: nodes.Instruction, source: Source) -> PtxError:
    """The error for an opcode that no syntax line admits."""
    word, *parts = node.opcode.split(".")
    span = opcode_span(source, node)
    entries = [entry for entry in candidates(word) if _literals(entry) <= set(parts)] or candidates(word)
    section = section_of(node.opcode)
    if section is None:
        fix = nearest(word, SECTIONS)
        text = f"unknown instruction {word}"
        return PtxSemanticError(Diagnostic("PTX-P0101", "semantic", text, source, (Label(span),), help=fix))
    if not entries or _head_is_unsupported(node.opcode):
        return unsupported(node.opcode, section, source, span)
    return _wrong_modifier(node.opcode, entries, tuple(parts), source, span)


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


def forms_fact(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The syntax lines that a message shows."""
    return (("forms" if len(set(lines)) > 1 else "form", "\n".join(list(dict.fromkeys(lines))[:MOST_FORMS])),)


class _Repair(NamedTuple):
    """What is wrong: the message, which part the caret marks (None: all), the help, legal modifiers near by."""

    text: str
    at: int | None = None
    help: str = ""
    right: Parts | None = None


def _wrong_modifier(opcode: str, entries: list[Entry], parts: Parts, source: Source, span: Span) -> PtxSemanticError:
    def distance(entry: Entry) -> int:
        return sum(part not in _known(entry) for part in parts)

    known = {value for entry in entries for value in _known(entry)}
    bad = next((n for n, part in enumerate(parts) if part not in known), None)
    word = opcode.partition(".")[0]
    if bad is not None:
        help = nearest(parts[bad], known).replace("did you mean ", "did you mean .")
        repair = _Repair(f"{word} has no modifier .{parts[bad]}", bad, help)
    else:
        repair = _repair(word, entries, parts)
    if repair.at is not None:
        start = span.start + len(word) + sum(len(part) + 1 for part in parts[: repair.at])
        span = Span(start, start + 1 + len(parts[repair.at]))
    near = [entry for entry in entries if repair.right is not None and entry.signature.match(repair.right) is not None]
    facts = forms_fact([entry.signature.line for entry in near or sorted(entries, key=distance)])
    return PtxSemanticError(
        Diagnostic("PTX-P0102", "semantic", repair.text, source, (Label(span),), facts, help=repair.help)
    )


def _repair(word: str, entries: list[Entry], parts: Parts) -> _Repair:
    """What is wrong with modifiers that exist, told by the nearest opcode that is right."""
    opcode = _opcode(word, parts)
    for other in permutations(parts) if len(parts) <= MOST_PERMUTED else ():
        if _types(other) == _types(parts) and _fits(entries, other):
            return _Repair(f"the modifiers of {opcode} are out of order", None, f"write {_opcode(word, other)}", other)
    inserted = list(_insertions(entries, parts))
    if inserted:
        values = list(dict.fromkeys(value for value, _ in inserted))
        shown = " ".join(f".{value}" for value in values[:8]) + (" ..." if len(values) > 8 else "")
        what = shown if len(values) == 1 else f"{'a type' if values[0] in TYPES else 'a modifier'}: one of {shown}"
        other = inserted[0][1]
        return _Repair(f"{opcode} lacks {what}", None, f"such as {_opcode(word, other)}", other)
    for n in range(len(parts)):
        other = parts[:n] + parts[n + 1 :]
        if _fits(entries, other):
            rest = f".{parts[n]} with .{_types(other)[-1]}" if _types(other) else f".{parts[n]} here"
            return _Repair(f"{word} does not take {rest}", n, f"write {_opcode(word, other)}", other)
    for n, other in _substitutions(entries, parts):
        text = f"{word} does not take .{parts[n]} with its other modifiers"
        return _Repair(text, n, f"such as {_opcode(word, other)}", other)
    return _Repair(f"the modifiers of {opcode} do not go together")


def _opcode(word: str, parts: Parts) -> str:
    return ".".join((word, *parts))


def _types(parts: Parts) -> list[str]:
    return [part for part in parts if part in TYPES]


def _fits(entries: list[Entry], parts: Parts) -> bool:
    return any(entry.signature.match(parts) is not None for entry in entries)


def _insertions(entries: list[Entry], parts: Parts) -> Iterator[tuple[str, Parts]]:
    """(value, right modifiers) for every part that is missing from some syntax line."""
    for entry in entries:
        for slot in entry.signature.slots:
            for value in slot.values:
                for at in range(len(parts) + 1):
                    other = (*parts[:at], value, *parts[at:])
                    if entry.signature.match(other) is not None:
                        yield value, other
                        break


def _substitutions(entries: list[Entry], parts: Parts) -> Iterator[tuple[int, Parts]]:
    """(place, right modifiers) for every part that could be another one."""
    for entry in entries:
        for n in range(len(parts)):
            for slot in entry.signature.slots:
                for value in slot.values:
                    other = (*parts[:n], value, *parts[n + 1 :])
                    if entry.signature.match(other) is not None:
                        yield n, other
