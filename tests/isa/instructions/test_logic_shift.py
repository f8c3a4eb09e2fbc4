"""Logic and shifts against Python's integers."""

from __future__ import annotations

import pytest

from tests.isa.examples import rows
from tests.isa.operands import verify

UNTYPED = ("b16", "b32", "b64")


@pytest.mark.parametrize("kind", ["pred", *UNTYPED])
def test_and_or_xor_not(kind: str) -> None:
    verify(f"and.{kind}", lambda a, b: a & b)
    verify(f"or.{kind}", lambda a, b: a | b)
    verify(f"xor.{kind}", lambda a, b: a ^ b)
    verify(f"not.{kind}", lambda a: ~a)


@pytest.mark.parametrize("kind", UNTYPED)
def test_cnot(kind: str) -> None:
    verify(f"cnot.{kind}", lambda a: 0 if a else 1)


@pytest.mark.parametrize("kind", [f"{letter}{width}" for letter in "bus" for width in (16, 32, 64)])
def test_shr(kind: str) -> None:
    verify(f"shr.{kind}", lambda a, b: a >> min(b, 64))


@pytest.mark.parametrize("kind", UNTYPED)
def test_shl(kind: str) -> None:
    verify(f"shl.{kind}", lambda a, b: a << min(b, 64))


@pytest.mark.parametrize("mode", ["clamp", "wrap"])
def test_shf(mode: str) -> None:
    def amount(c: int) -> int:
        return min(c, 32) if mode == "clamp" else c & 31

    verify(f"shf.l.{mode}.b32", lambda a, b, c: (b << 32 | a) << amount(c) >> 32)
    verify(f"shf.r.{mode}.b32", lambda a, b, c: (b << 32 | a) >> amount(c))


def by_bits(a: int, b: int, c: int, table: int) -> int:
    digits = zip(f"{a:032b}", f"{b:032b}", f"{c:032b}", strict=True)
    return int("".join(str(table >> int(x + y + z, 2) & 1) for x, y, z in digits), 2)


def test_lop3_every_table() -> None:
    operands = [(0xFF00FF00, 0xF0F0F0F0, 0xCCCCCCCC), (0, 0xFFFFFFFF, 0x12345678), (0x80000001, 0x7FFFFFFE, 0x55555555)]
    operands += [(0xDEADBEEF, 0x0F1E2D3C, 0x89ABCDEF), (0xFFFFFFFF, 0x80000000, 1)]
    sets = [(*values, table) for table in range(256) for values in operands]
    found = rows("lop3.b32", *(list(row) for row in zip(*sets, strict=True)))[0]
    assert found == [by_bits(*values) for values in sets]


def test_lop3_takes_the_low_byte_of_its_table() -> None:
    assert rows("lop3.b32", [0xF0], [0xCC], [0xAA], [0x196])[0] == [0x96]


@pytest.mark.parametrize("word", ["or", "and"])
def test_lop3_with_a_predicate(word: str) -> None:
    def lop3(a: int, b: int, c: int, table: int, q: int) -> tuple[int, int]:
        d = by_bits(a, b, c, table)
        return d, (d != 0 or q) if word == "or" else (d != 0 and q)

    verify(f"lop3.{word}.b32", lop3)
