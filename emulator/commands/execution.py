"""What `ptxemu run` does: a sample with its own launch and checks, or a kernel with the command line's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from emulator import samples
from emulator.arguments import parse_spec
from emulator.commands import ExitCode, outputs
from emulator.commands.kernel_arguments import bind_arguments, find_parameter, values_of
from emulator.commands.progress import Progress
from emulator.commands.target import Target, choose_kernel
from emulator.errors import Diagnostic, PtxSemanticError, UsageError
from emulator.program.module_check import check_head
from emulator.ptx_types import Dim3

if TYPE_CHECKING:
    from emulator import Buffer, Kernel, LaunchConfig, System

DEFAULT_BLOCK = 32
Size = tuple[int, ...]


class Options(NamedTuple):
    """What the command line says about one run, besides the system that it runs on."""

    kernel: str | None = None
    grid: Size | None = None
    block: Size | None = None
    cluster: Size | None = None
    shmem: int | None = None
    arguments: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    seed: int = 0

    @property
    def launches(self) -> bool:
        """Whether the command line says how to launch; a sample's own launch counts only if it does not."""
        given = (self.kernel, self.grid, self.block, self.cluster, self.shmem, self.arguments or None)
        return any(value is not None for value in given)


@dataclass
class Outcome:
    """What a run gave: arrays by name before and after, comparisons, printed lines (where they were caught).

    slow: why no machine code ran, where nobody has chosen that.
    """

    target: str
    kernel: Kernel
    config: LaunchConfig
    before: dict[str, Any]
    after: dict[str, Any] = field(default_factory=dict)
    checks: list[samples.Comparison] = field(default_factory=list)
    printed: tuple[str, ...] = ()
    instructions: int = 0
    seconds: float = 0.0
    slow: str = ""
    threads: str = ""  # what became of --jobs, if it is not 1

    @property
    def code(self) -> ExitCode:
        """FAILED if a check failed."""
        return ExitCode.OK if all(check.equal for check in self.checks) else ExitCode.FAILED

    def changed(self) -> list[str]:
        """The arrays in which the kernel changed a bit."""
        return [name for name, array in self.after.items() if array.tobytes() != self.before[name].tobytes()]

    def name_of(self, text: str, option: str) -> str:
        """The array that an option names as --arg would; UsageError if there is none."""
        name = text if text in self.before else find_parameter(self.kernel.program, text, option).name
        if name in self.before and np.ndim(self.before[name]):
            return name
        arrays = ", ".join(name for name, value in self.before.items() if np.ndim(value)) or "none"
        message = f"{option}: {text} is no array of this launch"
        raise UsageError(Diagnostic("PTX-L0103", "usage", message, facts=(("arrays", arrays),)))


def execute(target: Target, options: Options, system: System, wanted: bool | None, *, catch: bool) -> Outcome:
    """Run a target; kernel faults are raised.  catch: keep what kernels print instead of writing it."""
    found, warnings = check_head(target.code.module, system.arch)
    for warning in warnings:
        click.echo(warning.render() + "\n", err=True)
    if found:
        raise PtxSemanticError(*found)
    with Progress(system, wanted) as progress:
        if target.sample is not None:
            outcome = _run_sample(target, options, system, progress)
        else:
            outcome = _run_kernel(target, options, system, progress, catch)
    outcome.instructions = system.runner.time
    outcome.threads = system.threads if system.runner.jobs > 1 else ""
    outcome.checks += [_compare_with_file(outcome, text) for text in options.expect]
    return outcome


def _run_sample(target: Target, options: Options, system: System, progress: Progress) -> Outcome:
    from emulator import LaunchConfig

    sample = target.sample
    assert sample is not None
    kernel = target.code.get_kernel(sample.launch.kernel)
    config = LaunchConfig(sample.launch.grid, block=sample.launch.block, shmem_size=sample.launch.shmem_size)
    outcome = Outcome(target.name, kernel, config, sample.inputs(options.seed))
    _check_names(outcome, options)
    result = samples.run_sample(sample, system, options.seed, wait=progress.run)
    outcome.seconds, outcome.after = progress.seconds, result.outputs
    outcome.checks, outcome.printed = list(result.comparisons), result.printed
    return outcome


def start_kernel(target: Target, options: Options, system: System) -> tuple[Outcome, dict[str, Buffer]]:
    """Launch what the command line says, and the buffers by name; it runs when something waits."""
    from emulator import launch

    kernel = choose_kernel(target.code, options.kernel)
    config = _config(kernel, options)
    values = values_of(bind_arguments(kernel.program, options.arguments), options.seed)
    outcome = Outcome(target.name, kernel, config, values)
    _check_names(outcome, options)
    device = system.device(0)
    structs = {parameter.name for parameter in kernel.program.parameters if parameter.is_struct}
    buffers = {
        name: device.array(value, name=name) for name, value in values.items() if np.ndim(value) and name not in structs
    }
    launch(device.default_stream, config, kernel, *[buffers.get(name, value) for name, value in values.items()])
    return outcome, buffers


def _run_kernel(target: Target, options: Options, system: System, progress: Progress, catch: bool) -> Outcome:
    outcome, buffers = start_kernel(target, options, system)
    caught: list[str] = []
    system.runner.output = caught.append if catch else progress.write
    progress.run()
    outcome.seconds = progress.seconds
    outcome.after = {name: buffer.numpy() for name, buffer in buffers.items()}
    outcome.printed = tuple("".join(caught).splitlines())
    return outcome


def _config(kernel: Kernel, options: Options) -> LaunchConfig:
    """The launch of the command line, in the API's units: with clusters it counts clusters."""
    from emulator import LaunchConfig

    grid, block = options.grid or (1,), options.block or _declared_block(kernel)
    if options.cluster is None:
        return LaunchConfig(grid, block=block, shmem_size=options.shmem or 0)
    ctas, each = Dim3.of(grid), Dim3.of(options.cluster)
    sizes = list(zip((ctas.x, ctas.y, ctas.z), (each.x, each.y, each.z), strict=True))
    if any(many == 0 or all_ % many for all_, many in sizes):
        message = f"a grid of {ctas} CTAs cannot be divided into clusters of {each}"
        raise UsageError(Diagnostic("PTX-L0104", "usage", message, help="-g counts CTAs, a multiple of --cluster"))
    clusters = tuple(all_ // many for all_, many in sizes)
    return LaunchConfig(clusters, cluster=options.cluster, block=block, shmem_size=options.shmem or 0)


def _declared_block(kernel: Kernel) -> Size:
    """The kernel's .reqntid, which is the only block that it can have; one warp without."""
    for directive in kernel.program.entry.node.directives:
        if directive.name.lstrip(".") == "reqntid":
            return tuple(int(value) for value in directive.values)
    return (DEFAULT_BLOCK,)


def _check_names(outcome: Outcome, options: Options) -> None:
    """Refuse what --out and --expect cannot mean before anything runs."""
    for text in options.out:
        outcome.name_of(text, f"--out {text}")
    for text in options.expect:
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise click.BadParameter(f"{text!r} is not NAME=FILE.npy", param_hint="'--expect'")
        _expected(outcome, name, file)


def _expected(outcome: Outcome, name: str, file: str) -> tuple[str, Any]:
    option = f"--expect {name}"
    name = outcome.name_of(name, option)
    return name, parse_spec(f"{outputs.describe(outcome.before[name])} = @{file}", option).value()


def _compare_with_file(outcome: Outcome, text: str) -> samples.Comparison:
    name, _, file = text.partition("=")
    name, expected = _expected(outcome, name, file)
    return samples.compare(name, outcome.after[name], expected)
