"""Route tokens to experts as DeepSeek-V3 does, and watch a warp do it.

    python -m ptx_samples.moe.demo [--tokens 32] [--seed 0] [--logits FILE.npy]

First one token, instruction by instruction: the lines of router.ptx that carry a //> comment are shown with the 32
lanes' registers and with shared memory. Then all tokens, tokens per expert, and the comparison with NumPy.
"""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from emulator import Device, LaunchConfig, ObjectCode, System, launch, render
from emulator.errors import DiagnosedError
from emulator.machine.memory import SHARED_BASE
from emulator.samples import Comparison, compare
from ptx_samples.moe import router_reference as reference

WIDTH = 80
FOLDER = resources.files("ptx_samples.moe")
STOP = re.compile(r"//> (?P<name>[%\w]+)(?P<hex>/x)?: (?P<caption>.*)")
CHOICES_PITCH = 36  # words in a row of the kernel's array `choices`


class Stop(NamedTuple):
    """A line to show: a register (or the array `choices`), the base of its numbers, and what to say."""

    name: str
    base: int
    caption: str


class Inputs(NamedTuple):
    """What is routed: logits f32[tokens, 256] and bias f32[256]."""

    logits: np.ndarray
    bias: np.ndarray


def stops(text: str) -> dict[int, Stop]:
    """The stops of a PTX text by line number, from its //> comments."""
    found = ((number, STOP.search(line)) for number, line in enumerate(text.splitlines(), 1))
    return {number: Stop(m["name"], 16 if m["hex"] else 10, m["caption"]) for number, m in found if m}


def watch_one_token(system: System, inputs: Inputs) -> list[str]:
    """Route the first token step by step; what happened at each stop, the first time that it was reached."""
    text = FOLDER.joinpath("router.ptx").read_text(encoding="utf-8")
    to_show, names = stops(text), {stop.name for stop in stops(text).values() if stop.name.startswith("%")}
    start_router(system.device(0), Inputs(inputs.logits[:1], inputs.bias))
    before: dict[str, np.ndarray] = {}
    lines, count = [], 0
    while (step := system.step()) is not None:
        count += 1
        after = {name: step.warp.read(name).copy() for name in names}
        if (stop := to_show.pop(step.instruction.line, None)) is not None:
            said = " ".join(step.instruction.text.split())
            lines += ["", f"line {step.instruction.line:3}  {said}", f"          {stop.caption}"]
            if step.lanes != render.FULL_MASK:
                lines.append(f"          lanes  {render.lane_bar(step.lanes)}")
            if stop.name.startswith("%"):
                lines += register_lines(stop, step.lanes, before.get(stop.name), after[stop.name])
            else:
                place = step.warp.cta.grid.program.shared[stop.name]
                words = step.warp.cta.shared[place.offset : place.offset + place.size].view(np.float32)
                lines += choices_lines(words, SHARED_BASE + place.offset)
        before = after
    return [f"ONE TOKEN: {count} instructions of one warp, {len(stops(text))} of them shown", *lines]


def register_lines(stop: Stop, lanes: int, before: np.ndarray | None, after: np.ndarray) -> list[str]:
    """A register of the lanes that ran, as a pattern if it has one; `*` marks lanes that changed if not all did."""
    pattern = render.describe_row(after, lanes, stop.base)
    was = render.describe_row(before, lanes, stop.base) if before is not None else None
    tail = f"   was {was}" if was is not None and was != pattern else ""
    for line in (
        f"          {stop.name}  {pattern}{tail}",
        f"          {stop.name}  {pattern}",
        f"  {stop.name}  {pattern}",
    ):
        if pattern is not None and len(line) <= WIDTH:
            return [line]
    changed = render.mask_of(after != before) & lanes if before is not None else 0
    marks = changed if changed != lanes else 0
    grid = render.lane_grid(after, lanes, marks, stop.base, digits=3, width=WIDTH)
    return [f"          {stop.name}" + ("   * changed" if marks else ""), *grid]


def choices_lines(words: np.ndarray, address: int) -> list[str]:
    """The first experts of each group: a line a group."""
    return ["    " + line for line in render.memory_grid(words, address, 5, CHOICES_PITCH, digits=3)]


def start_router(device: Device, inputs: Inputs) -> tuple:
    """Launch the router; the buffers of indices and weights."""
    tokens = len(inputs.logits)
    kernel = load("router")
    indices = device.zeros((tokens, reference.CHOSEN), np.int32)
    weights = device.zeros((tokens, reference.CHOSEN), np.float32)
    logits, bias = device.array(inputs.logits), device.array(inputs.bias)
    config = LaunchConfig(grid=tokens, block=32)
    launch(device.default_stream, config, kernel, logits, bias, indices, weights, np.uint32(tokens))
    return indices, weights


def route(system: System, inputs: Inputs) -> dict[str, np.ndarray]:
    """Route all tokens, then count the tokens of each expert: two kernels."""
    device = system.device(0)
    indices, weights = start_router(device, inputs)
    choices = len(inputs.logits) * reference.CHOSEN
    counts = device.zeros(reference.EXPERTS, np.uint32)
    config = LaunchConfig(grid=-(-choices // 128), block=128)
    launch(device.default_stream, config, load("expert_histogram"), indices, counts, np.uint32(choices))
    device.sync()
    return {"indices": indices.numpy(), "weights": weights.numpy(), "counts": counts.numpy()}


def load(name: str) -> object:
    """The kernel of a file of this folder that is named like the file."""
    with resources.as_file(FOLDER.joinpath(f"{name}.ptx")) as path:
        return ObjectCode.from_ptx(path).get_kernel(name)


def chart(counts: np.ndarray) -> list[str]:
    """Tokens per expert: one line a group, one sign an expert, a bar for the group's sum."""
    groups = counts.reshape(reference.GROUPS, -1)
    size = groups.shape[1]
    labels = [f"{g:5}  {g * size:>3}-{g * size + size - 1:<3}  {render.digit_row(row)}" for g, row in enumerate(groups)]
    busiest = np.argsort(-counts.astype(np.int64), kind="stable")[:8]
    unused = int((counts == 0).sum())
    return [
        f"TOKENS PER EXPERT: {counts.sum()} choices, {counts.sum() / counts.size:.2g} an expert on average",
        "",
        f"{'group':5}  {'experts':7}  {'one sign an expert: . is 0, + >9':32}  tokens",
        *render.bar_chart(labels, [int(row.sum()) for row in groups], width=20),
        "",
        "busiest  " + ", ".join(f"{expert} ({counts[expert]})" for expert in busiest),
        f"unused   {unused} of {counts.size} experts",
    ]


def comparisons(inputs: Inputs, outputs: dict[str, np.ndarray]) -> list[Comparison]:
    """Every output beside NumPy's, bit by bit."""
    expected = reference.expected(inputs._asdict())
    expected |= reference.tokens_per_expert({"indices": expected["indices"]})
    return [compare(name, outputs[name], expected[name]) for name in outputs]


def read_logits(path: Path) -> np.ndarray:
    """The logits of a file, or a message that says what is wrong with them."""
    try:
        logits = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise click.BadParameter(f"{path} is not a .npy file: {error}", param_hint="--logits") from error
    problem = None
    if not isinstance(logits, np.ndarray):
        problem = "several arrays; one is needed"
    elif logits.dtype != np.float32:
        problem = f"{logits.dtype} numbers; float32 is needed: logits.astype(numpy.float32)"
    elif logits.ndim != 2 or logits.shape[1] != reference.EXPERTS or len(logits) == 0:
        problem = f"the shape {logits.shape}; (tokens, {reference.EXPERTS}) is needed"
    elif not np.isfinite(logits).all():
        problem = "NaN or infinite numbers; the router takes finite ones"
    if problem:
        raise click.BadParameter(f"{path} holds {problem}", param_hint="--logits")
    return logits


@click.command(help=(__doc__ or "").replace("\n\n    python", "\n\n\b\n    python"))
@click.option("--tokens", type=click.IntRange(min=1), help="How many random tokens; 32 if not given.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random numbers.")
@click.option(
    "--logits",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A float32 array [tokens, 256] to route instead of random tokens.",
)
def main(tokens: int | None, seed: int, file: Path | None) -> None:
    random = np.random.default_rng(seed)
    bias = random.uniform(-0.1, 0.1, reference.EXPERTS).astype(np.float32)
    if file is not None and tokens is not None:
        raise click.UsageError("--tokens is the number of random tokens; --logits brings its own")
    logits = read_logits(file) if file else random.standard_normal((tokens or 32, 256)).astype(np.float32)
    inputs = Inputs(np.ascontiguousarray(logits), bias)
    try:
        with System(registers="virtual") as system:  # every register keeps a row of its own, to be looked at
            source = str(file) if file else f"random, seed {seed}"
            show([f"DeepSeek-V3's router: {len(logits)} tokens ({source}), 8 of 256 experts each"])
            show(watch_one_token(system, inputs))
            outputs = route(system, inputs)
    except DiagnosedError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    show(chart(outputs["counts"]))
    results = comparisons(inputs, outputs)
    ok = all(result.equal for result in results)
    show([f"CHECK: {len(logits)} tokens, emulator against NumPy", ""] + [f"{r.name:8} {r.text}" for r in results])
    click.echo("OK: every bit is the same" if ok else "MISMATCH", err=not ok)
    sys.exit(0 if ok else 1)


def show(lines: list[str]) -> None:
    """Print lines and a blank one."""
    click.echo("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
