"""Launches with clusters: placed in native code, and on several threads, where a cluster stays on one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emulator import System
from emulator.errors import KernelFault
from tests.engines.native.test_jobs import CHAIN, FAULT, MALLOC, MALLOC_HEAD, ONE_SPINS, PRINT, PRINT_HEAD, WORK
from tests.engines.programs import kernel, start

BOX = ".shared .align 8 .b8 box[16];\n"
PLACES = """
    mov.u32 %r0, %cluster_ctarank;      mov.u32 %r1, %clusterid.x;        mov.u32 %r2, %clusterid.y;
    mov.u32 %r3, %clusterid.z;          mov.u32 %r4, %cluster_ctaid.x;    mov.u32 %r5, %cluster_ctaid.y;
    mov.u32 %r6, %cluster_ctaid.z;      mov.u32 %r7, %ctaid.x;            mov.u32 %r8, %ctaid.y;
    mov.u32 %r9, %ctaid.z;              mov.u32 %r10, box;                mov.u64 %rd1, box;
    mov.u32 %r11, %nctaid.x;            mov.u32 %r12, %nctaid.y;
    cvta.shared.u64 %rd1, %rd1;         cvt.u32.u64 %r14, %rd1;
    mad.lo.u32 %r12, %r12, %r9, %r8;    mad.lo.u32 %r12, %r12, %r11, %r7;
    mad.wide.u32 %rd0, %r12, 48, %out;
    st.global.v4.u32 [%rd0], {%r0, %r1, %r2, %r3};
    st.global.v4.u32 [%rd0+16], {%r4, %r5, %r6, %r7};
    st.global.v4.u32 [%rd0+32], {%r8, %r9, %r10, %r14};
"""
UNEVEN = """
    mov.u32 %r1, 0;
    and.b32 %r3, %c, 3;
    mad.lo.u32 %r3, %r3, 30, 4;
more:
    add.u32 %r1, %r1, 1;
    setp.lt.u32 %p1, %r1, %r3;
@%p1 bra more;
    mov.u32 %r4, %smid;
    st.global.u32 [%mine], %r4;
"""
RING = """
    mov.u32 %r0, %cluster_ctarank;
    mov.u32 %r1, %cluster_nctarank;
    add.u32 %r2, %r0, 1;
    rem.u32 %r2, %r2, %r1;
    mov.u32 %r3, box;
    mapa.shared::cluster.u32 %r4, %r3, %r2;
    setp.ne.u32 %p0, %t, 0;
@%p0 bra wait;
    st.shared::cluster.u32 [%r4+4], %c;
    st.release.cluster.shared::cluster.u32 [%r4], 1;
wait:
    ld.acquire.cluster.shared::cluster.u32 %r5, [%r3];
    setp.eq.u32 %p1, %r5, 0;
@%p1 bra wait;
    ld.shared.u32 %r6, [box+4];
    st.global.u32 [%mine], %r6;
"""
HEIR = """
    mov.u32 %r0, %cluster_ctarank;
    mov.u32 %r3, box;
    setp.ne.u32 %p0, %r0, 0;
@%p0 bra last;
    add.u32 %r1, %c, 1000;
    st.shared.u32 [box+8], %r1;
    st.release.gpu.global.u32 [%mine], 1;
    exit;
last:
    ld.acquire.gpu.global.u32 %r1, [%mine+-128];
    setp.eq.u32 %p1, %r1, 0;
@%p1 bra last;
    mov.u32 %r1, 0;
more:
    add.u32 %r1, %r1, 1;
    setp.lt.u32 %p1, %r1, 3000;
@%p1 bra more;
    mov.u32 %r2, 0;
    mapa.shared::cluster.u32 %r4, %r3, %r2;
    ld.shared::cluster.u32 %r5, [%r4+8];
    st.global.u32 [%mine], %r5;
"""
OBJECT = """
    mov.u32 %r0, %cluster_ctarank;
    mov.u32 %r3, box;
    mov.u32 %r2, 0;
    mapa.shared::cluster.u32 %r4, %r3, %r2;
    setp.ne.u32 %p0, %t, 0;
@%p0 exit;
    setp.ne.u32 %p0, %r0, 0;
@%p0 bra come;
    mbarrier.init.shared.b64 [%r3], 1;
    st.release.gpu.global.u32 [%mine], 1;
wait:
    mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, [%r3], 0;
@!%p1 bra wait;
    st.global.u32 [%mine], 2;
    exit;
come:
    ld.acquire.gpu.global.u32 %r1, [%mine+-128];
    setp.eq.u32 %p1, %r1, 0;
@%p1 bra come;
    st.global.u32 [%mine], 3;
    mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r4];
"""


def left_by(
    body: str, *, clusters: Any = 300, cluster: Any = 2, jobs: int = 2, block: int = 32, words: int = 0,
    shared: int = 0, before: str = BOX, engine: str = "native", **options: Any,
) -> tuple[np.ndarray, System]:  # fmt: skip
    """What a kernel leaves in `out`, and the system that it ran on."""
    with System(engine=engine, jobs=jobs, **options) as system:
        count = int(np.prod(clusters)) * int(np.prod(cluster))
        out = system.device(0).zeros(words or count * block, np.uint32)
        code = kernel(body, before=before)
        start(code, system.device(0), out, grid=clusters, block=block, cluster=cluster, shared=shared)
        return out.numpy(), system


@pytest.mark.parametrize("shape", [((5, 3, 2), (2, 1, 3)), (40, 4), ((6, 5), (1, 2))], ids=str)
def test_every_cta_knows_its_place(shape: tuple[Any, Any]) -> None:
    """Blocks are used again by CTAs of other ranks: native code writes all that differs."""
    clusters, cluster = shape
    words = 12 * int(np.prod(clusters)) * int(np.prod(cluster))
    given: dict[str, Any] = {"clusters": clusters, "cluster": cluster, "words": words, "sms": 1, "shared": 30_000}
    expected = left_by(PLACES, engine="reference", jobs=1, **given)[0].tobytes()
    assert left_by(PLACES, jobs=1, **given)[0].tobytes() == expected
    assert left_by(PLACES, jobs=3, **given)[0].tobytes() == expected


@pytest.mark.parametrize("cluster", [2, 3, 5])
def test_clusters_are_placed_as_by_the_reference_engine(cluster: int) -> None:
    """CTAs of a cluster end one after the other; the next one begins when there is room for all of it."""
    found = []
    for engine in ("reference", "native"):
        out, system = left_by(
            UNEVEN, clusters=30, cluster=cluster, shared=70_000, sms=3, jobs=1, engine=engine, schedule="round_robin:16"
        )
        found.append((out.tobytes(), system.runner.time, system.runner.progress))
    assert found[0] == found[1]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_thousands_of_clusters(jobs: int) -> None:
    out, system = left_by(WORK + "st.global.u32 [%mine], %i;", clusters=2000, cluster=4, jobs=jobs)
    assert list(out) == list(range(2000 * 4 * 32))
    assert system.runner.threaded == (jobs > 1)
    assert not system.runner.devices[0].held.any()
    assert system.runner.launches.pools == [] or len(system.runner.launches.pools[0].addresses) <= 5000


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("cluster", [2, 3, 8])
def test_ctas_of_a_cluster_reach_each_others_memory(jobs: int, cluster: int) -> None:
    out, system = left_by(WORK + RING, clusters=60, cluster=cluster, jobs=jobs)
    ctas = np.arange(60 * cluster).reshape(60, cluster)
    assert list(out) == list(np.repeat(np.roll(ctas, 1, axis=1).ravel(), 32))
    assert system.runner.threaded == (jobs > 1)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_the_memory_of_a_cta_that_has_ended_is_there_while_its_cluster_is(engine: str) -> None:
    jobs = (1, 2) if engine == "native" else (1,)
    for number in jobs:
        out, _ = left_by(HEIR, clusters=40 if engine == "native" else 3, engine=engine, jobs=number)
        ctas = np.arange(len(out) // 64) * 2
        assert list(out.reshape(-1, 2, 32)[:, 1, 0]) == list(ctas + 1000)


def test_a_snapshot_keeps_the_memory_of_ctas_that_have_ended() -> None:
    system = System(engine="native")
    out = system.device(0).zeros(64, np.uint32)
    start(kernel(HEIR, before=BOX), system.device(0), out, grid=1, block=32, cluster=2)
    system.run_until(lambda: any(len(grid.resident) == 1 for grid in system.runner.running))
    saved = system.snapshot()
    for _ in range(2):
        system.restore(saved)
        (cta,) = system.runner.running[0].resident.values()
        assert [(member.linear, member.rank) for member in cta.cluster] == [(0, 0), (1, 1)]
        system.sync()
        assert out.numpy()[32] == 1000
        others = system.device(0).zeros(640, np.uint32)
        start(kernel(HEIR, before=BOX), system.device(0), others, grid=10, block=32, cluster=2)
        system.sync()
        assert list(others.numpy().reshape(-1, 2, 32)[:, 1, 0]) == list(range(1000, 1020, 2))


def test_one_cta_waits_for_the_mbarrier_that_another_one_reaches() -> None:
    for jobs in (1, 2):
        out, _ = left_by(OBJECT, clusters=200, jobs=jobs)
        assert (out.reshape(-1, 2, 32)[:, :, 0] == [2, 3]).all()


def test_clusters_wait_for_those_of_other_threads_and_for_later_ones() -> None:
    out, _ = left_by(CHAIN, clusters=100, cluster=2, block=1)
    assert list(out) == list(range(1, 201))


def test_all_that_clusters_print_is_printed_once() -> None:
    lines: list[str] = []
    left_by(WORK + PRINT, clusters=100, cluster=3, before=PRINT_HEAD, output=lines.append)
    assert sorted("".join(lines).splitlines()) == sorted(f"cta {number}" for number in range(300))


def test_memory_that_clusters_allocate_is_their_own() -> None:
    out, _ = left_by(MALLOC, clusters=50, before=MALLOC_HEAD)
    assert list(out) == list(range(3200))


@pytest.mark.parametrize(("body", "more"), [(FAULT, 0), (ONE_SPINS, 1)], ids=["address", "hang"])
def test_what_goes_wrong_in_one_cluster_is_found(body: str, more: int) -> None:
    reports = []
    for jobs in (1, 2):
        with pytest.raises(KernelFault) as caught:
            left_by(body, clusters=300, block=64, words=600 * 64 + more, jobs=jobs)
        found = caught.value.diagnostic
        reports.append((found.code, "" if more else found.message, [key for key, _ in found.facts]))
    assert reports[0] == reports[1]
