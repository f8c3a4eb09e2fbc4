"""Instructions that reach several places: 16 bytes at once, all devices, memory and an mbarrier object, other CTAs.

Random programs of such forms do the same on both engines, on every kind of CPU, and tell observers the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest

from emulator import System
from emulator.engines.native.engine import NativeEngine
from emulator.engines.native.library import library
from emulator.errors import KernelFault
from emulator.isa.registry import Entry
from tests.engines.native.random_instructions import Forms, drawable
from tests.engines.native.same_answers import differences
from tests.engines.native.test_features import targets
from tests.engines.programs import kernel, start
from tests.observers.test_events import differences as differences_of_events

SIZES = 20, 25
PROGRAMS = 100  # of a pool, in the slow suite


def is_of_several_places(entry: Entry) -> bool:
    line = entry.signature.line
    return entry.mnemonic == "multimem" or ".async." in line or (entry.mnemonic == "atom" and "b128" in _types(entry))


def _types(entry: Entry) -> Sequence[str]:
    return [value for slot in entry.signature.slots if slot.name == "type" for value in slot.values]


@cache
def pool(number: int) -> Forms:
    """A pool of forms whose accesses are all of that kind."""
    lines = [entry for entry in drawable()[1] if is_of_several_places(entry)]
    return Forms(number, "sm_90a", *SIZES, lines)


@pytest.mark.parametrize("first", [0, 10])
def test_random_programs(first: int) -> None:
    assert [text for seed in range(first, first + 10) for text in differences(seed, forms=pool(0))] == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 5))
def test_more_random_programs(number: int) -> None:
    seeds = range(PROGRAMS * number, PROGRAMS * (number + 1))
    assert [text for seed in seeds for text in differences(seed, forms=pool(number))] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("number", range(2))
def test_random_programs_on_other_cpus(name: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = targets()[name]
    monkeypatch.setattr("emulator.engines.native.engine.library", lambda _: library(features))
    assert [text for seed in range(25) for text in differences(seed, forms=pool(number))] == []


@pytest.mark.parametrize(
    ("number", "count"), [(0, 4), *(pytest.param(n, 40, marks=pytest.mark.slow) for n in range(1, 3))]
)
def test_events_of_random_programs(number: int, count: int) -> None:
    assert [text for seed in range(count) for text in differences_of_events(seed, pool(number))] == []


# --- one after the other, without the reference engine -------------------------------------------

SIXTEEN_BYTES = """
    .reg .b128 %q<6>; .shared .align 16 .b8 box[1024];
    mul.wide.u32 %rd0, %l, 0x10001; cvt.u64.u32 %rd1, %t; add.u64 %rd1, %rd1, 7;
    and.b32 %r0, %t, 3; mul.wide.u32 %rd2, %r0, 16; add.u64 %rd3, %out, %rd2; add.u64 %rd3, %rd3, 16384;
    mov.u64 %rd4, box; add.u64 %rd4, %rd4, %rd2; cvt.u32.u64 %r1, %rd4; cvta.shared.u64 %rd5, %rd4;
    setp.lt.u32 %p0, %l, 16; selp.b64 %rd6, %rd5, %rd3, %p0; setp.ne.u32 %p1, %l, 21;
    mov.b128 %q0, {%rd0, %rd1};
    atom.global.exch.b128 %q1, [%rd3], %q0;
    atom.shared.exch.b128 %q2, [%r1], %q0;
    @%p1 atom.exch.b128 %q3, [%rd6], %q1;
    atom.global.cas.b128 %q4, [%rd3], %q1, %q2;
    @!%p0 atom.acq_rel.cta.cas.b128 %q5, [%rd6], %q0, %q3;
    mul.wide.u32 %rd7, %i, 64; add.u64 %rd7, %rd7, %out;
    st.global.b128 [%rd7], %q1; st.global.b128 [%rd7+16], %q2; st.global.b128 [%rd7+32], %q3;
    st.global.b128 [%rd7+48], %q4; @!%p0 st.global.b128 [%rd7+16], %q5;
"""
ASYNCHRONOUS = """
    .shared .align 16 .b8 area[1024]; .shared .align 8 .b64 bar[4];
    setp.eq.u32 %p0, %t, 0; setp.lt.u32 %p1, %l, 20;
    @%p0 mbarrier.init.shared.b64 [bar], 3; @%p0 mbarrier.init.shared.b64 [bar+8], 1;
    bar.sync 0;
    mov.u64 %rd0, area; mul.wide.u32 %rd1, %t, 16; and.b64 %rd1, %rd1, 1023; add.u64 %rd0, %rd0, %rd1;
    and.b32 %r0, %l, 1; mul.wide.u32 %rd2, %r0, 8; mov.u64 %rd3, bar; add.u64 %rd3, %rd3, %rd2;
    cvta.shared.u64 %rd4, %rd0; cvta.shared.u64 %rd5, %rd3; cvt.u32.u64 %r1, %rd0;
    st.async.mbarrier::complete_tx::bytes.v4.b32 [%rd4], {%t, %l, %i, %r0}, [%rd5];
    @%p1 st.async.shared::cluster.mbarrier::complete_tx::bytes.u64 [%rd0+8], %rd4, [bar];
    @!%p1 red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r1+4], %t, [%rd3];
    red.async.relaxed.cluster.mbarrier::complete_tx::bytes.min.s32 [%r1], -5, [%rd5];
    bar.sync 0;
    ld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%rd0]; mul.wide.u32 %rd6, %i, 16; add.u64 %rd6, %rd6, %out;
    st.global.v4.u32 [%rd6], {%r2, %r3, %r4, %r5};
    ld.shared.u64 %rd7, [%rd3]; @%p0 st.global.u64 [%rd6+16384], %rd7;
"""
ALL_DEVICES = """
    ld.param.u64 %rd0, [few]; ld.param.u64 %rd1, [many]; setp.lt.u32 %p0, %l, 12; selp.b64 %rd2, %rd0, %rd1, %p0;
    and.b32 %r0, %l, 7; mul.wide.u32 %rd3, %r0, 16; add.u64 %rd2, %rd2, %rd3; setp.ne.u32 %p1, %l, 20;
    multimem.red.add.u32 [%rd2], %t;
    @%p1 multimem.st.release.sys.f32 [%rd2+4], 0f3F800000; cvt.rn.f32.u32 %f0, %t;
    @!%p0 multimem.red.relaxed.gpu.add.v2.f32 [%rd2+8], {%f0, 0f40400000};
    bar.sync 0;
    multimem.ld_reduce.add.v4.f32 {%f1, %f2, %f3, %f4}, [%rd2];
    @%p1 multimem.ld_reduce.acquire.sys.max.u32 %r1, [%rd2];
    mov.b32 %r2, %f2; mov.b32 %r3, %f3; mov.b32 %r4, %f4; add.u32 %r1, %r1, %r4; mul.wide.u32 %rd6, %i, 16;
    add.u64 %rd6, %rd6, %out; st.global.v4.u32 [%rd6], {%r1, %r2, %r3, %r4};
"""
CLUSTER = """
    .shared .align 16 .b8 area[512]; .shared .align 8 .b64 bar[2];
    mov.u32 %r0, %cluster_ctarank; add.u32 %r1, %r0, 1; and.b32 %r1, %r1, 3; add.u32 %r2, %t, %r0; and.b32 %r2, %r2, 3;
    setp.eq.u32 %p0, %t, 0; setp.lt.u32 %p1, %l, 20; add.u64 %rd9, %out, 32000;
    @%p0 mbarrier.init.shared.b64 [bar], 96; bar.sync 0; @%p0 red.release.gpu.global.add.u32 [%rd9], 1;
    MEET: ld.acquire.gpu.global.u32 %r3, [%rd9]; setp.lt.u32 %p2, %r3, 8; @%p2 bra MEET;
    mov.u32 %r4, area; and.b32 %r5, %t, 31; shl.b32 %r5, %r5, 4; add.u32 %r4, %r4, %r5; cvt.u64.u32 %rd0, %r4;
    mapa.shared::cluster.u32 %r6, %r4, %r1; mapa.shared::cluster.u64 %rd1, %rd0, %r2; cvta.shared.u64 %rd2, %rd1;
    mov.u32 %r7, bar; mapa.shared::cluster.u32 %r7, %r7, %r1; cvta.shared.u64 %rd3, %rd0;
    selp.b64 %rd3, %rd2, %rd3, %p1;
    st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%r6], {%t, %r0}, [%r7];
    st.shared::cluster.u32 [%rd1+8], %t; atom.shared::cluster.add.u32 %r8, [%rd1+12], %r5; st.u8 [%rd3+7], 9;
    mbarrier.arrive.expect_tx.release.cluster.shared::cluster.b64 _, [%r7], 8;
    @%p0 red.release.gpu.global.add.u32 [%rd9+4], 1;
    WAIT: mbarrier.try_wait.parity.shared.b64 %p3, [bar], 0; @!%p3 bra WAIT;
    AGAIN: ld.acquire.gpu.global.u32 %r3, [%rd9+4]; setp.lt.u32 %p2, %r3, 8; @%p2 bra AGAIN;
    ld.shared::cluster.v4.u32 {%r9, %r10, %r11, %r12}, [%rd1]; ld.u32 %r13, [%rd3+8]; add.u32 %r12, %r12, %r8;
    mad.lo.u32 %r12, %r13, 1000, %r12; mul.wide.u32 %rd6, %i, 16; add.u64 %rd6, %rd6, %out;
    st.global.v4.u32 [%rd6], {%r9, %r10, %r11, %r12};
    @%p0 red.release.gpu.global.add.u32 [%rd9+8], 1;
    STAY: ld.acquire.gpu.global.u32 %r3, [%rd9+8]; setp.lt.u32 %p2, %r3, 8; @%p2 bra STAY;
"""
KERNELS = {
    "16 bytes": SIXTEEN_BYTES, "asynchronous": ASYNCHRONOUS, "all devices": ALL_DEVICES, "a cluster": CLUSTER,
}  # fmt: skip
PARAMETERS = ".param .u64 few, .param .u64 many"


def left_by(body: str, engine: str) -> tuple[bytes, list[bytes], int]:
    """What a kernel leaves in `out` and behind two multimem addresses, and how many instructions it took."""
    with System(3, engine=engine, schedule="round_robin:24") as system:
        device = system.device(0)
        out, few, many = (
            device.zeros(1 << 15, np.uint8),
            system.multicast(64, "uint32", [2]),
            system.multicast(64, "u4"),
        )
        cluster = 4 if body is CLUSTER else None
        start(kernel(body, parameters=PARAMETERS), device, out, few, many, grid=2, block=96, cluster=cluster)
        found = out.numpy().tobytes()
        return found, [few.numpy().tobytes(), many.numpy().tobytes()], system.runner.time


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("cpu", ["host", *targets()])
def test_the_reference_engine_is_not_needed(name: str, cpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = left_by(KERNELS[name], "reference")
    monkeypatch.setattr(NativeEngine, "step", lambda engine, warp: pytest.fail(f"left at {warp.pc}"))
    if cpu != "host":
        monkeypatch.setattr("emulator.engines.native.engine.library", lambda _: library(targets()[cpu]))
    assert left_by(KERNELS[name], "native") == wanted
    assert any(wanted[0])


def test_several_threads_change_all_devices() -> None:
    """Each of 2 x 64,000 updates arrives on each device; an access of 16 bytes waits until one thread is left."""
    body = """
        .reg .b128 %q; ld.param.u64 %rd1, [many]; mov.u32 %r9, 0;
    more:
        multimem.red.add.u32 [%rd1], 1; multimem.red.relaxed.gpu.add.v2.f32 [%rd1+8], {0f3F800000, 0f40000000};
        add.u32 %r9, %r9, 1; setp.lt.u32 %p0, %r9, 2; @%p0 bra more;
        setp.ne.u32 %p1, %t, 0; @%p1 bra END;
        cvt.u64.u32 %rd2, %c; add.u64 %rd2, %rd2, 1; mov.b128 %q, {%rd2, %rd2}; atom.global.exch.b128 %q, [%out], %q;
        mov.b128 {%rd3, %rd4}, %q; mul.wide.u32 %rd5, %c, 16; add.u64 %rd5, %rd5, %out;
        st.global.v2.u64 [%rd5+16], {%rd3, %rd4};
    END:
    """
    with System(3, engine="native", jobs=2) as system:
        out, many = system.device(0).zeros((1001, 2), np.uint64), system.multicast(16, "uint32")
        start(kernel(body, parameters=PARAMETERS), system.device(0), out, 0, many, grid=1000, block=64)
        found, devices = out.numpy(), many.numpy()
        assert system.runner.threaded
    assert (devices[:, 0] == 128_000).all()
    assert (devices[:, 2:4].copy().view(np.float32) == [128_000, 256_000]).all()
    assert (found[:, 0] == found[:, 1]).all()
    assert sorted(found[:, 0].tolist()) == list(range(1001))


RING = """
    .shared .align 8 .b32 area[64]; .shared .align 8 .b64 bar;
    setp.eq.u32 %p0, %t, 0; @%p0 mbarrier.init.shared.b64 [bar], 1; bar.sync 0;
    mov.u32 %r0, %clusterid.x; mul.wide.u32 %rd0, %r0, 4; ld.param.u64 %rd1, [few]; add.u64 %rd0, %rd0, %rd1;
    @%p0 red.release.gpu.global.add.u32 [%rd0], 1;
    MEET: ld.acquire.gpu.global.u32 %r1, [%rd0]; setp.lt.u32 %p1, %r1, 4; @%p1 bra MEET;
    mov.u32 %r2, %cluster_ctarank; add.u32 %r2, %r2, 1; and.b32 %r2, %r2, 3;
    mov.u32 %r3, area; mad.lo.u32 %r4, %t, 4, %r3; mapa.shared::cluster.u32 %r5, %r4, %r2;
    mov.u32 %r6, bar; mapa.shared::cluster.u32 %r7, %r6, %r2;
    @%p0 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256;
    st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r5], %i, [%r7];
    WAIT: mbarrier.try_wait.parity.shared.b64 %p2, [bar], 0; @!%p2 bra WAIT;
    ld.shared.u32 %r8, [%r4]; st.global.u32 [%mine], %r8;
"""


def test_clusters_on_several_threads() -> None:
    """Each thread's number goes to the next CTA of its cluster, on whichever thread that runs."""
    clusters = 200
    with System(engine="native", jobs=2) as system:
        device = system.device(0)
        out, counts = device.zeros((clusters, 4, 64), np.uint32), device.zeros(clusters, np.uint32)
        start(kernel(RING, parameters=PARAMETERS), device, out, counts, 0, grid=clusters, block=64, cluster=4)
        found = out.numpy()
        assert system.runner.threaded
    numbers = np.arange(clusters * 256, dtype=np.uint32).reshape(clusters, 4, 64)
    assert (found == np.roll(numbers, 1, axis=1)).all()


# --- what must not be leaves everything as it was -------------------------------------------------

OBJECT = "setp.eq.u32 %p0, %l, 0; @%p0 mbarrier.init.shared.b64 [bar], 1; bar.warp.sync -1; setp.eq.u32 %p1, %l, 9;"
AREA = ".shared .align 16 .b8 area[512]; .shared .align 8 .b64 bar[2]; mov.u64 %rd0, area; mov.u64 %rd1, bar;"
BYTES = "mbarrier::complete_tx::bytes"
WRONG = {
    "no object for one lane": f"@%p1 add.u64 %rd1, %rd1, 8; st.async.shared::cta.{BYTES}.u32 [%rd0], %t, [%rd1];",
    "beyond the data": f"@%p1 add.u64 %rd0, %rd0, 600; red.async.relaxed.cluster.{BYTES}.inc.u32 [%rd0], 3, [bar];",
    "data that is not aligned": f"@%p1 add.u64 %rd0, %rd0, 4; st.async.{BYTES}.v2.b32 [%rd0], {{%t, %t}}, [%rd1];",
    "another window": f"@%p1 mov.u64 %rd0, %out; st.async.{BYTES}.u32 [%rd0], %t, [%rd1];",
    "too many bytes": "mbarrier.complete_tx.shared.b64 [bar], 32752; "
    f"st.async.{BYTES}.v4.b32 [%rd0], {{%t, %t, %t, %t}}, [%rd1];",
    "beyond a multicast": "ld.param.u64 %rd2, [many]; @%p1 add.u64 %rd2, %rd2, 256; multimem.red.add.u32 [%rd2], 1;",
    "an odd multimem address": "ld.param.u64 %rd2, [many]; @%p1 add.u64 %rd2, %rd2, 2; multimem.st.u32 [%rd2], 1;",
    "no such CTA": "cvt.u32.u64 %r1, %rd0; @%p1 mapa.shared::cluster.u32 %r1, %r1, 5; st.shared::cluster.u32 [%r1], 7;",
    "16 bytes at 8": "@%p1 add.u64 %rd0, %rd0, 8; .reg .b128 %q; atom.shared.exch.b128 %q, [%rd0], %q;",
}


@pytest.mark.parametrize("name", WRONG)
def test_one_wrong_lane_stops_all(name: str) -> None:
    """The same report, the same time, and nothing written, although the first lanes could."""
    found = []
    for engine in ("reference", "native"):
        with System(2, engine=engine) as system:
            device = system.device(0)
            out, many = device.zeros(64, np.uint32), system.multicast(64, "uint32")
            body = f"{AREA} {OBJECT} {WRONG[name]}"
            start(kernel(body, parameters=PARAMETERS), device, out, 0, many)
            with pytest.raises(KernelFault) as caught:
                device.sync()
            (grid,) = system.runner.devices[0].grids
            shared = grid.resident[0].shared.tobytes()
            memory = [system.runner.memory.view(a.base, a.size).tobytes() for a in system.runner.memory.allocations()]
            found.append((str(caught.value), system.runner.time, shared, memory))
    assert found[0] == found[1]
    assert not any(map(any, found[0][3])) and not any(found[0][2][:512])


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_buffer_is_bound_in_the_place_of_another_between_launches(engine: str) -> None:
    """Native code knows of it at once, although no allocation has changed."""

    def launched(system: System, change: Callable[[], object]) -> list[int]:
        change()
        body = "ld.param.u64 %rd2, [many]; multimem.red.add.u32 [%rd2], 1;"
        start(kernel(body, parameters=PARAMETERS), system.device(0), 0, 0, many)
        system.sync()
        return [int(buffer.numpy()[0]) for buffer in (*many.buffers, spare, *([first] if first else []))]

    with System(2, engine=engine) as system:
        many, spare, first = system.multicast(4, "uint32"), system.device(1).zeros(4, np.uint32), None
        assert launched(system, lambda: None) == [32, 32, 0]
        first = many.buffers[1]
        assert launched(system, lambda: many.bind(spare)) == [64, 32, 32, 32]


@pytest.mark.parametrize(
    "access",
    ["atom.max.s32 %r3, [%rd2+128], %r2;", "st.u32 [%rd2+128], %r2;", "red.add.u32 [%rd2+128], %r2;"],
    ids=["atom", "st", "red"],
)
def test_a_cta_that_begins_amid_an_access_to_it(access: str) -> None:
    """The reference engine gives it a block in the middle of the step: the executing lanes stay what they are."""
    body = f"""
        .shared .align 16 .b8 sh[256];
        mov.u64 %rd1, sh; cvta.shared.u64 %rd1, %rd1; mov.u32 %r1, 1; mapa.u64 %rd2, %rd1, %r1;
        add.u32 %r2, %l, 5; mov.u32 %r3, 0; setp.ne.u32 %p1, %l, 3;
    @%p1 {access}
        bar.sync 0;
        ld.shared.u32 %r4, [sh+128];
        add.u32 %r3, %r3, %r4;
        st.global.u32 [%mine], %r3;
    """
    code, found = kernel(body), []
    for engine in ("reference", "native"):
        with System(engine=engine) as system:
            device = system.device(0)
            out = device.zeros(128, np.uint32)
            start(code, device, out, grid=2, block=32, cluster=2)
            found.append(out.numpy().tolist())
    assert found[0] == found[1]
    assert any(found[0])
