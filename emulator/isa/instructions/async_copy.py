"""9.7.9.25.3 Asynchronous copies that are not bulk copies."""

from __future__ import annotations

from typing import Any

from emulator.isa.instructions.load_store import PREFETCH, since
from emulator.isa.ops import U32, Ops, Value
from emulator.isa.registry import Variant, instruction

ASYNC: dict[str, Any] = {"first": "async", "loose": True, "kind": "machine"}
COPY: dict[str, Any] = {
    "to": "shared shared::cta", "prefetch": PREFETCH, "dst": "shared", "src": "global narrow", "size": "static u32",
    "policy": "hinted u64", "section": "9.7.9.25.3.1", "since": since("L2::cache_hint", PREFETCH), **ASYNC,
}  # fmt: skip
CA: dict[str, Any] = {"limits": {"size": (4, 8, 16), "n": range(17)}, **COPY}
CG: dict[str, Any] = {"limits": {"size": (16,), "n": range(17)}, **COPY}
HEAD = "cp.async.{}.to.global{{.L2::cache_hint}}{{.prefetch}} [dst], [src], size"


@instruction(HEAD.format("ca") + "{, n}{, policy}", n="u32", requires="7.0 sm_80", **CA)
@instruction(HEAD.format("cg") + "{, n}{, policy}", n="u32", requires="7.0 sm_80", **CG)
def cp_async(ops: Ops, i: Variant, dst: Value, src: Value, *rest: Value) -> None:
    """Copy size bytes from global to shared memory, of which n are read; the others are zeros.

    Of n above size, undefined in the manual, size bytes are read.  The copy is done at once, one of its legal
    moments.  Both addresses are aligned to size.
    """
    has_count = len(rest) > bool(i.L2_cache_hint)
    ops.copy_async(dst, src, i.size, rest[0] if has_count else ops.const(U32, i.size))


@instruction(HEAD.format("ca") + ", {!}ignore{, policy}", ignore="register pred", requires="7.5 sm_80", **CA)
@instruction(HEAD.format("cg") + ", {!}ignore{, policy}", ignore="register pred", requires="7.5 sm_80", **CG)
def cp_async_unless(ops: Ops, i: Variant, dst: Value, src: Value, ignore: Value, policy: Value | None = None) -> None:
    """Copy size bytes from global to shared memory, or zeros without reading where ignore holds."""
    ops.copy_async(dst, src, i.size, ops.select(ignore, ops.const(U32, 0), ops.const(U32, i.size)))


@instruction("cp.async.commit_group", requires="7.0 sm_80", section="9.7.9.25.3.2", **ASYNC)
@instruction("cp.async.wait_group n", n="static u32", requires="7.0 sm_80", section="9.7.9.25.3.3", **ASYNC)
@instruction("cp.async.wait_all", requires="7.0 sm_80", section="9.7.9.25.3.3", **ASYNC)
def cp_async_group(ops: Ops, i: Variant) -> None:
    """Put the copies so far into a group, or wait for all groups but the last n; copies are done already."""
