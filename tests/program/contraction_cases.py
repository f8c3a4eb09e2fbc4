"""Short bodies, and which of their stores ptxas 13.0 gives a fused value on sm_90a.

A verdict has one letter for each store to [%rd1], [%rd1+4], [%rd1+8]: F for an fma, a dot for anything else.
"""

HEAD = """.version 9.0
.target sm_90a
.address_size 64
"""
KERNEL = """.visible .entry k(.param .u64 out, .param .u64 in)
{
    .reg .b16 %h<20>; .reg .b32 %r<20>; .reg .b64 %rd<9>; .reg .f32 %f<20>; .reg .f64 %d<20>; .reg .pred %p<9>;
    ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [in];
    ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd2+256];
    ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd2];
    ld.global.v4.u16 {%h1, %h2, %h3, %h4}, [%rd2+64];
    ld.global.v2.f64 {%d1, %d2}, [%rd2+128]; ld.global.v2.f64 {%d3, %d4}, [%rd2+144];
    setp.lt.s32 %p1, %r4, 5; setp.lt.s32 %p2, %r3, 7;
"""
MUL = "mul.f32 %f8, %f1, %f2;"
ADD = "add.f32 %f9, %f8, %f3;"
OUT = "st.global.f32 [%rd1], %f9;"
OUT2 = "st.global.f32 [%rd1+4], %f10;"
END = "\nret;\n}\n"


def f32(body: str) -> str:
    return f"{body} {OUT}"


def both(body: str) -> str:
    return f"{body} {OUT} {OUT2}"


def between(text: str) -> str:
    return f32(f"{MUL} {text} {ADD}")


# What the emulator fuses just as ptxas does.
FOLLOWED = {
    "a sum": (f32(f"{MUL} {ADD}"), "F"),
    "the other way round": (f32(f"{MUL} add.f32 %f9, %f3, %f8;"), "F"),
    "product minus": (f32(f"{MUL} sub.f32 %f9, %f8, %f3;"), "F"),
    "minus product": (f32(f"{MUL} sub.f32 %f9, %f3, %f8;"), "F"),
    "a saturated sum": (f32(f"{MUL} add.sat.f32 %f9, %f8, %f3;"), "F"),
    "a saturated product": (f32(f"mul.sat.f32 %f8, %f1, %f2; {ADD}"), "."),
    "mul.rn": (f32(f"mul.rn.f32 %f8, %f1, %f2; {ADD}"), "."),
    "add.rn": (f32(f"{MUL} add.rn.f32 %f9, %f8, %f3;"), "."),
    "sub.rz": (f32(f"{MUL} sub.rz.f32 %f9, %f8, %f3;"), "."),
    "both .ftz": (f32("mul.ftz.f32 %f8, %f1, %f2; add.ftz.f32 %f9, %f8, %f3;"), "F"),
    "mul.ftz alone": (f32(f"mul.ftz.f32 %f8, %f1, %f2; {ADD}"), "."),
    "add.ftz alone": (f32(f"{MUL} add.ftz.f32 %f9, %f8, %f3;"), "."),
    "twice the product": (f32(f"{MUL} add.f32 %f9, %f8, %f8;"), "."),
    "twice the product, and a sum": (both(f"{MUL} add.f32 %f10, %f8, %f8; {ADD}"), ".."),
    "two sums": (both(f"{MUL} {ADD} add.f32 %f10, %f8, %f4;"), "FF"),
    "a sum and a product of it": (both(f"{MUL} {ADD} mul.f32 %f10, %f8, %f4;"), ".."),
    "a sum and an fma of it": (both(f"{MUL} {ADD} fma.rn.f32 %f10, %f8, %f4, %f1;"), ".F"),
    "a sum and a max of it": (both(f"{MUL} {ADD} max.f32 %f10, %f8, %f4;"), ".."),
    "a sum and add.rn of it": (both(f"{MUL} {ADD} add.rn.f32 %f10, %f8, %f4;"), ".."),
    "the product is stored": (f"{MUL} {ADD} {OUT} st.global.f32 [%rd1+4], %f8;", ".."),
    "a comparison of the product": (f32(f"{MUL} {ADD} setp.gt.f32 %p3, %f8, %f4; @%p3 mov.f32 %f9, %f4;"), "."),
    "two products, the first": (f32("mul.f32 %f7, %f1, %f2; mul.f32 %f8, %f3, %f4; add.f32 %f9, %f7, %f8;"), "F"),
    "the same product twice": (f32(f"{MUL} mul.f32 %f7, %f2, %f1; add.f32 %f9, %f7, %f8;"), "."),
    "a square plus its root": (f32("mul.f32 %f8, %f1, %f1; add.f32 %f9, %f8, %f1;"), "F"),
    "a product in its factor's register": (f32("mul.f32 %f1, %f1, %f2; add.f32 %f9, %f1, %f3;"), "F"),
    "all in one register": (f32("mul.f32 %f9, %f1, %f2; add.f32 %f9, %f9, %f3;"), "F"),
    "a factor is written in between": (between("mov.f32 %f1, %f4;"), "F"),
    "the product's register is used again": (both(f"{MUL} {ADD} mov.f32 %f8, %f4; add.f32 %f10, %f8, %f1;"), "F."),
    "a constant factor": (f32(f"mul.f32 %f8, %f1, 0f40400000; {ADD}"), "F"),
    "constant factors": (f32(f"mov.f32 %f15, 0f40400001; mul.f32 %f8, 0f40400003, %f15; {ADD}"), "."),
    "a constant addend": (f32(f"{MUL} add.f32 %f9, %f8, 0f40400000;"), "F"),
    "a guarded sum": (f32(f"mov.f32 %f9, %f4; {MUL} @%p1 {ADD}"), "F"),
    "a guarded product": (f32(f"mov.f32 %f8, %f4; @%p1 {MUL} {ADD}"), "."),
    "sums under both guards": (f32(f"{MUL} @%p1 {ADD} @!%p1 add.f32 %f9, %f8, %f1;"), "F"),
    "a sum into the product under a guard": (f32(f"{MUL} @%p1 add.f32 %f8, %f8, %f3; mov.f32 %f9, %f8;"), "."),
    "f64": ("mul.f64 %d8, %d1, %d2; add.f64 %d9, %d8, %d3; st.global.f64 [%rd1], %d9;", "F"),
    "f16": ("mul.f16 %h8, %h1, %h2; sub.f16 %h9, %h8, %h3; st.global.b16 [%rd1], %h9;", "F"),
    "f16.sat": ("mul.f16 %h8, %h1, %h2; add.sat.f16 %h9, %h8, %h3; st.global.b16 [%rd1], %h9;", "F"),
    "f16.rn": ("mul.rn.f16 %h8, %h1, %h2; add.f16 %h9, %h8, %h3; st.global.b16 [%rd1], %h9;", "."),
    "f16.ftz": ("mul.ftz.f16 %h8, %h1, %h2; add.ftz.f16 %h9, %h8, %h3; st.global.b16 [%rd1], %h9;", "F"),
    "f16x2": ("mul.f16x2 %r8, %r1, %r2; sub.f16x2 %r9, %r3, %r8; st.global.b32 [%rd1], %r9;", "F"),
    "bf16": ("mul.bf16 %h8, %h1, %h2; add.bf16 %h9, %h8, %h3; st.global.b16 [%rd1], %h9;", "F"),
    "bf16x2": ("mul.bf16x2 %r8, %r1, %r2; add.bf16x2 %r9, %r8, %r3; st.global.b32 [%rd1], %r9;", "F"),
    "an untyped register is read as bits": (
        "mul.f32 %r8, %r1, %r2; add.f32 %r9, %r8, %r3; st.global.b32 [%rd1], %r9; "
        "and.b32 %r10, %r8, 255; st.global.b32 [%rd1+4], %r10;",
        "..",
    ),
    "div.approx": (f32(f"div.approx.f32 %f8, %f1, %f2; {ADD}"), "F"),
    "div.full": (f32("div.full.ftz.f32 %f8, %f1, %f2; sub.ftz.f32 %f9, %f3, %f8;"), "F"),
    "div.rn": (f32(f"div.rn.f32 %f8, %f1, %f2; {ADD}"), "."),
    "sqrt.approx": (f32(f"sqrt.approx.ftz.f32 %f8, %f1; {ADD}"), "."),
    "fma and a sum": (f32(f"fma.rn.f32 %f8, %f1, %f2, 0f80000000; {ADD}"), "."),
    "a barrier in between": (between("bar.sync 0;"), "F"),
    "a load and store in between": (between("st.global.f32 [%rd1+64], %f4; ld.global.f32 %f3, [%rd1+68];"), "F"),
    "a shuffle in between": (between("shfl.sync.idx.b32 %r9, %r1, 0, 31, -1; st.global.u32 [%rd1+64], %r9;"), "F"),
    "a label that nothing jumps to": (between("X:"), "F"),
    "approximations in between": (between("div.approx.ftz.f32 %f3, %f3, %f4; ex2.approx.ftz.f32 %f3, %f3;"), "F"),
    "a guarded operation in between": (between("@%p1 add.f32 %f3, %f3, %f4;"), "F"),
    "a fence in between": (between("membar.gl;"), "."),
    "fence.acq_rel in between": (between("fence.acq_rel.gpu;"), "."),
    "an exit in between": (between("@%p1 exit;"), "."),
    "a guarded store in between": (between("@%p1 st.global.f32 [%rd1+64], %f4;"), "."),
    "a guarded barrier in between": (between("@%p1 bar.sync 0;"), "."),
    "a division in between": (between("div.rn.f32 %f3, %f3, %f4;"), "."),
    "an integer division in between": (between("div.u64 %rd5, %rd2, %rd1; st.global.u64 [%rd1+64], %rd5;"), "."),
    "a square root in between": (between("sqrt.rn.f32 %f3, %f3;"), "."),
    "pmevent in between": (between("pmevent 1;"), "."),
    "a branch in between": (between("@%p1 bra X; st.global.f32 [%rd1+64], %f4; X:"), "."),
    "a sum in one branch": (f32(f"mov.f32 %f9, %f4; {MUL} @%p1 bra X; bar.sync 0; {ADD} X:"), "."),
    "a product of two branches": (f32(f"@%p1 bra X; {MUL} bra Y; X: mul.f32 %f8, %f1, %f4; Y: {ADD}"), "."),
    "a sum here and one behind a branch": (
        f"{MUL} {ADD} {OUT} @%p1 bra X; bar.sync 0; add.f32 %f10, %f8, %f4; {OUT2} X:",
        "..",
    ),
    "within a loop": (
        f32(
            "mov.f32 %f9, %f3; mov.u32 %r9, 0; X: ld.global.f32 %f7, [%rd2+512]; mul.f32 %f8, %f7, %f2; "
            "add.f32 %f9, %f9, %f8; bar.sync 0; add.u32 %r9, %r9, 1; setp.lt.u32 %p3, %r9, %r1; @%p3 bra X;"
        ),
        "F",
    ),
}

# What ptxas fuses after it has rewritten the code; here these stay apart.
NOT_FOLLOWED = {
    "a copy of the product": (f32(f"{MUL} mov.f32 %f7, %f8; add.f32 %f9, %f7, %f3;"), "F"),
    "the product with its sign turned": (f32(f"{MUL} neg.f32 %f8, %f8; {ADD}"), "F"),
    "a jump to the next line": (between("bra X; X:"), "F"),
    "rcp.approx": (f32(f"rcp.approx.f32 %f8, %f1; {ADD}"), "F"),
    "a result that nothing uses": (between("max.f32 %f10, %f8, %f4;"), "F"),
    "both factors are written in between": (between("mov.f32 %f1, %f4; mov.f32 %f2, %f4;"), "F"),
}


def text_of(*bodies: str) -> str:
    """A module with the kernels k, k1, k2, ..."""
    kernels = [KERNEL.replace(" k(", f" k{number or ''}(") + body + END for number, body in enumerate(bodies)]
    return "".join([HEAD, *kernels])
