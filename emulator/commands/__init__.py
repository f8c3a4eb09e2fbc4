"""The command line: one row a verb, one file a verb, one place for exit codes.

A verb's module is imported only when the verb is used and defines a click command named `command`, which parses
arguments, calls the package and prints. It never calls `sys.exit`: it returns an exit code (None is 0) or raises.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple, NoReturn

import click

from emulator import __version__, errors


class ExitCode(IntEnum):
    """What `ptxemu` returns to the shell."""

    OK = 0
    FAILED = 1  # mismatch, checker finding, kernel fault, hang or trap
    USAGE = 2  # also an unknown kernel, wrong arguments, an unreadable file, a full disk, too little memory
    REJECTED = 3  # the text is not PTX, or wrong PTX
    NO_GPU = 4
    UNSUPPORTED = 5  # valid PTX that is not executed yet
    BUG = 70
    INSTRUCTION_LIMIT = 124
    INTERRUPTED = 130
    PIPE_CLOSED = 141  # as the shell reports a reader that left


class Verb(NamedTuple):
    """A row of the command table."""

    name: str
    module: str
    help: str


VERBS = (
    Verb("run", "run", "Run a kernel on the emulator and show or check its outputs."),
    Verb("debug", "debug", "Step through a kernel, forwards and backwards."),
    Verb("check", "check", "Say whether PTX files are right and can be executed."),
    Verb("isa", "isa", "List the instructions and which of their forms are executed."),
    Verb("explain", "explain", "Explain an instruction or a diagnostic's code."),
    Verb("samples", "samples", "List the samples that come with the package."),
    Verb("crosscheck", "crosscheck", "Compare a kernel's outputs with a real GPU's."),
    Verb("trace", "trace", "Write down what every warp executed."),
    Verb("cache", "cache", "Show, fill or clear the cache of compiled handlers."),
    Verb("bench", "bench", "Measure the speed of the engines."),
)

_BUG = """
This is a bug in ptxemu, not in your kernel. Please report it in the project's issue tracker, with the command line,
the PTX file and the traceback above."""


def exit_code(error: errors.DiagnosedError) -> ExitCode:
    """The exit code of a diagnosed error; a text is only "unsupported" if nothing else is wrong with it."""
    if isinstance(error, errors.PtxError):
        unsupported = all(diagnostic.kind == "unsupported" for diagnostic in error.diagnostics)
        return ExitCode.UNSUPPORTED if unsupported else ExitCode.REJECTED
    if isinstance(error, errors.UsageError):
        return ExitCode.NO_GPU if isinstance(error, errors.NoGpu) else ExitCode.USAGE
    return ExitCode.INSTRUCTION_LIMIT if isinstance(error, errors.InstructionLimit) else ExitCode.FAILED


class CommandLine(click.Group):
    """A click group that imports a verb when it is used and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs whose module is there, in the order of the table."""
        return [verb.name for verb in VERBS if importlib.util.find_spec(f"{__name__}.{verb.module}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The click command of a verb, imported now; None if there is no such verb."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = next(verb.module for verb in VERBS if verb.name == cmd_name)
        command = importlib.import_module(f"{__name__}.{module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, from the table alone: help imports no verb."""
        listed = self.list_commands(ctx)
        with formatter.section("Commands"):
            formatter.write_dl([(verb.name, verb.help) for verb in VERBS if verb.name in listed])

    def main(  # type: ignore[override]  # click's overloads depend on standalone_mode, which is not ours to vary
        self, args: Sequence[str] | None = None, prog_name: str | None = "ptxemu", **extra: Any
    ) -> NoReturn:
        """Run a command line and exit with its code."""
        extra["standalone_mode"] = False
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by the caller
                setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # as long as the process
        sys.exit(_run(partial(super().main, args, prog_name, **extra)))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb and write out what it printed, so that a reader who left is noticed here."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _drop_output()
            return ExitCode.PIPE_CLOSED
        return result


def _run(command_line: Callable[[], object]) -> int:
    """Call a command line; the exit code of its result or of what it raised."""
    try:
        result = command_line()
    except click.exceptions.Abort:
        click.echo("ptxemu: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except errors.DiagnosedError as error:
        click.echo(str(error), err=True)
        return exit_code(error)
    except OSError as error:
        if error.errno is None:
            return _report_bug()
        try:
            sys.stdout.flush()
        except OSError:  # a full disk, say
            _drop_output()
        click.echo(f"ptxemu: {'' if error.filename is None else f'{error.filename}: '}{error.strerror}", err=True)
        return ExitCode.USAGE
    except MemoryError as error:
        click.echo(f"ptxemu: not enough memory on this machine{f': {error}' if str(error) else ''}", err=True)
        return ExitCode.USAGE
    except Exception:  # the last stop: a traceback and where to report it, never a guess
        return _report_bug()
    return result if isinstance(result, int) else ExitCode.OK


def _drop_output() -> None:
    """The interpreter flushes stdout once more at exit: give it a place that takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_bug() -> int:
    """Print the traceback of the error being handled and where to report it."""
    import traceback

    click.echo(traceback.format_exc(), err=True, nl=False)
    click.echo(_BUG, err=True)
    return ExitCode.BUG


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print the version and stop."""
    if value:
        click.echo(f"ptxemu {__version__}")
        ctx.exit()


@click.group(
    "ptxemu", cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def main() -> None:
    """An exact emulator of NVIDIA PTX: run, debug and check kernels without a GPU.

    \b
    Exit codes: 0 ok; 1 mismatch, finding, kernel fault, hang or trap; 2 usage;
    3 PTX rejected; 4 no GPU; 5 valid PTX that is not executed yet;
    70 a bug of ours; 124 instruction limit; 130 interrupted.
    """
