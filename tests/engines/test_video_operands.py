"""Video instructions in kernels: selectors, signs and merges stand at the operands (manual, 9.7.18)."""

import pytest

from emulator.parse import parse
from emulator.program import check_module
from tests.engines.programs import HEAD, kernel_text, run

pytestmark = pytest.mark.usefixtures("each_engine")

A, B, C = 0x80FF7F01, 0x0102FE03, 0x11223344
CASES = [
    ("vadd.s32.s32.s32 %r4, %r1.b3, %r2.b1", -128 - 2),
    ("vadd.u32.u32.u32 %r4, %r1.h1, %r2.b0", 0x80FF + 3),
    ("vadd.s32.s32.s32 %r4.b2, %r1.b0, %r2.b3, %r3", (C & ~0xFF0000) | (1 + 1) << 16),
    ("vsub.u32.u32.u32.add %r4, %r1.h0, %r2.h1, %r3", 0x7F01 - 0x0102 + C),
    ("vmad.s32.s32.s32 %r4, -%r1.b0, %r2.b0, %r3", C - 1 * 3),
    ("vmad.s32.s32.s32 %r4, %r1.b0, %r2.b0, -%r3", 1 * 3 - C),
    ("vadd4.u32.u32.u32 %r4.b3210, %r1.b3210, %r2.b4567, %r3", 0x83_FD_81_02),
    ("vset.u32.u32.gt %r4.h1, %r1.b1, %r2.b1, %r3", C & 0xFFFF),
]


@pytest.mark.parametrize(("text", "wanted"), CASES, ids=lambda case: str(case)[:40])
def test_selected_parts(text: str, wanted: int) -> None:
    body = f"mov.b32 %r1, {A:#x}; mov.b32 %r2, {B:#x}; mov.b32 %r3, {C:#x}; mov.b32 %r4, -1;"
    found = run(f"{body} {text}; st.global.b32 [%mine], %r4;")
    assert set(found.tolist()) == {wanted & 0xFFFFFFFF}


@pytest.mark.parametrize(
    ("text", "caret", "message"),
    [
        ("vadd.u32.u32.u32 %r1.b4, %r2, %r3, %r4;", "%r1.b4", ".b4 is no part of operand d"),
        ("vadd.u32.u32.u32 %r1, %r2.h2, %r3;", "%r2.h2", ".h2 is no part of operand a"),
        ("vadd.u32.u32.u32 %r1, -%r2, %r3;", "-%r2", "does not take a negated register"),
        ("vmad.u32.u32.u32.po %r1, -%r2, %r3, %r4;", "vmad.u32.u32.u32.po", "exclude each other"),
        ("shfl.up.b32 %r1, %r2, %r3, %r4;", "shfl.up.b32", "is gone from .target sm_70 and newer since .version 6.4"),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, caret: str, message: str) -> None:
    errors, _ = check_module(parse(kernel_text(text)))
    assert [message in error.message for error in errors] == [True]
    source, span = errors[0].source, errors[0].labels[0].span
    assert source is not None
    assert source.text[span.start : span.end] == caret


def test_shfl_without_sync_is_there_on_older_targets() -> None:
    text = kernel_text("shfl.up.b32 %r1, %r2, %r3, %r4;").replace(HEAD, HEAD.replace("sm_90a", "sm_60"))
    assert check_module(parse(text)) == ([], [])
