"""Initialisers of global and const variables as bytes (manual, 5.4.4)."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from emulator.parse import nodes
from emulator.program.binding import Mismatch, constant_bits
from emulator.program.layout import element_bytes, size_of
from emulator.ptx_types import OPAQUE_TYPES, TYPES

Resolve = Callable[[nodes.SymbolValue], int]


def initial_bytes(variable: nodes.Variable, resolve: Resolve) -> bytes:
    """The bytes of a variable; what the initialiser leaves out is zero.

    resolve gives the address of a symbol; a mask such as 0xFF00(sym) takes its bits, moved down, into one byte.
    """
    size = size_of(variable)
    if variable.initial is None or variable.type in OPAQUE_TYPES:
        return bytes(size)
    out = bytearray(size)
    _fill(out, 0, variable.initial, _strides(variable), variable, resolve)
    return bytes(out)


def _strides(variable: nodes.Variable) -> list[int]:
    """Bytes between neighbours along each dimension, and between the elements of a vector."""
    inner = [element_bytes(variable) * prod(variable.dimensions[n + 1 :]) for n in range(len(variable.dimensions))]
    return inner + [TYPES[variable.type].bytes] * (variable.vector > 1)


def _fill(
    out: bytearray, at: int, initial: nodes.Initial, strides: list[int], variable: nodes.Variable, resolve: Resolve
) -> None:
    if isinstance(initial, tuple):
        for number, part in enumerate(initial):
            _fill(out, at + number * strides[0], part, strides[1:], variable, resolve)
        return
    kind = TYPES[variable.type]
    if isinstance(initial, nodes.Property):
        raise ValueError(f"the initialiser of {variable.name} sets properties of an opaque object")
    if isinstance(initial, nodes.SymbolValue):
        value = resolve(initial)
        if initial.mask is not None:
            mask = initial.mask
            value = (value & mask) >> ((mask & -mask).bit_length() - 1)
    else:
        value = _number(initial, variable)
    out[at : at + kind.bytes] = (value & ((1 << 8 * kind.bytes) - 1)).to_bytes(kind.bytes, "little")


def _number(initial: nodes.Integer | nodes.Float, variable: nodes.Variable) -> int:
    kind = TYPES[variable.type]
    if isinstance(initial, nodes.Integer) and kind.is_float and initial.value == 0:
        return 0
    try:
        return constant_bits(initial, kind)
    except Mismatch as mismatch:
        raise ValueError(f"the initialiser of {variable.name}: {mismatch.message}") from None
