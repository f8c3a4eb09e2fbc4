"""Every instruction that computes on values alone: its examples' operands, edges and random bits of every operand.

The forms come from the registry: all that a syntax line admits, or MOST of many, chosen by the line's own text.  A form
that the driver's compiler refuses is kept as a refusal.
"""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Iterator

import numpy as np

from emulator.crosscheck.case import Case, address, kernel_text
from emulator.crosscheck.operands import literal_bits
from emulator.isa.registry import Entry, Variant, entries, flat_operands, lookup
from emulator.isa.signature import OperandSpec
from emulator.ptx_types import ScalarType

MOST = 12  # forms of one syntax line, but for those of its examples
THREADS = 1024
LEAST_RESULTS = 16384  # of one mnemonic: one with few forms has more threads a form
GIVEN_LANES = {"membermask": 0xFFFF_FFFF}
SELECTORS = ("b1", "h1", "h10", "h32", "b3210", "b7654")  # parts of registers, where an operand must be one
LEFT_OUT = ("mov", "activemask", "elect", "bar")


def cases() -> Iterator[Case]:
    """A case a form."""
    forms: dict[str, tuple[Variant, str]] = {}
    for entry in filter(is_asked, entries()):
        for variant in variants(entry):
            name = f"{variant.opcode} {len(sources_of(variant))}"
            text = None if name in forms else _text(variant)
            if text is not None:
                forms[name] = variant, text
    counts = Counter(variant.entry.mnemonic for variant, _ in forms.values())
    for name, (variant, text) in forms.items():
        least = LEAST_RESULTS // counts[variant.entry.mnemonic]
        threads = max(THREADS, 1 << least.bit_length())
        yield _case(name, variant, text, threads)


def case_of(opcode: str, threads: int) -> Case:
    """The case of one opcode, with more threads."""
    for variant in lookup(opcode):
        text = _text(variant) if is_asked(variant.entry) else None
        if text is not None:
            return _case(opcode, variant, text, threads)
    raise LookupError(opcode)


def is_asked(entry: Entry) -> bool:
    """Whether results are a function of scalar register operands."""
    specs = list(flat_operands(entry.signature.operands))
    plain = all(spec.kind == "value" for spec in specs)
    pure = any(spec.is_result for spec in specs) and not {"static", "special"} & set().union(*(s.flags for s in specs))
    return plain and pure and entry.kind in ("lane", "warp") and entry.mnemonic not in LEFT_OUT


def variants(entry: Entry) -> list[Variant]:
    """The forms of a line that its rules allow: all, or MOST of them spread over all and those of its examples."""
    choices = [["", *slot.values] if slot.optional else list(slot.values) for slot in entry.signature.slots]
    names = [".".join([entry.mnemonic, *filter(None, parts)]) for parts in itertools.product(*choices)]
    found = []
    for name in names:
        modifiers = entry.signature.match(tuple(name.split(".")[1:]))
        variant = None if modifiers is None or not _is_for_hopper(entry, name) else Variant(entry, name, modifiers)
        if variant is not None and (entry.check is None or entry.check(variant) is None):
            found.append(variant)
    if len(found) <= MOST:
        return found
    start = zlib.crc32(entry.signature.line.encode()) % len(found)
    places = np.unique(np.linspace(start, start + len(found) - 1, MOST).astype(int) % len(found))
    shown = {example.opcode for example in entry.examples()}
    return [variant for n, variant in enumerate(found) if n in places or variant.opcode in shown]


def _is_for_hopper(entry: Entry, name: str) -> bool:
    if entry.removed is not None:
        return False
    needs = [entry.requires, *(entry.since[part] for part in name.split(".")[1:] if part in entry.since)]
    return all(int("".join(filter(str.isdigit, need.target))) <= 90 for need in needs)


def sources_of(variant: Variant) -> list[OperandSpec]:
    """What it reads."""
    return [spec for spec in flat_operands(variant.entry.signature.operands) if not spec.is_result]


def results_of(variant: Variant) -> list[OperandSpec]:
    """What it writes."""
    return [spec for spec in flat_operands(variant.entry.signature.operands) if spec.is_result]


def _case(name: str, variant: Variant, text: str, threads: int = THREADS) -> Case:
    arguments = []
    shown = _shown(variant)
    for position, spec in enumerate(_read(variant)):
        kind = variant.operand_type(spec)
        assert kind is not None
        first = "".join(f" {bits[position]:x}" for bits in shown)
        arguments.append((f"in{position}", f"edges {kind.name} {_width(kind)} {threads} {position}{first}"))
    rows = tuple(name for name, _ in arguments) if variant.entry.kind == "lane" else ()
    outputs = []
    for position, spec in enumerate(results_of(variant)):
        kind = variant.operand_type(spec)
        assert kind is not None
        outputs.append(f"out{position}")
        arguments.append((f"out{position}", f"u{_width(kind)}[{threads}]"))
    if _sets_carry(variant):
        outputs.append("carry")
        arguments.append(("carry", f"u32[{threads}]"))
    grid = (threads // 128,)
    return Case(name, "opcodes", text, tuple(arguments), tuple(outputs), grid=grid, block=(128,), rows=rows)


def _shown(variant: Variant) -> list[list[int]]:
    """The operands of the examples of a form, as bits; examples that set more than registers are left out."""
    specs = _read(variant)
    found = []
    for example in variant.entry.examples():
        if example.opcode == variant.opcode and len(example.inputs) == len(specs) == len(sources_of(variant)):
            kinds = [variant.operand_type(spec) for spec in specs]
            bits = [literal_bits(text, kind) for text, kind in zip(example.inputs, kinds, strict=True) if kind]
            if all(each is not None for each in bits):
                found.append([each for each in bits if each is not None])
    return found


def _read(variant: Variant) -> list[OperandSpec]:
    return [spec for spec in sources_of(variant) if spec.name not in GIVEN_LANES and "immediate" not in spec.flags]


def _width(kind: ScalarType) -> int:
    """Of an element in memory: a predicate is kept as a byte."""
    return max(8, kind.width)


def _sets_carry(variant: Variant) -> bool:
    return "cc" in variant.opcode.split(".")


def _text(variant: Variant) -> str | None:
    """The kernel of a form; None if one of its operands is no plain register."""
    lines, names, operands = [], [], []
    read = {id(spec): n for n, spec in enumerate(_read(variant))}
    written = {id(spec): n for n, spec in enumerate(results_of(variant))}
    after: list[str] = []
    for spec in flat_operands(variant.entry.signature.operands):
        kind = variant.operand_type(spec)
        if kind is None or spec.count > 1 or "vec" in spec.flags or kind.width > 64:
            return None
        if kind.width == 8 and "bf16" in variant.opcode:
            return None  # wants registers of 8 bits
        if spec.name in GIVEN_LANES:
            operands.append(str(GIVEN_LANES[spec.name] - (1 << 32)))
        elif "immediate" in spec.flags:
            limits = variant.entry.limits.get(spec.name)
            operands.append(str(0x96 if limits is None else next(iter(limits))))
        elif id(spec) in read:
            number = read[id(spec)]
            names.append(f"in{number}")
            operands.append(f"%s{number}")
            lines += _load(number, kind)
        else:
            number = written[id(spec)]
            merges = spec.selector is not None and len(sources_of(variant)) == 3  # into a part of c
            operands.append(f"%d{number}" + (f".{_part(spec)}" if merges else ""))
            lines.append(f"    .reg .{_register(kind)} %d{number};\n")
            after += _store(number, kind)
    outputs = [f"out{n}" for n in range(len(written))]
    if variant.entry.mnemonic in ("addc", "subc", "madc"):
        lines.append("    .reg .b32 %set;\n    add.cc.u32 %set, %i, 0xfffffe00;\n")
    carry = _sets_carry(variant)
    if carry:
        after = [*_carry(), *after]
    instruction = f"    {variant.opcode} {_joined(variant, operands)};\n"
    parameters = (*names, *outputs, *(["carry"] if carry else []))
    return kernel_text(parameters, "".join([*lines, instruction, *after]))


def _part(spec: OperandSpec) -> str:
    """A part of a register that an operand may be."""
    assert spec.selector is not None
    return next(filter(spec.selector.admits, SELECTORS))


def _joined(variant: Variant, operands: list[str]) -> str:
    """Operands with a bar between the two results of a pair."""
    texts, at = [], 0
    for spec in variant.entry.signature.operands:
        if isinstance(spec, OperandSpec):
            texts.append(operands[at])
            at += 1
        else:
            texts.append(f"{operands[at]}|{operands[at + 1]}")
            at += 2
    return ", ".join(texts)


def _register(kind: ScalarType) -> str:
    """The declared type of a register that can hold a type."""
    return "pred" if kind.width == 1 else f"b{max(16, kind.width)}"


def _load(number: int, kind: ScalarType) -> list[str]:
    lines = [address(f"%at{number}", f"in{number}", _width(kind) // 8)]
    lines.append(f"    .reg .{_register(kind)} %s{number};\n")
    if kind.width == 1:
        lines.append(f"    .reg .b16 %h{number};\n    ld.global.u8 %h{number}, [%at{number}];\n")
        lines.append(f"    setp.ne.u16 %s{number}, %h{number}, 0;\n")
    else:
        lines.append(f"    ld.global.b{_width(kind)} %s{number}, [%at{number}];\n")
    return lines


def _store(number: int, kind: ScalarType) -> list[str]:
    lines = [address(f"%to{number}", f"out{number}", _width(kind) // 8)]
    if kind.width == 1:
        lines.append(f"    .reg .b16 %w{number};\n    selp.b16 %w{number}, 1, 0, %d{number};\n")
        lines.append(f"    st.global.u8 [%to{number}], %w{number};\n")
    else:
        lines.append(f"    st.global.b{_width(kind)} [%to{number}], %d{number};\n")
    return lines


def _carry() -> list[str]:
    """The carry bit behind the instruction, as a word."""
    lines = ["    .reg .b32 %cf;\n    addc.u32 %cf, 0, 0;\n", address("%tocarry", "carry", 4)]
    return [*lines, "    st.global.b32 [%tocarry], %cf;\n"]
