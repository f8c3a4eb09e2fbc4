"""Integer, bit and warp operations against Python's integers."""

import numpy as np
import pytest

from emulator.engines.reference.lane_ops import LaneOps, dtype_of
from emulator.isa.ops import F32, PRED, U32
from emulator.ptx_types import TYPES
from tests.lane_backend import LaneBackend, value

INTEGERS = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
SETS = 1024


def wrap(kind: str, number: int) -> int:
    width = int(kind[1:])
    number &= (1 << width) - 1
    return number - (1 << width) if kind[0] == "s" and number >> width - 1 else number


def operands(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random numbers of all magnitudes beside every pair of edge values."""
    width = int(kind[1:])
    random = np.random.default_rng(seed)
    edges = [0, 1, 2, 3, (1 << width) - 1, (1 << width) - 2, 1 << width - 1, (1 << width - 1) - 1, (1 << width - 1) + 1]
    edges += [1 << width // 2, (1 << width // 2) - 1]
    rows = []
    table = np.array(edges, np.uint64)
    for pairs in (np.repeat(table, len(table)), np.tile(table, len(table))):
        bits = random.integers(0, 2**64 - 1, SETS, np.uint64, endpoint=True) >> random.integers(0, 64, SETS, np.uint64)
        bits = np.concatenate((bits, pairs))
        rows.append(np.resize(bits, 1152).astype(f"u{width // 8}").view(dtype_of(TYPES[kind])))
    return rows[0], rows[1]


def quotient(kind: str, a: int, b: int) -> int:
    magnitude = abs(a) // abs(b) if b else 1
    return -magnitude if b == 0 or (a < 0) != (b < 0) else magnitude


def remainder(kind: str, a: int, b: int) -> int:
    return -1 if b == 0 else a - b * quotient(kind, a, b)


BINARY = {
    "add": lambda kind, a, b: a + b,
    "sub": lambda kind, a, b: a - b,
    "mul": lambda kind, a, b: a * b,
    "mul_high": lambda kind, a, b: a * b >> int(kind[1:]),
    "divide": quotient,
    "remainder": remainder,
    "and_": lambda kind, a, b: a & b,
    "or_": lambda kind, a, b: a | b,
    "xor": lambda kind, a, b: a ^ b,
    "minimum": lambda kind, a, b: min(a, b),
    "maximum": lambda kind, a, b: max(a, b),
}


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("operation", BINARY)
def test_integer_arithmetic(operation, kind):
    a, b = operands(kind, len(operation))
    ops = LaneBackend(len(a))
    result = getattr(ops, operation)(value(ops, kind, a), value(ops, kind, b))
    assert result.data.dtype == a.dtype
    assert result.data.tolist() == [
        wrap(kind, BINARY[operation](kind, x, y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]


@pytest.mark.parametrize("kind", INTEGERS)
def test_shifts_clamp(kind):
    width = int(kind[1:])
    a, _ = operands(kind, 5)
    amounts = np.resize(np.array([*range(width + 3), 255, 2**31, 2**32 - 1, 2**32 - width], np.uint32), len(a))
    ops = LaneBackend(len(a))
    left = ops.shl(value(ops, kind, a), value(ops, "u32", amounts)).data.tolist()
    right = ops.shr(value(ops, kind, a), value(ops, "u32", amounts)).data.tolist()
    for x, n, shifted_left, shifted_right in zip(a.tolist(), amounts.tolist(), left, right, strict=True):
        assert shifted_left == (wrap(kind, x << n) if n < width else 0)
        assert shifted_right == x >> min(n, width)


@pytest.mark.parametrize("kind", INTEGERS)
def test_bit_counts_and_reversal(kind):
    width = int(kind[1:])
    a, _ = operands(kind, 7)
    ops = LaneBackend(len(a))
    x = value(ops, kind, a)
    texts = [f"{number & (1 << width) - 1:0{width}b}" for number in a.tolist()]
    assert ops.popcount(x).data.tolist() == [text.count("1") for text in texts]
    assert ops.leading_zeros(x).data.tolist() == [width - len(text.lstrip("0")) for text in texts]
    assert ops.reverse_bits(x).data.tolist() == [wrap(kind, int(text[::-1], 2)) for text in texts]
    assert ops.not_(x).data.tolist() == [~number if kind[0] == "s" else wrap(kind, ~number) for number in a.tolist()]


@pytest.mark.parametrize("target", INTEGERS)
@pytest.mark.parametrize("source", INTEGERS)
def test_cast(source, target):
    a, _ = operands(source, 9)
    ops = LaneBackend(len(a))
    result = ops.cast(value(ops, source, a), TYPES[target])
    assert result.type.name == target
    assert result.data.tolist() == [wrap(target, number) for number in a.tolist()]


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("relation", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparison(relation, kind):
    a, b = operands(kind, 11)
    ops = LaneBackend(len(a))
    result = ops.compare(relation, value(ops, kind, a), value(ops, kind, b))
    assert result.type == PRED
    expected = [getattr(x, f"__{relation}__")(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert result.data.tolist() == expected


def test_constants_wrap_and_round():
    ops = LaneBackend()
    assert ops.const(TYPES["u8"], -1).data.tolist() == [255] * 32
    assert ops.const(TYPES["s16"], 0x8000).data.tolist() == [-32768] * 32
    assert ops.const(F32, 0.1).data[0] == np.float32(0.1)
    assert np.signbit(ops.const(F32, -0.0).data[0]) and not np.signbit(ops.const(F32, 0.0).data[0])
    assert ops.const(TYPES["b128"], (5 << 64) | 7).data.tolist() == [[7, 5]] * 32
    assert ops.const(TYPES["bf16"], 0x3F80).data.dtype == np.uint16
    assert not ops.const(U32, 1).data.flags.writeable


def test_128_bit_values():
    ops = LaneBackend()
    wide = ops.const(TYPES["b128"], (5 << 64) | 7)
    narrow = ops.cast(wide, TYPES["u64"])
    assert narrow.data.tolist() == [7] * 32
    assert ops.cast(narrow, TYPES["b128"]).data.tolist() == [[7, 0]] * 32
    even = ops.compare("eq", ops.lane() & 1, ops.const(U32, 0))
    assert ops.select(even, wide, ops.const(TYPES["b128"], 1)).data[:2].tolist() == [[7, 5], [1, 0]]


def test_views_keep_bits():
    ops = LaneBackend()
    one = ops.const(F32, 1.0)
    assert ops.view(one, U32).data.tolist() == [0x3F800000] * 32
    assert ops.view(ops.const(TYPES["f16x2"], 0x3C003C00), TYPES["s32"]).data[0] == 0x3C003C00
    with pytest.raises(TypeError, match="widths"):
        ops.view(one, TYPES["u64"])


def test_mixed_types_are_refused():
    ops = LaneBackend()
    with pytest.raises(TypeError, match="s32"):
        ops.add(ops.const(TYPES["s32"], 1), ops.const(U32, 1))
    with pytest.raises(TypeError, match="f32"):
        ops.add(ops.const(F32, 1), ops.const(F32, 1))
    with pytest.raises(TypeError, match="pred"):
        ops.cast(ops.const(U32, 2), PRED)


def test_warp_operations_stay_in_their_warp():
    ops = LaneBackend(64)
    lane = ops.lane()
    assert lane.data.tolist() == list(range(32)) * 2
    numbers = value(ops, "u64", np.arange(64, dtype=np.uint64))
    neighbour = ops.permute(numbers, lane ^ 1)
    assert neighbour.data.tolist() == [number ^ 1 for number in range(64)]
    votes = ops.ballot(value(ops, "pred", np.arange(64) >= 33))
    assert votes.data.tolist() == [0] * 32 + [0xFFFFFFFE] * 32


def test_carry_is_written_by_executing_lanes_only():
    ops = LaneBackend()
    ops.lanes = value(ops, "pred", np.arange(32) < 4)
    ops.set_carry(ops.const(PRED, 1))
    assert ops.carry().data.tolist() == [True] * 4 + [False] * 28
    before = ops.carry()
    ops.set_carry(ops.const(PRED, 0))
    assert before.data.tolist() == [True] * 4 + [False] * 28
    assert not ops.carry_row.any()


def test_lane_operations_need_a_machine_to_be_complete():
    with pytest.raises(TypeError, match="abstract"):
        LaneOps()
