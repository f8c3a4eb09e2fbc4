"""A planted one-bit difference is found: the instruction, the lane, the execution, in few launches."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emulator.crosscheck import trace
from emulator.crosscheck import verdict as v
from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.canonical import canonical
from emulator.crosscheck.check import CrossCheck, Report
from emulator.crosscheck.instrument import instrument
from emulator.crosscheck.job import Job, run
from emulator.crosscheck.stand_in import Lie, StandIn
from emulator.crosscheck.taint import find_taint
from emulator.errors import KernelFault
from emulator.program.dataflow import writes
from tests.crosscheck import kernels

REAL, WITH_BARRIERS = "cuda/softmax", "cuda/block_scan"  # compiled by nvcc; 8 warps of a block that meet at barriers


def places(job: Job, seed: int, count: int) -> list[Lie]:
    """Random bits of random results of random threads and turns, whose flipping changes an output and faults nowhere.

    A flip that gives other outputs in another order of warps (a wrong address, say) is a race, which has no place.
    """
    random = np.random.default_rng(seed)
    program = kernels.program_of(job)
    taint = find_taint(program)
    emulator = EmulatorBackend()
    right, addresses = run(emulator, job)
    limit = 2 * emulator.system.runner.time
    recorded = [i for i in program.instructions if any(taint.compares(i, r) for r in writes(i)[:1])]
    found: list[Lie] = []
    while len(found) < count:
        instruction = recorded[random.integers(len(recorded))]
        bit = int(random.integers(writes(instruction)[0].type.width))
        thread = int(random.integers(job.shape.block.count))
        cta, execution = int(random.integers(job.shape.grid.x)), int(random.integers(3))
        lie = Lie(job.kernel, instruction.pc, bit, cta, thread, execution)
        try:
            wrong, _ = run(StandIn([lie], max_instructions=limit), job, addresses)
            again, _ = run(StandIn([lie], max_instructions=limit, schedule="random:1"), job, addresses)
        except KernelFault:
            continue
        is_stable = all(a.tobytes() == b.tobytes() for a, b in zip(wrong, again, strict=True))
        if is_stable and any(a.tobytes() != b.tobytes() for a, b in zip(right, wrong, strict=True)):
            found.append(lie)
    return found


def check_place(job: Job, lie: Lie) -> Report:
    """Find one planted difference, and see that it is named exactly and that launches were few."""
    gpu = StandIn([lie])
    report = CrossCheck(EmulatorBackend(), gpu).run(job)
    assert report.finding is not None, lie
    found = report.finding.difference
    assert (report.finding.instruction.pc, found.cta) == (lie.pc, lie.cta), lie
    assert 32 * found.warp + found.lane == lie.thread, lie
    assert found.emulator is not None
    assert found.gpu is not None
    assert found.emulator.value ^ found.gpu.value == 1 << (lie.bit if found.emulator.value > 1 or lie.bit else 0), lie
    assert not report.ok
    assert gpu.traced_launches == report.launches
    for _, _, search in report.searches:
        assert search.launches <= math.log2(search.events) + 2
    return report


def test_a_bit_in_a_real_kernel() -> None:
    job = kernels.sample(REAL)
    check_place(job, places(job, 0, 1)[0])


@pytest.mark.parametrize("number", range(2))
def test_a_bit_in_a_kernel_of_many_warps_with_barriers(number: int) -> None:
    job = kernels.sample(WITH_BARRIERS)
    check_place(job, places(job, number, 1)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", [REAL, WITH_BARRIERS, "triton/rms_norm"])
def test_bits_at_20_random_places(name: str) -> None:
    job = kernels.sample(name)
    for lie in places(job, 20, 20):
        check_place(job, lie)


LOOP = """
    mov.u32 %r1, 0;
    ld.global.f32 %f1, [%mine];
AGAIN:
    fma.rn.f32 %f1, %f1, 0f3F7FF000, 0f3F800000;
    add.u32 %r1, %r1, 1;
    setp.lt.u32 %p1, %r1, 100;
@%p1 bra AGAIN;
    st.global.f32 [%mine], %f1;
"""


@pytest.mark.parametrize("execution", [0, 57, 99])
@pytest.mark.parametrize("capacity", [2, 1024])
def test_one_of_many_executions_in_few_launches(execution: int, capacity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "CAPACITY", capacity)
    monkeypatch.setattr(trace, "SIZE", 32 * (32 + capacity * 32))
    job = kernels.job(LOOP)
    lie = Lie("k", kernels.pc_of(job, "fma"), 20, 0, 37, execution)
    report = check_place(job, lie)
    assert report.finding is not None
    assert report.finding.difference.number == 7 + 1 + 3 * execution + 1  # results of INDEX, mov, ld, then three a turn
    most = 1 if capacity == 1024 else 9
    assert report.launches <= most


FROM_WARP_TO_WARP = """
    .shared .align 4 .f32 fast[64];
    mov.u32 %r1, fast;
    shl.b32 %r2, %thread, 2;
    add.u32 %r3, %r1, %r2;
    ld.global.f32 %f1, [%mine];
    mul.rn.f32 %f2, %f1, 0f40400000;
    st.shared.f32 [%r3], %f2;
    bar.sync 0;
    sub.u32 %r4, 252, %r2;
    add.u32 %r5, %r1, %r4;
    ld.shared.f32 %f3, [%r5];
    add.rn.f32 %f4, %f3, 0f3F800000;
    st.global.f32 [%mine], %f4;
"""


def test_the_cause_is_followed_into_another_warp() -> None:
    job = kernels.job(FROM_WARP_TO_WARP)
    lie = Lie("k", kernels.pc_of(job, "mul.rn"), 5, 0, 3, 0)  # thread 60 reads what thread 3 multiplied
    report = check_place(job, lie)
    assert report.first is not None
    assert report.first[1].thread == 60
    assert [(cta, warp) for cta, warp, _ in report.searches] == [(0, 1), (0, 0)]


GUARDED = """
    setp.lt.u32 %p1, %thread, 40;
    ld.global.f32 %f1, [%mine];
@!%p1 add.rn.f32 %f1, %f1, 0f3F800000;
@%p1 setp.lt.u32 %p1, %thread, 7;
@%p1 add.rn.f32 %f1, %f1, 0f40000000;
    st.global.f32 [%mine], %f1;
"""


@pytest.mark.parametrize(("text", "thread"), [("@!%p1 add", 41), ("@%p1 setp", 6), ("@%p1 add", 2)])
def test_guarded_instructions_count_where_they_execute(text: str, thread: int) -> None:
    job = kernels.job(GUARDED)
    check_place(job, Lie("k", kernels.pc_of(job, text), 0, 0, thread, 0))


IN_FUNCTION = """
.func (.reg .f32 d) twice(.reg .f32 a)
{
    .reg .f32 %x;
    add.rn.f32 %x, a, a;
    mov.f32 d, %x;
    ret;
}
"""
CALLS = """
    ld.global.f32 %f1, [%mine];
    call (%f2), twice, (%f1);
    st.global.f32 [%mine], %f2;
"""


def test_results_inside_of_functions() -> None:
    job = kernels.job(CALLS, before=IN_FUNCTION)
    lie = Lie("k", kernels.pc_of(job, "add.rn"), 3, 0, 9, 0)
    report = CrossCheck(EmulatorBackend(), StandIn([lie])).run(job)
    assert report.finding is not None
    assert report.finding.instruction.pc == lie.pc
    assert report.finding.difference.lane == 9
    assert report.verdict.word == v.EMULATOR_BUG


HAND_OVER = """
    .shared .align 4 .u32 flag;
    .shared .align 4 .f32 value[32];
    mov.u32 %r1, value;
    and.b32 %r2, %thread, 31;
    shl.b32 %r2, %r2, 2;
    add.u32 %r1, %r1, %r2;
    mov.u32 %r5, flag;
    setp.ge.u32 %p1, %thread, 32;
@%p1 bra PRODUCE;
WAIT:
    ld.volatile.shared.u32 %r3, [%r5];
    setp.lt.u32 %p2, %r3, 32;
@%p2 bra WAIT;
    ld.volatile.shared.f32 %f1, [%r1];
    add.rn.f32 %f2, %f1, 0f3F800000;
    st.global.f32 [%mine], %f2;
    bra DONE;
PRODUCE:
    ld.global.f32 %f3, [%mine];
    mul.rn.f32 %f4, %f3, 0f40400000;
    st.volatile.shared.f32 [%r1], %f4;
    membar.cta;
    atom.shared.add.u32 %r4, [%r5], 1;
DONE:
"""


def test_how_often_a_waiting_loop_turns_is_no_difference() -> None:
    job = kernels.job(HAND_OVER)
    found = no_differences(job, [(0, 0), (0, 1)])
    assert found == []
    lie = Lie("k", kernels.pc_of(job, "mul.rn"), 5, 0, 35, 0)
    gpu = StandIn([lie], schedule="random:5")
    report = CrossCheck(EmulatorBackend(), gpu).run(job)
    assert report.finding is not None
    assert report.finding.instruction.pc == lie.pc
    assert [(cta, warp) for cta, warp, _ in report.searches] == [(0, 0), (0, 1)]


def no_differences(job: Job, warps: list[tuple[int, int]]) -> list[object]:
    """What the search finds in right results under another order of warps."""
    emulator, other = EmulatorBackend(), StandIn(schedule="random:3")
    plain = job.with_text(canonical(job.ptx))
    taint = find_taint(kernels.program_of(plain))
    traced = instrument(plain.ptx, job.name, job.kernel, taint)
    ours, addresses = run(emulator, plain)
    theirs, _ = run(other, plain, addresses)
    searches = [
        trace.search(emulator, other, plain, traced, (addresses, addresses), warp, (ours, theirs)) for warp in warps
    ]
    return [search for search in searches if search.first is not None or search.perturbed]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["moe/ring_of_stages", "05_atomics/histogram", "04_warp/ballot_compaction", REAL])
def test_another_order_of_warps_is_no_difference(name: str) -> None:
    job = kernels.sample(name)
    warps = [(cta, warp) for cta in range(1) for warp in range(-(-job.shape.block.count // 32))]
    assert no_differences(job, warps) == []
