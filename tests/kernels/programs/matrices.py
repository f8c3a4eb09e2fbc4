"""Matrices and grids: transposes, products, stencils, convolutions."""

import ml_dtypes
import numpy as np

from tests.kernels.gpu import Gpu, blocks, program, same


@program
def transpose(gpu: Gpu) -> None:
    rows, columns = 19, 37
    for kernel, dtype, width, tile, block in (
        ("naive_f32", np.uint32, 1, 32, (32, 4)),
        ("naive_pixels", np.uint8, 4, 32, (32, 4)),
        ("tiled_f32", np.uint32, 1, 32, (32, 8)),
        ("tiled_f64x2", np.uint64, 2, 16, (16, 4)),
        ("tiled_u16", np.uint16, 1, 32, (32, 8)),
    ):
        matrix = gpu.bits((rows, columns, width), dtype)
        out = gpu.zeros((columns, rows, width), dtype)
        step = block[1] if kernel.startswith("naive") else tile
        grid = blocks(columns, tile), blocks(rows, step)
        gpu.launch(kernel, grid, block, gpu.array(matrix), out, rows, columns)
        same(out, matrix.swapaxes(0, 1))


@program
def matmul_tiled(gpu: Gpu) -> None:
    m, n, k = 10, 13, 11
    a, b = gpu.integers(-9, 9, (m, k), np.int32), gpu.integers(-9, 9, (k, n), np.int32)
    for kernel, dtype in (("naive", np.float32), ("tiled_f64", np.float64), ("tiled_s32", np.int32)):
        c = gpu.zeros((m, n), dtype)
        arguments = gpu.array(a.astype(dtype)), gpu.array(b.astype(dtype)), c, m, n, k
        gpu.launch(kernel, (blocks(n, 8), blocks(m, 8)), (8, 8), *arguments)
        same(c, a @ b)


@program
def matmul_registers(gpu: Gpu) -> None:
    m, n, k = 32, 64, 24
    a, b = (gpu.random.random(shape, dtype=np.float32) - 0.5 for shape in ((m, k), (k, n)))
    c = gpu.zeros((m, n), np.float32)
    gpu.launch("matmul", (n // 32, m // 32), 64, gpu.array(a), gpu.array(b), c, n, k)
    same(c, a.astype(np.float64) @ b, rtol=1e-5, atol=1e-6)


@program
def stencil(gpu: Gpu) -> None:
    height, width = 18, 21
    plane = gpu.integers(0, 64, (height, width), np.int32).astype(np.float32)
    out = gpu.zeros((height, width), np.float32)
    gpu.launch("heat", (2, 2), (16, 16), gpu.array(plane), out, width, height, 0.125)
    p = np.pad(plane, 1, mode="edge")
    around = p[1:-1, :-2] + p[1:-1, 2:] + p[:-2, 1:-1] + p[2:, 1:-1]
    same(out, plane + np.float32(0.125) * (around - 4 * plane))

    cells = gpu.integers(0, 1, (11, 13), np.uint8)
    out = gpu.zeros((11, 13), np.uint8)
    gpu.launch("life", blocks(11 * 13, 64), 64, gpu.array(cells), out, 13, 11)
    count = sum(np.roll(cells, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)) - cells
    same(out, (count == 3) | ((count == 2) & (cells == 1)))

    cube = gpu.integers(-600, 600, (5, 6, 10), np.int32).astype(np.float64)
    out = gpu.zeros(cube.shape, np.float64)
    gpu.launch("average", 1, (8, 4), gpu.array(cube), out, 10, 6, 5)
    expected = np.zeros_like(cube)
    inner = cube[1:-1, 1:-1, 1:-1]
    ends = cube[:-2, 1:-1, 1:-1] + cube[2:, 1:-1, 1:-1]
    flat = cube[1:-1, 1:-1, :-2] + cube[1:-1, 1:-1, 2:] + cube[1:-1, :-2, 1:-1] + cube[1:-1, 2:, 1:-1]
    expected[1:-1, 1:-1, 1:-1] = (ends + flat) / 6 - inner
    same(out, expected, rtol=1e-14, atol=1e-12)


@program
def convolution(gpu: Gpu) -> None:
    height, width = 6, 50
    weights = np.array([-1, 2, -3, 5, 8, -2, 1], np.float32)
    gpu.symbol("weights").write(weights.view(np.uint8))
    image = gpu.integers(-20, 20, (height, width), np.int32).astype(np.float32)
    smooth, out = gpu.zeros(image.shape, np.float32), gpu.zeros(image.shape, np.float32)
    gpu.launch("rows", height, 32, gpu.array(image), smooth, width, shared=4 * (width + 6))
    gpu.launch("columns", 2, 32, smooth, out, width, height)
    by_rows = np.array([np.correlate(np.pad(line, 3), weights, "valid") for line in image])
    same(smooth, by_rows)
    same(out, np.array([np.correlate(np.pad(line, 3), weights, "valid") for line in by_rows.T]).T)

    which = gpu.integers(0, 6, 32, np.int32)
    picked = gpu.zeros(32, np.float64)
    gpu.launch("pick", 1, 32, gpu.array(which), picked)
    same(picked, weights[which] * 0.5 - 3 + 7)

    data = gpu.bits(100, np.uint8)
    boxed = gpu.zeros(100, np.uint8)
    gpu.launch("box_u8", 2, 64, gpu.array(data), boxed, 100)
    parts = [data[max(0, i - 2) : i + 3].astype(int) for i in range(100)]
    same(boxed, [(part.sum() + len(part) // 2) // len(part) for part in parts])


@program
def tensor_cores(gpu: Gpu) -> None:
    m, n, k = 32, 16, 32
    a, b = gpu.integers(-8, 8, (m, k), np.int32) / 4, gpu.integers(-8, 8, (k, n), np.int32) / 4
    start = gpu.integers(-8, 8, (m, n), np.int32).astype(np.float32)
    c = gpu.array(start)
    transposed = np.ascontiguousarray(b.T)
    gpu.launch("half_matmul", (1, 2), 32, *(gpu.array(x.astype(np.float16)) for x in (a, transposed)), c, n, k)
    same(c, 2 * (a @ b + start))

    a, b = gpu.integers(-3, 3, (32, 16), np.int32), gpu.integers(-3, 3, (16, 8), np.int32)
    half = gpu.zeros((8, 32), np.float16)
    gpu.launch("half_to_half", 1, 32, *(gpu.array(x.astype(np.float16)) for x in (a.T, b)), half)
    same(half, (a @ b + 1).T)

    a, b = gpu.bits((16, 16), np.int8), gpu.bits((16, 16), np.int8)
    whole = gpu.zeros((16, 16), np.int32)
    gpu.launch("bytes_matmul", 1, 32, gpu.array(a), gpu.array(b), whole)
    same(whole, a.astype(np.int32) @ b.astype(np.int32).T - 3)

    if gpu.arch == "sm_75":
        return
    a, b = gpu.integers(-8, 8, (16, 16), np.int32) / 4, gpu.integers(-8, 8, (16, 16), np.int32) / 4
    single = gpu.zeros((16, 16), np.float32)
    gpu.launch("bfloat_matmul", 1, 32, *(gpu.array(x.astype(ml_dtypes.bfloat16)) for x in (a, b)), single)
    same(single, a @ b)
    a, b = gpu.random.random((8, 4)), gpu.random.random((4, 8))
    double = gpu.zeros((8, 8), np.float64)
    gpu.launch("double_matmul", 1, 32, gpu.array(a), gpu.array(b), double)
    same(double, a @ b, rtol=1e-15)
