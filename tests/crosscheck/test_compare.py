"""Comparing arrays: bits, ULPs, NaN, tolerances, what is excluded."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from emulator.crosscheck.bounds import BOUNDS, FUNCTIONS, is_within_bound
from emulator.crosscheck.compare import compare
from emulator.crosscheck.job import Tolerance
from emulator.parse import parse
from emulator.program import Instruction, link
from tests.crosscheck import kernels

INF, NAN = np.float32(np.inf), np.float32(np.nan)


def f32(*bits: int) -> np.ndarray:
    return np.array(bits, np.uint32).view(np.float32)


@pytest.mark.parametrize(
    ("ours", "theirs", "differ", "nans", "furthest"),
    [
        (f32(0x3F800000, 0x3F800001), f32(0x3F800000, 0x3F800003), 1, 0, 2),
        (f32(0x00000000), f32(0x80000000), 1, 0, 0),
        (f32(0x00000001), f32(0x80000001), 1, 0, 2),
        (f32(0x7FC00000), f32(0x7FFFFFFF), 1, 1, 0),
        (f32(0x7FC00000), f32(0x3F800000), 1, 0, None),
        (np.array([5, -3], np.int32), np.array([5, 4], np.int32), 1, 0, 7),
        (np.array([1], ml_dtypes.bfloat16), np.array([1.0078125], ml_dtypes.bfloat16), 1, 0, 1),
        (np.array([1], np.float16), np.array([1], np.float16), 0, 0, 0),
        (np.array([1.0]), np.array([1.0 + 2**-52]), 1, 0, 1),
        (np.zeros(0, np.float32), np.zeros(0, np.float32), 0, 0, 0),
    ],
)
def test_by_bits_and_ulps(ours: np.ndarray, theirs: np.ndarray, differ: int, nans: int, furthest: int | None) -> None:
    found = compare("x", ours, theirs)
    assert (found.differ, found.nans, found.furthest, found.equal) == (differ, nans, furthest, differ == 0)


def test_the_first_beyond_the_tolerance_is_shown() -> None:
    ours = np.array([[1, 2], [3, 4]], np.float32)
    theirs = np.array([[1.0000001, 2], [3.1, 4]], np.float32)
    assert compare("x", ours, theirs).index == (0, 0)
    found = compare("x", ours, theirs, Tolerance(1e-5, 0))
    assert (found.differ, found.beyond, found.index, found.ok) == (2, 1, (1, 0), False)
    assert compare("x", f32(0x7FC00000), f32(0x7FFFFFFF), Tolerance(1e-5)).ok


def test_excluded_elements_count_nowhere() -> None:
    found = compare("x", np.arange(4), np.array([0, 9, 2, 9]), excluded=np.array([False, True, False, False]))
    assert (found.differ, found.excluded, found.first) == (1, 1, 3)


def test_other_shapes_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="against"):
        compare("x", np.zeros(3), np.zeros(4))


def instruction(opcode: str) -> Instruction:
    kind = opcode.rsplit(".", 1)[1]
    register = {"f32": "%f1", "f16": "%h", "bf16": "%h", "f16x2": "%r1", "bf16x2": "%r1"}[kind]
    count = 2 if opcode.startswith("div") else 1
    body = f"    .reg .b16 %h;\n    {opcode} {', '.join([register] * (1 + count))};"
    program = link(parse(kernels.kernel(body)), "k")
    return next(i for i in program.instructions if i.opcode == opcode)


ONE, TWO = 0x3F800000, 0x40000000


@pytest.mark.parametrize(
    ("opcode", "sources", "result", "allowed"),
    [
        ("rcp.approx.ftz.f32", [TWO], 0x3F000001, True),
        ("rcp.approx.ftz.f32", [TWO], 0x3F000002, False),
        ("div.full.f32", [ONE, TWO], 0x3F000002, True),
        ("div.approx.f32", [ONE, TWO], 0x3F000003, False),
        ("ex2.approx.ftz.f32", [ONE], 0x40000002, True),
        ("ex2.approx.ftz.f32", [ONE], 0x40000003, False),
        ("lg2.approx.ftz.f32", [TWO], 0x3F800002, True),
        ("lg2.approx.ftz.f32", [TWO], 0x3F800004, False),
        ("sin.approx.ftz.f32", [ONE], 0x3F576AA4, True),
        ("sin.approx.ftz.f32", [ONE], 0x3F576BA4, False),
        ("tanh.approx.f32", [ONE], 0x3F42F7D6, True),
        ("tanh.approx.f16x2", [0x3C003C00], 0x3A183A18, True),
        ("tanh.approx.f16x2", [0x3C003C00], 0x3A183B18, False),
        ("ex2.approx.ftz.bf16", [0x3F80], 0x4001, True),
        ("rcp.approx.ftz.f32", [0], 0x7F800000, False),
    ],
)
def test_the_manuals_bounds(opcode: str, sources: list[int], result: int, allowed: bool) -> None:
    assert is_within_bound(instruction(opcode), sources, result) == allowed


def test_every_bound_has_a_function() -> None:
    assert {word for word, _ in BOUNDS} == set(FUNCTIONS)
