"""st.async and red.async against bytes and Python's integers; the mbarrier hears of every byte."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest

from emulator import Device, ObjectCode, System
from tests.isa.instructions.test_mbarrier import ENGINES, HEAD

STORES = [(kind, vec) for kind in ("b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64") for vec in (1, 2, 4)]
REDUCTIONS = {
    "add.u32": lambda old, b: old + b, "add.s32": lambda old, b: old + b, "add.u64": lambda old, b: old + b,
    "and.b32": lambda old, b: old & b, "or.b32": lambda old, b: old | b, "xor.b32": lambda old, b: old ^ b,
    "min.u32": min, "max.u32": max, "inc.u32": lambda old, b: 0 if old >= b else old + 1,
    "dec.u32": lambda old, b: b if old == 0 or old > b else old - 1,
    "min.s32": lambda old, b: min(old, b, key=signed), "max.s32": lambda old, b: max(old, b, key=signed),
}  # fmt: skip


def signed(n: int) -> int:
    return n - (n >> 31 << 32)


def async_results(device: Device, line: str, data: np.ndarray, size: int) -> tuple[bytes, int]:
    """The 1,024 bytes at `area` and the object's tx-count after a line over 32 lanes: %a its place, %b<n> its data."""
    width = 8 * data.itemsize
    text = f"""{HEAD}.visible .entry k (.param .u64 in, .param .u64 out) {{
    .shared .align 16 .b8 area[1024]; .shared .align 8 .b64 bar; .reg .b64 %in, %out, %x, %y, %a, %m; .reg .b32 %lane;
    .reg .b{width} %b<4>; .reg .pred %first; .reg .b32 %i; .reg .pred %more;
    ld.param.u64 %in, [in]; ld.param.u64 %out, [out]; mov.u32 %lane, %tid.x; setp.eq.u32 %first, %lane, 0;
    @%first mbarrier.init.shared.b64 [bar], 1; bar.warp.sync -1;
    mad.wide.u32 %x, %lane, {4 * data.itemsize}, %in;
    ld.global.b{width} %b0, [%x]; ld.global.b{width} %b1, [%x+{data.itemsize}];
    ld.global.b{width} %b2, [%x+{2 * data.itemsize}]; ld.global.b{width} %b3, [%x+{3 * data.itemsize}];
    mov.u64 %a, area; mad.wide.u32 %a, %lane, {size}, %a; mov.u64 %m, bar;
    {line}
    mov.u64 %y, area; mad.wide.u32 %x, %lane, 32, %out; mul.wide.u32 %m, %lane, 32; add.u64 %y, %y, %m;
    ld.shared.b64 %m, [%y]; st.global.b64 [%x], %m; ld.shared.b64 %m, [%y+8]; st.global.b64 [%x+8], %m;
    ld.shared.b64 %m, [%y+16]; st.global.b64 [%x+16], %m; ld.shared.b64 %m, [%y+24]; st.global.b64 [%x+24], %m;
    @%first ld.shared.b64 %m, [bar]; @%first st.global.b64 [%out+1024], %m; ret; }}"""
    out = np.zeros(1032, np.uint8)
    ObjectCode.from_ptx(text).get_kernel("k")[1, 32](data, out, device=device)
    tx = int.from_bytes(out[1024:].tobytes(), "little") >> 21 & 2**22 - 1
    return out[:1024].tobytes(), tx - (tx >> 21 << 22)


@pytest.mark.parametrize("engine", ENGINES)
def test_async_stores_store_and_tell_their_bytes(engine: str) -> None:
    rng = np.random.default_rng(5)
    with System(engine=engine) as system:
        for (kind, vec), generic in product(STORES, (False, True)):
            size = int(kind[1:]) // 8
            if size * vec > 16:
                continue
            data = rng.integers(0, 256, (32, 4, size)).astype(np.uint8).view(f"u{size}")[..., 0]
            one = "%b0" if vec == 1 else "{" + ", ".join(f"%b{n}" for n in range(vec)) + "}"
            vector = f".v{vec}" if vec > 1 else ""
            ss = "" if generic else ".shared::cluster"
            convert = "cvta.shared.u64 %a, %a; cvta.shared.u64 %m, %m;" if generic else ""
            line = f"{convert} st.async{ss}.mbarrier::complete_tx::bytes{vector}.{kind} [%a], {one}, [%m];"
            found, tx = async_results(system.device(0), line, np.ascontiguousarray(data), size * vec)
            assert found == data[:, :vec].tobytes().ljust(1024, b"\0")
            assert tx == -32 * size * vec


@pytest.mark.parametrize("engine", ENGINES)
def test_async_reductions_combine_and_tell_their_bytes(engine: str) -> None:
    """All lanes at the places of 64 bytes, one after the other."""
    rng = random.Random(9)
    with System(engine=engine) as system:
        for name, combine in 3 * list(REDUCTIONS.items()):
            width = int(name[-2:])
            data = np.array([[rng.choice((1, 5, rng.getrandbits(width))) for _ in range(4)] for _ in range(32)])
            data = data.astype(f"u{width // 8}") if width == 32 else data.astype(np.uint64)
            line = (
                f"and.b32 %i, %lane, {512 // width - 1}; mov.u64 %a, area; mad.wide.u32 %a, %i, {width // 8}, %a;"
                f"red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.{name} [%a], %b0, [%m];"
            )
            found, tx = async_results(system.device(0), line, data, width // 8)
            places = [0] * (64 * 8 // width)
            for lane in range(32):
                at = lane % len(places)
                places[at] = combine(places[at], int(data[lane, 0])) % 2**width
            assert found == np.array(places, data.dtype).tobytes().ljust(1024, b"\0"), name
            assert tx == -32 * width // 8


def test_a_short_register_holds_a_cluster_address() -> None:
    """What sm_90a takes from an address is its low 32 bits (read from what ptxas makes of it)."""
    line = """.reg .b32 %c, %d; cvt.u32.u64 %c, %a; cvt.u32.u64 %d, %m;
    st.async.mbarrier::complete_tx::bytes.b32 [%c], %lane, [%d];"""
    with System() as system:
        found, tx = async_results(system.device(0), line, np.zeros((32, 4), np.uint32), 4)
    assert found[:128] == np.arange(32, dtype=np.uint32).tobytes() and tx == -128
