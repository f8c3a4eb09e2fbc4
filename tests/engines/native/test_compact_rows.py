"""Kernels over few rows, which registers share, leave what they leave over a row for each register."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_programs import program

SCHEDULES = ("round_robin", "round_robin:1", "round_robin:40")
QUICK = 60
SLOW = 240


def differences(seed: int) -> tuple[int, list[str]]:
    """(how many kernels of a program got fewer rows, in what native runs over them differ from the reference)."""
    chosen, schedule = program(seed), random.Random(f"rows {seed}").choice(SCHEDULES)
    code = code_of(chosen)
    runs = [
        Run(chosen, engine, code, schedule=schedule, registers=registers)
        for engine, registers in (("reference", "virtual"), ("native", "compact"))
    ]
    outcomes = []
    for run in runs:
        run.go_on()
        if run.fault:  # the turn of a fault is noted as far as it was stepped
            run.system.runner.turns = None
        outcomes.append(replace(run.outcome(), warps={}))
    smaller = sum(
        code.program(name, chosen.contract, "compact").row_bytes < code.program(name, chosen.contract).row_bytes
        for name in chosen.kernels
    )
    return smaller, [f"program {seed}, {text}" for text in outcomes[0].differences(outcomes[1])]


def check(first: int, count: int) -> None:
    found = [differences(seed) for seed in range(first, first + count)]
    texts = [text for _, some in found for text in some]
    assert not texts, "\n".join(texts[:20])
    assert sum(smaller for smaller, _ in found) >= count / 6


@pytest.mark.parametrize("first", range(0, QUICK, 30))
def test_random_programs(first: int) -> None:
    check(first, 30)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, SLOW, 60))
def test_more_random_programs(first: int) -> None:
    check(first, 60)
