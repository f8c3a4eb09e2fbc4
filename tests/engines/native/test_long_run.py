"""The long run counts what it executes, goes on where it was, names differences, and does not mix engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engines.native import long_run
from tests.engines.native.same_answers import Tally


def test_a_run_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "state.json"
    for count in (2, 3):
        assert long_run.main(["--count", str(count), "--out", str(out)]) == 0
    state = json.loads(out.read_text())
    once = long_run.chunk(0, 3)
    assert (state["next"], state["executed"], state["opcodes"]) == (3, once["executed"], once["opcodes"])
    assert sum(state["lines"].values()) == state["executed"]["reference"] > 100 < state["executed"]["native"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("3 programs from 0; instructions: ") and last.endswith("; 0 differences")


def test_every_difference_is_kept_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def differences(seed: int, tally: Tally) -> list[str]:
        if seed == 4:
            raise ZeroDivisionError("by zero")
        return [f"program {seed}, time: 1 or 2"] * (seed == 2)

    monkeypatch.setattr(long_run, "differences", differences)
    monkeypatch.setattr(long_run, "CHUNK", 2)
    assert long_run.main(["--first", "1", "--count", "5", "--out", str(tmp_path / "state.json")]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2:] == ["program 2, time: 1 or 2", "program 4, ZeroDivisionError: by zero"]
    assert shown[-3].endswith("; 2 differences")


def test_a_state_of_other_engines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "state.json"
    monkeypatch.setattr(long_run, "differences", lambda seed, tally: [])
    assert long_run.main(["--count", "1", "--out", str(out)]) == 0
    monkeypatch.setattr(long_run, "source_stamp", lambda: "other engines")
    with pytest.raises(SystemExit, match="about other engines or another first seed"):
        long_run.main(["--count", "1", "--out", str(out)])
