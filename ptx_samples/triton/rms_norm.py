# //! title:     RMSNorm of rows, as Triton compiles it
# //! launch:    rms_norm<<<8, 128, 16>>>(rows, gain, out, 600, 0, 0)
# //! rows:      f32[8, 600] = random
# //! gain:      f32[600] = random(0.5, 1.5)
# //! out:       f32[8, 600]
# //! reference: reference.py:rms_norm
# //! tolerance: out rtol=2e-6 atol=1e-7
"""What normalises the hidden states before a router sees them: out = row / sqrt(mean(row^2) + 1e-6) * gain.

One program, one row, in blocks of 256 columns of which the last is masked. Triton adds two pointer parameters at the
end for scratch memory; this kernel needs none, so the launch passes 0. 128 threads are its 4 warps, and 16 bytes of
shared memory hold one sum of each.
"""

import triton
import triton.language as tl

SIGNATURE = {"rows": "*fp32", "gain": "*fp32", "out": "*fp32", "columns": "i32", "BLOCK": "constexpr"}
CONSTANTS = {"BLOCK": 256}


@triton.jit
def rms_norm(rows, gain, out, columns, BLOCK: tl.constexpr):
    """Normalise row tl.program_id(0)."""
    rows += tl.program_id(0) * columns
    out += tl.program_id(0) * columns
    squares = tl.zeros([BLOCK], tl.float32)
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = tl.load(rows + column, mask=column < columns, other=0.0)
        squares += x * x
    root = tl.sqrt_rn(tl.sum(squares) / columns + 1e-6)
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = tl.load(rows + column, mask=column < columns)
        g = tl.load(gain + column, mask=column < columns)
        tl.store(out + column, tl.div_rn(x, root) * g, mask=column < columns)
