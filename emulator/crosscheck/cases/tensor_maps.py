"""Copies by tensor maps: where each byte of a box goes, what lies outside of the tensor, what is counted."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import HEAD, INDEX, Case
from emulator.crosscheck.tensor_map import ELEMENT_BYTES, TensorMap

TURNS = 1 << 16  # looks at the barrier, before the copy counts as never complete
COUNTED = "Do elements outside of the tensor count as bytes of the copy, and what do they give?"
PLACED = "Where does swizzling put each 16 bytes, also in a tile that starts between its patterns?"
CONVERTED = "What do the types that convert make of NaN, subnormal numbers and ties?"
STORED = "Are elements outside of the tensor left alone?"
# name, type, source of the tensor, the rest of the map, coordinates, offset of the tile, question, guess
F32 = "dims 64,32 box 16,8"
LOADS = (
    ("inside", "f32", "near f32 2048", F32, (16, 8), 0, COUNTED, "all bytes count"),
    ("left of it", "f32", "near f32 2048", F32, (-4, -2), 0, COUNTED, "all bytes count; zeros"),
    ("over its edge", "f32", "near f32 2048", F32, (60, 30), 0, COUNTED, "all bytes count; zeros"),
    ("far outside", "f32", "near f32 2048", F32, (1000, -1000), 0, COUNTED, "all bytes count; zeros"),
    ("NaN of f32", "f32", "near f32 2048", F32 + " fill nan", (60, 30), 0, COUNTED, "all bytes count"),
    ("NaN of f16", "f16", "near f16 2048", F32 + " fill nan", (60, 30), 0, COUNTED, "all bytes count"),
    ("NaN of bf16", "bf16", "near bf16 2048", F32 + " fill nan", (60, 30), 0, COUNTED, "all bytes count"),
    ("every second", "f32", "near f32 2048", F32 + " elements 1,2", (0, 1), 0, COUNTED, "the smaller box"),
    ("swizzle 32", "u8", "bits 8 8192", "dims 256,32 box 32,16 swizzle 32", (0, 0), 0, PLACED, ""),
    ("swizzle 64", "u8", "bits 8 8192", "dims 256,32 box 64,16 swizzle 64", (0, 0), 0, PLACED, ""),
    ("swizzle 128", "u8", "bits 8 8192", "dims 256,32 box 128,16 swizzle 128", (0, 0), 0, PLACED, ""),
    ("swizzle 32 at 128", "u8", "bits 8 8192", "dims 256,32 box 32,16 swizzle 32", (0, 0), 128, PLACED, ""),
    ("swizzle 64 at 256", "u8", "bits 8 8192", "dims 256,32 box 64,16 swizzle 64", (0, 0), 256, PLACED, ""),
    ("swizzle 128 at 384", "u8", "bits 8 8192", "dims 256,32 box 128,16 swizzle 128", (0, 0), 384, PLACED, ""),
    ("swizzle 128, left", "u8", "bits 8 8192", "dims 256,32 box 128,16 swizzle 128", (-32, 20), 0, PLACED, ""),
    ("f32.ftz", "f32.ftz", "edges f32 32 2048 0", F32, (0, 0), 0, CONVERTED, "signed zeros"),
    ("tf32", "tf32", "edges f32 32 2048 0", F32, (0, 0), 0, CONVERTED, "as cvt.rn.tf32"),
    ("tf32.ftz", "tf32.ftz", "edges f32 32 2048 0", F32, (0, 0), 0, CONVERTED, "as cvt.rn.tf32, signed zeros"),
)
STORES = (
    ("over an edge", "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group", (60, 30)),
    ("left of it", "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group", (-4, -2)),
    ("sum over an edge", "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group", (60, 30)),
)
_START = """
    .reg .pred %first, %more, %done;
    .reg .b32 %place, %word, %tile, %bar, %turn, %flag;
    .reg .b64 %x, %out, %from, %to, %param;
    ld.param.u64 %x, [x];
    ld.param.u64 %out, [out];
    mov.b64 %param, map;
    cvta.param.u64 %param, %param;
    mov.u32 %bar, barrier;
    mov.u32 %tile, tile;
    setp.eq.u32 %first, %thread, 0;
    mov.u32 %place, %thread;
FILL:
    mad.lo.u32 %word, %place, 4, %tile;
    st.shared.u32 [%word], FILLING;
    add.u32 %place, %place, 128;
    setp.lt.u32 %more, %place, WORDS;
@%more bra FILL;
@%first mbarrier.init.shared.b64 [%bar], 1;
    fence.proxy.async;
    bar.sync 0;
"""
_LOAD = """
@!%first bra WAIT;
    mbarrier.arrive.expect_tx.shared.b64 _, [%bar], BYTES;
    add.u32 %word, %tile, OFFSET;
    cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes [%word], [%param, {AT}], [%bar];
WAIT:
    mov.u32 %turn, 0;
LOOK:
    mbarrier.test_wait.parity.shared.b64 %done, [%bar], 0;
@%done bra END;
    add.u32 %turn, %turn, 1;
    setp.lt.u32 %more, %turn, TURNS;
@%more bra LOOK;
END:
    selp.u32 %flag, 1, 0, %done;
    mad.wide.u32 %to, %thread, 4, %out;
    st.global.u32 [%to], %flag;
    mov.u32 %place, %thread;
COPY:
    mad.lo.u32 %word, %place, 4, %tile;
    ld.shared.u32 %flag, [%word];
    mad.wide.u32 %to, %place, 4, %out;
    st.global.u32 [%to+512], %flag;
    add.u32 %place, %place, 128;
    setp.lt.u32 %more, %place, WORDS;
@%more bra COPY;
"""
_STORE = """
@%first OPCODE [%param, {AT}], [%tile];
    cp.async.bulk.commit_group;
    cp.async.bulk.wait_group 0;
"""


def cases() -> Iterator[Case]:
    """Loads, then stores."""
    for name, kind, source, rest, at, offset, question, guess in LOADS:
        yield _load(name, kind, source, f"{kind} {rest}", at, offset, question, guess)
    for name, opcode, at in STORES:
        body = _START.replace("FILLING", "0x3fa00000").replace("WORDS", "128")
        body += _STORE.replace("OPCODE", opcode).replace("AT", _coordinates(at))
        arguments = (("x", "near f32 2048"), ("out", "u32[1]"), ("map", f"tensormap of x f32 {F32}"))
        text = _text(body, 512)
        named = f"tensor map, store {name}"
        yield Case(named, "probes", text, arguments, ("x",), "k", (1,), (128,), question=STORED, guess="yes")


def _load(
    name: str, kind: str, source: str, rest: str, at: tuple[int, int], offset: int, question: str, guess: str
) -> Case:
    tensor = f"tensormap of x {rest}"
    size = TensorMap.parse(tensor, ["x"]).box_bytes
    words = (size + offset) // ELEMENT_BYTES["u32"]
    body = _START.replace("FILLING", "0xeeeeeeee") + _LOAD.replace("BYTES", str(size)).replace("OFFSET", str(offset))
    body = body.replace("AT}", f"{_coordinates(at)}}}").replace("WORDS", str(words)).replace("TURNS", str(TURNS))
    arguments = (("x", source), ("out", f"u32[{128 + words}]"), ("map", tensor))
    text = _text(body, size + offset)
    return Case(
        f"tensor map, {name}", "probes", text, arguments, ("out",), "k", (1,), (128,), question=question, guess=guess
    )


def _coordinates(at: tuple[int, int]) -> str:
    return ", ".join(map(str, at))


def _text(body: str, size: int) -> str:
    shared = f".shared .align 1024 .b8 tile[{size}];\n.shared .align 8 .b64 barrier;\n"
    parameters = ".param .u64 x, .param .u64 out, .param .align 64 .b8 map[128]"
    return f"{HEAD}{shared}.visible .entry k({parameters})\n{{{INDEX}{body}\n    ret;\n}}\n"
