"""Programs that a real compiler made: CUDA C++ of many kinds, by nvcc, on both engines, against NumPy."""

import zlib

import pytest

from emulator.errors import UnsupportedInstruction
from tests.kernels import programs, regenerate
from tests.kernels.gpu import Gpu

ALL = programs.PROGRAMS
# Kernels with instructions of later milestones, and the first that is refused: once it is executed, these must pass.
LATER = {("tensor_cores", arch): "wmma" for arch in regenerate.ARCHS}
LATER[("clusters", "sm_90")] = "barrier.cluster"
OTHER_ARCHS = [pytest.param(arch, marks=pytest.mark.slow) for arch in ("sm_75", "sm_80")]


def test_every_source_has_a_program_and_every_program_a_source():
    assert sorted(ALL) == regenerate.names()
    assert len(ALL) >= 59


@pytest.mark.parametrize("arch", ["sm_90", *OTHER_ARCHS])
@pytest.mark.parametrize("name", sorted(ALL))
def test_both_engines_give_what_numpy_gives_in_the_same_time(name: str, arch: str):
    reference, native = (run(name, arch, "round_robin", engine) for engine in ("reference", "native"))
    assert end_of(reference) == end_of(native)


@pytest.mark.parametrize("name", sorted(ALL))
def test_gives_the_same_under_a_random_schedule(name: str):
    arch = "sm_75" if zlib.crc32(name.encode()) % 2 else "sm_80"
    run(name, arch, "random", "reference")


def run(name: str, arch: str, schedule: str, engine: str) -> Gpu:
    gpu = Gpu(name, arch, schedule, engine)
    print(f"{name} on {arch}, schedule {schedule}, seed {gpu.seed}, engine {engine}")
    if (name, arch) in LATER:
        with pytest.raises(UnsupportedInstruction, match=LATER[name, arch]):
            ALL[name](gpu)
    else:
        ALL[name](gpu)
    return gpu


def end_of(gpu: Gpu) -> object:
    """What no engine may change; of a program that ends with a fault, its text."""
    return str(gpu.system.fault) if gpu.system.fault else gpu.outcome()


@pytest.mark.parametrize("arch", regenerate.ARCHS)
@pytest.mark.parametrize("name", sorted(ALL))
def test_the_ptx_is_of_the_source_as_it_stands(name: str, arch: str):
    """Otherwise run `make regen`."""
    assert regenerate.read_ptx(name, arch).startswith(regenerate.head_of(name, arch))
