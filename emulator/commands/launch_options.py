"""How the command line says what to launch: the options that `run` and `debug` share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from emulator.api.system import CONTRACTS, DEFAULT_ARCH, ENGINES, MOST_JOBS, System
from emulator.program.module_check import KNOWN_TARGETS


class Size(click.ParamType[tuple[int, ...]]):
    """1 to 3 sizes: `4`, `4,2`, `4x2x1`, `(4, 2)`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The sizes; a usage error for anything else."""
        parts = re.split(r"\s*[,x]\s*", str(value).strip().removeprefix("(").removesuffix(")"))
        if not 1 <= len(parts) <= 3 or not all(re.fullmatch(r"\d+", part) for part in parts):
            self.fail(f"{value!r} is no size: 1 to 3 numbers, such as 4 or 16,16", param, ctx)
        return tuple(int(part) for part in parts)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _fixed(option: str, metavar: str, allowed: tuple[str, ...], instead: str) -> Decorator:
    """An option that has only its default so far, and says so of everything else."""

    def check(ctx: click.Context, param: click.Parameter, value: str) -> str:
        if value not in allowed:
            raise click.BadParameter(f"{value} is not there yet: {instead}", ctx, param)
        return value

    text = instead[0].upper() + instead[1:] + "."
    return click.option(option, default=allowed[0], metavar=metavar, show_default=True, callback=check, help=text)


_OPTIONS: tuple[Decorator, ...] = (
    click.option("-k", "--kernel", metavar="KERNEL", help="The kernel, or a part that only its name has."),
    click.option("-g", "--grid", type=Size(), metavar="GRID", help="CTAs: 4, or 4,2 or 4,2,1.  [default: 1]"),
    click.option("-b", "--block", type=Size(), metavar="BLOCK", help="Threads of a CTA.  [default: .reqntid, else 32]"),
    click.option("--shmem", type=click.IntRange(min=0), metavar="N", help="Bytes of dynamic shared memory."),
    click.option("--cluster", type=Size(), metavar="C", help="CTAs of a cluster; -g still counts CTAs."),
    click.option("--arg", "arguments", multiple=True, metavar="NAME=SPEC", help="An argument, see above."),
    click.option(
        "--arch",
        type=click.Choice(KNOWN_TARGETS),
        default=DEFAULT_ARCH,
        metavar="ARCH",
        show_default=True,
        help="The device's architecture.",
    ),
    click.option(
        "--devices", type=click.IntRange(min=1), default=1, metavar="N", show_default=True, help="Emulated GPUs."
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        show_default=True,
        help="Of random arguments and of --schedule random.",
    ),
    click.option(
        "--schedule",
        default="round_robin",
        metavar="ORDER",
        show_default=True,
        help="round_robin[:INSTRUCTIONS] or random[:SEED].",
    ),
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default=None,
        help="native runs machine code, reference NumPy rows; same results.  [default: native where it can run]",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1, max=MOST_JOBS),
        default=1,
        metavar="N",
        show_default=True,
        help="Threads that run CTAs at once; with more than one the order of CTAs differs from run to run.",
    ),
    click.option(
        "--contract",
        type=click.Choice(CONTRACTS),
        default=CONTRACTS[0],
        show_default=True,
        help="ptx rounds every mul and add; ptxas fuses the pairs that ptxas fuses.",
    ),
    _fixed("--check", "CHECKS", ("mem",), "bounds, alignment and write protection of memory are always checked"),
    click.option("--max-instructions", type=click.IntRange(min=1), metavar="N", help="Stop there, with exit code 124."),
)


def launch_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a launch and of the system that it runs on."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def system_of(given: dict[str, Any], registers: str | None = None) -> System:
    """The system that the options describe.  registers: as for System."""
    try:
        return System(
            given["devices"],
            arch=given["arch"],
            engine=given["engine"],
            schedule=given["schedule"],
            seed=given["seed"],
            contract=given["contract"],
            max_instructions=given["max_instructions"],
            registers=registers,
            jobs=given["jobs"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
