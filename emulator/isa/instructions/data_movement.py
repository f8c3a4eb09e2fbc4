"""9.7.9 Data movement instructions between registers; memory is in load_store.py."""

from __future__ import annotations

from emulator.isa.ops import B32, B64, U8, U32, U64, Ops, Value
from emulator.isa.packed import pack
from emulator.isa.registry import Variant, instruction
from emulator.ptx_types import TYPES

S8 = TYPES["s8"]


def too_wide(i: Variant) -> str | None:
    """A vector of more than 128 bits."""
    wide = int(i.vec[1:]) * i.type.width > 128
    return f".{i.vec} of {i.type} is wider than 128 bits" if wide else None


@instruction("mov.type d, {!}a", type="pred", a="special type", section="9.7.9.3")
@instruction("mov.type d, a", type="u16 u32 u64 s16 s32 s64 f32 f64", a="special type", section="9.7.9.3")
@instruction("mov.type d, a", type="b16 b32 b64", d="packed type", a="packed special type", section="9.7.9.4")
@instruction("mov.type d, a", type="b128", d="packed type", a="packed type", requires="8.3 sm_70", section="9.7.9.4")
@instruction("mov.vec.type d, a", vec="v2 v4", type="b16 b32 b64 u16 u32 u64 s16 s32 s64 f32 f64", d="vec type sink",
             a="vec special type", check=too_wide, loose=True, section="9.7.9.3")  # fmt: skip
def mov(ops: Ops, i: Variant, a: Value | list[Value]) -> Value | list[Value]:
    """d = a, bit by bit; a is a register, a constant, a special register, an address or a vector.

    A vector beside a type without .v2 or .v4 is packed into one value, its first element in the lowest bits.

    example: mov.u32 0xffffffff -> 0xffffffff
    example: mov.b64 0x0123456789abcdef -> 0x0123456789abcdef
    example: mov.f32 0f7f800001 -> 0f7f800001
    example: mov.pred true -> true
    example: mov.b128 0x0123456789abcdeffedcba9876543210 -> 0x0123456789abcdeffedcba9876543210
    example: mov.v2.u32 {1, 0xffffffff} -> {1, 0xffffffff}
    """
    return a


def byte_selectors(ops: Ops, mode: str, c: Value) -> list[Value]:
    """Which of the bytes 7..0 of {b, a} a special mode of prmt takes for each byte of d, lowest first."""
    n = c & 3
    place = [ops.const(U32, k) for k in range(4)]
    rules = {
        "f4e": [n + k for k in place],
        "b4e": [n - k & 7 for k in place],
        "rc8": [n] * 4,
        "ecl": [ops.maximum(n, k) for k in place],
        "ecr": [ops.minimum(n, k) for k in place],
        "rc16": [(n & 1) * 2 + (k & 1) for k in place],
    }
    return rules[mode]


@instruction("prmt.b32{.mode} d, a, b, c", mode="f4e b4e rc8 ecl ecr rc16", d="b32", a="b32", b="b32", c="b32",
             requires="2.0 sm_20", loose=True, section="9.7.9.7")  # fmt: skip
def prmt(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = four bytes of {b, a}, whose bytes are numbered 7 to 0, chosen by the four low hexadecimal digits of c.

    A digit from 8 on fills the byte with the top bit of byte (digit - 8).  The modes look at the low two bits of c
    only: f4e and b4e extract four bytes up or down from there, rc8 and rc16 repeat a byte or half, ecl and ecr
    repeat an edge.

    example: prmt.b32 0x33221100, 0x77665544, 0x7340 -> 0x77334400
    example: prmt.b32 0x33228800, 0xff665544, 0xf9e8 -> 0xffff0000
    example: prmt.b32.f4e 0x33221100, 0x77665544, 3 -> 0x66554433
    example: prmt.b32.b4e 0x33221100, 0x77665544, 1 -> 0x66770011
    example: prmt.b32.rc8 0x33221100, 0x77665544, 6 -> 0x22222222
    example: prmt.b32.ecl 0x33221100, 0x77665544, 1 -> 0x33221111
    example: prmt.b32.ecr 0x33221100, 0x77665544, 2 -> 0x22221100
    example: prmt.b32.rc16 0x33221100, 0x77665544, 3 -> 0x33223322
    """
    source = pack(ops, [a, b], B64)
    digits = byte_selectors(ops, i.mode, c) if i.mode else [ops.view(c >> 4 * k & 15, U32) for k in range(4)]
    taken = [ops.cast(source >> ((digit & 7) << 3), U8) for digit in digits]
    spread = [ops.view(ops.view(octet, S8) >> 7, U8) for octet in taken]
    pairs = zip(digits, taken, spread, strict=True)
    return pack(ops, [ops.select(digit > 7, sign, octet) for digit, octet, sign in pairs], B32)


SPACES = "const global local shared shared::cta shared::cluster param param::entry"
SPACE_SINCE = {
    ".const": "3.1 sm_20", ".param": "7.7 sm_70", ".param::entry": "8.3 sm_70", ".shared::cta": "7.8 sm_30",
    ".shared::cluster": "7.8 sm_90",
}  # fmt: skip


def space_of(i: Variant) -> str:
    """The state space that a modifier names: .shared is .shared::cta, .param is .param::entry."""
    space: str = i.space
    return {"shared::cta": "shared", "param::entry": "param"}.get(space, space)


@instruction("isspacep.space p, a", space=SPACES, p="pred", a="u32", kind="machine", requires="2.0 sm_20",
             since=SPACE_SINCE, section="9.7.9.19")  # fmt: skip
@instruction("isspacep.space p, a", space=SPACES, p="pred", a="u64", kind="machine", requires="2.0 sm_20",
             since=SPACE_SINCE, section="9.7.9.19")  # fmt: skip
def isspacep(ops: Ops, i: Variant, a: Value) -> Value:
    """p = whether the generic address a lies in the window of a state space.

    .shared means the CTA's own, .shared::cluster that of any CTA of the cluster; parameters are in .global too.
    """
    return ops.in_space(space_of(i), ops.cast(a, U64))


@instruction("cvta.space.size p, a", space=SPACES, size="u64", p="size", a="special size", kind="machine",
             requires="2.0 sm_20", since=SPACE_SINCE, loose=True, section="9.7.9.20")  # fmt: skip
def cvta(ops: Ops, i: Variant, a: Value) -> Value:
    """p = the generic address of an address in a state space; a may be a variable, with an offset."""
    return ops.to_generic(space_of(i), a)


@instruction("cvta.to.space.size p, a", space=SPACES, size="u64", p="size", a="size", kind="machine",
             requires="2.0 sm_20", since=SPACE_SINCE, loose=True, section="9.7.9.20")  # fmt: skip
def cvta_to(ops: Ops, i: Variant, a: Value) -> Value:
    """p = the address in a state space of a generic address; undefined outside of its window."""
    return ops.from_generic(space_of(i), a)


RANK_PLACE = 24  # shared addresses of a cluster: the rank of the CTA above 24 bits of offset (sm_90)


def in_cta(ops: Ops, a: Value, rank: Value) -> Value:
    """A shared address, moved into the CTA of a rank."""
    return a & (1 << RANK_PLACE) - 1 | ops.cast(rank, a.type) << RANK_PLACE


def rank_of(ops: Ops, a: Value) -> Value:
    """The rank of the CTA that has a shared address."""
    return ops.cast(a >> RANK_PLACE, U32)


@instruction("mapa.shared::cluster.type d, a, b", type="u32 u64", a="special shared type", b="u32",
             requires="7.8 sm_90", loose=True, section="9.7.9.23")  # fmt: skip
def mapa(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the shared address in CTA b of the cluster that corresponds to the shared address a.

    example: mapa.shared::cluster.u32 0x410, 3 -> 0x3000410
    example: mapa.shared::cluster.u64 0x2000410, 1 -> 0x1000410
    """
    return in_cta(ops, a, b)


@instruction("mapa.type d, a, b", type="u32 u64", a="special shared generic type", b="u32", kind="machine",
             requires="7.8 sm_90", section="9.7.9.23")  # fmt: skip
def mapa_generic(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """d = the generic address of shared memory in CTA b of the cluster that corresponds to the generic address a."""
    shared = ops.from_generic("shared::cluster", ops.cast(a, U64))
    return ops.cast(ops.to_generic("shared::cluster", in_cta(ops, shared, b)), a.type)


@instruction("getctarank.shared::cluster.type d, a", type="u32 u64", d="u32", a="special shared type",
             requires="7.8 sm_90", loose=True, section="9.7.9.24")  # fmt: skip
def getctarank(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the rank in the cluster of the CTA that has the shared address a.

    example: getctarank.shared::cluster.u32 0x3000410 -> 3
    example: getctarank.shared::cluster.u64 0x410 -> 0
    """
    return rank_of(ops, a)


@instruction("getctarank.type d, a", type="u32 u64", d="u32", a="special shared generic type", kind="machine",
             requires="7.8 sm_90", section="9.7.9.24")  # fmt: skip
def getctarank_generic(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the rank in the cluster of the CTA whose shared memory has the generic address a."""
    return rank_of(ops, ops.from_generic("shared::cluster", ops.cast(a, U64)))
