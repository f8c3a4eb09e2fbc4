"""c = a b by tl.dot in full float32 precision, which Triton makes of fma over tiles in shared memory."""

import triton
import triton.language as tl

SIGNATURE = {
    "a": "*fp32",
    "b": "*fp32",
    "c": "*fp32",
    "m": "i32",
    "n": "i32",
    "k": "i32",
    "TILE": "constexpr",
    "STEP": "constexpr",
}
CONSTANTS = {"TILE": 32, "STEP": 16}


@triton.jit
def matmul_fma(a, b, c, m, n, k, TILE: tl.constexpr, STEP: tl.constexpr):
    """One tile of c; rows and columns beyond the matrices are masked."""
    row = tl.program_id(0) * TILE + tl.arange(0, TILE)
    column = tl.program_id(1) * TILE + tl.arange(0, TILE)
    total = tl.zeros([TILE, TILE], tl.float32)
    for start in range(0, k, STEP):
        inner = start + tl.arange(0, STEP)
        left = tl.load(a + row[:, None] * k + inner[None, :], mask=(row < m)[:, None] & (inner < k)[None, :], other=0.0)
        right = tl.load(
            b + inner[:, None] * n + column[None, :], mask=(inner < k)[:, None] & (column < n)[None, :], other=0.0
        )
        total = tl.dot(left, right, total, input_precision="ieee")
    tl.store(c + row[:, None] * n + column[None, :], total, mask=(row < m)[:, None] & (column < n)[None, :])
