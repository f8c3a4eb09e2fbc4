"""Float arithmetic against MPFR (gmpy2), which rounds once in every mode, and against exact integers."""

import gmpy2
import ml_dtypes
import numpy as np
import pytest

from emulator.ptx_types import TYPES
from tests.lane_backend import LaneBackend, value

MODES = {"rn": gmpy2.RoundToNearest, "rz": gmpy2.RoundToZero, "rm": gmpy2.RoundDown, "rp": gmpy2.RoundUp}
CONTEXTS = {  # precision, emin, emax as MPFR counts them
    "f16": (11, -23, 16),
    "bf16": (8, -132, 128),
    "f32": (24, -148, 128),
    "f64": (53, -1073, 1024),
}
NAN = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0xFFF8000000000000}
FIELDS = {"f16": (5, 10), "f32": (8, 23), "f64": (11, 52)}
SETS = 1024


def context(kind: str, rnd: str):
    precision, emin, emax = CONTEXTS[kind]
    return gmpy2.context(
        precision=precision, emin=emin, emax=emax, subnormalize=True, round=MODES[rnd], trap_invalid=False
    )


def operands(kind: str, count: int, seed: int) -> list[np.ndarray]:
    """Random bits, close exponents, and every pair of edge values."""
    exponent_bits, fraction_bits = FIELDS[kind]
    width = 1 + exponent_bits + fraction_bits
    random = np.random.default_rng(seed)
    one, top = 1 << fraction_bits, (1 << exponent_bits) - 1
    bias = top >> 1
    positive = [0, 1, 2, one - 1, one, one + 1, bias * one - 1, bias * one, bias * one + 1, (bias + 1) * one]
    positive += [
        top * one - 1,
        top * one,
        top * one + 1,
        top * one + one // 2,
        (bias + 24) * one,
        (bias // 2) * one + 3,
    ]
    edges = np.array(positive + [bits | 1 << (width - 1) for bits in positive], np.uint64)
    rows = []
    for index in range(count):
        bits = random.integers(0, 1 << width, 2 * SETS, np.uint64, endpoint=False) if width < 64 else None
        if bits is None:
            bits = random.integers(0, 2**64 - 1, 2 * SETS, np.uint64, endpoint=True)
        near = random.integers(bias - 3, bias + 4, SETS).astype(np.uint64) << np.uint64(fraction_bits)
        keep = np.uint64((one - 1) | 1 << (width - 1))
        bits[SETS:] = (bits[SETS:] & keep) | near
        bits[SETS::3] &= ~np.uint64(one // 8 - 1)  # short significands: exact results and ties
        pairs = np.repeat(edges, len(edges)) if index == 0 else np.tile(edges, len(edges))
        if index == 2:
            pairs = random.permutation(pairs)
        rows.append(np.concatenate((bits, pairs)).astype(f"u{width // 8}").view(f"f{width // 8}"))
    rows[-1][: SETS // 4] = -rows[0][: SETS // 4]  # cancellation
    if count == 3:
        with np.errstate(all="ignore"):
            rows[2][SETS : 3 * SETS // 2] = -(rows[0] * rows[1])[SETS : 3 * SETS // 2]
    return rows


def expected_nan(kind: str, operands: list[np.floating]) -> int:
    """Canonical; f64 keeps the first NaN operand, made quiet."""
    inherited = [int(x.view(np.uint64)) | 1 << 51 for x in operands if np.isnan(x)] if kind == "f64" else []
    return (inherited or [NAN[kind]])[0]


def check(kind: str, rnd: str, function, result: np.ndarray, sources: list[np.ndarray]) -> None:
    """Compare bits lane by lane with a gmpy2 function in a context of the type."""
    bits = result.view(f"u{result.itemsize}")
    width = 8 * result.itemsize
    exact = [[gmpy2.mpfr(x, 53) for x in row.tolist()] for row in sources]  # before the context rounds them
    with context(kind, rnd) as current:
        for lane, arguments in enumerate(zip(*exact, strict=True)):
            expected = function(current, *arguments)
            if gmpy2.is_nan(expected):
                assert bits[lane] == expected_nan(kind, [row[lane] for row in sources]), (arguments, result[lane])
                continue
            got = float(result[lane])
            assert got == expected and (bits[lane] >> np.uint64(width - 1) != 0) == expected.is_signed(), (
                rnd,
                [float(x).hex() for x in arguments],
                got.hex(),
                expected,
            )


ARITHMETIC = {
    "fadd": (2, lambda c, a, b: c.add(a, b)),
    "fmul": (2, lambda c, a, b: c.mul(a, b)),
    "fdiv": (2, lambda c, a, b: c.div(a, b)),
    "fma": (3, lambda c, a, b, d: c.fma(a, b, d)),
    "fsqrt": (1, lambda c, a: c.sqrt(a)),
}


@pytest.mark.parametrize("rnd", MODES)
@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("operation", ARITHMETIC)
def test_arithmetic_is_rounded_once(operation, kind, rnd):
    count, function = ARITHMETIC[operation]
    sources = operands(kind, max(count, 2), hash_of(operation, kind, rnd))[:count]
    ops = LaneBackend(len(sources[0]))
    result = getattr(ops, operation)(*(value(ops, kind, row) for row in sources), rnd).data
    check(kind, rnd, function, result, sources)


def hash_of(*words: str) -> int:
    return sum(ord(letter) * 31**place for place, letter in enumerate("".join(words))) % 2**31


def scaled(row: np.ndarray, least: int, greatest: int) -> np.ndarray:
    """The same significands with random exponents in a range."""
    with np.errstate(all="ignore"):
        exponents = np.random.default_rng(len(row)).integers(least, greatest, len(row))
        return np.ldexp(np.frexp(row)[0], exponents).astype(row.dtype)


@pytest.mark.parametrize("rnd", MODES)
@pytest.mark.parametrize("target", CONTEXTS)
@pytest.mark.parametrize("source", FIELDS)
def test_conversion_is_rounded_once(source, target, rnd):
    row = operands(source, 2, hash_of(source, target, rnd))[0]
    if source == "f64":  # most of f64's range is beyond the others: fold half of it in
        row[::2] = scaled(row[::2], -160, 140)
    ops = LaneBackend(len(row))
    result = ops.fconvert(value(ops, source, row), TYPES[target], rnd).data
    if target == "bf16":
        assert np.isnan(row).tolist() == (result == 0x7FFF).tolist()
        result = result.view(ml_dtypes.bfloat16).astype(np.float32)
        finite = ~np.isnan(row)
        check("bf16", rnd, lambda c, a: c.plus(a), result[finite], [row[finite]])
    else:
        finite = ~np.isnan(row)
        check(target, rnd, lambda c, a: c.plus(a), result[finite], [row[finite]])
        nan = result[~finite].view(f"u{result.itemsize}")
        assert (nan == NAN[target]).all()


def test_bf16_widens_exactly():
    bits = np.arange(65536, dtype=np.uint16)
    ops = LaneBackend(65536)
    wide = ops.fconvert(value(ops, "bf16", bits), TYPES["f32"]).data.view(np.uint32)
    nan = (bits & 0x7FFF) > 0x7F80
    assert (wide == np.where(nan, np.uint32(0x7FFFFFFF), bits.astype(np.uint32) << 16)).all()


ROUNDERS = {"rni": round, "rzi": int, "rmi": lambda x: x.__floor__(), "rpi": lambda x: x.__ceil__()}


@pytest.mark.parametrize("mode", ROUNDERS)
@pytest.mark.parametrize("kind", FIELDS)
def test_integral_rounding(kind, mode):
    row = operands(kind, 2, hash_of(kind, mode))[0]
    row[::3] = np.random.default_rng(2).integers(-4000, 4000, len(row[::3])) / 8  # ties
    ops = LaneBackend(len(row))
    result = ops.fround(value(ops, kind, row), mode).data
    for x, y in zip(row, result, strict=True):
        if np.isnan(x):
            assert int(y.view(f"u{y.itemsize}")) == expected_nan(kind, [x])
        elif np.isinf(x):
            assert x == y
        else:
            assert float(y) == ROUNDERS[mode](float(x)) and np.signbit(y) == np.signbit(x)


INTEGERS = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]


@pytest.mark.parametrize("target", INTEGERS)
@pytest.mark.parametrize("source", FIELDS)
def test_float_to_int_saturates(source, target):
    row = operands(source, 2, hash_of(source, target))[0]
    row[::2] = scaled(row[::2], 0, 70)
    ops = LaneBackend(len(row))
    result = ops.float_to_int(value(ops, source, row), TYPES[target]).data
    width, signed = int(target[1:]), target[0] == "s"
    least, greatest = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    for x, y in zip(row.tolist(), result.tolist(), strict=True):
        limited = 0 if x != x else least if x < least else greatest if x > greatest else int(x)
        assert y == limited, (x, y)


@pytest.mark.parametrize("rnd", MODES)
@pytest.mark.parametrize("target", CONTEXTS)
@pytest.mark.parametrize("source", INTEGERS)
def test_int_to_float_is_rounded_once(source, target, rnd):
    width = int(source[1:])
    random = np.random.default_rng(hash_of(source, target, rnd))
    bits = random.integers(0, 2**64 - 1, SETS, np.uint64, endpoint=True) >> random.integers(0, width, SETS, np.uint64)
    edges = [1 << n for n in range(width)] + [(1 << n) - 1 for n in range(width + 1)]
    edges += [(3 << n) + (1 << n // 2) for n in range(width - 2)] + [
        ((1 << width) - 1) ^ (1 << n) for n in range(width)
    ]
    row = np.concatenate((bits & np.uint64((1 << width) - 1), np.array(edges, np.uint64)))
    row = (
        np.resize(row, -(-len(row) // 32) * 32)
        .astype(f"u{width // 8}")
        .view(f"{'i' if source[0] == 's' else 'u'}{width // 8}")
    )
    ops = LaneBackend(len(row))
    result = ops.int_to_float(value(ops, source, row), TYPES[target], rnd).data
    if target == "bf16":
        result = result.view(ml_dtypes.bfloat16).astype(np.float32)
    with context(target, rnd) as current:
        for x, y in zip(row.tolist(), result.tolist(), strict=True):
            assert y == current.plus(gmpy2.mpfr(x, 64)), (x, y)


TRUTH = {"eq": "=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "ne": "<>"}


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("relation", [*TRUTH, *(name + "u" for name in TRUTH), "num", "nan"])
def test_comparison(relation, kind):
    a, b = operands(kind, 2, hash_of(relation, kind))
    b[: SETS // 2] = a[: SETS // 2]
    ops = LaneBackend(len(a))
    result = ops.fcompare(relation, value(ops, kind, a), value(ops, kind, b)).data
    for x, y, got in zip(a.tolist(), b.tolist(), result.tolist(), strict=True):
        if x != x or y != y:
            assert got == (relation.endswith("u") or relation == "nan")
        else:
            sign = "<" if x < y else ">" if x > y else "="
            assert got == (relation == "num" or sign in TRUTH.get(relation.removesuffix("u"), ""))
