"""`ptxemu debug`: step through a kernel of a .ptx file or a sample, forwards and backwards."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from emulator import samples
from emulator.commands import ExitCode
from emulator.commands.execution import Options, start_kernel
from emulator.commands.launch_options import launch_options, system_of
from emulator.commands.progress import compile_notice
from emulator.commands.target import Target, find_target
from emulator.debugger.console import Console
from emulator.debugger.lines import WIDTH
from emulator.debugger.session import Launched, Session
from emulator.errors import PtxSemanticError
from emulator.program.module_check import check_head


@click.command("debug")
@click.argument("target")
@launch_options
@click.option("-ex", "--execute", "lines", multiple=True, metavar="CMD", help="Do this command; may be repeated.")
@click.option("-x", "--script", "scripts", multiple=True, type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="Do the commands of a file, before those of -ex.")  # fmt: skip
@click.option("--batch", is_flag=True, help="Leave after the commands of -x and -ex.")
@click.option("--tui", is_flag=True, help="Source, lanes, shared memory and warps in one window.")
def command(
    target: str, lines: tuple[str, ...], scripts: tuple[str, ...], batch: bool, tui: bool, **given: Any
) -> ExitCode:
    """Step through a kernel, forwards and backwards.

    TARGET and the options of the launch are those of `ptxemu run`; a sample brings its own launch. Commands are read
    from -x and -ex, then from the terminal, or from stdin where that is no terminal. `help` lists them.

    \b
    ptxemu debug 03_shared/reverse
    ptxemu debug k.ptx -b 64 --arg 'f32[64]=arange' -ex 'break 20' -ex continue --batch
    """
    if tui:
        _check_window(batch)
    commands = [*_read(scripts), *lines]
    options = Options(**{name: given[name] for name in Options._fields if name in given})
    found = _checked(find_target(target, plain=options.launches), given["arch"])
    if given["jobs"] > 1:
        click.echo("one thread: the debugger stops at any instruction", err=True)
    with compile_notice():
        session = Session(_starter(found, options, given))
    if tui:
        from emulator.debugger import tui as window

        window.run(session, commands)
        return ExitCode.OK
    console = Console(session)
    if not batch:
        console.welcome()
    return _converse(console, commands, batch)


def _check_window(batch: bool) -> None:
    """Refuse --tui where there can be no window."""
    if importlib.util.find_spec("textual") is None:
        raise click.UsageError("--tui needs textual: pip install 'ptxemu[tui]'")
    if batch:
        raise click.UsageError("--tui and --batch exclude each other")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("--tui needs a terminal")


def _checked(target: Target, arch: str) -> Target:
    """A target whose head is right; warnings are shown."""
    found, warnings = check_head(target.code.module, arch)
    for warning in warnings:
        click.echo(warning.render() + "\n", err=True)
    if found:
        raise PtxSemanticError(*found)
    return target


def _starter(target: Target, options: Options, given: dict[str, Any]) -> Callable[[Callable[[str], object]], Launched]:
    """What launches the target on a fresh system."""

    def start(output: Callable[[str], object]) -> Launched:
        needed = target.sample.device_count if target.sample is not None else 1
        system = system_of({**given, "jobs": 1, "devices": max(given["devices"], needed)}, registers="virtual")
        printed: list[str] = []

        def write(text: str) -> None:
            printed.append(text)
            output(text)

        system.runner.output = write
        if target.sample is None:
            start_kernel(target, options, system)
            return Launched(system, target.name, lambda: (True, []))
        started = samples.start_sample(target.sample, system, options.seed)

        def finish() -> tuple[bool, list[str]]:
            result = started.result("".join(printed))
            return result.ok, [line for check in result.comparisons for line in _line_of(check)]

        return Launched(system, target.name, finish)

    return start


def _line_of(check: samples.Comparison) -> list[str]:
    """`ok     data  128 values equal, bit by bit`, folded at the width of the screen."""
    head = f"{'ok   ' if check.equal else 'WRONG'}  {check.name}  "
    return wrap(head + check.text, WIDTH, subsequent_indent=" " * len(head))


def _read(scripts: tuple[str, ...]) -> list[str]:
    """The lines of scripts."""
    lines: list[str] = []
    for script in scripts:
        try:
            lines += Path(script).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise click.BadParameter(
                f"{script} is no text: byte {error.start} is not UTF-8", param_hint="'-x' / '--script'"
            ) from None
    return lines


def _converse(console: Console, lines: list[str], batch: bool) -> ExitCode:
    """Do the commands that were given, then ask for more; the exit code."""
    go_on = console.script(lines)
    interactive = not batch and sys.stdin.isatty()
    if go_on and interactive:
        console.terminal()
    elif go_on and not batch:
        console.script(sys.stdin, echo=True)
    return ExitCode.OK if interactive else _verdict(console)


def _verdict(console: Console) -> ExitCode:
    """Of a scripted session: a fault or a failed check where it stands, else a command that could not be done."""
    stop = console.session.stop
    if stop.fault is not None or (stop.reason == "end" and not console.session.launched.finish()[0]):
        return ExitCode.FAILED
    return ExitCode.USAGE if console.failed else ExitCode.OK
