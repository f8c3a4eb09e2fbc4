"""A hang is that all warps repeat themselves while nothing changes; a long computation and a clock are none."""

import numpy as np
import pytest

from emulator import LaunchConfig, System, launch
from emulator.engines.hang_watch import WITNESSES, HangWatch
from emulator.errors import Hang
from tests.engines.programs import kernel, report, run, start

SPIN = "SPIN: ld.volatile.global.u32 %r0, [%out]; setp.eq.u32 %p0, %r0, 0; @%p0 bra SPIN;"
LONG_SPIN = """
    mov.u32 %r2, 0;
SPIN:
    add.u32 %r2, %r2, 1;
    and.b32 %r2, %r2, 7;
    ld.volatile.global.u32 %r0, [%out];
    setp.eq.u32 %p0, %r0, 0;
@%p0 bra SPIN;
"""


@pytest.mark.parametrize("body", [SPIN, LONG_SPIN], ids=["short", "long"])
def test_a_spin_is_seen_soon(body: str) -> None:
    with pytest.raises(Hang) as caught:
        run(body, block=64, engine="native")
    assert "spins k on device 0, block" in report(caught.value)


def test_both_engines_see_it_at_the_same_time() -> None:
    times = set()
    for engine in ("reference", "native"):
        system = System(engine=engine)
        device = system.device(0)
        start(kernel(SPIN), device, device.zeros(1, np.uint32), block=32)
        with pytest.raises(Hang):
            system.sync()
        times.add(system.runner.time)
    assert len(times) == 1 and times.pop() < 100_000


def test_the_report_counts_what_was_idle_since_the_last_cta_ended() -> None:
    """Two launches at once, of which one ends: CTAs that share a device are taken off it by Python."""
    endless, short = kernel("SPIN: add.u32 %r1, %r1, 1; bra SPIN;"), kernel("st.global.u32 [%mine], %i;")
    reports = set()
    for engine in ("reference", "native"):
        system = System(engine=engine, hang_after=3000)
        device = system.device(0)
        out = device.zeros(64, np.uint32)
        launch(device.default_stream, LaunchConfig(2, block=64), endless, out)
        launch(device.create_stream(), LaunchConfig(1, block=64), short, out)
        with pytest.raises(Hang) as caught:
            system.sync()
        reports.add(report(caught.value))
    assert len(reports) == 1


def test_lanes_that_spin_on_each_other_in_turns() -> None:
    """Half a warp spins at each of two places: slices of both belong to the state."""
    body = f"setp.lt.u32 %p1, %l, 16; @%p1 bra OTHER; {SPIN} OTHER: {SPIN.replace('SPIN', 'MORE')}"
    with pytest.raises(Hang):
        run(body, engine="native")


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_warp_that_has_not_had_a_turn_between_two_samples_shows_nothing(engine: str) -> None:
    """Of several threads one may not get a core for a while: its warps are as they were, and could go on."""
    system = System(engine=engine)
    device = system.device(0)
    start(kernel(SPIN), device, device.zeros(64, np.uint32), block=64)
    hangs, runner = system.runner.hangs, system.runner
    system.run_until(lambda: runner.idle > 2 * hangs.limit)
    for _ in range(5):
        hangs.begin()
    with pytest.raises(Hang):
        system.sync()


def test_a_long_computation_is_none() -> None:
    """Three million instructions without a change of memory, by native code."""
    body = """
        mov.u32 %r1, 0;
    LOOP:
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p0, %r1, 1000000;
    @%p0 bra LOOP;
        st.global.u32 [%mine], %r1;
    """
    assert set(run(body, engine="native")) == {1_000_000}


def test_a_long_computation_of_many_warps_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """512 warps compute for 30 turns each: a few states are compared, not those after each of 15,000 turns."""
    compared = []
    compare = HangWatch._compare
    monkeypatch.setattr(HangWatch, "_compare", lambda self, warp: compared.append(warp) or compare(self, warp))
    body = """
        mov.u32 %r1, 0;
    LOOP:
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p0, %r1, 20000;
    @%p0 bra LOOP;
        st.global.u32 [%mine], %r1;
    """
    with System(engine="native") as system:
        device = system.device(0)
        out = device.zeros(64 * 256, np.uint32)
        start(kernel(body), device, out, grid=64, block=256)
        assert set(out.numpy().tolist()) == {20_000}
    assert WITNESSES <= len(compared) <= 10 * WITNESSES


@pytest.mark.parametrize("body", [SPIN, LONG_SPIN], ids=["short", "long"])
def test_many_warps_that_spin(body: str) -> None:
    """All of 320 warps have to be seen to repeat themselves, not only the first witnesses."""
    with pytest.raises(Hang) as caught:
        run(body, grid=40, block=256, engine="native")
    assert "and 308 more warps" in report(caught.value)


def test_one_warp_that_computes_beside_many_that_spin_is_no_hang() -> None:
    """The last warp counts to 200,000 and then sets the flag that the others wait for."""
    body = f"""
        setp.lt.u32 %p1, %i, 1248;
    @%p1 bra WAIT;
        mov.u32 %r1, 0;
    LOOP:
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p0, %r1, 200000;
    @%p0 bra LOOP;
        st.volatile.global.u32 [%out], %r1;
    WAIT:
        {SPIN}
    """
    with System(engine="native") as system:
        device = system.device(0)
        out = device.zeros(1, np.uint32)
        start(kernel(body), device, out, grid=5, block=256)
        assert out.numpy().tolist() == [200_000]


def test_who_waits_for_a_clock_does_not_hang() -> None:
    """Its registers are the same at the end of each turn, but the time is not."""
    body = """
    LOOP:
        mov.u32 %r1, %clock;
        setp.lt.u32 %p0, %r1, 150000;
        mov.u32 %r1, 0;
    @%p0 bra LOOP;
        st.global.u32 [%mine], 5;
    """
    assert set(run(body, engine="native")) == {5}
