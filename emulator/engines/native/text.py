"""LLVM's notation of lane types and constants."""

from __future__ import annotations

from emulator.ptx_types import WARP_SIZE, ScalarType

FLOAT_NAMES = {32: "float", 64: "double"}  # f16 is kept as its bits


class NoNativeForm(Exception):
    """An operation that has no native form yet; the reference step executes the instruction."""


def lane_type(kind: ScalarType) -> str:
    """The LLVM type of one lane."""
    if kind.kind == "p":
        return "i1"
    if kind.is_float and kind.width > 16:
        return FLOAT_NAMES[kind.width]
    return f"i{max(8, kind.width)}"


def vector(element: str) -> str:
    """A vector of 32 lanes."""
    return f"<{WARP_SIZE} x {element}>"


def splat(element: str, value: int | str) -> str:
    """A constant vector with one value in every lane."""
    return f"splat ({element} {value})" if value not in (0, "0") else "zeroinitializer"
