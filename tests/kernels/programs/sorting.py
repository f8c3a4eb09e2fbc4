"""Sorting networks, a radix sort, a merge."""

import numpy as np

from tests.kernels.gpu import Gpu, blocks, program, same


@program
def sort_bitonic(gpu: Gpu) -> None:
    n = 128
    for kernel, keys in (
        ("sort_f32", gpu.random.permutation(n).astype(np.float32) - 64.5),
        ("sort_s64_down", gpu.random.permutation(n) * 0x1234567890 - 2**40),
    ):
        order = np.argsort(keys)[:: -1 if kernel.endswith("down") else 1]
        key, value = gpu.array(keys), gpu.array(np.arange(n, dtype=np.uint32))
        gpu.launch(kernel, 1, 64, key, value, n, shared=n * (keys.itemsize + 4))
        same(key, keys[order])
        same(value, order)


@program
def sort_radix(gpu: Gpu) -> None:
    n, block = 200, 64
    grid = blocks(n, block)
    keys = gpu.bits(n, np.uint32) % 5000
    source, target, counts = gpu.array(keys), gpu.zeros(n, np.uint32), gpu.zeros(16 * grid, np.uint32)
    for shift in range(0, 16, 4):
        gpu.launch("count", grid, block, source, counts, n, shift)
        gpu.launch("scan_counts", 1, 32, counts, 16 * grid)
        gpu.launch("scatter", grid, block, source, target, counts, n, shift)
        source, target = target, source
    same(source, np.sort(keys))


@program
def sort_odd_even_merge(gpu: Gpu) -> None:
    values = gpu.bits(128, np.uint16)
    data = gpu.array(values)
    gpu.launch("sort", 1, 128, data, 128)
    same(data, np.sort(values))

    a, b = (np.sort(gpu.integers(-50, 50, n, np.int32)) for n in (77, 100))
    out = gpu.zeros(177, np.int32)
    gpu.launch("merge", 3, 64, gpu.array(a), 77, gpu.array(b), 100, out)
    same(out, np.sort(np.concatenate((a, b))))
