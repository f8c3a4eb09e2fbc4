"""alloca, stacksave and stackrestore in kernels and functions."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import ObjectCode, System
from emulator.errors import IllegalAddress, StackOverflow

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"


def words(body: str, *, count: int = 32, module: str = "") -> list[int]:
    """What a warp leaves in 32-bit words: %out points to the lane's own, %lane is its number."""
    text = f"""{HEAD}{module} .visible .entry k (.param .u64 out) {{
        .reg .b64 %out, %n, %rd<9>; .reg .b32 %lane, %r<9>; .reg .pred %p;
        ld.param.u64 %out, [out]; mov.u32 %lane, %laneid; mul.wide.u32 %n, %lane, 4; add.u64 %out, %out, %n;
        {body} ret; }}"""
    out = np.zeros(count, np.uint32)
    with System() as system:
        ObjectCode.from_ptx(text).get_kernel("k")[1, 32](out, device=system.device(0))
    return [int(word) for word in out]


def test_every_lane_has_memory_of_its_own() -> None:
    body = """.local .align 8 .b8 l[8]; alloca.u64 %rd1, 16; alloca.u64 %rd2, 8;
        st.local.u32 [%rd1+12], %lane; mov.u32 %r1, 99; st.local.u32 [%rd2], %r1; st.local.u32 [l+4], %r1;
        ld.local.u32 %r2, [%rd1+12]; st.global.u32 [%out], %r2;"""
    assert words(body) == list(range(32))


@pytest.mark.parametrize(("align", "wanted"), [("", 8), (", 4", 8), (", 64", 64), (", 1024", 1024)])
def test_alignment_is_eight_at_least(align: str, wanted: int) -> None:
    body = f"""alloca.u32 %r1, 3; alloca.u32 %r1, 3{align}; and.b32 %r2, %r1, {wanted - 1}; setp.eq.u32 %p, %r1, 0;
        selp.u32 %r2, 7, %r2, %p; st.global.u32 [%out], %r2;"""
    assert words(body) == [0] * 32


def test_sizes_may_differ_between_lanes() -> None:
    body = """mul.lo.u32 %r1, %lane, 16; alloca.u32 %r2, %r1; alloca.u32 %r3, 8; sub.u32 %r4, %r3, %r2;
        st.global.u32 [%out], %r4;"""
    assert words(body) == [16 * lane for lane in range(32)]


def test_restore_gives_back_what_was_there_before() -> None:
    body = """stacksave.u64 %rd1; alloca.u64 %rd2, 256; stacksave.u64 %rd3; stackrestore.u64 %rd1; alloca.u64 %rd4, 8;
        setp.eq.u64 %p, %rd2, %rd4; selp.u32 %r1, 1, 0, %p; setp.gt.u64 %p, %rd3, %rd1; selp.u32 %r2, 2, 0, %p;
        or.b32 %r1, %r1, %r2; st.global.u32 [%out], %r1;"""
    assert words(body) == [3] * 32


def test_a_return_gives_the_memory_of_its_function_back() -> None:
    """A function that allocates is called a thousand times; the caller's memory stays."""
    module = """.func (.param .b32 r) f (.param .b32 a) { .reg .b32 %r<4>; .reg .b64 %rd<3>;
        ld.param.u32 %r1, [a]; alloca.u64 %rd1, 4096; st.local.u32 [%rd1+4092], %r1; ld.local.u32 %r2, [%rd1+4092];
        st.param.u32 [r], %r2; ret; }"""
    body = """alloca.u64 %rd1, 8; st.local.u32 [%rd1], %lane; mov.u32 %r1, 0; mov.u32 %r3, 0;
        L: { .param .b32 a; .param .b32 r; st.param.u32 [a], %r1; call (r), f, (a); ld.param.u32 %r2, [r]; }
        add.u32 %r3, %r3, %r2; add.u32 %r1, %r1, 1; setp.lt.u32 %p, %r1, 1000; @%p bra L;
        ld.local.u32 %r4, [%rd1]; add.u32 %r3, %r3, %r4; st.global.u32 [%out], %r3;"""
    assert words(body, module=module) == [499500 + lane for lane in range(32)]


@pytest.mark.parametrize("body", ["alloca.u64 %rd1, -1;", "alloca.u64 %rd1, 0x100000;", "alloca.u32 %r1, -8;"])
def test_a_stack_that_is_too_small_is_a_fault(body: str) -> None:
    with pytest.raises(StackOverflow, match="alloca"):
        words(body)


def test_beyond_the_stack_is_a_fault() -> None:
    with pytest.raises(StackOverflow):
        words("alloca.u64 %rd2, 8; mov.u64 %rd1, 0x10000000; stackrestore.u64 %rd1;")
    with pytest.raises(IllegalAddress):
        words("alloca.u64 %rd2, 8; st.local.u32 [%rd2+0x1000000], %lane;")
