"""Every command on transcripts: NAME.in is typed, NAME.expected is what the screen shows.

The first line of a .in file is `# debug ARGUMENTS`.  After a change that is meant:

    python tests/debugger/test_transcripts.py --regenerate [NAME...]
"""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.commands.debug import command
from emulator.debugger.commands import COMMANDS, find
from emulator.debugger.errors import DebuggerError

HERE = Path(__file__).resolve().parent
SCRIPTS = sorted((HERE / "transcripts").glob("*.in"))


@contextmanager
def folder(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def screen(script: Path) -> str:
    """What `ptxemu debug` shows for a script, and its exit code."""
    first, *lines = script.read_text().splitlines()
    arguments = shlex.split(first.removeprefix("# debug"))
    with folder(HERE):
        result = CliRunner().invoke(command, arguments, input="\n".join(lines) + "\n", standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return f"{result.output}[exit code {int(result.return_value)}]\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_screen_is_as_expected(script: Path) -> None:
    assert screen(script) == script.with_suffix(".expected").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_screens_are_80_columns_wide(script: Path) -> None:
    lines = script.with_suffix(".expected").read_text().splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith(("{", "["))] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_answer_fits_25_lines(script: Path) -> None:
    text = script.with_suffix(".expected").read_text()
    answers = re.split(r"^\(ptx\).*\n|^[{\[].*\n", text, flags=re.MULTILINE)
    assert max(len(answer.splitlines()) for answer in answers) <= 25


def regenerate(names: list[str]) -> None:
    for script in SCRIPTS:
        if not names or script.stem in names:
            script.with_suffix(".expected").write_text(screen(script))
            print(script.stem)


def used_commands() -> set[str]:
    """The commands that transcripts type."""
    found = set()
    for script in SCRIPTS:
        for line in script.read_text().splitlines()[1:]:
            if line.strip():
                with suppress(DebuggerError):
                    found.add(find(line.strip())[0].name)
    return found


def test_every_command_has_a_transcript() -> None:
    assert set(COMMANDS) - used_commands() == set()


if __name__ == "__main__":
    assert sys.argv[1:2] == ["--regenerate"]
    regenerate(sys.argv[2:])
