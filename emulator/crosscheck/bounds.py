"""How far an approximate instruction may be off: the manual's error bounds (9.7.3.8, 9.7.3.13-22, 9.7.4.9-10)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from emulator.program import Instruction

Exact = Callable[..., float]
FUNCTIONS: dict[str, Exact] = {
    "rcp": lambda a: 1 / a,
    "div": lambda a, b: a / b,
    "sqrt": math.sqrt,
    "rsqrt": lambda a: 1 / math.sqrt(a),
    "ex2": lambda a: 2.0**a,
    "lg2": math.log2,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
}
ULP, RELATIVE, ABSOLUTE = "ulp", "relative", "absolute"
BOUNDS: dict[tuple[str, str], tuple[str, float]] = {
    ("rcp", "f32"): (ULP, 1),
    ("div", "f32"): (ULP, 2),
    ("ex2", "f32"): (ULP, 2),
    ("sqrt", "f32"): (RELATIVE, 2**-23),
    ("rsqrt", "f32"): (RELATIVE, 2**-22.9),
    ("tanh", "f32"): (RELATIVE, 2**-11),
    ("lg2", "f32"): (RELATIVE, 2**-22),
    ("sin", "f32"): (ABSOLUTE, 2**-20.5),
    ("cos", "f32"): (ABSOLUTE, 2**-20.5),
    ("tanh", "f16"): (ABSOLUTE, 2**-10.987),
    ("tanh", "bf16"): (ABSOLUTE, 2**-8),
    ("ex2", "f16"): (RELATIVE, 2**-9.9),
    ("ex2", "bf16"): (RELATIVE, 2**-7),
}
LARGEST_ANGLE, LARGE_ANGLE_ERROR = 2 * math.pi, 2**-14.7
MOST_ANGLE = 100 * math.pi


def is_approximate(instruction: Instruction) -> bool:
    """Whether the manual gives its result an error bound instead of bits."""
    parts = instruction.opcode.split(".")
    return bool({"approx", "full"} & set(parts)) and instruction.variant.entry.mnemonic in FUNCTIONS


def is_within_bound(instruction: Instruction, sources: Sequence[int], result: int) -> bool:
    """Whether the bits of a result are a right answer for the bits of the sources."""
    kind = instruction.variant.type.name
    if kind.endswith("x2"):
        halves = [(shift, [bits >> shift & 0xFFFF for bits in sources]) for shift in (0, 16)]
        return all(_scalar(instruction, kind[:-2], part, result >> shift & 0xFFFF) for shift, part in halves)
    return _scalar(instruction, kind, sources, result)


def _scalar(instruction: Instruction, kind: str, sources: Sequence[int], result: int) -> bool:
    word = instruction.variant.entry.mnemonic
    bound = BOUNDS.get((word, kind))
    if bound is None:
        return False
    given = [_number(bits, kind) for bits in sources]
    found = _number(result, kind)
    try:
        exact = FUNCTIONS[word](*given)
    except (ValueError, ZeroDivisionError, OverflowError):
        return False  # special values have one right answer, which is no approximation
    if not (math.isfinite(exact) and math.isfinite(found)):
        return False
    return _error(word, kind, given[0], exact, found, *bound)


def _error(word: str, kind: str, a: float, exact: float, found: float, measure: str, bound: float) -> bool:
    error = abs(found - exact)
    if word in ("sin", "cos") and abs(a) > LARGEST_ANGLE:
        return abs(a) > MOST_ANGLE or error <= LARGE_ANGLE_ERROR
    if word == "lg2" and 0.5 < a < 2:
        measure, bound = ABSOLUTE, 2**-22
    if measure == ABSOLUTE:
        return error <= bound
    if measure == RELATIVE:
        return error <= bound * abs(exact) or abs(exact) < 2**-126
    return error <= bound * float(np.spacing(np.abs(np.float32(exact)))) or abs(exact) < 2**-126


def _number(bits: int, kind: str) -> float:
    """A float from its bits."""
    if kind == "bf16":
        bits, kind = bits << 16, "f32"
    size = {"f16": 2, "f32": 4, "f64": 8}[kind]
    value: Any = np.frombuffer(bits.to_bytes(size, "little"), f"<f{size}")[0]
    return float(value)
