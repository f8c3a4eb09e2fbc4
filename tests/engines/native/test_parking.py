"""Warps that spin are parked, and nobody can tell: same bytes, time and turns as the reference engine's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emulator import Events, Observer, System
from emulator.api.kernel import Kernel
from emulator.engines.native.context import CONTEXT
from emulator.engines.native.engine import NativeEngine
from emulator.errors import Hang, KernelFault
from emulator.machine.warp import HEADER_BYTES, Warp
from tests.engines.programs import kernel, start

WORK = """
    .shared .align 8 .b64 box;
    mov.u32 %r10, 7;
    setp.ne.u32 %p0, %w, 0;
@%p0 bra WAIT;
    mov.u32 %r0, 0;
LOOP:
    add.u32 %r0, %r0, 1;
    st.global.u32 [%mine], %r0;
    setp.lt.u32 %p1, %r0, 500;
@%p1 bra LOOP;
    {signal}
    ret;
WAIT:
    {wait}
    st.global.u32 [%mine], %r2;
"""
SIGNAL = "st.volatile.shared.u32 [box], 5;"
SPINS = {
    "volatile": "ld.volatile.shared.u32 %r2, [box]; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;",
    "acquire": "ld.acquire.cta.shared.u32 %r2, [box]; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;",
    "generic": """
        mov.u64 %rd3, box; cvta.shared.u64 %rd3, %rd3;
    AGAIN: ld.volatile.u32 %r2, [%rd3]; setp.eq.u32 %p1, %r2, 0; @%p1 bra AGAIN;""",
    "cas": "atom.shared.cas.b32 %r2, [box], 9, 8; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;",
    "or": "atom.shared.or.b32 %r2, [box], 0; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;",
    "same store": """
        st.global.u32 [%mine], 3;
        ld.volatile.shared.u32 %r2, [box]; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;""",
    "elected lane": """
        setp.ne.u32 %p2, %l, 0;
    @%p2 bra MEET;
    AGAIN: ld.volatile.shared.u32 %r2, [box]; setp.eq.u32 %p1, %r2, 0; @%p1 bra AGAIN;
    MEET: bar.warp.sync -1; shfl.sync.idx.b32 %r2, %r2, 0, 31, -1;""",
    "vote": """
        ld.volatile.shared.u32 %r2, [box]; setp.ne.u32 %p1, %r2, 0;
        vote.sync.all.pred %p1, %p1, -1; @!%p1 bra WAIT;""",
    "vector": """
        ld.volatile.shared.v2.u32 {%r2, %r3}, [box]; fence.acq_rel.cta;
        setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;""",
}
NOT_PARKED = {
    "counts": "add.u32 %r7, %r7, 1; ld.volatile.shared.u32 %r2, [box]; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;",
    "clock": """
        mov.u32 %r8, %clock; and.b32 %r8, %r8, 0;
        ld.volatile.shared.u32 %r2, [box]; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;""",
    "local": """
        .local .align 4 .b32 mine; ld.local.u32 %r8, [mine]; add.u32 %r8, %r8, 1; st.local.u32 [mine], %r8;
        mov.u32 %r8, 0; ld.volatile.shared.u32 %r2, [box]; setp.eq.u32 %p1, %r2, 0; @%p1 bra WAIT;""",
}
QUANTUM = 40


def waiting(wait: str, signal: str = SIGNAL) -> Kernel:
    return kernel(WORK.format(wait=wait, signal=signal))


class Count(Observer):
    """Counts instructions."""

    wants = Events.INSTRUCTION

    def __init__(self) -> None:
        self.count = 0

    def on_instructions(self, batch: Any) -> None:
        self.count += len(batch)


class Case:
    """A kernel of three warps on a system, with a quantum that makes turns short."""

    def __init__(self, code: Kernel, engine: str, **options: Any) -> None:
        self.system = System(engine=engine, schedule=f"round_robin:{QUANTUM}", **options)
        device = self.system.device(0)
        self.out = device.zeros(96, np.uint32)
        start(code, device, self.out, block=96)

    def to(self, time: int) -> None:
        """Run to about a moment, many turns at a time."""
        runner = self.system.runner

        def is_over() -> bool:
            if isinstance(runner.engine, NativeEngine):
                runner.engine._stretch = 300
            return runner.time >= time

        self.system.run_until(is_over, every_turn=False)

    @property
    def warps(self) -> list[Warp]:
        return [warp for grid in self.system.runner.devices[0].grids for cta in grid.resident.values()
                for warp in cta.warps]  # fmt: skip

    @property
    def parked(self) -> int:
        """The warps that are parked now."""
        return sum(bool(warp.context[: CONTEXT.itemsize].view(CONTEXT)["parked"][0]) for warp in self.warps)

    def outcome(self) -> tuple[Any, ...]:
        """Bytes, time, and each warp's instructions and bytes."""
        runner = self.system.runner
        data = runner.memory.view(self.out.address, self.out.nbytes).tobytes()
        states = [
            (warp.executed, warp.state[: HEADER_BYTES + warp.cta.grid.program.row_bytes].tobytes())
            for warp in self.warps
        ]
        return data, runner.time, states


def both(code: Kernel, **options: Any) -> tuple[Case, Case]:
    return Case(code, "reference", registers="virtual", **options), Case(code, "native", registers="virtual", **options)


def in_parts(case: Case, moments: list[int]) -> list[tuple[Any, ...]]:
    """Outcomes at the first ends of turns behind some moments, and at the end."""
    found = []
    for moment in moments:
        case.system.run_until(lambda moment=moment: case.system.runner.time >= moment)  # type: ignore[misc]
        found.append(case.outcome())
    case.system.sync()
    return [*found, case.outcome()]


@pytest.mark.parametrize("wait", SPINS.values(), ids=SPINS)
def test_who_spins_is_parked_and_goes_on(wait: str) -> None:
    wanted, found = both(waiting(wait))
    wanted.system.sync()
    found.to(5000)
    assert found.parked == 2
    found.system.sync()
    assert found.outcome() == wanted.outcome()
    assert list(found.out.numpy()[32:]) == [5] * 64


@pytest.mark.parametrize("wait", NOT_PARKED.values(), ids=NOT_PARKED)
def test_who_changes_something_of_its_own_is_not(wait: str) -> None:
    wanted, found = both(waiting(wait))
    wanted.system.sync()
    found.to(5000)
    assert found.parked == 0
    found.system.sync()
    assert found.outcome() == wanted.outcome()


@pytest.mark.parametrize("wait", [SPINS["volatile"], SPINS["same store"]], ids=["volatile", "same store"])
def test_the_same_at_every_stop(wait: str) -> None:
    """Turns one by one after parked ones, and parked ones after those."""
    wanted, found = both(waiting(wait))
    for case in (wanted, found):
        case.to(4000)
    moments = [4100, 4500, 6000]
    moment = max(wanted.system.runner.time, found.system.runner.time)
    for case in (wanted, found):
        case.system.run_until(lambda case=case: case.system.runner.time >= moment)  # type: ignore[misc]
    assert in_parts(found, moments) == in_parts(wanted, moments)


def test_words_that_change_and_change_back() -> None:
    """What the warps poll is written again and again: they see each value, or not, as on the reference engine."""
    body = """
        .shared .align 4 .b32 box;
        setp.ne.u32 %p0, %w, 0;
    @%p0 bra WAIT;
    LOOP:
        shr.u32 %r1, %r0, 8; and.b32 %r1, %r1, 1;
        st.volatile.shared.u32 [box], %r1;
        add.u32 %r0, %r0, 1; setp.lt.u32 %p1, %r0, 3000;
    @%p1 bra LOOP;
        st.volatile.shared.u32 [box], 9;
        ret;
    WAIT:
        ld.volatile.shared.u32 %r2, [box];
        setp.eq.u32 %p2, %r2, 1;
    @%p2 add.u32 %r3, %r3, 1;
        setp.ne.u32 %p1, %r2, 9;
    @%p1 bra WAIT;
        st.global.u32 [%mine], %r3;
    """
    wanted, found = both(kernel(body))
    for case in (wanted, found):
        case.system.sync()
    assert found.outcome() == wanted.outcome()
    assert found.out.numpy()[40] > 100


def test_a_parked_warp_is_asked_again_after_a_restore() -> None:
    wanted, found = both(waiting(SPINS["volatile"]))
    wanted.system.sync()
    found.to(3000)
    snapshot = found.system.snapshot()
    found.to(5000)
    assert found.parked == 2
    for _ in range(2):
        found.system.restore(snapshot)
        found.system.sync()
        assert found.outcome() == wanted.outcome()


def test_a_register_that_somebody_sets_ends_the_spin() -> None:
    """%r10 stands in no instruction of the loop, but behind it."""
    wait = SPINS["volatile"] + "add.u32 %r2, %r2, %r10;"
    case = Case(waiting(wait), "native", registers="virtual")
    case.to(5000)
    assert case.parked == 2
    warp = next(warp for warp in case.warps if warp.index == 1)
    ten = next(r for r in warp.cta.grid.program.entry.registers if r.name == "%r10")
    warp.row(ten.offset, ten.row_bytes, np.uint32)[:] = 20
    case.system.sync()
    assert list(case.out.numpy()[32:96:32]) == [25, 12]


def test_observers_hear_of_every_instruction() -> None:
    observer = Count()
    case = Case(waiting(SPINS["volatile"]), "native", observers=[observer])
    case.to(5000)
    assert case.parked == 0
    case.system.sync()
    assert observer.count == case.system.runner.time


def test_memory_that_is_freed_is_a_fault_for_who_polls_it() -> None:
    """The warp that works gives back what the others read."""
    body = """
        .shared .align 8 .b64 where;
        setp.ne.u32 %p0, %t, 0;
    @%p0 bra READY;
        { .param .b64 n, p; st.param.b64 [n], 64; call (p), malloc, (n); ld.param.b64 %rd4, [p]; }
        st.global.u32 [%rd4], 0;
        st.shared.u64 [where], %rd4;
    READY:
        bar.sync 0;
        ld.shared.u64 %rd5, [where];
        setp.ne.u32 %p0, %w, 0;
    @%p0 bra WAIT;
    LOOP:
        add.u32 %r0, %r0, 1; st.global.u32 [%mine], %r0; setp.lt.u32 %p1, %r0, 500;
    @%p1 bra LOOP;
        setp.eq.u32 %p1, %t, 0;
    @!%p1 bra STAY;
        { .param .b64 p; st.param.b64 [p], %rd5; call free, (p); }
    STAY:
        ld.volatile.global.u32 %r2, [%out]; setp.ne.u32 %p1, %r2, 0;
    @%p1 bra STAY;
    WAIT:
        ld.volatile.global.u32 %r2, [%rd5]; setp.eq.u32 %p1, %r2, 0;
    @%p1 bra WAIT;
    """
    before = ".extern .func (.param .b64 r) malloc(.param .b64 n);\n.extern .func free(.param .b64 p);"
    wanted, found = both(kernel(body, before=before))
    texts = []
    for case in (wanted, found):
        with pytest.raises(KernelFault) as caught:
            case.system.sync()
        texts.append((str(caught.value), case.system.runner.time))
    assert texts[0] == texts[1]
    assert "PTX-M0101" in texts[0][0]


def test_a_hang_of_parked_warps_comes_when_it_comes_on_the_reference_engine() -> None:
    wanted, found = both(waiting(SPINS["volatile"], signal=""), hang_after=3000)
    for case in (wanted, found):
        with pytest.raises(Hang):
            case.system.sync()
    assert found.outcome() == wanted.outcome()


def test_the_instruction_limit_is_kept() -> None:
    for engine in ("reference", "native"):
        case = Case(waiting(SPINS["volatile"]), engine, max_instructions=5003)
        with pytest.raises(KernelFault, match="limit of 5,003"):
            case.system.sync()


def test_many_waiting_warps_cost_less_than_their_instructions() -> None:
    """31 warps wait for one: nearly all turns are not executed, though time goes on as if they were."""
    system = System(engine="native")
    device = system.device(0)
    out = device.zeros(1024, np.uint32)
    text = WORK.format(wait=SPINS["volatile"], signal=SIGNAL).replace(", 500;", ", 100000;")
    start(kernel(text), device, out, block=1024)
    engine = system.runner.engine
    assert isinstance(engine, NativeEngine)
    system.sync()
    assert list(out.numpy()[32::32]) == [5] * 31
    assert engine.parkings.repeated > 0.8 * system.runner.time
