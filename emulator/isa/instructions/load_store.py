"""9.7.9.8 to 9.7.9.11 Loads and stores."""

from __future__ import annotations

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction

TYPES = "b8 b16 b32 b64 b128 u8 u16 u32 u64 s8 s16 s32 s64 f32 f64"
SPACES = "const global local param param::entry param::func shared shared::cta shared::cluster"
CACHE = "ca cg cs lu cv"
EVICT = "L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last L1::no_allocate"
PREFETCH = "L2::64B L2::128B L2::256B"


def space_of(i: Variant) -> str:
    """The state space that an instruction names, without `::cta` and the like; "generic" without one."""
    return str(i.get("ss") or "generic").partition("::")[0]


@instruction(
    "ld{.weak}{.ss}{.cop}{.evict}{.prefetch}{.vec}.type d, [a]",
    ss=SPACES, cop=CACHE, evict=EVICT, prefetch=PREFETCH, vec="v2 v4", type=TYPES, d="relaxed vec type", loose=True,
    section="9.7.9.8",
)  # fmt: skip
@instruction(
    "ld.volatile{.ss}{.prefetch}{.vec}.type d, [a]",
    ss=SPACES, prefetch=PREFETCH, vec="v2 v4", type=TYPES, d="relaxed vec type", loose=True, section="9.7.9.8",
)  # fmt: skip
@instruction(
    "ld.sem.scope{.ss}{.evict}{.prefetch}{.vec}.type d, [a]",
    sem="relaxed acquire", scope="cta cluster gpu sys", ss=SPACES, evict=EVICT, prefetch=PREFETCH, vec="v2 v4",
    type=TYPES, d="relaxed vec type", loose=True, requires="6.0 sm_70", section="9.7.9.8",
)  # fmt: skip
@instruction(
    "ld{.weak}.global{.cop}.nc{.evict}{.prefetch}{.vec}.type d, [a]",
    cop="ca cg cs", evict=EVICT, prefetch=PREFETCH, vec="v2 v4", type=TYPES, d="relaxed vec type", loose=True,
    requires="3.1 sm_32", section="9.7.9.9",
)  # fmt: skip
def ld(ops: Ops, i: Variant, a: Value) -> Value | list[Value]:
    """d = the value at address a; narrow integers are extended to the register by their sign."""
    space = "global" if i.get("nc") else space_of(i)
    sem = "volatile" if i.get("volatile") else i.get("sem") or "weak"
    values = ops.load(space, i.type, a, int(i.vec[1:]) if i.vec else 1, sem, i.get("scope") or "")
    return values if i.vec else values[0]


@instruction(
    "st{.weak}{.ss}{.cop}{.evict}{.vec}.type [a], b",
    ss=SPACES, cop="wb cg cs wt", evict=EVICT, vec="v2 v4", type=TYPES, b="relaxed vec type", loose=True,
    section="9.7.9.11",
)  # fmt: skip
@instruction(
    "st.volatile{.ss}{.vec}.type [a], b",
    ss=SPACES, vec="v2 v4", type=TYPES, b="relaxed vec type", loose=True, section="9.7.9.11",
)  # fmt: skip
@instruction(
    "st.sem.scope{.ss}{.evict}{.vec}.type [a], b",
    sem="relaxed release", scope="cta cluster gpu sys", ss=SPACES, evict=EVICT, vec="v2 v4", type=TYPES,
    b="relaxed vec type", loose=True, requires="6.0 sm_70", section="9.7.9.11",
)  # fmt: skip
def st(ops: Ops, i: Variant, a: Value, b: Value | list[Value]) -> None:
    """The value at address a = b; of lanes with one address the highest wins."""
    sem = "volatile" if i.get("volatile") else i.get("sem") or "weak"
    ops.store(space_of(i), i.type, a, b if isinstance(b, list) else [b], sem, i.get("scope") or "")
