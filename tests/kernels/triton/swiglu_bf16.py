"""What an expert applies between its two matrices: silu(gate) * up, of bfloat16 neighbours in one row."""

import triton
import triton.language as tl

SIGNATURE = {"gate_up": "*bf16", "out": "*bf16", "width": "i32", "BLOCK": "constexpr"}
CONSTANTS = {"BLOCK": 512}
ALIGNED = ("gate_up", "out", "width")


@triton.jit
def swiglu_bf16(gate_up, out, width, BLOCK: tl.constexpr):
    """Row tl.program_id(0): the first width numbers of gate_up are the gate, the others go up."""
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < width
    gate = tl.load(gate_up + row * 2 * width + column, mask=inside).to(tl.float32)
    up = tl.load(gate_up + row * 2 * width + width + column, mask=inside)
    silu = (gate * tl.sigmoid(gate)).to(tl.bfloat16)
    tl.store(out + row * width + column, silu * up, mask=inside)
