"""Executed instructions and active lanes, by opcode and by instruction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from emulator.observer import Events, Observer
from emulator.program import Instruction, Program
from emulator.ptx_types import WARP_SIZE

Numbers = npt.NDArray[np.int64]


class Count(NamedTuple):
    """Warp instructions, and lanes that executed them; a lane whose guard is false does not."""

    instructions: int = 0
    lanes: int = 0

    @property
    def lanes_on(self) -> float:
        """The mean part of a warp that was active, 0 to 1."""
        return self.lanes / (WARP_SIZE * self.instructions) if self.instructions else 0.0

    def plus(self, other: Count) -> Count:
        """Both together."""
        return Count(self.instructions + other.instructions, self.lanes + other.lanes)


class Counters(Observer):
    """Instructions and active lanes by opcode.

        counters = Counters()
        with System(observers=[counters]) as system: ...
        counters.by_opcode()["fma.rn.f32"].instructions

    A stretch of a run that is executed again, after a restore, counts again.
    """

    wants = Events.INSTRUCTION

    def __init__(self) -> None:
        self._programs: dict[int, Program] = {}
        self._counts: dict[Program, tuple[Numbers, Numbers]] = {}

    def on_launch(self, number: int, program: Program) -> None:
        """Remember which program the records of a launch are about."""
        self._programs[number] = program
        if program not in self._counts:
            size = len(program.instructions)
            self._counts[program] = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)

    def on_instructions(self, records: np.ndarray[Any, Any]) -> None:
        """Count a batch."""
        grids = records["grid"]
        others = grids != grids[0]
        if others.any():  # one launch after the other
            self.on_instructions(records[others])
            records = records[~others]
        instructions, lanes = self._counts[self._programs[int(records["grid"][0])]]
        pcs = records["pc"].astype(np.int64)
        counts = np.bincount(pcs)
        instructions[: len(counts)] += counts
        sums = np.bincount(pcs, np.bitwise_count(records["lanes"]))  # in floats, which are exact here
        lanes[: len(sums)] += sums.astype(np.int64)

    def clear(self) -> None:
        """Count from zero again."""
        for instructions, lanes in self._counts.values():
            instructions[:] = 0
            lanes[:] = 0

    def by_instruction(self) -> Iterator[tuple[Instruction, Count]]:
        """Every instruction that was executed, in the order of launches and text."""
        for program, (instructions, lanes) in self._counts.items():
            for pc in np.flatnonzero(instructions):
                yield program.instructions[int(pc)], Count(int(instructions[pc]), int(lanes[pc]))

    def by_opcode(self) -> dict[str, Count]:
        """Counts by opcode as written, the most executed first."""
        found: dict[str, Count] = {}
        for instruction, count in self.by_instruction():
            found[instruction.opcode] = found.get(instruction.opcode, Count()).plus(count)
        return dict(sorted(found.items(), key=lambda item: (-item[1].instructions, item[0])))

    @property
    def total(self) -> Count:
        """All instructions together."""
        total = Count()
        for _, count in self.by_instruction():
            total = total.plus(count)
        return total
