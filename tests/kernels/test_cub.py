"""CUB's device-wide algorithms, as its own host code launches them.

The PTX is compiled here and not kept, for CUB is not ours. Where there is no CUDA toolkit 13, a kernel of ours stands
in for CUB's, called as compiled host code calls.
"""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from emulator import ObjectCode
from emulator.errors import UsageError
from tests.kernels.cub_programs import PROGRAMS
from tests.kernels.cuda_host import RUNTIME, Host, HostLibrary, compile_host, toolkit
from tests.kernels.gpu import Gpu, same

STAND_IN = """
.version 9.0
.target sm_90
.address_size 64

.visible .entry scale(
    .param .u64 out, .param .align 8 .b8 source[16], .param .f32 factor, .param .s32 shift, .param .u8 negate)
.maxntid 64
{
    .reg .b32 %r<8>; .reg .b64 %d<6>; .reg .f32 %f<4>; .reg .pred %p<3>; .reg .b16 %h;
    .shared .align 8 .b8 padding[1024];
    ld.param.u64 %d0, [out];
    ld.param.u64 %d1, [source];
    ld.param.u32 %r0, [source + 8];
    ld.param.f32 %f0, [factor];
    ld.param.s32 %r1, [shift];
    ld.param.u8 %h, [negate];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.u32 %r5, %r2, %r3, %r4;
    setp.ge.u32 %p0, %r5, %r0;
    @%p0 ret;
    add.s32 %r6, %r5, %r1;
    cvt.rn.f32.s32 %f1, %r6;
    mul.wide.u32 %d2, %r5, 4;
    add.u64 %d3, %d1, %d2;
    ld.global.f32 %f2, [%d3];
    fma.rn.f32 %f3, %f2, %f0, %f1;
    setp.ne.u16 %p1, %h, 0;
    @%p1 neg.f32 %f3, %f3;
    add.u64 %d4, %d0, %d2;
    st.global.f32 [%d4], %f3;
    ret;
}
"""
WITHOUT_TOOLKIT = "a stand-in, for there is no CUDA toolkit 13"


def test_every_source_has_a_program_and_every_program_a_source():
    assert sorted(PROGRAMS) == sorted(path.stem for path in RUNTIME.parent.glob("*.cu"))
    assert len(PROGRAMS) == 5


@pytest.mark.parametrize("engine", ("reference", "native"))
def test_what_host_code_asks_for_happens(engine: str):
    """The calls of runtime.cpp, made from here: arguments by address, one a struct; memory; questions."""
    gpu = Gpu("scale", "sm_90", "round_robin", engine, ObjectCode.from_ptx(STAND_IN))
    host = Host(gpu)
    n = 90
    x, out = gpu.integers(-99, 99, n, np.int32).astype(np.float32), gpu.zeros(n, np.float32)
    source = gpu.array(x)
    values = [
        ctypes.c_uint64(out.address),
        (ctypes.c_uint64 * 2)(source.address, n),
        ctypes.c_float(0.5),
        ctypes.c_int(-7),
        ctypes.c_uint8(1),
    ]
    addresses = (ctypes.c_void_p * 5)(*map(ctypes.addressof, values))
    sizes = (ctypes.c_uint * 6)(2, 1, 1, 64, 1, 1)
    host.check(host.callbacks.launch(b"scale", sizes, 0, 0, addresses))
    same(out, -(x * 0.5 + np.arange(n) - 7))
    assert [(name, config.grid, config.block) for name, config in host.launches] == [("scale", (2, 1, 1), (64, 1, 1))]

    host.check(host.callbacks.fill(out.address + 4, 0x40, 8))
    host.check(host.callbacks.copy(out.address, source.address, 4))
    fours = np.full(2, 0x40404040, np.uint32).view(np.float32)
    same(out.numpy()[:3], [x[0], *fours])

    answer = ctypes.c_int()
    for which, expected in ((16, gpu.device.sms), (75, 9), (76, 0), (5, 2**31 - 1)):
        host.check(host.callbacks.attribute(which, answer))
        assert answer.value == expected
    for threads, shared, expected in ((64, 0, 32), (512, 0, 4), (64, 100_000, 2)):
        host.check(host.callbacks.resident(b"scale", threads, shared, answer))
        assert answer.value == expected


def test_a_launch_that_cannot_be_fails_in_the_call_of_the_host():
    host = Host(Gpu("scale", "sm_90", "round_robin", code=ObjectCode.from_ptx(STAND_IN)))
    sizes = (ctypes.c_uint * 6)(1, 1, 1, 65, 1, 1)
    values = (ctypes.c_uint64 * 2)()
    addresses = (ctypes.c_void_p * 5)(*[ctypes.addressof(values)] * 5)
    assert host.callbacks.launch(b"scale", sizes, 0, 0, addresses) == 1
    with pytest.raises(UsageError, match="65 threads a block"):
        host.check(999)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PROGRAMS) if toolkit() else [WITHOUT_TOOLKIT])
def test_gives_what_numpy_gives_on_both_engines(name: str, tmp_path: Path):
    nvcc = toolkit()
    if nvcc is None:
        test_what_host_code_asks_for_happens("reference")
        return
    library, ptx = compile_host(nvcc, RUNTIME.parent / f"{name}.cu", tmp_path)
    native = run(name, library, ptx, "round_robin", "native")
    assert native.outcome() == run(name, library, ptx, "round_robin", "reference").outcome()
    if name == "scan":  # whose blocks wait for each other
        run(name, library, ptx, "random", "native")


def run(name: str, library: Path, ptx: Path, schedule: str, engine: str) -> Gpu:
    gpu = Gpu(name, "sm_90", schedule, engine, ObjectCode.from_ptx(ptx))
    host = HostLibrary(gpu, library)
    PROGRAMS[name](host)
    print(
        f"{name}: {len(host.launches)} launches, {gpu.system.runner.time:,} warp instructions on {engine}, {schedule}"
    )
    return gpu
