"""The nodes of a PTX module (manual, chapters 4, 5, 6.4 and 11).

The parser knows the grammar, not the opcodes: an instruction is a dotted word and operands of a few
shapes.  Nodes compare by content; positions never take part in a comparison.  Operand nodes are shared
between instructions that spell them alike, so they carry no position: `Module.operand_spans` finds the
places of an instruction's operands when a diagnostic needs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from emulator.errors import Diagnostic, Source, Span
from emulator.parse import spans

NO_SPAN = Span(0, 0)


def _span() -> Span:
    return field(default=NO_SPAN, compare=False, repr=False)


# --- operands ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A register, variable, label or function: `%r1`, `%tid.x`, `v.y`, `%r1.b0`, `$L_1`, `_`."""

    name: str
    component: str | None = None


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer constant after evaluation of its expression (manual, 4.5); `unsigned` is its .u64 type.

    WARP_SZ is the integer 32.
    """

    value: int
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Float:
    """A float constant as bits: width 32 for `0f...`, 64 for `0d...` and decimal literals."""

    bits: int
    width: int


@dataclass(frozen=True, slots=True)
class Vector:
    """`{a, b, ...}`, of any length."""

    elements: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """`p|q`: two results of one instruction."""

    first: Operand
    second: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """`!p`."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Negative:
    """`-a` before a register (video instructions)."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Offset:
    """`base + n`: a register or variable and a constant number of bytes, signed."""

    base: Name
    offset: int


@dataclass(frozen=True, slots=True)
class Element:
    """`a[2]`, `a[%r1]`, `a[%r1+2]`: an element of an array, counted in elements (manual, 6.4.2)."""

    base: Name
    index: Name | Integer | Offset


@dataclass(frozen=True, slots=True)
class Address:
    """`[a]`, `[a+4]`, `[16]`, `[a, {x, y}]`, `[map, {c0, c1}, ...]`: what stands between the brackets.

    attribute: "unified" for `[a].unified` (manual, 9.7.9.8).
    """

    elements: tuple[Operand, ...]
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """`(a, b)`: the result and argument lists of a call."""

    elements: tuple[Operand, ...]


Operand = Name | Integer | Float | Vector | Pair | Not | Negative | Offset | Element | Address | Group


# --- statements of a body ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guard:
    """`@p` or `@!p`."""

    name: str
    negated: bool = False


@dataclass(slots=True)
class Instruction:
    """`@p opcode.mods a, b;`  opcode is the whole dotted word, `add.sat.s32`."""

    opcode: str
    operands: tuple[Operand, ...]
    guard: Guard | None = None
    span: Span = _span()


@dataclass(slots=True)
class LabelMark:
    """`name:`; `name: .branchtargets ...` and its like carry the label in their own node."""

    name: str
    span: Span = _span()


@dataclass(slots=True)
class Registers:
    """`.reg .b32 %r<5>, %x;`  names: (name, count or None)."""

    type: str
    vector: int  # 1, 2 or 4
    names: tuple[tuple[str, int | None], ...]
    align: int = 0
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SymbolValue:
    """An address in an initialiser: `sym`, `sym+4`, `generic(sym)`, `0xFF(sym)` (mask)."""

    name: str
    offset: int = 0
    generic: bool = False
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """`filter_mode = nearest`: a field of an opaque variable's initialiser (manual, 5.3)."""

    name: str
    value: str | int


Initial = Union[Integer, Float, SymbolValue, Property, "tuple[Initial, ...]"]


@dataclass(slots=True)
class Variable:
    """A declaration outside the register space, one name each (manual, 5.4).

    dimensions: 0 stands for `[]`.  attributes: the words of `.attribute(...)`.  count: `name<N>`.
    pointer: of a kernel parameter `.ptr`, `(space or "", alignment or 0)`.  span: the name's.
    """

    space: str  # "global", "shared", "const", "local", "param", "tex", "reg" (parameters of a .func)
    type: str
    name: str
    linkage: str = ""  # "", "extern", "visible", "weak", "common"
    vector: int = 1
    align: int = 0
    dimensions: tuple[int, ...] = ()
    initial: Initial | None = None
    count: int | None = None
    attributes: tuple[str, ...] = ()
    pointer: tuple[str, int] | None = None
    bank: int | None = None  # .const[n], deprecated
    span: Span = _span()


@dataclass(slots=True)
class Block:
    """`{ ... }`: statements with a scope of their own for registers, labels and variables."""

    statements: list[Statement]
    span: Span = _span()


@dataclass(slots=True)
class Loc:
    """`.loc file line column` with `function_name sym+off, inlined_at file line column`."""

    file: int
    line: int
    column: int
    function_name: str | None = None
    function_offset: int = 0
    inlined_at: tuple[int, int, int] | None = None
    span: Span = _span()


@dataclass(slots=True)
class Pragma:
    """`.pragma "a", "b";`"""

    strings: tuple[str, ...]
    span: Span = _span()


@dataclass(slots=True)
class BranchTargets:
    """`name: .branchtargets a, b;`"""

    name: str
    labels: tuple[str, ...]
    span: Span = _span()


@dataclass(slots=True)
class CallTargets:
    """`name: .calltargets f, g;`"""

    name: str
    functions: tuple[str, ...]
    span: Span = _span()


@dataclass(slots=True)
class CallPrototype:
    """`name: .callprototype (returns) _ (parameters) directives;`"""

    name: str
    returns: tuple[Variable, ...]
    parameters: tuple[Variable, ...]
    directives: tuple[FunctionDirective, ...] = ()
    span: Span = _span()


Statement = (
    Instruction | LabelMark | Registers | Variable | Block | Loc | Pragma | BranchTargets | CallTargets | CallPrototype
)


# --- the module ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FunctionDirective:
    """`.maxntid 256, 1, 1`, `.noreturn`, `.minnctapersm 2`, `.attribute(...)`, `.pragma "..."`: word and values."""

    name: str
    values: tuple[int | str, ...] = ()


@dataclass(slots=True)
class Function:
    """A `.entry` or `.func`; body None is a declaration.  A trailing `...` is kept in `variadic`."""

    kind: str  # "entry" or "func"
    name: str
    parameters: tuple[Variable, ...] = ()
    returns: tuple[Variable, ...] = ()
    linkage: str = ""
    directives: tuple[FunctionDirective, ...] = ()
    body: Block | None = None
    variadic: bool = False
    span: Span = _span()  # of the name


@dataclass(slots=True)
class File:
    """`.file 1 "a.cu", 123, 456`"""

    index: int
    path: str
    timestamp: int | None = None
    size: int | None = None
    span: Span = _span()


@dataclass(slots=True)
class Section:
    """`.section .debug_str { ... }`: DWARF data, a line for each `.b8 1, 2` and `label:`, white space normalised."""

    name: str
    lines: tuple[str, ...]
    span: Span = _span()


@dataclass(slots=True)
class Dwarf:
    """`@@DWARF ...` lines of old modules, kept as text."""

    text: str
    span: Span = _span()


@dataclass(slots=True)
class Alias:
    """`.alias a, b;`"""

    name: str
    target: str
    span: Span = _span()


@dataclass(slots=True)
class ModuleDirective:
    """`.version`, `.target`, `.address_size` and other bare module directives (`.blocksareclusters`)."""

    name: str
    values: tuple[str, ...]
    span: Span = _span()


Item = Function | Variable | Registers | File | Section | Dwarf | Alias | Pragma | ModuleDirective


@dataclass(slots=True)
class Module:
    """A parsed text: its directives and items in order."""

    source: Source = field(compare=False, repr=False)
    version: tuple[int, int]
    target: tuple[str, ...]  # architecture first, then options
    address_size: int
    items: list[Item]
    warnings: list[Diagnostic] = field(default_factory=list, compare=False, repr=False)

    @property
    def functions(self) -> dict[str, Function]:
        """Functions by name; a definition wins over its declarations."""
        found: dict[str, Function] = {}
        for item in self.items:
            if isinstance(item, Function) and (item.name not in found or item.body is not None):
                found[item.name] = item
        return found

    @property
    def entries(self) -> list[Function]:
        """The kernels, in order."""
        return [item for item in self.functions.values() if item.kind == "entry" and item.body is not None]

    def operand_spans(self, instruction: Instruction) -> list[Span]:
        """The places of an instruction's operands, in order."""
        return spans.operand_spans(self.source, instruction)

    def opcode_span(self, instruction: Instruction) -> Span:
        """The place of an instruction's dotted word."""
        return spans.opcode_span(self.source, instruction)

    def guard_span(self, instruction: Instruction) -> Span | None:
        """The place of an instruction's `@p`."""
        return spans.guard_span(self.source, instruction)
