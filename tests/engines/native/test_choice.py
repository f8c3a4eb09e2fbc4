"""Which engine runs: by name, by variable, by what is installed; without llvmlite everything runs all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emulator import System
from emulator.api.system import ENGINE_VARIABLE, default_engine, why_not_native
from emulator.errors import UsageError
from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_programs import program
from tests.engines.programs import run

WITHOUT = """
import sys
sys.modules["llvmlite"] = sys.modules["numba"] = None
"""
KERNELS = """
from emulator import System
from tests.engines.native.test_same_answers import code_of, program
from tests.engines.native.outcomes import Run
print(System().runner.engine.name)
for seed in range(4):
    chosen = program(seed)
    run = Run(chosen, None, code_of(chosen))
    run.go_on()
    print(run.system.runner.engine.name, len(run.outcome().fault))
"""
SAMPLES = """
from emulator.commands import main
main(["run", "saxpy"] + sys.argv[1:])
"""


def python(checkout: Path, code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process that cannot import llvmlite."""
    environment = {**{key: value for key, value in os.environ.items() if key != ENGINE_VARIABLE}, **variables}
    command = [sys.executable, "-c", WITHOUT + code, *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_without_llvmlite_the_reference_engine_runs_everything(checkout: Path) -> None:
    done = python(checkout, KERNELS)
    assert done.stderr == ""
    faults = []
    for seed in range(4):
        chosen = program(seed)
        here = Run(chosen, "native", code_of(chosen))
        here.go_on()
        faults.append(len(here.outcome().fault))
    assert done.stdout.splitlines() == ["reference", *[f"reference {length}" for length in faults]]
    sample = python(checkout, SAMPLES)
    assert (sample.returncode, sample.stderr) == (0, "")
    slow = (
        " s by the reference engine: llvmlite is not installed; pip install llvmlite makes it a thousand times faster\n"
    )
    assert slow in sample.stdout
    assert "by the reference engine" not in python(checkout, SAMPLES, "--engine", "reference").stdout


NEEDED = "error[PTX-L0108]: the native engine needs llvmlite, which is not installed\n"


def test_without_llvmlite_native_is_refused(checkout: Path) -> None:
    done = python(checkout, SAMPLES, "--engine", "native")
    assert (done.returncode, done.stderr) == (2, f"{NEEDED}   help: pip install llvmlite\n")
    done = python(checkout, SAMPLES, **{ENGINE_VARIABLE: "native"})
    assert done.returncode == 2
    assert done.stderr == f"{NEEDED}   = from $PTXEMU_ENGINE\n   help: pip install llvmlite\n"


def test_an_engine_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no engine is called 'quantum'") as raised:
        System(engine="quantum")
    assert raised.value.diagnostics[0].facts == ()
    monkeypatch.setenv(ENGINE_VARIABLE, "quantum")
    with pytest.raises(UsageError) as raised:
        System()
    assert raised.value.diagnostics[0].facts == (("from", "$PTXEMU_ENGINE"),)


@pytest.mark.parametrize("name", ["reference", "native"])
def test_the_variable_and_the_argument_choose(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"reference": "native", "native": "reference"}[name]
    monkeypatch.setenv(ENGINE_VARIABLE, name)
    assert default_engine() == name
    assert System().runner.engine.name == name
    assert System(engine=other).runner.engine.name == other


def test_the_machine_that_is_not_verified_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert why_not_native() == "--engine native has not been verified on Darwin on arm64; try it"


def test_the_default_is_native_where_it_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENGINE_VARIABLE, raising=False)
    for platform, machine, expected in (
        ("linux", "x86_64", "native"), ("linux", "aarch64", "reference"), ("darwin", "x86_64", "reference"),
    ):  # fmt: skip
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr("platform.machine", lambda found=machine: found)
        assert default_engine() == expected


@pytest.mark.parametrize("options", [{"schedule": "random:1"}, {"max_instructions": 10_000}])
def test_options_that_native_code_must_obey(options: dict[str, object]) -> None:
    """A random schedule stops turns anywhere, so the reference engine steps; a limit ends turns early."""
    body = "mov.u32 %r1, 0;\nL:\nadd.u32 %r1, %r1, %i;\nsetp.lt.u32 %p0, %r1, 99;\nadd.u32 %r1, %r1, 1;\n@%p0 bra L;\n"
    body += "st.global.u32 [%mine], %r1;"
    wanted, found = (run(body, block=96, engine=engine, **options) for engine in ("reference", "native"))  # type: ignore[arg-type]
    assert np.array_equal(wanted, found)
    assert wanted.any()
