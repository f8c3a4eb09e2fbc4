"""Which operands an instruction takes, as ptxas 13.0 does: register types, constants, sinks, addresses, policies."""

from __future__ import annotations

import pytest

from emulator.errors import Diagnostic, PtxError
from emulator.parse import parse
from emulator.program import check_module

TEXT = """
.version 9.0
.target sm_90a
.address_size 64
.global .align 128 .b8 gbuf[1024];  .shared .align 128 .b8 sbuf[2048];  .const .align 128 .b8 cbuf[1024];
.func dfun () {{ ret; }}
.visible .entry k (.param .align 128 .b8 p_buf[256])
{{
    .reg .pred %p<9>;  .reg .b8 %c<9>;  .reg .u8 %uc<9>;  .reg .b16 %rs<9>;  .reg .u16 %us<9>;  .reg .f16 %hf<9>;
    .reg .b32 %r<9>;  .reg .u32 %u<9>;  .reg .s32 %s<9>;  .reg .f32 %f<9>;  .reg .f16x2 %hx<9>;
    .reg .b64 %rd<11>;  .reg .u64 %ul<9>;  .reg .f64 %fd<9>;  .reg .b128 %rq<9>;  .reg .v2 .b32 v;
    .local .align 128 .b8 lbuf[1024];  .param .align 128 .b8 q_buf[256];
    {instruction}
    ret;
}}
"""


def errors(instruction: str) -> list[Diagnostic]:
    try:
        found, _ = check_module(parse(TEXT.format(instruction=instruction), "k.ptx"))
    except PtxError as error:
        return list(error.diagnostics)
    return found


# --- registers: one column a type of register, Y where ptxas takes it ------------------------------

TYPES = "b8 u8 b16 u16 f16 b32 u32 s32 f32 f16x2 b64 u64 f64 b128"
PREFIXES = "c uc rs us hf r u s f hx rd ul fd rq"
NAMES = dict(zip(TYPES.split(), PREFIXES.split(), strict=True))
MATRIX = """
mov.b32 @1, @2;                         . . . . . Y Y Y Y Y . . . .
mov.u32 @1, @2;                         . . . . . Y Y Y . Y . . . .
mov.f32 @1, @2;                         . . . . . Y . . Y . . . . .
add.u32 @1, @2, @3;                     . . . . . Y Y Y . Y . . . .
add.u16x2 @1, @2, @3;                   . . . . . Y . . . Y . . . .
fma.rn.f16x2 @1, @2, @3, @2;            . . . . . Y . . . Y . . . .
fma.rn.bf16x2 @1, @2, @3, @2;           . . . . . Y . . . . . . . .
fma.rn.f16 @1, @2, @3, @2;              . . Y . Y . . . . . . . . .
fma.rn.bf16 @1, @2, @3, @2;             . . Y . . . . . . . . . . .
mov.b16 @1, @2;                         . . Y Y Y . . . . . . . . .
mov.u16 @1, @2;                         . . Y Y . . . . . . . . . .
mov.b64 @1, @2;                         . . . . . . . . . . Y Y Y .
mov.u64 @1, @2;                         . . . . . . . . . . Y Y . .
mov.b128 @1, @2;                        . . . . . . . . . . . . . Y
bar.sync @1;                            . . . . . Y Y Y . . . . . .
ld.global.u8 @1, [%rd1];                Y Y Y Y . Y Y Y . Y Y Y . Y
ld.global.b8 @1, [%rd1];                Y Y Y Y Y Y Y Y Y Y Y Y Y Y
ld.global.f32 @1, [%rd1];               . . . . . Y . . Y . Y . . Y
ld.global.b32 @1, [%rd1];               . . . . . Y Y Y Y Y Y Y Y Y
ld.global.u32 @1, [%rd1];               . . . . . Y Y Y . Y Y Y . Y
st.global.u16 [%rd1], @1;               . . Y Y . Y Y Y . Y Y Y . Y
st.global.f64 [%rd1], @1;               . . . . . . . . . . Y . Y Y
ld.global.b128 @1, [%rd1];              . . . . . . . . . . . . . Y
ld.shared.b32 %r1, [@1];                Y Y Y Y . Y Y Y . . Y Y . .
atom.global.add.u32 @1, [%rd1], @2;     . . . . . Y Y Y . Y . . . .
atom.global.add.f32 @1, [%rd1], @2;     . . . . . Y . . Y . . . . .
atom.global.exch.b32 @1, [%rd1], @2;    . . . . . Y Y Y Y Y . . . .
atom.global.add.noftz.f16x2 @1, [%rd1], @2;   . . . . . Y . . . Y . . . .
atom.global.add.noftz.bf16x2 @1, [%rd1], @2;  . . . . . Y . . . . . . . .
"""
ROWS = [line.rsplit(None, len(NAMES)) for line in MATRIX.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_register_types(row: list[str]) -> None:
    form, *marks = row
    found = "".join(".Y"[not errors(form.strip().replace("@", f"%{name}"))] for name in NAMES.values())
    assert found == "".join(marks), TYPES


# --- what else may and may not stand somewhere ------------------------------------------------------

RIGHT = """
ld.global.v4.b32 {%r1, _, %r3, %r4}, [%rd5];
ld.global.v8.b8 {%rs1, %rs2, %rs3, %rs4, %rs5, %rs6, %rs7, %rs8}, [%rd5];
ldu.global.v2.b8 {_, %rs2}, [%rd5];
st.global.v4.b32 [%rd5], {1, %r2, %r3, %r4};
ld.u32 %r1, [%rd1].unified;
ld.u32 %r1, [sbuf];
ld.u32 %r1, [lbuf];
ld.local.b32 %r1, [16];
ld.global.u32 %r1, gbuf[2];
mov.u64 %rd1, gbuf[2];
mov.b64 %rd1, v;
mov.b64 v, %rd1;
mov.b64 %rd1, {%clock, %clock_hi};
mov.u32 %r1, %gridid;
mov.u16 %rs1, %tid.x;
mov.v4.u16 {%rs1, %rs2, %rs3, %rs4}, %tid;
st.param::func.b32 [q_buf], %r1;
atom.global.add.v2.f32 _, [%rd1], {%f3, 1.0};
atom.global.cas.b32 _, [%rd1], 1, 2;
atom.global.add.L2::cache_hint.u32 %r1, [%rd1], %r2, 5;
cp.async.ca.shared.global [sbuf], [gbuf], 8, !%p1;
cp.async.ca.shared.global.L2::cache_hint [sbuf], [gbuf], 8, 4, 4;
cp.async.ca.shared.global [%r1], [%r2], 8;
cvta.global.u64 %rd1, gbuf+32;
cvta.param.u64 %rd1, p_buf+8;
mapa.u64 %rd1, sbuf, 1;
alloca.u64 %rd1, %rd2, 8388608;
bar.sync 1, 0;
fence.proxy.tensormap::generic.acquire.sys [%r1+32], 128;
createpolicy.range.L2::evict_first.b64 %rd1, [%r3], %r1, %r2;
"""
WRONG = """
PTX-P0113 | ld.global.b32 _, [%rd5];
PTX-P0113 | ld.global.v4.b32 {_, _, _, _}, [%rd5];
PTX-P0113 | st.global.v4.b32 [%rd5], {_, %r2, %r3, %r4};
PTX-P0113 | ld.global.u32 %r1, [gbuf].unified;
PTX-P0113 | st.global.u32 [%rd1].unified, %r1;
PTX-P0113 | ld.shared.u32 %r1, [%rd1].unified;
PTX-P0113 | ld.u32 %r1, [cbuf];
PTX-P0113 | ld.u32 %r1, [p_buf];
PTX-P0113 | ld.global.u32 %r1, [sbuf];
PTX-P0113 | ld.shared.u32 %r1, [16];
PTX-P0113 | ld.global.u32 %r1, gbuf[%r2];
PTX-P0113 | atom.global.add.u32 %r1, gbuf[2], 1;
PTX-P0114 | ld.global.b32 %r1, [%r2];
PTX-P0114 | ld.b32 %r1, [%r2];
PTX-P0114 | ld.shared.b32 %r1, [%f2];
PTX-P0114 | ld.shared.b32 %r1, [%p2];
PTX-P0112 | ld.global.L2::cache_hint.u32 %r1, [%rd1];
PTX-P0112 | ld.global.u32 %r1, [%rd1], %rd2;
PTX-P0114 | ld.global.L2::cache_hint.u32 %r1, [%rd1], %fd2;
PTX-P0112 | atom.global.add.L2::cache_hint.u32 %r1, [%rd1], %r2;
PTX-P0102 | atom.shared.add.L2::cache_hint.u32 %r1, [%rd1], %r2, %rd3;
PTX-P0102 | atom.global.cas.L2::cache_hint.b64 %rd1, [%rd2], %rd3, %rd4;
PTX-P0102 | red.acquire.gpu.add.u32 [%rd1], 1;
PTX-P0102 | atom.global.min.noftz.f16 %rs1, [%rd1], %rs2;
PTX-P0102 | atom.shared.add.v2.f32 {%f1, %f2}, [sbuf], {%f3, %f4};
PTX-P0114 | red.global.add.noftz.f16x2 [%rd1], 7;
PTX-P0113 | cp.async.cg.shared.global [%rd2], [sbuf+16], 16, %p1;
PTX-P0115 | cp.async.ca.shared.global [%r1], [%rd1], 12;
PTX-P0115 | cp.async.cg.shared.global [%r1], [%rd1], 8;
PTX-P0115 | cp.async.ca.shared.global [%r1], [%rd1], 16, 17;
PTX-P0113 | cp.async.ca.shared.global [%r1], [%rd1], %r2;
PTX-P0113 | cp.async.wait_group %r1;
PTX-P0115 | bar.sync 16;
PTX-P0115 | bar.sync 0, 33;
PTX-P0115 | bar.arrive 1, 0;
PTX-P0115 | setmaxnreg.inc.sync.aligned.u32 264;
PTX-P0115 | setmaxnreg.inc.sync.aligned.u32 100;
PTX-P0113 | setmaxnreg.inc.sync.aligned.u32 %r1;
PTX-P0115 | pmevent 16;
PTX-P0115 | alloca.u64 %rd1, %rd2, 3;
PTX-P0113 | stackrestore.u64 16;
PTX-P0115 | discard.global.L2 [%rd1], 64;
PTX-P0115 | fence.proxy.tensormap::generic.acquire.sys [%rd1], 64;
PTX-P0115 | bfe.u32 %r1, %r2, 256, 3;
PTX-P0113 | cvta.global.u64 %rd1, sbuf;
PTX-P0113 | cvta.global.u64 %rd1, dfun;
PTX-P0113 | cvta.to.global.u64 %rd1, gbuf;
PTX-P0113 | mapa.u64 %rd1, gbuf, 1;
PTX-P0113 | cvta.param.u64 %rd1, q_buf;
PTX-P0114 | mov.u32 %r1, %clock64;
PTX-P0114 | mov.u16 %rs1, %laneid;
PTX-P0113 | mov.v2.u32 {%r1, %r2}, %ntid;
PTX-P0114 | createpolicy.fractional.L2::evict_last.b64 %fd1;
"""


@pytest.mark.parametrize("instruction", RIGHT.strip().splitlines())
def test_is_taken(instruction: str) -> None:
    assert errors(instruction) == []


@pytest.mark.parametrize("line", WRONG.strip().splitlines())
def test_is_refused(line: str) -> None:
    code, _, instruction = line.partition(" | ")
    found = errors(instruction)
    assert [error.code for error in found] == [code], [error.message for error in found]
    assert found[0].source is not None
    assert found[0].source.text.splitlines()[found[0].line - 1].strip() == instruction
