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


@program
def async_copy(gpu: Gpu) -> None:
    tiles = 4
    values = gpu.random.random((tiles, 64), dtype=np.float32) - np.float32(0.5)
    out = gpu.zeros(64, np.float32)
    gpu.launch("staged", 1, 64, gpu.array(values), out, tiles)
    same(out, (values * np.arange(1, tiles + 1, dtype=np.float32)[:, None]).max(axis=0))

    words = gpu.bits(128, np.uint32)
    result = gpu.zeros(32, np.uint32)
    gpu.launch("sizes", 1, 32, gpu.array(words), result, 9)
    t = np.arange(32)
    kept = words.reshape(32, 4) * (np.arange(4) < 4 - (t % 4)[:, None]).astype(np.uint32)
    same(result, words[31 - t] + 2 * words[63 - t] + 3 * words[t] + 5 * kept.sum(axis=1, dtype=np.uint32)[::-1] + 9)


@program
def scoped_atomics(gpu: Gpu) -> None:
    values = gpu.bits(32, np.int32)
    out, flag = gpu.zeros((2, 32), np.int32), gpu.zeros(1, np.uint32)
    gpu.launch("message", 3, 32, gpu.array(values), gpu.zeros(32, np.int32), flag, out)
    same(out, np.tile(values[::-1] * 7, (2, 1)))

    n = 32
    words = gpu.array(np.array([5, 0, 0, 1000, 1], np.uint32))
    wide, small = gpu.zeros(8, np.uint64), gpu.zeros(4, np.uint8)
    gpu.launch("operations", 2, 16, words, wide, small)
    i = np.arange(n)
    value = np.uint32(1)
    for _ in range(n):
        value = np.uint32(int(value) * 3 + 1 & 0xFFFFFFFF)
    same(words, [5 + i.sum(), (i * 37 % 101).max(), np.bitwise_xor.reduce(i << 3), 1000 - 2 * n, value])
    total = np.array([0.25 * i.sum()]).view(np.uint64)[0]
    same(wide, np.array([2**32 - 1, i[:16].sum(), i[16:].sum(), 0, 0, 0, 0, total], np.uint64))
    same(small, [n // 4 * 3] * 4)

    lock, state = gpu.zeros(2, np.uint32), gpu.zeros(2, np.uint64)
    gpu.launch("in_turn", 2, 24, lock, state)
    number = 0
    for _ in range(6):
        number = number * 6364136223846793005 + 1442695040888963407 & 2**64 - 1
    same(state, np.array([number, 6], np.uint64))
    same(lock, [6, 6])


@program
def spaces(gpu: Gpu) -> None:
    pointed, parameter = gpu.bits(4, np.int32), gpu.bits(40, np.int32)
    out = gpu.zeros((32, 3), np.int32)
    gpu.launch("kinds", 1, 32, parameter, gpu.array(pointed), out)
    t = np.arange(32)
    which = t % 6
    # A local array's element 2 is 6, a parameter's element 5 % 4 is 1.
    reads = np.select([which == n for n in range(6)], [pointed[0], 50, 6, 40, 1, parameter[1]])
    local = np.select([t % 4 == 0, t % 4 == 1, t % 4 == 2], [t, 5, 6], 7)
    got = out.numpy()
    same(got[:, 0], np.select([which == n for n in range(6)], [1, 2, 4, 8, 1, 17]))  # parameters lie in global's window
    same(got[:, 1], reads)
    same(got[:, 2], parameter[:32] + local)

    values = gpu.integers(-99, 99, 64, np.int32)
    found = gpu.zeros((64, 3), np.uint32)
    gpu.launch("conversions", 1, 64, gpu.array(values), found)
    t = np.arange(64)
    same(found, np.stack((4 * t, np.where(t < 63, 3 * t + 3, 0), (63 - t) * 3 + values), axis=1).astype(np.uint32))

    rows = gpu.random.random((32, 4), dtype=np.float32)
    wide, words = gpu.integers(-9, 9, 32, np.int32) / 2.0, gpu.bits(32, np.int32) >> 2
    moved, more = gpu.zeros((32, 2, 4), np.float32), gpu.zeros(64, np.int32)
    gpu.launch("hints", 1, 32, gpu.array(rows), moved, gpu.array(wide), gpu.array(words), more)
    second = np.stack((rows[:, 3], wide.astype(np.float32), rows[:, 0], rows[:, 1]), axis=1)
    same(moved, np.stack((rows, second), axis=1))
    first = words + words.view(np.int16)[:32]
    same(more, np.concatenate((first, first + words.view(np.int8)[1:64:2])))


@program
def memory_blocks(gpu: Gpu) -> None:
    data, sizes = gpu.bits((32, 48), np.uint8), gpu.integers(0, 40, 32, np.int32)
    out = gpu.zeros((32, 48), np.uint8)
    gpu.launch("copies", 1, 32, gpu.array(data), out, gpu.array(sizes))
    expected = np.zeros((32, 48), np.uint8)
    for t in range(32):
        line = np.full(48, t, np.uint8)
        line[t % 7 : t % 7 + sizes[t]] = data[t, : sizes[t]]
        line[40 : 40 + t % 8] = 0xEE
        line[3:23] = line[:20].copy()
        expected[t, : 40 + t % 8] = line[: 40 + t % 8]
    same(out, expected)

    records = gpu.bits((32, 15), np.uint8)
    records[:, 12] &= 0x3F  # no NaN
    wide = gpu.zeros(32, np.uint64)
    gpu.launch("unaligned", 1, 32, gpu.array(records), wide)
    fields = np.dtype("u1, <u2, <u4, <u8")
    record = np.ascontiguousarray(records).view(fields)[:, 0]
    factors = zip(("f0", "f1", "f2", "f3"), (1, 3, 5, 7), strict=True)
    total = sum(record[name].astype(np.uint64) * np.uint64(factor) for name, factor in factors)
    for start, factor in ((5, 11), (9, 1)):
        word = np.ascontiguousarray(records[:, start : start + 4]).view(np.uint32)[:, 0]
        total = total + word.astype(np.uint64) * np.uint64(factor)
    same(wide, total)

    matrices = gpu.integers(-9, 9, (16, 4, 4), np.int16)
    powers = gpu.zeros(matrices.shape, np.int16)
    gpu.launch("matrices", 1, 16, gpu.array(matrices), powers, 5)
    same(powers, np.linalg.matrix_power(matrices.astype(np.int64), 5).astype(np.int16))

    counts = gpu.zeros(16, np.int32)
    gpu.launch("sieve", 1, 16, counts)
    below = [sum(all(n % d for d in range(2, n)) for n in range(2, limit)) for limit in range(60)]
    same(counts, [below[2 + 3 * t] * 1000 + below[2 + t] for t in range(16)])


@program
def ring_buffer(gpu: Gpu) -> None:
    n = 24
    values = gpu.integers(0, 10**6, n, np.int32)
    ring, total, taken = gpu.zeros(18, np.uint32), gpu.zeros(1, np.uint64), gpu.zeros(4, np.uint32)
    gpu.launch("stream", 4, 32, ring, gpu.array(values), n, total, taken)
    same(total, [(values.astype(np.int64) * np.arange(1, n + 1)).sum()])
    assert taken.numpy().sum() == n
