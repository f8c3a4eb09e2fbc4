"""9.7.13.5 and 9.7.13.6 Atomics and reductions."""

from __future__ import annotations

from typing import Any

from emulator.isa.instructions.load_store import space_of
from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction

SPACES = "global shared shared::cta shared::cluster"
ORDERS: dict[str, Any] = {"sem": "relaxed acquire release acq_rel", "scope": "cta cluster gpu sys", "ss": SPACES}
SCALARS = (
    ("and or xor", "b32 b64"),
    ("exch", "b32 b64"),
    ("add", "u32 u64 s32 f32 f64"),
    ("inc dec", "u32"),
    ("min max", "u32 s32 u64 s64"),
)


def _atom(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = the old value at a, which becomes op(old, b); cas: c where old = b."""
    operands = [b] if c is None else [b, c]
    return ops.atomic(space_of(i), i.op, i.type, a, operands, i.get("sem") or "relaxed", i.get("scope") or "gpu")


def _red(ops: Ops, i: Variant, a: Value, b: Value) -> None:
    """The value at a becomes op(old, b)."""
    ops.atomic(space_of(i), i.op, i.type, a, [b], i.get("sem") or "relaxed", i.get("scope") or "gpu")


for _operations, _types in SCALARS:
    instruction(
        "atom{.sem}{.scope}{.ss}.op.type d, [a], b",
        op=_operations, type=_types, d="type sink", kind="machine", loose=True, section="9.7.13.5", **ORDERS,
    )(_atom)  # fmt: skip
    if _operations != "exch":
        instruction(
            "red{.sem}{.scope}{.ss}.op.type [a], b",
            op=_operations, type=_types, kind="machine", loose=True, section="9.7.13.6", **ORDERS,
        )(_red)  # fmt: skip
instruction(
    "atom{.sem}{.scope}{.ss}.op.type d, [a], b, c",
    op="cas", type="b16 b32 b64 b128", d="type sink", kind="machine", loose=True, section="9.7.13.5", **ORDERS,
)(_atom)  # fmt: skip
