"""Memory that threads share: atomics, locks, orders, copies."""

import numpy as np

from tests.kernels.gpu import Gpu, program, same


@program
def atomics(gpu: Gpu) -> None:
    values = gpu.integers(-800, 800, 48, np.int32) / 8.0
    total, most = gpu.zeros(1, np.float64), gpu.array(np.full(1, -np.inf, np.float32))
    longs = gpu.array(np.array([0, 2**64 - 1, 0, 0, 0], np.uint64))
    gpu.launch("loops", 3, 16, gpu.array(values), total, most, longs)
    same(total, [values.sum()])
    same(most, [values.max()])
    scaled = (values * 16).astype(np.int64)
    mixed = np.bitwise_xor.reduce(scaled.view(np.uint64) * np.uint64(0x123456789AB))
    sums = np.array([values.sum()]).view(np.uint64)[0]
    same(longs, np.array([max(0, scaled.max()), scaled.view(np.uint64).min(), mixed, sums, 42], np.uint64))

    words = gpu.zeros(2, np.int32)
    gpu.launch("locked", 2, 32, words)
    same(words, [64, 64 * 63 // 2])
    words = gpu.zeros(1, np.int32)
    gpu.launch("locked_by_lanes", 2, 20, words)
    same(words, [40])

    wrap, down, seen = gpu.zeros(1, np.uint32), gpu.array(np.array([4], np.uint32)), gpu.zeros(65, np.uint32)
    halves, sums = gpu.array(np.array([500, 65535], np.uint16)), gpu.zeros(1, np.float32)
    gpu.launch("counters", 4, 16, wrap, down, seen, int(halves) + 2, sums)
    same(wrap, [64 % 7])
    same(down, [(4 - 64) % 10])
    got = seen.numpy()[:64]
    same(np.bincount(got >> 16), np.bincount(np.arange(64) % 7))
    same(np.bincount(got & 0xFFFF), np.bincount((4 - np.arange(64)) % 10))
    same(seen.numpy()[64:].view(np.int32), [-(63 * 64 // 2)])
    same(halves, [500, (65535 + 3 * 64) & 0xFFFF])
    same(sums, [32.0])
