"""The byte layout of a warp: what stands where, lanes as masks, the call stack, snapshots."""

import numpy as np
import pytest

from emulator import System
from emulator.machine.warp import ALL_LANES, CALL_STACK_LIMIT, HEADER_BYTES, Warp, lanes_of, mask_of
from tests.engines.programs import kernel, start


def warp_of(block: int = 32, body: str = "") -> Warp:
    """The first warp of a launch, before its first instruction."""
    system = System(engine="reference")
    device = system.device(0)
    start(kernel(body), device, device.zeros(64, np.uint32), block=block)
    step = system.step()
    assert step is not None
    return step.warp


@pytest.mark.parametrize("mask", [0, 1, 0x8000_0000, 0xFFFF_FFFF, 0x1234_5678])
def test_masks_and_lanes(mask: int) -> None:
    lanes = lanes_of(mask)
    assert list(lanes) == [bool(mask >> lane & 1) for lane in range(32)]
    assert mask_of(lanes) == mask


def test_the_header_is_laid_out_as_its_docstring_says() -> None:
    warp = warp_of(block=20)
    places = [
        ("pc", "i4", 0),
        ("depth", "i4", 128),
        ("frame", "u4", 256),
        ("call_top", "u4", 384),
        ("stack_top", "u4", 512),
    ]
    for name, dtype, offset in places:
        getattr(warp, name)[:] = np.arange(32)
        assert list(warp.state[offset : offset + 128].view(dtype)) == list(range(32)), name
    warp.carry[:] = np.arange(32) % 2 == 0
    assert list(warp.state[640:672]) == [1, 0] * 16
    masks = warp.state[672:704].view(np.uint32)
    assert list(masks[:2]) == [(1 << 20) - 1, 0] and warp.live == masks[0]
    for index, name in enumerate(("live", "waiting", "slice", "run_length", "turn", "ran")):
        setattr(warp, name, 0x8000_0000 + index)
        assert masks[index] == 0x8000_0000 + index == getattr(warp, name)
    assert HEADER_BYTES == 704 and warp.state.ctypes.data % 64 == 0
    warp.row(64, 128, np.uint32)[5] = 77
    assert warp.state[704 + 64 + 20] == 77


def test_a_warp_of_a_part_of_a_block() -> None:
    assert warp_of(block=1).live == 1
    assert warp_of(block=32).live == ALL_LANES
    warp = warp_of(block=33)
    assert [w.live for w in warp.cta.warps] == [ALL_LANES, 1]
    assert [w.first_thread for w in warp.cta.warps] == [0, 32]
    warp.waiting = 0xFF
    assert warp.runnable == 0xFFFF_FF00


def test_the_call_stack_of_each_lane() -> None:
    warp = warp_of()
    saved = np.arange(10, dtype=np.uint8)
    for depth in range(100):
        warp.frame[3] = 16 * depth
        assert warp.push_call(3, 1000 + depth, saved + depth)
    assert warp.push_call(4, 7, saved[:0])
    assert list(warp.depth[:6]) == [0, 0, 0, 100, 1, 0]
    assert warp.pop_call(4)[:2] == (7, 0)
    for depth in reversed(range(100)):
        return_pc, frame, back = warp.pop_call(3)
        assert (return_pc, frame, list(back)) == (1000 + depth, 16 * depth, list(saved + depth))
    assert not warp.depth.any() and not warp.call_top.any()
    assert not warp.push_call(0, 0, np.zeros(CALL_STACK_LIMIT, np.uint8))


def test_a_snapshot_of_a_warp() -> None:
    warp = warp_of()
    warp.push_call(2, 9, np.arange(4, dtype=np.uint8))
    warp.rendezvous["x", 3] = 1
    snapshot = warp.snapshot()
    before = warp.state.copy()
    warp.pop_call(2)
    warp.state[:] = 1
    warp.rendezvous.clear()
    warp.restore(snapshot)
    assert (warp.state == before).all() and warp.rendezvous == {("x", 3): 1}
    assert warp.pop_call(2)[0] == 9
