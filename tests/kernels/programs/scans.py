"""Prefix sums: warps, blocks, many blocks."""

import numpy as np

from tests.kernels.gpu import Gpu, blocks, program, same


@program
def scan_block(gpu: Gpu) -> None:
    small = gpu.bits(128, np.int32)
    data = gpu.array(small)
    gpu.launch("warp_inclusive_s32", 2, 64, data)
    same(data, np.cumsum(small.reshape(-1, 32), axis=1, dtype=np.int32).ravel())

    wide = gpu.bits(128, np.int64)
    data = gpu.array(wide)
    gpu.launch("warp_exclusive_s64", 2, 64, data)
    same(data, (np.cumsum(wide.reshape(-1, 32), axis=1) - wide.reshape(-1, 32)).ravel())

    one = gpu.bits(128, np.uint32)
    data = gpu.array(one)
    gpu.launch("block_inclusive", 1, 128, data, shared=2 * 4 * 128)
    same(data, np.cumsum(one, dtype=np.uint32))

    two = gpu.bits(256, np.uint32)
    data, total = gpu.array(two), gpu.zeros(1, np.uint32)
    gpu.launch("block_exclusive", 1, 128, data, total)
    same(data, np.cumsum(two, dtype=np.uint32) - two)
    same(total, [two.sum(dtype=np.uint32)])


@program
def scan_look_back(gpu: Gpu) -> None:
    n, block = 900, 64
    grid = blocks(n, block)
    values = gpu.bits(n, np.uint32)
    out = gpu.zeros(n, np.uint32)
    gpu.launch("scan", grid, block, gpu.array(values), out, gpu.zeros(1, np.uint32), gpu.zeros(grid, np.uint64), n)
    same(out, np.cumsum(values, dtype=np.uint32))


@program
def scan_two_pass(gpu: Gpu) -> None:
    n, block = 900, 128
    grid = blocks(n, block)
    values = gpu.integers(-100, 100, (n, 2), np.int32).astype(np.float32)
    data, sums = gpu.array(values), gpu.zeros((grid, 2), np.float32)
    gpu.launch("scan_blocks", grid, block, data, sums, n)
    gpu.launch("scan_sums", 1, 32, sums, grid)
    gpu.launch("add_sums", grid, block, data, sums, n)
    same(data, np.cumsum(values, axis=0))
