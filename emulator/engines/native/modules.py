"""Handlers as the text of an LLVM module."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from emulator.engines.native.compiler import host_features
from emulator.engines.native.fused import RunKey, RunText, Variants
from emulator.engines.native.handlers import HandlerKey, HandlerText
from emulator.engines.native.text import NoNativeForm, lane_type
from emulator.isa.registry import Variant
from emulator.isa.tables import table

MOST_LINES = 400  # of the text of an instruction in a run; a longer one keeps its own handler

RUNTIME = """
declare i32 @leave(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @branch_all(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @branch_split(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @arrive(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @exit_some(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @ret_some(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @call_some(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @give_up(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @original(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @go_apart(ptr noalias, ptr noalias, ptr noalias, i32)
declare i1 @lookup(ptr, ptr, i64)
"""


def module_text(functions: Sequence[tuple[str, Variant, HandlerKey, str]], features: str | None = None) -> str:
    """One LLVM module with several handlers: (name, variant, key, mode) each; NoNativeForm if any has none.

    features: of the CPU it is for, None for the host's.
    """
    wide = _is_wide(features)
    bodies: list[str] = []
    declarations: set[str] = set()
    tables: set[str] = set()
    named: dict[tuple[HandlerKey, str], str] = {}
    pending = [(name, variant, key, mode, "") for name, variant, key, mode in functions]

    def other(variant: Variant, key: HandlerKey, mode: str) -> str:
        if (key, mode) not in named:
            named[key, mode] = f"other{len(named)}"
            pending.append((named[key, mode], variant, key, mode, "internal "))
        return named[key, mode]

    while pending:
        name, variant, key, mode, linkage = pending.pop(0)
        text = HandlerText(variant, key, mode, functools.partial(other, variant, key), wide=wide)
        bodies.append(text.build(name, linkage))
        declarations |= text.ops.declarations
        tables |= text.ops.tables
    return _joined(bodies, declarations, tables)


def run_module_text(runs: Sequence[tuple[RunKey, Variants]], features: str | None = None) -> tuple[list[str], str]:
    """(function names, "" for a run that cannot be compiled; the text of one LLVM module with the others)."""
    names: list[str] = []
    bodies: list[str] = []
    declarations: set[str] = set()
    tables: set[str] = set()
    for number, (key, variants) in enumerate(runs):
        text = RunText(key, variants, wide=_is_wide(features))
        try:
            bodies.append(text.build(f"r{number}"))
        except NoNativeForm:
            names.append("")
            continue
        names.append(f"r{number}")
        declarations |= text.declarations
        tables |= text.tables
    return names, _joined(bodies, declarations, tables)


def _is_wide(features: str | None) -> bool:
    """Whether the CPU has AVX-512."""
    return "+avx512f" in (host_features() if features is None else features).split(",")


def _joined(bodies: list[str], declarations: set[str], tables: set[str]) -> str:
    constants = [_table_text(name) for name in sorted(tables)]
    return "\n".join([RUNTIME, *constants, *sorted(declarations), *bodies, "attributes #0 = { nounwind }\n"])


def _table_text(name: str) -> str:
    entries = table(name)
    element = lane_type(entries.type)
    values = ", ".join(f"{element} {value}" for value in entries.values)
    return f"@table.{name} = internal constant [{len(entries.values)} x {element}] [{values}]"


def is_short(variant: Variant, key: HandlerKey, mode: str) -> bool:
    """Whether an instruction has so little code that it gains by being part of a run."""
    text = HandlerText(variant, key, mode)
    text.build("probe")
    return len(text.ops.lines) <= MOST_LINES
