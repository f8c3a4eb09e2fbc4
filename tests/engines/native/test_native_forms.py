"""Instructions that once were left to the reference engine: same answers, and none of them leaves native code."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.engines.native.engine import NativeEngine

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
