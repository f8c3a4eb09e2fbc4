"""Operands (manual, 6): every shape, by the fast way and by the slow way."""

from __future__ import annotations

import pytest

from emulator.parse.nodes import (
    Address,
    Element,
    Float,
    Group,
    Instruction,
    Integer,
    Name,
    Negative,
    Not,
    Offset,
    Operand,
    Pair,
    Vector,
)
from tests.parse.ptx import body_errors, operand, statement

A, B, R = Name("a"), Name("b"), Name("%r1")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("%r1", R),
        ("$L__BB0_1", Name("$L__BB0_1")),
        ("_x", Name("_x")),
        ("a1$", Name("a1$")),
        ("_", Name("_")),
        ("add", Name("add")),
        ("%tid.x", Name("%tid", "x")),
        ("%tid .x", Name("%tid", "x")),
        ("%r1.b0", Name("%r1", "b0")),
        ("v.r", Name("v", "r")),
        ("!%p1", Not(Name("%p1"))),
        ("! %p1", Not(Name("%p1"))),
        ("-%r1", Negative(R)),
        ("- %r1.h1", Negative(Name("%r1", "h1"))),
        ("%p1|%p2", Pair(Name("%p1"), Name("%p2"))),
        ("%p1 | _", Pair(Name("%p1"), Name("_"))),
        ("_|%p2", Pair(Name("_"), Name("%p2"))),
        ("{a, b}|%p1", Pair(Vector((A, B)), Name("%p1"))),
        ("a|{a, b}", Pair(A, Vector((A, B)))),
        ("a+4", Offset(A, 4)),
        ("a+-4", Offset(A, -4)),
        ("a+4*2", Offset(A, 8)),
        ("a + 0xFFFFFFFFFFFFFFFC", Offset(A, -4)),
        ("a[2]", Element(A, Integer(2))),
        ("a[1+2]", Element(A, Integer(3))),
        ("a[%r1]", Element(A, R)),
        ("a[%r1+2]", Element(A, Offset(R, 2))),
        ("{a, b}", Vector((A, B))),
        ("{a}", Vector((A,))),
        ("{_, %r1}", Vector((Name("_"), R))),
        ("{%r1, -1, 1+1, WARP_SZ}", Vector((R, Integer(-1), Integer(2), Integer(32)))),
        ("{%tid.x, 0f00000000}", Vector((Name("%tid", "x"), Float(0, 32)))),
        ("{" + ", ".join(f"%f{i}" for i in range(128)) + "}", Vector(tuple(Name(f"%f{i}") for i in range(128)))),
        ("[a]", Address((A,))),
        ("[ a + 4 ]", Address((Offset(A, 4),))),
        ("[a+8-4]", Address((Offset(A, 4),))),
        ("[a+-4]", Address((Offset(A, -4),))),
        ("[a+(8-4)]", Address((Offset(A, 4),))),
        ("[16]", Address((Integer(16),))),
        ("[0x10+4]", Address((Integer(20),))),
        ("[a, {b, %r1}]", Address((A, Vector((B, R))))),
        ("[a, b, {b}]", Address((A, B, Vector((B,))))),
        ("[a, %r1]", Address((A, R))),
        ("[a].unified", Address((A,), "unified")),
    ],
)
def test_an_operand(text: str, node: Operand) -> None:
    assert operand(text) == node


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("call f;", (Name("f"),)),
        ("call.uni (a), f, (b, 5);", (Group((A,)), Name("f"), Group((B, Integer(5))))),
        ("call (a, b), %r1, (), b;", (Group((A, B)), R, Group(()), B)),
        ("call f, ({a, b}, 0f00000000, _);", (Name("f"), Group((Vector((A, B)), Float(0, 32), Name("_"))))),
        ("call f, ((5), (1+2)*3);", (Name("f"), Group((Integer(5), Integer(9))))),
        ("call.uni\n(\na\n)\n,\nf\n,\n(\nb\n)\n;", (Group((A,)), Name("f"), Group((B,)))),
        ("call (a), f, // target\n (b);", (Group((A,)), Name("f"), Group((B,)))),
    ],
)
def test_only_a_call_has_lists(text: str, operands: tuple[Operand, ...]) -> None:
    found = statement(text)
    assert isinstance(found, Instruction)
    assert found.operands == operands


def test_a_parenthesis_elsewhere_opens_an_expression() -> None:
    assert operand("(5)") == Integer(5)
    assert "expected a constant, found `%r2`" in body_errors("mov.u32 %r1, (%r2);")


def test_equal_spellings_share_a_node() -> None:
    first = statement("{ add.u32 %r1, %r2, %r3; add.u32 %r3, %r2, [%r1+4]; }")
    one, two = first.statements  # type: ignore[union-attr]
    assert one.operands[1] is two.operands[1]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("mov.u32 %r1,, 1;", 13, "expected an operand, found `,`"),
        ("mov.u32 %r1, 1,;", 16, "expected an operand, found `;`"),
        ("mov.u32 , %r1;", 9, "expected an operand, found `,`"),
        ("add.u32 %r1 %r2, %r3;", 13, "expected `,` or `;`, found `%r2`"),
        ("mov.b64 %rd1, {};", 16, "expected an operand, found `}`"),
        ("mov.b64 %rd1, {%r1, };", 21, "expected an operand, found `}`"),
        ("mov.b64 %rd1, {{%r1}};", 16, "expected an operand, found `{`"),
        ("mov.b64 %rd1, {%r1, %r2;", 24, "expected `,` or `}`, found `;`"),
        ("ld.u32 %r1, [];", 14, "expected an operand, found `]`"),
        ("ld.u32 %r1, [%rd1;", 18, "expected `,` or `]`, found `;`"),
        ("ld.u32 %r1, [4+%rd1];", 16, "expected a constant, found `%rd1`"),
        ("ld.u32 %r1, [%rd1+1.0];", 19, "expected an integer constant, found a float constant"),
        ("ld.u32 %r1, [%rd1+%r2];", 19, "add the two registers first"),
        ("ld.u32 %r1, [%rd1*4];", 18, "multiply first"),
        ("ld.u32 %r1, [%rd1-4];", 18, "write `%rd1+-4`"),
        ("mov.u64 %rd1, arr-x;", 18, "write `arr+-n`"),
        ("ld.u32 %r1, [arr[1]];", 14, "write `arr[1]` without the outer brackets, or `[name+bytes]`"),
        ("ld.u32 %r1, arr[1;", 18, "expected `,` or `]`, found `;`"),
        ("setp.eq.u32 %p1|, %r1, %r2;", 17, "expected a register, found `,`"),
        ("mov.u32 %r1, 'a';", 14, "expected an operand, found `'`"),
        ('mov.u32 %r1, "a";', 14, 'expected an operand, found `"a"`'),
        ("call (a, f, (b);", 13, "expected `,` or `)`, found `(`"),
        ("mov.f32 %f1, %v. x;", 16, "expected `,` or `;`, found `.`"),
        ("vmad.u32 %r1, -(%r4);", 17, "expected a constant, found `%r4`"),
    ],
)
def test_wrong_operands_are_diagnosed_in_place(text: str, column: int, message: str) -> None:
    found = body_errors(text)
    assert f"bad.ptx:4:{column}\n" in found
    assert message in found
    assert found.count("error[PTX-P0001]") == 1
