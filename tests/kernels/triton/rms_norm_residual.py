"""What stands between two layers of a transformer: residual += x, then its RMS norm, in bfloat16."""

import triton
import triton.language as tl

SIGNATURE = {
    "x": "*bf16",
    "residual": "*bf16",
    "gain": "*bf16",
    "out": "*bf16",
    "columns": "i32",
    "BLOCK": "constexpr",
}
CONSTANTS = {"BLOCK": 256}
ALIGNED = ("x", "residual", "gain", "out", "columns")


@triton.jit
def rms_norm_residual(x, residual, gain, out, columns, BLOCK: tl.constexpr):
    """Row tl.program_id(0); the sum is rounded to bfloat16 where it is kept, and normalised as it was kept."""
    column = tl.arange(0, BLOCK)
    inside = column < columns
    at = tl.program_id(0) * columns + column
    added = tl.load(x + at, mask=inside, other=0.0).to(tl.float32) + tl.load(residual + at, mask=inside, other=0.0)
    kept = added.to(tl.bfloat16)
    tl.store(residual + at, kept, mask=inside)
    wide = kept.to(tl.float32)
    root = tl.sqrt_rn(tl.sum(wide * wide, axis=0) / columns + 1e-5)
    gains = tl.load(gain + column, mask=inside)
    tl.store(out + at, tl.div_rn(wide, root).to(tl.bfloat16) * gains, mask=inside)
