"""Named barriers of a CTA (manual, 9.7.13.1): partial warps, counts, exits, reductions, reuse, hangs."""

import numpy as np
import pytest

from emulator.errors import IllegalBarrier
from tests.engines.programs import every_schedule, lanes_that_wait, report, run

pytestmark = pytest.mark.usefixtures("each_engine")

SHARED = ".shared .align 4 .b32 box[256];"
SET_UP = """
    mov.u32 %r60, box;
    mad.lo.u32 %r61, %t, 4, %r60;
"""


@every_schedule
def test_neighbours_exchange_over_a_barrier(schedule: str) -> None:
    body = f"""
        {SHARED} {SET_UP}
        st.shared.u32 [%r61], %t;
        bar.sync 0;
        xor.b32 %r0, %t, 96;
        mad.lo.u32 %r1, %r0, 4, %r60;
        ld.shared.u32 %r2, [%r1];
        st.global.u32 [%mine], %r2;
    """
    assert list(run(body, block=128, schedule=schedule)) == [n ^ 96 for n in range(128)]


@every_schedule
def test_one_elected_lane_spins_while_the_others_wait_at_bar_warp_sync(schedule: str) -> None:
    """Warp 0 elects a lane that spins on warp 1's flag; the rest of warp 0 stands at bar.warp.sync."""
    body = f"""
        {SHARED} {SET_UP}
        setp.eq.u32 %p0, %w, 1;
    @%p0 bra OTHER;
        setp.ne.u32 %p1, %l, 0;
    @%p1 bra MEET;
    SPIN:
        ld.volatile.shared.u32 %r0, [box];
        setp.eq.u32 %p2, %r0, 0;
    @%p2 bra SPIN;
        st.shared.u32 [box+4], 9;
    MEET:
        bar.warp.sync -1;
        ld.shared.u32 %r1, [box+4];
        st.global.u32 [%mine], %r1;
        ret;
    OTHER:
        mov.u32 %r3, 0;
    COUNT:
        add.u32 %r3, %r3, 1;
        setp.lt.u32 %p3, %r3, 300;
    @%p3 bra COUNT;
        st.volatile.shared.u32 [box], 1;
        st.global.u32 [%mine], 5;
    """
    assert list(run(body, block=64, schedule=schedule)) == [9] * 32 + [5] * 32


@every_schedule
def test_lane_0_spins_while_the_others_stand_at_a_counted_barrier(schedule: str) -> None:
    """The warp has not arrived before its lane 0 has: the other warp must not pass."""
    body = f"""
        {SHARED} {SET_UP}
        setp.eq.u32 %p0, %w, 1;
    @%p0 bra OTHER;
        setp.ne.u32 %p1, %l, 0;
    @%p1 bra MEET;
    SPIN:
        ld.volatile.shared.u32 %r0, [box];
        setp.eq.u32 %p2, %r0, 0;
    @%p2 bra SPIN;
        st.shared.u32 [box+4], 9;
    MEET:
        bar.sync 3, 64;
        bra END;
    OTHER:
        st.volatile.shared.u32 [box], 1;
        bar.sync 3, 64;
    END:
        ld.shared.u32 %r1, [box+4];
        st.global.u32 [%mine], %r1;
    """
    assert set(run(body, block=64, schedule=schedule)) == {9}


@every_schedule
def test_lanes_arrive_at_different_times_from_different_places(schedule: str) -> None:
    """Each lane counts to its number, then comes to one of two barrier instructions of the same barrier."""
    body = f"""
        {SHARED} {SET_UP}
        mov.u32 %r0, 0;
    COUNT:
        add.u32 %r0, %r0, 1;
        setp.le.u32 %p0, %r0, %t;
    @%p0 bra COUNT;
        st.shared.u32 [%r61], %r0;
        and.b32 %r1, %l, 1;
        setp.eq.u32 %p1, %r1, 0;
    @%p1 bra EVEN;
        barrier.sync 1;
        bra END;
    EVEN:
        barrier.sync 1;
    END:
        sub.u32 %r2, 63, %t;
        mad.lo.u32 %r3, %r2, 4, %r60;
        ld.shared.u32 %r4, [%r3];
        st.global.u32 [%mine], %r4;
    """
    assert list(run(body, block=64, schedule=schedule)) == [64 - n for n in range(64)]


@every_schedule
def test_registers_hold_the_barrier_and_its_count(schedule: str) -> None:
    """Warps 0 and 1 meet at barrier 2, warps 2 and 3 at barrier 5."""
    body = f"""
        {SHARED} {SET_UP}
        shr.u32 %r0, %w, 1;
        mad.lo.u32 %r1, %r0, 3, 2;
        mov.u32 %r2, 64;
        st.shared.u32 [%r61], %t;
        bar.sync %r1, %r2;
        xor.b32 %r3, %t, 32;
        mad.lo.u32 %r4, %r3, 4, %r60;
        ld.shared.u32 %r5, [%r4];
        st.global.u32 [%mine], %r5;
    """
    assert list(run(body, block=128, schedule=schedule)) == [n ^ 32 for n in range(128)]


@every_schedule
def test_exited_lanes_and_warps_are_not_expected(schedule: str) -> None:
    """Warp 1 exits as a whole, lanes 0..7 of warp 0 too, some before and some while the others wait."""
    body = f"""
        {SHARED} {SET_UP}
        setp.eq.u32 %p0, %w, 1;
    @%p0 ret;
        setp.lt.u32 %p1, %t, 4;
    @%p1 exit;
        setp.lt.u32 %p2, %t, 8;
    @!%p2 bra MEET;
        mov.u32 %r0, 0;
    COUNT:
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p3, %r0, 400;
    @%p3 bra COUNT;
        exit;
    MEET:
        st.shared.u32 [%r61], %t;
        bar.sync 0;
        xor.b32 %r3, %t, 8;
        mad.lo.u32 %r4, %r3, 4, %r60;
        ld.shared.u32 %r5, [%r4];
        st.global.u32 [%mine], %r5;
    """
    got = run(body, block=96, schedule=schedule)
    there = [*range(8, 32), *range(64, 96)]
    assert [got[n] for n in there] == [n ^ 8 if (n ^ 8) >= 8 else 0 for n in there]
    assert not any(got[n] for n in range(96) if n not in there)


@every_schedule
def test_the_last_warp_leaves_instead_of_coming(schedule: str) -> None:
    body = """
        setp.eq.u32 %p0, %w, 3;
    @%p0 bra LEAVE;
        bar.sync 0;
        st.global.u32 [%mine], 1;
        ret;
    LEAVE:
        mov.u32 %r0, 0;
    COUNT:
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p1, %r0, 1000;
    @%p1 bra COUNT;
    """
    assert list(run(body, block=128, schedule=schedule)) == [1] * 96 + [0] * 32


@every_schedule
def test_a_producer_and_a_consumer(schedule: str) -> None:
    """The manual's example: arrive and sync on two barriers of 64, ten values through one cell."""
    body = f"""
        {SHARED}
        mov.u32 %r0, 0;
        mov.u32 %r5, 0;
        setp.eq.u32 %p0, %w, 1;
    @%p0 bra CONSUMER;
    PRODUCE:
        mad.lo.u32 %r1, %r0, %r0, 3;
        setp.eq.u32 %p1, %l, 0;
    @%p1 st.shared.u32 [box], %r1;
        bar.arrive 0, 64;
        bar.sync 1, 64;
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p2, %r0, 10;
    @%p2 bra PRODUCE;
        ret;
    CONSUMER:
        bar.sync 0, 64;
        ld.shared.u32 %r1, [box];
        add.u32 %r5, %r5, %r1;
        bar.arrive 1, 64;
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p2, %r0, 10;
    @%p2 bra CONSUMER;
        st.global.u32 [%mine], %r5;
    """
    total = sum(n * n + 3 for n in range(10))
    assert list(run(body, block=64, schedule=schedule)) == [0] * 32 + [total] * 32


@every_schedule
def test_a_divergent_warp_arrives_as_often_as_each_of_its_lanes(schedule: str) -> None:
    """The manual: arrive waits for the rest of its own warp, so the odd lanes cannot arrive twice ahead.

    The even lanes arrive when the other warp is about to wait, and the odd ones whenever they can.
    """
    body = f"""
        {SHARED}
        mov.u32 %r0, 0;
        setp.eq.u32 %p0, %t, 0;
    @%p0 st.shared.u32 [box], 0;
        bar.sync 0;
        setp.eq.u32 %p0, %w, 1;
    @%p0 bra CONSUMER;
        and.b32 %r1, %l, 1;
        setp.eq.u32 %p1, %r1, 0;
    @%p1 bra EVEN;
    ODD:
        bar.arrive 2, 64;
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p2, %r0, 2;
    @%p2 bra ODD;
        ret;
    EVEN:
        add.u32 %r0, %r0, 1;
    COMES:
        ld.volatile.shared.u32 %r3, [box];
        setp.lt.u32 %p4, %r3, %r0;
    @%p4 bra COMES;
        bar.arrive 2, 64;
        setp.lt.u32 %p2, %r0, 2;
    @%p2 bra EVEN;
        ret;
    CONSUMER:
        st.volatile.shared.u32 [box], 1;
        bar.sync 2, 64;
        st.volatile.shared.u32 [box], 2;
        bar.sync 2, 64;
        st.global.u32 [%mine], 1;
    """
    assert list(run(body, block=64, schedule=schedule)) == [0] * 32 + [1] * 32


@every_schedule
def test_lanes_that_go_on_may_come_to_the_place_where_others_of_their_warp_waited(schedule: str) -> None:
    """Lanes 0 to 4 go through both barriers, so behind the second one they find what the others have written."""
    body = f"""
        {SHARED}
        mov.u32 %r60, box; mad.lo.u32 %r61, %w, 4, %r60;
        setp.lt.u32 %p0, %l, 5;
    @%p0 st.shared.u32 [%r61], 0;
        bar.sync 1;
    @%p0 bar.sync 0;
        bar.sync 0;
        ld.shared.u32 %r0, [%r61];
    @!%p0 st.shared.u32 [%r61], 1;
        bar.sync 0;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body, block=64, schedule=schedule)) == ([1] * 5 + [0] * 27) * 2


@every_schedule
def test_arrive_with_the_count_of_all_goes_with_sync_without_a_count(schedule: str) -> None:
    body = f"""
        {SHARED}
        setp.eq.u32 %p0, %w, 1;
    @%p0 bra OTHER;
        st.shared.u32 [box], 8;
        bar.arrive 0, 64;
        ret;
    OTHER:
        bar.sync 0;
        ld.shared.u32 %r0, [box];
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body, block=64, schedule=schedule)) == [0] * 32 + [8] * 32


@every_schedule
def test_reductions_over_all_threads(schedule: str) -> None:
    body = """
        and.b32 %r0, %t, 3;
        setp.eq.u32 %p0, %r0, 0;
        setp.lt.u32 %p1, %t, 1000;
        bar.red.popc.u32 %r1, 0, %p0;
        bar.red.popc.u32 %r2, 1, !%p0;
        bar.red.and.pred %p2, 2, %p1;
        bar.red.and.pred %p3, 2, %p0;
        bar.red.or.pred %p4, 3, %p0;
        bar.red.or.pred %p5, 3, !%p1;
        mad.lo.u32 %r3, %r2, 1000, %r1;
    @%p2 add.u32 %r3, %r3, 100000;
    @%p3 add.u32 %r3, %r3, 200000;
    @%p4 add.u32 %r3, %r3, 400000;
    @%p5 add.u32 %r3, %r3, 800000;
        st.global.u32 [%mine], %r3;
    """
    assert set(run(body, block=96, schedule=schedule)) == {24 + 72000 + 100000 + 400000}


@every_schedule
def test_reductions_with_a_count_and_lanes_that_come_at_different_times(schedule: str) -> None:
    """Warps 1 and 2 reduce over 64 threads at barrier 4; warp 0 has nothing to do with it."""
    body = """
        setp.eq.u32 %p0, %w, 0;
    @%p0 ret;
        mov.u32 %r0, 0;
    COUNT:
        add.u32 %r0, %r0, 1;
        setp.le.u32 %p1, %r0, %l;
    @%p1 bra COUNT;
        setp.gt.u32 %p2, %r0, 20;
        barrier.red.popc.u32 %r1, 4, 64, %p2;
        barrier.red.and.pred %p3, 4, 64, !%p2;
        selp.u32 %r2, 100, 200, %p3;
        add.u32 %r1, %r1, %r2;
        st.global.u32 [%mine], %r1;
    """
    assert list(run(body, block=96, schedule=schedule)) == [0] * 32 + [24 + 200] * 64


@every_schedule
def test_a_barrier_is_used_again_and_again(schedule: str) -> None:
    """Fifty phases: each thread adds what its neighbour had."""
    body = f"""
        {SHARED} {SET_UP}
        mov.u32 %r0, 0;
        mov.u32 %r1, %t;
    PHASE:
        st.shared.u32 [%r61], %r1;
        bar.sync 0;
        xor.b32 %r2, %t, 32;
        mad.lo.u32 %r3, %r2, 4, %r60;
        ld.shared.u32 %r4, [%r3];
        bar.sync 0;
        add.u32 %r1, %r1, %r4;
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p0, %r0, 12;
    @%p0 bra PHASE;
        st.global.u32 [%mine], %r1;
    """
    expected = np.arange(64, dtype=np.uint32)
    for _ in range(12):
        expected = expected + expected[np.arange(64) ^ 32]
    assert list(run(body, block=64, schedule=schedule)) == list(expected)


@every_schedule
def test_a_warp_that_has_come_in_part_belongs_to_the_next_phase(schedule: str) -> None:
    """Barrier 1 takes two warps at a time; half of warp 2 is there early and must wait for warp 3."""
    body = f"""
        {SHARED}
        setp.ge.u32 %p0, %w, 2;
    @%p0 bra LATE;
        bar.warp.sync -1;
        bar.sync 1, 64;
        setp.eq.u32 %p5, %t, 0;
    @%p5 st.volatile.shared.u32 [box], 1;
        st.global.u32 [%mine], 1;
        ret;
    LATE:
        setp.eq.u32 %p1, %w, 3;
    @%p1 bra LAST;
        setp.lt.u32 %p2, %l, 16;
    @%p2 bra MEET;
    SPIN:
        ld.volatile.shared.u32 %r0, [box];
        setp.eq.u32 %p3, %r0, 0;
    @%p3 bra SPIN;
    MEET:
        bar.sync 1, 64;
        ld.volatile.shared.u32 %r1, [box+4];
        st.global.u32 [%mine], %r1;
        ret;
    LAST:
        ld.volatile.shared.u32 %r0, [box];
        setp.eq.u32 %p3, %r0, 0;
    @%p3 bra LAST;
        st.volatile.shared.u32 [box+4], 2;
        bar.sync 1, 64;
    """
    assert list(run(body, block=128, schedule=schedule)) == [1] * 64 + [2] * 32 + [0] * 32


@every_schedule
def test_a_counted_barrier_that_can_never_complete_is_reported(schedule: str) -> None:
    body = """
        setp.eq.u32 %p0, %w, 2;
    @%p0 ret;
        setp.eq.u32 %p1, %w, 1;
    @%p1 bra ELSEWHERE;
        bar.sync 1, 96;
        ret;
    ELSEWHERE:
        bar.sync 2, 64;
    """
    with pytest.raises(IllegalBarrier) as caught:
        run(body, block=96, schedule=schedule)
    text = report(caught.value)
    assert "can never complete" in text
    assert "expects 3 warps, 1 has arrived (barrier 1)" in text
    assert "waiting warp 0, all its lanes, at line" in text
    assert "missing warp 1, all its lanes, at line" in text
    assert "warp 2: exited" in text


def test_a_report_of_many_warps_names_them_in_ranges_and_the_missing_lanes() -> None:
    body = """
        setp.eq.u32 %p0, %t, 1000;
    @%p0 bra ELSEWHERE;
        bar.sync 0;
        ret;
    ELSEWHERE:
        bar.warp.sync -1;
    """
    with pytest.raises(IllegalBarrier) as caught:
        run(body, block=1024)
    text = report(caught.value)
    assert "waiting warps 0-30, all their lanes, at line" in text
    assert "warp 31, lanes 0-7, 9-31, at line" in text
    assert "missing warp 31, lane 8, at line" in text


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("mov.u32 %r0, 16; bar.sync %r0;", "barrier 16: there are 0 to 15"),
        ("mov.u32 %r0, 33; bar.sync 1, %r0;", "33 threads: a multiple of 32 is needed"),
        ("mov.u32 %r0, 0; bar.arrive 1, %r0;", "0 threads: a multiple of 32 is needed"),
        ("bar.arrive 1, 64; bar.sync 1, 96;", "barrier 1 with 96 threads: it was opened with 64"),
    ],
)
def test_operands_out_of_range(code: str, message: str) -> None:
    with pytest.raises(IllegalBarrier, match=message):
        run(code, block=96)


def test_lanes_that_wait_go_on_while_others_of_their_warp_run() -> None:
    """Lanes 0-15 of warp 0 only arrive and run on; warp 1 comes last and lets the others go."""
    body = lanes_that_wait(rounds=100, last=50)
    assert list(run(body, block=64, grid=10, schedule="round_robin:64")) == list(range(640))
