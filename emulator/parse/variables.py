"""Declarations of variables, registers and parameters (manual, 5.4 and 5.1.6)."""

from __future__ import annotations

from emulator.errors import Label, Span
from emulator.parse.constants import expression, integer, integer_expression, literal, wrap
from emulator.parse.cursor import Cursor, suggestion
from emulator.parse.nodes import Initial, Integer, Property, Registers, SymbolValue, Variable
from emulator.ptx_types import OPAQUE_TYPES, TYPES

SPACES = frozenset({".reg", ".const", ".global", ".local", ".param", ".shared", ".tex"})
LINKAGES = frozenset({".extern", ".visible", ".weak", ".common"})
_OPAQUE = frozenset("." + name for name in OPAQUE_TYPES[:3])
_FUNDAMENTAL = ".u8 .u16 .u32 .u64 .s8 .s16 .s32 .s64 .b8 .b16 .b32 .b64 .b128 .f16 .f16x2 .f32 .f64 .pred"
VARIABLE_TYPES = _OPAQUE.union(_FUNDAMENTAL.split())
_POINTER_SPACES = SPACES - {".reg", ".tex"} | _OPAQUE
MAX_NESTING = 100


class Declaration:
    """What stands before the names of a declaration."""

    def __init__(self, linkage: str = "") -> None:
        self.linkage = linkage
        self.space = ""
        self.type = ""
        self.vector = 1
        self.align = 0
        self.bank: int | None = None
        self.attributes: tuple[str, ...] = ()
        self.pointer: tuple[str, int] | None = None

    def read(self, cursor: Cursor) -> None:
        """Pass `.attribute(...) .space .align N .v4 .type`; the current token is the first of them."""
        while cursor.word == ".attribute":
            self.attributes += attributes(cursor)
        if cursor.word not in SPACES:
            cursor.unexpected("a state space such as `.global` or `.shared`")
        self.space = cursor.word[1:]
        cursor.advance()
        if self.space == "const" and cursor.accept("["):
            self.bank = integer(cursor, "a bank number")
            cursor.expect("]")
        while not self.type:
            self._part(cursor)

    def _part(self, cursor: Cursor) -> None:
        word = cursor.word
        if word == ".align":
            self.align = alignment(cursor)
        elif word == ".attribute":
            self.attributes += attributes(cursor)
        elif word in (".v2", ".v4") and self.vector == 1:
            self.vector = int(word[2])
            cursor.advance()
        elif word in VARIABLE_TYPES:
            self.type = word[1:]
            cursor.advance()
        elif word[1:] in TYPES:
            cursor.unexpected("a type that a variable may have", help=_replacement(word[1:]))
        else:
            cursor.unexpected("a type such as `.b32`", help=suggestion(word, VARIABLE_TYPES))

    def read_pointer(self, cursor: Cursor) -> None:
        """Pass `.ptr .space .align N` and a late `.align` of a kernel parameter (manual, 5.1.6.3)."""
        if cursor.accept(".ptr"):
            space = ""
            if cursor.word in _POINTER_SPACES:
                space = cursor.word[1:]
                cursor.advance()
            self.pointer = (space, alignment(cursor) if cursor.word == ".align" else 0)
        elif cursor.word == ".align":
            self.align = alignment(cursor)

    def variable(self, name: str, span: Span) -> Variable:
        """The variable of a name, without what follows the name."""
        return Variable(
            self.space,
            self.type,
            name,
            self.linkage,
            self.vector,
            self.align,
            attributes=self.attributes,
            pointer=self.pointer,
            bank=self.bank,
            span=span,
        )


def _replacement(name: str) -> str:
    kind = TYPES[name]
    if kind.width < 8 or kind.width == 1:
        return f".{name} is only an instruction type"
    return f".{name} is only an instruction type: declare .b{kind.width}"


def alignment(cursor: Cursor) -> int:
    """Pass `.align N`."""
    cursor.advance()
    return integer(cursor, "an alignment in bytes")


def attributes(cursor: Cursor) -> tuple[str, ...]:
    """Pass `.attribute(.managed, .unified(1, 2))` (manual, 5.4.8)."""
    cursor.advance()
    cursor.expect("(")
    found = [_attribute(cursor)]
    while cursor.accept(","):
        found.append(_attribute(cursor))
    cursor.expect(")")
    return tuple(found)


def _attribute(cursor: Cursor) -> str:
    word = cursor.take("dotted", "an attribute such as `.managed`")
    if not cursor.accept("("):
        return word
    values = [integer(cursor)]
    while cursor.accept(","):
        values.append(integer(cursor))
    cursor.expect(")")
    return f"{word}({', '.join(map(str, values))})"


def variables(cursor: Cursor, linkage: str = "") -> list[Registers | Variable]:
    """Pass a declaration statement up to its semicolon."""
    start = cursor.start
    declaration = Declaration(linkage)
    declaration.read(cursor)
    if declaration.space == "reg":
        return [_registers(cursor, declaration, start)]
    found: list[Registers | Variable] = [_variable(cursor, declaration)]
    while cursor.accept(","):
        found.append(_variable(cursor, declaration))
    cursor.expect_semicolon("`,`, `=`, `[` or `;`")
    return found


def _registers(cursor: Cursor, declaration: Declaration, start: int) -> Registers:
    names = [_register(cursor)]
    while cursor.accept(","):
        names.append(_register(cursor))
    if cursor.word == "=":
        cursor.unexpected("`,` or `;`", help="a register has no initial value: set it with `mov`")
    if cursor.word == "[":
        cursor.unexpected("`,` or `;`", help="registers have no arrays: `%r<4>` declares %r0 to %r3")
    cursor.expect_semicolon("`,` or `;`")
    return Registers(declaration.type, declaration.vector, tuple(names), declaration.align, cursor.since(start))


def _register(cursor: Cursor) -> tuple[str, int | None]:
    name = cursor.take_name("a register name")
    return name, count(cursor)


def count(cursor: Cursor) -> int | None:
    """Pass the `<N>` of a parameterised name, if there is one (manual, 5.4.6)."""
    if not cursor.accept("<"):
        return None
    found = integer(cursor, "a count")
    cursor.expect(">")
    return found


def _variable(cursor: Cursor, declaration: Declaration) -> Variable:
    span = cursor.span
    variable = declaration.variable(cursor.take_name("a variable name"), span)
    variable.count = count(cursor)
    variable.dimensions = _dimensions(cursor)
    if cursor.accept("="):
        variable.initial = _initial(cursor)
    return variable


def _dimensions(cursor: Cursor) -> tuple[int, ...]:
    found: list[int] = []
    while cursor.accept("["):
        span = cursor.span
        size = 0 if cursor.word == "]" and not found else integer_expression(cursor, "an array size").value
        if size < 0:
            cursor.fail(f"an array of {size} elements", cursor.since(span.start))
        cursor.expect("]")
        found.append(size)
    return tuple(found)


def parameter(cursor: Cursor) -> Variable:
    """Pass one parameter of an entry, a function or a call prototype."""
    declaration = Declaration()
    if cursor.word not in (".param", ".reg"):
        cursor.unexpected("a parameter, which begins with `.param` or `.reg`")
    declaration.read(cursor)
    declaration.read_pointer(cursor)
    span = cursor.span
    variable = declaration.variable(cursor.take("name", "a parameter name"), span)
    variable.dimensions = _dimensions(cursor)
    return variable


# --- initialisers ----------------------------------------------------------------------------------


def _initial(cursor: Cursor) -> Initial:
    """Pass a value or nested lists of values (manual, 5.4.4)."""
    if cursor.word != "{":
        return _initial_value(cursor)
    lists: list[tuple[Span, list[Initial]]] = []
    while True:
        while cursor.word == "{":
            lists.append((cursor.span, []))
            if len(lists) > MAX_NESTING:
                cursor.fail(f"lists nested deeper than {MAX_NESTING}", cursor.span)
            cursor.advance()
        if cursor.word != "}":
            lists[-1][1].append(_initial_value(cursor))
        while cursor.word == "}":
            _, values = lists.pop()
            cursor.advance()
            if not lists:
                return tuple(values)
            lists[-1][1].append(tuple(values))
        if not cursor.accept(","):
            related = Label(lists[-1][0], "opened here")
            cursor.fail(f"expected `,` or `}}`, found {cursor.found()}", cursor.span, related=related)
        if cursor.word == "}":
            cursor.unexpected("a value", help="remove the comma before it")


def _initial_value(cursor: Cursor) -> Initial:
    kind, following = cursor.peek()
    if cursor.kind == "name" and cursor.word != "WARP_SZ":
        if following == "=" and kind == "punctuation":
            return _property(cursor)
        return _symbol(cursor, None)
    if cursor.kind == "number" and following == "(":
        return _masked(cursor)
    return expression(cursor)


def _property(cursor: Cursor) -> Property:
    name = cursor.take_name()
    cursor.advance()
    if cursor.kind == "number":
        return Property(name, integer(cursor))
    return Property(name, cursor.take_name("a value of this field"))


def _symbol(cursor: Cursor, mask: int | None) -> SymbolValue:
    """Pass `sym`, `generic(sym)` and a `+n` behind either."""
    name = cursor.take_name("a symbol")
    generic = name == "generic" and cursor.accept("(")
    if generic:
        name = cursor.take_name("a symbol")
        cursor.expect(")", help="an offset stands behind the parenthesis: `generic(sym)+4`")
    if cursor.word == "-":
        cursor.unexpected("`+`", help="write `+-n` for a negative offset")
    offset = wrap(integer_expression(cursor).value, False).value if cursor.accept("+") else 0
    return SymbolValue(name, offset, generic, mask)


def _masked(cursor: Cursor) -> Initial:
    """Pass `0xFF00(sym)`: one byte of an address or of an integer (manual, 5.4.4)."""
    span = cursor.span
    mask = literal(cursor.word)
    if not isinstance(mask, Integer):
        cursor.fail("a mask is an integer such as `0xFF00`", span)
    cursor.advance()
    cursor.advance()
    if cursor.kind == "name" and cursor.word != "WARP_SZ":
        found: Initial = _symbol(cursor, mask.value)
    else:
        shift = (mask.value & -mask.value).bit_length() - 1 if mask.value else 0
        found = Integer((integer_expression(cursor).value & mask.value) >> shift)
    cursor.expect(")")
    return found
