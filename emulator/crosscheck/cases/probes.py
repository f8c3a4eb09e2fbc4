"""What no document answers: a kernel for each open question, and the emulator's guess."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emulator.crosscheck.case import Case, address, kernel_text
from emulator.crosscheck.cases.opcodes import case_of

F64_NAN = "of NaN operands the first is kept, made quiet; the canonical NaN is 0xfff8000000000000"
MANUAL = "the manual is followed, ptxas may not"
QUESTIONS = (
    ("add.rn.f64", "Which NaN comes out of an f64 sum?", F64_NAN),
    ("mul.rn.f64", "Which NaN comes out of an f64 product?", F64_NAN),
    ("fma.rn.f64", "Which NaN comes out of an f64 fma?", F64_NAN),
    ("min.f64", "Which NaN comes out of an f64 minimum?", "the number; of two NaN b made quiet"),
    ("max.f64", "Which NaN comes out of an f64 maximum?", "the number; of two NaN b made quiet"),
    ("abs.f64", "Does abs.f64 keep a NaN's bits?", "yes"),
    ("cvt.f64.f32", "Which f64 NaN does an f32 NaN become?", "the canonical one"),
    ("cvt.f32.f16", "Which f32 NaN does an f16 NaN become?", "0x7fffffff"),
    ("cvt.ftz.f32.f16", "Are the results of converting subnormal f16 numbers flushed?", "no: they are normal in f32"),
    ("cvt.rn.ftz.f32.f64", "When is a result tiny: before or after rounding?", "after, with an unbounded exponent"),
    ("cvt.rn.tf32.f32", "What does cvt.rn.tf32 make of NaN?", "0x7fffe000"),
    ("cvt.rz.tf32.f32", "What does cvt.rz.tf32 make of NaN?", "0x7fffe000"),
    ("cvt.rna.tf32.f32", "What does cvt.rna.tf32 make of NaN with a payload in its low bits?", "infinity"),
    ("fma.rn.oob.f16", "Which NaN are out of bounds to fma.oob?", "all"),
    ("div.u32", "What is a quotient by zero?", "all ones"),
    ("rem.u32", "What is a remainder of a division by zero?", "all ones"),
    ("div.s64", "What is a signed 64-bit quotient by zero?", "all ones"),
    ("rem.s64", "What is a signed 64-bit remainder of a division by zero?", "all ones"),
    ("rem.u16", "What is a 16-bit remainder of a division by zero?", "all ones"),
    ("min.xorsign.abs.f32", "What does min.xorsign.abs give of NaN?", "the other operand's magnitude"),
    ("tanh.approx.f32", "Which NaN comes out of the unit?", "0x7fffffff"),
    ("fns.b32", "What is fns with the offset INT_MIN?", MANUAL),
    ("div.full.f32", "Does div.full scale as its machine code says?", "yes"),
    ("div.approx.f32", "Does div.approx scale as its machine code says?", "yes"),
    ("rsqrt.approx.f64", "Which f64 does rsqrt.approx.f64 give?", "a model of our own"),
)


def cases() -> Iterator[Case]:
    """All questions."""
    for opcode, question, guess in QUESTIONS:
        yield replace(case_of(opcode, 4096), name=f"{opcode}?", group="probes", question=question, guess=guess)
    yield from _video()
    yield from _kernels()


_VIDEO = (
    ("vadd.s32.u32.u32.min", "a, b, c", "On what bits does vadd compare in its second operation?"),
    ("vsub.s32.s32.s32.max", "a, b, c", "On what bits does vsub compare in its second operation?"),
    ("vmad.u32.u32.u32.sat", "a, b, c", "Does vmad.u32.u32.u32.sat multiply as signed?"),
    ("vset.u32.u32.lt.min", "a, b, c", "Does vset with .min take c as signed?"),
)


def _video() -> Iterator[Case]:
    for opcode, operands, question in _VIDEO:
        body = "".join(
            address(f"%at_{name}", name, 4)
            + f"    .reg .b32 %{name}_in;\n    ld.global.u32 %{name}_in, [%at_{name}];\n"
            for name in ("a", "b", "c")
        )
        used = ", ".join(f"%{name}_in" for name in operands.split(", "))
        body += f"    .reg .b32 %result;\n    {opcode} %result, {used};\n"
        body += address("%to", "d", 4) + "    st.global.u32 [%to], %result;"
        arguments = tuple((name, f"edges u32 32 4096 {n}") for n, name in enumerate("abc"))
        arguments += (("d", "u32[4096]"),)
        text = kernel_text(("a", "b", "c", "d"), body)
        yield Case(f"{opcode}?", "probes", text, arguments, ("d",), "k", (32,), (128,), question=question, guess=MANUAL)


_ELECT = """
    .reg .pred %p, %q;
    .reg .b32 %leader, %won, %mask, %lane;
    mov.u32 %lane, %laneid;
    ld.global.u32 %mask, [%masks];
    mov.u32 %won, 0;
    mov.u32 %leader, 0xffffffff;
    mov.u32 %mask, 0xfffffff0;
    setp.lt.u32 %q, %lane, 4;
@%q bra DONE;
    elect.sync %leader|%p, %mask;
    selp.u32 %won, 1, 0, %p;
DONE:
    shl.b32 %won, %won, 8;
    or.b32 %won, %won, %leader;
    st.global.u32 [%to], %won;
"""
_SHUFFLE = """
    .reg .pred %p;
    .reg .b32 %mine, %got;
    mul.lo.u32 %mine, %i, 0x01010101;
    mov.u32 %got, 0x0badf00d;
    setp.lt.u32 %p, %i, 16;
@!%p bra DONE;
    shfl.sync.idx.b32 %got, %mine, 20, 31, 0x0000ffff;
DONE:
    st.global.u32 [%to], %got;
"""
_SUM = """
    .reg .f32 %x;
    .reg .b64 %from;
    mad.wide.u32 %from, %i, 4, %masks;
    ld.global.f32 %x, [%from];
    red.global.add.f32 [%to], %x;
    .shared .align 4 .f32 near[32];
    .reg .b32 %place;
    .reg .f32 %y, %old;
    mov.u32 %place, near;
    mad.lo.u32 %place, %thread, 4, %place;
    st.shared.f32 [%place], %x;
    atom.shared.add.f32 %old, [%place], %x;
    ld.shared.f32 %y, [%place];
    st.global.f32 [%to+128], %y;
"""
_HALF_SUM = """
    .reg .b32 %x;
    .reg .b64 %from;
    mad.wide.u32 %from, %i, 4, %masks;
    ld.global.u32 %x, [%from];
    atom.global.add.noftz.f16x2 %x, [%to], %x;
    st.global.u32 [%to+128], %x;
"""
_HALF_LEAST = """
    .reg .b16 %low, %high, %old<2>;
    .reg .b64 %from;
    mad.wide.u32 %from, %i, 4, %masks;
    ld.global.v2.b16 {%low, %high}, [%from];
    st.global.b16 [%to], %high;
    st.global.b16 [%to+2], %low;
    st.global.b16 [%to+128], %high;
    st.global.b16 [%to+130], %low;
    atom.global.min.noftz.v2.f16 {%old0, %old1}, [%to], {%low, %high};
    atom.global.max.noftz.v2.f16 {%old0, %old1}, [%to+128], {%low, %high};
"""
_BYTES = """
    .shared .align 8 .b64 barrier;
    .reg .pred %p;
    .reg .b32 %bar, %done;
    mov.u32 %bar, barrier;
    mbarrier.init.shared.b64 [%bar], 1;
    mbarrier.complete_tx.relaxed.cta.shared.b64 [%bar], 16;
    mbarrier.arrive.shared.b64 _, [%bar];
    mbarrier.test_wait.parity.shared.b64 %p, [%bar], 0;
    selp.u32 %done, 1, 0, %p;
    st.global.u32 [%to], %done;
    mbarrier.expect_tx.relaxed.cta.shared.b64 [%bar], 16;
    mbarrier.test_wait.parity.shared.b64 %p, [%bar], 0;
    selp.u32 %done, 1, 0, %p;
    st.global.u32 [%to+4], %done;
"""
_PLACES = """
    .shared .align 16 .b8 first[16];
    .reg .b32 %a;
    .reg .b64 %g;
    mov.u32 %a, first;
    st.global.u32 [%out], %a;
    mov.u32 %a, second;
    st.global.u32 [%out+4], %a;
    mov.u32 %a, %total_smem_size;
    st.global.u32 [%out+8], %a;
    mov.u32 %a, %dynamic_smem_size;
    st.global.u32 [%out+12], %a;
    mov.u32 %a, %reserved_smem_offset_begin;
    st.global.u32 [%out+16], %a;
    mov.u32 %a, %reserved_smem_offset_end;
    st.global.u32 [%out+20], %a;
    mov.u32 %a, %nsmid;
    st.global.u32 [%out+24], %a;
    mov.u32 %a, %nwarpid;
    st.global.u32 [%out+28], %a;
"""


def _kernels() -> Iterator[Case]:
    def one(name: str, body: str, question: str, guess: str, source: str, size: int = 32, block: int = 32) -> Case:
        text = kernel_text(("masks", "out"), address("%to", "out", 4) + body)
        arguments = (("masks", source), ("out", f"u32[{size}]"))
        return Case(name, "probes", text, arguments, ("out",), block=(block,), question=question, guess=guess)

    random = "edges f32 32 32 0"
    yield one("elect.sync?", _ELECT, "Which lane does elect.sync choose?", "the lowest", "u32[1]")
    text = "What does shfl.sync give of a lane that is not in the member mask?"
    yield one("shfl.sync outside of its mask?", _SHUFFLE, text, "that lane's register", "u32[1]")
    text = "Which atomic f32 sums flush subnormal numbers?"
    yield one("red.global.add.f32?", _SUM, text, "global ones do, shared ones do not", random, 64)
    text = "What do f16 atomics make of a NaN, and of subnormal numbers?"
    yield one("atom.add.noftz.f16x2?", _HALF_SUM, text, "the canonical NaN; kept", "edges f16x2 32 32 0", 64)
    text = "What do min and max of f16 atomics give beside a NaN?"
    yield one("atom.min.noftz.v2.f16?", _HALF_LEAST, text, "the number", "edges f16x2 32 32 0", 64)
    text = "Does expect_tx complete a phase that has no arrival pending any more?"
    yield one("mbarrier.expect_tx?", _BYTES, text, "yes", "u32[1]", 2, 1)
    places = kernel_text(("out",), _PLACES, ".extern .shared .align 16 .b8 second[];\n")
    arguments = (("out", "u32[8]"),)
    text = "Where do shared variables lie, and what do the registers about them say?"
    yield Case("places in shared memory?", "probes", places, arguments, ("out",), shared=256, block=(1,), question=text)
