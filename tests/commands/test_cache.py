"""`ptxemu cache`: what it shows and clears."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.commands import main
from emulator.engines.native import cache


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
