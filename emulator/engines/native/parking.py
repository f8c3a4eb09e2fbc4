"""Spin parking: a warp that only repeats itself costs next to nothing, and nobody can tell.

A warp that spins ends its turn with the bytes with which it began it.  When it has done so, one of its turns is
executed under observation (`Parkings.park`): what it reads and how many instructions it takes.  From then on native
code looks at the beginning of a turn whether the warp's bytes and the words that it reads are still the same; then
the turn would end as it begins, and only time goes on.  Nothing has to be told when memory or the warp change.

Not parked is who reads a clock, who does more than to compute, branch and access memory, and whoever is watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.engines.native.context import Context, Run
from emulator.engines.native.lanes_text import TURN_OVER
from emulator.engines.native.scalar import copy, load64, native
from emulator.engines.reference.access import Access
from emulator.engines.schedule import Pick
from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.machine.grid import GridBytes
from emulator.machine.layout import Record, aligned_zeros, dtype_of, i64, u64, word_at
from emulator.machine.warp import CONTEXT_BYTES, HEADER_BYTES, Warp
from emulator.observer import Events
from emulator.program import Instruction
from emulator.program.operands import Special

if TYPE_CHECKING:
    from emulator.engines.native.engine import NativeEngine
    from emulator.engines.reference.ops import ReferenceOps

PARK = 27  # status: Python is to park the warp
SPINS = 12  # turns without progress before the warp's bytes are compared
FOUND = 1 << 40  # Context.spins of a warp that spins
LONGEST_LOOP = 512  # instructions
MOST_WORDS = 1024
SCRATCH_BYTES = 1 << 18
REPEATABLE = frozenset({"bra", "cvta", "isspacep", "atom", "red", "st", "fence", "membar", "mapa", "getctarank"})


class Parking(Record):
    """A turn that can be repeated without executing it.  state: host address of the warp's header and registers."""

    generation: i64
    executed: i64
    state: u64
    state_bytes: i64
    words: u64  # pairs of a host address and the eight bytes there
    count: i64


@native
def same_bytes(first: int, second: int, size: int) -> int:
    """Whether two stretches of a multiple of eight bytes are equal."""
    different = 0
    at = 0
    while at < size:
        different |= load64(first + at) ^ load64(second + at)
        at += 8
    return 1 if different == 0 else 0


@native
def repeats(run: Run, context: Context) -> int:
    """The instructions of the turn that begins, if it would end as it begins; else 0."""
    parking = Parking(context.parked)
    if parking.generation != run.parking or parking.executed > run.limit - run.time:
        return 0
    if same_bytes(parking.state, context.address + CONTEXT_BYTES, parking.state_bytes) == 0:
        context.parked = 0
        return 0
    at = parking.words
    end = at + 16 * parking.count
    while at < end:
        if load64(load64(at)) != load64(at + 8):
            return 0
        at += 16
    return parking.executed


@native
def state_bytes(grid: GridBytes) -> int:
    """The bytes of a warp's header and registers."""
    return HEADER_BYTES + grid.register_bytes


@native
def note_start(run: Run, grid: GridBytes, context: Context) -> None:
    """A turn begins: keep the bytes of a warp that may be spinning."""
    if context.spins >= SPINS + context.patience and state_bytes(grid) <= SCRATCH_BYTES:
        copy(run.scratch, context.address + CONTEXT_BYTES, state_bytes(grid))


@native
def note_end(run: Run, grid: GridBytes, context: Context, status: int) -> None:
    """A whole turn has ended: count those without progress, and then look whether anything has changed."""
    if context.progress != 0 or status != TURN_OVER or run.left > 0:
        context.spins = 0
    elif context.spins < SPINS + context.patience:
        context.spins += 1
    elif same_bytes(run.scratch, context.address + CONTEXT_BYTES, state_bytes(grid)) != 0:
        context.spins = FOUND
    else:
        context.spins = 0


class Accesses:
    """The eight-byte words of memory that instructions reach.  words: None once a lane has written its own memory."""

    def __init__(self) -> None:
        self.words: set[int] | None = set()

    def __call__(self, kind: str, ops: ReferenceOps, space: str, addresses: Any, size: int) -> None:
        """An access of the executing lanes; those that are not shared with anybody change only by their own writes."""
        access = Access(ops.warp, ops.runner.memory, space, addresses, size, align=1)
        for piece in access.pieces(ops.lanes.data, write=False):
            if self.words is None or (piece.private and kind == "r"):
                continue
            if piece.private:
                self.words = None
                continue
            first = piece.index[piece.lanes] + piece.buffer.ctypes.data
            for offset in range(0, size + 7, 8):
                last = np.minimum(first + offset, first + size - 1)
                self.words.update((last & -8).tolist())


def can_repeat(instruction: Instruction) -> bool:
    """Whether all that an instruction reads and changes is its warp's bytes and the memory of which it tells."""
    entry = instruction.variant.entry
    places = [operand.place for operand in instruction.sources]
    if any(isinstance(place, Special) and SPECIAL_REGISTERS[place.name].volatile for place in places):
        return False
    if entry.suspends or entry.resume is not None:
        return False
    return entry.kind != "machine" or entry.mnemonic in REPEATABLE


class Parkings:
    """The parked warps of a run.  allowed: whether there may be any."""

    def __init__(self, engine: NativeEngine) -> None:
        self._engine = engine
        self.allowed = True
        self._scratch = np.zeros(SCRATCH_BYTES, np.uint8)
        self._kept: dict[int, tuple[npt.NDArray[Any], ...]] = {}  # by the address of a warp's context
        self._old: list[tuple[npt.NDArray[Any], ...]] = []  # to which a context that comes back may point
        self._generation = 1

    @property
    def scratch(self) -> int:
        """Where native code keeps the bytes of a warp for one turn."""
        return self._scratch.ctypes.data

    @property
    def generation(self) -> int:
        """What the run's record says; 0 while somebody watches."""
        watched = not self.allowed or self._engine.runner.events.wants is not Events.NONE
        return 0 if watched else self._generation

    @property
    def repeated(self) -> int:
        """Warp instructions that only time has noticed."""
        return self._engine.field("repeated")

    def forget(self) -> None:
        """Execute all turns again, because stops may have been planted in them."""
        self._generation += 1

    def spins(self, warp: Warp) -> bool:
        """Whether native code has found that a warp spins."""
        return int(warp.context[: dtype_of(Context).itemsize].view(dtype_of(Context))["spins"][0]) == FOUND

    def park(self, warp: Warp, quantum: int) -> None:
        """Execute a turn of a warp that spins, and remember it if it can be repeated."""
        engine, runner = self._engine, self._engine.runner
        fields = warp.context[: dtype_of(Context).itemsize].view(dtype_of(Context))
        fields["spins"] = 0
        fields["patience"] = 2 * fields["patience"] + SPINS
        start, time, progress, stray = warp.state.copy(), runner.time, runner.progress, engine.field("stray")
        runner.take_up(Pick(warp, quantum, exact=False))
        words = self._one_round(warp, start)
        if runner.turn is not None:
            runner.run_turn()
        if words is None or runner.progress != progress or not np.array_equal(warp.state, start):
            return
        engine.set_stray(stray)  # the steps have left the lanes where they were
        self._keep(warp, fields, words, runner.time - time)

    def _one_round(self, warp: Warp, start: npt.NDArray[np.uint8]) -> set[int] | None:
        """Step until the warp's bytes are as they were; the host addresses of the words that it reads or writes."""
        runner, accesses = self._engine.runner, Accesses()
        runner.events.listener = accesses
        try:
            for _ in range(LONGEST_LOOP):
                step = runner.step()
                if step is None or step.warp is not warp or runner.turn is None or not can_repeat(step.instruction):
                    return None
                if np.array_equal(warp.state, start):
                    return accesses.words
                if accesses.words is None or len(accesses.words) > MOST_WORDS:
                    return None
        finally:
            runner.events.listener = None
        return None

    def _keep(self, warp: Warp, fields: npt.NDArray[Any], words: set[int], executed: int) -> None:
        """Write what native code compares.  The arrays of a context stay where they are if they are large enough."""
        key, size = warp.context.ctypes.data, HEADER_BYTES + warp.cta.grid.program.row_bytes
        kept = self._kept.get(key)
        if kept is None or len(kept[1]) != size or len(kept[2]) < len(words):
            if kept is not None:
                self._old.append(kept)
            pairs = np.zeros((max(16, len(words)), 2), np.uint64)
            kept = self._kept[key] = (aligned_zeros(dtype_of(Parking).itemsize), aligned_zeros(size), pairs)
        record, state, pairs = kept
        state[:] = warp.state[:size]
        for number, address in enumerate(sorted(words)):
            pairs[number] = address, word_at(address).value
        record.view(dtype_of(Parking))[0] = (
            self._generation, executed, state.ctypes.data, size, pairs.ctypes.data, len(words),
        )  # fmt: skip
        fields["parked"] = record.ctypes.data
