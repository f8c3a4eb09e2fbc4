"""9.7.9.15 to 9.7.9.18 Prefetches, discards and cache policies: caches are not modelled, so most change nothing."""

from __future__ import annotations

from typing import Any

from emulator.isa.instructions.load_store import space_of
from emulator.isa.ops import B128, F32, U32, U64, Ops, Value
from emulator.isa.registry import Variant, instruction

HINT: dict[str, Any] = {"loose": True, "kind": "machine"}
POLICY: dict[str, Any] = {"type": "b64", "d": "u64", "requires": "7.4 sm_80", "section": "9.7.9.18", **HINT}
LINE = 128  # bytes
PRIORITIES = "L2::evict_last L2::evict_normal L2::evict_first L2::evict_unchanged"
SECOND = "L2::evict_first L2::evict_unchanged"
CODES = {"L2::evict_unchanged": 0, "L2::evict_first": 1, "L2::evict_last": 2, "L2::evict_normal": 3}


@instruction("prefetch{.ss}.level [a]", ss="global local", level="L1 L2", requires="2.0 sm_20", section="9.7.9.15",
             **HINT)  # fmt: skip
@instruction("prefetch{.ss}.level [a]", ss="global", level="L2::evict_last L2::evict_normal", requires="7.4 sm_80",
             section="9.7.9.15", **HINT)  # fmt: skip
@instruction("prefetch{.ss}.tensormap [a]", ss="const param", requires="8.0 sm_90", section="9.7.9.15", **HINT)
@instruction("prefetchu.L1 [a]", requires="2.0 sm_20", kind="machine", section="9.7.9.15")
def prefetch(ops: Ops, i: Variant, a: Value) -> None:
    """Bring the line at address a into a cache; nothing here, whatever the address."""


@instruction("applypriority{.ss}.level [a], size", ss="global", level="L2::evict_normal", size="static u32",
             limits={"size": (LINE,)}, requires="7.4 sm_80", section="9.7.9.16", **HINT)  # fmt: skip
def applypriority(ops: Ops, i: Variant, a: Value) -> None:
    """Set the eviction priority of the 128 bytes at address a; nothing here."""


@instruction("discard{.ss}.L2 [a], size", ss="global", size="static u32", limits={"size": (LINE,)},
             requires="7.4 sm_80", section="9.7.9.17", **HINT)  # fmt: skip
def discard(ops: Ops, i: Variant, a: Value) -> None:
    """The 128 bytes at address a, aligned to 128, become indeterminate: zeros here."""
    ops.store(space_of(i), B128, a, [ops.undefined(B128)] * (LINE // B128.bytes))


def policy_code(i: Variant) -> int:
    """The priorities of a policy: bits 5 and 6 the primary one, bit 4 the secondary one."""
    second = 0x10 if i.secondary == "L2::evict_first" else 0
    return CODES[i.primary] << 5 | second


@instruction("createpolicy.fractional.primary{.secondary}.type d{, fraction}", first="fractional", primary=PRIORITIES,
             secondary=SECOND, fraction="f32", **POLICY)  # fmt: skip
def createpolicy_fractional(ops: Ops, i: Variant, fraction: Value | None = None) -> Value:
    """d = the policy that gives a fraction of the accesses the primary priority, and the others the secondary one.

    The value is opaque; its bits are those that ptxas 13.0 makes for sm_90: the fraction in steps of 1/16.
    """
    full = ops.const(F32, 1.0) if fraction is None else fraction
    steps = ops.float_to_int(ops.fround(ops.fmul(full, ops.const(F32, 15.989999771118164)), "rzi"), U32)
    return ops.cast(steps & 15 | 0x100 | policy_code(i), U64) << 52


@instruction("createpolicy.range{.ss}.primary{.secondary}.type d, [a], size, total", first="range", ss="global",
             primary=PRIORITIES, secondary=SECOND, a="narrow", size="u32", total="u32", **POLICY)  # fmt: skip
def createpolicy_range(ops: Ops, i: Variant, a: Value, size: Value, total: Value) -> Value:
    """d = the policy that gives size bytes from address a the primary priority, and the rest of total the secondary.

    The value is opaque; its bits are those that ptxas 13.0 makes for sm_90: first block and number of blocks of
    the primary range, in blocks of at least 4 KiB of which 128 hold total.
    """
    unit = ops.maximum(32 - ops.leading_zeros(total - 1), ops.const(U32, 12 + 7)) - 7
    start = a >> unit
    end = a + ops.cast(size + (ops.const(U32, 1) << unit) - 1, U64) >> unit
    blocks = ops.minimum(end - start, ops.const(U64, 127))
    head = ops.cast(unit - 12 & 15 | 0x180 | policy_code(i), U64) << 52
    found = head | (start & 127) << 44 | blocks << 37
    return ops.select(total == 0, ops.const(U64, 0x180 << 52), found)


@instruction("createpolicy.cvt.L2.type d, a", first="cvt", a="u64", **POLICY)
def createpolicy_cvt(ops: Ops, i: Variant, a: Value) -> Value:
    """d = the policy of an access property of the CUDA API, which has the same bits."""
    return a
