"""Initialisers of global and const variables as bytes (manual, 5.4.4)."""

from __future__ import annotations

from collections.abc import Callable

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
    """Bytes between neighbours along each dimension, then the bytes of one scalar."""
    scalar = TYPES[variable.type].bytes
    strides = [scalar]
    if variable.vector > 1:
        strides.insert(0, element_bytes(variable))
    inner = element_bytes(variable)
    for extent in reversed(variable.dimensions[1:]):
        inner *= extent
        strides.insert(0, inner)
    if variable.dimensions and variable.vector > 1 and len(strides) < len(variable.dimensions) + 1:
        strides.insert(0, element_bytes(variable))
    return strides


def _fill(
    out: bytearray, at: int, initial: nodes.Initial, strides: list[int], variable: nodes.Variable, resolve: Resolve
) -> None:
    if isinstance(initial, tuple):
        for number, part in enumerate(initial):
            _fill(out, at + number * strides[0], part, strides[1:] or strides, variable, resolve)
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
