"""9.7.9.14 multimem: one address, a memory location on each of several devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.isa.ops import F32, PRED, Ops, Value
from emulator.isa.packed import pack, unpack
from emulator.isa.reductions import combine
from emulator.isa.registry import Variant, instruction
from emulator.ptx_types import TYPES, ScalarType

COMMON: dict[str, Any] = {
    "ss": "global", "loose": True, "kind": "machine", "requires": "8.1 sm_90", "section": "9.7.9.14",
}  # fmt: skip
HALVES, PAIRS = "f16 bf16", "f16x2 bf16x2"
# Operations, what .vec may be, types, and whether sums of halves may be accumulated as f32.
REDUCTIONS = (
    ("and or xor", "", "b32 b64", False),
    ("min max", "", "u32 s32 u64 s64", False),
    ("min max", "v2 v4 v8", HALVES, False),
    ("min max", "v2 v4", PAIRS, False),
    ("add", "", "u32 u64 s32 f32 f64", False),
    ("add", "v2 v4", "f32", False),
    ("add", "", PAIRS, True),
    ("add", "v2 v4 v8", HALVES, True),
    ("add", "v2 v4", PAIRS, True),
)
STORES = (
    ("", "", f"b32 b64 u32 u64 s32 s64 f32 f64 {PAIRS}", False),
    ("", "v2 v4 v8", HALVES, False),
    ("", "v2 v4", f"{PAIRS} f32", False),
)
Line = tuple[str, str, str, bool]


def _order(i: Variant) -> tuple[str, str]:
    return i.get("sem") or "weak", i.get("scope") or ""


def _count(i: Variant) -> int:
    return int(i.vec[1:]) if i.get("vec") else 1


def _element(kind: ScalarType) -> ScalarType:
    """The type of what is added or compared: a half of a packed type."""
    return TYPES[kind.name.removesuffix("x2")] if kind.kind == "v" else kind


def _terms(ops: Ops, i: Variant, values: list[Value]) -> list[Value]:
    """The numbers in some values, as wide as they are accumulated."""
    element = _element(i.type)
    parts = [part for value in values for part in (unpack(ops, value, element) if element is not i.type else [value])]
    return [ops.fconvert(part, F32) for part in parts] if i.get("acc") else parts


def _values(ops: Ops, i: Variant, terms: list[Value]) -> list[Value]:
    """Accumulated numbers as values of the instruction's type."""
    element = _element(i.type)
    if i.get("acc"):
        terms = [ops.fconvert(term, element) for term in terms]
    each = i.type.width // element.width
    return [pack(ops, terms[n : n + each], i.type) if each > 1 else terms[n] for n in range(0, len(terms), each)]


def multimem_ld_reduce(ops: Ops, i: Variant, a: Value) -> Value | list[Value]:
    """d = op over the values at a on all devices.

    Device by device in the order in which they were added, each step rounded to the type; with .acc::f32 halves are
    added as f32 and rounded once.  min and max of floats give the number beside a NaN.  Subnormal numbers are kept.
    """
    count = _count(i)
    total = ops.reduce_replicas(
        a,
        i.type.bytes * count,
        lambda where: _terms(ops, i, ops.load("global", i.type, where, count, *_order(i))),
        lambda x, y: combine(ops, i.op, x.type, x, [y], ops.const(PRED, 0)),
    )
    found = _values(ops, i, total)
    return found if i.get("vec") else found[0]


def multimem_st(ops: Ops, i: Variant, a: Value, b: Value | list[Value]) -> None:
    """The value at a on every device = b."""
    values = b if isinstance(b, list) else [b]
    for where in ops.replicas(a, i.type.bytes * _count(i)):
        ops.store("global", i.type, where, values, *_order(i))


def multimem_red(ops: Ops, i: Variant, a: Value, b: Value | list[Value]) -> None:
    """The value at a on every device becomes op(old, b), as red does it in global memory."""
    values = b if isinstance(b, list) else [b]
    for where in ops.replicas(a, i.type.bytes * _count(i)):
        ops.atomic_vector("global", i.op, i.type, where, values, *_order(i))


def _register(
    meaning: Callable[..., Any], name: str, operands: str, line: Line, strong: str, weak: str, **moved: str
) -> None:
    """A line of the table, once without order or .weak, and once with order and scope, which go together."""
    operations, vectors, types, accumulates = line
    parts = {"op": operations, "acc": "acc::f32" if accumulates else "", "vec": vectors}
    given: dict[str, Any] = {part: words for part, words in parts.items() if words}
    tail = "".join(f"{{.{part}}}" if part == "acc" else f".{part}" for part in given)
    if accumulates:
        given["since"] = {".acc::f32": "8.2 sm_90"}
    given |= {operand: f"vec {words}" if vectors else words for operand, words in moved.items()}
    for order in (weak, ".sem.scope"):
        orders: dict[str, Any] = {"sem": strong, "scope": "cta cluster gpu sys"} if ".sem" in order else {}
        head = f"multimem.{name}{order}{{.ss}}{tail}.type"
        instruction(f"{head} {operands}", first=name, type=types, **COMMON, **given, **orders)(meaning)


for _line in (*REDUCTIONS, ("min max", "", PAIRS, False)):
    _register(multimem_ld_reduce, "ld_reduce", "d, [a]", _line, "relaxed acquire", "{.weak}", d="type gaps")
for _line in STORES:
    _register(multimem_st, "st", "[a], b", _line, "relaxed release", "{.weak}", b="type")
for _line in REDUCTIONS:
    _register(multimem_red, "red", "[a], b", (*_line[:3], False), "relaxed release", "", b="type")
