"""Places: of statements, of operands and of their elements; with tabs, CRLF and comments."""

from __future__ import annotations

import pytest

from emulator.errors import Source, Span
from emulator.parse import element_spans, guard_span, opcode_span, operand_spans, parse
from emulator.parse.nodes import Block, Function, Instruction, Module, Name, Statement, Variable
from tests.parse.ptx import HEADER


def body(module: Module) -> list[Statement]:
    found = module.functions["f"].body
    assert found is not None
    return found.statements


def text_of(module: Module, span: Span) -> str:
    return module.source.text[span.start : span.end]


STATEMENTS = [
    "@%p1 mov.u32 \t%r1, %r2;",
    "mov.u32 %r1, /* c */ %r2;",
    ".loc 1 2 3",
    ".loc 1 2 3, function_name s+4, inlined_at 1 2 3",
    ".reg .b32 %r<4>;",
    '.pragma "x";',
    "ts: .branchtargets A;",
    "ct: .calltargets f;",
    "pr : .callprototype _;",
    "{ ret; }",
    "ret;",
]


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
@pytest.mark.parametrize("written", STATEMENTS)
def test_the_span_of_a_statement_is_its_text(written: str, end: str) -> None:
    module = parse(f"{HEADER}.func f()\n{{{end}\t// before{end}\n\t{written}{end}\tA:{end}}}")
    first, label = body(module)
    assert text_of(module, first.span) == written
    assert text_of(module, label.span) == "A"


def test_the_span_of_a_variable_or_function_is_its_name() -> None:
    module = parse(HEADER + ".visible .global .u32 x = 1, y[2];\n.entry k (.param .u64 a) { ret; }\n")
    x, y, k = module.items[3:]
    assert isinstance(x, Variable)
    assert isinstance(y, Variable)
    assert isinstance(k, Function)
    assert isinstance(k.body, Block)
    spans = [x.span, y.span, k.span, k.parameters[0].span, k.body.span]
    assert [text_of(module, span) for span in spans] == ["x", "y", "k", "a", "{ ret; }"]


@pytest.mark.parametrize(
    "written",
    [
        '.file 1 "a.cu", 1, 2',
        ".alias g, f;",
        '.pragma "x";',
        "@@DWARF .byte 1",
    ],
)
def test_the_span_of_an_item_is_its_text(written: str) -> None:
    module = parse(f"{HEADER}{written}\n.entry k {{ ret; }}")
    assert text_of(module, module.items[3].span) == written


def test_the_spans_of_header_and_section() -> None:
    module = parse(HEADER + ".section .debug_x { .b8 1 }")
    assert [text_of(module, item.span) for item in module.items] == [
        ".version 9.0",
        ".target sm_90a",
        ".address_size 64",
        ".section .debug_x",
    ]


def test_line_and_column_count_tabs_as_one_and_survive_crlf() -> None:
    text = ".version 9.0\r\n.target sm_90a\r\n.func f()\r\n{\r\n\t\tadd.u32\t%r1, %r2, [x];\r\n}\r\n"
    module = parse(text)
    (add,) = body(module)
    assert isinstance(add, Instruction)
    places = [module.source.position(span.start) for span in module.operand_spans(add)]
    assert module.source.position(add.span.start) == (5, 3)
    assert places == [(5, 11), (5, 16), (5, 21)]


@pytest.mark.parametrize(
    ("written", "guard", "opcode", "operands"),
    [
        ("ret;", None, "ret", []),
        ("@%p1 bra L;", "@%p1", "bra", ["L"]),
        ("@ ! p\tbra.uni L ;", "@ ! p", "bra.uni", ["L"]),
        ("mov .u32 %r1, (1 + 2) * 3;", None, "mov .u32", ["%r1", "(1 + 2) * 3"]),
        ("setp.eq.u32 p | q, a , !b;", None, "setp.eq.u32", ["p | q", "a", "!b"]),
        ("tex.1d {a, b}, [t, {x, y}], [z+4];", None, "tex.1d", ["{a, b}", "[t, {x, y}]", "[z+4]"]),
        ("call.uni (a, b), f, (c, {d, e}), p;", None, "call.uni", ["(a, b)", "f", "(c, {d, e})", "p"]),
        ("mov.u32 %r1, /* a, b; */ %r2 // c\n;", None, "mov.u32", ["%r1", "%r2"]),
        ("mov.b32 %r1, 1 ? 2 : 3;", None, "mov.b32", ["%r1", "1 ? 2 : 3"]),
        ("ld.u32 a, [%rd1].unified;", None, "ld.u32", ["a", "[%rd1].unified"]),
    ],
)
def test_the_parts_of_an_instruction(written: str, guard: str | None, opcode: str, operands: list[str]) -> None:
    module = parse(f"{HEADER}.func f() {{ ret; {written} ret; }}")
    found = body(module)[1]
    assert isinstance(found, Instruction)
    place = module.guard_span(found)
    assert (place and text_of(module, place)) == guard
    assert text_of(module, module.opcode_span(found)) == opcode
    assert [text_of(module, span) for span in module.operand_spans(found)] == operands


@pytest.mark.parametrize(
    ("written", "elements"),
    [
        ("{a, {b}, -1}", ["a", "{b}", "-1"]),
        ("[t, {x, y}]", ["t", "{x, y}"]),
        ("(a, b)", ["a", "b"]),
        ("()", []),
        ("%r1", ["%r1"]),
    ],
)
def test_the_elements_of_an_operand(written: str, elements: list[str]) -> None:
    source = Source(f"mov {written};")
    found = element_spans(source, Span(4, 4 + len(written)))
    assert [source.text[start:end] for start, end in found] == elements


def test_an_instruction_without_text_has_the_place_of_its_statement() -> None:
    made = Instruction("add.u32", (Name("a"), Name("b")))
    source = Source("ret;")
    assert operand_spans(source, made) == [made.span, made.span]
    assert opcode_span(source, made) == made.span
    assert guard_span(source, made) is None
