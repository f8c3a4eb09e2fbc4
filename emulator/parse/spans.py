"""Where the parts of an instruction stand in its source, found again when a diagnostic asks.

Operand nodes are shared between instructions and carry no position, so the statement's text is split once
more, by brackets and commas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from emulator.errors import Source, Span
from emulator.parse.lexer import match_token, opcode_end

if TYPE_CHECKING:
    from emulator.parse.nodes import Instruction

_OPENERS = frozenset("([{")
_CLOSERS = frozenset(")]}")


class InstructionSpans(NamedTuple):
    """The places of an instruction's parts; guard with its `@`, operands in order."""

    guard: Span | None
    opcode: Span
    operands: list[Span]


def instruction_spans(source: Source, instruction: Instruction) -> InstructionSpans:
    """The places of guard, opcode and operands; the whole statement stands for what is not in the source."""
    text, (start, end) = source.text, instruction.span
    guard = None
    match = match_token(text, start)
    if match.group("punctuation") == "@":
        at = match.end()
        match = match_token(text, at)
        if match.group("punctuation") == "!":
            match = match_token(text, match.end())
        guard = Span(start, match.end())
        match = match_token(text, match.end())
    if match.lastgroup != "name" or match.end() > end:
        return InstructionSpans(guard and instruction.span, instruction.span, _whole(instruction))
    opcode = Span(match.start("name"), opcode_end(text, match.end()))
    operands = _split(text, opcode.end, end)
    if len(operands) != len(instruction.operands):
        operands = _whole(instruction)
    return InstructionSpans(guard, opcode, operands)


def operand_spans(source: Source, instruction: Instruction) -> list[Span]:
    """The places of an instruction's operands, in order."""
    return instruction_spans(source, instruction).operands


def opcode_span(source: Source, instruction: Instruction) -> Span:
    """The place of the dotted word."""
    return instruction_spans(source, instruction).opcode


def guard_span(source: Source, instruction: Instruction) -> Span | None:
    """The place of `@p` or `@!p`."""
    return instruction_spans(source, instruction).guard


def element_spans(source: Source, operand: Span) -> list[Span]:
    """The places of the elements of a `{...}`, `[...]` or `(...)` that stands at `operand`."""
    match = match_token(source.text, operand.start)
    if match.group("punctuation") not in _OPENERS:
        return [operand]
    return _split(source.text, match.end(), operand.end)


def _whole(instruction: Instruction) -> list[Span]:
    return [instruction.span] * len(instruction.operands)


def _split(text: str, at: int, end: int) -> list[Span]:
    """The pieces between commas outside brackets, up to `;`, a closing bracket or `end`."""
    found: list[Span] = []
    first, last, depth = -1, at, 0
    while at < end:
        match = match_token(text, at)
        start, at = match.span(str(match.lastgroup))
        word = text[start:at]
        if depth == 0 and (word in (";", ",") or word in _CLOSERS or match.lastgroup == "end"):
            if first >= 0:
                found.append(Span(first, last))
            if word != ",":
                return found
            first = -1
            continue
        depth += (word in _OPENERS) - (word in _CLOSERS)
        first = start if first < 0 else first
        last = at
    return [*found, Span(first, last)] if first >= 0 else found
