"""`ptxemu run`: samples and kernels, arguments, outputs, checks and exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from emulator import System, samples
from emulator.commands import main, outputs
from emulator.commands.progress import Progress

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
# out[i] = scale * x[i] + options[1], one thread an element.
AXPY = (
    HEAD
    + """.visible .entry axpy(
    .param .u64 axpy_param_0, .param .u64 axpy_param_1, .param .f32 scale, .param .align 4 .b8 options[8])
{
    .reg .b64 %rd<4>;
    .reg .b32 %r<4>;
    .reg .f32 %f<4>;
    ld.param.u64 %rd1, [axpy_param_0];
    ld.param.u64 %rd2, [axpy_param_1];
    ld.param.f32 %f1, [scale];
    ld.param.f32 %f2, [options+4];
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %ntid.x;
    mov.u32 %r3, %tid.x;
    mad.lo.u32 %r1, %r1, %r2, %r3;
    mul.wide.u32 %rd3, %r1, 4;
    add.u64 %rd1, %rd1, %rd3;
    add.u64 %rd2, %rd2, %rd3;
    ld.global.f32 %f3, [%rd1];
    fma.rn.f32 %f3, %f1, %f3, %f2;
    st.global.f32 [%rd2], %f3;
    ret;
}
"""
)
TWO = HEAD + ".visible .entry first(.param .u32 n) { ret; }\n.visible .entry second() .reqntid 64 { ret; }\n"
ENDLESS = HEAD + ".visible .entry k() {\nL:\n    bra L;\n}\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def ok(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return result.stderr


def as_json(*arguments: object) -> dict[str, Any]:
    found = json.loads(ok(*arguments, "--json"))
    assert isinstance(found, dict)
    return found


@pytest.fixture
def axpy(tmp_path: Path) -> Path:
    return write(tmp_path, AXPY)


def write(folder: Path, text: str, name: str = "k.ptx") -> Path:
    (folder / name).write_text(text)
    return folder / name


ARGUMENTS = ("--arg", "f32[64]=arange", "--arg", "f32[64]", "--arg", "scale=0.5", "--arg", "options=f32[2]=[0, 2]")


def test_a_sample_brings_its_launch_and_checks() -> None:
    lines = ok("warp_sum").splitlines()
    assert lines[0] == "warp_sum<<<1, 32>>>  04_warp/warp_sum"
    assert lines[1].startswith("34 warp instructions in ")
    assert lines[3] == "out  u32[32]  " + "496 " * 15 + "..."
    assert lines[5] == "ok     out  32 values equal, bit by bit"


def test_a_sample_that_gives_something_else_is_one(tmp_path: Path) -> None:
    text = Path(str(samples.find("warp_sum").path)).read_text().replace("== 496", "== 497")
    result = run(write(tmp_path, text))
    assert result.exit_code == 1
    assert "WRONG  out  32 of 32 differ; first [0]: 496 (0x000001f0), expected 497 (0x000001f1)" in result.stdout
    found = run(tmp_path / "k.ptx", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["ok"] is False


def test_what_a_kernel_prints_is_shown(tmp_path: Path) -> None:
    text = """.extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);
.global .align 1 .b8 hello[4] = {104, 105, 10, 0};
.visible .entry k() {
    .reg .b64 %rd<2>;
    mov.u64 %rd1, hello;
    { .param .b64 f; .param .b64 a; .param .b32 r;
      st.param.b64 [f], %rd1; st.param.b64 [a], 0;
      call (r), vprintf, (f, a); }
    ret;
}
"""
    file = write(tmp_path, HEAD + text)
    assert "hi\nhi\n" in ok(file, "-b", "2")
    assert as_json(file, "-b", "2")["printed"] == ["hi", "hi"]


def test_launch_options_run_a_sample_as_any_other_file() -> None:
    stdout = ok(
        "vector_add",
        "-g",
        "1",
        "-b",
        "4",
        "--arg",
        "f32[4]=ones",
        "--arg",
        "f32[4]=ones",
        "--arg",
        "f32[4]",
        "--arg",
        "4",
    )
    assert "c  f32[4]  2.0 2.0 2.0 2.0" in stdout
    assert "bit by bit" not in stdout


def test_a_path_wins_over_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, TWO, "warp_sum")
    monkeypatch.chdir(tmp_path)
    assert ok("warp_sum", "-k", "second").startswith("second<<<1, 64>>>  warp_sum")


def test_arguments_by_name_position_end_of_the_name_and_in_order(axpy: Path) -> None:
    expected = (np.arange(64, dtype=np.float32) * np.float32(0.5) + np.float32(2)).tolist()
    for arguments in (
        ARGUMENTS,
        (
            "--arg",
            "axpy_param_0=f32[64]=arange",
            "--arg",
            "param_1=f32[64]",
            "--arg",
            "3=0.5",
            "--arg",
            "4=f32[2]=[0,2]",
        ),
        ("--arg", "scale=f32=0.5", "--arg", "f32[64]=arange", "--arg", "4=f32[2]=2", "--arg", "f32[64]"),
    ):
        found = as_json(axpy, "-g", "2", *arguments)
        assert found["outputs"] == {"axpy_param_1": {"dtype": "f32", "shape": [64], "values": expected}}
        assert (found["grid"], found["block"], found["warp_instructions"]) == ([2, 1, 1], [32, 1, 1], 30)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (ARGUMENTS[:4], "axpy takes 4 arguments, found 2"),
        ((*ARGUMENTS, "--arg", "7"), "axpy takes 4 arguments, found 5"),
        ((*ARGUMENTS, "--arg", "scale=2"), "--arg scale=2: scale was given already, 0.5"),
        (("--arg", "scal=2"), "--arg scal=2: axpy has no parameter scal"),
        (("--arg", "0=2"), "positions are 1 to 4"),
        (("--arg", "options=7"), "a number alone does not say what options is"),
        (("--arg", "f32[64]=arrange", *ARGUMENTS[2:]), "neither a number nor a way to fill an array"),
        (("--arg", "x"), "no type 'x' for arguments"),
        ((*ARGUMENTS[:6], "--arg", "options=u8[9]"), "9 bytes for a struct of 8"),
        ((*ARGUMENTS[:4], "--arg", "scale=f64=1", *ARGUMENTS[6:]), "a numpy.float64 has 8 bytes, .f32 has 4"),
        ((*ARGUMENTS[:4], "--arg", "scale=f32[2]", *ARGUMENTS[6:]), "a buffer's address does not fit .f32"),
    ],
)
def test_wrong_arguments_are_refused(axpy: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in refused(axpy, *arguments)


def test_several_kernels_are_listed(tmp_path: Path) -> None:
    file = write(tmp_path, TWO)
    assert refused(file) == (
        "error[PTX-L0101]: 2 kernels in this file: choose one with -k\n"
        f"  --> {file}\n"
        "   = kernels first(.u32 n)\n"
        "             second()\n"
        "   help: -k first\n"
    )
    assert ok(file, "-k", "sec").startswith("second<<<1, 64>>>")
    assert "no kernel third" in refused(file, "-k", "third")
    assert "no kernel in this file" in refused(write(tmp_path, HEAD + ".func f() { ret; }\n"))


@pytest.mark.parametrize(
    ("text", "size"), [("4", [4, 1, 1]), ("4,2", [4, 2, 1]), ("4x2x3", [4, 2, 3]), ("(4, 2, 3)", [4, 2, 3])]
)
def test_sizes(tmp_path: Path, text: str, size: list[int]) -> None:
    found = as_json(write(tmp_path, TWO), "-k", "first", "--arg", "1", "-g", text, "-b", text)
    assert (found["grid"], found["block"]) == (size, size)


@pytest.mark.parametrize("text", ["", "x", "1,2,3,4", "-1", "1.5", "4,"])
def test_what_is_no_size(tmp_path: Path, text: str) -> None:
    assert "is no size" in refused(write(tmp_path, TWO), "-k", "second", "-g", text)


def test_the_grid_counts_ctas_with_clusters_too(tmp_path: Path) -> None:
    file = write(tmp_path, TWO)
    found = as_json(file, "-k", "second", "-g", "4,2", "--cluster", "2,2")
    assert (found["grid"], found["cluster"], found["warp_instructions"]) == ([4, 2, 1], [2, 2, 1], 16)
    assert "cannot be divided into clusters of (2,1,1)" in refused(file, "-k", "second", "-g", "3", "--cluster", "2")


FUSED = (
    HEAD
    + """.visible .entry fused(.param .u64 out, .param .f32 x, .param .f32 c)
{
    .reg .b64 %out; .reg .f32 %x, %c, %p, %s;
    ld.param.u64 %out, [out]; ld.param.f32 %x, [x]; ld.param.f32 %c, [c];
    mul.f32 %p, %x, %x;
    add.f32 %s, %p, %c;
    st.global.f32 [%out], %s;
    ret;
}
"""
)


def test_the_contract_decides_whether_the_product_is_rounded(tmp_path: Path) -> None:
    """(1 + 2^-23)^2 - (1 + 2^-22) is 2^-46, which is lost where the product is rounded first."""
    file = write(tmp_path, FUSED)
    numbers = ("--arg", "x=f32=1.00000011920928955", "--arg", "c=f32=-1.0000002384185791")
    given = ("-b", 1, "--arg", "out=f32[1]", *numbers, "--out", "out")
    for contract, value in (("ptx", 0.0), ("ptxas", 2.0**-46)):
        found = json.loads(ok(file, *given, "--contract", contract, "--json"))
        assert found["outputs"]["out"]["values"] == [value]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--engine", "quantum"), "'quantum' is not one of"),
        (("--jobs", "0"), "0 is not in the range 1<=x<=256"),
        (("--contract", "gcc"), "'gcc' is not one of 'ptx', 'ptxas'"),
        (("--check", "race"), "'--check': race is not there yet: bounds, alignment and write protection"),
        (("--schedule", "chaos"), "unknown schedule 'chaos'"),
        (("--arch", "sm_1"), "'sm_1' is not one of"),
        (("--devices", "0"), "0 is not in the range x>=1"),
    ],
)
def test_options_that_are_not_there_are_refused_in_a_sentence(options: tuple[str, ...], message: str) -> None:
    assert message in refused("warp_sum", *options)


def test_the_defaults_of_those_options_are_accepted() -> None:
    defaults = ("--engine", "reference", "--jobs", "1", "--contract", "ptx", "--check", "mem", "--devices", "2")
    assert "ok     out" in ok("warp_sum", *defaults, "--arch", "sm_120", "--schedule", "random:3", "--no-progress")


def test_out_prints_one_array_in_full(axpy: Path) -> None:
    lines = ok(axpy, *ARGUMENTS, "--out", "param_0").splitlines()
    assert lines[3] == "axpy_param_0  f32[64]"
    assert lines[4].split() == ["[0]", "0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0"]
    assert lines[-1].split() == ["[56]", "56.0", "57.0", "58.0", "59.0", "60.0", "61.0", "62.0", "63.0"]
    assert len(lines) == 4 + 8
    assert "is no array of this launch" in refused(axpy, *ARGUMENTS, "--out", "scale")
    assert "has no parameter nope" in refused(axpy, *ARGUMENTS, "--out", "nope")


def test_expect_compares_with_a_file(axpy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    right = np.arange(64, dtype=np.float32) * np.float32(0.5) + np.float32(2)
    np.save("right.npy", right)
    right[40] = -right[40]
    np.save("wrong.npy", right)
    np.save("short.npy", right[:3])
    assert "ok     axpy_param_1  64 values equal" in ok(axpy, "-g", 2, *ARGUMENTS, "--expect", "param_1=right.npy")
    result = run(axpy, "-g", 2, *ARGUMENTS, "--expect", "2=wrong.npy")
    assert result.exit_code == 1
    assert "WRONG  axpy_param_1  1 of 64 differ; first [40]: 22.0 (0x41b00000), expected -22.0" in result.stdout
    assert "short.npy has the shape [3]" in refused(axpy, *ARGUMENTS, "--expect", "2=short.npy")
    assert "cannot read gone.npy" in refused(axpy, *ARGUMENTS, "--expect", "2=gone.npy")
    assert "is not NAME=FILE.npy" in refused(axpy, *ARGUMENTS, "--expect", "2")


def test_save_writes_all_arrays(axpy: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.npz"
    ok(axpy, "-g", "2", *ARGUMENTS, "--save", file)
    with np.load(file) as saved:
        assert sorted(saved) == ["axpy_param_0", "axpy_param_1"]
        assert saved["axpy_param_1"].tolist() == [0.5 * n + 2 for n in range(64)]


def test_the_seed_makes_the_random_numbers(axpy: Path) -> None:
    arguments = ("--arg", "f32[32]=random", *ARGUMENTS[2:], "--out", "1")
    first, again, other = (as_json(axpy, *arguments, "--seed", seed)["outputs"] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_fault_is_one_and_says_how_to_have_it_again(axpy: Path, tmp_path: Path) -> None:
    arguments = ("-g", 3, *ARGUMENTS, "--save", tmp_path / "out.npz", "--seed", "5")
    result = run(axpy, *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith('error[PTX-M0101]: load of 4 bytes past the end of "axpy_param_0"\n')
    assert ", schedule round_robin, seed 5\n" in result.stderr
    assert not (tmp_path / "out.npz").exists()
    found = run(axpy, *arguments, "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["errors"][0]["code"] == "PTX-M0101"


def test_the_instruction_limit_is_124(tmp_path: Path) -> None:
    result = run(write(tmp_path, ENDLESS), "--max-instructions", "1000")
    assert result.exit_code == 124
    assert "the limit of 1,000 warp instructions was reached" in result.stderr


def test_rejected_and_unsupported_texts(tmp_path: Path) -> None:
    assert run(write(tmp_path, HEAD + ".visible .entry k() { add.u32; }")).exit_code == 3
    assert run(write(tmp_path, HEAD + ".visible .entry k() { tcgen05.relinquish_alloc_permit; }")).exit_code == 5


def test_a_newer_version_is_a_warning(tmp_path: Path) -> None:
    result = run(write(tmp_path, TWO.replace(".version 9.0", ".version 99.0")), "-k", "second")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning[PTX-P0134]: .version 99.0 is newer than ")


def test_exit_codes_of_the_process(checkout: Path, tmp_path: Path) -> None:
    def code(*arguments: object) -> int:
        command = [sys.executable, "cli.py", "run", *map(str, arguments)]
        return subprocess.run(command, cwd=checkout, capture_output=True, check=False).returncode

    assert code("warp_sum") == 0
    assert code("warp_sun") == 2
    assert code(write(tmp_path, HEAD + ".visible .entry k() { trap; }")) == 1
    assert code(write(tmp_path, "no PTX")) == 3


def test_numbers_are_told_so_that_they_can_be_read_back() -> None:
    values = np.array([0.1, 1 / 3, 1e-45, 3.4028235e38, -0.0, np.inf], np.float32)
    assert [np.float32(outputs.number_text(value)).tobytes() for value in values] == [v.tobytes() for v in values]
    nan = np.array([0x7FC00001], np.uint32).view(np.float32)
    assert outputs.number_text(nan[0]) == "nan(0x7fc00001)"
    assert json.loads(json.dumps(outputs.json_values(np.array([[np.inf, 1.5]])), allow_nan=False)) == [["inf", 1.5]]


def test_arrays_as_tables() -> None:
    assert outputs.table(np.arange(12).reshape(2, 6), width=30) == [
        "  [0, 0]   0  1  2  3",
        "  [0, 4]   4  5",
        "  [1, 0]   6  7  8  9",
        "  [1, 4]  10 11",
    ]
    assert outputs.table(np.zeros((0, 4))) == []
    assert outputs.first_values(np.arange(100), 12) == "0 1 2 3 ..."
    assert outputs.first_values(np.arange(5), 12) == "0 1 2 3 4"


def test_progress_is_told_in_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(1000))
    with System(engine="reference") as system, Progress(system, True, clock=lambda: next(now)) as progress:
        samples.run_sample(samples.find("block_sum"), system, wait=progress.run)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1
    assert all(line.startswith("ptxemu: ") and " CTAs, " in line and "instructions" in line for line in lines)


@pytest.mark.parametrize("wanted", [None, False])
def test_no_progress_is_shown_where_it_is_not_wanted(wanted: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(1000))
    with System() as system, Progress(system, wanted, clock=lambda: next(now)) as progress:
        samples.run_sample(samples.find("block_sum"), system, wait=progress.run)
    assert capsys.readouterr().err == ""


def test_a_short_run_imports_no_progress_bar(checkout: Path) -> None:
    code = (
        "import sys; from emulator.commands import main\n"
        "try: main(['run', 'warp_sum'])\nfinally: print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_sample_brings_its_devices() -> None:
    """Four of them without --devices, as many as are asked for if that is more; one time on both engines."""
    times = set()
    for options in ((), ("--devices", 5), ("--engine", "reference")):
        found = json.loads(ok("all_reduce", "--json", *options))
        assert [check["ok"] for check in found["checks"]] == [True] * 3
        times.add(found["warp_instructions"])
    assert len(times) == 1


def test_counters_are_a_table_or_a_part_of_the_object(tmp_path: Path) -> None:
    file = write(tmp_path, TWO)
    lines = ok(file, "-k", "first", "--arg", "1", "-b", "48", "--counters").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("opcode"))
    rows = {line.split()[0]: line.split()[1:] for line in lines[start + 1 :]}
    assert rows["ret"] == ["2", f"{200 / int(rows['total'][0]):.1f}%", "75.0%"]
    found = as_json(file, "-k", "first", "--arg", "1", "-b", "48", "--counters")
    assert found["counters"]["opcodes"]["ret"] == {"instructions": 2, "lanes": 48}
    assert found["counters"]["instructions"] == found["warp_instructions"] == int(rows["total"][0])
    assert "counters" not in as_json(file, "-k", "first", "--arg", "1")


def test_jobs_says_how_many_threads_there_were(tmp_path: Path) -> None:
    given = (write(tmp_path, TWO), "-k", "first", "--arg", "1", "-g", 40, "--jobs", 2, "--engine", "native")
    assert "\n2 threads: the order of CTAs differs from run to run\n" in ok(*given)
    assert "\none thread: the schedule random:0 has an order\n" in ok(*given, "--schedule", "random")
    assert as_json(*given)["threads"] == "2 threads: the order of CTAs differs from run to run"
    assert as_json(*given, "--max-instructions", 10**6)["threads"].startswith("one thread: --max-instructions counts")
    assert "threads" not in as_json(*given, "--jobs", 1)
