"""What native code knows beside the registers: one context a warp, one record a run, both plain bytes.

Handlers are text and find fields by their offsets; the scheduler (turns.py, lanes.py, cta_life.py) finds them by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.machine import layout
from emulator.machine.layout import Record, aligned_zeros, dtype_of, i32, i64, u32, u64
from emulator.machine.warp import CONTEXT_BYTES, HEADER_BYTES


class Context(Record):
    """A warp's own; the first two fields are Warp.executed and Warp.left."""

    executed: i64  # instructions of the warp so far
    left: i64  # instructions left of a turn that a wait has interrupted
    budget: i64  # instructions left in the turn; at or below zero the next control transfer ends it
    progress: i64  # changes of shared and global memory, barriers and warps in this turn
    shared: u64  # host address of the CTA's shared memory
    shared_size: i64
    shared_origin: i64  # the shared address of its first byte
    local: u64  # host address of lane 0's stack
    stack_bytes: i64
    params: u64
    param_size: i64
    globals: u64  # the run's Run
    map: u64  # the record of every pc
    joins: u64  # a byte for every pc: whether lanes that went apart are looked for there
    count: i64  # instructions of the program
    block: u64  # the CTA's block
    index: i64  # of the warp in its CTA
    start_pc: i32  # where the straight run began
    other_pc: i32  # the next pc at which other lanes stand
    free_pc: i32  # below this pc no other lane stands: who jumps there stays alone
    taken: u32  # lanes that take a divergent branch, or that left to the reference engine
    careful: u32  # 0, or what the next choice of lanes is to do (lanes.py)
    slice: u32  # slice, turn and ran before lanes were chosen, while these have not executed yet
    turn: u32
    ran: u32
    chosen: i64  # the budget then
    clock: i64  # the time at which the budget will be used up
    originals: i64  # bytes from a record to the one with the instruction's own handlers (recording.py)
    number: u32  # of the barrier that the lanes in `taken` come to
    threads: u32  # its count
    how: u32  # they come (meeting.py)
    favour: u32  # those whose predicate is true
    votes: u32  # threads that took part in the reduction which is done
    true_votes: u32
    spins: i64  # turns without progress (parking.py), and
    patience: i64  # how many more than SPINS of them there have to be
    parked: u64  # a Parking, 0 for none
    calls_at: u32  # bytes from the context to the call stack of lane 0
    call_bytes: u32  # of a lane's call stack
    others: u32  # the lanes at `other_pc` if these are all that can run beside those that do; 0 for not known
    unused0: u32


class Run(Record):
    """What all warps of a run share."""

    memory: i64  # host address minus device address
    dirty: i64  # page map, so that dirty + (device address >> 12) is a page's byte
    table: u64  # ALLOCATION entries by address
    count: i64
    memory_bytes: i64  # of all devices
    stride: i64  # from one device's memory to the next
    ring: u64  # the queue of the warps that are ready (engines/ready.py)
    time: i64
    progress: i64
    last_progress: i64
    idle: i64  # instructions since the last progress
    turn_start: i64  # when the turn began
    limit: i64  # of the time
    hang_after: i64  # idle instructions a warp, and
    look_at: i64  # in all, after which Python looks for a hang
    pause: i64  # when Python wants to look
    quantum: i64
    current: u64  # the warp whose turn it is, as an entry of the queue; 0 for none
    left: i64  # what is left of its turn
    stray: i64  # whether lanes may stand where nobody looks for them
    sms: i64
    events: u64  # the ring of events (engines/event_ring.py)
    parking: i64  # the generation of warps that are parked, 0 where none may be (parking.py)
    scratch: u64  # room for a warp's bytes
    repeated: i64  # instructions of parked warps that were not executed
    watches: u64  # what a debugger watches (watching.py)
    until: i64  # a turn that goes on beyond this time is interrupted at its next control transfer
    log: u64  # where the next turn is written: its time, the launch and the CTA, the warp; 0 for nowhere
    log_end: u64
    multicasts: u64  # entries of multicast objects by address (multimem.py), and
    multicast_count: i64  # how many there are
    fresh: u64  # while several threads run CTAs: those that none of them has yet (Fresh), and
    share: u64  # the GridBytes of this one's share; else 0
    parked_turns: i64  # of parked warps, one after the other
    aside: u64  # while several threads run CTAs: the warps of this one that wait for Python (jobs.py); else 0


class Fresh(Record):
    """CTAs that have not begun, of which all threads take the next one or cluster."""

    next: i64
    count: i64
    size: i64  # CTAs of a cluster
    places: u64  # addresses of their records


class Masks(Record):
    """The last words of a warp's header (machine/warp.py)."""

    live: u32
    waiting: u32
    slice: i32
    run_length: u32
    turn: u32
    ran: u32
    suspended: u32
    grown: u32


class Instruction(Record):
    """The record of an instruction as the scheduler sees it (handlers.py)."""

    full: u64
    part: u64
    row0: i32
    row1: i32
    row2: i32
    row3: i32
    row4: i32
    row5: i32
    pc: i32
    guard: i32
    memory: u64
    target: u64


CONTEXT = dtype_of(Context)
GLOBALS = dtype_of(Run)
AHEAD = -(-GLOBALS.itemsize // 64) * 64  # where a table follows that says which address an instruction has read last
AHEAD_ENTRIES = 64  # of eight bytes, by the number of the instruction's record
ALLOCATION = np.dtype([("base", "u8"), ("end", "u8"), ("read_only", "u8"), ("unused", "u8")])
assert CONTEXT.itemsize <= CONTEXT_BYTES

MASKS = HEADER_BYTES - 32  # where Masks stand in a warp's header
HEADER = {
    "pc": 0,
    "depth": 128,
    "frame": 256,
    "stack_top": 512,
    "carry": 640,
    "live": 672,
    "waiting": 676,
    "slice": 680,
}
HEADER |= {"run_length": 684, "turn": 688, "ran": 692, "suspended": 696}


def new_run() -> npt.NDArray[Any]:
    """A Run, with its table behind it."""
    return aligned_zeros(AHEAD + 8 * AHEAD_ENTRIES)[: GLOBALS.itemsize].view(GLOBALS)


def offset_of(field: str) -> int:
    """The byte offset of a context's field."""
    return layout.offset_of(Context, field)


def global_offset(field: str) -> int:
    """The byte offset of a field of the run's record."""
    return layout.offset_of(Run, field)
