"""What is taken, ptxas takes, where it is installed: random opcodes of every syntax line, operands of their types."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.errors import PtxError
from emulator.isa.registry import Entry, Variant, entries
from emulator.isa.signature import OperandPair, OperandSpec
from emulator.parse import parse
from emulator.program import check_module
from tests.isa.test_every_variant import elements, selectors
from tests.isa.test_registry import opcodes

HEAD = """.version 9.0
.target sm_90a
.address_size 64
.visible .entry k (.param .u64 in)
{ .reg .b8 %c<20>; .reg .b16 %h<20>; .reg .b32 %r<20>; .reg .b64 %l<20>; .reg .b128 %q<20>; .reg .pred %p<20>;
ld.param.u64 %l0, [in];
"""
LINES = HEAD.count("\n")
NAMES = {1: "%p", 8: "%c", 16: "%h", 32: "%r", 64: "%l", 128: "%q"}
MOST = 12  # opcodes of a syntax line
BATCH = 200


def operand(variant: Variant, spec: OperandSpec, place: int) -> str | None:
    """Something that may stand there; None where it is not simply a register, a constant or an address."""
    if spec.kind == "address":
        return "[%l0]"
    kind = variant.operand_type(spec)
    if kind is None or kind.width not in NAMES:
        return None
    if spec.flags & {"immediate", "static"}:
        return str(next(iter(variant.entry.limits.get(spec.name, (1,)))))
    if variant.entry.sync == spec.name:
        return "-1"
    registers = [f"{NAMES[kind.width]}{place + n + 1}" for n in range(max(1, elements(variant, spec)))]
    if elements(variant, spec):
        return "{" + ", ".join(registers) + "}"
    selector = f".{variant.get(spec.selector.name)}" if spec.selector else ""
    return registers[0] + selector


def statement(entry: Entry, opcode: str) -> str | None:
    """An opcode with operands; None for those that need more than registers and memory."""
    modifiers = entry.signature.match(tuple(opcode.split(".")[1:]))
    assert modifiers is not None
    variant = Variant(entry, opcode, modifiers | selectors(entry))
    texts = []
    for place, spec in enumerate(entry.signature.operands):
        parts = [spec.first, spec.second] if isinstance(spec, OperandPair) else [spec]
        if "hinted" in parts[0].flags and not variant.get("L2_cache_hint"):
            continue
        found = [operand(variant, part, place + n) for n, part in enumerate(parts)]
        if None in found:
            return None
        texts.append("|".join(map(str, found)))
    return f"{opcode} {', '.join(texts)};"


def taken(seed: int) -> Iterator[str]:
    """Random statements that are taken here, some of every syntax line."""
    for entry in entries():
        names = list(opcodes(entry)) if entry.removed is None else []
        random.Random(f"{seed} {entry.signature.line}").shuffle(names)
        statements = (statement(entry, name) for name in names[: 4 * MOST])
        yield from [text for text in statements if text is not None and is_taken(text)][:MOST]


def is_taken(text: str) -> bool:
    try:
        return not check_module(parse(f"{HEAD}{text}\nret; }}\n", "t"))[0]
    except PtxError:
        return False


def refused(ptxas: str, statements: list[str], folder: Path) -> list[str]:
    """Those that ptxas does not take, with what it says.

    A batch of which it names no line is halved; a single statement at which it crashes (ld.global.nc.v8.u8 with .b8
    registers) is not refused.
    """
    file = folder / "t.ptx"
    file.write_text(HEAD + "\n".join(statements) + "\nret; }\n")
    command = [ptxas, "-arch=sm_90a", "-O0", str(file), "-o", str(folder / "t.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    found = {int(line) - LINES - 1: why for line, why in re.findall(r"line (\d+); error\s*: (.*)", done.stderr)}
    if found:
        return [f"{statements[n]} {why}" for n, why in sorted(found.items())]
    if len(statements) == 1:
        return [f"{statements[0]} {done.stderr}"] if done.returncode > 0 else []
    half = len(statements) // 2
    return refused(ptxas, statements[:half], folder) + refused(ptxas, statements[half:], folder)


def test_statements_are_made_of_most_instructions() -> None:
    made = {entry.mnemonic for entry in entries() for name in list(opcodes(entry))[:3] if statement(entry, name)}
    assert len(made) >= 110
    assert is_taken("add.u32 %r1, %r2, %r3;") and not is_taken("add.u32 %r1, %r2;")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_ptxas_takes_what_is_taken(seed: int, tmp_path: Path) -> None:
    statements = list(taken(seed))
    assert len(statements) >= 2000
    if ptxas := shutil.which("ptxas"):
        batches = [statements[n : n + BATCH] for n in range(0, len(statements), BATCH)]
        assert [line for batch in batches for line in refused(ptxas, batch, tmp_path)] == []
