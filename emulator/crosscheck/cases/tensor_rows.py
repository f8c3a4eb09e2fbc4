"""Tensor cores against themselves: single rows that decide between models, and two ways to one result.

A kernel here computes the same dot products twice, by mma.sync and by wgmma, with A from registers and from shared
memory, or as the first columns of ever wider tiles, and its output says where the two differ.  K is always 32 bytes,
for which all these instructions have the same fragments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emulator.crosscheck.case import Case, kernel_text
from emulator.crosscheck.cases.tensor import TO_SHARED, copy_tile, descriptor, load_words, numbers, vector

MANY = 2048  # tiles of 64 x 8 results: 2^20
FEW = 64
THREADS = 128


@dataclass(frozen=True)
class Form:
    """The two instructions of one kind of product.  words: of C and D a lane."""

    mma: str
    wgmma: str
    operand: str
    result: str
    words: int
    immediates: str  # of wgmma with A in registers

    @property
    def name(self) -> str:
        return f"{self.operand} to {self.result}"


FORMS = {
    form.name: form
    for form in (
        Form("m16n8k16.row.col.f32.f16.f16.f32", "m64n8k16.f32.f16.f16", "f16", "f32", 4, ", 1, 1, 0"),
        Form("m16n8k16.row.col.f16.f16.f16.f16", "m64n8k16.f16.f16.f16", "f16", "f16", 2, ", 1, 1, 0"),
        Form("m16n8k16.row.col.f32.bf16.bf16.f32", "m64n8k16.f32.bf16.bf16", "bf16", "f32", 4, ", 1, 1, 0"),
        Form("m16n8k8.row.col.f32.tf32.tf32.f32", "m64n8k8.f32.tf32.tf32", "f32", "f32", 4, ", 1, 1"),
        Form("m16n8k32.row.col.f32.e4m3.e4m3.f32", "m64n8k32.f32.e4m3.e4m3", "e4m3", "f32", 4, ", 1, 1"),
        Form("m16n8k32.row.col.f16.e4m3.e4m3.f16", "m64n8k32.f16.e4m3.e4m3", "e4m3", "f16", 2, ", 1, 1"),
        Form("m16n8k32.row.col.f32.e5m2.e5m2.f32", "m64n8k32.f32.e5m2.e5m2", "e5m2", "f32", 4, ", 1, 1"),
        Form("m16n8k32.row.col.s32.s8.s8.s32", "m64n8k32.s32.s8.s8", "s8", "s32", 4, ""),
    )
}
# name, form, elements of A, elements of B (hexadecimal, the rest zeros), C, question, guess
ROWS = (
    ("zero_times_huge", "bf16 to f32", "0 2180", "7f00 3f80", 0, "Does a zero operand align?", "0"),
    ("zero_times_huge_neg", "bf16 to f32", "8000 2b80", "7f00 3f80", 0, "Does a negative zero?", "0"),
    ("czero_floor", "bf16 to f32", "1980*16", "1900*16", 0, "Is C = 0 an exponent of -126?", "yes: 0"),
    ("czero_floor_mix", "bf16 to f32", "1980*8", "1980*8", 0, "The same, for pieces of 2^-152?", "yes: 0"),
    ("min_exp_133", "bf16 to f32", "1f80 1780*15", "1500 1780*15", 0, "Where does the alignment end?", "1"),
    ("neg_underflow", "bf16 to f32", "9780", "1780", 0, "Which sign has an underflow?", "+0"),
    ("exact_cancel", "f16 to f32", "3c00 bc00", "3c00*2", 0, "Which sign has 1 - 1?", "+0"),
    ("all_neg_zero", "f16 to f32", "8000*16", "3c00*16", 1 << 31, "Which sign has a sum of -0?", "+0"),
    ("c_neg_zero_only", "f16 to f32", "0", "0", 1 << 31, "Does C = -0 pass through?", "no: +0"),
    ("c_subnormal_pass", "f16 to f32", "0", "0", 1, "Does a subnormal C pass through?", "yes"),
    ("c_passthrough", "f16 to f32", "0", "0", 0x3F812345, "Does any C pass through?", "yes"),
    ("f16_sticky", "f16 to f16", "c00 1", "800 1", 0, "Does the tail count for a tie?", "yes: 1"),
    ("f16_overflow_tie", "f16 to f16", "4c00", "3c00", 0x7BFF7BFF, "Does 65504 + 16 overflow?", "infinity"),
    ("f16_neg_underflow", "f16 to f16", "8800", "800", 0, "Which sign has an f16 underflow?", "+0"),
    ("f32_overflow_rz", "bf16 to f32", "5980", "5980", 0x7F7FFFFF, "Infinity or the largest?", "infinity"),
    ("f32_product_overflow", "bf16 to f32", "7f00 ff00 3f80", "7f00*2 3f80", 0, "Do products > 2^128 cancel?", "yes"),
    ("nan_payload_c", "f16 to f32", "0", "0", 0xFFC12345, "Which NaN does a NaN in C give?", "0x7fffffff"),
    ("nan_f16", "f16 to f16", "0", "0", 0xFE01FE01, "Which f16 NaN does a NaN in C give?", "0x7fff"),
    ("inf_times_zero", "f16 to f32", "7c00", "0", 0, "Which NaN is infinity times 0?", "0x7fffffff"),
    ("inf_minus_inf", "f16 to f32", "7c00 fc00", "3c00*2", 0, "Which NaN is infinity - infinity?", "0x7fffffff"),
    ("carry_27", "f16 to f32", "3fff*16", "3fff*16", 0x407FFFFF, "Is the sum exact at first?", "0x4287e001"),
    ("c_dominates", "f16 to f32", "3c01*16", "3c00*16", 0x4C800000, "What does a large C cut off?", "0x4c800000"),
    ("tf32_low_bits", "f32 to f32", "3f801fff", "3f800000", 0, "Are 13 bits cut off?", "0x3f800000"),
    ("tf32_nan_low", "f32 to f32", "7f800001", "3f800000", 0, "What is a NaN cut off?", "infinity"),
    ("tf32_subnormal", "f32 to f32", "402000", "7e800000", 0, "Do subnormal tf32 numbers count?", "0x3f004000"),
    ("fp8_c_trunc", "e4m3 to f32", "0", "0", 0x3F800008, "Does FP8 cut C to 13 bits?", "wgmma: 0x3f800000"),
    ("fp8_c_trunc2", "e4m3 to f32", "1", "1", 0x3F800600, "Relative to which exponent?", "wgmma: 0x3f800400"),
    ("fp8_neg_trunc", "e4m3 to f32", "81*4", "1*4", 0xBF800000, "Is it cut towards zero?", "wgmma: 0xbf800000"),
    ("fp8_norm_loss", "e4m3 to f32", "3f*32", "3f*32", 0x3B800000, "Is the result cut again?", "wgmma: 0x42e10000"),
    ("fp8_nan", "e4m3 to f32", "7f", "0", 0, "Which NaN does an FP8 NaN give?", "0x7fffffff"),
    ("fp8_c_subnormal", "e4m3 to f32", "0", "0", 0x80001, "What becomes of a subnormal C?", "wgmma: 0x80000"),
)  # fmt: skip
BITS = {"f16": 16, "bf16": 16, "f32": 32, "e4m3": 8}
SAME = "Are the bits equal that {}?"

_LANES = """
    .reg .b32 %lane, %quad, %column;
    and.b32 %lane, %thread, 31;
    and.b32 %quad, %lane, 3;
    shr.u32 %column, %lane, 2;
"""
_B_TO_SHARED = """
    .reg .b32 %corner;
    mad.lo.u32 %corner, %column, 16, %shared_b;
    mad.lo.u32 %corner, %quad, 4, %corner;
    st.shared.b32 [%corner], %v0;
    st.shared.b32 [%corner+128], %v1;
    fence.proxy.async;
    bar.sync 0;
"""


def cases() -> Iterator[Case]:
    """Single rows; mma.sync and wgmma; A from both places; all widths."""
    for row in ROWS:
        yield _row(*row)
    for form in FORMS.values():
        yield _both_instructions(form, MANY if form.operand in ("f16", "bf16", "f32") else FEW)
        yield _both_places(form)
    for n in range(8, 257, 8):
        yield _width(FORMS["f16 to f32"], n)
    for n in (8, 64, 128, 256):
        yield _width(FORMS["e4m3 to f32"], n)


def _words_of(elements: str, width: int) -> str:
    """32 bytes of elements as the SPEC of eight words; `3c00*4` stands for four of them."""
    values: list[int] = []
    for part in elements.split():
        value, _, count = part.partition("*")
        values += [int(value, 16)] * int(count or 1)
    number = sum(value << width * place for place, value in enumerate(values))
    words = [str(number >> 32 * place & 0xFFFFFFFF) for place in range(8)]
    return f"u32[8] = [{', '.join(words)}]"


def _mma(form: Form, target: str) -> str:
    words, d = form.words, vector(target, form.words)
    return f"    mma.sync.aligned.{form.mma} {d}, {vector('u', 4)}, {vector('v', 2)}, {vector('w', words)};\n"


def _wgmma(form: Form, target: str, a: str, immediates: str) -> str:
    """On top of C in %w."""
    moves = "".join(f"    mov.b32 %{target}{n}, %w{n};\n" for n in range(form.words))
    return f"""{moves}    wgmma.fence.sync.aligned;
    wgmma.mma_async.sync.aligned.{form.wgmma} {vector(target, form.words)}, {a}, %desc_b, %add{immediates};
    wgmma.commit_group.sync.aligned;
    wgmma.wait_group.sync.aligned 0;
"""


def _declared(form: Form) -> str:
    text = f"    .reg .b32 %y<{form.words}>, %z<{form.words}>;\n    .reg .pred %add;\n"
    return text + "    setp.ne.u32 %add, %threads, 0;\n"


def _row(name: str, form_name: str, a: str, b: str, c: int, question: str, guess: str) -> Case:
    """Every row of A and every column of B is the same: all results of both instructions are this one."""
    form = FORMS[form_name]
    body = _LANES + TO_SHARED + "    .reg .b32 %u<4>, %v<2>, %w<4>;\n"
    for letter, array in (("u", "a"), ("v", "b")):
        body += f"    mad.wide.u32 %from, %quad, 4, %{array};\n"
        body += f"    ld.global.b32 %{letter}0, [%from];\n    ld.global.b32 %{letter}1, [%from+16];\n"
    body += "    mov.b32 %u2, %u1;\n    mov.b32 %u3, %u1;\n    mov.b32 %u1, %u0;\n"
    body += "".join(f"    ld.global.b32 %w{n}, [%c];\n" for n in range(4))
    body += _B_TO_SHARED + descriptor("b", 128, 256) + _declared(form) + _mma(form, "y")
    body += _wgmma(form, "z", vector("u", 4), form.immediates)
    for array, letter in (("by_mma", "y"), ("by_wgmma", "z")):
        body += f"    mad.wide.u32 %from, %i, 4, %{array};\n    st.global.b32 [%from], %{letter}0;\n"
    shared = ".shared .align 128 .b8 tile_a[256];\n.shared .align 128 .b8 tile_b[256];\n"
    text = kernel_text(("a", "b", "c", "by_mma", "by_wgmma"), body, shared)
    width = BITS[form.operand]
    arguments = (
        ("a", _words_of(a, width)),
        ("b", _words_of(b, width)),
        ("c", f"u32[1] = [{c}]"),
        ("by_mma", f"u32[{THREADS}]"),
        ("by_wgmma", f"u32[{THREADS}]"),
    )
    outputs = ("by_mma", "by_wgmma")
    named = f"row {name}, {form.name}"
    return Case(named, "tensor", text, arguments, outputs, "k", (1,), (THREADS,), question=question, guess=guess)


def _difference(form: Form) -> str:
    """Which bits of two results differ, all those of a lane together."""
    text = "    .reg .b32 %one, %all;\n    mov.u32 %all, 0;\n"
    for n in range(form.words):
        text += f"    xor.b32 %one, %y{n}, %z{n};\n    or.b32 %all, %all, %one;\n"
    return text + "    mad.wide.u32 %from, %i, 4, %differ;\n    st.global.b32 [%from], %all;\n"


def _compared(name: str, form: Form, body: str, tiles: int, question: str) -> Case:
    shared = ".shared .align 128 .b8 tile_a[2048];\n.shared .align 128 .b8 tile_b[256];\n"
    text = kernel_text(("a", "b", "c", "differ"), body, shared)
    kind = "bits" if form.operand == "s8" else "near"
    arguments = (
        ("a", numbers(kind, form.operand, tiles * 512, 0)),
        ("b", numbers(kind, form.operand, tiles * 64, 1)),
        ("c", numbers(kind, form.result, tiles * THREADS * form.words, 2)),
        ("differ", f"u32[{tiles * THREADS}]"),
    )
    return Case(name, "tensor", text, arguments, ("differ",), "k", (tiles,), (THREADS,), question=question)


def _both_instructions(form: Form, tiles: int) -> Case:
    """mma.sync and wgmma on the same random rows; fragments of A are given, B goes to shared memory for wgmma."""
    body = _LANES + TO_SHARED + load_words("a", 4, "u", 4) + load_words("c", form.words, "w", 4)
    body += (
        "    .reg .b32 %v<2>;\n    mad.lo.u32 %place, %cta, 64, %quad;\n    mad.lo.u32 %place, %column, 4, %place;\n"
    )
    body += "    mad.wide.u32 %from, %place, 4, %b;\n"
    body += "    ld.global.b32 %v0, [%from];\n    ld.global.b32 %v1, [%from+128];\n"
    body += _B_TO_SHARED + descriptor("b", 128, 256) + _declared(form) + _mma(form, "y")
    body += _wgmma(form, "z", vector("u", 4), form.immediates) + _difference(form)
    question = SAME.format("mma.sync and wgmma give for the same rows")
    return _compared(f"mma.sync against wgmma, {form.name}, {tiles * 512} results", form, body, tiles, question)


def _both_places(form: Form) -> Case:
    """The same A from shared memory and, read from there, from registers."""
    body = _LANES + TO_SHARED + copy_tile("a", 2048, "COPY_A") + copy_tile("b", 256, "COPY_B")
    body += "    fence.proxy.async;\n    bar.sync 0;\n" + descriptor("a", 128, 256) + descriptor("b", 128, 256)
    body += load_words("c", form.words, "w", 4) + "    .reg .b32 %u<4>, %corner;\n"
    body += "    shr.u32 %corner, %thread, 5;\n    mad.lo.u32 %corner, %corner, 512, %shared_a;\n"
    body += "    mad.lo.u32 %corner, %column, 16, %corner;\n    mad.lo.u32 %corner, %quad, 4, %corner;\n"
    for n, offset in enumerate((0, 256, 128, 384)):
        body += f"    ld.shared.b32 %u{n}, [%corner+{offset}];\n"
    twice = f"{form.immediates}, 0" if form.immediates.count(",") == 3 else form.immediates
    body += _declared(form) + _wgmma(form, "y", "%desc_a", twice)
    body += _wgmma(form, "z", vector("u", 4), form.immediates) + _difference(form)
    question = SAME.format("A in registers and A in shared memory give")
    return _compared(f"wgmma, A from both places, {form.name}", form, body, FEW, question)


def _width(form: Form, n: int) -> Case:
    """The first eight columns of a tile of n: the inputs of those are the same for all n."""
    shape, words = form.wgmma.replace("n8k", f"n{n}k"), n // 2
    body = TO_SHARED + copy_tile("b", 32 * n, "COPY_B", one_for_all=True) + "    fence.proxy.async;\n    bar.sync 0;\n"
    body += descriptor("b", 128, 256) + load_words("a", 4, "u", 4) + load_words("c", 4, "w", 4)
    body += f"    .reg .b32 %y<{words}>;\n    .reg .pred %add;\n    setp.ne.u32 %add, %threads, 0;\n"
    body += "".join(f"    mov.b32 %y{place}, {f'%w{place}' if place < 4 else '0'};\n" for place in range(words))
    body += f"""    wgmma.fence.sync.aligned;
    wgmma.mma_async.sync.aligned.{shape} {vector("y", words)}, {vector("u", 4)}, %desc_b, %add{form.immediates};
    wgmma.commit_group.sync.aligned;
    wgmma.wait_group.sync.aligned 0;
    mad.wide.u32 %from, %i, 16, %d;
    st.global.v4.b32 [%from], {vector("y", 4)};
"""
    shared = f".shared .align 128 .b8 tile_a[256];\n.shared .align 128 .b8 tile_b[{32 * n}];\n"
    arguments = (
        ("a", numbers("near", form.operand, 4 * 512, 0)),
        ("b", numbers("near", form.operand, 8 * n, 1)),
        ("c", numbers("near", "f32", 4 * THREADS * 4, 2)),
        ("d", f"u32[{4 * THREADS * 4}]"),
    )
    text = kernel_text(("a", "b", "c", "d"), body, shared)
    question = SAME.format("a row gives in tiles of all widths")
    return Case(
        f"wgmma, first columns of n{n}, {form.name}", "tensor", text, arguments, ("d",), "k", (4,), (THREADS,),
        question=question,
    )  # fmt: skip
