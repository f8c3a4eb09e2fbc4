"""Where native code stops for a debugger: instructions of a watched warp, accesses of watched bytes.

A debugger plants `leave_watched` (recording.py) at instructions, and at accesses handlers that were generated from
their meaning once more, which compare the lanes' addresses with what is watched.  Either leaves to the reference engine
before anything has changed, if the warp is one that is watched; for other warps the instruction goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.engines.native.context import Context, Run
from emulator.engines.native.scalar import native
from emulator.engines.native.text import splat, vector
from emulator.machine.grid import GridBytes
from emulator.machine.layout import Record, dtype_of, i64, offset_of, size_of, u64
from emulator.machine.residents import RECORD, Resident

if TYPE_CHECKING:
    from emulator.engines.native.machine_ops import MachineOps

WATCHES = 4  # at a time
ANYBODY = -1
KINDS = {"r": 1, "w": 2, "a": 4}
NOWHERE = 1 << 62  # an address that no access reaches
I64 = vector("i64")


class Watch(Record):
    """Bytes [low, low + size) of the addresses under a mask, or instructions (kinds 0), and whose they are."""

    mask: u64
    low: u64
    size: i64
    who: i64  # launch and CTA as in EventRing.who, or ANYBODY
    warp: i64  # or ANYBODY
    kinds: i64  # of accesses
    unused0: i64
    unused1: i64


WATCH = dtype_of(Watch)
WATCH_BYTES = size_of(Watch)


def no_watches() -> np.ndarray:
    """A table in which nobody is watched."""
    table = np.zeros(WATCHES, WATCH)
    table["low"], table["who"] = NOWHERE, ANYBODY - 1
    return table


@native
def is_about(watch: Watch, ctx: Context) -> int:
    """Whether a watch is about this warp."""
    if watch.who == ANYBODY:
        return 1
    if watch.warp != ANYBODY and watch.warp != ctx.index:
        return 0
    record = Resident(Run(ctx.globals).current & -RECORD)
    return watch.who == GridBytes(record.grid).number | record.linear << 32


@native
def concerned(ctx: Context, hits: int, kind: int) -> int:
    """Whether one of the watches whose bits are set is about this warp and this kind of access, 0 for instructions."""
    number = 0
    while number < WATCHES:
        watch = Watch(Run(ctx.globals).watches + number * WATCH_BYTES)
        if hits >> number & 1 != 0 and (watch.kinds == kind or watch.kinds & kind != 0) and is_about(watch, ctx) != 0:
            return 1
        number += 1
    return 0


def leave_if_watched(ops: MachineOps, kind: str, address: str, size: int) -> None:
    """Text that leaves if the bytes of an executing lane are watched."""
    table = ops.global_field("watches", "ptr")

    def field(number: int, name: str) -> str:
        at = ops.emit(f"getelementptr i8, ptr {table}, i64 {number * WATCH_BYTES + offset_of(Watch, name)}")
        return ops.emit(f"load i64, ptr {at}")

    hits = "0"
    for number in range(WATCHES):
        masked = ops.emit(f"and {I64} {address}, {ops.spread('i64', field(number, 'mask'))}")
        offset = ops.emit(f"sub {I64} {masked}, {ops.spread('i64', field(number, 'low'))}")
        reaching = ops.emit(f"add {I64} {offset}, {splat('i64', size - 1)}")
        room = ops.emit(f"add i64 {field(number, 'size')}, {size - 1}")
        inside = ops.emit(f"icmp ult {I64} {reaching}, {ops.spread('i64', room)}")
        lanes = ops.any_lane(ops.emit(f"and {vector('i1')} {ops.lanes.data}, {inside}"))
        bit = ops.emit(f"select i1 {lanes}, i64 {1 << number}, i64 0")
        hits = ops.emit(f"or i64 {hits}, {bit}")
    ops.declarations.add("declare i64 @concerned_of(ptr, i64, i64)")
    found = ops.emit(f"call i64 @concerned_of(ptr %ctx, i64 {hits}, i64 {KINDS[kind]})")
    ops.go_on_unless(ops.emit(f"icmp ne i64 {found}, 0"))
