"""`ptxemu explain`: every code has a text whose example gives the code; instructions word by word."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from emulator import Device, LaunchConfig, ObjectCode, System, launch
from emulator.commands import main
from emulator.errors import CODES, DiagnosedError
from emulator.explanations import EXPLANATIONS, HEAD
from emulator.isa.modifiers import MODIFIERS, describe_modifier, describe_type
from emulator.isa.registry import entries
from emulator.parse import parse
from emulator.program import check_module
from emulator.ptx_types import TYPES

TEXTS = [code for code, found in EXPLANATIONS.items() if found.source]
COMMANDS = [code for code, found in EXPLANATIONS.items() if found.example.startswith("ptxemu ")]
RUNNING = [code for code in TEXTS if code[4] in "MBHT"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["explain", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def codes_of(text: str) -> set[str]:
    """The codes that a text gives when it is checked and, if nothing is wrong, run with a buffer of 32 words."""
    try:
        errors, warnings = check_module(parse(text))
        if errors or warnings:
            return {item.code for item in (*errors, *warnings)}
        run_example(text)
    except DiagnosedError as error:
        return {item.code for item in error.diagnostics}
    return set()


def run_example(text: str) -> None:
    with System() as system:
        device: Device = system.device(0)
        kernel = ObjectCode.from_ptx(text.encode()).get_kernel("example")
        arguments = [device.array(np.zeros(32, np.uint32), name="out")][: len(kernel.program.parameters)]
        launch(device.default_stream, LaunchConfig(1, block=32), kernel, *arguments)
        device.sync()


def test_every_code_is_explained() -> None:
    assert list(EXPLANATIONS) == list(CODES)
    for code, found in EXPLANATIONS.items():
        assert found.text.endswith("."), code
        assert found.fix.endswith((".", "?", "...).")), code


@pytest.mark.parametrize("code", TEXTS)
def test_the_example_gives_its_code(code: str) -> None:
    assert codes_of(EXPLANATIONS[code].source) == {code}


@pytest.mark.parametrize("code", COMMANDS)
def test_the_command_gives_its_code(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("EXAMPLE").write_text(HEAD + ".visible .entry example(.param .u64 out) {\nL: bra L;\n}\n")
    arguments = shlex.split(EXPLANATIONS[code].example)
    assert arguments[0] == "ptxemu"
    result = CliRunner().invoke(main, arguments[1:])
    assert re.findall(r"^error\[(PTX-\w+)\]", result.stderr, re.MULTILINE) == [code]


def test_the_python_example_gives_its_code() -> None:
    (code,) = (code for code, found in EXPLANATIONS.items() if found.example.startswith(">>> "))
    with pytest.raises(DiagnosedError, match=code):
        eval(EXPLANATIONS[code].example.removeprefix(">>> "), {"System": System})


@pytest.mark.parametrize("code", RUNNING)
def test_an_example_that_runs_is_legal_ptx(code: str, tmp_path: Path) -> None:
    ptxas = shutil.which("ptxas")
    if ptxas is None:
        assert check_module(parse(EXPLANATIONS[code].source)) == ([], [])
        return
    file = tmp_path / "k.ptx"
    file.write_text(EXPLANATIONS[code].source)
    command = [ptxas, "-arch=sm_90a", str(file), "-o", str(tmp_path / "k.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_code_in_short_or_lower_case() -> None:
    page = run("PTX-M0101")
    assert page.startswith("PTX-M0101: an access outside every allocation\n\n")
    assert "\nexample\n    ld.param.u64 %rd1, [out];\n" in page
    assert "\nWhat to do: " in page
    assert run("m0101") == run("ptx-m0101") == page


@pytest.mark.parametrize("code", CODES)
def test_pages_fit_the_screen(code: str) -> None:
    lines = run(code).splitlines()
    assert max(map(len, lines)) <= 80


def test_an_instruction_word_by_word() -> None:
    page = run("add.rn.ftz.sat.f32")
    assert page.splitlines()[0] == "add.rn.ftz.sat.f32"
    assert "  .rn   round to nearest, ties to even\n" in page
    assert "  .ftz  subnormal inputs and results count as zero, their sign is kept\n" in page
    assert "  .f32  32-bit float\n" in page
    assert "  d        result, .f32\n" in page
    assert page.endswith("\n  manual  9.7.3.3\n")


def test_a_whole_instruction_is_its_opcode() -> None:
    assert run("@!%p1 shf.l.wrap.b32 %r1, %r2, %r3, 4;") == run("shf.l.wrap.b32")
    assert "  .l     shift left: the result is the high word\n" in run("shf.l.wrap.b32")


def test_a_bare_mnemonic_shows_its_page() -> None:
    assert run("bfe") == CliRunner().invoke(main, ["isa", "bfe"]).stdout


def test_what_is_not_executed_yet() -> None:
    text = "tcgen05.mma.cta_group::1 is not executed yet; the manual describes it in section 9.7.16.10.9.1\n"
    assert run("tcgen05.mma.cta_group::1") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bfx", "bfx is neither an instruction nor a code: did you mean brx or bfi?"),
        ("ptx-m0199", "ptx-m0199 is neither an instruction nor a code: did you mean PTX-M010"),
        ("add.foo", "add has no form add.foo; ptxemu isa add lists its forms"),
        ("qqqqqq", "qqqqqq is neither an instruction nor a code\n"),
    ],
)
def test_what_is_unknown(text: str, message: str) -> None:
    result = CliRunner().invoke(main, ["explain", text])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr


def test_every_dotted_word_is_described() -> None:
    """A word without a row of emulator/isa/modifiers.py is sent to the manual; none should be."""
    words = {(e.mnemonic, word) for e in entries() for slot in e.signature.slots for word in slot.values}
    assert sorted(f"{mnemonic} .{word}" for mnemonic, word in words if not describe_modifier(mnemonic, word)) == []


def test_rows_of_one_mnemonic_name_an_instruction() -> None:
    mnemonics = {entry.mnemonic for entry in entries()}
    own = [row.partition(".")[0] for row in MODIFIERS if "." in row]
    assert set(own) <= mnemonics | {"barrier"}


def test_types_in_words() -> None:
    assert describe_type(TYPES["f32"]) == "32-bit float"
    assert describe_type(TYPES["e4m3x2"]) == "2 times .e4m3 in 16 bits"
    assert describe_type(TYPES["pred"]) == "predicate"
    assert all(describe_type(kind) for kind in TYPES.values())
