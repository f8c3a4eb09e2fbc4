"""Every open question is in the table of docs/hardware.md, with cases that are recorded."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

from tests.crosscheck import kernels

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")
QUESTIONS = """
    tensor-zero-operand tensor-zero-c tensor-f16-sticky tensor-sign-of-zero tensor-c-passes tensor-tf32-bits
    tensor-beyond-f32 tensor-overflow tensor-alignment tensor-nan tensor-mma-wgmma tensor-fp8-c tensor-f64
    tensor-satfinite tensor-width tensor-a-place tensor-sparse tensor-negation tensor-m8n8k4
    units-tables units-new units-input units-specials units-lowering units-f64 units-division units-nan
    f64-nan f64-min-max convert-f64-nan convert-f32-nan convert-tf32-nan convert-ftz out-of-bounds-nan divide-by-zero
    min-xorsign manual-or-machine elect shuffle-inactive atomic-subnormals atomic-min-max barrier-bytes places
    map-outside map-swizzle map-convert map-strides map-store
"""


def rows() -> dict[str, list[tuple[str, str]]]:
    """(group, pattern of a case's name) of each id of the table."""
    found = {}
    for name, column in re.findall(r"^\| ([a-z0-9-]+) \| [^|]*\? \| ([^|]*) \|$", PAGE, re.MULTILINE):
        found[name] = [
            (group, pattern)
            for group, patterns in re.findall(r"(\w+): ((?:`[^`]*`(?:, )?)+)", column)
            for pattern in re.findall(r"`([^`]*)`", patterns)
        ]
    return found


def test_no_question_is_missing_and_every_one_is_asked() -> None:
    table = rows()
    assert set(table) == set(QUESTIONS.split())
    names = {group: [case.name for case in kernels.cases(group)] for group in ("tensor", "probes", "units", "cores")}
    for question, asked in table.items():
        assert asked, question
        for group, pattern in asked:
            literal = pattern.replace("[", "[[]").replace("?", "[?]")
            assert any(fnmatchcase(name, literal) for name in names[group]), (question, pattern)


def test_every_probe_is_in_the_table() -> None:
    asked = [
        pattern.replace("?", "[?]") for listed in rows().values() for group, pattern in listed if group == "probes"
    ]
    for case in kernels.cases("probes"):
        assert any(fnmatchcase(case.name, pattern) for pattern in asked), case.name
    rest = [pattern for listed in rows().values() for group, pattern in listed if group == "tensor"]
    for case in kernels.cases("tensor"):
        if case.name.startswith("row "):
            assert any(fnmatchcase(case.name, pattern) for pattern in rest), case.name
