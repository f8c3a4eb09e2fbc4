"""Suggestions for names that nobody declared."""

import pytest

from emulator.program.scopes import nearest


@pytest.mark.parametrize(("name", "fix"), [("ad", "add"), ("adx", "add"), ("mvo", "mov"), ("sa", "sad")])
def test_of_equally_close_names_the_one_that_begins_alike_is_meant(name: str, fix: str) -> None:
    assert nearest(name, ["and", "sad", "add", "madc", "mov"]) == f"did you mean {fix}?"


def test_what_resembles_nothing_has_no_suggestion() -> None:
    assert nearest("xyzzy", ["add", "mov"]) == ""
