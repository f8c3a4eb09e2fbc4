"""How much .const, .shared and parameter memory a module may have (manual, 5.1.3 and 5.1.6.1), as ptxas has it."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.errors import Diagnostic, Label, Span
from emulator.parse import nodes
from emulator.program.instruction import Program
from emulator.program.layout import align_of, align_up, kernel_parameters, size_of
from emulator.program.requirements import target_rank

MOST_CONST = 64 << 10
MOST_PARAMETERS = 32764
MOST_PARAMETERS_ONCE = 4352  # before .version 8.1, and before sm_70
MOST_SHARED = 227 << 10  # of one CTA
Problem = tuple[str, str]  # what is wrong, and a likely fix


def too_large(module: nodes.Module) -> Iterator[tuple[Problem, Span]]:
    """The .const variable with which there are too many bytes of them, and kernels with too many of parameters."""
    total = 0
    for variable in _const_variables(module):
        total = align_up(total, align_of(variable)) + size_of(variable) * (variable.count or 1)
        if total > MOST_CONST:
            text = f"with {variable.name} the .const variables have {total:,} bytes, {MOST_CONST:,} at most"
            yield (text, "declare it .global"), variable.span
            break
    has_many = module.version >= (8, 1) and target_rank(module.target[0])[0] >= 70
    most = MOST_PARAMETERS if has_many else MOST_PARAMETERS_ONCE
    for entry in module.entries:
        _, size = kernel_parameters(entry)
        if size > most:
            fix = "pass a pointer to them"
            if size <= MOST_PARAMETERS:
                fix = f".version 8.1 and .target sm_70 have {MOST_PARAMETERS:,}"
            yield (f"{entry.name} has {size:,} bytes of parameters, {most:,} at most", fix), entry.span


def _const_variables(module: nodes.Module) -> Iterator[nodes.Variable]:
    for item in module.items:
        if isinstance(item, nodes.Function) and item.body is not None:
            inside = (node for node in declared(item.body) if isinstance(node, nodes.Variable))
            yield from (node for node in inside if node.space == "const")
        elif isinstance(item, nodes.Variable) and item.space == "const" and item.linkage != "extern":
            yield item


def declared(block: nodes.Block) -> Iterator[nodes.Registers | nodes.Variable]:
    """What a block and the blocks in it declare."""
    for node in block.statements:
        if isinstance(node, (nodes.Registers, nodes.Variable)):
            yield node
        elif isinstance(node, nodes.Block):
            yield from declared(node)


def too_much_shared(program: Program) -> Iterator[Diagnostic]:
    """A kernel of which no CTA can be placed."""
    if program.shared_bytes > MOST_SHARED:
        text = f"{program.name} has {program.shared_bytes:,} bytes of .shared variables, {MOST_SHARED:,} at most"
        label = (Label(program.entry.node.span),)
        yield Diagnostic("PTX-P0136", "semantic", text, program.source, label, help="use .global memory")
