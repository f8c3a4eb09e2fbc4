"""The cross-check through the GPU backend: every call of the driver, with an emulator behind the driver."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from emulator import Device
from emulator.commands import ExitCode, main
from emulator.crosscheck import verdict as v
from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.cases import GROUPS
from emulator.crosscheck.check import CrossCheck
from emulator.crosscheck.gpu import GpuBackend
from emulator.crosscheck.recordings import EQUAL, NOT_YET, load_evidence, record, save, verify
from emulator.crosscheck.stand_in import Lie
from tests.crosscheck import kernels
from tests.crosscheck.emulated_driver import EmulatedDriver
from tests.crosscheck.test_devices import triple
from tests.crosscheck.test_recordings import SQUARES


def test_a_planted_bit_is_found_through_the_driver() -> None:
    job = kernels.sample("cuda/block_scan")
    lie = Lie(job.kernel, kernels.pc_of(job, "add.s32 %r49, %r48, %r45"), 1, 0, 131, 0)
    report = CrossCheck(EmulatorBackend(), GpuBackend(driver=EmulatedDriver([lie]))).run(job)
    assert (report.verdict.word, report.gpu) == (v.EMULATOR_BUG, "fake GPU")
    assert report.finding is not None
    found = report.finding.difference
    assert (report.finding.instruction.pc, 32 * found.warp + found.lane) == (lie.pc, lie.thread)


def test_equal_samples_through_the_driver() -> None:
    gpu = GpuBackend(driver=EmulatedDriver())
    for name in ("01_basics/saxpy", "03_shared/transpose", "moe/expert_histogram"):
        assert CrossCheck(EmulatorBackend(), gpu).run(kernels.sample(name)).verdict.word == v.EQUAL


def test_recording_goes_on_behind_a_fault(tmp_path: Path) -> None:
    wild = replace(SQUARES, name="wild", ptx=SQUARES.ptx.replace("[%at]", "[%at+1]"))
    refused = replace(SQUARES, name="refused", ptx="nonsense")
    found = record(GpuBackend(driver=EmulatedDriver()), "samples", [SQUARES, wild, refused, SQUARES], "2026-01-01")
    errors = [answer.error for answer in found.answers]
    assert errors == ["", "CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_INVALID_IMAGE", ""]
    evidence = load_evidence(save(found, tmp_path))
    assert [verify(evidence.answers[n], "reference").state for n in (0, 3)] == [EQUAL, EQUAL]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU, as every process sees it anew."""
    monkeypatch.setattr("emulator.crosscheck.gpu.import_driver", EmulatedDriver)


@pytest.mark.parametrize("kind", ["gpu", "both"])
def test_the_api_on_a_gpu(kind: str, gpu: None) -> None:
    np.testing.assert_array_equal(triple(Device(0, backend=kind)), 9 * np.arange(64, dtype=np.float32))


@pytest.mark.slow
def test_everything_is_recorded_through_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `make gpu-record` does: every case, by every call of the driver."""
    driver = EmulatedDriver(engine="reference")
    monkeypatch.setattr("emulator.crosscheck.gpu.import_driver", lambda: driver)
    monkeypatch.setattr("emulator.crosscheck.counters.measure", lambda: ({}, "there is no ncu on PATH"))
    result = CliRunner().invoke(main, ["crosscheck", "record", "all", "--rows", "4", "--out", str(tmp_path)])
    assert result.exit_code == ExitCode.OK, result.output
    assert driver.calls.count(("unload",)) > 1900
    for group in GROUPS:
        found = load_evidence(tmp_path / f"{group}.ptxr")
        refused = {answer.error for answer in found.answers if answer.error}
        assert len(found.answers) == len(kernels.cases(group))
        assert refused <= {"CUDA_ERROR_NOT_FOUND"}, group  # what the emulator does not execute yet
        assert bool(refused) == (group in ("tensor", "probes"))
        answer = next(answer for answer in found.answers if not answer.error or group == "tensor")
        assert verify(answer, "native").state in (EQUAL, NOT_YET)


def test_the_command_on_a_gpu(gpu: None, tmp_path: Path) -> None:
    def invoke(*arguments: Any) -> Any:
        return CliRunner().invoke(main, ["crosscheck", *map(str, arguments)])

    result = invoke("run", "04_warp/warp_sum")
    assert (result.exit_code, "verdict: EQUAL" in result.output) == (ExitCode.OK, True)
    result = invoke("record", "patterns", "--out", tmp_path)
    assert result.exit_code == ExitCode.OK
    assert "patterns     20 cases" in result.output
    assert load_evidence(tmp_path / "patterns.ptxr").identity.name == "fake GPU"
    result = invoke("verify", tmp_path)
    assert result.output.startswith("patterns: fake GPU, CUDA 13.0, ")
    assert "40 equal" in result.output
