"""Loss and gradient of log-softmax: rows in two passes, and a logarithm in inline PTX."""

import triton
import triton.language as tl

SIGNATURE = {
    "logits": "*fp32",
    "labels": "*i64",
    "losses": "*fp32",
    "columns": "i32",
    "ignored": "i64",
    "BLOCK": "constexpr",
}
CONSTANTS = {"BLOCK": 128}


@triton.jit
def log2(x):
    """PTX in Triton: where tl.log2 would bring in a function of CUDA's library."""
    return tl.inline_asm_elementwise("lg2.approx.ftz.f32 $0, $1;", "=f,f", [x], tl.float32, is_pure=True, pack=1)


@triton.jit
def cross_entropy(logits, labels, losses, columns, ignored, BLOCK: tl.constexpr):
    """Row tl.program_id(0); the gradient replaces the logits, both are 0 where the label is to be ignored."""
    row = tl.program_id(0)
    label = tl.load(labels + row)
    logits += row * columns
    largest = -float("inf")
    total = 0.0
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = tl.load(logits + column, mask=column < columns, other=-float("inf"))
        top = tl.maximum(largest, tl.max(x, axis=0))
        total = total * tl.exp(largest - top) + tl.sum(tl.exp(x - top), axis=0)
        largest = top
    if label == ignored:
        tl.store(losses + row, 0.0)
    else:
        tl.store(losses + row, log2(total) * 0.6931471805599453 + largest - tl.load(logits + label))
    tl.debug_barrier()
    for start in range(0, columns, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = tl.load(logits + column, mask=column < columns)
        slope = tl.exp(x - largest) / total - tl.where(column == label, 1.0, 0.0)
        tl.store(logits + column, tl.where(label == ignored, 0.0, slope), mask=column < columns)
