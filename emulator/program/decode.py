"""One instruction: mnemonic -> variant, names -> places, or a pointed error.

A mnemonic may fit several syntax lines; the first whose operands fit is taken, and if none does the error
is that of the line that came furthest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError, Source, Span
from emulator.isa.registry import Variant, lookup
from emulator.isa.signature import OperandPair, OperandSpec
from emulator.parse import nodes, operand_spans
from emulator.program import binding, calls
from emulator.program.explain_failure import unknown_opcode
from emulator.program.instruction import FunctionInfo, Instruction
from emulator.program.operands import Operand, Register
from emulator.program.requirements import check_requirements
from emulator.program.scopes import Scope, nearest

if TYPE_CHECKING:
    from emulator.program.link import Linker


def decode(node: nodes.Instruction, pc: int, scope: Scope, function: FunctionInfo, linker: Linker) -> Instruction:
    """Bind one instruction; PtxSemanticError or UnsupportedInstruction with the place of the fault."""
    variants = lookup(node.opcode)
    if not variants:
        raise unknown_opcode(node, linker.source)
    guard = _bind_guard(node, scope, linker.source)
    worst: binding.Mismatch | None = None
    for variant in variants:
        try:
            instruction = _bind(variant, node, pc, scope, function, linker)
        except binding.Mismatch as mismatch:
            if worst is None or mismatch.depth > worst.depth:
                worst = mismatch
            continue
        check_requirements(instruction.variant, node, linker)
        if guard is not None and node.guard is not None:
            instruction.guard, instruction.guard_negated = guard, node.guard.negated
        return instruction
    assert worst is not None
    raise _error(worst, node, variants, linker.source)


def _bind(
    variant: Variant, node: nodes.Instruction, pc: int, scope: Scope, function: FunctionInfo, linker: Linker
) -> Instruction:
    entry = variant.entry
    if entry.mnemonic == "call":
        return calls.bind_call(variant, node, pc, scope, function, linker)
    least, most = entry.signature.operand_counts()
    if not least <= len(node.operands) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        plural = "" if expected == "1" else "s"
        text = f"{node.opcode} takes {expected} operand{plural}, found {len(node.operands)}"
        raise binding.Mismatch("PTX-P0112", text, None, depth=0)
    context = binding.Context(variant, scope, linker)
    results: list[Operand | None] = []
    sources: list[Operand] = []
    index = 0
    for spec in entry.signature.operands:
        if isinstance(spec, OperandSpec) and spec.optional and len(node.operands) - index <= _needed(variant, spec):
            continue
        operand = node.operands[index]
        try:
            _bind_one(context, spec, operand, results, sources)
        except binding.Mismatch as mismatch:
            mismatch.operand = index if mismatch.operand is None else mismatch.operand
            mismatch.depth += index
            raise
        index += 1
    if index != len(node.operands):
        raise binding.Mismatch("PTX-P0112", f"{node.opcode} does not take operand {index + 1}", index, depth=index)
    fault = entry.check(variant) if entry.check else None
    if fault:
        raise binding.Mismatch("PTX-P0102", fault, None, depth=100)
    return Instruction(pc, variant, tuple(results), tuple(sources), None, False, node, function)


def _needed(variant: Variant, spec: OperandSpec) -> int:
    """How many operands the parts of the line behind an optional operand need."""
    operands = variant.entry.signature.operands
    behind = operands[operands.index(spec) + 1 :]
    return sum(not (isinstance(other, OperandSpec) and other.optional) for other in behind)


def _bind_one(
    context: binding.Context,
    spec: OperandSpec | OperandPair,
    node: nodes.Operand,
    results: list[Operand | None],
    sources: list[Operand],
) -> None:
    if isinstance(spec, OperandSpec):
        operand = binding.bind(context, spec, node)
        (results if spec.is_result else sources).append(operand)
        return
    if isinstance(node, nodes.Pair):
        results.append(binding.bind(context, spec.first, node.first))
        results.append(binding.bind(context, spec.second, node.second))
    elif spec.second_optional:
        results.append(binding.bind(context, spec.first, node))
        results.append(None)
    else:
        raise binding.Mismatch("PTX-P0113", f"{context.variant.opcode} needs two results here, as in %p|%q", None)


def _bind_guard(node: nodes.Instruction, scope: Scope, source: Source) -> Register | None:
    if node.guard is None:
        return None
    found = scope.find(node.guard.name)
    if isinstance(found, Register) and found.type.name == "pred":
        return found
    at = source.text.find(node.guard.name, node.span.start)
    span = Span(at, at + len(node.guard.name))
    if found is None:
        text, code = f"undefined predicate {node.guard.name}", "PTX-P0121"
        fix = nearest(node.guard.name, scope.visible()) or f"declare it: .reg .pred {node.guard.name};"
    else:
        text, code = f"the guard {node.guard.name} is no predicate", "PTX-P0114"
        fix = "a guard is a .pred register: compare with setp first"
    raise PtxSemanticError(Diagnostic(code, "semantic", text, source, (Label(span),), help=fix))


def _error(
    mismatch: binding.Mismatch, node: nodes.Instruction, variants: tuple[Variant, ...], source: Source
) -> PtxError:
    opcode_end = source.text.find(node.opcode.partition(".")[0], node.span.start)
    span = Span(opcode_end, opcode_end + len(node.opcode))
    if mismatch.operand is not None:
        spans = operand_spans(source, node)
        if mismatch.operand < len(spans):
            span = spans[mismatch.operand]
    lines = dict.fromkeys(variant.entry.signature.line for variant in variants)
    forms = tuple(("form" if n == 0 else "", line) for n, line in enumerate(list(lines)[:6]))
    label = Label(span, mismatch.label)
    return PtxSemanticError(
        Diagnostic(mismatch.code, "semantic", mismatch.message, source, (label,), forms, help=mismatch.help)
    )
