"""Constant expressions: C's operators on 64-bit integers and doubles (manual, 4.5).

Evaluated with an explicit stack, so nesting has no limit.  Where the manual disagrees with itself, what
ptxas 13.0 computes is taken: `%` gives an unsigned result (4.5.5 is silent, table 5 says .s64); a shift
uses the low 6 bits of its count; `?:` keeps the type of the chosen value.
"""

from __future__ import annotations

import math
import operator
import re
import struct
from collections.abc import Callable

from emulator.errors import Label, Span
from emulator.parse.cursor import Cursor
from emulator.parse.nodes import Float, Integer
from emulator.ptx_types import WARP_SIZE

Constant = Integer | Float

_MASK = (1 << 64) - 1
_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)(U?)")
_DECIMAL = re.compile(r"(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+")
_BITS = re.compile(r"0([fF])([0-9a-fA-F]{8})|0([dD])([0-9a-fA-F]{16})")

_LEVELS = ("?", "||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %")
_PRECEDENCE = {word: level for level, words in enumerate(_LEVELS) for word in words.split()}
_UNARY = len(_LEVELS)

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


def wrap(value: int, unsigned: bool) -> Integer:
    """An integer reduced to 64 bits: .u64, or .s64 in two's complement."""
    value &= _MASK
    return Integer(value - (1 << 64) if not unsigned and value >> 63 else value, unsigned)


def double(value: float) -> Float:
    """A double constant from its value."""
    return Float(int.from_bytes(struct.pack("<d", value), "little"), 64)


def _value(constant: Float) -> float:
    return float(struct.unpack("<d", constant.bits.to_bytes(8, "little"))[0])


def literal(word: str) -> Constant | str:
    """The constant that a number spells, or what is wrong with it."""
    if match := _INTEGER.fullmatch(word):
        digits, suffix = match.groups()
        if len(digits) > 70:
            return "an integer constant has at most 64 bits"
        octal = digits[0] == "0" and digits.isdigit() and len(digits) > 1
        value = int(digits, 8) if octal else int(digits, 0)
        if value > _MASK:
            return "an integer constant has at most 64 bits"
        return Integer(value, bool(suffix) or value >> 63 != 0)
    if match := _BITS.fullmatch(word):
        single, bits, _, wide = match.groups()
        return Float(int(bits, 16), 32) if single else Float(int(wide, 16), 64)
    if _DECIMAL.fullmatch(word):
        number = float(word)
        return "a double constant beyond the range of a double" if math.isinf(number) else double(number)
    return _reason(word)


def _reason(word: str) -> str:
    prefix = word[:2].lower()
    if prefix == "0f":
        return "`0f` takes exactly 8 hexadecimal digits"
    if prefix == "0d":
        return "`0d` takes exactly 16 hexadecimal digits"
    if prefix in ("0x", "0b"):
        return "`0x` takes hexadecimal and `0b` binary digits, with at most a `U` behind them"
    if word[-1] in "uUlLfF" and word[0].isdigit():
        return "the only suffix of a constant is `U`, for an unsigned integer"
    if word.isdigit():
        return "a leading `0` makes a constant octal: digits 0 to 7"
    return "this is no number of PTX"


def number(cursor: Cursor) -> Constant:
    """Pass one literal or WARP_SZ."""
    if cursor.kind == "name" and cursor.word == "WARP_SZ":
        cursor.advance()
        return Integer(WARP_SIZE)
    if cursor.kind != "number":
        cursor.unexpected("a constant")
    found = literal(cursor.word)
    if isinstance(found, str):
        cursor.fail(f"`{cursor.word[:40]}` is not a constant", cursor.span, label=found)
    cursor.advance()
    return found


def integer(cursor: Cursor, what: str = "an integer") -> int:
    """Pass one integer literal."""
    span = cursor.span
    if cursor.kind != "number":
        cursor.unexpected(what)
    found = number(cursor)
    if not isinstance(found, Integer):
        cursor.fail(f"expected {what}, found a float constant", span)
    return found.value


def integer_expression(cursor: Cursor, what: str = "an integer constant") -> Integer:
    """Pass a constant expression whose value is an integer."""
    start = cursor.start
    found = expression(cursor)
    if not isinstance(found, Integer):
        cursor.fail(f"expected {what}, found a float constant", cursor.since(start))
    return found


def expression(cursor: Cursor) -> Constant:
    """Pass a constant expression and return its value."""
    if cursor.word[:2] in ("0f", "0F") and cursor.kind == "number":
        return number(cursor)
    return _Evaluation(cursor).run()


class _Evaluation:
    """Operator precedence with two stacks: values, and operators with their places."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.values: list[Constant] = []
        self.operators: list[tuple[str, Span]] = []

    def run(self) -> Constant:
        while True:
            self._operand()
            while self.cursor.word == ")" and self._closes("("):
                self.cursor.advance()
            if not self._operator():
                break
        self._reduce(-1)
        if self.operators:
            self._unfinished(*self.operators[-1])
        return self.values[-1]

    def _unfinished(self, word: str, span: Span) -> None:
        cursor = self.cursor
        wanted = "`)`" if word == "(" else "`:`"
        label = Label(span, "opened here" if word == "(" else "of this `?`")
        cursor.fail(f"expected {wanted}, found {cursor.found()}", cursor.span, related=label)

    def _operand(self) -> None:
        cursor = self.cursor
        while cursor.kind == "punctuation" and cursor.word in ("+", "-", "!", "~", "("):
            word, span = cursor.word, cursor.span
            cursor.advance()
            if word == "(" and cursor.kind == "dotted":
                word = self._cast()
            self.operators.append((word if word == "(" else "unary " + word, span))
        if cursor.word[:2] in ("0f", "0F") and cursor.kind == "number":
            cursor.fail(
                "a `0f` constant cannot be part of an expression", cursor.span, help="write it as a decimal or `0d`"
            )
        self.values.append(number(cursor))

    def _cast(self) -> str:
        cursor = self.cursor
        word = cursor.word
        if word not in (".s64", ".u64"):
            cursor.unexpected("`.s64` or `.u64`, the casts of constant expressions")
        cursor.advance()
        cursor.expect(")")
        return word

    def _closes(self, opener: str) -> bool:
        self._reduce(-1)
        if not self.operators or self.operators[-1][0] != opener:
            return False
        self.operators.pop()
        return True

    def _operator(self) -> bool:
        cursor = self.cursor
        if cursor.kind != "punctuation":
            return False
        word, span = cursor.word, cursor.span
        if word == ":":
            if not self._closes("?"):
                return False
            self.operators.append((":", span))
        elif word in _PRECEDENCE:
            self._reduce(_PRECEDENCE[word] + (word == "?"))
            self.operators.append((word, span))
        else:
            return False
        cursor.advance()
        return True

    def _reduce(self, level: int) -> None:
        """Apply the pending operators that bind at least as tightly as a level."""
        while self.operators:
            word, span = self.operators[-1]
            if word in ("(", "?") or self._level(word) < level:
                return
            self.operators.pop()
            right = self.values.pop()
            if word.startswith("unary "):
                self.values.append(self._unary(word[6:], right, span))
            elif word == ":":
                left = self.values.pop()
                self.values.append(self._choose(self.values.pop(), left, right, span))
            else:
                self.values.append(self._binary(word, self.values.pop(), right, span))

    def _level(self, word: str) -> int:
        return _UNARY if word.startswith("unary ") else 0 if word == ":" else _PRECEDENCE[word]

    def _integer(self, value: Constant, word: str, span: Span) -> Integer:
        if not isinstance(value, Integer):
            self.cursor.fail(f"`{word}` takes integers, not floats", span)
        return value

    def _unary(self, word: str, value: Constant, span: Span) -> Constant:
        if word in "+-" and isinstance(value, Float):
            return Float(value.bits ^ (1 << 63), 64) if word == "-" else value
        number = self._integer(value, f"({word})" if word[0] == "." else word, span)
        if word == "!":
            return Integer(int(number.value == 0))
        if word == "~":
            return wrap(~number.value, True)
        if word[0] == ".":
            return wrap(number.value, word == ".u64")
        return wrap(-number.value, number.unsigned) if word == "-" else number

    def _choose(self, condition: Constant, yes: Constant, no: Constant, span: Span) -> Constant:
        if type(yes) is not type(no):
            self.cursor.fail("the two values of `?:` are an integer and a float", span)
        return yes if self._integer(condition, "?:", span).value else no

    def _binary(self, word: str, left: Constant, right: Constant, span: Span) -> Constant:
        if isinstance(left, Float) and isinstance(right, Float):
            return self._float_binary(word, _value(left), _value(right), span)
        if type(left) is not type(right) and (word in _COMPARISONS or word in ("+", "-", "*", "/")):
            self.cursor.fail(
                f"`{word}` between an integer and a float", span, help="constant expressions have no casts to float"
            )
        a, b = self._integer(left, word, span), self._integer(right, word, span)
        unsigned = a.unsigned or b.unsigned
        x, y = wrap(a.value, unsigned).value, wrap(b.value, unsigned).value
        if word in _COMPARISONS:
            return Integer(int(_COMPARISONS[word](x, y)))
        if word in _ARITHMETIC:
            return wrap(_ARITHMETIC[word](x, y), unsigned)
        if word in ("&&", "||"):
            return Integer(int((x and y) != 0) if word == "&&" else int((x or y) != 0))
        if word in ("<<", ">>"):
            count = b.value & 63
            return wrap(a.value << count if word == "<<" else a.value >> count, a.unsigned)
        if y == 0:
            self.cursor.fail("division by zero in a constant expression", span)
        if word == "%":
            return wrap((x & _MASK) % (y & _MASK), True)
        quotient = abs(x) // abs(y)
        return wrap(-quotient if (x < 0) != (y < 0) else quotient, unsigned)

    def _float_binary(self, word: str, x: float, y: float, span: Span) -> Constant:
        if word in _COMPARISONS:
            return Integer(int(_COMPARISONS[word](x, y)))
        if word == "/" and y == 0:
            self.cursor.fail("division by zero in a constant expression", span)
        if word not in ("+", "-", "*", "/"):
            self.cursor.fail(f"`{word}` takes integers, not floats", span)
        return double(x + y if word == "+" else x - y if word == "-" else x * y if word == "*" else x / y)
