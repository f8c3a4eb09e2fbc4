"""Every sample runs and gives what it says; wrong //! lines are refused with their line."""

import re
import shutil
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from emulator import ObjectCode, System, samples
from emulator.errors import KernelFault, UsageError
from emulator.samples import Tolerance, compare, compare_lines

SAMPLES = [
    "01_basics/saxpy",
    "01_basics/vector_add",
    "02_control/divergence",
    "02_control/grid_stride",
    "03_shared/block_sum",
    "03_shared/reverse",
    "03_shared/transpose",
    "04_warp/ballot_compaction",
    "04_warp/warp_sum",
    "05_atomics/histogram",
    "06_functions/device_function",
    "06_functions/hello_vprintf",
    "07_devices/all_reduce",
    "cuda/block_scan",
    "cuda/softmax",
    "cuda/top_k",
    "moe/expert_histogram",
    "moe/ring_of_stages",
    "moe/router",
    "triton/rms_norm",
]
RANDOM = [
    "03_shared/transpose",
    "05_atomics/histogram",
    "07_devices/all_reduce",
    "cuda/block_scan",
    "cuda/softmax",
    "cuda/top_k",
    "moe/expert_histogram",
    "moe/ring_of_stages",
    "moe/router",
    "triton/rms_norm",
]
FAULTS = {  # a planted bug, and the line that should stand there
    "faults/expert_load": ("    bar.sync        0;\nHALVE:\n", "HALVE:\n    bar.sync        0;\n"),
    "faults/gate_softmax": ("%sum, 0, 0x1f,", "%sum, 0, 0x181f,"),
    "faults/gather_rows": ("setp.gt.u32", "setp.ge.u32"),
}
HAND_WRITTEN_COURSE = [name for name in SAMPLES if name[0] == "0"]


def test_these_are_the_samples(checkout: Path):
    assert samples.names() == sorted([*SAMPLES, *FAULTS])
    readme = (checkout / "ptx_samples" / "README.md").read_text()
    assert sorted(re.findall(r"^\| `([\w/]+)` \|", readme, re.MULTILINE)) == samples.names()


@pytest.mark.parametrize("name", SAMPLES)
def test_gives_what_it_says(name):
    sample = samples.find(name)
    with System(sample.device_count) as system:
        result = samples.run_sample(sample, system)
    assert result.ok, "\n".join(result.lines())
    assert len(result.comparisons) >= 1


def failure_of(sample: samples.Sample, seed: int = 0) -> str:
    """How a sample fails: the line of the first wrong output or the code of the fault; nothing if it is right."""
    with System(sample.device_count, seed=seed) as system:
        try:
            result = samples.run_sample(sample, system, seed)
        except KernelFault as fault:
            return fault.diagnostic.code
    return next((line for line, check in zip(result.lines(), result.comparisons, strict=True) if not check.equal), "")


@pytest.mark.parametrize("name", SAMPLES)
def test_only_faults_fail(name):
    assert samples.find(name).fails == ""


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_bug_fails_as_it_says(name, seed):
    sample = samples.find(name)
    assert sample.fails
    assert failure_of(sample, seed).startswith(sample.fails)


@pytest.mark.parametrize("name", FAULTS)
def test_a_mended_bug_does_not_fail(name, tmp_path: Path):
    sample = samples.find(name)
    shutil.copytree(Path(str(sample.folder)), tmp_path, dirs_exist_ok=True)
    path = tmp_path / Path(str(sample.path)).name
    old, new = FAULTS[name]
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new, 1))
    assert failure_of(samples.read(path, tmp_path, name)) == ""


@pytest.mark.parametrize("name", RANDOM)
def test_other_random_numbers_give_what_the_reference_says(name):
    sample = samples.find(name)
    with System(sample.device_count) as system:
        result = samples.run_sample(sample, system, seed=12345)
    assert result.ok, "\n".join(result.lines())
    assert any(spec.fill.startswith("random") for spec in result.sample.arguments.values())


@pytest.mark.parametrize("name", [*SAMPLES, *FAULTS])
def test_is_legal_ptx(name, checkout: Path, tmp_path: Path):
    """By NVIDIA's assembler where it is installed, always by our own decoder."""
    path = checkout / "ptx_samples" / f"{name}.ptx"
    assert ObjectCode.from_ptx(path).get_kernel(samples.find(name).launch.kernel)
    if ptxas := shutil.which("ptxas"):
        command = [ptxas, "-arch=sm_90a", str(path), "-o", str(tmp_path / "out.cubin")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [*HAND_WRITTEN_COURSE, *FAULTS])
def test_a_lesson_is_short(name, checkout: Path):
    lines = (checkout / "ptx_samples" / f"{name}.ptx").read_text().splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 120


def test_compiled_samples_carry_the_directives_of_their_sources(checkout: Path):
    for name in ("cuda/block_scan", "cuda/softmax", "cuda/top_k", "triton/rms_norm"):
        ptx = checkout / "ptx_samples" / f"{name}.ptx"
        source = ptx.with_suffix(".cu" if name.startswith("cuda") else ".py").read_text()
        directives = re.findall(r"^(?:# )?(//! .*)$", source, re.MULTILINE)
        assert directives == re.findall(r"^//! .*$", ptx.read_text(), re.MULTILINE)


def test_a_bare_name_is_enough_where_it_is_unique():
    assert samples.find("router").name == "moe/router"
    assert samples.find("moe/router").title.startswith("The router of DeepSeek-V3")


@pytest.mark.parametrize(("name", "help"), [("warp_sun", "warp_sum"), ("moe/ruoter", "moe/router"), ("qqq", "lists")])
def test_an_unknown_name_gets_a_suggestion(name, help):
    with pytest.raises(UsageError, match="no sample is called") as caught:
        samples.find(name)
    assert help in caught.value.diagnostics[0].help


GOOD = """//! title:  t
//! launch: k<<<1, 32>>>(x, 7)
//! x:      u32[32] == 1
"""


def read(tmp_path: Path, text: str) -> samples.Sample:
    (tmp_path / "k.ptx").write_text(text)
    return samples.read(tmp_path / "k.ptx", tmp_path, "k")


def test_reads_every_directive(tmp_path):
    text = """//! title:     All of them
//! launch:    k<<<(2, 3), (32, 4, 1), 1024>>>(x, n, y, 0x10, -2.5)
//! x:         f32[2, 3] = arange
//! n:         s64 = -3
//! y:         bf16[4] = ones == [1, 2, 3, 4]
//! reference: reference.py:f
//! tolerance: y rtol=1e-2 atol=0
//! fails:     x  6 of 6 differ
//! prints:    "a: "b""
//! prints:    ""
"""
    (tmp_path / "reference.py").write_text("def f(inputs):\n    inputs['x'] += 1\n    return {'x': inputs['x']}\n")
    sample = read(tmp_path, text)
    assert (sample.title, sample.prints, sample.reference) == ("All of them", ('a: "b"', ""), "reference.py:f")
    assert sample.launch == samples.Launch("k", (2, 3), (32, 4, 1), 1024, ("x", "n", "y", 16, -2.5))
    inputs = sample.inputs()
    expected = sample.expected(inputs)
    assert inputs["n"] == np.int64(-3)
    assert (expected["x"] == inputs["x"] + 1).all()
    assert expected["y"].tolist() == [1, 2, 3, 4]
    assert expected["y"].dtype == ml_dtypes.bfloat16
    assert sample.tolerances == {"y": Tolerance(1e-2, 0)}
    assert sample.fails == "x  6 of 6 differ"


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("//! title:  t\n", "", "no //! line gives the title", 0),
        ("//! launch: k<<<1, 32>>>(x, 7)\n", "", "no //! line gives the launch", 0),
        ("== 1", "= 1", "nothing is expected of this sample", 0),
        ("k<<<1, 32>>>", "k(1, 32)", "this is not KERNEL<<<GRID, BLOCK>>>(ARGUMENTS)", 2),
        ("<<<1, 32>>>", "<<<1>>>", "between <<< and >>> stand grid, block and perhaps", 2),
        ("<<<1, 32>>>", "<<<1, x>>>", "between <<< and >>> stand grid, block and perhaps", 2),
        ("<<<1, 32>>>", "<<<1, 32, (4, 4)>>>", "between <<< and >>> stand grid, block and perhaps", 2),
        ("(x, 7)", "(x, y)", "'y' is neither a number nor an argument with a //! line", 2),
        ("(x, 7)", "(7)", "the launch does not use x", 2),
        ("//! x:", "//! x", "this is not //! KEY: TEXT", 3),
        ("u32[32]", "u33[32]", "no type 'u33' for arguments", 1),
        ("u32[32] == 1", "u32 = 1 == 1", "x is a scalar: a kernel cannot change it", 2),
        ("== 1\n", "== 1\n//! x: u32[32]\n", "x is given twice", 4),
        ("== 1\n", "== 1\n//! prints: hello\n", "the printed line is not quoted", 4),
        ("== 1\n", "== 1\n//! tolerance: x 1e-6\n", "this is not NAME rtol=NUMBER atol=NUMBER", 4),
        ("== 1\n", "== 1\n//! tolerance: x rtol=y atol=0\n", "this is not NAME rtol=NUMBER atol=NUMBER", 4),
        ("== 1\n", "== 1\n//! reference: expected\n", "this is not FILE.py:FUNCTION", 4),
    ],
)
def test_wrong_directives_are_refused(tmp_path, old, new, message, line):
    assert read(tmp_path, GOOD).name == "k"
    with pytest.raises(UsageError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message.startswith(message)
    assert diagnostic.line == line


SPREAD = """//! title:   t
//! devices: 2
//! launch:  k<<<1, 32>>>(multicast x, x, n, device, 7)
//! x:       u32[2, 4] == 1
//! n:       u32 = 5
"""


def test_a_row_for_each_device(tmp_path: Path):
    sample = read(tmp_path, SPREAD)
    assert (sample.devices, sample.device_count) == (2, 2)
    assert sample.launch.arguments == ("multicast x", "x", "n", "device", 7)
    placed = samples.PlacedArguments(sample, sample.inputs(), System(3))
    multicast = placed.argument("multicast x", 1)
    assert multicast.devices == (0, 1)
    assert [placed.argument("x", device) for device in (0, 1)] == list(multicast.buffers)
    assert [placed.argument(item, 1) for item in ("n", "device", 7)] == [5, 1, 7]
    assert placed.outputs()["x"].shape == (2, 4)


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("devices: 2", "devices: x", "'x' is no number of devices", 2),
        ("devices: 2", "devices: 0", "'0' is no number of devices", 2),
        ("devices: 2", "devices: 3", "x has no row for each of 3 devices", 2),
        ("u32[2, 4]", "u32[4, 2]", "x has no row for each of 2 devices", 2),
        ("//! devices: 2\n", "", "'multicast x' is neither a number nor an argument with a //! line", 2),
        ("multicast x", "multicast n", "'multicast n' is neither a number nor an argument with a //! line", 3),
        ("multicast x, x, n", "n", "the launch does not use x", 3),
    ],
)
def test_wrong_words_of_devices_are_refused(tmp_path, old, new, message, line):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, SPREAD.replace(old, new))
    assert caught.value.diagnostics[0].message.startswith(message)
    assert caught.value.diagnostics[0].line == line


def test_a_text_with_a_launch_line_is_a_sample():
    assert samples.has_directives(GOOD)
    assert not samples.has_directives(".version 8.0\n// ! launch: k\n")


@pytest.mark.parametrize(
    ("got", "expected", "tolerance", "equal", "text"),
    [
        ([1.0, np.nan], [1.0, np.nan], None, True, "2 values equal, bit by bit"),
        ([0.0], [-0.0], None, False, "1 of 1 differ; first [0]: 0.0 (0x00000000), expected -0.0 (0x80000000)"),
        ([0.0], [-0.0], Tolerance(0, 0), True, "1 values within rtol=0 atol=0, largest error 0"),
        ([1.0, 2.5], [1.0, 2.0], Tolerance(0.1, 0), False, "1 of 2 differ; first [1]: 2.5"),
        ([1.0, 2.125], [1.0, 2.0], Tolerance(0.1, 0), True, "2 values within rtol=0.1 atol=0, largest error 0.12"),
        ([np.inf], [np.inf], Tolerance(0.1, 0), True, "1 values within"),
    ],
)
def test_compares(got, expected, tolerance, equal, text):
    result = compare("x", np.array(got, np.float32), np.array(expected, np.float32), tolerance)
    assert result.equal is equal
    assert result.text.startswith(text)


def test_compares_shapes_and_types_first():
    zeros = np.zeros((2, 2), np.float32)
    assert compare("x", zeros, zeros.ravel()).text == "is float32[2, 2], expected float32[4]"
    assert not compare("x", zeros, zeros.astype(np.float64)).equal


def test_compares_printed_lines():
    assert compare_lines(("a",), ("a",)).equal
    assert compare_lines(("a", "c"), ("a", "b")).text == "line 2 is 'c', expected 'b'"
    assert compare_lines(("a",), ("a", "b")).text == "printed lines: 1, expected 2"


def test_a_wrong_result_is_found(tmp_path):
    text = Path(str(samples.find("warp_sum").path)).read_text().replace("== 496", "== 497")
    sample = read(tmp_path, text)
    with System() as system:
        result = samples.run_sample(sample, system)
    assert not result.ok
    assert result.lines() == ["out  32 of 32 differ; first [0]: 496 (0x000001f0), expected 497 (0x000001f1)"]
