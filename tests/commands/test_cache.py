"""`ptxemu cache`: what it shows and clears."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.commands import ExitCode, main
from emulator.commands.target import find_target
from emulator.engines.native import cache
from emulator.engines.native.library import Library
from emulator.engines.native.records import NativeProgram
from emulator.engines.native.runs import Policy, straight_runs


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["cache", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with three entries of 150,000 bytes each."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    for number in range(3):
        (tmp_path / f"{number:064}").write_bytes(bytes(150_000))
    return tmp_path


def test_info(where: Path) -> None:
    assert run("info").splitlines() == [
        f"folder   {where}  ($PTXEMU_CACHE)",
        "entries  3",
        "size     0.4 MB of 256 MB at most",
    ]


def test_info_as_json(where: Path) -> None:
    assert json.loads(run("info", "--json")) == {
        "folder": str(where), "entries": 3, "bytes": 450_000, "limit": 256 << 20,
    }  # fmt: skip


def test_info_of_a_folder_that_is_not_there(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(where / "new"))
    assert "entries  0\nsize     0.0 MB" in run("info")
    assert run("clear") == "deleted 0 entries, 0.0 MB\n"
    assert not (where / "new").exists()


def test_info_of_a_cache_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, "off")
    assert run("info") == "the cache is off: $PTXEMU_CACHE says so\n"
    assert json.loads(run("info", "--json"))["folder"] is None
    assert run("clear") == "deleted 0 entries, 0.0 MB\n"


def test_clear(where: Path) -> None:
    assert run("clear") == "deleted 3 entries, 0.4 MB\n"
    assert list(where.iterdir()) == []


def test_clear_one(where: Path) -> None:
    for number in range(2):
        (where / f"{number:064}").unlink()
    assert run("clear") == "deleted 1 entry, 0.1 MB\n"


def test_what_cannot_be_deleted_is_an_error(where: Path) -> None:
    (where / f"{3:064}").mkdir()
    result = CliRunner().invoke(main, ["cache", "clear"])
    assert result.exit_code == 2
    assert result.stdout == "deleted 3 entries, 0.4 MB\n"
    assert f"{where}: not deleted: " in result.stderr


def test_what_a_full_disk_does_not_keep_is_an_error(empty: Path) -> None:
    command = f"ulimit -f 1; exec {shlex.quote(sys.executable)} -m emulator cache warm 01_basics/saxpy"
    warmed = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert warmed.returncode == 2
    assert "what was compiled could not be kept: File too large" in warmed.stderr
    assert entries(empty) == set()


def entries(where: Path) -> set[str]:
    return {path.name for path in where.iterdir()}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without entries."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def ptxemu(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, which has compiled nothing yet."""
    return subprocess.run(
        [sys.executable, "-m", "emulator", *arguments], capture_output=True, text=True, check=False, timeout=300
    )


def test_warm_compiles_what_the_first_run_needs(empty: Path) -> None:
    warmed = ptxemu("cache", "warm", "01_basics/saxpy")
    assert warmed.returncode == 0, warmed.stderr
    name, kernel, *what = warmed.stdout.split()
    assert (name, kernel) == ("01_basics/saxpy", "saxpy")
    assert (
        re.fullmatch(r"\d+ handlers and \d+ runs compiled", " ".join(what)) and int(what[0]) > 20 and int(what[3]) > 0
    )
    kept = entries(empty)
    assert len(kept) == 3  # the scheduler, the kernel's handlers and its runs
    ran = ptxemu("run", "01_basics/saxpy", "--engine", "native", "--progress")
    assert ran.returncode == 0 and ran.stderr == "", ran.stderr
    assert entries(empty) == kept
    assert ptxemu("cache", "warm", "01_basics/saxpy").stdout == "01_basics/saxpy  saxpy  all there\n"


def test_a_cold_start_says_what_takes_its_time(empty: Path) -> None:
    ran = ptxemu("run", "01_basics/saxpy", "--engine", "native", "--progress")
    lines = ran.stderr.splitlines()
    assert len(lines) == 2, ran.stderr
    assert all(re.fullmatch(r"ptxemu: compiling \d+ handlers \(once, then they are kept\)", line) for line in lines)
    assert ptxemu("run", "01_basics/saxpy", "--engine", "native").stderr == ""


def test_warm_names_kernels_that_are_left_out(empty: Path, tmp_path: Path) -> None:
    file = tmp_path / "two.ptx"
    file.write_text(
        ".version 9.0\n.target sm_90a\n.address_size 64\n.visible .entry good() { ret; }\n"
        ".visible .entry bad() { wgmma.fence.sync.aligned; ret; }\n"
    )
    result = CliRunner().invoke(main, ["cache", "warm", str(file)])
    assert result.exit_code == ExitCode.UNSUPPORTED, result.output
    assert re.search(r"^\S+two.ptx  good  [1-9]\d* handlers and \d+ runs compiled$", result.stdout, re.MULTILINE)
    assert re.search(r"^\S+two.ptx  bad  left out: wgmma.fence.sync.aligned", result.stdout, re.MULTILINE)


def test_warm_needs_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, "off")
    result = CliRunner().invoke(main, ["cache", "warm"])
    assert result.exit_code == ExitCode.USAGE and "the cache is off" in result.output


def test_warm_needs_a_folder_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "no folder"
    file.touch()
    monkeypatch.setenv(cache.VARIABLE, str(file))
    result = CliRunner().invoke(main, ["cache", "warm", "01_basics/saxpy"])
    assert result.exit_code == ExitCode.USAGE and "cannot be written" in result.output
    ran = ptxemu("run", "01_basics/saxpy", "--engine", "native", "--progress")
    assert ran.returncode == 0 and "the cache cannot be written" in ran.stderr


def test_warm_compiles_the_runs_of_a_plain_run(empty: Path) -> None:
    """Its registers share rows, which decides what the code of a run is."""
    run("warm", "01_basics/saxpy")
    found = Library()
    program = find_target("01_basics/saxpy", plain=True).code.program("saxpy", registers="compact")
    runs = straight_runs(NativeProgram(program, found), found, Policy())
    assert runs and found.has_runs({key: run.variants for run in runs for key in (run.full, run.part)})
