"""Bytes of any state space, as a lane of a warp sees them, and the variables that have names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emulator.engines.reference.access import Access, gather
from emulator.engines.run import Runner
from emulator.machine.memory import CLUSTER_SHIFT, FRAME_FLAG, SHARED_BASE, AccessFault, AddressSpace, Allocation
from emulator.machine.warp import Warp, lanes_of
from emulator.program.operands import Storage, space_of
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType


@dataclass(frozen=True, eq=False)
class Variable:
    """Something with a name in memory: `count` elements of a type from an address on (32 addresses if lanes differ)."""

    name: str
    space: str
    address: Any
    kind: ScalarType
    count: int
    note: str = ""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * self.kind.bytes


def read_space(runner: Runner, warp: Warp | None, space: str, address: int, size: int, lane: int = 0) -> Any:
    """Bytes of a space from an address on; None if they are not all inside."""
    if space in ("global", "const"):
        return _read_global(runner.memory, address, size)
    if warp is None:
        return None
    data, known = read_lanes(runner, warp, space, np.full(WARP_SIZE, address, dtype=np.uint64), size, 1 << lane)
    return data[lane] if known else None


def _read_global(memory: AddressSpace, address: int, size: int) -> Any:
    found = memory.find(address)
    if found is None or address + size > found.end:
        return None
    return memory.view(address, size).copy()


def read_lanes(runner: Runner, warp: Warp, space: str, addresses: Any, size: int, lanes: int) -> tuple[Any, int]:
    """((32, size) bytes, the lanes whose address is inside); addresses need not be aligned."""
    known = lanes
    while known:
        try:
            access = Access(warp, runner.memory, space, addresses, size, 1)
            return gather(access.pieces(lanes_of(known), write=False), size), known
        except AccessFault as fault:
            known &= ~fault.lanes
    return np.zeros((WARP_SIZE, size), dtype=np.uint8), 0


def variables_of(runner: Runner, warp: Warp | None, pc: int) -> dict[str, Variable]:
    """Everything with a name: buffers of arguments, variables of the module, parameters, shared and local arrays."""
    found: dict[str, Variable] = {}
    for allocation in runner.memory.allocations():
        found[allocation.name] = _of_note(allocation)
    if warp is None:
        return found
    program = warp.cta.grid.program
    for name, storage in program.shared.items():
        found[name] = _of_storage(storage, fixed_shared(warp, storage), warp.cta.grid.config.shared)
    for parameter in program.parameters:
        kind = TYPES.get(parameter.node.type, TYPES["b8"])
        variable = Variable(parameter.name, "param", parameter.offset, kind, parameter.size // kind.bytes)
        found.setdefault(parameter.name, variable)
    for storage in program.function_at(pc).storages:
        base = warp.frame.astype(np.uint64) + np.uint64(storage.offset)
        is_param = space_of(storage) == "param"
        address = base | np.uint64(FRAME_FLAG) if is_param else base
        found[storage.name] = _of_storage(storage, address)
    return found


def fixed_shared(warp: Warp, storage: Storage) -> int:
    """The address of a shared variable."""
    offset = warp.cta.grid.dynamic_offset if storage.offset < 0 else storage.offset
    return (warp.cta.rank << CLUSTER_SHIFT) + SHARED_BASE + offset


def _of_storage(storage: Storage, address: Any, dynamic: int = 0) -> Variable:
    """dynamic: the bytes that the launch gives to `.extern` shared arrays, which have no size of their own."""
    kind = TYPES.get(storage.type, TYPES["b8"])
    size = storage.size if storage.offset >= 0 or storage.space != "shared" else dynamic
    return Variable(storage.name, space_of(storage), address, kind, size // kind.bytes)


def _of_note(allocation: Allocation) -> Variable:
    """A buffer, whose note ends with its type and shape, or a variable of the module."""
    words = allocation.note.rpartition(", ")[2].partition("[")[0]
    kind = TYPES.get(words, TYPES["b32"] if allocation.size % 4 == 0 else TYPES["b8"])
    space = "const" if allocation.kind == "const" else "global"
    return Variable(allocation.name, space, allocation.base, kind, allocation.size // kind.bytes, allocation.note)
