"""Comparisons against Python's, which order floats as IEEE 754 does."""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from emulator.ptx_types import TYPES, ScalarType
from tests.isa.examples import variant_of
from tests.isa.operands import verify

ORDERED = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge
}  # fmt: skip
UNSIGNED = {**ORDERED, "lo": operator.lt, "ls": operator.le, "hi": operator.gt, "hs": operator.ge}
FLOAT_WORDS = [*ORDERED, *(f"{word}u" for word in ORDERED), "num", "nan"]
COMBINED: dict[str, Callable[[Any, Any], Any]] = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}


def float_of(bits: int, kind: ScalarType, ftz: bool = False) -> float:
    octets = bits.to_bytes(kind.bytes, "little")
    if kind.name == "bf16":
        value = float(np.frombuffer(octets, ml_dtypes.bfloat16)[0])
    else:
        value = struct.unpack({"f16": "<e", "f32": "<f", "f64": "<d"}[kind.name], octets)[0]
    least = {"f16": 2.0**-14, "f32": 2.0**-126}.get(kind.name, 0.0) if ftz else 0.0
    return 0.0 if abs(value) < least else value


def compared(word: str, kind: ScalarType, a: int, b: int, ftz: bool = False) -> bool:
    """Whether two numbers, floats given as bits, are in a relation."""
    if kind.kind in "usb":
        return bool(UNSIGNED[word](a, b))
    x, y = float_of(a, kind, ftz), float_of(b, kind, ftz)
    nan = math.isnan(x) or math.isnan(y)
    if word in ("num", "nan"):
        return nan == (word == "nan")
    if word in ORDERED:
        return not nan and bool(ORDERED[word](x, y))
    return nan or bool(ORDERED[word.removesuffix("u")](x, y))


def words_of(kind: ScalarType) -> list[str]:
    return {"b": ["eq", "ne"], "s": list(ORDERED), "u": list(UNSIGNED)}.get(kind.kind, FLOAT_WORDS)


NAMES = ("b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64")
SCALARS = [TYPES[name] for name in (*NAMES, "f16", "bf16")]
CASES = [pytest.param(word, kind, id=f"{word}.{kind.name}") for kind in SCALARS for word in words_of(kind)]


@pytest.mark.parametrize(("word", "kind"), CASES)
def test_setp(word: str, kind: ScalarType) -> None:
    def setp(a: int, b: int) -> tuple[bool, ...]:
        t = compared(word, kind, a, b)
        return (t,) if kind.width == 16 and kind.kind in "fa" else (t, not t)

    verify(f"setp.{word}.{kind.name}", setp)


@pytest.mark.parametrize("boolean", COMBINED)
@pytest.mark.parametrize(
    ("word", "name"), [("lt", "s32"), ("hs", "u64"), ("ne", "b16"), ("gtu", "f32"), ("num", "f64")]
)
def test_setp_combined(word: str, name: str, boolean: str) -> None:
    def setp(a: int, b: int, c: int) -> tuple[int, int]:
        t = compared(word, TYPES[name], a, b)
        return COMBINED[boolean](t, bool(c)), COMBINED[boolean](not t, bool(c))

    verify(f"setp.{word}.{boolean}.{name}", setp)
    verify(f"setp.{name}.{word}.{boolean}", setp)


@pytest.mark.parametrize("word", FLOAT_WORDS)
@pytest.mark.parametrize("name", ["f32", "f16"])
def test_setp_ftz(word: str, name: str) -> None:
    verify(f"setp.{word}.ftz.{name}", lambda a, b: (compared(word, TYPES[name], a, b, ftz=True),))


@pytest.mark.parametrize("name", ["f16", "bf16"])
@pytest.mark.parametrize("word", FLOAT_WORDS)
def test_setp_of_halves(word: str, name: str) -> None:
    def setp(a: int, b: int) -> tuple[bool, bool]:
        low, high = (compared(word, TYPES[name], a >> s & 0xFFFF, b >> s & 0xFFFF) for s in (0, 16))
        return low, high

    verify(f"setp.{word}.{name}x2", setp)
    verify(
        f"setp.{word}.xor.{name}x2", lambda a, b, c: tuple(t ^ bool(c) for t in setp(a, b))
    )  # both halves meet the same c


TRUTH = {"u16": 0xFFFF, "s16": 0xFFFF, "u32": -1, "s32": -1, "f32": 0x3F800000, "f16": 0x3C00, "bf16": 0x3F80}


def set_types() -> list[tuple[str, str]]:
    pairs = [(d, s) for d in ("u32", "s32", "f32") for s in NAMES]
    pairs += [(d, s) for d in ("f16", "bf16") for s in (*NAMES, "f16")]
    pairs += [(d, s) for d in ("u16", "s16", "u32", "s32") for s in ("f16", "bf16")]
    return [*pairs, ("bf16", "bf16")]


@pytest.mark.parametrize(("dtype", "stype"), set_types())
def test_set(dtype: str, stype: str) -> None:
    kind = TYPES[stype]
    for word in words_of(kind)[::3]:
        verify(f"set.{word}.{dtype}.{stype}", lambda a, b, w=word: compared(w, kind, a, b) and TRUTH[dtype], count=300)
    word = words_of(kind)[1]
    verify(
        f"set.{word}.xor.{dtype}.{stype}",
        lambda a, b, c: compared(word, kind, a, b) != bool(c) and TRUTH[dtype],
        count=300,
    )


@pytest.mark.parametrize("name", ["f16", "bf16"])
@pytest.mark.parametrize("to", ["u32", "s32", "same"])
def test_set_of_halves(name: str, to: str) -> None:
    dtype, one = (f"{name}x2", TRUTH[name]) if to == "same" else (to, 0xFFFF)

    def set_pair(word: str, a: int, b: int, c: bool) -> int:
        low, high = (compared(word, TYPES[name], a >> s & 0xFFFF, b >> s & 0xFFFF) or c for s in (0, 16))
        return low * one | high * one << 16

    for word in FLOAT_WORDS:
        verify(f"set.{word}.{dtype}.{name}x2", lambda a, b, w=word: set_pair(w, a, b, False))
        verify(f"set.{word}.or.{dtype}.{name}x2", lambda a, b, c, w=word: set_pair(w, a, b, bool(c)), count=200)


@pytest.mark.parametrize("name", NAMES)
def test_selections(name: str) -> None:
    def is_negative(c: int) -> bool:
        value = float_of(c, TYPES["f32"])
        return math.isnan(value) or value < 0

    verify(f"selp.{name}", lambda a, b, c: a if c else b)
    verify(f"slct.{name}.s32", lambda a, b, c: a if c >= 0 else b)
    verify(f"slct.{name}.f32", lambda a, b, c: b if is_negative(c) else a)
    subnormal = range(0x80000001, 0x80800000)
    verify(f"slct.ftz.{name}.f32", lambda a, b, c: b if is_negative(c) and c not in subnormal else a)


REFUSED = """
    setp.lo.s32 setp.lt.b32 setp.num.s16 setp.neu.ftz.b32 setp.lt.ftz.f64 setp.lt.ftz.bf16
    set.geu.and.ftz.f32.b16 set.num.xor.f32.b64 set.lt.ftz.f16.s32 set.hs.u32.f32
"""


@pytest.mark.parametrize("opcode", REFUSED.split())
def test_refuses_what_ptxas_refuses(opcode: str) -> None:
    with pytest.raises(LookupError):
        variant_of(opcode, 3 if ".and" in opcode or ".xor" in opcode else 2)
