"""Float arithmetic against MPFR (gmpy2), which rounds once in every mode, and against exact integers."""

import ml_dtypes
import numpy as np
import pytest

from emulator.ptx_types import TYPES
from tests.float_oracle import CONTEXTS, MODES, NAN, SETS, differences, operands, rounded, seed, to_bits, to_float
from tests.lane_backend import LaneBackend, value

ARITHMETIC = {
    "fadd": (2, lambda c, a, b: c.add(a, b)),
    "fmul": (2, lambda c, a, b: c.mul(a, b)),
    "fdiv": (2, lambda c, a, b: c.div(a, b)),
    "fma": (3, lambda c, a, b, d: c.fma(a, b, d)),
    "fsqrt": (1, lambda c, a: c.sqrt(a)),
}


NATIVE = ["f16", "f32", "f64"]  # bf16 is only converted


@pytest.mark.parametrize("rnd", MODES)
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("operation", ARITHMETIC)
def test_arithmetic_is_rounded_once(operation, kind, rnd):
    count, function = ARITHMETIC[operation]
    sources = operands(kind, max(count, 2), seed(operation, kind, rnd))[:count]
    ops = LaneBackend(len(sources[0]))
    result = getattr(ops, operation)(*(value(ops, kind, row) for row in sources), rnd).data
    assert differences(operation, to_bits(kind, result), rounded(kind, rnd, function, *sources), *sources) == ""


def scaled(row: np.ndarray, least: int, greatest: int) -> np.ndarray:
    """The same significands with random exponents in a range."""
    with np.errstate(all="ignore"):
        exponents = np.random.default_rng(len(row)).integers(least, greatest, len(row))
        return np.ldexp(np.frexp(row)[0], exponents).astype(row.dtype)


@pytest.mark.parametrize("rnd", MODES)
@pytest.mark.parametrize("target", CONTEXTS)
@pytest.mark.parametrize("source", NATIVE)
def test_conversion_is_rounded_once(source, target, rnd):
    row = operands(source, 2, seed(source, target, rnd))[0]
    if source == "f64":  # most of f64's range is beyond the others: fold half of it in
        row[::2] = scaled(row[::2], -160, 140)
    ops = LaneBackend(len(row))
    result = ops.fconvert(value(ops, source, row), TYPES[target], rnd).data
    expected = rounded(target, rnd, lambda c, a: c.plus(a), row)
    expected[np.isnan(row)] = NAN[target]
    assert differences("fconvert", result.view(expected.dtype), expected, row) == ""


def test_bf16_widens_exactly():
    bits = np.arange(65536, dtype=np.uint16)
    ops = LaneBackend(65536)
    wide = ops.fconvert(value(ops, "bf16", bits), TYPES["f32"]).data.view(np.uint32)
    nan = (bits & 0x7FFF) > 0x7F80
    assert (wide == np.where(nan, np.uint32(0x7FFFFFFF), bits.astype(np.uint32) << 16)).all()


ROUNDERS = {"rni": round, "rzi": int, "rmi": lambda x: x.__floor__(), "rpi": lambda x: x.__ceil__()}


@pytest.mark.parametrize("mode", ROUNDERS)
@pytest.mark.parametrize("kind", NATIVE)
def test_integral_rounding(kind, mode):
    row = operands(kind, 2, seed(kind, mode))[0]
    row[::3] = np.random.default_rng(2).integers(-4000, 4000, len(row[::3])) / 8  # ties
    ops = LaneBackend(len(row))
    result = ops.fround(value(ops, kind, row), mode).data
    for x, y in zip(row, result, strict=True):
        if np.isnan(x):
            assert y.view(f"u{y.itemsize}") == (x.view(np.uint64) | np.uint64(1 << 51) if kind == "f64" else NAN[kind])
        elif np.isinf(x):
            assert x == y
        else:
            assert float(y) == ROUNDERS[mode](float(x)) and np.signbit(y) == np.signbit(x)


INTEGERS = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]


@pytest.mark.parametrize("target", INTEGERS)
@pytest.mark.parametrize("source", NATIVE)
def test_float_to_int_saturates(source, target):
    row = operands(source, 2, seed(source, target))[0]
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
    random = np.random.default_rng(seed(source, target, rnd))
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
    expected = to_float(target, rounded(target, rnd, lambda c, a: c.plus(a), row))
    assert (result == expected).all()


TRUTH = {"eq": "=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "ne": "<>"}


@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("relation", [*TRUTH, *(name + "u" for name in TRUTH), "num", "nan"])
def test_comparison(relation, kind):
    a, b = operands(kind, 2, seed(relation, kind))
    b[: SETS // 2] = a[: SETS // 2]
    ops = LaneBackend(len(a))
    result = ops.fcompare(relation, value(ops, kind, a), value(ops, kind, b)).data
    for x, y, got in zip(a.tolist(), b.tolist(), result.tolist(), strict=True):
        if x != x or y != y:
            assert got == (relation.endswith("u") or relation == "nan")
        else:
            sign = "<" if x < y else ">" if x > y else "="
            assert got == (relation == "num" or sign in TRUTH.get(relation.removesuffix("u"), ""))
