"""`ptxemu cache`: the native engine's compiled handlers on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from emulator.commands import ExitCode, exit_code
from emulator.engines.native import cache
from emulator.errors import PtxError

if TYPE_CHECKING:
    from emulator.commands.target import Target

MEGABYTE = 1 << 20


@click.group("cache")
def command() -> None:
    """Show, fill or clear the cache of compiled handlers.

    The native engine keeps the machine code that it makes for instructions.  $PTXEMU_CACHE names another folder for
    it, or is "off".
    """


@command.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(as_json: bool) -> None:
    """Show the folder, the number of entries and their size."""
    where, found = cache.folder(), cache.files()
    size = sum(about.st_size for _, about in found)
    if as_json:
        name = None if where is None else str(where)
        click.echo(json.dumps({"folder": name, "entries": len(found), "bytes": size, "limit": cache.LIMIT}))
        return
    if where is None:
        why = f"${cache.VARIABLE} says so" if os.environ.get(cache.VARIABLE) is not None else "there is no home folder"
        click.echo(f"the cache is off: {why}")
        return
    chosen = f"  (${cache.VARIABLE})" if os.environ.get(cache.VARIABLE) else ""
    click.echo(f"folder   {where}{chosen}")
    click.echo(f"entries  {len(found):,}")
    click.echo(f"size     {size / MEGABYTE:.1f} MB of {cache.LIMIT // MEGABYTE} MB at most")


@command.command("clear")
def clear() -> None:
    """Delete all entries; they are made again when they are needed."""
    cache.problems.clear()
    count, size = cache.clear()
    click.echo(f"deleted {count:,} {'entry' if count == 1 else 'entries'}, {size / MEGABYTE:.1f} MB")
    _require_no_problems("not deleted")


@command.command("warm")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
def warm(targets: tuple[str, ...]) -> ExitCode:
    """Compile what the kernels of .ptx files and samples need, so that their first run does not wait for it.

    That is a handler for each kind of instruction, and the loops as a whole, which a long run would compile later.
    Without a TARGET: of all samples. A kernel that cannot be executed is named and left out (exit code 5 if it is not
    executed yet, 3 if it is no right PTX).
    """
    from emulator import samples
    from emulator.api.system import require_engine
    from emulator.commands.target import find_target

    require_engine("native")
    if cache.folder() is None:
        raise click.UsageError("the cache is off: there is no place to keep what would be compiled")
    if not cache.can_be_written():
        raise click.UsageError(f"{cache.folder()} cannot be written: what would be compiled could not be kept")
    cache.problems.clear()
    codes = [ExitCode.OK]
    for name in targets or samples.names():
        for line, code in _warm(find_target(name, plain=True)):
            codes.append(code)
            click.echo(line)
    _require_no_problems("what was compiled could not be kept")
    return next(code for code in (ExitCode.REJECTED, ExitCode.UNSUPPORTED, ExitCode.OK) if code in codes)


def _require_no_problems(what: str) -> None:
    if cache.problems:
        raise click.UsageError(f"{cache.folder()}: {what}: {cache.problems[-1].strerror}")


def _warm(target: Target) -> Iterator[tuple[str, ExitCode]]:
    """Compile the handlers and runs of each kernel of a target: a line a kernel, and what it comes to."""
    from emulator.engines.native.library import Library
    from emulator.engines.native.records import NativeProgram
    from emulator.engines.native.runs import Heat, Policy

    for name in target.code.kernels:
        counts: list[int] = []
        try:
            target.code.get_kernel(name)
            program = target.code.program(name, registers="compact")  # as a plain run has them
            with cache.heard_by(counts.append):
                found = Library()
                native = NativeProgram(program, found)
                handlers = sum(counts)
                Heat(native, found, Policy()).fuse()
        except PtxError as error:
            yield f"{target.name}  {name}  left out: {error.diagnostics[0].message}", exit_code(error)
        else:
            compiled = (
                f"{handlers:,} handlers and {sum(counts) - handlers:,} runs compiled" if any(counts) else "all there"
            )
            yield f"{target.name}  {name}  {compiled}", ExitCode.OK
