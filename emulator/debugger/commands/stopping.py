"""Commands about breakpoints."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import breakpoints, number_of, places
from emulator.debugger.errors import DebuggerError
from emulator.debugger.evaluate import evaluate
from emulator.debugger.expressions import Expression, parse_expression
from emulator.debugger.focus import Focus, grids_of, parse_focus
from emulator.debugger.lines import Answer
from emulator.debugger.panes import tables
from emulator.debugger.places import find_place
from emulator.debugger.session import Session
from emulator.debugger.stops import Breakpoint
from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.program.scopes import nearest

_FILTER = re.compile(r"\b(warp|block)\s+(\(\s*\d+(?:\s*,\s*\d+)*\s*\)|\d+(?:,\d+)*)\s*$")


@dataclass(frozen=True)
class Wanted:
    """LOC [if COND] [warp N] [block X], in parts."""

    place: str
    condition: Expression | None
    warp: int | None
    block: int | None


def parse_wanted(session: Session, text: str) -> Wanted:
    """The parts of a breakpoint's text."""
    head, found, tail = (
        re.split(r"(?:^|\s+)(if)(?:\s+|$)", text, maxsplit=1) if re.search(r"(^|\s)if(\s|$)", text) else (text, "", "")
    )
    filters: dict[str, int] = {}
    head, tail = _filters(session, head, filters), _filters(session, tail, filters)
    condition = parse_expression(tail) if found else None
    if condition is not None and session.warp is not None:
        evaluate(condition, session.context())
    elif condition is not None:
        _check_registers(session, condition.text)
    _check_filters(session, filters)
    return Wanted(head.strip(), condition, filters.get("warp"), filters.get("block"))


def _check_registers(session: Session, text: str) -> None:
    """Where no warp can be asked: refuse a register that no function has."""
    functions = [function for program in session.programs for function in program.functions.values()]
    known = {register.name for function in functions for register in function.registers}
    for match in re.finditer(r"(?<![\w)\]])%[A-Za-z_$][\w$]*", text):
        if match[0] not in known and match[0][1:] not in SPECIAL_REGISTERS:
            raise DebuggerError(f"no register {match[0]} here", text, *match.span(), help=nearest(match[0], known))


def _check_filters(session: Session, filters: dict[str, int]) -> None:
    """Refuse warps and blocks that no launch has, where all launches are known."""
    grids = [grid for _, grid in grids_of(session.runner)]
    if not grids or any(stream.pending for device in session.runner.devices for stream in device.streams):
        return
    limits = {"warp": max(grid.warps for grid in grids), "block": max(grid.cta_count for grid in grids)}
    for word, number in filters.items():
        if number >= limits[word]:
            owner = "a block has" if word == "warp" else "the grid has"
            raise DebuggerError(f"no {word} {number}: {owner} {limits[word]:,}, numbered from 0")


def _filters(session: Session, text: str, found: dict[str, int]) -> str:
    """Take `warp N` and `block X` off the end of a text."""
    while match := _FILTER.search(text):
        word, value = match[1], match[2]
        if word == "block":
            focus = session.focus or Focus((1, 0, 0))
            numbers = [int(part) for part in re.findall(r"\d+", value)]
            found[word] = numbers[0] if len(numbers) == 1 else _linear(session, numbers)
            assert focus is not None
        else:
            found[word] = int(value)
        text = text[: match.start()].rstrip()
    return text


def _linear(session: Session, numbers: list[int]) -> int:
    assert session.focus is not None
    return parse_focus(f"block ({','.join(map(str, numbers))})", session.focus, session.runner).key[1]


def _add(session: Session, text: str, temporary: bool) -> Answer:
    wanted = parse_wanted(session, text)
    here = session.pc if session.warp is not None else None
    place = find_place(wanted.place, session.programs, here)
    number = session.next_number()
    made = Breakpoint(number, place, wanted.condition, wanted.warp, wanted.block, temporary)
    session.breakpoints[number] = made
    kind = "Temporary breakpoint" if temporary else "Breakpoint"
    return Answer([f"{kind} {number} at {made.describe()}"], {"number": number, "place": made.describe()})


@command(
    "break", "b", "br", usage="break [LOC] [if COND] [warp N] [block X]", topic="stopping", looks=True, completer=places
)
def break_(session: Session, text: str) -> Answer:
    """Stop before an instruction: LOC is a line, a label, a function, opcode:bar.sync, file:line of .loc, *PC.

    The condition is asked of the lanes that stand there and holds if it holds in one of them: if %r3 > 16,
    if all(%p1), if lane 5, if %r1@7 == 3.
    (ptx) break 24 if any(%sum > 16) warp 2
    """
    return _add(session, text, False)


@command("tbreak", "tb", usage="tbreak [LOC] [if COND]", topic="stopping", looks=True, completer=places)
def tbreak(session: Session, text: str) -> Answer:
    """A breakpoint that is deleted when it stops.

    (ptx) tbreak DONE
    """
    return _add(session, text, True)


def _chosen(session: Session, text: str) -> list[int]:
    numbers = [number_of(word, "a breakpoint's number") for word in text.split()] or [
        *session.breakpoints,
        *session.checks,
    ]
    for number in numbers:
        if number not in session.breakpoints and number not in session.checks:
            known = ", ".join(map(str, [*session.breakpoints, *session.checks])) or "none"
            raise DebuggerError(f"no breakpoint {number}", help=f"there is {known}")
    return numbers


@command("delete", "d", usage="delete [N...]", topic="stopping", completer=breakpoints)
def delete(session: Session, text: str) -> Answer:
    """Delete breakpoints and watchpoints, all without a number.

    (ptx) delete 1
    """
    for number in _chosen(session, text):
        session.breakpoints.pop(number, None)
        if number in session.checks:
            session.checks.pop(number).rest()
    return Answer()


@command("disable", usage="disable [N...]", topic="stopping", completer=breakpoints)
def disable(session: Session, text: str) -> Answer:
    """Keep breakpoints, but do not stop at them.

    (ptx) disable 1
    """
    return _enable(session, text, False)


@command("enable", usage="enable [N...]", topic="stopping", completer=breakpoints)
def enable(session: Session, text: str) -> Answer:
    """Stop at breakpoints again.

    (ptx) enable 1
    """
    return _enable(session, text, True)


def _enable(session: Session, text: str, enabled: bool) -> Answer:
    for number in _chosen(session, text):
        session.stopper(number).enabled = enabled
    return Answer()


@command("ignore", usage="ignore N COUNT", topic="stopping", completer=breakpoints)
def ignore(session: Session, text: str) -> Answer:
    """Let the next COUNT hits of a breakpoint pass.

    (ptx) ignore 1 10
    """
    words = text.split()
    if len(words) != 2:
        raise DebuggerError("which breakpoint, and how often?", help="ignore 1 10")
    number = _chosen(session, words[0])[0]
    session.stopper(number).ignore = number_of(words[1], "the count")
    return Answer([f"the next {words[1]} hits of breakpoint {number} pass"])


@command("commands", usage="commands N COMMAND[; COMMAND...]", topic="stopping", completer=breakpoints)
def commands(session: Session, text: str) -> Answer:
    """What to do when a breakpoint stops; without commands: nothing any more.

    (ptx) commands 1 print %sum; continue
    """
    number, _, rest = text.partition(" ")
    number_of(number, "a breakpoint's number")
    session.stopper(_chosen(session, number)[0]).commands = [one.strip() for one in rest.split(";") if one.strip()]
    return Answer()


@command("info breakpoints", "info b", usage="info breakpoints", topic="stopping", looks=True)
def info_breakpoints(session: Session, text: str) -> Answer:
    """Breakpoints, watchpoints and catches, their conditions and hits.

    (ptx) info breakpoints
    """
    lines, rows = tables.breakpoints(session)
    return Answer(lines, rows)
