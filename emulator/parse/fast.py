"""The fast way through a body: whole statements by regular expression, operands by their text.

An operand's spelling is parsed once per module and its node is shared.  What does not fit here is left to
the cursor, which is slower, takes everything, and is where errors come from; the results are the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from emulator.errors import Source, Span
from emulator.parse.cursor import Cursor, SyntaxFailure
from emulator.parse.lexer import TRIVIA
from emulator.parse.nodes import (
    Address,
    Float,
    Guard,
    Instruction,
    Integer,
    LabelMark,
    Loc,
    Name,
    Offset,
    Operand,
    Statement,
    Vector,
)
from emulator.parse.operands import operand

_NAME = r"(?!WARP_SZ\b)(?:[A-Za-z][\w$]*+|[_$%][\w$]++)"

# Groups: the statement, its guard, its opcode, its operands.  Operands with a comment, a string or a
# ternary take the slow way.
_STATEMENT = re.compile(
    TRIVIA
    + rf"((@!?{_NAME}[ \t]+)?([a-z]\w*(?:\.[0-9]*+[A-Za-z_]\w*+(?:::\w+)*+)*+)(?:[ \t]++(?!\s*\.)([^;/\"#@:?]*+))?+;)",
    re.ASCII | re.DOTALL,
)
# A label, or a `.loc` line as compilers write it.  A label of `.branchtargets` and its like is left alone.
_PLACE = r"(0|[1-9][0-9]{0,8})[ \t]+(0|[1-9][0-9]{0,8})[ \t]+(0|[1-9][0-9]{0,8})"
_MARK = re.compile(
    rf"{TRIVIA}(?:({_NAME})[ \t]*+:(?!:)(?!{TRIVIA}\.(?:branch|call))|(\.loc[ \t]+{_PLACE}"
    rf"(?:,[ \t]*function_name[ \t]+([\w.$]+)(?:\+([1-9][0-9]{{0,8}}))?,[ \t]*inlined_at[ \t]+{_PLACE})?)"
    r"(?=\s)(?![ \t]*,))",
    re.ASCII | re.DOTALL,
)
# The commonest operands: a name, `[name+4]`, `{name, name}`, a decimal integer, `0f3F800000`.
_WORD = rf"(?:{_NAME}|_)"
_DECIMAL = r"-?(?:0|[1-9][0-9]{0,17})"
_COMMON = re.compile(
    rf"\s*(?:({_WORD})|\[\s*({_WORD})\s*(?:\+\s*({_DECIMAL})\s*)?\]|\{{((?:\s*{_WORD}\s*,)*\s*{_WORD}\s*)\}}"
    rf"|({_DECIMAL})|0[fF]([0-9a-fA-F]{{8}}))\s*",
    re.ASCII,
)
# The top-level parts of an operand list with braces or parentheses.
_PART = re.compile(r"(?:[^,{}()\[\]]++|\{[^{}]*\}|\([^()]*\)|\[(?:[^\[\]{}]|\{[^{}]*\})*\])+")

_new_span: Callable[[tuple[int, int]], Span] = functools.partial(tuple.__new__, Span)


class FastStatements:
    """Reads runs of ordinary statements of one text; its tables live as long as the parse."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._operands = _Operands(lists=False)
        self._call_operands = _Operands(lists=True)
        self._guards = _Guards()
        self._opcodes: dict[str, str] = {}

    def read(self, at: int, statements: list[Statement]) -> int:
        """Append ordinary statements as long as they come; the offset where they end."""
        match_statement, text = _STATEMENT.match, self.text
        guards, opcodes, lookup = self._guards, self._opcodes, self._operands.__getitem__
        append = statements.append
        while True:
            if (match := match_statement(text, at)) is None:
                if (match := _MARK.match(text, at)) is None:
                    return at
                append(_mark(match))
                at = match.end()
                continue
            guard, opcode, written = match.group(2, 3, 4)
            try:
                if written is None:
                    found: tuple[Operand, ...] = ()
                elif "{" in written or "(" in written:
                    found = self._nested(opcode, written)
                else:
                    found = tuple(map(lookup, written.split(",")))
            except SyntaxFailure:
                return at
            opcode = opcodes.setdefault(opcode, opcode)
            append(Instruction(opcode, found, guards[guard] if guard else None, _new_span(match.span(1))))
            at = match.end()

    def _nested(self, opcode: str, written: str) -> tuple[Operand, ...]:
        """Operands with braces or parentheses, cut at the commas outside them."""
        parts = _PART.findall(written)
        if sum(map(len, parts)) + len(parts) - 1 != len(written):
            parts = [written]  # unbalanced: no operand either, and looking it up fails
        return tuple(map((self._call_operands if opcode.startswith("call") else self._operands).__getitem__, parts))


class _Operands(dict[str, Operand]):
    """Operands by their text; a new text is parsed, and SyntaxFailure says that it is no single operand."""

    def __init__(self, lists: bool) -> None:
        super().__init__()
        self.lists = lists

    def __missing__(self, text: str) -> Operand:
        match = _COMMON.fullmatch(text)
        found = self[text] = self._parsed(text) if match is None else self._common(match)
        return found

    def _common(self, match: re.Match[str]) -> Operand:
        name, base, offset, elements, integer, single = match.groups()
        if name:
            return Name(name)
        if base:
            return Address((Offset(Name(base), int(offset)) if offset else Name(base),))
        if elements:
            return Vector(tuple(map(self.__getitem__, elements.split(","))))
        return Integer(int(integer)) if integer else Float(int(single, 16), 32)

    def _parsed(self, text: str) -> Operand:
        cursor = Cursor(Source(text))
        found = operand(cursor, self.lists)
        if cursor.kind != "end":
            cursor.unexpected("one operand")
        return found


class _Guards(dict[str, Guard]):
    """Guards by their text, as _STATEMENT finds them."""

    def __missing__(self, text: str) -> Guard:
        name = text[1:].strip()
        found = self[text] = Guard(name.removeprefix("!"), name[0] == "!")
        return found


def _mark(match: re.Match[str]) -> LabelMark | Loc:
    """The label or `.loc` line that _MARK found."""
    label, _, *places = match.groups()
    if label:
        return LabelMark(label, Span(*match.span(1)))
    file, line, column, function, offset, *inlined = places
    inlined_at = (int(inlined[0]), int(inlined[1]), int(inlined[2])) if function else None
    return Loc(int(file), int(line), int(column), function, int(offset or 0), inlined_at, Span(*match.span(2)))
