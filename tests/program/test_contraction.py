"""contract="ptxas" and the warning PTX-P0301: the pairs that ptxas fuses, and exact results of what is fused."""

import hashlib
import json
import lzma
import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from emulator import ObjectCode, System
from emulator.commands import main
from emulator.parse import parse
from emulator.program import Program, check_module, link
from emulator.program.contraction import contract, find_pairs
from emulator.program.dataflow import reads, writes
from emulator.program.operands import Memory
from tests.engines.programs import kernel_text, start
from tests.program import machine_code, random_sums
from tests.program.contraction_cases import FOLLOWED, MUL, NOT_FOLLOWED, f32, text_of
from tests.program.random_sums import INPUTS, Sums, expressions

ENGINES = ("reference", "native")


# --- which pairs -------------------------------------------------------------------------------------------


def program_of(body: str) -> Program:
    return link(parse(text_of(body)), "k")


def verdict(program: Program) -> str:
    """A letter for each store to [%rd1+0, 4, 8], whether its value comes from a fused pair or an fma."""
    fused = {pair.addition.pc for pair in find_pairs(program)}
    letters = {}
    for instruction in program.instructions:
        address = instruction.sources[0].place if instruction.sources else None
        if not instruction.opcode.startswith("st.") or not isinstance(address, Memory) or address.offset > 8:
            continue
        (value,) = (r.offset for r in reads(instruction) if r is not address.base)
        before = [i for i in program.instructions[: instruction.pc] if value in {r.offset for r in writes(i)}]
        is_fma = before[-1].pc in fused or before[-1].opcode.startswith("fma")
        letters[address.offset] = "F" if is_fma else "."
    return "".join(letters[offset] for offset in sorted(letters))


def machine_verdict(lines: list[str]) -> str:
    """The same, of machine code."""
    letters = {}
    for place, line in enumerate(lines):
        if line.startswith("STG") and machine_code.offset_of(line) <= 8:
            register = re.escape(line.rpartition(", ")[2])
            before = [x for x in lines[:place] if re.match(rf"[FDH](ADD|MUL|FMA|SEL|MNMX)\S* {register},", x)]
            packs_product = before[-1].endswith("-RZ") if before else True
            letters[machine_code.offset_of(line)] = "F" if "FMA" in "".join(before[-1:]) and not packs_product else "."
    return "".join(letters[offset] for offset in sorted(letters))


@pytest.mark.parametrize("case", FOLLOWED)
def test_pairs_are_those_of_ptxas(case: str) -> None:
    body, wanted = FOLLOWED[case]
    assert verdict(program_of(body)) == wanted


@pytest.mark.parametrize("case", NOT_FOLLOWED)
def test_what_is_not_followed_stays_apart(case: str) -> None:
    """A pair that loses both its factors is found, and not rewritten."""
    body, _ = NOT_FOLLOWED[case]
    program = program_of(body)
    assert [i.opcode for i in contract(program).instructions] == [i.opcode for i in program.instructions]


def test_recorded_verdicts_are_those_of_ptxas(tmp_path: Path) -> None:
    cases = {**FOLLOWED, **NOT_FOLLOWED}
    assert {letter for _, wanted in cases.values() for letter in wanted} == set("F.")
    if machine_code.is_here():
        kernels = machine_code.machine_code(text_of(*(body for body, _ in cases.values())), tmp_path)
        found = [machine_verdict(kernels[f"k{number or ''}"]) for number in range(len(cases))]
        assert dict(zip(cases, found, strict=True)) == {case: wanted for case, (_, wanted) in cases.items()}


def stored(program: Sums) -> dict[int, str]:
    """The expressions that our pairs give."""
    linked = link(parse(random_sums.HEAD + random_sums.text_of(program, "k")), "k")
    first = 2 + INPUTS  # behind the loads
    return expressions(program, {pair.addition.pc - first: pair.position for pair in find_pairs(linked)})


@pytest.mark.parametrize("kind", random_sums.TYPES)
def test_random_programs_are_fused_as_ptxas_does(kind: str) -> None:
    programs = [program for program in random_sums.recorded() if program.type == kind]
    assert len(programs) >= 100
    assert sum("fma" in text for program in programs for text in (program.stored or {}).values()) >= 50
    for program in programs:
        assert stored(program) == program.stored, random_sums.text_of(program, "k")


def test_the_recording_is_what_its_page_says() -> None:
    digest = hashlib.sha256(lzma.decompress(random_sums.RECORDING.read_bytes())).hexdigest()
    assert digest in (random_sums.RECORDING.parent / "README.md").read_text(encoding="utf-8")


def test_ptxas_fuses_as_it_was_recorded(tmp_path: Path) -> None:
    programs = random.Random(1).sample(list(random_sums.recorded()), 60)
    assert all(set(program.stored or ()) == set(program.stores) for program in programs)
    if machine_code.is_here():
        assert random_sums.from_ptxas([program._replace(stored=None) for program in programs], tmp_path) == programs


# --- exact results -----------------------------------------------------------------------------------------

FORMATS = {"f16": (11, -14), "bf16": (8, -126), "f32": (24, -126), "f64": (53, -1022)}


def rounded(value: Fraction, kind: str) -> Fraction:
    """The nearest number of a format, ties to even; no overflow."""
    digits, least = FORMATS[kind]
    if not value:
        return value
    exponent = max(floor_log2(abs(value)), least) - digits + 1
    return Fraction(round(value / Fraction(2) ** exponent)) * Fraction(2) ** exponent


def floor_log2(value: Fraction) -> int:
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if Fraction(2) ** guess <= value else guess - 1


def bits_of(value: Fraction, kind: str) -> int:
    if kind == "bf16":
        return int(np.float32(float(value)).view(np.uint32)) >> 16
    dtype = {"f16": np.float16, "f32": np.float32, "f64": np.float64}[kind]
    return int.from_bytes(dtype(float(value)).tobytes(), "little")


def number_of(bits: int, kind: str) -> Fraction:
    if kind == "bf16":
        return Fraction(float(np.uint32(bits << 16).view(np.float32)))
    dtype = {"f16": np.float16, "f32": np.float32, "f64": np.float64}[kind]
    return Fraction(float(np.frombuffer(bits.to_bytes(np.dtype(dtype).itemsize, "little"), dtype)[0]))


def operands(kind: str, choice: random.Random) -> tuple[int, int, int]:
    """Numbers around 1 whose product and sum are not exact; c often cancels most of the product."""
    digits = FORMATS[kind][0]

    def near_one() -> Fraction:
        sign = choice.choice((1, -1))
        return sign * Fraction(choice.randrange(1 << digits - 1, 1 << digits), 1 << digits - 1 + choice.randrange(3))

    a, b = near_one(), near_one()
    c = near_one() if choice.random() < 0.5 else -rounded(a * b, kind)
    return bits_of(a, kind), bits_of(b, kind), bits_of(c, kind)


OPERATIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "add d, p, c": lambda p, c: p + c,
    "add d, c, p": lambda p, c: c + p,
    "sub d, p, c": lambda p, c: p - c,
    "sub d, c, p": lambda p, c: c - p,
}
LANES = 32


def run_sums(body: str, words: list[list[int]], kind: str, engine: str, rules: str) -> npt.NDArray[Any]:
    """`out` of a kernel that loads a, b and c of its lane from `in`."""
    bits = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}[kind]
    size = bits // 8
    loads = f".reg .b{bits} %a, %b, %c, %d, %e; mul.wide.u32 %rd5, %t, {size}; add.u64 %rd6, %rd5, %out;"
    loads += "ld.param.u64 %rd7, [in]; add.u64 %rd7, %rd7, %rd5;"
    loads += "".join(f"ld.global.b{bits} %{x}, [%rd7+{n * LANES * size}];" for n, x in enumerate("abc"))
    text = kernel_text(f"{{ {loads} {body} st.global.b{bits} [%rd6], %d; }}", parameters=".param .u64 in")
    with System(engine=engine, contract=rules) as system:
        device = system.device(0)
        given = device.array(np.array(words, f"u{size}"))
        out = device.zeros(LANES, np.dtype(f"u{size}"))
        start(ObjectCode.from_ptx(text.encode()).get_kernel("k"), device, out, given)
        return out.numpy()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_fused_pair_rounds_once(kind: str, operation: str, engine: str) -> None:
    choice = random.Random(f"{kind} {operation}")
    rows = [list(row) for row in zip(*(operands(kind, choice) for _ in range(LANES)), strict=True)]
    word, _, order = operation.partition(" ")
    text = order.replace("d,", "%d,").replace("p", "%e").replace("c", "%c")
    body = f"mul.{kind} %e, %a, %b; {word}.{kind} {text};"
    numbers = [[number_of(bits, kind) for bits in row] for row in rows]
    combine = OPERATIONS[operation]
    once = [bits_of(rounded(combine(a * b, c), kind), kind) for a, b, c in zip(*numbers, strict=True)]
    twice = [bits_of(rounded(combine(rounded(a * b, kind), c), kind), kind) for a, b, c in zip(*numbers, strict=True)]
    assert once != twice
    assert run_sums(body, rows, kind, engine, "ptxas").tolist() == once
    assert run_sums(body, rows, kind, engine, "ptx").tolist() == twice


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "body",
    [
        "mov.b32 %d, %a; mul.f32 %d, %d, %b; add.f32 %d, %d, %c;",
        "mov.b32 %d, %b; mul.f32 %d, %a, %d; add.f32 %d, %d, %c;",
        "mul.f32 %e, %a, %b; mov.b32 %a, %c; add.f32 %d, %e, %a;",
        "mul.f32 %e, %a, %b; mov.b32 %b, %c; add.f32 %d, %b, %e;",
        "mov.pred %p1, 1; mul.f32 %e, %a, %b; @%p1 add.f32 %d, %e, %c;",
    ],
)
def test_overwritten_factors_are_kept(body: str, engine: str) -> None:
    choice = random.Random(body)
    rows = [list(row) for row in zip(*(operands("f32", choice) for _ in range(LANES)), strict=True)]
    numbers = [[number_of(bits, "f32") for bits in row] for row in rows]
    once = [bits_of(rounded(a * b + c, "f32"), "f32") for a, b, c in zip(*numbers, strict=True)]
    assert run_sums(body, rows, "f32", engine, "ptxas").tolist() == once


def test_a_square_in_its_own_register() -> None:
    choice = random.Random(5)
    rows = [list(row) for row in zip(*(operands("f32", choice) for _ in range(LANES)), strict=True)]
    numbers = [[number_of(bits, "f32") for bits in row] for row in rows]
    once = [bits_of(rounded(a * a + c, "f32"), "f32") for a, _, c in zip(*numbers, strict=True)]
    body = "mul.f32 %a, %a, %a; add.f32 %d, %a, %c;"
    assert run_sums(body, rows, "f32", "reference", "ptxas").tolist() == once


@pytest.mark.parametrize(
    ("result", "rounds"), [("%e", lambda a, b, c, p: a * b + c), ("%f", lambda a, b, c, p: b * c - p)]
)
def test_a_product_that_another_fma_reads_is_rounded_for_it(result: str, rounds: Callable[..., Fraction]) -> None:
    """p is fused into e = p + c, and is a rounded product in f = q - p, into which q is fused."""
    choice = random.Random(6)
    rows = [list(row) for row in zip(*(operands("f32", choice) for _ in range(LANES)), strict=True)]
    body = ".reg .f32 %p, %q, %f, %g; mul.f32 %p, %a, %b; add.f32 %e, %p, %c; mul.f32 %q, %b, %c; add.f32 %g, %q, %a;"
    body += f"sub.f32 %f, %q, %p; mov.b32 %d, {result};"
    numbers = [[number_of(bits, "f32") for bits in row] for row in rows]
    exact = [rounds(a, b, c, rounded(a * b, "f32")) for a, b, c in zip(*numbers, strict=True)]
    wanted = [bits_of(rounded(value, "f32"), "f32") for value in exact]
    assert run_sums(body, rows, "f32", "reference", "ptxas").tolist() == wanted


def test_pcs_and_text_stay_those_of_the_program() -> None:
    program = program_of(f32(f"{MUL} add.f32 %f9, %f8, %f3;"))
    fused = contract(program)
    pairs = list(zip(program.instructions, fused.instructions, strict=True))
    assert [(old.opcode, new.opcode) for old, new in pairs if old is not new] == [("add.f32", "fma.rn.f32")]
    assert [(old.pc, old.text) for old, _ in pairs] == [(new.pc, new.text) for _, new in pairs]


def test_an_approximate_quotient_is_fused_before_it_is_rounded() -> None:
    """1.5 / 1.5 is a little less than 1 with a reciprocal rounded down: minus 1 it gives the exact rest."""
    rows = [[0x3FC00000] * LANES, [0x3FC00000] * LANES, [0xBF800000] * LANES]
    body = "div.approx.f32 %e, %a, %b; add.f32 %d, %e, %c;"
    reciprocal = number_of(run_sums("rcp.approx.f32 %d, %b;", rows, "f32", "reference", "ptx").tolist()[0], "f32")
    exact = Fraction(3, 2) * reciprocal - 1
    assert rounded(exact, "f32") != rounded(rounded(exact + 1, "f32") - 1, "f32")
    assert set(run_sums(body, rows, "f32", "reference", "ptxas").tolist()) == {bits_of(rounded(exact, "f32"), "f32")}


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="contract 'gcc': there is ptx, ptxas"):
        System(contract="gcc")


# --- the warning -------------------------------------------------------------------------------------------

SCREEN = """\
warning[PTX-P0301]: ptxas makes this add.f32 and the mul.f32 of line 13 one fma, which rounds once
  --> k.ptx:14:1
   |
13 | mul.f32 %f8, %f1, %f2;
   | ------- the product, not rounded then
14 | add.f32 %f9, %f8, %f3; st.global.f32 [%rd1], %f9;
   | ^^^^^^^
   help: add.rn.f32 keeps both roundings everywhere, fma.rn the one

1 file: 1 ok
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "k.ptx").write_text(text_of(f32(f"{MUL}\nadd.f32 %f9, %f8, %f3;")))
    return tmp_path


def check(*options: str) -> str:
    result = CliRunner().invoke(main, ["check", "k.ptx", *options])
    assert result.exit_code == 0
    return result.stdout


def test_the_warning_shows_both_lines_and_changes_no_verdict(folder: Path) -> None:
    assert check() == SCREEN
    report = json.loads(check("--json"))
    assert (report["ok"], report["errors"]) == (True, [])
    assert [(item["code"], item["line"]) for item in report["warnings"]] == [("PTX-P0301", 14)]


@pytest.mark.parametrize("pinned", ["mul", "add"])
def test_a_pinned_rounding_is_silent(folder: Path, pinned: str) -> None:
    text = (folder / "k.ptx").read_text().replace(f"{pinned}.f32", f"{pinned}.rn.f32")
    (folder / "k.ptx").write_text(text)
    assert check() == "1 file: 1 ok\n"


def test_a_function_of_two_kernels_is_named_once() -> None:
    function = ".func f(.reg .f32 %a) { .reg .f32 %b; mul.f32 %b, %a, %a; add.f32 %b, %b, %a; st.f32 [0], %b; }"
    kernels = "".join(f".entry k{n}() {{ .reg .f32 %a; call f, (%a); }}" for n in range(2))
    function = function.replace("st.f32 [0], %b", "mov.f32 %a, %b")
    _, warnings = check_module(parse(f"{random_sums.HEAD}{function}{kernels}"))
    assert [item.code for item in warnings] == ["PTX-P0301"]


@pytest.mark.parametrize(("rules", "wanted"), [("ptx", 0.0), ("ptxas", 2.0**-24)])
def test_the_command_line_chooses_the_rules(folder: Path, rules: str, wanted: float) -> None:
    """(1 + 2^-12)^2 - (1 + 2^-11): the square is 2^-24 larger than the number it is rounded to."""
    body = "ld.global.v2.f32 {%f1, %f2}, [%out]; mul.f32 %f3, %f1, %f1; add.f32 %f4, %f3, %f2;"
    (folder / "k.ptx").write_text(kernel_text(f"{body} st.global.f32 [%out+8], %f4;"))
    given = "out=f32[3]=[1.000244140625, -1.00048828125, 7]"
    result = CliRunner().invoke(main, ["run", "k.ptx", "--arg", given, "--contract", rules, "--json", "--out", "out"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["outputs"]["out"]["values"][2] == wanted
