"""Every variant of an instruction that only computes runs, and gives results of the types that its line promises."""

from __future__ import annotations

import random
import zlib
from typing import Any

import pytest

from emulator.isa.registry import Entry, Variant, entries, flat_operands
from emulator.isa.signature import OperandSpec
from tests.isa.examples import ValueOps, is_computed, results_of, sources_of, value_of
from tests.isa.test_registry import opcodes

MOST = 160
ENTRIES = [entry for entry in entries() if is_computed(entry)]


def variants(entry: Entry) -> list[Variant]:
    """Variants of a line that its rules allow: all, or a fixed sample of many."""
    names = list(opcodes(entry))
    if len(names) > MOST:
        names = random.Random(entry.signature.line).sample(names, MOST)
    found = []
    for name in names:
        modifiers = entry.signature.match(tuple(name.split(".")[1:]))
        assert modifiers is not None, name
        variant = Variant(entry, name, modifiers | selectors(entry))
        if entry.check is None or entry.check(variant) is None:
            found.append(variant)
    return found


def selectors(entry: Entry) -> dict[str, str]:
    """Something for every selector of a line."""
    texts = ("b1", "h1", "h10", "h32", "b3210", "b7654")
    found = [spec.selector for spec in flat_operands(entry.signature.operands) if spec.selector]
    return {selector.name: next(filter(selector.admits, texts)) for selector in found}


def elements(variant: Variant, spec: OperandSpec) -> int:
    """How many elements an operand has; 0 for a single value."""
    if "vec" in spec.flags:
        return int(variant.vec[1:]) if variant.get("vec") else 0
    return spec.count if spec.count > 1 else 0


def random_value(ops: Any, variant: Variant, spec: OperandSpec, choice: random.Random) -> Any:
    kind = variant.operand_type(spec)
    assert kind is not None

    def single() -> Any:
        return value_of(ops, [choice.getrandbits(kind.width) for _ in range(32)], kind)

    count = elements(variant, spec)
    return [single() for _ in range(count)] if count else single()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.signature.line)
def test_every_variant_runs(entry: Entry) -> None:
    tried = variants(entry)
    assert tried, "no variant is allowed"
    for variant in tried:
        ops = ValueOps()
        choice = random.Random(zlib.crc32(variant.opcode.encode()))
        given = [random_value(ops, variant, spec, choice) for spec in sources_of(variant)]
        returned = entry.meaning(ops, variant, *given)
        results = returned if isinstance(returned, tuple) else (returned,)
        specs = results_of(variant)
        assert len(results) >= len(specs), variant.opcode
        for spec, result in zip(specs, results, strict=False):
            kind, count = variant.operand_type(spec), elements(variant, spec)
            assert kind is not None
            parts = result if count else [result]
            assert [part.type.width for part in parts] == [kind.width] * max(count, 1), variant.opcode
