"""Multimem addresses in native code: the table of multicast objects, and the way through their devices.

A table holds the objects of which every device has memory bound (manual, 8.2.3); an address of another one, or of none,
is left to the reference engine, as is one that is misaligned.  So an access that has been found possible on the first
device is possible on all, and nothing that has been begun is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.engines.event_ring import SLACK
from emulator.engines.native.allocations import ENTRY, entry_of
from emulator.engines.native.atomics import spill
from emulator.engines.native.context import Context, Run
from emulator.engines.native.scalar import load64, lowest, native, store64
from emulator.engines.native.text import NoNativeForm, lane_type, vector
from emulator.isa.ops import U64, Value
from emulator.machine.layout import Record, dtype_of, i64, size_of, u64
from emulator.machine.memory import AddressSpace

if TYPE_CHECKING:
    from emulator.engines.native.machine_ops import MachineOps

Load = Callable[[Value], list[Value]]
Combine = Callable[[Value, Value], Value]
ADDRESSES = vector("i64")


class Entry(Record):
    """One multicast object; distances: the address of a word for each device, from an object's byte to the memory's."""

    base: u64
    end: u64
    distances: u64
    count: i64


ENTRIES = dtype_of(Entry)
assert size_of(Entry) == ENTRY


class MulticastTable:
    """The objects by address, without those of more devices than an instruction may have accesses."""

    def __init__(self, memory: AddressSpace) -> None:
        self._distances: list[npt.NDArray[np.int64]] = []
        rows = []
        for found in memory.multicasts.snapshot():
            bound = [member for member in found.members.values() if member and memory.holds(member)]
            if len(bound) == len(found.members) <= SLACK:
                distances = np.array([member.base - found.base for member in bound], np.int64)
                self._distances.append(distances)
                rows.append((found.base, found.end, distances.ctypes.data, len(distances)))
        self.entries: npt.NDArray[Any] = np.array(rows, ENTRIES)


@native
def replicas(ctx: Context, addresses: int, lanes: int, size: int, number: int, out: int) -> int:
    """Write the addresses on the device of a number; the lanes that have one, or -1 if a lane's access is wrong."""
    run = Run(ctx.globals)
    found = 0
    while lanes != 0:
        lane = lowest(lanes)
        address = load64(addresses + 8 * lane)
        at = entry_of(run.multicasts, run.multicast_count, address)
        if at == 0 or address & size - 1 != 0:
            return -1
        entry = Entry(at)
        if address > entry.end - size:
            return -1
        if number < entry.count:
            store64(out + 8 * lane, address + load64(entry.distances + 8 * number))
            found |= 1 << lane
        lanes = lanes & lanes - 1
    return found


def each_device(ops: MachineOps, address: Value, size: int) -> Iterator[tuple[str, Value]]:
    """Text that is a loop: the device's number, an i64, and the addresses of the executing lanes that have one."""
    if ops.watching:
        raise NoNativeForm("watched multimem accesses")  # the second device's might leave after the first one's
    executing, mask = ops.lanes, ops.lane_mask
    given, found = spill(ops, ADDRESSES, address.data), spill(ops, ADDRESSES, "zeroinitializer")
    lanes = ops.emit(f"bitcast {vector('i1')} {executing.data} to i32")
    start, loop, body, last, done = (ops.label() for _ in range(5))
    number, following = ops.emit_later(), ops.emit_later()
    ops.lines += [f"  br label %{start}", f"{start}:", f"  br label %{loop}", f"{loop}:"]
    ops.lines.append(f"  {number} = phi i64 [ 0, %{start} ], [ {following}, %{last} ]")
    ops.declarations.add("declare i64 @replicas_of(ptr, ptr, i32, i64, i64, ptr)")
    arguments = f"ptr %ctx, ptr {given}, i32 {lanes}, i64 {size}, i64 {number}, ptr {found}"
    with_device = ops.emit(f"call i64 @replicas_of({arguments})")
    ops.go_on_unless(ops.emit(f"icmp slt i64 {with_device}, 0"))
    here = ops.emit(f"trunc i64 {with_device} to i32")
    ops.lines += [f"  br i1 {ops.emit(f'icmp ne i32 {here}, 0')}, label %{body}, label %{done}", f"{body}:"]
    ops.bind_lanes(here)
    yield number, Value(ops, U64, ops.emit(f"load {ADDRESSES}, ptr {found}, align 64"))
    ops.lines += [f"  br label %{last}", f"{last}:", f"  {following} = add i64 {number}, 1"]
    ops.lines += [f"  br label %{loop}", f"{done}:"]
    ops.lanes, ops.lane_mask = executing, mask


def reduced(ops: MachineOps, address: Value, size: int, load: Load, combine: Combine) -> list[Value]:
    """What the devices hold, combined; so far it stands in memory of the function's own."""
    totals: list[Value] = []
    for number, where in each_device(ops, address, size):
        is_first = ops.emit(f"icmp eq i64 {number}, 0")
        for value in load(where):
            kind = vector(lane_type(value.type))
            room = ops.emit_later()
            ops.rooms += [f"  {room} = alloca {kind}, align 64", f"  store {kind} zeroinitializer, ptr {room}"]
            total = ops.value(value.type, f"load {kind}, ptr {room}, align 64")
            both = ops.select(ops.lanes, combine(total, value), total)
            new = ops.emit(f"select i1 {is_first}, {kind} {value.data}, {kind} {both.data}")
            ops.lines.append(f"  store {kind} {new}, ptr {room}, align 64")
            totals.append(Value(ops, value.type, room))
    return [ops.value(room.type, f"load {vector(lane_type(room.type))}, ptr {room.data}, align 64") for room in totals]
