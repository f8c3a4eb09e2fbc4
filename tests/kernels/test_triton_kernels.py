"""Programs that Triton made, on both engines, against NumPy."""

import sys

import pytest
from click.testing import CliRunner

from tests.kernels import regenerate
from tests.kernels.triton_programs import PROGRAMS, TritonGpu


def test_every_source_has_a_program_and_every_program_a_source():
    assert sorted(PROGRAMS) == regenerate.triton_names()
    assert len(PROGRAMS) == 21
    assert not set(PROGRAMS) & set(regenerate.names())


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_both_engines_give_what_numpy_gives_in_the_same_time(name: str):
    assert run(name, "round_robin", "native").outcome() == run(name, "round_robin", "reference").outcome()


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_gives_the_same_under_a_random_schedule(name: str):
    run(name, "random", "native")


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_the_ptx_is_of_the_source_as_it_stands(name: str):
    """Otherwise run `make regen`."""
    assert regenerate.read_ptx(name, "sm_90a").startswith(regenerate.head_of(name, "sm_90a"))


def test_says_that_triton_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.setenv("TRITON_DISABLE_LINE_INFO", "1")
    result = CliRunner().invoke(regenerate.main, ["softmax", "--check"])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "not compiled triton/sm_90a/softmax.ptx",
        "Triton is not installed here: pip install triton==3.9.0",
        "1 not compiled",
    ]


def run(name: str, schedule: str, engine: str) -> TritonGpu:
    gpu = TritonGpu(name, schedule, engine)
    print(f"{name}, schedule {schedule}, seed {gpu.seed}, engine {engine}")
    PROGRAMS[name](gpu)
    return gpu
