"""FP8 by tiles of 1 x 128: a scale of each tile's largest value, and the quotients as e4m3."""

import triton
import triton.language as tl

SIGNATURE = {"x": "*bf16", "q": "*fp8e4nv", "scales": "*fp32", "columns": "i32", "ROWS": "constexpr"}
CONSTANTS = {"ROWS": 4}
ALIGNED = ("x", "q", "columns")


@triton.jit
def quantize_e4m3(x, q, scales, columns, ROWS: tl.constexpr):
    """ROWS tiles of column block tl.program_id(1); 448 is the largest number of e4m3."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * 128 + tl.arange(0, 128)
    at = row[:, None] * columns + column[None, :]
    values = tl.load(x + at).to(tl.float32)
    scale = tl.div_rn(tl.maximum(tl.max(tl.abs(values), axis=1), 1e-4), 448.0)
    tl.store(q + at, tl.div_rn(values, scale[:, None]).to(tl.float8e4nv))
    tl.store(scales + row * (columns // 128) + tl.program_id(1), scale)
