"""One instruction: mnemonic -> variant, names -> places, or a pointed error.

A mnemonic may fit several syntax lines; the first whose operands fit is taken, and if none does the error
is that of the line that came furthest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError, Source, Span
from emulator.isa.registry import Variant, lookup
from emulator.isa.signature import OperandPair, OperandSpec
from emulator.parse import nodes, opcode_span, operand_spans
from emulator.program import addresses, binding, calls
from emulator.program.explain_failure import forms_fact, unknown_opcode
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
        known = node.opcode, variant.entry.signature.line
        if known not in linker.allowed:
            check_requirements(instruction.variant, node, linker)
            linker.allowed.add(known)
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
    least, most = entry.signature.operand_counts
    if not least <= len(node.operands) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        plural = "" if expected == "1" else "s"
        found = len(node.operands)
        text = f"{node.opcode} takes {expected} operand{plural}, found {found}"
        raise binding.Mismatch("PTX-P0112", text, min(found, most), depth=0, label=_missing(variant, found))
    context = binding.Context(variant, scope, linker)
    results: list[Operand | None] = []
    sources: list[Operand] = []
    modifiers: dict[str, Any] = {}
    index = 0
    for spec in entry.signature.operands:
        if isinstance(spec, OperandSpec) and spec.optional and _is_absent(variant, spec, len(node.operands) - index):
            continue
        if index == len(node.operands):
            text = f"{node.opcode} needs a cache policy behind its other operands"
            raise binding.Mismatch("PTX-P0112", text, None, depth=20)
        try:
            modifiers |= _bind_one(context, spec, node.operands[index], results, sources)
        except binding.Mismatch as mismatch:
            mismatch.operand = index if mismatch.operand is None else mismatch.operand
            mismatch.depth += index
            raise
        index += 1
    if index != len(node.operands):
        fix = "a cache policy needs the modifier .L2::cache_hint" if _takes_policy(variant) else ""
        text = f"{node.opcode} does not take operand {index + 1}"
        raise binding.Mismatch("PTX-P0112", text, index, depth=index, help=fix)
    variant = variant.with_modifiers(modifiers)
    fault = entry.check(variant) if entry.check else None
    if fault:
        raise binding.Mismatch("PTX-P0102", fault, None, depth=100)
    return Instruction(pc, variant, tuple(results), tuple(sources), None, False, node, function)


def _is_absent(variant: Variant, spec: OperandSpec, left: int) -> bool:
    """Whether an optional operand is left out, when so many operands are left."""
    if "hinted" in spec.flags:
        return not variant.get("L2_cache_hint")
    operands = variant.entry.signature.operands
    behind = operands[operands.index(spec) + 1 :]
    return left <= sum(_is_needed(variant, other) for other in behind)


def _is_needed(variant: Variant, spec: OperandSpec | OperandPair) -> bool:
    if isinstance(spec, OperandPair) or not spec.optional:
        return True
    return "hinted" in spec.flags and bool(variant.get("L2_cache_hint"))


def _takes_policy(variant: Variant) -> bool:
    return any(isinstance(spec, OperandSpec) and "hinted" in spec.flags for spec in variant.entry.signature.operands)


def _bind_one(
    context: binding.Context,
    spec: OperandSpec | OperandPair,
    node: nodes.Operand,
    results: list[Operand | None],
    sources: list[Operand],
) -> dict[str, Any]:
    """Bind an operand; what it adds to the variant's modifiers."""
    if isinstance(spec, OperandSpec):
        if "static" in spec.flags:
            return {spec.name: binding.bind_constant(context, spec, node)}
        node, modifiers = binding.take_modifiers(context, spec, node)
        bind = addresses.bind_address if spec.kind == "address" else binding.bind
        operand = bind(context, spec, node)
        (results if spec.is_result else sources).append(operand)
        return modifiers
    if isinstance(node, nodes.Pair):
        results.append(binding.bind(context, spec.first, node.first))
        results.append(binding.bind(context, spec.second, node.second))
    elif spec.second_optional:
        results.append(binding.bind(context, spec.first, node))
        results.append(None)
    else:
        raise binding.Mismatch("PTX-P0113", f"{context.variant.opcode} needs two results here, as in %p|%q", None)
    return {}


def _missing(variant: Variant, found: int) -> str:
    """The names of the operands that stand behind the ones found."""
    specs = [spec.first if isinstance(spec, OperandPair) else spec for spec in variant.entry.signature.operands]
    names = [f"[{spec.name}]" if spec.kind == "address" else spec.name for spec in specs if not spec.optional]
    return f"`, {', '.join(names[found:])}` is missing" if found < len(names) else "too many"


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
        fix = scope.beyond_range(node.guard.name) or nearest(node.guard.name, scope.visible_predicates())
        fix = fix or f"declare it: .reg .pred {node.guard.name};"
    else:
        text, code = f"the guard {node.guard.name} is no predicate", "PTX-P0114"
        fix = "a guard is a .pred register: compare with setp first"
    raise PtxSemanticError(Diagnostic(code, "semantic", text, source, (Label(span),), help=fix))


def _error(
    mismatch: binding.Mismatch, node: nodes.Instruction, variants: tuple[Variant, ...], source: Source
) -> PtxError:
    span = opcode_span(source, node)
    if mismatch.operand is not None:
        spans = operand_spans(source, node)
        if mismatch.operand < len(spans):
            span = spans[mismatch.operand]
        else:
            end = spans[-1].end if spans else span.end
            span = Span(end, end + 1)
    known = mismatch.code not in ("PTX-P0121", "PTX-P0122")
    forms = forms_fact([variant.entry.signature.line for variant in variants]) if known else ()
    label = Label(span, mismatch.label)
    return PtxSemanticError(
        Diagnostic(mismatch.code, "semantic", mismatch.message, source, (label,), forms, help=mismatch.help)
    )
