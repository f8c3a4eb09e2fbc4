"""Moves, byte permutations and cluster addresses."""

from __future__ import annotations

import pytest

from emulator.isa.registry import Variant, lookup
from tests.isa.examples import ValueOps, execute, rows, value_of, variant_of
from tests.isa.operands import verify

SCALARS = ("pred", "b16", "b32", "b64", "b128", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64")


@pytest.mark.parametrize("kind", SCALARS)
def test_mov_keeps_every_bit(kind: str) -> None:
    verify(f"mov.{kind}", lambda a: a)


def test_mov_of_a_vector() -> None:
    given = [[lane * 4 + k for lane in range(32)] for k in range(4)]
    assert execute(variant_of("mov.v4.u32", 1), [given]).results == [given]


@pytest.mark.parametrize("opcode", ["mov.v4.b64", "mov.v4.f64"])
def test_no_vector_wider_than_128_bits(opcode: str) -> None:
    (variant,) = lookup(opcode)
    assert variant.entry.check is not None
    assert "128 bits" in str(variant.entry.check(variant))


def octets(a: int, b: int) -> list[int]:
    return list((b << 32 | a).to_bytes(8, "little"))


def test_prmt() -> None:
    def prmt(a: int, b: int, c: int) -> int:
        source, chosen = octets(a, b), []
        for digit in (c >> 4 * k & 15 for k in range(4)):
            octet = source[digit & 7]
            chosen.append(0xFF * (octet >> 7) if digit & 8 else octet)
        return int.from_bytes(bytes(chosen), "little")

    verify("prmt.b32", prmt, count=8192)


# The manual's table: for each mode and selector the source of d.b3, d.b2, d.b1 and d.b0.
PRMT_TABLE = {
    "f4e": ("3210", "4321", "5432", "6543"),
    "b4e": ("5670", "6701", "7012", "0123"),
    "rc8": ("0000", "1111", "2222", "3333"),
    "ecl": ("3210", "3211", "3222", "3333"),
    "ecr": ("0000", "1110", "2210", "3210"),
    "rc16": ("1010", "3232", "1010", "3232"),
}


@pytest.mark.parametrize("mode", PRMT_TABLE)
def test_prmt_modes(mode: str) -> None:
    def prmt(a: int, b: int, c: int) -> int:
        source = octets(a, b)
        return int.from_bytes(bytes(source[int(digit)] for digit in PRMT_TABLE[mode][c & 3]), "big")

    verify(f"prmt.b32.{mode}", prmt)
    verify(f"prmt.{mode}.b32", prmt)


def test_addresses_in_a_cluster() -> None:
    verify("mapa.shared::cluster.u32", lambda a, b: a & 0xFFFFFF | b << 24)
    verify("mapa.shared::cluster.u64", lambda a, b: a & 0xFFFFFF | b << 24)
    verify("getctarank.shared::cluster.u32", lambda a: a >> 24)
    assert rows("getctarank.shared::cluster.u64", [0x7000410])[0] == [7]


BEGIN = {"global": 0, "shared": 1 << 32, "shared::cluster": 1 << 32, "local": 1 << 40, "const": 1 << 41, "param": 0}


class Windows(ValueOps):  # type: ignore[misc,valid-type]
    """Generic addresses as they could be: a space's window begins at an address of its own."""

    def to_generic(self, space: str, address):
        return address + BEGIN[space]

    def from_generic(self, space: str, address):
        return address - BEGIN[space]

    def in_space(self, space: str, address):
        return (address >= BEGIN[space]) & (address < BEGIN[space] + (1 << 32))


def through_windows(variant: Variant, *numbers: int) -> int:
    """The result in lane 0 of a meaning that asks for windows."""
    ops = Windows()
    specs = [spec for spec in variant.entry.signature.operands if not spec.is_result]
    values = [value_of(ops, [n] * 32, variant.operand_type(spec)) for n, spec in zip(numbers, specs, strict=True)]
    return int(variant.entry.meaning(ops, variant, *values).data[0])


@pytest.mark.parametrize(
    ("opcode", "numbers", "wanted"),
    [
        ("cvta.shared.u64", (0x410,), 0x100000410),
        ("cvta.shared::cta.u64", (0x410,), 0x100000410),
        ("cvta.param::entry.u64", (0x10,), 0x10),
        ("cvta.u64.global", (0x10,), 0x10),
        ("cvta.to.shared.u64", (0x100000410,), 0x410),
        ("cvta.to.local.u64", (0x10000000008,), 8),
        ("mapa.u64", (0x102000410, 3), 0x103000410),
        ("getctarank.u64", (0x102000410,), 2),
    ],
)
def test_generic_addresses(opcode: str, numbers: tuple[int, ...], wanted: int) -> None:
    assert through_windows(lookup(opcode)[0], *numbers) == wanted


@pytest.mark.parametrize(("space", "wanted"), [("shared", 1), ("shared::cta", 1), ("global", 0), ("const", 0)])
def test_isspacep(space: str, wanted: int) -> None:
    wide, narrow = lookup(f"isspacep.{space}")
    assert through_windows(wide, 0x100000410) == wanted
    assert through_windows(narrow, 0x410) == (space == "global")
