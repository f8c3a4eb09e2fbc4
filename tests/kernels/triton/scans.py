"""Scans along rows: a sum forwards, one backwards, and the linear recurrence h = a h + b of state space models."""

import triton
import triton.language as tl

SIGNATURE = {
    "counts": "*i32",
    "sums": "*i32",
    "rests": "*i32",
    "decay": "*fp32",
    "x": "*fp32",
    "h": "*fp32",
    "BLOCK": "constexpr",
}
CONSTANTS = {"BLOCK": 256}


@triton.jit
def compose(a, b, next_a, next_b):
    """First h -> a h + b, then the next such step."""
    return a * next_a, b * next_a + next_b


@triton.jit
def scans(counts, sums, rests, decay, x, h, BLOCK: tl.constexpr):
    """Row tl.program_id(0) of BLOCK columns."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    count = tl.load(counts + at)
    tl.store(sums + at, tl.cumsum(count, axis=0))
    tl.store(rests + at, tl.cumsum(count, axis=0, reverse=True))
    _, state = tl.associative_scan((tl.load(decay + at), tl.load(x + at)), 0, compose)
    tl.store(h + at, state)
