"""Rows of bfloat16 in the order of an index, times a weight; an index of -1 makes a row of zeros."""

import triton
import triton.language as tl

SIGNATURE = {
    "rows": "*bf16",
    "index": "*i64",
    "weights": "*fp32",
    "out": "*bf16",
    "columns": "i32",
    "BLOCK": "constexpr",
}
CONSTANTS = {"BLOCK": 256}
ALIGNED = ("rows", "out", "columns")


@triton.jit
def permute_tokens(rows, index, weights, out, columns, BLOCK: tl.constexpr):
    """Row tl.program_id(0) of out; a branch on the index, which is the same in the whole program."""
    row = tl.program_id(0)
    source = tl.load(index + row)
    weight = tl.load(weights + row)
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        inside = column < columns
        values = tl.zeros([BLOCK], tl.bfloat16)
        if source >= 0:
            values = tl.load(rows + source * columns + column, mask=inside)
            values = (values.to(tl.float32) * weight).to(tl.bfloat16)
        tl.store(out + row * columns + column, values, mask=inside)
