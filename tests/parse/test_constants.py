"""Constant expressions (manual, 4.5), against what ptxas 13.0 computes.

Each value in ORACLE was found by assembling `mov.u64 %rd, EXPRESSION` and comparing the machine code with
that of the plain value.
"""

from __future__ import annotations

import struct

import pytest

from emulator.parse.constants import double, wrap
from emulator.parse.nodes import Float, Integer
from tests.parse.ptx import body_errors, operand

ORACLE = [
    ("-5/2", -2),
    ("(-1 & -1) < 0", 1),
    ("(-1 | 0) < 0", 1),
    ("(-1 ^ 0) < 0", 1),
    ("(~0) < 0", 0),
    ("~0 >> 1", 0x7FFFFFFFFFFFFFFF),
    ("-1 >> 1", -1),
    ("-1U >> 1", 0x7FFFFFFFFFFFFFFF),
    ("(-1 & -1) >> 1", -1),
    ("(-1 & -1U) >> 1", 0x7FFFFFFFFFFFFFFF),
    ("-7 % 4", 1),
    ("-1 % 4", 3),
    ("(-1 % 0xFFFFFFFFFFFFFFFF) < 0", 0),
    ("(5 % 7) - 6 < 0", 0),
    ("1 << 64", 1),
    ("1 << 65", 2),
    ("1 << 63", -(1 << 63)),
    ("1 << -1", -(1 << 63)),
    ("-1 >> 64", -1),
    ("!0 - 2 < 0", 1),
    ("!0U - 2 < 0", 1),
    ("(1U == 1) - 2 < 0", 1),
    ("(1U < 2) - 2 < 0", 1),
    ("(1U && 1) - 2 < 0", 1),
    ("1 ? -1 : 1U", -1),
    ("(1 ? -1 : 1U) < 0", 1),
    ("-1 < 1U", 0),
    ("-1 < 1", 1),
    ("(.u64)-1 < 0", 0),
    ("(.s64)0xFFFFFFFFFFFFFFFF < 0", 1),
    ("(.u64)-1 >> 1", 0x7FFFFFFFFFFFFFFF),
    ("(.s64)-1U >> 1", -1),
    ("1.0 < 2.0", 1),
    ("(1.0 < 2.0) - 2 < 0", 1),
    ("1.5 == 1.5", 1),
    ("0x8000000000000000 / -1", 0),
    ("9223372036854775807 + 1 < 0", 1),
    ("6 & 3 == 3", 0),
    ("1 ? 2 : 0 ? 3 : 4", 2),
    ("0 ? 2 : 0 ? 3 : 4", 4),
    ("1 | 2 ^ 3 & 1", 3),
    ("-1 < 0 < 1", 0),
    ("3 - 2 - 1", 0),
    ("- -1", 1),
    ("--1", 1),
    ("5 % 3U", 2),
    ("WARP_SZ", 32),
    ("WARP_SZ << 1", 64),
    ("(WARP_SZ - 33) < 0", 1),
    ("1 > 2 || 3 > 2", 1),
    ("1 != 1U", 0),
    ("(.u64)(.s64)-1 < 0", 0),
    ("(1 << 63) < 0", 1),
    ("(1U << 63) < 0", 0),
    ("(1 << 1U) - 5 < 0", 1),
    ("-0x8000000000000000 < 0", 0),
    ("0x10 % 3", 1),
]


@pytest.mark.parametrize(("text", "value"), ORACLE)
def test_integer_expressions_as_ptxas_computes_them(text: str, value: int) -> None:
    found = operand(text)
    assert isinstance(found, Integer)
    assert wrap(found.value, False).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Integer(0)),
        ("7", Integer(7)),
        ("-7", Integer(-7)),
        ("+7", Integer(7)),
        ("017", Integer(15)),
        ("00", Integer(0)),
        ("0b101", Integer(5)),
        ("0B11U", Integer(3, True)),
        ("0x1F", Integer(31)),
        ("0X1fU", Integer(31, True)),
        ("5U", Integer(5, True)),
        ("-1U", Integer((1 << 64) - 1, True)),
        ("9223372036854775807", Integer((1 << 63) - 1)),
        ("9223372036854775808", Integer(1 << 63, True)),
        ("0xfabc123400000000", Integer(0xFABC123400000000, True)),
        ("-9223372036854775808", Integer(1 << 63, True)),
        ("(.s64)0x8000000000000000", Integer(-(1 << 63))),
        ("2+3*4", Integer(14)),
        ("(2+3)*4", Integer(20)),
        ("1 << 2 + 1", Integer(8)),
        ("(1 << 4) | 3", Integer(19)),
        ("1 ? (2) : (3)", Integer(2)),
        ("~0", Integer((1 << 64) - 1, True)),
        ("2 >= 2", Integer(1)),
        ("0 && 1", Integer(0)),
        ("2 && 1", Integer(1)),
        ("0 || 0", Integer(0)),
        ("(.s64)0x8000000000000000 / -1", Integer(-(1 << 63))),
    ],
)
def test_integer_constants_and_their_types(text: str, value: Integer) -> None:
    assert operand(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e5", 1e5),
        ("1.e-5", 1e-5),
        ("2.5E+3", 2500.0),
        ("1.0+2.0", 3.0),
        ("(1.0 - 0.25) * 2.0 / 4.0", 0.375),
        ("1 ? 1.5 : 2.5", 1.5),
        ("-0.0", -0.0),
    ],
)
def test_float_expressions_are_doubles(text: str, value: float) -> None:
    assert operand(text) == Float(int.from_bytes(struct.pack("<d", value), "little"), 64)
    assert operand(text) == double(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0f3F800000", Float(0x3F800000, 32)),
        ("0F7fc00001", Float(0x7FC00001, 32)),
        ("0d3FF0000000000000", Float(0x3FF0000000000000, 64)),
        ("0D7ff8000000000001", Float(0x7FF8000000000001, 64)),
        ("-0d3FF0000000000000", Float(0xBFF0000000000000, 64)),
    ],
)
def test_hexadecimal_floats_keep_their_bits(text: str, value: Float) -> None:
    assert operand(text) == value


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("0f3F80", 13, "`0f3F80` is not a constant"),
        ("0f3F8000000", 13, "`0f` takes exactly 8 hexadecimal digits"),
        ("0d3ff", 13, "`0d` takes exactly 16 hexadecimal digits"),
        ("0xZZ", 13, "`0x` takes hexadecimal"),
        ("0b12", 13, "`0x` takes hexadecimal and `0b` binary digits"),
        ("09", 13, "a leading `0` makes a constant octal: digits 0 to 7"),
        ("5u", 13, "the only suffix of a constant is `U`"),
        ("1.0f", 13, "the only suffix of a constant is `U`"),
        ("1.2.3", 13, "this is no number of PTX"),
        ("0x10000000000000000", 13, "an integer constant has at most 64 bits"),
        ("9" * 5000, 13, "an integer constant has at most 64 bits"),
        ("1e400", 13, "beyond the range of a double"),
        ("1/0", 14, "division by zero in a constant expression"),
        ("1 ? 2 : 1/0", 22, "division by zero in a constant expression"),
        ("1 % (1-1)", 15, "division by zero in a constant expression"),
        ("1.0/0.0", 16, "division by zero in a constant expression"),
        ("1.0+1", 16, "`+` between an integer and a float"),
        ("1.0 == 1", 17, "`==` between an integer and a float"),
        ("1 && 1.0", 15, "`&&` takes integers, not floats"),
        ("1.0 & 1.0", 17, "`&` takes integers, not floats"),
        ("!1.0", 13, "`!` takes integers, not floats"),
        ("~1.0", 13, "`~` takes integers, not floats"),
        ("(.s64)1.0", 13, "`(.s64)` takes integers, not floats"),
        ("1.0 ? 1 : 2", 21, "`?:` takes integers, not floats"),
        ("1 ? 1.0 : 2", 21, "the two values of `?:` are an integer and a float"),
        ("-0f3F800000", 14, "a `0f` constant cannot be part of an expression"),
        ("1.0 + 0f3F800000", 19, "a `0f` constant cannot be part of an expression"),
        ("0f3F800000+1.0", 23, "expected `,` or `;`, found `+`"),
        ("(.u32)-1", 14, "expected `.s64` or `.u64`, the casts of constant expressions, found `.u32`"),
        ("(1 + 2", 19, "expected `)`, found `;`"),
        ("(1 ? 2)", 19, "expected `:`, found `)`"),
        ("1 ? 2", 18, "expected `:`, found `;`"),
        ("1 ? (2 : 3)", 20, "expected `)`, found `:`"),
        ("1 + ", 17, "expected a constant, found `;`"),
        ("7 %4", 15, "`%4` is a name; the operator `%` has a space behind it"),
    ],
)
def test_wrong_constants_are_diagnosed_in_place(text: str, column: int, message: str) -> None:
    found = body_errors(f"mov.u32 %r, {text};")
    assert f"bad.ptx:4:{column}\n" in found
    assert message in found
    assert found.count("error[PTX-P0001]") == 1


def test_nesting_has_no_limit() -> None:
    deep = 20_000
    assert operand("(" * deep + "1" + ")" * deep) == Integer(1)
    assert operand("-" * deep + "1") == Integer(1)
    assert operand("0 ? 1 : " * deep + "7") == Integer(7)
    assert operand("1 ? " * deep + "7" + " : 2" * deep) == Integer(7)
