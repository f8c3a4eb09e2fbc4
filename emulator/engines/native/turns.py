"""Turns in native code: who goes next, what a turn's end brings, and one turn after the other.

`run_ready` goes on until Python is needed: it returns why.
"""

from __future__ import annotations

from emulator.engines.native.context import Context, Fresh, Masks, Run
from emulator.engines.native.cta_life import (
    RETIRE,
    ROWS,
    append,
    begin,
    end_cta,
    fetch_add64,
    push_back,
    push_front,
    warp_context,
)
from emulator.engines.native.lanes import MASKS_BACK, run_turn
from emulator.engines.native.lanes_text import DELIVER, LEAVE, YIELDED
from emulator.engines.native.parking import FOUND, PARK, note_end, note_start, repeats
from emulator.engines.native.scalar import load64, native, store64
from emulator.engines.ready import Ring
from emulator.engines.schedule import QUANTUM
from emulator.machine.blocks import BlockHeader
from emulator.machine.grid import GridBytes
from emulator.machine.residents import RECORD, Resident

PAUSED, EMPTY, NEEDS_BLOCK, LIMIT, HANG, PART = 20, 21, 22, 23, 26, 28
SOON = 1 << 14  # instructions that a thread goes on when a warp waits for Python, and
LATER = 1 << 18  # when it is to be parked
FIRST_TURNS = 4  # of a warp, before its thread lets another CTA begin: most kernels' CTAs have ended by then


@native
def log_turn(run: Run, record: Resident) -> None:
    """Write down who runs from now on."""
    store64(run.log, run.time)
    store64(run.log + 8, GridBytes(record.grid).number | record.linear << 32)
    store64(run.log + 16, run.current % RECORD)
    run.log += 24


@native
def wants_fresh(run: Run, ring: Ring) -> int:
    """Whether a CTA that is new is to begin before the first warp of the queue goes on: where there is none, where it
    has not begun itself, or has had its first turns and this is not one that was interrupted."""
    if ring.count == 0:
        return 1
    entry = load64(ring.entries + 8 * ring.head)
    record = Resident(entry & -RECORD)
    if record.block == 0:
        return 1
    context = warp_context(GridBytes(record.grid), record.block, entry % RECORD)
    if context.left > 0:
        return 0
    return context.executed >= FIRST_TURNS * run.quantum


@native
def take_fresh(run: Run) -> None:
    """One of several threads takes CTAs that none has yet: they come first, the lowest first."""
    fresh = Fresh(run.fresh)
    grid = GridBytes(run.share)
    if fresh.next < fresh.count:
        first = fetch_add64(fresh.address, fresh.size)
        if first < fresh.count:
            index = fresh.size
            while index > 0:
                index -= 1
                record = Resident(load64(fresh.places + 8 * (first + index)))
                record.grid = grid.address
                warp = grid.warps
                while warp > 0:
                    warp -= 1
                    push_front(run, record.address | warp)
            return
    run.fresh = 0


@native
def next_turn(run: Run) -> int:
    """Take the first warp of the queue.  Not 0 if there is none to run now."""
    ring = Ring(run.ring)
    if run.time >= run.pause or (run.log != 0 and run.log >= run.log_end):
        return PAUSED
    if run.fresh != 0 and wants_fresh(run, ring) != 0:
        take_fresh(run)
    if ring.count == 0:
        return EMPTY
    entry = load64(ring.entries + 8 * ring.head)
    record = Resident(entry & -RECORD)
    if record.block == 0 and begin(record) == 0:
        run.current = entry
        return NEEDS_BLOCK
    ring.head = (ring.head + 1) & ring.mask
    ring.count -= 1
    record.queued = record.queued & ~(1 << entry % RECORD)
    run.current = entry
    run.turn_start = run.time
    context = warp_context(GridBytes(record.grid), record.block, entry % RECORD)
    run.left = context.left if context.left > 0 else run.quantum
    if run.log != 0:
        log_turn(run, record)
    masks = Masks(context.address + ROWS - MASKS_BACK)
    if masks.suspended != 0:
        masks.waiting = masks.waiting & ~masks.suspended
    if run.time >= run.limit:
        return LIMIT
    return 0


@native
def end_turn(run: Run, context: Context, record: Resident) -> int:
    """The warp goes to the end of the queue, or waits, or has ended.  Not 0 if Python has to do something."""
    entry = run.current
    run.current = 0
    status = 0
    masks = Masks(context.address + ROWS - MASKS_BACK)
    if masks.waiting & masks.suspended != 0:
        run.idle += QUANTUM
    if (masks.live & ~masks.waiting) | masks.suspended != 0:
        context.left = 0
        push_back(run, entry)
    else:
        context.left = run.left if run.left > 0 else 0
        if masks.live == 0 and BlockHeader(record.block).live == 0:
            status = end_cta(run, record)
            if status == RETIRE:
                run.current = entry
    if run.progress != run.last_progress:
        run.last_progress = run.progress
        run.idle = 0
        run.look_at = 0
    else:
        run.idle += run.time - run.turn_start
        ready = Ring(run.ring).count
        if run.idle > run.hang_after * (ready if ready > 0 else 1) and run.idle > run.look_at:
            return HANG
    return status


@native
def spend(run: Run, context: Context, executed: int) -> None:
    """Instructions of the turn have been executed."""
    run.left -= executed
    run.time += executed
    context.executed += executed


@native
def is_runnable(context: Context) -> int:
    """Whether a lane of a warp can execute."""
    masks = Masks(context.address + ROWS - MASKS_BACK)
    return masks.live & ~masks.waiting


@native
def put_aside(run: Run, context: Context, soon: int) -> None:
    """One of several threads: the warp waits for Python, which all of them return to after so many instructions."""
    append(Ring(run.aside), run.current)
    context.left = run.left if run.left > 0 else 0
    run.current = 0
    if run.pause > run.time + soon:
        run.pause = run.time + soon


@native
def only_parked(run: Run) -> int:
    """One of several threads has had a round of parked warps: it has nothing to do, and its time must not fly."""
    return run.aside != 0 and run.parked_turns > Ring(run.ring).count


@native
def run_ready(run: Run) -> int:
    """Turn after turn, until Python is needed."""
    while True:
        if run.current == 0:
            if only_parked(run) != 0:
                return EMPTY
            status = next_turn(run)
            if status != 0:
                return status
        record = Resident(run.current & -RECORD)
        grid = GridBytes(record.grid)
        context = warp_context(grid, record.block, run.current % RECORD)
        given = run.left
        part = 0
        if given > run.limit - run.time:
            given = run.limit - run.time
            part = 1
        if given > run.until - run.time:
            given = run.until - run.time
            part = 1
        may_park = 1 if run.parking != 0 and given == run.quantum else 0
        if may_park != 0:
            if context.spins == FOUND:
                if run.aside == 0:
                    return PARK
                put_aside(run, context, LATER)
                continue
            if context.parked != 0:
                executed = repeats(run, context)
                if executed != 0:
                    run.repeated += executed
                    run.parked_turns += 1
                    spend(run, context, executed)
                    status = end_turn(run, context, record)
                    if status != 0:
                        return status
                    continue
            note_start(run, grid, context)
        run.parked_turns = 0
        context.progress = 0
        context.globals = run.address
        status = run_turn(context.address + ROWS, context, given, 0)
        spend(run, context, given - context.budget)
        run.progress += context.progress
        if status in (LEAVE, DELIVER):
            if run.aside == 0:
                return status
            put_aside(run, context, SOON)
            continue
        if part != 0 and run.left > 0 and status != YIELDED and is_runnable(context) != 0:
            return PART
        if may_park != 0:
            note_end(run, grid, context, status)
        status = end_turn(run, context, record)
        if status != 0:
            return status
