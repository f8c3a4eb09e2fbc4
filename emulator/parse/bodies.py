"""The statements of a body, with recovery after an error.

Ordinary instructions go a fast way: one regular expression matches a whole statement, and every operand is
looked up by its text, so a spelling is parsed once per module.  Whatever does not fit goes token by token
through the cursor, which is also where errors come from.  Both ways use the same operand grammar.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from emulator.errors import Diagnostic, Label, Source, Span
from emulator.parse import directives
from emulator.parse.cursor import Cursor, SyntaxFailure
from emulator.parse.lexer import TRIVIA
from emulator.parse.nodes import (
    Address,
    Block,
    Float,
    Guard,
    Instruction,
    Integer,
    LabelMark,
    Name,
    Offset,
    Operand,
    Statement,
    Vector,
)
from emulator.parse.operands import operand, operand_list
from emulator.parse.variables import LINKAGES, MAX_NESTING, SPACES, variables

_MAX_ERRORS = 1000

# Groups: the statement, its guard, its opcode, its operands.  Operands with a comment, a string or a
# ternary take the slow way, as does a label before the statement.
_STATEMENT = re.compile(
    TRIVIA + r"((@!?[%$\w]+[ \t]+)?([a-z]\w*(?:\.\w+(?:::\w+)*+)*+)(?:[ \t]+([^;/\"#@:?]*+))?+;)", re.ASCII | re.DOTALL
)
# The top-level parts of an operand list with braces or parentheses.
_PART = re.compile(r"(?:[^,{}()\[\]]|\{[^{}]*\}|\([^()]*\)|\[(?:[^\[\]{}]|\{[^{}]*\})*\])+")
_LINE_START = re.compile(
    r"@|\}|\.(?:reg|param|local|shared|global|const|loc|pragma|entry|func|visible|extern|weak|common|version|target"
    r"|section|file|alias)\b|[a-z]\w*\.[a-z0-9]|[\w$%]+\s*:(?!:)|(?:ret|exit|trap)\s*;",
    re.ASCII,
)
_MODULE_WORDS = ".entry .func .version .target .address_size .section .alias .file"
_MODULE_ONLY = LINKAGES.union(_MODULE_WORDS.split())

_new_span: Callable[[tuple[int, int]], Span] = functools.partial(tuple.__new__, Span)


# The commonest operands: a name, `[name+4]`, `{name, name}`, a decimal integer, `0f3F800000`.
_NAME = r"(?!WARP_SZ\b)(?:[A-Za-z][\w$]*+|[_$%][\w$]++|_)"
_DECIMAL = r"-?(?:0|[1-9][0-9]{0,17})"
_COMMON = re.compile(
    rf"\s*(?:({_NAME})|\[\s*({_NAME})\s*(?:\+\s*({_DECIMAL})\s*)?\]|\{{((?:\s*{_NAME}\s*,)*\s*{_NAME}\s*)\}}"
    rf"|({_DECIMAL})|0[fF]([0-9a-fA-F]{{8}}))\s*",
    re.ASCII,
)


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


class BodyParser:
    """Parses bodies of a source; keeps the errors found so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.errors: list[Diagnostic] = []
        self.cursor = Cursor(source)
        self._operands = _Operands(lists=False)
        self._call_operands = _Operands(lists=True)
        self._guards = _Guards()
        self._opcodes: dict[str, str] = {}

    @property
    def full(self) -> bool:
        """Whether there are so many errors that going on helps nobody."""
        return len(self.errors) >= _MAX_ERRORS

    def begins_line(self, at: int) -> bool:
        """Whether only blanks stand before an offset on its line."""
        text = self.source.text
        return not text[text.rfind("\n", 0, at) + 1 : at].strip()

    def body(self) -> Block:
        """Pass a body with its braces; the current token is the `{`."""
        outer = Block([], self.cursor.span)
        stack = [outer]
        at = self.cursor.end
        while stack:
            if not self.errors:  # the fast way may look far ahead for a `;`: not in a broken text
                at = self._fast_statements(at, stack[-1].statements)
            self.cursor.move(at)
            start = self.cursor.start
            try:
                self._statement(stack)
            except SyntaxFailure as failure:
                self.errors.append(failure.diagnostic)
                self._recover(start)
                if self.full:
                    self.cursor.move(len(self.source.text))
                    stack.clear()
            at = self.cursor.last
        return outer

    # --- the fast way --------------------------------------------------------------------------------

    def _fast_statements(self, at: int, statements: list[Statement]) -> int:
        """Append ordinary instructions as long as they come; the offset where they end."""
        match_statement = _STATEMENT.match
        text, operands, guards, opcodes = self.source.text, self._operands, self._guards, self._opcodes
        lookup = operands.__getitem__
        append = statements.append
        while (match := match_statement(text, at)) is not None:
            guard, opcode, written = match.group(2, 3, 4)
            try:
                if written is None:
                    found: tuple[Operand, ...] = ()
                elif "{" in written or "(" in written:
                    found = self._nested(opcode, written)
                else:
                    found = tuple(map(lookup, written.split(",")))
            except SyntaxFailure:
                break
            opcode = opcodes.setdefault(opcode, opcode)
            append(Instruction(opcode, found, guards[guard] if guard else None, _new_span(match.span(1))))
            at = match.end()
        return at

    def _nested(self, opcode: str, written: str) -> tuple[Operand, ...]:
        """Operands with braces or parentheses, cut at the commas outside them."""
        parts = _PART.findall(written)
        if sum(map(len, parts)) + len(parts) - 1 != len(written):
            self._operands[written]  # no operand either: fails
        return tuple(map((self._call_operands if opcode.startswith("call") else self._operands).__getitem__, parts))

    # --- token by token ------------------------------------------------------------------------------

    def _statement(self, stack: list[Block]) -> None:
        cursor = self.cursor
        kind, word = cursor.kind, cursor.word
        if kind == "name":
            self._named(stack[-1].statements)
        elif word == "@":
            stack[-1].statements.append(self._guarded())
        elif kind == "dotted":
            self._directive(stack)
        elif word == "{":
            self._open(stack)
        elif word == "}":
            block = stack.pop()
            cursor.advance()
            block.span = cursor.since(block.span.start)
        elif kind == "end":
            self._unclosed(stack)
        elif word == ";":
            cursor.fail("a `;` that ends nothing", cursor.span, help="remove it")
        else:
            cursor.unexpected("an instruction, a directive or `}`")

    def _open(self, stack: list[Block]) -> None:
        cursor = self.cursor
        if len(stack) > MAX_NESTING:
            cursor.fail(f"blocks nested deeper than {MAX_NESTING}", cursor.span)
        block = Block([], cursor.span)
        cursor.advance()
        stack[-1].statements.append(block)
        stack.append(block)

    def _unclosed(self, stack: list[Block]) -> None:
        """Report the innermost block without its brace, and end the body here."""
        cursor = self.cursor
        opener = stack[-1].span
        label = Label(cursor.span, f"found {cursor.found()}")
        stack.clear()
        cursor.fail("this `{` is never closed", opener, help="add a `}`", related=label)

    def _named(self, statements: list[Statement]) -> None:
        """Pass a label or an instruction without a guard."""
        cursor = self.cursor
        if cursor.peek() != ("punctuation", ":"):
            statements.append(self._instruction(None, cursor.start))
            return
        start, span = cursor.start, cursor.span
        name = cursor.take_name("a label")
        cursor.advance()
        if cursor.word in (".branchtargets", ".calltargets"):
            statements.append(directives.targets(cursor, name, start))
        elif cursor.word == ".callprototype":
            statements.append(directives.prototype(cursor, name, start))
        else:
            statements.append(LabelMark(name, span))

    def _guarded(self) -> Instruction:
        """Pass `@p` or `@!p` and the instruction behind it (manual, 9.3)."""
        cursor = self.cursor
        start = cursor.start
        cursor.advance()
        negated = cursor.accept("!")
        guard = Guard(cursor.take_name("a predicate register"), negated)
        if cursor.word == "{":
            cursor.unexpected("an instruction", help="a guard stands before one instruction: branch around the block")
        return self._instruction(guard, start)

    def _instruction(self, guard: Guard | None, start: int) -> Instruction:
        cursor = self.cursor
        if cursor.kind != "name" or not cursor.word[0].isalpha():
            cursor.unexpected("an instruction")
        opcode = cursor.take_opcode()
        operands = operand_list(cursor, opcode.startswith("call"))
        return Instruction(opcode, operands, guard, cursor.since(start))

    def _directive(self, stack: list[Block]) -> None:
        cursor = self.cursor
        word = cursor.word
        statements = stack[-1].statements
        if word == ".loc":
            statements.append(directives.loc(cursor))
        elif word in SPACES or word == ".attribute":
            statements += variables(cursor)
        elif word == ".pragma":
            statements.append(directives.pragma(cursor))
        elif word in (".branchtargets", ".calltargets", ".callprototype"):
            cursor.fail(f"`{word}` without a label", cursor.span, help=f"name it: `label: {word} ...;`")
        elif word in _MODULE_ONLY:
            self._module_only(stack)
        else:
            cursor.unexpected("an instruction, a directive or `}`")

    def _module_only(self, stack: list[Block]) -> None:
        """A directive of modules in a body: misplaced, or the body was not closed."""
        cursor = self.cursor
        _, following = cursor.peek()
        if cursor.word == ".file" or (cursor.word in LINKAGES and following in SPACES):
            cursor.fail(f"`{cursor.word}` inside a function", cursor.span, help="move the line before the function")
        self._unclosed(stack)

    def _recover(self, start: int) -> None:
        """Go behind the next `;`, or to a `}`, or to a line that looks like a statement."""
        cursor = self.cursor
        text = self.source.text
        depth = 0
        while cursor.kind != "end":
            if cursor.start > start and self.begins_line(cursor.start) and _LINE_START.match(text, cursor.start):
                return
            if cursor.word == ";":
                cursor.advance()
                return
            if cursor.word == "}" and depth == 0:
                return
            depth += (cursor.word == "{") - (cursor.word == "}")
            if cursor.word == "/*":
                cursor.move(len(text))
            else:
                cursor.advance()
