"""mbarrier objects on NumPy rows: lanes with one object take turns, and a broken rule stops all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from emulator.engines.reference.access import Access, gather, raw_bytes, rounds, scatter
from emulator.isa.mbarrier import NOT_SHARED
from emulator.isa.ops import U32, U64, ObjectChange, Value
from emulator.machine import memory as m
from emulator.ptx_types import ScalarType

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps

BYTES = 8


def update(ops: ReferenceOps, space: str, address: Value, change: ObjectChange) -> Value:
    """Change the objects of the executing lanes; the words before each lane's change."""
    where = _in_shared(ops, space, address)
    pieces = _access(ops, where).pieces(ops.lanes.data, write=True)
    ops.runner.note_access("a", ops, "shared", where.data, BYTES)
    words = _words(gather(pieces, BYTES))
    after = words.copy()
    order, before = rounds(ops.lanes.data, where.data)
    for lanes in order:
        words[lanes] = after[before[lanes]]
        new, fault = change(ops.row(U64, words))
        _refuse(ops, where, ops.row(U64, words), fault, lanes)
        after[lanes] = new.data[lanes]
    if scatter(pieces, raw_bytes(after, BYTES)):
        ops.runner.progress += 1
    return ops.row(U64, words)


def word(ops: ReferenceOps, space: str, address: Value, check: Callable[[Value], Value]) -> Value:
    """The objects of the executing lanes."""
    where = _in_shared(ops, space, address)
    pieces = _access(ops, where).pieces(ops.lanes.data, write=False)
    ops.runner.note_access("r", ops, "shared", where.data, BYTES)
    found = ops.row(U64, _words(gather(pieces, BYTES)))
    _refuse(ops, where, found, check(found), ops.lanes.data)
    return found


def update_async(
    ops: ReferenceOps, space: str, operation: str, kind: ScalarType, address: Value, values: Sequence[Value],
    mbar: Value, change: ObjectChange,
) -> None:  # fmt: skip
    """A store or reduction in shared memory, then the change of an object: both are possible, or neither is done.

    Generic addresses may be without their window: the machine looks at their low 32 bits alone.
    """
    where, object_ = (_in_shared(ops, space, a, or_bare=True) for a in (address, mbar))
    data = Access(ops.warp, ops.runner.memory, "shared", where.data, kind.bytes * len(values))
    data.pieces(ops.lanes.data, write=True)
    update(ops, "shared", object_, change)
    if operation:
        ops.atomic("shared", operation, kind, where, values, "relaxed", "cluster")
    else:
        ops.store("shared", kind, where, values)


def _words(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(data).view(np.uint64)[:, 0].copy()


def _access(ops: ReferenceOps, where: Value) -> Access:
    return Access(ops.warp, ops.runner.memory, "shared", where.data, BYTES)


def _in_shared(ops: ReferenceOps, space: str, address: Value, *, or_bare: bool = False) -> Value:
    """Shared addresses; a generic address must lie in the window of shared memory."""
    if space != "generic":
        return address
    window = address.data & ~np.uint64(m.WINDOW_BYTES - 1)
    outside = (window != m.SHARED_WINDOW) & ~((window == 0) & or_bare)
    fault = ops.row(U32, np.where(outside, NOT_SHARED, 0).astype(np.uint32))
    _refuse(ops, address, ops.const(U64, 0), fault, ops.lanes.data)
    return ops.row(U64, address.data - window)


def _refuse(ops: ReferenceOps, address: Value, words: Value, fault: Value, lanes: npt.NDArray[np.bool_]) -> None:
    """Raise the fault of the first of some lanes that has one."""
    wrong = lanes & (fault.data != 0)
    if wrong.any():
        lane = int(np.flatnonzero(wrong)[0])
        same = wrong & (fault.data == fault.data[lane])
        where, found = int(address.data[lane]), int(words.data[lane])
        raise ops.runner.faults.mbarrier(ops, same, lane, where, found, int(fault.data[lane]))
