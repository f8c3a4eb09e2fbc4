"""Integer arithmetic against Python's integers, which never overflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.isa.operands import verify

INTEGERS = ("u16", "u32", "u64", "s16", "s32", "s64")
BITS = {name: int(name[1:]) for name in INTEGERS}


def clamp(number: int, width: int = 32) -> int:
    return max(-1 << width - 1, min((1 << width - 1) - 1, number))


@pytest.mark.parametrize("kind", INTEGERS)
def test_add_sub_wrap(kind: str) -> None:
    verify(f"add.{kind}", lambda a, b: a + b)
    verify(f"sub.{kind}", lambda a, b: a - b)


def test_add_sub_saturate() -> None:
    verify("add.sat.s32", lambda a, b: clamp(a + b))
    verify("sub.sat.s32", lambda a, b: clamp(a - b))
    verify("sub.s32.sat", lambda a, b: clamp(a - b))


@pytest.mark.parametrize("kind", INTEGERS)
def test_mul_and_mad(kind: str) -> None:
    width = BITS[kind]
    verify(f"mul.lo.{kind}", lambda a, b: a * b)
    verify(f"mul.hi.{kind}", lambda a, b: a * b >> width)
    verify(f"mad.lo.{kind}", lambda a, b, c: a * b + c)
    verify(f"mad.hi.{kind}", lambda a, b, c: (a * b >> width) + c)


@pytest.mark.parametrize("kind", ["u16", "u32", "s16", "s32"])
def test_wide(kind: str) -> None:
    verify(f"mul.wide.{kind}", lambda a, b: a * b)
    verify(f"mad.wide.{kind}", lambda a, b, c: a * b + c)


def test_mad_hi_sat() -> None:
    verify("mad.hi.sat.s32", lambda a, b, c: clamp((a * b >> 32) + c))
    verify("mad.hi.s32.sat", lambda a, b, c: clamp((a * b >> 32) + c))


def low24(a: int, kind: str) -> int:
    a &= 0xFFFFFF
    return a - 0x1000000 if kind == "s32" and a >= 0x800000 else a


@pytest.mark.parametrize("kind", ["u32", "s32"])
def test_mul24_and_mad24(kind: str) -> None:
    verify(f"mul24.lo.{kind}", lambda a, b: low24(a, kind) * low24(b, kind))
    verify(f"mul24.hi.{kind}", lambda a, b: low24(a, kind) * low24(b, kind) >> 16)
    verify(f"mad24.lo.{kind}", lambda a, b, c: low24(a, kind) * low24(b, kind) + c)
    verify(f"mad24.hi.{kind}", lambda a, b, c: (low24(a, kind) * low24(b, kind) >> 16) + c)


def test_mad24_hi_sat() -> None:
    verify("mad24.hi.sat.s32", lambda a, b, c: clamp((low24(a, "s32") * low24(b, "s32") >> 16) + c))


@pytest.mark.parametrize("kind", INTEGERS)
def test_sad(kind: str) -> None:
    verify(f"sad.{kind}", lambda a, b, c: c + abs(a - b))


def quotient(a: int, b: int) -> int:
    if b == 0:
        return -1
    return abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)


def remainder(a: int, b: int) -> int:
    return -1 if b == 0 else a - b * quotient(a, b)


@pytest.mark.parametrize("kind", INTEGERS)
def test_div_rem(kind: str) -> None:
    verify(f"div.{kind}", quotient)
    verify(f"rem.{kind}", remainder)


@pytest.mark.parametrize("kind", ["s16", "s32", "s64"])
def test_abs_neg(kind: str) -> None:
    verify(f"abs.{kind}", lambda a: abs(a))
    verify(f"neg.{kind}", lambda a: -a)


@pytest.mark.parametrize("kind", INTEGERS)
def test_min_max(kind: str) -> None:
    verify(f"min.{kind}", lambda a, b: min(a, b))
    verify(f"max.{kind}", lambda a, b: max(a, b))


def test_min_max_relu() -> None:
    verify("min.relu.s32", lambda a, b: max(min(a, b), 0))
    verify("max.s32.relu", lambda a, b: max(a, b, 0))


def parts(bits: int, count: int, signed: bool) -> list[int]:
    """The equal parts of 32 bits, lowest first."""
    width = 32 // count
    fields = [bits >> width * k & (1 << width) - 1 for k in range(count)]
    return [field - (1 << width) if signed and field >> width - 1 else field for field in fields]


def in_halves(function: Callable[[int, int], int], signed: bool) -> Callable[[int, int], int]:
    def both(a: int, b: int) -> int:
        low, high = (function(x, y) & 0xFFFF for x, y in zip(parts(a, 2, signed), parts(b, 2, signed), strict=True))
        return low | high << 16

    return both


PAIRS: list[tuple[str, bool, Callable[..., Any]]] = [
    ("add.u16x2", False, lambda x, y: x + y),
    ("add.s16x2", True, lambda x, y: x + y),
    ("min.u16x2", False, min),
    ("min.s16x2", True, min),
    ("max.u16x2", False, max),
    ("max.s16x2", True, max),
    ("min.relu.s16x2", True, lambda x, y: max(min(x, y), 0)),
    ("max.relu.s16x2", True, lambda x, y: max(x, y, 0)),
]


@pytest.mark.parametrize(("opcode", "signed", "function"), PAIRS)
def test_halves(opcode: str, signed: bool, function: Callable[[int, int], int]) -> None:
    verify(opcode, in_halves(function, signed))


@pytest.mark.parametrize("atype", ["u32", "s32"])
@pytest.mark.parametrize("btype", ["u32", "s32"])
def test_dp4a_dp2a(atype: str, btype: str) -> None:
    a_signed, b_signed = atype == "s32", btype == "s32"

    def dp4a(a: int, b: int, c: int) -> int:
        return c + sum(x * y for x, y in zip(parts(a, 4, a_signed), parts(b, 4, b_signed), strict=True))

    def dp2a(a: int, b: int, c: int, first: int) -> int:
        octets = parts(b, 4, b_signed)[first : first + 2]
        return c + sum(x * y for x, y in zip(parts(a, 2, a_signed), octets, strict=True))

    verify(f"dp4a.{atype}.{btype}", dp4a)
    verify(f"dp2a.lo.{atype}.{btype}", lambda a, b, c: dp2a(a, b, c, 0))
    verify(f"dp2a.hi.{atype}.{btype}", lambda a, b, c: dp2a(a, b, c, 2))
