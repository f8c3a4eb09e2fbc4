"""The K largest of a row and where they stand, by K times the largest; of equals the leftmost first."""

import triton
import triton.language as tl

SIGNATURE = {
    "x": "*fp32",
    "values": "*fp32",
    "places": "*i32",
    "columns": "i32",
    "K": "constexpr",
    "BLOCK": "constexpr",
}
CONSTANTS = {"K": 4, "BLOCK": 256}


@triton.jit
def top_k(x, values, places, columns, K: tl.constexpr, BLOCK: tl.constexpr):
    """Row tl.program_id(0)."""
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    left = tl.load(x + row * columns + column, mask=column < columns, other=-float("inf"))
    for k in tl.static_range(K):
        largest, place = tl.max(left, axis=0, return_indices=True, return_indices_tie_break_left=True)
        tl.store(values + row * K + k, largest)
        tl.store(places + row * K + k, place)
        left = tl.where(column == place, -float("inf"), left)
