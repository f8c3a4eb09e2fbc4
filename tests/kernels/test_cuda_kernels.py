"""Programs that a real compiler made: CUDA C++ of many kinds, by nvcc for three architectures, against NumPy."""

import zlib

import pytest

from tests.kernels import programs, regenerate
from tests.kernels.gpu import Gpu

ALL = programs.PROGRAMS


def test_every_source_has_a_program_and_every_program_a_source():
    assert sorted(ALL) == regenerate.names()
    assert len(ALL) >= 59


@pytest.mark.parametrize(
    "arch", ["sm_90", *(pytest.param(arch, marks=pytest.mark.slow) for arch in ("sm_75", "sm_80"))]
)
@pytest.mark.parametrize("name", sorted(ALL))
def test_gives_what_numpy_gives(name: str, arch: str):
    run(name, arch, "round_robin")


@pytest.mark.parametrize("name", sorted(ALL))
def test_gives_the_same_under_a_random_schedule(name: str):
    arch = "sm_75" if zlib.crc32(name.encode()) % 2 else "sm_80"
    run(name, arch, "random")


def run(name: str, arch: str, schedule: str) -> None:
    gpu = Gpu(name, arch, schedule)
    print(f"{name} on {arch}, schedule {schedule}, seed {gpu.seed}")
    ALL[name](gpu)


@pytest.mark.parametrize("arch", regenerate.ARCHS)
@pytest.mark.parametrize("name", sorted(ALL))
def test_the_ptx_is_of_the_source_as_it_stands(name: str, arch: str):
    """Otherwise run `make regen`."""
    assert regenerate.read_ptx(name, arch).startswith(regenerate.head_of(name, arch))
