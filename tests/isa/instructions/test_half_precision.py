"""9.7.4: f16 and bf16 arithmetic with .ftz, .sat and .relu against MPFR; functions over all their inputs."""

import gmpy2
import numpy as np
import pytest

from emulator.isa.registry import lookup
from tests.float_oracle import NAN, SETS, differences, flushed, operands, rounded, saturated, seed, to_bits, to_float
from tests.lane_backend import run

ARITHMETIC = {
    "add": (2, lambda c, a, b: c.add(a, b)),
    "sub": (2, lambda c, a, b: c.sub(a, b)),
    "mul": (2, lambda c, a, b: c.mul(a, b)),
    "fma.rn": (3, lambda c, a, b, d: c.fma(a, b, d)),
}
ENDINGS = {"f16": ["", ".ftz", ".sat", ".ftz.sat"], "bf16": [""]}
VARIANTS = [(name, kind, ending) for name in ARITHMETIC for kind in ENDINGS for ending in ENDINGS[kind]]
VARIANTS += [("fma.rn", "f16", ".relu"), ("fma.rn", "f16", ".ftz.relu"), ("fma.rn", "bf16", ".relu")]


def expected_bits(kind: str, ending: str, function, sources: list[np.ndarray]) -> np.ndarray:
    seen = [flushed(kind, row) for row in sources] if "ftz" in ending else sources
    row = to_float(kind, rounded(kind, "rn", function, *seen))
    nan = np.isnan(row)
    if "ftz" in ending:
        row = flushed(kind, row)
    if "sat" in ending:
        row, nan = saturated(kind, row), np.zeros_like(nan)
    if "relu" in ending:
        row = np.where(np.signbit(row), row.dtype.type(0), row)
    bits = to_bits(kind, row).copy()
    bits[nan] = NAN[kind]
    return bits


def near_ties(kind: str, start: int) -> list[np.ndarray]:
    """Products of short significands that fall between two numbers, and tiny addends that decide."""
    random = np.random.default_rng(start)
    fraction = 7 if kind == "bf16" else 10
    bias = (127 if kind == "bf16" else 15) << fraction
    short = random.integers(0, 1 << (fraction + 1) // 2 + 1, (2, SETS)) << (fraction // 2)
    a, b = to_float(kind, ((short & (1 << fraction) - 1) + bias).astype(np.uint16))
    tiny = random.integers(0, 40, SETS) | random.integers(0, 2, SETS) << 15
    return [a, b, to_float(kind, tiny.astype(np.uint16))]


@pytest.mark.parametrize(("name", "kind", "ending"), VARIANTS)
def test_arithmetic(name, kind, ending):
    count, function = ARITHMETIC[name]
    start = seed(name, kind, ending)
    sources = operands(kind, max(count, 2), start)[:count]
    sources = [np.concatenate(rows) for rows in zip(sources, near_ties(kind, start)[-count:], strict=True)]
    expected = expected_bits(kind, ending, function, sources)
    bits = [to_bits(kind, row) for row in sources]
    opcode = f"{name}{ending}.{kind}"
    found = run(opcode, *((kind, row) for row in bits)).view(np.uint16)
    assert differences(opcode, found, expected, *sources) == ""
    packed = [row.astype(np.uint32) << np.uint32(16) | np.roll(row, 1) for row in bits]
    found = run(f"{opcode}x2", *((f"{kind}x2", row) for row in packed))
    assert differences(opcode, (found >> np.uint32(16)).astype(np.uint16), expected, *sources) == ""
    assert (found.astype(np.uint16) == np.roll(expected, 1)).all()


def extreme(kind: str, x: int, y: int, least: bool, propagate: bool, xorsign: bool) -> int:
    """The bits of min or max (manual, 9.7.4.7), from the order of sign and magnitude."""
    sign = (x ^ y) & 0x8000
    if xorsign:
        x, y = x & 0x7FFF, y & 0x7FFF
    infinity = 0x7C00 if kind == "f16" else 0x7F80
    nan = [(bits & 0x7FFF) > infinity for bits in (x, y)]
    if all(nan) or (any(nan) and propagate):
        return 0x7FFF
    if any(nan):
        found = (y, x)[nan.index(False) == 0]
    else:
        order = sorted((x, y), key=lambda bits: -(bits & 0x7FFF) - 1 if bits & 0x8000 else bits)
        found = order[0 if least else 1]
    return found | sign if xorsign else found


@pytest.mark.parametrize("name", ["min", "max"])
@pytest.mark.parametrize("ending", ["", ".NaN", ".xorsign.abs", ".NaN.xorsign.abs", ".ftz", ".ftz.NaN.xorsign.abs"])
@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_min_and_max(name, ending, kind):
    opcode = f"{name}{ending}.{kind}"
    if kind == "bf16" and "ftz" in ending:
        assert lookup(opcode) == ()
        return
    rows = operands(kind, 2, seed(opcode))
    a, b = (to_bits(kind, row) for row in rows)
    x, y = (to_bits(kind, flushed(kind, row)) for row in rows) if "ftz" in ending else (a, b)
    choices = name == "min", "NaN" in ending, "xorsign" in ending
    expected = np.array([extreme(kind, p, q, *choices) for p, q in zip(x.tolist(), y.tolist(), strict=True)], np.uint16)
    assert differences(opcode, run(opcode, (kind, a), (kind, b)).view(np.uint16), expected, a, b) == ""
    packed = [row.astype(np.uint32) << np.uint32(16) for row in (a, b)]
    found = run(f"{opcode}x2", *((f"{kind}x2", row) for row in packed))
    assert (found >> np.uint32(16) == expected).all()
    assert (found & np.uint32(0xFFFF) == 0).all()


ALL = np.arange(65536, dtype=np.uint16)


@pytest.mark.parametrize("opcode", ["neg.f16", "neg.ftz.f16", "neg.bf16", "abs.f16", "abs.ftz.f16", "abs.bf16"])
def test_neg_and_abs_of_every_number(opcode):
    kind = opcode.split(".")[-1]
    row = to_float(kind, ALL)
    expected = ALL ^ np.uint16(0x8000) if opcode.startswith("neg") else ALL & np.uint16(0x7FFF)
    if "ftz" in opcode:
        expected = np.where((expected & 0x7C00) == 0, expected & np.uint16(0x8000), expected)
    expected = np.where(np.isnan(row), np.uint16(0x7FFF), expected)
    assert (run(opcode, (kind, ALL)).view(np.uint16) == expected).all()
    packed = ALL.astype(np.uint32) << np.uint32(16) | ALL
    assert (run(f"{opcode}x2", (f"{kind}x2", packed)) == expected * np.uint32(0x10001)).all()


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_fma_oob_gives_zero_beside_nan(kind):
    a, b, c = (to_bits(kind, row) for row in operands(kind, 3, 17))
    nan = np.isnan(to_float(kind, a)) | np.isnan(to_float(kind, b))
    for ending in ("", ".relu"):
        plain = run(f"fma.rn{ending}.{kind}", (kind, a), (kind, b), (kind, c)).view(np.uint16)
        found = run(f"fma.rn.oob{ending}.{kind}", (kind, a), (kind, b), (kind, c)).view(np.uint16)
        assert (found == np.where(nan, np.uint16(0), plain)).all()
    assert nan.any() and not nan.all()


def exact(function, row: np.ndarray) -> np.ndarray:
    with gmpy2.context(precision=60):
        return np.array([float(function(gmpy2.mpfr(x))) for x in row.tolist()])


def errors(result: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|result - reference|; 0 for equal infinities."""
    with np.errstate(invalid="ignore"):
        return np.where(result == reference, 0, np.abs(np.array(result.tolist()) - reference))


@pytest.mark.parametrize(("kind", "bound"), [("f16", 2**-10.987), ("bf16", 2.0**-8)])
def test_tanh_of_every_number(kind, bound):
    row = to_float(kind, ALL)
    number = ~np.isnan(row)
    found = run(f"tanh.approx.{kind}", (kind, ALL)).view(np.uint16)
    assert (errors(to_float(kind, found), exact(gmpy2.tanh, row))[number] <= bound).all()
    assert (found[~number] == 0x7FFF).all()
    least = 0x400 if kind == "f16" else 0x80
    subnormal = least > (ALL & 0x7FFF)
    assert (found[subnormal] == ALL[subnormal]).all()
    assert (run(f"tanh.approx.{kind}x2", (f"{kind}x2", ALL.astype(np.uint32) << np.uint32(16))) >> 16 == found).all()


@pytest.mark.parametrize(("opcode", "bound"), [("ex2.approx.f16", 2**-9.9), ("ex2.approx.ftz.bf16", 2.0**-7)])
def test_ex2_of_every_number(opcode, bound):
    kind = opcode.split(".")[-1]
    least, most = (2.0**-14, 65504.0) if kind == "f16" else (2.0**-126, float(np.float32(2.0**128 * (1 - 2.0**-8))))
    row = to_float(kind, ALL)
    found = run(opcode, (kind, ALL)).view(np.uint16)
    reference = exact(gmpy2.exp2, row)
    wrong = errors(to_float(kind, found), reference)
    normal = (reference >= least) & (reference <= most)
    assert (wrong[normal] <= bound * reference[normal]).all()
    below = reference < least
    if kind == "f16":
        assert (wrong[below] <= 2.0**-25 * (1 + 2.0**-9)).all()
    else:
        assert (found[below] == 0).all()
    assert (found[np.isnan(row)] == 0x7FFF).all()
    assert (found[reference > most * (1 + 2.0**-8)] == (0x7C00 if kind == "f16" else 0x7F80)).all()


REFUSED = """
fma.rn.oob.ftz.f16 fma.rn.relu.sat.f16 fma.rn.sat.bf16 fma.rz.f16 fma.f16 mad.rn.f16 add.rz.f16 add.ftz.bf16
add.sat.bf16
abs.ftz.bf16 min.xorsign.f16 ex2.approx.ftz.f16 ex2.approx.bf16 tanh.approx.ftz.f16 tanh.f16
"""


@pytest.mark.parametrize("opcode", REFUSED.split())
def test_what_ptxas_refuses_is_refused(opcode):
    assert lookup(opcode) == ()
