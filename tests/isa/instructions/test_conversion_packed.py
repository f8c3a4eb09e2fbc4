"""9.7.9.21 and 22: packed f16, bf16 and fp8, tf32, cvt.pack, against CUDA's host tables, ml_dtypes and MPFR."""

import lzma
import math
from fractions import Fraction
from pathlib import Path

import gmpy2
import ml_dtypes
import numpy as np
import pytest

from emulator.isa.registry import lookup
from tests.float_oracle import MODES, differences, operands, seed
from tests.lane_backend import run

RECORDED = Path(__file__).parents[2] / "data" / "conversion" / "cvt_f16_to_fp8_host.bin.xz"
FP8 = {"e4m3": (ml_dtypes.float8_e4m3fn, 448.0, 0x7E), "e5m2": (ml_dtypes.float8_e5m2, 57344.0, 0x7B)}


def pairs(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The upper and lower half of packed values."""
    half = bits.itemsize * 4
    return bits >> bits.dtype.type(half), bits & bits.dtype.type((1 << half) - 1)


def f32_rows(start: int) -> tuple[np.ndarray, np.ndarray]:
    """Operands around the range of fp8, and all edge cases."""
    a, b = operands("f32", 2, start)
    random = np.random.default_rng(start)
    near = random.integers(127 - 20, 127 + 20, len(a), np.uint32) << np.uint32(23)
    a = np.concatenate((a, ((a.view(np.uint32) & np.uint32(0x807FFFFF)) | near).view(np.float32)))
    ties = (a.view(np.uint32) & np.uint32(0xFFFC0000)).view(np.float32)
    return np.concatenate((a, ties)), np.concatenate((ties, np.resize(b, len(a))))


def fp8_bits(name: str, row: np.ndarray) -> np.ndarray:
    """f32 as fp8 bits by ml_dtypes, with overflow and infinity at the greatest number and NaN positive."""
    kind, greatest, _ = FP8[name]
    with np.errstate(all="ignore"):
        bits = np.clip(row, -greatest, greatest).astype(kind).view(np.uint8)
    return np.where(np.isnan(row), np.uint8(0x7F), bits)


@pytest.mark.parametrize("ending", ["", ".relu"])
@pytest.mark.parametrize("name", FP8)
def test_f32_to_fp8(name, ending):
    a, b = f32_rows(seed(name, ending))
    found = run(f"cvt.rn.satfinite{ending}.{name}x2.f32", ("f32", a), ("f32", b))
    for row, got in zip((a, b), pairs(found), strict=True):
        expected = fp8_bits(name, row).astype(np.uint16)
        if ending:
            expected[(expected >> 7) != 0] = 0
        assert differences(name, got, expected, row) == ""


@pytest.mark.parametrize("name", FP8)
def test_every_f16_to_fp8_as_the_cuda_headers_have_it(name):
    table = np.frombuffer(lzma.decompress(RECORDED.read_bytes()), np.uint8).reshape(2, 65536)[list(FP8).index(name)]
    bits = np.arange(65536, dtype=np.uint32)
    found = run(f"cvt.rn.satfinite.{name}x2.f16x2", ("f16x2", bits << np.uint32(16) | (bits ^ np.uint32(0x5A5A))))
    upper, lower = pairs(found)
    assert differences(name, upper, table.astype(np.uint16), bits) == ""
    assert (lower == table[bits ^ 0x5A5A]).all()
    found = run(f"cvt.rn.satfinite.relu.{name}x2.f16x2", ("f16x2", bits))
    assert (pairs(found)[1] == np.where(table >> 7 != 0, 0, table)).all()
    assert (pairs(found)[0] == 0).all()


@pytest.mark.parametrize("ending", ["", ".relu"])
@pytest.mark.parametrize("name", FP8)
def test_every_fp8_to_f16(name, ending):
    codes = np.arange(65536, dtype=np.uint16)
    values = np.arange(256, dtype=np.uint8).view(FP8[name][0]).astype(np.float32)
    expected = values.astype(np.float16).view(np.uint16).copy()
    if ending:
        expected[np.signbit(values)] = 0
    expected[np.isnan(values)] = 0x7FFF
    upper, lower = pairs(run(f"cvt.rn{ending}.f16x2.{name}x2", (f"{name}x2", codes)))
    assert (upper == expected[codes >> 8]).all()
    assert (lower == expected[codes & 255]).all()


@pytest.mark.parametrize("ending", ["", ".relu", ".satfinite", ".relu.satfinite"])
@pytest.mark.parametrize("rnd", ["rn", "rz"])
@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_pairs_are_rounded_as_single_values(kind, rnd, ending):
    a, b = f32_rows(seed(kind, rnd, ending))
    upper, lower = pairs(run(f"cvt.{rnd}{ending}.{kind}x2.f32", ("f32", a), ("f32", b)))
    single = f"cvt.{rnd}{ending}.{kind}.f32"
    assert (upper == run(single, ("f32", a)).view(np.uint16)).all()
    assert (lower == run(single, ("f32", b)).view(np.uint16)).all()


def ties_away(x: float) -> float:
    """x to the nearest multiple of its unit in tf32, halves away from zero."""
    unit = Fraction(2) ** (max(math.frexp(x)[1], -125) - 11)
    number = math.floor(abs(Fraction(x)) / unit + Fraction(1, 2)) * unit
    return math.copysign(math.inf if number >= 2**128 else float(number), x)


TF32 = ["rn", "rz", "rna", "rn.relu", "rz.relu", "rna.satfinite"]


@pytest.mark.parametrize("opcode", [f"cvt.{mode}.tf32.f32" for mode in TF32])
def test_tf32(opcode):
    """Finite numbers; .satfinite makes the greatest number of what becomes infinite."""
    (row, _) = f32_rows(seed(opcode))
    row = row[np.isfinite(row)]
    rnd = opcode.split(".")[1]
    if rnd == "rna":
        results = [ties_away(x) for x in row.tolist()]
    else:
        exact = [gmpy2.mpfr(x) for x in row.tolist()]
        with gmpy2.context(precision=11, emin=-135, emax=128, subnormalize=True, round=MODES[rnd]) as context:
            results = [float(context.plus(x)) for x in exact]
    expected = np.array(results, np.float32).view(np.uint32)
    if "relu" in opcode:
        expected = np.where(expected >> 31 != 0, np.uint32(0), expected)
    if "satfinite" in opcode:
        expected = np.where(expected << 1 == 0xFF000000, expected - np.uint32(0x2000), expected)
    assert differences(opcode, run(opcode, ("f32", row)), expected, row) == ""


@pytest.mark.parametrize(
    ("opcode", "given", "result"),
    [
        ("cvt.rna.satfinite.tf32.f32", 0x7F800000, 0x7F7FE000),
        ("cvt.rna.satfinite.tf32.f32", 0xFF7FFFFF, 0xFF7FE000),
        ("cvt.rna.satfinite.tf32.f32", 0x7FFFFFFF, 0x7FFFC000),
        ("cvt.rna.satfinite.tf32.f32", 0x7F800001, 0x7F7FE000),
        ("cvt.rna.tf32.f32", 0xFF800001, 0xFF800000),
        ("cvt.rna.tf32.f32", 0x80000FFF, 0x80000000),
        ("cvt.rna.tf32.f32", 0x80001000, 0x80002000),
        ("cvt.rn.tf32.f32", 0x7F800001, 0x7FFFE000),
        ("cvt.rz.tf32.f32", 0xFFC00000, 0x7FFFE000),
        ("cvt.rz.relu.tf32.f32", 0xFFC00000, 0x7FFFE000),
        ("cvt.rn.relu.tf32.f32", 0x80000000, 0),
        ("cvt.rn.tf32.f32", 0xFF800000, 0xFF800000),
    ],
)
def test_tf32_corners(opcode, given, result):
    assert hex(run(opcode, ("f32", np.full(32, given, np.uint32)))[0]) == hex(result)


@pytest.mark.parametrize("kind", ["u2", "s2", "u4", "s4", "u8", "s8", "u16", "s16"])
def test_cvt_pack(kind):
    width, signed = int(kind[1:]), kind[0] == "s"
    least, greatest = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    random = np.random.default_rng(width)
    a, b = random.integers(2 * least - 3, 2 * greatest + 4, (2, 2048)).astype(np.int32)
    a[:4], b[4:8] = [-(2**31), 2**31 - 1, 0, -1], [-(2**31), 2**31 - 1, 0, -1]
    c = random.integers(0, 2**32, 2048, np.uint32)
    mask = (1 << width) - 1
    expected = [
        (min(max(x, least), greatest) & mask) << width
        | (min(max(y, least), greatest) & mask)
        | z << 2 * width & 2**32 - 1
        for x, y, z in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    ]
    if width == 16:
        assert run(f"cvt.pack.sat.{kind}.s32", ("s32", a), ("s32", b)).tolist() == [
            word & 2**32 - 1 for word in expected
        ]
    else:
        opcode = f"cvt.pack.sat.{kind}.s32.b32"
        assert run(opcode, ("s32", a), ("s32", b), ("b32", c)).tolist() == expected


@pytest.mark.parametrize(
    "opcode",
    [
        "cvt.rn.e4m3x2.f32",
        "cvt.rm.f16x2.f32",
        "cvt.f16x2.e4m3x2",
        "cvt.rz.f16x2.e4m3x2",
        "cvt.rn.satfinite.f16x2.e4m3x2",
        "cvt.rna.relu.tf32.f32",
        "cvt.rn.ftz.bf16x2.f32",
        "cvt.pack.u8.s32.b32",
        "cvt.pack.sat.u8.s32",
        "cvt.pack.sat.u16.s32.b32",
    ],
)
def test_what_ptxas_refuses_is_refused(opcode):
    assert lookup(opcode) == ()
