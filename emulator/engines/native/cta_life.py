"""The life of CTAs in native code: placed on an SM, begun in a block, ended, followed by the next one; and turns.

`run_ready` runs turn after turn until Python is needed: it returns why.
"""

from __future__ import annotations

from emulator.engines.native.context import Context, Masks, Run
from emulator.engines.native.lanes import MASKS_BACK, run_turn
from emulator.engines.native.lanes_text import DELIVER, LEAVE, YIELDED
from emulator.engines.native.parking import FOUND, PARK, note_end, note_start, repeats
from emulator.engines.native.scalar import clear, copy, load32, load64, native, store64, text
from emulator.engines.ready import Ring
from emulator.engines.schedule import QUANTUM
from emulator.machine.blocks import BARRIERS, HEADER, BlockHeader
from emulator.machine.grid import GridBytes
from emulator.machine.layout import offset_of
from emulator.machine.residents import RECORD, Resident
from emulator.machine.warp import CONTEXT_BYTES, HEADER_BYTES

PAUSED, EMPTY, NEEDS_BLOCK, LIMIT, ENDED, RETIRE, HANG, PART = 20, 21, 22, 23, 24, 25, 26, 28
ROWS = CONTEXT_BYTES + HEADER_BYTES
NEXT_CTA = offset_of(GridBytes, "next")
SOON = 1 << 14  # instructions that a thread goes on when a warp waits for Python


@text
def fetch_add64(address: int, value: int) -> int:
    """Add to eight bytes that other threads change too; what was there before."""
    raise NotImplementedError


@text
def spread8(address: int, value: int) -> None:
    """32 equal bytes."""
    raise NotImplementedError


@text
def spread16(address: int, value: int) -> None:
    """32 equal halves of a word."""
    raise NotImplementedError


@text
def spread32(address: int, value: int) -> None:
    """32 equal words."""
    raise NotImplementedError


@text
def spread64(address: int, value: int) -> None:
    """32 equal double words."""
    raise NotImplementedError


@native
def append(ring: Ring, entry: int) -> None:
    """Last in a queue."""
    store64(ring.entries + 8 * ((ring.head + ring.count) & ring.mask), entry)
    ring.count += 1
    record = Resident(entry & -RECORD)
    record.queued |= 1 << entry % RECORD


@native
def push_back(run: Run, entry: int) -> None:
    """Last in the queue."""
    append(Ring(run.ring), entry)


@native
def push_front(run: Run, entry: int) -> None:
    """First in the queue."""
    ring = Ring(run.ring)
    ring.head = (ring.head - 1) & ring.mask
    store64(ring.entries + 8 * ring.head, entry)
    ring.count += 1
    record = Resident(entry & -RECORD)
    record.queued |= 1 << entry % RECORD


@native
def warp_context(grid: GridBytes, block: int, index: int) -> Context:
    """A warp's context, with which its bytes begin."""
    return Context(block + grid.warps_at + index * grid.warp_bytes)


@native
def fill_rows(grid: GridBytes, record: Resident) -> None:
    """Write the rows that hold the place of a CTA in its grid."""
    index = 0
    while index < grid.row_count:
        place = load32(grid.rows + 16 * index)
        width = load32(grid.rows + 16 * index + 4)
        which = load32(grid.rows + 16 * index + 8)
        value = record.sm
        if which == 0:
            value = record.linear % grid.width
        elif which == 1:
            value = record.linear // grid.width % grid.height
        elif which == 2:
            value = record.linear // (grid.width * grid.height)
        warp = 0
        while warp < grid.warps:
            at = warp_context(grid, record.block, warp).address + ROWS + place
            if width == 4:
                spread32(at, value)
            elif width == 8:
                spread64(at, value)
            elif width == 2:
                spread16(at, value)
            else:
                spread8(at, value)
            warp += 1
        index += 1


@native
def format_block(grid: GridBytes, address: int) -> None:
    """A block that has not served this launch yet: a copy of the template, with its own addresses."""
    copy(address, grid.template, grid.block_bytes)
    warp = 0
    while warp < grid.warps:
        context = warp_context(grid, address, warp)
        context.shared = address + grid.shared_at
        context.local = context.address + grid.local_at
        context.block = address
        warp += 1


@native
def clean_block(grid: GridBytes, address: int) -> None:
    """A block that another CTA of the launch has had: all that may have changed."""
    clear(address + HEADER, BARRIERS * grid.barrier_bytes)
    clear(address + grid.shared_at, grid.shared_bytes)
    block = BlockHeader(address)
    block.live = BlockHeader(grid.template).live
    block.open = 0
    warp = 0
    while warp < grid.warps:
        context = warp_context(grid, address, warp)
        context.executed = 0
        context.left = 0
        context.spins = 0
        context.patience = 0
        context.parked = 0
        start = context.address + CONTEXT_BYTES
        fresh = warp_context(grid, grid.template, warp).address + CONTEXT_BYTES
        copy(start, fresh, HEADER_BYTES)
        clear(start + HEADER_BYTES, grid.register_bytes)
        if grid.local_bytes != 0:
            clear(context.address + grid.local_at, grid.local_bytes)
        warp += 1


@native
def begin(record: Resident) -> int:
    """Give a CTA its block as it is at the start; 0 if Python has to do it."""
    grid = GridBytes(record.grid)
    address = grid.free
    if address == 0 or grid.row_count < 0:
        return 0
    block = BlockHeader(address)
    grid.free = block.next
    if block.format == grid.identity:
        clean_block(grid, address)
    else:
        format_block(grid, address)
    block.resident = record.address
    record.block = address
    fill_rows(grid, record)
    return 1


@native
def claim_cta(grid: GridBytes) -> int:
    """The number of the next CTA of a launch, which nobody else gets; not below `count` if there is none."""
    if grid.whole == 0:
        number = grid.next
        if number < grid.count:
            grid.next = number + 1
        return number
    if GridBytes(grid.whole).next >= grid.count:
        return grid.count
    return fetch_add64(grid.whole + NEXT_CTA, 1)


@native
def appear(run: Run, record: Resident, grid: GridBytes, number: int) -> None:
    """A CTA of a launch is in this place: its warps are ready."""
    record.linear = number
    record.block = 0
    record.queued = 0
    record.life += 1
    run.progress += 1
    warp = 0
    while warp < grid.warps:
        push_back(run, record.address | warp)
        warp += 1


@native
def fits(grid: GridBytes, held: int) -> int:
    """Whether an SM has room for one more CTA."""
    if load64(held) + grid.ctas > load64(grid.room) or load64(held + 8) + grid.threads > load64(grid.room + 8):
        return 0
    if load64(held + 16) + grid.warps_held > load64(grid.room + 16):
        return 0
    return load64(held + 24) + grid.shared_held <= load64(grid.room + 24)


@native
def hold(grid: GridBytes, sm: int, sign: int) -> None:
    """An SM holds one CTA more, or one less."""
    held = grid.held + 32 * sm
    store64(held, load64(held) + sign * grid.ctas)
    store64(held + 8, load64(held + 8) + sign * grid.threads)
    store64(held + 16, load64(held + 16) + sign * grid.warps_held)
    store64(held + 24, load64(held + 24) + sign * grid.shared_held)


@native
def place_all(run: Run, grid: GridBytes) -> None:
    """Place CTAs, each on the SM that holds the fewest, until there is no room."""
    while grid.next < grid.count:
        best = -1
        fewest = 1 << 62
        sm = 0
        while sm < run.sms:
            held = grid.held + 32 * sm
            if load64(held) < fewest and fits(grid, held) != 0:
                best = sm
                fewest = load64(held)
            sm += 1
        if best < 0:
            return
        hold(grid, best, 1)
        record = Resident(load64(grid.places))
        store64(grid.places, record.block)
        record.grid = grid.address
        record.sm = best
        record.rank = 0
        appear(run, record, grid, claim_cta(grid))


@native
def end_cta(run: Run, record: Resident) -> int:
    """A CTA has ended: the next one takes its place.  Not 0 if Python has to do something."""
    grid = GridBytes(record.grid)
    if grid.alone == 0:
        return RETIRE
    block = BlockHeader(record.block)
    block.next = grid.free
    grid.free = block.address
    grid.finished += 1
    number = claim_cta(grid)
    if number < grid.count:
        appear(run, record, grid, number)
        return 0
    record.grid = 0
    record.life += 1
    if grid.whole != 0:
        return 0  # Jobs counts the free places
    hold(grid, record.sm, -1)
    record.block = load64(grid.places)
    store64(grid.places, record.address)
    if grid.finished == grid.count:
        return ENDED
    return 0


@native
def log_turn(run: Run, record: Resident) -> None:
    """Write down who runs from now on."""
    store64(run.log, run.time)
    store64(run.log + 8, GridBytes(record.grid).number | record.linear << 32)
    store64(run.log + 16, run.current % RECORD)
    run.log += 24


@native
def next_turn(run: Run) -> int:
    """Take the first warp of the queue.  Not 0 if there is none to run now."""
    ring = Ring(run.ring)
    if run.time >= run.pause or (run.log != 0 and run.log >= run.log_end):
        return PAUSED
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
def put_aside(run: Run, context: Context) -> None:
    """One of several threads: the warp waits for Python, which all of them return to soon."""
    append(Ring(run.aside), run.current)
    context.left = run.left if run.left > 0 else 0
    run.current = 0
    if run.pause > run.time + SOON:
        run.pause = run.time + SOON


@native
def run_ready(run: Run) -> int:
    """Turn after turn, until Python is needed."""
    while True:
        if run.current == 0:
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
                return PARK
            if context.parked != 0:
                executed = repeats(run, context)
                if executed != 0:
                    run.repeated += executed
                    spend(run, context, executed)
                    status = end_turn(run, context, record)
                    if status != 0:
                        return status
                    continue
            note_start(run, grid, context)
        context.progress = 0
        context.globals = run.address
        status = run_turn(context.address + ROWS, context, given, 0)
        spend(run, context, given - context.budget)
        run.progress += context.progress
        if status in (LEAVE, DELIVER):
            if run.aside == 0:
                return status
            put_aside(run, context)
            continue
        if part != 0 and run.left > 0 and status != YIELDED and is_runnable(context) != 0:
            return PART
        if may_park != 0:
            note_end(run, grid, context, status)
        status = end_turn(run, context, record)
        if status != 0:
            return status
