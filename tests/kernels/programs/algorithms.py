"""Whole algorithms: graphs, searches, tables, long numbers, compression, particles."""

import heapq
import itertools
import math

import numpy as np

from tests.kernels.gpu import Gpu, blocks, program, same


@program
def graph(gpu: Gpu) -> None:
    n = 60
    dense = gpu.random.random((n, n)) < 0.03
    dense |= dense.T
    starts = np.concatenate(([0], np.cumsum(dense.sum(axis=1)))).astype(np.int32)
    edges = np.nonzero(dense)[1].astype(np.int32)
    matrix = gpu.array(starts), gpu.array(np.append(edges, 0).astype(np.int32))

    level = np.full(n, -1, np.int32)
    level[0] = 0
    levels, frontier, size, depth = gpu.array(level), gpu.array(np.zeros(n, np.int32)), 1, 1
    while size:
        following, count = gpu.zeros(n, np.int32), gpu.zeros(1, np.int32)
        gpu.launch("expand", blocks(size, 32), 32, *matrix, levels, frontier, size, following, count, depth)
        frontier, size, depth = following, int(count.numpy()[0]), depth + 1
    reached, distance = {0}, 0
    while True:
        found = {int(j) for i in reached for j in np.flatnonzero(dense[i])} - {
            int(i) for i in np.flatnonzero(level >= 0)
        }
        if not found:
            break
        distance += 1
        level[list(found)] = distance
        reached = found
    same(levels, level)

    pairs = np.argwhere(np.triu(dense)).astype(np.int32)
    parents = gpu.array(np.arange(n, dtype=np.int32))
    gpu.launch("unite", blocks(len(pairs), 32), 32, gpu.array(pairs), parents, len(pairs))
    gpu.launch("flatten", 2, 32, parents, n)
    least = np.arange(n)
    for _ in range(n):
        least = np.array([min(least[[i, *np.flatnonzero(dense[i])]]) for i in range(n)])
    same(parents, least)

    values, x = gpu.integers(-9, 9, len(edges), np.int32).astype(np.float64), gpu.integers(-9, 9, n, np.int32) / 2.0
    full = np.zeros((n, n))
    full[dense] = values
    for kernel, lanes in (("row_a_thread", 1), ("row_a_group", 8)):
        y = gpu.zeros(n, np.float64)
        arguments = gpu.array(np.append(values, 0.0)), gpu.array(x), y, n
        gpu.launch(kernel, blocks(lanes * n, 64), 64, *matrix, *arguments)
        same(y, full @ x)


SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"


@program
def backtracking(gpu: Gpu) -> None:
    found = gpu.zeros(1, np.uint32)
    gpu.launch("queens", 1, 64, 6, found)
    boards = itertools.permutations(range(6))
    same(
        found,
        [sum(len({c + r for r, c in enumerate(b)}) == len({c - r for r, c in enumerate(b)}) == 6 for b in boards)],
    )

    puzzle = np.array([int(c) for c in SOLVED], np.uint8)
    puzzle[gpu.random.choice(81, 16, replace=False)] = 0
    solved = gpu.array(puzzle)
    gpu.launch("sudoku", 1, 32, solved)
    board = solved.numpy().reshape(9, 9)
    assert (board.ravel()[puzzle > 0] == puzzle[puzzle > 0]).all()
    squares = board.reshape(3, 3, 3, 3).swapaxes(1, 2).reshape(9, 9)
    for part in (board, board.T, squares):
        same(np.sort(part, axis=1), np.tile(np.arange(1, 10), (9, 1)))


def words_of(number: int) -> list[int]:
    return [number >> 32 * n & 0xFFFFFFFF for n in range(8)]


def numbers_of(words: np.ndarray) -> list[int]:
    return [sum(int(word) << 32 * n for n, word in enumerate(row)) for row in words]


@program
def big_integers(gpu: Gpu) -> None:
    a, b = gpu.bits((32, 8), np.uint32), gpu.bits((32, 8), np.uint32)
    b[0] = a[0]
    a[1] = 0
    total, rest, flags = gpu.zeros((32, 8), np.uint32), gpu.zeros((32, 8), np.uint32), gpu.zeros(32, np.uint32)
    gpu.launch("sums", 1, 32, gpu.array(a), gpu.array(b), total, rest, flags)
    x, y = numbers_of(a), numbers_of(b)
    pairs = list(zip(x, y, strict=True))
    assert numbers_of(total.numpy()) == [p + q & 2**256 - 1 for p, q in pairs]
    assert numbers_of(rest.numpy()) == [p - q & 2**256 - 1 for p, q in pairs]
    same(flags, [(p + q >> 256) | (2 if p < q else 0) for p, q in pairs])

    modulus = 2**255 - 19
    exponents = gpu.integers(0, 70, 32, np.uint32)
    form = np.array([words_of((n << 256) % modulus) for n in x], np.uint32)
    one = np.array(words_of(2**256 % modulus), np.uint32)
    inverse = -pow(modulus, -1, 2**32) % 2**32
    out = gpu.zeros((32, 8), np.uint32)
    sides = gpu.array(form), gpu.array(exponents), out, np.array(words_of(modulus), np.uint32), one, inverse
    gpu.launch("power", 1, 32, *sides)
    back = pow(2**256, -1, modulus)
    found = [n * back % modulus for n in numbers_of(out.numpy())]
    assert found == [pow(n, int(e), modulus) for n, e in zip(x, exponents, strict=True)]

    out = gpu.zeros((35, 8), np.uint32)
    gpu.launch("factorial", 1, 35, out)
    assert numbers_of(out.numpy()) == [math.factorial(n) & 2**256 - 1 for n in range(35)]


@program
def dynamic_programming(gpu: Gpu) -> None:
    items, capacity = 8, 40
    weights, values = gpu.integers(1, 15, items, np.int32), gpu.integers(1, 99, items, np.int32)
    best = gpu.zeros(capacity + 1, np.int32)
    arguments = gpu.array(weights), gpu.array(values), items, capacity, best
    gpu.launch("knapsack", 1, 32, *arguments, shared=8 * (capacity + 1))
    chosen = np.array(list(itertools.product((0, 1), repeat=items)))
    loads, worths = chosen @ weights, chosen @ values
    same(best, [worths[loads <= room].max() for room in range(capacity + 1)])

    n = 9
    lengths = np.where(gpu.random.random((n, n)) < 0.3, gpu.integers(1, 50, (n, n), np.int32), 10**6).astype(np.int32)
    np.fill_diagonal(lengths, 0)
    table = gpu.array(lengths)
    for k in range(n):
        gpu.launch("floyd", (2, 2), (8, 8), table, n, k)
    same(np.minimum(table.numpy(), 10**6), [dijkstra(lengths, start) for start in range(n)])

    states, length = 4, 6
    first, seen = gpu.random.random(states, dtype=np.float32), gpu.random.random((length, states), dtype=np.float32)
    step = gpu.random.random((states, states), dtype=np.float32)
    path = gpu.zeros(length, np.uint8)
    choices = gpu.zeros((length, states), np.uint8)
    gpu.launch("best_path", 1, states, *(gpu.array(x) for x in (first, step, seen)), length, choices, path)
    ways = np.array(list(itertools.product(range(states), repeat=length)))
    score = first[ways[:, 0]] + seen[np.arange(length), ways].sum(axis=1) + step[ways[:, :-1], ways[:, 1:]].sum(axis=1)
    same(path, ways[score.argmax()])


def dijkstra(lengths: np.ndarray, start: int) -> list[int]:
    best = [10**6] * len(lengths)
    queue = [(0, start)]
    while queue:
        so_far, node = heapq.heappop(queue)
        if so_far < best[node]:
            best[node] = so_far
            for other in np.flatnonzero(lengths[node] < 10**6):
                heapq.heappush(queue, (so_far + int(lengths[node, other]), int(other)))
    return best


@program
def particles(gpu: Gpu) -> None:
    n = 40
    bodies = gpu.random.random((n, 4), dtype=np.float32)
    out = gpu.zeros((n, 3), np.float32)
    gpu.launch("accelerate", 2, 32, gpu.array(bodies), out, n, 0.01, shared=32 * 16)
    wide = bodies.astype(np.float64)
    apart = wide[None, :, :3] - wide[:, None, :3]
    strength = wide[:, 3] * ((apart**2).sum(axis=2) + np.float32(0.01)) ** -1.5
    same(out, (strength[:, :, None] * apart).sum(axis=1), rtol=1e-5, atol=1e-5)

    points = gpu.integers(-50, 50, (n, 2), np.int32).astype(np.float32)
    centres = points[:4].copy()
    labels, sums, counts = gpu.zeros(n, np.uint8), gpu.zeros((4, 2), np.float32), gpu.zeros(4, np.uint32)
    gpu.launch("assign", 2, 32, gpu.array(points), gpu.array(centres), n, 4, labels, sums, counts)
    nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    same(labels, nearest)
    same(counts, np.bincount(nearest, minlength=4))
    same(sums, [points[nearest == label].sum(axis=0) for label in range(4)])

    inside = gpu.zeros(1, np.uint32)
    gpu.launch("circle", 1, 32, 12345, 20, inside)
    state = np.uint64(12345) + np.arange(32, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    count = 0
    for _ in range(20):
        state ^= state >> np.uint64(12)
        state ^= state << np.uint64(25)
        state ^= state >> np.uint64(27)
        random = state * np.uint64(0x2545F4914F6CDD1D)
        x, y = (random >> np.uint64(40)) / 2**24, (random >> np.uint64(8) & np.uint64(0xFFFFFF)) / 2**24
        count += int((x * x + y * y < 1).sum())
    same(inside, [count])


@program
def compression(gpu: Gpu) -> None:
    data = np.repeat(gpu.bits(90, np.uint8) % 3, gpu.integers(1, 6, 90, np.int32))[:230]
    n = len(data)
    values, lengths, count = gpu.zeros(256, np.uint8), gpu.zeros(256, np.uint32), gpu.zeros(1, np.int32)
    gpu.launch("run_lengths", 1, 256, gpu.array(data), n, values, lengths, count)
    runs = [(key, len(list(group))) for key, group in itertools.groupby(data.tolist())]
    same(count, [len(runs)])
    assert list(zip(values.numpy().tolist(), lengths.numpy().tolist(), strict=True))[: len(runs)] == runs

    texts = [
        b"abracadabra abracadabra abracadabra!",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        b"no match at all",
        b"xyxyxyxyxyxyx",
    ]
    packed = [pack(text) for text in texts]
    starts = np.concatenate(([0], np.cumsum([len(p) for p in packed]))).astype(np.int32)
    out = gpu.zeros((len(texts), 40), np.uint8)
    gpu.launch(
        "unpack", len(texts), 32, gpu.array(np.frombuffer(b"".join(packed), np.uint8)), gpu.array(starts), out, 40
    )
    assert [bytes(row).rstrip(b"\0") for row in out.numpy()] == texts

    tree, codes = code_tree({0: 20, 1: 9, 2: 7, 3: 3, 4: 2, 5: 1, 6: 1})
    gpu.symbol("tree").write(np.pad(tree, ((0, 64 - len(tree)), (0, 0))).view(np.uint8).ravel())
    symbols = gpu.integers(0, 6, (32, 9), np.uint8)
    bits, first = "", []
    for row in symbols:
        first.append(len(bits))
        bits += "".join(codes[symbol] for symbol in row.tolist())
    stream = [int(bits[i : i + 32][::-1], 2) for i in range(0, len(bits), 32)]
    out = gpu.zeros((32, 9), np.uint8)
    where = gpu.array(np.array(stream, np.uint32)), gpu.array(np.array(first, np.int32))
    gpu.launch("huffman", 1, 32, *where, out, 9)
    same(out, symbols)


def pack(text: bytes) -> bytes:
    """The tokens of `unpack`, by the longest match anywhere before."""
    out, at = b"", 0
    literals = b""
    while at < len(text):
        matches = [
            (next((n for n in range(len(text) - at) if text[at + n] != text[back + n]), len(text) - at), at - back)
            for back in range(at)
        ]
        length, distance = max(matches, default=(0, 0))
        if length >= 3:
            out += (bytes([len(literals) - 1]) + literals if literals else b"") + bytes(
                [128 + length - 3, distance - 1]
            )
            literals = b""
            at += length
        else:
            literals += text[at : at + 1]
            at += 1
    return out + (bytes([len(literals) - 1]) + literals if literals else b"")


def code_tree(weights: dict[int, int]) -> tuple[np.ndarray, dict[int, str]]:
    """Huffman's tree as rows of two children, the root first, and the code of each symbol."""
    queue = [(weight, symbol, (symbol,)) for symbol, weight in weights.items()]
    heapq.heapify(queue)
    codes = dict.fromkeys(weights, "")
    while len(queue) > 1:
        (w0, _, zeros), (w1, tie, ones) = heapq.heappop(queue), heapq.heappop(queue)
        codes.update({s: "0" + codes[s] for s in zeros} | {s: "1" + codes[s] for s in ones})
        heapq.heappush(queue, (w0 + w1, tie, zeros + ones))
    nodes = sorted({code[:n] for code in codes.values() for n in range(len(code))}, key=len)
    by_code = {code: symbol for symbol, code in codes.items()}
    rows = [[nodes.index(n + b) if n + b in nodes else ~by_code[n + b] for b in "01"] for n in nodes]
    return np.array(rows, np.int16), codes
