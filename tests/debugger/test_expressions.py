"""Expressions over 32 lanes: values, formats, and what is said of wrong ones."""

from collections.abc import Callable

import numpy as np
import pytest

from emulator.debugger import motion
from emulator.debugger.commands import run_line
from emulator.debugger.errors import DebuggerError
from emulator.debugger.evaluate import holds
from emulator.debugger.expressions import parse_expression, split_expressions
from emulator.debugger.places import find_place
from emulator.debugger.session import Session

LANES = np.arange(32)
KERNEL = """
.visible .entry values(.param .u64 data, .param .u32 n)
{
    .shared .align 4 .f32 tile[32];
    .local .align 4 .u32 own[2];
    .reg .b64 %data, %d; .reg .b32 %l, %neg, %f, %packed, %at; .reg .b16 %h; .reg .pred %p;
    ld.param.u64 %data, [data];
    mov.u32 %l, %laneid;
    neg.s32 %neg, %l;
    cvt.rn.f32.u32 %f, %l;
    mov.b64 %d, 0x3ff8000000000000;
    mov.b32 %packed, 0x403f4100;
    cvt.u16.u32 %h, %l;
    setp.gt.u32 %p, %l, 15;
    mov.u32 %at, tile;
    mad.lo.u32 %at, %l, 4, %at;
    st.shared.f32 [%at], %f;
    st.local.u32 [own+4], %l;
@%p bra HIGH;
    mov.u32 %l, %l;
HIGH:
    ret;
}
"""


@pytest.fixture
def session(open_session: Callable[..., Session]) -> Session:
    data = (np.arange(64) * 3).astype(np.uint16)
    opened = open_session(KERNEL, data, np.uint32(7), block=32)
    motion.until(opened, find_place("opcode:bra", opened.programs))
    return opened


def values(session: Session, text: str) -> list[float]:
    """In all lanes."""
    found: list[float] = session.evaluate(parse_expression(text)).data.tolist()
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%l", LANES),
        ("%neg", -LANES),
        ("%l - 40", LANES - 40),
        ("%l * 4 + 1", LANES * 4 + 1),
        ("-(%l + 1) / 2", -((LANES + 1) // 2)),
        ("%l %3", LANES % 3),
        ("%l % 3", LANES % 3),
        ("1 << 40", 1 << 40),
        ("%l & 1 == 1", LANES & 1),
        ("~0", -1),
        ("!%p", LANES <= 15),
        ("%p && %l < 20", (LANES > 15) & (LANES < 20)),
        ("%l == 3 || %l == 5", (LANES == 3) | (LANES == 5)),
        ("%l@7", 7),
        ("%tid.x", LANES),
        ("$ntid.x", 32),
        ("lane", LANES),
        ("$lane", 0),
        ("$warp", 0),
        ("%f", LANES.astype(float)),
        ("%f / 2", LANES / 2),
        ("f64(%d)", 1.5),
        ("b32(%f)", LANES.astype(np.float32).view(np.uint32)),
        ("s16(%neg)", -LANES),
        ("0f3fc00000", 1.5),
        ("n", 7),
        ("data[5]", 15),
        ("data[%l + 1]", (LANES + 1) * 3),
        ("global.u16[&data + 2*lane]", LANES * 3),
        ("shared.f32[%at]", LANES.astype(float)),
        ("shared[0x404:4]", 0x3F800000),
        ("tile[3]", 3.0),
        ("own[1]", LANES),
        ("any(%l > 30)", 1),
        ("all(%l > 30)", 0),
        ("count(%l > 30)", 1),
        ("min(%l, 4)", np.minimum(LANES, 4)),
        ("max(%l, 4, 6)", np.maximum(LANES, 6)),
        ("abs(%neg)", LANES),
        ("lane 5", 1),
        ("2 + 3 * 4 - 1", 13),
        ("(2 + 3) * 4", 20),
        ("0x10 + 0b11", 19),
    ],
)
def test_values(session: Session, text: str, expected: object) -> None:
    assert values(session, text) == np.broadcast_to(expected, 32).tolist()


def test_packed_types_give_several_values_a_lane(session: Session) -> None:
    assert values(session, "bf16x2(%packed)")[0] == [8.0, 2.984375]
    assert values(session, "e4m3x4(%packed)")[0] == [0.0, 2.25, 1.875, 2.0]
    assert values(session, "u8x4(%packed)")[0] == [0x00, 0x41, 0x3F, 0x40]
    assert values(session, "bf16(%packed)")[0] == 8.0
    assert values(session, "f16x2(%packed)")[0] == [2.5, 2.123046875]


def test_a_condition_holds_if_it_does_in_an_executing_lane(session: Session) -> None:
    context = session.context()
    assert holds(parse_expression("%l == 31"), context)
    assert not holds(parse_expression("%l == 32"), context)


def test_lanes_that_left_do_not_count(session: Session) -> None:
    motion.step(session)
    assert session.group == 0x0000FFFF
    assert values(session, "any(%l > 15)")[0] == 0
    assert values(session, "all(%l < 16)")[0] == 1
    assert values(session, "lane 20")[0] == 0


@pytest.mark.parametrize(
    ("text", "message", "start", "end"),
    [
        ("%nothing + 1", "no register %nothing here", 0, 8),
        ("1 + bogus[2]", "no buffer, variable or parameter bogus", 4, 12),
        ("data[64]", "data has 64 elements, 64 is none of them", 0, 8),
        ("data[%l * 4]", "data has 64 elements, 64 is none of them", 0, 12),
        ("(%l + 1", "')' is missing for this bracket", 0, 1),
        ("%l +", "an operand is missing here", 4, 5),
        ("%l 5", "this does not continue the expression", 3, 4),
        ("12ab", "this is no number", 0, 3),
        ("f64(%l)", "f64 has 64 bits, this has 32", 0, 7),
        ("nonsense(%l)", "nonsense is no type or function", 0, 8),
        ("%l@32", "a lane is one of 0 to 31", 3, 5),
        ("%l / (%l - %l)", "division by zero", 6, 13),
        ("%f & 1", "& of a float", 0, 6),
        ("1 << -1", "a shift by 0 to 4095 bits", 5, 7),
        ("shared.f99[0]", "f99 is no type", 7, 10),
        ("shared[0]", "shared:0x0 is in no allocation", 0, 9),
        ("global[%l]", "no lane's address is in global memory", 0, 10),
        ("bf16x2(%packed) + 1", "this has several values in each lane", 0, 15),
        ("data", "data is an array of 64", 0, 4),
        ("", "an expression is missing", 0, 1),
    ],
)
def test_errors_point_at_the_culprit(session: Session, text: str, message: str, start: int, end: int) -> None:
    with pytest.raises(DebuggerError) as caught:
        session.evaluate(parse_expression(text))
    error = caught.value
    assert (error.message, error.at, error.end) == (message, start, end)


def test_a_line_is_split_where_expressions_end() -> None:
    assert split_expressions("%r1 %r8/x bf16(%r12, 2),a[1 + 2] %r1 + 2") == [
        "%r1", "%r8/x", "bf16(%r12, 2)", "a[1 + 2]", "%r1 + 2",
    ]  # fmt: skip


def test_an_expression_that_fails_loses_nothing(session: Session) -> None:
    before = session.runner.time, session.warp.state.tobytes() if session.warp else b""
    for line in ("print %nothing", "lanes %l +", "break 17 if %nothing", "x/4 shared:0", "display 1 +"):
        with pytest.raises(DebuggerError):
            run_line(session, line)
    assert (session.runner.time, session.warp.state.tobytes() if session.warp else b"") == before
    assert session.breakpoints == {}
    assert session.displays == []


def test_json_of_looking_commands_has_all_lanes(session: Session) -> None:
    answer = run_line(session, "print %l * 2 --json")
    assert answer.data["values"] == (LANES * 2).tolist()
    assert run_line(session, "lanes %l %f --json").data[1]["values"] == LANES.astype(float).tolist()
    names = [row["name"] for row in run_line(session, "info regs --json").data]
    assert "%neg" in names
    assert run_line(session, "x/4dh data --json").data["values"] == [0, 3, 6, 9]
