"""32 values in one line."""

import numpy as np
import pytest

from emulator.debugger.patterns import compress, format_one, lane_cell
from emulator.debugger.values import Value

LANES = np.arange(32)
ALL = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("row", "lanes", "base", "text"),
    [
        (np.full(32, 3, np.uint32), ALL, 10, "uniform 3"),
        ((0x40 + 4 * LANES).astype(np.uint32), ALL, 16, "0x40 + 4*lane"),
        ((LANES < 16).astype(np.uint8), ALL, 10, "{0-15: 1, 16-31: 0}"),
        (LANES < 16, ALL, 10, "{0-15: 1, 16-31: 0}"),
        (LANES.astype(np.uint32), 0x0000000F, 10, "lane"),
        (np.full(32, -1, np.int32), ALL, 16, "uniform 0xffffffff"),
        (np.full(32, -1, np.int32), ALL, 10, "uniform -1"),
        (16.0 + LANES.astype(np.float32), ALL, 10, "16.0 + lane"),
        (np.full(32, np.nan, np.float32), ALL, 10, "uniform nan"),
        (np.full(32, 5, np.uint32), ALL, 2, "uniform 0b101"),
        (LANES.astype(np.uint32), 0, 10, "no lanes"),
        ((LANES * LANES).astype(np.uint32), ALL, 10, "0 1 4 9 16 25 36 49 64 81 100 121 144 169 196 225 ... 961"),
    ],
)
def test_rows(row: np.ndarray, lanes: int, base: int, text: str) -> None:
    assert compress(Value(row), lanes, base) == text


def test_no_line_is_wider_than_asked() -> None:
    rows = (np.random.default_rng(1).integers(0, 1 << 63, 32), np.random.default_rng(2).normal(size=32))
    for row in rows:
        for base in (2, 10, 16):
            for width in (70, 60, 50):
                short = compress(Value(row), ALL, base, width)
                assert len(short) <= max(width, 2 * 66 + 5)
                assert short.endswith(lane_cell(Value(row), 31, base))


def test_several_values_a_lane_are_rows_of_their_own() -> None:
    data = np.stack((LANES, np.full(32, 7)), axis=1)
    assert compress(Value(data)) == "[lane, uniform 7]"
    assert lane_cell(Value(data), 5) == "[5 7]"


def test_one_number_in_every_base() -> None:
    assert format_one(255, 16) == "0xff"
    assert format_one(-1, 16, 32) == "0xffffffff"
    assert format_one(5, 2) == "0b101"
    assert format_one(65, 256) == "'A'"
    assert format_one(np.float32(0.1)) == "0.1"
    assert format_one(1e30) == "1e+30"
    assert format_one(2.0) == "2.0"
    assert format_one(float("inf")) == "inf"


def test_lanes_that_are_not_known_are_left_out() -> None:
    value = Value(LANES.astype(np.uint32), lanes=0x0000000E)
    assert compress(value) == "lane"
    assert lane_cell(value, 0) == "?"
