"""The native scheduler: blocks that are used again, grids of any size, exact stops, what meets at barriers."""

from __future__ import annotations

import random

import numpy as np
import pytest

from emulator import LaunchConfig, System, launch
from emulator.engines.schedule import Replay
from emulator.machine.warp import HEADER_BYTES
from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_programs import program
from tests.engines.programs import kernel, start

LEFTOVERS = """
    .shared .align 4 .b32 s[96];
    .local .align 4 .b32 stack[2];
    mov.u32 %r1, s;
    mad.lo.u32 %r1, %t, 4, %r1;
    ld.shared.u32 %r2, [%r1];
    ld.local.u32 %r3, [stack+4];
    or.b32 %r4, %r2, %r3;
    or.b32 %r4, %r4, %r9;
    addc.u32 %r4, %r4, 0;
    mov.u32 %r9, 77;
    st.shared.u32 [%r1], %r9;
    st.local.u32 [stack+4], %r9;
    add.cc.u32 %r5, %r9, 0xffffffff;
    setp.ne.u32 %p0, %r4, 0;
@%p0 atom.global.add.u32 %r5, [%out], 1;
    bar.sync 0;
    red.global.add.u32 [%out+4], %c;
"""


@pytest.mark.parametrize(("grid", "block"), [(100_000, 32), (20_000, 96)])
def test_a_cta_finds_nothing_of_the_one_before_it(grid: int, block: int) -> None:
    """Registers, carry, shared memory and stacks are zeros in each of many CTAs that have the same few blocks."""
    with System(engine="native") as system:
        device = system.device(0)
        out = device.zeros(2, np.uint32)
        start(kernel(LEFTOVERS), device, out, grid=grid, block=block)
        running = system.runner.launches
        assert list(out.numpy()) == [0, grid * (grid - 1) // 2 * block % 2**32]
        assert sum(len(pool.addresses) for pool in running.pools) <= 200


def test_a_million_ctas_run_in_the_memory_of_the_resident_ones() -> None:
    with System(engine="native") as system:
        device = system.device(0)
        out = device.zeros(1, np.uint32)
        body = "setp.eq.u32 %p0, %l, 0;\n@%p0 red.global.add.u32 [%out], 1;"
        start(kernel(body), device, out, grid=1_000_000, block=32)
        assert list(out.numpy()) == [1_000_000]
        assert sum(len(pool.addresses) * pool.layout.size for pool in system.runner.launches.pools) <= 1 << 20


@pytest.mark.parametrize("devices", [1, 3])
def test_grids_side_by_side(devices: int) -> None:
    """Two launches on each device, whose CTAs take each other's places on the SMs: as on the reference engine."""
    found = []
    for engine in ("reference", "native"):
        with System(engine=engine, devices=devices, sms=1) as system:
            buffers = []
            for index in range(devices):
                device = system.device(index)
                for words, block in ((40, 1024), (70, 64)):
                    out = device.zeros(words, np.uint32)
                    body = (
                        "mov.u32 %r1, %smid; add.u32 %r1, %r1, %c; bar.sync 0; atom.global.add.u32 %r2, [%mine], %r1;"
                    )
                    code = kernel(body.replace("%mine", "%out"))
                    launch(device.create_stream(), LaunchConfig(words // 10, block=block), code, out)
                    buffers.append(out)
            system.sync()
            found.append(([list(buffer.numpy()) for buffer in buffers], system.runner.time))
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", range(5))
def test_random_schedules_stop_where_the_reference_engine_stops(seed: int) -> None:
    """Turns of a random schedule end after any instruction, also between lanes that went apart."""
    chosen = program(300 + seed)
    code = code_of(chosen)
    moment = random.Random(seed).choice([50, 200, 700])
    wanted, found = (Run(chosen, engine, code, schedule=f"random:{seed}") for engine in ("reference", "native"))
    for run in (wanted, found):
        run.until_time(moment)
    assert wanted.outcome().differences(found.outcome()) == []


def test_a_stop_at_every_instruction() -> None:
    """The first turn of a divergent kernel is cut after each of its instructions; the warps' bytes are alike."""
    body = """
        .shared .align 4 .b32 s[64];
        setp.lt.u32 %p0, %l, 7;
        mov.u32 %r1, 0;
    @%p0 bra FEW;
    LOOP:
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p1, %r1, %l;
    @%p1 bra LOOP;
        bra MEET;
    FEW:
        mul.lo.u32 %r2, %l, 3;
        add.u32 %r2, %r2, 1;
    @%p0 exit;
    MEET:
        bar.sync 0;
        st.global.u32 [%mine], %r1;
    """
    code = kernel(body)
    for count in range(1, 130):
        states = []
        for engine in ("reference", "native"):
            system = System(engine=engine, registers="virtual")
            device = system.device(0)
            start(code, device, device.zeros(64, np.uint32), block=64)
            system.runner.schedule = Replay([((1, 0, 0), count)])
            system.run_until(lambda runner=system.runner: runner.time > 0)
            (stream,) = system.runner.devices[0].streams
            assert stream.running is not None
            (cta,) = stream.running.resident.values()
            size = HEADER_BYTES + stream.running.program.row_bytes
            states.append((system.runner.time, [warp.state[:size].tobytes() for warp in cta.warps]))
        assert states[0] == states[1], count
