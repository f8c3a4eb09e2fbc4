"""Lanes of one instruction that name several member masks, such as the tiles of a warp, as LLVM text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emulator.engines.native.text import splat, vector
from emulator.isa.ops import Value

if TYPE_CHECKING:
    from emulator.engines.native.machine_ops import MachineOps

NUMBERS = vector("i32")


@contextmanager
def each_mask(ops: MachineOps, members: Value, here: str) -> Iterator[tuple[str, str]]:
    """A loop over the member masks of the lanes `here`, in ascending order: (mask, the lanes that name it)."""
    start, loop, body, last, done = (ops.label() for _ in range(5))
    rest, after = ops.emit_later(), ops.emit_later()
    ops.lines += [f"  br label %{start}", f"{start}:", f"  br label %{loop}", f"{loop}:"]
    ops.lines.append(f"  {rest} = phi i32 [ {here}, %{start} ], [ {after}, %{last} ]")
    more = ops.emit(f"icmp ne i32 {rest}, 0")
    ops.lines += [f"  br i1 {more}, label %{body}, label %{done}", f"{body}:"]
    left = ops.emit(f"bitcast i32 {rest} to {vector('i1')}")
    candidates = ops.emit(f"select {vector('i1')} {left}, {NUMBERS} {members.data}, {NUMBERS} {splat('i32', -1)}")
    mask = ops.intrinsic("llvm.vector.reduce.umin.v32i32", "i32", [(NUMBERS, candidates)])
    same = ops.emit(f"icmp eq {NUMBERS} {members.data}, {ops.spread('i32', mask)}")
    named = ops.emit(f"bitcast {vector('i1')} {same} to i32")
    lanes = ops.emit(f"and i32 {named}, {rest}")
    yield mask, lanes
    ops.lines += [f"  br label %{last}", f"{last}:"]
    ops.lines += [f"  {after} = xor i32 {rest}, {lanes}", f"  br label %{loop}", f"{done}:"]
