"""Calls and returns in native code, lane by lane (engines/reference/calls.py).

What a call copies where is written down once a program (call_sites.py); all lanes are checked before one is changed,
and what fails a check is left to the reference engine: an unknown address, a full stack, call stacks outside of the
block.
"""

from __future__ import annotations

from emulator.engines.native.context import Context, Instruction, Masks
from emulator.engines.native.lanes import MASKS_BACK, account, dispatch, is_join, leave, save_pcs, take_turns
from emulator.engines.native.lanes_text import TURN_OVER
from emulator.engines.native.meeting import exit_some
from emulator.engines.native.scalar import (
    buffer,
    clear,
    copy,
    load32,
    load64,
    lowest,
    native,
    store32,
    store64,
    tail,
)
from emulator.machine.layout import Record, i64, u32, u64
from emulator.machine.warp import HEADER_BYTES
from emulator.program.link import CALL_RECORD

PC, DEPTH, FRAME, CALL_TOP, STACK_TOP = 0, 128, 256, 384, 512  # rows of a warp's header
HELD = 512  # bytes of arguments or results of a lane that are under way
NOTHING, IN_FRAME, IN_ROW = 0, 1, 2  # where an item is


class Item(Record):
    """One parameter, argument or result of a lane."""

    where: u32
    size: u32
    offset: i64  # in the lane's frame, or of the row


class Column(Record):
    """A register of a recursive function, of which a call keeps the lane's part."""

    offset: u32
    size: u32


class Routine(Record):
    """A function."""

    code: u64  # its address
    first_pc: i64
    frame_size: i64
    frame_align: i64
    columns: u64
    column_count: i64
    saved: i64  # bytes of a lane's columns
    parameters: u64
    parameter_count: i64
    returns: u64
    return_count: i64


class CallSite(Record):
    """A call instruction."""

    routines: u64  # those that it may enter
    routine_count: i64
    width: i64  # bits of the register that holds an address; 0: there is one routine
    row: i64  # of that register
    arguments: u64
    argument_count: i64
    results: u64
    result_count: i64


@native
def move(to: int, source: int, size: int) -> None:
    """Copy a few bytes."""
    if size == 4:
        store32(to, load32(source))
    elif size == 8:
        store64(to, load64(source))
    else:
        copy(to, source, size)


@native
def place_of(item: Item, regs: int, stack: int, lane: int) -> int:
    """Where a lane's item is; stack: the lane's own, at its frame."""
    if item.where == IN_FRAME:
        return stack + item.offset
    return regs + item.offset + lane * item.size


@native
def take_up(held: int, items: int, count: int, regs: int, stack: int, lane: int) -> None:
    """Read items one behind the other."""
    while count > 0:
        item = Item(items)
        move(held, place_of(item, regs, stack, lane), item.size)
        held += item.size
        items += 16
        count -= 1


@native
def put_down(held: int, given: int, items: int, count: int, regs: int, stack: int, lane: int) -> None:
    """Write what has been read from the items `given` to others, cut or filled with zeros."""
    while count > 0:
        item = Item(items)
        size = Item(given).size
        if item.where != NOTHING:
            place = place_of(item, regs, stack, lane)
            if size >= item.size:
                move(place, held, item.size)
            else:
                move(place, held, size)
                clear(place + size, item.size - size)
        held += size
        given += 16
        items += 16
        count -= 1


@native
def save_columns(routine: Routine, to: int, regs: int, lane: int, back: int) -> None:
    """Keep the lane's part of a recursive function's registers, or bring it back."""
    index = 0
    while index < routine.column_count:
        column = Column(routine.columns + 8 * index)
        place = regs + column.offset + lane * column.size
        if back != 0:
            move(place, to, column.size)
        else:
            move(to, place, column.size)
        to += column.size
        index += 1


@native
def routine_of(site: CallSite, regs: int, lane: int) -> Routine:
    """The function that a lane calls; at address 0 if there is none."""
    if site.width == 0:
        return Routine(load64(site.routines))
    code = load64(regs + site.row + 8 * lane) if site.width == 64 else load32(regs + site.row + 4 * lane)
    index = 0
    while index < site.routine_count:
        routine = Routine(load64(site.routines + 8 * index))
        if routine.code == code:
            return routine
        index += 1
    return Routine(0)


@native
def frame_of(routine: Routine, header: int, lane: int) -> int:
    """Where the frame of a function that is called begins."""
    mask = routine.frame_align - 1
    return (load32(header + STACK_TOP + 4 * lane) + mask) & ~mask


@native
def calls_of(ctx: Context, lane: int) -> int:
    """A lane's call stack."""
    return ctx.address + ctx.calls_at + lane * ctx.call_bytes


@native
def can_call(site: CallSite, regs: int, ctx: Context, lanes: int) -> int:
    """Whether all lanes can enter what they call."""
    header = regs - HEADER_BYTES
    while lanes != 0:
        lane = lowest(lanes)
        routine = routine_of(site, regs, lane)
        if routine.address == 0:
            return 0
        if frame_of(routine, header, lane) + routine.frame_size > ctx.stack_bytes:
            return 0
        if load32(header + CALL_TOP + 4 * lane) + routine.saved + CALL_RECORD > ctx.call_bytes:
            return 0
        lanes = lanes & lanes - 1
    return 1


@native
def enter_routine(site: CallSite, regs: int, ctx: Context, lane: int, return_pc: int) -> None:
    """A lane calls a function."""
    header = regs - HEADER_BYTES + 4 * lane
    routine = routine_of(site, regs, lane)
    stack = ctx.local + lane * ctx.stack_bytes
    frame = load32(header + FRAME)
    held = buffer(HELD)
    take_up(held, site.arguments, site.argument_count, regs, stack + frame, lane)
    top = load32(header + CALL_TOP)
    record = calls_of(ctx, lane) + top
    save_columns(routine, record, regs, lane, 0)
    record += routine.saved
    store32(record, return_pc)
    store32(record + 4, frame)
    store32(record + 8, routine.saved)
    store32(header + CALL_TOP, top + routine.saved + CALL_RECORD)
    store32(header + DEPTH, load32(header + DEPTH) + 1)
    frame = frame_of(routine, header - 4 * lane, lane)
    store32(header + FRAME, frame)
    store32(header + STACK_TOP, frame + routine.frame_size)
    store32(header + PC, routine.first_pc)
    count = site.argument_count if site.argument_count < routine.parameter_count else routine.parameter_count
    put_down(held, site.arguments, routine.parameters, count, regs, stack + frame, lane)


@native
def call_some(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes that are taken enter functions, the others of the group go on."""
    site = CallSite(ip.target)
    lanes = ctx.taken
    if Masks(regs - MASKS_BACK).grown != 0 or can_call(site, regs, ctx, lanes) == 0:
        return tail(leave, ip, regs, ctx, mask)
    save_pcs(regs, mask, ip.pc + 1)
    while lanes != 0:
        enter_routine(site, regs, ctx, lowest(lanes), ip.pc + 1)
        lanes = lanes & lanes - 1
    return tail(go_apart, ip, regs, ctx, mask)


@native
def go_apart(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes of a group have their new pcs."""
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    take_turns(regs, mask)
    if ctx.budget <= 0:
        return TURN_OVER
    return tail(dispatch, ip, regs, ctx, mask)


@native
def site_of(ctx: Context, return_pc: int) -> CallSite:
    """The call after which lanes go on at a pc; at address 0 if native code does not know it."""
    pc = return_pc - 1
    return CallSite(Instruction(load64(ctx.map + 8 * pc) + (64 if is_join(ctx, pc) != 0 else 0)).target)


@native
def can_return(regs: int, ctx: Context, lanes: int) -> int:
    """Whether native code knows the calls of all lanes."""
    header = regs - HEADER_BYTES
    while lanes != 0:
        lane = lowest(lanes)
        record = calls_of(ctx, lane) + load32(header + CALL_TOP + 4 * lane) - CALL_RECORD
        if site_of(ctx, load32(record)).address == 0:
            return 0
        lanes = lanes & lanes - 1
    return 1


@native
def leave_routine(routine: Routine, regs: int, ctx: Context, lane: int) -> None:
    """A lane returns from a function."""
    header = regs - HEADER_BYTES + 4 * lane
    stack = ctx.local + lane * ctx.stack_bytes
    frame = load32(header + FRAME)
    held = buffer(HELD)
    take_up(held, routine.returns, routine.return_count, regs, stack + frame, lane)
    store32(header + STACK_TOP, frame)
    top = load32(header + CALL_TOP) - CALL_RECORD
    record = calls_of(ctx, lane) + top
    return_pc = load32(record)
    frame = load32(record + 4)
    saved = load32(record + 8)
    if saved != 0:
        save_columns(routine, record - saved, regs, lane, 1)
    store32(header + CALL_TOP, top - saved)
    store32(header + DEPTH, load32(header + DEPTH) - 1)
    store32(header + FRAME, frame)
    store32(header + PC, return_pc)
    site = site_of(ctx, return_pc)
    count = site.result_count if site.result_count < routine.return_count else routine.return_count
    put_down(held, routine.returns, site.results, count, regs, stack + frame, lane)


@native
def ret_some(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The lanes that are taken return, the others of the group go on; from the kernel itself lanes end."""
    lanes = ctx.taken
    if ip.target == 0:
        return tail(exit_some, ip, regs, ctx, mask)
    if Masks(regs - MASKS_BACK).grown != 0 or can_return(regs, ctx, lanes) == 0:
        return tail(leave, ip, regs, ctx, mask)
    save_pcs(regs, mask, ip.pc + 1)
    while lanes != 0:
        leave_routine(Routine(ip.target), regs, ctx, lowest(lanes))
        lanes = lanes & lanes - 1
    return tail(go_apart, ip, regs, ctx, mask)
