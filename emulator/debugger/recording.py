"""The history again, written down: every instruction and access between two times, by running that stretch once more.

The reference engine runs the stretch and tells an observer; the session stands afterwards where it stood before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from emulator.debugger.errors import DebuggerError
from emulator.debugger.session import Session
from emulator.debugger.timeline import Timeline
from emulator.engines.run import Runner
from emulator.observer import INSTRUCTION_RECORD, MEMORY_RECORD, Events, Observer

Records = np.ndarray[Any, Any]
FIRST_WINDOW = 256
MOST_WINDOW = 16_384


class Collector(Observer):
    """Keeps records; what comes a second time after a step back replaces what came before."""

    def __init__(self, memory: bool) -> None:
        self.wants = Events.INSTRUCTION | Events.MEMORY if memory else Events.INSTRUCTION
        self._instructions: list[Records] = []
        self._accesses: list[Records] = []

    def on_instructions(self, records: Records) -> None:
        """A batch of instructions."""
        _append(self._instructions, records)

    def on_memory(self, records: Records) -> None:
        """A batch of accesses."""
        _append(self._accesses, records)

    def clear(self) -> None:
        """Forget everything."""
        self._instructions.clear()
        self._accesses.clear()

    def within(self, start: int, end: int) -> tuple[Records, Records]:
        """(instructions, accesses) of a stretch."""
        found = []
        for batches, dtype in ((self._instructions, INSTRUCTION_RECORD), (self._accesses, MEMORY_RECORD)):
            records = np.concatenate(batches) if batches else np.zeros(0, dtype)
            found.append(records[(records["time"] >= start) & (records["time"] < end)])
        return found[0], found[1]


def _append(batches: list[Records], records: Records) -> None:
    first = records["time"][0]
    while batches and batches[-1]["time"][-1] > first:
        kept = batches[-1][batches[-1]["time"] < first]
        batches.pop()
        if len(kept):
            batches.append(kept)
    batches.append(records)


@contextmanager
def observed(runner: Runner, observer: Observer) -> Iterator[None]:
    """Deliver events to an observer for a while."""
    runner.add_observer(observer)
    try:
        yield
    finally:
        runner.events.remove(observer)


def go(timeline: Timeline, time: int) -> None:
    """Be at a time; DebuggerError if the user interrupts the way there, after which the way is gone to its end."""
    if timeline.seek(time).why == "interrupted":
        timeline.motor.interrupted = False
        timeline.seek(time)
        raise DebuggerError("interrupted")


def record(session: Session, start: int, end: int, *, memory: bool = True) -> tuple[Records, Records]:
    """(instructions, accesses) of [start, end), which lies in the past; the session then stands at `end`."""
    timeline = session.timeline
    go(timeline, start)
    collector = Collector(memory)
    with observed(session.runner, collector):
        go(timeline, end)
    return collector.within(start, end)


class Past:
    """The records before a time, read backwards in stretches that grow; each stretch is executed once.

    The session stands anywhere in the past afterwards: whoever uses it goes back to `now`.
    """

    def __init__(self, session: Session, end: int, memory: bool = True) -> None:
        self.session = session
        self.begin = end
        self.memory = memory
        self._window = FIRST_WINDOW
        self._stretches: list[tuple[Records, Records]] = []  # the newest first

    def stretches(self, most: int) -> Iterator[tuple[Records, Records]]:
        """(instructions, accesses), the newest stretch first, over at most so many instructions."""
        number, seen = 0, 0
        while seen < most:
            if number == len(self._stretches):
                if self.begin == 0:
                    return
                self._read_on()
            yield self._stretches[number]
            seen += max(len(self._stretches[number][0]), 1)
            number += 1

    def _read_on(self) -> None:
        start = max(0, self.begin - self._window)
        self._stretches.append(record(self.session, start, self.begin, memory=self.memory))
        self.begin = start
        self._window = min(4 * self._window, MOST_WINDOW)


@contextmanager
def excursion(session: Session) -> Iterator[None]:
    """Visit other times; afterwards the session stands where it stood."""
    now = session.timeline.now
    try:
        yield
    finally:
        interrupted, session.timeline.motor.interrupted = session.timeline.motor.interrupted, False
        session.timeline.seek(now)
        session.timeline.motor.interrupted = interrupted
