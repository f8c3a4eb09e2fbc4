"""`ptxemu crosscheck test`: Python tests whose launches all run on both machines."""

from __future__ import annotations

import importlib.util
from collections import Counter

import click

from emulator.commands import ExitCode
from emulator.crosscheck.backend import Backend
from emulator.crosscheck.devices import everywhere
from emulator.crosscheck.gpu import GpuBackend
from emulator.crosscheck.job import Tolerance
from emulator.crosscheck.stand_in import StandIn
from emulator.errors import Diagnostic, UsageError


@click.command("test")
@click.argument("tests", nargs=-1, required=True, metavar="TESTS...")
@click.option(
    "--rtol", type=click.FloatRange(min=0), default=0.0, metavar="X", help="Relative tolerance of all float buffers."
)
@click.option(
    "--atol", type=click.FloatRange(min=0), default=0.0, metavar="X", help="Absolute tolerance of all float buffers."
)
@click.option("--gpu", type=click.IntRange(min=0), default=0, metavar="N", help="Which GPU.  [default: 0]")
@click.option("--stand-in", is_flag=True, help="Instead of a GPU: a second emulator.")
def test(tests: tuple[str, ...], rtol: float, atol: float, gpu: int, stand_in: bool) -> ExitCode:
    """Run TESTS with pytest; every launch on a Device(i) that names no backend runs on both machines.

    TESTS are files, FILE::NAME, or whatever else pytest is given behind `--`. A launch that gives other results on the
    GPU fails its test with the report. Exit code 1: a test failed; 4: there is no GPU.
    """
    if importlib.util.find_spec("pytest") is None:
        raise UsageError(Diagnostic("PTX-G0607", "usage", "pytest is not installed", help="pip install pytest"))
    import pytest

    backend: Backend = StandIn() if stand_in else GpuBackend(gpu)
    with everywhere(backend, Tolerance(rtol, atol)) as reports:
        status = pytest.main(["--quiet", *tests])
    counts = Counter(report.verdict.word for report in reports)
    found = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none"
    click.echo(f"launches compared with {backend.identity}: {found}")
    if status == pytest.ExitCode.OK:
        return ExitCode.OK
    return ExitCode.FAILED if status == pytest.ExitCode.TESTS_FAILED else ExitCode.USAGE
