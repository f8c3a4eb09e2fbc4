"""Inputs that a seed gives, the same in every version of NumPy: random bits, and the edges of a type."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.arguments import dtype_of, parse_spec
from emulator.crosscheck.job import Array
from emulator.ptx_types import ScalarType

INTEGERS = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 255, 256)
FLOAT_BITS = {  # (fraction bits, exponent bits)
    "f16": (10, 5),
    "bf16": (7, 8),
    "f32": (23, 8),
    "f64": (52, 11),
    "tf32": (23, 8),
}


def raw_bits(seed: int, name: str, count: int) -> npt.NDArray[np.uint64]:
    """Random 64-bit words; the raw stream of PCG64, which NumPy promises to keep."""
    words: npt.NDArray[np.uint64] = np.random.PCG64([seed, zlib.crc32(name.encode())]).random_raw(count)
    return words


def integer_edges(width: int) -> list[int]:
    """Small numbers, powers of two and their neighbours, both ends of the signed and the unsigned range."""
    most = (1 << width) - 1
    found = [*INTEGERS, *(-n for n in INTEGERS), *(1 << n for n in range(8, width, 8))]
    found += [1 << width - 1, (1 << width - 1) - 1, (1 << width - 1) + 1, most, most - 1, 0x5555555555555555]
    return list(dict.fromkeys(n & most for n in found))


def float_edges(kind: str) -> list[int]:
    """Zeros, subnormals, ones, halves, odd and even last places, the largest number, infinities, NaNs, both signs."""
    fraction, exponent = FLOAT_BITS[kind]
    bias, top = (1 << exponent - 1) - 1, (1 << exponent) - 1
    one = bias << fraction
    last, infinity = (1 << fraction) - 1, top << fraction
    found = [0, 1, 2, last, last + 1, last + 2, one, one - 1, one + 1, one + (1 << fraction - 1), one + last]
    found += [one + (1 << fraction), one - (1 << fraction), bias + fraction << fraction, infinity - 1, infinity]
    found += [infinity + 1, infinity + (1 << fraction - 1), infinity + last, one + (3 << fraction) + 5]
    sign = 1 << fraction + exponent
    return [bits | extra for bits in found for extra in (0, sign)]


def edges_of(kind: str, width: int) -> list[int]:
    """The edges of a type, as bits."""
    if kind in FLOAT_BITS:
        return float_edges(kind)
    if kind.endswith("x2") and kind[:-2] in FLOAT_BITS:
        halves = float_edges(kind[:-2])
        return [low | high << 16 for low, high in zip(halves, reversed(halves), strict=True)]
    return [0, 1] if width == 1 else integer_edges(width)


def operand(kind: str, width: int, count: int, seed: int, position: int) -> Array:
    """`count` values for the operand at a position: every pair of edges first, then edges and random bits mixed.

    The first operand runs through its edges fastest, the second after it; further ones take theirs by chance.
    """
    edges = np.array(edges_of(kind, width), np.uint64)
    words = raw_bits(seed, f"{kind} {position}", 2 * count)
    chance, noise = words[:count], words[count:]
    place = np.arange(count)
    pair = place if position == 0 else place // len(edges)
    index = pair % len(edges) if position < 2 else (chance >> np.uint64(8)) % np.uint64(len(edges))
    mask = np.uint64((1 << min(width, 64)) - 1)
    behind = place >= len(edges) ** 2 if position < 2 else (chance & np.uint64(1)).astype(np.bool_)
    values = np.where(behind & (chance & np.uint64(6) != 0), noise & mask, edges[index.astype(np.int64)])
    return values.astype(f"u{max(1, width // 8)}")


def literal_bits(text: str, kind: ScalarType) -> int | None:
    """The bits of a literal of an example in a type; None if it is no literal of one element."""
    words = {"true": 1, "false": 0}
    if text in words:
        return words[text]
    try:
        if text[:2].lower() in ("0f", "0d"):
            return int(text[2:], 16) if 4 * len(text[2:]) == kind.width else None
        if "." not in text:
            return int(text, 0) & (1 << kind.width) - 1
        return int.from_bytes(dtype_of(kind.name).type(float(text)).tobytes(), "little")
    except (ValueError, KeyError):
        return None


def value_of(source: str, seed: int, name: str) -> Any:
    """What a source stands for.

    edges TYPE WIDTH COUNT POSITION   `operand`; further words are the bits of the first elements
    bits WIDTH COUNT                  random bits
    range COUNT                       u32: 0, 1, 2 ...
    only N,N... of SOURCE             elements of another array
    near TYPE COUNT                   random floats of moderate size: exponents within 8 of that of one
    otherwise                         a SPEC of emulator/arguments.py
    """
    word, *parts = source.split()
    if word == "edges":
        kind, width, count, position = parts[0], int(parts[1]), int(parts[2]), int(parts[3])
        found = operand(kind, width, count, seed, position)
        found[: len(parts) - 4] = [int(bits, 16) for bits in parts[4:]]
        return found
    if word == "bits":
        width, count = int(parts[0]), int(parts[1])
        return (raw_bits(seed, name, count) >> np.uint64(64 - width)).astype(f"u{width // 8}")
    if word == "range":
        return np.arange(int(parts[0]), dtype=np.uint32)
    if word == "only":
        _, _, inner = source.partition(" of ")
        return value_of(inner, seed, name)[[int(number) for number in parts[0].split(",")]]
    if word == "near":
        return near(parts[0], int(parts[1]), seed, name)
    return parse_spec(source, name).value(seed, name)


def near(kind: str, count: int, seed: int, name: str) -> Array:
    """Random floats between 2^-8 and 2^8 of either sign, of f16, bf16, f32, f64, e4m3 or e5m2."""
    words = raw_bits(seed, name, count)
    mantissa = 1 + (words >> np.uint64(40)).astype(np.float64) / 2**24
    exponent = (words & np.uint64(15)).astype(np.int64) - 8
    values = np.ldexp(mantissa, exponent) * np.where(words & np.uint64(16), -1.0, 1.0)
    with np.errstate(over="ignore"):
        return values.astype(dtype_of(kind))
