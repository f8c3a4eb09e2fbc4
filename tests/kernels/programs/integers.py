"""Integers: intrinsics, SIMD within words, division."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kernels.gpu import Gpu, program, same

M32, M64 = 2**32 - 1, 2**64 - 1


def signed(value: int, width: int = 32) -> int:
    return (value & (1 << width) - 1 ^ 1 << width - 1) - (1 << width - 1)


def reverse(value: int, width: int) -> int:
    return int(f"{value:0{width}b}"[::-1], 2)


def first_set(value: int) -> int:
    return (value & -value).bit_length()


def permuted(x: int, y: int, selector: int) -> int:
    """__byte_perm: byte k of 8 for each nibble; bit 3 of a nibble repeats the sign of the byte in PTX only."""
    parts = (y << 32 | x).to_bytes(8, "little")
    return int.from_bytes(bytes(parts[selector >> 4 * n & 7] for n in range(4)), "little")


@program
def integer_intrinsics(gpu: Gpu) -> None:
    a, b = gpu.bits(32, np.uint32), gpu.bits(32, np.uint32)
    a[:3] = 0, 1, M32
    out = gpu.zeros((32, 16), np.uint32)
    gpu.launch("bits32", 1, 32, gpu.array(a), gpu.array(b), out)
    same(out, [[value & M32 for value in bits32(int(x), int(y))] for x, y in zip(a, b, strict=True)])

    a, b = gpu.bits(32, np.uint64), gpu.bits(32, np.uint64)
    a[:3] = 0, 1, M64
    out = gpu.zeros((32, 8), np.uint64)
    gpu.launch("bits64", 1, 32, gpu.array(a), gpu.array(b), out)
    same(out, np.array([[v & M64 for v in bits64(int(x), int(y))] for x, y in zip(a, b, strict=True)], np.uint64))

    a, b = gpu.bits(32, np.int32), gpu.bits(32, np.int32)
    out = gpu.zeros((32, 4), np.int32)
    gpu.launch("dots", 1, 32, gpu.array(a), gpu.array(b), out)
    s8, u8 = (np.stack([x.view(f"{t}1").reshape(32, 4).astype(np.int64) for x in (a, b)]) for t in "iu")
    s16 = a.view(np.int16).reshape(32, 2).astype(np.int64)
    two = (s16 * s8[1][:, :2]).sum(axis=1) + 300, (s16 * s8[1][:, 2:]).sum(axis=1) + 400
    same(out, np.stack(((s8[0] * s8[1]).sum(axis=1) + 100, (u8[0] * u8[1]).sum(axis=1) + 200, *two), axis=1))

    a, b = gpu.bits(32, np.uint32), gpu.bits(32, np.uint32)
    a[0] = 0
    out = gpu.zeros((32, 5), np.uint32)
    gpu.launch("fields", 1, 32, gpu.array(a), gpu.array(b), out)
    same(out, [[value & M32 for value in fields(int(x), int(y))] for x, y in zip(a, b, strict=True)])


def bits32(x: int, y: int) -> list[int]:
    sx, sy, right = signed(x), signed(y), min(y & 63, 32)
    return [
        *(reverse(x, 32), 32 - x.bit_length(), first_set(x), x.bit_count()),
        *(permuted(x, y, 0x3715), permuted(x, y, y), (y << 32 | x) << (y & 31) >> 32, (y << 32 | x) >> right),
        *(x * y >> 32, sx * sy >> 32, (x & 0xFFFFFF) * (y & 0xFFFFFF), signed(x, 24) * signed(y, 24)),
        *(abs(sx - sy) + 5, abs(x - y) + 7, x + y >> 1, sx + sy + 1 >> 1),
    ]


def bits64(x: int, y: int) -> list[int]:
    sx, sy, n = signed(x, 64), signed(y, 64), y & 63
    return [
        *(reverse(x, 64), 64 - x.bit_length(), first_set(x), x.bit_count()),
        *(x * y >> 64, sx * sy >> 64, x << n | x >> (64 - n & 63), sx >> n),
    ]


def fields(x: int, w: int) -> list[int]:
    start, size = w & 31, w >> 8 & 31
    mask = (1 << size) - 1
    field = x >> start & mask
    sign = x >> min(start + size - 1, 31) & 1 if size else 0
    extended = (field | ~mask if sign else field) if size else 0
    if size and start + size > 32:
        part = signed(x) >> start
        extended = part & mask if not sign else part & mask | ~mask
    inserted = x & ~(mask << start) | (w & mask) << start
    c = ~x >> 3 & 0x1FFFFFFF
    return [field, extended, inserted, x.bit_length() - 1, x & w | x & c | w & c]


def lanes_of(words: np.ndarray, dtype: Any) -> np.ndarray:
    return words.view(dtype).reshape(len(words), -1).astype(np.int64)


def word(lanes: np.ndarray, size: int) -> np.ndarray:
    """Lanes of a word back as a word, cut to their size."""
    return np.ascontiguousarray(lanes.astype(f"i{size}")).view(np.uint32)[:, 0]


@program
def simd_bytes(gpu: Gpu) -> None:
    a, b = gpu.bits(32, np.uint32), gpu.bits(32, np.uint32)
    a[0], b[0], b[1] = 0x80808080, 0x80007FFF, a[1]
    for kernel, size, references in (("fours", 1, FOURS), ("twos", 2, TWOS)):
        out = gpu.zeros((32, len(references)), np.uint32)
        gpu.launch(kernel, 1, 32, gpu.array(a), gpu.array(b), out)
        (sx, ux), (sy, uy) = ((lanes_of(v, f"i{size}"), lanes_of(v, f"u{size}")) for v in (a, b))
        for place, reference in enumerate(references):
            result = reference(sx, sy, ux, uy)
            same(out.numpy()[:, place], word(result, size) if result.ndim == 2 else result)

    window, block = gpu.bits((11, 12), np.uint8), gpu.bits((8, 8), np.uint8)
    sums = gpu.zeros((4, 5), np.uint32)
    gpu.launch("search", 1, (5, 4), gpu.array(block.view(np.uint32)), gpu.array(window), 12, sums)
    wide = window.astype(int)
    same(sums, [[np.abs(wide[y : y + 8, x : x + 8] - block).sum() for x in range(5)] for y in range(4)])


Reference = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
FOURS: list[Reference] = [
    lambda sx, sy, ux, uy: ux + uy,
    lambda sx, sy, ux, uy: ux - uy,
    lambda sx, sy, ux, uy: np.minimum(ux + uy, 255),
    lambda sx, sy, ux, uy: np.clip(sx - sy, -128, 127),
    lambda sx, sy, ux, uy: np.abs(ux - uy),
    lambda sx, sy, ux, uy: ux + uy + 1 >> 1,
    lambda sx, sy, ux, uy: np.minimum(ux, uy),
    lambda sx, sy, ux, uy: np.maximum(sx, sy),
    lambda sx, sy, ux, uy: -(sx > sy).astype(int),
    lambda sx, sy, ux, uy: (ux <= uy).astype(int),
    lambda sx, sy, ux, uy: np.abs(ux - uy).sum(axis=1),
    lambda sx, sy, ux, uy: -sx,
]
TWOS: list[Reference] = [
    lambda sx, sy, ux, uy: ux + uy,
    lambda sx, sy, ux, uy: np.clip(sx + sy, -32768, 32767),
    lambda sx, sy, ux, uy: np.maximum(ux - uy, 0),
    lambda sx, sy, ux, uy: np.abs(sx - sy),
    lambda sx, sy, ux, uy: ux + uy >> 1,
    lambda sx, sy, ux, uy: np.minimum(sx, sy),
    lambda sx, sy, ux, uy: np.stack((-(uy[:, 0] == 0).astype(int), -np.ones(len(ux), int)), axis=1),
    lambda sx, sy, ux, uy: np.abs(sx),
]


def quotient(x: int, y: int) -> int:
    """C's division: toward zero."""
    return abs(x) // abs(y) * (-1 if (x < 0) != (y < 0) else 1)


@program
def division(gpu: Gpu) -> None:
    a, b = gpu.bits(32, np.int32), gpu.bits(32, np.int32) >> gpu.integers(0, 30, 32, np.int32)
    b[b == 0] = 3
    a[0], b[0] = -(2**31), 1
    out = gpu.zeros((32, 8), np.int32)
    gpu.launch("divide32", 1, 32, gpu.array(a), gpu.array(b), out)
    rows = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        ux, uy = x & M32, y & M32
        row = [quotient(x, y), x - quotient(x, y) * y, ux // uy, ux % uy, quotient(x, 7), x - 10 * quotient(x, 10)]
        rows.append([signed(value) for value in [*row, ux // 1000000007, quotient(x, 16)]])
    same(out, rows)

    a, b = gpu.bits(32, np.int64), gpu.bits(32, np.int64) >> gpu.integers(0, 60, 32, np.int64)
    b[b == 0] = -5
    out = gpu.zeros((32, 6), np.int64)
    gpu.launch("divide64", 1, 32, gpu.array(a), gpu.array(b), out)
    rows = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        ux, uy = x & M64, y & M64
        row = [quotient(x, y), x - quotient(x, y) * y, ux // uy, ux % uy, quotient(x, 1000000007), ux % 10]
        rows.append([signed(value, 64) for value in row])
    same(out, rows)

    a, b = gpu.bits((16, 2), np.uint64), gpu.bits((16, 2), np.uint64)
    b[:8, 1] >>= 40
    b[:4, 1] = 0
    out = gpu.zeros((16, 4, 2), np.uint64)
    gpu.launch("divide128", 1, 16, gpu.array(a), gpu.array(b), out)
    for (x0, x1), (y0, y1), row in zip(a.tolist(), b.tolist(), out.numpy().tolist(), strict=True):
        x, y = x1 << 64 | x0, y1 << 64 | y0
        expected = [value & 2**128 - 1 for value in (x // y, x % y, x * y, x - y)]
        assert [low | high << 64 for low, high in row] == expected

    candidates = [0, 1, 2, 3, 4, 7, 61, 561, 2047, 3215031751, 4294967291, 4294967295, 25326001, 2147483647]
    numbers = np.array(candidates + gpu.bits(18, np.uint32).tolist(), np.uint32)
    prime = gpu.zeros(32, np.uint8)
    gpu.launch("primes", 1, 32, gpu.array(numbers), prime)
    same(prime, [n > 1 and all(n % d for d in range(2, int(n**0.5) + 1)) for n in numbers.tolist()])

    numbers = gpu.bits(8, np.int64) >> np.arange(0, 64, 8)
    numbers[:3] = 0, -(2**63), 2**63 - 1
    texts = gpu.zeros((8, 24), np.uint8)
    gpu.launch("digits", 1, 8, gpu.array(numbers), texts)
    assert [bytes(row).rstrip(b"\0").decode() for row in texts.numpy()] == [str(n) for n in numbers.tolist()]
