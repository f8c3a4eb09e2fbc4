"""Functions whose addresses are taken: linked where an indirect call may reach them."""

import numpy as np

from emulator import LaunchConfig, ObjectCode, System, launch

MODULE = b""".version 8.0
.target sm_80
.address_size 64
.func (.reg .u32 %r) unused (.reg .u32 %x) { mov.u32 %r, %x; ret; }
.func (.reg .u32 %r) twice (.reg .u32 %x) { add.u32 %r, %x, %x; ret; }
.func (.reg .u32 %r) square (.reg .u32 %x) { mul.lo.u32 %r, %x, %x; ret; }
.visible .entry choose(.param .u64 where)
{
    .reg .u64 %rd<3>;
    ld.param.u64 %rd0, [where];
    { mov.u64 %rd1, square; }
    st.global.u64 [%rd0], %rd1;
    mov.u64 %rd2, twice;
    st.global.u64 [%rd0+8], %rd2;
}
.visible .entry use(.param .u64 where, .param .u64 out)
{
    .reg .u64 %rd<5>;
    .reg .u32 %r<2>;
    ld.param.u64 %rd0, [where];
    ld.param.u64 %rd1, [out];
    ld.global.u64 %rd2, [%rd0];
prototype: .callprototype (.reg .u32 _) _ (.reg .u32 _);
    mov.u32 %r0, 7;
    call (%r1), %rd2, (%r0), prototype;
    st.global.u32 [%rd1], %r1;
}
"""


def test_an_address_goes_from_one_kernel_to_another():
    code = ObjectCode.from_ptx(MODULE)
    with System() as system:
        device = system.device(0)
        where, out = device.array(np.zeros(2, np.uint64)), device.array(np.zeros(1, np.uint32))
        launch(device.default_stream, LaunchConfig(1), code.get_kernel("choose"), where)
        for chosen, result in ((0, 49), (1, 14)):
            pointer = int(where) + 8 * chosen
            launch(device.default_stream, LaunchConfig(1), code.get_kernel("use"), pointer, out)
            assert out.numpy().tolist() == [result]


def test_only_functions_whose_address_is_taken_are_linked():
    code = ObjectCode.from_ptx(MODULE)
    assert sorted(code.program("use").functions) == ["square", "twice", "use"]
    assert sorted(code.program("choose").functions) == ["choose", "square", "twice"]
