"""A text in which no float product or sum can be fused: every unqualified mul, add and sub names .rn.

"mul/add sequences with no rounding modifiers may be optimized to use fused-multiply-add instructions" (manual,
9.7.3.3): with the modifier they stay apart on every machine, whatever else stands around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from emulator.isa.registry import lookup
from emulator.parse import nodes, parse
from emulator.parse.printer import print_module
from emulator.program.contraction import FLOATS

FUSIBLE = ("mul", "add", "sub")


def canonical(ptx: str, name: str = "<text>", keep: frozenset[int] = frozenset()) -> str:
    """The canonical text of a module, itself if it is canonical.

    keep: instructions that stay as they are, numbered over the whole module.
    """
    module = parse(ptx, name=name)
    number, changed = -1, False
    for body in bodies(module):
        for instruction in instructions_of(body):
            number += 1
            if number not in keep and is_unqualified(instruction.opcode):
                word, _, rest = instruction.opcode.partition(".")
                instruction.opcode = f"{word}.rn.{rest}"
                changed = True
    return print_module(module) if changed else ptx


def is_unqualified(opcode: str) -> bool:
    """Whether it multiplies, adds or subtracts floats and names no rounding."""
    word, *parts = opcode.split(".")
    if word not in FUSIBLE or not set(parts) & set(FLOATS):
        return False
    variants = lookup(opcode)
    free = bool(variants) and all(variant.get("rnd") is None for variant in variants)
    return free and bool(lookup(f"{word}.rn.{'.'.join(parts)}"))


def bodies(module: nodes.Module) -> Iterator[nodes.Block]:
    """The bodies of all functions of a module, in order."""
    for item in module.items:
        if isinstance(item, nodes.Function) and item.body is not None:
            yield item.body


def instructions_of(block: nodes.Block) -> Iterator[nodes.Instruction]:
    """The instructions of a body and of the blocks in it, in order."""
    for statement in block.statements:
        if isinstance(statement, nodes.Instruction):
            yield statement
        elif isinstance(statement, nodes.Block):
            yield from instructions_of(statement)


Rewrite = Callable[[nodes.Instruction], "list[nodes.Statement] | None"]


def rewrite(block: nodes.Block, change: Rewrite) -> None:
    """Put other statements in the place of instructions; change returns None where one stays as it is."""
    found: list[nodes.Statement] = []
    for statement in block.statements:
        changed = change(statement) if isinstance(statement, nodes.Instruction) else None
        if isinstance(statement, nodes.Block):
            rewrite(statement, change)
        found += [statement] if changed is None else changed
    block.statements[:] = found


def statements(text: str) -> list[nodes.Statement]:
    """The statements of a piece of a body; nobody may change them, since the same pieces are asked for often."""
    return list(_statements(text))


@lru_cache(maxsize=4096)
def _statements(text: str) -> tuple[nodes.Statement, ...]:
    module = parse(f".version 9.0\n.target sm_90a\n.address_size 64\n.entry k()\n{{\n{text}\n}}\n", name="inserted")
    (body,) = bodies(module)
    return tuple(body.statements)
