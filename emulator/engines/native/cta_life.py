"""The life of CTAs in native code: placed on an SM, begun in a block, ended, followed by the next one or cluster."""

from __future__ import annotations

from emulator.engines.native.context import Context, Run
from emulator.engines.native.scalar import clear, copy, load64, lowest, native, store64, text
from emulator.engines.ready import Ring
from emulator.machine.blocks import HEADER, BlockHeader
from emulator.machine.grid import GridBytes
from emulator.machine.layout import offset_of
from emulator.machine.memory import CLUSTER_SHIFT, SHARED_BASE
from emulator.machine.residents import RECORD, Resident
from emulator.machine.warp import CONTEXT_BYTES, HEADER_BYTES

ENDED, RETIRE = 24, 25  # statuses: the last CTA of a launch has ended; Python is to end a CTA
CTAID, SMID, CLUSTERID, CLUSTER_CTAID, RANK, SHARED = 0, 3, 4, 7, 10, 11  # what a row holds, the first of three parts
ROWS = CONTEXT_BYTES + HEADER_BYTES
NEXT_CTA = offset_of(GridBytes, "next")


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
def position(grid: GridBytes, linear: int, part: int) -> int:
    """A component of a CTA's index."""
    if part == 0:
        return linear % grid.width
    if part == 1:
        return linear // grid.width % grid.height
    return linear // (grid.width * grid.height)


@native
def part_of_place(grid: GridBytes, record: Resident, which: int, addend: int) -> int:
    """What a row says of the place of a CTA; addend: of an address of shared memory, in the CTA of rank 0."""
    if which < SMID:
        return position(grid, record.linear, which)
    if which == SMID:
        return record.sm
    if which == RANK:
        return record.rank
    if which == SHARED:
        return addend + (record.rank << CLUSTER_SHIFT)
    part = which - CLUSTERID if which < CLUSTER_CTAID else which - CLUSTER_CTAID
    size = grid.cluster_x
    if part == 1:
        size = grid.cluster_y
    elif part == 2:
        size = grid.cluster_z
    at = position(grid, record.linear, part)
    return at // size if which < CLUSTER_CTAID else at % size


@native
def fill_rows(grid: GridBytes, record: Resident) -> None:
    """Write the rows that hold the place of a CTA in its grid."""
    index = 0
    while index < grid.row_count:
        place = load64(grid.rows + 32 * index)
        width = load64(grid.rows + 32 * index + 8)
        which = load64(grid.rows + 32 * index + 16)
        value = part_of_place(grid, record, which, load64(grid.rows + 32 * index + 24))
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
    block = BlockHeader(address)
    while block.used != 0:
        clear(address + HEADER + lowest(block.used) * grid.barrier_bytes, grid.barrier_bytes)
        block.used = block.used & block.used - 1
    clear(address + grid.shared_at, grid.shared_bytes)
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
        clear(start + HEADER_BYTES, grid.zero_bytes)
        if grid.local_bytes != 0:
            clear(context.address + grid.local_at, grid.local_bytes)
        warp += 1


@native
def set_origins(grid: GridBytes, record: Resident) -> None:
    """Tell the warps of a CTA of a cluster where their own shared memory begins."""
    warp = 0
    while warp < grid.warps:
        warp_context(grid, record.block, warp).shared_origin = SHARED_BASE + (record.rank << CLUSTER_SHIFT)
        warp += 1


@native
def begin(record: Resident) -> int:
    """Give a CTA its block as it is at the start; 0 if there is none."""
    grid = GridBytes(record.grid)
    address = grid.free
    if address == 0:
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
    if grid.cluster != 1:
        set_origins(grid, record)
    return 1


@native
def claim_cta(grid: GridBytes) -> int:
    """How many CTAs of a launch come before the next cluster, which is the caller's; `count` or more: there is none."""
    if grid.whole == 0:
        number = grid.next
        if number < grid.count:
            grid.next = number + grid.cluster
        return number
    if GridBytes(grid.whole).next >= grid.count:
        return grid.count
    return fetch_add64(grid.whole + NEXT_CTA, grid.cluster)


@native
def appear(run: Run, record: Resident, grid: GridBytes, number: int) -> None:
    """A CTA of a launch is in this place: its warps are ready."""
    record.linear = number
    record.block = 0
    record.queued = 0
    record.life += 1
    record.ended = 0
    warp = 0
    while warp < grid.warps:
        push_back(run, record.address | warp)
        warp += 1


@native
def hold(grid: GridBytes, sm: int, sign: int) -> None:
    """An SM holds one CTA more, or one less."""
    held = grid.held + 32 * sm
    store64(held, load64(held) + sign * grid.ctas)
    store64(held + 8, load64(held + 8) + sign * grid.threads)
    store64(held + 16, load64(held + 16) + sign * grid.warps_held)
    store64(held + 24, load64(held + 24) + sign * grid.shared_held)


@native
def emptiest(run: Run, grid: GridBytes) -> int:
    """The SM that holds the fewest CTAs, the lowest of these: it has room, if any has."""
    sm = grid.from_sm
    while sm < run.sms:
        if load64(grid.held + 32 * sm) == grid.fewest:
            grid.from_sm = sm + 1
            return sm
        sm += 1
    best = 0
    fewest = 1 << 62
    sm = 0
    while sm < run.sms:
        held = load64(grid.held + 32 * sm)
        if held < fewest:
            best = sm
            fewest = held
        sm += 1
    grid.fewest = fewest
    grid.from_sm = best + 1
    return best


@native
def next_place(run: Run, grid: GridBytes) -> int:
    """A place for a CTA; one of several threads takes those that its own CTAs have left."""
    if grid.whole != 0:
        left = Resident(grid.spare)
        grid.spare = left.block
        grid.spares -= 1
        return left.address
    record = Resident(load64(grid.places))
    store64(grid.places, record.block)
    record.sm = emptiest(run, grid)
    hold(grid, record.sm, 1)
    return record.address


@native
def vacate(grid: GridBytes, record: Resident) -> None:
    """Nobody follows a CTA in its place now."""
    record.grid = 0
    record.life += 1
    if grid.whole != 0:
        record.block = grid.spare
        grid.spare = record.address
        grid.spares += 1
        return
    hold(grid, record.sm, -1)
    record.block = load64(grid.places)
    store64(grid.places, record.address)


@native
def has_room(grid: GridBytes) -> int:
    """Whether there are places for a cluster of a launch that has its device for itself."""
    if grid.whole != 0:
        return grid.spares >= grid.cluster
    return grid.capacity - (grid.next - grid.finished) >= grid.cluster


@native
def member(grid: GridBytes, cluster: int, rank: int) -> int:
    """The number of a CTA of a cluster."""
    columns = grid.width // grid.cluster_x
    lines = grid.height // grid.cluster_y
    x = cluster % columns * grid.cluster_x + rank % grid.cluster_x
    y = cluster // columns % lines * grid.cluster_y + rank // grid.cluster_x % grid.cluster_y
    z = cluster // (columns * lines) * grid.cluster_z + rank // (grid.cluster_x * grid.cluster_y)
    return x + grid.width * (y + grid.height * z)


@native
def place_all(run: Run, grid: GridBytes) -> None:
    """Place clusters (or CTAs), each CTA on the SM that holds the fewest, until there is no room."""
    grid.from_sm = run.sms
    while has_room(grid) != 0:
        number = claim_cta(grid)
        if number >= grid.count:
            return
        run.progress += 1
        record = Resident(next_place(run, grid))
        first = record.address
        rank = 0
        while True:
            record.grid = grid.address
            record.rank = rank
            appear(run, record, grid, member(grid, number // grid.cluster, rank))
            rank += 1
            if rank == grid.cluster:
                break
            last = record
            record = Resident(next_place(run, grid))
            last.peer = record.address
        record.peer = first


@native
def free_block(grid: GridBytes, address: int) -> None:
    """A block that the next CTA may have."""
    block = BlockHeader(address)
    block.next = grid.free
    grid.free = address


@native
def leave_cluster(grid: GridBytes, record: Resident) -> None:
    """A CTA has ended: its block is free when those of all its cluster are."""
    block = BlockHeader(record.block)
    if record.peer != record.address:
        block.next = record.ended
        block.rank = record.rank
        block.sm = record.sm
        peer = Resident(record.peer)
        peer.ended = block.address
        while peer.peer != record.address:
            peer = Resident(peer.peer)
            peer.ended = block.address
        peer.peer = record.peer
        return
    free_block(grid, block.address)
    rest = record.ended
    while rest != 0:
        following = BlockHeader(rest).next
        free_block(grid, rest)
        rest = following


@native
def end_cta(run: Run, record: Resident) -> int:
    """A CTA has ended: the next one takes its place, or a cluster those of several.  Not 0 if Python has to act."""
    grid = GridBytes(record.grid)
    if grid.alone == 0:
        return RETIRE
    leave_cluster(grid, record)
    grid.finished += 1
    if grid.cluster == 1:
        number = claim_cta(grid)
        if number < grid.count:
            run.progress += 1
            appear(run, record, grid, number)
            return 0
        vacate(grid, record)
    else:
        vacate(grid, record)
        place_all(run, grid)
    if grid.whole == 0 and grid.finished == grid.count:
        return ENDED
    return 0
