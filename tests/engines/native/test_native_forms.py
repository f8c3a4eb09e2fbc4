"""Instructions that once were left to the reference engine: same answers, and none of them leaves native code."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.engines.native.engine import NativeEngine
from tests.engines.programs import run
from tests.engines.test_calls import FIBONACCI

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


FUNCTIONS = (
    FIBONACCI
    + """
.func (.param .b32 sum, .param .b64 wide) both(.param .b32 a, .param .align 8 .b8 s[24])
{
    .local .align 16 .b8 box[48];
    .reg .u32 %a, %b; .reg .u64 %c;
    ld.param.u32 %a, [a];
    ld.param.u32 %b, [s+4];
    ld.param.u64 %c, [s+16];
    st.local.u32 [box+12], %b;
    add.u32 %a, %a, %b;
    st.param.b32 [sum], %a;
    st.param.b64 [wide], %c;
    ret.uni;
}
.func (.param .b32 r) twice(.param .b32 a)
{
    .reg .u32 %a; ld.param.u32 %a, [a]; add.u32 %a, %a, %a; st.param.b32 [r], %a; ret;
}
.func (.param .b32 r) square(.param .b32 a)
{
    .reg .u32 %a; ld.param.u32 %a, [a]; mul.lo.u32 %a, %a, %a; st.param.b32 [r], %a; ret;
}
"""
)
CALLS = {
    "recursion": "and.b32 %r0, %l, 7; call (%r1), fib, (%r0); st.global.u32 [%mine], %r1;",
    "parameters in memory": """
        { .param .b32 p; .param .align 8 .b8 q[24]; .param .b32 sum; .param .b64 wide;
        st.param.b32 [p], %t; st.param.b32 [q+4], 7; cvt.u64.u32 %rd0, %l; st.param.b64 [q+16], %rd0;
        setp.ne.u32 %p1, %l, 3;
        st.param.b32 [sum], 5; st.param.b64 [wide], 1;
        @%p1 call (sum, wide), both, (p, q);
        ld.param.u32 %r1, [sum]; ld.param.b64 %rd1, [wide]; }
        cvt.u32.u64 %r2, %rd1;
        mad.lo.u32 %r1, %r2, 100, %r1;
        st.global.u32 [%mine], %r1;
    """,
    "a constant argument": "call (%r1), fib, (9); st.global.u32 [%mine], %r1;",
    "other functions in other lanes": """
        mov.u64 %rd0, twice; mov.u64 %rd1, square;
        and.b32 %r0, %l, 5; setp.eq.u32 %p0, %r0, 4;
        selp.b64 %rd2, %rd0, %rd1, %p0;
        PROTO: .callprototype (.param .b32 _) _ (.param .b32 _);
        { .param .b32 p; .param .b32 q;
        st.param.b32 [p], %t;
        call (q), %rd2, (p), PROTO;
        ld.param.b32 %r1, [q]; }
        st.global.u32 [%mine], %r1;
    """,
    "a table of labels": """
        TABLE: .branchtargets A, B, A, C;
        mov.u32 %r2, 0;
    AGAIN:
        add.u32 %r0, %l, %r2; and.b32 %r0, %r0, 3;
        setp.ge.u32 %p0, %l, 30;
        mov.u32 %r1, 9;
        @!%p0 brx.idx %r0, TABLE;
        bra END;
    A:  mov.u32 %r1, 1; bra END;
    B:  mov.u32 %r1, 2; bra END;
    C:  mov.u32 %r1, 3;
    END:
        mad.lo.u32 %r3, %r3, 10, %r1;
        add.u32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 6;
        @%p1 bra AGAIN;
        st.global.u32 [%mine], %r3;
    """,
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_without_the_reference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls and returns of any kind, and branches by number."""
    expected = run(CALLS[name], before=FUNCTIONS, block=96, engine="reference")
    monkeypatch.setattr(NativeEngine, "step", lambda engine, warp: pytest.fail(f"left at {warp.pc}"))
    assert any(expected)
    for schedule in ("round_robin", "round_robin:5"):
        found = run(CALLS[name], before=FUNCTIONS, block=96, engine="native", schedule=schedule)
        assert list(found) == list(expected)


OTHERS = {
    "f64 in directed modes": """
        cvt.rn.f64.u32 %d0, %t; add.rz.f64 %d0, %d0, 0d3FD5555555555555; mov.f64 %d1, 0d000FFFFFFFFFFFFF;
        div.rp.f64 %d2, %d0, 0d4008000000000000; sqrt.rm.f64 %d3, %d2; mul.rz.f64 %d4, %d3, %d1;
        fma.rm.f64 %d5, %d2, %d3, %d0; rcp.rp.f64 %d6, %d5; mad.rz.f64 %d4, %d4, %d6, %d5;
        mov.b64 {%r0, %r1}, %d4; xor.b32 %r0, %r0, %r1; st.global.u32 [%mine], %r0;
    """,
    "halves of registers": """
        mul.wide.u32 %rd0, %t, 0x70000001; mov.b64 {_, %r0}, %rd0; mov.b64 {%r1, _}, %rd0;
        mov.b32 {%h0, _}, %r1; cvt.u32.u16 %r2, %h0;
        add.u32 %r0, %r0, %r1; add.u32 %r0, %r0, %r2; st.global.u32 [%mine], %r0;
        shr.u64 %rd3, %mine, 4; shl.b64 %rd3, %rd3, 4; ld.global.v4.u32 {_, %r3, _, %r4}, [%rd3];
        add.u32 %r0, %r0, %r3; xor.b32 %r0, %r0, %r4; st.global.u32 [%mine], %r0;
    """,
    "clocks": """
        mov.u32 %r0, %clock; mov.u64 %rd0, %clock64; mov.u32 %r1, %clock_hi; mov.u64 %rd1, %globaltimer;
        cvt.u32.u64 %r2, %rd0; sub.u32 %r2, %r2, %r0; sub.u64 %rd1, %rd1, %rd0; cvt.u32.u64 %r3, %rd1;
        mad.lo.u32 %r2, %r3, 100, %r2; add.u32 %r2, %r2, %r1; mov.u32 %r4, %clock; mad.lo.u32 %r2, %r4, 1000, %r2;
        st.global.u32 [%mine], %r2;
    """,
    "spaces": """
        .shared .align 4 .b8 box[64]; .local .align 4 .b8 mine[8];
        mov.u64 %rd0, box; cvta.shared.u64 %rd0, %rd0; mov.u64 %rd1, mine; cvta.local.u64 %rd1, %rd1;
        setp.lt.u32 %p0, %l, 8; selp.b64 %rd2, %rd0, %mine, %p0; setp.lt.u32 %p0, %l, 4; selp.b64 %rd2, %rd1, %rd2, %p0;
        setp.eq.u32 %p0, %l, 9; @%p0 mov.u64 %rd2, table;
        setp.eq.u32 %p0, %l, 11; @%p0 mov.u64 %rd2, 0x6c0000001234; setp.eq.u32 %p0, %l, 12; @%p0 mov.u64 %rd2, 77;
        isspacep.global %p1, %rd2; isspacep.const %p2, %rd2; isspacep.shared %p3, %rd2; isspacep.local %p4, %rd2;
        selp.u32 %r0, 1, 100, %p1; @%p2 add.u32 %r0, %r0, 2; @%p3 add.u32 %r0, %r0, 4; @%p4 add.u32 %r0, %r0, 8;
        st.global.u32 [%mine], %r0;
    """,
    "stacks by generic addresses": """
        .local .align 16 .b8 mine[16]; mov.u64 %rd0, mine; cvta.local.u64 %rd0, %rd0;
        and.b32 %r0, %l, 3; mul.wide.u32 %rd1, %r0, 4; add.u64 %rd1, %rd1, %rd0;
        st.u32 [%rd1], %t; setp.lt.u32 %p0, %l, 9; @%p0 st.v2.u32 [%rd0+8], {%l, %r0};
        ld.v4.u32 {%r1, %r2, %r3, %r4}, [%rd0]; @!%p0 ld.volatile.u32 %r1, [%rd0+4];
        mad.lo.u32 %r1, %r2, 10, %r1; mad.lo.u32 %r1, %r3, 100, %r1; mad.lo.u32 %r1, %r4, 1000, %r1;
        st.global.u32 [%mine], %r1;
    """,
    "memory of all kinds at once": """
        .shared .align 16 .b8 box[512]; .local .align 16 .b8 mine[16];
        mov.u64 %rd0, box; cvta.shared.u64 %rd0, %rd0; mul.wide.u32 %rd3, %t, 4; add.u64 %rd0, %rd0, %rd3;
        mov.u64 %rd1, mine; cvta.local.u64 %rd1, %rd1;
        mov.u64 %rd4, one; add.u64 %rd4, %rd4, %rd3; mov.u64 %rd5, two; add.u64 %rd5, %rd5, %rd3;
        and.b32 %r0, %l, 3; setp.eq.u32 %p0, %r0, 0; selp.b64 %rd2, %rd0, %rd1, %p0;
        setp.eq.u32 %p1, %r0, 2; selp.b64 %rd2, %rd4, %rd2, %p1;
        setp.eq.u32 %p2, %r0, 3; selp.b64 %rd2, %rd5, %rd2, %p2;
        mad.lo.u32 %r1, %t, 3, 1; st.u32 [%rd2], %r1; ld.u32 %r2, [%rd2];
        setp.ge.u32 %p3, %r0, 2; @%p3 atom.add.u32 %r3, [%rd2], 5; @%p3 ld.u32 %r4, [%rd2]; @%p3 red.add.u32 [%rd2], 1;
        @%p3 st.global.u32 [%rd2], %r4; setp.lt.u32 %p4, %r0, 2; @%p4 ld.u32 %r5, [%rd2];
        add.u32 %r2, %r2, %r3; add.u32 %r2, %r2, %r4; add.u32 %r2, %r2, %r5; st.global.u32 [%mine], %r2;
    """,
    "the stack": """
        stacksave.u64 %rd0; and.b32 %r0, %t, 3; cvt.u64.u32 %rd1, %r0; alloca.u64 %rd2, %rd1, 32;
        alloca.u32 %r1, %r0; st.local.u32 [%r1], %t; ld.local.u32 %r2, [%r1]; cvt.u32.u64 %r3, %rd2;
        add.u32 %r2, %r2, %r3; setp.ne.u32 %p0, %l, 5; @%p0 stackrestore.u64 %rd0; stacksave.u32 %r4;
        mad.lo.u32 %r2, %r4, 1000, %r2; st.global.u32 [%mine], %r2;
    """,
    "sleep": """
        .shared .align 4 .b32 flag[4];
        setp.eq.u32 %p0, %w, 2; setp.eq.u32 %p2, %l, 99; @%p0 bra LAST;
    WAIT:
        @%p2 nanosleep.u32 20; nanosleep.u32 40;
        ld.volatile.shared.u32 %r0, [flag]; add.u32 %r3, %r3, 1; setp.eq.u32 %p1, %r0, 0; @%p1 bra WAIT;
        bra END;
    LAST:
        mov.u32 %r3, 7; nanosleep.u32 1; nanosleep.u32 1; nanosleep.u32 1; st.volatile.shared.u32 [flag], 1;
    END:
        st.global.u32 [%mine], %r3;
    """,
    "tiles of a warp": """
        shr.u32 %r0, %l, 2; shl.b32 %r1, %r0, 2; mov.u32 %r2, 15; shl.b32 %r2, %r2, %r1;
        setp.eq.u32 %p0, %l, 6; @%p0 exit;
        shfl.sync.bfly.b32 %r3|%p1, %t, 1, 0x1c1f, %r2; shfl.sync.idx.b32 %r4, %r3, 9, 31, %r2;
        setp.lt.u32 %p2, %l, 17; vote.sync.ballot.b32 %r5, %p2, %r2; redux.sync.add.u32 %r6, %r3, %r2;
        match.any.sync.b32 %r7, %r0, %r2; bar.warp.sync %r2; setp.ge.u32 %p3, %l, 8;
        @%p3 shfl.sync.up.b32 %r3, %r3, 1, 0, %r2; setp.ne.u32 %p4, %r0, 3; shfl.sync.down.b32 %r2, %r2, 2, 31, %r2;
        mad.lo.u32 %r3, %r4, 3, %r3; xor.b32 %r3, %r3, %r5; add.u32 %r3, %r3, %r6; xor.b32 %r3, %r3, %r7;
        @%p1 add.u32 %r3, %r3, 1000; xor.b32 %r3, %r3, %r2; st.global.u32 [%mine], %r3;
    """,
    "not a predicate": """
        setp.lt.u32 %p0, %l, 9; setp.gt.and.u32 %p1, %l, 3, !%p0; selp.u32 %r0, 3, 5, !%p1;
        vote.sync.ballot.b32 %r1, !%p0, -1; lop3.or.b32 %r2|%p2, %r0, %r1, %l, 0x96, !%p1;
        and.pred %p3, %p2, !%p1; @%p3 add.u32 %r2, %r2, 1; st.global.u32 [%mine], %r2;
    """,
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_forms_without_the_reference(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, addresses, stacks, clocks and turns that are given up."""
    table = (
        ".const .align 4 .b32 table[4] = {1, 2, 3, 4}; .global .align 4 .b32 one[96]; .global .align 4 .b32 two[96];"
    )
    schedules = ("round_robin", "round_robin:3", "random:5")
    wanted = [run(OTHERS[name], before=table, block=96, engine="reference", schedule=each) for each in schedules]
    monkeypatch.setattr(NativeEngine, "step", lambda engine, warp: pytest.fail(f"left at {warp.pc}"))
    assert all(any(result) for result in wanted)
    for schedule, expected in zip(schedules, wanted, strict=True):
        found = run(OTHERS[name], before=table, block=96, engine="native", schedule=schedule)
        assert list(found) == list(expected)


DEEP = """
.func (.reg .u32 result) depth(.reg .u32 n)
{
    .reg .pred %p; .reg .u32 %m;
    mov.u32 result, 0;
    setp.eq.u32 %p, n, 0;
@%p ret;
    sub.u32 %m, n, 1;
    call (result), depth, (%m);
    add.u32 result, result, 1;
    ret;
}
"""


def test_call_stacks_that_outgrow_the_block() -> None:
    """Hundreds of levels need more than the block has for a lane; a few need no more, in the same launch."""
    body = "and.b32 %r0, %w, 1; mul.lo.u32 %r0, %r0, 400; call (%r1), depth, (%r0); st.global.u32 [%mine], %r1;"
    results = [run(body, before=DEEP, block=96, engine=name) for name in ("reference", "native")]
    assert list(results[0]) == list(results[1]) == [0] * 32 + [400] * 32 + [0] * 32


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
