"""The statements of a body, token by token, with recovery after an error.

Runs of ordinary statements go a fast way (emulator.parse.fast) as long as the text has no error.
"""

from __future__ import annotations

import re

from emulator.errors import Diagnostic, Label, Source
from emulator.parse import directives
from emulator.parse.cursor import Cursor, SyntaxFailure, suggestion
from emulator.parse.fast import FastStatements
from emulator.parse.nodes import Block, Guard, Instruction, LabelMark, Statement
from emulator.parse.operands import operand_list
from emulator.parse.variables import LINKAGES, MAX_NESTING, SPACES, variables

_MAX_ERRORS = 1000

_LINE_START = re.compile(
    r"@|\}|\.(?:reg|param|local|shared|global|const|loc|pragma|entry|func|visible|extern|weak|common|version|target"
    r"|section|file|alias)\b|[a-z]\w*\.[a-z0-9]|[\w$%]+\s*:(?!:)|(?:ret|exit|trap)\s*;",
    re.ASCII,
)
_MODULE_WORDS = ".entry .func .version .target .address_size .section .alias .file"
_MODULE_ONLY = LINKAGES.union(_MODULE_WORDS.split())
_DIRECTIVES = SPACES | {".loc", ".pragma"}


class BodyParser:
    """Parses bodies of a source; keeps the errors found so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.errors: list[Diagnostic] = []
        self.cursor = Cursor(source)
        self._fast = FastStatements(source.text)
        self._swallowed = False

    @property
    def full(self) -> bool:
        """Whether there are so many errors that going on helps nobody."""
        return len(self.errors) >= _MAX_ERRORS

    def abandon(self, stack: list[Block]) -> None:
        """Read no further."""
        self.cursor.move(len(self.source.text))
        stack.clear()

    def begins_line(self) -> bool:
        """Whether the current token is the first of its line."""
        return "\n" in self.source.text[self.cursor.last : self.cursor.start]

    def body(self) -> Block:
        """Pass a body with its braces; the current token is the `{`."""
        outer = Block([], self.cursor.span)
        stack = [outer]
        at = self.cursor.end
        while stack:
            if not self.errors:  # the fast way may look far ahead for a `;`: not in a broken text
                at = self._fast.read(at, stack[-1].statements)
            self.cursor.move(at)
            start = self.cursor.start
            try:
                self._statement(stack)
            except SyntaxFailure as failure:
                self.errors.append(failure.diagnostic)
                if stack:
                    self._recover(start)
                if self.full:
                    self.abandon(stack)
            at = self.cursor.last
        return outer

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
            opener = cursor.span
            self.abandon(stack)
            cursor.fail(f"blocks nested deeper than {MAX_NESTING}", opener)
        block = Block([], cursor.span)
        cursor.advance()
        stack[-1].statements.append(block)
        stack.append(block)

    def _unclosed(self, stack: list[Block]) -> None:
        """Report the innermost block without its brace, and end the body here."""
        cursor = self.cursor
        opener = stack[-1].span
        stack.clear()
        if cursor.kind == "end" and self._swallowed:
            return  # by a comment without an end, which is what was reported
        label = None if cursor.kind == "end" else Label(cursor.span, f"found {cursor.found()}")
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
            cursor.unexpected("an instruction, a directive or `}`", help=suggestion(word, _DIRECTIVES))

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
        depth = self.open_braces(start)
        if cursor.word == "{" and depth == 0 and (self.begins_line() or text[start] == "@"):
            return  # a block behind a missing `;` or a guard
        while cursor.kind != "end":
            if cursor.start > start and self.begins_line() and _LINE_START.match(text, cursor.start):
                return
            if cursor.word == ";":
                cursor.advance()
                return
            if cursor.word == "}" and depth == 0:
                return
            depth += (cursor.word == "{") - (cursor.word == "}")
            self.skip()

    def skip(self) -> None:
        """Go to the next token of a broken text; a comment without an end swallows the rest."""
        if self.cursor.word == "/*":
            self._swallowed = True
            self.cursor.move(len(self.source.text))
        else:
            self.cursor.advance()

    def open_braces(self, start: int) -> int:
        """How many braces are open between an offset and the current token."""
        cursor = self.cursor
        stop, depth = cursor.start, 0
        cursor.move(start)
        while cursor.start < stop and cursor.kind != "end":
            depth += (cursor.word == "{") - (cursor.word == "}")
            cursor.advance()
        return max(0, depth)
