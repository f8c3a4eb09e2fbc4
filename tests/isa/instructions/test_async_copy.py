"""cp.async against slices of bytes."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import ObjectCode, System
from emulator.errors import IllegalAddress, KernelFault, MisalignedAddress

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
BYTES = 512


def copied(copy: str, source: np.ndarray, numbers: np.ndarray | None = None) -> bytes:
    """Shared memory, 16 bytes a lane and at first 0xee, after a copy: %to and %from are the lane's own addresses, %n
    and %p a number of the lane's and whether it is odd.
    """
    numbers = np.zeros(32, np.uint32) if numbers is None else numbers
    text = f"""{HEAD}.visible .entry k (.param .u64 in, .param .u64 numbers, .param .u64 out) {{
        .reg .b64 %from, %to, %out, %x, %rd<4>; .reg .b32 %lane, %n, %r<4>; .reg .pred %p;
        .shared .align 16 .b8 area[{BYTES}];
        ld.param.u64 %from, [in]; ld.param.u64 %x, [numbers]; ld.param.u64 %out, [out];
        mov.u32 %lane, %laneid; mul.wide.u32 %rd1, %lane, 4; add.u64 %x, %x, %rd1; ld.global.u32 %n, [%x];
        and.b32 %r1, %n, 1; setp.ne.u32 %p, %r1, 0;
        mul.wide.u32 %rd1, %lane, 16; add.u64 %from, %from, %rd1; add.u64 %out, %out, %rd1;
        mov.u64 %to, area; add.u64 %to, %to, %rd1; mov.u64 %rd2, 0xeeeeeeeeeeeeeeee;
        st.shared.v2.u64 [%to], {{%rd2, %rd2}};
        {copy}
        cp.async.commit_group; cp.async.wait_group 0; cp.async.wait_all;
        ld.shared.v2.u64 {{%rd1, %rd2}}, [%to]; st.global.v2.u64 [%out], {{%rd1, %rd2}}; ret; }}"""
    out = np.zeros(BYTES, np.uint8)
    with System() as system:
        ObjectCode.from_ptx(text).get_kernel("k")[1, 32](source, numbers, out, device=system.device(0))
    return out.tobytes()


def data() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, BYTES).astype(np.uint8)


@pytest.mark.parametrize("size", [4, 8, 16])
@pytest.mark.parametrize("opcode", ["cp.async.ca.shared.global", "cp.async.ca.shared::cta.global.L2::128B"])
def test_copies_so_many_bytes(opcode: str, size: int) -> None:
    source = data()
    found = copied(f"{opcode} [%to], [%from], {size};", source)
    for lane in range(32):
        wanted = source[16 * lane : 16 * lane + size].tobytes() + b"\xee" * (16 - size)
        assert found[16 * lane : 16 * lane + 16] == wanted


@pytest.mark.parametrize("size", [4, 8, 16])
def test_the_rest_behind_the_source_size_is_zeros(size: int) -> None:
    """Lanes with different numbers, also more than there is to copy."""
    source, numbers = data(), np.arange(32, dtype=np.uint32) % 18
    found = copied(f"cp.async.ca.shared.global [%to], [%from], {size}, %n;", source, numbers)
    for lane, number in enumerate(numbers):
        part = source[16 * lane : 16 * lane + min(int(number), size)].tobytes()
        assert found[16 * lane : 16 * lane + 16] == part.ljust(size, b"\0") + b"\xee" * (16 - size)


@pytest.mark.parametrize(("predicate", "ignored"), [("%p", 1), ("!%p", 0)])
def test_an_ignored_source_gives_zeros_and_is_not_read(predicate: str, ignored: int) -> None:
    source, numbers = data(), np.arange(32, dtype=np.uint32)
    wild = f"@{predicate} mov.u64 %from, 16;"
    policy = "createpolicy.fractional.L2::evict_first.b64 %rd3;"
    copy = f"{wild} {policy} cp.async.cg.shared.global.L2::cache_hint [%to], [%from], 16, {predicate}, %rd3;"
    found = copied(copy, source, numbers)
    for lane in range(32):
        part = bytes(16) if lane % 2 == ignored else source[16 * lane : 16 * lane + 16].tobytes()
        assert found[16 * lane : 16 * lane + 16] == part


def test_a_source_of_no_bytes_is_not_read() -> None:
    assert copied("mov.u64 %from, 16; cp.async.ca.shared.global [%to], [%from], 16, 0;", data()) == bytes(BYTES)


@pytest.mark.parametrize(
    ("copy", "fault"),
    [
        ("cp.async.ca.shared.global [%to], [%from+4], 8;", MisalignedAddress),
        ("cp.async.ca.shared.global [%to], [%from+4], 8, 2;", MisalignedAddress),
        ("cp.async.ca.shared.global [%to+8], [%from], 16;", MisalignedAddress),
        ("cp.async.ca.shared.global [%to], [%from+512], 4;", IllegalAddress),
        ("cp.async.ca.shared.global [%to+512], [%from], 4;", IllegalAddress),
    ],
)
def test_faults(copy: str, fault: type[KernelFault]) -> None:
    with pytest.raises(fault):
        copied(copy, data())
