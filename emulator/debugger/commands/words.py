"""What the words after a command mean, and what may be completed there."""

from __future__ import annotations

from collections.abc import Iterable

from emulator.debugger.errors import DebuggerError
from emulator.debugger.memory import variables_of
from emulator.debugger.patterns import FORMATS
from emulator.debugger.places import labels_of
from emulator.debugger.session import Session
from emulator.isa.special_registers import SPECIAL_REGISTERS


def count_of(text: str, default: int = 1) -> int:
    """A repeat count."""
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise DebuggerError("this is no count", text, 0, len(text), help="1 or more")
    return int(text)


def number_of(text: str, what: str) -> int:
    """One number that has to be there."""
    if not text.isdecimal():
        raise DebuggerError(f"{what} is a number" if text else f"{what} is missing", text, 0, len(text))
    return int(text)


def form_of(text: str) -> tuple[str, str]:
    """(form, rest) of `/x %r3`."""
    if not text.startswith("/"):
        return "", text
    form, _, rest = text[1:].partition(" ")
    return form, rest.strip()


def base_of(form: str, text: str) -> int | None:
    """The base of a format letter; None if there is none."""
    if not form:
        return None
    if form not in FORMATS:
        raise DebuggerError(f"no format is called /{form}", help=f"there is {', '.join(f'/{one}' for one in FORMATS)}")
    return FORMATS[form]


def places(session: Session, text: str) -> Iterable[str]:
    """Labels, functions and opcodes."""
    for program in session.programs:
        yield from labels_of(program)
        yield from program.functions
        yield from sorted({f"opcode:{instruction.opcode}" for instruction in program.instructions})


def registers(session: Session, text: str) -> Iterable[str]:
    """Registers of the function in focus, special registers, variables and buffers."""
    if session.warp is None:
        return
    yield from (register.name for register in session.instruction.function.registers)
    yield from (f"%{name}" for name in SPECIAL_REGISTERS)
    yield from variables_of(session.runner, session.warp, session.pc)


def breakpoints(session: Session, text: str) -> Iterable[str]:
    """Numbers of breakpoints, watchpoints and catches."""
    yield from map(str, [*session.breakpoints, *session.checks])
