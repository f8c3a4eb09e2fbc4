"""Barriers and exits in native code (engines/meetings.py).

What it does not do itself it leaves to the reference engine before it has changed anything: a barrier that counts
votes, one that is opened with another count, lanes that exit while others of their warp wait.
"""

from __future__ import annotations

from emulator.engines.native.context import Context, Instruction, Masks, Run
from emulator.engines.native.cta_life import push_back, push_front, warp_context
from emulator.engines.native.lanes import (
    FULL,
    MASKS_BACK,
    account,
    dispatch,
    leave,
    save_pcs,
    take_turns,
)
from emulator.engines.native.lanes_text import IDLE, TURN_OVER
from emulator.engines.native.scalar import clear, lowest, native, tail, text
from emulator.machine.blocks import HEADER, BarrierHead, BarrierWarp, BlockHeader
from emulator.machine.grid import GridBytes
from emulator.machine.layout import size_of
from emulator.machine.residents import Resident
from emulator.machine.warp import CONTEXT_BYTES, HEADER_BYTES
from emulator.ptx_types import WARP_SIZE

HEAD, EACH = size_of(BarrierHead), size_of(BarrierWarp)
ROWS = CONTEXT_BYTES + HEADER_BYTES  # from a warp's context to its rows


@text
def step_on(regs: int, mask: int) -> None:
    """Move lanes to the next pc."""
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
def try_barrier(run: Run, grid: GridBytes, block: BlockHeader, number: int) -> int:
    """Complete a barrier if all have come that it expects; whether it has."""
    head = BarrierHead(block.address + HEADER + number * grid.barrier_bytes)
    if head.count != 0:
        if head.arrivals * WARP_SIZE < head.count:
            return 0
    elif block.live == 0 or block.live & ~head.arrived != 0:
        return 0
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
    if head.partial == 0:
        head.count = 0
        block.open = block.open & ~(1 << number)
    return 1


@native
def barrier(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """bar.sync with constants: the lanes arrive, and wait."""
    run = Run(ctx.globals)
    block = BlockHeader(ctx.block)
    grid = GridBytes(Resident(block.resident).grid)
    number = ip.number
    threads = ip.threads
    head = BarrierHead(block.address + HEADER + number * grid.barrier_bytes)
    if head.voted != 0:
        return tail(leave, ip, regs, ctx, mask)
    if head.partial | head.arrived == 0:
        head.count = threads
    elif head.count != threads:
        whole = grid.warps * WARP_SIZE
        if head.count * threads != 0 or head.count + threads != whole:
            return tail(leave, ip, regs, ctx, mask)
        head.count = 0
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    save_pcs(regs, mask, ip.pc)
    masks = Masks(regs - MASKS_BACK)
    masks.waiting |= mask
    bit = 1 << ctx.index
    at = BarrierWarp(head.address + HEAD + ctx.index * EACH)
    at.partial |= mask
    at.waiting |= mask
    block.open |= 1 << number
    if masks.live & ~at.partial == 0:
        at.partial = 0
        at.arrived += 1
        head.partial = head.partial & ~bit
        head.arrived |= bit
        head.arrivals += 1
        if at.passing != 0:
            release(ctx.address, at.passing)
            at.passing = 0
        ctx.progress += try_barrier(run, grid, block, number)
    else:
        head.partial |= bit
    if masks.live & ~masks.waiting == 0:
        return IDLE
    return tail(dispatch, ip, regs, ctx, mask)


@native
def votes(grid: GridBytes, block: BlockHeader) -> int:
    """Whether a barrier in use counts votes."""
    rest = block.open
    while rest != 0:
        if BarrierHead(block.address + HEADER + lowest(rest) * grid.barrier_bytes).voted != 0:
            return 1
        rest = rest & rest - 1
    return 0


@native
def exit_all(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """All lanes of the group end."""
    masks = Masks(regs - MASKS_BACK)
    if masks.waiting != 0:
        return tail(leave, ip, regs, ctx, mask)
    block = BlockHeader(ctx.block)
    if mask != masks.live:
        account(regs, ctx, ip.pc - ctx.start_pc + 1)
        save_pcs(regs, mask, ip.pc)
        masks.live = masks.live & ~mask
        take_turns(regs, 0)
        if ctx.budget <= 0:
            return TURN_OVER
        return tail(dispatch, ip, regs, ctx, mask)
    grid = GridBytes(Resident(block.resident).grid)
    if block.open != 0 and votes(grid, block) != 0:
        return tail(leave, ip, regs, ctx, mask)
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    save_pcs(regs, mask, ip.pc)
    masks.live = 0
    masks.run_length = 0
    ctx.progress += 1
    block.live = block.live & ~(1 << ctx.index)
    rest = block.open
    while rest != 0:
        ctx.progress += try_barrier(Run(ctx.globals), grid, block, lowest(rest))
        rest = rest & rest - 1
    return IDLE


@native
def exit_where(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes whose guard is true end."""
    ctx.taken = guarded(ip, regs, 0) & mask
    return tail(exit_some, ip, regs, ctx, mask)


@native
def exit_unless(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes whose guard is false end."""
    ctx.taken = guarded(ip, regs, 1) & mask
    return tail(exit_some, ip, regs, ctx, mask)


@native
def exit_some(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes that are taken end, the others of the group go on."""
    if ctx.taken == mask:
        return tail(exit_all, ip, regs, ctx, mask)
    if ctx.taken == 0:
        following = Instruction(ip.address + 64)
        if mask == FULL:
            return tail(following.full, following, regs, ctx, mask)
        return tail(following.part, following, regs, ctx, mask)
    masks = Masks(regs - MASKS_BACK)
    if masks.waiting != 0:
        return tail(leave, ip, regs, ctx, mask)
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    save_pcs(regs, mask, ip.pc + 1)
    save_pcs(regs, ctx.taken, ip.pc)
    masks.live = masks.live & ~ctx.taken
    take_turns(regs, mask & ~ctx.taken)
    if ctx.budget <= 0:
        return TURN_OVER
    return tail(dispatch, ip, regs, ctx, mask)
