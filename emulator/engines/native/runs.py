"""Which straight runs of a program become functions of their own (fused.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from emulator.engines.native.fused import Part, RunKey, Variants
from emulator.engines.native.handlers import Shape, under_guard
from emulator.isa.instructions.load_store import order_of
from emulator.program.operands import Targets

if TYPE_CHECKING:
    from emulator.engines.native.library import Library, WantedRuns
    from emulator.engines.native.records import NativeProgram
    from emulator.isa.registry import Variant
    from emulator.program import Instruction

MOST_PARTS = 48  # instructions of a run: longer ones gain nothing more
ACCESSES = ("ld", "ldu", "st")
ENDS = ("ret", "exit", "bar", "barrier")  # may be the last part of a run, as a branch without a guard
ALONE = ("brx", "call", "nanosleep")  # are none


@dataclass(frozen=True, slots=True)
class Straight:
    """A run: the number of its first record, its pcs, what decides its code in full and in partial groups.

    full: None for one that begins where lanes have gone apart, behind a branch in the middle of another run.
    """

    place: int
    pcs: range
    full: RunKey | None
    part: RunKey
    variants: Variants

    @property
    def keys(self) -> tuple[RunKey, ...]:
        """Those that there are."""
        return (self.part,) if self.full is None else (self.full, self.part)


@dataclass(frozen=True, slots=True)
class FusedRun:
    """A run that has been compiled, and its handlers of full and partial groups; None for the instruction's own."""

    straight: Straight
    handlers: tuple[int | None, int]


@dataclass(frozen=True, slots=True)
class Policy:
    """When runs are made.

    look_after: warp instructions of a program until its runs are taken from the disk, if they are there.
    compile_after: warp instructions for each instruction in a run until they are compiled: about what this costs.
    most: instructions of a program that may be in runs.  everything: runs of all code, before it is executed.
    """

    look_after: int = 1 << 20
    compile_after: int = 500_000
    most: int = 1024
    everything: bool = False


class Heat:
    """How much of a program has been executed, and whether its runs have been made.

    What the systems of a process execute of a program counts together, once each of them has begun to look.
    """

    def __init__(self, native: NativeProgram, library: Library, policy: Policy) -> None:
        self._native = native
        self._library = library
        self._policy = policy
        self._executed = 0
        self._runs: list[Straight] | None = None
        self._name = ""  # of the runs, once they are known
        self.is_settled = False
        if policy.everything:
            self.fuse()

    def add(self, count: int) -> None:
        """So many warp instructions have been executed."""
        if self.is_settled:
            return
        self._executed += count
        if self._executed < self._policy.look_after:
            return
        runs, known, name = self._planned(), self._library.executed, self._name
        if not name:
            wanted = _wanted(runs)
            name = self._name = self._library.name_of_runs(wanted)
            count = self._executed
            if self._library.has_runs(wanted):
                self.fuse()
        known[name] += count
        if known[name] >= self._policy.compile_after * sum(len(run.pcs) for run in runs):
            self.fuse()

    def _planned(self) -> list[Straight]:
        if self._runs is None:
            self._runs = straight_runs(self._native, self._library, self._policy)
        return self._runs

    def fuse(self) -> None:
        """Have all runs executed as a whole from now on."""
        if self.is_settled:
            return
        self.is_settled = True
        self._native.handlers.install(compiled_runs(self._planned(), self._library))


def _wanted(runs: list[Straight]) -> WantedRuns:
    found: WantedRuns = {}
    for straight in runs:
        found |= dict.fromkeys(straight.keys, straight.variants)
    return found


def compiled_runs(found: list[Straight], library: Library) -> list[FusedRun]:
    """Runs with their code, without those that cannot be compiled."""
    library.compile_runs(_wanted(found))
    runs = []
    for straight in found:
        *full, part = (library.run_address(key) for key in straight.keys)
        if all((*full, part)):
            runs.append(FusedRun(straight, (full[0] if full else None, part)))
    return runs


class _Rows:
    """The rows of a run, and which value each holds."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}  # by offset and width
        self._held: dict[int, int] = {}  # values by row
        self._written: set[int] = set()  # since the last flush
        self._count = 0

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the rows by their number."""
        return tuple(width for _, width in self._numbers)

    def number(self, offset: int, width: int) -> int:
        """The number of a row."""
        return self._numbers.setdefault((offset, width), len(self._numbers))

    def must_flush(self, numbers: set[int]) -> bool:
        """Whether one of these rows shares bytes with another that has been written; then none has been."""
        found = any(self._share(a, b) for a in numbers for b in self._written if a != b)
        if found:
            self._written.clear()
        return found

    def read(self, row: int) -> int:
        """The value of a row; a new one if nothing is known of it."""
        if row not in self._held:
            self._held[row] = self._new()
        return self._held[row]

    def write(self, row: int) -> int:
        """A new value in a row: rows that share bytes with it have lost theirs."""
        for other in [other for other in self._held if self._share(row, other)]:
            del self._held[other]
        self._written.add(row)
        self._held[row] = self._new()
        return self._held[row]

    def overlaps(self) -> bool:
        """Whether two of the rows share bytes."""
        return any(self._share(a, b) for a in self._numbers.values() for b in range(a))

    def _share(self, a: int, b: int) -> bool:
        places = list(self._numbers)
        (x, n), (y, m) = (_bytes_of(*places[row]) for row in (a, b))
        return x < y + m and y < x + n

    def _new(self) -> int:
        self._count += 1
        return self._count


def _bytes_of(offset: int, width: int) -> tuple[int, int]:
    return offset, 32 * max(8, width) // 8


def straight_runs(native: NativeProgram, library: Library, policy: Policy) -> list[Straight]:
    """The runs of two instructions and more, in the order of their pcs."""
    instructions = native.program.instructions
    targets = {pc for i in instructions for o in i.sources if isinstance(o.place, Targets) for pc in o.place.pcs}
    pcs = range(len(instructions)) if policy.everything else _hot_pcs(instructions, policy.most)
    runs: list[list[Instruction]] = [[]]
    for pc in pcs:
        instruction = instructions[pc]
        last = runs[-1][-1] if runs[-1] else None
        if last is not None and (
            pc in targets
            or pc != last.pc + 1
            or instruction.function is not last.function
            or len(runs[-1]) == MOST_PARTS
            or _ends(last)
        ):
            runs.append([])
        if _can_be_part(native, library, instruction):
            runs[-1].append(instruction)
        elif runs[-1]:
            runs.append([])
    found = [_straight(native, run) for run in runs if len(run) > 1]
    found += [_straight(native, side, apart=True) for run in runs for side in _sides(run)]
    return sorted(found, key=lambda one: one.place)


def _sides(run: Sequence[Instruction]) -> Iterator[Sequence[Instruction]]:
    """What lanes execute that a branch in a run has left alone: up to the next branch."""
    branches = [at for at, i in enumerate(run[:-1]) if i.guard is not None and i.variant.entry.mnemonic == "bra"]
    for at, end in pairwise([*branches, len(run)]):
        side = run[at + 1 : end + 1]
        if len(side) > 1:
            yield side


def _hot_pcs(instructions: Sequence[Instruction], most: int) -> list[int]:
    """The pcs in loops, the shortest ones first as long as they are few enough; all if there is no loop."""
    loops = [
        range(pc, instruction.pc + 1)
        for instruction in instructions
        for operand in instruction.sources
        if isinstance(operand.place, Targets)
        for pc in operand.place.pcs
        if pc <= instruction.pc
    ]
    found: set[int] = set()
    for loop in sorted(loops or [range(len(instructions))], key=len):
        if len(found | set(loop)) <= most:
            found |= set(loop)
    return sorted(found)


def _can_be_part(native: NativeProgram, library: Library, instruction: Instruction) -> bool:
    """Whether a run can have the instruction's code."""
    variant = instruction.variant
    key = native.key_of(instruction)
    if key is None or variant.entry.resume is not None or variant.entry.mnemonic in ALONE:
        return False
    if instruction.names_address and (variant.entry.mnemonic not in ACCESSES or order_of(variant) != "weak"):
        return False
    return library.can_be_part(key, under_guard(instruction, "full"), variant)


def _ends(instruction: Instruction) -> bool:
    """Whether a run cannot go on behind an instruction."""
    mnemonic = instruction.variant.entry.mnemonic
    return mnemonic in ENDS or (mnemonic == "bra" and instruction.guard is None)


def _straight(native: NativeProgram, run: Sequence[Instruction], *, apart: bool = False) -> Straight:
    rows = _Rows()
    full: list[Part] = []
    part: list[Part] = []
    variants: list[Variant | None] = []
    joins = native.program.joins
    for instruction in run:
        if instruction.pc in joins:
            full.append(Part(None, "full"))
            part.append(Part(None, "part"))
            variants.append(None)
        known = _part(native, instruction, rows)
        full.append(replace(known, mode=under_guard(instruction, "full")))
        part.append(replace(known, mode=under_guard(instruction, "part")))
        variants.append(instruction.variant)
    first, last = run[0].pc, run[-1]
    place = native.places[first] - (first in joins)
    loop = last.variant.entry.mnemonic == "bra" and _target(last) == first and not rows.overlaps()
    whole = RunKey(tuple(full), "full", rows.widths, loop)
    some = RunKey(tuple(part), "part", rows.widths, loop)
    return Straight(place, range(first, last.pc + 1), None if apart else whole, some, tuple(variants))


def _target(branch: Instruction) -> int:
    """The pc to which a branch goes."""
    return next(o.place.pcs[0] for o in branch.sources if isinstance(o.place, Targets))


def _part(native: NativeProgram, instruction: Instruction, rows: _Rows) -> Part:
    """An instruction's rows, its results' first and the guard's last."""
    key, offsets = native.operands_of(instruction)
    places = iter(offsets)
    written = [rows.number(at, width) for shape in key.results for at, width in _rows_of(shape, places)]
    read = [rows.number(at, width) if width else -1 for shape in key.sources for at, width in _rows_of(shape, places)]
    if instruction.guard is not None:
        read.append(rows.number(instruction.guard.offset, 1))
    flush = rows.must_flush({*written, *read} - {-1})
    values = [rows.read(row) if row >= 0 else 0 for row in read]
    results = [rows.write(row) for row in written]
    rows_of_all, values_of_all = (*written, *read), (*results, *values)
    return Part(key, "", rows_of_all, values_of_all, len(written), flush, instruction.names_address)


def _rows_of(shape: Shape | None, places: Iterator[int]) -> list[tuple[int, int]]:
    """(offset, width) of an operand's rows; a number among the offsets that is no row has the width 0."""
    if shape is None:
        return []
    found = [(next(places), width) for width in shape.widths if width]
    if shape.form == "second":
        found.append((next(places), 0))
    return found
