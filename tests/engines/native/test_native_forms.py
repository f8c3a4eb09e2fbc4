"""Instructions that once were left to the reference engine: same answers, and none of them leaves native code."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.engines.native.engine import NativeEngine
from tests.engines.programs import run

LOCAL = """
mov.u64 %rd1, depot;
mov.u64 %rd5, depot+8;
mov.u32 %r5, depot+4;
cvta.local.u64 %rd2, %rd1;
st.local.u32 [%rd1+8], %r1;
ld.local.u32 %r2, [%rd5];
add.u32 %r2, %r2, %r5;
st.global.u32 [%rd3], %r2;
st.global.u64 [%rd3+8], %rd2;
"""
ATOMICS = """
mov.u64 %rd6, sm;
cvta.shared.u64 %rd6, %rd6;
setp.eq.u32 %p1, %r6, 0;
selp.b64 %rd8, %rd6, %rd7, %p1;
mov.b32 %f1, 0x00000123;
atom.add.f32 %f2, [%rd8], %f1;
st.global.f32 [%rd3+4], %f2;
"""
KERNEL = """
.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 out, .param .u64 data)
{{
    .local .align 16 .b8 depot[64];
    .shared .align 4 .b8 sm[64];
    .reg .b64 %rd<9>; .reg .b32 %r<9>; .reg .f32 %f<9>; .reg .pred %p<3>;
    ld.param.u64 %rd3, [out];
    ld.param.u64 %rd7, [data];
    mov.u32 %r1, %tid.x;
    mov.u32 %r6, %ctaid.x;
    mad.lo.u32 %r7, %r6, 32, %r1;
    mul.wide.u32 %rd4, %r7, 16;
    add.u64 %rd3, %rd3, %rd4;
    and.b32 %r4, %r1, {lanes};
    setp.ne.u32 %p2, %r4, 0;
    @%p2 bra END;
    {body}
END:
    exit;
}}
"""

BARRIERS = {
    "arrive and sync": """
        mov.u32 %r0, 0;
        setp.eq.u32 %p0, %w, 0;
        add.u32 %r6, %w, 1;
        @%p0 bra CONSUME;
    PRODUCE:
        bar.arrive 2, 128;
        barrier.sync.aligned 3, 128;
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p1, %r0, 9;
        @%p1 bra PRODUCE;
        bra END;
    CONSUME:
        bar.sync 2, 128;
        add.u32 %r0, %r0, %r6;
        setp.lt.u32 %p1, %r0, 9;
        barrier.cta.arrive 3, 128;
        @%p1 bra CONSUME;
    END:
        st.global.u32 [%mine], %r0;
    """,
    "reductions": """
        and.b32 %r0, %t, 3;
        setp.eq.u32 %p0, %r0, 0;
        bar.red.popc.u32 %r1, 0, %p0;
        bar.red.and.pred %p1, 1, 128, !%p0;
        barrier.red.or.pred %p2, 15, %p0;
        setp.lt.u32 %p3, %t, 35;
        @%p3 bra MEET;
        add.u32 %r1, %r1, 1000;
        bar.red.popc.u32 %r2, 7, !%p0;
        bra END;
    MEET:
        bar.red.popc.u32 %r2, 7, %p0;
    END:
        mad.lo.u32 %r1, %r2, 7, %r1;
        selp.u32 %r3, 10, 20, %p1;
        selp.u32 %r4, 300, 500, %p2;
        add.u32 %r1, %r1, %r3;
        add.u32 %r1, %r1, %r4;
        st.global.u32 [%mine], %r1;
    """,
    "numbers in registers": """
        shr.u32 %r0, %w, 1;
        mad.lo.u32 %r1, %r0, 3, 2;
        mov.u32 %r2, 64;
        bar.sync %r1, %r2;
        bar.red.popc.u32 %r3, %r1, %r2, 1;
        bar.arrive %r1, %r2;
        st.global.u32 [%mine], %r3;
    """,
    "guards": """
        setp.lt.u32 %p0, %t, 64;
        setp.lt.u32 %p1, %l, 9;
        mov.u32 %r1, %t;
        @%p0 bar.sync 1, 64;
        @!%p0 bar.red.popc.u32 %r1, 1, 64, %p1;
        @%p1 bar.sync 2;
        @!%p1 bar.sync 2;
        @%p0 bar.arrive 3, 128;
        @!%p0 bar.sync 3, 128;
        st.global.u32 [%mine], %r1;
    """,
    "lanes that end while others wait": """
        setp.lt.u32 %p0, %l, 20;
        @!%p0 bra LATER;
        bar.red.popc.u32 %r1, 0, %p0;
        bar.sync 0;
        st.global.u32 [%mine], %r1;
        ret;
    LATER:
        mov.u32 %r1, 5;
        setp.lt.u32 %p1, %w, 2;
        @%p1 exit;
        st.global.u32 [%mine], %r1;
        ret;
    """,
}


@pytest.mark.parametrize("name", BARRIERS)
def test_barriers_without_the_reference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to come to a barrier, the second halves of reductions, exits that complete one."""
    expected = run(BARRIERS[name], block=128, engine="reference")
    monkeypatch.setattr(NativeEngine, "step", lambda engine, warp: pytest.fail(f"left at {warp.pc}"))
    assert any(expected)
    for schedule in ("round_robin", "round_robin:5"):
        assert list(run(BARRIERS[name], block=128, engine="native", schedule=schedule)) == list(expected)


@pytest.mark.parametrize("lanes", [0, 6])
@pytest.mark.parametrize("body", [LOCAL, ATOMICS], ids=["addresses of local variables", "float atomics"])
def test_same_answers_without_the_reference(body: str, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whole groups, and in groups of a few lanes; subnormal sums are flushed in global memory alone."""
    monkeypatch.setattr(NativeEngine, "step", lambda engine, warp: pytest.fail(f"left at {warp.pc.min()}"))
    found = []
    for name in ("reference", "native"):
        system = System(engine=name)
        device = system.device(0)
        out, data = device.zeros(4 * 64, np.uint32), device.zeros(4, np.float32)
        kernel = ObjectCode.from_ptx(KERNEL.format(body=body, lanes=lanes).encode()).get_kernel("k")
        launch(device.default_stream, LaunchConfig(2, block=32), kernel, out, data)
        device.sync()
        found.append(out.numpy().tobytes())
    assert found[0] == found[1]
    assert any(found[0])
