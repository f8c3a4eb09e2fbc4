"""Operand sets with edges mixed in, and the comparison of a meaning with an oracle over Python ints."""

from __future__ import annotations

import inspect
import math
import os
import random
from collections.abc import Callable
from itertools import product
from typing import Any

from emulator.isa.registry import Variant
from emulator.ptx_types import TYPES, ScalarType
from tests.isa.examples import results_of, rows, sources_of, variant_of

COUNT = 1536
LEAST = int(os.environ.get("LEAST_SETS", "0"))  # operand sets that `verify` tries at least (test_thousand_sets.py)
EXPONENTS = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}  # where the exponent's bits begin


def float_edges(kind: ScalarType) -> tuple[int, ...]:
    """Zeros, the least and greatest subnormals and normal numbers, one, infinities, NaNs of both kinds and signs."""
    place, sign = EXPONENTS[kind.name], 1 << kind.width - 1
    unit = 1 << place
    infinity = sign - unit
    one = infinity // 2 & -unit
    numbers = (0, 1, unit - 1, unit, one, one + 1, infinity - 1, infinity, infinity + 1, infinity + unit // 2)
    return (*numbers, *(sign | bits for bits in numbers), 2 * sign - 1)


def edges(kind: ScalarType) -> tuple[int, ...]:
    """The bits of a type's interesting numbers."""
    if kind.kind == "p":
        return (0, 1)
    if kind.name.endswith("x2"):
        name = kind.name.removesuffix("x2")
        half = float_edges(TYPES[name]) if name in EXPONENTS else (0, 1, 2, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF)
        return tuple(low | high << 16 for low, high in product(half, half))
    if kind.name in EXPONENTS:
        return float_edges(kind)
    top = 1 << kind.width - 1
    around = (0, 1, 2, 3, top - 1, top, top + 1, 2 * top - 2, 2 * top - 1, 2 * top // 3, 2 * top // 3 * 2)
    amounts = (7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 0xFF, 0x100, 0x8080)
    return (*around, *amounts, 0x800000, 0xFFFFFF) if kind.width > 16 else (*around, *amounts)


def samples(kinds: list[ScalarType], seed: str, count: int = COUNT) -> list[list[int]]:
    """Sets of bits, a row an operand: all edges with each other where those are few, then `count` mixtures."""
    choice = random.Random(seed)
    special = [edges(kind) for kind in kinds]
    sets = [list(operands) for operands in product(*special)] if math.prod(map(len, special)) <= count else []
    for _ in range(count):
        sets.append([one(kind, choice) for kind in kinds])
    return [list(row) for row in zip(*sets, strict=True)]


def one(kind: ScalarType, choice: random.Random) -> int:
    """An edge, or random bits of a random length."""
    if choice.random() < 0.5:
        return choice.choice(edges(kind))
    return choice.getrandbits(kind.width if choice.random() < 0.6 else choice.randint(1, kind.width))


def number(bits: int, kind: ScalarType) -> int:
    """Bits as a number: signed for signed integers, else as they are."""
    return bits - (1 << kind.width) if kind.is_signed and bits >> kind.width - 1 else bits


def verify(
    opcode: str,
    oracle: Callable[..., Any],
    *,
    count: int = COUNT,
    seed: str = "",
    modifiers: dict[str, Any] | None = None,
) -> None:
    """Compare an opcode with an oracle over as many sources as the oracle has parameters without a default.

    The oracle gets numbers (signed for signed types; a float's bits) and returns the result or a tuple of results,
    of which the bits of the result's width count.  modifiers: selectors and signs at operands.
    """
    parameters = inspect.signature(oracle).parameters.values()
    variant = variant_of(opcode, sum(parameter.default is inspect.Parameter.empty for parameter in parameters))
    kinds = kinds_of(variant)
    given = samples(kinds, opcode + seed, max(count, LEAST))
    found = rows(opcode, *given, modifiers=modifiers or {})
    for lane, bits in enumerate(zip(*given, strict=True)):
        numbers = [number(b, kind) for b, kind in zip(bits, kinds, strict=True)]
        wanted = oracle(*numbers)
        for place, result in enumerate(wanted if isinstance(wanted, tuple) else (wanted,)):
            width = result_width(variant, place)
            expected = int(result) & (1 << width) - 1
            text = f"{opcode} {', '.join(map(hex, bits))} {modifiers or ''}: result {place}"
            assert found[place][lane] == expected, f"{text} is {found[place][lane]:#x}, not {expected:#x}"


def kinds_of(variant: Variant) -> list[ScalarType]:
    """The types of a variant's sources."""
    kinds = [variant.operand_type(spec) for spec in sources_of(variant)]
    assert None not in kinds
    return kinds  # type: ignore[return-value]


def result_width(variant: Variant, place: int) -> int:
    """The width of a result in bits."""
    kind = variant.operand_type(results_of(variant)[place])
    assert kind is not None
    return kind.width
