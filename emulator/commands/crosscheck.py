"""`ptxemu crosscheck`: the same kernel on the emulator and on a real GPU, and what GPUs answered before."""

from __future__ import annotations

import json
from typing import Any

import click

from emulator.commands import ExitCode
from emulator.commands.crosscheck_recordings import record, verify
from emulator.commands.crosscheck_target import job_of_target
from emulator.commands.crosscheck_test import test
from emulator.commands.execution import Options
from emulator.commands.launch_options import Size
from emulator.crosscheck import report as text
from emulator.crosscheck.backend import Backend, EmulatorBackend
from emulator.crosscheck.check import CrossCheck
from emulator.crosscheck.job import Job
from emulator.crosscheck.stand_in import Lie, StandIn
from emulator.parse import parse
from emulator.program import link
from emulator.program.dataflow import writes


@click.group("crosscheck")
def command() -> None:
    """Compare a kernel with a real GPU, or with what a GPU answered before.

    \b
    run      both machines, the same text and inputs; the first differing instruction
    test     the same for every launch of Python tests
    record   write down what this machine's GPU answers
    verify   compare the emulator with what was written down; needs no GPU
    """


command.add_command(record)
command.add_command(verify)
command.add_command(test)


@command.command("run")
@click.argument("target")
@click.option("-k", "--kernel", metavar="KERNEL", help="The kernel, or a part that only its name has.")
@click.option("-g", "--grid", type=Size(), metavar="GRID", help="CTAs: 4, or 4,2 or 4,2,1.  [default: 1]")
@click.option("-b", "--block", type=Size(), metavar="BLOCK", help="Threads of a CTA.  [default: .reqntid, else 32]")
@click.option("--shmem", type=click.IntRange(min=0), metavar="N", help="Bytes of dynamic shared memory.")
@click.option("--cluster", type=Size(), metavar="C", help="CTAs of a cluster; -g still counts CTAs.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=SPEC", help="An argument, as of `ptxemu run`.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random arguments.")
@click.option(
    "--rtol", type=click.FloatRange(min=0), default=0.0, metavar="X", help="Relative tolerance of all float outputs."
)
@click.option(
    "--atol", type=click.FloatRange(min=0), default=0.0, metavar="X", help="Absolute tolerance of all float outputs."
)
@click.option("--gpu", type=click.IntRange(min=0), default=0, metavar="N", help="Which GPU.  [default: 0]")
@click.option(
    "--stand-in", metavar="LINE:BIT", help="Instead of a GPU: the emulator, with a wrong bit in a line's result."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(target: str, gpu: int, stand_in: str | None, as_json: bool, rtol: float, atol: float, **given: Any) -> ExitCode:
    """Run TARGET, a .ptx file or a sample, on both machines and compare every array.

    Where they differ, the first differing instruction is searched for and judged; docs/crosscheck.md explains the
    verdicts. Exit code 0: equal, or different as far as the manual allows; 1: not; 4: there is no GPU.
    """
    job = job_of_target(target, Options(**given), rtol, atol)
    backend = _gpu(gpu) if stand_in is None else StandIn([_lie(job, stand_in)])
    report = CrossCheck(EmulatorBackend(), backend).run(job)
    if as_json:
        click.echo(json.dumps(text.to_json(report)))
    else:
        for line in text.lines(report):
            click.echo(line)
    return ExitCode.OK if report.ok else ExitCode.FAILED


def _gpu(ordinal: int) -> Backend:
    from emulator.crosscheck.gpu import GpuBackend

    return GpuBackend(ordinal)


def _lie(job: Job, spec: str) -> Lie:
    """The first result of a line, in every thread that executes it, with one bit flipped."""
    line, _, bit = spec.partition(":")
    if not (line.isdigit() and bit.isdigit()):
        raise click.BadParameter(f"{spec!r} is not LINE:BIT, such as 41:0", param_hint="'--stand-in'")
    program = link(parse(job.ptx, name=job.name), job.kernel)
    found = [i for i in program.instructions if i.line == int(line) and writes(i)]
    if not found:
        raise click.BadParameter(f"line {line} has no instruction with a result", param_hint="'--stand-in'")
    width = writes(found[0])[0].type.width
    if int(bit) >= width:
        text = f"the result of line {line} has the bits 0 to {width - 1}, no bit {bit}"
        raise click.BadParameter(text, param_hint="'--stand-in'")
    return Lie(job.kernel, found[0].pc, int(bit), cta=None, thread=None, execution=None)
