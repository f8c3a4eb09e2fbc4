"""What ptxas makes of a product and a sum that name no rounding: one instruction, which rounds once.

program/contraction.py finds the pairs; docs/decisions.md says from what the rules were read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from emulator.isa.floats import flushed, negate, result
from emulator.isa.instructions.floating_point import quotient_factors
from emulator.isa.instructions.half_precision import in_halves
from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Entry, Variant, lookup


def fused(product: Variant, addition: Variant, position: int) -> Variant:
    """The variant of d = ±product ± c for an add or sub that takes the product as source 0 or 1.

    Its modifiers are those of fma, `a_negated` or `c_negated` for a subtraction, and the `mode` of a quotient.
    """
    parts = ["fma", "rn", *(name for name in ("ftz", "sat") if addition.get(name)), addition.type.name]
    fma = lookup(".".join(parts))[0]
    more: dict[str, Any] = {}
    if addition.entry.mnemonic == "sub":
        more["c_negated" if position == 0 else "a_negated"] = True
    if product.entry.mnemonic == "div":
        more["mode"] = product.mode
    return Variant(_entry(fma.opcode, "mode" in more), fma.opcode, {**fma.modifiers, **more})


@lru_cache
def _entry(opcode: str, is_quotient: bool) -> Entry:
    """The entry of an fma whose operands a and c may have signs, or of a quotient and a sum."""
    entry = lookup(opcode)[0].entry
    meaning = quotient_and_sum if is_quotient else entry.meaning

    def signed(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
        """A meaning of a * b + c, after the signs in front of a and c."""
        a, c = (_turned(ops, i, x) if i.get(sign) else x for x, sign in ((a, "a_negated"), (c, "c_negated")))
        found: Value = meaning(ops, i, a, b, c)
        return found

    return replace(entry, meaning=signed)


def _turned(ops: Ops, i: Variant, x: Value) -> Value:
    return in_halves(ops, i, lambda half: negate(ops, half), x)


def quotient_and_sum(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a * (1 / b) + c with the approximate reciprocal, rounded once."""
    x, y = quotient_factors(ops, i, a, b)
    (c,) = flushed(ops, i, c)
    return result(ops, i, ops.fma(x, y, c, "rn"))
