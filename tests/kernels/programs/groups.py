"""Groups of threads: grids, tiles, votes, matches."""

import numpy as np
import pytest

from emulator.errors import KernelFault, UsageError
from tests.kernels.gpu import Gpu, program, same


@program
def grid_sync(gpu: Gpu) -> None:
    n = 150
    values = gpu.integers(1, 50, n, np.int32).astype(np.float32)
    out = gpu.zeros(n, np.float32)
    gpu.launch("normalise", 3, 32, gpu.array(values), out, gpu.zeros(3, np.float32), n, cooperative=True)
    same(out, values / values.sum())

    ring = gpu.bits(100, np.uint32)
    a, b = gpu.array(ring), gpu.zeros(100, np.uint32)
    gpu.launch("waves", (2, 1), (8, 4), a, b, 100, 3, cooperative=True)
    for _ in range(3):
        ring = np.roll(ring, 1) + np.roll(ring, -1)
    same(b, ring)

    out32 = gpu.zeros(96, np.uint32)
    gpu.launch("split", 3, 32, gpu.zeros(96, np.uint32), out32, cooperative=True)
    rank = np.arange(96)
    reversed_bits = np.array([int(f"{r:032b}"[::-1], 2) for r in rank])
    same(out32, reversed_bits ^ (95 - rank) ** 2)

    with pytest.raises(UsageError, match="a cooperative launch of 400 CTAs: 128 can be resident"):
        gpu.launch("split", 400, 32, out32, out32, cooperative=True)
    with pytest.raises(KernelFault, match="trap"):  # the group is not valid
        gpu.launch("split", 3, 32, out32, out32)


@program
def tiles(gpu: Gpu) -> None:
    n = 64
    values = gpu.integers(0, 99, n, np.int32)
    data = gpu.array(values)
    out = gpu.zeros((n, 4), np.int32)
    gpu.launch("sums", 1, n, data, out)
    same(out, np.stack([np.repeat(values.reshape(-1, size).sum(axis=1), size) for size in (4, 8, 16, 32)], axis=1))

    total, most, before = (gpu.zeros(n, np.int32) for _ in range(3))
    gpu.launch("by_library", 1, n, data, total, most, before)
    eights = values.reshape(-1, 8)
    same(total, np.repeat(eights.sum(axis=1), 8))
    same(most, np.repeat(eights.max(axis=1), 8))
    same(before, (np.cumsum(eights, axis=1) - eights).ravel())

    halves = gpu.integers(0, 99, (2, 64), np.int32)
    out = gpu.zeros((2, 64), np.int32)
    gpu.launch("of_several_warps", 1, 128, gpu.array(halves), out)
    same(out, 1000 * halves.sum(axis=1)[:, None] + 100 * np.arange(2)[:, None] + np.arange(64))

    for kernel, key in (("branches", values % 3), ("labels", values & 3)):
        size, rank, third = (gpu.zeros(n, np.uint32) for _ in range(3))
        gpu.launch(kernel, 1, n, data, size, rank, third)
        for t in range(n):
            warp = np.arange(t // 32 * 32, t // 32 * 32 + 32)
            peers = warp[key[warp] == key[t]]
            assert size.numpy()[t] == len(peers)
            assert rank.numpy()[t] == (peers < t).sum()
            assert third.numpy()[t] == (peers[0] if kernel == "branches" else values[peers].sum())

    votes = gpu.zeros((n, 6), np.uint32)
    gpu.launch("votes", 1, n, data, votes)
    for t in range(n):
        tile = values[t // 16 * 16 :][:16]
        place = t % 16
        ballot = sum(1 << i for i in range(16) if tile[i] & 1)
        match = sum(1 << i for i in range(16) if tile[i] % 4 == tile[place] % 4)
        down, up = tile[place + 3 if place < 13 else place], tile[place - 5 if place > 4 else place]
        assert votes.numpy()[t].tolist() == [(tile > 90).any(), (tile < 100).all(), ballot, match, down, up]


@program
def votes(gpu: Gpu) -> None:
    values = gpu.integers(-8, 12, 128, np.int32)
    values[64:] = np.abs(values[64:]) % 7
    out = gpu.zeros((128, 3), np.int32)
    gpu.launch("block_votes", 2, 64, gpu.array(values), out)
    halves = values.reshape(2, 64)
    answers = np.stack([(halves > 0).sum(axis=1), (halves == 7).any(axis=1), (halves > -9).all(axis=1)], axis=1)
    same(out, np.repeat(answers, 64, axis=0))

    for values in (gpu.integers(-3, 9, 32, np.int32), gpu.integers(1, 3, 32, np.int32)):
        found = gpu.zeros((32, 8), np.uint32)
        gpu.launch("warp_votes", 1, 32, gpu.array(values), found)
        same(found, [warp_votes(values, lane) for lane in range(32)])

    values = gpu.integers(-20, 40, 64, np.int32)
    found = gpu.array(np.full((64, 2), 77, np.uint32))
    gpu.launch("early_exit", 1, 64, gpu.array(values), found)
    expected = np.full((64, 2), 77, np.uint32)
    for warp in (0, 32):
        stay = [t for t in range(warp, warp + 32) if values[t] >= 0]
        expected[stay] = sum(1 << t - warp for t in stay if values[t] & 1), values[stay[0]]
    same(found, expected)

    wide = gpu.bits(32, np.int64) >> 12
    moved = gpu.zeros((32, 5), np.int64)
    gpu.launch("shuffles", 1, 32, gpu.array(wide), moved)
    t = np.arange(32)
    up, down = np.where(t % 8 >= 3, t - 3, t), np.where(t < 27, t + 5, t)
    crossed = np.where((t ^ 9) // 4 <= t // 4, t ^ 9, t)
    places = t // 16 * 16 + t * 7 % 16, up, down, crossed, 31 - t
    same(moved, np.stack([wide[place] for place in places], axis=1))


def mask_where(condition: np.ndarray) -> int:
    return sum(1 << int(lane) for lane in np.flatnonzero(condition))


def warp_votes(values: np.ndarray, lane: int) -> list[int]:
    signs = values >> 31
    same_sign = bool((signs == signs[0]).all())
    parity = np.arange(32) % 2 == lane % 2
    return [
        mask_where(values & 1),
        int((values == 7).any()),
        int((values < 10).all()),
        mask_where(values == values[lane]),
        mask_where(values & 3 == values[lane] & 3),
        0xFFFFFFFF if same_sign else 0,
        int(same_sign),
        mask_where((values > 0) & parity),
    ]


@program
def block_barrier(gpu: Gpu) -> None:
    rounds = 5
    values = gpu.integers(-999, 999, (rounds, 32), np.int32)
    out = gpu.zeros(32, np.int32)
    gpu.launch("produce_consume", 1, 64, gpu.array(values), out, rounds)
    same(out, (values * np.arange(1, rounds + 1)[:, None]).sum(axis=0)[::-1])

    seen = gpu.array(np.full(64, 5, np.uint32))
    gpu.launch("phases", 1, 64, seen, 3)
    expected = np.full(64, 5, np.int64)
    t = np.arange(48)
    expected[:48] = 0
    for phase in range(3):
        ones = [int(thread + phase).bit_count() for thread in t]
        expected[:48] = expected[:48] * 3 + ones + (t + 17) % 48 * 10 + phase
    same(seen, expected)


@program
def named_barriers(gpu: Gpu) -> None:
    rounds = 5
    values = gpu.bits((rounds, 32), np.int32)
    out = gpu.zeros((2, 32), np.int32)
    gpu.launch("pipeline", 1, 96, gpu.array(values), out, rounds)
    weighted = (values * np.arange(rounds, dtype=np.int32)[:, None]).sum(axis=0, dtype=np.int32)
    same(out, [np.roll(weighted, -warp) for warp in (1, 2)])

    numbers = gpu.integers(90, 200, 128, np.uint32)
    numbers[:64] += 20
    answers = gpu.zeros((2, 4), np.uint32)
    gpu.launch("halves", 1, 128, gpu.array(numbers), answers)
    parts = numbers.reshape(2, 64)
    big = parts > 100
    same(answers, np.stack((parts.sum(axis=1), (parts % 2).sum(axis=1), big.all(axis=1), ~big.all(axis=1)), axis=1))

    starts = gpu.integers(1, 40, 32, np.uint32)
    lengths = gpu.zeros((32, 2), np.uint32)
    gpu.launch("sequences", 1, 32, gpu.array(starts), lengths)
    same(lengths, [[collatz(n), collatz(2 * n + 1)] for n in starts.tolist()])


def collatz(n: int) -> int:
    steps = 0
    while n > 1:
        n = 3 * n + 1 if n % 2 else n // 2
        steps += 1
    return steps


@program
def clusters(gpu: Gpu) -> None:
    data = gpu.bits(500, np.uint8)
    bins = gpu.zeros(64, np.uint32)
    gpu.launch("histogram", 8, 32, gpu.array(data), bins, 500)
    same(bins, np.bincount(data % 64, minlength=64))

    rows = gpu.bits((2, 4, 32), np.int32)
    out = gpu.zeros((2, 4, 32), np.int32)
    gpu.launch("ring", 8, 32, gpu.array(rows), out)
    same(out, np.roll(rows, 1, axis=1)[:, :, ::-1] + 4 + np.array([1, 2, 3, 0], np.int32)[:, None])


@program
def special_registers(gpu: Gpu) -> None:
    grid, block = (3, 2, 2), (5, 4, 2)
    out = gpu.zeros((12, 40, 4), np.uint32)
    gpu.launch("indices", grid, block, out)
    b, t = np.arange(12)[:, None], np.arange(40)[None, :]
    got = out.numpy()
    same(got[:, :, 0], b << 16 | t)
    same(got[:, :, 1], np.broadcast_to(t % 32, (12, 40)))
    same(got[:, :, 2] - got[:, :1, 2], np.broadcast_to(t // 32, (12, 40)))
    assert (got[:, :, 3] == (5 << 16 | 2 << 8 | 32)).all()

    masks = gpu.zeros((32, 7), np.uint32)
    gpu.launch("masks", 1, 32, masks, shared=300)
    lanes = range(32)
    below, here = [(1 << lane) - 1 for lane in lanes], [1 << lane for lane in lanes]
    full = 2**32 - 1
    rows = [[b, b | h, h, full & ~b, full & ~b & ~h, 300, 1] for b, h in zip(below, here, strict=True)]
    same(masks, rows)

    ticks = gpu.zeros(64, np.int64)
    gpu.launch("clocks", 1, 64, ticks, gpu.zeros(1, np.int32))
    same(ticks, np.ones(64))
