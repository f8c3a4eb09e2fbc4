"""Rows for the registers that are alive, in place of one row a virtual register.

Lanes that went apart share rows, but a lane's column of a row is its own: an instruction writes only the columns of
the lanes that execute it, and operations of a whole warp read only the columns of lanes that take part in them.  So
it is enough that no path of one lane needs two registers of a row at once, and the lanes' paths are those of the
program.  A register is given its row from its first to its last mention in the text, and over every block in which its
value is needed; one that may be read before it is written has its row, of zeros, from the start.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace

from emulator.parse.parser import collector_paused
from emulator.program.dataflow import labels_of, reads, writes
from emulator.program.instruction import Instruction, Program
from emulator.program.operands import Elements, Memory, Operand, Packed, Place, Register
from emulator.program.registers import RowAllocator

ENDS = ("bra", "brx", "ret", "exit", "trap")
Interval = tuple[int, int, Register]  # the first and the last pc at which a register needs its row
Span = dict[int, int]  # a pc by register; registers are told apart by their offsets


class Block:
    """A straight run: what it reads before it writes it, and what it writes, as sets of bits."""

    def __init__(self, instructions: list[Instruction]) -> None:
        self.first = instructions[0].pc
        self.last = instructions[-1].pc
        self.following = _following(instructions[-1])
        self.needs = self.makes = 0
        self.before = self.behind = 0  # what is needed at its start and its end


def compact(program: Program) -> Program:
    """The program over fewer rows; itself if it calls functions."""
    if len(program.functions) > 1:
        return program
    with collector_paused():
        rows = RowAllocator()
        intervals = _intervals(program.instructions)
        places = _assign(intervals, rows)
        zeros = [places[register.offset] for start, _, register in intervals if start < 0]
        entry = replace(program.entry, registers=[])
        moved = [_moved(instruction, places) for instruction in program.instructions]
        for instruction in moved:
            instruction.function = entry
        size = -(-rows.size // 64) * 64
        functions = {program.entry.name: entry}
        first = max((register.offset + register.row_bytes for register in zeros), default=0)
        return replace(program, entry=entry, functions=functions, instructions=moved, row_bytes=size, zero_bytes=first)


# --- what is alive where -----------------------------------------------------------------------------


def _following(last: Instruction) -> list[int]:
    """The pcs that can come after the end of a block."""
    found = list(labels_of(last.sources))
    if last.guard is not None or last.variant.entry.mnemonic not in ENDS:
        found.append(last.pc + 1)
    return found


def _blocks(instructions: list[Instruction]) -> Iterator[list[Instruction]]:
    leaders = {0}
    for instruction in instructions:
        if instruction.variant.entry.mnemonic in ENDS:
            leaders.add(instruction.pc + 1)
            leaders.update(labels_of(instruction.sources))
    bounds = sorted(leader for leader in leaders if leader < len(instructions))
    for start, end in zip(bounds, [*bounds[1:], len(instructions)], strict=True):
        yield instructions[start:end]


def _intervals(instructions: list[Instruction]) -> list[Interval]:
    """From where to where each register needs a row."""
    first: Span = {}
    last: Span = {}
    registers: dict[int, Register] = {}
    across: dict[int, int] = {}  # the bit of a register that a block reads before it has written it
    blocks = []
    for run in _blocks(instructions):
        block = Block(run)
        blocks.append((block, _scan(run, first, last, registers, across)))
    for block, (needs, makes) in blocks:
        block.needs = sum(1 << across[offset] for offset in needs)
        block.makes = sum(1 << across[offset] for offset in makes if offset in across)
    _solve([block for block, _ in blocks])
    by_bit = list(across)
    for block, _ in blocks:
        for bits, pc in ((block.before, block.first - 1), (block.behind, block.last)):
            for offset in _members(bits, by_bit):
                first[offset] = min(first[offset], pc)
                last[offset] = max(last[offset], pc)
    return [(pc, last[offset], registers[offset]) for offset, pc in first.items()]


def _scan(
    run: list[Instruction], first: Span, last: Span, registers: dict[int, Register], across: dict[int, int]
) -> tuple[set[int], set[int]]:
    """(registers that a run reads before it writes them in every lane, registers that it writes in every lane)."""
    needs: set[int] = set()
    makes: set[int] = set()
    for instruction in run:
        pc = instruction.pc
        for register in reads(instruction):
            offset = register.offset
            if offset not in makes:
                needs.add(offset)
                across.setdefault(offset, len(across))
            if offset not in first:
                first[offset], registers[offset] = pc, register
            last[offset] = pc
        for register in writes(instruction):
            offset = register.offset
            if instruction.guard is None:
                makes.add(offset)
            if offset not in first:
                first[offset], registers[offset] = pc, register
            last[offset] = pc + 1  # read or not, until then no other result of the instruction may have its row
    return needs, makes


def _solve(blocks: list[Block]) -> None:
    """What is needed before and behind each block: backwards until nothing changes."""
    at = {block.first: block for block in blocks}
    changed = True
    while changed:
        changed = False
        for block in reversed(blocks):
            behind = 0
            for pc in block.following:
                if pc in at:
                    behind |= at[pc].before
            before = block.needs | (behind & ~block.makes)
            if (before, behind) != (block.before, block.behind):
                block.before, block.behind, changed = before, behind, True


def _members(bits: int, registers: list[int]) -> Iterator[int]:
    text = bin(bits)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield registers[at]
        at = text.find("1", at + 1)


# --- rows --------------------------------------------------------------------------------------------


def _assign(intervals: list[Interval], rows: RowAllocator) -> dict[int, Register]:
    """The registers at their new offsets: a row is free again at the instruction that reads its register last."""
    intervals.sort(key=lambda one: one[0])
    free: dict[int, list[int]] = {}
    busy: list[tuple[int, int, int]] = []  # (last pc, offset, size)
    found: dict[int, Register] = {}
    now = -2
    for start, end, register in intervals:
        if start > now:
            now = start
            while busy and busy[0][0] <= now:
                _, offset, size = heapq.heappop(busy)
                free.setdefault(size, []).append(offset)
        name, kind, size = register.name, register.type, register.row_bytes
        stack = free.get(size)
        place = found[register.offset] = Register(name, kind, stack.pop()) if stack else rows.allocate(name, kind)
        heapq.heappush(busy, (end, place.offset, size))
    return found


def _moved(instruction: Instruction, places: dict[int, Register]) -> Instruction:
    """An instruction over the new rows."""
    results = tuple([None if operand is None else _operand(operand, places) for operand in instruction.results])
    sources = tuple([_operand(operand, places) for operand in instruction.sources])
    guard = None if instruction.guard is None else places[instruction.guard.offset]
    i = instruction
    return Instruction(i.pc, i.variant, results, sources, guard, i.guard_negated, i.node, i.function, i.loc, i.call)


def _operand(operand: Operand, places: dict[int, Register]) -> Operand:
    place = _place(operand.place, places)
    return operand if place is operand.place else Operand(operand.name, operand.type, place, operand.negated)


def _place(place: Place, places: dict[int, Register]) -> Place:
    if type(place) is Register:
        return places[place.offset]
    if isinstance(place, Memory) and isinstance(place.base, Register):
        return replace(place, base=places[place.base.offset])
    if isinstance(place, (Packed, Elements)):
        return replace(place, elements=tuple(_operand(element, places) for element in place.elements))
    return place
