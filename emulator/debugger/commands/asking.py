"""Commands that ask the past: why, history, diff."""

from __future__ import annotations

import re
from typing import Any

from emulator.debugger import writes
from emulator.debugger.causes import trace
from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import number_of, registers
from emulator.debugger.errors import DebuggerError
from emulator.debugger.inactive import why_inactive
from emulator.debugger.lines import Answer, clip, paint, shorten
from emulator.debugger.panes import difference
from emulator.debugger.panes import why as why_pane
from emulator.debugger.patterns import compress
from emulator.debugger.recording import excursion, go
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, Target, target_of
from emulator.debugger.values import Value
from emulator.debugger.writers import MOST_LOOKED_AT
from emulator.render import lane_ranges
from emulator.render import lanes_of as lane_numbers

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

    why inactive says why a lane does not execute: its guard, a branch, an exit, a barrier. A write of the same
    value is found too, however long ago.
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


MOST_WRITES = 12


@command("history", "hist", usage="history [-n COUNT] EXPR[@LANE]", topic="looking", looks=True, completer=registers)
def history(session: Session, text: str) -> Answer:
    """The last writes of a register or of bytes, with the value after each; your own changes too.

    (ptx) history %sum@3
    (ptx) history -n 20 out[17]
    """
    count = MOST_WRITES
    match = re.match(r"-n\s*(\d+)\s+", text)
    if match is not None:
        count, text = int(match[1]), text[match.end() :]
    target = target_of(session, text)
    entries, complete = writes.history(session, target, count)
    lines = [_history_line(session, target, entry) for entry in entries]
    if not entries:
        far = f" in the last {MOST_LOOKED_AT:,} instructions; why finds an earlier one"
        lines = [f"nobody wrote {target.text}" + ("" if complete else far)]
    return Answer(shorten(lines, hint="history -n 5 shows fewer"), [_history_row(target, one) for one in entries])


def _history_line(session: Session, target: Target, entry: writes.Entry) -> str:
    head = f"  event {entry.write.time:<9,} {_history_value(target, entry):12}"
    if entry.instruction is None:
        return clip(paint(head, ("  set by you", "changed")))
    by = ""
    if isinstance(target, MemoryTarget):
        block, index = entry.write.key[1:]
        lanes = lane_ranges(lane_numbers(entry.lanes))
        by = f"  by {f'block {block} ' if block != target.key[1] else ''}warp {index} lane {lanes}"
    return clip(f"{head}{by}  line {entry.instruction.line}  {entry.instruction.text.rstrip(';')}")


def _history_value(target: Target, entry: writes.Entry) -> str:
    if entry.value is None:
        return "its owner has ended"
    if isinstance(target, MemoryTarget):
        return target.show(entry.value)
    if target.lanes.bit_count() == 1:
        return target.show(entry.value, target.lanes.bit_length() - 1)
    return compress(Value(target.values(entry.value), target.kind), target.lanes, target.base, 24)


def _history_row(target: Target, entry: writes.Entry) -> dict[str, Any]:
    instruction = entry.instruction
    return {
        "time": entry.write.time,
        "warp": list(entry.write.key),
        "lanes": f"{entry.lanes:#010x}",
        "line": instruction.line if instruction is not None else None,
        "value": _history_value(target, entry),
        "edited": instruction is None,
    }


@command("diff", usage="diff [EVENT [EVENT]] | lane N M | warp N M", topic="looking", looks=True)
def diff(session: Session, text: str) -> Answer:
    """What differs between two times (the last stop and now, without a number), two lanes or two warps.

    (ptx) diff 100 200
    (ptx) diff lane 3 7
    (ptx) diff warp 0 2
    """
    words = text.replace(",", "").split()
    if words and words[0] in ("lane", "warp", "lanes", "warps"):
        found = _diff_of(session, words[0][:4], [number_of(word, f"the {words[0]}") for word in words[1:]])
    else:
        found = _diff_of_times(session, [number_of(word, "an event") for word in words])
    return Answer(shorten(found.lines, hint="diff --json shows all"), found.rows)


def _diff_of(session: Session, what: str, numbers: list[int]) -> difference.Difference:
    if len(numbers) != 2:
        raise DebuggerError(f"which two {what}s?", help=f"diff {what} 0 1")
    warp = session.require_warp()
    most = 32 if what == "lane" else len(warp.cta.warps)
    for number in numbers:
        if number >= most:
            raise DebuggerError(f"no {what} {number}: there are {most}, numbered from 0")
    if what == "lane":
        return difference.of_lanes(session, *numbers)
    return difference.of_warps(session, *(warp.cta.warps[number] for number in numbers))


def _diff_of_times(session: Session, times: list[int]) -> difference.Difference:
    now = session.timeline.now
    if len(times) > 2:
        raise DebuggerError("between which two events?", help="diff 100 200")
    if not times and session.before is None:
        raise DebuggerError("there is no stop before this one", help="diff 100 compares with event 100")
    first = times[0] if times else session.before.time if session.before is not None else now
    second = times[1] if len(times) > 1 else now
    latest = session.timeline.end
    if max(first, second) > latest:
        raise DebuggerError(f"the history ends at event {latest:,}")
    with excursion(session):
        go(session.timeline, first)
        old = difference.moment(session)
        go(session.timeline, second)
        new = difference.moment(session)
        return difference.of_times(session, session.warp, old, new)
