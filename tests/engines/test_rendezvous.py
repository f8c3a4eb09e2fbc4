"""`.sync` instructions of a warp: lanes of a member mask meet, from whichever copy of the instruction they come."""

import pytest

from emulator.errors import Hang, IllegalBarrier
from tests.engines.programs import every_schedule, report, run

pytestmark = pytest.mark.usefixtures("each_engine")


@every_schedule
def test_shuffles_from_two_places_in_the_text(schedule: str) -> None:
    """Even and odd lanes stand at two copies of shfl.sync and exchange with each other (manual, 9.7.9.6)."""
    body = """
        and.b32 %r0, %l, 1;
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra EVEN;
        mul.lo.u32 %r1, %l, 100;
        shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1;
        bra END;
    EVEN:
        mul.lo.u32 %r3, %l, 7;
        add.u32 %r4, %r3, 1;
        mov.u32 %r5, 1;
        shfl.sync.bfly.b32 %r2|%p1, %r4, %r5, 0x1f, 0xffffffff;
    END:
        st.global.u32 [%mine], %r2;
    """
    values = [lane * 100 if lane & 1 else lane * 7 + 1 for lane in range(32)]
    assert list(run(body, schedule=schedule)) == [values[lane ^ 1] for lane in range(32)]


def test_votes_from_three_places_with_negated_predicates() -> None:
    body = """
        setp.gt.u32 %p0, %l, 15;
        setp.lt.u32 %p1, %l, 8;
    @%p1 bra FIRST;
    @%p0 bra LAST;
        vote.sync.ballot.b32 %r0, %p0, -1;
        bra END;
    FIRST:
        vote.sync.ballot.b32 %r0, !%p0, 0xffffffff;
        bra END;
    LAST:
        mov.u32 %r1, -1;
        vote.sync.ballot.b32 %r0, %p0, %r1;
    END:
        st.global.u32 [%mine], %r0;
    """
    assert set(run(body)) == {0xFFFF00FF}


def test_different_masks_meet_apart() -> None:
    body = """
        setp.lt.u32 %p0, %l, 8;
        selp.b32 %r0, 0xff, 0xffffff00, %p0;
        redux.sync.add.u32 %r1, %l, %r0;
        st.global.u32 [%mine], %r1;
    """
    assert list(run(body)) == [28] * 8 + [468] * 24


def test_different_instructions_do_not_meet() -> None:
    """vote.sync.any and vote.sync.all of one mask are two meetings, which can never take place."""
    body = """
        setp.lt.u32 %p0, %l, 8;
    @%p0 bra LOW;
        vote.sync.any.pred %p1, %p0, -1;
        ret;
    LOW:
        vote.sync.all.pred %p1, %p0, -1;
    """
    with pytest.raises(Hang) as caught:
        run(body)
    text = report(caught.value)
    assert "vote.sync.any.pred at line" in text and "waits for lanes 0-7 of 0xffffffff" in text
    assert "vote.sync.all.pred at line" in text and "waits for lanes 8-31 of 0xffffffff" in text


@every_schedule
def test_lanes_that_exit_are_not_waited_for(schedule: str) -> None:
    """The manual waits for non-exited threads; lanes 0..3 exit while the others stand at the vote."""
    body = """
        setp.lt.u32 %p0, %l, 4;
    @!%p0 bra MEET;
        mov.u32 %r0, 0;
    COUNT:
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p1, %r0, 1500;
    @%p1 bra COUNT;
        exit;
    MEET:
        setp.eq.u32 %p2, %l, %l;
        vote.sync.ballot.b32 %r1, %p2, -1;
        st.global.u32 [%mine], %r1;
    """
    assert list(run(body, schedule=schedule)) == [0] * 4 + [0xFFFFFFF0] * 28


def test_lanes_that_were_never_there_are_not_waited_for() -> None:
    body = """
        redux.sync.add.u32 %r0, %l, -1;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body, block=5)) == [10] * 5


def test_a_missing_lane_is_named() -> None:
    body = """
        setp.eq.u32 %p0, %l, 5;
        setp.eq.u32 %p1, %l, 17;
        or.pred %p0, %p0, %p1;
    @%p0 bra APART;
        bar.warp.sync -1;
        ret;
    APART:
        bar.warp.sync 0x20020;
        vote.sync.any.pred %p2, %p0, 0xffffffff;
    """
    with pytest.raises(Hang) as caught:
        run(body)
    text = report(caught.value)
    assert "a hang: every warp waits" in text
    assert "bar.warp.sync at line" in text and "waits for lanes 5, 17 of 0xffffffff" in text
    assert "must all come to the instruction" in text


def test_a_lane_outside_of_its_mask_is_a_fault() -> None:
    with pytest.raises(IllegalBarrier) as caught:
        run("bar.warp.sync 0xfffffffe;")
    text = report(caught.value)
    assert "bar.warp.sync: executing lanes are not in the member mask" in text and "0xfffffffe" in text


@every_schedule
def test_a_loop_of_meetings_with_lanes_that_leave_one_by_one(schedule: str) -> None:
    """In round n lane n leaves; the others count themselves with the mask of those still there."""
    body = """
        mov.u32 %r0, 0;
        mov.u32 %r1, 0;
        mov.u32 %r2, 0xffffffff;
    ROUND:
        setp.eq.u32 %p0, %r0, %l;
    @%p0 bra STORE;
        shl.b32 %r3, 2, %r0;
        sub.u32 %r3, %r3, 1;
        not.b32 %r3, %r3;
        and.b32 %r2, %r2, %r3;
        setp.eq.u32 %p1, %l, %l;
        vote.sync.ballot.b32 %r4, %p1, %r2;
        popc.b32 %r4, %r4;
        add.u32 %r1, %r1, %r4;
        add.u32 %r0, %r0, 1;
        bra ROUND;
    STORE:
        st.global.u32 [%mine], %r1;
    """
    expected = [sum(31 - n for n in range(lane)) for lane in range(32)]
    assert list(run(body, schedule=schedule)) == expected


def test_a_guard_keeps_lanes_out_of_a_meeting() -> None:
    body = """
        setp.lt.u32 %p0, %l, 16;
        mov.u32 %r0, 77;
    @%p0 redux.sync.add.u32 %r0, %l, 0xffff;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body)) == [120] * 16 + [77] * 16


def test_elect_picks_one_of_the_lanes_that_are_left() -> None:
    body = """
        setp.lt.u32 %p0, %l, 3;
    @%p0 exit;
        elect.sync %r0|%p1, -1;
        selp.u32 %r1, 100, 0, %p1;
        add.u32 %r0, %r0, %r1;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body)) == [0, 0, 0, 103] + [3] * 28
