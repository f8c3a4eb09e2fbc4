"""Where native code writes events: into the ring of engines/event_ring.py, with the instruction's own time.

Time is `Context.clock` minus the budget at the start of the straight run, and what has been executed of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.engines.event_ring import ACCESS_BYTES, ADDRESSES, INSTRUCTION_BYTES, KINDS, SPACES, EventRing
from emulator.engines.native.context import Context, Instruction, Run
from emulator.engines.native.scalar import load64, native, store32, store64
from emulator.engines.native.text import vector
from emulator.engines.native.watching import leave_if_watched
from emulator.machine.memory import FRAME_FLAG, LOCAL_WINDOW

if TYPE_CHECKING:
    from emulator.engines.native.machine_ops import MachineOps
    from emulator.isa.ops import Value

FRAME_BITS = {"param": FRAME_FLAG, "generic": LOCAL_WINDOW}  # of an address in a frame, beside its offset


@native
def note(ring: EventRing, ip: Instruction, ctx: Context, lanes: int) -> None:
    """An instruction executes; there is room for it."""
    at = ring.next
    store64(at, ctx.clock - ctx.budget + ip.pc - ctx.start_pc)
    store64(at + 8, ring.who)
    store64(at + 16, ctx.index | ip.pc << 32)
    store32(at + 24, lanes)
    ring.next = at + INSTRUCTION_BYTES


@native
def claim(ip: Instruction, ctx: Context, lanes: int, what: int) -> int:
    """An access of some lanes, whose addresses have to be written where this says."""
    ring = EventRing(Run(ctx.globals).events)
    at = ring.access_next
    store64(at, ctx.clock - ctx.budget + ip.pc - ctx.start_pc)
    store64(at + 8, ring.who)
    store64(at + 16, ctx.index | ip.pc << 32)
    store32(at + 24, lanes)
    store32(at + 28, what)
    store64(at + 32, what >> 32)
    if lanes != 0:
        ring.access_next = at + ACCESS_BYTES
        if ring.access_next >= ring.access_most:
            ring.end = 0
    return at + ADDRESSES


@native
def take_back(ring: EventRing, ctx: Context) -> None:
    """The instruction before which the warp has stopped has not been executed after all."""
    now = ctx.clock - ctx.budget
    if ring.next > ring.first and load64(ring.next - INSTRUCTION_BYTES) == now:
        ring.next -= INSTRUCTION_BYTES
    while ring.access_next > ring.access_first and load64(ring.access_next - ACCESS_BYTES) == now:
        ring.access_next -= ACCESS_BYTES
    if ring.access_next < ring.access_most:
        ring.end = ring.most


def note_access(ops: MachineOps, kind: str, space: str, address: Value, size: int) -> None:
    """Text that records an access of the executing lanes, or leaves if it is watched, after its checks."""
    if not ops.recording and not ops.watching:
        return
    data = address.data
    if ops.in_frame and space in FRAME_BITS:
        data = (address | FRAME_BITS[space]).data
    if ops.watching:
        leave_if_watched(ops, kind, data, size)
        return
    kinds, lanes = vector("i64"), ops.emit(f"bitcast {vector('i1')} {ops.lanes.data} to i32")
    what = KINDS.index(kind) | SPACES.index(space) << 8 | size << 32
    ops.declarations.add("declare ptr @claim_of(ptr, ptr, i32, i64)")
    at = ops.emit(f"call ptr @claim_of(ptr %ip, ptr %ctx, i32 {lanes}, i64 {what})")
    ops.lines.append(f"  store {kinds} {data}, ptr {at}, align 8")
