"""The address space: identity of allocations, red zones, reuse, limits, chosen addresses, dirty pages, snapshots."""

from itertools import pairwise

import numpy as np
import pytest

from emulator import System
from emulator.errors import IllegalAddress, UsageError
from emulator.machine.memory import (
    CONST_BYTES,
    DEVICE_BASE,
    DEVICE_STRIDE,
    PAGE_BYTES,
    PAGE_SHIFT,
    REDZONE,
    AddressSpace,
    Allocation,
)
from tests.engines.programs import kernel, report, start


def written(memory: AddressSpace) -> list[int]:
    """Addresses of the pages that were written."""
    return [DEVICE_BASE + (int(page) << PAGE_SHIFT) for page in np.flatnonzero(memory.dirty)]


def test_addresses_are_the_same_in_every_run_and_apart() -> None:
    spaces = [AddressSpace(2) for _ in range(2)]
    for memory in spaces:
        for device in (0, 1, 0):
            for size in (1, 100, 4096, 0, 7):
                memory.allocate(device, size, f"{device} {size}")
    first, second = (list(memory.allocations()) for memory in spaces)
    assert [(a.base, a.size, a.name) for a in first] == [(a.base, a.size, a.name) for a in second]
    assert all(a.base % 256 == 0 for a in first)
    assert all(b.base - a.end >= REDZONE for a, b in pairwise(first))
    assert {a.base - DEVICE_BASE >> 36 for a in first} == {0, 1}


def test_an_address_finds_its_allocation_and_the_nearest_one() -> None:
    memory = AddressSpace(1)
    a, b = memory.allocate(0, 100, "a"), memory.allocate(0, 200, "b")
    assert memory.find(a.base) is a and memory.find(a.base + 99) is a
    assert memory.find(a.base + 100) is None and memory.find(a.base - 1) is None
    assert memory.find(b.base + 199) is b
    assert memory.nearest(a.base + 110) is a and memory.nearest(b.base - 10) is b
    assert memory.nearest(0) is a and memory.nearest(2**64 - 1) is b
    assert AddressSpace(1).nearest(5) is None
    assert (a.describe(a.base), a.describe(a.base + 8), a.describe(a.base - 8)) == ("a", "a+8", "a-8")


def test_freed_memory_is_another_allocation_and_zero_when_it_is_used_again() -> None:
    memory = AddressSpace(1)
    kept, gone = memory.allocate(0, 5000, "kept"), memory.allocate(0, 5000, "gone")
    for allocation in (kept, gone):
        memory.write(allocation.base, bytes([7]) * 5000)
    memory.free(gone)
    assert memory.find(gone.base) is None and memory.used == 5000
    with pytest.raises(ValueError, match="gone is freed already"):
        memory.free(gone)
    again = memory.allocate(0, 5000, "again", address=gone.base)
    assert not memory.view(again.base, 5000).any()
    assert memory.view(kept.base, 5000).all()
    assert memory.find(gone.base) is again


def test_addresses_are_used_again_only_when_the_window_is_full() -> None:
    """So that a pointer to freed memory is found for as long as possible."""
    memory = AddressSpace(1, limit=DEVICE_STRIDE)
    half = DEVICE_STRIDE // 2
    first, small = memory.allocate(0, half, "first"), memory.allocate(0, 1000, "small")
    memory.free(first)
    second = memory.allocate(0, 1 << 20, "second")
    assert second.base > small.end
    third = memory.allocate(0, half - (1 << 20), "third")
    assert third.base == first.base and third.end + REDZONE <= small.base


def test_memory_has_a_limit() -> None:
    memory = AddressSpace(2, limit=1000)
    memory.allocate(0, 600, "a")
    with pytest.raises(UsageError, match="out of emulated memory: 500 bytes for b, 600 of 1,000 are in use"):
        memory.allocate(1, 500, "b")
    memory.allocate(1, 400, "c")
    with pytest.raises(ValueError, match="an allocation of -1 bytes"):
        memory.allocate(0, -1, "d")


def test_the_limit_is_an_option_and_closing_gives_room() -> None:
    with System(memory=1 << 20) as system:
        device = system.device(0)
        big = device.zeros(1 << 20, np.uint8, name="big")
        with pytest.raises(UsageError, match="out of emulated memory: 4 bytes") as caught:
            device.zeros(1)
        assert "buffer.close()" in report(caught.value)
        big.close()
        assert device.zeros(1 << 18, np.float32).numpy().sum() == 0
        with pytest.raises(UsageError, match="out of emulated memory"):
            device.zeros((1 << 40, 1 << 40))


def test_a_large_buffer_costs_nothing_until_it_is_touched() -> None:
    with System(memory=1 << 36) as system:
        device = system.device(0)
        big = device.zeros(60 << 30, np.uint8)
        system.runner.memory.write(big.address + (50 << 30), b"abc")
        big.close()
        assert not system.runner.memory.view(big.address + (50 << 30), 3).any()


def test_a_chosen_address() -> None:
    memory = AddressSpace(2)
    at = DEVICE_BASE + 0x123400
    chosen = memory.allocate(0, 256, "chosen", address=at)
    below, above = (
        memory.allocate(0, 0x100, "below", address=at - 0x100),
        memory.allocate(0, 16, "above", address=at + 256),
    )
    assert [a.name for a in memory.allocations()] == ["below", "chosen", "above"]
    assert [memory.find(a) for a in (at - 1, at, at + 255, at + 256)] == [below, chosen, chosen, above]
    for wrong in (at, at + 255, at - 1, at - 255, 0, DEVICE_BASE - 8, DEVICE_BASE + DEVICE_STRIDE):
        with pytest.raises(ValueError, match="overlap another allocation or leave the device's window"):
            memory.allocate(0, 256, "wrong", address=wrong)
    assert memory.allocate(1, 256, "there", address=DEVICE_BASE + DEVICE_STRIDE).base == DEVICE_BASE + DEVICE_STRIDE


def test_placing_goes_around_chosen_addresses() -> None:
    memory = AddressSpace(1)
    first = memory.allocate(0, 256, "first")
    memory.allocate(0, 4096, "chosen", address=first.end + 300)
    after = memory.allocate(0, 256, "after")
    assert after.base >= first.end + 300 + 4096 + REDZONE


def test_constants_lie_in_a_window_of_their_own() -> None:
    memory = AddressSpace(2)
    const = memory.allocate(1, 100, "c", kind="const")
    assert const.base == memory.const_window(1) == DEVICE_BASE + 2 * DEVICE_STRIDE - CONST_BYTES
    with pytest.raises(UsageError, match="out of emulated memory"):
        memory.allocate(1, CONST_BYTES, "too large", kind="const")


def test_pages_of_every_store_are_marked() -> None:
    """st, atom, red, vector and narrow stores, and the host; a page that is only read is not."""
    body = """
        ld.param.u64 %rd0, [flat];
        setp.eq.u32 %p0, %l, 0;
        ld.global.u32 %r0, [%out];
    @%p0 st.global.u32 [%out+4096], 0;
    @%p0 atom.global.add.u32 %r1, [%out+12288], 0;
    @%p0 red.global.add.u32 [%out+20480], 5;
    @%p0 st.global.v4.u32 [%out+28672], {1, 2, 3, 4};
    @%p0 st.u8 [%rd0], 1;
    @%p0 atom.cas.b64 %rd1, [%rd0+4096], 0, 1;
    @%p0 st.volatile.global.u16 [%rd0+8200], 1;
    """
    for engine in ("reference", "native"):
        with System(engine=engine) as system:
            device = system.device(0)
            memory = system.runner.memory
            out = device.zeros(16 << 10, np.uint32, address=DEVICE_BASE + (1 << 20))
            other = device.zeros(1 << 20, np.uint8, address=DEVICE_BASE + (1 << 24))
            assert not written(memory)
            start(kernel(body, parameters=".param .u64 flat"), device, out, other.address + 40 * PAGE_BYTES)
            device.sync()
            stored = [out.address + n * PAGE_BYTES for n in (1, 3, 5, 7)]
            generic = [other.address + n * PAGE_BYTES for n in (40, 41, 42)]
            assert written(memory) == stored + generic
            memory.write(other.address + 3 * PAGE_BYTES - 1, b"ab")
            assert written(memory) == stored + [other.address + n * PAGE_BYTES for n in (2, 3)] + generic


def test_a_snapshot_brings_back_bytes_and_allocations() -> None:
    memory = AddressSpace(1)
    kept = memory.allocate(0, 10_000, "kept")
    memory.write(kept.base + 5000, b"before")
    snapshot = memory.snapshot()
    memory.write(kept.base, b"after")
    memory.write(kept.base + 5000, b"AFTER!")
    later = memory.allocate(0, 10_000, "later")
    memory.write(later.base, bytes([1]) * 10_000)
    memory.free(kept)
    memory.restore(snapshot)
    assert list(memory.allocations()) == [kept] and memory.used == 10_000
    assert memory.view(kept.base, 5).tobytes() == bytes(5)
    assert memory.view(kept.base + 5000, 6).tobytes() == b"before"
    again = memory.allocate(0, 10_000, "later")
    assert again.base == later.base and not memory.view(again.base, 10_000).any()


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize(
    ("offset", "words"),
    [(400, "past the end of"), (-4, "before the start of"), (1 << 30, "far from every allocation")],
)
def test_red_zones_catch_what_misses_its_buffer(engine: str, offset: int, words: str) -> None:
    with System(engine=engine) as system:
        device = system.device(0)
        buffers = [device.zeros(100, np.uint32, name=name) for name in "abc"]
        start(kernel(f"add.u64 %rd0, %out, {offset}; st.global.u32 [%rd0], 1;"), device, buffers[1])
        with pytest.raises(IllegalAddress, match=words):
            device.sync()
        for buffer in buffers:
            assert not system.runner.memory.view(buffer.address, buffer.nbytes).any()


def test_a_freed_buffer_is_not_there_any_more() -> None:
    with System() as system:
        device = system.device(0)
        gone, kept = device.zeros(100, np.uint32), device.zeros(1, np.uint32)
        address = gone.address
        gone.close()
        with pytest.raises(ValueError, match="is closed"):
            gone.numpy()
        code = kernel("ld.param.u64 %rd0, [p]; st.global.u32 [%rd0], 1;", parameters=".param .u64 p")
        with pytest.raises(UsageError, match="is closed"):
            start(code, device, kept, gone)
        start(code, device, kept, address)
        with pytest.raises(IllegalAddress):
            device.sync()


def test_buffers_and_streams_of_before_a_reset_are_refused_and_devices_go_on() -> None:
    system = System()
    device = system.device(0)
    old, stream = device.zeros(32, np.uint32), device.create_stream()
    start(kernel("trap;"), device, old)
    with pytest.raises(Exception, match="trap"):
        system.sync()
    with pytest.raises(Exception, match="trap"):
        device.zeros(1)
    system.reset()
    assert old.closed
    with pytest.raises(ValueError, match="is closed"):
        old.numpy()
    with pytest.raises(ValueError, match="made before the system's reset"):
        stream.record()
    out = device.zeros(32, np.uint32)
    start(kernel("st.global.u32 [%mine], %i;"), device, out)
    assert list(out.numpy()) == list(range(32))
    old.close()
    assert isinstance(out.allocation, Allocation) and not out.closed
