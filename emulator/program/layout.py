"""Sizes, alignments and offsets of variables (manual, 5.4.1 to 5.4.5 and 5.1.6)."""

from __future__ import annotations

from math import prod

from emulator.parse import nodes
from emulator.program.instruction import KernelParameter
from emulator.ptx_types import OPAQUE_TYPES, TYPES


def align_up(value: int, alignment: int) -> int:
    """The next multiple of alignment, not below value."""
    return -(-value // alignment) * alignment


def element_bytes(variable: nodes.Variable) -> int:
    """The bytes of one element of a variable, vectors included; opaque types take 8."""
    if variable.type in OPAQUE_TYPES:
        return 8
    return TYPES[variable.type].bytes * (4 if variable.vector == 3 else variable.vector)


def size_of(variable: nodes.Variable) -> int:
    """Bytes of a variable; `[]` takes its size from the initialiser, 0 without one."""
    dimensions = list(variable.dimensions)
    if dimensions and dimensions[0] == 0:
        dimensions[0] = len(variable.initial) if isinstance(variable.initial, tuple) else 0
    return element_bytes(variable) * prod(dimensions)


def align_of(variable: nodes.Variable) -> int:
    """The alignment of a variable: its own, or that of its element."""
    return max(variable.align, 128 if variable.type == "tensormap" else element_bytes(variable))


def kernel_parameters(function: nodes.Function) -> tuple[list[KernelParameter], int]:
    """The parameters of a kernel at their offsets, and the bytes of all."""
    found, offset = [], 0
    for node in function.parameters:
        align = align_of(node)
        offset = align_up(offset, align)
        found.append(KernelParameter(node.name, offset, size_of(node), align, node))
        offset += size_of(node)
    return found, offset
