"""What C++ brings along: printf, the heap, calls of every kind, structures, assertions."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from emulator.errors import KernelFault
from tests.kernels.gpu import Gpu, program, same


@program
def printf(gpu: Gpu) -> None:
    a, b, c, d = -42, 3_000_000_007, -(2**40) - 1, 2**64 - 5
    gpu.launch("integers", 1, 1, a, b, c, d)
    assert gpu.lines() == [
        "-42|  -42|-42  |-0042|-42|-42",
        f"{b}|{b:x}|{b:X}|0x{b:x}|{b:o}|0{b:o}|{b:08x}",
        f"{c}|{d}|{d:x}|{c:20}|{d:<20}|",
        f"-42|{b & 65535}|-42|{b & 255}|-1",
        "   -42|-42   |007|09",
        "abc     d|e    |%",
    ]
    gpu.printed.clear()
    f, g = np.float32(3.14159), -12345.678901
    gpu.launch("numbers", 1, 1, f, g)
    wide = float(f)
    assert gpu.lines() == [
        f"{wide:f}|{wide:.2f}|{wide:8.3f}|{wide:<9.1f}|{wide:+.0f}|{wide:010.4f}",
        f"{g:e}|{g:.3E}|{g:g}|{g:G}|{g:.10g}|{g:#.3g}",
        "inf -inf -0.000000e+00 1e+100",
        f"{g.hex()} 0.2 0.1",
    ]
    gpu.printed.clear()
    gpu.launch("texts", 1, 1, gpu.array(np.frombuffer("grüße\0".encode(), np.uint8)))
    assert gpu.lines() == [
        "literal global constant sh Local grüße",
        "[    global] [global    ] [glo] []",
        "no arguments",
        "1 2",
        "results 0 2",
    ]
    gpu.printed.clear()
    points = np.zeros(40, np.dtype([("x", np.float32), ("y", np.int16), ("pad", np.int16)]))
    points["x"], points["y"] = np.arange(40) / 4, -np.arange(40)
    gpu.launch("threads", 2, 20, gpu.array(points.view(np.uint8)))
    expected = [f"{i}: ({i / 4:g}, {-i}) {'odd' if i % 4 else 'even'}" for i in range(0, 40, 2)]
    assert sorted(gpu.lines()) == sorted(expected)


@program
def heap(gpu: Gpu) -> None:
    values = gpu.integers(-99, 99, 64, np.int32)
    out = gpu.zeros(64, np.int32)
    before = gpu.system.runner.memory.used
    gpu.launch("lists", 2, 32, gpu.array(values), out, 5)
    same(out, [sum(int(v) + i * i for i in range(0, 5 + t % 3, 2)) for t, v in enumerate(values)])
    assert gpu.system.runner.memory.used == before + values.nbytes + len(gpu.symbol("buckets").numpy())

    keys = gpu.integers(0, 19, 100, np.uint32)
    counts = gpu.zeros(20, np.uint32)
    gpu.launch("count_keys", 2, 64, gpu.array(keys), 100)
    gpu.launch("read_counts", 1, 32, gpu.array(np.arange(20, dtype=np.uint32)), counts, 20)
    same(counts, np.bincount(keys, minlength=20))

    out, null = gpu.zeros(96, np.int32), gpu.array(np.ones(1, np.uint64))
    gpu.launch("block_array", 3, 32, out, null)
    same(out.numpy().reshape(3, 32), 3 * np.arange(31, -1, -1) + np.arange(3)[:, None])
    same(null, [0])


@program
def function_pointers(gpu: Gpu) -> None:
    a, b = (gpu.integers(-99, 99, 32, np.int32).astype(np.float32) for _ in range(2))
    which = gpu.integers(0, 3, 32, np.int32)
    arrays = gpu.array(a), gpu.array(b), gpu.zeros(32, np.float32)
    functions = [lambda x, y: x + y, lambda x, y: x - y, np.maximum, lambda x, y: x]

    def picked(of: list) -> list[float]:
        return [float(of[w](x, y)) for w, x, y in zip(which, a, b, strict=True)]

    gpu.launch("by_table", 1, 32, gpu.array(which), *arrays)
    same(arrays[2], picked(functions))
    gpu.launch("swap_entries", 1, 1, 1, 3)
    gpu.launch("by_table", 1, 32, gpu.array(which), *arrays)
    same(arrays[2], picked([functions[n] for n in (0, 3, 2, 1)]))
    chosen = gpu.zeros(1, np.uint64)
    for number, function in enumerate((functions[1], functions[0], np.multiply)):
        gpu.launch("choose", 1, 1, chosen, number)
        gpu.launch("call", 1, 32, chosen, *arrays)
        same(arrays[2], function(a, b) + np.maximum(a, 0))

    kind = np.dtype([("values", np.int32, 6), ("sum", np.int64)])
    big = np.zeros(32, kind)
    big["values"], big["sum"] = gpu.integers(-99, 99, (32, 6), np.int32), gpu.integers(-99, 99, 32, np.int64)
    out = gpu.zeros(big.nbytes, np.uint8)
    gpu.launch("makers", 1, 32, gpu.array(big.view(np.uint8)), out)
    found = out.numpy().view(kind)
    for t in range(32):
        values, total = list(map(int, big["values"][t])), int(big["sum"][t])
        for by in (t, t + 1) if t % 3 else (t,):
            if t % 2:
                values = [value + by * i for i, value in enumerate(values)]
                total = sum(values)
            else:
                values, total = [values[(i + by) % 6] for i in range(6)], total + by
        assert (found["values"][t].tolist(), found["sum"][t]) == (values, total)


@program
def virtual_calls(gpu: Gpu) -> None:
    n = 24
    sizes = gpu.integers(1, 9, n, np.int32).astype(np.float32)
    shapes, named, deleted = gpu.zeros(n, np.uint64), gpu.zeros(n, np.uint64), gpu.zeros(1, np.int32)
    areas, numbers = gpu.zeros(n, np.float32), gpu.zeros(n, np.int32)
    gpu.launch("make", 1, n, shapes, named, gpu.array(sizes), deleted)
    gpu.launch("measure", 1, n, shapes, named, areas, numbers)
    kind = np.arange(n) % 3
    same(areas, np.select([kind == 0, kind == 1], [3 * sizes**2, sizes * (sizes + 1)], sizes**2))
    box, square = 17 * sizes + sizes + 1, 18 * sizes + 1
    same(numbers, np.select([kind == 0, kind == 1], [0 * sizes, 4 + 100 * box], 4 + 100 * square))
    gpu.launch("destroy", 1, n, shapes)
    same(deleted, [n // 3])


@dataclass
class Tree:
    """A node of a search tree, as a row of numbers: value, left, right."""

    rows: list[list[int]]

    def insert(self, value: int) -> None:
        at, side = 0, 0
        while at >= 0 and self.rows:
            parent, side = at, 1 if value < self.rows[at][0] else 2
            at = self.rows[at][side]
        if self.rows:
            self.rows[parent][side] = len(self.rows)
        self.rows.append([value, -1, -1])

    def depth(self, at: int = 0) -> int:
        return 0 if at < 0 else 1 + max(self.depth(child) for child in self.rows[at][1:])


@program
def recursion(gpu: Gpu) -> None:
    out = gpu.zeros(32, np.int32)
    gpu.launch("fibonacci", 1, 32, out)
    numbers = [0, 1]
    while len(numbers) < 9:
        numbers.append(numbers[-1] + numbers[-2])
    same(out, [numbers[t % 9] for t in range(32)])

    out = gpu.zeros(12, np.uint32)
    gpu.launch("ackermanns", 1, 12, out)
    same(out, [1, 2, 3, 4, 2, 3, 4, 5, 3, 5, 7, 9])

    lists = gpu.integers(-9, 9, (8, 12), np.int32)
    sorted_lists = gpu.array(lists)
    gpu.launch("sort_lists", 1, 8, sorted_lists, 12)
    same(sorted_lists, np.sort(lists, axis=1))

    moves, count = gpu.zeros(31, np.uint16), gpu.zeros(1, np.int32)
    gpu.launch("towers", 1, 1, 4, moves, count)
    same(count, [15])
    pegs = [[4, 3, 2, 1], [], []]
    for move in moves.numpy()[:15]:
        disk, source, target = move >> 8, move >> 4 & 15, move & 15
        assert pegs[source].pop() == disk
        assert not pegs[target] or pegs[target][-1] > disk
        pegs[target].append(int(disk))
    assert pegs == [[], [], [4, 3, 2, 1]]

    tree = Tree([])
    values = gpu.random.permutation(12).tolist()
    for value in values:
        tree.insert(value)
    out, deep = gpu.zeros(12, np.int32), gpu.zeros(1, np.int32)
    gpu.launch("walk", 1, 1, gpu.array(np.array(tree.rows, np.int32)), out, deep)
    same(out, sorted(values))
    same(deep, [tree.depth()])

    out = gpu.zeros(20, np.uint8)
    gpu.launch("parity", 1, 20, out)
    same(out, [2 - t % 2 for t in range(20)])


CODES = re.findall(
    r"\w+",
    "PUSH ADD SUBTRACT MULTIPLY DIVIDE MODULO NEGATE DUPLICATE SWAP OVER DROP JUMP JUMP_IF_ZERO LOAD STORE LESS EQUAL "
    "AND OR NOT THREAD CALL RETURN HALT",
)

# The greatest common divisor of memory 0 and 1 by Euclid, then times the thread plus 3, then a function's 2 x + 1.
EUCLID = """
    PUSH 0 LOAD PUSH 1 LOAD
    loop: DUPLICATE JUMP_IF_ZERO done SWAP OVER MODULO JUMP loop
    done: DROP THREAD PUSH 3 ADD MULTIPLY CALL twice
    DUPLICATE PUSH 7 MODULO PUSH 3 LESS JUMP_IF_ZERO end NEGATE
    end: DUPLICATE PUSH 2 STORE PUSH 2 LOAD NOT HALT
    twice: DUPLICATE ADD PUSH 1 ADD RETURN
"""


def assemble(text: str) -> list[int]:
    words, labels, code = text.split(), {}, []
    for word in words:
        if word.endswith(":"):
            labels[word[:-1]] = len(code)
        else:
            code.append(word)
    return [CODES.index(w) if w in CODES else labels[w] if w in labels else int(w) for w in code]


@program
def interpreter(gpu: Gpu) -> None:
    inputs = gpu.integers(1, 60, (32, 8), np.int32)
    out, steps = gpu.zeros(32, np.int32), gpu.zeros(32, np.int32)
    code = gpu.array(np.array(assemble(EUCLID), np.uint8))
    gpu.launch("interpret", 1, 32, code, gpu.array(inputs), out, steps)
    value = 2 * np.gcd(inputs[:, 0], inputs[:, 1]) * (np.arange(32) + 3) + 1
    same(out, ~np.where(value % 7 < 3, -value, value))


@program
def parameters(gpu: Gpu) -> None:
    inner = np.dtype(
        {
            "names": ["tag", "weights", "small"],
            "formats": ["i1", ("f8", 3), "i2"],
            "offsets": [0, 8, 32],
            "itemsize": 40,
        }
    )
    outer = np.dtype(
        {
            "names": ["inner", "vector", "fields", "bytes", "pointer"],
            "formats": [(inner, 2), ("f4", 4), "u4", ("u1", 5), "u8"],
            "offsets": [0, 80, 96, 100, 112],
            "itemsize": 128,
        }
    )
    numbers = gpu.array(gpu.integers(-9, 9, 32, np.int32))
    given = np.zeros((), outer)
    given["inner"]["tag"], given["inner"]["small"] = (5, -6), (700, -800)
    given["inner"]["weights"] = gpu.integers(-9, 9, (2, 3), np.int32)
    given["vector"], given["bytes"] = (2, 3, 5, 7), (250, 1, 2, 3, 4)
    given["fields"], given["pointer"] = 17 | 654321 << 5 | 100 << 25, int(numbers)
    out = gpu.zeros(32, np.float64)
    gpu.launch("nested", 1, 32, -3, given, -1000, out)
    t = np.arange(32)
    expected = -1003 + (given["inner"]["weights"] * (1, 2, 3)).sum(axis=1)[t & 1] - 6 + 700
    expected = expected + given["bytes"][t % 5] + numbers.numpy() + 6 - 35
    same(out, expected + 17 + 654321 * 32 + 100 * 1024)

    values = gpu.integers(-99, 99, 64, np.int32)
    data = gpu.array(values)
    coefficients = np.array([7, -3, 2, 1], np.int32)
    gpu.launch("apply", 2, 32, data, coefficients)
    same(data, np.polyval(coefficients[::-1], values))

    a, b = np.array([1, -2, 300, 4, -5], np.int16), np.array([10**12, -7, 3], np.int64)
    out = gpu.zeros(32, np.int64)
    gpu.launch("vectors", 1, 32, a, b, out)
    small, wide = np.zeros(32, np.int16), np.ones(32, np.int64)
    for part in a:
        small = (small.astype(np.int64) * 2 + 2 * int(part) * t).astype(np.int16)
    for part in b:
        wide = wide * 2 + 2 * int(part) * t
    same(out, small + wide)

    raw = gpu.bits(32, np.uint8)
    out = gpu.zeros(32, np.uint64)
    gpu.launch("shared_layout", 1, 32, gpu.array(raw), out, 32, shared=256)
    u, wide = 31 - t, raw.astype(np.int64)
    same(out, np.append(wide, 99)[u + 1] + wide[u] * 0x100000001 + 1000 * (u % 3))


@program
def assertion(gpu: Gpu) -> None:
    values = gpu.integers(0, 9, 64, np.int32)
    out = gpu.zeros(64, np.int32)
    gpu.launch("below", 2, 32, gpu.array(values), out, 10)
    same(out, values + 1)
    gpu.launch("stop", 1, 32, gpu.array(values))
    values[37] = 10
    with pytest.raises(KernelFault) as caught:
        gpu.launch("below", 2, 32, gpu.array(values), out, 10)
    text = str(caught.value)
    assert "assertion.cu:6: void below(const int *, int *, int)" in text
    assert 'Assertion `values[i] < limit && "value too large"` failed' in text
    assert "block (1,0,0), thread (5,0,0)" in text

    gpu.system.reset()
    values[5] = 13
    with pytest.raises(KernelFault, match="trap"):
        gpu.launch("stop", 1, 32, gpu.array(values))


@program
def debug_build(gpu: Gpu) -> None:
    n = 4
    fractions = np.stack((gpu.integers(-9, 9, (8, n), np.int32), gpu.integers(1, 9, (8, n), np.int32)), axis=2)
    out = gpu.zeros((8, 2, 2), np.int32)
    gpu.launch("fractions", 1, 8, gpu.array(fractions), out, n)
    parts = [[Fraction(int(top), int(bottom)) for top, bottom in row] for row in fractions]
    expected = [[(f.numerator, f.denominator) for f in (sum(row), math.prod(row))] for row in parts]
    same(out, expected)

    values = gpu.integers(-99, 99, (8, 9), np.int32).astype(np.float32)
    result = gpu.zeros((8, 9), np.float32)
    for down in (False, True):
        gpu.launch("sort_words", 1, 8, gpu.array(values), result, 9, down)
        same(result, np.sort(values, axis=1)[:, :: -1 if down else 1])
    assert gpu.lines() == [f"8 lists, medians sum to {np.median(values, axis=1).sum():.3f}"] * 2

    words, out = np.arange(32, dtype=np.int32) % 11 - 1, gpu.zeros(32, np.int32)
    gpu.launch("words", 1, 32, gpu.array(words), out)
    t = np.arange(32)
    ones = np.array([int(x).bit_count() for x in t])
    cases = [10, 11, 22, 23, ones, -5, 106, 70]
    chosen = np.select([words == n for n in range(8)], cases, np.where(words > 0, 1000, -1000))
    ballot = np.array(sum(1 << int(lane) for lane in np.flatnonzero(chosen > 0)), np.uint32).astype(np.int32)
    same(out, chosen + int(math.fmod(int(ballot), 7)))


@program
def relocatable(gpu: Gpu) -> None:
    values = gpu.integers(-40, 40, 32, np.int32).astype(np.float32) / 8
    out, ranks, total = gpu.zeros((32, 2), np.float32), gpu.zeros(32, np.int32), gpu.zeros(1, np.uint32)
    for launch in range(2):
        gpu.launch("run", 1, 32, gpu.array(values), out, ranks, total, shared=128)
        scaled = values * np.float32(1.5)
        same(out, np.stack((np.clip(scaled, -3, 3)[::-1], scaled), axis=1))
        same(total, [7 + 5 * launch])
        for which in range(4):
            first = which + 1 + launch * 8 * (1 << which)
            same(np.sort(ranks.numpy()[which::4]), np.clip(first + np.arange(8) * (1 << which), 0, 20))
