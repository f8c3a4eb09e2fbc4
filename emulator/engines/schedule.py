"""Which warp goes next, and for how many instructions.

A schedule is a list of (warp, instructions) that every engine obeys to the instruction.  Round robin and
seeded random orders are policies; a recorded list can be replayed.  An exact turn ends after its count; any
other goes on to the next control transfer, where native code can stop for nothing.

A warp that waits keeps what is left of its turn (`Warp.left`).  When it can go on it takes that first, before the
warps behind it in the queue: so the warps of a CTA that meet again and again stay together, and their bytes in the
cache, until each has used up its turn.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from emulator.engines.ready import Ready
from emulator.machine.warp import Warp

QUANTUM = 2048
MOST_QUANTUM = 1 << 31
WarpKey = tuple[int, int, int]  # number of the launch, CTA, warp
Turn = tuple[WarpKey, int]


def key_of(warp: Warp) -> WarpKey:
    """What names a warp in a recorded schedule."""
    return warp.key


class Pick(NamedTuple):
    """Who goes next: the warp, its number of instructions, and whether it must stop exactly there."""

    warp: Warp
    instructions: int
    exact: bool


class Schedule(Protocol):
    """Picks from the warps that can run; the picked warp is taken out of the queue."""

    name: str
    turn: int  # about how long a turn is

    def pick(self, ready: Ready) -> Pick:
        """The next turn."""

    def snapshot(self) -> Any:
        """What later picks depend on."""

    def restore(self, snapshot: Any) -> None:
        """Pick again as after the snapshot."""


class RoundRobin:
    """Every warp in turn, QUANTUM instructions each and on to the next control transfer."""

    def __init__(self, quantum: int = QUANTUM) -> None:
        self.name = "round_robin" if quantum == QUANTUM else f"round_robin:{quantum}"
        self.quantum = self.turn = quantum

    def pick(self, ready: Ready) -> Pick:
        """The first warp of the queue, for what is left of its turn or a new one."""
        warp = ready.popleft()
        return Pick(warp, warp.left or self.quantum, exact=False)

    def snapshot(self) -> None:
        """The queue is all that matters."""

    def restore(self, snapshot: None) -> None:
        """Nothing to bring back."""


class RandomOrder:
    """Any warp, any number of instructions up to QUANTUM, by a seed; turns end anywhere."""

    def __init__(self, seed: int = 0, quantum: int = QUANTUM) -> None:
        self.name = f"random:{seed}"
        self.quantum = self.turn = quantum
        self._random = random.Random(seed)

    def pick(self, ready: Ready) -> Pick:
        """A random warp; short turns as likely as long ones."""
        warp = ready.take(self._random.randrange(len(ready)))
        return Pick(warp, max(1, int(self.quantum ** self._random.random())), exact=True)

    def snapshot(self) -> Any:
        """The state of the generator."""
        return self._random.getstate()

    def restore(self, snapshot: Any) -> None:
        """Draw the same numbers again."""
        self._random.setstate(snapshot)


class Replay:
    """The turns of a recorded run, then round robin."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.name, self.turn = "replay", QUANTUM
        self._turns = deque(turns)

    def pick(self, ready: Ready) -> Pick:
        """The warp that the record names; LookupError if it cannot run now."""
        if not self._turns:
            warp = ready.popleft()
            return Pick(warp, warp.left or QUANTUM, exact=False)
        wanted, count = self._turns.popleft()
        for warp in ready:
            if key_of(warp) == wanted:
                ready.remove(warp)
                return Pick(warp, count, exact=True)
        raise LookupError(
            f"the recorded schedule runs launch {wanted[0]} CTA {wanted[1]} warp {wanted[2]}, which waits"
        )

    def snapshot(self) -> list[Turn]:
        """The turns that are left."""
        return list(self._turns)

    def restore(self, snapshot: list[Turn]) -> None:
        """Have these turns to go."""
        self._turns = deque(snapshot)


def schedule_of(text: str, seed: int) -> Schedule:
    """`round_robin`, `random` or `random:SEED`, `round_robin:QUANTUM`; ValueError for anything else."""
    name, _, value = text.partition(":")
    if value and not value.isdigit():
        raise ValueError(f"schedule {text!r}: {value!r} is no number")
    if name == "round_robin":
        if value and not 1 <= int(value) <= MOST_QUANTUM:
            raise ValueError(f"schedule {text!r}: a turn has 1 to {MOST_QUANTUM:,} instructions")
        return RoundRobin(int(value) if value else QUANTUM)
    if name == "random":
        return RandomOrder(int(value) if value else seed)
    raise ValueError(f"unknown schedule {text!r}: round_robin, round_robin:QUANTUM, random, random:SEED")
