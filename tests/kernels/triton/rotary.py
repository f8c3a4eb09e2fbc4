"""Rotary position embedding in place, of halves: neighbours turn together, split and joined again in registers."""

import triton
import triton.language as tl

SIGNATURE = {"x": "*fp16", "cosines": "*fp32", "sines": "*fp32", "WIDTH": "constexpr"}
CONSTANTS = {"WIDTH": 128}
ALIGNED = ("x", "cosines", "sines")


@triton.jit
def rotary(x, cosines, sines, WIDTH: tl.constexpr):
    """Row tl.program_id(0) of WIDTH pairs; the tables have WIDTH columns."""
    row = tl.program_id(0)
    at = row * 2 * WIDTH + tl.arange(0, 2 * WIDTH)
    even, odd = tl.split(tl.load(x + at).to(tl.float32).reshape([WIDTH, 2]))
    cosine = tl.load(cosines + row * WIDTH + tl.arange(0, WIDTH))
    sine = tl.load(sines + row * WIDTH + tl.arange(0, WIDTH))
    turned = tl.interleave(even * cosine - odd * sine, even * sine + odd * cosine)
    tl.store(x + at, turned.to(tl.float16))
