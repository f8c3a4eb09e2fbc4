"""Accesses of lanes to several allocations, in native code."""

from __future__ import annotations

from emulator.engines.native.context import ALLOCATION, Context, Run
from emulator.engines.native.scalar import load64, lowest, native

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
