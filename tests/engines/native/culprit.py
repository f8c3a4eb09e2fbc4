"""Which instruction makes a random program differ between the engines: `python -m tests.engines.native.culprit SEED`.

The native engine gets native forms for the first instructions only, and the reference engine executes the rest; the
least number with which the answers differ names the instruction.
"""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

from emulator.engines.native.records import NativeProgram
from emulator.program import Instruction
from tests.engines.native.outcomes import Outcome, Run, code_of
from tests.engines.native.random_programs import RandomProgram, program

BIND = NativeProgram._bind


def outcome(chosen: RandomProgram, engine: str, native: int) -> Outcome:
    """A whole run with native forms for the instructions before a pc."""

    def bind(self: NativeProgram, instruction: Instruction) -> Any:
        return BIND(self, instruction) if instruction.pc < native else None

    with mock.patch.object(NativeProgram, "_bind", bind):
        run = Run(chosen, engine, code_of(chosen))
        run.go_on()
    return run.outcome()


def culprit(chosen: RandomProgram) -> int | None:
    """The pc of the first instruction whose native form makes a difference; None if none does."""
    wanted = outcome(chosen, "reference", 0)
    low, high = 0, len(code_of(chosen).get_kernel("k").program.instructions)
    if not wanted.differences(outcome(chosen, "native", high)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if wanted.differences(outcome(chosen, "native", middle)):
            high = middle
        else:
            low = middle
    return low


def main(seed: int) -> None:
    """Print the instruction, the two before it, and what differs."""
    chosen = program(seed)
    instructions = code_of(chosen).get_kernel("k").program.instructions
    found = culprit(chosen)
    if found is None:
        print("no difference")
        return
    for instruction in instructions[max(0, found - 2) : found + 1]:
        print(f"pc {instruction.pc}, line {instruction.line}: {instruction.text}")
    wanted = outcome(chosen, "reference", 0)
    print(*wanted.differences(outcome(chosen, "native", found + 1)), sep="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
