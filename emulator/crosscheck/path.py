"""How a wrong result reached an output: the instructions between them, each reading what the one before it wrote."""

from __future__ import annotations

from collections import deque

from emulator.program import Instruction, Program
from emulator.program.dataflow import reads, writes


def find_path(program: Program, first: Instruction, last: Instruction) -> list[Instruction]:
    """The shortest chain from one instruction to another, both included; [] if there is none.

    It goes through registers, and from any store to any load of shared or local memory: the text allows it, which does
    not say that it was executed.
    """
    readers: dict[int | str, list[Instruction]] = {}
    for instruction in program.instructions:
        for register in reads(instruction):
            readers.setdefault(register.offset, []).append(instruction)
        if instruction.variant.entry.mnemonic == "ld":
            readers.setdefault(_space(instruction), []).append(instruction)
    before: dict[int, Instruction | None] = {first.pc: None}
    waiting = deque([first])
    while waiting and last.pc not in before:
        current = waiting.popleft()
        given: list[int | str] = [register.offset for register in writes(current)]
        if current.variant.entry.mnemonic == "st" and _space(current) in ("shared", "local"):
            given.append(_space(current))
        for place in given:
            for reader in readers.get(place, ()):
                if reader.pc not in before:
                    before[reader.pc] = current
                    waiting.append(reader)
    found: list[Instruction] = []
    at: Instruction | None = last if last.pc in before else None
    while at is not None:
        found.append(at)
        at = before[at.pc]
    return found[::-1]


def _space(instruction: Instruction) -> str:
    return str(instruction.variant.get("ss") or "generic").partition("::")[0]
