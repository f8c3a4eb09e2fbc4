"""What a wrong text is told: every diagnostic, as it is printed."""

from __future__ import annotations

import pytest

from emulator.errors import PtxSyntaxError
from emulator.parse import parse
from tests.parse.ptx import HEADER, body_errors, errors

BODIES = {
    "a_missing_semicolon_points_behind_the_statement": (
        "\tadd.u32 %r1, %r2, 3\n\tmov.u32 %r1, 1;",
        """\
error[PTX-P0001]: expected `;`, found `mov`
 --> bad.ptx:4:21
  |
4 |     add.u32 %r1, %r2, 3
  |                        ^
   help: end the statement with `;`""",
    ),
    "a_missing_semicolon_before_a_block": (
        "\tmov.u32 %r1, 1\n\t{ mov.u32 %r1, 2; }",
        """\
error[PTX-P0001]: expected `;`, found `{`
 --> bad.ptx:4:16
  |
4 |     mov.u32 %r1, 1
  |                   ^
   help: end the statement with `;`""",
    ),
    "a_missing_semicolon_before_a_brace": (
        "\t{ mov.u32 %r1, 1 }\n\tret }  {",
        """\
error[PTX-P0001]: expected `;`, found `}`
 --> bad.ptx:4:18
  |
4 |     { mov.u32 %r1, 1 }
  |                     ^
   help: end the statement with `;`

error[PTX-P0001]: expected `;`, found `}`
 --> bad.ptx:5:5
  |
5 |     ret }  {
  |        ^
   help: end the statement with `;`

error[PTX-P0001]: expected a directive, found `{`
 --> bad.ptx:5:9
  |
5 |     ret }  {
  |            ^ outside every function""",
    ),
    "a_missing_semicolon_before_a_label": (
        "\tbra L\nL:",
        """\
error[PTX-P0001]: expected `;`, found `L`
 --> bad.ptx:4:7
  |
4 |     bra L
  |          ^
   help: end the statement with `;`""",
    ),
    "a_missing_comma": (
        "\tadd.u32 %r1 %r2, 3;",
        """\
error[PTX-P0001]: expected `,` or `;`, found `%r2`
 --> bad.ptx:4:14
  |
4 |     add.u32 %r1 %r2, 3;
  |                 ^^^""",
    ),
    "a_subtraction_in_an_address": (
        "\tld.global.u32 %r1, [%rd1-4];",
        """\
error[PTX-P0001]: `-` after `%rd1`
 --> bad.ptx:4:26
  |
4 |     ld.global.u32 %r1, [%rd1-4];
  |                             ^
   help: PTX only adds to a name: write `%rd1+-4`""",
    ),
    "an_unclosed_bracket_points_to_its_opener": (
        "\tld.global.u32 %r1, [%rd1;",
        """\
error[PTX-P0001]: expected `,` or `]`, found `;`
 --> bad.ptx:4:26
  |
4 |     ld.global.u32 %r1, [%rd1;
  |                        - opened here
  |                             ^""",
    ),
    "two_wrong_statements": (
        "\tmov.u32 %r1, 09;\n\tret;\n\tmov.f32 %f1, 0f3F80;",
        """\
error[PTX-P0001]: `09` is not a constant
 --> bad.ptx:4:15
  |
4 |     mov.u32 %r1, 09;
  |                  ^^ a leading `0` makes a constant octal: digits 0 to 7

error[PTX-P0001]: `0f3F80` is not a constant
 --> bad.ptx:6:15
  |
6 |     mov.f32 %f1, 0f3F80;
  |                  ^^^^^^ `0f` takes exactly 8 hexadecimal digits""",
    ),
    "a_guard_before_a_block": (
        "\t@%p1 {\n\tret;\n\t}",
        """\
error[PTX-P0001]: expected an instruction, found `{`
 --> bad.ptx:4:7
  |
4 |     @%p1 {
  |          ^
   help: a guard stands before one instruction: branch around the block""",
    ),
    "a_guard_without_an_instruction": (
        "\t@%p1 .reg .b32 x;",
        """\
error[PTX-P0001]: expected an instruction, found `.reg`
 --> bad.ptx:4:7
  |
4 |     @%p1 .reg .b32 x;
  |          ^^^^""",
    ),
    "a_guard_that_is_no_name": (
        "\t@1 ret;",
        """\
error[PTX-P0001]: expected a predicate register, found `1`
 --> bad.ptx:4:3
  |
4 |     @1 ret;
  |      ^""",
    ),
    "an_empty_statement": (
        "\tret;;",
        """\
error[PTX-P0001]: a `;` that ends nothing
 --> bad.ptx:4:6
  |
4 |     ret;;
  |         ^
   help: remove it""",
    ),
    "a_misspelt_directive_of_a_body": (
        "\t.regs .b32 x;",
        """\
error[PTX-P0001]: expected an instruction, a directive or `}`, found `.regs`
 --> bad.ptx:4:2
  |
4 |     .regs .b32 x;
  |     ^^^^^
   help: did you mean `.reg`?""",
    ),
    "a_target_list_without_a_label": (
        "\t.branchtargets L;",
        """\
error[PTX-P0001]: `.branchtargets` without a label
 --> bad.ptx:4:2
  |
4 |     .branchtargets L;
  |     ^^^^^^^^^^^^^^
   help: name it: `label: .branchtargets ...;`""",
    ),
    "a_variable_of_another_module_in_a_body": (
        "\t.extern .shared .b8 x[];",
        """\
error[PTX-P0001]: `.extern` inside a function
 --> bad.ptx:4:2
  |
4 |     .extern .shared .b8 x[];
  |     ^^^^^^^
   help: move the line before the function""",
    ),
    "a_file_directive_in_a_body": (
        '\t.file 1 "a.cu"',
        """\
error[PTX-P0001]: `.file` inside a function
 --> bad.ptx:4:2
  |
4 |     .file 1 "a.cu"
  |     ^^^^^
   help: move the line before the function""",
    ),
    "too_many_branch_targets": (
        "\tts: .branchtargets L<70000>;",
        """\
error[PTX-P0001]: more than 65536 branch targets
 --> bad.ptx:4:22
  |
4 |     ts: .branchtargets L<70000>;
  |                         ^^^^^^^""",
    ),
    "an_initial_value_for_a_register": (
        "\t.reg .u32 x = 5;",
        """\
error[PTX-P0001]: expected `,` or `;`, found `=`
 --> bad.ptx:4:14
  |
4 |     .reg .u32 x = 5;
  |                 ^
   help: a register has no initial value: set it with `mov`""",
    ),
    "an_array_of_registers": (
        "\t.reg .u32 x[4];",
        """\
error[PTX-P0001]: expected `,` or `;`, found `[`
 --> bad.ptx:4:13
  |
4 |     .reg .u32 x[4];
  |                ^
   help: registers have no arrays: `%r<4>` declares %r0 to %r3""",
    ),
    "a_misspelt_type": (
        "\t.reg .bf32 x;",
        """\
error[PTX-P0001]: expected a type such as `.b32`, found `.bf32`
 --> bad.ptx:4:7
  |
4 |     .reg .bf32 x;
  |          ^^^^^
   help: did you mean `.f32`?""",
    ),
    "a_type_of_instructions_only": (
        "\t.reg .bf16 x;",
        """\
error[PTX-P0001]: expected a type that a variable may have, found `.bf16`
 --> bad.ptx:4:7
  |
4 |     .reg .bf16 x;
  |          ^^^^^
   help: .bf16 is only an instruction type: declare .b16""",
    ),
    "a_type_below_a_byte": (
        "\t.reg .e2m1 x;",
        """\
error[PTX-P0001]: expected a type that a variable may have, found `.e2m1`
 --> bad.ptx:4:7
  |
4 |     .reg .e2m1 x;
  |          ^^^^^
   help: .e2m1 is only an instruction type""",
    ),
    "a_name_that_is_taken": (
        "\t.reg .b32 WARP_SZ;",
        """\
error[PTX-P0001]: expected a register name, found `WARP_SZ`
 --> bad.ptx:4:12
  |
4 |     .reg .b32 WARP_SZ;
  |               ^^^^^^^""",
    ),
    "text_that_is_not_ascii": (
        "\té;",
        """\
error[PTX-P0001]: expected an instruction, a directive or `}`, found `é`
 --> bad.ptx:4:2
  |
4 |     é;
  |     ^
   help: PTX is ASCII outside comments and strings""",
    ),
    "a_string_without_an_end": (
        '\t.pragma "nounroll;',
        """\
error[PTX-P0001]: expected a string in double quotes, found a string without its closing quote
 --> bad.ptx:4:10
  |
4 |     .pragma "nounroll;
  |             ^
   help: close the string on the same line""",
    ),
    "a_comment_without_an_end": (
        "\t/* mov.u32 %r1, 1;",
        """\
error[PTX-P0001]: expected an instruction, a directive or `}`, found a comment without its `*/`
 --> bad.ptx:4:2
  |
4 |     /* mov.u32 %r1, 1;
  |     ^^
   help: close the comment with `*/`""",
    ),
    "a_prototype_with_a_name": (
        "\tpr: .callprototype f;",
        """\
error[PTX-P0001]: expected `_`, found `f`
 --> bad.ptx:4:21
  |
4 |     pr: .callprototype f;
  |                        ^""",
    ),
    "a_loc_with_a_wrong_word": (
        "\t.loc 1 2 3, inlined 4",
        """\
error[PTX-P0001]: expected `function_name` or `inlined_at`, found `inlined`
 --> bad.ptx:4:14
  |
4 |     .loc 1 2 3, inlined 4
  |                 ^^^^^^^""",
    ),
    "a_float_where_an_integer_stands": (
        "\t.loc 1 2.5 3",
        """\
error[PTX-P0001]: expected a line number, found a float constant
 --> bad.ptx:4:9
  |
4 |     .loc 1 2.5 3
  |            ^^^""",
    ),
}

MODULES = {
    "an_unclosed_block_at_the_end": (
        ".func f()\n{\n\t{\n\tret;\n}\n",
        """\
error[PTX-P0001]: this `{` is never closed
 --> bad.ptx:5:1
  |
5 | {
  | ^
   help: add a `}`""",
    ),
    "an_unclosed_body_before_the_next_function": (
        ".func f()\n{\n\tret;\n\n.visible .entry k() { ret; }\n",
        """\
error[PTX-P0001]: this `{` is never closed
 --> bad.ptx:5:1
  |
5 | {
  | ^
8 | .visible .entry k() { ret; }
  | -------- found `.visible`
   help: add a `}`""",
    ),
    "a_brace_too_many": (
        ".func f() { ret; } }\n\tadd.u32 %r1, %r1, 1;\n\tret;\n.func g() { ret; }\n",
        """\
error[PTX-P0001]: `}` without `{`
 --> bad.ptx:4:20
  |
4 | .func f() { ret; } }
  |                    ^
   help: an earlier `}` closed the function already, or remove it""",
    ),
    "an_instruction_outside_a_function": (
        "mov.u32 %r1, 1;\nmov.u32 %r1, 1;\n",
        """\
error[PTX-P0001]: expected a directive, found `mov`
 --> bad.ptx:4:1
  |
4 | mov.u32 %r1, 1;
  | ^^^ outside every function""",
    ),
    "a_misspelt_directive": (
        ".vissible .entry k() { ret; }\n.global .u32 x\n.global .u32 y;",
        """\
error[PTX-P0001]: expected a directive such as `.visible`, `.entry` or `.global`, found `.vissible`
 --> bad.ptx:4:1
  |
4 | .vissible .entry k() { ret; }
  | ^^^^^^^^^
   help: did you mean `.visible`?

error[PTX-P0001]: expected `;`, found `.global`
 --> bad.ptx:5:15
  |
5 | .global .u32 x
  |               ^
   help: end the statement with `;`""",
    ),
    "a_semicolon_behind_a_function": (
        ".func f() { ret; };\n",
        """\
error[PTX-P0001]: a `;` that ends nothing
 --> bad.ptx:4:19
  |
4 | .func f() { ret; };
  |                   ^
   help: remove it""",
    ),
    "a_linkage_of_nothing": (
        ".visible .version\n",
        """\
error[PTX-P0001]: expected `.entry`, `.func` or a state space after `.visible`, found `.version`
 --> bad.ptx:4:10
  |
4 | .visible .version
  |          ^^^^^^^^""",
    ),
    "a_second_version": (
        ".version 9.0\n",
        """\
error[PTX-P0001]: a second `.version` in the module
 --> bad.ptx:4:1
  |
1 | .version 9.0
  | ------------ the first one
4 | .version 9.0
  | ^^^^^^^^""",
    ),
    "an_address_size_that_is_none": (
        ".entry k { ret; }\n.address_size 128\n",
        """\
error[PTX-P0001]: expected `32` or `64`, found `128`
 --> bad.ptx:5:15
  |
5 | .address_size 128
  |               ^^^""",
    ),
    "a_parameter_without_a_name": (
        ".entry k(.param .u32) { ret; }\n",
        """\
error[PTX-P0001]: expected a parameter name, found `)`
 --> bad.ptx:4:21
  |
4 | .entry k(.param .u32) { ret; }
  |                     ^""",
    ),
    "a_parameter_without_a_space": (
        ".entry k(.u32 a) { ret; }\n",
        """\
error[PTX-P0001]: expected a parameter, which begins with `.param` or `.reg`, found `.u32`
 --> bad.ptx:4:10
  |
4 | .entry k(.u32 a) { ret; }
  |          ^^^^""",
    ),
    "an_unclosed_parameter_list": (
        ".entry k(.param .u32 a { add.u32 x y; ret; }\n",
        """\
error[PTX-P0001]: expected `,` or `)`, found `{`
 --> bad.ptx:4:24
  |
4 | .entry k(.param .u32 a { add.u32 x y; ret; }
  |         - opened here
  |                        ^

error[PTX-P0001]: expected `,` or `;`, found `y`
 --> bad.ptx:4:36
  |
4 | .entry k(.param .u32 a { add.u32 x y; ret; }
  |                                    ^""",
    ),
    "a_body_that_is_missing": (
        ".entry k() x;\n",
        """\
error[PTX-P0001]: expected the body of the function, or `;`, found `x`
 --> bad.ptx:4:12
  |
4 | .entry k() x;
  |            ^""",
    ),
    "a_list_without_an_end": (
        ".global .u32 x[2] = {1, 2;\n.global .u32 y;\n",
        """\
error[PTX-P0001]: expected `,` or `}`, found `;`
 --> bad.ptx:4:26
  |
4 | .global .u32 x[2] = {1, 2;
  |                     - opened here
  |                          ^""",
    ),
    "a_comma_before_a_brace": (
        ".global .u32 x[2] = {1, };\n",
        """\
error[PTX-P0001]: expected a value, found `}`
 --> bad.ptx:4:25
  |
4 | .global .u32 x[2] = {1, };
  |                         ^
   help: remove the comma before it""",
    ),
    "an_offset_inside_generic": (
        ".global .u64 x = generic(y+4);\n",
        """\
error[PTX-P0001]: expected `)`, found `+`
 --> bad.ptx:4:27
  |
4 | .global .u64 x = generic(y+4);
  |                           ^
   help: an offset stands behind the parenthesis: `generic(sym)+4`""",
    ),
    "a_subtraction_from_a_symbol": (
        ".global .u64 x = y-4;\n",
        """\
error[PTX-P0001]: expected `+`, found `-`
 --> bad.ptx:4:19
  |
4 | .global .u64 x = y-4;
  |                   ^
   help: write `+-n` for a negative offset""",
    ),
    "a_float_mask": (
        ".global .u8 x = 1.5(y);\n",
        """\
error[PTX-P0001]: a mask is an integer such as `0xFF00`
 --> bad.ptx:4:17
  |
4 | .global .u8 x = 1.5(y);
  |                 ^^^""",
    ),
    "a_negative_size": (
        ".global .u8 x[2-4];\n",
        """\
error[PTX-P0001]: an array of -2 elements
 --> bad.ptx:4:15
  |
4 | .global .u8 x[2-4];
  |               ^^^""",
    ),
    "a_section_without_a_name": (
        ".section foo { .b8 1 }\n",
        """\
error[PTX-P0001]: expected the name of a section, such as `.debug_info`, found `foo`
 --> bad.ptx:4:10
  |
4 | .section foo { .b8 1 }
  |          ^^^""",
    ),
    "a_section_with_a_string": (
        '.section .debug_str { "abc" }\n.func f() { ret; }\n',
        """\
error[PTX-P0001]: expected a line of a section or `}`, found `"abc"`
 --> bad.ptx:4:23
  |
4 | .section .debug_str { "abc" }
  |                     - opened here
  |                       ^^^^^""",
    ),
    "a_preprocessor_directive": (
        "#define A 1\n",
        """\
error[PTX-P0001]: expected a directive such as `.visible`, `.entry` or `.global`, found `#`
 --> bad.ptx:4:1
  |
4 | #define A 1
  | ^
   help: run the C preprocessor first: PTX itself has only line markers such as
         `# 12 "a.cu"`""",
    ),
    "lists_too_deep": (
        ".global .u8 x = " + "{" * 101 + "1" + "}" * 101 + ";\n",
        """\
error[PTX-P0001]: lists nested deeper than 100
 --> bad.ptx:4:117
  |
4 | ...{{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}
  |                     ^""",
    ),
    "blocks_too_deep": (
        ".func f()\n" + "{" * 101 + "\n{\nret; }\n" + "}" * 101 + "\n",
        """\
error[PTX-P0001]: blocks nested deeper than 100
 --> bad.ptx:6:1
  |
6 | {
  | ^""",
    ),
}

TEXTS = {
    "a_module_without_version": (
        ".target sm_90a\n.entry k { ret; }\n",
        """\
error[PTX-P0001]: a module begins with `.version`, found `.target`
 --> bad.ptx:1:1
  |
1 | .target sm_90a
  | ^^^^^^^
   help: begin with `.version 9.0`, `.target sm_90a` and `.address_size 64`""",
    ),
    "a_module_without_target": (
        ".version 9.0\n.entry k { ret; }\n",
        """\
error[PTX-P0001]: expected `.target` after `.version`
 --> bad.ptx:1:13
  |
1 | .version 9.0
  |             ^
   help: add `.target sm_90a`""",
    ),
    "a_version_without_a_minor_number": (
        ".version 9\n.target sm_90a\n",
        """\
error[PTX-P0001]: expected a version such as `9.0`, found `9`
 --> bad.ptx:1:10
  |
1 | .version 9
  |          ^""",
    ),
    "a_text_that_is_something_else": (
        "#include <cuda.h>\nint main() { return 0; }\n",
        """\
error[PTX-P0001]: a module begins with `.version`, found `#`
 --> bad.ptx:1:1
  |
1 | #include <cuda.h>
  | ^
   help: begin with `.version 9.0`, `.target sm_90a` and `.address_size 64`""",
    ),
    "an_empty_text": (
        "",
        """\
error[PTX-P0002]: the text holds no PTX
  --> bad.ptx
   help: begin with `.version 9.0`, `.target sm_90a` and `.address_size 64`""",
    ),
    "a_text_of_comments": (
        "// nothing\n",
        """\
error[PTX-P0002]: the text holds no PTX
  --> bad.ptx
   help: begin with `.version 9.0`, `.target sm_90a` and `.address_size 64`""",
    ),
    "a_cubin": (
        b"\x7fELF\x02",
        """\
error[PTX-P0002]: the file is machine code (ELF), not PTX
  --> bad.ptx
   help: extract PTX with `cuobjdump -ptx`""",
    ),
    "utf_16": (
        b"\xff\xfe.\x00v\x00",
        """\
error[PTX-P0002]: the file is UTF-16, not UTF-8
  --> bad.ptx
   help: save it as UTF-8""",
    ),
    "latin_1": (
        b".version 9.0 // \xe9",
        """\
error[PTX-P0002]: the file is not UTF-8 text: byte 16 cannot be read
  --> bad.ptx""",
    ),
    "zero_bytes": (
        b".version 9.0\x00.target",
        """\
error[PTX-P0002]: the file is binary: it has zero bytes
  --> bad.ptx""",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_wrong_body(name: str) -> None:
    text, message = BODIES[name]
    assert body_errors(text) == message


@pytest.mark.parametrize("name", MODULES)
def test_a_wrong_module(name: str) -> None:
    text, message = MODULES[name]
    assert errors(HEADER + text) == message


@pytest.mark.parametrize("name", TEXTS)
def test_a_wrong_text(name: str) -> None:
    text, message = TEXTS[name]
    assert errors(text) == message


def test_every_error_is_reported_in_order() -> None:
    text = HEADER + ".func f() {\n" + "mov.u32 %r1 1;\nret;\n" * 10 + "}\n.global .u33 x;\n"
    with pytest.raises(PtxSyntaxError) as caught:
        parse(text)
    assert [diagnostic.line for diagnostic in caught.value.diagnostics] == [*range(5, 25, 2), 26]
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"PTX-P0001"}


def test_errors_stop_at_a_thousand() -> None:
    with pytest.raises(PtxSyntaxError) as caught:
        parse(HEADER + ".func f() {\n" + "mov.u32 %r1 1;\n" * 2000 + "}")
    assert len(caught.value.diagnostics) == 1000


def test_a_directive_of_functions_on_a_kernel() -> None:
    found = errors(HEADER + ".entry k() .noreturn { ret; }\n.func f() .maxntid 4 { ret; }")
    assert "expected a directive of an .entry, found `.noreturn`\n --> bad.ptx:4:12" in found
    assert "help: .maxntid, .reqntid, " in found
    assert "expected a directive of a .func, found `.maxntid`\n --> bad.ptx:5:11" in found
    assert "help: .noreturn, .abi_preserve, .abi_preserve_control" in found
    assert found.count("error[") == 2


def test_json_has_the_caret() -> None:
    with pytest.raises(PtxSyntaxError) as caught:
        parse(HEADER + ".func f()\n{\n\tadd.u32 %r1 %r2;\n}")
    assert caught.value.diagnostics[0].to_json() == {
        "code": "PTX-P0001",
        "kind": "syntax",
        "line": 6,
        "column": 14,
        "end_column": 17,
        "message": "expected `,` or `;`, found `%r2`",
        "help": "",
    }
