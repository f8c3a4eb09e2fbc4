"""Reading registers by name while a kernel runs."""

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch

TEXT = """
.version 8.0
.target sm_80
.address_size 64
.func f(.param .b32 x)
{
    .reg .f64 %only_here;
    mov.f64 %only_here, 0d3FF8000000000000;
    ret;
}
.visible .entry k()
{
    .reg .u32 %u;
    .reg .s16 %s;
    .reg .b64 %wide;
    .reg .f32 %f;
    .reg .pred %p;
    mov.u32 %u, %laneid;
    mov.u16 %s, 0xffff;
    mul.wide.u32 %wide, %u, 0x10000000;
    mov.f32 %f, 0f3FC00000;
    setp.lt.u32 %p, %u, 3;
    call f, (%u);
    ret;
}
"""


def test_reads_registers_in_their_declared_type():
    with System() as system:
        kernel = ObjectCode.from_ptx(TEXT).get_kernel("k")
        launch(system.device(0).default_stream, LaunchConfig(grid=1, block=32), kernel)
        step = system.step()
        while (following := system.step()) is not None:
            step = following
    lane = np.arange(32)
    for name, dtype, values in (
        ("%u", np.uint32, lane),
        ("%s", np.int16, np.full(32, -1)),
        ("%wide", np.uint64, lane * 2**28),
        ("%f", np.float32, np.full(32, 1.5)),
        ("%p", np.uint8, lane < 3),
        ("%only_here", np.float64, np.full(32, 1.5)),
    ):
        row = step.warp.read(name)
        assert row.dtype == dtype
        assert (row == values).all()
    with pytest.raises(KeyError):
        step.warp.read("%nowhere")


def test_what_is_read_is_a_copy():
    with System() as system:
        kernel = ObjectCode.from_ptx(TEXT).get_kernel("k")
        launch(system.device(0).default_stream, LaunchConfig(grid=1, block=32), kernel)
        warp = system.step().warp
        warp.read("%u")[:] = 7
        assert warp.read("%u").tolist() == list(range(32))
