"""PTX text to a module AST and back: knows the grammar, not the opcodes (manual, chapters 4 and 11).

lexer       text -> tokens; one expression for parser, highlighting and HTML
cursor      one token at a time, and how a production fails
constants   constant expressions
operands    registers, addresses, vectors
variables   declarations and initialisers
directives  everything else that begins with a dot
bodies      statements: the fast way and the slow way, recovery
parser      modules
spans       places of operands, found again when a diagnostic needs them
printer     AST -> text
"""

from emulator.parse.lexer import Token, tokens
from emulator.parse.parser import parse
from emulator.parse.printer import print_instruction, print_module, print_operand
from emulator.parse.spans import element_spans, guard_span, opcode_span, operand_spans

__all__ = [
    "Token",
    "element_spans",
    "guard_span",
    "opcode_span",
    "operand_spans",
    "parse",
    "print_instruction",
    "print_module",
    "print_operand",
    "tokens",
]
