"""Sparse matrix products: wgmma.mma_async.sp and mma.sp, with metadata that is the same in every lane."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import Case, kernel_text
from emulator.crosscheck.cases.tensor import (
    TO_SHARED,
    copy_tile,
    descriptor,
    load_words,
    numbers,
    store_words,
    vector,
)

TILES = 32
QUESTION = "Which elements do the bits of the metadata keep, and is the sum that of the dense product?"
HALVES = (0x44444444, 0xEEEEEEEE, 0xE49DC894)  # pairs (0, 1); (2, 3); all pairs that are allowed
WHOLES = (0x44444444, 0xEEEEEEEE, 0x4EE4EE4E)  # tf32: the lower or the upper one of two
# shape and types, operand, result, words of D a lane, immediates, metadata
WGMMA = (
    ("m64n8k32.f32.f16.f16", "f16", "f32", 4, ", 1, 1, 0, 0", HALVES),
    ("m64n8k32.f16.f16.f16", "f16", "f16", 2, ", 1, 1, 0, 0", HALVES),
    ("m64n8k32.f32.bf16.bf16", "bf16", "f32", 4, ", 1, 1, 0, 0", HALVES),
    ("m64n8k16.f32.tf32.tf32", "f32", "f32", 4, ", 1, 1", WHOLES),
    ("m64n8k64.f32.e4m3.e4m3", "e4m3", "f32", 4, ", 1, 1", HALVES),
    ("m64n8k64.f16.e5m2.e5m2", "e5m2", "f16", 2, ", 1, 1", HALVES),
    ("m64n8k64.s32.s8.s8", "s8", "s32", 4, "", HALVES),
)
# shape and types behind mma.sp::ordered_metadata.sync.aligned, the same
MMA = (
    ("m16n8k32.row.col.f32.f16.f16.f32", "f16", "f32", 4, HALVES),
    ("m16n8k32.row.col.f16.f16.f16.f16", "f16", "f16", 2, HALVES),
    ("m16n8k32.row.col.f32.bf16.bf16.f32", "bf16", "f32", 4, HALVES),
    ("m16n8k16.row.col.f32.tf32.tf32.f32", "f32", "f32", 4, WHOLES),
    ("m16n8k64.row.col.f32.e4m3.e4m3.f32", "e4m3", "f32", 4, HALVES),
    ("m16n8k64.row.col.s32.s8.s8.s32", "s8", "s32", 4, HALVES),
)


def cases() -> Iterator[Case]:
    """Every form with every metadata."""
    for shape, operand, result, words, immediates, all_metadata in WGMMA:
        for metadata in all_metadata:
            yield _wgmma(shape, operand, result, words, immediates, metadata)
    for opcode, operand, result, words, all_metadata in MMA:
        for metadata in all_metadata:
            yield _mma(opcode, operand, result, words, metadata)


def _case(name: str, text: str, operand: str, result: str, sizes: tuple[int, int, int], block: int) -> Case:
    kind = "bits" if operand == "s8" else "near"
    a, b, d = sizes
    arguments = (
        ("a", numbers(kind, operand, TILES * a, 0)),
        ("b", numbers(kind, operand, TILES * b, 1)),
        ("c", numbers(kind, result, TILES * d, 2)),
        ("d", f"u32[{TILES * d}]"),
    )
    return Case(name, "tensor", text, arguments, ("d",), "k", (TILES,), (block,), question=QUESTION)


def _wgmma(shape: str, operand: str, result: str, words: int, immediates: str, metadata: int) -> Case:
    body = TO_SHARED + copy_tile("a", 2048, "COPY_A") + copy_tile("b", 512, "COPY_B")
    body += "    fence.proxy.async;\n    bar.sync 0;\n" + descriptor("a", 128, 256) + descriptor("b", 128, 512)
    body += load_words("c", words, "y", 4)
    body += f"""    .reg .pred %add;
    .reg .b32 %meta;
    mov.b32 %meta, {metadata};
    setp.ne.u32 %add, %threads, 0;
    wgmma.fence.sync.aligned;
    wgmma.mma_async.sp.sync.aligned.{shape} {vector("y", words)}, %desc_a, %desc_b, %meta, 0, %add{immediates};
    wgmma.commit_group.sync.aligned;
    wgmma.wait_group.sync.aligned 0;
{store_words(words, 4)}"""
    shared = ".shared .align 128 .b8 tile_a[2048];\n.shared .align 128 .b8 tile_b[512];\n"
    text = kernel_text(("a", "b", "c", "d"), body, shared)
    name = f"wgmma.sp.{shape} metadata {metadata:#x}"
    return _case(name, text, operand, result, (512, 128, 128 * words), 128)


def _mma(opcode: str, operand: str, result: str, words: int, metadata: int) -> Case:
    body = load_words("a", 4, "u", 4) + load_words("b", 4, "v", 4) + load_words("c", words, "w", 4)
    body += f"    .reg .b32 %y<{words}>, %meta;\n    mov.b32 %meta, {metadata};\n"
    parts = ", ".join((vector("y", words), vector("u", 4), vector("v", 4), vector("w", words)))
    body += f"    mma.sp::ordered_metadata.sync.aligned.{opcode} {parts}, %meta, 0x0;\n{store_words(words, 4)}"
    text = kernel_text(("a", "b", "c", "d"), body)
    name = f"mma.sp.{opcode} metadata {metadata:#x}"
    return _case(name, text, operand, result, (128, 128, 32 * words), 32)
