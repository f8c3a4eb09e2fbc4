"""`ptxemu crosscheck record` and `verify`: what a GPU answered, written down and compared with."""

from __future__ import annotations

import datetime
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from emulator.commands import ExitCode
from emulator.crosscheck import counters, recordings
from emulator.crosscheck.backend import HARDWARE, Backend
from emulator.crosscheck.cases import GROUPS, cases_of
from emulator.crosscheck.gpu import GpuBackend
from emulator.crosscheck.recordings import DIFFERENT, Recording, Verified
from emulator.crosscheck.stand_in import StandIn

FOLDER = "tests/recordings"


@click.command("record")
@click.argument("groups", nargs=-1, required=True, type=click.Choice([*GROUPS, "all"]), metavar="CASES...")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR")
@click.option("--gpu", type=click.IntRange(min=0), default=0, metavar="N", help="Which GPU.  [default: 0]")
@click.option("--stand-in", is_flag=True, help="A dry run on the emulator; its files are no evidence of anything.")
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Of cases with many rows only so many.")
def record(groups: tuple[str, ...], out: Path, gpu: int, stand_in: bool, rows: int | None) -> ExitCode:
    """Write down what this machine's GPU answers, one file a group of CASES, or `all`.

    \b
    samples    every sample                      tensor     tensor cores
    opcodes    every instruction that computes   units      approximate units, all 2^32 inputs
    programs   random programs                   cores      their tables, every result
    probes     open questions                    patterns   access patterns, with ncu's counters
    """
    engine = None if rows is None else "reference"  # which has nothing to compile, for each of many small cases
    backend: Backend = StandIn(engine=engine) if stand_in else GpuBackend(gpu)
    today = datetime.date.today().isoformat()
    for group in GROUPS if "all" in groups else groups:
        started = time.perf_counter()
        cases = cases_of(group) if rows is None else (case.part(rows) for case in cases_of(group))
        found = recordings.record(backend, group, cases, today)
        if group == "patterns" and not stand_in:
            measured, why = counters.measure()
            found = replace(found, counters=measured)
            click.echo(f"counters  {why or f'{len(measured)} patterns'}")
        path = recordings.save(found, out)
        click.echo(_recorded(found, path, time.perf_counter() - started))
    return ExitCode.OK


def _recorded(found: Recording, path: Path, seconds: float) -> str:
    results = sum(array.size for answer in found.answers for array in answer.outputs)
    failed = sum(bool(answer.error) for answer in found.answers)
    text = f"{found.group:9} {len(found.answers):5} cases  {results:11,} results  {path.stat().st_size:10,} bytes"
    text += f"  {seconds:.1f} s"
    return text + (f"  {failed} refused" if failed else "")


@click.command("verify")
@click.argument("folder", type=click.Path(exists=True, path_type=Path), default=FOLDER, metavar="[FOLDER]")
@click.option("--engine", "engines", type=click.Choice(["native", "reference"]), multiple=True, help="[default: both]")
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help="Of cases with many rows only so many.")
@click.option("--stand-in", is_flag=True, help="Take the files of a dry run, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a case.")
def verify(folder: Path, engines: tuple[str, ...], rows: int | None, stand_in: bool, as_json: bool) -> ExitCode:
    """Compare both engines with every recording of hardware in FOLDER (tests/recordings); needs no GPU.

    Exit code 1 if any result differs. A case that the emulator cannot execute yet is counted, and no failure. The
    reference engine compares 4,096 rows of a case at most, and leaves cases of long loops to the native one.
    """
    paths = recordings.files(folder)
    if not paths:
        click.echo(f"no recordings in {folder}: nothing has been recorded on hardware yet")
        return ExitCode.OK
    failed = False
    for path in paths:
        found = recordings.load(path) if stand_in else recordings.load_evidence(path)
        results = [
            recordings.verify(answer, engine, rows)
            for answer in found.answers
            for engine in recordings.engines_for(answer.case, engines or ("native", "reference"))
        ]
        failed |= any(result.state == DIFFERENT for result in results)
        for line in map(_json, results) if as_json else _table(found, results):
            click.echo(line)
    return ExitCode.FAILED if failed else ExitCode.OK


def _table(found: Recording, results: Iterable[Verified]) -> Iterable[str]:
    results = list(results)
    states = Counter(result.state for result in results)
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    who = f"{found.identity}, {found.identity.driver}" + ", no evidence" * (found.identity.origin != HARDWARE)
    yield f"{found.group}: {who}, {found.date}: {counted}"
    for result in results:
        if result.state == DIFFERENT:
            how = result.why or f"{result.differ:,} of {result.results:,} differ"
            yield f"  {result.case.name} ({result.engine}): {how}"
            if result.case.question:
                yield f"    {result.case.question} Guess: {result.case.guess or 'none'}"


def _json(result: Verified) -> str:
    case = result.case
    return json.dumps(
        {
            "group": case.group,
            "case": case.name,
            "engine": result.engine,
            "state": result.state,
            "results": result.results,
            "differ": result.differ,
            "why": result.why,
            "question": case.question,
            "guess": case.guess,
        }
    )
