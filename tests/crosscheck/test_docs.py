"""The transcript of docs/crosscheck.md is what the command prints, and its table has every verdict."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from emulator.commands import main
from emulator.crosscheck import verdict
from emulator.crosscheck.cases import GROUPS
from tests.crosscheck import kernels

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "crosscheck.md").read_text(encoding="utf-8")


def test_the_transcript_is_what_the_command_prints() -> None:
    ((line, text),) = re.findall(r"<!-- ptxemu (.*?) -->\n```\n(.*?)```", PAGE, re.DOTALL)
    result = CliRunner().invoke(main, line.split())
    assert result.output == text


def test_every_verdict_is_in_the_table() -> None:
    words = {value for name, value in vars(verdict).items() if name.isupper() and isinstance(value, str)}
    assert words == set(re.findall(r"^\| ([A-Z][A-Z ?]+) \|", PAGE, re.MULTILINE))


def test_the_estimate_is_the_sum_of_its_parts_and_under_ten_minutes() -> None:
    page = (DOCS / "hardware.md").read_text(encoding="utf-8")
    table = page.partition("| part | seconds | from |")[2].partition("\n\n")[0]
    seconds = [int(n) for n in re.findall(r"^\| [^|*]+ \| (\d+) \|", table, re.MULTILINE)]
    together = re.search(r"\| \*\*together\*\* \| \*\*(\d+)\*\* \|", table)
    assert together is not None
    assert sum(seconds) == int(together[1]) < 600
    cases = sum(len(kernels.cases(group)) for group in GROUPS)
    assert page.count(f"{cases:,}") == 3  # launches, texts, texts that ptxas takes


def test_the_table_of_groups_counts_the_cases() -> None:
    page = (DOCS / "hardware.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)\.ptxr` \|.*\| ([\d,]+) \|$", page, re.MULTILINE))
    for group in GROUPS:
        count, told = len(kernels.cases(group)), int(rows[group].replace(",", ""))
        assert told == (count // 100 * 100 if group == "opcodes" else count), group
