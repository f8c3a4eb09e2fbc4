"""The printed text: spelling of every node, and of modules that were built by hand."""

from __future__ import annotations

import pytest

from emulator.errors import Source
from emulator.parse import parse, print_instruction, print_module, print_operand
from emulator.parse.nodes import (
    Address,
    Block,
    Element,
    Float,
    Function,
    Group,
    Guard,
    Instruction,
    Integer,
    Module,
    Name,
    Negative,
    Not,
    Offset,
    Operand,
    Pair,
    Vector,
)
from tests.parse.ptx import HEADER, operand

A = Name("a")


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (A, "a"),
        (Name("%tid", "x"), "%tid.x"),
        (Integer(5), "5"),
        (Integer(-5), "-5"),
        (Integer(5, True), "5U"),
        (Integer((1 << 64) - 1, True), "18446744073709551615U"),
        (Integer(-(1 << 63)), "(.s64)0x8000000000000000"),
        (Float(0x3F800000, 32), "0f3F800000"),
        (Float(1, 64), "0d0000000000000001"),
        (Vector((A, Integer(1))), "{a, 1}"),
        (Pair(Name("p"), Name("_")), "p|_"),
        (Not(A), "!a"),
        (Negative(A), "-a"),
        (Offset(A, 4), "a+4"),
        (Offset(A, -4), "a+-4"),
        (Offset(A, -(1 << 63)), "a+(.s64)0x8000000000000000"),
        (Element(A, Offset(A, 1)), "a[a+1]"),
        (Address((Offset(A, -4), Vector((A,)))), "[a+-4, {a}]"),
        (Address((A,), "unified"), "[a].unified"),
    ],
)
def test_operands_print_and_parse_back(node: Operand, text: str) -> None:
    assert print_operand(node) == text
    assert operand(text) == node


def test_instructions() -> None:
    group = Group((A, Vector((A, A))))
    call = Instruction("call.uni", (Group(()), Name("f"), group), Guard("%p", True))
    assert print_instruction(call) == "@!%p call.uni (), f, (a, {a, a});"
    assert print_instruction(Instruction("ret", ())) == "ret;"
    assert print_instruction(Instruction("bra", (A,), Guard("p"))) == "@p bra a;"


TEXT = (
    HEADER
    + """.file 1 "a.cu", 1, 2
.extern .const[2] .b32 bank[];
.visible .global .attribute(.managed) .align 8 .v2 .f32 v[2] = {{1.0, 2.0}, {0f3F800000}};
.global .texref t = { filter_mode = linear };
.global .u64 p[] = {generic(v)+4, 0xFF00(v), v+-4};
.global .u32 n<3>;
.alias g, f;
.pragma "x", "y";
.weak .func .attribute(.unified(1, 2)) (.param .b32 r) f (.param .b8 a[], ...) .noreturn
{
.reg .align 4 .v2 .b32 %r<4>, x;
L: .loc 1 2 3, function_name s+4, inlined_at 1 2 3
.loc 1 2 3, function_name s, inlined_at 1 2 3
.loc 1 2 3
{ .param .align 8 .b8 q[4]; @!p mov.u32 x, 1; }
ts: .branchtargets L, M;
ct: .calltargets f;
pr: .callprototype (.param .b32 _) _ (.reg .b32 _) .abi_preserve 4;
pq: .callprototype _;
.pragma "z";
M:
}
.entry k (.param .u64 .ptr .global .align 16 a, .param .u64 .ptr b) .maxntid 1, 2 .explicitcluster .pragma "n"; { ret; }
.section .debug_x { L: .b8 1, 2 .b32 L+4 }
@@DWARF .byte 1
"""
)

PRINTED = """\
.version 9.0
.target sm_90a
.address_size 64
.file 1 "a.cu", 1, 2
.extern .const[2] .b32 bank[];
.visible .global .attribute(.managed) .align 8 .v2 .f32 v[2] = {{0d3FF0000000000000, 0d4000000000000000}, {0f3F800000}};
.global .texref t = {filter_mode = linear};
.global .u64 p[] = {generic(v)+4, 0xFF00(v), v+-4};
.global .u32 n<3>;
.alias g, f;
.pragma "x", "y";
.weak .func .attribute(.unified(1, 2)) (.param .b32 r) f(.param .b8 a[], ...) .noreturn
{
	.reg .align 4 .v2 .b32 %r<4>, x;
L:
	.loc 1 2 3, function_name s+4, inlined_at 1 2 3
	.loc 1 2 3, function_name s, inlined_at 1 2 3
	.loc 1 2 3
	{
		.param .align 8 .b8 q[4];
		@!p mov.u32 x, 1;
	}
	ts: .branchtargets L, M;
	ct: .calltargets f;
	pr: .callprototype (.param .b32 _) _ (.reg .b32 _) .abi_preserve 4;
	pq: .callprototype _;
	.pragma "z";
M:
}
.entry k(.param .u64 .ptr .global .align 16 a, .param .u64 .ptr b) .maxntid 1, 2 .explicitcluster .pragma "n";
{
	ret;
}
.section .debug_x
{
L:
.b8 1, 2
.b32 L+4
}
@@DWARF .byte 1
"""


def test_a_module_with_everything() -> None:
    module = parse(TEXT)
    assert print_module(module) == PRINTED
    assert parse(PRINTED) == module


def test_a_module_built_by_hand_gets_a_header() -> None:
    kernel = Function("entry", "k", body=Block([Instruction("ret", ())]))
    made = Module(Source(""), (8, 0), ("sm_80", "debug"), 64, [kernel])
    text = print_module(made)
    assert text.startswith(".version 8.0\n.target sm_80, debug\n.address_size 64\n.entry k()\n{\n\tret;\n}\n")
    assert parse(text).functions == made.functions
