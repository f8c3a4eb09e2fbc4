"""9.7.3: f32 and f64 arithmetic in every rounding mode, with .ftz and .sat, against MPFR."""

import numpy as np
import pytest

from emulator.isa.registry import lookup
from tests.float_oracle import MODES, NAN, differences, flushed, operands, rounded, saturated, seed, to_bits, to_float
from tests.lane_backend import run

ARITHMETIC = {
    "add": (2, lambda c, a, b: c.add(a, b)),
    "sub": (2, lambda c, a, b: c.sub(a, b)),
    "mul": (2, lambda c, a, b: c.mul(a, b)),
    "div": (2, lambda c, a, b: c.div(a, b)),
    "fma": (3, lambda c, a, b, d: c.fma(a, b, d)),
    "mad": (3, lambda c, a, b, d: c.fma(a, b, d)),
    "rcp": (1, lambda c, a: c.div(1, a)),
    "sqrt": (1, lambda c, a: c.sqrt(a)),
}
CLAMPING = ("add", "sub", "mul", "fma", "mad")
VARIANTS = [
    (name, kind, rnd, "".join(ending))
    for name in ARITHMETIC
    for kind in ("f32", "f64")
    for rnd in MODES
    for ending in (("", ".ftz", ".sat", ".ftz.sat") if kind == "f32" else ("",))
    if name in CLAMPING or "sat" not in ending
]


@pytest.mark.parametrize(("name", "kind", "rnd", "ending"), VARIANTS)
def test_arithmetic(name, kind, rnd, ending):
    count, function = ARITHMETIC[name]
    opcode = f"{name}.{rnd}{ending}.{kind}"
    sources = operands(kind, max(count, 2), seed(opcode))[:count]
    seen = [flushed(kind, row) for row in sources] if "ftz" in ending else list(sources)
    if name == "sub" and kind == "f64":  # the operand's sign is turned over, of NaN too
        expected = rounded(kind, rnd, lambda c, a, b: c.add(a, b), seen[0], -seen[1])
    else:
        expected = rounded(kind, rnd, function, *seen)
    if ending:
        row = to_float(kind, expected)
        row = flushed(kind, row) if "ftz" in ending else row
        row = saturated(kind, row) if "sat" in ending else row
        expected = to_bits(kind, row)
        expected[np.isnan(row)] = NAN[kind]
    result = to_bits(kind, run(opcode, *((kind, row) for row in sources)))
    assert differences(opcode, result, expected, *sources) == ""


@pytest.mark.parametrize("name", ["add", "sub", "mul"])
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_rounding_is_to_nearest_even_by_default(name, kind):
    sources = [(kind, row) for row in operands(kind, 2, 3)]
    default, explicit = run(f"{name}.{kind}", *sources), run(f"{name}.rn.{kind}", *sources)
    assert (to_bits(kind, default) == to_bits(kind, explicit)).all()


def extreme(x, y, least: bool, propagate: bool, kind: str) -> int:
    """The bits of min or max of two floats (manual, 9.7.3.11)."""
    bits = [int(number.view(f"u{number.itemsize}")) for number in (x, y)]
    nan = [bool(np.isnan(number)) for number in (x, y)]
    if all(nan) or (any(nan) and propagate):
        return bits[1] | 1 << 51 if kind == "f64" else NAN[kind]
    if any(nan):
        return bits[nan.index(False)]
    order = sorted((0, 1), key=lambda place: (float((x, y)[place]), not np.signbit((x, y)[place])))
    return bits[order[0 if least else 1]]


ENDINGS = ["", ".ftz", ".NaN", ".ftz.NaN", ".xorsign.abs", ".NaN.xorsign.abs", ".ftz.NaN.xorsign.abs"]


@pytest.mark.parametrize("name", ["min", "max"])
@pytest.mark.parametrize(("kind", "ending"), [("f64", ""), *(("f32", ending) for ending in ENDINGS)])
def test_min_and_max(name, ending, kind):
    opcode = f"{name}{ending}.{kind}"
    a, b = operands(kind, 2, seed(opcode))
    x, y = (flushed(kind, a), flushed(kind, b)) if "ftz" in ending else (a, b)
    sign = to_bits(kind, x) ^ to_bits(kind, y)
    if "abs" in ending:
        x, y = np.abs(x), np.abs(y)
    expected = [extreme(p, q, name == "min", "NaN" in ending, kind) for p, q in zip(x, y, strict=True)]
    expected = np.array(expected, sign.dtype)
    if "xorsign" in ending:
        number = ~np.isnan(to_float(kind, expected))
        expected[number] |= sign[number] & np.uint32(1 << 31)
    assert differences(opcode, to_bits(kind, run(opcode, (kind, a), (kind, b))), expected, a, b) == ""


REFUSED = """
min.ftz.f64 max.NaN.f64 min.xorsign.f32 max.abs.f32 add.ftz.f64 add.sat.f64 div.f32 fma.f32 add.rni.f32
testp.zero.f32 abs.sat.f32 copysign.ftz.f32 div.sat.rn.f32 add.f32x2
"""


@pytest.mark.parametrize("opcode", REFUSED.split())
def test_what_the_manual_does_not_have_is_refused(opcode):
    assert lookup(opcode) == ()


@pytest.mark.parametrize("kind", ["f32", "f64"])
@pytest.mark.parametrize("property_", ["finite", "infinite", "number", "notanumber", "normal", "subnormal"])
def test_testp(property_, kind):
    (row, _) = operands(kind, 2, seed(property_, kind))
    least = np.finfo(row.dtype).tiny
    with np.errstate(invalid="ignore"):
        subnormal = (row != 0) & (np.abs(row) < least)
    expected = {
        "finite": np.isfinite(row),
        "infinite": np.isinf(row),
        "number": ~np.isnan(row),
        "notanumber": np.isnan(row),
        "normal": np.isfinite(row) & ~subnormal,
        "subnormal": subnormal,
    }[property_]
    assert (run(f"testp.{property_}.{kind}", (kind, row)) == expected).all()


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_copysign_keeps_all_other_bits(kind):
    a, b = operands(kind, 2, 11)
    sign = np.array(1 << 8 * a.itemsize - 1, to_bits(kind, a).dtype)
    expected = (to_bits(kind, a) & sign) | (to_bits(kind, b) & ~sign)
    assert (to_bits(kind, run(f"copysign.{kind}", (kind, a), (kind, b))) == expected).all()


@pytest.mark.parametrize("opcode", ["abs.f32", "abs.ftz.f32", "abs.f64", "neg.f32", "neg.ftz.f32", "neg.f64"])
def test_abs_and_neg(opcode):
    kind = opcode[-3:]
    (row, _) = operands(kind, 2, seed(opcode))
    with np.errstate(invalid="ignore"):
        turned = np.abs(row) if opcode.startswith("abs") else -row
    expected = to_bits(kind, flushed(kind, turned) if "ftz" in opcode else turned).copy()
    nan = np.isnan(row)
    if kind == "f32":
        expected[nan] = NAN["f32"]
    elif opcode == "abs.f64":
        expected[nan] = row.view(np.uint64)[nan]
    else:
        expected[nan] |= np.uint64(1 << 51)
    assert differences(opcode, to_bits(kind, run(opcode, (kind, row))), expected, row) == ""


@pytest.mark.parametrize("mode", ["approx", "approx.ftz", "full", "full.ftz"])
def test_approximate_division_is_within_two_ulp(mode):
    random = np.random.default_rng(5)
    least, greatest = (0x00800000, 0x7E800000) if "approx" in mode else (0x00800000, 0x7F7FFFFF)
    if "ftz" not in mode:
        least = 1
    bits = random.integers(least, greatest, 1 << 15, np.uint32)
    quotient = random.integers(0x01800000, 0x7E000000, 1 << 15, np.uint32).view(np.float32).astype(np.float64)
    b = bits.view(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        a = (quotient * b).astype(np.float32)  # so that quotients are neither huge nor tiny
    a[~np.isfinite(a)] = 1
    with np.errstate(over="ignore"):
        exact = a.astype(np.float64) / b
        rounded_ = exact.astype(np.float32)
    fair = np.isfinite(rounded_) & (np.abs(exact) > 2.0**-125) & (np.abs(a) >= 2.0**-126)
    result = run(f"div.{mode}.f32", ("f32", a), ("f32", b)).astype(np.float64)
    ulp = np.ldexp(1.0, np.frexp(exact)[1] - 24)
    assert fair.sum() > 20000
    assert (np.abs(result - exact)[fair] <= 2 * ulp[fair]).all()


@pytest.mark.parametrize(
    ("opcode", "a", "b", "d"),
    [
        ("div.approx.f32", 0x7F7FFFFF, 0x7E800001, 0x00000000),
        ("div.approx.f32", 0xFF800000, 0x7E800001, 0x7FFFFFFF),
        ("div.full.f32", 0x7F7FFFFF, 0x7F7FFFFF, 0x3F800000),
        ("div.full.f32", 0x3F800000, 0x7F800000, 0x00000000),
        ("div.full.f32", 0x3F800000, 0x7FC00000, 0x7FFFFFFF),
        ("div.full.ftz.f32", 0x00000001, 0x3F800000, 0x00000000),
        ("div.full.ftz.f32", 0x01000000, 0x7F000000, 0x00000000),
        ("div.approx.f32", 0x00000000, 0x00000000, 0x7FFFFFFF),
        ("div.approx.f32", 0x3F800000, 0x80000000, 0xFF800000),
    ],
)
def test_approximate_division_corners(opcode, a, b, d):
    result = run(opcode, ("f32", np.full(32, a, np.uint32)), ("f32", np.full(32, b, np.uint32)))
    assert hex(int(result.view(np.uint32)[0])) == hex(d)


def test_fused_product_is_not_rounded():
    a = np.full(32, 1 + 2.0**-23, np.float32)
    c = np.full(32, -(1 + 2.0**-22), np.float32)
    assert run("fma.rn.f32", ("f32", a), ("f32", a), ("f32", c))[0] == 2.0**-46
    assert run("add.f32", ("f32", run("mul.f32", ("f32", a), ("f32", a))), ("f32", c))[0] == 0
