"""Statements of a body: instructions, labels, blocks, `.loc`, `.pragma`, targets and prototypes."""

from __future__ import annotations

import pytest

from emulator.parse.nodes import (
    Block,
    BranchTargets,
    CallPrototype,
    CallTargets,
    FunctionDirective,
    Guard,
    Instruction,
    Integer,
    LabelMark,
    Loc,
    Name,
    Pragma,
    Registers,
    Statement,
    Variable,
)
from tests.parse.ptx import statement, statements

R1, R2 = Name("%r1"), Name("%r2")
MOV = Instruction("mov.u32", (R1, R2))


@pytest.mark.parametrize(
    "text",
    [
        "mov.u32 %r1, %r2;",
        "mov.u32 %r1,%r2;",
        "\tmov.u32 \t%r1 , %r2 ;",
        "mov.u32\n\t%r1,\n\t%r2\n\t;",
        "mov.u32\r\n%r1, %r2;\r\n",
        "mov .u32 %r1, %r2;",
        "mov/* in */.u32 %r1, /* mid */ %r2; // end",
        "/* a\n b */ mov.u32 %r1, // first\n %r2;",
        '# 12 "a.cu"\nmov.u32 %r1, %r2;',
        '#line 12 "a.cu"\nmov.u32 %r1, %r2;',
        "\f\vmov.u32 %r1, %r2;",
        "mov.u32 %r1, %r2; // \u00e9",
    ],
)
def test_white_space_and_comments_mean_nothing(text: str) -> None:
    assert statements(text) == [MOV]


@pytest.mark.parametrize(
    "opcode",
    [
        "ret",
        "add.sat.s32",
        "ld.global.L1::no_allocate.L2::cache_hint.v4.b32",
        "ld.L1::no_allocate.global.b32",
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster",
        "ldmatrix.sync.aligned.m8n8.x4.trans.shared::cta.b16",
        "tcgen05.ld.sync.aligned.16x256b.x1.b32",
        "tcgen05.mma.cta_group::1.kind::f16",
        "wgmma.mma_async.sp.sync.aligned.m64n48k32.f16.f16.f16",
        "ld.const[2].b32",
    ],
)
def test_an_opcode_is_the_whole_dotted_word(opcode: str) -> None:
    assert statement(f"{opcode} %r1;") == Instruction(opcode, (R1,))
    assert statement(f"{opcode} /* slow */ %r1;") == Instruction(opcode, (R1,))
    assert statement(f"{opcode};") == Instruction(opcode, ())


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        ("@%p1 mov.u32 %r1, %r2;", Guard("%p1")),
        ("@!%p1 mov.u32 %r1, %r2;", Guard("%p1", True)),
        ("@ %p1 mov.u32 %r1, %r2;", Guard("%p1")),
        ("@! p mov.u32 %r1, %r2;", Guard("p", True)),
        ("@ ! p\n\tmov.u32 %r1, %r2;", Guard("p", True)),
    ],
)
def test_guards(text: str, guard: Guard) -> None:
    assert statement(text) == Instruction("mov.u32", (R1, R2), guard)


def test_several_statements_on_a_line() -> None:
    assert statements("mov.u32 %r1, %r2;mov.u32 %r1, %r2; @p ret; ret;") == [
        MOV,
        MOV,
        Instruction("ret", (), Guard("p")),
        Instruction("ret", ()),
    ]


def test_labels() -> None:
    assert statements("A: B:\n$L__BB0_1 : %l: mov.u32 %r1, %r2; end:") == [
        LabelMark("A"),
        LabelMark("B"),
        LabelMark("$L__BB0_1"),
        LabelMark("%l"),
        MOV,
        LabelMark("end"),
    ]


def test_a_label_may_be_named_like_an_instruction() -> None:
    assert statements("add: bra add;") == [LabelMark("add"), Instruction("bra", (Name("add"),))]


def test_blocks_keep_their_own_registers_and_labels() -> None:
    inline = "{ .reg .pred P1; WAIT: @P1 bra DONE; bra WAIT; DONE: }"
    block = Block(
        [
            Registers("pred", 1, (("P1", None),)),
            LabelMark("WAIT"),
            Instruction("bra", (Name("DONE"),), Guard("P1")),
            Instruction("bra", (Name("WAIT"),)),
            LabelMark("DONE"),
        ]
    )
    assert statements(f"{inline}\n{inline} {{ {{ }} {inline} }}") == [block, block, Block([Block([]), block])]


def test_inline_assembly_with_free_spacing() -> None:
    assert statements("{ .reg .b32 t; // one\n mov.b32 t , %r1 ;add.u32 %r2,t,1; }") == [
        Block(
            [
                Registers("b32", 1, (("t", None),)),
                Instruction("mov.b32", (Name("t"), R1)),
                Instruction("add.u32", (R2, Name("t"), Integer(1))),
            ]
        )
    ]


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (".loc 1 2 3", Loc(1, 2, 3)),
        (".loc\t1 2 3 // main.cu:2", Loc(1, 2, 3)),
        (".loc 1 9 2, function_name info_string0, inlined_at 1 3 0", Loc(1, 9, 2, "info_string0", 0, (1, 3, 0))),
        (
            ".loc\t2 9 2, function_name $L__info_string0+16, inlined_at 1 3 0",
            Loc(2, 9, 2, "$L__info_string0", 16, (1, 3, 0)),
        ),
        (
            ".loc 1 15 3, function_name .debug_str+16, inlined_at 1 10 5 /* x */",
            Loc(1, 15, 3, ".debug_str", 16, (1, 10, 5)),
        ),
        (".loc 1 2\n3", Loc(1, 2, 3)),
        (".loc 1 0x10 3", Loc(1, 16, 3)),
    ],
)
def test_loc(text: str, node: Loc) -> None:
    assert statements(text + "\n") == [node]


def test_an_instruction_may_follow_a_loc_on_its_line() -> None:
    assert statements(".loc 1 2 3 mov.u32 %r1, %r2;") == [Loc(1, 2, 3), MOV]


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ('.pragma "nounroll";', Pragma(("nounroll",))),
        ('.pragma "a b", "x\\"y";', Pragma(("a b", 'x\\"y'))),
        ("ts: .branchtargets L0, L1;", BranchTargets("ts", ("L0", "L1"))),
        ("ts : // targets\n .branchtargets N<3>, M;", BranchTargets("ts", ("N0", "N1", "N2", "M"))),
        ("ts: .calltargets f, g;", CallTargets("ts", ("f", "g"))),
        ("pr: .callprototype _;", CallPrototype("pr", (), ())),
        ("pr: .callprototype ()_ () .noreturn;", CallPrototype("pr", (), (), (FunctionDirective("noreturn"),))),
        (
            "p_0 : .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 8 .b8 _[12]) .abi_preserve 4;",
            CallPrototype(
                "p_0",
                (Variable("param", "b32", "_"),),
                (Variable("param", "b64", "_"), Variable("param", "b8", "_", align=8, dimensions=(12,))),
                (FunctionDirective("abi_preserve", (4,)),),
            ),
        ),
        (".reg .b32 %r<5>, x;", Registers("b32", 1, (("%r", 5), ("x", None)))),
        (".reg.u32 $a, _b;", Registers("u32", 1, (("$a", None), ("_b", None)))),
        (".reg .v4 .f32 v;", Registers("f32", 4, (("v", None),))),
        (".reg .align 8 .b64 x;", Registers("b64", 1, (("x", None),), 8)),
        (".reg .u32 add, mov;", Registers("u32", 1, (("add", None), ("mov", None)))),
        (".param .align 8 .b8 p[16];", Variable("param", "b8", "p", align=8, dimensions=(16,))),
        (".shared .align 8 .u64 bar[4];", Variable("shared", "u64", "bar", align=8, dimensions=(4,))),
        (".local .v4 .f32 x[2];", Variable("local", "f32", "x", vector=4, dimensions=(2,))),
        (".global .u32 q = 1;", Variable("global", "u32", "q", initial=Integer(1))),
        (".attribute(.managed) .global .u32 q;", Variable("global", "u32", "q", attributes=(".managed",))),
    ],
)
def test_a_directive_of_bodies(text: str, node: Statement) -> None:
    assert statement(text) == node
