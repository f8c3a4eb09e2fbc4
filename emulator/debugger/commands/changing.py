"""Commands that change the run: registers, memory, where lanes go next.  Time travel does the changes again."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from emulator.debugger.changes import Change, Jump, mask_over
from emulator.debugger.commands.running import stopped
from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import places, registers
from emulator.debugger.errors import DebuggerError
from emulator.debugger.evaluate import evaluate
from emulator.debugger.expressions import Expression, Number, Unary, parse_expression
from emulator.debugger.lines import Answer, clip
from emulator.debugger.motor import Halted
from emulator.debugger.places import find_place
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, RegisterTarget, Target, copied, target_of
from emulator.debugger.values import Row, State, Value
from emulator.engines.schedule import key_of
from emulator.machine.warp import lanes_of
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType

_ASSIGNMENT = re.compile(r"(?P<target>.*?[^=!<>])\s*=(?!=)\s*(?P<value>.+)", re.DOTALL)
_SUFFIX = re.compile(r"(?<![\w.])((?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)f\b")


@command(
    "set", "set variable", "set var", usage="set %REG[@LANE] | MEMORY = EXPR", topic="changing", completer=registers
)
def set_(session: Session, text: str) -> Answer:
    """Write a register (in the lanes that execute, or in one) or memory; what lay ahead is forgotten.

    The run counts as edited from here on; why and history name the change.
    (ptx) set %sum@7 = 3
    (ptx) set out[17] = 1.5
    (ptx) set shared[0x440] = lane
    """
    match = _ASSIGNMENT.fullmatch(text.strip())
    if match is None:
        raise DebuggerError("what should be what?", text, 0, len(text), help="set %r5@7 = 3, set out[17] = 1.5")
    target = target_of(session, match["target"])
    expression = parse_expression(_SUFFIX.sub(r"\1", match["value"]))
    value = _value_of(session, expression.text)
    _check_fits(expression, target.kind)
    now = copied(target.bytes_of(session))
    if now is None:
        raise DebuggerError("its owner is not running")
    lanes = _lanes(session, target)
    data, mask = _bytes(target, value, lanes, session.lane, expression.text, len(now))
    session.timeline.act(Change(session.timeline.now, target, data, mask, session))
    after = target.bytes_of(session)
    assert after is not None
    lane = session.lane if lanes >> session.lane & 1 else lanes.bit_length() - 1
    shown = f"@{lane}" if isinstance(target, RegisterTarget) and "@" not in target.text else ""
    others = f" in {lanes.bit_count()} lanes," if shown and lanes.bit_count() > 1 else ""
    line = f"{target.text}{shown}: {target.show(now, lane)} -> {target.show(after, lane)}"
    return Answer([clip(f"{line}   {others} edited at event {session.timeline.now:,}")])


def _check_fits(expression: Expression, kind: ScalarType) -> None:
    """Refuse a number that has more bits than the target; what is computed wraps."""
    node = expression.root.operand if isinstance(expression.root, Unary) else expression.root
    if not isinstance(node, Number) or not isinstance(node.value, int) or kind.kind in "fp":
        return
    negative = isinstance(expression.root, Unary) and expression.root.sign == "-"
    most = 1 << kind.width - 1 if negative else (1 << kind.width) - 1
    if node.value > most:
        text = expression.text
        message = f"{text} does not fit {kind.name}: {kind.width} bits"
        raise DebuggerError(message, text, 0, len(text), help=f"{-1 << kind.width - 1} to {(1 << kind.width) - 1}")


def _value_of(session: Session, text: str) -> Value:
    if session.warp is None:
        number = re.fullmatch(r"[-+]?[\d.xXa-fA-Fe]+", text)
        if number is None:
            session.require_warp()
        plain: Any = float(text) if "." in text else int(text, 0)
        return Value(np.full(WARP_SIZE, plain))
    return evaluate(parse_expression(text), session.context())


def _lanes(session: Session, target: Target) -> int:
    """The lanes of a register that are written: the one that is named, else those that stand with the focus."""
    if isinstance(target, MemoryTarget):
        return 1 << session.lane
    return target.lanes if target.lanes.bit_count() == 1 else session.group


def _bytes(target: Target, value: Value, lanes: int, lane: int, text: str, size: int) -> tuple[State, State]:
    """(bytes, which of them are written)."""
    if value.data.ndim > 1:
        raise DebuggerError("this has several values in each lane", text, 0, len(text))
    if isinstance(target, MemoryTarget):
        if target.size % target.kind.bytes:
            raise DebuggerError("these bytes are no whole number of elements", text)
        one = _converted(value.data[lane : lane + 1], target.kind, text).view(np.uint8)
        return np.tile(one, size // len(one)), np.ones(size, dtype=np.bool_)
    width = target.register.type.bytes
    row = _converted(value.data, target.kind, text).view(np.uint8)
    if width == 16:
        row = np.concatenate([row.reshape(WARP_SIZE, 8), np.zeros((WARP_SIZE, 8), np.uint8)], axis=1).ravel()
    return row, mask_over(lanes & value.lanes, width)


def _converted(row: Row, kind: ScalarType, text: str) -> Row:
    """Numbers as the bits of a type: integers wrap, floats are rounded; floats in untyped bits keep their f32 bits."""
    if kind.kind == "p":
        return np.array(row != 0, dtype=np.uint8)
    if kind.kind == "f" and kind.width <= 64 and kind.name != "tf32":
        with np.errstate(all="ignore"):
            return np.array(row, dtype=np.dtype(f"f{kind.bytes}"))
    if row.dtype.kind == "f":
        if kind.kind != "b" or kind.width not in (32, 64):
            raise DebuggerError(f"a float for {kind.name}", text, 0, len(text), help="give its bits, such as 0x3f80")
        return np.array(row, dtype=np.dtype(f"f{kind.bytes}"))
    bits = [int(number) & (1 << min(kind.width, 64)) - 1 for number in row]
    return np.array(bits, dtype=np.dtype(f"u{min(kind.bytes, TYPES['b64'].bytes)}"))


@command("jump", "j", usage="jump LOC", topic="changing", looks=True, completer=places)
def jump(session: Session, text: str) -> Answer:
    """The lanes that stand with the focus go on at another place of the same function; nothing else changes.

    (ptx) jump 40
    """
    if not text:
        raise DebuggerError("jump to where?", help="jump 40, jump DONE")
    program = session.require_warp().cta.grid.program
    pcs = find_place(text, [program], session.pc).pcs[program]
    inside = [pc for pc in pcs if program.function_at(pc) is session.instruction.function]
    if len(inside) != 1:
        reason = "is in another function" if not inside else "means several places"
        raise DebuggerError(f"{text} {reason}", help="a line of this function")
    return _jump(session, inside[0])


@command("skip", usage="skip", topic="changing", repeat=True, looks=True)
def skip(session: Session, text: str) -> Answer:
    """The lanes that stand with the focus step over their instruction without executing it.

    (ptx) skip
    """
    function = session.instruction.function
    if session.pc + 1 >= function.end_pc:
        raise DebuggerError("this is the last instruction of the function")
    return _jump(session, session.pc + 1)


def _jump(session: Session, pc: int) -> Answer:
    warp = session.require_warp()
    lanes = session.group
    if not lanes or lanes & warp.waiting or not lanes_of(lanes)[session.lane]:
        raise DebuggerError("these lanes wait or have exited", help="focus on lanes that can run: info lanes")
    session.mark()
    session.timeline.act(Jump(session.timeline.now, key_of(warp), lanes, pc))
    return stopped(session, session.arrive("edit", Halted("time")))
