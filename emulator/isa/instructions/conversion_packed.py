"""9.7.9.21 cvt to and from packed and small float formats, and 9.7.9.22 cvt.pack."""

from __future__ import annotations

from emulator.isa.floats import relu
from emulator.isa.formats import finite, finite_tf32, from_fp8, to_fp8, to_tf32
from emulator.isa.ops import F16, F32, S32, U8, U32, Ops, Value
from emulator.isa.packed import pack, unpack
from emulator.isa.registry import Variant, instruction
from emulator.ptx_types import TYPES

SECTION = "9.7.9.21"
PAIRS = "e4m3x2 e5m2x2"


@instruction(
    "cvt.rnd{.relu}{.satfinite}.dtype.f32 d, a, b",
    rnd="rn rz",
    dtype="f16x2",
    d="relaxed dtype",
    a="f32",
    b="f32",
    loose=True,
    requires="7.0 sm_80",
    since={".satfinite": "8.1 sm_80"},
    section=SECTION,
)
@instruction(
    "cvt.rnd{.relu}{.satfinite}.dtype.f32 d, a, b",
    rnd="rn rz",
    dtype="bf16x2",
    d="dtype",
    a="f32",
    b="f32",
    loose=True,
    requires="7.0 sm_80",
    since={".satfinite": "8.1 sm_80"},
    section=SECTION,
)
def cvt_pair(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a in the upper and b in the lower half, each as cvt to f16 or bf16 rounds it.

    example: cvt.rn.f16x2.f32 1.0, 2.0 -> 0x3c004000
    example: cvt.rn.relu.f16x2.f32 -1.0, 0fffffffff -> 0x00007fff
    example: cvt.rz.bf16x2.f32 0f3f80ffff, 0f80000001 -> 0x3f808000
    example: cvt.rn.bf16x2.f32 0f3f80ffff, 0f80000001 -> 0x3f818000
    example: cvt.rn.satfinite.bf16x2.f32 0f7f800000, 0fff7fffff -> 0x7f7fff7f
    """
    half = TYPES[i.dtype.name.removesuffix("x2")]
    halves = [ops.fconvert(x, half, i.rnd) for x in (b, a)]
    if i.relu:
        halves = [relu(ops, x) for x in halves]
    if i.satfinite:
        halves = [finite(ops, x) for x in halves]
    return pack(ops, halves, i.dtype)


@instruction(
    "cvt.rn.satfinite{.relu}.dtype.f32 d, a, b",
    dtype=PAIRS,
    d="dtype",
    a="f32",
    b="f32",
    loose=True,
    requires="8.1 sm_89",
    section=SECTION,
)
def cvt_fp8(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = a in the upper and b in the lower byte, rounded to nearest even; beyond the range the greatest number.

    NaN of either sign gives 0x7f; .relu makes negative numbers zero.
    example: cvt.rn.satfinite.e4m3x2.f32 464.0, -448.0 -> 0x7efe
    example: cvt.rn.satfinite.e4m3x2.f32 0f7f800000, 0fffc00000 -> 0x7e7f
    example: cvt.rn.satfinite.e4m3x2.f32 0f3a800000, 0f3a800001 -> 0x0001
    example: cvt.rn.satfinite.e4m3x2.f32 1.109375, 0f80000000 -> 0x3980
    example: cvt.rn.satfinite.e5m2x2.f32 61440.0, 0fff800000 -> 0x7bfb
    example: cvt.rn.satfinite.relu.e5m2x2.f32 -1.0, 1.0 -> 0x003c
    """
    name = i.dtype.name.removesuffix("x2")
    return pack(ops, [to_fp8(ops, x, name, relu=bool(i.relu)) for x in (b, a)], i.dtype)


@instruction(
    "cvt.rn.satfinite{.relu}.dtype.f16x2 d, a",
    dtype=PAIRS,
    d="dtype",
    a="f16x2",
    loose=True,
    requires="8.1 sm_89",
    section=SECTION,
)
def cvt_fp8_f16x2(ops: Ops, i: Variant, a: Value) -> Value:
    """d = both halves of a as e4m3 or e5m2, the upper half in the upper byte.

    example: cvt.rn.satfinite.e4m3x2.f16x2 0x7c003c00 -> 0x7e38
    example: cvt.rn.satfinite.e5m2x2.f16x2 0x7c013c81 -> 0x7f3d
    example: cvt.rn.satfinite.relu.e4m3x2.f16x2 0xbc003c00 -> 0x0038
    """
    name = i.dtype.name.removesuffix("x2")
    halves = [ops.fconvert(x, F32) for x in unpack(ops, a, F16)]
    return pack(ops, [to_fp8(ops, x, name, relu=bool(i.relu)) for x in halves], i.dtype)


@instruction(
    "cvt.rn{.relu}.f16x2.atype d, a",
    atype=PAIRS,
    d="relaxed f16x2",
    a="atype",
    loose=True,
    requires="8.1 sm_89",
    section=SECTION,
)
def cvt_f16x2_fp8(ops: Ops, i: Variant, a: Value) -> Value:
    """d = both bytes of a as f16, exactly; NaN is canonical.

    example: cvt.rn.f16x2.e4m3x2 0x7eff -> 0x5f007fff
    example: cvt.rn.f16x2.e4m3x2 0x0181 -> 0x18009800
    example: cvt.rn.f16x2.e5m2x2 0x7cfd -> 0x7c007fff
    example: cvt.rn.relu.f16x2.e5m2x2 0xbc3c -> 0x00003c00
    """
    halves = [from_fp8(ops, x, i.atype.name.removesuffix("x2")) for x in unpack(ops, a, U8)]
    return pack(ops, [relu(ops, x) for x in halves] if i.relu else halves, TYPES["f16x2"])


@instruction(
    "cvt.rna{.satfinite}.tf32.f32 d, a",
    d="tf32",
    a="f32",
    loose=True,
    requires="7.0 sm_80",
    since={".satfinite": "8.1 sm_80"},
    section=SECTION,
)
@instruction(
    "cvt.rnd{.satfinite}{.relu}.tf32.f32 d, a",
    rnd="rn rz",
    d="tf32",
    a="f32",
    loose=True,
    requires="7.8 sm_90",
    since={".satfinite": "8.6 sm_100"},
    section=SECTION,
)
def cvt_tf32(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a with 10 fraction bits; the low 13 bits are 0.

    .rna adds half a unit to the bits, as sm_90 does: a NaN whose payload is below it becomes infinity.
    example: cvt.rna.tf32.f32 0f3f801000 -> 0x3f802000
    example: cvt.rn.tf32.f32 0f3f801000 -> 0x3f800000
    example: cvt.rz.tf32.f32 0f3f803fff -> 0x3f802000
    example: cvt.rna.tf32.f32 0f7f7fffff -> 0x7f800000
    example: cvt.rna.satfinite.tf32.f32 0f7f7fffff -> 0x7f7fe000
    example: cvt.rna.tf32.f32 0f7f800001 -> 0x7f800000
    example: cvt.rna.tf32.f32 0f7fc00001 -> 0x7fc00000
    example: cvt.rz.tf32.f32 0f7f7fffff -> 0x7f7fe000
    example: cvt.rn.relu.tf32.f32 -1.0 -> 0
    example: cvt.rn.relu.tf32.f32 0fff800001 -> 0x7fffe000
    """
    d = to_tf32(ops, a, i.get("rnd") or "rna")
    if i.get("relu"):
        negative = (ops.view(a, S32) < 0) & ((ops.view(a, U32) & 0x7FFFFFFF) <= 0x7F800000)
        d = ops.select(negative, ops.const(d.type, 0), d)
    return finite_tf32(ops, d) if i.satfinite else d


@instruction(
    "cvt.pack.sat.convert.abtype d, a, b",
    convert="u16 s16",
    abtype="s32",
    d="relaxed u32",
    a="abtype",
    b="abtype",
    loose=True,
    requires="6.5 sm_72",
    section="9.7.9.22",
)
@instruction(
    "cvt.pack.sat.convert.abtype.ctype d, a, b, c",
    convert="u2 s2 u4 s4 u8 s8",
    abtype="s32",
    ctype="b32",
    d="relaxed u32",
    a="abtype",
    b="abtype",
    c="b32",
    loose=True,
    requires="6.5 sm_72",
    since={".u2": "6.5 sm_75", ".s2": "6.5 sm_75", ".u4": "6.5 sm_75", ".s4": "6.5 sm_75"},
    section="9.7.9.22",
)
def cvt_pack(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = a and b, limited to a small integer type, b lowest; above them the low bits of c.

    example: cvt.pack.sat.s16.s32 -40000, 5 -> 0x80000005
    example: cvt.pack.sat.u16.s32 -1, 70000 -> 0x0000ffff
    example: cvt.pack.sat.u8.s32.b32 300, -1, 0x1234abcd -> 0xabcdff00
    example: cvt.pack.sat.s8.s32.b32 -200, 100, 0 -> 0x00008064
    example: cvt.pack.sat.u4.s32.b32 20, 3, 0x00ffffff -> 0xfffffff3
    example: cvt.pack.sat.s2.s32.b32 -5, 5, 0x00000001 -> 0x00000019
    """
    width, signed = int(i.convert[1:]), i.convert[0] == "s"
    low, high = ops.const(S32, -1 << width - 1 if signed else 0), ops.const(S32, (1 << width - signed) - 1)
    parts = [ops.view(ops.minimum(ops.maximum(x, low), high), U32) & (1 << width) - 1 for x in (b, a)]
    packed = parts[0] | parts[1] << width
    return packed if c is None else packed | ops.view(c, U32) << 2 * width
