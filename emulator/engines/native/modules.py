"""Handlers as the text of an LLVM module."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from emulator.engines.native.compiler import host_features
from emulator.engines.native.handlers import HandlerKey, HandlerText
from emulator.engines.native.text import lane_type
from emulator.isa.registry import Variant
from emulator.isa.tables import table

RUNTIME = """
declare i32 @leave(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @branch_all(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @branch_split(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @arrive(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @exit_some(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @ret_some(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @call_some(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @give_up(ptr noalias, ptr noalias, ptr noalias, i32)
declare i32 @go_apart(ptr noalias, ptr noalias, ptr noalias, i32)
declare i1 @lookup(ptr, ptr, i64)
"""


def module_text(functions: Sequence[tuple[str, Variant, HandlerKey, str]], features: str | None = None) -> str:
    """One LLVM module with several handlers: (name, variant, key, mode) each; NoNativeForm if any has none.

    features: of the CPU it is for, None for the host's.
    """
    wide = "+avx512f" in (host_features() if features is None else features).split(",")
    bodies, declarations, tables = [], set(), set()
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
    constants = [_table_text(name) for name in sorted(tables)]
    return "\n".join([RUNTIME, *constants, *sorted(declarations), *bodies, "attributes #0 = { nounwind }\n"])


def _table_text(name: str) -> str:
    entries = table(name)
    element = lane_type(entries.type)
    values = ", ".join(f"{element} {value}" for value in entries.values)
    return f"@table.{name} = internal constant [{len(entries.values)} x {element}] [{values}]"
