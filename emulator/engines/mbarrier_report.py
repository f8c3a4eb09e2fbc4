"""mbarrier objects in words: which rule an operation breaks, and what a kernel that hangs waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emulator.engines.reference.operands import read
from emulator.isa import mbarrier as mb
from emulator.machine import memory as m
from emulator.machine.cta import Cta
from emulator.machine.warp import Warp, lanes_of, mask_of
from emulator.program import Instruction
from emulator.program.operands import Targets

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps

Facts = tuple[tuple[str, str], ...]
NUMBERS = ("count", "txCount")
RANGE = f"1 to {mb.MOST:,}"


def place_of(cta: Cta, address: int) -> str:
    """`full+8 (0x408)`: a shared address by the variable that it lies in."""
    offset = address & (1 << m.CLUSTER_SHIFT) - 1
    grid = cta.grid
    found = ""
    for storage in sorted(grid.program.shared.values(), key=lambda storage: storage.offset):
        start = m.SHARED_BASE + (storage.offset if storage.offset >= 0 else grid.dynamic_offset)
        size = storage.size if storage.offset >= 0 else len(cta.shared) - grid.dynamic_offset
        if start <= offset < start + size:
            found = storage.name + (f"+{offset - start}" if offset > start else "")
    rank = (address & m.WINDOW_BYTES - 1) >> m.CLUSTER_SHIFT
    other = f" of CTA {rank} of the cluster" if rank != cta.rank else ""
    return f"{found} ({address:#x}){other}" if found else f"{address:#x}{other}"


def broken_rule(ops: ReferenceOps, lane: int, address: int, word: int, why: int) -> tuple[str, Facts, str]:
    """(headline, facts, help) of an operation that an object does not allow.

    word: the object as the lane finds it, after the lower lanes of the instruction.
    """
    found = mb.Contents.of(word)
    number = _number(ops, lane)
    what = ".".join(ops.instruction.opcode.split(".")[: 4 if ops.instruction.opcode.startswith("cp") else 2])
    text, fix = _words(why, what, number, found, word)
    first = f"lane {lane}, thread {ops.warp.cta.thread(ops.warp, lane)}"
    if why == mb.NOT_SHARED:
        return text, (("first", f"{first}: {address:#x}"),), fix
    facts = [("first", first), ("mbarrier", place_of(ops.warp.cta, address))]
    if why not in (mb.NO_OBJECT, mb.COUNT):
        facts.append(("found", str(found)))
    return text, tuple(facts), fix


def _number(ops: ReferenceOps, lane: int) -> int:
    """The count of arrivals or bytes that a lane gives."""
    for operand in ops.instruction.sources:
        if operand.name in NUMBERS:
            return int(read(ops, operand).data[lane])
    values = next((operand for operand in ops.instruction.sources if operand.name == "b"), None)
    if values is None or values.type is None:
        return 1
    return values.type.bytes * int((ops.instruction.variant.get("vec") or "v1")[1:])


def _words(why: int, what: str, number: int, found: mb.Contents, word: int) -> tuple[str, str]:
    """(headline, help)."""
    if why == mb.NOT_SHARED:
        return f"{what} on an address that is not in shared memory", "an mbarrier lies in .shared memory (cvta.shared)"
    if why == mb.NO_OBJECT:
        had = "zeros" if word == 0 else f"{word:#018x}"
        text = f"{what} where there is no mbarrier object: its 8 bytes are {had}"
        return text, "mbarrier.init comes first, and a barrier behind it for the threads that did not do it"
    if why == mb.COUNT:
        return f"{what} with a count of {number:,}: it is {RANGE}", "count the arrivals of one phase"
    if why == mb.PENDING:
        many = f"{number:,} arrival{'s' * (number != 1)}"
        text = f"{what}: {many}, but {found.pending:,} {'is' if found.pending == 1 else 'are'} pending in this phase"
        return (
            text,
            f"mbarrier.init expected {found.expected:,} a phase: count every thread that arrives, and every copy",
        )
    if why == mb.EXPECTED:
        text = f"{what}: {number:,} arrivals less, but only {found.expected:,} are expected in later phases"
        return text, "drop no more than mbarrier.init counted"
    if why == mb.COMPLETES:
        return f"{what}.noComplete would complete the phase", "leave .noComplete out of the last arrival"
    if why == mb.TOO_MANY:
        return f"{what}: more than {mb.MOST:,} arrivals would be pending", "wait for the phase first, or use .noinc"
    text = f"{what}: a tx-count of {found.tx_count:,} bytes and {number:,} more leave its range of {mb.MOST:,}"
    return text, "a phase tracks less than 1 MiB: use several phases or barriers, and expect what is copied"


# --- waits -----------------------------------------------------------------------------------------

WAITS = ("test_wait", "try_wait")
AHEAD = 8  # instructions between where a loop is found and its wait


class Wait(NamedTuple):
    """Lanes of a warp that wait for the current phase of an object."""

    warp: Warp
    lanes: int
    instruction: Instruction
    address: int
    contents: mb.Contents


def waits_of(ops: ReferenceOps, warp: Warp) -> list[Wait] | None:
    """What the lanes of a warp that can go on wait for; None if any of them does something else."""
    found = []
    going = warp.live & warp.wants_turn
    for pc in sorted({int(pc) for pc in warp.pc[lanes_of(going)]}):
        lanes = going & mask_of(warp.pc == pc)
        instruction = _wait_ahead(warp.cta.grid.program.instructions, pc)
        part = [] if instruction is None else list(_waits_at(ops, warp, lanes, instruction))
        if sum(wait.lanes for wait in part) != lanes:
            return None
        found += part
    return found


def _wait_ahead(instructions: list[Instruction], pc: int) -> Instruction | None:
    """The wait that lanes at a pc come to, over one branch at most."""
    branches = 0
    for _ in range(AHEAD):
        instruction = instructions[pc]
        entry = instruction.variant.entry
        if entry.mnemonic == "mbarrier" and any(instruction.variant.get(word) for word in WAITS):
            return instruction
        place = instruction.sources[0].place if instruction.sources else None
        if isinstance(place, Targets) and entry.mnemonic == "bra" and not branches:
            pc, branches = place.pcs[0], 1
        elif entry.kind == "machine" and entry.mnemonic != "nanosleep":
            return None
        else:
            pc += 1
    return None


def _waits_at(ops: ReferenceOps, warp: Warp, lanes: int, instruction: Instruction) -> Iterator[Wait]:
    """The waits of lanes by their object, where its phase has not completed."""
    ops.bind(warp, lanes, instruction)
    address, phase = (read(ops, operand).data for operand in instruction.sources[:2])
    wanted = phase & 1 if instruction.variant.get("parity") else phase >> np.uint64(mb.PHASE_BIT)
    for where in sorted({int(n) for n in address[lanes_of(lanes)]}):
        here = lanes & mask_of(address == where)
        word = _word_at(warp.cta, where)
        contents = mb.Contents.of(word) if word is not None else None
        blocked = here & mask_of(wanted == contents.parity) if contents is not None and contents.valid else 0
        if contents is not None and blocked:
            yield Wait(warp, blocked, instruction, where & m.WINDOW_BYTES - 1, contents)


def _word_at(cta: Cta, address: int) -> int | None:
    """The 64 bits at a shared or generic address of the CTA; None outside of its shared memory."""
    offset = (address & m.WINDOW_BYTES - 1) - (cta.rank << m.CLUSTER_SHIFT) - m.SHARED_BASE
    if address >> 32 not in (0, m.SHARED_WINDOW >> 32) or not 0 <= offset <= len(cta.shared) - 8:
        return None
    return int.from_bytes(cta.shared[offset : offset + 8].tobytes(), "little")


def wait_lines(waits: list[Wait]) -> list[str]:
    """Objects and who waits for them: one line an object, one a place in the program."""
    objects: dict[tuple[Cta, int], list[Wait]] = {}
    for wait in waits:
        objects.setdefault((wait.warp.cta, wait.address), []).append(wait)
    lines = []
    for (cta, address), mine in objects.items():
        lines.append(f"{place_of(cta, address)} in block {cta.index} of {cta.grid.name}: {mine[0].contents}")
        places: dict[int, list[Wait]] = {}
        for wait in mine:
            places.setdefault(wait.instruction.line, []).append(wait)
        lines += [f"  {_who(some)} wait{'s' * (len(some) == 1)} for it at line {line}" for line, some in places.items()]
    return lines


def _who(waits: list[Wait]) -> str:
    """`warps 1-4`, or `warp 0 (lanes 0x00000001)` where not all lanes that go on do."""
    if len(waits) == 1 and waits[0].lanes != waits[0].warp.live:
        return f"warp {waits[0].warp.index} (lanes {waits[0].lanes:#010x})"
    numbers = [wait.warp.index for wait in waits]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"warps {numbers[0]}-{numbers[-1]}"
    return f"warp{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
