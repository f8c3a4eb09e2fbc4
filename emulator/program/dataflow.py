"""Which registers an instruction reads and writes, and straight runs of instructions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from emulator.program.instruction import Instruction, Program
from emulator.program.operands import (
    Callee,
    CallList,
    Elements,
    Memory,
    Operand,
    Packed,
    Place,
    Register,
    Storage,
    Targets,
)


def registers_of(place: Place) -> Iterator[Register]:
    """The registers that a place is made of."""
    if isinstance(place, Register):
        yield place
    elif isinstance(place, (Packed, Elements, CallList)):
        for element in place.elements:
            if not isinstance(element, Storage):
                yield from registers_of(element.place)
    elif isinstance(place, Memory) and isinstance(place.base, Register):
        yield place.base
    elif isinstance(place, Callee) and isinstance(place.place, Register):
        yield place.place


def reads(instruction: Instruction) -> list[Register]:
    """The registers that an instruction reads, once for each place where it does; its guard among them."""
    places = [operand.place for operand in instruction.sources]
    if instruction.call is not None:
        places.append(instruction.call.arguments)
    found = [register for place in places for register in registers_of(place)]
    return found if instruction.guard is None else [*found, instruction.guard]


def writes(instruction: Instruction) -> list[Register]:
    """The registers that an instruction writes, in the lanes in which its guard holds."""
    places = [operand.place for operand in instruction.results if operand is not None]
    if instruction.call is not None:
        places.append(instruction.call.results)
    return [register for place in places for register in registers_of(place)]


def labels_of(operands: Iterable[Operand]) -> Iterator[int]:
    """The pcs of the labels among operands."""
    for operand in operands:
        if isinstance(operand.place, Targets):
            yield from operand.place.pcs


def straight_runs(program: Program, ends_run: Callable[[Instruction], bool]) -> Iterator[list[Instruction]]:
    """The instructions from one label that is branched to, or one end of a run, to the next."""
    targets = {pc for instruction in program.instructions for pc in labels_of(instruction.sources)}
    targets |= {function.first_pc for function in program.functions.values()}
    run: list[Instruction] = []
    for instruction in program.instructions:
        if instruction.pc in targets and run:
            yield run
            run = []
        run.append(instruction)
        if ends_run(instruction):
            yield run
            run = []
    if run:
        yield run


def read_across_runs(program: Program, runs: Iterable[list[Instruction]]) -> set[int]:
    """The registers, by offset, that some run reads before it has written them in every lane, or a function returns."""
    found = {
        formal.offset for info in program.functions.values() for formal in info.returns if isinstance(formal, Register)
    }
    for run in runs:
        written: set[int] = set()
        for instruction in run:
            found |= {register.offset for register in reads(instruction)} - written
            if instruction.guard is None:
                written |= {register.offset for register in writes(instruction)}
    return found
