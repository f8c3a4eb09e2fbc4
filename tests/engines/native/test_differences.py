"""Differences between the engines that were found once, each with the least kernel that shows it."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import System
from emulator.engines.schedule import Replay
from emulator.errors import IllegalBarrier
from emulator.machine.warp import HEADER_BYTES, Warp
from tests.engines.programs import kernel, run, start

ENGINES = ("reference", "native")


def words(body: str, engine: str, **options: object) -> list[int]:
    """What lane 0 leaves in two words of 64 bits."""
    text = f"mov.u64 %rd0, 0;\nmov.u64 %rd1, 0;\n{body}\nst.global.v2.u64 [%out], {{%rd0, %rd1}};"
    return [int(n) for n in run(text, words=2, dtype=np.uint64, engine=engine, **options)]  # type: ignore[arg-type]


SHARED = ".shared .align 16 .b8 s[64];"
CASES = {
    "shared addresses of a cluster become generic ones": (
        "mov.u64 %rd0, s; cvta.shared::cluster.u64 %rd0, %rd0; cvta.to.shared::cluster.u64 %rd1, %rd0;",
        [0x6F00_0000_0400, 0x400],
    ),
    "a generic address in another CTA of the cluster": (
        "mov.u64 %rd0, s; cvta.shared.u64 %rd0, %rd0; mov.u32 %r0, 3; mapa.u64 %rd0, %rd0, %r0;",
        [0x6F00_0300_0400, 0],
    ),
    "is not in the own shared memory": (
        "mov.u64 %rd2, 0x6f0003000400; isspacep.shared %p0, %rd2; selp.u64 %rd0, 1, 0, %p0;"
        "isspacep.shared::cluster %p0, %rd2; selp.u64 %rd1, 1, 0, %p0;",
        [0, 1],
    ),
    "the own shared memory": (
        "mov.u64 %rd2, 0x6f0000000400; isspacep.shared %p0, %rd2; selp.u64 %rd0, 1, 0, %p0;"
        "isspacep.local %p0, %rd2; selp.u64 %rd1, 1, 0, %p0;",
        [1, 0],
    ),
    "a sum that overflows, rounded down": (
        "mov.f64 %d0, 0d7fefffffffffffff; add.rm.f64 %d1, %d0, %d0; mov.b64 %rd0, %d1;"
        "neg.f64 %d0, %d0; add.rz.f64 %d1, %d0, %d0; mov.b64 %rd1, %d1;",
        [0x7FEF_FFFF_FFFF_FFFF, 0xFFEF_FFFF_FFFF_FFFF],
    ),
    "a sum that overflows, rounded up": (
        "mov.f64 %d0, 0d7fefffffffffffff; add.rp.f64 %d1, %d0, %d0; mov.b64 %rd0, %d1;"
        "neg.f64 %d0, %d0; sub.rp.f64 %d1, %d0, 0d7fefffffffffffff; mov.b64 %rd1, %d1;",
        [0x7FF0_0000_0000_0000, 0xFFEF_FFFF_FFFF_FFFF],
    ),
    "a signed load into 128 bits": (
        ".reg .b128 %q; mov.u64 %rd0, 0xfffe; st.global.u64 [%out], %rd0; ld.global.s16 %q, [%out];"
        "mov.b128 {%rd0, %rd1}, %q;",
        [2**64 - 2, 2**64 - 1],
    ),
    "a vector move that swaps": (
        "mov.u64 %rd0, 5; mov.u64 %rd1, 7; mov.v2.b64 {%rd0, %rd1}, {%rd1, %rd0};",
        [7, 5],
    ),
    "an unsigned load into 128 bits": (
        ".reg .b128 %q; mov.u64 %rd0, 0xfffe; st.global.u64 [%out], %rd0; ld.global.u16 %q, [%out];"
        "mov.b128 {%rd0, %rd1}, %q;",
        [0xFFFE, 0],
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_values(name: str, engine: str) -> None:
    body, expected = CASES[name]
    assert words(SHARED + body, engine) == expected


def test_a_barrier_fault_names_the_moment_of_the_barrier() -> None:
    """It is counted after it has been executed, as any instruction."""
    body = """
        setp.eq.u32 %p0, %w, 0;
    @%p0 bra FIRST;
        bar.sync 1, 64;
        bra END;
    FIRST:
        bar.sync 1, 96;
    END:
    """
    reports = set()
    for engine in ENGINES:
        with pytest.raises(IllegalBarrier) as raised:
            run(body, block=96, engine=engine)
        reports.add(str(raised.value))
    assert len(reports) == 1


def after_the_first_exit(engine: str, body: str, block: int) -> tuple[list[bytes], list[int]]:
    """The warps' bytes and numbers of instructions when a warp has ended."""
    with System(engine=engine, registers="virtual") as system:
        device, code = system.device(0), kernel(body)
        start(code, device, device.zeros(block, np.uint32), block=block)
        (stream,) = system.runner.devices[0].streams

        def warps() -> list[Warp]:
            return [warp for cta in stream.running.resident.values() for warp in cta.warps] if stream.running else []

        system.run_until(lambda: any(not warp.live for warp in warps()))
        size = HEADER_BYTES + code.program.row_bytes
        return [warp.state[:size].tobytes() for warp in warps()], [warp.executed for warp in warps()]


def test_a_warp_that_has_ended_looks_alike_on_both_engines() -> None:
    body = "setp.eq.u32 %p0, %w, 0;\n@%p0 bra END;\nnanosleep.u32 1;\nnanosleep.u32 1;\nEND:"
    wanted, found = (after_the_first_exit(engine, body, 64) for engine in ENGINES)
    assert wanted == found
    assert max(wanted[1]) > 10


@pytest.mark.parametrize("engine", ENGINES)
def test_lanes_meet_where_a_replayed_turn_left_others(engine: str) -> None:
    """Half of a warp stands in the middle of a straight run when round robin, and with it native code, takes over."""
    body = f"""
        setp.lt.u32 %p0, %t, 16;
        setp.ge.u32 %p1, %t, 32;
    @%p1 bra OTHER;
    @%p0 bra WAIT;
        bar.arrive 1, 64;
        bra JOIN;
    WAIT:
        bar.sync 1, 64;
    JOIN:
        {"add.u32 %r0, %r0, %t;" * 20}
        activemask.b32 %r1;
        st.global.u32 [%mine], %r1;
        ret;
    OTHER:
        bar.sync 1, 64;
    """
    with System(engine=engine) as system:
        device = system.device(0)
        out = device.zeros(64, np.uint32)
        system.runner.schedule = Replay([((1, 0, 0), 24), ((1, 0, 1), 13)])
        start(kernel(body), device, out, block=64)
        assert set(out.numpy()[:32]) == {0xFFFFFFFF}
        assert system.runner.time == 61
