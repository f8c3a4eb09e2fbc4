"""docs/debugging.md shows what happens: its transcripts are replayed, its mended lines are run.

A fenced block that begins with `$ ptxemu debug ...` starts a session; blocks that begin with `(ptx)` go on with it.
After a change that is meant, or to write new blocks from their commands alone:

    PYTHONPATH=. python tests/debugger/test_tutorial.py --rewrite
"""

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator import System, samples
from emulator.commands.debug import command
from emulator.debugger.commands import find
from emulator.errors import KernelFault

PAGE = Path(__file__).resolve().parents[2] / "docs" / "debugging.md"
BLOCK = re.compile(r"^```\n(\$ ptxemu debug .*?|\(ptx\) .*?)^```$", re.MULTILINE | re.DOTALL)
DIFF = re.compile(r"^```diff\n--- (?P<name>\S+)\.ptx\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
START = "$ ptxemu debug "
PROMPT = "(ptx) "


def sessions(text: str) -> list[list[str]]:
    """The blocks of each session."""
    found: list[list[str]] = []
    for match in BLOCK.finditer(text):
        if match[1].startswith(START):
            found.append([])
        found[-1].append(match[1])
    return found


def typed(block: str) -> list[str]:
    """The lines of a block that a user types."""
    return [line for line in block.splitlines() if line.startswith((START, PROMPT))]


def replay(blocks: list[str]) -> list[str]:
    """The blocks of a session as they are when their commands are done."""
    first, *lines = [line for block in blocks for line in typed(block)]
    commands = "".join(f"{line.removeprefix(PROMPT)}\n" for line in lines)
    arguments = shlex.split(first.removeprefix(START))
    result = CliRunner().invoke(command, arguments, input=commands, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    parts = re.split(r"^(?=\(ptx\) )", f"{first}\n{result.output}", flags=re.MULTILINE)
    shown: list[str] = []
    for block in blocks:
        count = len(typed(block))
        shown.append("".join(parts[:count]))
        del parts[:count]
    assert parts == []
    return shown


def rewritten(text: str) -> str:
    """The page with every transcript as it is now."""
    now = iter([block for blocks in sessions(text) for block in replay(blocks)])
    return BLOCK.sub(lambda match: f"```\n{next(now)}```", text)


def test_the_transcripts_are_what_happens() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(sessions(text)) >= 4
    assert rewritten(text) == text


def test_a_transcript_fits_80_columns() -> None:
    blocks = [match[1] for match in re.finditer(r"^```\w*\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)]
    assert [line for block in blocks for line in block.splitlines() if len(line) > 80] == []


def test_an_answer_fits_the_screen() -> None:
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        answers = re.split(r"^\(ptx\) .*\n", block, flags=re.MULTILINE)
        assert max(len(answer.splitlines()) for answer in answers) <= 25


@pytest.mark.parametrize("diff", list(DIFF.finditer(PAGE.read_text(encoding="utf-8"))), ids=lambda diff: diff["name"])
def test_the_mended_lines_mend(diff: re.Match[str], tmp_path: Path) -> None:
    sample = samples.find(diff["name"])
    text = sample.path.read_text(encoding="utf-8")
    lines = diff["lines"].splitlines(keepends=True)
    old, new = ("".join(line[1:] for line in lines if line[0] in f" {sign}") for sign in "-+")
    assert text.count(old) == 1
    reference = Path(str(sample.folder)) / "gate_reference.py"
    (tmp_path / reference.name).write_text(reference.read_text())
    path = tmp_path / "mended.ptx"
    for content, right in ((text, False), (text.replace(old, new), True)):
        path.write_text(content)
        assert is_right(samples.read(path, tmp_path, "mended")) is right


def is_right(sample: samples.Sample) -> bool:
    with System() as system:
        try:
            return samples.run_sample(sample, system).ok
        except KernelFault:
            return False


def test_the_words_are_commands() -> None:
    rows = re.findall(r"^\| [\w ]+ \| (`.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    assert len(words) > 30
    assert [word for word in words if find(word)[0].name.split()[0] != word.split()[0]] == []


def test_every_planted_bug_is_found() -> None:
    assert {match["name"] for match in DIFF.finditer(PAGE.read_text(encoding="utf-8"))} == {
        name for name in samples.names() if name.startswith("faults/")
    }


if __name__ == "__main__":
    assert sys.argv[1:] == ["--rewrite"]
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
