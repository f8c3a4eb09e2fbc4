"""What starting costs: `--help` and the import of the package load nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"llvmlite", "ml_dtypes", "numba", "numpy", "rich"}


def imported(checkout: Path, *arguments: str) -> set[str]:
    """The top-level packages that a Python command imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    rows = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in rows}


@pytest.mark.parametrize(
    "arguments", [("-m", "emulator", "--help"), ("cli.py", "--help"), ("-m", "emulator", "--version")]
)
def test_help_and_version_import_nothing_heavy(checkout: Path, arguments: tuple[str, ...]) -> None:
    packages = imported(checkout, *arguments)
    assert "click" in packages
    assert packages & HEAVY == set()


def test_a_verb_is_imported_only_when_it_is_used(checkout: Path) -> None:
    code = (
        "import sys, emulator.commands; print([name for name in sys.modules if name.startswith('emulator.commands.')])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_importing_the_package_imports_no_compiler(checkout: Path) -> None:
    assert imported(checkout, "-c", "import emulator") & HEAVY == set()


def test_the_check_sees_what_is_imported(checkout: Path) -> None:
    assert imported(checkout, "-c", "import numpy") & HEAVY == {"numpy"}
