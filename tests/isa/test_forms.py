"""Which of the instruction forms that ptxas 13.0 takes for sm_90a are taken, and which that it refuses are refused."""

from __future__ import annotations

import pytest

from emulator.errors import Diagnostic, PtxError
from emulator.parse import parse
from emulator.program import check_module
from tests import forms
from tests.forms import Record

# Forms of a group that are taken, and forms that are refused as wrong (not as "not executed yet"): may only rise.
FLOORS = {
    "atomics": (937, 76),  # of 937 and 76
    "bf16": (355, 15),  # of 355 and 15
    "bulk/TMA": (6, 3),  # of 236 and 34
    "cluster": (14, 1),  # of 22 and 2
    "compare-select": (299, 18),  # of 299 and 18
    "control-flow": (82, 12),  # of 82 and 12
    "cp.async": (75, 3),  # of 75 and 3
    "data-move": (293, 47),  # of 294 and 47
    "directive": (270, 51),  # of 270 and 51
    "fp8/fp6/fp4-cvt": (17, 1),  # of 17 and 1
    "half": (441, 18),  # of 441 and 18
    "ld-st": (1038, 82),  # of 1038 and 82
    "logic-shift": (117, 4),  # of 117 and 4
    "mbarrier": (290, 34),  # of 290 and 34
    "misc": (9, 3),  # of 9 and 3
    "mma": (0, 0),  # of 92 and 19
    "mma.sp": (0, 0),  # of 67 and 7
    "scalar-fp": (327, 14),  # of 327 and 14
    "scalar-int": (398, 41),  # of 398 and 41
    "special-register": (105, 18),  # of 105 and 18
    "sync-barrier": (117, 14),  # of 117 and 14
    "tcgen05": (0, 0),  # of 0 and 14
    "texture-surface": (0, 2),  # of 434 and 35
    "video": (509, 37),  # of 509 and 37
    "warp": (146, 5),  # of 146 and 5
    "wgmma": (0, 0),  # of 698 and 13
    "wmma": (0, 0),  # of 353 and 13
}
LATER = ("tex.",)  # valid, not executed yet
COMPLETE = (
    "atomics", "control-flow", "cp.async", "data-move", "directive", "ld-st", "mbarrier", "misc", "special-register",
    "sync-barrier",
)  # fmt: skip


def errors_of(record: Record) -> list[Diagnostic]:
    """What is wrong with a record's text, in our eyes."""
    try:
        errors, _ = check_module(parse(forms.source(record), str(record.get("id"))))
    except PtxError as error:
        return list(error.diagnostics)
    return errors


def listed(group: str) -> list[Record]:
    """The forms of a group that ptxas takes for sm_90a."""
    return [record for record in forms.accepted() if record["group"] == group and "sm_90a" in record["targets"]]


def refusals(group: str) -> list[Record]:
    """The forms of a group that ptxas refuses."""
    return [record for record in forms.rejected() if record["group"] == group]


def is_wrong(errors: list[Diagnostic]) -> bool:
    return any(error.kind != "unsupported" for error in errors)


def test_every_group_has_a_floor() -> None:
    assert set(FLOORS) == {record["group"] for record in (*forms.accepted(), *forms.rejected())}


@pytest.mark.parametrize("group", FLOORS)
def test_no_group_loses_forms(group: str) -> None:
    taken = sum(not errors_of(record) for record in listed(group))
    refused = sum(is_wrong(errors_of(record)) for record in refusals(group))
    assert taken >= FLOORS[group][0], f"{taken} of {len(listed(group))} forms are taken"
    assert refused >= FLOORS[group][1], f"{refused} of {len(refusals(group))} wrong forms are refused"


@pytest.mark.parametrize("group", COMPLETE)
def test_what_a_complete_group_lacks_is_known(group: str) -> None:
    """Forms that ptxas takes are taken, or belong to instructions that are not executed yet."""
    for record in listed(group):
        if not any(word in record["text"] for word in LATER):
            assert errors_of(record) == [], record["text"]


@pytest.mark.parametrize("group", COMPLETE)
def test_a_complete_group_takes_nothing_that_ptxas_refuses(group: str) -> None:
    for record in refusals(group):
        assert errors_of(record), f"{record['text']}: {record['message']}"
