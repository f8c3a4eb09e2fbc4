"""Values in 32 lanes, the types of registers, and the reading of registers and of bits in other types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.machine.warp import ALL_LANES, HEADER_BYTES
from emulator.program import FunctionInfo, Program
from emulator.program.operands import Elements, Operand, Packed, Register
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType

Row = npt.NDArray[Any]
State = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Value:
    """32 numbers, or 32 rows of k for a packed type.  lanes: where it is known.  type: None for computed numbers."""

    data: Row
    type: ScalarType | None = None
    lanes: int = ALL_LANES
    uniform: bool = False

    @property
    def is_float(self) -> bool:
        """Whether the numbers are floats."""
        return self.data.dtype.kind == "f"

    @property
    def is_wide(self) -> bool:
        """Whether each lane's number has 128 bits, in two columns."""
        return self.type is not None and self.type.width == 128 and self.data.ndim == 2

    def truth(self) -> Row:
        """Which lanes hold something else than zero."""
        found: Row = np.any(self.data.astype(bool).reshape(WARP_SIZE, -1), axis=1)
        return found

    def numbers(self) -> list[Any]:
        """The values of the lanes as Python's."""
        found: list[Any] = self.data.tolist()
        return [high << 64 | low for low, high in found] if self.is_wide else found


def dtype_of(kind: ScalarType) -> np.dtype[Any]:
    """How a type of at most 64 bits lies in memory; bits and predicates as unsigned integers."""
    if kind.kind == "p":
        return np.dtype(np.uint8)
    letter = {"f": "f", "s": "i"}.get(kind.kind, "u")
    return np.dtype(f"{letter}{kind.bytes}")


def row_of(state: State, register: Register) -> Row:
    """A register's row in the bytes of a warp, as its declared type; 128 bits as two columns."""
    start = HEADER_BYTES + register.offset
    raw = state[start : start + register.row_bytes]
    if register.type.width == 128:
        return raw.view(np.uint64).reshape(WARP_SIZE, 2)
    return raw.view(dtype_of(register.type))


@lru_cache(maxsize=64)
def _shown_types(program: Program) -> dict[int, ScalarType]:
    """By offset of a row: the type in which instructions write an untyped register, where they agree."""
    votes: dict[int, set[ScalarType]] = {}

    def vote(operand: Operand | None) -> None:
        if operand is None:
            return
        if isinstance(operand.place, (Elements, Packed)):
            for element in operand.place.elements:
                vote(element)
        elif isinstance(operand.place, Register) and operand.type is not None:
            votes.setdefault(operand.place.offset, set()).add(operand.type)

    for instruction in program.instructions:
        for operand in instruction.results:
            vote(operand)
    found = {}
    for offset, kinds in votes.items():
        typed = {kind for kind in kinds if kind.kind in "usf"}
        if len({kind.kind for kind in typed}) == 1 and len({kind.width for kind in typed}) == 1:
            found[offset] = next(iter(typed))
    return found


def type_shown(program: Program, register: Register) -> ScalarType:
    """The declared type; of an untyped register that of the instructions that write it, where they agree."""
    if register.type.kind != "b" or register.type.width > 64:
        return register.type
    kind = _shown_types(program).get(register.offset)
    return kind if kind is not None and kind.width == register.type.width else register.type


def registers_of(program: Program, function: FunctionInfo | None = None) -> list[Register]:
    """The registers of a program, or of one function, that have rows."""
    functions = [function] if function is not None else list(program.functions.values())
    return [register for one in functions for register in one.registers]


PACKED = {"x2": 2, "x4": 4, "x8": 8}


def reinterpret(bits: Row, kind: ScalarType) -> Row:
    """The low bits of unsigned rows in a type: numbers, or (32, k) of them for a packed type."""
    base, count = kind.name, 1
    for ending, many in PACKED.items():
        if kind.name.endswith(ending):
            base, count = kind.name.removesuffix(ending), many
    element = TYPES[base]
    width = kind.width // count
    wide = bits.astype(np.uint64)
    parts = [_element(wide >> np.uint64(width * n), element, width) for n in range(count)]
    return parts[0] if count == 1 else np.stack(parts, axis=1)


def _element(bits: Row, kind: ScalarType, width: int) -> Row:
    if width < 64:
        bits = bits & np.uint64((1 << min(width, kind.width)) - 1)
    if kind.name == "tf32":
        return bits.astype(np.uint32).view(np.float32)
    if kind.kind == "a":
        return _small_float(bits, kind)
    if kind.kind == "s" and kind.width < 8:
        return (bits.astype(np.int64) ^ (1 << kind.width - 1)) - (1 << kind.width - 1)
    return bits.astype(np.dtype(f"u{kind.bytes}")).view(dtype_of(kind))


def _small_float(bits: Row, kind: ScalarType) -> Row:
    import ml_dtypes

    names = {
        "bf16": "bfloat16", "e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2", "ue8m0": "float8_e8m0fnu",
        "ue4m3": "float8_e4m3fn", "e2m1": "float4_e2m1fn", "e2m3": "float6_e2m3fn", "e3m2": "float6_e3m2fn",
    }  # fmt: skip
    raw = bits.astype(np.uint16 if kind.name == "bf16" else np.uint8)
    numbers: Row = raw.view(getattr(ml_dtypes, names[kind.name])).astype(np.float32)
    return numbers
