"""Rows sorted by the compiler's bitonic network: numbers up, and keys packed with their places down."""

import triton
import triton.language as tl

SIGNATURE = {"x": "*fp32", "up": "*fp32", "keys": "*i32", "order": "*i32", "BLOCK": "constexpr"}
CONSTANTS = {"BLOCK": 64}


@triton.jit
def sort_rows(x, up, keys, order, BLOCK: tl.constexpr):
    """Row tl.program_id(0) of BLOCK columns; the places of equal keys go down too."""
    column = tl.arange(0, BLOCK)
    at = tl.program_id(0) * BLOCK + column
    tl.store(up + at, tl.sort(tl.load(x + at)))
    packed = (tl.load(keys + at).to(tl.int64) << 32) | column
    tl.store(order + at, (tl.sort(packed, descending=True) & 0xFFFFFFFF).to(tl.int32))
