"""Ctrl-C comes between two instructions: a run that goes on after it leaves what it leaves without."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch

COLLATZ = ObjectCode.from_ptx(b"""
.version 9.0
.target sm_90a
.address_size 64
.visible .entry steps(.param .u64 out)
{
    .shared .align 4 .u32 most;
    .reg .pred %odd, %more, %first;
    .reg .b32 %r<8>;
    .reg .b64 %rd<4>;
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %ntid.x;
    mov.u32 %r3, %tid.x;
    mad.lo.u32 %r1, %r1, %r2, %r3;
    add.u32 %r4, %r1, 1;
    mov.u32 %r5, 0;
NEXT:
    and.b32 %r6, %r4, 1;
    setp.eq.u32 %odd, %r6, 1;
    @%odd bra ODD;
    shr.u32 %r4, %r4, 1;
    bra COUNT;
ODD:
    mad.lo.u32 %r4, %r4, 3, 1;
COUNT:
    add.u32 %r5, %r5, 1;
    setp.ne.u32 %more, %r4, 1;
    @%more bra NEXT;
    atom.shared.max.u32 %r6, [most], %r5;
    bar.sync 0;
    ld.shared.u32 %r6, [most];
    shl.b32 %r6, %r6, 16;
    or.b32 %r6, %r6, %r5;
    ld.param.u64 %rd1, [out];
    mad.wide.u32 %rd2, %r1, 4, %rd1;
    st.global.u32 [%rd2], %r6;
    ret;
}
""")


class Presses:
    """Presses Ctrl-C at every `every`-th line of Python that the engines execute, from the `first` on; counts them."""

    def __init__(self, first: int, every: int) -> None:
        self.next = first
        self.every = every
        self.lines = 0
        self.count = 0

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if "engines" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.next:
                self.next += self.every
                self.count += 1
                signal.raise_signal(signal.SIGINT)
        return self.trace

    @contextmanager
    def pressing(self) -> Iterator[None]:
        """Meanwhile Ctrl-C is a KeyboardInterrupt."""
        before, traced = signal.signal(signal.SIGINT, signal.default_int_handler), sys.gettrace()
        sys.settrace(self.trace)
        try:
            yield
        finally:
            sys.settrace(traced)
            signal.signal(signal.SIGINT, before)


def run(engine: str, jobs: int, grid: int, presses: Presses | None) -> tuple[int, bytes]:
    """Time and output."""
    system = System(engine=engine, jobs=jobs)
    device = system.device(0)
    out = device.zeros(64 * grid, np.uint32)
    launch(device.default_stream, LaunchConfig(grid, block=64), COLLATZ.get_kernel("steps"), out)
    while presses is not None and system.runner.busy:
        with suppress(KeyboardInterrupt), presses.pressing():
            system.sync()
    left = out.numpy().tobytes()
    return system.runner.time, left


@pytest.mark.parametrize(
    ("engine", "jobs", "grid", "every"), [("reference", 1, 1, 5000), ("native", 1, 300, 500), ("native", 2, 2000, 900)]
)
def test_a_run_goes_on(engine: str, jobs: int, grid: int, every: int) -> None:
    wanted, count = run("native", 1, grid, None), 0
    for first in range(1, every, every // 6):
        presses = Presses(first, every)
        assert run(engine, jobs, grid, presses) == wanted, f"Ctrl-C at line {first} and every {every}"
        count += presses.count
    assert count >= 6
