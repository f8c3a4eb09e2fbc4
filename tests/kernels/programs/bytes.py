"""Bytes and bits: histograms, text, encodings, hashes."""

import base64 as python_base64
import hashlib
import zlib

import numpy as np

from tests.kernels.gpu import Gpu, blocks, program, same


@program
def histogram(gpu: Gpu) -> None:
    n = 400
    data = gpu.bits(n, np.uint8)
    expected = np.bincount(data % 64, minlength=64)
    bins = gpu.zeros(64, np.uint32)
    gpu.launch("by_global_atomics", 2, 64, gpu.array(data), bins, n)
    same(bins, expected)
    bins = gpu.zeros(64, np.uint32)
    gpu.launch("by_shared_atomics", 2, 48, gpu.array(data), bins, n // 4)
    same(bins, expected)
    bins = gpu.zeros(64, np.uint64)
    gpu.launch("by_warps", 1, 128, gpu.array(data), bins, n)
    same(bins, expected)


TEXT = "The quick brown fox jumps over the lazy dog; THE END of the [tale]. Thethethe @`{z}Z!"


@program
def text(gpu: Gpu) -> None:
    raw = np.frombuffer(TEXT.encode("latin-1") + "äöüÄÖÜ".encode("latin-1"), np.uint8)
    raw = np.append(raw, np.zeros(-len(raw) % 4, np.uint8))
    n = len(raw)
    folded = gpu.array(raw)
    gpu.launch("fold_bytes", blocks(n, 64), 64, folded, n)
    same(folded, np.frombuffer(raw.tobytes().lower(), np.uint8))
    raised = gpu.array(raw.view(np.uint32))
    gpu.launch("upper_words", 1, 32, raised, n // 4)
    same(raised, np.frombuffer(raw.tobytes().upper(), np.uint32))

    count = gpu.zeros(1, np.int32)
    gpu.launch("count_words", blocks(n, 64), 64, gpu.array(raw), n, count)
    same(count, [len(b"".join(bytes([c]) if bytes([c]).isalpha() else b" " for c in raw.tobytes()).split())])

    bitmap, count = gpu.zeros(4, np.uint32), gpu.zeros(1, np.int32)
    needle = np.frombuffer(b"the", np.uint8)
    gpu.launch("find", 2, 64, folded, n, gpu.array(needle), 3, bitmap, count)
    lower = raw.tobytes().lower()
    places = [i for i in range(n) if lower.startswith(b"the", i)]
    same(count, [len(places)])
    same(np.flatnonzero(np.unpackbits(bitmap.numpy().view(np.uint8), bitorder="little")), places)

    a, b = b"massively parallel", b"passive barrels"
    distance = gpu.zeros(1, np.int32)
    arrays = [gpu.array(np.frombuffer(word, np.uint8)) for word in (a, b)]
    gpu.launch("edit_distance", 1, 32, arrays[0], len(a), arrays[1], len(b), distance)
    same(distance, [levenshtein(a, b)])


def levenshtein(a: bytes, b: bytes) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


@program
def bits(gpu: Gpu) -> None:
    made = gpu.zeros(256, np.uint32)
    gpu.launch("make_table", 1, 256, made)
    gpu.symbol("table").write(made.numpy().view(np.uint8))
    messages = gpu.bits((32, 21), np.uint8)
    checks = gpu.zeros(32, np.uint32)
    gpu.launch("crc32", 1, 32, gpu.array(messages), 21, checks)
    same(checks, [zlib.crc32(message.tobytes()) for message in messages])

    words = gpu.bits(64, np.uint64)
    counts, total = gpu.zeros(64, np.uint8), gpu.zeros(1, np.uint32)
    gpu.launch("population", 2, 32, gpu.array(words), counts, total)
    same(counts, [int(word).bit_count() for word in words])
    same(total, [sum(int(word).bit_count() for word in words)])

    values = gpu.random.random(64, dtype=np.float32)
    out = gpu.zeros(64, np.float32)
    gpu.launch("reverse_order", 1, 64, gpu.array(values), out, 6)
    same(out, values[[int(f"{i:06b}"[::-1], 2) for i in range(64)]])

    points = gpu.bits((32, 2), np.uint32)
    codes = gpu.zeros(32, np.uint64)
    gpu.launch("morton", 1, 32, gpu.array(points), codes)
    mixed = [int("".join(b + a for a, b in zip(f"{x:032b}", f"{y:032b}", strict=True)), 2) for x, y in points]
    same(codes, np.array(mixed, np.uint64))

    numbers = gpu.bits(32, np.uint32)
    codes32, back = gpu.zeros(32, np.uint32), gpu.zeros(32, np.uint32)
    gpu.launch("gray", 1, 32, gpu.array(numbers), codes32, back)
    same(codes32, numbers ^ numbers >> 1)
    same(back, numbers)


@program
def base64(gpu: Gpu) -> None:
    for n in (100, 101, 102):
        data = gpu.bits(n, np.uint8)
        groups = blocks(n, 3)
        coded, back = gpu.zeros(4 * groups, np.uint8), gpu.zeros(3 * groups, np.uint8)
        gpu.launch("encode", 2, 32, gpu.array(data), n, coded)
        assert coded.numpy().tobytes() == python_base64.b64encode(data.tobytes())
        gpu.launch("decode", 2, 32, coded, groups, back)
        same(back.numpy()[:n], data)

    good = "aé€😀 Grüße, жук, 漢字, \U0010ffff, ￿".encode()
    for raw in (
        good,
        good[:-1],
        good + b"\x80",
        good[:9] + b"\xc0" + good[9:],
        b"\xed\xa0\x80" + good,
        good[1:] + good[2:],
    ):
        result = gpu.array(np.array([0, 1 << 30], np.int32))
        gpu.launch("utf8", blocks(len(raw), 32), 32, gpu.array(np.frombuffer(raw, np.uint8)), len(raw), result)
        points, error = result.numpy()
        try:
            assert (points, error) == (len(raw.decode()), 1 << 30)
        except UnicodeDecodeError as wrong:
            assert error == wrong.start


def primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def cube_root_bits(prime: int) -> int:
    """The first 32 bits of the fraction of the cube root, exactly."""
    low, high = 0, prime << 32
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= prime << 96 else (low, middle)
    return low & 0xFFFFFFFF


@program
def hashes(gpu: Gpu) -> None:
    constants = np.array([cube_root_bits(prime) for prime in primes(64)], np.uint32)
    gpu.symbol("rounds").write(constants.view(np.uint8))
    messages = gpu.bits((32, 37), np.uint8)
    digests = gpu.zeros((32, 8), np.uint32)
    gpu.launch("sha256", 1, 32, gpu.array(messages), 37, digests)
    assert [row.astype(">u4").tobytes() for row in digests.numpy()] == [
        hashlib.sha256(message.tobytes()).digest() for message in messages
    ]

    words = gpu.bits(32, np.uint64)
    mixed = gpu.array(words)
    gpu.launch("murmur_mix", 1, 32, mixed)
    x = (words ^ words >> 33) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ x >> 33) * np.uint64(0xC4CEB9FE1A85EC53)
    same(mixed, x ^ x >> 33)

    random = gpu.zeros((32, 4), np.uint32)
    gpu.launch("philox", 1, 32, random, 0x1234, 0xABCDEF01)
    same(random, [philox((i, 0, 0, 0), (0x1234, 0xABCDEF01)) for i in range(32)])


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = q >> 32 ^ b ^ k, q & 0xFFFFFFFF, p >> 32 ^ d ^ m, p & 0xFFFFFFFF
        k, m = k + 0x9E3779B9 & 0xFFFFFFFF, m + 0xBB67AE85 & 0xFFFFFFFF
    return a, b, c, d
