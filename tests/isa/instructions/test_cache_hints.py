"""Prefetches, discards and cache policies: the bits of policies as ptxas 13.0 makes them, all else as nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emulator import ObjectCode, System
from emulator.errors import IllegalAddress, KernelFault, MisalignedAddress

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
PRIORITIES = ("evict_last", "evict_normal", "evict_first", "evict_unchanged")
# The first operand of the shift that makes the upper word of a policy, read from ptxas' code for sm_90.
FRACTIONAL = {
    ("evict_last", ""): 0x140, ("evict_last", "evict_first"): 0x150, ("evict_last", "evict_unchanged"): 0x140,
    ("evict_normal", ""): 0x160, ("evict_normal", "evict_first"): 0x170, ("evict_normal", "evict_unchanged"): 0x160,
    ("evict_first", ""): 0x120, ("evict_first", "evict_first"): 0x130, ("evict_first", "evict_unchanged"): 0x120,
    ("evict_unchanged", ""): 0x100, ("evict_unchanged", "evict_first"): 0x110,
    ("evict_unchanged", "evict_unchanged"): 0x100,
}  # fmt: skip


def run(body: str, memory: np.ndarray) -> None:
    """A warp on memory at %rd1, with the lane's number in %lane."""
    text = f"""{HEAD}.visible .entry k (.param .u64 m) {{ .reg .b64 %n, %rd<9>; .reg .b32 %lane, %r<9>; .reg .f32 %f<3>;
        ld.param.u64 %rd1, [m]; mov.u32 %lane, %laneid; mul.wide.u32 %n, %lane, 8; {body} ret; }}"""
    with System() as system:
        ObjectCode.from_ptx(text).get_kernel("k")[1, 32](memory, device=system.device(0))


def policy(instruction: str) -> int:
    """The policy that an instruction puts into %rd2."""
    out = np.zeros(1, np.uint64)
    run(f"{instruction} st.global.u64 [%rd1], %rd2;", out)
    return int(out[0])


@pytest.mark.parametrize(("primary", "secondary"), FRACTIONAL)
def test_fractional_policies(primary: str, secondary: str) -> None:
    words = ".".join(f"L2::{word}" for word in (primary, secondary) if word)
    code = FRACTIONAL[primary, secondary]
    assert policy(f"createpolicy.fractional.{words}.b64 %rd2;") == (code | 15) << 52
    assert policy(f"createpolicy.fractional.{words}.b64 %rd2, 1.0;") == (code | 15) << 52
    assert policy(f"createpolicy.fractional.{words}.b64 %rd2, 0.5;") == (code | 7) << 52


@pytest.mark.parametrize("fraction", [1.0, 0.9999, 0.75, 0.25, 0.1, 0.0625, 0.001])
def test_fractions_count_in_sixteenths(fraction: float) -> None:
    found = policy(f"mov.f32 %f1, {fraction:f}; createpolicy.fractional.L2::evict_last.b64 %rd2, %f1;")
    assert found == (0x140 | int(fraction * 15.99)) << 52


@pytest.mark.parametrize("primary", PRIORITIES)
@pytest.mark.parametrize(
    ("address", "size", "total"),
    [(0x700000001000, 4096, 65536), (0x700000123400, 100000, 1 << 20), (0x7000, 1, 1), (0x1234567890, 77, 1 << 31)],
)
def test_range_policies(primary: str, address: int, size: int, total: int) -> None:
    """Blocks of 4 KiB or more of which 128 hold the whole range; at most 127 of them."""
    unit = max(math.ceil(math.log2(total)) - 7, 12)
    first, blocks = address >> unit, (address + size - 1 + (1 << unit) >> unit) - (address >> unit)
    upper = (0x80 | FRACTIONAL[primary, ""] | (unit - 12)) << 8 | (first & 127)
    wanted = (upper << 7 | min(blocks, 127)) << 5 << 32
    setup = f"mov.u64 %rd3, {address}; mov.u32 %r1, {size}; mov.u32 %r2, {total};"
    assert policy(f"{setup} createpolicy.range.global.L2::{primary}.b64 %rd2, [%rd3], %r1, %r2;") == wanted


def test_policies_of_nothing_and_of_properties() -> None:
    assert policy("createpolicy.range.L2::evict_last.b64 %rd2, [%rd1], 0, 0;") == 0x180 << 52
    assert policy("createpolicy.cvt.L2.b64 %rd2, 0x123456789abcdef0;") == 0x123456789ABCDEF0


HINTS = (
    "prefetch.global.L1 [%rd1];", "prefetch.L2 [%rd1];", "prefetch.global.L2::evict_last [%rd1];",
    "prefetchu.L1 [%rd1];", "applypriority.global.L2::evict_normal [%rd1], 128;", "prefetch.local.L1 [16];",
    "mov.u64 %rd2, 16; prefetch.global.L1 [%rd2]; prefetch.tensormap [%rd2];",
)  # fmt: skip


@pytest.mark.parametrize("hint", HINTS)
def test_hints_change_nothing_wherever_they_point(hint: str) -> None:
    memory = np.arange(64, dtype=np.uint32)
    run(hint, memory)
    assert memory.tolist() == list(range(64))


def test_discard_makes_128_bytes_indeterminate() -> None:
    """Zeros, one of the values that they may have; the bytes around stay."""
    memory = np.arange(1, 97, dtype=np.uint32)
    run("mov.u64 %rd2, 127; add.u64 %rd1, %rd1, %rd2; not.b64 %rd2, %rd2; and.b64 %rd1, %rd1, %rd2;"
        "discard.global.L2 [%rd1], 128;", memory)  # fmt: skip
    start = int(np.flatnonzero(memory == 0)[0])
    assert start in range(32)
    assert not memory[start : start + 32].any()
    assert (memory[:start] > 0).all()
    assert (memory[start + 32 :] > 0).all()


@pytest.mark.parametrize(
    ("body", "fault"),
    [("discard.L2 [%rd1+64], 128;", MisalignedAddress), ("discard.L2 [%rd1+0x100000], 128;", IllegalAddress)],
)
def test_a_discard_is_a_write(body: str, fault: type[KernelFault]) -> None:
    with pytest.raises(fault):
        run(body, np.zeros(256, np.uint32))
