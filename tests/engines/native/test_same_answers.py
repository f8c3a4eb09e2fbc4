"""Random programs give the same answers on both engines: memory, time, turns, prints, faults, and warps on the way.

A seed names a program, the quantum of its turns, a moment at which both runs are stopped and compared, and how many
single steps the reference engine then takes in the native run.  Some native runs are also taken back to that moment.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_programs import program

SCHEDULES = ("round_robin", "round_robin", "round_robin:1", "round_robin:40")
QUICK = 150
SLOW = 2_000
GROUP = 25


def differences(seed: int) -> list[str]:
    """Everything in which the engines differ on a program."""
    return [f"program {seed}, {text}" for text in _differences(seed)]


def _differences(seed: int) -> Iterator[str]:
    choice = random.Random(f"stops {seed}")
    chosen, schedule = program(seed), choice.choice(SCHEDULES)
    moment, steps = int(2 ** choice.uniform(2, 11)), choice.choice([0, 0, 1, 40])
    code = code_of(chosen)
    wanted, found = (Run(chosen, engine, code, schedule=schedule) for engine in ("reference", "native"))
    wanted.until_time(moment)
    found.until_time(moment)
    yield from (f"at {moment}: {text}" for text in wanted.outcome().differences(found.outcome()))
    snapshot = found.system.snapshot() if seed % 3 == 0 and not found.fault else None
    if not found.fault:
        found.steps(steps)
    for run in (wanted, found):
        if not run.fault:
            run.go_on()
    end = wanted.outcome()
    if end.fault:  # the turn of a fault is noted as far as it was stepped
        wanted.system.runner.turns = found.system.runner.turns = None
        end = wanted.outcome()
    yield from (f"at the end, {steps} steps: {text}" for text in end.differences(found.outcome()))
    if snapshot is not None:
        found.go_back(snapshot)
        found.go_on()
        yield from (f"once more from {moment}: {text}" for text in end.differences(found.outcome()))


def _check(first: int, count: int) -> None:
    found = [text for seed in range(first, first + count) for text in differences(seed)]
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("first", range(0, QUICK, GROUP))
def test_random_programs(first: int) -> None:
    _check(first, GROUP)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, QUICK + SLOW, 4 * GROUP))
def test_more_random_programs(first: int) -> None:
    _check(first, 4 * GROUP)


def test_systems_in_several_threads() -> None:
    """Native code runs without Python's lock; systems share the handlers and nothing else."""
    with ThreadPoolExecutor(4) as threads:
        found = [text for part in threads.map(differences, range(8)) for text in part]
    assert found == []
