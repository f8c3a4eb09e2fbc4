"""Scalar and SIMD video instructions against the manual's pseudocode in Python's integers."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from emulator.isa.registry import lookup
from tests.isa.examples import variant_of
from tests.isa.operands import verify

TYPES = ("u32", "s32")
PARTS = (None, "b0", "b1", "b2", "b3", "h0", "h1")
SECOND: dict[str, Callable[[int, int], int]] = {"add": lambda x, y: x + y, "min": min, "max": max}
RELATIONS: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}


def signed(bits: int, width: int) -> int:
    bits &= (1 << width) - 1
    return bits - (1 << width) if bits >> width - 1 else bits


def place(selector: str | None) -> tuple[int, int]:
    """First bit and width of a selected part."""
    if selector is None:
        return 0, 32
    width = 8 if selector[0] == "b" else 16
    return int(selector[1]) * width, width


def select(bits: int, kind: str, selector: str | None) -> int:
    first, width = place(selector)
    part = bits >> first & (1 << width) - 1
    return signed(part, width) if kind == "s32" else part


def clamp(number: int, kind: str, width: int) -> int:
    least, greatest = (-1 << width - 1, (1 << width - 1) - 1) if kind == "s32" else (0, (1 << width) - 1)
    return max(least, min(greatest, number))


def finish(number: int, c: int, kind: str, *, sat: bool, second: str | None, dsel: str | None) -> int:
    first, width = place(dsel)
    number = signed(number, 34)
    if sat:
        number = clamp(number, kind, width)
    if second is not None:
        return SECOND[second](number, c)
    if dsel is not None:
        ones = (1 << width) - 1
        return c & ~(ones << first) | (number & ones) << first
    return number


Primary = Callable[[int, int], int]
SCALAR: dict[str, Primary] = {
    "vadd": lambda x, y: x + y,
    "vsub": lambda x, y: x - y,
    "vabsdiff": lambda x, y: abs(x - y),
    "vmin": min,
    "vmax": max,
}
FORMS = [None, "add", "min", "max", "merge"]


def run_scalar(opcode: str, kinds: tuple[str, str, str], primary: Primary, *, sat: bool, form: str | None) -> None:
    """Try an opcode in one of its forms with some selectors."""
    dtype, atype, btype = kinds
    choice = random.Random(zlib.crc32(f"{opcode}{kinds}{form}".encode()))
    for _ in range(2):
        asel, bsel = choice.choice(PARTS), choice.choice(PARTS)
        dsel = choice.choice(PARTS[1:]) if form == "merge" else None
        second = form if form in SECOND else None

        def whole(a: int, b: int, c: int) -> int:
            number = primary(select(a, atype, asel), select(b, btype, bsel))  # noqa: B023
            return finish(number, c, dtype, sat=sat, second=second, dsel=dsel)  # noqa: B023

        modifiers: dict[str, Any] = {"asel": asel, "bsel": bsel}
        if form == "merge":
            modifiers["dsel"] = dsel
        oracle: Callable[..., int] = (lambda a, b: whole(a, b, 0)) if form is None else whole
        verify(opcode + (f".{second}" if second else ""), oracle, count=250, seed=str(modifiers), modifiers=modifiers)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("word", SCALAR)
@pytest.mark.parametrize("sat", [False, True])
def test_scalar_arithmetic(word: str, form: str | None, sat: bool) -> None:
    for kinds in [(d, a, b) for d in TYPES for a in TYPES for b in TYPES]:
        opcode = ".".join([word, *kinds]) + (".sat" if sat else "")
        run_scalar(opcode, kinds, SCALAR[word], sat=sat, form=form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["clamp", "wrap"])
@pytest.mark.parametrize("word", ["vshl", "vshr"])
def test_scalar_shifts(word: str, mode: str, form: str | None) -> None:
    def shift(x: int, n: int) -> int:
        n = min(n, 32) if mode == "clamp" else n & 31
        return x << n if word == "vshl" else x >> n

    for dtype, atype, sat in [(d, a, sat) for d in TYPES for a in TYPES for sat in (False, True)]:
        opcode = f"{word}.{dtype}.{atype}.u32{'.sat' if sat else ''}.{mode}"
        run_scalar(opcode, (dtype, atype, "u32"), shift, sat=sat, form=form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("word", RELATIONS)
def test_scalar_comparison(word: str, form: str | None) -> None:
    for atype, btype in [(a, b) for a in TYPES for b in TYPES]:
        kinds = ("u32", atype, btype)
        run_scalar(f"vset.{atype}.{btype}.{word}", kinds, lambda x, y: RELATIONS[word](x, y), sat=False, form=form)


def vmad(a: int, b: int, c: int, kinds: tuple[str, str], names: dict[str, Any], sat: bool, scale: int, po: bool) -> int:
    """The manual's pseudocode, on the bits of c."""
    atype, btype = kinds
    minus = bool(names.get("a_negated")) != bool(names.get("b_negated"))
    c_negated = bool(names.get("c_negated"))
    signed_final = "s32" in kinds or minus or c_negated
    tmp = select(a, atype, names.get("asel")) * select(b, btype, names.get("bsel"))
    lsb = 0
    if po:
        lsb = 1
    elif minus:
        tmp, lsb = ~tmp, 1
    elif c_negated:
        c, lsb = ~c, 1
    tmp += (signed(c, 32) if signed_final else c & 0xFFFFFFFF) + lsb
    result = tmp >> scale & 0xFFFFFFFFFFFFFFFF
    if not sat:
        return result
    return clamp(signed(result, 64) if signed_final else result, "s32" if signed_final else "u32", 32)


SIGNS = [(), ("a_negated",), ("b_negated",), ("a_negated", "b_negated"), ("c_negated",)]


@pytest.mark.parametrize("po", [False, True])
@pytest.mark.parametrize("scale", [0, 7, 15])
@pytest.mark.parametrize("sat", [False, True])
def test_vmad(po: bool, scale: int, sat: bool) -> None:
    ends = (".po" if po else "") + (".sat" if sat else "") + (f".shr{scale}" if scale else "")
    choice = random.Random(scale)
    for kinds in [(a, b) for a in TYPES for b in TYPES]:
        for signs in SIGNS[: 1 if po else None]:
            parts = {"asel": choice.choice(PARTS), "bsel": choice.choice(PARTS)}
            for selected in ({"asel": None, "bsel": None}, parts):
                names = {**selected, **dict.fromkeys(signs, True)}
                verify(
                    f"vmad.s32.{'.'.join(kinds)}{ends}",
                    lambda a, b, c, k=kinds, n=names: vmad(a, b, c, k, n, sat, scale, po),
                    count=400,
                    modifiers=names,
                )


@pytest.mark.parametrize(
    ("opcode", "names"),
    [
        ("vmad.s32.s32.s32.po", {"a_negated": True}),
        ("vmad.s32.s32.s32.po", {"c_negated": True}),
        ("vmad.s32.s32.s32", {"a_negated": True, "c_negated": True}),
    ],
)
def test_vmad_refuses_signs(opcode: str, names: dict[str, Any]) -> None:
    variant = variant_of(opcode, 3).with_modifiers(names)
    assert variant.entry.check is not None
    assert variant.entry.check(variant) is not None
    both = variant_of("vmad.s32.s32.s32", 3).with_modifiers({"a_negated": True, "b_negated": True, "c_negated": True})
    assert variant.entry.check(both) is None


def average(x: int, y: int) -> int:
    return (x + y + 1) >> 1 if x + y >= 0 else (x + y) >> 1


SIMD: dict[str, Primary] = {**SCALAR, "vavrg": average}


def simd(
    a: int, b: int, c: int, count: int, kinds: tuple[str, str, str], primary: Primary, names: dict[str, Any],
    *, sat: bool, add: bool,
) -> int:  # fmt: skip
    """The manual's pseudocode for two halves or four bytes."""
    width = 32 // count
    pool = [source >> width * k & (1 << width) - 1 for source in (a, b) for k in range(count)]
    mask = names["mask"] or ["h10", "b3210"][count == 4]
    asel = names["asel"] or ["h10", "b3210"][count == 4]
    bsel = names["bsel"] or ["h32", "b7654"][count == 4]

    def vector(selector: str, kind: str) -> list[int]:
        chosen = [pool[int(digit)] for digit in selector[1:]][::-1]
        return [signed(x, width) if kind == "s32" else x for x in chosen]

    t = [primary(x, y) for x, y in zip(vector(asel, kinds[1]), vector(bsel, kinds[2]), strict=True)]
    if sat:
        t = [clamp(x, kinds[0], width) for x in t]
    positions = [int(digit) for digit in mask[1:]]
    if add:
        return c + sum(t[k] for k in positions)
    ones = (1 << width) - 1
    for k in positions:
        c = c & ~(ones << width * k) | (t[k] & ones) << width * k
    return c


MASKS = {
    2: (None, "h0", "h1", "h10"),
    4: (
        None,
        "b0",
        "b1",
        "b10",
        "b2",
        "b20",
        "b21",
        "b210",
        "b3",
        "b30",
        "b31",
        "b310",
        "b32",
        "b320",
        "b321",
        "b3210",
    ),
}


def selection(choice: random.Random, count: int) -> str | None:
    letter, parts = ("h", "0123") if count == 2 else ("b", "01234567")
    return choice.choice([None, letter + "".join(choice.choices(parts, k=count))])


@pytest.mark.parametrize("ending", ["", ".sat", ".add"])
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("word", SIMD)
def test_simd_arithmetic(word: str, count: int, ending: str) -> None:
    choice = random.Random(zlib.crc32(f"{word}{count}{ending}".encode()))
    for kinds in [(d, a, b) for d in TYPES for a in TYPES for b in TYPES]:
        for mask in choice.sample(MASKS[count], 3):
            names = {"mask": mask, "asel": selection(choice, count), "bsel": selection(choice, count)}
            verify(
                f"{word}{count}.{'.'.join(kinds)}{ending}",
                lambda a, b, c, k=kinds, n=names: simd(
                    a, b, c, count, k, SIMD[word], n, sat=ending == ".sat", add=ending == ".add"
                ),
                count=200,
                modifiers=names,
            )


@pytest.mark.parametrize("ending", ["", ".add"])
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("word", RELATIONS)
def test_simd_comparison(word: str, count: int, ending: str) -> None:
    choice = random.Random(zlib.crc32(f"{word}{count}{ending}".encode()))
    for kinds in [("u32", a, b) for a in TYPES for b in TYPES]:
        for mask in choice.sample(MASKS[count], 3):
            names = {"mask": mask, "asel": selection(choice, count), "bsel": selection(choice, count)}
            verify(
                f"vset{count}.{kinds[1]}.{kinds[2]}.{word}{ending}",
                lambda a, b, c, k=kinds, n=names: simd(
                    a, b, c, count, k, RELATIONS[word], n, sat=False, add=ending == ".add"
                ),
                count=100,
                modifiers=names,
            )


@pytest.mark.parametrize("opcode", ["vadd2.u32.u32.u32.sat.add", "vset2.u32.u32.ne.sat", "vset4.u32.u32.ne.max"])
def test_refuses_what_ptxas_refuses(opcode: str) -> None:
    assert lookup(opcode) == ()
