"""Commands that show something and change nothing."""

from __future__ import annotations

import re

from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import base_of, form_of, places, registers
from emulator.debugger.errors import DebuggerError
from emulator.debugger.expressions import SPACES, Named, parse_expression, split_expressions
from emulator.debugger.lines import WIDTH, Answer, clip, shorten
from emulator.debugger.panes import lanes as lane_pane
from emulator.debugger.panes import memory as memory_pane
from emulator.debugger.panes import registers as register_pane
from emulator.debugger.panes import source
from emulator.debugger.panes.context import SECTIONS
from emulator.debugger.panes.context import context as context_lines
from emulator.debugger.patterns import DIGITS, compress, lane_cell
from emulator.debugger.places import find_place
from emulator.debugger.session import Session
from emulator.debugger.values import Value
from emulator.ptx_types import TYPES, ScalarType

LISTED = 10


@command("context", "ctx", usage="context [SECTION...]", topic="looking", looks=True, completer=lambda s, t: SECTIONS)
def context(session: Session, text: str) -> Answer:
    """Show the stop again, or some sections of it: last, code, changed, warps, focus.

    (ptx) context code warps
    """
    if not text:
        return Answer(context_lines(session), session.stop.to_json())
    return Answer([line for name in _sections(text) for line in SECTIONS[name](session)], session.stop.to_json())


@command("set context", usage="set context SECTION,...", topic="looking")
def set_context(session: Session, text: str) -> Answer:
    """The sections that are shown after every stop.

    (ptx) set context code,changed,focus
    """
    session.settings.context = tuple(_sections(text))
    return Answer()


def _sections(text: str) -> list[str]:
    found = text.replace(",", " ").split()
    for name in found:
        if name not in SECTIONS:
            raise DebuggerError(f"no section is called {name!r}", help=f"there is {', '.join(SECTIONS)}")
    return found


@command("list", "l", usage="list [LOC]", topic="looking", repeat=True, looks=True, completer=places)
def list_(session: Session, text: str) -> Answer:
    """Lines around the next instruction or a place; again: the lines that follow.

    Where `.loc` says so, the line of the CUDA or Triton source stands on the right.
    (ptx) list 40
    """
    program = session.programs[0] if session.warp is None else session.require_warp().cta.grid.program
    if text:
        pcs = find_place(text, [program]).pcs[program]
        first = max(1, program.instructions[min(pcs)].line - LISTED // 2)
    elif session.listed is not None:
        first = session.listed
    else:
        first = max(1, session.instruction.line - LISTED // 2)
    session.listed = first + LISTED
    lines = source.beside(session, first, first + LISTED - 1)
    if not lines:
        session.listed = None
        raise DebuggerError("the text ends before this line")
    return Answer(lines, {"first": first, "lines": [str(line) for line in lines]})


def valued(session: Session, text: str, base: int | None = None) -> tuple[str, Value, int]:
    """An expression with `/x` behind it or not: its text, value and base."""
    body, slash, form = text.rpartition("/")
    if slash and body and re.fullmatch(r"[xdubtfc]", form) and base is None:
        text, base = body, base_of(form, text)
    expression = parse_expression(text)
    value = session.evaluate(expression)
    if base is None:
        base = 10
        if isinstance(expression.root, Named) and session.warp is not None:
            register = session.context().register(expression.root.name)
            if register is not None:
                base = register_pane.base_of(session.warp.cta.grid.program, register, value)
    return text, value, base


@command("print", "p", "inspect", usage="print[/xdtfc] EXPR", topic="looking", looks=True, completer=registers)
def print_(session: Session, text: str) -> Answer:
    """The value of an expression over the executing lanes, and in the lane in focus.

    (ptx) print/x %rd3
    """
    form, rest = form_of(text)
    shown, value, base = valued(session, rest, base_of(form, text))
    pattern = compress(value, session.group, base, 56 if not value.is_wide else 30)
    number = len([key for key in session.values if key.isdecimal()]) + 1
    session.values[str(number)] = value
    mine = _in_focus(session, value, base, None, pattern)
    if value.uniform:
        pattern = lane_cell(value, session.lane, base, None)
    line = f"${number} = {pattern}{mine}"
    if len(line) > WIDTH and mine:
        line = f"${number} = {mine.strip()}    (lanes {shown} shows all)"
    return Answer([clip(line)], lane_pane.to_json([(shown, value, base)])[0])


def _in_focus(session: Session, value: Value, base: int, digits: int | None, pattern: str) -> str:
    """The value of the lane in focus, where the pattern does not say it already."""
    if value.uniform or (pattern.startswith("uniform") and session.group >> session.lane & 1):
        return ""
    return f"    lane {session.lane}: {lane_cell(value, session.lane, base, digits)}"


@command("lanes", "la", usage="lanes EXPR...", topic="looking", repeat=True, looks=True, completer=registers)
def lanes(session: Session, text: str) -> Answer:
    """Expressions in all 32 lanes; /x after one shows it in hexadecimal.

    (ptx) lanes %r1 %r8/x bf16(%r12)
    """
    parts = split_expressions(text)
    if not parts:
        raise DebuggerError("which expressions?", help="lanes %r1 %r8/x")
    rows = [valued(session, part) for part in parts]
    lines = shorten(lane_pane.lines_of(rows, session.group, session.lane), 25, "fewer expressions at a time")
    return Answer(lines, lane_pane.to_json(rows))


@command("display", usage="display [EXPR]", topic="looking", looks=True, completer=registers)
def display(session: Session, text: str) -> Answer:
    """Show an expression after every stop; without one, show those that there are.

    (ptx) display %sum
    """
    if text:
        valued(session, text)
        session.displays.append(text)
    return Answer(displayed(session), {"displays": list(session.displays)})


def displayed(session: Session) -> list[str]:
    """The lines of `display`."""
    lines = []
    for number, text in enumerate(session.displays, 1):
        try:
            _, value, base = valued(session, text)
            pattern = compress(value, session.group, base, 50)
            lines.append(clip(f" {number}: {text} = {pattern}{_in_focus(session, value, base, DIGITS, pattern)}"))
        except DebuggerError as error:
            lines.append(clip(f" {number}: {text}: {error.message}"))
    return lines


@command("undisplay", usage="undisplay N", topic="looking")
def undisplay(session: Session, text: str) -> Answer:
    """Show an expression no more.

    (ptx) undisplay 1
    """
    if not text.isdecimal() or not 1 <= int(text) <= len(session.displays):
        count = len(session.displays)
        raise DebuggerError("no such display", help=f"1 to {count}" if count else "display EXPR makes one")
    del session.displays[int(text) - 1]
    return Answer()


_SIZES = {"b": 1, "h": 2, "w": 4, "g": 8}
_FORM = re.compile(r"(?P<count>\d*)(?P<letters>[a-z]*)")


@command("x", usage="x/NFU [SPACE:]ADDR", topic="looking", repeat=True, looks=True, completer=registers)
def examine(session: Session, text: str) -> Answer:
    """Memory: N elements of a format (x d u t f c) and a unit (b h w g), or of a type.

    ADDR is an expression of the lane in focus; a buffer's name is its address.  SPACE is global, shared,
    local, const, param; without one a generic address.
    (ptx) x/16xw shared:0x400
    (ptx) x/8 e4m3 out+64
    """
    form, rest = form_of(text)
    count, kind, base = _form(form, text)
    head, _, tail = rest.partition(" ")
    if head in TYPES and tail:
        kind, rest = TYPES[head], tail
        base = 10
    space, colon, address_text = rest.partition(":")
    if not colon or space.strip() not in SPACES:
        space, address_text = "", rest
    address, found_space = address_of(session, address_text.strip())
    space = space.strip() or found_space
    shown = memory_pane.examine(session, space, address, count, kind, base)
    if shown is None:
        inside = (
            "shared memory begins at 0x400" if space == "shared" and address < 0x400 else "info buffers lists memory"
        )
        size = count * kind.bytes
        raise DebuggerError(f"{size} bytes at {space}:{address:#x} are not all allocated", help=inside)
    return Answer(shorten(shown[0]), {"space": space, "address": address, "type": kind.name, "values": shown[1]})


def _form(form: str, text: str) -> tuple[int, ScalarType, int]:
    match = _FORM.fullmatch(form)
    if match is None:
        raise DebuggerError("this is no format", f"/{form}", 1, 1 + len(form), help="such as x/16xw, x/8f")
    size, base, floats = 4, 16, False
    for letter in match["letters"]:
        if letter in _SIZES:
            size = _SIZES[letter]
        elif letter in "xduftc":
            base = {"x": 16, "t": 2, "c": 256}.get(letter, 10)
            floats = letter == "f"
            size = 1 if letter == "c" else size
        else:
            raise DebuggerError(f"no format or unit is called {letter!r}", help="x d u t f c, and b h w g")
    kind = TYPES[f"f{8 * max(2, size)}"] if floats else TYPES[f"{'s' if 'd' in match['letters'] else 'u'}{8 * size}"]
    return int(match["count"] or 1), kind, base


def address_of(session: Session, text: str) -> tuple[int, str]:
    """(address, space) of an expression in the lane in focus; names of arrays are addresses."""
    variables = session.context()
    name = re.match(r"[A-Za-z_][\w$]*(?!\s*[\[(\w.])", text)
    variable = variables.variables(name[0]) if name is not None else None
    if variable is not None and name is not None:
        text = f"&{text}"
    value = session.evaluate(parse_expression(text))
    if value.is_float or value.data.ndim > 1:
        raise DebuggerError("an address is a whole number", text, 0, len(text))
    address = int(value.data[session.lane]) & 2**64 - 1
    return address, variable.space if variable is not None else "generic"
