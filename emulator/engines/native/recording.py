"""The handlers of a program while somebody watches: each instruction's record points to one that notes it first.

An observer that wants INSTRUCTION events gets the handlers below, which are the same for all instructions: they note
the executing lanes and go on to the instruction's own handler.  One that wants MEMORY events gets for each access a
handler that was generated from its meaning once more, with operations that also record addresses (noting.py).  The
original handlers lie in a second array of records, `Context.originals` bytes behind the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from emulator.engines.event_ring import EventRing
from emulator.engines.native.context import Context, Instruction, Run
from emulator.engines.native.handlers import under_guard
from emulator.engines.native.lanes import FULL, deliver_first, leave
from emulator.engines.native.meeting import guarded
from emulator.engines.native.noting import note
from emulator.engines.native.scalar import native, tail
from emulator.engines.native.watching import concerned
from emulator.isa.instructions.load_store import space_of as access_space
from emulator.observer import Events
from emulator.program.operands import Memory, Symbol, space_of

if TYPE_CHECKING:
    from emulator.engines.native.handlers import HandlerKey
    from emulator.engines.native.library import Library, Wanted
    from emulator.engines.native.records import NativeProgram
    from emulator.engines.native.runs import FusedRun
    from emulator.program import Instruction as ProgramInstruction

Handlers = npt.NDArray[np.uint64]  # a row an instruction: for whole warps, for some lanes
RECORDING, WATCHING = "recording", "watching"  # handlers of accesses; under a guard `recording_guard` and so on


@native
def note_all(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """An instruction without a guard."""
    ctx.taken = mask
    return tail(note_taken, ip, regs, ctx, mask)


@native
def note_where(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """An instruction of the lanes whose guard is true."""
    ctx.taken = guarded(ip, regs, 0) & mask
    return tail(note_taken, ip, regs, ctx, mask)


@native
def note_unless(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """An instruction of the lanes whose guard is false."""
    ctx.taken = guarded(ip, regs, 1) & mask
    return tail(note_taken, ip, regs, ctx, mask)


@native
def note_taken(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """Note the lanes that are taken, and execute the instruction."""
    ring = EventRing(Run(ctx.globals).events)
    if ring.next >= ring.end:
        return tail(deliver_first, ip, regs, ctx, mask)
    note(ring, ip, ctx, ctx.taken)
    return tail(original, ip, regs, ctx, mask)


@native
def make_room(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """An instruction of which only the accesses are recorded."""
    ring = EventRing(Run(ctx.globals).events)
    if ring.next >= ring.end:
        return tail(deliver_first, ip, regs, ctx, mask)
    return tail(original, ip, regs, ctx, mask)


@native
def original(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The instruction's own handler."""
    record = Instruction(ip.address + ctx.originals)
    if mask == FULL:
        return tail(record.full, ip, regs, ctx, mask)
    return tail(record.part, ip, regs, ctx, mask)


@native
def leave_watched(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """An instruction at which watched warps stop."""
    if concerned(ctx, -1, 0) != 0:
        return tail(leave, ip, regs, ctx, mask)
    return tail(original, ip, regs, ctx, mask)


class Recorded:
    """Which handlers the instructions of a program have: those for what is wanted, and above them planted ones."""

    def __init__(self, native: NativeProgram, library: Library) -> None:
        self._native = native
        self._library = library
        records = native.records.view(np.uint64).reshape(-1, 8)
        self._handlers: Handlers = records[:, :2]
        self._originals: Handlers = native.originals.view(np.uint64).reshape(-1, 8)[:, :2]
        self._plain = self._handlers.copy()
        self._originals[:] = self._plain
        self._chosen = self._plain
        self._planted: dict[int, int] = {}
        self._wants = Events.NONE
        self._runs: list[FusedRun] = []
        self.covered: dict[int, list[FusedRun]] = {}  # the runs that each pc is in

    def install(self, runs: Iterable[FusedRun]) -> None:
        """Have runs executed as a whole, as long as nobody wants to see or stop at their instructions."""
        self._runs = list(runs)
        for run in self._runs:
            for pc in run.straight.pcs:
                self.covered.setdefault(pc, []).append(run)
        self._put(self._runs)

    def _put(self, runs: Iterable[FusedRun]) -> None:
        """Point the first record of runs to their code, or back to the instruction's."""
        for run in runs:
            place = run.straight.place
            self._handlers[place] = self._chosen[place]
            if self._wants is Events.NONE and self._planted.keys().isdisjoint(run.straight.pcs):
                for group, handler in enumerate(run.handlers):
                    if handler is not None:
                        self._handlers[place, group] = handler
            first = run.straight.pcs.start
            if first in self._planted:
                self._handlers[self._native.places[first]] = self._planted[first]

    def plant(self, pc: int, handler: int) -> None:
        """Have another handler at a pc until `clear`."""
        self._planted[pc] = handler
        self._handlers[self._native.places[pc]] = handler
        self._put(self.covered.get(pc, ()))

    def clear(self, pc: int) -> None:
        """Have the instruction's handlers at a pc again."""
        del self._planted[pc]
        place = self._native.places[pc]
        self._handlers[place] = self._chosen[place]
        self._put(self.covered.get(pc, ()))

    def want(self, wants: Events) -> None:
        """Point the records to the handlers that record what is wanted."""
        native, leave = self._native, self._library.runtime["leave"]
        chosen, originals = self._plain.copy(), self._plain.copy()
        accesses = self.accesses(RECORDING) if Events.MEMORY in wants else {}
        for pc, handler in accesses.items():
            place = native.places[pc]
            originals[place] = handler
            chosen[place] = leave if handler == leave else self._library.runtime["make_room"]
        if Events.INSTRUCTION in wants:
            for instruction in native.program.instructions:
                place = native.places[instruction.pc]
                noting = self._library.runtime[_noting(instruction)]
                chosen[place] = np.where(originals[place] == leave, chosen[place], noting)
        self._originals[:] = originals
        self._handlers[:] = self._chosen = chosen
        for pc, handler in self._planted.items():
            self._handlers[native.places[pc]] = handler
        self._wants = wants
        self._put(self._runs)

    def accesses(self, mode: str) -> dict[int, int]:
        """The recording or watching handler of each instruction that accesses memory, by its pc."""
        wanted: Wanted = {}
        found: dict[int, tuple[HandlerKey, str] | None] = {}
        for instruction in self._native.program.instructions:
            if instruction.names_address:
                if _is_parameter_elsewhere(instruction):
                    found[instruction.pc] = None
                    continue
                key = self._native.key_of(instruction)
                if key is not None:
                    found[instruction.pc] = pair = key, under_guard(instruction, mode)
                    wanted[pair] = instruction.variant
        self._library.compile(wanted)
        leave = self._library.runtime["leave"]
        return {pc: leave if pair is None else self._library.address(*pair) for pc, pair in found.items()}


def _is_parameter_elsewhere(instruction: ProgramInstruction) -> bool:
    """Whether an access names a parameter in its frame without .param: its handler does not know the window."""
    for operand in instruction.sources:
        base = operand.place.base if isinstance(operand.place, Memory) else None
        if isinstance(base, Symbol) and base.storage.space == "frame" and space_of(base.storage) == "param":
            return access_space(instruction.variant) != "param"
    return False


def _noting(instruction: ProgramInstruction) -> str:
    """The handler that notes an instruction."""
    if instruction.guard is None:
        return "note_all"
    return "note_unless" if instruction.guard_negated else "note_where"
