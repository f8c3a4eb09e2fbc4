"""Directives of modules and functions (manual, 11)."""

from __future__ import annotations

import re

from emulator.errors import Label, Span
from emulator.parse.constants import integer
from emulator.parse.cursor import Cursor
from emulator.parse.lexer import TRIVIA
from emulator.parse.nodes import (
    Alias,
    BranchTargets,
    CallPrototype,
    CallTargets,
    File,
    Function,
    FunctionDirective,
    Loc,
    ModuleDirective,
    Pragma,
    Section,
    Variable,
)
from emulator.parse.variables import LINKAGES, SPACES, attributes, count, parameter

# How many integers a performance or cluster directive takes: (least, most), by what it may stand on.
_ENTRY_DIRECTIVES = {
    ".maxntid": (1, 3),
    ".reqntid": (1, 3),
    ".minnctapersm": (1, 1),
    ".maxnctapersm": (1, 1),
    ".maxnreg": (1, 1),
    ".reqnctapercluster": (1, 3),
    ".explicitcluster": (0, 0),
    ".maxclusterrank": (1, 1),
    ".blocksareclusters": (0, 0),
}
_FUNC_DIRECTIVES = {".noreturn": (0, 0), ".abi_preserve": (1, 1), ".abi_preserve_control": (1, 1)}
_MAX_TARGETS = 1 << 16


def module_directive(cursor: Cursor) -> ModuleDirective:
    """Pass `.version 9.0`, `.target sm_90a, debug` or `.address_size 64` (manual, 11.1)."""
    start, name = cursor.start, cursor.word
    cursor.advance()
    if name == ".version":
        if cursor.kind != "number" or not re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", cursor.word):
            cursor.unexpected("a version such as `9.0`")
        values: tuple[str, ...] = (cursor.word,)
        cursor.advance()
    elif name == ".address_size":
        if cursor.word not in ("32", "64"):
            cursor.unexpected("`32` or `64`")
        values = (cursor.word,)
        cursor.advance()
    else:
        values = tuple(_names(cursor, "a target such as `sm_90a`"))
    return ModuleDirective(name[1:], values, cursor.since(start))


def _names(cursor: Cursor, expected: str) -> list[str]:
    found = [cursor.take_name(expected)]
    while cursor.accept(","):
        found.append(cursor.take_name(expected))
    return found


def function(cursor: Cursor, linkage: str) -> Function:
    """Pass `.entry` or `.func` up to its body, which the parser reads (manual, 11.2)."""
    kind = cursor.word[1:]
    cursor.advance()
    directives: list[FunctionDirective] = []
    returns: tuple[Variable, ...] = ()
    if kind == "func":
        while cursor.word == ".attribute":
            directives.append(FunctionDirective("attribute", attributes(cursor)))
        if cursor.word == "(":
            returns = parameters(cursor)[0]
    span = cursor.span
    name = cursor.take_name("the name of a kernel" if kind == "entry" else "the name of a function")
    given, variadic = parameters(cursor) if cursor.word == "(" else ((), False)
    directives += function_directives(cursor, _ENTRY_DIRECTIVES if kind == "entry" else _FUNC_DIRECTIVES, kind)
    return Function(kind, name, given, returns, linkage, tuple(directives), variadic=variadic, span=span)


def parameters(cursor: Cursor) -> tuple[tuple[Variable, ...], bool]:
    """Pass a parameter list with its parentheses: (parameters, whether it ends in `...`)."""
    opener = cursor.span
    cursor.advance()
    found: list[Variable] = []
    if cursor.accept(")"):
        return (), False
    while not cursor.accept("..."):
        found.append(parameter(cursor))
        if cursor.word != ",":
            _close(cursor, opener)
            return tuple(found), False
        cursor.advance()
    _close(cursor, opener)
    return tuple(found), True


def _close(cursor: Cursor, opener: Span) -> None:
    if cursor.word != ")":
        found = cursor.found()
        cursor.fail(f"expected `,` or `)`, found {found}", cursor.span, related=Label(opener, "opened here"))
    cursor.advance()


def function_directives(cursor: Cursor, allowed: dict[str, tuple[int, int]], kind: str) -> list[FunctionDirective]:
    """Pass the directives between a parameter list and the body."""
    found = []
    while cursor.kind == "dotted" and cursor.word not in _NEXT_ITEMS:
        if cursor.word == ".pragma" and kind == "entry":
            found.append(FunctionDirective("pragma", pragma(cursor).strings))
        elif cursor.word in allowed:
            found.append(_function_directive(cursor, *allowed[cursor.word]))
        else:
            cursor.unexpected(f"a directive of {'an' if kind == 'entry' else 'a'} .{kind}", help=", ".join(allowed))
    return found


# A directive that opens the next item ends a declaration without `;`, which ptxas takes too.
_NEXT_ITEMS = LINKAGES | SPACES | {".entry", ".func", ".file", ".section", ".alias", ".attribute"}


def _function_directive(cursor: Cursor, least: int, most: int) -> FunctionDirective:
    name = cursor.word[1:]
    cursor.advance()
    values: list[int | str] = []
    if least:
        values.append(integer(cursor))
        while len(values) < most and cursor.accept(","):
            values.append(integer(cursor))
    return FunctionDirective(name, tuple(values))


# --- statements of modules and bodies ----------------------------------------------------------------


def pragma(cursor: Cursor) -> Pragma:
    """Pass `.pragma "a", "b";` (manual, 11.4.7)."""
    start = cursor.start
    cursor.advance()
    strings = [_string(cursor)]
    while cursor.accept(","):
        strings.append(_string(cursor))
    cursor.expect_semicolon("`,` or `;`")
    return Pragma(tuple(strings), cursor.since(start))


def _string(cursor: Cursor) -> str:
    return cursor.take("string", "a string in double quotes")[1:-1]


def alias(cursor: Cursor) -> Alias:
    """Pass `.alias a, b;` (manual, 11.2.3)."""
    start = cursor.start
    cursor.advance()
    name = cursor.take_name("a function name")
    cursor.expect(",")
    target = cursor.take_name("a function name")
    cursor.expect_semicolon()
    return Alias(name, target, cursor.since(start))


def file(cursor: Cursor) -> File:
    """Pass `.file 1 "a.cu", timestamp, size` (manual, 11.5.3)."""
    start = cursor.start
    cursor.advance()
    index = integer(cursor, "a file number")
    path = _string(cursor)
    timestamp = integer(cursor, "a time stamp") if cursor.accept(",") else None
    size = integer(cursor, "a file size") if timestamp is not None and cursor.accept(",") else None
    return File(index, path, timestamp, size, cursor.since(start))


def loc(cursor: Cursor) -> Loc:
    """Pass `.loc 1 2 3` and `, function_name sym+4, inlined_at 1 2 3` (manual, 11.5.4)."""
    start = cursor.start
    cursor.advance()
    found = Loc(*_place(cursor))
    while cursor.accept(","):
        word = cursor.word
        if word == "function_name":
            cursor.advance()
            if cursor.kind not in ("name", "dotted"):
                cursor.unexpected("a label of .debug_str")
            found.function_name = cursor.word
            cursor.advance()
            found.function_offset = integer(cursor, "an offset") if cursor.accept("+") else 0
        elif word == "inlined_at":
            cursor.advance()
            found.inlined_at = _place(cursor)
        else:
            cursor.unexpected("`function_name` or `inlined_at`")
    found.span = cursor.since(start)
    return found


def _place(cursor: Cursor) -> tuple[int, int, int]:
    return integer(cursor, "a file number"), integer(cursor, "a line number"), integer(cursor, "a column")


def targets(cursor: Cursor, label: str, start: int) -> BranchTargets | CallTargets:
    """Pass the list of `label: .branchtargets a, b<3>;` or `.calltargets f, g;` (manual, 11.3)."""
    branches = cursor.word == ".branchtargets"
    cursor.advance()
    found = _target(cursor)
    while cursor.accept(","):
        found += _target(cursor)
    cursor.expect_semicolon("`,` or `;`")
    span = cursor.since(start)
    return BranchTargets(label, tuple(found), span) if branches else CallTargets(label, tuple(found), span)


def _target(cursor: Cursor) -> list[str]:
    name = cursor.take_name("a label or a function name")
    span = cursor.span
    number = count(cursor)
    if number is None:
        return [name]
    if number > _MAX_TARGETS:
        cursor.fail(f"more than {_MAX_TARGETS} branch targets", cursor.since(span.start))
    return [f"{name}{index}" for index in range(number)]


def prototype(cursor: Cursor, label: str, start: int) -> CallPrototype:
    """Pass `label: .callprototype (returns) _ (parameters) directives;` (manual, 11.3.3)."""
    cursor.advance()
    returns = parameters(cursor)[0] if cursor.word == "(" else ()
    cursor.expect("_")
    given = parameters(cursor)[0] if cursor.word == "(" else ()
    directives = tuple(function_directives(cursor, _FUNC_DIRECTIVES, "func"))
    cursor.expect_semicolon()
    return CallPrototype(label, returns, given, directives, cursor.since(start))


# --- debug sections ----------------------------------------------------------------------------------

_VALUE = r"[-+]?[\w.$]++"
_VALUES = rf"{_VALUE}(?:\s*[-+]\s*{_VALUE})?"
_DWARF_LINE = re.compile(
    rf"{TRIVIA}(?:([\w$.]+)\s*:|(\.b(?:8|16|32|64))\s+({_VALUES}(?:{TRIVIA},{TRIVIA}{_VALUES})*+))",
    re.ASCII | re.DOTALL,
)
_BLANK = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.ASCII | re.DOTALL)


def section(cursor: Cursor) -> Section:
    """Pass `.section .name { lines }`; the lines are kept, with their white space normalised (manual, 11.5.2)."""
    start = cursor.start
    cursor.advance()
    name = cursor.take("dotted", "the name of a section, such as `.debug_info`")
    span, opener = cursor.since(start), cursor.span
    if cursor.word != "{":
        cursor.unexpected("`{`")
    lines = []
    at = cursor.end
    while match := _DWARF_LINE.match(cursor.text, at):
        label, size, values = match.groups()
        lines.append(f"{label}:" if label else f"{size} {_BLANK.sub('', values).replace(',', ', ')}")
        at = match.end()
    cursor.move(at)
    if cursor.word != "}":
        related = Label(opener, "opened here")
        cursor.fail(f"expected a line of a section or `}}`, found {cursor.found()}", cursor.span, related=related)
    cursor.advance()
    return Section(name, tuple(lines), span)
