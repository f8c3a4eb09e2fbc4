"""What a difference means, in one word and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emulator.crosscheck.bounds import is_approximate, is_within_bound
from emulator.crosscheck.taint import Taint
from emulator.crosscheck.trace import Difference
from emulator.crosscheck.writers import Access
from emulator.program import Instruction, Program
from emulator.program.dataflow import labels_of
from emulator.program.operands import Immediate, Register

EQUAL = "EQUAL"
EMULATOR_BUG = "EMULATOR BUG?"
ALLOWED = "ALLOWED"
RACE = "RACE"
UNDEFINED = "UNDEFINED"
ORDER = "ORDER"
ENVIRONMENT = "ENVIRONMENT"
CONTRACTION = "CONTRACTION"
PERTURBED = "PERTURBED"
NOT_FOUND = "NOT FOUND"
FLOAT_TYPES = frozenset({"f16", "f16x2", "bf16", "bf16x2", "f32", "f64"})
ALL_LANES = 0xFFFF_FFFF


@dataclass(frozen=True)
class Verdict:
    """word: one of the above.  text: why."""

    word: str
    text: str


def adds_floats(instruction: Instruction) -> bool:
    """An atomic sum of floats, whose last bits are a matter of order."""
    parts = instruction.opcode.split(".")
    word = instruction.variant.entry.mnemonic
    return word in ("atom", "red") and "add" in parts and bool(FLOAT_TYPES & set(parts))


def of_result(
    instruction: Instruction, difference: Difference, sources: Sequence[int], within_tolerance: bool, tolerances: str
) -> Verdict:
    """An instruction whose sources were equal and whose result was not."""
    if _reads_inactive(instruction, sources):
        text = f"{instruction.opcode} reads lanes that its member mask does not have: what they give is undefined."
        return Verdict(UNDEFINED, text)
    if not is_approximate(instruction):
        text = "The inputs are equal and the instruction is exact, so one of the two is wrong."
        return Verdict(EMULATOR_BUG, text)
    values = [event.value for event in (difference.emulator, difference.gpu) if event is not None]
    if not all(is_within_bound(instruction, sources, value) for value in values):
        return Verdict(EMULATOR_BUG, f"A result is beyond the manual's error bound for {instruction.opcode}.")
    text = f"Both results are within the manual's error bound for {instruction.opcode}"
    if within_tolerance:
        return Verdict(ALLOWED, f"{text}, and the outputs stay in the declared tolerance ({tolerances}). No bug shown.")
    return Verdict(ALLOWED, f"{text}. The outputs are beyond the declared tolerance ({tolerances}): is it too tight?")


def of_place(program: Program, difference: Difference, taint: Taint) -> Verdict:
    """The machines executed different instructions after equal results."""
    for why in _unstable_branches(program, difference, taint):
        return Verdict(ENVIRONMENT, f"A branch before it depends on {why}, which differs by nature.")
    return Verdict(EMULATOR_BUG, "All results before it are equal, and yet the machines went different ways.")


def _unstable_branches(program: Program, difference: Difference, taint: Taint) -> Iterable[str]:
    """Why guards before the place may differ, the nearest first."""
    pcs = [event.pc for event in (difference.emulator, difference.gpu) if event is not None]
    for instruction in reversed(program.instructions[: max(pcs, default=0) + 1]):
        if instruction.guard is None or instruction.guard.offset not in taint.registers:
            continue
        if instruction.pc in pcs or any(True for _ in labels_of(instruction.sources)):
            yield taint.registers[instruction.guard.offset][1]


def of_load(instruction: Instruction, writer: Access | None, read: Access | None, is_input: bool) -> Verdict | None:
    """A load of other bytes from the same address; None if the load itself is to be judged as any instruction."""
    if writer is None and read is not None and not is_input:
        text = f"The {read.space} memory that {instruction.opcode} reads was never written: it may hold anything."
        return Verdict(UNDEFINED, text)
    return None


def _reads_inactive(instruction: Instruction, sources: Sequence[int]) -> bool:
    """Whether a warp instruction names a constant member mask that not all lanes are in, and reads other lanes."""
    if instruction.variant.entry.mnemonic != "shfl" or instruction.variant.entry.sync is None:
        return False
    mask = instruction.sources[-1].place
    found = mask.bits if isinstance(mask, Immediate) else sources[-1] if isinstance(mask, Register) else ALL_LANES
    return found & ALL_LANES != ALL_LANES
