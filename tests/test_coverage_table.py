"""docs/coverage.md says what is so, and every instruction's results are compared with something."""

import re
from pathlib import Path

import pytest

from emulator.isa.registry import entries
from tests.coverage_table import PAGE, ROOT, Row, judged, page
from tests.isa.verified_by import FORMS_RUN, OTHERS, VERIFIED_BY, Oracle, oracle_of

INSTRUCTIONS = sorted({(entry.meaning.__module__.rpartition(".")[2], entry.mnemonic) for entry in entries()})


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page() + "\n", "run python -m tests.coverage_table"


@pytest.mark.parametrize(("chapter", "mnemonic"), INSTRUCTIONS)
def test_the_judge_of_an_instruction_names_it(chapter: str, mnemonic: str) -> None:
    """SIMD video instructions are put together from names and numbers of lanes there."""
    oracle = oracle_of(chapter, mnemonic)
    text = (ROOT / oracle.test).read_text(encoding="utf-8")
    word = mnemonic.rstrip("24") if chapter == "video_simd" else mnemonic
    assert oracle == FORMS_RUN or re.search(rf"\b{word}\b", text), f"{oracle.test} does not mention {mnemonic}"


def test_no_row_is_left_over() -> None:
    assert set(VERIFIED_BY) == {chapter for chapter, _ in INSTRUCTIONS}
    for chapter, rows in VERIFIED_BY.items():
        assert rows.keys() - {"*"} <= {mnemonic for found, mnemonic in INSTRUCTIONS if found == chapter}
    assert all(Path(ROOT / oracle.test).is_file() for oracle in OTHERS.values())


def test_what_is_not_taken_has_no_judge() -> None:
    oracle = Oracle("a table", "tests/t.py")
    assert judged(Row("add", 3, 2, 2, [oracle])) == "[a table](../tests/t.py)"
    assert judged(Row("add", 3, 0, 0, [oracle])) == ""
