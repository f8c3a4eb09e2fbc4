"""Commands about the shape of memory accesses: shared memory by banks, bank conflicts, sectors."""

from __future__ import annotations

import re

from emulator.debugger.accesses import bank_use, last_access, sector_use
from emulator.debugger.commands.table import command
from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import Answer, shorten
from emulator.debugger.memory import Variable, variables_of
from emulator.debugger.panes import banks as pane
from emulator.debugger.panes import shared as shared_pane
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, located
from emulator.debugger.written import changed_bytes, written_bytes
from emulator.program.scopes import nearest
from emulator.ptx_types import TYPES

MOST_BYTES = 4096


def _shared_variables(session: Session) -> dict[str, Variable]:
    found = variables_of(session.runner, session.require_warp(), session.pc)
    return {name: one for name, one in found.items() if one.space == "shared"}


@command(
    "shared", "sh", usage="shared [NAME] [FIRST:END] [--banks]", topic="looking", repeat=True, looks=True,
    completer=lambda session, text: _shared_variables(session) if session.warp is not None else (),
)  # fmt: skip
def shared(session: Session, text: str) -> Answer:
    """Shared memory of the block: a variable or all of it, or bytes FIRST to END of that.

    Each line begins with the bank of its first word. `v*` has changed since the last stop, `??` was never
    written; --banks also marks what the last access of this warp touched, with its lanes.
    (ptx) shared tile 0x00:0xa0 --banks
    """
    marks = "--banks" in text
    target = _range(session, text.replace("--banks", "").strip())
    access = last_access(session, "shared") if marks else None
    written, changed = written_bytes(session, target), changed_bytes(session, target)
    shown = shared_pane.shared(session, target, access, written, changed)
    lines = shorten(shown, 25, "shared NAME 0x80:0x100 shows other bytes")
    raw = target.bytes_of(session)
    assert raw is not None
    data = {"address": target.address, "type": target.kind.name, "values": target.values(raw).tolist()}
    data["changed"] = changed.nonzero()[0].tolist()
    data["unwritten"] = (~written).nonzero()[0].tolist() if written is not None else None
    if access is not None:
        data["touched"] = {str(lane): address for lane, address in access.addresses.items()}
    return Answer(lines, data)


def _range(session: Session, text: str) -> MemoryTarget:
    """The bytes that a name and a range mean."""
    variables = _shared_variables(session)
    total = len(session.cta.shared)
    if not total:
        raise DebuggerError("this kernel has no shared memory")
    match = re.fullmatch(r"(?P<name>[A-Za-z_$][\w$]*)?\s*(?:(?P<first>\w+)?:(?P<end>\w+)?)?", text)
    if match is None:
        raise DebuggerError("which bytes?", text, 0, len(text), help="shared tile 0x00:0xa0")
    name = match["name"]
    if name is not None and name not in variables:
        known = f"there is {', '.join(variables)}" if variables else "without a name it shows all"
        raise DebuggerError(f"no shared variable {name}", help=nearest(name, variables) or known)
    one = variables[name] if name is not None else next(iter(variables.values()), None)
    base, size, kind = session.cta.rank << 24 | 0x400, total, TYPES["b32"]
    if one is not None and (name is not None or len(variables) == 1):
        base, size, kind = int(one.address), one.size, one.kind
    first, end = _number(match["first"], 0), _number(match["end"], size)
    if not 0 <= first < end <= size:
        raise DebuggerError(f"there are bytes 0x0 to {size:#x}", text, 0, len(text))
    kind = TYPES["b32"] if kind.bytes < 4 and first % 4 == end % 4 == 0 else kind
    first -= first % kind.bytes
    end = min(end, first + MOST_BYTES)
    return located(session, "shared", base + first, max(kind.bytes, (end - first) // kind.bytes * kind.bytes), kind,
                   session.lane)  # fmt: skip


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return int(text, 0)
    except ValueError:
        raise DebuggerError("this is no number", text, 0, len(text)) from None


@command("banks", usage="banks", topic="looking", looks=True)
def banks(session: Session, text: str) -> Answer:
    """The banks of the last shared access of this warp: words by bank, wavefronts, and how padding helps.

    32 banks of 4 bytes each give one word at a time; lanes of one word share it. 8 bytes a lane go in two
    passes of 16 lanes, 16 bytes in four of 8.
    (ptx) banks
    """
    access = last_access(session, "shared")
    use = bank_use(access.addresses, access.size)
    data = {"line": access.instruction.line, "time": access.time, "wavefronts": use.wavefronts, "ideal": use.ideal}
    return Answer(pane.banks(access), data | {"words": use.words})


@command("sectors", usage="sectors", topic="looking", looks=True)
def sectors(session: Session, text: str) -> Answer:
    """The 32-byte sectors of the last global access of this warp, and how much of them it uses.

    (ptx) sectors
    """
    access = last_access(session, "global")
    use = sector_use(access.addresses, access.size)
    data = {"line": access.instruction.line, "time": access.time, "sectors": len(use.sectors), "ideal": use.ideal}
    return Answer(pane.sectors(session, access), data | {"bytes": use.used})
