"""9.7.13.5 and 9.7.13.6 Atomics and reductions."""

from __future__ import annotations

from typing import Any

from emulator.isa.instructions.load_store import SHARED, misplaced, since, space_of
from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction

SINCE = {
    ".cta": "5.0 sm_60", ".gpu": "5.0 sm_60", ".sys": "5.0 sm_60", ".cluster": "7.8 sm_90", ".relaxed": "6.0 sm_70",
    ".release": "6.0 sm_70", **since("L2::cache_hint", SHARED),
}  # fmt: skip
SCOPES: dict[str, Any] = {"scope": "cta cluster gpu sys", "loose": True, "kind": "machine"}
SHARED_TOO: dict[str, Any] = {"ss": f"global {SHARED}", **SCOPES}
ATOM: dict[str, Any] = {"sem": "relaxed acquire release acq_rel", "section": "9.7.13.5"}
RED: dict[str, Any] = {"sem": "relaxed release", "section": "9.7.13.6"}
SCALARS = (
    ("and or xor", "b32 b64", ""),
    ("add", "u32 u64 s32", ""),
    ("add", "f32", "2.0 sm_20"),
    ("add", "f64", "5.0 sm_60"),
    ("inc dec", "u32", ""),
    ("min max", "u32 s32 u64 s64", ""),
)
HALVES = (("f16x2", "6.2 sm_60"), ("f16", "6.3 sm_70"), ("bf16 bf16x2", "7.8 sm_90"))
VECTORS = (("v2 v4 v8", "f16 bf16"), ("v2 v4", "f16x2 bf16x2"))
SWAPPED = (("b32 b64", ""), ("b128", "8.3 sm_90"))
COMPARED = (("b32 b64", ""), ("b16", "6.3 sm_70"), ("b128", "8.3 sm_90"))


def _order(i: Variant) -> tuple[str, str]:
    return i.get("sem") or "relaxed", i.get("scope") or "gpu"


def _operation(i: Variant) -> str:
    """The operation, which some lines write as a literal."""
    return str(i.get("op") or next(name for name in ("add", "exch", "cas") if i.get(name)))


def _atom(ops: Ops, i: Variant, a: Value, b: Value, policy: Value | None = None) -> Value:
    """d = the old value at a, which becomes op(old, b).

    add wraps; f32 additions in global memory flush subnormal numbers, in shared memory they keep them; f16, bf16
    and f64 keep them everywhere, and round to nearest even.  inc: old >= b ? 0 : old + 1.  dec: old = 0 or
    old > b ? b : old - 1.  The halves of packed types are atomic each for itself.  Lanes take turns in ascending
    order.  A cache policy changes nothing.
    """
    return ops.atomic(space_of(i), _operation(i), i.type, a, [b], *_order(i))


def _cas(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = the old value at a, which becomes c if it was b."""
    return ops.atomic(space_of(i), "cas", i.type, a, [b, c], *_order(i))


def _red(ops: Ops, i: Variant, a: Value, b: Value, policy: Value | None = None) -> None:
    """The value at a becomes op(old, b), as atom does it."""
    ops.atomic(space_of(i), _operation(i), i.type, a, [b], *_order(i))


def _atom_vector(ops: Ops, i: Variant, a: Value, b: list[Value], policy: Value | None = None) -> list[Value]:
    """d = the old values at a, of which each becomes op(old, b): each is atomic for itself.

    min and max give the number beside a NaN, and the canonical NaN for two of them.
    """
    return ops.atomic_vector(space_of(i), _operation(i), i.type, a, b, *_order(i))


def _red_vector(ops: Ops, i: Variant, a: Value, b: list[Value], policy: Value | None = None) -> None:
    """Each of the values at a becomes op(old, b), as the vector forms of atom do it."""
    ops.atomic_vector(space_of(i), _operation(i), i.type, a, b, *_order(i))


def _register(line: str, *, requires: str, **keywords: Any) -> None:
    """A line of atom and the one of red: `atom ... d, [a], b` and `red ... [a], b`."""
    common = {"requires": requires, "since": SINCE, "check": misplaced, "policy": "hinted u64", **keywords}
    sink = "vec type sink" if "vec" in keywords else "type sink"
    atom, red = (_atom_vector, _red_vector) if "vec" in keywords else (_atom, _red)
    instruction(f"atom{line} d, [a], b{{, policy}}", d=sink, **common, **ATOM)(atom)
    instruction(f"red{line} [a], b{{, policy}}", **common, **RED)(red)


for _operations, _types, _requires in SCALARS:
    _register("{.sem}{.scope}{.ss}.op{.L2::cache_hint}.type", requires=_requires, op=_operations, type=_types,
              **SHARED_TOO)  # fmt: skip
for _types, _requires in HALVES:
    _register("{.sem}{.scope}{.ss}.add.noftz{.L2::cache_hint}.type", requires=_requires, type=_types, **SHARED_TOO)
for _vectors, _types in VECTORS:
    _register("{.sem}{.scope}{.ss}.op.noftz{.L2::cache_hint}.vec.type", requires="8.1 sm_90", op="add min max",
              vec=_vectors, type=_types, b="vec type", ss="global", **SCOPES)  # fmt: skip
_register("{.sem}{.scope}{.ss}.add{.L2::cache_hint}.vec.type", requires="8.1 sm_90", vec="v2 v4", type="f32",
          b="vec type", ss="global", **SCOPES)  # fmt: skip
for _types, _requires in SWAPPED:
    instruction("atom{.sem}{.scope}{.ss}.exch{.L2::cache_hint}.type d, [a], b{, policy}", type=_types, d="type sink",
                requires=_requires, since=SINCE, check=misplaced, policy="hinted u64",
                **ATOM, **SHARED_TOO)(_atom)  # fmt: skip
for _types, _requires in COMPARED:
    instruction("atom{.sem}{.scope}{.ss}.cas.type d, [a], b, c", type=_types, d="type sink", requires=_requires,
                since=SINCE, **ATOM, **SHARED_TOO)(_cas)  # fmt: skip
