"""Warp instructions against lane-by-lane models of the manual's semantics."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import reduce

import pytest

from emulator.isa.registry import lookup
from emulator.ptx_types import TYPES
from tests.isa.examples import execute, variant_of
from tests.isa.operands import number, samples

WARP = range(32)
MASKS = (0xFFFFFFFF, 1, 1 << 31, 0x0000FFFF, 0xAAAAAAAA, 0x80000001, 0x00FF0F10)


def participants(mask: int) -> list[int]:
    return [lane for lane in WARP if mask >> lane & 1]


def run(opcode: str, mask: int, *inputs: list[int], sync: bool = True) -> list[list[int]]:
    """The results of an instruction that the lanes of a mask execute."""
    given = [*inputs, [mask] * 32] if sync else list(inputs)
    return execute(variant_of(opcode, len(given)), given, lanes=[mask >> lane & 1 for lane in WARP]).results


def shuffle(mode: str, lane: int, b: int, c: int) -> tuple[int, bool]:
    """The manual's 9.7.9.6: the lane to read and whether it is in range."""
    bval, cval, segmask = b & 31, c & 31, c >> 8 & 31
    max_lane = (lane & segmask) | (cval & ~segmask & 31)
    min_lane = lane & segmask
    if mode == "up":
        j = lane - bval
        pval = j >= max_lane
    else:
        j = {"down": lane + bval, "bfly": lane ^ bval, "idx": min_lane | (bval & ~segmask & 31)}[mode]
        pval = j <= max_lane
    return (j if pval else lane), pval


@pytest.mark.parametrize("mode", ["up", "down", "bfly", "idx"])
def test_shfl(mode: str) -> None:
    choice = random.Random(mode)
    for width in (1, 2, 4, 8, 16, 32):
        for bound in (0, 0x1F, 3, choice.getrandbits(32)):
            control = bound & 0xFFFFE0FF | (32 - width) << 8
            a, b = [choice.getrandbits(32) for _ in WARP], [choice.getrandbits(32) for _ in WARP]
            shifts = [choice.randrange(32)] * 32
            for amounts in (b, shifts):
                d, p = run(f"shfl.sync.{mode}.b32", 0xFFFFFFFF, a, amounts, [control] * 32)
                wanted = [shuffle(mode, lane, amounts[lane], control) for lane in WARP]
                assert d == [a[source] for source, _ in wanted]
                assert p == [int(in_range) for _, in_range in wanted]
                assert run(f"shfl.{mode}.b32", 0xFFFFFFFF, a, amounts, [control] * 32, sync=False) == [d, p]


@pytest.mark.parametrize("mask", MASKS)
def test_vote(mask: int) -> None:
    choice = random.Random(mask)
    for a in (
        [0] * 32,
        [1] * 32,
        *([choice.getrandbits(1) for _ in WARP] for _ in range(12)),
        [mask >> k & 1 for k in WARP],
    ):
        votes = [a[lane] for lane in participants(mask)]
        ballot = sum(a[lane] << lane for lane in participants(mask))
        for opcode, wanted in (
            ("vote.sync.all.pred", all(votes)),
            ("vote.sync.any.pred", any(votes)),
            ("vote.sync.uni.pred", len(set(votes)) == 1),
            ("vote.sync.ballot.b32", ballot),
        ):
            assert run(opcode, mask, a)[0] == [wanted] * 32, opcode
            assert run(opcode.replace(".sync", ""), mask, a, sync=False)[0] == [wanted] * 32, opcode


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("mask", MASKS)
def test_match(width: int, mask: int) -> None:
    choice = random.Random(mask)
    values = [0, 1 << width - 1, (1 << width) - 1, 1]
    rows = [[choice.choice(values[:count]) for _ in WARP] for count in (1, 2, 3, 4) for _ in range(4)]
    members = participants(mask)
    rows.append([7 if lane in members else lane for lane in WARP])
    for a in rows:
        (found,) = run(f"match.any.sync.b{width}", mask, a)
        for lane in members:
            assert found[lane] == sum(1 << other for other in members if a[other] == a[lane])
        d, p = run(f"match.all.sync.b{width}", mask, a)
        alike = len({a[lane] for lane in members}) == 1
        assert [d[lane] for lane in members] == [mask if alike else 0] * len(members)
        assert [p[lane] for lane in members] == [alike] * len(members)


REDUCTIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "min": min,
    "max": max,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    "opcode", ["add.u32", "add.s32", "min.u32", "min.s32", "max.u32", "max.s32", "and.b32", "or.b32", "xor.b32"]
)
def test_redux(opcode: str, mask: int) -> None:
    operation, _, name = opcode.partition(".")
    for start in range(0, 416, 32):
        a = samples([TYPES[name]], opcode)[0][start : start + 32]
        numbers = [number(a[lane], TYPES[name]) for lane in participants(mask)]
        wanted = reduce(REDUCTIONS[operation], numbers) & 0xFFFFFFFF
        assert run(f"redux.sync.{opcode}", mask, a)[0] == [wanted] * 32


def test_activemask_and_elect() -> None:
    choice = random.Random(0)
    for mask in (*MASKS, *(choice.getrandbits(32) | 1 << choice.randrange(32) for _ in range(64))):
        assert run("activemask.b32", mask, sync=False)[0] == [mask] * 32
        lowest = participants(mask)[0]
        d, p = run("elect.sync", mask)
        assert [d[lane] for lane in participants(mask)] == [lowest] * len(participants(mask))
        assert [lane for lane in participants(mask) if p[lane]] == [lowest]


def test_what_waits_and_what_does_not() -> None:
    for opcode in ("shfl.sync.up.b32", "vote.sync.all.pred", "match.any.sync.b32", "redux.sync.add.u32", "elect.sync"):
        assert {variant.entry.sync for variant in lookup(opcode)} == {"membermask"}
    for opcode in ("shfl.up.b32", "vote.all.pred", "activemask.b32"):
        assert {variant.entry.sync for variant in lookup(opcode)} == {None}
    assert lookup("vote.all.pred")[0].entry.removed is not None
