"""Accesses of lanes to several allocations, and to shared memory of several CTAs, in native code."""

from __future__ import annotations

from emulator.engines.native.context import ALLOCATION, Context, Run
from emulator.engines.native.scalar import load64, lowest, native, store64
from emulator.machine.blocks import BlockHeader
from emulator.machine.memory import CLUSTER_SHIFT, SHARED_BASE
from emulator.machine.residents import Resident

ENTRY = ALLOCATION.itemsize
END, READ_ONLY = 8, 16  # fields of an entry behind its base


@native
def entry_of(table: int, count: int, address: int) -> int:
    """The last of so many entries, sorted by their first fields, that begins at an address or below it; 0 for none."""
    low = 0
    high = count
    while low < high:
        middle = low + high >> 1
        if load64(table + ENTRY * middle) <= address:
            low = middle + 1
        else:
            high = middle
    return table + ENTRY * (low - 1) if low > 0 else 0


@native
def each_inside(ctx: Context, addresses: int, lanes: int, size: int, write: int) -> int:
    """Whether the bytes of each lane are aligned, inside of one allocation, and may be written if they are."""
    run = Run(ctx.globals)
    while lanes != 0:
        address = load64(addresses + 8 * lowest(lanes))
        entry = entry_of(run.table, run.count, address)
        if entry == 0 or address & size - 1 != 0:
            return 0
        if address > load64(entry + END) - size or (write != 0 and load64(entry + READ_ONLY) != 0):
            return 0
        lanes = lanes & lanes - 1
    return 1


@native
def block_of_rank(ctx: Context, rank: int) -> int:
    """The block of a CTA of the warp's cluster, which may have ended; 0 if it has not begun, or is none of them."""
    own = Resident(BlockHeader(ctx.block).resident)
    record = own
    while record.rank != rank:
        record = Resident(record.peer)
        if record.address == own.address:
            block = own.ended
            while block != 0 and BlockHeader(block).rank != rank:
                block = BlockHeader(block).next
            return block
    return record.block


@native
def each_in_cluster(ctx: Context, addresses: int, lanes: int, size: int, out: int) -> int:
    """Write where in the host each lane's bytes of shared memory are; 0 if a lane's are misaligned or in no block.

    The blocks of a launch have one layout: the shared memory of each lies as far behind its start.
    """
    while lanes != 0:
        lane = lowest(lanes)
        address = load64(addresses + 8 * lane)
        block = block_of_rank(ctx, address >> CLUSTER_SHIFT)
        offset = (address & (1 << CLUSTER_SHIFT) - 1) - SHARED_BASE
        if block == 0 or offset < 0 or offset > ctx.shared_size - size or address & size - 1 != 0:
            return 0
        store64(out + 8 * lane, block + ctx.shared - ctx.block + offset)
        lanes = lanes & lanes - 1
    return 1
