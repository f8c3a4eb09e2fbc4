"""Addresses between brackets: `[a]`, `[a+4]`, `[sym+8]`, `[16]` (manual, 6.4.1), and the spaces of variables."""

from __future__ import annotations

from emulator.isa.registry import Variant
from emulator.isa.signature import OperandSpec
from emulator.isa.special_registers import COMPONENTS
from emulator.parse import nodes
from emulator.program.binding import Context, Mismatch, element_offset, undefined
from emulator.program.operands import Immediate, Memory, Operand, Register, Storage, Symbol, space_of
from emulator.ptx_types import TYPES


def bind_address(context: Context, spec: OperandSpec, node: nodes.Operand) -> Operand:
    """Bind an address.

    A variable in a generic access stands for its generic address.  A register may have any width up to 64 bits,
    but one of 32 bits holds no generic or global address.
    """
    if isinstance(node, nodes.Element) and context.variant.entry.mnemonic in ("ld", "ldu", "st"):
        node = nodes.Address((nodes.Offset(node.base, element_offset(context, node)),))
    if not isinstance(node, nodes.Address):
        text = f"operand {spec.name} of {context.variant.opcode} is an address in brackets"
        raise Mismatch("PTX-P0113", text, help="write [%rd1]")
    if len(node.elements) != 1:
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} takes one address between the brackets")
    space = _accessed_space(context.variant, spec)
    inner, offset = _split_offset(node.elements[0])
    place = _base(context, spec, inner, space)
    _check_unified(context, spec, node, place, space)
    return Operand(spec.name, TYPES["u64"], Memory(place, offset))


def _split_offset(node: nodes.Operand) -> tuple[nodes.Operand, int]:
    """(base, offset) of what stands between the brackets."""
    return (node.base, node.offset) if isinstance(node, nodes.Offset) else (node, 0)


def _accessed_space(variant: Variant, spec: OperandSpec) -> str:
    """The state space that an access goes to, without `::cta` and the like; "generic" if none is named."""
    space = variant.get("ss")
    if space is not None:
        return str(space).partition("::")[0]
    if "generic" in spec.flags:
        return "generic"
    return next((name for name in ("global", "shared", "const", "param") if name in spec.flags), "generic")


def _base(context: Context, spec: OperandSpec, node: nodes.Operand, space: str) -> Register | Symbol | Immediate:
    if isinstance(node, nodes.Integer):
        if space != "local":
            raise Mismatch("PTX-P0113", "a constant address is allowed for .local only", help="put it into a register")
        return Immediate(node.value & (2**64 - 1))
    if not isinstance(node, nodes.Name):
        raise Mismatch("PTX-P0113", "an address is a register or variable and a constant offset")
    found = context.scope.find(node.name)
    if isinstance(found, Storage):
        _check_space(context, found, "shared" if "shared" in spec.flags else space)
        return Symbol(context.linker.use_storage(found), generic=space == "generic")
    if isinstance(found, tuple):
        position = COMPONENTS.get(node.component or "", len(found))
        found = found[position] if position < len(found) else found
    if not isinstance(found, Register):
        if found is None:
            raise undefined(context, node.name)
        raise Mismatch("PTX-P0113", f"{node.name} is no variable that can be accessed")
    if found.type.kind not in "usb" or found.type.width > 64:
        raise Mismatch("PTX-P0114", f"an address cannot be in {node.name}, which is {found.type}")
    if found.type.width < 32 and "wide" in spec.flags:
        text = f"{node.name} is {found.type}, addresses of {context.variant.opcode} have 32 or 64 bits"
        raise Mismatch("PTX-P0114", text, depth=10, help="extend it: cvt.u32.u16")
    if found.type.width == 32 and space in ("generic", "global") and "narrow" not in spec.flags:
        text = f"{node.name} is {found.type}, {space} addresses have 64 bits"
        raise Mismatch("PTX-P0114", text, depth=10, help="extend it: cvt.u64.u32")
    return found


def _check_space(context: Context, storage: Storage, space: str) -> None:
    """A variable is accessed in its own space; in generic accesses it may not be a constant or parameter."""
    own = space_of(storage)
    if space == own or (space == "generic" and own not in ("const", "param")):
        return
    text = f"{storage.name} is in .{own}, {context.variant.opcode} accesses .{space}"
    if space == "generic":
        text = f"{storage.name} is in .{own}, {context.variant.opcode} takes a generic address"
    raise Mismatch("PTX-P0113", text, help=f"use .{own}", depth=20)


def _check_unified(
    context: Context, spec: OperandSpec, node: nodes.Address, place: Register | Symbol | Immediate, space: str
) -> None:
    """`[a].unified` belongs to loads, of registers and of variables with that attribute (manual, 9.7.9.8)."""
    declared = isinstance(place, Symbol) and place.storage.is_unified
    if not node.attribute:
        return
    if node.attribute != "unified" or "unified" not in spec.flags or space not in ("generic", "global"):
        raise Mismatch("PTX-P0113", f"{context.variant.opcode} takes no .{node.attribute} address", depth=20)
    if isinstance(place, Symbol) and not declared:
        text = f"{place.storage.name} is not declared with .attribute(.unified)"
        raise Mismatch("PTX-P0113", text, depth=20, help="leave .unified out")
