"""What the functions of cub/*.cu are given, and what NumPy says must come out.

Every function runs with so few elements that one block does all the work, and with so many that CUB takes several.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from tests.kernels.cuda_host import HostLibrary
from tests.kernels.gpu import same

PROGRAMS: dict[str, Callable[[HostLibrary], None]] = {}


def program(function: Callable[[HostLibrary], None]) -> Callable[[HostLibrary], None]:
    """Register the calls of the source that has the function's name."""
    PROGRAMS[function.__name__] = function
    return function


@program
def reduce(host: HostLibrary) -> None:
    gpu = host.gpu
    for n, kernels in ((900, 1), (9000, 2)):
        x, out = gpu.bits(n, np.int32), gpu.zeros(1, np.int32)
        assert host.run("sum", gpu.array(x), out, n) == kernels
        same(out, [x.sum(dtype=np.int32)])

        y, high = gpu.random.standard_normal(n), gpu.zeros(1, np.float64)
        assert host.run("largest", gpu.array(y), high, n) == kernels
        same(high, [y.max()])

        z, low, place = (
            gpu.integers(0, 500, n, np.int32).astype(np.float32),
            gpu.zeros(1, np.float32),
            gpu.zeros(1, np.int64),
        )
        host.run("smallest_place", gpu.array(z), low, place, n)
        same(low, [z.min()])
        same(place, [z.argmin()])

    offsets = np.array([0, 700, 700, 701, 1500], dtype=np.int32)
    w, sums = gpu.integers(-99, 99, 1500, np.int32).astype(np.float32), gpu.zeros(4, np.float32)
    host.run("segment_sums", gpu.array(w), sums, 4, gpu.array(offsets))
    same(sums, [w[a:b].sum() for a, b in itertools.pairwise(offsets)])


@program
def scan(host: HostLibrary) -> None:
    gpu = host.gpu
    for n in (500, 7000):
        x, out = gpu.bits(n, np.int32), gpu.zeros(n, np.int32)
        assert host.run("exclusive_sum", gpu.array(x), out, n) == 2
        same(out, np.cumsum(x, dtype=np.int32) - x)

        steps, states = gpu.bits((n, 2), np.uint32), gpu.zeros((n, 2), np.uint32)
        assert host.run("inclusive_steps", gpu.array(steps), states, n) == 2
        expected = steps.copy()
        for i in range(1, n):
            expected[i] = expected[i - 1] * steps[i, 0] + (0, steps[i, 1])
        same(states, expected)

        keys = np.sort(gpu.integers(0, 9, n, np.int32))
        values, sums = gpu.bits(n, np.uint64), gpu.zeros(n, np.uint64)
        assert host.run("sums_by_key", gpu.array(keys), gpu.array(values), sums, n) == 2
        same(sums, np.concatenate([np.cumsum(values[keys == key], dtype=np.uint64) for key in np.unique(keys)]))


@program
def radix_sort(host: HostLibrary) -> None:
    gpu = host.gpu
    for n in (300, 9000):
        keys, out = gpu.bits(n, np.uint32), gpu.zeros(n, np.uint32)
        host.run("sort_keys", gpu.array(keys), out, n)
        same(out, np.sort(keys))

        places = np.arange(n, dtype=np.int32)
        floats, values_out = gpu.random.standard_normal(n).astype(np.float32).round(2), gpu.zeros(n, np.int32)
        floats_out = gpu.zeros(n, np.float32)
        host.run("sort_pairs_down", gpu.array(floats), floats_out, gpu.array(places), values_out, n)
        order = np.argsort(-floats, kind="stable")
        same(floats_out, floats[order])
        same(values_out, order)

        shorts, shorts_out, values_out = gpu.bits(n, np.int16), gpu.zeros(n, np.int16), gpu.zeros(n, np.int32)
        host.run("sort_bits", gpu.array(shorts), shorts_out, gpu.array(places), values_out, n)
        order = np.argsort(shorts >> 3 & 255, kind="stable")
        same(shorts_out, shorts[order])
        same(values_out, order)


@program
def select(host: HostLibrary) -> None:
    gpu = host.gpu
    for n in (500, 9000):
        x, flags = gpu.integers(-50, 50, n, np.int32), gpu.integers(0, 1, n, np.uint8)
        count = gpu.zeros(1, np.int32)

        out = gpu.zeros(n, np.int32)
        host.run("above", gpu.array(x), out, count, n, 10)
        expected = x[x > 10]
        same(count, [len(expected)])
        same(out, np.append(expected, np.zeros(n - len(expected), np.int32)))

        shorts, out = x.astype(np.int16), gpu.zeros(n, np.int16)
        host.run("flagged", gpu.array(shorts), gpu.array(flags), out, count, n)
        same(count, [flags.sum()])
        same(out.numpy()[: flags.sum()], shorts[flags == 1])

        out = gpu.zeros(n, np.int32)
        host.run("partition", gpu.array(x), out, count, n, -20)
        same(count, [(x > -20).sum()])
        same(out, np.append(x[x > -20], x[x <= -20][::-1]))

        repeated = np.repeat(x, gpu.integers(1, 4, n, np.int32))[:n]
        starts = np.flatnonzero(np.append(True, repeated[1:] != repeated[:-1]))
        out = gpu.zeros(n, np.int32)
        host.run("unique", gpu.array(repeated), out, count, n)
        same(count, [len(starts)])
        same(out.numpy()[: len(starts)], repeated[starts])

        out, lengths = gpu.zeros(n, np.int32), gpu.zeros(n, np.int32)
        host.run("runs", gpu.array(repeated), out, lengths, count, n)
        same(count, [len(starts)])
        same(out.numpy()[: len(starts)], repeated[starts])
        same(lengths.numpy()[: len(starts)], np.diff(np.append(starts, n)))


@program
def histogram(host: HostLibrary) -> None:
    gpu = host.gpu
    n = 3000
    x, counts = gpu.bits(n, np.uint8), gpu.zeros(64, np.int32)
    host.run("even_bytes", gpu.array(x), counts, n)
    same(counts, np.bincount(x // 4, minlength=64))

    y, counts = gpu.integers(-100, 100, n, np.int32).astype(np.float32) / np.float32(32), gpu.zeros(10, np.int32)
    host.run("even_floats", gpu.array(y), counts, n)
    same(counts, np.histogram(y[(y >= -2.5) & (y < 2.5)], bins=10, range=(-2.5, 2.5))[0])

    levels = np.unique(gpu.integers(-900, 900, 300, np.int32))
    z, counts = gpu.integers(-1000, 1000, n, np.int32), gpu.zeros(len(levels) - 1, np.int32)
    host.run("by_levels", gpu.array(z), counts, gpu.array(levels), len(levels) - 1, n)
    same(counts, np.bincount(np.searchsorted(levels, z, "right"), minlength=len(levels) + 1)[1:-1])

    image = gpu.bits((20, 40, 4), np.uint8)
    channels = [gpu.zeros(bins, np.int32) for bins in (32, 16, 256)]
    host.run("colours", gpu.array(image), *channels, 37, 20, 160)
    for channel, counts, width in zip(range(3), channels, (8, 16, 1), strict=True):
        same(counts, np.bincount(image[:, :37, channel].ravel() // width, minlength=256 // width))
