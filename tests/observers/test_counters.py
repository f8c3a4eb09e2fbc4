"""Instructions and lanes by opcode, against numbers counted by hand."""

import numpy as np
import pytest

from emulator import LaunchConfig, System, launch
from emulator.engines.events import BATCH
from emulator.errors import Trap
from emulator.observers.counters import Count, Counters
from tests.engines.programs import kernel, start

LOOP = """
    and.b32 %r2, %l, 1;
    setp.eq.u32 %p0, %r2, 0;
@%p0 bra END;
    mov.u32 %r0, 0;
LOOP:
    add.u32 %r0, %r0, 1;
    setp.lt.u32 %p1, %r0, 3;
@%p1 bra LOOP;
END:
@%p0 st.global.u32 [%mine], %r0;
"""


def counted(counters: Counters, opcode: str) -> tuple[int, int]:
    """(instructions, lanes) of an opcode."""
    return tuple(counters.by_opcode().get(opcode, Count()))  # type: ignore[return-value]


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_counts_a_divergent_loop(engine: str) -> None:
    counters = Counters()
    with System(engine=engine, observers=[counters]) as system:
        device = system.device(0)
        start(kernel(LOOP), device, device.zeros(96, np.uint32), grid=2, block=48)
        device.sync()
        assert counters.total.instructions == system.runner.time
    # Two CTAs of a full and a half warp: 96 threads, 48 of them odd.
    assert counted(counters, "and.b32") == (4, 96)
    assert counted(counters, "setp.eq.u32") == (4, 96)
    assert counted(counters, "add.u32") == (4 * 3, 48 * 3)
    assert counted(counters, "bra") == (4 + 4 * 3, 48 + 48 * 2)
    assert counted(counters, "st.global.u32") == (4, 48)
    assert counted(counters, "ret") == (4, 96)
    assert counted(counters, "fma.rn.f32") == (0, 0)
    assert next(iter(counters.by_opcode())) == "mov.u32"
    loop = [count for instruction, count in counters.by_instruction() if instruction.text == "@%p1 bra LOOP;"]
    assert loop == [Count(12, 96)] and loop[0].lanes_on == 96 / (12 * 32)


def test_counts_launches_of_two_programs_and_clears() -> None:
    counters = Counters()
    with System(devices=2, observers=[counters]) as system:
        for index, body in enumerate(("add.u32 %r0, %l, 1;", "sub.u32 %r0, %l, 1; sub.u32 %r0, %r0, 1;")):
            device = system.device(index)
            for _ in range(2):
                start(kernel(body), device, device.zeros(32, np.uint32))
        system.sync()
        assert counted(counters, "add.u32") == (2, 64) and counted(counters, "sub.u32") == (4, 128)
        counters.clear()
        assert counters.total == Count() and counters.total.lanes_on == 0.0
        device = system.device(0)
        start(kernel("add.u32 %r0, %l, 1;"), device, device.zeros(32, np.uint32))
        system.sync()
        assert counted(counters, "add.u32") == (1, 32)


def test_counts_across_batches() -> None:
    counters = Counters()
    rounds = BATCH
    body = f"mov.u32 %r0, 0; LOOP: add.u32 %r0, %r0, 1; setp.lt.u32 %p0, %r0, {rounds}; @%p0 bra LOOP;"
    with System(observers=[counters]) as system:
        device = system.device(0)
        start(kernel(body), device, device.zeros(1, np.uint32), block=1)
        system.sync()
    assert counted(counters, "add.u32") == (rounds, rounds)


def test_an_observer_added_in_the_middle_counts_from_there() -> None:
    counters = Counters()
    with System() as system:
        device = system.device(0)
        start(kernel(LOOP), device, device.zeros(32, np.uint32))
        for _ in range(10):
            system.step()
        before = system.runner.time
        system.runner.add_observer(counters)
        system.sync()
        assert counters.total.instructions == system.runner.time - before


def test_counts_up_to_a_fault() -> None:
    counters = Counters()
    system = System(observers=[counters])
    device = system.device(0)
    start(kernel("add.u32 %r0, %l, 1; trap; sub.u32 %r0, %l, 1;"), device, device.zeros(32, np.uint32))
    with pytest.raises(Trap):
        system.sync()
    assert counted(counters, "add.u32") == (1, 32) and counted(counters, "trap") == (1, 32)
    assert counted(counters, "sub.u32") == (0, 0)
    system.reset()
    launch(device.default_stream, LaunchConfig(1, block=32), kernel("sub.u32 %r0, %l, 1;"), device.zeros(1))
    system.sync()
    assert counted(counters, "sub.u32") == (1, 32)


def test_meetings_and_calls_count_where_they_stand() -> None:
    before = ".func (.reg .u32 r) f(.reg .u32 a) { add.u32 r, a, 1; ret; }"
    body = """
        setp.lt.u32 %p0, %l, 8;
    @%p0 bra LOW;
        redux.sync.add.u32 %r0, %l, -1;
        bra END;
    LOW:
        redux.sync.add.u32 %r0, %l, -1;
    END:
    @%p0 call (%r1), f, (%l);
    """
    counters = Counters()
    with System(observers=[counters]) as system:
        device = system.device(0)
        start(kernel(body, before=before), device, device.zeros(32, np.uint32))
        system.sync()
    assert counted(counters, "redux.sync.add.u32") == (2, 32)
    assert counted(counters, "call") == (1, 8)
    assert counted(counters, "ret") == (2, 40)
