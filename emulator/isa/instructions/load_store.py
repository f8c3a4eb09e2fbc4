"""9.7.9.8 to 9.7.9.11 Loads and stores."""

from __future__ import annotations

from typing import Any

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction

TYPES = "b8 b16 b32 b64 b128 u8 u16 u32 u64 s8 s16 s32 s64 f32 f64"
GLOBAL = ("global", "generic")
SHARED = "shared shared::cta shared::cluster"
SINCE = {
    ".L1::evict_normal": "7.4 sm_70", ".L1::evict_unchanged": "7.4 sm_70", ".L1::evict_first": "7.4 sm_70",
    ".L1::evict_last": "7.4 sm_70", ".L1::no_allocate": "7.4 sm_70", ".L2::cache_hint": "7.4 sm_80",
    ".L2::64B": "7.4 sm_75", ".L2::128B": "7.4 sm_75", ".L2::256B": "7.4 sm_80", ".b128": "8.3 sm_70",
    ".shared::cta": "7.8 sm_30", ".shared::cluster": "7.8 sm_90", ".cluster": "7.8 sm_90", ".weak": "6.0 sm_70",
    ".param::entry": "8.3 sm_20", ".param::func": "8.3 sm_20",
}  # fmt: skip
# What many lines have in common.  Vectors of eight and .v4 of 64-bit types would be wider than 128 bits (sm_100).
EVICT = "L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last L1::no_allocate"
PREFETCH = "L2::64B L2::128B L2::256B"
COMMON: dict[str, Any] = {"vec": "v2 v4 v8", "type": TYPES, "loose": True}
HINTED: dict[str, Any] = {**COMMON, "evict": EVICT, "policy": "hinted u64"}
LOADED: dict[str, Any] = {"d": "relaxed vec type gaps", "a": "unified"}
SCOPES = "cta cluster gpu sys"


def space_of(i: Variant) -> str:
    """The state space that an instruction names, without `::cta` and the like; "generic" without one."""
    return str(i.get("ss") or "generic").partition("::")[0]


def since(*parts: str) -> dict[str, str]:
    """The requirements of the modifiers among `SINCE` that a line has."""
    return {part: needs for part, needs in SINCE.items() if part.lstrip(".") in " ".join(parts).split()}


def misplaced(i: Variant) -> str | None:
    """Vectors of more than 128 bits; hints outside of global memory; a cache operator beside an eviction priority."""
    if i.get("vec") and int(i.vec[1:]) * i.type.width > 128:
        return f".{i.vec} of {i.type} is wider than 128 bits, which needs sm_100"
    if i.get("cop") and i.get("evict"):
        return f".{i.evict} and .{i.cop} cannot go together"
    hint = i.get("evict") or i.get("prefetch") or ("L2::cache_hint" if i.get("L2_cache_hint") else None)
    if hint and space_of(i) not in GLOBAL and not i.get("nc"):
        return f".{hint} is for global memory, not for .{i.ss}"
    return None


def order_of(i: Variant) -> str:
    """weak, volatile, mmio or the .sem of an access (manual, 8.4)."""
    return "volatile" if i.get("volatile") else "mmio" if i.get("mmio") else i.get("sem") or "weak"


LOAD_SPACES = f"const global local param param::entry param::func {SHARED}"


@instruction(
    "ld{.weak}{.ss}{.cop}{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type d, [a]{, policy}",
    ss=LOAD_SPACES, cop="ca cg cs lu cv", prefetch=PREFETCH, section="9.7.9.8", check=misplaced,
    since=since("weak L2::cache_hint b128", LOAD_SPACES, EVICT, PREFETCH), **HINTED, **LOADED,
)  # fmt: skip
@instruction(
    "ld.volatile{.ss}{.prefetch}{.vec}.type d, [a]", ss=f"global {SHARED}", prefetch=PREFETCH, requires="1.1",
    since=since("b128", SHARED, PREFETCH), section="9.7.9.8", check=misplaced, **COMMON, **LOADED,
)  # fmt: skip
@instruction(
    "ld.volatile.ss{.vec}.type d, [a]", ss="local", d="relaxed vec type gaps", requires="9.1",
    since=since("b128"), section="9.7.9.8", check=misplaced, **COMMON,
)  # fmt: skip
@instruction(
    "ld.sem.scope{.ss}{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type d, [a]{, policy}",
    sem="relaxed acquire", scope=SCOPES, ss=f"global {SHARED}", prefetch=PREFETCH, requires="6.0 sm_70",
    since=since("L2::cache_hint b128 cluster", SHARED, EVICT, PREFETCH), section="9.7.9.8", check=misplaced,
    **HINTED, **LOADED,
)  # fmt: skip
@instruction(
    "ld.mmio.sem.scope{.ss}.type d, [a]", sem="relaxed", scope="sys", ss="global", type=TYPES, d="relaxed type",
    since=since("b128"), loose=True, requires="8.2 sm_70", section="9.7.9.8",
)  # fmt: skip
@instruction(
    "ld.ss{.cop}.nc{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type d, [a]{, policy}",
    ss="global", cop="ca cg cs", prefetch=PREFETCH, requires="3.1 sm_32",
    since=since("L2::cache_hint b128", EVICT, PREFETCH), section="9.7.9.9", check=misplaced, **HINTED, **LOADED,
)  # fmt: skip
def ld(ops: Ops, i: Variant, a: Value, policy: Value | None = None) -> Value | list[Value]:
    """d = the value at address a.

    An integer is extended to a wider register by its sign; b and f types are extended by zeros.  A vector has
    consecutive elements and is aligned as a whole; an element may be thrown away with `_`.  Cache operators,
    eviction priorities, prefetch sizes and cache policies change nothing; .nc loads are coherent here.
    """
    values = ops.load(space_of(i), i.type, a, int(i.vec[1:]) if i.get("vec") else 1, order_of(i), i.get("scope") or "")
    return values if i.get("vec") else values[0]


@instruction(
    "ldu{.ss}{.vec}.type d, [a]", ss="global", vec="v2 v4", type=TYPES, loose=True,
    requires="2.0 sm_20", since=since("b128"), section="9.7.9.10", check=misplaced, **LOADED,
)  # fmt: skip
def ldu(ops: Ops, i: Variant, a: Value) -> Value | list[Value]:
    """d = the value at address a, read-only data at an address that all lanes share; as ld otherwise."""
    values = ops.load(space_of(i), i.type, a, int(i.vec[1:]) if i.vec else 1)
    return values if i.vec else values[0]


STORE_SPACES = f"global local param param::func {SHARED}"
STORED = "relaxed vec type"


@instruction(
    "st{.weak}{.ss}{.cop}{.evict}{.L2::cache_hint}{.vec}.type [a], b{, policy}",
    ss=STORE_SPACES, cop="wb cg cs wt", section="9.7.9.11", check=misplaced, b=STORED,
    since=since("weak L2::cache_hint b128", STORE_SPACES, EVICT), **HINTED,
)  # fmt: skip
@instruction(
    "st.volatile{.ss}{.vec}.type [a], b", ss=f"global {SHARED}", requires="1.1", since=since("b128", SHARED),
    section="9.7.9.11", check=misplaced, b=STORED, **COMMON,
)  # fmt: skip
@instruction(
    "st.volatile.ss{.vec}.type [a], b", ss="local", requires="9.1", since=since("b128"), section="9.7.9.11",
    check=misplaced, b=STORED, **COMMON,
)  # fmt: skip
@instruction(
    "st.sem.scope{.ss}{.evict}{.L2::cache_hint}{.vec}.type [a], b{, policy}",
    sem="relaxed release", scope=SCOPES, ss=f"global {SHARED}", requires="6.0 sm_70",
    since=since("L2::cache_hint b128 cluster", SHARED, EVICT), section="9.7.9.11", check=misplaced, b=STORED, **HINTED,
)  # fmt: skip
@instruction(
    "st.mmio.sem.scope{.ss}.type [a], b", sem="relaxed", scope="sys", ss="global", type=TYPES, b="relaxed type",
    since=since("b128"), loose=True, requires="8.2 sm_70", section="9.7.9.11",
)  # fmt: skip
def st(ops: Ops, i: Variant, a: Value, b: Value | list[Value], policy: Value | None = None) -> None:
    """The value at address a = b, of which a wider register gives its low bits.

    Of lanes that store to one address the highest wins.  A vector is aligned as a whole.
    """
    ops.store(space_of(i), i.type, a, b if isinstance(b, list) else [b], order_of(i), i.get("scope") or "")
