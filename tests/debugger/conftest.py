"""Sessions over kernels of text, for tests that look below the console."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.debugger.session import Launched, Session

HEAD = ".version 8.0\n.target sm_80\n.address_size 64\n"
Open = Callable[..., Session]

# Divergence, a barrier in a loop, shared memory, a call, atomics whose order shows.
BUSY = """
.func (.reg .u32 r) scramble(.reg .u32 a)
{
    mad.lo.u32 r, a, 1664525, 1013904223;
    ret;
}
.visible .entry busy(.param .u64 out, .param .u32 rounds)
{
    .shared .align 4 .b32 box[64];
    .reg .b64 %out, %mine; .reg .b32 %t, %i, %x, %at, %y, %n, %o; .reg .pred %odd, %more;
    ld.param.u64 %out, [out];
    ld.param.u32 %n, [rounds];
    mov.u32 %t, %tid.x;
    mov.u32 %i, 0;
    mov.u32 %x, %t;
    mov.u32 %at, box;
    mad.lo.u32 %at, %t, 4, %at;
ROUND:
    and.b32 %y, %x, 1;
    setp.ne.u32 %odd, %y, 0;
@%odd bra ODD;
    call (%x), scramble, (%x);
    bra JOIN;
ODD:
    add.u32 %x, %x, 7;
JOIN:
    st.shared.u32 [%at], %x;
    bar.sync 0;
    atom.global.add.u32 %o, [%out], 1;
    add.u32 %x, %x, %o;
    bar.sync 0;
    add.u32 %i, %i, 1;
    setp.lt.u32 %more, %i, %n;
@%more bra ROUND;
    mad.wide.u32 %mine, %t, 4, %out;
    st.global.u32 [%mine+4], %x;
    ret;
}
"""


@pytest.fixture
def open_session() -> Open:
    """A session on a kernel of text; arguments are arrays by name and scalars."""

    def opened(text: str, *arguments: Any, block: int = 64, grid: int = 1, **options: Any) -> Session:
        code = ObjectCode.from_ptx((HEAD + text).encode(), name="k.ptx")

        def start(output: Callable[[str], object]) -> Launched:
            system = System(output=output, registers="virtual", **options)
            device = system.device(0)
            kernel = code.get_kernel(code.kernels[0])
            names = [parameter.name for parameter in kernel.program.parameters]
            values = [
                device.array(value, name=name) if np.ndim(value) else value
                for name, value in zip(names, arguments, strict=True)
            ]
            launch(device.default_stream, LaunchConfig(grid, block=block), kernel, *values)
            return Launched(system, "k.ptx", lambda: (True, []))

        return Session(start)

    return opened


@pytest.fixture
def busy(open_session: Open) -> Callable[..., Session]:
    """A session on BUSY."""
    return lambda rounds=3, **options: open_session(BUSY, np.zeros(65, np.uint32), np.uint32(rounds), **options)
