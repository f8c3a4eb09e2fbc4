"""9.7.9.21 cvt between integers and floats, against Python's integers, MPFR, and ptxas's word on what is legal."""

import ml_dtypes
import numpy as np
import pytest

from emulator.isa.registry import lookup
from tests.float_oracle import (
    MODES,
    NAN,
    SETS,
    canonical,
    differences,
    flushed,
    operands,
    rounded,
    saturated,
    seed,
    to_bits,
    to_float,
)
from tests.lane_backend import run

INTEGERS = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]
FLOATS = ["f16", "bf16", "f32", "f64"]
INTEGRAL = {"rni": round, "rzi": int, "rmi": lambda x: x.__floor__(), "rpi": lambda x: x.__ceil__()}


def limits(kind: str) -> tuple[int, int]:
    width = int(kind[1:])
    return (-(1 << width - 1), (1 << width - 1) - 1) if kind[0] == "s" else (0, (1 << width) - 1)


def wrap(kind: str, number: int) -> int:
    width = int(kind[1:])
    number &= (1 << width) - 1
    return number - (1 << width) if kind[0] == "s" and number >> width - 1 else number


def integers(kind: str, start: int) -> np.ndarray:
    """Numbers of all magnitudes, and all near a power of two."""
    width = int(kind[1:])
    random = np.random.default_rng(start)
    bits = random.integers(0, 2**64 - 1, SETS, np.uint64, endpoint=True) >> random.integers(0, width, SETS, np.uint64)
    near = [(1 << place) + step for place in range(width) for step in (-2, -1, 0, 1, 2, (1 << place) >> 9)]
    near += [(1 << width) - 1 - number for number in near]
    row = np.array([number & (1 << width) - 1 for number in [*bits.tolist(), *near]], f"u{width // 8}")
    return row.view(f"{'i' if kind[0] == 's' else 'u'}{width // 8}")


def source(kind: str, start: int, least: int, greatest: int) -> np.ndarray:
    """Float operands, of which half have exponents in a range."""
    row = operands(kind, 2, start)[0].copy()
    with np.errstate(all="ignore"):
        exponents = np.random.default_rng(start).integers(least, greatest, len(row[::2]))
        row[::2] = np.ldexp(np.frexp(row[::2])[0], exponents).astype(row.dtype)
    return to_float(kind, to_bits(kind, row))


def convert(opcode: str, kind: str, row: np.ndarray) -> np.ndarray:
    """Run a cvt; bf16 operands go in as their bits."""
    return run(opcode, (kind, to_bits(kind, row) if kind in FLOATS else row))


# --- what is legal: all type pairs with all modifiers, as ptxas 13.0 takes them for sm_90a ----------------

TO_INTEGER = "rni rzi rmi rpi"
LEGAL = {  # dtype <- atype: the ways to round ("-": none) and the other modifiers, each alone or combined
    ("f16", "f32"): ("rn rz rm rp", "ftz sat"),
    ("f32", "f64"): ("rn rz rm rp", "ftz sat"),
    ("f16", "f64"): ("rn rz rm rp", "sat"),
    ("bf16", "f32"): ("rn rz rm rp", "ftz"),
    ("bf16", "f64"): ("rn rz rm rp", ""),
    ("bf16", "f16"): ("- rn rz rm rp", ""),
    ("f16", "bf16"): ("- rn rz rm rp", ""),
    ("f64", "bf16"): ("- rn rz rm rp", ""),
    ("f32", "bf16"): ("- rn rz rm rp", "ftz"),
    ("f32", "f16"): ("-", "ftz sat"),
    ("f64", "f32"): ("-", "ftz sat"),
    ("f64", "f16"): ("-", "sat"),
    ("f32", "f32"): ("- " + TO_INTEGER, "ftz sat"),
    ("f16", "f16"): ("- " + TO_INTEGER, "sat"),
    ("f64", "f64"): ("- " + TO_INTEGER, "sat"),
    ("bf16", "bf16"): ("- " + TO_INTEGER, ""),
}
EXTRA = {
    f"cvt.{rnd}.{word}.{kind}.f32" for rnd in ("rn", "rz") for word in ("relu", "satfinite") for kind in ("f16", "bf16")
}
NOT_ALONE = "rn rz rm rp rni rzi rmi rpi rna"


def legal(dtype: str, atype: str) -> tuple[str, str]:
    if (dtype, atype) in LEGAL:
        return LEGAL[dtype, atype]
    if dtype in FLOATS:
        return "rn rz rm rp", {"f32": "ftz sat", "bf16": ""}.get(dtype, "sat")
    if atype in FLOATS:
        return TO_INTEGER, {"f32": "ftz sat", "bf16": ""}.get(atype, "sat")
    (least, greatest), (low, high) = limits(dtype), limits(atype)
    return "-", "" if least <= low and high <= greatest else "sat"


def admitted(opcode: str) -> int:
    return sum(not (variant.entry.check and variant.entry.check(variant)) for variant in lookup(opcode))


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
def test_the_legal_combinations_are_those_of_ptxas(dtype):
    for atype in INTEGERS + FLOATS:
        ways, words = legal(dtype, atype)
        for rnd in ["-", *NOT_ALONE.split()]:
            for ftz in ("", ".ftz"):
                for word in ("", ".sat", ".relu", ".satfinite"):
                    opcode = f"cvt.{rnd}{ftz}{word}.{dtype}.{atype}".replace(".-", "")
                    given = [part for part in (ftz[1:], word[1:]) if part]
                    expected = rnd in ways.split() and all(part in words.split() for part in given)
                    assert admitted(opcode) == (expected or opcode in EXTRA), opcode


@pytest.mark.parametrize(
    "opcode", ["cvt.f32.rn.s32", "cvt.s32.f32.rzi", "cvt.rn.relu.satfinite.f16.f32", "cvt.sat.rn.f16.f32"]
)
def test_modifiers_may_stand_anywhere(opcode):
    assert admitted(opcode) == 1


# --- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("atype", INTEGERS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_to_integer(dtype, atype):
    row = integers(atype, 1)
    assert convert(f"cvt.{dtype}.{atype}", atype, row).tolist() == [wrap(dtype, number) for number in row.tolist()]
    least, greatest = limits(dtype)
    if admitted(opcode := f"cvt.sat.{dtype}.{atype}"):
        limited = [min(max(number, least), greatest) for number in row.tolist()]
        assert convert(opcode, atype, row).tolist() == limited


@pytest.mark.parametrize("atype", FLOATS)
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("rnd", INTEGRAL)
def test_float_to_integer(rnd, dtype, atype):
    (least, greatest), width = limits(dtype), int(dtype[1:])
    nan = wrap(dtype, 1 << width - 1) if atype == "f64" or width == 64 else 0
    row = source(atype, seed(rnd, dtype, atype), -4, 70)
    row[::5] = np.random.default_rng(2).integers(-1000, 1000, len(row[::5])) / 4
    row = to_float(atype, to_bits(atype, row))
    for ending in ["", ".sat", ".ftz", ".ftz.sat"]:
        if admitted(opcode := f"cvt.{rnd}{ending}.{dtype}.{atype}"):
            seen = flushed(atype, row) if "ftz" in ending else row
            expected = [
                nan
                if x != x
                else least
                if x == -np.inf
                else greatest
                if x == np.inf
                else min(max(INTEGRAL[rnd](x), least), greatest)
                for x in seen.tolist()
            ]
            assert convert(opcode, atype, row).tolist() == expected, opcode


@pytest.mark.parametrize("rnd", MODES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("atype", INTEGERS)
def test_integer_to_float(atype, dtype, rnd):
    row = integers(atype, 2)
    expected = rounded(dtype, rnd, lambda c, a: c.plus(a), row)
    opcode = f"cvt.{rnd}.{dtype}.{atype}"
    assert differences(opcode, convert(opcode, atype, row).view(expected.dtype), expected, row) == ""
    if dtype != "bf16":
        opcode, expected = f"cvt.{rnd}.sat.{dtype}.{atype}", to_bits(dtype, saturated(dtype, to_float(dtype, expected)))
        assert differences(opcode, convert(opcode, atype, row).view(expected.dtype), expected, row) == ""


PAIRS = [(d, a) for d in FLOATS for a in FLOATS if d != a and (d, a) not in (("f32", "bf16"), ("f32", "f64"))]


@pytest.mark.parametrize("rnd", ["-", *MODES])
@pytest.mark.parametrize(("dtype", "atype"), PAIRS)
def test_float_to_float(dtype, atype, rnd):
    row = source(atype, seed(dtype, atype, rnd), -160, 140)
    nan = np.isnan(row)
    expected = rounded(dtype, rnd.replace("-", "rn"), lambda c, a: c.plus(a), row)
    expected[nan] = NAN[dtype]
    for ending in ("", ".sat"):
        if admitted(opcode := f"cvt.{rnd}{ending}.{dtype}.{atype}".replace(".-", "")):
            limited = to_bits(dtype, saturated(dtype, to_float(dtype, expected))) if ending else expected
            found = convert(opcode, atype, row).view(expected.dtype)
            assert differences(opcode, found, limited, row) == ""
    if atype == "f32" and admitted(opcode := f"cvt.{rnd}.ftz.{dtype}.{atype}".replace(".-", "")):
        seen = flushed("f32", row)
        expected = rounded(dtype, rnd.replace("-", "rn"), lambda c, a: c.plus(a), seen)
        expected[nan] = NAN[dtype]
        assert differences(opcode, convert(opcode, atype, row).view(expected.dtype), expected, row) == ""


@pytest.mark.parametrize("rnd", MODES)
def test_f64_to_f32_flushes_what_is_tiny_after_rounding(rnd):
    row = source("f64", seed(rnd), -160, 140)
    border = np.float64(2.0**-126).view(np.uint64) - np.random.default_rng(4).integers(0, 1 << 31, SETS, np.uint64)
    row[:SETS] = border.view(np.float64)
    row[:SETS:2] *= -1
    expected = rounded("f32", rnd, lambda c, a: c.plus(a), row)
    expected[np.isnan(row)] = NAN["f32"]
    assert differences(rnd, convert(f"cvt.{rnd}.f32.f64", "f64", row).view(np.uint32), expected, row) == ""
    scaled = rounded("f32", rnd, lambda c, a: c.mul(a, 2**64), row)  # with the exponents of f64, so to say
    tiny = np.abs(to_float("f32", scaled).astype(np.float64)) < 2.0**-62
    expected[tiny] &= np.uint32(1 << 31)
    assert differences(rnd, convert(f"cvt.{rnd}.ftz.f32.f64", "f64", row).view(np.uint32), expected, row) == ""


@pytest.mark.parametrize("rnd", INTEGRAL)
@pytest.mark.parametrize("kind", FLOATS)
def test_rounding_to_an_integral_value(kind, rnd):
    row = source(kind, seed(kind, rnd), -3, 12)
    row[::5] = np.random.default_rng(3).integers(-100, 100, len(row[::5])) / 4
    row = to_float(kind, to_bits(kind, row))
    for ending in ("", ".ftz", ".sat", ".ftz.sat"):
        if admitted(opcode := f"cvt.{rnd}{ending}.{kind}.{kind}"):
            seen = flushed(kind, row) if "ftz" in ending else row
            integral = [x if not np.isfinite(x) else np.copysign(float(INTEGRAL[rnd](x)), x) for x in seen.tolist()]
            result = np.array(integral, row.dtype)
            expected = canonical(kind, result, row)
            if "sat" in ending:
                expected = to_bits(kind, saturated(kind, result))
            assert differences(opcode, convert(opcode, kind, row).view(expected.dtype), expected, row) == ""


@pytest.mark.parametrize("opcode", ["cvt.f32.f32", "cvt.f64.f64", "cvt.f32.bf16", "cvt.rm.f32.bf16"])
def test_copies_keep_nan(opcode):
    atype = opcode.split(".")[-1]
    row = operands(atype, 2, 5)[0]
    found = convert(opcode, atype, row)
    assert (found.view(f"u{found.itemsize}") == row.view(f"u{row.itemsize}")).all()


@pytest.mark.parametrize(
    ("opcode", "kind"), [("cvt.ftz.f32.f32", "f32"), ("cvt.f16.f16", "f16"), ("cvt.bf16.bf16", "bf16")]
)
def test_other_copies_make_nan_canonical(opcode, kind):
    row = operands(kind, 2, 6)[0]
    expected = canonical(kind, flushed(kind, row) if "ftz" in opcode else row)
    assert differences(opcode, convert(opcode, kind, row).view(expected.dtype), expected, row) == ""


@pytest.mark.parametrize("kind", ["f32", "f64", "f16"])
def test_saturating_copies(kind):
    row = operands(kind, 2, 7)[0]
    expected = to_bits(kind, saturated(kind, row))
    assert differences(kind, to_bits(kind, convert(f"cvt.sat.{kind}.{kind}", kind, row)), expected, row) == ""


@pytest.mark.parametrize("ending", ["relu", "satfinite", "relu.satfinite"])
@pytest.mark.parametrize("rnd", ["rn", "rz"])
@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_relu_and_satfinite(kind, rnd, ending):
    row = source("f32", seed(kind, rnd, ending), -30, 129)
    expected = rounded(kind, rnd, lambda c, a: c.plus(a), row)
    if "satfinite" in ending:
        expected[(expected & 0x7FFF) == (0x7C00 if kind == "f16" else 0x7F80)] -= 1
    if "relu" in ending:
        expected[(expected >> 15 != 0) & ~np.isnan(row)] = 0
    found = convert(f"cvt.{rnd}.{ending}.{kind}.f32", "f32", row).view(np.uint16)
    assert differences(ending, found, expected, row) == ""


def test_every_f16_and_bf16_as_ml_dtypes_has_it():
    bits = np.arange(65536, dtype=np.uint16)
    half, brain = bits.view(np.float16), bits.view(ml_dtypes.bfloat16)
    with np.errstate(all="ignore"):
        expected = {
            "f16": half.astype(ml_dtypes.bfloat16).view(np.uint16),
            "bf16": brain.astype(np.float16).view(np.uint16),
        }
    for atype, number in (("f16", ~np.isnan(half)), ("bf16", ~np.isnan(brain.astype(np.float32)))):
        dtype = "bf16" if atype == "f16" else "f16"
        found = run(f"cvt.rn.{dtype}.{atype}", (atype, bits)).view(np.uint16)
        assert (found[number] == expected[atype][number]).all()
        assert (found[~number] == 0x7FFF).all()
