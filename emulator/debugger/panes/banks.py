"""The banks and sectors of the last access."""

from __future__ import annotations

import numpy as np

from emulator.debugger.accesses import BANKS, LINE, SECTOR, WORD, AccessShape, bank_use, sector_use, stride_of
from emulator.debugger.lines import clip, paint
from emulator.debugger.panes import source
from emulator.debugger.panes.memory import name_of
from emulator.debugger.patterns import compress
from emulator.debugger.session import Session
from emulator.debugger.values import Value

MOST_LINES = 12


def headline(access: AccessShape) -> list[str]:
    """The line, and its addresses as a pattern."""
    instruction = access.instruction
    row = np.zeros(BANKS, dtype=np.uint64)
    for lane, address in access.addresses.items():
        row[lane] = address
    lanes = sum(1 << lane for lane in access.addresses)
    text = source.stripped(source.code(instruction.source, instruction.line))
    return [
        clip(paint(f" line {instruction.line}  ", text)),
        f"  {access.kind} of {access.size} bytes in {len(access.addresses)} lanes at event {access.time:,}",
        clip(f"  addresses {compress(Value(row), lanes, 16, 60)}"),
    ]


def banks(access: AccessShape) -> list[str]:
    """`banks`: words by bank, wavefronts, and what would help."""
    use = bank_use(access.addresses, access.size)
    lines = headline(access)
    for first in (0, 16):
        cells = "".join(f"{bank:>4}" for bank in range(first, first + 16))
        words = [(f"{count or '.':>4}", "changed" if count > 1 else "value") for count in use.words[first : first + 16]]
        lines += [paint((f"  bank  {cells}", "dim")), paint("  words ", *words)]
    worst = max(use.words)
    conflict = f"    {worst}-way conflict in bank {use.words.index(worst)}" if use.wavefronts > use.ideal else ""
    lines.append(f"  wavefronts {use.wavefronts}   ideal {use.ideal}   excess {use.wavefronts - use.ideal}{conflict}")
    return lines + (_advice(access, use.wavefronts) if conflict else [])


def _advice(access: AccessShape, wavefronts: int) -> list[str]:
    """What padding between the lanes' rows would do."""
    stride = stride_of(access.addresses)
    if stride is None or abs(stride) <= access.size:
        return []
    padding = max(WORD, access.size)
    padded = {lane: lane * (abs(stride) + padding) for lane in access.addresses}
    after = bank_use(padded, access.size).wavefronts
    if after >= wavefronts:
        return []
    text = f"  help: lanes are {abs(stride)} B apart; {padding} B of padding ({abs(stride) + padding} B) give {after}"
    return [f"{text} wavefront{'s' * (after > 1)}"]


def sectors(session: Session, access: AccessShape) -> list[str]:
    """`sectors`: how many of 32 bytes, how much of them is used, and which of each 128-byte line."""
    use = sector_use(access.addresses, access.size)
    count = len(use.sectors)
    share = 100 * use.used / (SECTOR * count)
    text = (
        f"  {count} sectors for {len(access.addresses)} lanes (ideal {use.ideal}): {use.used:,} of {SECTOR * count:,}"
    )
    lines = [*headline(access), f"{text} bytes used, {share:.4g} %"]
    rows = sorted({sector * SECTOR // LINE for sector in use.sectors})
    for row in rows[:MOST_LINES]:
        signs = "".join("#" if row * LINE // SECTOR + n in use.sectors else "." for n in range(LINE // SECTOR))
        at = row * LINE
        first = min(sector * SECTOR for sector in use.sectors if sector * SECTOR // LINE == row)
        lines.append(clip(f"  {at:#x}  {signs}  {name_of(session, 'global', first)}".rstrip()))
    if len(rows) > MOST_LINES:
        lines.append(f"  ... {len(rows) - MOST_LINES} more lines of {LINE} bytes")
    return lines
