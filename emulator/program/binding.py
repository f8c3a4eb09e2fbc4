"""One operand: checked against its syntax line's spec, and bound to a place (manual, chapter 6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.isa.registry import Limit, Variant
from emulator.isa.signature import OperandSpec
from emulator.isa.special_registers import COMPONENTS, SPECIAL_REGISTERS
from emulator.parse import nodes
from emulator.program.layout import element_bytes
from emulator.program.operands import (
    RESERVED_SHARED,
    Elements,
    FunctionAddress,
    Immediate,
    Operand,
    Packed,
    Register,
    Sink,
    Special,
    Storage,
    Symbol,
    Targets,
    space_of,
)
from emulator.program.scopes import Scope, nearest
from emulator.ptx_types import ScalarType, bits_type

if TYPE_CHECKING:
    from emulator.program.link import Linker


class Mismatch(Exception):
    """An operand that does not fit a syntax line; `depth` says how far the line was right."""

    def __init__(
        self, code: str, message: str, operand: int | None = None, *, depth: int = 1, help: str = "", label: str = ""
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.operand = code, message, operand
        self.depth, self.help, self.label = depth, help, label


NO_REGISTER = frozenset(("vec", "immediate", "static", "discard"))  # an operand that is not just any register


@dataclass(frozen=True, slots=True)
class Context:
    """What the operands of one instruction are bound in."""

    variant: Variant
    scope: Scope
    linker: Linker


def bind(context: Context, spec: OperandSpec, node: nodes.Operand) -> Operand:
    """Bind an operand that is no address."""
    if spec.kind == "label":
        return _bind_label(context, spec, node)
    if spec.kind == "labels":
        return _bind_labels(context, spec, node)
    kind = context.variant.operand_type(spec)
    assert kind is not None, f"{context.variant.entry.signature.line}: {spec.name} has no type"
    if type(node) is nodes.Name and node.component is None and spec.count <= 1 and spec.flags.isdisjoint(NO_REGISTER):
        found = context.scope.find(node.name)
        if type(found) is Register:  # the common case first
            check_register(context.variant, spec, found, kind)
            return Operand(spec.name, kind, found)
    negated = False
    if isinstance(node, nodes.Not):
        if not spec.negatable:
            raise Mismatch("PTX-P0113", f"operand {spec.name} of {context.variant.opcode} cannot be negated")
        negated, node = True, node.operand
    return _bind_value(context, spec, node, kind, negated)


def take_modifiers(context: Context, spec: OperandSpec, node: nodes.Operand) -> tuple[nodes.Operand, dict[str, Any]]:
    """A video operand without its sign and selector, and these as modifiers of the variant (manual, 9.7.18)."""
    found: dict[str, Any] = {}
    if isinstance(node, nodes.Negative) and spec.minus:
        found[spec.minus], node = True, node.operand
    if spec.selector is None:
        return node, found
    is_vector = isinstance(node, nodes.Name) and isinstance(context.scope.find(node.name), tuple)
    if not isinstance(node, nodes.Name) or node.component is None or is_vector:
        return node, found
    if not spec.selector.admits(node.component):
        raise Mismatch("PTX-P0113", f".{node.component} is no part of operand {spec.name} of {context.variant.opcode}")
    found[spec.selector.name] = node.component
    return nodes.Name(node.name), found


def bind_constant(context: Context, spec: OperandSpec, node: nodes.Operand) -> int:
    """The number of an operand that is a constant."""
    place = bind(context, spec, node).place
    assert isinstance(place, Immediate)
    return place.bits


def _bind_value(
    context: Context, spec: OperandSpec, node: nodes.Operand, kind: ScalarType, negated: bool = False
) -> Operand:
    count = _element_count(context, spec)
    if isinstance(node, nodes.Vector) and "vec" in spec.flags and count is None and len(node.elements) == 1:
        node = node.elements[0]  # Triton writes ld.global.b32 {%r1}, [%rd1], and ptxas takes it
    if isinstance(node, nodes.Vector):
        return _bind_vector(context, spec, node, kind, count)
    if isinstance(node, (nodes.Integer, nodes.Float)):
        if spec.is_result:
            raise Mismatch("PTX-P0113", f"the result of {context.variant.opcode} is a constant", help="use a register")
        _check_limit(context, spec, node)
        return Operand(spec.name, kind, Immediate(constant_bits(node, kind)), negated)
    if spec.flags & {"immediate", "static"}:
        raise Mismatch("PTX-P0113", f"operand {spec.name} of {context.variant.opcode} is a constant expression")
    if isinstance(node, nodes.Offset):
        return Operand(spec.name, kind, _symbol_address(context, spec, node.base, node.offset, kind), negated)
    if isinstance(node, nodes.Element):
        offset = element_offset(context, node)
        return Operand(spec.name, kind, _symbol_address(context, spec, node.base, offset, kind), negated)
    if isinstance(node, nodes.Negative):
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} does not take a negated register", help="use neg first")
    if not isinstance(node, nodes.Name):
        raise Mismatch("PTX-P0113", f"operand {spec.name} of {context.variant.opcode} is a register or a constant")
    if node.name == "_":
        return Operand(spec.name, kind, _sink(context, spec))
    if "discard" in spec.flags:
        text = f"the result of {context.variant.opcode} cannot be kept"
        raise Mismatch("PTX-P0113", text, depth=20, help=f"write _ instead of {node.name}")
    place = _name_place(context, spec, node, kind)
    if isinstance(place, Elements) and count is not None and len(place.elements) != count:
        raise Mismatch("PTX-P0113", f"{node.name} has {len(place.elements)} elements, {count} are needed")
    if count is not None and count > 1 and not isinstance(place, Elements):
        raise Mismatch("PTX-P0113", f"a vector of {count} registers is needed here", help="write {a, b, ...}")
    return Operand(spec.name, kind, place, negated)


def element_offset(context: Context, node: nodes.Element) -> int:
    """Where `a[n]` lies in an array, in bytes (manual, 6.4.2)."""
    found = context.scope.find(node.base.name)
    if found is None:
        raise undefined(context, node.base.name)
    if not isinstance(found, Storage) or found.node is None:
        raise Mismatch("PTX-P0113", f"{node.base.name} is no array", depth=20)
    if not isinstance(node.index, nodes.Integer):
        text = f"an index in a register, as in {node.base.name}[%r], is not executed yet"
        raise Mismatch("PTX-P0113", text, depth=20, help="compute the address in a register")
    return node.index.value * element_bytes(found.node)


def _check_limit(context: Context, spec: OperandSpec, node: nodes.Integer | nodes.Float) -> None:
    """The numbers that a constant may be."""
    limit = context.variant.entry.limits.get(spec.name)
    if "register" in spec.flags:
        text = f"operand {spec.name} of {context.variant.opcode} is a register, not a constant"
        raise Mismatch("PTX-P0113", text, help="move the constant to a register first")
    if limit is not None and isinstance(node, nodes.Integer) and node.value not in limit:
        text = f"operand {spec.name} of {context.variant.opcode} cannot be {node.value}"
        raise Mismatch("PTX-P0115", text, depth=20, help=f"it is {_describe_limit(limit)}")


def _describe_limit(limit: Limit) -> str:
    if isinstance(limit, tuple):
        return " or ".join(map(str, limit[:4])) + (" ..." if len(limit) > 4 else "")
    steps = f" in steps of {limit.step}" if limit.step > 1 else ""
    return f"{limit.start} to {limit[-1]}{steps}"


def _element_count(context: Context, spec: OperandSpec) -> int | None:
    """How many elements the operand has; None where a vector is not asked for."""
    if "vec" in spec.flags:
        vec = context.variant.get("vec")
        return int(vec[1:]) if vec else None
    return spec.count if spec.count > 1 else None


def _sink(context: Context, spec: OperandSpec) -> Sink:
    if spec.flags & {"sink", "discard"} and spec.is_result:
        return Sink()
    text = f"{context.variant.opcode} cannot throw away its operand {spec.name}"
    raise Mismatch("PTX-P0113", text, help="give it a register")


def _bind_vector(
    context: Context, spec: OperandSpec, node: nodes.Vector, kind: ScalarType, count: int | None
) -> Operand:
    size = len(node.elements)
    if all(isinstance(element, nodes.Name) and element.name == "_" for element in node.elements):
        raise Mismatch("PTX-P0113", "a vector needs one register at least", help="name the elements that you need")
    if "packed" in spec.flags and count is None:
        if size not in (2, 4, 8) or kind.width % size:
            raise Mismatch("PTX-P0113", f"{size} elements cannot make up one {kind}")
        part = bits_type(kind.width // size)
        single = OperandSpec(spec.name, "value", part.name, spec.flags & {"special"} | {"sink"})
        return Operand(spec.name, kind, Packed(tuple(_bind_value(context, single, e, part) for e in node.elements)))
    if count is None:
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} takes no vector as operand {spec.name}")
    if size != count:
        fix = "name one register for each element" if size < count else ""
        raise Mismatch("PTX-P0113", f"a vector of {count} is needed, found {size} elements", help=fix)
    flags = spec.flags - {"vec", "wide", "packed", "gaps"} | ({"sink"} if "gaps" in spec.flags else set())
    single = OperandSpec(spec.name, "value", spec.type_name, flags)
    return Operand(spec.name, kind, Elements(tuple(_bind_element(context, single, e, kind) for e in node.elements)))


def _bind_element(context: Context, spec: OperandSpec, node: nodes.Operand, kind: ScalarType) -> Operand:
    """An element of a vector; of halves an integer gives the bits, as ptxas has it."""
    if isinstance(node, nodes.Integer) and kind.width == 16 and not spec.is_result:
        return Operand(spec.name, kind, Immediate(node.value & 0xFFFF))
    return _bind_value(context, spec, node, kind)


def constant_bits(node: nodes.Integer | nodes.Float, kind: ScalarType) -> int:
    """A literal in the bits of a type (manual, 4.5): floats are rounded, integers wrap."""
    if isinstance(node, nodes.Integer):
        if kind.kind == "p":
            return int(node.value != 0)
        if kind.kind not in "usb":
            raise Mismatch(
                "PTX-P0114", f"an integer constant for a {kind} operand", help=f"write it as a float: {node.value}.0"
            )
        return node.value & ((1 << kind.width) - 1)
    if kind.is_float and kind.width in (32, 64):
        return _float_bits(node, kind.width)
    if kind.kind == "b" and node.width == kind.width:
        return node.bits
    raise Mismatch("PTX-P0114", f"a float constant for a {kind} operand", help="write its bits as an integer")


def _float_bits(node: nodes.Float, width: int) -> int:
    if node.width == width:
        return node.bits
    if width == 64:
        return int.from_bytes(struct.pack("<d", struct.unpack("<f", node.bits.to_bytes(4, "little"))[0]), "little")
    value = struct.unpack("<d", node.bits.to_bytes(8, "little"))[0]
    try:
        return int.from_bytes(struct.pack("<f", value), "little")
    except OverflowError:
        return 0xFF800000 if value < 0 else 0x7F800000


def _name_place(
    context: Context, spec: OperandSpec, node: nodes.Name, kind: ScalarType
) -> Register | Special | Symbol | FunctionAddress | Elements | Packed:
    found = context.scope.find(node.name)
    if isinstance(found, Register):
        if node.component is not None:
            raise Mismatch("PTX-P0113", f"{node.name} is no vector and has no .{node.component}")
        check_register(context.variant, spec, found, kind)
        return found
    if isinstance(found, tuple):
        return _vector_register(context, spec, node, found, kind)
    if isinstance(found, (Storage, FunctionAddress)):
        return _symbol_address(context, spec, node, 0, kind)
    if node.name.startswith("%") and node.name[1:] in SPECIAL_REGISTERS:
        return _special(context, spec, node, kind)
    raise undefined(context, node.name)


def undefined(context: Context, name: str) -> Mismatch:
    """The mismatch for a name that nothing declares."""
    known = context.scope.visible() | {"%" + word for word in SPECIAL_REGISTERS}
    kind = "register" if name.startswith("%") else "name"
    fix = context.scope.beyond_range(name) or nearest(name, known)
    fix = fix or (f"declare it: .reg .b32 {name};" if kind == "register" else "")
    return Mismatch("PTX-P0121", f"undefined {kind} {name}", depth=50, help=fix)


def _vector_register(
    context: Context, spec: OperandSpec, node: nodes.Name, found: tuple[Register, ...], kind: ScalarType
) -> Register | Elements | Packed:
    if node.component is None:
        packed = "packed" in spec.flags and kind.width % len(found) == 0
        if _element_count(context, spec) is None and not packed:
            raise Mismatch("PTX-P0113", f"{node.name} is a vector", help=f"name an element: {node.name}.x")
        part = bits_type(kind.width // len(found)) if packed else kind
        for register in found:
            check_register(context.variant, spec, register, part)
        parts = tuple(Operand(spec.name, part, register) for register in found)
        return Packed(parts) if packed else Elements(parts)
    index = COMPONENTS.get(node.component)
    if index is None or index >= len(found):
        raise Mismatch("PTX-P0113", f"{node.name} has no element .{node.component}")
    check_register(context.variant, spec, found[index], kind)
    return found[index]


def _special(context: Context, spec: OperandSpec, node: nodes.Name, kind: ScalarType) -> Special | Symbol | Elements:
    row = SPECIAL_REGISTERS[node.name[1:]]
    if "special" not in spec.flags or spec.is_result:
        name = f"{node.name}.{node.component}" if node.component else node.name
        text = f"the special register {name} cannot be operand {spec.name} of {context.variant.opcode}"
        raise Mismatch("PTX-P0113", text, help=f"copy it first: mov.{row.type.name} %r, {name};")
    context.linker.require(row.requires, f"the special register {node.name}")
    if row.type.width != kind.width and kind.width not in row.narrow:
        raise Mismatch("PTX-P0114", f"{node.name} is {row.type}, {context.variant.opcode} takes {kind}")
    if kind.kind not in "usbp":
        raise Mismatch("PTX-P0114", f"{node.name} is {row.type}, {context.variant.opcode} takes {kind}")
    if not row.vector:
        if node.component is not None:
            raise Mismatch("PTX-P0113", f"{node.name} has no element .{node.component}")
        return context.linker.reserved_shared() if node.name == RESERVED_SHARED else Special(row.name, row.type)
    if node.component is None:
        count = _element_count(context, spec)
        if count != 4:
            raise Mismatch("PTX-P0113", f"{node.name} is a vector of four", help=f"name an element: {node.name}.x")
        return Elements(tuple(Operand(spec.name, kind, Special(row.name, row.type, n)) for n in range(4)))
    if node.component not in COMPONENTS:
        raise Mismatch("PTX-P0113", f"{node.name} has no element .{node.component}")
    return Special(row.name, row.type, COMPONENTS[node.component])


def _symbol_address(
    context: Context, spec: OperandSpec, node: nodes.Name, addend: int, kind: ScalarType
) -> Symbol | FunctionAddress:
    found = context.scope.find(node.name)
    if found is None:
        raise undefined(context, node.name)
    if spec.is_result or "special" not in spec.flags or not isinstance(found, (Storage, FunctionAddress)):
        what = "variable" if isinstance(found, Storage) else "function" if found is not None else "name"
        if isinstance(found, Register):
            what = "register"
        text = f"{context.variant.opcode} does not take the {what} {node.name} as operand {spec.name}"
        fix = f"take its address with mov, or use [{node.name}] with ld or st" if what == "variable" else ""
        raise Mismatch("PTX-P0113", text, help=fix)
    if kind.width not in (32, 64) or kind.kind not in "usb":
        raise Mismatch("PTX-P0114", f"an address does not fit {kind}", help="use mov.u64 (or mov.u32 for shared)")
    _check_named_space(context, spec, found)
    if isinstance(found, FunctionAddress):
        context.linker.reference_function(found.name)
        return found
    return Symbol(context.linker.use_storage(found), addend, generic="generic" in spec.flags)


def _check_named_space(context: Context, spec: OperandSpec, found: Storage | FunctionAddress) -> None:
    """The variable whose address is taken lies in the space that the instruction names (cvta, mapa)."""
    named = "shared" if "shared" in spec.flags else context.variant.get("space")
    own = space_of(found) if isinstance(found, Storage) else "function"
    if own == "param" and isinstance(found, Storage) and found.space == "frame":
        own = "a function's parameters"  # those of a kernel have a generic address
    if isinstance(named, str) and named.partition("::")[0] != own:
        text = f"{found.name} is no variable of .{named}"
        raise Mismatch("PTX-P0113", text, depth=20, help="" if own == "function" else f"it is in {own}")


def check_register(variant: Variant, spec: OperandSpec, register: Register, kind: ScalarType) -> None:
    """The size and class rules of the manual's 6.1, 9.4.1 and table 27/28, as ptxas applies them."""
    have = register.type
    fixed = spec.type_name == kind.name and kind.name not in variant.modifiers
    if not _fits(have, kind, "relaxed" in spec.flags, fixed):
        fix = ""
        if have.width == kind.width and (have.is_float or kind.is_float):
            fix = f"copy the bits first: mov.b{kind.width}"
        elif have.width != kind.width and have.kind in "usb" and kind.kind in "usb":
            signs = ["s" if one.kind == "s" else "u" for one in (kind, have)]
            fix = f"convert it first: cvt.{signs[0]}{kind.width}.{signs[1]}{have.width}"
        text = f"{register.name} is {have}, operand {spec.name} of {variant.opcode} is {kind}"
        raise Mismatch("PTX-P0114", text, depth=10, help=fix)


def _fits(have: ScalarType, want: ScalarType, relaxed: bool, fixed: bool) -> bool:
    """Whether a register can be an operand; fixed: the operand has its type whatever the instruction's is.

    .f16x2 registers are as good as .b32 ones for integers of the instruction's type; alternate floats and packed
    types live in untyped registers.
    """
    if have.kind == "p" or want.kind == "p":
        return have.kind == want.kind
    if have.width != want.width and not (relaxed and have.width > want.width):
        return False
    if have.kind == "b" or want.kind == "b" or have.name == want.name:
        return True
    if have.kind == "v":
        return want.name in ("u16x2", "s16x2") or (want.is_integer and not fixed)
    return have.is_integer and want.is_integer


def _bind_label(context: Context, spec: OperandSpec, node: nodes.Operand) -> Operand:
    if not isinstance(node, nodes.Name):
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} takes a label")
    pc = context.scope.find_label(node.name)
    if pc is None:
        fix = nearest(node.name, context.scope.visible_labels()) or f"write {node.name}: where it goes on"
        raise Mismatch("PTX-P0122", f"undefined label {node.name}", depth=50, help=fix)
    return Operand(spec.name, None, Targets((pc,)))


def _bind_labels(context: Context, spec: OperandSpec, node: nodes.Operand) -> Operand:
    found = context.scope.find_list(node.name) if isinstance(node, nodes.Name) else None
    if not isinstance(found, nodes.BranchTargets):
        raise Mismatch("PTX-P0122", "the name of a .branchtargets list is needed here", depth=50)
    pcs = []
    for label in found.labels:
        pc = context.scope.find_label(label)
        if pc is None:
            fix = nearest(label, context.scope.visible_labels())
            raise Mismatch("PTX-P0122", f"undefined label {label} in {found.name}", depth=50, help=fix)
        pcs.append(pc)
    return Operand(spec.name, None, Targets(tuple(pcs)))
