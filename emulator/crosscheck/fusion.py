"""Which product and sum the GPU's compiler made one fma, when that is the only difference."""

from __future__ import annotations

from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.canonical import bodies, canonical, instructions_of
from emulator.crosscheck.job import Array, Job, run
from emulator.parse import parse
from emulator.program import Program
from emulator.program.contraction import Pair, find_pairs


def find_fused_pair(
    emulator: EmulatorBackend, job: Job, program: Program, addresses: list[int], apart: list[Array]
) -> Pair | None:
    """The first pair of the text that changes an output when it is fused; None if fusing all changes nothing.

    apart: the outputs with every product rounded by itself.  The text is run with ever fewer pairs left unqualified,
    under contract="ptxas": log2 of the pairs' number of runs, none of them on the GPU.
    """
    pairs = find_pairs(program)
    fusing = EmulatorBackend(**{**emulator.options, "contract": "ptxas"})
    numbers = _numbers(job)

    def changes(count: int) -> bool:
        kept = {i.node.span.start for pair in pairs[:count] for i in (pair.product, pair.addition)}
        text = canonical(job.ptx, job.name, frozenset(numbers[start] for start in kept))
        outputs, _ = run(fusing, job.with_text(text), addresses)
        return [array.tobytes() for array in outputs] != [array.tobytes() for array in apart]

    if not pairs or not changes(len(pairs)):
        return None
    low, high = 0, len(pairs)  # fusing `low` of them changes nothing, fusing `high` does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if changes(middle) else (middle, high)
    return pairs[high - 1]


def _numbers(job: Job) -> dict[int, int]:
    """Numbers of instructions over the whole module, by where they stand in the text."""
    module = parse(job.ptx, name=job.name)
    found = [instruction for body in bodies(module) for instruction in instructions_of(body)]
    return {instruction.span.start: number for number, instruction in enumerate(found)}
