"""PTX lines with a marker at the focus, in the colours of our own lexer."""

from __future__ import annotations

from emulator.debugger.lines import Line, clip, paint
from emulator.debugger.origins import Origin, origin_of
from emulator.debugger.session import Session
from emulator.errors import Source
from emulator.parse import tokens
from emulator.program import Program

PTX_WIDTH = 42  # of the PTX where source stands beside it


def code(source: Source, number: int) -> Line:
    """A line of a text with tabs as four blanks, coloured as the statement that it is alone."""
    text = source.line(number).expandtabs(4)
    line = Line(text)
    line.spans = tuple((token.span.start, token.span.end, token.kind) for token in tokens(text))
    return line


def stripped(line: Line) -> Line:
    """Without the blanks at its start."""
    lead = len(line) - len(line.lstrip())
    after = Line(line[lead:])
    after.spans = tuple((max(0, a - lead), b - lead, style) for a, b, style in line.spans if b > lead)
    return after


def marked(session: Session, first: int, last: int) -> list[str]:
    """Lines of the text in focus, `=>` at the next instruction, `*` where breakpoints stand."""
    program = session.programs[0] if session.warp is None else session.require_warp().cta.grid.program
    here = session.instruction.line if session.warp is not None else 0
    stops = breakpoint_lines(session, program)
    lines: list[str] = []
    for number in range(max(1, first), min(last, program.source.line_count) + 1):
        marker = ("=>", "here") if number == here else "  "
        sign = ("*", "breakpoint") if number in stops else " "
        lines.append(clip(paint(" ", sign, marker, f"{number:5}  ", code(program.source, number))))
    return lines


def beside(session: Session, first: int, last: int) -> list[str]:
    """The same with the lines of the source that `.loc` names on the right, where it names any."""
    lines = marked(session, first, last)
    program = session.programs[0] if session.warp is None else session.require_warp().cta.grid.program
    known: dict[int, Origin] = {}
    for instruction in program.instructions:
        if first <= instruction.line <= last:
            origin = origin_of(session, program, instruction)
            if origin is not None:
                known.setdefault(instruction.line, origin)
    shown: Origin | None = None
    found: list[str] = []
    for number, line in enumerate(lines, max(1, first)):
        origin = known.get(number, shown)
        if origin is not None and (shown is None or origin.file != shown.file):
            found.append(paint((" " * PTX_WIDTH + f" | {origin.file}", "dim")))
        if origin == shown or origin is None:
            found.append(line)
        else:
            left = clip(line, PTX_WIDTH)
            room = " " * (PTX_WIDTH - len(left))
            found.append(clip(paint(left, room, (f" | {origin.line:4}  {origin.text}", "label"))))
        shown = origin
    return found


def breakpoint_lines(session: Session, program: Program) -> set[int]:
    """Lines of a program with an enabled breakpoint."""
    found = [b.place.pcs.get(program, ()) for b in session.breakpoints.values() if b.enabled]
    return {program.instructions[pc].line for pcs in found for pc in pcs}
