"""Softmax of rows with strides: the largest, the sum of exponentials, then the quotients, in one pass over the row."""

import triton
import triton.language as tl

SIGNATURE = {"x": "*fp32", "y": "*fp32", "x_stride": "i32", "y_stride": "i32", "columns": "i32", "BLOCK": "constexpr"}
CONSTANTS = {"BLOCK": 512}


@triton.jit
def softmax(x, y, x_stride, y_stride, columns, BLOCK: tl.constexpr):
    """Row tl.program_id(0); columns beyond the row count as -inf."""
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    values = tl.load(x + row * x_stride + column, mask=column < columns, other=-float("inf"))
    powers = tl.exp(values - tl.max(values, axis=0))
    tl.store(y + row * y_stride + column, powers / tl.sum(powers, axis=0), mask=column < columns)
