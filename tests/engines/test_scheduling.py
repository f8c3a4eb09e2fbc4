"""Everything resident progresses together: warps, CTAs, launches, devices; and a hang is told from a wait."""

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.errors import Hang, InstructionLimit, UsageError
from tests.engines.programs import HEAD, every_schedule, kernel, report, run, start

pytestmark = pytest.mark.usefixtures("each_engine")

DYNAMIC = ".extern .shared .align 16 .b8 box[];"
SPIN_ON_OUT = """
    SPIN:
        ld.volatile.global.u32 %r0, [%out];
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra SPIN;
"""


@every_schedule
@pytest.mark.parametrize("writer", [0, 1])
def test_a_warp_spins_on_another_warp_of_its_cta(schedule: str, writer: int) -> None:
    body = f"""
        .shared .align 4 .b32 flag;
        setp.eq.u32 %p1, %w, {writer};
    @%p1 bra WRITE;
    SPIN:
        ld.volatile.shared.u32 %r0, [flag];
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra SPIN;
        st.global.u32 [%mine], %r0;
        ret;
    WRITE:
        st.volatile.shared.u32 [flag], 3;
    """
    expected = [3] * 32 + [0] * 32 if writer else [0] * 32 + [3] * 32
    assert list(run(body, block=64, schedule=schedule)) == expected


@every_schedule
@pytest.mark.parametrize("writer", [0, 3])
def test_ctas_spin_on_another_cta(schedule: str, writer: int) -> None:
    body = f"""
        setp.eq.u32 %p1, %c, {writer};
    @%p1 bra WRITE;
        {SPIN_ON_OUT}
        st.global.u32 [%mine+4], %r0;
        ret;
    WRITE:
        st.release.gpu.global.u32 [%out], 3;
        st.global.u32 [%mine+4], 9;
    """
    got = run(body, grid=4, words=129, schedule=schedule)
    assert list(got[1:]) == [9 if n // 32 == writer else 3 for n in range(128)]


@every_schedule
def test_a_ring_of_two_ctas_passes_a_token(schedule: str) -> None:
    """Four times to and fro through one word."""
    body = """
        setp.ne.u32 %p3, %l, 0;
    @%p3 ret;
        mov.u32 %r1, %c;
    TURN:
        ld.acquire.gpu.global.u32 %r0, [%out];
        setp.ne.u32 %p0, %r0, %r1;
    @%p0 bra TURN;
        add.u32 %r2, %r0, 1;
        st.release.gpu.global.u32 [%out], %r2;
        add.u32 %r1, %r1, 2;
        setp.lt.u32 %p1, %r1, 8;
    @%p1 bra TURN;
    """
    assert list(run(body, grid=2, words=1, schedule=schedule)) == [8]


PEER_SPIN = """
        ld.param.u64 %rd0, [peer];
        ld.param.u32 %r5, [rank];
        setp.ne.u32 %p3, %l, 0;
    @%p3 ret;
        add.u32 %r6, %r5, 10;
        st.release.sys.global.u32 [%rd0], %r6;
    SPIN:
        ld.acquire.sys.global.u32 %r0, [%out];
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra SPIN;
        st.global.u32 [%out+4], %r0;
"""


@every_schedule
@pytest.mark.parametrize("first", [0, 1])
def test_kernels_of_two_devices_wait_for_each_other_through_peer_memory(schedule: str, first: int) -> None:
    code = kernel(PEER_SPIN, parameters=".param .u64 peer, .param .u32 rank")
    with System(devices=2, schedule=schedule) as system:
        devices = [system.device(0), system.device(1)]
        mine = [device.zeros(2, np.uint32) for device in devices]
        for rank in (first, 1 - first):
            start(code, devices[rank], mine[rank], mine[1 - rank], rank)
        assert [list(buffer.numpy()) for buffer in mine] == [[11, 11], [10, 10]]


@every_schedule
def test_two_launches_on_two_streams_progress_together(schedule: str) -> None:
    spin, write = kernel(SPIN_ON_OUT + "st.global.u32 [%out+4], %r0;"), kernel("st.global.u32 [%out], 6;")
    with System(schedule=schedule) as system:
        device = system.device(0)
        out = device.zeros(2, np.uint32)
        streams = [device.create_stream(), device.create_stream()]
        launch(streams[0], LaunchConfig(1, block=32), spin, out)
        launch(streams[1], LaunchConfig(1, block=32), write, out)
        assert list(out.numpy()) == [6, 6]


def test_a_launch_made_while_another_spins_starts_at_once() -> None:
    spin, write = kernel(SPIN_ON_OUT + "st.global.u32 [%out+4], %r0;"), kernel("st.global.u32 [%out], 6;")
    with System() as system:
        device = system.device(0)
        out = device.zeros(2, np.uint32)
        launch(device.default_stream, LaunchConfig(1, block=32), spin, out)
        for _ in range(50):
            system.step()
        launch(device.create_stream(), LaunchConfig(1, block=32), write, out)
        assert list(out.numpy()) == [6, 6]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_stream_waits_for_an_event_of_another(order: tuple[int, int]) -> None:
    """B doubles what A has written, whichever stream is older and whoever else still runs."""
    write, double = (
        kernel("st.global.u32 [%mine], 5;"),
        kernel("ld.global.u32 %r0, [%mine]; add.u32 %r0, %r0, %r0; st.global.u32 [%mine], %r0;"),
    )
    spin = kernel("SPIN: ld.volatile.global.u32 %r0, [%out]; setp.lt.u32 %p0, %r0, 10; @%p0 bra SPIN;")
    with System() as system:
        device = system.device(0)
        out = device.zeros(32, np.uint32)
        streams = [device.create_stream(), device.create_stream()]
        a, b, c = streams[order[0]], streams[order[1]], device.create_stream()
        launch(c, LaunchConfig(1, block=32), spin, out)
        launch(a, LaunchConfig(1, block=32), write, out)
        b.wait(a.record())
        launch(b, LaunchConfig(1, block=32), double, out)
        b.sync()
        assert set(out.numpy()) == {10}


def test_a_chain_of_events_over_streams_without_work_between() -> None:
    with System(devices=2) as system:
        first, second = system.device(0), system.device(1)
        out = second.zeros(32, np.uint32)
        a, b, c = first.create_stream(), second.create_stream(), first.create_stream()
        launched = b.record()
        c.wait(launched)
        a.wait(c.record())
        b.wait(a.record())
        launch(b, LaunchConfig(1, block=32), kernel("st.global.u32 [%mine], 5;"), out)
        assert not launched.happened
        assert set(out.numpy()) == {5}
        assert launched.happened


def test_a_wait_is_for_the_event_as_it_was_recorded_then() -> None:
    """Recording an event again does not make earlier waits wait for the new place, as in CUDA."""
    write = kernel("st.global.u32 [%mine], 5;")
    spin = kernel(SPIN_ON_OUT)
    with System() as system:
        device = system.device(0)
        flag, out = device.zeros(1, np.uint32), device.zeros(32, np.uint32)
        a, b = device.create_stream(), device.create_stream()
        event = a.record()
        b.wait(event)
        launch(a, LaunchConfig(1, block=32), spin, flag)
        a.record(event)
        launch(b, LaunchConfig(1, block=32), write, out)
        launch(b, LaunchConfig(1, block=1), write, flag)
        event.sync()
        assert event.happened and set(out.numpy()) == {5}


def test_work_of_one_stream_is_in_order() -> None:
    step = kernel("ld.global.u32 %r0, [%mine]; mad.lo.u32 %r0, %r0, 3, 1; st.global.u32 [%mine], %r0;")
    with System() as system:
        device = system.device(0)
        out = device.zeros(64, np.uint32)
        for _ in range(4):
            start(step, device, out, block=32, grid=2)
        assert set(out.numpy()) == {40}


def test_ctas_go_to_the_emptiest_sm_in_order() -> None:
    got = run("mov.u32 %r0, %smid; st.global.u32 [%mine], %r0;", grid=10, block=1, sms=4)
    assert list(got) == [n % 4 for n in range(10)]


@every_schedule
def test_more_ctas_than_fit_run_in_the_room_of_the_resident_ones(schedule: str) -> None:
    """3 SMs hold 2 CTAs of 1,024 threads each: never more than 6 at once, in order."""
    code = kernel("setp.eq.u32 %p0, %l, 0; @%p0 atom.global.add.u32 %r0, [%out], 1;")
    with System(sms=3, schedule=schedule) as system:
        device = system.device(0)
        out = device.zeros(1, np.uint32)
        grid = launch(device.default_stream, LaunchConfig(9, block=1024), code, out)
        most = 0
        while system.step() is not None:
            most = max(most, len(grid.resident))
            assert set(grid.resident) <= set(range(grid.next_cta))
        assert most == 6
        assert list(out.numpy()) == [9 * 32]


@pytest.mark.parametrize(("shared", "most"), [(0, 32), (100 << 10, 2), (227 << 10, 1), (6 << 10, 32), (7 << 10, 28)])
def test_shared_memory_bounds_what_is_resident(shared: int, most: int) -> None:
    """228 KiB an SM, of which each CTA takes one for the system."""
    code = kernel("mov.u32 %r0, box; st.global.u32 [%mine], %r0;", before=DYNAMIC)
    with System(sms=1) as system:
        device = system.device(0)
        out = device.zeros(40, np.uint32)
        grid = launch(device.default_stream, LaunchConfig(40, block=1, shmem_size=shared), code, out)
        system.step()
        assert len(grid.resident) == most
        assert set(out.numpy()) == {0x400}


@every_schedule
def test_a_spin_on_a_cta_that_can_never_become_resident_is_reported_as_such(schedule: str) -> None:
    body = f"""
        setp.eq.u32 %p1, %c, 2;
    @%p1 bra WRITE;
        {SPIN_ON_OUT}
        ret;
    WRITE:
        st.global.u32 [%out], 1;
    """
    with pytest.raises(Hang) as caught:
        run(body, grid=3, block=64, shared=150 << 10, sms=2, hang_after=2000, schedule=schedule)
    text = report(caught.value)
    assert "a hang:" in text and "without any change of memory, barriers or warps" in text
    assert "spins k on device 0, block" in text and ": line " in text
    assert "absent 1 of 3 CTAs of k on device 0 never became resident (2 are)" in text
    assert "a CTA must not wait for a CTA that can only start after it has ended" in text


def test_the_same_kernel_runs_where_all_ctas_fit() -> None:
    body = f"""
        setp.eq.u32 %p1, %c, 2;
    @%p1 st.global.u32 [%out], 1;
        {SPIN_ON_OUT}
    """
    assert run(body, grid=3, block=64, shared=150 << 10, sms=3, hang_after=2000)[0] == 1


def test_a_launch_behind_a_spinning_one_in_its_stream_is_named() -> None:
    with System(hang_after=2000) as system:
        device = system.device(0)
        out = device.zeros(1, np.uint32)
        start(kernel(SPIN_ON_OUT), device, out)
        start(kernel("st.global.u32 [%out], 1;"), device, out)
        with pytest.raises(Hang) as caught:
            device.sync()
        assert "absent 1 launch of k waits in its stream on device 0" in report(caught.value)


@every_schedule
def test_a_spin_on_nothing_is_a_hang_and_names_who_waits(schedule: str) -> None:
    body = f"""
        setp.eq.u32 %p1, %w, 1;
    @%p1 bra MEET;
        {SPIN_ON_OUT}
    MEET:
        bar.sync 0;
    """
    with pytest.raises(Hang) as caught:
        run(body, block=64, hang_after=2000, schedule=schedule)
    text = report(caught.value)
    assert "spins k on device 0, block (0,0,0) warp 0: line" in text
    assert "waits k on device 0, block (0,0,0) warp 1: barrier 0 at line" in text


def test_writes_of_what_is_there_already_and_of_local_memory_are_no_progress() -> None:
    body = """
        .local .align 4 .b32 count;
        cvta.local.u64 %rd0, count;
    SPIN:
        st.global.u32 [%out], 5;
        st.local.u32 [count], %r1;
        add.u32 %r1, %r1, 1;
        st.u32 [%rd0], %r1;
        bra SPIN;
    """
    with pytest.raises(Hang, match="a hang"):
        run(body, hang_after=1000)


def test_a_long_loop_that_changes_memory_is_no_hang() -> None:
    body = """
        mov.u32 %r0, 0;
    LOOP:
        add.u32 %r0, %r0, 1;
        st.global.u32 [%mine], %r0;
        setp.lt.u32 %p0, %r0, 2000;
    @%p0 bra LOOP;
    """
    assert set(run(body, hang_after=1500)) == {2000}


@pytest.mark.parametrize("schedule", ["round_robin", "random:1", "random:2"])
def test_the_instruction_limit(schedule: str) -> None:
    with pytest.raises(InstructionLimit, match="the limit of 500 warp instructions was reached"):
        run(SPIN_ON_OUT, max_instructions=500, schedule=schedule)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("order", ["round_robin", "round_robin:7", "round_robin:30", "random:1"])
def test_the_instruction_limit_is_exact_in_straight_code_too(order: str, engine: str) -> None:
    """Two warps of 31 instructions; the limit changes nothing before it."""
    body = "mov.u32 %r0, %i;" + "add.u32 %r0, %r0, 1;" * 20 + "st.global.u32 [%mine], %r0;"
    for limit in (1, 6, 8, 29, 30, 31, 32, 33, 60, 63):
        with pytest.raises(InstructionLimit) as caught:
            run(body, block=64, max_instructions=limit, schedule=order, engine=engine)
        assert f"instruction {limit}," in str(caught.value)
    found = run(body, block=64, max_instructions=64, schedule=order, engine=engine)
    assert list(found) == [n + 20 for n in range(64)]


GRID_SYNC = """
    // What cooperative groups do: the first CTA adds 0x80000000 - (CTAs - 1), the others 1; the top bit flips.
    mov.u32 %r0, %envreg1;
    mov.u32 %r1, %envreg2;
    mov.b64 %rd0, {%r1, %r0};
    mov.u32 %r10, %nctaid.x;
    mov.u32 %r12, 0;
ROUND:
    bar.sync 0;
    setp.ne.u32 %p0, %t, 0;
@%p0 bra MEET;
    sub.u32 %r2, 0x80000001, %r10;
    setp.eq.u32 %p1, %c, 0;
    selp.u32 %r2, %r2, 1, %p1;
    fence.acq_rel.gpu;
    atom.release.gpu.global.add.u32 %r3, [%rd0+4], %r2;
SPIN:
    ld.acquire.gpu.u32 %r4, [%rd0+4];
    xor.b32 %r5, %r4, %r3;
    setp.ge.s32 %p2, %r5, 0;
@%p2 bra SPIN;
MEET:
    bar.sync 0;
"""


@every_schedule
def test_a_cooperative_launch_synchronises_its_grid(schedule: str) -> None:
    """Two rounds: each CTA adds what its right neighbour had in the last round."""
    body = (
        GRID_SYNC
        + """
    xor.b32 %r20, %r12, 1;
    setp.ge.u32 %p3, %r12, 2;
@%p3 bra END;
    and.b32 %r21, %r12, 1;
    mul.lo.u32 %r22, %r21, %r10;
    add.u32 %r23, %c, 1;
    rem.u32 %r23, %r23, %r10;
    add.u32 %r24, %r22, %r23;
    add.u32 %r25, %r22, %c;
    mul.wide.u32 %rd1, %r24, 4;
    mul.wide.u32 %rd2, %r25, 4;
    add.u64 %rd1, %rd1, %out;
    add.u64 %rd2, %rd2, %out;
    ld.volatile.global.u32 %r26, [%rd1];
    ld.volatile.global.u32 %r27, [%rd2];
    add.u32 %r26, %r26, %r27;
    sub.u32 %r28, %r10, %r22;
    add.u32 %r28, %r28, %c;
    mul.wide.u32 %rd3, %r28, 4;
    add.u64 %rd3, %rd3, %out;
    setp.eq.u32 %p4, %t, 0;
@%p4 st.volatile.global.u32 [%rd3], %r26;
    add.u32 %r12, %r12, 1;
    bra ROUND;
END:
    """
    )
    with System(schedule=schedule) as system:
        device = system.device(0)
        values = np.arange(1, 4, dtype=np.uint32) ** 2
        out = device.array(np.concatenate((values, values * 0)))
        start(kernel(body), device, out, grid=3, block=64, is_cooperative=True)
        for _ in range(2):
            values = values + np.roll(values, -1)
        assert list(out.numpy()[:3]) == list(values)
        assert not [a for a in system.runner.memory.allocations() if a.kind == "system"]


def test_a_cooperative_launch_that_cannot_be_resident_is_refused() -> None:
    code = kernel("mov.u32 %r0, box; st.global.u32 [%out], %r0;", before=DYNAMIC)
    with System(sms=2) as system:
        device = system.device(0)
        out = device.zeros(1, np.uint32)
        start(code, device, out, grid=4, block=1024, is_cooperative=True)
        for grid, block, shared in ((5, 1024, 0), (65, 32, 0), (3, 32, 200 << 10)):
            with pytest.raises(UsageError, match="can be resident"):
                start(code, device, out, grid=grid, block=block, shared=shared, is_cooperative=True)


@every_schedule
def test_the_clock_never_goes_back(schedule: str) -> None:
    """Each lane compares ten readings; the sum of two is what executed instructions say."""
    body = """
        mov.u64 %rd0, %clock64;
        mov.u32 %r0, 0;
        mov.u32 %r1, 0;
    LOOP:
        mov.u64 %rd1, %clock64;
        mov.u32 %r2, %clock;
        mov.u64 %rd3, %globaltimer;
        setp.le.u64 %p0, %rd1, %rd0;
    @%p0 add.u32 %r1, %r1, 1;
        setp.lt.u64 %p1, %rd3, %rd1;
    @%p1 add.u32 %r1, %r1, 1;
        mov.u64 %rd0, %rd1;
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p2, %r0, 10;
    @%p2 bra LOOP;
        st.global.u32 [%mine], %r1;
    """
    assert not run(body, grid=2, block=96, schedule=schedule).any()


def test_nanosleep_gives_the_turn_away() -> None:
    """The spinning warp sleeps, so the writer's turn comes after a few instructions, not after a quantum."""
    body = """
        setp.eq.u32 %p1, %c, 1;
    @%p1 bra WRITE;
    SPIN:
        nanosleep.u32 100;
        ld.volatile.global.u32 %r0, [%out];
        setp.eq.u32 %p0, %r0, 0;
    @%p0 bra SPIN;
        ret;
    WRITE:
        st.volatile.global.u32 [%out], 1;
    """
    with System() as system:
        device = system.device(0)
        start(kernel(body), device, device.zeros(1, np.uint32), grid=2)
        device.sync()
        assert system.runner.time < 60


COUNT_CTAS = f"""{HEAD}
.visible .entry k(.param .u64 out)
{{
    .reg .b64 %out;  .reg .b32 %l;  .reg .pred %p;
    ld.param.u64 %out, [out];
    mov.u32 %l, %laneid;
    setp.eq.u32 %p, %l, 7;
@%p red.global.add.u32 [%out], %l;
    ret;
}}
"""


@pytest.mark.parametrize("quick", [pytest.param(True), pytest.param(False, marks=pytest.mark.slow)])
def test_a_grid_of_many_ctas_runs_in_the_memory_of_the_resident_ones(quick: bool) -> None:
    ctas = 3_000 if quick else 100_000
    code = ObjectCode.from_ptx(COUNT_CTAS).get_kernel("k")
    with System(sms=4) as system:
        device = system.device(0)
        out = device.zeros(1, np.uint32)
        grid = launch(device.default_stream, LaunchConfig(ctas, block=32), code, out)
        most = 0

        def watch() -> bool:
            nonlocal most
            most = max(most, len(grid.resident))
            return False

        system.run_until(watch)
        assert most == 128
        assert list(out.numpy()) == [ctas * 7]


def test_small_launches_take_blocks_for_their_ctas_only() -> None:
    code = kernel("add.u32 %r0, %i, 1; st.global.u32 [%mine], %r0;")
    with System() as system:
        device = system.device(0)
        out = device.zeros(96, np.uint32)
        grids = [
            launch(device.create_stream(), LaunchConfig(count, block=32), code, out)
            for count in (1, 1, 3)
            for _ in "ab"
        ]
        system.sync()
        assert list(out.numpy()) == list(range(1, 97))
        assert [len(grid.pool.addresses) for grid in grids] == [1, 1, 1, 1, 3, 3]
