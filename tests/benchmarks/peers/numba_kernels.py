"""Kernels for Numba's simulator, in a file of their own since it replaces the module `cuda` in their globals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda


@cuda.jit
def vecadd(a: Any, b: Any, c: Any) -> None:
    """One element of a sum."""
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    c[i] = a[i] + b[i]


@cuda.jit
def alu(out: Any, counts: Any, mul: Any, add: Any, rounds: int) -> None:
    """Rounds of a multiply-add, an add and an xor."""
    i = np.int32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
    a, k = np.float32(i) * np.float32(1e-6), i
    for n in range(rounds):
        a = np.float32(np.float64(a) * np.float64(mul) + np.float64(add))
        k = (k + np.int32(n)) ^ i
    out[i], counts[i] = a, k
