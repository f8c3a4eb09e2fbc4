"""What is compared besides buffers: a module's variables, printed lines; and what never is, a tensor map's bytes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, launch
from emulator.crosscheck import verdict as v
from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.check import CrossCheck, Report
from emulator.crosscheck.devices import GpuDevice
from emulator.crosscheck.gpu import GpuBackend
from emulator.crosscheck.job import variables_of
from emulator.crosscheck.report import lines
from emulator.crosscheck.stand_in import Lie, StandIn, everywhere
from emulator.crosscheck.tensor_map import TensorMap
from tests.crosscheck import kernels
from tests.crosscheck.emulated_driver import EmulatedDriver

TOTALS = ".visible .global .align 4 .u32 totals[64];\n"
STORES_IN_VARIABLE = """
    mov.u64 %rd1, totals;
    mul.wide.u32 %rd2, %thread, 4;
    add.u64 %rd1, %rd1, %rd2;
    mad.lo.u32 %r1, %thread, 3, 5;
    st.global.u32 [%rd1], %r1;
"""


def check(job: Any, gpu: Any) -> Report:
    return CrossCheck(EmulatorBackend(), gpu).run(job)


def test_variables_that_other_modules_see_are_compared() -> None:
    text = """.version 8.8\n.target sm_90a\n.address_size 64
        .visible .global .f32 one[3];  .weak .global .v4.u32 two;  .global .u32 hidden;  .visible .const .u32 fixed;
        .visible .global .b64 pointer = one;  .visible .global .b16 many<2>;  .extern .global .u32 elsewhere;
        .visible .global .f16 half = 0x3c00;"""
    found = {memory.name: (memory.before.dtype.name, memory.before.size) for memory in variables_of(text)}
    assert found == {
        "one": ("float32", 3),
        "two": ("uint32", 4),
        "many0": ("uint16", 1),
        "many1": ("uint16", 1),
        "half": ("float16", 1),
    }


def test_a_difference_in_a_variable_is_found() -> None:
    job = kernels.job(STORES_IN_VARIABLE, before=TOTALS)
    assert check(job, StandIn()).verdict.word == v.EQUAL
    report = check(job, StandIn([Lie("k", kernels.pc_of(job, "mad.lo.u32 %r1"), 4, 0, 40, 0)]))
    assert (report.verdict.word, report.outputs[1].name, report.outputs[1].index) == (v.EMULATOR_BUG, "totals", (40,))
    assert report.finding is not None
    assert report.finding.instruction.text == "mad.lo.u32 %r1, %thread, 3, 5;"
    assert report.first is not None
    assert report.first[1].thread == 40


def test_a_variable_that_is_given_an_address_is_excluded() -> None:
    before = TOTALS + ".visible .global .b64 place;\n"
    job = kernels.job("    mov.u64 %rd1, totals;\n    st.global.u64 [place], %rd1;", before=before)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "mov.u64 %rd1"), 9))]))
    assert (report.verdict.word, report.outputs[2].excluded) == (v.EQUAL, 1)
    assert "place, as line" in report.excluded[0]


# --- printed lines --------------------------------------------------------------------------------------

HELLO = "06_functions/hello_vprintf"


@pytest.fixture
def wrong() -> Lie:
    """A quarter less in what one thread prints."""
    job = kernels.sample(HELLO)
    return Lie(job.kernel, kernels.pc_of(job, "div.rn.f64"), 52, 1, 1, 0)


def test_printed_lines_are_compared_in_any_order(wrong: Lie) -> None:
    job = kernels.sample(HELLO)
    assert check(job, StandIn(schedule="random:4")).verdict.word == v.EQUAL
    report = check(job, StandIn([wrong]))
    assert report.verdict.word == v.EMULATOR_BUG
    assert report.finding is not None
    assert report.finding.instruction.pc == wrong.pc
    assert report.outputs[-1].name == "printed lines"
    text = list(lines(report))
    assert "  printed by the emulator alone: Hello from thread 1 of CTA 1, 50.0 percent done" in text
    assert "  printed by the GPU alone: Hello from thread 1 of CTA 1, 100.0 percent done" in text
    unstable = check(job, StandIn([wrong], unstable=True))
    assert (unstable.verdict.word, unstable.launches) == (v.RACE, 0)


class PrintingDriver(EmulatedDriver):
    """Kernels print to the process's standard output, when the driver is waited for."""

    def _start(self) -> None:
        super()._start()
        self.bytes = self.system.runner.memory
        self.system.runner.output = lambda text: os.write(1, text.encode())


def test_what_a_driver_prints_is_kept(capfd: pytest.CaptureFixture[str], wrong: Lie) -> None:
    gpu = GpuBackend(driver=PrintingDriver())
    assert check(kernels.sample(HELLO), gpu).verdict.word == v.EQUAL
    assert "Hello from thread 1 of CTA 1, 50.0" in gpu.printed
    report = check(kernels.sample(HELLO), GpuBackend(driver=PrintingDriver([wrong])))
    assert report.verdict.word == v.EMULATOR_BUG
    assert capfd.readouterr().out == ""


def test_a_gpu_alone_prints(capfd: pytest.CaptureFixture[str], checkout: Path) -> None:
    device = GpuDevice(0, gpu=GpuBackend(driver=PrintingDriver()))
    code = ObjectCode.from_ptx(checkout / "ptx_samples" / f"{HELLO}.ptx")
    launch(device.default_stream, LaunchConfig(1, block=32), code.get_kernel("hello"), 1)
    device.sync()
    device.sync()
    assert capfd.readouterr().out == "Hello from thread 0 of CTA 0, 0.0 percent done\n"


# --- tensor maps ----------------------------------------------------------------------------------------

COPIES_MAP = """.version 8.8
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 out, .param .align 64 .b8 map[128])
{
    .reg .b64 %out, %word;
    ld.param.u64 %out, [out];
    ld.param.u64 %word, [map+8];
    st.global.u64 [%out], %word;
    ret;
}
"""


def test_the_bytes_of_a_tensor_map_are_each_drivers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, byte in ((EmulatorBackend, 1), (StandIn, 2)):
        monkeypatch.setattr(kind, "tensor_map", lambda self, tensor, address, byte=byte: bytes([byte]) * 128)
    job = kernels.job("", block=32)
    tensor = TensorMap.parse("tensormap of out u32 dims 8,4 box 4,4", ["out"])
    parameters = (*job.parameters, tensor)
    out = replace(job.buffers[0], before=np.zeros(1, np.uint64))
    job = replace(job, ptx=COPIES_MAP, parameters=parameters, buffers=(out,))
    report = check(job, StandIn())
    assert (report.verdict.word, report.outputs[0].excluded) == (v.EQUAL, 1)
    assert report.excluded == ["out, as line 9 writes it: the tensor map map, line 8"]
