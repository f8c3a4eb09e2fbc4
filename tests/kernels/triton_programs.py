"""The host sides of the Triton sources: inputs, launches, and what NumPy says must come out.

Inputs are chosen so that float32 sums are exact in any order where that is possible; the other tolerances are a few
times the error bounds that the manual gives for ex2.approx, lg2.approx and div.full.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from emulator import Buffer
from tests.kernels.gpu import Gpu, blocks, same
from tests.kernels.regenerate import read_ptx

PROGRAMS: dict[str, Callable[[TritonGpu], None]] = {}
BF16 = ml_dtypes.bfloat16


def program(function: Callable[[TritonGpu], None]) -> Callable[[TritonGpu], None]:
    """Register the host side of the source that has the function's name."""
    PROGRAMS[function.__name__] = function
    return function


class TritonGpu(Gpu):
    """One emulated device with a compiled Triton kernel."""

    def __init__(self, name: str, schedule: str, engine: str) -> None:
        super().__init__(name, "sm_90a", schedule, engine)
        self.name = name
        found = re.search(r"^// Launch: (\d+) threads, (\d+) bytes of shared memory$", read_ptx(name, "sm_90a"), re.M)
        assert found is not None
        self.threads, self.shared = int(found[1]), int(found[2])

    def start(self, grid: Any, *arguments: Any) -> None:
        """Run the kernel; the two pointers behind its own parameters are for scratch memory, which none here needs."""
        self.launch(self.name, grid, self.threads, *arguments, None, None, shared=self.shared)

    def eighths(self, most: int, shape: Any, dtype: Any) -> Any:
        """Multiples of 1/8 from -most to most."""
        return (self.integers(-8 * most, 8 * most, shape, np.int32) / 8).astype(dtype)

    def normal(self, shape: Any, dtype: Any = np.float32) -> Any:
        return self.random.standard_normal(shape).astype(dtype)


def double(values: Buffer | Any) -> Any:
    """As float64, in which references are computed."""
    return (values.numpy() if isinstance(values, Buffer) else values).astype(np.float64)


def softmax_of(rows: Any) -> Any:
    powers = np.exp(double(rows) - double(rows).max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@program
def vector_add(gpu: TritonGpu) -> None:
    n = 1200
    x, y = gpu.normal(n), gpu.normal(n)
    z = gpu.zeros(n + 16, np.float32)
    gpu.start(blocks(n, 512), gpu.array(x), gpu.array(y), z, n)
    same(z, np.append(x + y, np.zeros(16)))


@program
def softmax(gpu: TritonGpu) -> None:
    x = gpu.normal((4, 300)) * np.float32(3)
    x[2, 5:] = -np.inf
    y = gpu.zeros((4, 310), np.float32)
    gpu.start(4, gpu.array(x), y, 300, 310, 290)
    same(y.numpy()[:, :290], softmax_of(x[:, :290]), rtol=5e-6, atol=1e-12)
    same(y.numpy()[:, 290:], np.zeros((4, 20)))


@program
def layer_norm(gpu: TritonGpu) -> None:
    rows, columns = 5, 112
    x = gpu.eighths(20, (rows, columns), np.float16)
    gain, shift = gpu.normal(columns), gpu.normal(columns)
    y, means, deviations = gpu.zeros(x.shape, np.float16), gpu.zeros(rows, np.float32), gpu.zeros(rows, np.float32)
    gpu.start(3, gpu.array(x), gpu.array(gain), gpu.array(shift), y, means, deviations, rows, columns, 1e-5)
    mean = double(x).mean(axis=1, keepdims=True)
    deviation = 1 / np.sqrt(double(x).var(axis=1, keepdims=True) + 1e-5)
    same(means, mean[:, 0], rtol=5e-7, atol=1e-6)
    same(deviations, deviation[:, 0], rtol=2e-6)
    same(y, (double(x) - mean) * deviation * gain + shift, rtol=2**-10, atol=1e-5)


@program
def rms_norm_residual(gpu: TritonGpu) -> None:
    rows, columns = 6, 208
    x, residual, gain = gpu.normal((rows, columns), BF16), gpu.normal((rows, columns), BF16), gpu.normal(columns, BF16)
    kept, out = gpu.array(residual), gpu.zeros(x.shape, BF16)
    gpu.start(rows, gpu.array(x), kept, gpu.array(gain), out, columns)
    added = (x.astype(np.float32) + residual.astype(np.float32)).astype(BF16)
    same(kept, added)
    root = np.sqrt((double(added) ** 2).mean(axis=1, keepdims=True) + 1e-5)
    same(out, double(added) / root * double(gain), rtol=2**-7)


@program
def matmul_fma(gpu: TritonGpu) -> None:
    m, n, k = 40, 20, 40
    for a, b, error in (
        (gpu.eighths(9, (m, k), np.float32), gpu.eighths(9, (k, n), np.float32), 0.0),
        (gpu.normal((m, k)), gpu.normal((k, n)), 2**-24),
    ):
        c = gpu.zeros((m, n), np.float32)
        gpu.start((2, 1), gpu.array(a), gpu.array(b), c, m, n, k)
        bound = error * k * (np.abs(double(a)) @ np.abs(double(b)))
        assert (np.abs(double(c) - double(a) @ double(b)) <= bound).all()


@program
def top_k(gpu: TritonGpu) -> None:
    x = gpu.eighths(4, (3, 200), np.float32)
    values, places = gpu.zeros((3, 4), np.float32), gpu.zeros((3, 4), np.int32)
    gpu.start(3, gpu.array(x), values, places, 200)
    order = np.argsort(-x, axis=1, kind="stable")[:, :4]
    same(places, order)
    same(values, np.take_along_axis(x, order, axis=1))


@program
def scans(gpu: TritonGpu) -> None:
    counts = gpu.bits((2, 256), np.int32)
    exact = gpu.integers(-1, 1, (2, 256), np.int32).astype(np.float32), gpu.eighths(100, (2, 256), np.float32)
    rounded = gpu.random.uniform(-1, 1, (2, 256)).astype(np.float32), gpu.normal((2, 256))
    for (decay, x), error in ((exact, 0.0), (rounded, 1e-5)):
        sums, rests = gpu.zeros(counts.shape, np.int32), gpu.zeros(counts.shape, np.int32)
        h = gpu.zeros(x.shape, np.float32)
        gpu.start(2, gpu.array(counts), sums, rests, gpu.array(decay), gpu.array(x), h)
        same(sums, np.cumsum(counts, axis=1, dtype=np.int32))
        same(rests, np.cumsum(counts[:, ::-1], axis=1, dtype=np.int32)[:, ::-1])
        states = [np.zeros(2)]
        for column in range(256):
            states.append(states[-1] * decay[:, column] + x[:, column])
        same(h, np.stack(states[1:], axis=1), rtol=error, atol=error)


@program
def histogram_tiles(gpu: TritonGpu) -> None:
    n = 700
    x = gpu.bits(n, np.uint8)
    by_element, by_block = gpu.zeros(64, np.int32), gpu.zeros(64, np.int32)
    gpu.start(blocks(n, 256), gpu.array(x), by_element, by_block, n)
    same(by_element, np.bincount(x >> 2, minlength=64))
    same(by_block, np.bincount(x >> 2, minlength=64))


@program
def moe_router(gpu: TritonGpu) -> None:
    tokens, width = 50, 16
    logits = np.stack([gpu.random.permutation(width) for _ in range(tokens)]).astype(np.float32) * np.float32(0.37)
    experts, places, counts = (
        gpu.zeros((tokens, 2), np.int32),
        gpu.zeros((tokens, 2), np.int32),
        gpu.zeros(16, np.int32),
    )
    weights = gpu.zeros((tokens, 2), np.float32)
    gpu.start(blocks(tokens, 32), gpu.array(logits), experts, weights, places, counts, tokens)
    best = np.argsort(-logits, axis=1)[:, :2]
    same(experts, best)
    same(weights, softmax_of(np.take_along_axis(logits, best, axis=1)), rtol=5e-6)
    same(counts, np.bincount(best.ravel(), minlength=width))
    for expert in range(width):
        given = places.numpy()[best == expert]
        same(np.sort(given), np.arange(len(given)))


@program
def permute_tokens(gpu: TritonGpu) -> None:
    rows, columns = 7, 304
    x = gpu.normal((rows, columns), BF16)
    index = np.array([3, -1, 0, 6, 6, 2], dtype=np.int64)
    weights = gpu.normal(6)
    out = gpu.array(gpu.normal((6, columns), BF16))
    gpu.start(6, gpu.array(x), gpu.array(index), gpu.array(weights), out, columns)
    expected = (x[index].astype(np.float32) * weights[:, None]).astype(BF16)
    expected[index < 0] = 0
    same(out, expected)


@program
def quantize_e4m3(gpu: TritonGpu) -> None:
    rows, columns = 8, 256
    x = (gpu.normal((rows, columns)) * np.exp2(gpu.integers(-12, 9, (rows, 1), np.int32))).astype(BF16)
    x[3, :128] = 0
    q, scales = gpu.zeros(x.shape, ml_dtypes.float8_e4m3fn), gpu.zeros((rows, 2), np.float32)
    gpu.start((2, 2), gpu.array(x), q, scales, columns)
    tiles = x.astype(np.float32).reshape(rows, 2, 128)
    scale = np.maximum(np.abs(tiles).max(axis=2), np.float32(1e-4)) / np.float32(448)
    same(scales, scale)
    expected = (tiles / scale[:, :, None]).astype(ml_dtypes.float8_e4m3fn).reshape(x.shape)
    same(q.numpy().view(np.uint8), expected.view(np.uint8))


@program
def swiglu_bf16(gpu: TritonGpu) -> None:
    rows, width = 4, 432
    x = gpu.normal((rows, 2 * width), BF16) * BF16(4)
    out = gpu.zeros((rows, width), BF16)
    gpu.start(rows, gpu.array(x), out, width)
    gate, up = double(x[:, :width]), double(x[:, width:])
    same(out, gate / (1 + np.exp(-gate)) * up, rtol=2**-7, atol=1e-30)


@program
def sort_rows(gpu: TritonGpu) -> None:
    x = gpu.normal((4, 64))
    keys = gpu.integers(-9, 9, (4, 64), np.int32)
    up, order = gpu.zeros(x.shape, np.float32), gpu.zeros(keys.shape, np.int32)
    gpu.start(4, gpu.array(x), up, gpu.array(keys), order)
    same(up, np.sort(x, axis=1))
    same(order, np.argsort(keys, axis=1, kind="stable")[:, ::-1])


@program
def reduce_atomic(gpu: TritonGpu) -> None:
    n = 1900
    x, y = gpu.bits(n, np.int32), gpu.eighths(1000, n, np.float32)
    total, smallest, largest, bits, lock = (gpu.zeros(1, np.int32) for _ in range(5))
    sum_ = gpu.zeros(1, np.float32)
    gpu.start(blocks(n, 256), gpu.array(x), total, smallest, largest, bits, gpu.array(y), sum_, lock, n)
    same(total, [x.sum(dtype=np.int32)])
    same(smallest, [x.min()])
    same(largest, [x.max()])
    same(bits, [np.bitwise_xor.reduce(x)])
    same(sum_, [y.sum(dtype=np.float64)])
    same(lock, [0])


def philox(counter: Any, seed: int) -> Any:
    """Philox-4x32-10 of counters (counter, 0, 0, 0) under the key (seed, 0): Salmon et al., SC 2011."""
    c = [counter.astype(np.uint64)] + [np.zeros(len(counter), np.uint64)] * 3
    low, keys = np.uint64(0xFFFFFFFF), [seed, 0]
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        high = first >> np.uint64(32), second >> np.uint64(32)
        c = [high[1] ^ c[1] ^ np.uint64(keys[0]), second & low, high[0] ^ c[3] ^ np.uint64(keys[1]), first & low]
        keys = [(keys[0] + 0x9E3779B9) & 0xFFFFFFFF, (keys[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, axis=1).astype(np.uint32).view(np.int32)


@program
def dropout_philox(gpu: TritonGpu) -> None:
    n, seed = 300, 0x1234567
    x, scale = gpu.normal(n), np.float32(1 / 0.7)
    out, uniform = gpu.zeros(n, np.float32), gpu.zeros(n, np.float32)
    raw = gpu.zeros((n, 4), np.int32)
    gpu.start(blocks(n, 128), gpu.array(x), out, uniform, raw, n, np.float32(0.3), scale, seed)
    words = philox(np.arange(n), seed)
    same(raw, words)
    positive = np.where(words[:, 0] < 0, -words[:, 0] - 1, words[:, 0])
    chance = positive.astype(np.float32) * np.float32(4.6566127342e-10)
    same(uniform, chance)
    same(out, np.where(chance > np.float32(0.3), x * scale, np.float32(0)))


@program
def attention_decode(gpu: TritonGpu) -> None:
    heads, length, width = 2, 75, 64
    query = gpu.normal((heads, width), np.float16)
    keys, values = gpu.normal((heads, length, width), np.float16), gpu.normal((heads, length, width), np.float16)
    out = gpu.zeros((heads, width), np.float32)
    gpu.start(heads, gpu.array(query), gpu.array(keys), gpu.array(values), out, length, 0.125)
    weights = softmax_of(np.einsum("hw,hlw->hl", double(query), double(keys)) / 8)
    same(out, np.einsum("hl,hlw->hw", weights, double(values)), rtol=1e-5, atol=1e-6)


@program
def rotary(gpu: TritonGpu) -> None:
    """The tables are no cosines and sines, but make every product and sum exact in float32."""
    rows, width = 5, 128
    x = gpu.eighths(16, (rows, 2 * width), np.float16)
    cosines, sines = gpu.eighths(1, (rows, width), np.float32), gpu.eighths(1, (rows, width), np.float32)
    turned = gpu.array(x)
    gpu.start(rows, turned, gpu.array(cosines), gpu.array(sines))
    even, odd = x[:, ::2].astype(np.float32), x[:, 1::2].astype(np.float32)
    pairs = np.stack((even * cosines - odd * sines, even * sines + odd * cosines), axis=2)
    same(turned, pairs.reshape(rows, -1).astype(np.float16))


@program
def transpose_convert(gpu: TritonGpu) -> None:
    rows, columns = 48, 80
    a, c = gpu.bits((rows, columns), np.int16), gpu.bits((rows, columns), np.int8)
    b, d = gpu.zeros((columns, rows), np.float32), gpu.zeros((columns, rows), np.int8)
    gpu.start((3, 2), gpu.array(a), b, gpu.array(c), d, rows, columns)
    same(b, a.T)
    same(d, c.T)


@program
def int4_matvec(gpu: TritonGpu) -> None:
    rows, columns = 32, 192
    packed, zeros = gpu.bits((rows, columns // 2), np.uint8), gpu.integers(0, 15, (rows, columns // 64), np.uint8)
    scales = np.exp2(gpu.integers(-6, 3, zeros.shape, np.int32)).astype(np.float16)
    x = gpu.eighths(2, columns, np.float16)
    y = gpu.zeros(rows, np.float32)
    gpu.start(rows // 16, gpu.array(packed), gpu.array(scales), gpu.array(zeros), gpu.array(x), y, columns)
    weights = np.stack((packed & 15, packed >> 4), axis=2).reshape(rows, -1, 64).astype(np.float64)
    weights = (weights - zeros[:, :, None]) * double(scales)[:, :, None]
    same(y, weights.reshape(rows, columns) @ double(x))


@program
def functions_called(gpu: TritonGpu) -> None:
    n = 200
    x = gpu.integers(1, 30, n, np.int32)
    steps, shared = gpu.zeros(n, np.int32), gpu.zeros((2, 2), np.int32)
    gpu.start(2, gpu.array(x), steps, shared, n)
    largest = np.array([x[:128].max(), x[128:].max()])
    same(shared, np.stack((np.gcd(largest, n), np.lcm(largest, n + 1)), axis=1))
    same(steps, [collatz_steps(int(value)) for value in x])


def collatz_steps(value: int) -> int:
    taken = 0
    while value > 1:
        value = 3 * value + 1 if value % 2 else value // 2
        taken += 1
    return taken


@program
def cross_entropy(gpu: TritonGpu) -> None:
    rows, columns = 4, 300
    x = gpu.normal((rows, columns)) * np.float32(2)
    labels = np.array([17, -100, 299, 0], dtype=np.int64)
    slopes, losses = gpu.array(x), gpu.zeros(rows, np.float32)
    gpu.start(rows, slopes, gpu.array(labels), losses, columns, -100)
    share = softmax_of(x)
    expected = share - (np.arange(columns) == labels[:, None])
    expected[1] = 0
    same(slopes, expected, rtol=5e-6, atol=1e-6)
    same(losses, np.where(labels < 0, 0, -np.log(share[np.arange(rows), labels])), rtol=2e-6)
