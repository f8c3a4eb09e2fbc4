"""Expressions of the debugger: text -> tree.  evaluate.py gives them values in 32 lanes.

%r3  %tid.x  $pc  $lane  lane      registers, special registers, the session's own values
%r3@5                              the value of lane 5, in all lanes
+ - * / % << >> & | ^ && || == < ! ~    as in C; integers have no width and do not wrap
out[17]  tile[%r1]                 elements of named buffers, variables and parameters
shared[0x40]  global.f32[%rd3]  local.b64[8:16]    memory: SPACE.TYPE[ADDRESS:BYTES]
f32(%r4)  bf16(%r4)  e4m3x4(%r7)   the same bits in another type
any(E)  all(E)  count(E)           over the executing lanes
lane 5                             whether lane 5 executes
&out                               an address
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from emulator.debugger.errors import DebuggerError
from emulator.ptx_types import STATE_SPACES, TYPES

SPACES = (*(space for space in STATE_SPACES if space not in ("reg", "sreg", "tex")), "generic")
FUNCTIONS = ("any", "all", "count", "min", "max", "abs")
_OPERAND = re.compile(
    r"""\s*(?:
      (?P<float>0[fF][0-9a-fA-F]{8}|0[dD][0-9a-fA-F]{16}|(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)
    | (?P<int>0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)
    | (?P<register>%[A-Za-z_$][\w$]*(?:\.[xyzw])?)
    | (?P<value>\$[\w.]*)
    | (?P<name>[A-Za-z_][\w$]*(?:\.[a-z]\w*)?)
    | (?P<sign>[-+!~&(])
    )""",
    re.VERBOSE,
)
_OPERATOR = re.compile(r"\s*(\|\||&&|<<|>>|<=|>=|==|!=|[-+*/%&|^<>])")
_STRENGTH = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression, from `start` to `end` of its text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A constant."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Named(Node):
    """A register with its %, a session value with its $, or a variable, buffer or parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class OfLane(Node):
    """`E@5`."""

    operand: Node
    lane: Node


@dataclass(frozen=True, slots=True)
class LaneExecutes(Node):
    """`lane 5`."""

    lane: int


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-E`, `!E`, `~E`, `+E`."""

    sign: str
    operand: Node


@dataclass(frozen=True, slots=True)
class AddressOf(Node):
    """`&name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`A + B`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Element(Node):
    """`out[E]`."""

    name: str
    index: Node


@dataclass(frozen=True, slots=True)
class Memory(Node):
    """`SPACE.TYPE[ADDRESS:BYTES]`."""

    space: str
    type: str
    address: Node
    size: Node | None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`any(E)`, `bf16(E)`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Expression:
    """A text and its tree."""

    text: str
    root: Node


def parse_expression(text: str) -> Expression:
    """The tree of a text; DebuggerError with a caret for what is no expression."""
    text = text.strip()
    if not text:
        raise DebuggerError("an expression is missing", help="such as %r3, out[17], any(%r3 > 16)")
    parser = _Parser(text)
    root = parser.expression(0)
    if text[parser.at :].strip():
        address = re.match(r"([a-z]+):(\w+)", text)
        fix = f"{address[1]}[{address[2]}] is memory at an address" if address and address[1] in SPACES else ""
        parser.refuse("this does not continue the expression", parser.at + _blanks(text, parser.at), help=fix)
    return Expression(text, root)


def split_expressions(text: str) -> list[str]:
    """The expressions of a line, which blanks or commas separate where one can end."""
    found, at = [], 0
    while text[at:].strip(" ,"):
        at += len(text[at:]) - len(text[at:].lstrip(" ,"))
        parser = _Parser(text)
        parser.at = at
        parser.expression(0)
        end = parser.at
        while end < len(text) and not text[end].isspace() and text[end] != ",":
            end += 1
        found.append(text[at:end])
        at = end
    return found


def _blanks(text: str, at: int) -> int:
    return len(text[at:]) - len(text[at:].lstrip())


class _Parser:
    """Reads operands and operators in turn; `%` is a register or the remainder by where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def refuse(self, message: str, at: int, end: int | None = None, help: str = "") -> NoReturn:
        raise DebuggerError(message, self.text, at, end, help=help)

    def expression(self, strength: int) -> Node:
        left = self.operand()
        while match := _OPERATOR.match(self.text, self.at):
            sign = match[1]
            if _STRENGTH[sign] <= strength or (sign == "%" and self._begins_register(match)):
                break
            self.at = match.end()
            right = self.expression(_STRENGTH[sign])
            left = Binary(left.start, right.end, sign, left, right)
        return left

    def _begins_register(self, match: re.Match[str]) -> bool:
        """Whether ` %r2` after a blank begins another expression: the remainder has a blank on both sides."""
        following = self.text[match.end() : match.end() + 1]
        return match.start() < match.start(1) and (following.isalpha() or following in "_$") and following != ""

    def operand(self) -> Node:
        match = _OPERAND.match(self.text, self.at)
        if match is None:
            at = self.at + _blanks(self.text, self.at)
            self.refuse("an operand is missing here", at, help="such as %r3, 0x40, out[17]")
        self.at = match.end()
        kind = str(match.lastgroup)
        start = match.start(kind)
        read: Callable[[str, int], Node] = getattr(self, f"_{kind}")
        node = read(match[kind], start)
        while self.text[self.at : self.at + 1] == "@":
            self.at += 1
            lane = self.operand()
            node = OfLane(start, lane.end, node, lane)
        return node

    def _int(self, text: str, start: int) -> Node:
        if self.text[self.at : self.at + 1].isalnum():
            self.refuse("this is no number", start, self.at + 1)
        return Number(start, self.at, int(text, 0 if text[:2].lower() in ("0x", "0b") else 10))

    def _float(self, text: str, start: int) -> Node:
        if text[:2].lower() in ("0f", "0d"):
            import struct

            form, word = (">f", "f") if text[1] in "fF" else (">d", "d")
            assert word
            return Number(start, self.at, struct.unpack(form, bytes.fromhex(text[2:]))[0])
        return Number(start, self.at, float(text))

    def _register(self, text: str, start: int) -> Node:
        return Named(start, self.at, text)

    def _value(self, text: str, start: int) -> Node:
        return Named(start, self.at, text)

    def _sign(self, sign: str, start: int) -> Node:
        if sign == "(":
            inner = self.expression(0)
            self._close(")", start)
            return inner
        if sign == "&":
            match = re.compile(r"\s*([A-Za-z_$][\w$]*)").match(self.text, self.at)
            if match is None:
                self.refuse("& takes the address of a variable, buffer or parameter", start)
            self.at = match.end()
            return AddressOf(start, self.at, match[1])
        inner = self.operand()
        return Unary(start, inner.end, sign, inner)

    def _close(self, bracket: str, opened: int) -> None:
        match = re.compile(r"\s*(.?)").match(self.text, self.at)
        if match is None or match[1] != bracket:
            self.refuse(f"{bracket!r} is missing for this bracket", opened)
        self.at = match.end()

    def _name(self, text: str, start: int) -> Node:
        lane = re.compile(r"\s+(\d+)").match(self.text, self.at)
        if text == "lane" and lane is not None:
            self.at = lane.end()
            return LaneExecutes(start, self.at, int(lane[1]))
        bracket = self.text[self.at : self.at + 1]
        base, _, kind = text.partition(".")
        if bracket == "[":
            return self._subscript(base, kind, start)
        if bracket == "(":
            return self._call(text, start)
        return Named(start, self.at, text)

    def _subscript(self, base: str, kind: str, start: int) -> Node:
        opened, self.at = self.at, self.at + 1
        index = self.expression(0)
        size = None
        if re.compile(r"\s*:").match(self.text, self.at):
            self.at = self.text.index(":", self.at) + 1
            size = self.expression(0)
        self._close("]", opened)
        if base in SPACES:
            if kind and kind not in TYPES:
                self.refuse(f"{kind} is no type", start + len(base) + 1, opened)
            return Memory(start, self.at, base, kind, index, size)
        if size is not None:
            self.refuse("only a state space takes ADDRESS:BYTES", start, self.at, "such as shared[0x40:4]")
        return Element(start, self.at, f"{base}.{kind}" if kind else base, index)

    def _call(self, name: str, start: int) -> Node:
        if name not in FUNCTIONS and name not in TYPES:
            self.refuse(f"{name} is no type or function", start, self.at, f"there is {', '.join(FUNCTIONS)}; f32, ...")
        opened, self.at = self.at, self.at + 1
        arguments = [self.expression(0)]
        while re.compile(r"\s*,").match(self.text, self.at):
            self.at = self.text.index(",", self.at) + 1
            arguments.append(self.expression(0))
        self._close(")", opened)
        return Call(start, self.at, name, tuple(arguments))
