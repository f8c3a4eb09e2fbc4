"""Snapshots, replay and determinism: the same bytes, at the same time, in the same order."""

import random
from typing import Any

import numpy as np
import pytest

from emulator import Buffer, LaunchConfig, System, launch
from emulator.engines.schedule import Replay, RoundRobin, key_of, schedule_of
from tests.engines.programs import every_schedule, kernel, start

pytestmark = pytest.mark.usefixtures("each_engine")

SCRAMBLE = """
.func (.reg .u32 r) mix(.reg .u32 a, .reg .u32 depth)
{
    .local .align 4 .b32 kept;
    .reg .pred %p; .reg .u32 %x, %d, %y;
    st.local.u32 [kept], a;
    mad.lo.u32 r, a, 1664525, 1013904223;
    setp.eq.u32 %p, depth, 0;
@%p ret;
    sub.u32 %d, depth, 1;
    call (%x), mix, (r, %d);
    ld.local.u32 %y, [kept];
    xor.b32 r, %x, %y;
    ret;
}
.global .align 4 .u32 order;
.extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);
.extern .func (.param .b64 r) malloc(.param .b64 n);
.extern .func free(.param .b64 p);
.global .align 1 .b8 text[8] = {60, 37, 117, 62, 10, 0};
"""
# Barriers, meetings, atomics whose order shows, recursion by lane, heap, printing, a spin on the other CTA.
BODY = """
    .shared .align 4 .b32 box[64];
    .local .align 8 .b8 words[8];
    mov.u32 %r0, 0;
    mov.u32 %r1, %i;
    mov.u32 %r60, box;
    mad.lo.u32 %r61, %t, 4, %r60;
ROUND:
    and.b32 %r2, %r1, 3;
    call (%r1), mix, (%r1, %r2);
    atom.global.add.u32 %r3, [order], 1;
    add.u32 %r1, %r1, %r3;
    st.shared.u32 [%r61], %r1;
    bar.sync 0;
    xor.b32 %r4, %t, 33;
    mad.lo.u32 %r5, %r4, 4, %r60;
    ld.shared.u32 %r6, [%r5];
    bar.red.popc.u32 %r7, 1, %p0;
    xor.b32 %r1, %r1, %r6;
    and.b32 %r8, %r1, 1;
    setp.eq.u32 %p0, %r8, 0;
@%p0 bra EVEN;
    shfl.sync.bfly.b32 %r9, %r1, 3, 31, -1;
    bra MET;
EVEN:
    shfl.sync.bfly.b32 %r9, %r1, 3, 31, -1;
    add.u32 %r9, %r9, 1;
MET:
    add.u32 %r1, %r1, %r9;
    add.u32 %r1, %r1, %r7;
    add.u32 %r0, %r0, 1;
    setp.lt.u32 %p1, %r0, 3;
@%p1 bra ROUND;
    setp.ne.u32 %p2, %l, 0;
@%p2 bra STORE;
    { .param .b64 n, p; st.param.b64 [n], 64; call (p), malloc, (n); ld.param.b64 %rd0, [p]; }
    st.u32 [%rd0], %r1;
    ld.u32 %r20, [%rd0];
    st.local.u32 [words], %r20;
    cvta.local.u64 %rd1, words;
    mov.u64 %rd2, text;
    { .param .b64 f, a; .param .b32 r; st.param.b64 [f], %rd2; st.param.b64 [a], %rd1; call (r), vprintf, (f, a); }
    { .param .b64 p; st.param.b64 [p], %rd0; call free, (p); }
STORE:
    st.global.u32 [%mine], %r1;
"""


class Scene:
    """A system with some launches pending, and all that a run of it leaves."""

    def __init__(self, schedule: str = "round_robin", **options: Any) -> None:
        self.printed: list[str] = []
        self.system = System(devices=2, sms=1, schedule=schedule, output=self.printed.append, **options)
        self.buffers: list[Buffer] = []
        code = kernel(BODY, before=SCRAMBLE)
        for index in (0, 1):
            device = self.system.device(index)
            self.buffers.append(device.zeros(128, np.uint32))
            start(code, device, self.buffers[-1], grid=2, block=64)
        other = self.system.device(0).create_stream()
        other.wait(self.system.device(1).default_stream)
        doubled = kernel("ld.global.u32 %r0, [%mine]; mad.lo.u32 %r0, %r0, 2, %r0; st.global.u32 [%mine], %r0;")
        launch(other, LaunchConfig(2, block=64), doubled, self.buffers[1])

    def finish(self) -> tuple[bytes, int, str]:
        """(bytes of all buffers, time, what was printed) at the end."""
        self.system.sync()
        memory = self.system.runner.memory
        data = b"".join(memory.view(buffer.address, buffer.nbytes).tobytes() for buffer in self.buffers)
        return data, self.system.runner.time, "".join(self.printed)


@every_schedule
def test_two_runs_are_equal(schedule: str) -> None:
    assert Scene(schedule).finish() == Scene(schedule).finish()


def test_different_seeds_run_in_different_orders() -> None:
    assert len({Scene(f"random:{seed}").finish()[0] for seed in range(4)}) > 1


def test_a_seed_is_an_option_too() -> None:
    assert Scene("random", seed=5).finish() == Scene("random:5").finish()


@every_schedule
def test_a_recorded_run_replays_to_the_same_bytes(schedule: str) -> None:
    first = Scene(schedule)
    first.system.runner.turns = []
    expected = first.finish()
    again = Scene("random:99")
    again.system.runner.schedule = Replay(first.system.runner.turns)
    again.system.runner.turns = []
    assert again.finish() == expected
    assert again.system.runner.turns == first.system.runner.turns


def test_a_replay_of_a_stepped_run() -> None:
    first = Scene("random:3")
    first.system.runner.turns = []
    while first.system.step() is not None:
        pass
    expected = first.finish()
    again = Scene()
    again.system.runner.schedule = Replay(first.system.runner.turns)
    assert again.finish() == expected == Scene("random:3").finish()


def test_stepping_does_not_change_the_run() -> None:
    stepped = Scene("random:4")
    while stepped.system.step() is not None:
        pass
    assert stepped.finish() == Scene("random:4").finish()


def test_a_replay_of_another_program_is_refused() -> None:
    scene = Scene()
    scene.system.runner.schedule = Replay([((9, 0, 0), 5)])
    with pytest.raises(LookupError, match="the recorded schedule runs launch 9 CTA 0 warp 0, which waits"):
        scene.system.sync()


@every_schedule
def test_snapshot_run_restore_run(schedule: str) -> None:
    """At random moments, with barriers and meetings pending, launches waiting and grids half dispatched."""
    reference = Scene(schedule).finish()
    scene = Scene(schedule)
    draw = random.Random(schedule)
    steps, pending = 0, 0
    for _ in range(4):
        for _ in range(draw.randrange(1, 400)):
            if scene.system.step() is None:
                break
            steps += 1
        snapshot = scene.system.snapshot()
        assert snapshot.time == scene.system.runner.time == steps
        warps = [w for d in scene.system.runner.devices for g in d.grids for c in g.resident.values() for w in c.warps]
        pending += any(warp.waiting for warp in warps)
        assert scene.finish() == reference
        scene.system.restore(snapshot)
        assert scene.system.runner.time == steps
    assert scene.finish() == reference
    assert pending


def test_restoring_again_and_again_prints_once() -> None:
    scene = Scene()
    before = scene.system.snapshot()
    expected = scene.finish()
    for _ in range(3):
        scene.system.restore(before)
        assert scene.finish() == expected
    assert expected[2].count("<") == 8


def test_new_work_after_a_restore_prints() -> None:
    scene = Scene()
    before = scene.system.snapshot()
    scene.finish()
    scene.system.restore(before)
    device = scene.system.device(0)
    more = device.zeros(64, np.uint32)
    start(kernel(BODY, before=SCRAMBLE), device, more, grid=1, block=64)
    assert scene.finish()[2].count("<") == 8 + 8 + 2


def test_a_restore_forgets_allocations_streams_modules_and_faults_of_later() -> None:
    with System() as system:
        device = system.device(0)
        out = device.array(np.arange(64, dtype=np.uint32))
        snapshot = system.snapshot()
        stream = device.create_stream()
        buffer = device.zeros(1000, np.uint32)
        code = kernel("mov.u64 %rd0, there; st.global.u32 [%rd0], 1; trap;", before=".global .u32 there;")
        launch(stream, LaunchConfig(1, block=32), code, buffer)
        with pytest.raises(Exception, match="trap"):
            system.sync()
        system.restore(snapshot)
        assert [a.base for a in system.runner.memory.allocations()] == [out.address]
        assert not system.runner.busy
        start(kernel("st.global.u32 [%mine], %i;"), device, out, grid=1, block=32)
        assert list(out.numpy()[:40]) == list(range(40))
        assert device.zeros(1000, np.uint32).address == buffer.address
        launch(device.default_stream, LaunchConfig(1, block=32), kernel("st.global.u32 [%mine], 5;"), out)
        assert out.numpy()[3] == 5


def test_an_event_after_a_restore_has_not_happened() -> None:
    with System() as system:
        device = system.device(0)
        out = device.zeros(32, np.uint32)
        a, b = device.create_stream(), device.create_stream()
        launch(a, LaunchConfig(1, block=32), kernel("st.global.u32 [%mine], 5;"), out)
        event = a.record()
        b.wait(event)
        launch(b, LaunchConfig(1, block=32), kernel("atom.global.add.u32 %r0, [%mine], 1;"), out)
        before = system.snapshot()
        assert set(out.numpy()) == {6} and event.happened
        system.restore(before)
        assert not event.happened
        assert set(out.numpy()) == {6}


def test_names_of_schedules() -> None:
    assert schedule_of("round_robin", 1).name == "round_robin"
    assert schedule_of("random", 7).name == "random:7"
    assert schedule_of("random:8", 7).name == "random:8"
    small = schedule_of("round_robin:3", 0)
    assert isinstance(small, RoundRobin) and small.quantum == 3
    for wrong, text in (("fifo", "unknown schedule 'fifo'"), ("random:x", "'x' is no number")):
        with pytest.raises(ValueError, match=text):
            schedule_of(wrong, 0)


def test_a_recorded_turn_names_launch_cta_and_warp() -> None:
    with System() as system:
        device = system.device(0)
        out = device.zeros(128, np.uint32)
        start(kernel("st.global.u32 [%mine], 5;"), device, out, grid=2, block=64)
        system.runner.turns = []
        step = system.step()
        assert step is not None and key_of(step.warp) == (1, 0, 0)
        system.sync()
        assert [key for key, _ in system.runner.turns] == [(1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)]
        assert sum(count for _, count in system.runner.turns) == system.runner.time


def test_launches_that_start_once_more_have_blocks_of_their_own() -> None:
    """One on each of four devices, taken back to before they started: their shared memory is not the same bytes."""
    body = """
        .shared .align 4 .b32 box[32];
        mov.u32 %r0, box; mad.lo.u32 %r0, %t, 4, %r0; st.shared.u32 [%r0], %t; mov.u32 %r1, 0;
    MORE:
        ld.shared.u32 %r2, [%r0]; add.u32 %r2, %r2, 1; st.shared.u32 [%r0], %r2;
        add.u32 %r1, %r1, 1; setp.lt.u32 %p0, %r1, 100; @%p0 bra MORE;
        ld.shared.u32 %r2, [%r0]; st.global.u32 [%mine], %r2;
    """
    with System(4, schedule="round_robin:20") as system:
        outs = [system.device(number).zeros(32, np.uint32) for number in range(4)]
        code = kernel(body)
        for number, out in enumerate(outs):
            start(code, system.device(number), out)
        first = system.snapshot()
        times = []
        for _ in range(2):
            system.sync()
            times.append(system.runner.time)
            assert [out.numpy().tolist() for out in outs] == [list(range(100, 132))] * 4
            system.restore(first)
        assert times[0] == times[1]
