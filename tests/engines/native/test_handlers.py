"""One meaning, two backends: every native handler gives the bits that the reference's rows give."""

from __future__ import annotations

import random
import zlib
from typing import Any

import numpy as np
import pytest

from emulator.engines.native.handlers import HandlerText
from emulator.engines.native.machine_ops import NoNativeForm
from emulator.isa.registry import Variant
from emulator.isa.signature import OperandSpec
from emulator.machine.warp import lanes_of
from tests.engines.native.handler_harness import UNTOUCHED, compile_handlers, key_of, run_handler
from tests.isa.examples import ValueOps, sources_of, value_of
from tests.isa.operands import one
from tests.isa.test_every_variant import ENTRIES, elements, variants

VARIANTS_A_LINE = 2
TRIALS = 3
LEAST_NATIVE = 0.98  # the share of computing variants that has a native form


def native_variants(most: int) -> tuple[list[Variant], int]:
    """(variants with a native form, how many there are in all), up to `most` of each line."""
    found, total = [], 0
    for entry in ENTRIES:
        for variant in variants(entry)[:most]:
            total += 1
            try:
                HandlerText(variant, key_of(variant), "part").build("probe")
            except NoNativeForm:
                continue
            found.append(variant)
    return found, total


def operand(ops: ValueOps, variant: Variant, spec: OperandSpec, choice: random.Random) -> Any:
    """Random numbers, many of them edges of the type; a list of them for a vector."""
    kind, count = variant.operand_type(spec), elements(variant, spec)
    assert kind is not None
    mask = (1 << kind.width) - 1
    rows = [value_of(ops, [one(kind, choice) & mask for _ in range(32)], kind) for _ in range(max(1, count))]
    return rows if count else rows[0]


def check(variant: Variant, address: int, stop: int, mode: str, trial: int) -> None:
    choice = random.Random(zlib.crc32(f"{variant.opcode} {mode} {trial}".encode()))
    mask = 0xFFFFFFFF if mode == "full" else choice.getrandbits(32) | 1
    ops, key = ValueOps(), key_of(variant)
    ops.lanes = ops.row(ops.lanes.type, lanes_of(mask))
    given = [operand(ops, variant, spec, choice) for spec in sources_of(variant)]
    for number, spec in enumerate(sources_of(variant)):
        if spec.name == variant.entry.sync:
            given[number] = ops.const(given[number].type, mask)
    expected = variant.entry.meaning(ops, variant, *given)
    got = run_handler(address, stop, key, given, mask)
    values = expected if isinstance(expected, tuple) else (expected,)
    for shape, rows, value in zip(key.results, got, values, strict=False):
        assert shape is not None
        for row, part in zip(rows, value if isinstance(value, list) else [value], strict=True):
            want = np.ascontiguousarray(part.data).view(np.uint8).reshape(32, -1).copy()
            want[~lanes_of(mask)] = 0 if shape.widths[0] == 1 else UNTOUCHED
            assert (row.reshape(32, -1) == want).all(), f"{variant.opcode}, {mode}, trial {trial}, mask {mask:#x}"


@pytest.mark.parametrize("mode", ["full", "part"])
def test_handlers_equal_the_reference(mode: str) -> None:
    found, total = native_variants(VARIANTS_A_LINE)
    assert len(found) > 300
    assert len(found) >= LEAST_NATIVE * total
    compiled = compile_handlers(found, [mode])
    for number, variant in enumerate(found):
        for trial in range(TRIALS):
            check(variant, compiled.addresses[number, mode], compiled.stop, mode, trial)
