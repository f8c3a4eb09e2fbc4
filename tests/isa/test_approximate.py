"""The multi-function unit against MPFR: the manual's error bounds (9.7.3.13-22) and special values."""

import math

import gmpy2
import numpy as np
import pytest

from emulator.isa import approximate
from emulator.isa.tables import table
from tests.lane_backend import LaneBackend, value

COUNT = 1 << 17
NAN = 0x7FFFFFFF
MFU = {  # function -> the exact one; sin and cos take turns
    "rcp": lambda x: 1 / x,
    "rsqrt": gmpy2.rec_sqrt,
    "sqrt": gmpy2.sqrt,
    "ex2": gmpy2.exp2,
    "lg2": gmpy2.log2,
    "sin": lambda x: gmpy2.sin(2 * gmpy2.const_pi() * x),
    "cos": lambda x: gmpy2.cos(2 * gmpy2.const_pi() * x),
    "tanh": gmpy2.tanh,
}


def unit(name: str, x: np.ndarray) -> np.ndarray:
    """The unit's results, as f64."""
    ops = LaneBackend(len(x))
    return getattr(approximate, name)(ops, value(ops, "f32", x)).data.astype(np.float64)


def exact(name: str, x: np.ndarray) -> np.ndarray:
    """The function in 80 bits, as f64."""
    with gmpy2.context(precision=80):
        return np.array([float(MFU[name](gmpy2.mpfr(number))) for number in x.tolist()])


def positive(least: float, greatest: float, count: int = COUNT) -> np.ndarray:
    """Floats with uniformly distributed bits, so with all exponents alike."""
    low, high = (int(np.float32(x).view(np.uint32)) for x in (least, greatest))
    return np.random.default_rng(1).integers(low, high, count, np.uint32, endpoint=True).view(np.float32)


def uniform(least: float, greatest: float, count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(2).uniform(least, greatest, count).astype(np.float32)


def ulp(x: np.ndarray) -> np.ndarray:
    return np.ldexp(1.0, np.frexp(np.abs(x))[1] - 24)


def test_the_squarer_leaves_out_the_products_of_low_bits():
    """Bit i times bit j of x counts only from i + j = 18 on, and then twice where i and j differ."""
    x = np.arange(1 << 17, dtype=np.uint64)
    bits = [x >> np.uint64(i) & np.uint64(1) for i in range(17)]
    total = np.zeros_like(x)
    for i in range(17):
        for j in range(max(i, 18 - i), 17):
            total += bits[i] * bits[j] << np.uint64(i + j + (i != j))
    found = approximate._square(LaneBackend(len(x)), value(LaneBackend(len(x)), "u32", x.astype(np.uint32)))
    assert (found.data == total >> np.uint64(19)).all()


NORMAL = (2.0**-126, float(np.finfo(np.float32).max))


def test_rcp_is_within_one_ulp():
    x = positive(2.0**-126, 2.0**126)
    result, reference = unit("rcp", x), exact("rcp", x)
    assert (np.abs(result - reference) <= ulp(reference)).all()
    assert (unit("rcp", -x) == -result).all()


@pytest.mark.parametrize(("name", "bound"), [("rsqrt", 2**-22.9), ("sqrt", 2.0**-23)])
def test_roots_are_within_the_relative_error(name, bound):
    x = positive(*NORMAL)
    reference = exact(name, x)
    assert (np.abs(unit(name, x) - reference) <= bound * reference).all()


def test_ex2_is_within_two_ulp():
    small = positive(2.0**-40, 126, COUNT // 4)
    x = np.concatenate((uniform(-126, 127.99, COUNT // 2), uniform(-2, 2, COUNT // 4), small, -small))
    reference = exact("ex2", x)
    rounded = reference.astype(np.float32).astype(np.float64)
    assert (np.abs(unit("ex2", x) - rounded) <= 2 * ulp(rounded)).all()


def test_lg2_is_within_the_absolute_error_near_one_and_the_relative_error_elsewhere():
    near, far = uniform(0.5, 2), positive(*NORMAL)
    near, far = near[(near > 0.5) & (near < 2)], far[(far <= 0.5) | (far >= 2)]
    assert (np.abs(unit("lg2", near) - exact("lg2", near)) <= 2.0**-22).all()
    reference = exact("lg2", far)
    assert (np.abs(unit("lg2", far) - reference) <= 2.0**-22 * np.abs(reference)).all()


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine_are_within_the_absolute_error(name):
    turns = np.concatenate((uniform(-1, 1, COUNT // 2), positive(2.0**-60, 1, COUNT // 2)))
    assert (np.abs(unit(name, turns) - exact(name, turns)) <= 2**-20.6).all()  # 2^-20.5 after the multiplication


def test_tanh_is_within_the_relative_error():
    dense = [uniform(least, greatest, COUNT // 4) for least, greatest in ((0.03, 0.04), (7.9, 8.1), (0.5, 3))]
    x = np.concatenate((positive(2.0**-126, 20, COUNT // 4), *dense))
    result, reference = unit("tanh", x), exact("tanh", x)
    assert (np.abs(result - reference) <= 2.0**-11 * reference).all()
    assert (unit("tanh", -x) == -result).all()


@pytest.mark.parametrize(
    ("name", "results"),
    {  # of 0, -0, inf, -inf, the least and greatest subnormal and their negatives, -1, and four NaNs
        "rcp": "inf -inf 0 -0 inf inf -inf -inf -1",
        "rsqrt": "inf -inf 0 nan inf inf -inf -inf nan",
        "sqrt": "0 -0 inf nan 0 0 -0 -0 nan",
        "ex2": "1 1 inf 0 1 1 1 1 0.5",
        "lg2": "-inf -inf inf nan -inf -inf -inf -inf nan",
        "sin": "0 -0 nan nan 0 0 -0 -0 -0",
        "cos": "1 1 nan nan 1 1 1 1 1",
        "tanh": "0 -0 1 -1 s s s s t",
    }.items(),
)
def test_special_values(name, results):
    inputs = [0, 1 << 31, 0x7F800000, 0xFF800000, 1, 0x7FFFFF, 0x80000001, 0x807FFFFF, 0xBF800000]
    nans = [0x7F800001, 0xFFFFFFFF, 0x7FC00000, 0xFF800001]
    bits = np.resize(np.array(inputs + nans, np.uint32), 32)
    got = unit(name, bits.view(np.float32)).astype(np.float32).view(np.uint32).tolist()
    for given, expected, result in zip(inputs, results.split(), got, strict=False):
        if expected == "s":
            assert result == given
        elif expected == "t":
            assert abs(np.uint32(result).view(np.float32) - math.tanh(-1)) < 2.0**-11
        else:
            assert result == (NAN if expected == "nan" else np.float32(expected).view(np.uint32)), hex(given)
    assert got[len(inputs) : len(inputs) + len(nans)] == [NAN] * len(nans)


@pytest.mark.parametrize(
    ("name", "given", "result"),
    [
        ("rcp", 0x7E800000, 0x00800000),  # 2^126: the least normal number
        ("rcp", 0x7E800001, 0),  # below it: flushed
        ("rsqrt", 0x40800000, 0x3F000000),
        ("ex2", 0xC2FC0000, 0x00800000),  # -126
        ("ex2", 0xC2FC0001, 0),
        ("ex2", 0x42FFFFFF, 0x7F7FFFA8),  # the greatest input with a finite result, 1 ulp off
        ("ex2", 0x43000000, 0x7F800000),
        ("ex2", 0xC3000000, 0),
        ("ex2", 0xFF7FFFFF, 0),
        ("lg2", 0x3F800000, 0),
        ("lg2", 0x3F800001, 0x3495F600),  # 2.8e-7 where 1.7e-7 is exact
        ("lg2", 0x45000000, 0x41300000),  # 2^11
        ("sin", 0x3E800000, 0x3F800000),  # a quarter turn
        ("cos", 0x3F000000, 0xBF800000),
        ("tanh", 0x41000000, 0x3F800000),
    ],
)
def test_borders(name, given, result):
    ops = LaneBackend()
    bits = getattr(approximate, name)(ops, value(ops, "f32", np.full(32, given, np.uint32))).data.view(np.uint32)
    assert hex(bits[0]) == hex(result)


@pytest.mark.parametrize(("name", "function"), [("rcp64h", lambda x: 1 / x), ("rsqrt64h", gmpy2.rec_sqrt)])
def test_high_word_approximations(name, function):
    low, high = (int(np.float64(x).view(np.uint64)) for x in (2.0**-1021, 2.0**1021))
    x = np.random.default_rng(5).integers(low, high, 1 << 15, np.uint64).view(np.float64)
    ops = LaneBackend(len(x))
    result = getattr(approximate, name)(ops, value(ops, "f64", x)).data
    assert (result.view(np.uint64) & np.uint64(0xFFFFFFFF) == 0).all()
    truncated = (x.view(np.uint64) >> np.uint64(32) << np.uint64(32)).view(np.float64)
    reference = np.array([float(function(gmpy2.mpfr(number))) for number in truncated.tolist()])
    assert (np.abs(result - reference) <= 2.0**-20.7 * reference).all()


@pytest.mark.parametrize(
    ("given", "reciprocal", "root"),
    [
        (0x7FF00000, 0x00000000, 0x00000000),
        (0xFFF00000, 0x80000000, 0x7FFFFFFF),
        (0x00000000, 0x7FF00000, 0x7FF00000),
        (0x80000000, 0xFFF00000, 0xFFF00000),
        (0x000FFFFF, 0x7FF00000, 0x7FF00000),
        (0x80000001, 0xFFF00000, 0xFFF00000),
        (0xFFF80000, 0x7FFFFFFF, 0x7FFFFFFF),
        (0x40100000, 0x3FD00000, 0x3FE00000),
        (0xBFF00000, 0xBFF00000, 0x7FFFFFFF),
        (0x7FE00000, 0x00000000, 0x1FF6A09E),  # 2^1023: the reciprocal is subnormal
        (0x7FD00000, 0x00100000, 0x20000000),
    ],
)
def test_high_word_special_values(given, reciprocal, root):
    ops = LaneBackend()
    x = value(ops, "f64", np.full(32, given << 32, np.uint64))
    for function, expected in ((approximate.rcp64h, reciprocal), (approximate.rsqrt64h, root)):
        assert hex(function(ops, x).data.view(np.uint64)[0]) == hex(expected << 32)


def test_tables_have_a_segment_for_every_index():
    assert {name: len(table(name).values) for name in ("rcp", "rsqrt", "ex2", "lg2", "sin", "tanh")} == {
        "rcp": 128,
        "rsqrt": 128,
        "ex2": 64,
        "lg2": 64,
        "sin": 64,
        "tanh": 256,
    }
    with pytest.raises(KeyError):
        table("cosh")
