"""One number of many programs: by atomic operations, and under a lock made of atomic exchanges."""

import triton
import triton.language as tl

SIGNATURE = {
    "x": "*i32",
    "total": "*i32",
    "smallest": "*i32",
    "largest": "*i32",
    "bits": "*i32",
    "y": "*fp32",
    "sum_": "*fp32",
    "lock": "*i32",
    "n": "i32",
    "BLOCK": "constexpr",
}
CONSTANTS = {"BLOCK": 256}


@triton.jit
def reduce_atomic(x, total, smallest, largest, bits, y, sum_, lock, n, BLOCK: tl.constexpr):
    """Each program holds the lock once, to add its float32 sum to the whole."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    value = tl.load(x + i, mask=inside, other=0)
    tl.atomic_add(total, tl.sum(value, axis=0))
    tl.atomic_min(smallest, tl.min(value, axis=0))
    tl.atomic_max(largest, tl.max(value, axis=0))
    tl.atomic_xor(bits, tl.xor_sum(value, axis=0))
    part = tl.sum(tl.load(y + i, mask=inside, other=0.0), axis=0)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(sum_, tl.load(sum_) + part)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)
