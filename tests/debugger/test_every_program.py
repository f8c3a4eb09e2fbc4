"""A scripted session runs on every sample, on kernels of compilers, and on two devices; results stay right."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch, samples
from emulator.debugger.session import Launched, Session
from tests.debugger.scripted import do, scripted, session_of
from tests.kernels import programs
from tests.kernels.gpu import Gpu
from tests.kernels.test_cuda_kernels import LATER
from tests.kernels.triton_programs import PROGRAMS as TRITON
from tests.kernels.triton_programs import TritonGpu

CUDA = {name: host for name, host in programs.PROGRAMS.items() if (name, "sm_90") not in LATER}
QUICK = ("hashes", "matmul_fma")  # 4,520 and 660 lines


class Debugged(Gpu):
    """Its first launch goes through the scripted session, the others run as always."""

    sessions = 0

    def launch(self, *arguments: Any, **options: Any) -> None:
        self.system.registers = "virtual"
        sync = self.system.sync
        if not self.sessions:
            self.system.sync = self._debug  # type: ignore[method-assign]
        try:
            super().launch(*arguments, **options)
        finally:
            self.system.sync = sync  # type: ignore[method-assign]

    def _debug(self) -> None:
        self.sessions += 1
        session = Session(lambda output: Launched(self.system, self.code.module.source.name, lambda: (True, [])))
        scripted(session)


class DebuggedTriton(Debugged, TritonGpu):
    """Triton's kernels, whose host sides call `start`."""


def slow_but(quick: tuple[str, ...], names: list[str]) -> list[Any]:
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", samples.names())
def test_on_every_sample(name: str) -> None:
    session = session_of(samples.find(name))
    scripted(session)
    if session.stop.reason == "end":
        assert session.launched.finish()[0] is not name.startswith("faults/")
    else:
        assert (name, session.stop.reason) == ("faults/gather_rows", "fault")


@pytest.mark.parametrize("name", slow_but(QUICK, sorted(CUDA)))
def test_on_kernels_of_nvcc(name: str) -> None:
    gpu = Debugged(name, "sm_90", "round_robin", "native")
    CUDA[name](gpu)
    assert gpu.sessions == 1


@pytest.mark.parametrize("name", slow_but(QUICK, sorted(TRITON)))
def test_on_kernels_of_triton(name: str) -> None:
    gpu = DebuggedTriton(name, "round_robin", "native")
    TRITON[name](gpu)
    assert gpu.sessions == 1


TWO = """.version 8.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 values, .param .u32 number)
{
    .reg .b64 %values; .reg .b32 %thread, %value, %number;
    ld.param.u64  %values, [values];
    ld.param.u32  %number, [number];
    mov.u32       %thread, %tid.x;
    mad.wide.u32  %values, %thread, 4, %values;
    ld.global.u32 %value, [%values];
    add.u32       %value, %value, %number;
    st.global.u32 [%values], %value;
    ret;
}
"""


@pytest.fixture
def two_devices() -> Callable[[], Session]:
    def opened() -> Session:
        code = ObjectCode.from_ptx(TWO.encode(), name="two.ptx")

        def start(output: Callable[[str], object]) -> Launched:
            system = System(2, registers="virtual")
            arrays = [system.device(n).array(np.arange(64, dtype=np.uint32), name=f"values{n}") for n in (0, 1)]
            for number, array in enumerate(arrays):
                stream = system.device(number).default_stream
                launch(stream, LaunchConfig(1, block=64), code.get_kernel("add"), array, np.uint32(100 * number))
            right = [np.arange(64) + 100 * number for number in (0, 1)]
            return Launched(
                system, "two.ptx", lambda: (all((a.numpy() == r).all() for a, r in zip(arrays, right, strict=True)), [])
            )

        return Session(start)

    return opened


def test_on_two_devices(two_devices: Callable[[], Session]) -> None:
    session = two_devices()
    scripted(session)
    assert session.launched.finish()[0]


def test_both_devices_can_be_looked_at_and_stepped(two_devices: Callable[[], Session]) -> None:
    session = two_devices()
    assert "device 1 " in do(session, "device 1").lines[0]
    do(session, "break 12 warp 1")
    stops = [do(session, "continue").stop for _ in range(3)]
    assert [stop.reason for stop in stops] == ["breakpoint", "breakpoint", "end"]
    assert {stop.key[0] for stop in stops[:2] if stop.key} == {1, 2}
    do(session, "reverse-continue")
    first = do(session, "print %value@0").lines
    do(session, "reverse-continue")
    assert first != do(session, "print %value@0").lines
