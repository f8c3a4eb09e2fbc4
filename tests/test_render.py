"""Arrays as lines of text."""

import numpy as np
import pytest

from emulator import render

LANE = np.arange(32)


@pytest.mark.parametrize(
    ("values", "mask", "base", "text"),
    [
        (np.full(32, 3, np.uint32), render.FULL_MASK, 10, "uniform 3"),
        (np.full(32, 0x40, np.uint32), render.FULL_MASK, 16, "uniform 0x40"),
        (LANE.astype(np.uint32), render.FULL_MASK, 10, "lane"),
        (LANE * 4 + 0x40, render.FULL_MASK, 16, "0x40 + 4*lane"),
        (31 - LANE, render.FULL_MASK, 10, "31 - lane"),
        (-2 * LANE - 5, render.FULL_MASK, 10, "-5 - 2*lane"),
        (np.float32(16) + LANE.astype(np.float32), render.FULL_MASK, 10, "16.0 + lane"),
        (np.float32(0.5) * LANE.astype(np.float32), render.FULL_MASK, 10, "0.5*lane"),
        (LANE // 4, render.FULL_MASK, 10, "lane/4"),
        (LANE % 4, render.FULL_MASK, 10, "lane%4"),
        (144 * (LANE // 4) + 4 * (LANE % 4) + 0x400, render.FULL_MASK, 16, "0x400 + 144*(lane/4) + 4*(lane%4)"),
        (LANE < 16, render.FULL_MASK, 10, "{0-15: 1, 16-31: 0}"),
        (np.where(LANE == 3, 62, 0), render.FULL_MASK, 10, "{0-2: 0, 3: 62, 4-31: 0}"),
        (LANE * 4, 0x0000FF00, 10, "4*lane"),
        (np.where(LANE % 2, 7, LANE * LANE), 0xAAAAAAAA, 10, "uniform 7"),
        (LANE, 0x5, 10, "{0: 0, 2: 2}"),
        (LANE, 0, 10, "no lanes"),
        (np.full(32, np.nan, np.float32), render.FULL_MASK, 10, "uniform nan"),
        (np.where(LANE < 8, -np.inf, 1.0), render.FULL_MASK, 10, "{0-7: -inf, 8-31: 1.0}"),
        (np.where(LANE < 8, -0.0, 0.0), render.FULL_MASK, 10, "{0-7: -0.0, 8-31: 0.0}"),
        (LANE * LANE, render.FULL_MASK, 10, None),
        ((LANE // 4 - 3) ** 2, render.FULL_MASK, 10, "each 4 lanes: 9 4 1 0 1 4 9 16"),
        ((LANE // 4 - 3) ** 2, 0x7FFFFFFF, 10, None),
        (((LANE // 4) / 3) ** 2, render.FULL_MASK, 10, "each 4 lanes: 0 0.1111 0.4444 1 1.778 2.778 4 5.444"),
    ],
)
def test_describes_a_row_by_its_pattern(values, mask, base, text):
    assert render.describe_row(values, mask, base) == text


def test_large_integers_do_not_pass_through_floats():
    values = np.uint64(2**60) + LANE.astype(np.uint64)
    assert render.describe_row(values) == f"{2**60} + lane"
    values[31] += np.uint64(1)
    assert render.describe_row(values) is None


def test_lane_grid_marks_changed_and_inactive_lanes():
    lines = render.lane_grid(LANE * LANE, mask=0x0000FFFF, changed=0b10)
    assert lines == [
        "   0-7    0    1*   4    9   16   25   36   49",
        "  8-15   64   81  100  121  144  169  196  225",
        " 16-23    .    .    .    .    .    .    .    .",
        " 24-31    .    .    .    .    .    .    .    .",
    ]


def test_lane_grid_of_floats_fits_80_columns():
    values = np.random.default_rng(0).standard_normal(32).astype(np.float32) * np.float32(1e-20)
    assert max(map(len, render.lane_grid(values, changed=render.FULL_MASK))) <= 80


def test_memory_grid_folds_equal_rows():
    words = np.concatenate([np.zeros(24, np.uint32), np.arange(3, dtype=np.uint32)])
    assert render.memory_grid(words, address=0x400) == [
        "0x0400  0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0",
        "     *",
        "0x0460  0x0 0x1 0x2",
    ]


def test_memory_grid_shows_the_beginning_of_wide_rows():
    words = np.arange(12, dtype=np.float32)
    assert render.memory_grid(words, columns=2, pitch=6) == ["0x0000   0  1  ... 4 more", "0x0018   6  7  ... 4 more"]


def test_bars_scale_to_the_longest_and_never_hide_a_count():
    assert render.bar_chart(["a", "bb", "c"], [0, 1, 100], width=10) == [
        " a    0",
        "bb    1  #",
        " c  100  ##########",
    ]
    assert render.bar_chart(["a"], [0]) == ["a  0"]


def test_lanes_as_signs_ranges_and_masks():
    assert render.lane_bar(0x3) == "##" + "." * 30
    assert render.lane_ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert render.mask_of(LANE < 4) == 0xF
    assert render.digit_row([0, 1, 9, 10]) == ".19+"
