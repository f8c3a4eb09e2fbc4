"""Commands that stop where values change or are read, and at kinds of faults."""

from __future__ import annotations

import re

from emulator.debugger.catches import KINDS, Catch
from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import registers
from emulator.debugger.errors import DebuggerError
from emulator.debugger.evaluate import evaluate
from emulator.debugger.expressions import parse_expression
from emulator.debugger.lines import Answer
from emulator.debugger.session import Session
from emulator.debugger.targets import target_of
from emulator.debugger.watches import NAMES, Watchpoint
from emulator.program.scopes import nearest


def _add(session: Session, kind: str, text: str) -> Answer:
    exact = bool(re.match(r"-e(xact)?\b", text))
    text = re.sub(r"^-e(xact)?\b", "", text).strip()
    wanted, _, condition = text.partition(" if ")
    target = target_of(session, wanted.strip())
    when = parse_expression(condition) if condition else None
    if when is not None and session.warp is not None:
        evaluate(when, session.context())
    number = session.next_number()
    session.checks[number] = made = Watchpoint(session, number, kind, target, when, exact)
    data = {"number": number, "what": made.describe()}
    return Answer([f"{NAMES[kind].capitalize()} {number}: {made.describe().partition(' ')[2]}"], data)


@command("watch", "wa", usage="watch [-exact] EXPR [if COND]", topic="stopping", looks=True, completer=registers)
def watch(session: Session, text: str) -> Answer:
    """Stop where a register or bytes change: %r3 (all lanes), %r3@5, out[17], shared[0x440:16].

    The kernel runs at full speed up to the instructions that may write it. A write of the same value is
    passed over; -exact stops at every write. reverse-continue goes back to the one before.
    (ptx) watch out[17] if %tid.x > 3
    (ptx) watch -exact shared[0x440]
    """
    return _add(session, "watch", text)


@command("rwatch", usage="rwatch EXPR [if COND]", topic="stopping", looks=True, completer=registers)
def rwatch(session: Session, text: str) -> Answer:
    """Stop where a register or bytes are read.

    (ptx) rwatch tile[3]
    """
    return _add(session, "rwatch", text)


@command("awatch", usage="awatch EXPR [if COND]", topic="stopping", looks=True, completer=registers)
def awatch(session: Session, text: str) -> Answer:
    """Stop where a register or bytes are read or written, the same value too.

    (ptx) awatch tile[3]
    """
    return _add(session, "awatch", text)


@command("catch", usage=f"catch {'|'.join(KINDS)}", topic="stopping", looks=True, completer=lambda s, t: KINDS)
def catch(session: Session, text: str) -> Answer:
    """Stop where a result is NaN or infinite, where lanes part or meet; number a kind of fault.

    nan, inf, diverge: asked after the instructions that may do it; reconverge: after every one, which is
    slow. oob, align, barrier, trap: a fault stops in any case; a catch gives it a number, for commands.
    (ptx) catch nan
    """
    if text not in KINDS:
        hint = nearest(text, KINDS) if text else ""
        raise DebuggerError(f"catch {text or 'what'}?", help=hint or f"there is {', '.join(KINDS)}")
    number = session.next_number()
    made = Catch(session, number, text)
    made.begin()
    session.checks[number] = made
    return Answer([f"Catchpoint {number}: {text}"], {"number": number, "what": made.describe()})
