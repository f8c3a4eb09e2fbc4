"""LayerNorm of rows of halves, two rows a program; mean and reciprocal deviation are kept for a backward pass."""

import triton
import triton.language as tl

SIGNATURE = {
    "x": "*fp16",
    "gain": "*fp32",
    "shift": "*fp32",
    "y": "*fp16",
    "means": "*fp32",
    "deviations": "*fp32",
    "rows": "i32",
    "columns": "i32",
    "epsilon": "fp32",
    "ROWS": "constexpr",
    "BLOCK": "constexpr",
}
CONSTANTS = {"ROWS": 2, "BLOCK": 128}
ALIGNED = ("x", "gain", "shift", "y", "columns")


@triton.jit
def layer_norm(x, gain, shift, y, means, deviations, rows, columns, epsilon, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """The variance is of the differences from the mean, a second reduction over the same registers."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row < rows)[:, None] & (column < columns)[None, :]
    at = row[:, None] * columns + column[None, :]
    values = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(values, axis=1) / columns
    differences = tl.where(inside, values - mean[:, None], 0.0)
    deviation = 1.0 / tl.sqrt_rn(tl.sum(differences * differences, axis=1) / columns + epsilon)
    scaled = differences * deviation[:, None]
    gains = tl.load(gain + column, mask=column < columns)
    shifts = tl.load(shift + column, mask=column < columns)
    tl.store(y + at, (scaled * gains[None, :] + shifts[None, :]).to(tl.float16), mask=inside)
    tl.store(means + row, mean, mask=row < rows)
    tl.store(deviations + row, deviation, mask=row < rows)
