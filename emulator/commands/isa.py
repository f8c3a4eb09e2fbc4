"""`ptxemu isa`: the instructions by chapter of the manual, and pages about them."""

from __future__ import annotations

import difflib
import fnmatch
import json
import textwrap
from collections.abc import Iterator

import click

from emulator.commands import ExitCode
from emulator.commands.instruction_pages import WIDTH, Coverage, coverage, groups, page, to_json
from emulator.isa.manual_index import SECTIONS, chapter_of, pages, section_of
from emulator.isa.registry import Entry, candidates, entries, lookup


@click.command("isa")
@click.argument("pattern", required=False)
@click.option("--coverage", "only_coverage", is_flag=True, help="Count what is executed, chapter by chapter.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object a syntax line, or a chapter.")
def command(pattern: str | None, only_coverage: bool, as_json: bool) -> ExitCode:
    """List the instructions by chapter of the PTX manual; with PATTERN, show syntax, meaning and examples.

    PATTERN is a mnemonic (bfe), an opcode (ld.global.v4.f32) or its first words (multimem.st), a section of the manual
    (9.7.8), or has * and ? in it (v*4).
    """
    if pattern is None or only_coverage:
        rows = coverage()
        if as_json:
            click.echo(json.dumps([_row_json(row) for row in rows]))
        else:
            click.echo("\n".join(table(rows) if only_coverage else listing(rows)))
        return ExitCode.OK
    found = find(pattern)
    missing = not_executed(pattern)
    if not found and not missing:
        known = sorted({entry.mnemonic for entry in entries()} | set(SECTIONS))
        near = difflib.get_close_matches(pattern.partition(".")[0], known)
        tail = f": did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(f"no instruction {pattern}{tail}")
    if as_json:
        click.echo(json.dumps([to_json(entry) for entry in found]))
        return ExitCode.OK
    blocks = ["\n".join(page(group)) for group in groups(found)]
    if missing:
        blocks.append("\n".join(["not executed yet, with the manual's section", *missing_lines(missing)]))
    click.echo("\n\n".join(blocks))
    return ExitCode.OK


def find(pattern: str) -> list[Entry]:
    """The syntax lines that a pattern means."""
    if pattern.replace(".", "").isdigit():
        return [entry for entry in entries() if f"{entry.section}.".startswith(f"{pattern}.")]
    if any(sign in pattern for sign in "*?["):
        return [entry for entry in entries() if fnmatch.fnmatchcase(entry.mnemonic, pattern)]
    if "." in pattern:
        return [variant.entry for variant in lookup(pattern)] or beginning(pattern)
    return candidates(pattern)


def beginning(head: str) -> list[Entry]:
    """The syntax lines whose opcode begins with some words: multimem.st, mbarrier.arrive."""
    lines = [entry for entry in candidates(head.partition(".")[0]) if entry.signature.line.startswith(head)]
    return [entry for entry in lines if entry.signature.line[len(head) :][:1] in ("", ".", "{", " ")]


def not_executed(pattern: str) -> list[tuple[str, str]]:
    """(section, head) of the manual's pages that a pattern means and that no syntax line covers."""
    missing = {(row.section, head) for row in coverage() for head in row.missing}
    here = [(section, head) for section, head in pages() if (chapter_of(section), head) in missing]
    if pattern.replace(".", "").isdigit():
        return [(section, head) for section, head in here if f"{section}.".startswith(f"{pattern}.")]
    if any(sign in pattern for sign in "*?["):
        return [(section, head) for section, head in here if fnmatch.fnmatchcase(head.partition(".")[0], pattern)]
    if "." in pattern:
        section = section_of(pattern)
        return [(section, pattern)] if section in [section for section, _ in here] and not lookup(pattern) else []
    return [(section, head) for section, head in here if head.partition(".")[0] == pattern]


def missing_lines(missing: list[tuple[str, str]]) -> list[str]:
    """One line a page of the manual."""
    width = max(len(head) for _, head in missing)
    return [f"    {head:{width}}  {section}" for section, head in missing]


def listing(rows: list[Coverage]) -> Iterator[str]:
    """Every mnemonic, chapter by chapter."""
    for row in rows:
        yield f"{row.section} {row.title}: {row.progress}"
        yield from _folded("", row.executed)
        yield from _folded("not yet: ", row.missing)
        yield ""
    yield total(rows)


def _folded(head: str, words: list[str]) -> list[str]:
    return (
        textwrap.wrap(head + " ".join(words), WIDTH, initial_indent="    ", subsequent_indent="    ") if words else []
    )


def table(rows: list[Coverage]) -> Iterator[str]:
    """One line a chapter."""
    width = max(len(row.title) for row in rows)
    for row in rows:
        yield f"{row.section:7} {row.title:{width}}  {row.progress:>8}"
    yield total(rows)


def total(rows: list[Coverage]) -> str:
    """The last line of a list."""
    executed, pages_ = sum(len(row.executed) for row in rows), sum(row.total for row in rows)
    return f"{executed} of the manual's {pages_} instructions are executed, in {len(list(entries()))} syntax lines"


def _row_json(row: Coverage) -> dict[str, object]:
    return {
        "section": row.section,
        "chapter": row.title,
        "executed": row.executed,
        "missing": row.missing,
        "total": row.total,
    }
