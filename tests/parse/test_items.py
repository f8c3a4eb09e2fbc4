"""Items of a module: header, functions, variables with initialisers, debug information."""

from __future__ import annotations

import gc

import pytest

from emulator.errors import PtxSyntaxError, Source
from emulator.parse import parse
from emulator.parse.nodes import (
    Alias,
    Block,
    Dwarf,
    File,
    Float,
    Function,
    FunctionDirective,
    Initial,
    Instruction,
    Integer,
    Item,
    ModuleDirective,
    Pragma,
    Property,
    Registers,
    Section,
    SymbolValue,
    Variable,
)
from tests.parse.ptx import HEADER, item, items, module

RET = Block([Instruction("ret", ())])


def test_the_header() -> None:
    found = parse("\ufeff// c\n.version 9.4 .target sm_90a, debug\r\n.address_size 64\r\n")
    assert (found.version, found.target, found.address_size) == ((9, 4), ("sm_90a", "debug"), 64)
    assert found.items == [
        ModuleDirective("version", ("9.4",)),
        ModuleDirective("target", ("sm_90a", "debug")),
        ModuleDirective("address_size", ("64",)),
    ]


def test_addresses_have_32_bits_without_an_address_size() -> None:
    assert parse(".version 1.4\n.target sm_10").address_size == 32


def test_the_first_of_several_targets_is_the_modules() -> None:
    assert parse(".version 9.0 .target sm_90a .target sm_80 .address_size 64").target == ("sm_90a",)


@pytest.mark.parametrize("text", [HEADER, HEADER.encode(), b"\xef\xbb\xbf" + HEADER.encode(), HEADER.encode() + b"\0"])
def test_text_bytes_byte_order_mark_and_a_closing_zero(text: str | bytes) -> None:
    assert parse(text) == parse(Source(HEADER))


def test_the_name_goes_into_the_source() -> None:
    assert parse(HEADER, "a.ptx").source.name == "a.ptx"


def test_the_collector_runs_on_after_a_parse_and_after_an_error() -> None:
    assert gc.isenabled()
    parse(HEADER)
    assert gc.isenabled()
    with pytest.raises(PtxSyntaxError):
        parse(HEADER + "x")
    assert gc.isenabled()
    gc.disable()
    try:
        parse(HEADER)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (".entry k { ret; }", Function("entry", "k", body=RET)),
        (".visible .entry k()\n{\nret;\n}", Function("entry", "k", linkage="visible", body=RET)),
        (".weak .entry k() { ret; }", Function("entry", "k", linkage="weak", body=RET)),
        (".extern .entry k();", Function("entry", "k", linkage="extern")),
        (".func f;", Function("func", "f")),
        (".func f()", Function("func", "f")),
        (".func () f () { ret; }", Function("func", "f", body=RET)),
        (
            ".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);",
            Function(
                "func",
                "vprintf",
                (Variable("param", "b64", "a"), Variable("param", "b64", "b")),
                (Variable("param", "b32", "r"),),
                "extern",
            ),
        ),
        (
            ".func (.reg .v4 .f32 x) f (.reg .b32 a) { ret; }",
            Function("func", "f", (Variable("reg", "b32", "a"),), (Variable("reg", "f32", "x", vector=4),), body=RET),
        ),
        (
            ".func f (.param .b32 n, .param .align 8 .b8 va[]);",
            Function(
                "func", "f", (Variable("param", "b32", "n"), Variable("param", "b8", "va", align=8, dimensions=(0,)))
            ),
        ),
        (".func f (.param .b32 n, ...);", Function("func", "f", (Variable("param", "b32", "n"),), variadic=True)),
        (
            ".func .attribute(.unified(0xAB, 2)) f() .noreturn .abi_preserve 8 .abi_preserve_control 14;",
            Function(
                "func",
                "f",
                directives=(
                    FunctionDirective("attribute", (".unified(171, 2)",)),
                    FunctionDirective("noreturn"),
                    FunctionDirective("abi_preserve", (8,)),
                    FunctionDirective("abi_preserve_control", (14,)),
                ),
            ),
        ),
        (
            ".entry k() .maxntid 256, 1, 1\n.minnctapersm 2 .maxnreg 64 .maxnctapersm 3 { ret; }",
            Function(
                "entry",
                "k",
                directives=(
                    FunctionDirective("maxntid", (256, 1, 1)),
                    FunctionDirective("minnctapersm", (2,)),
                    FunctionDirective("maxnreg", (64,)),
                    FunctionDirective("maxnctapersm", (3,)),
                ),
                body=RET,
            ),
        ),
        (
            '.entry k .reqntid 8, 8 .reqnctapercluster 2 .blocksareclusters .pragma "a", "b"; { ret; }',
            Function(
                "entry",
                "k",
                directives=(
                    FunctionDirective("reqntid", (8, 8)),
                    FunctionDirective("reqnctapercluster", (2,)),
                    FunctionDirective("blocksareclusters"),
                    FunctionDirective("pragma", ("a", "b")),
                ),
                body=RET,
            ),
        ),
        (
            ".entry k() .explicitcluster .maxclusterrank 8 { ret; }",
            Function(
                "entry",
                "k",
                directives=(FunctionDirective("explicitcluster"), FunctionDirective("maxclusterrank", (8,))),
                body=RET,
            ),
        ),
    ],
)
def test_functions(text: str, node: Function) -> None:
    assert item(text) == node


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (".param .u64 a", Variable("param", "u64", "a")),
        (".param .align 16 .b8 a[4096]", Variable("param", "b8", "a", align=16, dimensions=(4096,))),
        (".param .u64 .ptr a", Variable("param", "u64", "a", pointer=("", 0))),
        (".param .u64 .ptr .global a", Variable("param", "u64", "a", pointer=("global", 0))),
        (".param .u64 .ptr.global.align 16 a", Variable("param", "u64", "a", pointer=("global", 16))),
        (".param .u32 .ptr.align 16 a", Variable("param", "u32", "a", pointer=("", 16))),
        (".param .align 8 .u64 .ptr .shared a", Variable("param", "u64", "a", align=8, pointer=("shared", 0))),
        (".param .u64 .ptr .texref a", Variable("param", "u64", "a", pointer=("texref", 0))),
        (".param .u64 .align 8 a", Variable("param", "u64", "a", align=8)),
        (".param .texref a", Variable("param", "texref", "a")),
    ],
)
def test_parameters(text: str, node: Variable) -> None:
    found = item(f".entry k({text}) {{ ret; }}")
    assert isinstance(found, Function)
    assert found.parameters == (node,)


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        (".const .align 16 .b8 v[128];", [Variable("const", "b8", "v", align=16, dimensions=(128,))]),
        (".extern .const[2] .b32 v[];", [Variable("const", "b32", "v", "extern", dimensions=(0,), bank=2)]),
        (
            ".extern .shared .align 16 .b8 smem[];",
            [Variable("shared", "b8", "smem", "extern", align=16, dimensions=(0,))],
        ),
        (".common .global .u32 v;", [Variable("global", "u32", "v", "common")]),
        (
            ".visible .global .attribute(.managed) .align 4 .u32 v;",
            [Variable("global", "u32", "v", "visible", align=4, attributes=(".managed",))],
        ),
        (
            ".global .align 4 .attribute(.managed, .unified(19,95)) .v2 .f32 v;",
            [Variable("global", "f32", "v", vector=2, align=4, attributes=(".managed", ".unified(19, 95)"))],
        ),
        (".local .u16 kernel[19][19];", [Variable("local", "u16", "kernel", dimensions=(19, 19))]),
        (".global .u32 x[2*WARP_SZ];", [Variable("global", "u32", "x", dimensions=(64,))]),
        (".global .u32 x<3>;", [Variable("global", "u32", "x", count=3)]),
        (
            ".global .u32 x, y = 3, z[2];",
            [
                Variable("global", "u32", "x"),
                Variable("global", "u32", "y", initial=Integer(3)),
                Variable("global", "u32", "z", dimensions=(2,)),
            ],
        ),
        (".reg .b32 %r<4>;", [Registers("b32", 1, (("%r", 4),))]),
        (".tex .u32 t;", [Variable("tex", "u32", "t")]),
        (".global .samplerref s;", [Variable("global", "samplerref", "s")]),
    ],
)
def test_variables(text: str, nodes: list[Item]) -> None:
    assert items(text) == nodes


@pytest.mark.parametrize(
    ("text", "initial"),
    [
        ("-7", Integer(-7)),
        ("(1 << 4) | 3", Integer(19)),
        ("0f3F800000", Float(0x3F800000, 32)),
        ("1.5", Float(0x3FF8000000000000, 64)),
        ("{}", ()),
        ("{1, 2, 3}", (Integer(1), Integer(2), Integer(3))),
        ("{{1,2},{3}}", ((Integer(1), Integer(2)), (Integer(3),))),
        ("{{{1}}, {}}", (((Integer(1),),), ())),
        ("sym", SymbolValue("sym")),
        ("{sym, sym+4, sym+4*2}", (SymbolValue("sym"), SymbolValue("sym", 4), SymbolValue("sym", 8))),
        ("sym+-4", SymbolValue("sym", -4)),
        ("generic(sym)+20", SymbolValue("sym", 20, True)),
        ("generic", SymbolValue("generic")),
        ("0xFF(sym)", SymbolValue("sym", mask=0xFF)),
        ("0xff00(sym+4)", SymbolValue("sym", 4, mask=0xFF00)),
        ("0xFF0000(generic(sym)+8)", SymbolValue("sym", 8, True, 0xFF0000)),
        ("0xFF00(1000 + 546)", Integer(6)),
        ("255(131187)", Integer(0x73)),
        ("0(5)", Integer(0)),
        ("WARP_SZ", Integer(32)),
        (
            "{ addr_mode_0 = clamp_to_edge, channel_data_type = 7 }",
            (Property("addr_mode_0", "clamp_to_edge"), Property("channel_data_type", 7)),
        ),
    ],
)
def test_initialisers(text: str, initial: Initial) -> None:
    assert item(f".global .u64 v[] = {text};") == Variable("global", "u64", "v", dimensions=(0,), initial=initial)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ('.file 1 "a.cu"', File(1, "a.cu")),
        ('.file 1 "a \\"b\\".cu", 1339013327, 64118', File(1, 'a \\"b\\".cu', 1339013327, 64118)),
        ('.file 0 "a", 12', File(0, "a", 12)),
        (".alias g, f;", Alias("g", "f")),
        ('.pragma "nounroll";', Pragma(("nounroll",))),
        ("@@DWARF .byte   0x2b, 0x00\r\n", Dwarf(".byte   0x2b, 0x00")),
        (".section .debug_loc\t{\t}", Section(".debug_loc", ())),
        (
            ".section .debug_info\n{\n.b32 11430 // length\n.b8 2,\n 0\n.b32 .debug_abbrev+0x4\nL0:\n.b32 L1 - L0\n"
            ".b64 L0+12 .b8 -11 L1 : .b16 -5, -65535\n}",
            Section(
                ".debug_info",
                (
                    ".b32 11430",
                    ".b8 2, 0",
                    ".b32 .debug_abbrev+0x4",
                    "L0:",
                    ".b32 L1-L0",
                    ".b64 L0+12",
                    ".b8 -11",
                    "L1:",
                    ".b16 -5, -65535",
                ),
            ),
        ),
    ],
)
def test_other_items(text: str, node: Item) -> None:
    assert item(text) == node


def test_functions_by_name_prefer_definitions() -> None:
    found = module(".func f();\n.func f() { ret; }\n.func f();\n.entry k { ret; }\n.extern .entry j();")
    assert found.functions["f"].body == RET
    assert [entry.name for entry in found.entries] == ["k"]


TRITON = """//
// Generated by LLVM NVPTX Back-End
//

.version 9.4
.target sm_90a
.address_size 64

	// .globl	scale
.extern .shared .align 16 .b8 global_smem[];

.visible .entry scale(
	.param .u64 .ptr .global .align 1 scale_param_0,
	.param .u32 scale_param_1,
	.param .u64 .ptr .global .align 1 scale_param_2,
	.param .u64 .ptr .global .align 1 scale_param_3
)
.reqntid 128
{
	.reg .pred 	%p<3>;
	.reg .b32 	%r<5>;
	.reg .b64 	%rd<2>;
	.loc	1 4 0                           // scale.py:4:0
$L__func_begin0:
// %bb.0:
	ld.param.b64 	%rd1, [scale_param_0];
	// begin inline asm
	mov.u32 %r1, 0x0;
	@%p1 ld.global.v2.b32 { %r1, %r2 }, [ %rd1 + 0 ];
	// end inline asm
	ret;
}
"""


def test_the_dialect_of_triton() -> None:
    found = parse(TRITON)
    (kernel,) = found.entries
    assert [parameter.pointer for parameter in kernel.parameters] == [("global", 1), None, ("global", 1), ("global", 1)]
    assert kernel.directives == (FunctionDirective("reqntid", (128,)),)
    assert kernel.body is not None
    assert len(kernel.body.statements) == 9
