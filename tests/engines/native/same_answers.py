"""In what the engines differ on a random program: memory, time, turns, prints, faults, and warps on the way.

A seed names a program, the quantum of its turns, whether native code has the whole run to itself, else a moment at
which both runs are stopped and compared, and how many single steps the reference engine then takes in the native run.
Some native runs are also taken back to that moment.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from emulator.engines.reference.engine import Step
from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_instructions import Forms
from tests.engines.native.random_programs import program

SCHEDULES = ("round_robin", "round_robin", "round_robin:1", "round_robin:40")


@dataclass
class Tally:
    """What has been executed: instructions that the reference engine executed by line and opcode, and native ones."""

    lines: Counter[str] = field(default_factory=Counter)
    opcodes: Counter[str] = field(default_factory=Counter)
    left: int = 0  # instructions of native runs that were left to the reference engine
    native: int = 0

    def watch(self, run: Run) -> None:
        """Count the steps of a run from now on."""
        runner = run.system.runner
        before = runner.before

        def count(step: Step) -> None:
            before(step)
            if run.engine == "native":
                self.left += 1
            else:
                self.lines[step.instruction.variant.entry.signature.line] += 1
                self.opcodes[step.instruction.opcode] += 1

        runner.before = count  # type: ignore[method-assign]


def differences(seed: int, tally: Tally | None = None, forms: Forms | None = None) -> list[str]:
    """Everything in which the engines differ on a program."""
    choice = random.Random(f"stops {seed}")
    chosen = program(seed, forms)
    code = code_of(chosen)
    schedule = choice.choice(SCHEDULES)
    runs = [Run(chosen, engine, code, schedule=schedule) for engine in ("reference", "native")]
    if tally is not None:
        for run in runs:
            tally.watch(run)
    compare = _all_at_once if choice.random() < 0.5 else _with_stops
    found = [f"program {seed}, {text}" for text in compare(seed, choice, *runs)]
    if tally is not None:
        tally.native += runs[1].system.runner.time
    return found


def _all_at_once(seed: int, choice: random.Random, wanted: Run, found: Run) -> Iterator[str]:
    """Native code schedules whole launches; nobody notes turns."""
    for run in (wanted, found):
        run.system.runner.turns = None
        run.go_on()
    yield from (f"at the end: {text}" for text in wanted.outcome().differences(found.outcome()))


def _with_stops(seed: int, choice: random.Random, wanted: Run, found: Run) -> Iterator[str]:
    """Turn by turn, with a stop at a moment."""
    moment, steps = int(2 ** choice.uniform(2, 8)), choice.choice([0, 0, 1, 40])
    wanted.until_time(moment)
    found.until_time(moment)
    yield from (f"at {moment}: {text}" for text in wanted.outcome().differences(found.outcome()))
    snapshot = found.system.snapshot() if seed % 3 == 0 and not found.fault else None
    if not found.fault:
        found.steps(steps)
    for run in (wanted, found):
        if not run.fault:
            run.go_on()
    if wanted.fault:  # the turn of a fault is noted as far as it was stepped
        wanted.system.runner.turns = found.system.runner.turns = None
    end = wanted.outcome()
    yield from (f"at the end, {steps} steps: {text}" for text in end.differences(found.outcome()))
    if snapshot is not None:
        found.go_back(snapshot)
        found.go_on()
        yield from (f"once more from {moment}: {text}" for text in end.differences(found.outcome()))
