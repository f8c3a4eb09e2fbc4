"""The samples as jobs."""

from __future__ import annotations

from emulator.api.kernel import ObjectCode
from emulator.crosscheck.job import EXACT, Job, Tolerance, job_of
from emulator.machine.grid import LaunchShape
from emulator.ptx_types import Dim3
from emulator.samples import Sample


def sample_job(sample: Sample, seed: int = 0, tolerance: Tolerance = EXACT) -> Job:
    """A sample's launch; its own tolerances count for its outputs, the given one for the others."""
    code = ObjectCode.from_ptx(sample.path.read_text(encoding="utf-8").encode(), name=sample.path.name)
    launch = sample.launch
    inputs = sample.inputs(seed)
    values = {}
    for number, argument in enumerate(launch.arguments):
        name = argument if isinstance(argument, str) else f"argument {number + 1}"
        values[name] = inputs[argument] if isinstance(argument, str) else argument
    tolerances = dict.fromkeys(values, tolerance)
    tolerances |= {name: Tolerance(given.rtol, given.atol) for name, given in sample.tolerances.items()}
    shape = LaunchShape(Dim3.of(launch.grid), Dim3.of(launch.block), None, launch.shmem_size)
    program = code.get_kernel(launch.kernel).program
    return job_of(program, shape, values, seed=seed, tolerances=tolerances)
