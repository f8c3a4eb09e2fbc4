"""docs/coverage.md says what is so, and every instruction's results are compared with something."""

import re
from pathlib import Path

import pytest

from emulator.isa.registry import entries
from tests.coverage_table import PAGE, ROOT, Row, is_native, judged, left_over, page, sets_of
from tests.forms import Record
from tests.isa.verified_by import FORMS_RUN, OTHERS, VERIFIED_BY, Oracle, judging_tests, oracle_of
from tests.operand_sets import by_family, count_apart, recorded

INSTRUCTIONS = sorted({(entry.meaning.__module__.rpartition(".")[2], entry.mnemonic) for entry in entries()})


@pytest.mark.slow
def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page() + "\n", "run make coverage-table"


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
    assert judged(Row("add", 3, 3, 2, 2, 1, {oracle: 5})) == "[a table](../tests/t.py)"
    assert judged(Row("add", 3, 3, 0, 0, 0, {oracle: 5})) == ""
    assert [sets_of(Row("add", 3, 3, taken, 0, 0, {oracle: 5})) for taken in (0, 1)] == ["", 5]


# Sets of instructions that have fewer: their operands choose no result, but a place, an end, or memory; or an object's
# state is what varies, not the operands.
FEWER = {
    "applypriority": 32, "discard": 32, "prefetch": 32, "prefetchu": 32, "exit": 32, "nanosleep": 32, "trap": 32,
    "stackrestore": 64, "stacksave": 64, "cp": 900,
}  # fmt: skip


@pytest.mark.parametrize(("chapter", "mnemonic"), INSTRUCTIONS)
def test_the_judge_executes_an_instruction_on_a_thousand_operand_sets(chapter: str, mnemonic: str) -> None:
    """As recorded when the sets were counted last."""
    oracle = oracle_of(chapter, mnemonic)
    sets = recorded().get(oracle.test, {}).get(f"{chapter} {mnemonic}", 0)
    assert oracle == FORMS_RUN or sets >= FEWER.get(mnemonic, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("test", judging_tests())
def test_the_sets_are_still_there(test: str) -> None:
    """Counted again, what a test judges and had a thousand sets for has them."""
    found = by_family(count_apart(test))
    mine = {f"{chapter} {mnemonic}" for chapter, mnemonic in INSTRUCTIONS if oracle_of(chapter, mnemonic).test == test}
    enough = {name for name, sets in recorded()[test].items() if sets >= 1000 and name in mine}
    assert mine and mine <= recorded()[test].keys()
    assert {name for name in enough if found.get(name, 0) < 1000} == set()


def test_families_of_several_words_are_counted_apart() -> None:
    counted = by_family({"a vote.sync.all.pred": 3, "a vote.all.pred": 4, "b mul.wide.u16": 5})
    assert counted == {"a vote": 7, "a vote.sync": 3, "b mul": 5}


def test_the_native_engine_has_code_for_a_form_or_not() -> None:
    def form(text: str) -> Record:
        return {
            "id": text, "kind": "insn", "text": text, "decls": ".reg .b32 %r<3>; .reg .b64 %rd<3>;", "module": "",
            "params": "",
        }  # fmt: skip

    assert is_native(form("add.u32 %r1, %r1, 1;"))
    assert is_native(form("multimem.ld_reduce.add.u32 %r1, [%rd1];"))
    assert not is_native(form("mov.b64 %rd1, {%clock, %clock_hi};"))


def test_a_form_without_native_code_needs_a_reason() -> None:
    row = Row("add", 3, 3, 3, 3, 2, {}, ["add.u32 %r1, %r1, 1;"])
    with pytest.raises(AssertionError, match="add"):
        list(left_over({"scalar-int": [row]}))
