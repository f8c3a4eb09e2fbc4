"""`ptxemu check`: what it says of right, wrong and unreadable files, and its exit codes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.commands import ExitCode, check, main
from emulator.errors import Diagnostic

HEADER = ".version 9.0\n.target sm_90a\n.address_size 64\n"
RIGHT = HEADER + ".visible .entry k() {\n    .reg .u32 %r<3>;\n    add.u32 %r1, %r1, %r2;\n    ret;\n}\n"
NOT_PTX = HEADER + ".visible .entry k() {\n    add.u32 %r1 %r2;\n}\n"
UNDEFINED = RIGHT.replace("%r2;", "%missing;")
ITEM_KEYS = {"code", "kind", "line", "column", "end_column", "message", "help"}


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    assert result.stderr == ""
    return result.exit_code, result.stdout


def run_json(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    code, output = run(*arguments, "--json")
    return code, [json.loads(line) for line in output.splitlines()]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_a_right_file_is_ok(tmp_path: Path) -> None:
    file = write(tmp_path, "k.ptx", RIGHT)
    assert run(file) == (0, "1 file: 1 ok\n")
    assert run_json(file) == (0, [{"file": str(file), "ok": True, "errors": [], "warnings": []}])


def test_a_product_that_ptxas_fuses_is_a_warning(tmp_path: Path) -> None:
    """Not where the sum names its rounding; a warning is no error."""
    body = RIGHT.replace(
        "add.u32 %r1, %r1, %r2;", ".reg .f32 %f<4>;\n    mul.f32 %f1, %f2, %f3;\n    SUM %f1, %f1, %f3;"
    )
    file = write(tmp_path, "k.ptx", body.replace("SUM", "add.f32"))
    code, (report,) = run_json(file)
    assert (code, report["ok"], report["errors"]) == (0, True, [])
    assert [(item["code"], item["line"]) for item in report["warnings"]] == [("PTX-P0301", 8)]
    assert "warning[PTX-P0301]: ptxas makes this add.f32 and the mul.f32 of line 7 one fma" in run(file)[1]
    assert run_json(write(tmp_path, "k.ptx", body.replace("SUM", "add.rn.f32")))[1][0]["warnings"] == []


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [(NOT_PTX, "syntax", 5), (UNDEFINED, "semantic", 6), ("", "syntax", None), ("\0\1\2", "syntax", None)],
)
def test_a_wrong_file_is_rejected(tmp_path: Path, text: str, kind: str, line: int | None) -> None:
    file = write(tmp_path, "k.ptx", text)
    code, (report,) = run_json(file)
    assert code == 3
    assert report["ok"] is False
    item = report["errors"][0]
    assert set(item) == ITEM_KEYS
    assert item["kind"] == kind
    if line is not None:
        assert item["line"] == line
        assert 1 <= item["column"] < item["end_column"]


def test_plain_output_marks_the_place_and_counts(tmp_path: Path) -> None:
    file = write(tmp_path, "k.ptx", UNDEFINED)
    code, output = run(file)
    assert code == 3
    assert f"--> {file}:6:" in output
    assert "^^^^^^^^" in output
    assert output.endswith("\n1 file: 1 rejected\n")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"caf\xe9", b"// a\x00b\n"])
def test_what_is_not_text_is_rejected_without_showing_it(tmp_path: Path, content: bytes) -> None:
    file = write(tmp_path, "k.ptx", content)
    code, output = run(file)
    assert code == 3
    assert output.startswith("error[PTX-P0002]: the file is ")
    assert output.replace("\n", "").isprintable()
    assert " | " not in output


def test_a_path_that_is_not_there_is_usage(tmp_path: Path) -> None:
    code, (report,) = run_json(tmp_path / "gone.ptx")
    assert code == 2
    assert report["ok"] is False
    assert report["errors"][0]["message"] == "no such file or directory"


def test_a_folder_without_ptx_is_usage(tmp_path: Path) -> None:
    write(tmp_path, "readme.txt", "no kernels here")
    code, (report,) = run_json(tmp_path)
    assert code == 2
    assert report["file"] == str(tmp_path)
    assert report["errors"][0]["message"] == "no .ptx file in this folder"


def test_no_path_is_usage() -> None:
    assert CliRunner().invoke(main, ["check"]).exit_code == 2


def test_an_unknown_device_is_usage(tmp_path: Path) -> None:
    file = write(tmp_path, "k.ptx", RIGHT)
    result = CliRunner().invoke(main, ["check", str(file), "--arch", "sm_9"])
    assert result.exit_code == 2
    assert "'sm_9' is not one of" in result.stderr


def test_a_device_rejects_what_it_cannot_run(tmp_path: Path) -> None:
    file = write(tmp_path, "k.ptx", RIGHT)
    code, (report,) = run_json(file, "--arch", "sm_80")
    assert code == 3
    assert report["errors"][0]["code"] == "PTX-P0131"


def test_a_folder_means_its_files_at_any_depth_in_order(tmp_path: Path) -> None:
    files = [write(tmp_path, name, RIGHT) for name in ("a.ptx", "b/c.ptx", "b/d/e.ptx", "z.ptx")]
    write(tmp_path, "b/notes.txt", "not a kernel")
    code, found = run_json(tmp_path)
    assert code == 0
    assert [report["file"] for report in found] == [str(file) for file in files]


def test_one_wrong_file_does_not_hide_the_others(tmp_path: Path) -> None:
    right, wrong = write(tmp_path, "a.ptx", RIGHT), write(tmp_path, "b.ptx", NOT_PTX)
    code, found = run_json(wrong, right, tmp_path / "gone.ptx")
    assert code == 2
    assert [report["ok"] for report in found] == [False, True, False]
    assert run(right, wrong)[0] == 3
    assert run(right, wrong, tmp_path / "gone.ptx")[1].endswith("\n3 files: 1 ok, 1 rejected, 1 unreadable\n")


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ([], ExitCode.OK),
        (["unsupported", "unsupported"], ExitCode.UNSUPPORTED),
        (["unsupported", "semantic"], ExitCode.REJECTED),
        (["syntax"], ExitCode.REJECTED),
        (["usage"], ExitCode.USAGE),
    ],
)
def test_a_file_has_the_code_of_its_worst_error(kinds: list[str], code: ExitCode) -> None:
    errors = [Diagnostic("PTX-P0001", kind, "planted") for kind in kinds]
    assert check.Report("k.ptx", errors).code is code
    assert check.Report("k.ptx", errors).to_json()["ok"] is (code is ExitCode.OK)


def test_warnings_never_change_the_verdict() -> None:
    warning = Diagnostic("PTX-P0134", "semantic", "planted", severity="warning")
    report = check.Report("k.ptx", warnings=[warning])
    assert report.code is ExitCode.OK
    assert report.to_json() == {"file": "k.ptx", "ok": True, "errors": [], "warnings": [warning.to_json()]}
    assert report.render() == "warning[PTX-P0134]: planted"


def test_our_bug_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(check, "check_module", fail)
    file = write(tmp_path, "k.ptx", RIGHT)
    result = CliRunner().invoke(main, ["check", str(file)])
    assert result.exit_code == 70
    assert f"while checking {file}" in result.stderr


def test_folders_and_pipes_that_are_called_ptx_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder.ptx").mkdir()
    os.mkfifo(tmp_path / "pipe.ptx")
    write(tmp_path / "folder.ptx", "k.ptx", RIGHT)
    assert run(tmp_path) == (0, "1 file: 1 ok\n")
