"""Chapters whose quick tests try a few hundred operand sets of each of many opcodes, with a thousand of each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHAPTERS = Path(__file__).resolve().parent / "instructions"
MANY = ["test_comparison_selection.py", "test_video.py"]


@pytest.mark.slow
@pytest.mark.parametrize("test", MANY)
def test_a_thousand_sets_of_every_opcode(test: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", str(CHAPTERS / test)]
    environment = {**os.environ, "LEAST_SETS": "1024"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=CHAPTERS.parents[2]
    )
    assert done.returncode == 0, done.stdout[-4000:]
