"""cp.async in machine code: two addresses with offsets, guards, sources that are ignored, lanes without bytes."""

from __future__ import annotations

import numpy as np

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.engines.native.engine import NativeEngine
from emulator.engines.native.records import modes_of

KERNEL = """.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 src, .param .u64 out)
{
    .reg .pred %p<3>; .reg .b32 %r<9>; .reg .b64 %d<9>;
    .shared .align 16 .b8 buf[4096];
    ld.param.u64 %d0, [src];
    ld.param.u64 %d1, [out];
    mov.u32 %r0, %tid.x;
    mov.u32 %r1, buf;
    shl.b32 %r2, %r0, 4;
    add.u32 %r3, %r1, %r2;
    xor.b32 %r4, %r0, 5;
    mul.wide.u32 %d2, %r4, 16;
    add.u64 %d3, %d0, %d2;
    and.b32 %r5, %r0, 7;
    setp.eq.u32 %p0, %r5, 3;
    setp.ne.u32 %p1, %r5, 6;
    cp.async.cg.shared.global [%r3], [%d3+1024], 16, %p0;
    add.u32 %r6, %r3, 2048;
    and.b32 %r7, %r0, 4;
@%p1 cp.async.ca.shared.global [%r6+4], [%d3+8], 4, %r7;
    cp.async.ca.shared.global [%r6+8], [%d3+16], 8;
    cp.async.wait_all;
    bar.sync 0;
    ld.shared.v4.u32 {%r1, %r2, %r5, %r7}, [%r3];
    mul.wide.u32 %d2, %r0, 32;
    add.u64 %d3, %d1, %d2;
    st.global.v4.u32 [%d3], {%r1, %r2, %r5, %r7};
    ld.shared.v4.u32 {%r1, %r2, %r5, %r7}, [%r6];
    st.global.v4.u32 [%d3+16], {%r1, %r2, %r5, %r7};
    ret;
}
"""
THREADS = 96


def wanted(source: np.ndarray) -> np.ndarray:
    found = np.zeros((THREADS, 8), np.uint32)
    for lane in range(THREADS):
        at = (lane ^ 5) * 4
        if lane & 7 != 3:
            found[lane, :4] = source[at + 256 : at + 260]
        if lane & 7 != 6 and lane & 4:
            found[lane, 5] = source[at + 2]
        found[lane, 6:8] = source[at + 4 : at + 6]
    return found


def test_copies() -> None:
    source = np.random.default_rng(1).integers(0, 2**32, 4096, dtype=np.uint32)
    code = ObjectCode.from_ptx(KERNEL.encode())
    times = set()
    for engine in ("reference", "native"):
        with System(engine=engine) as system:
            device = system.device(0)
            out = device.zeros((THREADS, 8), np.uint32)
            launch(
                device.default_stream, LaunchConfig(1, block=THREADS), code.get_kernel("k"), device.array(source), out
            )
            assert (out.numpy() == wanted(source)).all()
            times.add(system.runner.time)
    assert len(times) == 1


def test_they_have_native_forms() -> None:
    program = ObjectCode.from_ptx(KERNEL.encode()).program("k")
    with System(engine="native") as system:
        engine = system.runner.engine
        assert isinstance(engine, NativeEngine)
        native = engine.program(program)
        copies = [i for i in program.instructions if i.opcode.startswith("cp.async")]
        keys = [(native._bind(i), modes_of(i)[0]) for i in copies]
        assert len(keys) == 4
        assert all(found is not None and engine._library.is_native(found[0], mode) for found, mode in keys)
