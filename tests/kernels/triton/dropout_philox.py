"""Dropout by the counter-based generator Philox-4x32-10, and its raw numbers."""

import triton
import triton.language as tl

SIGNATURE = {
    "x": "*fp32",
    "out": "*fp32",
    "uniform": "*fp32",
    "raw": "*i32",
    "n": "i32",
    "p": "fp32",
    "scale": "fp32",
    "seed": "i32",
    "BLOCK": "constexpr",
}
CONSTANTS = {"BLOCK": 128}


@triton.jit
def dropout_philox(x, out, uniform, raw, n, p, scale, seed, BLOCK: tl.constexpr):
    """The element's number is the counter, the seed the key; raw takes all four words of a step."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    chance = tl.rand(seed, i)
    tl.store(uniform + i, chance, mask=inside)
    value = tl.load(x + i, mask=inside)
    tl.store(out + i, tl.where(chance > p, value * scale, 0.0), mask=inside)
    a, b, c, d = tl.randint4x(seed, i)
    tl.store(raw + 4 * i, a, mask=inside)
    tl.store(raw + 4 * i + 1, b, mask=inside)
    tl.store(raw + 4 * i + 2, c, mask=inside)
    tl.store(raw + 4 * i + 3, d, mask=inside)
