"""The token stream: what each piece of a text is, for colours."""

from __future__ import annotations

import pytest

from emulator.parse import tokens

SHORT = {
    "opcode": "O",
    "label": "L",
    "register": "R",
    "symbol": "S",
    "directive": "D",
    "number": "N",
    "string": "T",
    "comment": "C",
    "punctuation": ".",
    "error": "!",
}


def kinds(text: str) -> list[tuple[str, str]]:
    """(kind, text) of every token that is not punctuation."""
    return [(SHORT[token.kind], token.text) for token in tokens(text) if token.kind != "punctuation"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".version 9.0", [("D", ".version"), ("N", "9.0")]),
        (".target sm_90a, debug", [("D", ".target"), ("S", "sm_90a"), ("S", "debug")]),
        ('.file 1 "a b.cu" // c', [("D", ".file"), ("N", "1"), ("T", '"a b.cu"'), ("C", "// c")]),
        (
            ".entry k(.param .u64 a)\n{ ret; }",
            [("D", ".entry"), ("S", "k"), ("D", ".param"), ("D", ".u64"), ("S", "a"), ("O", "ret")],
        ),
        ("mov.u32 %r1, sym;", [("O", "mov.u32"), ("R", "%r1"), ("S", "sym")]),
        ("@!p mov .u32 a, 0f00000000;", [("S", "p"), ("O", "mov .u32"), ("S", "a"), ("N", "0f00000000")]),
        ("@%p1 ret;", [("R", "%p1"), ("O", "ret")]),
        ("L: M : add.u32 a, {b, c}, d;", [("L", "L"), ("L", "M"), ("O", "add.u32"), *(("S", x) for x in "abcd")]),
        ("{ .reg .b32 t; add t, t; } ret;", [("D", ".reg"), ("D", ".b32"), ("S", "t"), ("O", "add")]),
        (".loc 1 2 3\nadd a;", [("D", ".loc"), ("N", "1"), ("N", "2"), ("N", "3"), ("O", "add"), ("S", "a")]),
        (
            ".loc 1 2 3, function_name s,\ninlined_at 1 2 3",
            [("D", ".loc"), *(("N", n) for n in "123"), ("S", "function_name"), ("S", "s"), ("S", "inlined_at")],
        ),
        (".section .debug_x\n{\nL: .b8 1\n.b32 L\n}", [("D", ".section"), ("D", ".debug_x"), ("L", "L"), ("D", ".b8")]),
        ("ts: .branchtargets A, B;", [("L", "ts"), ("D", ".branchtargets"), ("S", "A"), ("S", "B")]),
        (".global .u32 x[] = {1, {y}}; .global", [("D", ".global"), ("D", ".u32"), ("S", "x"), ("N", "1"), ("S", "y")]),
        ("tcgen05.ld.16x256b.x1.b32 a;", [("O", "tcgen05.ld.16x256b.x1.b32"), ("S", "a")]),
        ("@@DWARF .byte 1\nret;", [("D", "@@DWARF .byte 1"), ("O", "ret")]),
        ('# 1 "x.cu"\nret;', [("C", '# 1 "x.cu"'), ("O", "ret")]),
        ("ret; /* a\n b */ ret;", [("O", "ret"), ("C", "/* a\n b */"), ("O", "ret")]),
        (
            'add a, \u00e9; "x\n/* open',
            [("O", "add"), ("S", "a"), ("!", "\u00e9"), ("!", '"'), ("O", "x"), ("!", "/* open")],
        ),
        ("", []),
    ],
)
def test_the_kinds_of_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(text)[: len(expected)] == expected


def test_spans_of_tokens() -> None:
    assert [(token.text, *token.span) for token in tokens("ret ; //x\n\tb.s a;")] == [
        ("ret", 0, 3),
        (";", 4, 5),
        ("//x", 6, 9),
        ("b.s", 11, 14),
        ("a", 15, 16),
        (";", 16, 17),
    ]
