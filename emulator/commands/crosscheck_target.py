"""A TARGET and the options of the command line as a job of the cross-check."""

from __future__ import annotations

from typing import Any

from emulator.api.kernel import Kernel
from emulator.commands.execution import DEFAULT_BLOCK, Options
from emulator.commands.kernel_arguments import bind_arguments, values_of
from emulator.commands.target import choose_kernel, find_target
from emulator.crosscheck.job import Job, Tolerance, job_of
from emulator.crosscheck.samples import sample_job
from emulator.errors import Diagnostic, UsageError
from emulator.machine.grid import LaunchShape
from emulator.ptx_types import Dim3


def job_of_target(text: str, options: Options, rtol: float, atol: float) -> Job:
    """The launch of a sample, or of a kernel with the command line's sizes and arguments."""
    if text.partition("::")[0].endswith(".py"):
        message = f"{text} is no PTX"
        raise UsageError(Diagnostic("PTX-L0106", "usage", message, help=f"ptxemu crosscheck test {text}"))
    target = find_target(text, plain=options.launches)
    tolerance = Tolerance(rtol, atol)
    if target.sample is not None:
        return sample_job(target.sample, options.seed, tolerance)
    kernel = choose_kernel(target.code, options.kernel)
    values: dict[str, Any] = values_of(bind_arguments(kernel.program, options.arguments), options.seed)
    tolerances = dict.fromkeys(values, tolerance)
    return job_of(kernel.program, _shape(kernel, options), values, seed=options.seed, tolerances=tolerances)


def _shape(kernel: Kernel, options: Options) -> LaunchShape:
    grid, block = Dim3.of(options.grid or (1,)), Dim3.of(options.block or _declared_block(kernel))
    cluster = None if options.cluster is None else Dim3.of(options.cluster)
    if cluster is not None and any(
        each == 0 or many % each for many, each in zip(_sizes(grid), _sizes(cluster), strict=True)
    ):
        message = f"a grid of {grid} CTAs cannot be divided into clusters of {cluster}"
        raise UsageError(Diagnostic("PTX-L0104", "usage", message, help="-g counts CTAs, a multiple of --cluster"))
    return LaunchShape(grid, block, cluster, options.shmem or 0)


def _sizes(size: Dim3) -> tuple[int, int, int]:
    return size.x, size.y, size.z


def _declared_block(kernel: Kernel) -> tuple[int, ...]:
    """The kernel's .reqntid; one warp without."""
    for directive in kernel.program.entry.node.directives:
        if directive.name.lstrip(".") == "reqntid":
            return tuple(int(value) for value in directive.values)
    return (DEFAULT_BLOCK,)
