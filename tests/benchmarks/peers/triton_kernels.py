"""Kernels for Triton's interpreter, in a file of their own since Triton reads their source."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def vecadd(a, b, c, BLOCK: tl.constexpr):
    """One block of a sum."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(c + at, tl.load(a + at) + tl.load(b + at))


@triton.jit
def alu(out, counts, mul, add, rounds, BLOCK: tl.constexpr):
    """Rounds of a multiply-add, an add and an xor."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a = i.to(tl.float32) * 1e-6
    k = i
    for n in range(rounds):
        a = tl.fma(a, mul, add)
        k = (k + n) ^ i
    tl.store(out + i, a)
    tl.store(counts + i, k)
