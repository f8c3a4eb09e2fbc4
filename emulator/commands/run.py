"""`ptxemu run`: run a kernel of a .ptx file or a sample, and show or check its outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from emulator.api.system import ENGINE_VARIABLE, why_not_native
from emulator.arguments import type_name_of
from emulator.commands import ExitCode, counter_table, exit_code, outputs
from emulator.commands.execution import Options, Outcome, execute
from emulator.commands.launch_options import launch_options, system_of
from emulator.commands.progress import compile_notice
from emulator.commands.target import find_target
from emulator.errors import DiagnosedError, KernelFault
from emulator.ptx_types import Dim3

if TYPE_CHECKING:
    from emulator import System
    from emulator.observers.counters import Counters


@click.command("run")
@click.argument("target")
@launch_options
@click.option("--out", multiple=True, metavar="NAME", help="Print this array in full.")
@click.option("--expect", multiple=True, metavar="NAME=FILE.npy", help="Compare an array, bit by bit.")
@click.option("--save", metavar="OUT.npz", type=click.Path(dir_okay=False), help="Write all arrays to a file.")
@click.option("--counters", is_flag=True, help="Count executed instructions and lanes by opcode.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--progress/--no-progress", default=None, help="Progress on stderr.  [default: if it is a terminal]")
def command(target: str, **given: Any) -> ExitCode:
    """Run a kernel on the emulator and show or check its outputs.

    TARGET is a .ptx file or the name of a sample (`ptxemu samples`). A sample without -k, -g, -b, --shmem, --cluster
    and --arg brings its own launch, and says whether everything came out right (exit code 1 if not).

    \b
    --arg NAME=SPEC   NAME is the name of a .param, its end behind a _, or its
    position from 1; SPEC alone goes to the next parameter. A SPEC is such as
        f32[1024]=arange       f32[512]=random      e4m3[64]=random(-1, 1)
        u32[4]=[1, 2, 3, 4]    f32[512] (zeros)     @file.npy
        s32=7                  7 (a number of the parameter's type)
    """
    options = Options(**{name: given[name] for name in Options._fields})
    try:
        found = find_target(target, plain=options.launches)
        needed = found.sample.device_count if found.sample is not None else 1
        with compile_notice(given["progress"]):
            system = system_of({**given, "devices": max(given["devices"], needed)})
            counters = _counting(system) if given["counters"] else None
            outcome = execute(found, options, system, given["progress"], catch=given["as_json"])
    except DiagnosedError as error:
        if isinstance(error, KernelFault):
            error.diagnostic.facts = tuple(_with_seed(fact, options.seed) for fact in error.diagnostic.facts)
        if not given["as_json"]:
            raise
        failed = {"target": target, "ok": False, "errors": [item.to_json() for item in error.diagnostics]}
        click.echo(json.dumps(failed))
        return exit_code(error)
    if given["engine"] is None and not os.environ.get(ENGINE_VARIABLE):
        outcome.slow = why_not_native()
    if given["save"] is not None:
        np.savez(given["save"], **outcome.after)
    for line in [json.dumps(to_json(outcome, options, counters))] if given["as_json"] else summary(outcome, options):
        click.echo(line)
    if counters is not None and not given["as_json"]:
        click.echo("\n" + "\n".join(counter_table.table(counters)))
    return outcome.code


def _counting(system: System) -> Counters:
    """Counters of everything that a system executes."""
    from emulator.observers.counters import Counters

    counters = Counters()
    system.runner.add_observer(counters)
    return counters


def _with_seed(fact: tuple[str, str], seed: int) -> tuple[str, str]:
    """The fact about the run, with the seed of the random arguments: all that is needed to have it again."""
    key, text = fact
    return key, f"{text}, seed {seed}" if key == "run" else text


def summary(outcome: Outcome, options: Options) -> Iterator[str]:
    """The text of a run: the launch, what it took, outputs, checks."""
    yield launch_line(outcome)
    yield f"{outcome.instructions:,} warp instructions in {outcome.seconds:.2f} s{_slowly(outcome)}"
    if outcome.threads:
        yield outcome.threads
    yield from outcome.printed
    whole = [outcome.name_of(text, "--out") for text in options.out]
    shown = whole or outcome.changed()
    if shown:
        yield ""
    elif outcome.after:
        yield "no array was changed"
    name_width = max((len(name) for name in shown), default=0)
    type_width = max((len(outputs.describe(outcome.after[name])) for name in shown), default=0)
    for name in shown:
        array = outcome.after[name]
        head = f"{name:{name_width}}  {outputs.describe(array):{type_width}}"
        if whole:
            yield head.rstrip()
            yield from outputs.table(array)
        else:
            yield f"{head}  {outputs.first_values(array, max(20, outputs.WIDTH - len(head) - 2))}"
    if outcome.checks:
        yield ""
    check_width = max((len(check.name) for check in outcome.checks), default=0)
    for check in outcome.checks:
        yield f"{'ok   ' if check.equal else 'WRONG'}  {check.name:{check_width}}  {check.text}"


def _slowly(outcome: Outcome) -> str:
    """Why the reference engine ran it, if nobody has asked for that."""
    return f" by the reference engine: {outcome.slow}" if outcome.slow else ""


def launch_line(outcome: Outcome) -> str:
    """`kernel<<<(4,1,1), (64,1,1)>>>` with clusters and shared memory where there are any."""
    shape = outcome.config.shape()
    parts = [_size(shape.grid), _size(shape.block)]
    if shape.shared:
        parts.append(f"{shape.shared}")
    cluster = f"  clusters of {_size(shape.cluster)}" if shape.cluster else ""
    return f"{outcome.kernel.name}<<<{', '.join(parts)}>>>{cluster}  {outcome.target}"


def _size(size: Dim3) -> str:
    if size.y == size.z == 1:
        return str(size.x)
    return f"({size.x}, {size.y}, {size.z})" if size.z != 1 else f"({size.x}, {size.y})"


def to_json(outcome: Outcome, options: Options, counters: Counters | None = None) -> dict[str, Any]:
    """The object of --json: the arrays of --out, or those that changed, in full."""
    shape = outcome.config.shape()
    names = [outcome.name_of(text, "--out") for text in options.out] or outcome.changed()
    return {
        "target": outcome.target,
        "ok": outcome.code is ExitCode.OK,
        "kernel": outcome.kernel.name,
        "grid": [shape.grid.x, shape.grid.y, shape.grid.z],
        "block": [shape.block.x, shape.block.y, shape.block.z],
        "cluster": [shape.cluster.x, shape.cluster.y, shape.cluster.z] if shape.cluster else None,
        "shmem_size": shape.shared,
        "warp_instructions": outcome.instructions,
        "seconds": round(outcome.seconds, 6),
        "printed": list(outcome.printed),
        "outputs": {name: _output(outcome.after[name]) for name in names},
        "checks": [{"name": c.name, "ok": c.equal, "text": c.text} for c in outcome.checks],
        "errors": [],
        **({"threads": outcome.threads} if outcome.threads else {}),
        **({"counters": counter_table.to_json(counters)} if counters is not None else {}),
    }


def _output(array: Any) -> dict[str, Any]:
    return {
        "dtype": type_name_of(array.dtype),
        "shape": list(array.shape),
        "values": outputs.json_values(array),
    }
