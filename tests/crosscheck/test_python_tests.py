"""`ptxemu crosscheck test`: Python tests that know nothing of a GPU, compared launch by launch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from emulator import Device, LaunchConfig, launch
from emulator.commands import ExitCode, main
from emulator.crosscheck.devices import BothDevice, Mismatch, everywhere
from emulator.crosscheck.job import Tolerance
from emulator.crosscheck.stand_in import Lie, StandIn
from tests.crosscheck.test_devices import CODE, PC, triple

TEST = """
import numpy
from emulator import Device, LaunchConfig, ObjectCode, launch

def test_sum():
    kernel = ObjectCode.from_ptx({path!r}).get_kernel("warp_sum")
    device = Device(0)
    numbers, total = device.array(numpy.arange(32, dtype=numpy.uint32)), Device(0).zeros(32, numpy.uint32)
    launch(device.default_stream, LaunchConfig(1, block=32), kernel, numbers, total)
    assert total.numpy()[0] == 496

def test_wrong():
    assert Device(0).zeros(1).numpy()[0] == 1
"""


def test_a_program_that_names_no_backend_is_compared() -> None:
    with everywhere(StandIn(), Tolerance()) as reports:
        device = Device(0)
        assert isinstance(device, BothDevice)
        np.testing.assert_array_equal(triple(device), 9 * np.arange(64, dtype=np.float32))
        assert type(device.system.device(0)) is Device
    assert [report.verdict.word for report in reports] == ["EQUAL"] * 3
    assert type(Device(0)) is Device


def test_a_buffer_of_another_device_object_is_known() -> None:
    with everywhere(StandIn([Lie("k", PC, 0, 0, 5, 0)]), Tolerance()) as reports:
        x = Device(0).array(np.arange(64, dtype=np.float32))
        with pytest.raises(Mismatch):
            launch(Device(0).default_stream, LaunchConfig(2, block=32), CODE.get_kernel("k"), x)
        CODE.get_kernel("k")[1, 5](np.ones(5, np.float32))
    assert [report.verdict.word for report in reports] == ["EMULATOR BUG?", "EQUAL"]


def test_the_command(tmp_path: Path, checkout: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(TEST.format(path=str(checkout / "ptx_samples" / "04_warp" / "warp_sum.ptx")))
    command = [sys.executable, "-m", "emulator", "crosscheck", "test", "--stand-in", str(file), "--", "-p", "no:xdist"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=checkout)
    assert done.returncode == ExitCode.FAILED, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert done.stdout.splitlines()[-1] == "launches compared with stand-in: 1 EQUAL"


def test_no_gpu_is_exit_code_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.crosscheck.gpu.BINDINGS", "no.such.package")
    result = CliRunner().invoke(main, ["crosscheck", "test", "test_it.py"])
    assert (result.exit_code, "PTX-G0601" in result.output) == (ExitCode.NO_GPU, True)


def test_no_pytest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pytest" else spec(name))
    result = CliRunner().invoke(main, ["crosscheck", "test", "--stand-in", "test_it.py"])
    assert (result.exit_code, "pytest is not installed" in result.output) == (ExitCode.USAGE, True)
