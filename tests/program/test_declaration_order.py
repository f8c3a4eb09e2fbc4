"""The warning PTX-P0302; ptxas 13.0 refuses the texts that have it and takes the others."""

from __future__ import annotations

import pytest

from emulator.parse import parse
from emulator.program import check_module

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"


def warned(text: str) -> list[str]:
    """The names that are used too early."""
    errors, warnings = check_module(parse(HEAD + text, "k.ptx"))
    assert errors == []
    assert {warning.code for warning in warnings} <= {"PTX-P0302"}
    return [warning.message.partition(" ")[0] for warning in warnings]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (".visible .entry k () { mov.u32 %d, 1; mov.u32 %d, 2; .reg .u32 %d; ret; }", ["%d"]),
        (".visible .entry k () { mov.u32 %d7, 1; .reg .u32 %d<8>; ret; }", ["%d7"]),
        (".visible .entry k () { @%p ret; .reg .pred %p; ret; }", ["%p"]),
        (".visible .entry k () { { @%p ret; } .reg .pred %p; ret; }", ["%p"]),
        (".visible .entry k () { .reg .u64 %a; st.u64 [v+8], %a; .local .b8 v[16]; ret; }", ["v"]),
        (".visible .entry k () { .reg .u64 %a; mov.u64 %a, x; ret; } .global .u32 x;", ["x"]),
        (".visible .entry k () { call f; ret; } .func f () { ret; }", ["f"]),
        (".visible .entry k () { .reg .u32 %d; brx.idx %d, T; A: ret; T: .branchtargets A; }", ["T"]),
        (".visible .entry k () { .reg .u64 %d; call %d, (), P; ret; P: .callprototype _ (); }", ["P"]),
    ],
)
def test_too_early(text: str, names: list[str]) -> None:
    assert warned(text) == names


@pytest.mark.parametrize(
    "text",
    [
        ".visible .entry k () { bra L; L: ret; }",
        ".func f (); .visible .entry k () { call f; ret; } .func f () { ret; }",
        ".func f () { call f; ret; } .visible .entry k () { ret; }",
        ".visible .entry k () { .reg .u32 %r<3>; mov.u32 %r1, 1; { .reg .u32 %x; mov.u32 %x, %r1; } .reg .u32 %s; }",
        ".visible .entry k () { .reg .u32 %d; T: .branchtargets A; brx.idx %d, T; A: ret; }",
    ],
)
def test_in_time(text: str) -> None:
    assert warned(text) == []
