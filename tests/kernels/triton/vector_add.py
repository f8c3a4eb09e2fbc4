"""z = x + y: whole blocks by wide loads, the last one under a mask."""

import triton
import triton.language as tl

SIGNATURE = {"x": "*fp32", "y": "*fp32", "z": "*fp32", "n": "i32", "BLOCK": "constexpr"}
CONSTANTS = {"BLOCK": 512}
ALIGNED = ("x", "y", "z", "n")


@triton.jit
def vector_add(x, y, z, n, BLOCK: tl.constexpr):
    """Add BLOCK elements; n is a multiple of 16, so that four neighbours share a mask."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    tl.store(z + i, tl.load(x + i, mask=inside) + tl.load(y + i, mask=inside), mask=inside)
