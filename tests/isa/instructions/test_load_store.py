"""ld, ldu and st in every state space against a model over bytes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from emulator import ObjectCode, System
from emulator.errors import IllegalAddress, KernelFault, MisalignedAddress
from emulator.isa.registry import lookup
from emulator.ptx_types import TYPES

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
REGISTERS = """
    .reg .b64 %in, %out, %at, %n, %rd<10>; .reg .b32 %lane, %r<20>; .reg .b16 %h<10>; .reg .b8 %c<10>; .reg .b128 %q<4>;
    .reg .f32 %f<10>; .reg .f64 %d<10>; .reg .pred %p<3>;
"""
SCALARS = ("b8", "b16", "b32", "b64", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64")
NAMES = {8: "c", 16: "h", 32: "r", 64: "rd"}
SPACES = ("global", "shared", "local", "const", "param", "generic global", "generic shared", "generic local")
BYTES = 512


def random_bytes(seed: str, count: int = BYTES) -> bytes:
    """Bytes with edges of every width among them."""
    choice = random.Random(seed)
    data = bytearray(choice.randbytes(count))
    for at, edge in zip(range(0, count - 16, 32), (0x80, 0x7F, 0xFF, 0x00), strict=False):
        data[at : at + 16] = bytes([0] * 7 + [edge] + [0xFF] * 7 + [edge])
    return bytes(data)


def run(body: str, *arrays: np.ndarray, module: str = "", parameters: Sequence[str] = ("in", "out"), **options) -> None:
    """Run a warp: %in and %out hold the addresses of the first two arrays, %lane the lane."""
    declared = ", ".join(parameter if " " in parameter else f".param .u64 {parameter}" for parameter in parameters)
    loads = "".join(f"ld.param.u64 %{name}, [{name}];" for name in parameters if " " not in name)
    text = (
        f"{HEAD}{module}\n.visible .entry k ({declared}) {{{REGISTERS}{loads} mov.u32 %lane, %laneid;\n{body}\nret; }}"
    )
    with System(**options) as system:
        ObjectCode.from_ptx(text).get_kernel("k")[1, 32](*arrays, device=system.device(0))


def output(count: int = BYTES) -> np.ndarray:
    return np.zeros(count, np.uint8)


# --- loads ---------------------------------------------------------------------------------------


def ground(where: str, data: bytes) -> tuple[str, str, list[str], list[np.ndarray]]:
    """(declarations of a module, instructions that put `data` into a space and its address into %at, further
    parameters, their arguments).
    """
    space = where.removeprefix("generic ")
    cvta = f"cvta.{space}.u64 %at, %at;" if where.startswith("generic") else ""
    if space == "global":
        return "", f"mov.u64 %at, %in; {cvta}", [], []
    if space == "const":
        values = ", ".join(map(str, data))
        return f".const .align 16 .b8 area[{len(data)}] = {{{values}}};", "mov.u64 %at, area;", [], []
    if space == "param":
        return "", "mov.u64 %at, area;", [f".param .align 16 .b8 area[{len(data)}]"], [np.frombuffer(data, np.uint8)]
    copy = "".join(f"ld.global.u64 %n, [%in+{n}]; st.{space}.u64 [area+{n}], %n;" for n in range(0, len(data), 8))
    declared = f".{space} .align 16 .b8 area[{len(data)}];"
    return "", f"{declared} {copy} mov.u64 %at, area; {cvta}", [], []


@pytest.mark.parametrize("where", SPACES)
@pytest.mark.parametrize("name", SCALARS)
def test_loads_extend_by_their_type(name: str, where: str) -> None:
    """Into registers of every width that is not too small: signed types by their sign, others by zeros."""
    kind, data, out = TYPES[name], random_bytes(name + where), output(32 * 8 * 4)
    module, fill, parameters, arguments = ground(where, data)
    space = where if not where.startswith("generic") else ""
    widths = [width for width in (8, 16, 32, 64) if width >= kind.width]
    opcode = ".".join(filter(None, ("ld", space, name)))
    loads = "".join(
        f"{opcode} %{NAMES[w]}1, [%at]; st.global.b{w} [%out+{8 * n}], %{NAMES[w]}1;" for n, w in enumerate(widths)
    )
    body = f"""{fill} mul.wide.u32 %n, %lane, {kind.bytes}; add.u64 %at, %at, %n;
        mul.wide.u32 %n, %lane, 32; add.u64 %out, %out, %n; {loads}"""
    source = np.frombuffer(data, np.uint8).copy()
    run(body, source, out, *arguments, module=module, parameters=["in", "out", *parameters])
    for lane in range(32):
        value = int.from_bytes(data[lane * kind.bytes : (lane + 1) * kind.bytes], "little", signed=kind.is_signed)
        for n, width in enumerate(widths):
            found = int.from_bytes(out[lane * 32 + 8 * n :][: width // 8].tobytes(), "little")
            assert found == value & (1 << width) - 1, (lane, width)


VECTORS = [(n, kind) for n in (2, 4, 8) for kind in SCALARS if n * TYPES[kind].width <= 128]


@pytest.mark.parametrize("where", ["global", "shared", "local", "generic global"])
@pytest.mark.parametrize(("count", "name"), VECTORS)
def test_vectors(count: int, name: str, where: str) -> None:
    """A vector's elements lie one after the other; an element that is thrown away is not written."""
    kind, data, out = TYPES[name], random_bytes(name + where), output()
    _, fill, _, _ = ground(where, data)
    space = where if not where.startswith("generic") else ""
    prefix = {"f32": "f", "f64": "d"}.get(name, NAMES[kind.width])
    registers = [f"%{prefix}{n}" for n in range(count)]
    gaps = ["_", *registers[1:]]
    opcode = ".".join(filter(None, ("ld", space, f"v{count}", name)))
    body = f"""{fill} mul.wide.u32 %n, %lane, {count * kind.bytes}; add.u64 %at, %at, %n; add.u64 %out, %out, %n;
        {opcode} {{{", ".join(registers)}}}, [%at]; {opcode} {{{", ".join(gaps)}}}, [%at];
        st.global.v{count}.{name} [%out], {{{", ".join(registers)}}};"""
    run(body, np.frombuffer(data, np.uint8).copy(), out)
    size = 32 * count * kind.bytes
    assert out.tobytes()[:size] == data[:size]
    assert not out[size:].any()


SAME_LOADS = (
    "ld.volatile.global.u32", "ld.volatile.u32", "ld.relaxed.gpu.global.u32", "ld.acquire.sys.u32",
    "ld.relaxed.cluster.global.L1::no_allocate.L2::64B.u32", "ld.mmio.relaxed.sys.global.u32", "ld.weak.global.u32",
    "ld.global.nc.u32", "ld.global.ca.u32", "ld.global.cg.L2::128B.u32", "ld.global.nc.L1::evict_last.L2::256B.u32",
    "ldu.global.u32", "ldu.u32", "ld.global.cv.u32", "ld.global.lu.u32", "ld.u32.global", "ld.acquire.cta.u32.global",
)  # fmt: skip


@pytest.mark.parametrize("opcode", SAME_LOADS)
def test_order_and_caches_change_no_value(opcode: str) -> None:
    data, out = random_bytes(opcode, 128), np.zeros(32, np.uint32)
    body = f"""mul.wide.u32 %n, %lane, 4; add.u64 %in, %in, %n; add.u64 %out, %out, %n;
        {opcode} %r1, [%in]; st.global.u32 [%out], %r1;"""
    run(body, np.frombuffer(data, np.uint8).copy(), out)
    assert out.tobytes() == data


@pytest.mark.parametrize("name", SCALARS)
def test_ldu_is_a_load(name: str) -> None:
    """Scalars, and vectors of two and four, by global and by generic addresses; 32 lanes each."""
    kind, data = TYPES[name], random_bytes(name + "ldu", 1024)
    prefix = {"f32": "f", "f64": "d"}.get(name, NAMES[kind.width])
    for opcode, count in [("ldu.global", 1), ("ldu", 1), ("ldu.global", 2), ("ldu", 2), ("ldu", 4)]:
        if count * kind.width <= 128:
            vector, out = f".v{count}" * (count > 1), output(1024)
            registers = f"{{{', '.join(f'%{prefix}{n}' for n in range(count))}}}" if vector else f"%{prefix}1"
            body = f"""mul.wide.u32 %n, %lane, {count * kind.bytes}; add.u64 %in, %in, %n; add.u64 %out, %out, %n;
                {opcode}{vector}.{name} {registers}, [%in]; st.global{vector}.{name} [%out], {registers};"""
            run(body, np.frombuffer(data, np.uint8).copy(), out)
            size = 32 * count * kind.bytes
            assert out.tobytes()[:size] == data[:size]


@pytest.mark.parametrize("address", ["[%in].unified", "[%in]"])
def test_unified_addresses(address: str) -> None:
    out = np.zeros(1, np.uint32)
    run(f"ld.global.u32 %r1, {address}; st.global.u32 [%out], %r1;", np.array([77], np.uint32), out)
    assert out[0] == 77


def test_wide_values_travel_whole() -> None:
    data, out = random_bytes("b128"), output()
    body = """mul.wide.u32 %n, %lane, 16; add.u64 %in, %in, %n; add.u64 %out, %out, %n; .shared .align 16 .b8 s[512];
        mov.u64 %at, s; add.u64 %at, %at, %n;
        ld.global.b128 %q1, [%in]; st.shared.b128 [%at], %q1; ld.relaxed.cta.shared.b128 %q2, [%at];
        st.global.b128 [%out], %q2;"""
    run(body, np.frombuffer(data, np.uint8).copy(), out)
    assert out.tobytes() == data


# --- stores --------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["global", "shared", "local", ""])
@pytest.mark.parametrize("name", SCALARS)
def test_stores_write_the_low_bits_and_nothing_else(name: str, space: str) -> None:
    """From registers of every width; the bytes around stay as they were."""
    kind, data = TYPES[name], random_bytes(name + space)
    widths = [width for width in (8, 16, 32, 64) if width >= kind.width]
    stride = 16
    out = np.full(32 * stride * len(widths), 0xEE, np.uint8)
    wanted = bytearray(out.tobytes())
    body = "mul.wide.u32 %n, %lane, 8; add.u64 %in, %in, %n; mul.wide.u32 %n, %lane, 16; add.u64 %out, %out, %n;"
    if space in ("shared", "local"):
        body += f".{space} .align 16 .b8 area[512]; mov.u64 %at, area; add.u64 %at, %at, %n;"
    opcode = ".".join(filter(None, ("st", space, name)))
    for n, width in enumerate(widths):
        body += f"ld.global.b{width} %{NAMES[width]}1, [%in];"
        if space in ("shared", "local"):
            body += "mov.u64 %rd2, 0xeeeeeeeeeeeeeeee;"
            body += "".join(f"st.{space}.u64 [%at+{k}], %rd2;" for k in (0, 8))
            body += f"{opcode} [%at+{kind.bytes}], %{NAMES[width]}1;"
            body += "".join(
                f"ld.{space}.u64 %rd3, [%at+{k}]; st.global.u64 [%out+{512 * n + k}], %rd3;" for k in (0, 8)
            )
        else:
            body += f"{opcode} [%out+{512 * n + kind.bytes}], %{NAMES[width]}1;"
        for lane in range(32):
            at = 512 * n + lane * stride + kind.bytes
            wanted[at : at + kind.bytes] = data[8 * lane : 8 * lane + kind.bytes]
    run(body, np.frombuffer(data, np.uint8).copy(), out)
    assert out.tobytes() == bytes(wanted)


def test_the_highest_lane_wins_and_lanes_off_store_nothing() -> None:
    out = np.zeros(2, np.uint32)
    body = "setp.lt.u32 %p1, %lane, 9; st.global.u32 [%out], %lane; @%p1 st.global.u32 [%out+4], %lane;"
    run(body, output(4), out)
    assert out.tolist() == [31, 8]


SAME_STORES = (
    "st.volatile.global.u32", "st.relaxed.gpu.u32", "st.release.sys.global.u32", "st.mmio.relaxed.sys.u32",
    "st.global.wt.u32", "st.global.L1::no_allocate.u32", "st.wb.u32", "st.release.cluster.global.L1::evict_last.u32",
)  # fmt: skip


@pytest.mark.parametrize("opcode", SAME_STORES)
def test_stores_of_every_order(opcode: str) -> None:
    out = np.zeros(32, np.uint32)
    run(f"mul.wide.u32 %n, %lane, 4; add.u64 %out, %out, %n; {opcode} [%out], %lane;", output(4), out)
    assert out.tolist() == list(range(32))


def test_cache_policies_stand_behind_the_other_operands() -> None:
    out = np.zeros(2, np.uint32)
    body = """createpolicy.fractional.L2::evict_first.b64 %rd1, 0.5; ld.global.L2::cache_hint.u32 %r1, [%in], %rd1;
        st.global.L2::cache_hint.v2.u32 [%out], {%r1, %r1}, %rd1;"""
    run(body, np.array([5], np.uint32), out)
    assert out.tolist() == [5, 5]


# --- addresses -----------------------------------------------------------------------------------

WORDS = ".global .align 8 .u32 words[4] = {10, 11, 12, 13}; .const .u32 constants[4] = {20, 21, 22, 23};"
ADDRESSES = [
    ("ld.global.u32 %r1, [words+8];", 12),
    ("ld.global.u32 %r1, words[3];", 13),
    ("ld.u32 %r1, [words+4];", 11),
    ("mov.u64 %rd1, words[2]; ld.global.u32 %r1, [%rd1+-4];", 11),
    ("mov.u64 %rd1, words+12; ld.global.u32 %r1, [%rd1+-12];", 10),
    ("ld.const.u32 %r1, [constants+4];", 21),
    ("mov.u32 %r2, constants; ld.const.u32 %r1, [%r2+8];", 22),
    (".shared .u32 s; mov.u32 %r2, s; mov.u32 %r3, 31; st.shared.u32 [%r2], %r3; ld.u32 %r1, [s];", 31),
    (".shared .u32 s; mov.u32 %r3, 32; st.u32 [s], %r3; ld.shared.u32 %r1, [s];", 32),
    (".local .u32 l[2]; mov.u32 %r3, 33; st.local.u32 [l+4], %r3; ld.u32 %r1, [l+4];", 33),
    (".local .u32 l[2]; mov.u32 %r3, 34; st.local.u32 [l+4], %r3; ld.local.u32 %r1, [4];", 34),
    (".param .b32 q; mov.u32 %r3, 35; st.param.b32 [q], %r3; ld.param::func.b32 %r1, [q];", 35),
]


@pytest.mark.parametrize(("body", "wanted"), ADDRESSES)
def test_addresses(body: str, wanted: int) -> None:
    out = np.zeros(1, np.uint32)
    run(f"{body} st.global.u32 [%out], %r1;", output(4), out, module=WORDS)
    assert out[0] == wanted


FAULTS = [
    ("ld.global.u32 %r1, [%in+2];", MisalignedAddress),
    ("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%in+8];", MisalignedAddress),
    ("ld.global.b128 %q1, [%in+8];", MisalignedAddress),
    ("ld.global.u32 %r1, [%in+512];", IllegalAddress),
    ("ld.global.u32 %r1, [%in+-4];", IllegalAddress),
    ("st.global.u64 [%in+512], %n;", IllegalAddress),
    (".shared .u32 s; ld.shared.u32 %r1, [s+4];", IllegalAddress),
    ("ld.shared.u32 %r1, [%in];", IllegalAddress),
    (".local .u32 l; ld.local.u32 %r1, [l+1024];", IllegalAddress),
    ("mov.u64 %rd1, constants; st.global.u32 [%rd1], %r1;", IllegalAddress),
    ("mov.u64 %rd1, 0; ld.u32 %r1, [%rd1];", IllegalAddress),
]


@pytest.mark.parametrize(("body", "fault"), FAULTS)
def test_faults(body: str, fault: type[KernelFault]) -> None:
    with pytest.raises(fault):
        run(body, output(), output(), module=WORDS)


# --- what the syntax lines cannot say --------------------------------------------------------------

RULES = [
    ("ld.global.v4.b64", "128 bits"),
    ("ld.global.v8.f32", "128 bits"),
    ("st.v2.b128", "128 bits"),
    ("ld.shared.L1::evict_last.u32", "global memory"),
    ("ld.const.L2::64B.u32", "global memory"),
    ("st.local.L1::evict_first.u32", "global memory"),
    ("ld.acquire.cta.shared.L2::128B.u32", "global memory"),
    ("ld.global.ca.L1::evict_last.u32", "cannot go together"),
]


@pytest.mark.parametrize(("opcode", "why"), RULES)
def test_rules_beyond_the_syntax_line(opcode: str, why: str) -> None:
    variants = lookup(opcode)
    assert variants
    for variant in variants:
        assert variant.entry.check is not None
        assert why in str(variant.entry.check(variant))


WRONG = ("ld.relaxed.u32", "ld.weak.gpu.u32", "ld.volatile.const.u32", "ld.nc.u32", "st.const.u32", "st.ca.u32",
         "ld.global.L2::evict_last.u32", "st.acquire.gpu.u32", "ld.mmio.relaxed.gpu.u32", "ldu.shared.u32")  # fmt: skip


@pytest.mark.parametrize("opcode", WRONG)
def test_no_line_admits(opcode: str) -> None:
    assert lookup(opcode) == ()
