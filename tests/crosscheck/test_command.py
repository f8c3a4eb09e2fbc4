"""`ptxemu crosscheck run` on a machine without a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.commands import ExitCode, main
from tests.crosscheck import kernels

KERNEL = kernels.kernel(
    "    ld.global.f32 %f1, [%mine];\n    mul.rn.f32 %f2, %f1, 0f40400000;\n    st.global.f32 [%mine], %f2;"
)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["crosscheck", *arguments])


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(KERNEL.splitlines(), 1) if text in line)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "k.ptx"
    path.write_text(KERNEL)
    return str(path)


def test_no_gpu_is_exit_code_4_and_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.crosscheck.gpu.BINDINGS", "no.such.package")
    result = invoke("run", "01_basics/saxpy")
    assert result.exit_code == ExitCode.NO_GPU
    first = "error[PTX-G0601]: no GPU to compare with: the package cuda-bindings is not installed"
    assert result.output.splitlines()[0] == first


def test_a_difference_is_exit_code_1(file: str) -> None:
    place = f"{line_of('mul.rn')}:0"
    result = invoke("run", file, "-b", "64", "--arg", "f32[64]=arange", "--stand-in", place)
    assert result.exit_code == ExitCode.FAILED
    assert "FIRST DIFFERENCE" in result.output
    assert f"k.ptx:{line_of('mul.rn')}   mul.rn.f32 %f2, %f1, 0f40400000;" in result.output
    assert len(result.output.splitlines()) <= 30


def test_json(file: str) -> None:
    place = f"{line_of('mul.rn')}:0"
    result = invoke("run", file, "-b", "64", "--arg", "f32[64]=arange", "--stand-in", place, "--json")
    found = json.loads(result.output)
    assert (found["ok"], found["verdict"], found["gpu_launches"]) == (False, "EMULATOR BUG?", 1)
    assert found["first_difference"]["instruction"] == "mul.rn.f32 %f2, %f1, 0f40400000;"


def test_a_line_without_a_result_cannot_lie() -> None:
    result = invoke("run", "cuda/softmax", "--stand-in", "1:0")
    assert result.exit_code == ExitCode.USAGE
    assert "line 1 has no instruction with a result" in result.output


@pytest.mark.parametrize("place", ["7", "x:1", "7:"])
def test_a_place_is_line_and_bit(file: str, place: str) -> None:
    result = invoke("run", file, "--arg", "f32[64]", "--stand-in", place)
    assert result.exit_code == ExitCode.USAGE
    assert "is not LINE:BIT" in result.output


def test_a_bit_is_one_of_the_result(file: str) -> None:
    result = invoke("run", file, "--arg", "f32[64]", "--stand-in", f"{line_of('mul.rn')}:32")
    assert result.exit_code == ExitCode.USAGE
    assert "has the bits 0 to 31, no bit 32" in " ".join(result.output.split())


def test_python_tests_have_a_command_of_their_own() -> None:
    result = invoke("run", "test_moe.py::test_gate")
    assert result.exit_code == ExitCode.USAGE
    assert "help: ptxemu crosscheck test test_moe.py::test_gate" in result.output


@pytest.mark.parametrize("option", ["--rtol", "--atol"])
def test_a_tolerance_is_not_negative(file: str, option: str) -> None:
    assert invoke("run", file, "--arg", "f32[64]", option, "-1").exit_code == ExitCode.USAGE


def test_clusters_divide_the_grid(file: str) -> None:
    result = invoke("run", file, "-g", "3", "--cluster", "2", "--arg", "f32[64]", "--stand-in", "20:0")
    assert result.exit_code == ExitCode.USAGE
    assert "cannot be divided into clusters" in result.output
