"""Lanes of a warp that go apart: who runs, where they meet, and that none starves."""

import numpy as np
import pytest

from emulator import System
from emulator.engines.divergence import SLICE
from tests.engines.programs import every_schedule, kernel, run, start

pytestmark = pytest.mark.usefixtures("each_engine")

LANES = np.arange(32)


@every_schedule
def test_a_lane_spins_on_a_flag_that_a_lane_at_a_higher_pc_writes(schedule: str) -> None:
    body = """
        setp.eq.u32 %p0, %l, 0;
    @!%p0 bra WRITE;
    SPIN:
        ld.volatile.global.u32 %r0, [%out];
        setp.eq.u32 %p1, %r0, 0;
    @%p1 bra SPIN;
        bra DONE;
    WRITE:
        setp.eq.u32 %p2, %l, 31;
    @%p2 st.volatile.global.u32 [%out], 7;
    DONE:
        st.global.u32 [%mine+4], %r0;
    """
    assert list(run(body, words=33, schedule=schedule)) == [7, 7, *[0] * 31]


@every_schedule
def test_a_lane_spins_on_a_flag_that_a_lane_at_a_lower_pc_writes(schedule: str) -> None:
    body = """
        setp.eq.u32 %p0, %l, 0;
    @%p0 bra SPIN;
        setp.eq.u32 %p2, %l, 31;
    @%p2 st.volatile.global.u32 [%out], 7;
        bra DONE;
    SPIN:
        ld.volatile.global.u32 %r0, [%out];
        setp.eq.u32 %p1, %r0, 0;
    @%p1 bra SPIN;
    DONE:
        st.global.u32 [%mine+4], %r0;
    """
    assert list(run(body, words=33, schedule=schedule)) == [7, 7, *[0] * 31]


@every_schedule
def test_a_lock_between_lanes_of_a_warp(schedule: str) -> None:
    body = """
    TAKE:
        atom.global.cas.b32 %r0, [%out], 0, 1;
        setp.ne.u32 %p0, %r0, 0;
    @%p0 bra TAKE;
        ld.volatile.global.u32 %r1, [%out+4];
        add.u32 %r1, %r1, %l;
        st.volatile.global.u32 [%out+4], %r1;
        atom.global.exch.b32 %r2, [%out], 0;
    """
    assert list(run(body, block=4, words=2, schedule=schedule)) == [0, 6]


@every_schedule
def test_a_chain_of_lanes_that_wait_for_each_other(schedule: str) -> None:
    """Lane n spins until lane n + 1 has written; only lane 5 can go at first."""
    body = """
        mov.u32 %r0, 100;
        setp.eq.u32 %p0, %l, 5;
    @%p0 bra WRITE;
    SPIN:
        ld.volatile.global.u32 %r0, [%mine+4];
        setp.eq.u32 %p1, %r0, 0;
    @%p1 bra SPIN;
        add.u32 %r0, %r0, 1;
    WRITE:
        st.volatile.global.u32 [%mine], %r0;
    """
    assert list(run(body, block=6, schedule=schedule)) == [105, 104, 103, 102, 101, 100]


def test_lanes_meet_behind_an_if() -> None:
    body = """
        and.b32 %r0, %l, 1;
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra EVEN;
        mov.u32 %r1, 3;
        bra JOIN;
    EVEN:
        mov.u32 %r1, 5;
    JOIN:
        activemask.b32 %r2;
        st.global.u32 [%mine], %r2;
    """
    assert set(run(body)) == {0xFFFFFFFF}


def test_lanes_meet_behind_nested_ifs_and_a_loop_with_a_trip_count_of_each_lane() -> None:
    body = """
        mov.u32 %r1, 0;  mov.u32 %r3, 0;
        and.b32 %r0, %l, 1;
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra EVEN;
        and.b32 %r0, %l, 2;
        setp.eq.u32 %p1, %r0, 0;
    @%p1 bra INNER;
        add.u32 %r3, %r3, 1000;
        bra INNER_END;
    INNER:
        add.u32 %r3, %r3, 2000;
    INNER_END:
        activemask.b32 %r4;
        setp.ne.u32 %p2, %r4, 0xaaaaaaaa;
    @%p2 add.u32 %r3, %r3, 100000;
    EVEN:
        activemask.b32 %r4;
    LOOP:
        add.u32 %r3, %r3, 1;
        add.u32 %r1, %r1, 1;
        setp.le.u32 %p3, %r1, %l;
    @%p3 bra LOOP;
        activemask.b32 %r5;
        and.b32 %r4, %r4, %r5;
        setp.ne.u32 %p4, %r4, 0xffffffff;
    @%p4 add.u32 %r3, %r3, 500000;
        st.global.u32 [%mine], %r3;
    """
    expected = LANES + 1 + (LANES % 2) * np.where(LANES & 2, 1000, 2000)
    assert list(run(body)) == list(expected)


def test_lanes_that_exit_early_leave_the_others_together() -> None:
    body = """
        setp.lt.u32 %p0, %l, 5;
    @%p0 exit;
        activemask.b32 %r0;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body)) == [0] * 5 + [0xFFFFFFE0] * 27


@every_schedule
def test_brx_idx_sends_lanes_to_four_places(schedule: str) -> None:
    body = """
        and.b32 %r0, %l, 3;
        mov.u32 %r1, 0;
    table: .branchtargets A, B, C, D;
        brx.idx %r0, table;
    A:  add.u32 %r1, %r1, 1;
    B:  add.u32 %r1, %r1, 10;
        bra END;
    C:  add.u32 %r1, %r1, 100;
        bra END;
    D:  add.u32 %r1, %r1, 1000;
    END:
        activemask.b32 %r2;
        popc.b32 %r2, %r2;
        mul.lo.u32 %r2, %r2, 10000;
        add.u32 %r1, %r1, %r2;
        st.global.u32 [%mine], %r1;
    """
    assert list(run(body, schedule=schedule)) == [320000 + [11, 10, 100, 1000][lane & 3] for lane in range(32)]


def test_a_guarded_brx_idx_leaves_the_other_lanes_behind_it() -> None:
    body = """
        mov.u32 %r0, 1;
        setp.gt.u32 %p0, %l, 15;
    @!%p0 mov.u32 %r0, 99;
    table: .branchtargets A, B;
    @%p0 brx.idx %r0, table;
        st.global.u32 [%mine], 1;
        bra END;
    A:  st.global.u32 [%mine], 2;
    B:  st.global.u32 [%mine], 3;
    END:
    """
    assert list(run(body)) == [1] * 16 + [3] * 16


@pytest.mark.parametrize("spinners", [1, 3, 16, 31])
def test_no_lane_starves_among_several_loops(spinners: int) -> None:
    """Every lane spins in one of four loops of different shapes; the last lane ends them all."""
    body = f"""
        setp.ge.u32 %p0, %l, {spinners};
        and.b32 %r1, %l, 3;
    table: .branchtargets A, B, C, D;
    @!%p0 brx.idx %r1, table;
        st.global.u32 [%mine+4], 1;
        mov.u32 %r2, 0;
    COUNT:
        add.u32 %r2, %r2, 1;
        setp.lt.u32 %p1, %r2, 2000;
    @%p1 bra COUNT;
        st.volatile.global.u32 [%out], 1;
        bra END;
    A:  ld.volatile.global.u32 %r0, [%out];
        setp.eq.u32 %p2, %r0, 0;
    @%p2 bra A;
        bra STORE;
    B:  ld.volatile.global.u32 %r0, [%out];
        add.u32 %r3, %r3, 1;
        and.b32 %r4, %r3, 1;
        setp.eq.u32 %p3, %r4, 0;
    @%p3 bra B;
        setp.eq.u32 %p2, %r0, 0;
    @%p2 bra B;
        bra STORE;
    C:  bra C2;
    D:  ld.volatile.global.u32 %r0, [%out];
        setp.ne.u32 %p2, %r0, 0;
    @%p2 bra STORE;
        bra D;
    C2: ld.volatile.global.u32 %r0, [%out];
        setp.eq.u32 %p2, %r0, 0;
    @%p2 bra C;
    STORE:
        st.global.u32 [%mine+4], 1;
    END:
    """
    assert list(run(body, words=33)) == [1] * 33


def test_a_turn_keeps_its_lanes_together() -> None:
    """Two halves in two long loops, each with an if inside: each half meets again behind every if."""

    def loop(name: str) -> str:
        return f"""
        {name}:
            mad.lo.u32 %r1, %r1, 1664525, 1013904223;
            shr.u32 %r2, %r1, 31;
            setp.eq.u32 %p1, %r2, 0;
        @%p1 bra {name}_IF;
            add.u32 %r3, %r3, 1;
        {name}_IF:
            activemask.b32 %r4;
            popc.b32 %r4, %r4;
            setp.lt.u32 %p2, %r4, 16;
        @%p2 add.u32 %r5, %r5, 1;
            add.u32 %r0, %r0, 1;
            setp.lt.u32 %p3, %r0, 500;
        @%p3 bra {name};
        """

    body = f"""
        mov.u32 %r0, 0;  mov.u32 %r1, %l;  mov.u32 %r3, 0;  mov.u32 %r5, 0;
        setp.lt.u32 %p0, %l, 16;
    @%p0 bra FIRST;
        {loop("SECOND")}
        bra END;
        {loop("FIRST")}
    END:
        st.global.u32 [%mine], %r5;
    """
    assert 4 * SLICE < 500 * 2 * 8
    assert set(run(body)) == {0}


def test_the_time_of_a_divergent_run_counts_each_group() -> None:
    body = """
        and.b32 %r0, %l, 1;
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra EVEN;
        mov.u32 %r1, 3;
    EVEN:
        mov.u32 %r1, 5;
    """
    with System() as system:
        device = system.device(0)
        start(kernel(body), device, device.zeros(32, np.uint32))
        device.sync()
        assert system.runner.time == 9 + 3 + 1 + 1 + 1  # prologue, head, odd lanes, all, ret
