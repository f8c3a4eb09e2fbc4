"""Observers get the same batches of the same records from both engines, whatever the program and the room for events.

The reference engine tells of every instruction as it executes it; the native one writes records to a ring of bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from emulator import System, samples
from emulator.engines.native.engine import NativeEngine
from emulator.engines.native.library import library
from emulator.engines.reference.engine import ReferenceEngine
from emulator.errors import KernelFault
from emulator.observer import Events, Observer
from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_instructions import Forms
from tests.engines.native.random_programs import program
from tests.engines.programs import kernel, start

WANTS = (Events.INSTRUCTION, Events.MEMORY, Events.INSTRUCTION | Events.MEMORY)
SCHEDULES = ("round_robin", "round_robin", "round_robin:40", "random")
QUICK, GROUP, SLOW = 24, 6, 100
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


def differences(seed: int, forms: Forms | None = None) -> list[str]:
    """In what the events of a program differ between the engines."""
    choice = random.Random(f"events {seed}")
    chosen, wants, schedule = program(seed, forms), choice.choice(WANTS), choice.choice(SCHEDULES)
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


LOOP = """
    mov.u32 %r0, 0;
LOOP:
    add.u32 %r0, %r0, 1;
@%p2 st.global.u32 [%mine], %r0;
    setp.lt.u32 %p0, %r0, 300;
@%p0 bra LOOP;
    st.global.u32 [%mine], %r0;
"""


def counting_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one with every instruction that the reference engine executes."""
    steps: list[int] = []
    step = ReferenceEngine.step

    def counted(self: ReferenceEngine, warp: Any) -> Any:
        steps.append(1)
        return step(self, warp)

    monkeypatch.setattr(ReferenceEngine, "step", counted)
    return steps


@pytest.mark.parametrize("wants", WANTS)
def test_what_has_a_native_form_runs_natively_while_somebody_watches(
    wants: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, log = counting_steps(monkeypatch), Log(wants)
    with System(engine="native", observers=[log]) as system:
        device = system.device(0)
        start(kernel(LOOP), device, device.zeros(128, np.uint32), block=128)
        system.sync()
        assert system.runner.time > 4 * 4 * 300 and not steps
        assert len(log.records("instructions" if Events.INSTRUCTION in wants else "memory"))


def test_who_stops_watching_is_told_no_more_and_the_rest_runs_on() -> None:
    log, results = Log(Events.INSTRUCTION | Events.MEMORY), []
    with System(engine="native") as system:
        device = system.device(0)
        out = device.zeros(128, np.uint32)
        start(kernel(LOOP), device, out, block=128)
        for watched in (False, True, False):
            end = system.runner.time + 1500
            if watched:
                begin = system.runner.time
                system.runner.add_observer(log)
            system.run_until(lambda end=end: system.runner.time >= end)
            if watched:
                system.runner.events.remove(log)
                last = system.runner.time
        system.sync()
        results.append(out.numpy().tolist())
    assert results == [[300] * 128]
    assert log.records("instructions")["time"].tolist() == list(range(begin, last))


class Stop(Exception):
    """What an observer raises."""


class Objecting(Log):
    """Raises at its second batch."""

    def on_instructions(self, records: np.ndarray) -> None:
        super().on_instructions(records)
        if len(self.batches) == 3:
            raise Stop


def test_an_observer_that_raises_stops_between_two_instructions() -> None:
    log = Objecting(Events.INSTRUCTION)
    system = System(engine="native", observers=[log])
    system.runner.events.rings.resize(100, 1)
    device = system.device(0)
    out = device.zeros(64, np.uint32)
    start(kernel(LOOP), device, out, block=64)
    with pytest.raises(Stop):
        system.sync()
    assert system.runner.time == 200
    system.sync()
    assert out.numpy().tolist() == [300] * 64
    assert log.records("instructions")["time"].tolist() == list(range(system.runner.time))


def test_breakpoints_and_observers_share_the_handlers() -> None:
    """A handler planted before somebody watches stays, and goes without taking the recording with it."""
    with System(engine="native", observers=[log := Log(Events.INSTRUCTION)]) as system:
        device, engine = system.device(0), system.runner.engine
        assert isinstance(engine, NativeEngine)
        code = kernel(LOOP)
        program, out = code.program, device.zeros(32, np.uint32)
        handlers, leave = engine.program(program).handlers, library().runtime["leave"]
        handlers.plant(program.entry.first_pc, leave)
        start(code, device, out)
        system.sync()
        planted = engine.program(program).records.view(np.uint64).reshape(-1, 8)[:, 0] == leave
        handlers.clear(program.entry.first_pc)
        still = engine.program(program).records.view(np.uint64).reshape(-1, 8)[:, 0] == leave
        assert planted.sum() == still.sum() + 1
        start(code, device, out)
        system.sync()
        assert log.records("instructions")["time"].tolist() == list(range(system.runner.time))


@pytest.mark.slow
@pytest.mark.parametrize("name", samples.names())
def test_same_events_of_samples(name: str) -> None:
    sample, logs = samples.find(name), []
    for engine in ("reference", "native"):
        log = Log(Events.INSTRUCTION | Events.MEMORY)
        try:
            with System(sample.device_count, engine=engine, registers="virtual", observers=[log]) as system:
                samples.run_sample(sample, system, 0)
        except KernelFault as fault:
            log.batches.append((type(fault).__name__, 0))
        logs.append(log)
    assert len(logs[0].batches) > 1
    assert list(logs[0].differences(logs[1])) == []
