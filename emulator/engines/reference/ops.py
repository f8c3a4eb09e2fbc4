"""The whole vocabulary on NumPy rows: lane values from lane_ops, memory and control of one warp here.

`bind` points the operations at a warp, the executing lanes and an instruction; control operations move the
lanes' pcs and note in `moved` which lanes they took along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.engines.reference import calls, mbarriers
from emulator.engines.reference.access import Access, gather, raw_bytes, rounds, scatter
from emulator.engines.reference.lane_ops import LaneOps, dtype_of
from emulator.engines.reference.multimem import locations
from emulator.engines.reference.specials import special_row
from emulator.isa.ops import PRED, U32, U64, ObjectChange, Value
from emulator.isa.reductions import combine
from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.machine import memory as m
from emulator.machine.cta import BARRIERS
from emulator.machine.multicast import MULTICAST_END, MULTICAST_WINDOW
from emulator.machine.warp import Warp, lanes_of, mask_of
from emulator.program import Instruction, Program
from emulator.program.operands import Callee, Targets
from emulator.ptx_types import WARP_SIZE, ScalarType

if TYPE_CHECKING:
    from emulator.engines.run import Runner

Bytes = npt.NDArray[np.uint8]
Change = Callable[[list[Value], Value], list[Value]]


class ReferenceOps(LaneOps):
    """The operations of one warp instruction at a time."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self.runner = runner
        self.warp: Warp
        self.program: Program
        self.instruction: Instruction
        self.moved = 0
        self.yielded = False
        self.held = False

    def bind(self, warp: Warp, lanes: int, instruction: Instruction) -> None:
        """Work on these lanes of a warp at an instruction."""
        self.warp = warp
        self.program = warp.cta.grid.program
        self.instruction = instruction
        self.lanes = self.row(PRED, lanes_of(lanes))
        self.carry_row = warp.carry
        self.moved = 0
        self.yielded = False
        self.held = False

    # --- memory ----------------------------------------------------------------------------------

    def _access(self, space: str, address: Value, size: int, align: int = 0) -> Access:
        return Access(self.warp, self.runner.memory, space, address.data, size, align)

    def load(
        self, space: str, kind: ScalarType, address: Value, count: int = 1, sem: str = "weak", scope: str = ""
    ) -> list[Value]:
        """Consecutive elements from each executing lane's address."""
        return self._elements(kind, self._read(space, address, kind.bytes * count), count)

    def _read(self, space: str, address: Value, size: int, align: int = 0) -> Bytes:
        """(32, size) bytes; zeros in lanes off."""
        pieces = self._access(space, address, size, align).pieces(self.lanes.data, write=False)
        self.runner.note_access("r", self, space, address.data, size)
        return gather(pieces, size)

    def _elements(self, kind: ScalarType, data: Any, count: int) -> list[Value]:
        """(32, size) bytes as values of a type."""
        parts = np.split(data, count, axis=1)
        rows = [np.ascontiguousarray(part).view(dtype_of(kind)) for part in parts]
        return [self.row(kind, row if kind.width == 128 else row[:, 0]) for row in rows]

    def store(
        self, space: str, kind: ScalarType, address: Value, values: Sequence[Value], sem: str = "weak", scope: str = ""
    ) -> None:
        """Consecutive elements at each executing lane's address, lower lanes first."""
        self._write(space, address, np.concatenate([raw_bytes(value.data, kind.bytes) for value in values], axis=1))

    def _write(self, space: str, address: Value, data: Bytes) -> None:
        size = data.shape[1]
        pieces = self._access(space, address, size).pieces(self.lanes.data, write=True)
        self.runner.note_access("w", self, space, address.data, size)
        if scatter(pieces, data):
            self.runner.progress += 1

    def atomic(
        self,
        space: str,
        operation: str,
        kind: ScalarType,
        address: Value,
        operands: Sequence[Value],
        sem: str = "relaxed",
        scope: str = "gpu",
    ) -> Value:
        """Read, modify, write, lane by lane: lanes with one address in rounds, the lowest lane first."""

        def change(old: list[Value], in_global: Value) -> list[Value]:
            return [combine(self, operation, kind, old[0], operands, in_global)]

        return self._modify(space, kind, address, 1, change)[0]

    def atomic_vector(
        self,
        space: str,
        operation: str,
        kind: ScalarType,
        address: Value,
        operands: Sequence[Value],
        sem: str = "relaxed",
        scope: str = "gpu",
    ) -> list[Value]:
        """`atomic` on consecutive elements; all elements of a lane in one round."""

        def change(old: list[Value], in_global: Value) -> list[Value]:
            pairs = zip(old, operands, strict=True)
            return [combine(self, operation, kind, now, [b], in_global) for now, b in pairs]

        return self._modify(space, kind, address, len(operands), change)

    def _modify(self, space: str, kind: ScalarType, address: Value, count: int, change: Change) -> list[Value]:
        """Replace `count` elements at each lane's address by what `change` makes of them; the old ones."""
        size = kind.bytes * count
        pieces = self._access(space, address, size).shared_pieces(self.lanes.data)
        self.runner.note_access("a", self, space, address.data, size)
        tracked = [piece.lanes for piece in pieces if piece.dirty is not None]
        in_global = self.row(PRED, np.logical_or.reduce([np.zeros(WARP_SIZE, np.bool_), *tracked]))
        now = gather(pieces, size)
        after = now.copy()
        order, before = rounds(self.lanes.data, address.data)
        for lanes in order:
            now[lanes] = after[before[lanes]]
            new = change(self._elements(kind, now, count), in_global)
            after[lanes] = np.concatenate([raw_bytes(value.data, kind.bytes) for value in new], axis=1)[lanes]
        if scatter(pieces, after):
            self.runner.progress += 1
        return self._elements(kind, now, count)

    def replicas(self, address: Value, size: int) -> Iterator[Value]:
        """The locations behind a multimem address; all lanes are checked before the first is given."""
        executing = self.lanes
        for row in locations(self.runner.memory, address.data, executing.data, size):
            self.lanes = self.row(PRED, row != 0)
            yield self.row(U64, row)
        self.lanes = executing

    def reduce_replicas(
        self, address: Value, size: int, load: Callable[[Value], list[Value]], combine: Callable[[Value, Value], Value]
    ) -> list[Value]:
        """What the devices hold, combined; lanes that have no such device keep what they have."""
        total: list[Value] = []
        for where in self.replicas(address, size):
            found = load(where)
            both = [combine(x, y) for x, y in zip(total, found, strict=False)]
            total = [self.select(self.lanes, x, y) for x, y in zip(both, total, strict=True)] or found
        return total

    def copy_async(self, destination: Value, source: Value, size: int, read: Value) -> None:
        """Copy from global to shared memory at once, lanes with one number of bytes to read together."""
        executing, counts = self.lanes, np.minimum(read.data, size)
        data = np.zeros((WARP_SIZE, size), dtype=np.uint8)
        for count in np.unique(counts[executing.data & (counts > 0)]):
            self.lanes = self.row(PRED, executing.data & (counts == count))
            data[:, :count] |= self._read("global", source, int(count), size)
        self.lanes = executing
        self._write("shared", destination, data)

    def mbarrier(self, space: str, address: Value, change: ObjectChange) -> Value:
        """Change the lanes' mbarrier objects."""
        return mbarriers.update(self, space, address, change)

    def mbarrier_word(self, space: str, address: Value, check: Callable[[Value], Value]) -> Value:
        """The lanes' mbarrier objects."""
        return mbarriers.word(self, space, address, check)

    def update_async(
        self, space: str, operation: str, kind: ScalarType, address: Value, values: Sequence[Value], mbar: Value,
        change: ObjectChange,
    ) -> None:  # fmt: skip
        """A store or reduction that an mbarrier object hears of, at once."""
        mbarriers.update_async(self, space, operation, kind, address, values, mbar, change)

    def fence(self, sem: str, scope: str) -> None:
        """Nothing: the reference memory is sequentially consistent."""

    def to_generic(self, space: str, address: Value) -> Value:
        """The space's window plus the address; global and const addresses are generic already."""
        return self.row(U64, address.data.astype(np.uint64) + np.uint64(m.WINDOWS.get(space, 0)))

    def from_generic(self, space: str, address: Value) -> Value:
        """The generic address minus the space's window."""
        return self.row(U64, address.data.astype(np.uint64) - np.uint64(m.WINDOWS.get(space, 0)))

    def in_space(self, space: str, address: Value) -> Value:
        """Whether a generic address lies in the window of a space."""
        data = address.data.astype(np.uint64)
        if space in m.WINDOWS:
            inside = data >> np.uint64(32) == np.uint64(m.WINDOWS[space] >> 32)
            if space == "shared":
                rank = (data & np.uint64(m.WINDOW_BYTES - 1)) >> np.uint64(m.CLUSTER_SHIFT)
                inside = inside & (rank == self.warp.cta.rank)
        else:
            device = data - np.uint64(m.DEVICE_BASE)
            inside = (data >= m.DEVICE_BASE) & (device < len(self.runner.memory.bytes))
            stride = np.uint64(self.runner.memory.stride)
            const = device % stride >= stride - np.uint64(m.CONST_BYTES)
            inside = inside & (const if space == "const" else ~const)
            if space == "global":  # the window of the kernel's parameters is part of it (manual, 9.7.9.19)
                inside = inside | (data >> np.uint64(32) == np.uint64(m.PARAM_WINDOW >> 32))
                inside = inside | (data >= np.uint64(MULTICAST_WINDOW)) & (data < np.uint64(MULTICAST_END))
        return self.row(PRED, inside)

    def stack_top(self) -> Value:
        """The end of each lane's stack in use."""
        return self.row(U64, self.warp.stack_top.astype(np.uint64))

    def set_stack_top(self, address: Value) -> None:
        """Move the end of the executing lanes' stacks."""
        lanes = self.lanes.data
        full = lanes & (address.data > self.warp.stack_bytes)
        if full.any():
            raise self.runner.faults.stack_overflow(self.warp, mask_of(full), self.instruction, None)
        self.warp.stack_top[lanes] = address.data[lanes]

    # --- control ---------------------------------------------------------------------------------

    def _move(self, lanes: Value, pcs: Any) -> None:
        mask = lanes.data
        self.warp.pc[mask] = pcs[mask] if isinstance(pcs, np.ndarray) else pcs
        self.moved |= mask_of(mask)

    def branch(self, lanes: Value, target: Targets) -> None:
        """These lanes go on at a label."""
        self._move(lanes, target.pcs[0])

    def branch_table(self, lanes: Value, index: Value, targets: Targets) -> None:
        """These lanes go on at the label with their index; a wrong index is a fault."""
        pcs = np.array(targets.pcs, dtype=np.int32)
        bad = lanes.data & (index.data >= len(pcs))
        if bad.any():
            targets_text = f"the {len(pcs)} target{'s' * (len(pcs) != 1)} of the list"
            raise calls.bad_target(self, bad, f"an index beyond {targets_text}: {int(index.data[bad][0])}")
        self._move(lanes, pcs[np.where(lanes.data, index.data, 0)])

    def call(self, lanes: Value, target: Callee) -> None:
        """These lanes enter a function, or have the runtime do its work."""
        calls.call(self, lanes.data, target)

    def ret(self, lanes: Value) -> None:
        """These lanes return to their callers; from a kernel they exit."""
        calls.ret(self, lanes.data)

    def exit(self, lanes: Value) -> None:
        """These lanes end."""
        mask = mask_of(lanes.data)
        self.warp.live &= ~mask
        self.moved |= mask
        if mask:
            self.runner.lanes_exited(self.warp)

    def fault(self, lanes: Value, kind: str) -> None:
        """Stop the launch here if a lane is on."""
        if lanes.data.any():
            raise self.runner.faults.kernel_stopped(self.warp, mask_of(lanes.data), self.instruction, kind)

    def yield_(self, lanes: Value) -> None:
        """End the warp's turn after this instruction."""
        self.yielded = True

    def suspend(self, lanes: Value) -> None:
        """Lanes that have just come have to wait for the warp's next turn: it is held for all lanes."""
        mask, warp = mask_of(lanes.data), self.warp
        fresh = mask & ~warp.suspended
        warp.suspended = warp.suspended | fresh if fresh else warp.suspended & ~mask_of(self.lanes.data)
        warp.waiting |= fresh
        self.held = bool(fresh)

    # --- barriers --------------------------------------------------------------------------------

    def barrier(
        self, lanes: Value, index: Value, count: Value | None, *, wait: bool, predicate: Value | None = None
    ) -> None:
        """Arrive at a barrier, by its number and count, which may differ between lanes."""
        numbers = index.data.astype(np.int64)
        counts = count.data.astype(np.int64) if count is not None else np.zeros(WARP_SIZE, dtype=np.int64)
        on = lanes.data
        wrong = on & (numbers >= BARRIERS)
        if wrong.any():
            raise self.runner.faults.bad_barrier(self, wrong, f"barrier {numbers[wrong][0]}: there are 0 to 15")
        wrong = on & ((counts % WARP_SIZE != 0) | (counts == 0) & (not wait))
        if wrong.any():
            text = f"{counts[wrong][0]} threads: a multiple of {WARP_SIZE} is needed"
            raise self.runner.faults.bad_barrier(self, wrong, text)
        for number, threads in sorted(set(zip(numbers[on].tolist(), counts[on].tolist(), strict=True))):
            part = on & (numbers == number) & (counts == threads)
            votes = part & predicate.data if predicate is not None else None
            self.runner.arrive(self, number, threads, part, wait, votes)

    def barrier_result(self, reduction: str) -> Value:
        """The reduction over the barrier that has just completed."""
        barrier = self.runner.completed
        if reduction == "popc":
            return self.const(U32, barrier.true_votes)
        all_true = barrier.true_votes == barrier.votes
        return self.const(PRED, all_true if reduction == "and" else barrier.true_votes > 0)

    # --- the rest ----------------------------------------------------------------------------------

    def special(self, name: str) -> Value:
        """A special register by name."""
        return self.row(SPECIAL_REGISTERS[name].type, special_row(name, 0, self.warp, self.runner))
