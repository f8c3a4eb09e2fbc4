"""The distribution: what the wheel holds, and that it works where there is no checkout."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.xdist_group("packaging")  # the environments are made once

SCRIPT = """
import numpy, emulator
kernel = emulator.ObjectCode.from_ptx({ptx!r}).get_kernel("twice")
out = numpy.zeros(32, numpy.uint32); kernel[1, 32](out); print(out.tolist() == [2 * lane for lane in range(32)])
"""
TWICE = """
.version 9.0
.target sm_90a
.address_size 64
.visible .entry twice(.param .u64 out)
{
    .reg .u64 %rd<3>;
    .reg .u32 %r<3>;
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, %tid.x;
    mad.wide.u32 %rd2, %r1, 4, %rd1;
    add.u32 %r2, %r1, %r1;
    st.global.u32 [%rd2], %r2;
    ret;
}
"""


@pytest.fixture(scope="module")
def distributions(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel built from it and not from the checkout."""
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(checkout)]
    run_in(out, *build)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment outside the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    return folder


class Install(NamedTuple):
    """An environment with ptxemu: its folder of programs, and the folder that the packages must come from."""

    programs: Path
    source: Path


@pytest.fixture(scope="module", params=["wheel", "editable"])
def install(
    request: pytest.FixtureRequest, environment: Path, distributions: tuple[Path, Path], checkout: Path
) -> Install:
    """The environment with ptxemu installed; each kind of install replaces the one before."""
    kinds = {
        "wheel": ([str(distributions[1])], environment),
        "editable": (["--editable", str(checkout)], checkout),
    }
    arguments, source = kinds[request.param]
    programs = environment / "bin"
    run_in(environment, str(programs / "python"), "-m", "pip", "install", "--quiet", *arguments)
    return Install(programs, source)


def run_in(folder: Path, *command: str) -> str:
    """The standard output of a command that must succeed; nothing of this process's environment leads it back here."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert result.returncode == 0, f"{' '.join(command)}: exit code {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


def package_files(checkout: Path) -> set[str]:
    """Every file of the two packages in the checkout, without what Python leaves there."""
    files = (file for package in ("emulator", "ptx_samples") for file in (checkout / package).rglob("*"))
    return {str(file.relative_to(checkout)) for file in files if file.is_file() and "__pycache__" not in file.parts}


def test_the_wheel_holds_the_packages_with_their_data_and_nothing_else(
    checkout: Path, distributions: tuple[Path, Path]
) -> None:
    with zipfile.ZipFile(distributions[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (entry_points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
        assert "ptxemu = emulator.commands:main" in wheel.read(entry_points).decode()
    assert names == package_files(checkout)
    assert "emulator/py.typed" in names


def test_the_source_distribution_holds_the_tests_and_the_launcher(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
    assert {"cli.py", "Makefile", "LICENSE", "NOTICE", "tests/test_packaging.py", ".ci/run"} <= names


def test_the_command_starts(install: Install, tmp_path: Path) -> None:
    for command in (["ptxemu"], ["python", "-m", "emulator"]):
        text = run_in(tmp_path, str(install.programs / command[0]), *command[1:], "--help")
        assert text.startswith("Usage: ptxemu [OPTIONS] COMMAND [ARGS]...")
    assert run_in(tmp_path, str(install.programs / "ptxemu"), "--version").startswith("ptxemu 0.")


def test_the_packages_come_from_the_install(install: Install, tmp_path: Path) -> None:
    code = "import emulator, ptx_samples; print(emulator.__file__); print(*ptx_samples.__path__)"
    lines = run_in(tmp_path, str(install.programs / "python"), "-c", code).splitlines()
    assert all(Path(line).is_relative_to(install.source) for line in lines)
    assert len(lines) == 2


def test_a_sample_runs_by_its_name(install: Install, tmp_path: Path) -> None:
    ptxemu = str(install.programs / "ptxemu")
    sample = json.loads(run_in(tmp_path, ptxemu, "samples", "--json"))[0]
    assert Path(sample["path"]).is_relative_to(install.source)
    run_in(tmp_path, ptxemu, "run", sample["name"])


def test_a_script_of_three_lines_runs(install: Install, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(ptx=TWICE))
    assert run_in(tmp_path, str(install.programs / "python"), "script.py") == "True\n"
