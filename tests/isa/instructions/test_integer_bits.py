"""Bit counting, finding and masking against the manual's bit-by-bit semantics."""

from __future__ import annotations

from itertools import product

import pytest

from tests.isa.examples import rows
from tests.isa.operands import verify

ONES = 0xFFFFFFFF


@pytest.mark.parametrize("width", [32, 64])
def test_count_and_reverse(width: int) -> None:
    verify(f"popc.b{width}", lambda a: f"{a:b}".count("1"))
    verify(f"clz.b{width}", lambda a: width - a.bit_length())
    verify(f"brev.b{width}", lambda a: int(f"{a:0{width}b}"[::-1], 2))


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
def test_bfind(kind: str) -> None:
    width = int(kind[1:])

    def place(a: int) -> int:
        return (a if a >= 0 else ~a).bit_length() - 1

    verify(f"bfind.{kind}", place)
    verify(f"bfind.shiftamt.{kind}", lambda a: -1 if place(a) < 0 else width - 1 - place(a))


def fns(mask: int, base: int, offset: int) -> int:
    if offset == 0:
        return base if mask >> base & 1 else ONES
    places = range(base, 32) if offset > 0 else range(base, -1, -1)
    found = [place for place in places if mask >> place & 1]
    return found[abs(offset) - 1] if abs(offset) <= len(found) else ONES


def test_fns_from_every_base() -> None:
    masks = [0, ONES, 0xAAAAAAAA, 1, 1 << 31, 0x80000001, 0x00F0F00F, 0x12345678]
    offsets = (-1 << 31, -33, -32, -17, -3, -2, -1, 0, 1, 2, 5, 16, 32, 33, (1 << 31) - 1)
    sets = list(product(masks, range(32), offsets))
    found = rows("fns.b32", *([operands[k] & ONES for operands in sets] for k in range(3)))[0]
    assert found == [fns(*operands) for operands in sets]


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
def test_bfe(kind: str) -> None:
    width, signed = int(kind[1:]), kind[0] == "s"

    def bfe(a: int, b: int, c: int) -> int:
        position, length = b & 255, c & 255
        sign = a >> min(position + length - 1, width - 1) & 1 if signed and length else 0
        bits = [a >> position + k & 1 if k < length and position + k < width else sign for k in range(width)]
        return sum(bit << k for k, bit in enumerate(bits))

    verify(f"bfe.{kind}", bfe)


@pytest.mark.parametrize("width", [32, 64])
def test_bfi(width: int) -> None:
    def bfi(a: int, b: int, c: int, d: int) -> int:
        position, length = c & 255, d & 255
        for k in range(min(length, max(0, width - position))):
            b = b & ~(1 << position + k) | (a >> k & 1) << position + k
        return b

    verify(f"bfi.b{width}", bfi)


@pytest.mark.parametrize("mode", ["clamp", "wrap"])
def test_szext(mode: str) -> None:
    def szext(a: int, b: int, signed: bool) -> int:
        low, too_large = b & 31, b >= 32 and mode == "clamp"
        mask = 0 if too_large else ONES << low & ONES
        sign = signed and low and not too_large and a >> low - 1 & 1
        return a & ~mask | (mask if sign else 0)

    verify(f"szext.{mode}.u32", lambda a, b: szext(a, b, False))
    verify(f"szext.{mode}.s32", lambda a, b: szext(a, b, True))


@pytest.mark.parametrize("mode", ["clamp", "wrap"])
def test_bmsk(mode: str) -> None:
    def bmsk(a: int, b: int) -> int:
        low, length = a & 31, b & 31
        mask0, mask1 = ONES << low & ONES, ONES << low + length & ONES
        beyond = mode == "clamp" and a >= 32
        if low + length >= 32 or beyond or (mode == "clamp" and b >= 32):
            mask1 = 0
        elif length == 0:
            mask1 = ONES
        return (0 if beyond else mask0) & ~mask1

    verify(f"bmsk.{mode}.b32", bmsk)
