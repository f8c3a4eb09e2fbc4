"""Reductions: trees in shared memory, shuffles, aggregated atomics."""

import numpy as np

from tests.kernels.gpu import Gpu, program, same


@program
def reduce_shared(gpu: Gpu) -> None:
    n, grid, block = 700, 3, 128
    owner = np.arange(n) // block % grid

    def check(kernel: str, data: np.ndarray, reduce: np.ufunc) -> None:
        out = gpu.zeros(grid, data.dtype)
        gpu.launch(kernel, grid, block, gpu.array(data), out, n, shared=block * data.itemsize)
        same(out, [reduce.reduce(data[owner == b], dtype=data.dtype) for b in range(grid)])

    check("sum_u32", gpu.bits(n, np.uint32), np.add)
    check("sum_f64", gpu.integers(-1000, 1000, n, np.int64) / 8.0, np.add)
    check("max_s64", gpu.bits(n, np.int64), np.maximum)
    check("max_s8", gpu.integers(-128, 5, n, np.int8), np.maximum)


@program
def reduce_shuffle(gpu: Gpu) -> None:
    n, block = 300, 96
    for mangled, data in (
        ("sumIi", gpu.bits(n, np.int32)),
        ("sumIy", gpu.bits(n, np.uint64)),
        ("sumIf", gpu.integers(-1000, 1000, n, np.int32).astype(np.float32)),
        ("sumId", gpu.integers(-1000, 1000, n, np.int32) / 16.0),
    ):
        total = gpu.zeros(1, data.dtype)
        gpu.launch(mangled, 4, block, gpu.array(data), total, n)
        same(total, [data.sum(dtype=data.dtype)])
    data = gpu.integers(-5, 5, n, np.int32).astype(np.float32)
    found = gpu.zeros(2, np.uint32)
    gpu.launch("arg_max", 1, 32, gpu.array(data), found, n)
    same(found.numpy()[:1].view(np.float32), [data.max()])
    same(found.numpy()[1:], [data.argmax()])


@program
def reduce_aggregated(gpu: Gpu) -> None:
    n, block = 500, 128
    data = gpu.bits(n, np.uint32)
    kept, count = gpu.zeros(n, np.uint32), gpu.zeros(1, np.uint32)
    gpu.launch("keep_odd", 4, block, gpu.array(data), kept, count, n)
    odd = data[data % 2 == 1]
    same(count, [len(odd)])
    same(np.sort(kept.numpy()[: len(odd)]), np.sort(odd))

    values = gpu.bits(n, np.int32) >> 8
    out = gpu.array(np.array([0, 2**31 - 1, -(2**31), 0, -1, 0], np.int32))
    gpu.launch("totals", 4, block, gpu.array(values), out, n)
    padded = np.append(values, [0] * 12).astype(np.int32)
    operations = np.add, np.minimum, np.maximum, np.bitwise_or, np.bitwise_and, np.bitwise_xor
    same(out, [operation.reduce(padded, dtype=np.int32) for operation in operations])

    for _ in range(2):
        total = gpu.zeros(1, np.int32)
        gpu.launch("last_block_sum", 3, block, gpu.array(values), gpu.zeros(3, np.int32), total, n)
        same(total, [values.sum(dtype=np.int32)])
