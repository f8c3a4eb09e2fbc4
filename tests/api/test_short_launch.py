"""kernel[grid, block](...): NumPy in and out."""

import numpy as np
import pytest

from emulator import System, configure
from emulator.errors import IllegalAddress
from tests.engines.programs import kernel

ADD = """
    ld.param.u64 %rd0, [b];
    mul.wide.u32 %rd1, %i, 4;
    add.u64 %rd0, %rd0, %rd1;
    ld.global.u32 %r0, [%rd0];
    ld.global.u32 %r1, [%mine];
    add.u32 %r0, %r0, %r1;
    st.global.u32 [%mine], %r0;
    bar.sync 0;
    ld.global.u32 %r2, [%rd0];
    ld.param.u32 %r3, [n];
    add.u32 %r2, %r2, %r3;
    st.global.u32 [%rd0], %r2;
"""
PARAMETERS = ".param .u64 b, .param .u32 n"


def test_arrays_are_copied_in_and_out() -> None:
    configure()
    code = kernel(ADD, parameters=PARAMETERS)
    a, b = np.arange(64, dtype=np.uint32), np.full(64, 10, np.uint32)
    code[2, 32](a, b, np.uint32(5))
    assert list(a) == [n + 10 for n in range(64)] and set(b) == {15}


def test_an_array_that_is_given_twice_is_one_buffer() -> None:
    code = kernel(ADD, parameters=PARAMETERS)
    a = np.arange(32, dtype=np.uint32)
    with System() as system:
        code[1, 32](a, a, 1, device=system.device(0))
    assert list(a) == [2 * n + 1 for n in range(32)]


def test_an_array_that_cannot_be_written_is_an_input() -> None:
    code = kernel(ADD, parameters=PARAMETERS)
    a, b = np.arange(32, dtype=np.uint32), np.full(32, 10, np.uint32)
    b.flags.writeable = False
    with System() as system:
        with pytest.raises(ValueError, match="k has written to b: a read-only NumPy array"):
            code[1, 32](a, b, 5, device=system.device(0))
        assert not list(system.runner.memory.allocations())
        assert a[3] == 13 and set(b) == {10}
        code[1, 32](a, b, 0, device=system.device(0))
    assert a[3] == 23 and set(b) == {10}


def test_arrays_keep_their_values_after_a_fault() -> None:
    code = kernel(ADD, parameters=PARAMETERS)
    a, b = np.arange(32, dtype=np.uint32), np.full(8, 10, np.uint32)
    with pytest.raises(IllegalAddress, match='past the end of "b"'):
        code[1, 32](a, b, 5, device=System().device(0))
    assert list(a) == list(range(32)) and set(b) == {10}


@pytest.mark.parametrize("sizes", [1, (1,), (1, 2, 3, 4)])
def test_sizes_in_brackets(sizes: object) -> None:
    with pytest.raises(TypeError, match=r"kernel\[grid, block\]"):
        kernel("")[sizes]
