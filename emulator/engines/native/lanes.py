"""The lanes of a warp in native code: choosing a group, control transfers, meetings, stops (engines/divergence.py).

`enter` chooses the lanes that go next and runs their handlers; `branch_all` and `branch_split` account for the
straight run that a control transfer ends; `join_part` stops where other lanes stand; `leave` hands one instruction to
the reference engine.  `run_turn` is a turn of a warp; it stops exactly where it must by planting `stop` in the record
of an instruction.
"""

from __future__ import annotations

from emulator.engines.divergence import SLICE
from emulator.engines.event_ring import EventRing
from emulator.engines.native.context import Context, Instruction, Masks, Run
from emulator.engines.native.lanes_text import (
    AGAIN,
    DELIVER,
    IDLE,
    LEAVE,
    NOBODY,
    STOPPED,
    STRAY,
    TURN_OVER,
    YIELDED,
)
from emulator.engines.native.noting import take_back
from emulator.engines.native.scalar import load64, native, planted, tail, text
from emulator.machine.grid import GridBytes
from emulator.machine.residents import RECORD, Resident

FULL = 0xFFFF_FFFF
MASKS_BACK = 32  # bytes from a warp's masks to its rows
CAREFUL, MEASURED = 1, 2  # values of Context.careful: return at the next choice; return there if the budget is used up


@text
def choose(regs: int, ctx: Context) -> int:
    """The mask of the lanes that execute next, 0 if none can; says where they and others stand."""
    raise NotImplementedError


@text
def start(regs: int, ctx: Context, mask: int) -> int:
    """Run the handlers of the chosen lanes; the status with which they return."""
    raise NotImplementedError


@text
def save_pcs(regs: int, mask: int, pc: int) -> None:
    """Give lanes a pc."""
    raise NotImplementedError


@text
def jump(ip: int, regs: int, ctx: Context, mask: int) -> int:
    """The handler of the instruction at Context.start_pc."""
    raise NotImplementedError


@native
def account(regs: int, ctx: Context, count: int) -> None:
    """Instructions have been executed."""
    ctx.budget -= count
    masks = Masks(regs - MASKS_BACK)
    masks.run_length += count


@native
def take_turns(regs: int, group: int) -> None:
    """After a control transfer of a group: when the slice is used up, the lanes that ran in it make room."""
    masks = Masks(regs - MASKS_BACK)
    length = masks.run_length
    masks.run_length = 0
    runnable = masks.live & ~masks.waiting
    if group != runnable:
        left = masks.slice - length
        if left > 0:
            masks.slice = left
        else:
            rest = masks.turn & ~masks.ran
            masks.slice = SLICE
            masks.ran = 0
            masks.turn = rest if rest & runnable else FULL


@native
def keep_choice(ctx: Context, masks: Masks) -> None:
    """Keep what is taken back if those that are chosen now do not execute (`halt`)."""
    ctx.slice = masks.slice
    ctx.turn = masks.turn
    ctx.ran = masks.ran
    ctx.chosen = ctx.budget


@native
def two_groups(regs: int, ctx: Context, low: int, low_pc: int, high: int, high_pc: int) -> None:
    """All lanes that can run stand at two places: choose the lower one, as `choose` does."""
    masks = Masks(regs - MASKS_BACK)
    keep_choice(ctx, masks)
    masks.ran |= low
    ctx.start_pc = low_pc
    ctx.other_pc = high_pc
    ctx.free_pc = high_pc
    ctx.others = high


@native
def meet(regs: int, ctx: Context, pc: int) -> None:
    """All lanes that can run stand at one place: choose them, as `choose` does."""
    masks = Masks(regs - MASKS_BACK)
    keep_choice(ctx, masks)
    masks.slice = SLICE
    masks.turn = FULL
    masks.ran = 0
    ctx.start_pc = pc
    ctx.other_pc = NOBODY
    ctx.free_pc = NOBODY
    ctx.others = 0


@native
def are_all(regs: int, ctx: Context, lanes: int) -> int:
    """Whether these are all lanes that can run, it is nobody's turn more than another's, and no one is to be asked."""
    masks = Masks(regs - MASKS_BACK)
    if lanes != masks.live & ~masks.waiting or masks.turn != FULL or ctx.careful != 0:
        return 0
    return Run(ctx.globals).stray == 0


@native
def dispatch(ip: int, regs: int, ctx: Context, mask: int) -> int:
    """Choose again, unless somebody wants to be asked before."""
    if ctx.careful == CAREFUL or (ctx.careful == MEASURED and ctx.budget <= 0):
        return AGAIN
    return tail(enter, ip, regs, ctx, mask)


@native
def enter(ip: int, regs: int, ctx: Context, mask: int) -> int:
    """Choose the lanes that go next and run them."""
    group = choose(regs, ctx)
    if group == 0:
        return IDLE
    if ctx.other_pc != NOBODY and Run(ctx.globals).stray != 0 and is_join(ctx, ctx.other_pc) == 0:
        return STRAY
    return tail(jump, ip, regs, ctx, group)


@native
def is_join(ctx: Context, pc: int) -> int:
    """Whether handlers look for other lanes at a pc."""
    return load64(ctx.joins + pc) & 255


@native
def branch_all(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """All lanes of the group go to the target."""
    target = Instruction(ip.target)
    masks = Masks(regs - MASKS_BACK)
    count = ip.pc - ctx.start_pc + 1
    ctx.budget -= count
    if mask == masks.live & ~masks.waiting:
        masks.run_length = 0
        if ctx.budget > 0:
            ctx.start_pc = target.pc
            if mask == FULL:
                return tail(target.full, target, regs, ctx, mask)
            return tail(target.part, target, regs, ctx, mask)
    else:
        masks.run_length += count
        take_turns(regs, mask)
        if target.pc < ctx.free_pc and ctx.budget > 0 and masks.ran != 0:
            ctx.start_pc = target.pc
            return tail(target.part, target, regs, ctx, mask)
        if target.pc >= ctx.other_pc and ctx.budget > 0 and are_all(regs, ctx, mask | ctx.others) != 0:
            if target.pc == ctx.other_pc:
                group = mask | ctx.others
                meet(regs, ctx, target.pc)
                if group == FULL:
                    return tail(target.full, target, regs, ctx, group)
                return tail(target.part, target, regs, ctx, group)
            save_pcs(regs, mask, target.pc)
            group = ctx.others
            two_groups(regs, ctx, group, ctx.other_pc, mask, target.pc)
            return tail(jump, ip, regs, ctx, group)
    save_pcs(regs, mask, target.pc)
    if ctx.budget <= 0:
        return TURN_OVER
    return tail(dispatch, ip, regs, ctx, mask)


@native
def branch_split(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """Some lanes of the group go to the target, the others on."""
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    target = Instruction(ip.target).pc
    following = ip.pc + 1
    taken = ctx.taken
    rest = mask & ~taken
    save_pcs(regs, rest, following)
    save_pcs(regs, taken, target)
    take_turns(regs, mask)
    if ctx.budget <= 0:
        return TURN_OVER
    masks = Masks(regs - MASKS_BACK)
    others = ctx.others
    if mask == masks.live & ~masks.waiting:
        others = 0
    if target == following or (others != 0 and following != ctx.other_pc and target != ctx.other_pc):
        return tail(dispatch, ip, regs, ctx, mask)
    if are_all(regs, ctx, mask | others) == 0:
        return tail(dispatch, ip, regs, ctx, mask)
    if following == ctx.other_pc:
        rest |= others
    else:
        taken |= others
    if target < following:
        two_groups(regs, ctx, taken, target, rest, following)
        return tail(jump, ip, regs, ctx, taken)
    two_groups(regs, ctx, rest, following, taken, target)
    return tail(jump, ip, regs, ctx, rest)


@native
def join_full(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """A place where lanes meet, for a whole warp."""
    following = Instruction(ip.address + 64)
    return tail(following.full, following, regs, ctx, mask)


@native
def join_part(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """A place where lanes meet: where others stand, the lanes stop and are chosen anew."""
    if ip.pc != ctx.other_pc:
        following = Instruction(ip.address + 64)
        return tail(following.part, following, regs, ctx, mask)
    account(regs, ctx, ip.pc - ctx.start_pc)
    group = mask | ctx.others
    masks = Masks(regs - MASKS_BACK)
    if ctx.others != 0 and ctx.careful == 0 and group == masks.live & ~masks.waiting:
        following = Instruction(ip.address + 64)
        meet(regs, ctx, ip.pc)
        if group == FULL:
            return tail(following.full, following, regs, ctx, group)
        return tail(following.part, following, regs, ctx, group)
    save_pcs(regs, mask, ip.pc)
    return tail(dispatch, ip, regs, ctx, mask)


@native
def halt(ip: Instruction, regs: int, ctx: Context, lanes: int) -> None:
    """Stop before an instruction; lanes that have been chosen and have not executed have not been chosen."""
    if ip.pc == ctx.start_pc and ctx.budget == ctx.chosen:
        masks = Masks(regs - MASKS_BACK)
        masks.slice = ctx.slice
        masks.turn = ctx.turn
        masks.ran = ctx.ran
    account(regs, ctx, ip.pc - ctx.start_pc)
    save_pcs(regs, lanes, ip.pc)
    ctx.start_pc = ip.pc
    ctx.taken = lanes


@native
def leave(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The reference engine is to execute this instruction."""
    halt(ip, regs, ctx, mask)
    ring = EventRing(Run(ctx.globals).events)
    if ring.wanted != 0:
        take_back(ring, ctx)
    return LEAVE


@native
def give_up(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """The turn ends after this instruction."""
    account(regs, ctx, ip.pc - ctx.start_pc + 1)
    save_pcs(regs, mask, ip.pc + 1)
    return YIELDED


@native
def stop(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """A planted stop."""
    halt(ip, regs, ctx, mask)
    return STOPPED


@native
def deliver_first(ip: Instruction, regs: int, ctx: Context, mask: int) -> int:
    """There is no room for the events of this instruction."""
    halt(ip, regs, ctx, mask)
    return DELIVER


@native
def run_carefully(regs: int, ctx: Context, left: int, exact: int) -> int:
    """One straight run of the lanes that go next, if it is exact of no more than `left` instructions.

    The budget is then minus the number of executed instructions.
    """
    ctx.budget = 0
    group = choose(regs, ctx)
    if group == 0:
        return IDLE
    place = ctx.count
    if exact != 0 and ctx.start_pc + left < place:
        place = ctx.start_pc + left
    if ctx.other_pc < place and is_join(ctx, ctx.other_pc) == 0:
        place = ctx.other_pc
    record = Instruction(load64(ctx.map + 8 * place))
    full = record.full
    part = record.part
    record.full = planted(stop)
    record.part = planted(stop)
    ctx.careful = CAREFUL
    status = start(regs, ctx, group)
    ctx.careful = 0
    record.full = full
    record.part = part
    return status


@native
def run_turn(regs: int, ctx: Context, left: int, exact: int) -> int:
    """Run a warp for so many instructions, if not exact on to the next control transfer; the budget is what is left."""
    run = Run(ctx.globals)
    end = run.time + left
    ring = EventRing(run.events)
    if ring.wanted != 0:
        record = Resident(run.current & -RECORD)
        ring.who = GridBytes(record.grid).number | record.linear << 32
    while True:
        margin = 0
        if exact != 0:
            margin = ctx.count
            ctx.careful = MEASURED
        ctx.budget = left - margin
        ctx.clock = end - margin
        status = STRAY
        if exact == 0 or left > margin:
            status = start_enter(regs, ctx)
        ctx.careful = 0
        left = ctx.budget + margin
        if status == STRAY or (exact != 0 and status in (TURN_OVER, AGAIN)):
            ctx.clock = end - left
            status = run_carefully(regs, ctx, left, exact)
            left += ctx.budget
            ctx.budget = left
            if status in (IDLE, YIELDED):
                return status
            if left <= 0 and (exact != 0 or status == TURN_OVER):
                return TURN_OVER
            if status in (AGAIN, STOPPED, TURN_OVER):
                continue
        ctx.budget = left
        return status


@native
def start_enter(regs: int, ctx: Context) -> int:
    """Choose lanes and run them."""
    group = choose(regs, ctx)
    if group == 0:
        return IDLE
    if ctx.other_pc != NOBODY and Run(ctx.globals).stray != 0 and is_join(ctx, ctx.other_pc) == 0:
        return STRAY
    return start(regs, ctx, group)
