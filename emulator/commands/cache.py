"""`ptxemu cache`: the native engine's compiled handlers on disk."""

from __future__ import annotations

import json
import os

import click

from emulator.engines.native import cache

MEGABYTE = 1 << 20


@click.group("cache")
def command() -> None:
    """Show or clear the cache of compiled handlers.

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
    count, size = cache.clear()
    click.echo(f"deleted {count:,} {'entry' if count == 1 else 'entries'}, {size / MEGABYTE:.1f} MB")
