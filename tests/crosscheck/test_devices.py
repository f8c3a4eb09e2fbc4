"""The API's calls on other backends: the same program, another machine behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emulator import Device, LaunchConfig, ObjectCode, System, launch
from emulator.crosscheck import devices
from emulator.crosscheck.devices import BothDevice, GpuDevice, Mismatch, checked
from emulator.crosscheck.stand_in import Lie, StandIn
from emulator.errors import NoGpu
from tests.crosscheck import kernels

BODY = """
    ld.global.f32 %f1, [%mine];
    mul.rn.f32 %f2, %f1, 0f40400000;
    st.global.f32 [%mine], %f2;
"""
CODE = ObjectCode.from_ptx(kernels.kernel(BODY).encode(), name="k.ptx")
PC = kernels.pc_of(kernels.job(BODY), "mul.rn")


def triple(device: Device) -> Any:
    """A whole program of the API."""
    x = device.array(np.arange(64, dtype=np.float32), name="x")
    y = device.zeros(64, np.float32)
    kernel = CODE.get_kernel("k")
    launch(device.default_stream, LaunchConfig(2, block=32), kernel, x)
    device.sync()
    y.write(x.numpy())
    launch(device.create_stream(), LaunchConfig(grid=1, block=64), kernel, y)
    short = np.ones(32, np.float32)
    kernel[1, 32](short, device=device)
    assert short.tolist() == [3.0] * 32
    assert device.arch == "sm_90a"
    return y.numpy()


@pytest.mark.parametrize("kind", ["emulator", "gpu", "both"])
def test_the_same_program_on_every_backend(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu", lambda index: StandIn())
    device = Device(0, backend=kind)
    assert type(device) is {"emulator": Device, "gpu": GpuDevice, "both": BothDevice}[kind]
    np.testing.assert_array_equal(triple(device), 9 * np.arange(64, dtype=np.float32))
    if isinstance(device, BothDevice):
        assert [report.verdict.word for report in device.reports] == ["EQUAL"] * 3


def test_a_mismatch_carries_its_report() -> None:
    with checked(StandIn([Lie("k", PC, 0, 1, 5, 0)])) as device, pytest.raises(Mismatch) as error:
        triple(device)
    assert error.value.diagnostics[0].code == "PTX-G0604"
    assert "EMULATOR BUG?" in str(error.value)
    finding = error.value.report.finding
    assert finding is not None
    assert (finding.instruction.text, finding.difference.cta, finding.difference.lane) == (
        "mul.rn.f32 %f2, %f1, 0f40400000;",
        1,
        5,
    )


def test_a_declared_tolerance_is_kept() -> None:
    body = BODY.replace("mul.rn.f32 %f2, %f1, 0f40400000", "ex2.approx.ftz.f32 %f2, %f1")
    code = ObjectCode.from_ptx(kernels.kernel(body).encode())
    pc = kernels.pc_of(kernels.job(body), "ex2")
    gpu = StandIn([Lie("k", pc, 0, None, None, None)])
    with checked(gpu, rtol=1e-6) as device:
        launch(device.default_stream, LaunchConfig(1, block=32), code.get_kernel("k"), device.zeros(32))
    with checked(gpu) as device, pytest.raises(Mismatch):
        launch(device.default_stream, LaunchConfig(1, block=32), code.get_kernel("k"), device.zeros(32))


def test_a_pointer_into_a_buffer_moves_with_it() -> None:
    with checked(StandIn()) as device:
        x = device.array(np.arange(64, dtype=np.float32))
        launch(device.default_stream, LaunchConfig(1, block=32), CODE.get_kernel("k"), x.address + 128)
        assert x.numpy().tolist() == [*range(32), *(3.0 * n for n in range(32, 64))]


def test_what_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="there is emulator, gpu, both"):
        Device(0, backend="fpga")
    with System() as system, pytest.raises(ValueError, match="belongs to no emulated system"):
        Device(0, backend="gpu", system=system)
    monkeypatch.setattr("emulator.crosscheck.gpu.BINDINGS", "no.such.package")
    for kind in ("gpu", "both"):
        with pytest.raises(NoGpu, match="PTX-G0601"):
            Device(0, backend=kind)


def test_a_closed_buffer_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu", lambda index: StandIn())
    buffer = Device(0, backend="gpu").array(np.arange(3))
    with pytest.raises(ValueError, match="16 bytes for the buffer"):
        buffer.write([1, 2])
    buffer.close()
    with pytest.raises(ValueError, match="is closed"):
        buffer.numpy()
