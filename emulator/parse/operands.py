"""Operands of instructions (manual, 6): the same grammar for every opcode.

The one exception is `call`, whose result and argument lists stand in parentheses; elsewhere a
parenthesis opens a constant expression.
"""

from __future__ import annotations

from emulator.errors import Label, Span
from emulator.parse.constants import expression, integer_expression, wrap
from emulator.parse.cursor import Cursor
from emulator.parse.nodes import (
    Address,
    Element,
    Group,
    Integer,
    Name,
    Negative,
    Not,
    Offset,
    Operand,
    Pair,
    Vector,
)

_EXPRESSION_STARTS = ("+", "-", "~", "!", "(")


def operand_list(cursor: Cursor, lists: bool) -> tuple[Operand, ...]:
    """Pass the operands of an instruction and its semicolon; `lists` allows the lists of a call."""
    if cursor.word == ";" or cursor.word == "}" or cursor.kind == "end":
        cursor.expect_semicolon()
        return ()
    found = [operand(cursor, lists)]
    while cursor.accept(","):
        found.append(operand(cursor, lists))
    cursor.expect_semicolon("`,` or `;`")
    return tuple(found)


def operand(cursor: Cursor, lists: bool = False) -> Operand:
    """Pass one operand, `p|q` included."""
    first = _operand(cursor, lists)
    if cursor.word != "|" or not isinstance(first, Name | Vector):
        return first
    cursor.advance()
    return Pair(first, _vector(cursor) if cursor.word == "{" else _name(cursor))


def _operand(cursor: Cursor, lists: bool) -> Operand:
    if cursor.word == "[":
        return _address(cursor)
    if cursor.word == "{":
        return _vector(cursor)
    if cursor.word == "(" and lists:
        return _group(cursor)
    return _scalar(cursor)


def _scalar(cursor: Cursor) -> Operand:
    """Pass a register, symbol or constant, with what may stand before and behind a name."""
    if _is_name(cursor.kind, cursor.word):
        return _suffix(cursor, _name(cursor))
    if cursor.word in ("!", "-") and _is_name(*cursor.peek()):
        sign = cursor.word
        cursor.advance()
        return Not(_name(cursor)) if sign == "!" else Negative(_name(cursor))
    if cursor.kind != "number" and cursor.word not in _EXPRESSION_STARTS and cursor.word != "WARP_SZ":
        cursor.unexpected("an operand")
    return expression(cursor)


def _is_name(kind: str, word: str) -> bool:
    return kind == "name" and word != "WARP_SZ"


def _name(cursor: Cursor) -> Name:
    """Pass a name and its component: `%tid.x`, `%r1.b0`."""
    if not _is_name(cursor.kind, cursor.word):
        cursor.unexpected("a register")
    word = cursor.word
    cursor.advance()
    if cursor.kind != "dotted":
        return Name(word)
    component = cursor.word[1:]
    cursor.advance()
    return Name(word, component)


def _suffix(cursor: Cursor, base: Name) -> Name | Offset | Element:
    """Pass `+n` or `[n]` behind a name."""
    if cursor.word == "+":
        cursor.advance()
        return Offset(base, _offset(cursor, base))
    if cursor.word == "[":
        return _element(cursor, base)
    if cursor.word == "-":
        cursor.fail(
            f"`-` after `{base.name}`",
            cursor.span,
            help=f"PTX only adds to a name: write `{base.name}+-{_rest(cursor)}`",
        )
    return base


def _rest(cursor: Cursor) -> str:
    kind, word = cursor.peek()
    return word if kind == "number" else "n"


def _offset(cursor: Cursor, base: Name) -> int:
    if _is_name(cursor.kind, cursor.word):
        cursor.fail(
            f"expected an integer constant after `{base.name}+`, found {cursor.found()}",
            cursor.span,
            help="an address is a name plus a constant: add the two registers first",
        )
    return wrap(integer_expression(cursor).value, False).value


def _element(cursor: Cursor, base: Name) -> Element:
    opener = cursor.span
    cursor.advance()
    if _is_name(cursor.kind, cursor.word):
        name = _name(cursor)
        index: Name | Integer | Offset = Offset(name, _offset(cursor, name)) if cursor.accept("+") else name
    else:
        index = integer_expression(cursor)
    _close(cursor, "]", opener)
    return Element(base, index)


def _address(cursor: Cursor) -> Address:
    """Pass `[a]`, `[a+4]`, `[16]`, `[map, {x, y}]`, and the `.unified` behind it."""
    opener = cursor.span
    cursor.advance()
    found = [_address_element(cursor)]
    while cursor.accept(","):
        found.append(_address_element(cursor))
    _close(cursor, "]", opener)
    attribute = ""
    if cursor.kind == "dotted":
        attribute = cursor.word[1:]
        cursor.advance()
    return Address(tuple(found), attribute)


def _address_element(cursor: Cursor) -> Operand:
    if cursor.word == "{":
        return _vector(cursor)
    start = cursor.start
    found = _scalar(cursor)
    if isinstance(found, Element):
        cursor.fail(
            "an indexed name inside an address",
            cursor.since(start),
            help=f"write `{cursor.text[start : cursor.last]}` without the outer brackets, or `[name+bytes]`",
        )
    if cursor.word == "*":
        cursor.unexpected("`+`, `,` or `]`", help="an address is a name plus a constant: multiply first")
    return found


def _vector(cursor: Cursor) -> Vector:
    """Pass `{a, b, ...}`."""
    opener = cursor.span
    cursor.advance()
    found = [_scalar(cursor)]
    while cursor.accept(","):
        found.append(_scalar(cursor))
    _close(cursor, "}", opener)
    return Vector(tuple(found))


def _group(cursor: Cursor) -> Group:
    """Pass the `(a, b)` of a call; it may be empty."""
    opener = cursor.span
    cursor.advance()
    found: list[Operand] = []
    if cursor.word != ")":
        found.append(_group_element(cursor, opener))
        while cursor.accept(","):
            found.append(_group_element(cursor, opener))
    _close(cursor, ")", opener)
    return Group(tuple(found))


def _group_element(cursor: Cursor, opener: Span) -> Operand:
    if cursor.word == "(" and _is_name(*cursor.peek()):
        _close(cursor, ")", opener)
    return _vector(cursor) if cursor.word == "{" else _scalar(cursor)


def _close(cursor: Cursor, closer: str, opener: Span) -> None:
    if cursor.word != closer:
        cursor.fail(
            f"expected `,` or `{closer}`, found {cursor.found()}",
            cursor.span,
            related=Label(opener, "opened here"),
        )
    cursor.advance()
