"""A cross-check's result as text, in at most thirty lines of eighty columns, and as one JSON object."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from emulator.arguments import type_name_of
from emulator.crosscheck.check import Finding, Report
from emulator.crosscheck.compare import Compared, bits_of, is_torn, ulp_distance
from emulator.crosscheck.trace import Event
from emulator.machine.grid import LaunchShape
from emulator.ptx_types import Dim3, ScalarType

WIDTH = 80
MOST_LINES = 30
SHOWN = ((4, 6), (1, 6), (1, 2))  # most lanes and most outputs: the first of them with which the report is short enough
MOST_PRINTED = 2
MOST_STEPS = 6


def lines(report: Report) -> list[str]:
    """The report."""
    found: list[str] = []
    for lanes, outputs in SHOWN:
        found = list(_lines(report, lanes, outputs))
        if len(found) <= MOST_LINES:
            break
    return found


def _lines(report: Report, most_lanes: int, most_outputs: int) -> Iterator[str]:
    job = report.job
    yield f"crosscheck {job.name}:{job.kernel}   emulator against {report.gpu}   {launch_text(job.shape)}"
    yield f"  inputs identical (sha256 {job.inputs_hash()[:12]})   seed {job.seed}"
    different = [output for output in report.outputs if not output.equal]
    shown = different or report.outputs
    width = max((len(output.name) for output in shown), default=0)
    for output in shown[:most_outputs]:
        yield f"  {output.name:{width}}  {output_text(output)}"
    if len(shown) > most_outputs:
        yield f"  {len(shown) - most_outputs} more: {'different' if different else 'equal'}"
    if len(shown) < len(report.outputs):
        yield f"  {len(report.outputs) - len(shown)} more: equal"
    if report.first is not None:
        yield from _first(report)
    for who, only in zip(("emulator", "GPU"), report.printed, strict=True):
        for line in only[:MOST_PRINTED]:
            yield f"  printed by the {who} alone: {line}"[:WIDTH]
    for text in report.excluded[:3]:
        yield from _folded("  excluded: ", text)
    for cta, warp, search in report.searches[:3]:
        launches = f"{search.launches} GPU launch{'es' * (search.launches != 1)}"
        yield f"  search in {search.events:,} results of block {cta} warp {warp}: {launches}"
    if report.finding is not None:
        yield from _finding(report.finding, most_lanes)
        yield from _around(report, report.finding)
    yield from _folded("  verdict: ", f"{report.verdict.word}. {report.verdict.text}")


def output_text(output: Compared) -> str:
    """`equal`, or how many differ and where first."""
    text = f"{output.describe()} "
    if output.excluded:
        text += f"({output.excluded} excluded) "
    if output.equal:
        return text + "equal"
    far = "NaN against a number" if output.furthest is None else f"at most {output.furthest} apart"
    far = far.replace("apart", "ulp") if output.ours.dtype.kind not in "iub" else far
    text += f"{output.differ} of {output.ours.size} differ, {far}"
    if output.nans:
        text += f", {output.nans} in the bits of a NaN"
    if output.beyond and not output.tolerance.is_exact:
        text += f", {output.beyond} beyond the tolerance"
    return text


def _first(report: Report) -> Iterator[str]:
    assert report.first is not None
    output, writer, instruction = report.first
    assert output.first is not None
    assert output.index is not None
    index = ",".join(map(str, output.index))
    bits = [
        f"{int(bits_of(array)[output.first]):#0{2 + 2 * array.itemsize}x}" for array in (output.ours, output.theirs)
    ]
    values = [str(array.reshape(-1)[output.first]) for array in (output.ours, output.theirs)]
    yield f"  first {output.name}[{index}]: emulator {values[0]} {bits[0]}, GPU {values[1]} {bits[1]}"
    where = f"block {writer.cta} warp {writer.warp} lane {writer.lane}"
    yield f"    written by {where}, line {instruction.line}: {instruction.text}"


def _finding(finding: Finding, most_lanes: int) -> Iterator[str]:
    difference, instruction = finding.difference, finding.instruction
    place = f"{instruction.source.name}:{instruction.line}"
    yield f"FIRST DIFFERENCE  result {difference.number} of the lane   {place}   {instruction.text}"
    if not difference.same_place:
        yield "  the other machine executed another instruction here"
        return
    register = _register_type(finding)
    for one in sorted(finding.lanes, key=lambda item: item.lane)[:most_lanes]:
        given = ", ".join(f"{name} = {row[one.lane]:#x}" for name, row in finding.sources)
        sources = f"   {given}: equal" if given else ""
        assert one.emulator is not None
        assert one.gpu is not None
        pair = f"emulator {_value(one.emulator, register)}  GPU {_value(one.gpu, register)}"
        yield f"  block {one.cta} warp {one.warp} lane {one.lane}{sources}"
        yield f"    {finding.register}  {pair}{_distance(one.emulator, one.gpu, register)}"
    others = 32 - len(finding.lanes)
    yield f"  other lanes equal here ({others} of 32)" if others else "  all lanes differ here"


def _around(report: Report, finding: Finding) -> Iterator[str]:
    """What was equal before, and how the result reached the output."""
    count = finding.difference.number
    yield f"  before: the {count:,} results of the lane until then are equal" if count else "  before: no results"
    if len(finding.path) < 2 or report.first is None:
        return
    steps = [f"{i.line} {i.opcode}" for i in finding.path]
    if len(steps) > MOST_STEPS:
        half = MOST_STEPS // 2
        steps[half:-half] = [f"{len(steps) - 2 * half} more"]
    output = report.first[0]
    assert output.index is not None
    yield from _folded("  after:  ", " -> ".join([*steps, f"{output.name}[{','.join(map(str, output.index))}]"]))


def _register_type(finding: Finding) -> ScalarType:
    """The type in which the instruction gives its result, where it gives one."""
    for operand in finding.instruction.results:
        if operand is not None and operand.type is not None:
            return operand.type
    raise ValueError(f"{finding.instruction.opcode} has no typed result")


def _as_array(event: Event, kind: ScalarType) -> Any:
    name = f"<f{kind.bytes}" if kind.is_float else f"<{'i' if kind.is_signed else 'u'}{kind.bytes}"
    raw = event.value.to_bytes(8, "little")[: kind.bytes]
    return np.frombuffer(raw, name) if kind.bytes in (1, 2, 4, 8) else np.frombuffer(raw, np.uint8)[:1]


def _value(event: Event, kind: ScalarType) -> str:
    digits = 2 * max(1, kind.width // 8)
    bits = f"0x{event.value & (1 << max(kind.width, 8)) - 1:0{digits}x}"
    return f"{_as_array(event, kind)[0]} {bits}" if kind.is_float else bits


def _distance(ours: Event, theirs: Event, kind: ScalarType) -> str:
    if not kind.is_float:
        return ""
    pair = _as_array(ours, kind), _as_array(theirs, kind)
    return "  NaN against a number" if is_torn(*pair)[0] else f"  {ulp_distance(*pair)[0]} ulp"


def launch_text(shape: LaunchShape) -> str:
    """`grid 16 block 128`."""
    text = f"grid {_size(shape.grid)} block {_size(shape.block)}"
    return text + (f" cluster {_size(shape.cluster)}" if shape.cluster is not None else "")


def _size(size: Dim3) -> str:
    return str(size.x) if size.y == size.z == 1 else str(size)


def _folded(head: str, text: str) -> list[str]:
    found = textwrap.wrap(text, WIDTH - len(head), break_long_words=False)
    return [(head if number == 0 else " " * len(head)) + line for number, line in enumerate(found)]


def to_json(report: Report) -> dict[str, Any]:
    """What the text says, for programs."""
    finding = report.finding
    return {
        "target": report.job.name,
        "kernel": report.job.kernel,
        "gpu": report.gpu,
        "ok": report.ok,
        "verdict": report.verdict.word,
        "text": report.verdict.text,
        "outputs": [
            {
                "name": output.name,
                "type": type_name_of(output.ours.dtype),
                "shape": list(output.ours.shape),
                "differ": output.differ,
                "beyond": output.beyond,
                "excluded": output.excluded,
                "index": None if output.index is None else list(output.index),
            }
            for output in report.outputs
        ],
        "gpu_launches": report.launches,
        "first_difference": None
        if finding is None
        else {
            "line": finding.instruction.line,
            "instruction": finding.instruction.text,
            "block": finding.difference.cta,
            "warp": finding.difference.warp,
            "lanes": sorted(item.lane for item in finding.lanes),
            "number": finding.difference.number,
        },
    }
