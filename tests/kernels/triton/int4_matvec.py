"""y = W x where W holds two 4-bit numbers a byte, with a scale and a zero point for each group of 64 columns."""

import triton
import triton.language as tl

SIGNATURE = {
    "packed": "*u8",
    "scales": "*fp16",
    "zeros": "*u8",
    "x": "*fp16",
    "y": "*fp32",
    "columns": "i32",
    "ROWS": "constexpr",
    "GROUP": "constexpr",
}
CONSTANTS = {"ROWS": 16, "GROUP": 64}


@triton.jit
def int4_matvec(packed, scales, zeros, x, y, columns, ROWS: tl.constexpr, GROUP: tl.constexpr):
    """ROWS rows; column 2 i is in the low half of byte i."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    total = tl.zeros([ROWS], tl.float32)
    for group in range(columns // GROUP):
        byte = group * (GROUP // 2) + tl.arange(0, GROUP // 2)
        pair = tl.load(packed + row[:, None] * (columns // 2) + byte[None, :])
        weight = tl.join(pair & 15, pair >> 4).reshape([ROWS, GROUP])
        zero = tl.load(zeros + row * (columns // GROUP) + group)
        scale = tl.load(scales + row * (columns // GROUP) + group).to(tl.float32)
        inputs = tl.load(x + group * GROUP + tl.arange(0, GROUP)).to(tl.float32)
        centred = weight.to(tl.int32) - zero.to(tl.int32)[:, None]
        total += tl.sum(centred.to(tl.float32) * inputs[None, :], axis=1) * scale
    tl.store(y + row, total)
