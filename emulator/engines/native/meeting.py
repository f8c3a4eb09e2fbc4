"""Barriers and exits in native code (engines/meetings.py).

What it does not do itself it leaves to the reference engine before it has changed anything: a barrier that is opened
with another count, lanes that exit while others of their warp wait for a rendezvous.
"""

from __future__ import annotations

from emulator.engines.native.context import Context, Instruction, Masks, Run
from emulator.engines.native.cta_life import push_back, push_front, warp_context
from emulator.engines.native.lanes import (
    MASKS_BACK,
    account,
    dispatch,
    is_join,
    leave,
    save_pcs,
    take_turns,
)
from emulator.engines.native.lanes_text import IDLE, TURN_OVER
from emulator.engines.native.scalar import bits, call, clear, load32, load64, lowest, native, tail, text
from emulator.machine.blocks import HEADER, BarrierHead, BarrierWarp, BlockHeader
from emulator.machine.grid import GridBytes
from emulator.machine.layout import offset_of, size_of
from emulator.machine.residents import Resident
from emulator.machine.warp import CONTEXT_BYTES, HEADER_BYTES
from emulator.ptx_types import WARP_SIZE

HEAD, EACH = size_of(BarrierHead), size_of(BarrierWarp)
VOTED = offset_of(BarrierWarp, "voted")
ROWS = CONTEXT_BYTES + HEADER_BYTES  # from a warp's context to its rows
WAITS, VOTES = 1, 2  # how lanes come to a barrier: they wait for it; they take part in a reduction


@text
def step_on(regs: int, mask: int) -> None:
    """Move lanes to the next pc."""
    raise NotImplementedError


@text
def standing_at(regs: int, pc: int) -> int:
    """The lanes that stand at a pc."""
    raise NotImplementedError


@text
def guarded(ip: Instruction, regs: int, negated: int) -> int:
    """The lanes whose guard holds."""
    raise NotImplementedError


@native
def release(ctx: int, lanes: int) -> None:
    """Lanes of a warp go on from where they waited."""
    masks = Masks(ctx + ROWS - MASKS_BACK)
    masks.waiting = masks.waiting & ~lanes
    step_on(ctx + ROWS, lanes)


@native
def write_results(ctx: Context, lanes: int) -> None:
    """The second half of the instructions at which lanes wait; the votes stand in their warp's context."""
    regs = ctx.address + ROWS
    while lanes != 0:
        pc = load32(ctx.address + CONTEXT_BYTES + 4 * lowest(lanes))
        here = lanes & standing_at(regs, pc)
        record = Instruction(load64(ctx.map + 8 * pc) + (64 if is_join(ctx, pc) != 0 else 0))
        if record.target != 0:
            call(record.target, record, regs, ctx, here)
        lanes = lanes & ~here


@native
def count_votes(grid: GridBytes, head: BarrierHead, which: int) -> int:
    """The threads that took part in the phase which is done, or (which = 4) those whose predicate was true."""
    count = 0
    index = 0
    while index < grid.warps:
        at = BarrierWarp(head.address + HEAD + index * EACH)
        if at.partial == 0:
            count += bits(load32(at.address + VOTED + which))
        index += 1
    return count


@native
def try_barrier(run: Run, grid: GridBytes, block: BlockHeader, number: int) -> int:
    """Complete a barrier if all have come that it expects; whether it has."""
    head = BarrierHead(block.address + HEADER + number * grid.barrier_bytes)
    if head.count != 0:
        if head.arrivals * WARP_SIZE < head.count:
            return 0
    elif block.live == 0 or block.live & ~head.arrived != 0:
        return 0
    votes = 0
    true_votes = 0
    if head.voted != 0:
        votes = count_votes(grid, head, 0)
        true_votes = count_votes(grid, head, 4)
    head.phase += 1
    behind = 0
    index = grid.warps
    while index > 0:
        index -= 1
        at = BarrierWarp(head.address + HEAD + index * EACH)
        if at.partial != 0:
            at.arrived = 0
            continue
        lanes = at.waiting
        clear(at.address, EACH)
        if lanes != 0:
            context = warp_context(grid, block.address, index)
            if votes != 0:
                context.votes = votes
                context.true_votes = true_votes
                write_results(context, lanes)
            release(context.address, lanes)
            entry = block.resident | index
            if entry != run.current and Resident(block.resident).queued & 1 << index == 0:
                if context.left > 0:
                    push_front(run, entry)
                else:
                    behind |= 1 << index
    while behind != 0:
        push_back(run, block.resident | lowest(behind))
        behind = behind & behind - 1
    head.arrived = 0
    head.arrivals = 0
    head.voted = head.voted & head.partial
    if head.partial == 0:
        head.count = 0
        block.open = block.open & ~(1 << number)
    return 1


@native
def settle(run: Run, grid: GridBytes, block: BlockHeader, ctx: Context, number: int) -> int:
    """Take the lanes of a warp as an arrival if all that live have come; then as `try_barrier`."""
    head = BarrierHead(block.address + HEADER + number * grid.barrier_bytes)
    at = BarrierWarp(head.address + HEAD + ctx.index * EACH)
    bit = 1 << ctx.index
    if at.partial != 0 and Masks(ctx.address + ROWS - MASKS_BACK).live & ~at.partial == 0:
        at.partial = 0
        at.arrived += 1
        head.partial = head.partial & ~bit
        head.arrived |= bit
        head.arrivals += 1
        if at.passing != 0:
            release(ctx.address, at.passing)
            at.passing = 0
    return try_barrier(run, grid, block, number)


@native
def arrive(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes that are taken come to a barrier; the others of the group go on."""
    run = Run(ctx.globals)
    block = BlockHeader(ctx.block)
    grid = GridBytes(Resident(block.resident).grid)
    head = BarrierHead(block.address + HEADER + ctx.number * grid.barrier_bytes)
    lanes = ctx.taken
    if head.partial | head.arrived == 0:
        head.count = ctx.threads
    elif head.count != ctx.threads:
        whole = grid.warps * WARP_SIZE
        if head.count * ctx.threads != 0 or head.count + ctx.threads != whole:
            return tail(leave, ip, regs, ctx, mask)
        head.count = 0
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    save_pcs(regs, mask, ip.pc + 1)
    save_pcs(regs, lanes, ip.pc)
    masks = Masks(regs - MASKS_BACK)
    masks.waiting |= lanes
    bit = 1 << ctx.index
    at = BarrierWarp(head.address + HEAD + ctx.index * EACH)
    at.partial |= lanes
    head.partial |= bit
    if ctx.how & WAITS != 0:
        at.waiting |= lanes
    else:
        at.passing |= lanes
    if ctx.how & VOTES != 0:
        at.voted |= lanes
        at.in_favour |= ctx.favour
        head.voted |= bit
    block.open |= 1 << ctx.number
    block.used |= 1 << ctx.number
    ctx.progress += settle(run, grid, block, ctx, ctx.number)
    if masks.live & ~masks.waiting == 0:
        return IDLE
    return tail(dispatch, ip, regs, ctx, mask)


@native
def in_rendezvous(ctx: Context, grid: GridBytes, block: BlockHeader) -> int:
    """The lanes of a warp that wait for others of a member mask, and not at a barrier or for the next turn."""
    masks = Masks(ctx.address + ROWS - MASKS_BACK)
    waiting = masks.waiting & ~masks.suspended
    rest = block.open
    while rest != 0:
        place = block.address + HEADER + lowest(rest) * grid.barrier_bytes + HEAD + ctx.index * EACH
        at = BarrierWarp(place)
        waiting = waiting & ~(at.waiting | at.passing)
        rest = rest & rest - 1
    return waiting


@native
def end_lanes(ctx: Context, grid: GridBytes, block: BlockHeader, lanes: int) -> None:
    """Lanes of a warp have ended: what waited for them may go on."""
    masks = Masks(ctx.address + ROWS - MASKS_BACK)
    masks.live = masks.live & ~lanes
    if masks.live == 0:
        ctx.progress += 1
        block.live = block.live & ~(1 << ctx.index)
    rest = block.open
    while rest != 0:
        ctx.progress += settle(Run(ctx.globals), grid, block, ctx, lowest(rest))
        rest = rest & rest - 1


@native
def exit_some(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes that are taken end, the others of the group go on."""
    masks = Masks(regs - MASKS_BACK)
    block = BlockHeader(ctx.block)
    grid = GridBytes(Resident(block.resident).grid)
    lanes = ctx.taken
    if masks.waiting != 0 and in_rendezvous(ctx, grid, block) != 0:
        return tail(leave, ip, regs, ctx, mask)
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    save_pcs(regs, mask, ip.pc + 1)
    save_pcs(regs, lanes, ip.pc)
    end_lanes(ctx, grid, block, lanes)
    take_turns(regs, mask & ~lanes)
    if masks.live & ~masks.waiting == 0:
        return IDLE
    if ctx.budget <= 0:
        return TURN_OVER
    return tail(dispatch, ip, regs, ctx, mask)
