"""`ptxemu check`: parse and decode every entry of PTX files, and say what is wrong with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from emulator.commands import ExitCode
from emulator.errors import Diagnostic, PtxError, Source
from emulator.parse import parse
from emulator.program import check_module
from emulator.program.module_check import KNOWN_TARGETS

ARCHITECTURE = click.Choice(KNOWN_TARGETS)
_WORDS = {
    ExitCode.OK: "ok",
    ExitCode.UNSUPPORTED: "not executed yet",
    ExitCode.REJECTED: "rejected",
    ExitCode.USAGE: "unreadable",
}
_WORST_FIRST = (ExitCode.USAGE, ExitCode.REJECTED, ExitCode.UNSUPPORTED, ExitCode.OK)


@dataclass
class Report:
    """What was found in one file; warnings never change whether it is ok."""

    file: str
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)

    @property
    def code(self) -> ExitCode:
        """The file's own exit code: its worst error's."""
        kinds = {error.kind for error in self.errors}
        if "usage" in kinds:
            return ExitCode.USAGE
        if kinds - {"unsupported"}:
            return ExitCode.REJECTED
        return ExitCode.UNSUPPORTED if kinds else ExitCode.OK

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints for the file."""
        return {
            "file": self.file,
            "ok": not self.errors,
            "errors": [error.to_json() for error in self.errors],
            "warnings": [warning.to_json() for warning in self.warnings],
        }

    def render(self) -> str:
        """The file's diagnostics as text, errors first; empty if there are none."""
        return "\n\n".join(diagnostic.render() for diagnostic in (*self.errors, *self.warnings))


@click.command("check")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line and file.")
@click.option(
    "--arch", type=ARCHITECTURE, default="sm_90a", show_default=True, metavar="ARCH", help="The device to check for."
)
def command(paths: tuple[str, ...], as_json: bool, arch: str) -> ExitCode:
    """Say whether every instruction of every entry of PTX files is right and can be executed.

    A PATH is a file, or a folder, which means all its .ptx files at any depth. Exit codes: 0 every file is ok; 2 a file
    cannot be read; 3 a file is rejected; 5 a file is right but holds what is not executed yet.
    """
    counts: Counter[ExitCode] = Counter()
    for report in reports(paths, arch):
        counts[report.code] += 1
        if as_json:
            click.echo(json.dumps(report.to_json()))
        elif text := report.render():
            click.echo(text + "\n")
    if not as_json:
        click.echo(summary(counts))
    return next(code for code in _WORST_FIRST if counts[code])


def reports(paths: tuple[str, ...], arch: str) -> Iterator[Report]:
    """The reports on all files of all paths, in order."""
    for path in paths:
        files = [path]
        if Path(path).is_dir():
            found = (file for file in Path(path).rglob("*.ptx") if not file.is_dir() and not file.is_fifo())
            files = sorted(map(str, found))
        if not files:
            yield Report(path, [_unreadable(path, "no .ptx file in this folder")])
        for file in files:
            yield check_file(file, arch)


def check_file(file: str, arch: str) -> Report:
    """Parse and decode one file."""
    report = Report(file)
    try:
        module = parse(Path(file).read_bytes(), file)
        report.errors, report.warnings = check_module(module, arch=arch)
    except OSError as error:
        report.errors.append(_unreadable(file, error.strerror or str(error)))
    except PtxError as error:
        report.errors += error.diagnostics
    except Exception as error:
        error.add_note(f"while checking {file}")
        raise
    return report


def _unreadable(path: str, why: str) -> Diagnostic:
    """The finding on a path that gives no text."""
    return Diagnostic("PTX-L0106", "usage", why[0].lower() + why[1:], Source("", path))


def summary(counts: Counter[ExitCode]) -> str:
    """One line: how many files were checked, and how many there are of each kind."""
    total = counts.total()
    parts = [f"{counts[code]} {word}" for code, word in _WORDS.items() if counts[code]]
    return f"{total} file{'s' if total != 1 else ''}: {', '.join(parts)}"
