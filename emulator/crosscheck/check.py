"""The cross-check of one launch: two machines, the same text and inputs, and a verdict on what differs.

untouched text, the GPU twice -> it disagrees with itself: RACE (or ORDER)
                              -> all outputs equal: EQUAL
canonical text on both        -> equal now: CONTRACTION, and the pair of lines
traced launches of a warp     -> the first differing instruction, across warps through the last writers
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from emulator.crosscheck import verdict as v
from emulator.crosscheck.backend import Backend, EmulatorBackend
from emulator.crosscheck.canonical import canonical
from emulator.crosscheck.compare import Compared, Mask, compare, compare_printed, only_one_printed
from emulator.crosscheck.fusion import find_fused_pair
from emulator.crosscheck.inputs import sources_at
from emulator.crosscheck.instrument import LANES, instrument
from emulator.crosscheck.job import Array, Job, run
from emulator.crosscheck.path import find_path
from emulator.crosscheck.taint import STORES, VALUE, Taint, find_taint
from emulator.crosscheck.tensor_map import TensorMap
from emulator.crosscheck.trace import Difference, Search, nth_execution, search
from emulator.crosscheck.verdict import Verdict
from emulator.crosscheck.writers import Access, MemoryLog, log_of
from emulator.parse import parse
from emulator.program import Instruction, Program, link
from emulator.program.contraction import Pair

MOST_WARPS = 32  # examined before the search gives up


@dataclass
class Finding:
    """The first differing instruction and what is known about it.  path: how its result reached the output."""

    difference: Difference
    instruction: Instruction
    register: str
    sources: list[tuple[str, list[int]]] = field(default_factory=list)
    lanes: list[Difference] = field(default_factory=list)  # of the same instruction and warp
    path: list[Instruction] = field(default_factory=list)


@dataclass
class Report:
    """A cross-check's result.  first: the thread that wrote the first differing element, with its instruction."""

    job: Job
    gpu: str
    outputs: list[Compared]
    verdict: Verdict
    seconds: float = 0.0
    first: tuple[Compared, Access, Instruction] | None = None
    searches: list[tuple[int, int, Search]] = field(default_factory=list)
    finding: Finding | None = None
    pair: Pair | None = None
    excluded: list[str] = field(default_factory=list)
    printed: tuple[list[str], list[str]] = ([], [])  # lines that only the emulator, only the GPU printed

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong: equal, or different within the manual's and the declared bounds."""
        return self.verdict.word in (v.EQUAL, v.ALLOWED) and all(output.ok for output in self.outputs)

    @property
    def launches(self) -> int:
        """Traced launches of the GPU."""
        return sum(search.launches for _, _, search in self.searches)


class CrossCheck:
    """The emulator against another machine."""

    def __init__(self, emulator: EmulatorBackend, gpu: Backend) -> None:
        self.emulator = emulator
        self.gpu = gpu

    def run(self, job: Job) -> Report:
        """Check one launch.  Raises what either machine raises: faults, refused texts."""
        started = time.perf_counter()
        report = _Check(self.emulator, self.gpu, job).run()
        report.seconds = time.perf_counter() - started
        return report


class _Check:
    """One cross-check under way."""

    def __init__(self, emulator: EmulatorBackend, gpu: Backend, job: Job) -> None:
        self.emulator, self.gpu, self.job = emulator, gpu, job
        self.program = link(parse(job.ptx, name=job.name), job.kernel)
        self._log: MemoryLog | None = None
        self._second_log: MemoryLog | None = None
        self.report = Report(job, str(gpu.identity), [], Verdict(v.EQUAL, "All outputs are equal, bit for bit."))

    def run(self) -> Report:
        """The stages, each of which may end it."""
        self.ours, self.addresses = run(self.emulator, self.job)
        self.theirs, self.their_addresses = run(self.gpu, self.job, self.addresses)
        printed = self.emulator.printed, self.gpu.printed
        again, _ = run(self.gpu, self.job, self.addresses)
        count = len(self.job.buffers)
        self.pointers_differ = self.addresses[:count] != self.their_addresses[:count]
        self.taint = self._taint_of(self.program)
        self.excluded = self._excluded(self.ours, self.theirs, again)
        self.report.outputs = self._compare(self.ours, self.theirs, printed)
        self.report.printed = only_one_printed(*printed)
        unstable = self._compare(self.theirs, again, (printed[1], self.gpu.printed))
        if any(not output.equal for output in unstable):
            self.report.verdict = self._unstable(unstable)
        elif any(not output.equal for output in self.report.outputs):
            self.report.verdict = self._explain()
        return self.report

    def _taint_of(self, program: Program) -> Taint:
        pairs = zip(program.parameters, self.job.parameters, strict=True)
        maps = frozenset(parameter.name for parameter, given in pairs if isinstance(given, TensorMap))
        return find_taint(program, pointers_differ=self.pointers_differ, maps=maps)

    # --- comparing ---------------------------------------------------------------------------------

    def _compare(self, ours: list[Array], theirs: list[Array], printed: tuple[str, str]) -> list[Compared]:
        """Buffers and variables, then what was printed, if anything was."""
        found = []
        for memory, mine, other, excluded in zip(self.job.memories, ours, theirs, self.excluded, strict=True):
            found.append(compare(memory.name, mine, other, memory.tolerance, excluded))
        return found + ([compare_printed(*printed)] if any(printed) else [])

    def _excluded(self, *runs: list[Array]) -> list[Mask | None]:
        """Elements that the emulator wrote from something that differs by nature; None where there are none."""
        stores = [i for i in self.program.instructions if i.variant.entry.mnemonic in STORES]
        writers = {i.pc: known for i in stores if (known := self.taint.of(i)) is not None}
        equal = all(len({array.tobytes() for array in arrays}) == 1 for arrays in zip(*runs, strict=True))
        if equal or not writers:
            return [None] * len(self.ours)
        masks: list[Mask | None] = []
        for memory, address, mine in zip(self.job.memories, self.addresses, self.ours, strict=True):
            pcs = self._access_log().writing_pcs(address, mine.nbytes)
            mask: Mask = np.any(np.isin(pcs, list(writers)).reshape(mine.size, mine.itemsize), axis=1)
            masks.append(mask if mask.any() else None)
            for pc in np.unique(pcs[np.isin(pcs, list(writers))]).tolist():
                line, why = self.program.instructions[pc].line, writers[pc][1]
                self.report.excluded.append(f"{memory.name}, as line {line} writes it: {why}")
        return masks

    def _access_log(self) -> MemoryLog:
        if self._log is None:
            self._log = log_of(self.emulator, self.job, self.addresses)
        return self._log

    def _writer_of(self, number: int, element: int, size: int) -> Access | None:
        return self._access_log().writer("global", self.addresses[number] + element * size, size)

    def _first_writer(self, outputs: list[Compared]) -> Access | None:
        """Who wrote the first differing element; the report shows it."""
        for number, output in enumerate(outputs[: len(self.job.memories)]):
            if output.first is None:
                continue
            writer = self._writer_of(number, output.first, output.ours.itemsize)
            if writer is not None:
                self.report.first = output, writer, self.program.instructions[writer.pc]
                return writer
        return None

    def _unstable(self, outputs: list[Compared]) -> Verdict:
        """The GPU disagrees with itself: never searched."""
        writer = self._first_writer(outputs)
        if writer is not None and v.adds_floats(self.program.instructions[writer.pc]):
            return self._order(writer)
        names = ", ".join(output.name for output in outputs if not output.equal)
        return Verdict(v.RACE, f"Two runs on the GPU disagree with each other in {names}: find the race first.")

    def _order(self, writer: Access) -> Verdict:
        instruction = self.program.instructions[writer.pc]
        text = f"{instruction.opcode} of line {instruction.line} adds floats in the order in which threads come."
        return Verdict(v.ORDER, text)

    # --- explaining --------------------------------------------------------------------------------

    def _explain(self) -> Verdict:
        writer = self._first_writer(self.report.outputs)
        self.canonical = self.job.with_text(canonical(self.job.ptx, self.job.name))
        self.expected = self.ours, self.theirs
        if self.canonical.ptx != self.job.ptx:
            ours, _ = run(self.emulator, self.canonical)
            theirs, _ = run(self.gpu, self.canonical, self.addresses)
            if all(output.equal for output in self._compare(ours, theirs, (self.emulator.printed, self.gpu.printed))):
                return self._contraction()
            self.expected = ours, theirs
        self.canonical_program = link(parse(self.canonical.ptx, name=self.job.name), self.job.kernel)
        self.canonical_taint = self._taint_of(self.canonical_program)
        self.traced = instrument(self.canonical.ptx, self.job.name, self.job.kernel, self.canonical_taint)
        return self._follow(writer)

    def _contraction(self) -> Verdict:
        pair = find_fused_pair(self.emulator, self.job, self.program, self.addresses, self.ours)
        self.report.pair = pair
        if pair is None:
            text = "With every product and sum rounded by itself the outputs are equal: the GPU's compiler fused some."
            return Verdict(v.CONTRACTION, text)
        text = (
            f"The GPU's compiler makes lines {pair.product.line} and {pair.addition.line} one fma, which rounds once."
        )
        return Verdict(v.CONTRACTION, text)

    def _warps(self, writer: Access | None) -> Iterator[tuple[int, int]]:
        """(cta, warp) in the order in which they are worth a look: the writer's, then all."""
        if writer is not None:
            yield writer.cta, writer.warp
        shape = self.job.shape
        for cta in range(shape.grid.count):
            for warp in range(-(-shape.block.count // LANES)):
                if writer is None or (cta, warp) != (writer.cta, writer.warp):
                    yield cta, warp

    def _search(self, warp: tuple[int, int]) -> Search:
        found = search(
            self.emulator,
            self.gpu,
            self.canonical,
            self.traced,
            (self.addresses, self.their_addresses),
            warp,
            self.expected,
            self.excluded,
        )
        self.report.searches.append((*warp, found))
        return found

    def _follow(self, writer: Access | None) -> Verdict:
        """From warp to warp, until a difference has no earlier cause."""
        current: Search | None = None
        for warp in self._warps(writer):
            current = self._search(warp)
            if current.perturbed:
                return Verdict(v.PERTURBED, current.perturbed[0].upper() + current.perturbed[1:] + ".")
            if current.first is not None or len(self.report.searches) >= MOST_WARPS:
                break
            if writer is not None and v.adds_floats(self.program.instructions[writer.pc]):
                return self._order(writer)
        if current is None or current.first is None:
            return Verdict(v.NOT_FOUND, "No recorded result differs: the cause is in what is not recorded.")
        seen = {(current.first.cta, current.first.warp)}
        while True:
            first = current.first
            assert first is not None
            cause = self._cause_elsewhere(first, seen)
            if isinstance(cause, Verdict):
                self._note(current, first)
                return cause
            if cause is None:
                self._note(current, first)
                return self._judge(first)
            current = cause

    def _cause_elsewhere(self, first: Difference, seen: set[tuple[int, int]]) -> Search | Verdict | None:
        """The search in the warp that wrote what a load read, if its first difference is earlier; or a verdict."""
        if not first.same_place:
            return None
        assert first.emulator is not None
        instruction, _ = self.traced.keys[first.emulator.key]
        word = instruction.variant.entry.mnemonic
        if word in ("bar", "barrier"):
            return self._earlier_in_cta(first, seen)
        if word not in ("ld", "ldmatrix", "ldu", "atom"):
            return None
        read = self._read(first, instruction)
        writer = None if read is None else self._canonical_log().last_writer(read)
        found = v.of_load(instruction, writer, read, self._is_input(read))
        if found is not None or writer is None:
            return found
        stored = self.canonical_program.instructions[writer.pc]
        if v.adds_floats(stored):
            text = f"It reads what {stored.opcode} adds up in the order in which threads come."
            return Verdict(v.ORDER, text)
        known = self.canonical_taint.of(stored)
        if known is not None and known[0] == VALUE:
            return Verdict(v.ENVIRONMENT, f"It reads what was stored from {known[1]}, which differs by nature.")
        return self._earlier((writer.cta, writer.warp), first, seen)

    def _read(self, first: Difference, instruction: Instruction) -> Access | None:
        """The access of the execution at a difference, in the log of the canonical text.

        That run has another order of warps than the traced one; of ordered accesses the order is the same.
        """
        traced = self.canonical.with_text(self.traced.ptx)
        execution = nth_execution(self.emulator, traced, self.addresses, first)
        return self._canonical_log().read(first.cta, first.warp, first.lane, instruction.pc, execution)

    def _canonical_log(self) -> MemoryLog:
        if self.canonical.ptx == self.job.ptx:
            return self._access_log()
        if self._second_log is None:
            self._second_log = log_of(self.emulator, self.canonical, self.addresses)
        return self._second_log

    def _earlier(self, warp: tuple[int, int], first: Difference, seen: set[tuple[int, int]]) -> Search | None:
        if warp in seen or len(seen) >= MOST_WARPS:
            return None
        seen.add(warp)
        found = self._search(warp)
        return found if found.first is not None and found.first.time < first.time else None

    def _earlier_in_cta(self, first: Difference, seen: set[tuple[int, int]]) -> Search | None:
        for warp in range(-(-self.job.shape.block.count // LANES)):
            found = self._earlier((first.cta, warp), first, seen)
            if found is not None:
                return found
        return None

    def _is_input(self, read: Access | None) -> bool:
        """Whether an address lies in a buffer whose contents were given, or is a variable of the module."""
        return read is not None and read.space == "global"

    # --- the end -----------------------------------------------------------------------------------

    def _note(self, found: Search, first: Difference) -> None:
        event = first.emulator or first.gpu
        assert event is not None
        instruction, register = self.traced.keys[event.key]
        same = [
            other
            for other in found.differences
            if other.same_place and other.emulator is not None and other.emulator.key == event.key
        ]
        sources = sources_at(self.emulator, self.canonical, self.traced, self.addresses, first)
        untouched = self.program.instructions[instruction.pc]
        path: list[Instruction] = []
        if self.report.first is not None:
            _, writer, store = self.report.first
            if (writer.cta, writer.warp) == (first.cta, first.warp):
                path = find_path(self.program, untouched, store)
        self.report.finding = Finding(first, untouched, register.name, sources, same, path)

    def _judge(self, first: Difference) -> Verdict:
        if not first.same_place:
            return v.of_place(self.canonical_program, first, self.canonical_taint)
        finding = self.report.finding
        assert finding is not None
        within = all(output.ok for output in self.report.outputs)
        tolerances = ", ".join(_tolerance_text(output) for output in self.report.outputs if not output.equal)
        sources = [lanes[first.lane] for _, lanes in finding.sources]
        return v.of_result(finding.instruction, first, sources, within, tolerances)


def _tolerance_text(output: Compared) -> str:
    if output.tolerance.is_exact:
        return f"{output.name}: equal bits"
    return f"{output.name}: rtol {output.tolerance.rtol:g}, atol {output.tolerance.atol:g}"
