"""A place in a text, one token at a time, and the failure that a production raises there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NoReturn

from emulator.errors import Diagnostic, Label, Source, Span
from emulator.parse.lexer import match_token, opcode_end, opcode_word


class SyntaxFailure(Exception):
    """A production does not fit; the parser records the diagnostic and goes on with the next statement."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic)
        self.diagnostic = diagnostic


def suggestion(word: str, known: Iterable[str]) -> str:
    """The known word that a misspelt one is close to, as a help text."""
    close = difflib.get_close_matches(word[:40], sorted(known), n=1, cutoff=0.75)
    return f"did you mean `{close[0]}`?" if close else ""


class Cursor:
    """The current token of a text: its `kind` (a group of lexer.TOKEN), `word` and place.

    `last` is the end of the token before: where a missing semicolon belongs.
    """

    __slots__ = ("end", "kind", "last", "source", "start", "text", "word")

    def __init__(self, source: Source, at: int = 0) -> None:
        self.source = source
        self.text = source.text
        self.move(at)

    def move(self, at: int) -> None:
        """Make the token after an offset the current one."""
        self.end = at
        self.advance()

    def advance(self) -> None:
        """Go to the next token."""
        self.last = self.end
        match = match_token(self.text, self.end)
        self.kind = kind = str(match.lastgroup)
        self.word = match.group(kind)
        self.start, self.end = match.span(kind)

    def peek(self) -> tuple[str, str]:
        """(kind, word) of the token after the current one."""
        match = match_token(self.text, self.end)
        return str(match.lastgroup), match.group(str(match.lastgroup))

    @property
    def span(self) -> Span:
        """The current token's place."""
        return Span(self.start, self.end)

    def since(self, start: int) -> Span:
        """From an offset to the end of the token before the current one."""
        return Span(start, self.last)

    def accept(self, word: str) -> bool:
        """Pass a word if it is the current one."""
        if self.word != word:
            return False
        self.advance()
        return True

    def expect(self, word: str, *, help: str = "") -> None:
        """Pass a word that must stand here."""
        if self.word != word:
            self.unexpected(f"`{word}`", help=help)
        self.advance()

    def expect_semicolon(self, expected: str = "`;`") -> None:
        """Pass the end of a statement; where it is missing at the end of a line, say so there."""
        if self.word == ";":
            self.advance()
            return
        if self.kind == "end" or self.word == "}" or "\n" in self.text[self.last : self.start]:
            self.fail(
                f"expected `;`, found {self.found()}", Span(self.last, self.last), help="end the statement with `;`"
            )
        self.unexpected(expected)

    def take(self, kind: str, expected: str, *, help: str = "") -> str:
        """Pass a token of a kind and return its word."""
        if self.kind != kind:
            self.unexpected(expected, help=help)
        word = self.word
        self.advance()
        return word

    def take_name(self, expected: str = "a name") -> str:
        """Pass an identifier (manual, 4.4)."""
        if self.kind == "name" and self.word in ("_", "WARP_SZ"):
            self.unexpected(expected)
        return self.take("name", expected)

    def take_opcode(self) -> str:
        """Pass an opcode, the whole dotted word, whose first word is the current token."""
        start = self.start
        end = opcode_end(self.text, self.end)
        self.move(end)
        self.last = end
        return opcode_word(self.text[start:end])

    def found(self) -> str:
        """The current token in words."""
        if self.kind == "end":
            return "the end of the text"
        if self.word == '"':
            return "a string without its closing quote"
        if self.word == "/*":
            return "a comment without its `*/`"
        return f"`{self.word}`" if len(self.word) <= 40 else f"`{self.word[:37]}...`"

    def unexpected(self, expected: str, *, help: str = "") -> NoReturn:
        """Fail at the current token."""
        self.fail(f"expected {expected}, found {self.found()}", self.span, help=help or self._hint())

    def _hint(self) -> str:
        if self.word == "/*":
            return "close the comment with `*/`"
        if self.word == "#":
            return 'run the C preprocessor first: PTX itself has only line markers such as `# 12 "a.cu"`'
        if self.word == '"':
            return "close the string on the same line"
        if re.fullmatch(r"%[0-9]+", self.word):
            return f"`{self.word}` is a name; the operator `%` has a space behind it"
        if not self.word.isascii():
            return "PTX is ASCII outside comments and strings"
        return ""

    def fail(
        self, message: str, span: Span, *, help: str = "", label: str = "", related: Label | None = None
    ) -> NoReturn:
        """Fail at a place."""
        labels = (Label(span, label),) + ((related,) if related else ())
        raise SyntaxFailure(Diagnostic("PTX-P0001", "syntax", message, self.source, labels, help=help))
