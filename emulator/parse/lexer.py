"""Splits a PTX text into tokens (manual, 4.1, 4.2, 4.4 and 4.5).

One regular expression serves everybody: the parser's cursor walks it, `tokens` colours with it, and the
places of operands are found with it.  White space, comments and the line markers of a preprocessor
(`# 12 "a.cu"`) are trivia: they separate tokens and mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from emulator.errors import Span

TRIVIA = r'(?:\s+|//[^\n]*+|/\*.*?\*/|\#[ \t]*(?:line[ \t]+)?[0-9]+(?![^\s"])[^\n]*+)*+'

TOKEN = re.compile(
    TRIVIA
    + r"""(?:
      (?P<name>[A-Za-z][\w$]*+|[_$%][\w$]++|_)
    | (?P<punctuation><<|>>|<=|>=|==|!=|&&|\|\||::|\.\.\.|/(?!\*)|@(?!@DWARF)|[-+*%&^|~!?:;,(){}\[\]<>=])
    | (?P<number>0[xXbBfFdD]\w*+|(?:[0-9]|\.[0-9])(?:[eE][+-]?[0-9]+|[\w.])*+)
    | (?P<dotted>\.[A-Za-z_]\w*+(?:::\w+)*+)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*+")
    | (?P<dwarf>@@DWARF[^\n]*+)
    | (?P<end>\Z)
    | (?P<bad>/\*|.)
    )""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)

# The dotted tail of an opcode; a part may start with digits (`.16x256b`, `.2d`).  Nothing stands between a
# dot or a `::` and its word.  `ld.const[2].b32` names a bank of old constant memory (manual, 5.1.3.1).
_MODIFIER = re.compile(
    TRIVIA + r"(\.[0-9]*+[A-Za-z_]\w*+(?:::\w+)*+(?:\[[ \t]*[0-9]+[ \t]*\](?=\s*\.))?+)", re.ASCII | re.DOTALL
)
_COLON = re.compile(TRIVIA + r":(?!:)", re.ASCII | re.DOTALL)
_COMMENT = re.compile(r"(//[^\n]*+|/\*.*?\*/|\#[^\n]*+)|\s+", re.ASCII | re.DOTALL)
_LINES = ".version .target .address_size .file .loc .section .b8 .b16 .b32 .b64"
_UNTERMINATED = frozenset(_LINES.split())  # directives without a `;`


class Token(NamedTuple):
    """A piece of text with its role; what no token covers is white space.

    kind: "opcode", "label", "register", "symbol", "directive", "number", "string", "comment",
    "punctuation", or "error" for what is no PTX.
    """

    kind: str
    text: str
    span: Span


def match_token(text: str, at: int) -> re.Match[str]:
    """The token after `at`: `lastgroup` is its kind, "end" at the end of the text."""
    match = TOKEN.match(text, at)
    assert match is not None  # the last alternatives take every character and the end
    return match


def opcode_end(text: str, at: int) -> int:
    """The end of the opcode whose first word ends at `at`."""
    while match := _MODIFIER.match(text, at):
        at = match.end()
    return at


def opcode_word(text: str) -> str:
    """An opcode as one dotted word, without the white space and comments inside."""
    return re.sub(r"\s+|//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def tokens(text: str) -> Iterator[Token]:
    """Every token and comment of a text, in order; never fails."""
    roles = _Roles(text)
    at = 0
    while True:
        match = match_token(text, at)
        kind = str(match.lastgroup)
        start, end = match.span(kind)
        for comment in _COMMENT.finditer(text, at, start):
            if comment.group(1):
                yield Token("comment", comment.group(1), Span(*comment.span()))
        if kind == "end":
            return
        token = roles.token(kind, start, end)
        yield token
        at = token.span.end


class _Roles:
    """Tells what a name stands for from what stood before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.state = "start"  # start (of a statement), guard, operands, line (ends without `;`), header
        self.depth = 0  # of braces inside a statement: vectors and initialisers
        self.last = 0

    def token(self, kind: str, start: int, end: int) -> Token:
        word = self.text[start:end]
        if kind == "name":
            kind, end = self._name(word, start, end)
        elif kind == "punctuation":
            self._punctuation(word)
        elif kind == "dotted":
            kind = "directive"
            self._directive(word)
        elif kind in ("bad", "dwarf"):
            end = len(self.text) if word == "/*" else end
            kind = "error" if kind == "bad" else "directive"
        self.last = end
        return Token(kind, self.text[start:end], Span(start, end))

    def _name(self, word: str, start: int, end: int) -> tuple[str, int]:
        if self.state in ("start", "line") and _COLON.match(self.text, end):
            return "label", end
        if self.state == "guard":
            self.state = "start"
        elif self.state == "start" or (self.state == "line" and self._opens_line(start)):
            self.state = "operands"
            return "opcode", opcode_end(self.text, end)
        return ("register" if word[0] == "%" else "symbol"), end

    def _opens_line(self, start: int) -> bool:
        return "\n" in self.text[self.last : start] and self.text[self.last - 1] != ","

    def _punctuation(self, word: str) -> None:
        if word == ";" or (word == "}" and self.depth == 0) or (word == "{" and self.state in ("header", "line")):
            self.state, self.depth = "start", 0
        elif word == "{" and self.state == "operands":
            self.depth += 1
        elif word == "}":
            self.depth -= 1
        elif word == "@" and self.state in ("start", "line"):
            self.state = "guard"

    def _directive(self, word: str) -> None:
        if word in (".entry", ".func"):
            self.state = "header"
        elif word in _UNTERMINATED and self.state in ("start", "line"):
            self.state = "line"
        elif self.state == "start":
            self.state = "operands"
