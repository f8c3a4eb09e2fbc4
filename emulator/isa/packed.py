"""Packed values: several small numbers in one register, the first in the lowest bits (manual, 5.2.5)."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.isa.ops import Ops, Value
from emulator.ptx_types import TYPES, ScalarType


def unsigned(kind: ScalarType) -> ScalarType:
    """The unsigned integer type of a type's width, in which its bits are handled."""
    return TYPES[f"u{kind.width}"]


def unpack(ops: Ops, a: Value, element: ScalarType) -> list[Value]:
    """The elements of a packed value, lowest first."""
    bits, narrow = ops.view(a, unsigned(a.type)), unsigned(element)
    shifts = range(0, a.type.width, element.width)
    return [ops.view(ops.cast(bits >> shift, narrow), element) for shift in shifts]


def pack(ops: Ops, elements: Sequence[Value], kind: ScalarType) -> Value:
    """Elements as one packed value, the first lowest."""
    wide = unsigned(kind)
    bits = ops.const(wide, 0)
    for place, element in enumerate(elements):
        bits |= ops.cast(ops.view(element, unsigned(element.type)), wide) << place * element.type.width
    return ops.view(bits, kind)
