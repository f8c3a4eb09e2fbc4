"""The last memory access of a warp: its lanes' addresses, and how shared memory's banks and global sectors serve it."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from emulator.debugger.errors import DebuggerError
from emulator.debugger.recording import Past, excursion
from emulator.debugger.session import Session
from emulator.debugger.writers import MOST_LOOKED_AT, program_of
from emulator.machine.memory import SHARED_WINDOW
from emulator.program import Instruction
from emulator.program.operands import Elements, Memory

BANKS = 32
WORD = 4  # bytes of a bank in a row
SECTOR = 32  # bytes that global memory delivers at a time
LINE = 128


class AccessShape(NamedTuple):
    """An access of a warp.  addresses: by lane; shared ones without their window."""

    time: int
    instruction: Instruction
    kind: str
    size: int
    addresses: dict[int, int]


def last_access(session: Session, space: str) -> AccessShape:
    """The last access of the focused warp to shared or global memory; DebuggerError if there is none."""
    focus = session.focus
    if focus is None:
        raise DebuggerError("nothing has run yet")
    grid, block, warp = focus.key
    program = program_of(session, focus.key)
    with excursion(session):
        for _, accesses in Past(session, session.timeline.now).stretches(MOST_LOOKED_AT):
            mine = (accesses["grid"] == grid) & (accesses["cta"] == block) & (accesses["warp"] == warp)
            shared = np.char.startswith(accesses["space"], b"shared")
            window = accesses["address"] >> np.uint64(32)
            generic = accesses["space"] == b"generic"
            in_shared = shared | (generic & (window == SHARED_WINDOW >> 32))
            in_global = (accesses["space"] == b"global") | (generic & (window >= 0x7000))
            hits = accesses[mine & (in_shared if space == "shared" else in_global)]
            if not len(hits) or program is None:
                continue
            last = hits[(hits["time"] == hits["time"][-1]) & (hits["kind"] == hits["kind"][-1])]
            mask = 0xFFFFFFFF if space == "shared" else 2**64 - 1
            addresses = {int(one["lane"]): int(one["address"]) & mask for one in last}
            instruction = program.instructions[int(last[0]["pc"])]
            kind = {b"r": "read", b"w": "write", b"a": "atomic"}[bytes(last[0]["kind"])]
            return AccessShape(int(last[0]["time"]), instruction, kind, int(last[0]["size"]), addresses)
    raise DebuggerError(f"this warp has not accessed {space} memory yet", help="step over a load or store first")


def access_bytes(instruction: Instruction) -> int | None:
    """The bytes that a lane of a load, a store or an atomic accesses; None for other instructions."""
    if instruction.variant.entry.mnemonic not in ("ld", "ldu", "st", "atom", "red"):
        return None
    for operand in (*instruction.results, *instruction.sources):
        if operand is None or operand.type is None or isinstance(operand.place, Memory):
            continue
        return operand.type.bytes * (len(operand.place.elements) if isinstance(operand.place, Elements) else 1)
    return None


class BankUse(NamedTuple):
    """words: the most different words that a bank serves in one pass, by bank.  wavefronts, ideal: of the access."""

    words: list[int]
    wavefronts: int
    ideal: int


def bank_use(addresses: dict[int, int], size: int) -> BankUse:
    """How 32 banks of 4 bytes serve an access.

    Accesses of 8 bytes a lane go in two passes of 16 lanes, of 16 bytes in four of 8. In a pass a bank gives one word
    at a time; lanes of one word share it.
    """
    lanes = max(1, min(BANKS, BANKS * WORD // max(size, WORD)))
    words = [0] * BANKS
    wavefronts = ideal = 0
    for first in range(0, BANKS, lanes):
        part = {
            (at + n) // WORD
            for lane, at in addresses.items()
            if first <= lane < first + lanes
            for n in range(0, max(size, 1), WORD)
        }
        if not part:
            continue
        counts = [0] * BANKS
        for word in part:
            counts[word % BANKS] += 1
        words = [max(pair) for pair in zip(words, counts, strict=True)]
        wavefronts += max(counts)
        ideal += -(-len(part) // BANKS)
    return BankUse(words, wavefronts, ideal)


class SectorUse(NamedTuple):
    """sectors: addresses of those that are touched, in units of 32 bytes.  ideal: the fewest that hold the bytes."""

    sectors: list[int]
    ideal: int
    used: int


def sector_use(addresses: dict[int, int], size: int) -> SectorUse:
    """The 32-byte sectors of an access, and the bytes of them that it uses."""
    used = {at + n for at in addresses.values() for n in range(size)}
    return SectorUse(sorted({at // SECTOR for at in used}), -(-len(used) // SECTOR), len(used))


def stride_of(addresses: dict[int, int]) -> int | None:
    """The bytes from a lane to the next, if that is the same for all."""
    lanes = sorted(addresses)
    steps = {(addresses[b] - addresses[a], b - a) for a, b in pairwise(lanes)}
    if len({step / gap for step, gap in steps}) != 1:
        return None
    step, gap = next(iter(steps))
    return step // gap if step % gap == 0 else None
