"""Runs meanings on rows of lanes: the `example:` lines of docstrings, and operands given as Python ints.

An example's operand is a literal: `7`, `-1`, `0xff`, `0f3f800000`, `0d...`, `1.5`, `true`, `{1, 2}`, or, in
examples of warp instructions, one literal a lane from lane 0 on, separated by blanks, the last of which holds for
all further lanes; `%laneid` is each lane's number.  `CC.CF=1` is the carry bit before (among the inputs) or after
(among the results).  A result `_` is not checked.  Operands of video instructions may have selectors and signs:
`0x1234.b1`, `-(7)`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from emulator.engines.reference.lane_ops import LaneOps, dtype_of
from emulator.isa.ops import PRED, Value
from emulator.isa.registry import Entry, Example, Variant, entries, flat_operands, lookup
from emulator.isa.signature import OperandSpec
from emulator.ptx_types import WARP_SIZE, ScalarType

Row = Sequence[int]  # the bits of each lane
WORDS = {"true": 1, "false": 0}


def _absent(name: str) -> Any:
    def method(self: LaneOps, *arguments: Any, **keywords: Any) -> Any:
        raise NotImplementedError(f"{name}: an example has no memory, control or special registers")

    return method


# LaneOps without the rest of a machine: all that is abstract in it raises.
ValueOps: type[LaneOps] = type("ValueOps", (LaneOps,), {name: _absent(name) for name in LaneOps.__abstractmethods__})


def literal(text: str, kind: ScalarType) -> int:
    """The bits of a literal in a type.  ValueError if it does not fit."""
    if text in WORDS:
        return WORDS[text]
    if text[:2].lower() in ("0f", "0d"):
        bits = bytes.fromhex(text[2:])[::-1]
        number = struct.unpack("<f" if len(bits) == 4 else "<d", bits)[0]
        return int(text[2:], 16) if len(bits) * 8 == kind.width else float_bits(number, kind)
    try:
        number = int(text, 0)
    except ValueError:
        return float_bits(float(text), kind)
    if kind.kind == "f" and kind.width > 16 and not text.startswith("0x"):
        raise ValueError(f"{text} for {kind}: write 0f..., 0d..., or a decimal point")
    if not -(1 << max(kind.width, 8) - 1) <= number < 1 << kind.width:
        raise ValueError(f"{text} does not fit {kind}")
    return number & (1 << kind.width) - 1


def float_bits(number: float, kind: ScalarType) -> int:
    """The bits of a number in a float format, rounded to nearest even."""
    formats = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
    if kind.name not in formats:
        raise ValueError(f"a float literal for {kind}")
    return int.from_bytes(formats[kind.name](number).tobytes(), "little")


def lanes_of(text: str, kind: ScalarType, width: int = WARP_SIZE) -> list[int | None]:
    """The bits in each lane of an example's operand; None where it is not checked."""
    if text == "%laneid":
        return [lane % WARP_SIZE for lane in range(width)]
    given = [None if word == "_" else literal(word, kind) for word in text.split()]
    return [given[min(lane, len(given) - 1)] for lane in range(width)]


def value_of(ops: LaneOps, row: Row, kind: ScalarType) -> Value:
    """A value from the bits of each lane."""
    if kind.width == 128:
        data = np.array([[bits & 2**64 - 1, bits >> 64] for bits in row], np.uint64)
    elif kind.kind == "p":
        data = np.array(row, np.bool_)
    else:
        target = dtype_of(kind)
        data = np.array(row, np.dtype(f"uint{8 * target.itemsize}")).view(target)
    return ops.row(kind, data)


def row_of(value: Value) -> list[int]:
    """The bits of each lane of a value."""
    data = value.data
    if value.type.width == 128:
        return [int(low) | int(high) << 64 for low, high in data]
    if value.type.kind == "p":
        return [int(bit) for bit in data]
    return [int(bits) for bits in data.view(np.dtype(f"uint{8 * data.dtype.itemsize}"))]


@dataclass
class Run:
    """Results of an execution, one row of bits each (vectors: a list of rows), and the carry bits after it."""

    results: list[Any]
    types: list[ScalarType | None]
    carry: list[int]


def sources_of(variant: Variant) -> list[OperandSpec]:
    return [spec for spec in flat_operands(variant.entry.signature.operands) if not spec.is_result]


def results_of(variant: Variant) -> list[OperandSpec]:
    return [spec for spec in flat_operands(variant.entry.signature.operands) if spec.is_result]


def variant_of(opcode: str, count: int) -> Variant:
    """The variant of an opcode that takes so many sources."""
    for variant in lookup(opcode):
        specs = sources_of(variant)
        least = sum(not spec.optional for spec in specs)
        fault = variant.entry.check(variant) if variant.entry.check else None
        if least <= count <= len(specs) and fault is None:
            return variant
    raise LookupError(f"no entry for {opcode} with {count} sources")


def execute(
    variant: Variant, inputs: Sequence[Any], *, lanes: Row | None = None, carry: Row | None = None, width: int = 32
) -> Run:
    """Run a meaning; each input is a row of bits, or a list of rows for a vector."""
    ops = ValueOps(width)
    if lanes is not None:
        ops.lanes = value_of(ops, lanes, PRED)
    if carry is not None:
        ops.carry_row = np.array(carry, np.bool_)
    values = []
    for spec, given in zip(sources_of(variant), inputs, strict=False):
        kind = variant.operand_type(spec)
        assert kind is not None, spec
        vector = isinstance(given[0], (list, tuple))
        values.append([value_of(ops, row, kind) for row in given] if vector else value_of(ops, given, kind))
    returned = variant.entry.meaning(ops, variant, *values)
    parts = returned if isinstance(returned, tuple) else () if returned is None else (returned,)
    rows = [[row_of(value) for value in part] if isinstance(part, list) else row_of(part) for part in parts]
    types = [variant.operand_type(spec) for spec in results_of(variant)]
    return Run(rows, types, [int(bit) for bit in ops.carry_row])


def rows(opcode: str, *inputs: Row, **options: Any) -> list[list[int]]:
    """The result rows of an opcode for source rows of equal length, which is filled up to whole warps.

    modifiers: those that stand at operands, as in {"asel": "b0"}.  carry: CC.CF before; its row after is added.
    """
    length = len(inputs[0])
    width = -(-length // WARP_SIZE) * WARP_SIZE
    full = [[*row, *[row[0]] * (width - length)] for row in inputs]
    variant = variant_of(opcode, len(inputs)).with_modifiers(options.pop("modifiers", {}))
    if "carry" in options:
        options["carry"] = [*options["carry"], *[0] * (width - length)]
    run = execute(variant, full, width=width, **options)
    return [row[:length] for row in run.results] + ([run.carry[:length]] if "carry" in options else [])


def is_computed(entry: Entry) -> bool:
    """Whether the results of an instruction are a function of values alone: of its own lane or of the warp's."""
    specs = list(flat_operands(entry.signature.operands))
    pure = all(spec.kind == "value" for spec in specs) and any(spec.is_result for spec in specs)
    return pure and entry.kind in ("lane", "warp")


def all_examples() -> Iterator[tuple[Entry, Example]]:
    """Every example of the instructions that only compute, once a meaning."""
    seen = set()
    for entry in entries():
        if not is_computed(entry):
            continue
        for example in entry.examples():
            if (entry.meaning, example) not in seen:
                seen.add((entry.meaning, example))
                yield entry, example


def check_example(example: Example) -> list[str]:
    """Run an example; what differs, a line each."""
    carry_in, inputs = _take_carry(example.inputs)
    carry_out, results = _take_carry(example.results)
    variant = variant_of(example.opcode, len(inputs))
    inputs, at_sources = _take_modifiers(inputs, sources_of(variant))
    results, at_results = _take_modifiers(results, results_of(variant))
    variant = variant.with_modifiers(at_sources | at_results)
    kinds = [variant.operand_type(spec) for spec in sources_of(variant)]
    given: list[Any] = [_operand(text, kind) for text, kind in zip(inputs, kinds, strict=False)]
    lanes = _participants(variant, given)
    run = execute(variant, given, lanes=lanes, carry=None if carry_in is None else [carry_in] * WARP_SIZE)
    if len(results) > len(run.results):
        return [f"{len(results)} results expected, {len(run.results)} found"]
    wrong = [] if carry_out is None else _differences("CC.CF", [carry_out] * WARP_SIZE, run.carry, lanes)
    for text, kind, found in zip(results, run.types, run.results, strict=False):
        wanted = _operand(text, kind) if text != "_" else [None] * WARP_SIZE
        pairs = zip(wanted, found, strict=True) if isinstance(wanted[0], list) else [(wanted, found)]
        for wanted_row, found_row in pairs:
            wrong += _differences(text, wanted_row, found_row, lanes)
    return wrong


def _take_carry(texts: tuple[str, ...]) -> tuple[int | None, list[str]]:
    carry = next((int(text[-1]) for text in texts if text.startswith("CC.CF=")), None)
    return carry, [text for text in texts if not text.startswith("CC.CF=")]


def _take_modifiers(texts: list[str], specs: list[OperandSpec]) -> tuple[list[str], dict[str, Any]]:
    """Operands without their selectors and signs, and these as modifiers."""
    plain, found = [], {}
    for text, spec in zip(texts, specs, strict=False):
        if spec.minus and (negated := re.fullmatch(r"-\((.*)\)", text)):
            found[spec.minus], text = True, negated[1]
        if spec.selector and (selected := re.fullmatch(r"(.*)\.([bh]\d+)", text)):
            assert spec.selector.admits(selected[2]), text
            text, found[spec.selector.name] = selected[1], selected[2]
        plain.append(text)
    return [*plain, *texts[len(plain) :]], found


def _operand(text: str, kind: ScalarType | None) -> list[Any]:
    assert kind is not None, text
    if text.startswith("{"):
        return [lanes_of(part.strip(), kind) for part in text.strip("{}").split(",")]
    return lanes_of(text, kind)


def _participants(variant: Variant, given: list[list[int]]) -> list[int]:
    """The lanes of the member mask; all if the instruction has none."""
    names = [spec.name for spec in sources_of(variant)]
    mask = given[names.index(variant.entry.sync)][0] if variant.entry.sync else -1
    return [mask >> lane & 1 for lane in range(WARP_SIZE)]


def _differences(text: str, wanted: Sequence[int | None], found: Sequence[int], lanes: Sequence[int]) -> list[str]:
    return [
        f"lane {lane}: {text} expected, {found[lane]:#x} found"
        for lane in range(WARP_SIZE)
        if lanes[lane] and wanted[lane] is not None and wanted[lane] != found[lane]
    ][:3]
