"""Python ints as kernel arguments: a compiler writes .u32 for `int` and `unsigned` alike."""

import numpy as np
import pytest

from emulator import ObjectCode
from emulator.api.parameters import pack_arguments
from emulator.errors import UsageError


def packed(kind: str, value: int) -> bytes:
    text = f".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .{kind} x) {{ ret; }}\n"
    return bytes(pack_arguments(ObjectCode.from_ptx(text).program("k"), (value,))[0])


@pytest.mark.parametrize("kind", ["u8", "s8", "u16", "s16", "u32", "s32", "b32", "u64", "s64"])
def test_either_sign_fits_as_far_as_the_bits_go(kind):
    width = int(kind[1:])
    for value in (0, -1, -(1 << width - 1), (1 << width) - 1):
        expected = np.array([value & (1 << width) - 1], np.uint64).view(np.uint8)[: width // 8]
        assert packed(kind, value)[: width // 8] == bytes(expected)
    for value in (-(1 << width - 1) - 1, 1 << width):
        with pytest.raises(UsageError, match=f"{value} is beyond {-(1 << width - 1)} .. {(1 << width) - 1}"):
            packed(kind, value)
