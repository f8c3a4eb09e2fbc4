"""Commands that ask the past: why, history, diff."""

from __future__ import annotations

import re

from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import number_of, registers
from emulator.debugger.errors import DebuggerError
from emulator.debugger.inactive import why_inactive
from emulator.debugger.lines import Answer, clip, shorten
from emulator.debugger.panes import why as why_pane
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, target_of
from emulator.debugger.writers import trace

HOPS = 1


@command(
    "why",
    "w?",
    usage="why [-n HOPS] EXPR[@LANE] | why inactive [LANE]",
    topic="looking",
    looks=True,
    completer=registers,
)
def why(session: Session, text: str) -> Answer:
    """Who wrote a register or bytes last, with the inputs of that instruction; -n 3 follows them further.

    why inactive says why a lane does not execute: its guard, a branch, an exit, a barrier. The past is
    executed again, so a write of the same value is found too.
    (ptx) why %sum@5
    (ptx) why -n 3 out[17]
    (ptx) why inactive 20
    """
    word, _, rest = text.partition(" ")
    if word == "inactive":
        lane = number_of(rest.strip(), "the lane") if rest.strip() else session.lane
        if lane > 31:
            raise DebuggerError("a warp has 32 lanes, 0 to 31")
        reason = why_inactive(session, lane)
        return Answer([clip(line) for line in reason.lines], reason.data)
    hops = HOPS
    match = re.match(r"-n\s*(\d+)\s+", text)
    if match is not None:
        hops, text = int(match[1]), text[match.end() :]
    if not text:
        raise DebuggerError("why what?", help="why %r3@5, why out[17], why inactive 20")
    target = target_of(session, text)
    lane = session.lane
    if isinstance(target, MemoryTarget):
        lane = target.lane
    elif target.lanes.bit_count() == 1:
        lane = target.lanes.bit_length() - 1
    cause = trace(session, target, lane, hops)
    return Answer(shorten(why_pane.tree(session, cause), hint="-n 1 shows fewer"), why_pane.to_json(cause))
