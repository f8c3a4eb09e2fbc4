"""Changes of mbarrier objects as LLVM text: a loop over the executing lanes, the lowest first; and waiting for them.

Where a lane's change is not allowed, those of the lanes before it are taken back, last first, and the instruction is
left to the reference engine, which makes the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.engines.native.atomics import count_change, each_lane, pick, put, spill
from emulator.engines.native.context import HEADER, offset_of
from emulator.engines.native.text import vector
from emulator.isa.ops import U64, ObjectChange, Value
from emulator.machine.warp import HEADER_BYTES

if TYPE_CHECKING:
    from emulator.engines.native.machine_ops import MachineOps

WORDS, NUMBERS = vector("i64"), vector("i32")


def update_text(ops: MachineOps, pointers: str, change: ObjectChange) -> Value:
    """Change the objects at the pointers of the executing lanes; the words before, 0 in lanes off."""
    places, out = spill(ops, vector("ptr"), pointers), spill(ops, WORDS, "zeroinitializer")
    lanes = ops.emit(f"bitcast {vector('i1')} {ops.lanes.data} to i32")
    undo, good, after = (ops.label() for _ in range(3))
    with each_lane(ops) as lane:
        below = ops.emit(f"sub i32 {ops.emit(f'shl i32 1, {lane}')}, 1")
        before = ops.emit(f"and i32 {lanes}, {below}")
        at = pick(ops, places, "ptr", lane)
        old = ops.emit(f"load i64, ptr {at}, align 1")
        changed, fault = change(Value(ops, U64, ops.spread("i64", old)))
        new = ops.emit(f"extractelement {WORDS} {changed.data}, i32 {lane}")
        wrong = ops.emit(f"icmp ne i32 {ops.emit(f'extractelement {NUMBERS} {fault.data}, i32 {lane}')}, 0")
        ops.lines += [f"  br i1 {wrong}, label %{undo}, label %{good}", f"{good}:"]
        ops.lines.append(f"  store i64 {new}, ptr {at}, align 1")
        count_change(ops, "i64", old, new)
        put(ops, out, "i64", lane, old)
    ops.lines += [f"  br label %{after}", f"{undo}:"]
    _take_back(ops, places, out, before)
    ops.lines.append(f"{after}:")
    return Value(ops, U64, ops.emit(f"load {WORDS}, ptr {out}, align 64"))


def _take_back(ops: MachineOps, places: str, out: str, lanes: str) -> None:
    """Write the words of some lanes as they were, and leave.

    The highest lane first, not as in `each_lane`: of an object that several lanes have changed the lowest has found
    the word that was there.
    """
    ops.leaves = True
    start, loop, body = (ops.label() for _ in range(3))
    rest, after = ops.emit_later(), ops.emit_later()
    ops.lines += [f"  br label %{start}", f"{start}:", f"  br label %{loop}", f"{loop}:"]
    ops.lines.append(f"  {rest} = phi i32 [ {lanes}, %{start} ], [ {after}, %{body} ]")
    more = ops.emit(f"icmp ne i32 {rest}, 0")
    ops.lines += [f"  br i1 {more}, label %{body}, label %leave", f"{body}:"]
    zeros = ops.intrinsic("llvm.ctlz.i32", "i32", [("i32", rest), ("i1", "true")])
    lane = ops.emit(f"sub i32 31, {zeros}")
    word = pick(ops, out, "i64", lane)
    ops.lines.append(f"  store i64 {word}, ptr {pick(ops, places, 'ptr', lane)}, align 1")
    bit = ops.emit(f"shl i32 1, {lane}")
    ops.lines += [f"  {after} = xor i32 {rest}, {bit}", f"  br label %{loop}"]


def suspend_text(ops: MachineOps, lanes: Value) -> None:
    """Lanes that are not suspended yet are, and the instruction counts, but it is held for the whole group."""
    at, waiting_at = (_header(ops, field) for field in ("suspended", "waiting"))
    suspended = ops.emit(f"load i32, ptr {at}")
    mask = ops.emit(f"bitcast {vector('i1')} {lanes.data} to i32")
    fresh = ops.emit(f"and i32 {mask}, {ops.emit(f'xor i32 {suspended}, -1')}")
    hold, go_on = ops.label(), ops.label()
    ops.lines += [f"  br i1 {ops.emit(f'icmp ne i32 {fresh}, 0')}, label %{hold}, label %{go_on}", f"{hold}:"]
    waiting = ops.emit(f"load i32, ptr {waiting_at}")
    ops.lines.append(f"  store i32 {ops.emit(f'or i32 {waiting}, {fresh}')}, ptr {waiting_at}")
    ops.lines.append(f"  store i32 {ops.emit(f'or i32 {suspended}, {fresh}')}, ptr {at}")
    _let_others_go(ops)
    ops.lines.append(f"{go_on}:")
    executing = ops.emit(f"bitcast {vector('i1')} {ops.lanes.data} to i32")
    rest = ops.emit(f"and i32 {suspended}, {ops.emit(f'xor i32 {executing}, -1')}")
    ops.lines.append(f"  store i32 {rest}, ptr {at}")


def _header(ops: MachineOps, field: str) -> str:
    return ops.emit(f"getelementptr i8, ptr %regs, i64 {HEADER[field] - HEADER_BYTES}")


def _let_others_go(ops: MachineOps) -> None:
    """End the straight run with this instruction, whose pc the group keeps: as where it meets other lanes."""
    start = ops.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of('start_pc')}")
    other = ops.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of('other_pc')}")
    pc = ops.emit(f"load i32, ptr {ops.emit('getelementptr i8, ptr %ip, i64 40')}")
    begun = ops.emit(f"load i32, ptr {start}")
    ops.lines.append(f"  store i32 {ops.emit(f'sub i32 {begun}, 1')}, ptr {start}")
    ops.lines.append(f"  store i32 {pc}, ptr {other}")
    ops.declarations.add("declare i32 @join_part(ptr noalias, ptr noalias, ptr noalias, i32)")
    arguments = "ptr noalias %ip, ptr noalias %regs, ptr noalias %ctx, i32 %mask"
    ops.lines.append(f"  ret i32 {ops.emit(f'musttail call i32 @join_part({arguments})')}")
