"""Declarations and directives that the grammar takes and ptxas does not."""

from __future__ import annotations

import pytest

from emulator.errors import Diagnostic
from emulator.machine.device import Limits
from emulator.parse import parse
from emulator.program import check_module
from emulator.program.size_limits import MOST_SHARED

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
KERNEL = ".visible .entry k () { ret; }"


def errors(text: str) -> list[Diagnostic]:
    found, _ = check_module(parse(text if text.startswith(".version") else HEAD + text, "k.ptx"))
    return found


WRONG = [
    (".local .u32 x; " + KERNEL, "outside of a function"),
    (".tex .u64 t; " + KERNEL, ".tex variables are gone"),
    (".common .const .u32 v; " + KERNEL, "is .common and not .global"),
    (".shared .pred v; " + KERNEL, "a predicate in .shared memory"),
    (".visible .entry k (.param .pred a) { ret; }", "a predicate in .param memory"),
    (".visible .entry k (.param .v4 .f32 a) { ret; }", "a parameter that is a vector"),
    (".visible .entry k (.param .f16x2 a) { ret; }", "a parameter that is a vector"),
    (".global .samplerref s; " + KERNEL, "a sampler, in unified texture mode"),
    (".global .v4 .f64 v; " + KERNEL, "a vector of more than 128 bits"),
    (".global .align 3 .b8 v[4]; " + KERNEL, "an alignment of 3 bytes"),
    (".shared .attribute(.managed) .u32 v; " + KERNEL, ".managed in .shared memory"),
    (".const .attribute(.unified(1, 2)) .u32 v; " + KERNEL, ".unified in .const memory"),
    (
        ".global .attribute(.managed, .unified(1, 2)) .u32 v; " + KERNEL,
        "v is .unified, in a program that is not linked",
    ),
    (".func .attribute(.unified(1, 2)) f () { ret; } " + KERNEL, "f is .unified, in a program that is not linked"),
    (".extern .func .attribute(.unified(1, 2)) f (); " + KERNEL, "f is .unified, in a program that is not linked"),
    (".shared .u32 v = 1; " + KERNEL, "initialised in .shared memory"),
    (".visible .entry k () { .local .u32 v = 1; ret; }", "initialised in .local memory"),
    (".extern .global .u32 v = 1; " + KERNEL, "extern and initialised"),
    (".global .f32 v = 1; " + KERNEL, "not of its type .f32"),
    (".global .u32 v[2] = {1, 2.5}; " + KERNEL, "not of its type .u32"),
    (".global .u32 x; .global .u16 v = x; " + KERNEL, "not of its type .u16"),
    (".global .u32 v[2] = {1, 2, 3}; " + KERNEL, "3 elements for 2"),
    (".global .u32 v[2][2] = {{1, 2, 3}, {4}}; " + KERNEL, "3 elements for 2"),
    (".global .u32 v[2][2] = {1, 2}; " + KERNEL, "a number where braces are needed"),
    (".global .u32 v[2] = 5; " + KERNEL, "a number where braces are needed"),
    (".global .v2 .u32 v = 5; " + KERNEL, "a number where braces are needed"),
    (".global .u32 v = {1}; " + KERNEL, "more braces than dimensions"),
    (".global .u32 v[2] = {{1}, {2}}; " + KERNEL, "more braces than dimensions"),
    (".global .v4 .u32 v = {1, 2}; " + KERNEL, "2 elements for a vector of 4"),
    (".global .v2 .u32 v[3] = {{1, 2}, {3}}; " + KERNEL, "1 elements for a vector of 2"),
    (".global .u64 v = nothing; " + KERNEL, "the address of nothing"),
    (".shared .u32 s; .global .u64 v = s; " + KERNEL, "the address of s"),
    (".visible .entry k (.param .u64 p) { .global .u64 v = p; ret; }", "the address of p"),
    (".global .f16 v = 1.0; " + KERNEL, "a .f16 with an initial value"),
    (".visible .entry k () { .reg .v2 .pred p; ret; }", "a vector of predicates"),
    (".visible .entry k () { { .reg .v4 .f64 r; } ret; }", "more than 128 bits"),
    (".visible .entry k () .maxnctapersm 2 { ret; }", ".maxnctapersm is gone"),
    (".visible .entry k () .blocksareclusters { ret; }", "needs .reqntid and .reqnctapercluster"),
    (".visible .entry k () .maxntid 32 .reqntid 32 { ret; }", "cannot go together"),
    (".visible .entry k () .maxntid 0 { ret; }", ".maxntid 0"),
    (KERNEL + KERNEL, "k is defined twice"),
    (".global .u32 x; .const .u32 x; " + KERNEL, "x is defined twice"),
    (".visible .entry k (.param .u32 a, .param .u32 a) { ret; }", "k has two parameters a"),
    (".func (.param .b32 a) f (.param .b32 a) { ret; } " + KERNEL, "f has two parameters a"),
    (".visible .entry k (.reg .u32 a) { ret; }", "parameter a is a register"),
    (".extern .func f () { ret; } " + KERNEL, "f is extern and has a body"),
    (".func f (.param .u32 a); .func f (.param .s32 a) { ret; } " + KERNEL, "f is declared with other parameters"),
    (".func f (.param .b8 a[4]); .func f (.param .b8 a[8]); " + KERNEL, "f is declared with other parameters"),
    (".func (.param .b32 r) f (); .func f (.param .b32 r) { ret; } " + KERNEL, "f is declared with other parameters"),
    (".shared .u32 x[]; " + KERNEL, "x is an array without a size"),
    (".global .u32 x[2][0]; " + KERNEL, "x is an array without a size"),
    (".visible .entry k () { .local .u32 x[0]; ret; }", "x is an array without a size"),
    (".visible .entry k (.param .b8 x[]) { ret; }", "x is an array without a size"),
    (".const .b8 x[65000]; .const .align 8 .b8 y[540]; " + KERNEL, "with y the .const variables have 65,540 bytes"),
    (".visible .entry k () { .const .b8 x[65537]; ret; }", "with x the .const variables have 65,537 bytes"),
    (".visible .entry k (.param .b8 p[32765]) { ret; }", "32,765 bytes of parameters, 32,764 at most"),
    (".version 8.0\n.target sm_90\n.visible .entry k (.param .b8 p[4353]) { ret; }", "of parameters, 4,352 at most"),
    (
        ".shared .b8 s[232449]; .visible .entry k () { .reg .u32 a; mov.u32 a, s; ret; }",
        "232,449 bytes of .shared variables, 232,448 at most",
    ),
    (".version 9.0\n.target sm_90a\n.address_size 64\n.target sm_80\n" + KERNEL, "a second .target"),
    (".version 9.0\n.target sm_90a, map_f64_to_f32\n.address_size 64\n" + KERNEL, "below sm_13"),
    (".version 9.0\n.target sm_90a, debug\n.address_size 64\n" + KERNEL, "without debug information"),
    (".version 9.0\n.target sm_90a, texmode_unified, texmode_independent\n" + KERNEL, "cannot go together"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_is_wrong(text: str, message: str) -> None:
    found = errors(text)
    assert [error.code for error in found] == ["PTX-P0136"]
    assert message in found[0].message
    assert found[0].labels, "it says where"
    assert found[0].help, "it says what to do"


RIGHT = [
    ".global .f32 v[2] = {1.0, 2.5}; .global .b32 w = 1.5; .const .u64 x[2] = {1, 2}; " + KERNEL,
    ".global .u32 x; .global .u64 v = x; .global .u32 w = x; .global .u8 low = 0xFF(x); " + KERNEL,
    ".global .u32 x; .extern .global .u32 x; .extern .shared .align 16 .b8 s[]; " + KERNEL,
    ".func f (); .func f () { ret; } " + KERNEL,
    ".func f (); .global .u64 v[2] = {f, f}; .global .v2 .u32 w[3] = {{1, 2}, {3, 4}}; " + KERNEL,
    ".global .u32 v[][2] = {{1, 2}, {3}}; .const .u32 c; .global .u64 w[2] = {c, generic(c)}; " + KERNEL,
    ".visible .entry k () { .global .u32 c; .global .u64 v = c; ret; }",
    ".common .global .u32 v = 1; .weak .const .u32 w; .visible .shared .u32 s; " + KERNEL,
    ".global .attribute(.managed) .u32 v; " + KERNEL,
    ".visible .entry k (.param .align 4 .v4 .f32 a[4], .param .b128 b, .param .f16 c) { ret; }",
    ".visible .entry k () .reqntid 32 .reqnctapercluster 2 .blocksareclusters { ret; }",
    ".visible .entry k () { .global .u32 v = 1; .const .u32 w = 2; ret; }",
    ".func f (.reg .pred a) { ret; } " + KERNEL,
    ".func f (.param .u32 a); .func f (.param .u32 b) { ret; } " + KERNEL,
    ".visible .entry k () { .reg .u32 %r<3>, %r5, %r01, %r; { .reg .u32 %r1; } ret; }",
    ".extern .func f (.param .b8 a, .param .b8 a); .func g (.param .b32 n, .param .b8 rest[]) { ret; } " + KERNEL,
    ".const .b8 x[65000]; .const .align 8 .b8 y[536]; .visible .entry k (.param .b8 p[32764]) { ret; }",
    ".version 8.0\n.target sm_90\n.visible .entry k (.param .b8 p[4352]) { ret; }",
    ".shared .b8 s[300000]; " + KERNEL,
    ".version 9.0\n.target sm_90a, texmode_independent\n.address_size 64\n.global .samplerref s; " + KERNEL,
    ".version 2.0\n.target sm_20\n.visible .entry k () .maxnctapersm 2 { ret; }",
    ".version 9.0\n.target sm_90a, debug\n.address_size 64\n" + KERNEL + "\n.section .debug_info { .b8 1 }\n",
]


@pytest.mark.parametrize("text", RIGHT)
def test_is_right(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    "text", [".visible .entry k (.param .u32 a) { a: ret; }", KERNEL.replace("ret", ".reg .b32 a; a: ret")]
)
def test_a_label_is_no_variable_of_its_block(text: str) -> None:
    (found,) = errors(text)
    assert (found.code, found.message) == ("PTX-P0123", "a is a label and a variable in one block")


def test_a_cta_has_the_shared_memory_of_the_device() -> None:
    assert Limits().shared_per_block == MOST_SHARED


@pytest.mark.parametrize("names", ["%r<3>, %r1", "%r1, %r<3>", "%r<3>, %r<4>"])
def test_registers_of_one_name(names: str) -> None:
    (found,) = errors(f".visible .entry k () {{ .reg .u32 {names}; ret; }}")
    assert found.code == "PTX-P0123"
