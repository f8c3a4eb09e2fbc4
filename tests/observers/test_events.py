"""Observers get the same batches of the same records from both engines, whatever the program and the room for events.

The reference engine tells of every instruction as it executes it; the native one writes records to a ring of bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from emulator.observer import Events, Observer
from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_programs import program

WANTS = (Events.INSTRUCTION, Events.MEMORY, Events.INSTRUCTION | Events.MEMORY)
SCHEDULES = ("round_robin", "round_robin", "round_robin:40", "random")
QUICK, GROUP, SLOW = 24, 6, 400
ALL = 0xFFFF_FFFF


class Log(Observer):
    """Keeps every batch with its kind, and the launches in between."""

    def __init__(self, wants: Events) -> None:
        self.wants = wants
        self.batches: list[tuple[str, Any]] = []

    def on_launch(self, number: int, program: Any) -> None:
        self.batches.append(("launch", number))

    def on_instructions(self, records: np.ndarray) -> None:
        self.batches.append(("instructions", records))

    def on_memory(self, records: np.ndarray) -> None:
        self.batches.append(("memory", records))

    def records(self, kind: str) -> np.ndarray:
        """All records of a kind."""
        return np.concatenate([records for name, records in self.batches if name == kind])

    def differences(self, other: Log) -> Iterator[str]:
        """Where another log differs first."""
        for number, (mine, theirs) in enumerate(zip(self.batches, other.batches, strict=False)):
            if mine[0] != theirs[0] or len(np.atleast_1d(mine[1])) != len(np.atleast_1d(theirs[1])):
                yield f"batch {number}: {mine[0]} {np.shape(mine[1])} or {theirs[0]} {np.shape(theirs[1])}"
                return
            at = np.flatnonzero(np.atleast_1d(mine[1] != theirs[1]))
            if len(at):
                yield f"batch {number}, record {at[0]}: {mine[1][at[0]]} or {theirs[1][at[0]]}"
                return
        if len(self.batches) != len(other.batches):
            yield f"{len(self.batches)} batches or {len(other.batches)}"


def differences(seed: int) -> list[str]:
    """In what the events of a program differ between the engines."""
    choice = random.Random(f"events {seed}")
    chosen, wants, schedule = program(seed), choice.choice(WANTS), choice.choice(SCHEDULES)
    room, turn_by_turn = choice.choice([None, None, (1, 1), (5, 2), (100, 40)]), choice.random() < 0.3
    later = int(2 ** choice.uniform(2, 9)) if choice.random() < 0.3 else 0
    code, logs = code_of(chosen), []
    for engine in ("reference", "native"):
        run, log = Run(chosen, engine, code, schedule=schedule), Log(wants)
        runner = run.system.runner
        if not turn_by_turn:
            runner.turns = None
        if room is not None:
            runner.events.rings.resize(*room)
        run.until_time(later)
        runner.add_observer(log)
        if not run.fault:
            run.go_on()
        runner.events.flush()
        log.batches.append((run.fault, runner.time))
        logs.append(log)
    return [f"program {seed}, {wants}, {schedule}, {room}: {text}" for text in logs[0].differences(logs[1])]


@pytest.mark.parametrize("first", range(0, QUICK, GROUP))
def test_same_events_of_random_programs(first: int) -> None:
    assert [text for seed in range(first, first + GROUP) for text in differences(seed)] == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, QUICK + SLOW, 50))
def test_same_events_of_more_random_programs(first: int) -> None:
    assert [text for seed in range(first, first + 50) for text in differences(seed)] == []
