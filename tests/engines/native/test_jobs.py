"""Several threads: what one thread gives, whatever the order of the CTAs; faults, output, hangs, interruptions.

What many CTAs print comes in any order, each call's text as a whole.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from emulator import LaunchConfig, System, launch, samples
from emulator.engines.native.engine import NativeEngine
from emulator.engines.native.jobs import Jobs, _to_deal
from emulator.errors import KernelFault
from emulator.observers.counters import Counters
from tests.benchmarks.five_kernels import WORKLOADS, Launch, Workload
from tests.engines.native.kernel_frame import RECORD
from tests.engines.native.outcomes import HANG_AFTER, MULTIMEM, code_of
from tests.engines.native.random_operands import MULTICAST
from tests.engines.native.random_programs import RandomProgram, program
from tests.engines.programs import kernel, lanes_that_wait, start
from tests.test_samples import SAMPLES

LOCK = """
    setp.ne.u32 %p0, %t, 0;
@%p0 bra done;
    mov.u32 %r9, 0;
next:
again:
    atom.acquire.gpu.global.cas.b32 %r1, [%out], 0, 1;
    setp.ne.u32 %p1, %r1, 0;
@%p1 bra again;
    ld.global.u32 %r2, [%out+4];
    add.u32 %r2, %r2, 1;
    st.global.u32 [%out+4], %r2;
    st.release.gpu.global.u32 [%out], 0;
    add.u32 %r9, %r9, 1;
    setp.lt.u32 %p1, %r9, 20;
@%p1 bra next;
done:
"""
CHAIN = """
    setp.eq.u32 %p0, %c, 0;
@%p0 bra ready;
wait:
    ld.acquire.gpu.global.u32 %r1, [%mine+-4];
    setp.eq.u32 %p1, %r1, 0;
@%p1 bra wait;
ready:
    add.u32 %r1, %r1, 1;
    st.release.gpu.global.u32 [%mine], %r1;
"""
WORK = """
    mov.u32 %r1, 0;
more:
    mad.lo.u32 %r2, %r2, 5, %i;
    add.u32 %r1, %r1, 1;
    setp.lt.u32 %p1, %r1, 300;
@%p1 bra more;
"""
FAULT = WORK + "setp.eq.u32 %p0, %i, 20000;\n@%p0 st.global.u32 [%mine+67108864], %t;\nst.global.u32 [%mine], %r2;"
ENDLESS = """
    mov.u32 %r9, 0;
more:
    ld.volatile.global.u32 %r1, [%out];
    add.u32 %r9, %r9, 1;
    st.global.u32 [%mine+4], %r9;
    setp.eq.u32 %p1, %r1, 0;
@%p1 bra more;
    st.global.u32 [%mine+4], 7;
"""
ONE_SPINS = (
    WORK
    + """
    st.global.u32 [%mine+4], %r2;
    setp.ne.u32 %p0, %i, 20000;
@%p0 bra quiet;
spin:
    ld.volatile.global.u32 %r1, [%out];
    setp.eq.u32 %p1, %r1, 0;
@%p1 bra spin;
quiet:
"""
)
WORKERS = """
    setp.ne.u32 %p0, %w, 0;
@%p0 bra WAIT;
    mov.u32 %r0, 0;
LOOP:
    add.u32 %r0, %r0, 1;
    and.b32 %r1, %r0, 31;
    setp.eq.u32 %p1, %r1, 0;
@%p1 st.global.u32 [%mine+64], %r0;
    setp.lt.u32 %p1, %r0, 60000;
@%p1 bra LOOP;
    setp.ne.u32 %p0, %t, 0;
@%p0 exit;
    {signal}
    exit;
WAIT:
    {wait}
    setp.ne.u32 %p1, %r2, {goal};
@%p1 bra WAIT;
    st.global.u32 [%mine], %r2;
"""
TRAP = WORK + "setp.eq.u32 %p0, %i, 20000;\n@%p0 trap;\nst.global.u32 [%mine], %r2;"
PRINT = """
    setp.ne.u32 %p0, %t, 0;
@%p0 bra quiet;
    .local .align 8 .b8 values[8];
    st.local.u32 [values], %c;
    mov.u64 %rd1, text;
    cvta.global.u64 %rd1, %rd1;
    mov.u64 %rd2, values;
    cvta.local.u64 %rd2, %rd2;
    { .param .b64 a; .param .b64 b; .param .b32 r;
      st.param.b64 [a], %rd1; st.param.b64 [b], %rd2;
      call.uni (r), vprintf, (a, b); }
quiet:
"""
WAIT_IN_PART = lanes_that_wait(
    """
    .local .align 8 .b8 values[8];
    mov.u64 %rd1, text;
    cvta.global.u64 %rd1, %rd1;
    mov.u64 %rd2, values;
    cvta.local.u64 %rd2, %rd2;
    """,
    """
    { .param .b64 a; .param .b64 b; .param .b32 r;
      st.param.b64 [a], %rd1; st.param.b64 [b], %rd2;
      call.uni (r), vprintf, (a, b); }
    """,
    rounds=5,
    last=1500,
)
PRINT_HEAD = """
.extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);
.global .align 1 .b8 text[8] = {99, 116, 97, 32, 37, 117, 10, 0};
"""
MALLOC_HEAD = """
.extern .func (.param .b64 r) malloc(.param .b64 n);
.extern .func free(.param .b64 p);
"""
MALLOC = (
    WORK
    + """
    { .param .b64 n; .param .b64 r;
      st.param.b64 [n], 64;
      call.uni (r), malloc, (n);
      ld.param.b64 %rd5, [r]; }
    st.u32 [%rd5], %i;
    ld.u32 %r3, [%rd5];
    st.global.u32 [%mine], %r3;
    { .param .b64 p;
      st.param.b64 [p], %rd5;
      call.uni free, (p); }
"""
)


def left_by(
    body: str, *, jobs: int = 2, grid: int = 600, block: int = 64, words: int = 16, before: str = "", **options: Any
) -> tuple[np.ndarray, System]:
    """What a kernel leaves in `out`, and the system that it ran on."""
    with System(engine="native", jobs=jobs, **options) as system:
        out = system.device(0).zeros(words, np.uint32)
        start(kernel(body, before=before), system.device(0), out, grid=grid, block=block)
        return out.numpy(), system


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_the_five_kernels_give_the_same_bytes_in_the_same_time(workload: Workload) -> None:
    found = []
    for jobs in (1, 2, 3):
        system = System(engine="native", jobs=jobs)
        mine = Launch(workload, system)
        mine.run()
        assert system.runner.threaded == (jobs > 1)
        found.append((system.runner.time, [array.tobytes() for array in mine.results()]))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_gives_what_it_says(name: str) -> None:
    sample = samples.find(name)
    with System(sample.device_count, engine="native", jobs=2) as system:
        result = samples.run_sample(sample, system)
    assert result.ok, "\n".join(result.lines())


def test_a_lock_keeps_the_ctas_of_all_threads_apart() -> None:
    out, _ = left_by(LOCK, grid=100, block=32)
    assert list(out[:2]) == [0, 2000]


def test_ctas_wait_for_those_of_other_threads_and_for_later_ones_of_their_own() -> None:
    out, _ = left_by(CHAIN, grid=200, block=1, words=200)
    assert list(out) == list(range(1, 201))


@pytest.mark.parametrize("body", [FAULT, TRAP], ids=["address", "trap"])
def test_a_fault_in_one_thread_is_that_of_one_thread(body: str) -> None:
    faults = []
    for jobs in (1, 2):
        with pytest.raises(KernelFault) as caught:
            left_by(body, words=600 * 64, jobs=jobs)
        faults.append(caught.value.diagnostic)
    assert faults[0].code == faults[1].code
    assert faults[0].message == faults[1].message
    assert [key for key, _ in faults[0].facts] == [key for key, _ in faults[1].facts]


@pytest.mark.parametrize("signal", ["st.volatile.shared.u32 [box], 5;", "red.release.gpu.global.add.u32 [%out], 1;"])
def test_warps_that_spin_are_parked_on_all_threads(signal: str) -> None:
    """One warp of each CTA works, the others wait for it, or for those of all CTAs."""
    mine = "shared" in signal
    wait = "ld.volatile.shared.u32 %r2, [box];" if mine else "ld.acquire.gpu.global.u32 %r2, [%out];"
    body = WORKERS.format(signal=signal, wait=wait, goal=5 if mine else 8)
    out, system = left_by(body, grid=8, block=512, words=8 * 512, before=".shared .align 8 .b64 box;")
    assert (out.reshape(8, 512)[:, 32:] == (5 if mine else 8)).all()
    assert system.runner.threaded
    engine = system.runner.engine
    assert isinstance(engine, NativeEngine)
    assert engine.parkings.repeated > system.runner.time // 3


def test_all_that_ctas_print_is_printed_once() -> None:
    lines: list[str] = []
    left_by(WORK + PRINT, grid=300, before=PRINT_HEAD, output=lines.append)
    assert sorted("".join(lines).splitlines()) == sorted(f"cta {number}" for number in range(300))


def test_memory_that_ctas_allocate_is_their_own() -> None:
    out, system = left_by(MALLOC, grid=100, block=32, words=3200, before=MALLOC_HEAD)
    assert list(out) == list(range(3200))
    assert all(allocation.kind != "heap" for allocation in system.runner.memory.allocations())


def test_lanes_are_let_go_while_others_of_their_warp_wait_for_python() -> None:
    """Lanes 0-15 print again and again, lanes 16-31 wait at a barrier that the other warp completes."""
    lines: list[str] = []
    out, _ = left_by(WAIT_IN_PART, grid=60, words=60 * 64, before=PRINT_HEAD, output=lines.append)
    assert list(out) == list(range(60 * 64))
    assert "".join(lines) == "cta 0\n" * 60 * 16 * 5


def test_one_cta_that_hangs_is_found_when_all_others_have_ended() -> None:
    reports = []
    for jobs in (1, 2):
        with pytest.raises(KernelFault) as caught:
            left_by(ONE_SPINS, words=600 * 64 + 1, jobs=jobs)
        found = caught.value.diagnostic
        reports.append((found.code, [value for key, value in found.facts if key != "run"]))
    assert reports[0] == reports[1]


@pytest.mark.parametrize("body", [CHAIN.replace("%p0, %c, 0", "%p0, %c, 1000"), WORK + CHAIN.replace("-4", "0")])
def test_a_hang_is_found(body: str) -> None:
    """Every CTA waits for a word that nobody writes."""
    codes = []
    for jobs in (1, 2):
        with pytest.raises(KernelFault) as caught:
            left_by("add.u64 %mine, %mine, 8;\n" + body, grid=20, block=1, words=40, jobs=jobs)
        codes.append(caught.value.diagnostic.code)
    assert codes[0] == codes[1]


def test_an_interruption_leaves_a_run_that_can_go_on() -> None:
    system = System(engine="native", jobs=2)
    device = system.device(0)
    out = device.zeros(300, np.uint32)
    start(kernel(ENDLESS), device, out, grid=250, block=1)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        system.sync()
    assert system.runner.threaded
    system.runner.memory.view(out.address, 4)[0] = 1
    system.sync()
    assert list(out.numpy()[:251]) == [1] + [7] * 250


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"engine": "reference"}, "only the native engine has threads"),
        ({"schedule": "random:1"}, "the schedule random:1 has an order"),
        ({"max_instructions": 10**9}, "--max-instructions counts to the instruction"),
        ({"observers": [Counters()]}, "an observer looks on"),
        ({}, "there is too little to do"),
    ],
)
def test_what_needs_an_order_has_one_thread_and_says_why(options: dict[str, Any], why: str) -> None:
    with System(jobs=2, **{"engine": "native", **options}) as system:
        out = system.device(0).zeros(64, np.uint32)
        start(kernel("st.global.u32 [%mine], %i;"), system.device(0), out, grid=2 if options else 1)
        system.sync()
    assert system.threads == f"one thread: {why}"


def test_launches_side_by_side_have_one_thread() -> None:
    code = kernel(WORK + "st.global.u32 [%mine], %i;")
    with System(engine="native", jobs=2) as system:
        device = system.device(0)
        outs = [device.zeros(64 * 50, np.uint32) for _ in range(2)]
        for out in outs:
            launch(device.create_stream(), LaunchConfig(50, block=64), code, out)
        system.sync()
        assert "several launches run at once" in system.threads
        assert all(list(out.numpy()) == list(range(64 * 50)) for out in outs)


def test_after_a_snapshot_one_thread_goes_on() -> None:
    system = System(engine="native", jobs=2)
    out = system.device(0).zeros(64 * 600, np.uint32)
    start(kernel(WORK + "st.global.u32 [%mine], %r2;"), system.device(0), out, grid=600, block=64)
    before = system.snapshot()
    found = []
    for _ in range(2):
        system.restore(before)
        system.sync()
        found.append((system.runner.time, out.numpy().tobytes()))
    assert found[0] == found[1]
    assert system.threads == "one thread: a snapshot has been taken"


def test_blocks_are_used_again_by_later_launches() -> None:
    system = System(engine="native", jobs=2)
    out = system.device(0).zeros(64, np.uint32)
    code, counts = kernel("red.global.add.u32 [%out], 1;"), []
    for _ in range(6):
        start(code, system.device(0), out, grid=20_000, block=64)
        system.sync()
        counts.append(sum(len(pool.addresses) for pool in system.runner.launches.pools))
    assert out.numpy()[0] == 6 * 20_000 * 64
    assert max(counts) <= 1000
    assert not system.runner.devices[0].held.any()


def test_blocks_that_are_divided_anew_belong_to_one_thread_each() -> None:
    """Three threads had all of them, two go on: no block is free twice."""
    system = System(engine="native")
    out = system.device(0).zeros(64, np.uint32)
    start(kernel("st.global.u32 [%out], %c;"), system.device(0), out, grid=2, block=64)
    runner = system.runner
    runner.launches.start_work()
    (grid,), engine = runner.running, runner.engine
    assert isinstance(engine, NativeEngine)
    grid.pool.grow(40)
    jobs, deal = Jobs(engine, 3), _to_deal(runner.devices[0], grid, runner.ready)
    assert deal.is_new and deal.units == 2
    for count in (3, 2):
        shares = jobs.shares[:count]
        for share, free in zip(shares, jobs._blocks(grid, deal, shares), strict=True):
            share.whole = grid
            share.grid["free"] = free
    assert sorted(jobs._free_blocks(grid)) == sorted(grid.pool.addresses)


OF_ALL_CTAS = (", gl;", "[gl", MULTIMEM)  # memory that the last one wins


def seen(program: RandomProgram, jobs: int, schedule: str = "round_robin", most: int | None = None) -> tuple[Any, ...]:
    """All that can be seen of a random program's run: memory, printed lines, the fault, the time."""
    printed: list[str] = []
    options: dict[str, Any] = {"arch": program.arch, "contract": program.contract, "output": printed.append}
    system = System(
        2 if MULTIMEM in program.text else 1,
        engine="native", jobs=jobs, schedule=schedule, max_instructions=most, hang_after=HANG_AFTER, **options,
    )  # fmt: skip
    if MULTIMEM in program.text:
        system.multicast(MULTICAST, np.uint8)
    device, fault = system.device(0), ""
    given, out = device.array(program.input(), name="in"), device.zeros(RECORD * program.threads, np.uint8)
    config = LaunchConfig(program.grid, cluster=program.cluster, block=program.block, shmem_size=program.shared)
    kernel = code_of(program).get_kernel(program.kernels[0])
    launch(device.default_stream, config, kernel, given, out, program.parameter())
    try:
        system.sync()
    except KernelFault as error:
        fault = error.diagnostic.code
    memory = [(a.name, system.runner.memory.view(a.base, a.size).tobytes()) for a in system.runner.memory.allocations()]
    return memory, sorted("".join(printed).splitlines()), fault, system.runner.time


def knows_no_order(drawn: RandomProgram) -> bool:
    """Whether a program ends, and leaves the same whichever warp goes first; then it must on several threads too."""
    many, limit = dataclasses.replace(drawn, grid=24 // (drawn.cluster or 1)), 24 * drawn.most
    if any(name in drawn.text for name in OF_ALL_CTAS):
        return False
    alone = seen(many, 1, most=limit)
    if alone[2] or any(seen(many, 1, f"random:{n}", limit) != alone for n in range(4)):
        return False
    assert seen(many, 2) == seen(many, 5) == alone
    return True


@pytest.mark.parametrize(
    ("first", "count"), [(0, 20), *(pytest.param(n, 100, marks=pytest.mark.slow) for n in range(300, 600, 100))]
)
def test_random_programs_do_not_notice(first: int, count: int) -> None:
    assert sum(knows_no_order(program(first + number)) for number in range(count)) >= count // 20


@pytest.mark.slow
def test_a_million_ctas_on_two_threads() -> None:
    out, system = left_by("red.global.add.u32 [%out], 1;\nst.global.u32 [%out+4], %c;", grid=1_000_000, block=32)
    assert out[0] == 32_000_000
    assert system.runner.threaded
    assert sum(len(pool.addresses) for pool in system.runner.launches.pools) <= 1000


@pytest.mark.parametrize("jobs", [0, -1, 257])
def test_numbers_of_threads_that_there_are_not(jobs: int) -> None:
    with pytest.raises(ValueError, match=f"jobs {jobs}: it is 1 to 256"):
        System(jobs=jobs)
