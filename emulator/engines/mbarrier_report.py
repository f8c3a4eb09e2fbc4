"""mbarrier objects in words: which rule an operation breaks, and what a kernel that hangs waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.engines.reference.operands import read
from emulator.isa import mbarrier as mb
from emulator.machine import memory as m
from emulator.machine.cta import Cta

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
