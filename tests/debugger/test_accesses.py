"""The arithmetic of banks and sectors, on shapes whose answers are known."""

import pytest

from emulator.debugger.accesses import bank_use, sector_use, stride_of

LANES = range(32)


@pytest.mark.parametrize(
    ("addresses", "size", "wavefronts", "ideal"),
    [
        ([4 * lane for lane in LANES], 4, 1, 1),
        ([128 * lane for lane in LANES], 4, 32, 1),
        ([132 * lane for lane in LANES], 4, 1, 1),
        ([8 * lane for lane in LANES], 4, 2, 1),
        ([64] * 32, 4, 1, 1),  # one word for all
        (list(LANES), 1, 1, 1),
        ([8 * lane for lane in LANES], 8, 2, 2),  # two passes of 16 lanes
        ([16 * lane for lane in LANES], 16, 4, 4),
        ([128 * lane for lane in LANES], 8, 32, 2),
        ([128 * lane for lane in LANES], 16, 32, 4),
    ],
)
def test_wavefronts(addresses: list[int], size: int, wavefronts: int, ideal: int) -> None:
    use = bank_use(dict(enumerate(addresses)), size)
    assert (use.wavefronts, use.ideal) == (wavefronts, ideal)


@pytest.mark.parametrize(
    ("addresses", "size", "sectors", "ideal"),
    [
        ([4 * lane for lane in LANES], 4, 4, 4),
        ([128 * lane for lane in LANES], 4, 32, 4),
        ([4 * lane + 4 for lane in LANES], 4, 5, 4),  # not at the start of a sector
        ([0x700000001000] * 32, 4, 1, 1),
        ([16 * lane for lane in LANES], 16, 16, 16),
        ([40 * lane for lane in range(4)], 8, 4, 1),
    ],
)
def test_sectors(addresses: list[int], size: int, sectors: int, ideal: int) -> None:
    use = sector_use(dict(enumerate(addresses)), size)
    assert (len(use.sectors), use.ideal) == (sectors, ideal)


def test_a_stride_is_the_same_from_lane_to_lane() -> None:
    assert stride_of({0: 0, 1: 128, 3: 384}) == 128
    assert stride_of({0: 0, 1: 128, 2: 260}) is None
    assert stride_of({5: 7}) is None
