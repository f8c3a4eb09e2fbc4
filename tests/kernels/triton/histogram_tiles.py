"""Histograms, twice: one atomic addition an element, and tl.histogram of a block added to the whole."""

import triton
import triton.language as tl

SIGNATURE = {
    "x": "*u8",
    "by_element": "*i32",
    "by_block": "*i32",
    "n": "i32",
    "BINS": "constexpr",
    "BLOCK": "constexpr",
}
CONSTANTS = {"BINS": 64, "BLOCK": 256}


@triton.jit
def histogram_tiles(x, by_element, by_block, n, BINS: tl.constexpr, BLOCK: tl.constexpr):
    """The bin is the value's high six bits; what is beyond n is masked in the one and in the other."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    bin_ = (tl.load(x + i, mask=inside, other=0) >> 2).to(tl.int32)
    tl.atomic_add(by_element + bin_, 1, mask=inside, sem="relaxed")
    counted = tl.histogram(bin_, BINS, mask=inside)
    tl.atomic_add(by_block + tl.arange(0, BINS), counted, sem="relaxed")
