"""Functions that stay functions of their own: one that loops, one that calls it; and a loop on data."""

import triton
import triton.language as tl

SIGNATURE = {"x": "*i32", "steps": "*i32", "shared_": "*i32", "n": "i32", "BLOCK": "constexpr"}
CONSTANTS = {"BLOCK": 128}


@triton.jit(noinline=True)
def common_divisor(a, b):
    """Euclid's."""
    while b != 0:
        a, b = b, a % b
    return a


@triton.jit(noinline=True)
def common_multiple(a, b):
    """Calls a function in turn."""
    return a // common_divisor(a, b) * b


@triton.jit
def functions_called(x, steps, shared_, n, BLOCK: tl.constexpr):
    """How many steps of Collatz's series lead to 1; what the largest number has in common with n and the next one."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + i, mask=i < n, other=1)
    largest = tl.max(value, axis=0)
    tl.store(shared_ + 2 * tl.program_id(0), common_divisor(largest, n))
    tl.store(shared_ + 2 * tl.program_id(0) + 1, common_multiple(largest, n + 1))
    taken = tl.zeros([BLOCK], tl.int32)
    while tl.max(value, axis=0) > 1:
        taken += (value > 1).to(tl.int32)
        following = tl.where(value % 2 == 0, value // 2, 3 * value + 1)
        value = tl.where(value > 1, following, value)
    tl.store(steps + i, taken, mask=i < n)
