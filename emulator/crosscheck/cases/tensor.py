"""Tensor cores: mma.sync and wgmma on registers and shared memory of random numbers, corners and random bits.

Operands are given as raw fragments: what a lane holds is what the array says, and the layout is the instruction's
business.  So one model of the unit verifies every form, whichever way its operands come.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import Case, kernel_text

TILES = 64
KINDS = ("near", "edges", "bits")
QUESTION = "Is it one fused dot-add: F fraction bits, truncated, the whole K in one step?"

# opcode behind mma.sync.aligned, type of a and b, of c and d, words a lane of a, b, c, d
MMA = (
    ("m16n8k16.row.col.f32.f16.f16.f32", "f16", "f32", 4, 2, 4, 4),
    ("m16n8k16.row.col.f16.f16.f16.f16", "f16", "f16", 4, 2, 2, 2),
    ("m16n8k8.row.col.f32.f16.f16.f32", "f16", "f32", 2, 1, 4, 4),
    ("m16n8k8.row.col.f16.f16.f16.f16", "f16", "f16", 2, 1, 2, 2),
    ("m16n8k16.row.col.f32.bf16.bf16.f32", "bf16", "f32", 4, 2, 4, 4),
    ("m16n8k8.row.col.f32.bf16.bf16.f32", "bf16", "f32", 2, 1, 4, 4),
    ("m16n8k8.row.col.f32.tf32.tf32.f32", "f32", "f32", 4, 2, 4, 4),
    ("m16n8k4.row.col.f32.tf32.tf32.f32", "f32", "f32", 2, 1, 4, 4),
    ("m16n8k16.row.col.f32.e4m3.e4m3.f32", "e4m3", "f32", 2, 1, 4, 4),
    ("m16n8k32.row.col.f32.e4m3.e4m3.f32", "e4m3", "f32", 4, 2, 4, 4),
    ("m16n8k32.row.col.f32.e5m2.e4m3.f32", "e5m2", "f32", 4, 2, 4, 4),
    ("m16n8k32.row.col.f16.e4m3.e4m3.f16", "e4m3", "f16", 4, 2, 2, 2),
    ("m16n8k32.row.col.satfinite.s32.s8.s8.s32", "s8", "s32", 4, 2, 4, 4),
    ("m16n8k32.row.col.s32.u8.s8.s32", "s8", "s32", 4, 2, 4, 4),
    ("m16n8k64.row.col.satfinite.s32.s4.s4.s32", "s8", "s32", 4, 2, 4, 4),
    ("m16n8k256.row.col.s32.b1.b1.s32.and.popc", "s8", "s32", 4, 2, 4, 4),
    ("m16n8k256.row.col.s32.b1.b1.s32.xor.popc", "s8", "s32", 4, 2, 4, 4),
    ("m8n8k4.row.col.f32.f16.f16.f32", "f16", "f32", 2, 2, 8, 8),
    ("m8n8k4.row.col.f64.f64.f64.f64", "f64", "f64", 2, 2, 4, 4),
    ("m16n8k16.row.col.f64.f64.f64.f64", "f64", "f64", 16, 8, 8, 8),
)
# shape and types behind wgmma.mma_async.sync.aligned, types, bytes of K, words a thread of d, immediates behind scale-d
WGMMA = (
    ("m64n8k16.f32.f16.f16", "f16", "f32", 32, 8, 4, "1, 1, 0, 0"),
    ("m64n8k16.f16.f16.f16", "f16", "f16", 32, 8, 2, "1, 1, 0, 0"),
    ("m64n8k16.f32.bf16.bf16", "bf16", "f32", 32, 8, 4, "1, 1, 0, 0"),
    ("m64n8k16.f32.f16.f16", "f16", "f32", 32, 8, 4, "-1, 1, 0, 0"),
    ("m64n256k16.f32.bf16.bf16", "bf16", "f32", 32, 256, 128, "1, 1, 0, 0"),
    ("m64n8k8.f32.tf32.tf32", "f32", "f32", 32, 8, 4, "1, 1"),
    ("m64n8k32.f32.e4m3.e4m3", "e4m3", "f32", 32, 8, 4, "1, 1"),
    ("m64n8k32.f32.e5m2.e5m2", "e5m2", "f32", 32, 8, 4, "1, 1"),
    ("m64n8k32.f16.e4m3.e5m2", "e4m3", "f16", 32, 8, 2, "1, 1"),
    ("m64n256k32.f32.e4m3.e4m3", "e4m3", "f32", 32, 256, 128, "1, 1"),
    ("m64n8k32.s32.s8.s8", "s8", "s32", 32, 8, 4, ""),
)
BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8, "e4m3": 1, "e5m2": 1, "s8": 1, "s32": 4}


def cases() -> Iterator[Case]:
    """Every form with every kind of numbers."""
    for form in MMA:
        for kind in KINDS if form[1] not in ("s8",) else ("bits", "edges"):
            yield _mma(*form, kind=kind)
    for shape in WGMMA:
        for kind in KINDS if shape[1] != "s8" else ("bits",):
            for source in ("descriptor", "registers"):
                yield _wgmma(*shape, kind=kind, source=source)


def numbers(kind: str, number: str, words: int, position: int) -> str:
    """Where an array of so many 32-bit words of numbers comes from."""
    count = words * 4 // BYTES[number]
    if kind == "near" and number not in ("s8", "s32"):
        return f"near {number} {count}"
    if kind == "edges" and number in ("f16", "bf16", "f32", "f64"):
        return f"edges {number} {8 * BYTES[number]} {count} {2 + position}"
    return f"bits 32 {words}" if number != "s32" or kind == "bits" else f"edges s32 32 {words} 2"


def load_words(name: str, count: int, letter: str, each: int) -> str:
    """Load a lane's words of an array, each of `each` bytes, into %LETTER0 ... in order."""
    kind = "b64" if each == 8 else "b32"
    text = f"    .reg .{kind} %{letter}<{count}>;\n    .reg .b64 %at_{letter};\n"
    text += f"    mad.wide.u32 %at_{letter}, %i, {count * each}, %{name};\n"
    return text + "".join(f"    ld.global.{kind} %{letter}{n}, [%at_{letter}+{each * n}];\n" for n in range(count))


def store_words(count: int, each: int) -> str:
    """Store a lane's words %y0 ... to the array d."""
    kind = "b64" if each == 8 else "b32"
    text = f"    .reg .b64 %to;\n    mad.wide.u32 %to, %i, {count * each}, %d;\n"
    return text + "".join(f"    st.global.{kind} [%to+{each * n}], %y{n};\n" for n in range(count))


def vector(letter: str, count: int) -> str:
    """`{%u0, %u1}`."""
    return "{" + ", ".join(f"%{letter}{n}" for n in range(count)) + "}"


def _mma(opcode: str, number: str, sum_: str, a: int, b: int, c: int, d: int, *, kind: str) -> Case:
    each = 8 if number == "f64" else 4
    counts = [words * 4 // each for words in (a, b, c, d)]
    body = "".join(
        load_words(name, count, letter, each) for name, count, letter in zip("abc", counts[:3], "uvw", strict=True)
    )
    register = "b64" if each == 8 else "b32"
    body += f"    .reg .{register} %y<{counts[3]}>;\n"
    parts = (vector("y", counts[3]), vector("u", counts[0]), vector("v", counts[1]), vector("w", counts[2]))
    body += f"    mma.sync.aligned.{opcode} {', '.join(parts)};\n{store_words(counts[3], each)}"
    lanes = 32 * TILES
    arguments = [
        ("a", numbers(kind, number, lanes * a, 0)),
        ("b", numbers(kind, number, lanes * b, 1)),
        ("c", numbers(kind, sum_, lanes * c, 2)),
        ("d", f"u32[{lanes * d}]"),
    ]
    text = kernel_text(("a", "b", "c", "d"), body)
    name = f"mma.sync.{opcode} {kind}"
    return Case(name, "tensor", text, tuple(arguments), ("d",), "k", (TILES,), (32,), question=QUESTION)


TO_SHARED = """
    .reg .pred %copying;
    .reg .b32 %word, %place, %shared_a, %shared_b;
    .reg .b64 %from, %desc_a, %desc_b;
    mov.u32 %shared_a, tile_a;
    mov.u32 %shared_b, tile_b;
"""


def copy_tile(name: str, size: int, label: str, *, one_for_all: bool = False) -> str:
    """All 128 threads copy a tile to shared memory: that of their CTA, or the only one."""
    return f"""
    mov.u32 %word, %thread;
{label}:
    mad.lo.u32 %place, %cta, {0 if one_for_all else size // 4}, %word;
    mad.wide.u32 %from, %place, 4, %{name};
    ld.global.u32 %place, [%from];
    .reg .b32 %into_{name};
    mad.lo.u32 %into_{name}, %word, 4, %shared_{name};
    st.shared.u32 [%into_{name}], %place;
    add.u32 %word, %word, 128;
    setp.lt.u32 %copying, %word, {size // 4};
@%copying bra {label};
"""


def descriptor(name: str, leading: int, stride: int) -> str:
    """No swizzle, K-major: core matrices of 8 rows by 16 bytes, `leading` bytes along K and `stride` along rows."""
    high = (leading >> 4) << 16 | (stride >> 4) << 32
    return f"""
    shr.u32 %place, %shared_{name}, 4;
    and.b32 %place, %place, 0x3fff;
    cvt.u64.u32 %desc_{name}, %place;
    or.b64 %desc_{name}, %desc_{name}, {high};
"""


def _wgmma(
    shape: str, number: str, sum_: str, k_bytes: int, n: int, words: int, immediates: str, *, kind: str, source: str
) -> Case:
    size_a, size_b = 64 * k_bytes, n * k_bytes
    tiles = TILES // 2 if n == 8 else 4
    body = TO_SHARED + copy_tile("a", size_a, "COPY_A") + copy_tile("b", size_b, "COPY_B")
    body += "    fence.proxy.async;\n    bar.sync 0;\n" + descriptor("a", 128, 256) + descriptor("b", 128, 256)
    body += load_words("c", words, "y", 4) + (load_words("a", 4, "u", 4) if source == "registers" else "")
    first = "%desc_a" if source == "descriptor" else vector("u", 4)
    behind = immediates
    if source == "registers" and immediates.count(",") == 3:
        behind = immediates.rpartition(",")[0]  # only b may be transposed then
    behind = f", {behind}" if behind else ""
    body += f"""    .reg .pred %add;
    setp.ne.u32 %add, %threads, 0;
    wgmma.fence.sync.aligned;
    wgmma.mma_async.sync.aligned.{shape} {vector("y", words)}, {first}, %desc_b, %add{behind};
    wgmma.commit_group.sync.aligned;
    wgmma.wait_group.sync.aligned 0;
{store_words(words, 4)}"""
    shared = f".shared .align 128 .b8 tile_a[{size_a}];\n.shared .align 128 .b8 tile_b[{size_b}];\n"
    arguments = (
        ("a", numbers(kind, number, tiles * size_a // 4, 0)),
        ("b", numbers(kind, number, tiles * size_b // 4, 1)),
        ("c", numbers(kind, sum_, tiles * 128 * words, 2)),
        ("d", f"u32[{tiles * 128 * words}]"),
    )
    sign = " negated" if "-1" in immediates else ""
    name = f"wgmma.{shape}{sign} a from {source}, {kind}"
    text = kernel_text(("a", "b", "c", "d"), body, shared)
    return Case(name, "tensor", text, arguments, ("d",), "k", (tiles,), (128,), question=QUESTION)
