"""Recordings: files that keep bits, refuse what is no evidence, and are verified on every engine."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from emulator.commands import ExitCode, main
from emulator.crosscheck import recordings
from emulator.crosscheck.backend import HARDWARE, EmulatorBackend, Identity
from emulator.crosscheck.case import Case, address, kernel_text, scalar
from emulator.crosscheck.cases import GROUPS
from emulator.crosscheck.check import CrossCheck
from emulator.crosscheck.recordings import Answer, Recording, decode, encode, load, load_evidence, record, save, verify
from emulator.crosscheck.stand_in import Replay, StandIn
from emulator.errors import DriverError, UsageError
from tests.crosscheck import kernels

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings"
ENGINES = ("native", "reference")
TEXT = kernel_text(
    ("x", "y"),
    address("%at", "x", 4)
    + address("%to", "y", 4)
    + "    .reg .f32 %f;\n    ld.global.f32 %f, [%at];\n    mul.rn.f32 %f, %f, %f;\n    st.global.f32 [%to], %f;",
)
SQUARES = Case("squares", "samples", TEXT, (("x", "edges f32 32 64 0"), ("y", "u32[64]")), ("y",), grid=(2,))


def hardware(answers: tuple[Answer, ...]) -> Recording:
    """What a GPU would have answered."""
    return Recording("samples", Identity(HARDWARE, "a GPU", "CUDA 13.0", "sm_90a"), "2026-01-01", answers)


def answer_of(case: Case) -> Answer:
    return record(StandIn(), case.group, [case], "2026-01-01").answers[0]


def test_a_file_gives_back_what_it_was_given() -> None:
    big = np.cumsum(np.arange(70_000, dtype=np.uint32) % 5, dtype=np.uint32)
    big[5000] = 0xFFFFFFFF  # two steps that do not fit a byte
    answer = replace(answer_of(SQUARES), outputs=(big,))
    failed = Answer(replace(SQUARES, name="failed"), "hash", (), "CUDA_ERROR_ILLEGAL_ADDRESS")
    recording = replace(hardware((answer, failed)), counters={"x": {"sectors": 4.0}})
    data = encode(recording)
    found = decode(data, "x")
    assert found.answers[0].case == SQUARES
    np.testing.assert_array_equal(found.answers[0].outputs[0], big)
    assert found.answers[0].outputs[0].dtype == big.dtype
    assert (found.answers[1], found.counters) == (failed, recording.counters)
    assert (found.identity, found.date, found.group) == (recording.identity, "2026-01-01", "samples")
    assert len(data) < 4000


def test_words_that_are_not_smooth_are_kept_plain() -> None:
    noise = np.random.default_rng(1).integers(0, 1 << 32, 70_000, np.uint32)
    found = decode(encode(hardware((replace(answer_of(SQUARES), outputs=(noise,)),))), "x")
    np.testing.assert_array_equal(found.answers[0].outputs[0], noise)


@pytest.mark.parametrize("place", [0, 25, 60, -1])
def test_damaged_bytes_are_refused(place: int) -> None:
    data = bytearray(encode(hardware((answer_of(SQUARES),))))
    data[place] ^= 1
    with pytest.raises(UsageError, match="PTX-G0605"):
        decode(bytes(data), "x.ptxr")


def test_contents_under_another_hash_are_refused() -> None:
    data = encode(hardware((answer_of(SQUARES),)))
    start = len(recordings.MAGIC)
    body = lzma.decompress(data[start + 32 :]).replace(b"a GPU", b"b GPU")
    with pytest.raises(UsageError, match="do not have the hash"):
        decode(data[: start + 32] + lzma.compress(body), "x.ptxr")


def test_a_stand_ins_file_is_no_evidence(tmp_path: Path) -> None:
    path = save(record(StandIn(), "samples", [SQUARES], "2026-01-01"), tmp_path)
    assert load(path).identity.origin == "stand-in"
    with pytest.raises(UsageError, match="says nothing about hardware"):
        load_evidence(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MOST_BYTES", 100)
    with pytest.raises(UsageError, match="divide the group"):
        save(hardware((answer_of(SQUARES),)), tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_answer_is_equal_and_another_is_not(engine: str) -> None:
    answer = answer_of(SQUARES)
    assert (verify(answer, engine).state, verify(answer, engine).results) == (recordings.EQUAL, 64)
    wrong = answer.outputs[0].copy()
    wrong[7] ^= 1
    found = verify(replace(answer, outputs=(wrong,)), engine)
    assert (found.state, found.differ, found.compared[0].first) == (recordings.DIFFERENT, 1, 7)


def test_a_tolerance_counts() -> None:
    answer = answer_of(replace(SQUARES, arguments=(("x", "near f32 64"), ("y", "f32[64]")), rtol=1e-6))
    nearly = np.nextafter(answer.outputs[0], np.float32(np.inf))
    assert verify(replace(answer, outputs=(nearly,)), "reference").state == recordings.EQUAL


def test_a_recording_may_run_ahead_of_the_emulator() -> None:
    text = TEXT.replace("mul.rn.f32 %f, %f, %f", "wgmma.fence.sync.aligned")
    later = replace(answer_of(SQUARES), case=replace(SQUARES, ptx=text))
    assert verify(later, "reference").state in (recordings.NOT_YET, recordings.DIFFERENT)
    unknown = replace(later, case=replace(SQUARES, ptx=TEXT.replace("mul.rn.f32 %f, %f, %f", "frob.f32 %f, %f")))
    assert verify(unknown, "reference").state == recordings.NOT_YET


def test_an_error_is_an_answer() -> None:
    wild = replace(SQUARES, ptx=TEXT.replace("[%at]", "[%at+1]"))
    answer = answer_of(wild)
    assert "misaligned" in answer.error
    assert verify(answer, "reference").state == recordings.REFUSED
    assert verify(replace(answer, case=SQUARES), "reference").state == recordings.DIFFERENT


def test_inputs_that_have_changed_are_told() -> None:
    with pytest.raises(UsageError, match="not those of the recording any more"):
        verify(replace(answer_of(SQUARES), inputs="0"), "reference")


def test_a_part_of_the_rows() -> None:
    case = replace(SQUARES, arguments=(("x", "range 4096"), ("y", "u32[4096]")), grid=(128,), rows=("x",))
    answer = answer_of(case)
    assert verify(answer, "reference", rows=64).results == 64
    assert verify(answer, "reference").results == 4096
    few = case.part(32)
    assert answer_of(few).outputs[0].tolist() == [answer.outputs[0][n] for n in np.linspace(0, 4095, 32).astype(int)]
    assert SQUARES.part(8) is SQUARES


def test_long_cases_are_for_the_native_engine() -> None:
    case = replace(SQUARES, arguments=(("x", "range 8192"), ("y", "u32[8192]")), grid=(256,), rows=("x",))
    assert recordings.engines_for(case, ENGINES) == list(ENGINES)
    answer = answer_of(case)
    assert [verify(answer, engine).results for engine in ENGINES] == [8192, 4096]
    for long in (replace(case, short=(("x", "range 2"),)), replace(case, rows=(), grid=(4096,))):
        assert recordings.engines_for(long, ENGINES) == ["native"]


def test_scalars_are_bytes() -> None:
    assert scalar(0x3F800000) == "= 0000803f"


def test_a_recording_can_stand_where_the_gpu_was() -> None:
    answer = answer_of(SQUARES)
    report = CrossCheck(EmulatorBackend(), Replay(hardware((answer,)))).run(SQUARES.job())
    assert (report.ok, report.gpu) == (True, "a GPU, recorded 2026-01-01")
    with pytest.raises(DriverError, match="no launch of this text"):
        CrossCheck(EmulatorBackend(), Replay(hardware(()))).run(SQUARES.job())


# --- the recordings that there are --------------------------------------------------------------------


def test_what_is_recorded_was_recorded_on_hardware_and_fits() -> None:
    paths = recordings.files(RECORDINGS)
    assert len(paths) <= 8
    for path in paths:
        assert path.stat().st_size <= recordings.MOST_BYTES
        assert load_evidence(path).identity.arch == "sm_90a"
    page = (RECORDINGS.parent.parent / "docs" / "hardware.md").read_text(encoding="utf-8")
    assert ("Nothing has been recorded yet" in page) == (not paths)


def differences(paths: Iterable[Path], rows: int | None, most: int | None) -> list[str]:
    return [
        f"{recording.group} {result.case.name} ({result.engine}): {result.differ} of {result.results} {result.why}"
        for recording, result in recordings.verify_all(paths, ENGINES, rows, most)
        if result.state == recordings.DIFFERENT
    ]


def test_every_recording_holds_on_both_engines() -> None:
    """Sampled blocks of all units, 24 cases of each other group."""
    for group in GROUPS:
        assert differences(recordings.files(RECORDINGS, group), 32, None if group == "units" else 24) == []


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_a_recording_holds_over_all_its_rows(group: str) -> None:
    """The units over all 2^32 inputs: about a minute a function."""
    assert differences(recordings.files(RECORDINGS, group), None, None) == []


def test_a_difference_in_a_recording_is_noticed(tmp_path: Path) -> None:
    answer = answer_of(SQUARES)
    wrong = answer.outputs[0].copy()
    wrong[7] ^= 1
    names = [f"squares {n}" for n in range(9)]
    answers = [replace(answer, case=replace(SQUARES, name=name)) for name in names]
    save(hardware((*answers[:4], replace(answers[4], outputs=(wrong,)), *answers[5:])), tmp_path)
    found = differences(recordings.files(tmp_path), None, None)
    assert [line.split(":")[0] for line in found] == [f"samples squares 4 ({engine})" for engine in ENGINES]
    assert len(list(recordings.verify_all(recordings.files(tmp_path), ("reference",), most=3))) == 3


# --- the commands ---------------------------------------------------------------------------------------


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["crosscheck", *arguments])


def test_a_dry_run_says_what_it_is(tmp_path: Path) -> None:
    result = invoke("record", "patterns", "cores", "--stand-in", "--rows", "8", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "cores        12 cases           96 results" in result.output
    result = invoke("verify", str(tmp_path))
    assert result.exit_code == ExitCode.USAGE
    assert "says nothing about hardware" in result.output


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "cores"])
def test_a_file_of_noise_would_fit(group: str) -> None:
    size = 0
    for case in kernels.cases(group):
        size += len(case.ptx) // 4  # texts of a group are much alike
        size += sum(case.value(name, source).nbytes for name, source in case.arguments if name in case.outputs)
    assert size <= recordings.MOST_BYTES


@pytest.mark.slow
def test_the_tables_of_the_units_fit_a_file(tmp_path: Path) -> None:
    """All 109 million results, as the emulator gives them: they are smooth, and kept as second differences."""
    result = invoke("record", "cores", "--stand-in", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "cores.ptxr").stat().st_size <= recordings.MOST_BYTES // 4


@pytest.mark.slow
def test_a_dry_run_of_everything_leaves_eight_files_that_hold_on_both_engines(tmp_path: Path) -> None:
    """What `make gpu-record RECORD='--stand-in --rows 16'` does."""
    result = invoke("record", "all", "--stand-in", "--rows", "16", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    found = sorted(tmp_path.iterdir())
    assert [path.stem for path in found] == sorted(GROUPS)
    assert len(found) <= 8
    for path in found:
        assert path.stat().st_size <= recordings.MOST_BYTES
        assert [answer.case.name for answer in load(path).answers] == [case.name for case in kernels.cases(path.stem)]
    result = invoke("verify", str(tmp_path), "--stand-in")
    assert result.exit_code == 0, result.output
    assert [line.split(":")[0] for line in result.output.splitlines()] == [path.stem for path in found]


def test_verify_shows_what_differs(tmp_path: Path) -> None:
    answer = answer_of(replace(SQUARES, question="Is it so?", guess="yes"))
    wrong = answer.outputs[0].copy()
    wrong[3] ^= 4
    save(hardware((answer, replace(answer, outputs=(wrong,)))), tmp_path)
    result = invoke("verify", str(tmp_path), "--engine", "reference")
    assert result.exit_code == ExitCode.FAILED
    assert "samples: a GPU, CUDA 13.0, 2026-01-01: 1 different, 1 equal" in result.output
    assert "squares (reference): 1 of 64 differ" in result.output
    assert "Is it so? Guess: yes" in result.output
    assert '"state": "different"' in invoke("verify", str(tmp_path), "--json").output


def test_nothing_recorded_is_no_failure(tmp_path: Path) -> None:
    result = invoke("verify", str(tmp_path))
    assert (result.exit_code, "nothing has been recorded" in result.output) == (0, True)


def test_record_without_a_gpu_is_exit_code_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.crosscheck.gpu.BINDINGS", "no.such.package")
    assert invoke("record", "all", "--out", str(tmp_path)).exit_code == ExitCode.NO_GPU
    assert list(tmp_path.iterdir()) == []
