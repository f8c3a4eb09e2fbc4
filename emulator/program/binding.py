"""One operand: checked against its syntax line's spec, and bound to a place (manual, chapter 6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.isa.registry import Variant
from emulator.isa.signature import OperandSpec
from emulator.isa.special_registers import COMPONENTS, SPECIAL_REGISTERS
from emulator.parse import nodes
from emulator.program.operands import (
    Elements,
    FunctionAddress,
    Immediate,
    Memory,
    Operand,
    Packed,
    Register,
    Sink,
    Special,
    Storage,
    Symbol,
    Targets,
)
from emulator.program.scopes import Scope, nearest
from emulator.ptx_types import TYPES, ScalarType, bits_type

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


@dataclass(frozen=True, slots=True)
class Context:
    """What the operands of one instruction are bound in."""

    variant: Variant
    scope: Scope
    linker: Linker


def bind(context: Context, spec: OperandSpec, node: nodes.Operand) -> Operand:
    """Bind an operand of any kind."""
    if spec.kind == "address":
        return bind_address(context, spec, node)
    if spec.kind == "label":
        return _bind_label(context, spec, node)
    if spec.kind == "labels":
        return _bind_labels(context, spec, node)
    kind = context.variant.operand_type(spec)
    assert kind is not None, f"{context.variant.entry.signature.line}: {spec.name} has no type"
    negated = False
    if isinstance(node, nodes.Not):
        if not spec.negatable:
            raise Mismatch("PTX-P0113", f"operand {spec.name} of {context.variant.opcode} cannot be negated")
        negated, node = True, node.operand
    return _bind_value(context, spec, node, kind, negated)


def _bind_value(
    context: Context, spec: OperandSpec, node: nodes.Operand, kind: ScalarType, negated: bool = False
) -> Operand:
    count = _element_count(context, spec)
    if isinstance(node, nodes.Vector):
        return _bind_vector(context, spec, node, kind, count)
    if isinstance(node, (nodes.Integer, nodes.Float)):
        if spec.is_result:
            raise Mismatch("PTX-P0113", f"the result of {context.variant.opcode} is a constant", help="use a register")
        return Operand(spec.name, kind, Immediate(constant_bits(node, kind)), negated)
    if "immediate" in spec.flags:
        raise Mismatch("PTX-P0113", f"operand {spec.name} of {context.variant.opcode} is a constant expression")
    if isinstance(node, nodes.Offset):
        return Operand(spec.name, kind, _symbol_address(context, spec, node.base, node.offset, kind), negated)
    if isinstance(node, nodes.Negative):
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} does not take a negated register", help="use neg first")
    if not isinstance(node, nodes.Name):
        raise Mismatch("PTX-P0113", f"operand {spec.name} of {context.variant.opcode} is a register or a constant")
    if node.name == "_":
        return Operand(spec.name, kind, _sink(context, spec))
    place = _name_place(context, spec, node, kind)
    if isinstance(place, Elements) and count is not None and len(place.elements) != count:
        raise Mismatch("PTX-P0113", f"{node.name} has {len(place.elements)} elements, {count} are needed")
    if count is not None and count > 1 and not isinstance(place, Elements):
        raise Mismatch("PTX-P0113", f"a vector of {count} registers is needed here", help="write {a, b, ...}")
    return Operand(spec.name, kind, place, negated)


def _element_count(context: Context, spec: OperandSpec) -> int | None:
    """How many elements the operand has; None where a vector is not asked for."""
    if "vec" in spec.flags:
        vec = context.variant.get("vec")
        return int(vec[1:]) if vec else None
    return spec.count if spec.count > 1 else None


def _sink(context: Context, spec: OperandSpec) -> Sink:
    if "sink" in spec.flags and spec.is_result:
        return Sink()
    text = f"{context.variant.opcode} cannot throw away its operand {spec.name}"
    raise Mismatch("PTX-P0113", text, help="give it a register")


def _bind_vector(
    context: Context, spec: OperandSpec, node: nodes.Vector, kind: ScalarType, count: int | None
) -> Operand:
    size = len(node.elements)
    if "packed" in spec.flags and count is None:
        if size not in (2, 4, 8) or kind.width % size:
            raise Mismatch("PTX-P0113", f"{size} elements cannot make up one {kind}")
        part = bits_type(kind.width // size)
        single = OperandSpec(spec.name, "value", part.name, frozenset({"sink"}))
        return Operand(spec.name, kind, Packed(tuple(_bind_value(context, single, e, part) for e in node.elements)))
    if count is None:
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} takes no vector as operand {spec.name}")
    if size != count:
        raise Mismatch("PTX-P0113", f"a vector of {count} is needed, found {size} elements")
    single = OperandSpec(spec.name, "value", spec.type_name, spec.flags - {"vec", "wide", "packed"})
    return Operand(spec.name, kind, Elements(tuple(_bind_value(context, single, e, kind) for e in node.elements)))


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
) -> Register | Special | Symbol | FunctionAddress | Elements:
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
    fix = nearest(name, known) or (f"declare it: .reg .b32 {name};" if kind == "register" else "")
    return Mismatch("PTX-P0121", f"undefined {kind} {name}", depth=50, help=fix)


def _vector_register(
    context: Context, spec: OperandSpec, node: nodes.Name, found: tuple[Register, ...], kind: ScalarType
) -> Register | Elements:
    if node.component is None:
        if _element_count(context, spec) is None:
            raise Mismatch("PTX-P0113", f"{node.name} is a vector", help=f"name an element: {node.name}.x")
        for register in found:
            check_register(context.variant, spec, register, kind)
        return Elements(tuple(Operand(spec.name, kind, register) for register in found))
    index = COMPONENTS.get(node.component)
    if index is None or index >= len(found):
        raise Mismatch("PTX-P0113", f"{node.name} has no element .{node.component}")
    check_register(context.variant, spec, found[index], kind)
    return found[index]


def _special(context: Context, spec: OperandSpec, node: nodes.Name, kind: ScalarType) -> Special | Elements:
    row = SPECIAL_REGISTERS[node.name[1:]]
    if "special" not in spec.flags or spec.is_result:
        text = f"the special register {node.name} cannot be operand {spec.name} of {context.variant.opcode}"
        raise Mismatch("PTX-P0113", text, help=f"copy it first: mov.{row.type.name} %r, {node.name};")
    context.linker.require(row.requires, f"the special register {node.name}")
    if row.type.width != kind.width and not (kind.width == 16 and row.vector and row.type.width == 32):
        raise Mismatch("PTX-P0114", f"{node.name} is {row.type}, {context.variant.opcode} takes {kind}")
    if kind.kind not in "usbp":
        raise Mismatch("PTX-P0114", f"{node.name} is {row.type}, {context.variant.opcode} takes {kind}")
    if not row.vector:
        if node.component is not None:
            raise Mismatch("PTX-P0113", f"{node.name} has no element .{node.component}")
        return Special(row.name, row.type)
    if node.component is None:
        count = _element_count(context, spec)
        if count is None:
            raise Mismatch("PTX-P0113", f"{node.name} is a vector", help=f"name an element: {node.name}.x")
        return Elements(tuple(Operand(spec.name, kind, Special(row.name, row.type, n)) for n in range(count)))
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
    if isinstance(found, FunctionAddress):
        context.linker.reference_function(found.name)
        return found
    return Symbol(context.linker.use_storage(found), addend)


def check_register(variant: Variant, spec: OperandSpec, register: Register, kind: ScalarType) -> None:
    """The size and class rules of the manual's 6.1, 9.4.1 and table 27/28, as ptxas applies them."""
    have = register.type
    if not _fits(have, kind, "relaxed" in spec.flags):
        fix = ""
        if have.width == kind.width and (have.is_float or kind.is_float):
            fix = f"copy the bits first: mov.b{kind.width}"
        elif have.width != kind.width and have.kind in "usb" and kind.kind in "usb":
            fix = "convert first: cvt"
        text = f"{register.name} is {have}, operand {spec.name} of {variant.opcode} is {kind}"
        raise Mismatch("PTX-P0114", text, depth=10, help=fix)


def _fits(have: ScalarType, want: ScalarType, relaxed: bool) -> bool:
    if have.kind == "p" or want.kind == "p":
        return have.kind == want.kind
    if have.width != want.width and not (relaxed and have.width > want.width):
        return False
    if want.kind in "bv" or have.kind in "bv":
        return True
    if want.kind in "us":
        return have.kind in "us"
    if want.kind == "f":
        return have.name == want.name
    return have.name == want.name


def bind_address(context: Context, spec: OperandSpec, node: nodes.Operand) -> Operand:
    """`[a]`, `[a+4]`, `[sym+8]`, `[16]`."""
    if not isinstance(node, nodes.Address):
        text = f"operand {spec.name} of {context.variant.opcode} is an address in brackets"
        raise Mismatch("PTX-P0113", text, help="write [%rd1]")
    if len(node.elements) != 1:
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} takes one address between the brackets")
    inner, offset = _split_offset(node.elements[0])
    if isinstance(inner, nodes.Integer):
        if _space(context.variant) != "local":
            raise Mismatch("PTX-P0113", "a constant address is allowed for .local only", help="put it into a register")
        return Operand(spec.name, TYPES["u64"], Memory(Immediate(inner.value & (2**64 - 1)), offset))
    if not isinstance(inner, nodes.Name):
        raise Mismatch("PTX-P0113", "an address is a register or variable and a constant offset")
    found = context.scope.find(inner.name)
    if isinstance(found, Storage):
        _check_space(context, found)
        return Operand(spec.name, TYPES["u64"], Memory(Symbol(context.linker.use_storage(found)), offset))
    if isinstance(found, tuple) and inner.component is not None:
        place = _vector_register(context, OperandSpec("a", type_name="b64"), inner, found, found[0].type)
        found = place if isinstance(place, Register) else None
    if not isinstance(found, Register):
        if found is None:
            raise undefined(context, inner.name)
        raise Mismatch("PTX-P0113", f"{inner.name} is no variable that can be accessed")
    if found.type.kind not in "usb" or found.type.width not in (32, 64):
        raise Mismatch("PTX-P0114", f"an address cannot be in {inner.name}, which is {found.type}")
    return Operand(spec.name, TYPES["u64"], Memory(found, offset))


def _split_offset(node: nodes.Operand) -> tuple[nodes.Operand, int]:
    """(base, offset) of what stands between the brackets."""
    return (node.base, node.offset) if isinstance(node, nodes.Offset) else (node, 0)


def _space(variant: Variant) -> str:
    """The state space that an instruction names, without `::cta` and the like; "generic" if it names none."""
    space = variant.get("ss") or "generic"
    return str(space).partition("::")[0]


def _check_space(context: Context, storage: Storage) -> None:
    space = _space(context.variant)
    names = {"frame": ("local", "param"), "param": ("param",)}.get(storage.space, (storage.space,))
    if storage.node is not None and storage.space == "frame":
        names = (storage.node.space if storage.node.space != "reg" else "param",)
    if space not in names and space != "generic":
        text = f"{storage.name} is in .{names[0]}, {context.variant.opcode} accesses .{space}"
        raise Mismatch("PTX-P0113", text, help=f"use .{names[0]}", depth=20)


def _bind_label(context: Context, spec: OperandSpec, node: nodes.Operand) -> Operand:
    if not isinstance(node, nodes.Name):
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} takes a label")
    pc = context.scope.find_label(node.name)
    if pc is None:
        fix = nearest(node.name, context.scope.visible_labels())
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
