"""Names that are used in front of their declarations: the emulator finds them, ptxas does not (manual, 5.4 and 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from emulator.errors import Diagnostic, Label
from emulator.parse import nodes
from emulator.program.scopes import is_numbered

_LISTS = (nodes.BranchTargets, nodes.CallTargets, nodes.CallPrototype)
Names = dict[str, int | None]  # and how many, for `%r<5>`


def used_early(module: nodes.Module) -> Iterator[Diagnostic]:
    """A warning for each name of a function that is used before it is declared."""
    known: set[str] = set()
    later = [name for item in module.items for name in _declares_for_all(item)]
    for item in module.items:
        if isinstance(item, nodes.Function) and item.body is not None:
            known.add(item.name)
            late: Names = dict.fromkeys(name for name in later if name not in known)
            yield from _warnings(module, item.body, late)
        known.update(_declares_for_all(item))


def _declares_for_all(item: object) -> list[str]:
    """What a module's item declares that others use by name; nobody calls a kernel."""
    if isinstance(item, nodes.Variable) or (isinstance(item, nodes.Function) and item.kind == "func"):
        return [item.name]
    return []


def _warnings(module: nodes.Module, body: nodes.Block, late: Names) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for name, node in _early(body, late):
        if name not in seen:
            text = f"{name} is used before it is declared, which ptxas refuses"
            label, fix = (Label(node.span),), "move the declaration up"
            yield Diagnostic("PTX-P0302", "semantic", text, module.source, label, help=fix, severity="warning")
        seen.add(name)


def _early(block: nodes.Block, late: Names) -> Iterator[tuple[str, nodes.Instruction]]:
    """The uses of late names in a block, and of those that the block itself declares behind the use."""
    own: Names = {}
    for statement in block.statements:
        own |= _declares(statement)
    late = {name: count for name, count in late.items() if name not in own} | own
    for statement in block.statements:
        declared = _declares(statement)
        late = {name: count for name, count in late.items() if name not in declared} if declared else late
        if late and isinstance(statement, nodes.Instruction):
            yield from ((name, statement) for name in _names(statement) if _is_one_of(name, late))
        elif isinstance(statement, nodes.Block):
            yield from _early(statement, late)


def _declares(statement: object) -> Names:
    if isinstance(statement, nodes.Registers):
        return dict(statement.names)
    if isinstance(statement, nodes.Variable):
        return {statement.name: statement.count}
    return {statement.name: None} if isinstance(statement, _LISTS) else {}


def _is_one_of(name: str, late: Names) -> bool:
    if name in late and late[name] is None:
        return True
    return any(count is not None and is_numbered(name, prefix, count) for prefix, count in late.items())


def _names(node: Any) -> Iterator[str]:
    """The names in an instruction: of its guard and of its operands, at any depth."""
    if isinstance(node, nodes.Name):
        yield node.name
    elif isinstance(node, tuple):
        for part in node:
            yield from _names(part)
    elif isinstance(node, nodes.Guard):
        yield node.name
    elif is_dataclass(node):
        for part in fields(node):
            yield from _names(getattr(node, part.name))
