"""The operands of `call` (manual, 9.7.12.5): results, callee, arguments, and a list or prototype."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.isa.registry import Variant
from emulator.parse import nodes
from emulator.program.binding import Context as BindingContext
from emulator.program.binding import Mismatch, constant_bits, undefined
from emulator.program.instruction import CallInfo, FunctionInfo, Instruction
from emulator.program.operands import Callee, CallList, FunctionAddress, Immediate, Operand, Register, Sink, Storage
from emulator.program.scopes import Scope
from emulator.ptx_types import TYPES

if TYPE_CHECKING:
    from emulator.program.link import Linker


def bind_call(
    variant: Variant, node: nodes.Instruction, pc: int, scope: Scope, function: FunctionInfo, linker: Linker
) -> Instruction:
    """Bind a call of any of the manual's nine shapes."""
    context = BindingContext(variant, scope, linker)
    operands = list(node.operands)
    results: tuple[nodes.Operand, ...] = ()
    arguments: tuple[nodes.Operand, ...] = ()
    at = 0
    if operands and isinstance(operands[0], nodes.Group):
        results, at = operands[0].elements, 1
    if at >= len(operands) or not isinstance(operands[at], nodes.Name):
        raise Mismatch("PTX-P0113", "call needs the name of a function or a register with its address", at)
    callee = operands[at]
    assert isinstance(callee, nodes.Name)
    rest = operands[at + 1 :]
    if rest and isinstance(rest[0], nodes.Group):
        arguments, rest = rest[0].elements, rest[1:]
    place = _callee(context, callee, at)
    prototype = _prototype(context, rest, isinstance(place.place, Register), len(operands) - 1)
    if isinstance(place.place, str):
        _check_counts(linker.function(place.place).node, results, arguments, callee.name, at)
    info = CallInfo(_list(context, results, is_result=True), _list(context, arguments, is_result=False), prototype)
    target = Operand("function", None, place)
    return Instruction(pc, variant, (), (target,), None, False, node, function, call=info)


def _callee(context: BindingContext, node: nodes.Name, index: int) -> Callee:
    found = context.scope.find(node.name)
    if isinstance(found, FunctionAddress):
        return Callee(context.linker.reach(found.name))
    if isinstance(found, Register):
        if found.type.width not in (32, 64) or found.type.kind not in "usb":
            raise Mismatch("PTX-P0114", f"{node.name} is {found.type} and cannot hold a function's address", index)
        context.linker.reach_addresses()
        return Callee(found)
    if found is None:
        raise undefined(context, node.name)
    raise Mismatch("PTX-P0113", f"{node.name} is no function", index)


def _prototype(
    context: BindingContext, rest: list[nodes.Operand], indirect: bool, index: int
) -> nodes.CallPrototype | None:
    if not rest:
        if indirect:
            text = "an indirect call needs a prototype or a list of targets as last operand"
            raise Mismatch("PTX-P0112", text, None, depth=20)
        return None
    name = rest[0]
    if len(rest) > 1 or not isinstance(name, nodes.Name) or not indirect:
        raise Mismatch("PTX-P0112", "call has operands that no form of it takes", index, depth=20)
    found = context.scope.find_list(name.name)
    if isinstance(found, nodes.CallPrototype):
        return found
    if isinstance(found, nodes.CallTargets):
        for function in found.functions:
            context.linker.reach(function)
        return None
    table = context.scope.find(name.name)
    if isinstance(table, Storage):
        context.linker.use_storage(table)
        return None
    raise Mismatch("PTX-P0121", f"{name.name} is no prototype, list of targets or call table", index, depth=20)


def _check_counts(
    function: nodes.Function,
    results: tuple[nodes.Operand, ...],
    arguments: tuple[nodes.Operand, ...],
    name: str,
    index: int,
) -> None:
    wanted = len(function.parameters)
    if len(arguments) < wanted or (len(arguments) > wanted and not function.variadic):
        text = f"{name} takes {wanted} argument{'s' * (wanted != 1)}, found {len(arguments)}"
        raise Mismatch("PTX-P0112", text, index, depth=20)
    if len(results) != len(function.returns):
        text = f"{name} returns {len(function.returns)} value{'s' * (len(function.returns) != 1)}, found {len(results)}"
        raise Mismatch("PTX-P0112", text, index, depth=20)


def _list(context: BindingContext, elements: tuple[nodes.Operand, ...], *, is_result: bool) -> CallList:
    return CallList(tuple(_element(context, element, is_result) for element in elements))


def _element(context: BindingContext, node: nodes.Operand, is_result: bool) -> Operand | Storage:
    if isinstance(node, nodes.Name):
        if node.name == "_" and is_result:
            return Operand("_", None, Sink())
        found = context.scope.find(node.name)
        if isinstance(found, Storage) and found.space == "frame":
            return found
        if isinstance(found, Register):
            return Operand(node.name, found.type, found)
        if found is None:
            raise undefined(context, node.name)
    if isinstance(node, (nodes.Integer, nodes.Float)) and not is_result:
        kind = TYPES["b64"] if isinstance(node, nodes.Integer) else TYPES[f"f{node.width}"]
        return Operand("constant", kind, Immediate(constant_bits(node, kind)))
    raise Mismatch("PTX-P0113", "an argument of a call is a .param variable, a register or a constant", depth=20)
