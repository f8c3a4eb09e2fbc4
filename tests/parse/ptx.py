"""Short ways to parse a piece of PTX in a test."""

from __future__ import annotations

from emulator.errors import PtxSyntaxError
from emulator.parse import parse
from emulator.parse.nodes import Instruction, Item, Module, ModuleDirective, Operand, Statement

HEADER = ".version 9.0\n.target sm_90a\n.address_size 64\n"


def module(text: str) -> Module:
    """The module of some items, with a header before them."""
    return parse(HEADER + text)


def items(text: str) -> list[Item]:
    """Items of a module, without the header's."""
    return [item for item in module(text).items if not isinstance(item, ModuleDirective)]


def item(text: str) -> Item:
    """The only item of a module."""
    (found,) = items(text)
    return found


def statements(text: str) -> list[Statement]:
    """The statements of a body."""
    body = module(f".func f()\n{{\n{text}\n}}\n").functions["f"].body
    assert body is not None
    return body.statements


def statement(text: str) -> Statement:
    """The only statement of a body."""
    (found,) = statements(text)
    return found


def operand(text: str, opcode: str = "mov.b32") -> Operand:
    """One operand, behind an opcode; the fast and the slow way must agree on it."""
    fast = statement(f"{opcode} {text};")
    slow = statement(f"{opcode} {text} /* slow */;")
    assert fast == slow
    assert isinstance(fast, Instruction)
    (found,) = fast.operands
    return found


def errors(text: str | bytes) -> str:
    """What a wrong text is told, rendered."""
    try:
        parse(text, "bad.ptx")
    except PtxSyntaxError as error:
        return str(error)
    raise AssertionError("the text is PTX")


def body_errors(text: str) -> str:
    """What a wrong body is told; its first line is line 4 of the text."""
    return errors(".version 9.0 .target sm_90a .address_size 64\n.func f()\n{\n" + text + "\nret;\n}\n")
