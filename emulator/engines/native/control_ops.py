"""Control, stacks and barriers as LLVM text: a handler checks its operands and ends in a function of the scheduler.

What that function has to know stands in the warp's context: the lanes that are taken, a barrier's number and count.
"""

from __future__ import annotations

from typing import Any

from emulator.engines.native.context import HEADER, offset_of
from emulator.engines.native.mbarriers import suspend_text
from emulator.engines.native.meeting import VOTES, WAITS
from emulator.engines.native.text import lane_type, vector
from emulator.engines.native.warp_ops import WarpOps
from emulator.isa.ops import PRED, U32, U64, Value
from emulator.machine.blocks import BARRIERS
from emulator.machine.warp import HEADER_BYTES
from emulator.ptx_types import TYPES, WARP_SIZE


class ControlOps(WarpOps):
    """Control of the text builder."""

    guarded = False  # whether the instruction has a guard, which may be false in all lanes
    may_pass = False  # whether the handler has a way on for that case

    def branch(self, lanes: Value, target: Any) -> None:
        """A transfer of all lanes of the group, of some of them, or of none."""
        self.control = "branch"

    def branch_table(self, lanes: Value, index: Value, targets: Any) -> None:
        """Each lane's pc from the table whose address is the record's last field: its length, then pcs."""
        self._take("go_apart")
        kind = vector("i32")
        table = self.emit(f"load ptr, ptr {self.emit('getelementptr i8, ptr %ip, i64 56')}")
        count = self.spread("i32", self.emit(f"load i32, ptr {table}"))
        beyond = self.value(PRED, f"icmp uge {kind} {index.data}, {count}")
        self.go_on_unless(self.any_lane((beyond & lanes).data))
        first = self.emit(f"getelementptr i32, ptr {table}, i64 1")
        wide = self.emit(f"zext {kind} {index.data} to {vector('i64')}")
        places = self.emit(f"getelementptr i32, ptr {first}, {vector('i64')} {wide}")
        arguments = [(vector("ptr"), places), ("i32", "4"), (vector("i1"), lanes.data), (kind, "zeroinitializer")]
        pcs = self.intrinsic("llvm.masked.gather.v32i32.v32p0", kind, arguments)
        at = self.emit(f"getelementptr i8, ptr %regs, i64 {HEADER['pc'] - HEADER_BYTES}")
        old = self.emit(f"load {kind}, ptr {at}, align 64")
        new = self.emit(f"select {vector('i1')} {lanes.data}, {kind} {pcs}, {kind} {self._past(old)}")
        self.lines.append(f"  store {kind} {new}, ptr {at}, align 64")

    def _past(self, pcs: str) -> str:
        """The pcs of a warp, where those of the group are behind the instruction."""
        pc = self.emit(f"load i32, ptr {self.emit('getelementptr i8, ptr %ip, i64 40')}")
        group = self.emit(f"bitcast i32 %mask to {vector('i1')}")
        behind = self.spread("i32", self.emit(f"add i32 {pc}, 1"))
        return self.emit(f"select {vector('i1')} {group}, {vector('i32')} {behind}, {vector('i32')} {pcs}")

    def call(self, lanes: Value, target: Any) -> None:
        """The executing lanes enter functions; the record's last field is the address of what the call copies."""
        self._take("call_some")

    def exit(self, lanes: Value) -> None:
        """The executing lanes end."""
        self._take("exit_some")

    def ret(self, lanes: Value) -> None:
        """The executing lanes return, or end."""
        self._take("ret_some")

    def fault(self, lanes: Value, kind: str) -> None:
        """Stop the launch if a lane is on: the reference engine does it."""
        self.go_on_unless(self.any_lane(lanes.data))

    def yield_(self, lanes: Value) -> None:
        """End the warp's turn, whether a lane executes or not."""
        self.control = "give_up"

    def executed_so_far(self) -> Value:
        """The time of the instruction, in every lane."""
        pc = self.emit(f"load i32, ptr {self.emit('getelementptr i8, ptr %ip, i64 40')}")
        length = self.emit(f"sub i32 {pc}, {self.field('start_pc', 'i32')}")
        begun = self.emit(f"sub i64 {self.field('clock')}, {self.field('budget')}")
        now = self.emit(f"add i64 {begun}, {self.emit(f'zext i32 {length} to i64')}")
        return Value(self, U64, self.spread("i64", now))

    def suspend(self, lanes: Value) -> None:
        """Lanes that have just come wait for the warp's next turn."""
        suspend_text(self, lanes)

    # --- the stack -------------------------------------------------------------------------------------

    def _stack_place(self) -> str:
        return self.emit(f"getelementptr i8, ptr %regs, i64 {HEADER['stack_top'] - HEADER_BYTES}")

    def _stack_row(self) -> Value:
        return self.value(TYPES["u32"], f"load {vector('i32')}, ptr {self._stack_place()}, align 32")

    def stack_top(self) -> Value:
        """The end of each lane's stack in use."""
        return self.cast(self._stack_row(), U64)

    def set_stack_top(self, address: Value) -> None:
        """Move the end of the executing lanes' stacks; beyond the stack leaves."""
        limit = Value(self, U64, self.spread("i64", self.field("stack_bytes")))
        self.go_on_unless(self.any_lane(((address > limit) & self.lanes).data))
        new = self.select(self.lanes, self.cast(address, TYPES["u32"]), self._stack_row())
        self.lines.append(f"  store {vector('i32')} {new.data}, ptr {self._stack_place()}, align 32")

    # --- barriers ------------------------------------------------------------------------------------

    def barrier(
        self, lanes: Value, index: Value, count: Value | None, *, wait: bool, predicate: Value | None = None
    ) -> None:
        """All executing lanes arrive at one barrier with one count; where these differ, or are wrong, all leave."""
        self._take("arrive")
        number = self._alike(index)
        bad = self.emit(f"icmp uge i32 {number}, {BARRIERS}")
        threads = "0"
        if count is not None:
            threads = self._alike(count)
            rest = self.emit(f"and i32 {threads}, {WARP_SIZE - 1}")
            bad = self.emit(f"or i1 {bad}, {self.emit(f'icmp ne i32 {rest}, 0')}")
        if not wait:
            bad = self.emit(f"or i1 {bad}, {self.emit(f'icmp eq i32 {threads}, 0')}")
        self.go_on_unless(bad)
        how = WAITS * wait
        if predicate is not None:
            how |= VOTES
            favour = self.emit(f"bitcast {vector('i1')} {(predicate & lanes).data} to i32")
            self._tell("favour", favour)
        self._tell("number", number)
        self._tell("threads", threads)
        self._tell("how", str(how))

    def barrier_result(self, reduction: str) -> Value:
        """The reduction over the barrier that has completed, from the votes that `try_barrier` has counted."""
        true = self.field("true_votes", "i32")
        if reduction == "popc":
            return Value(self, U32, self.spread("i32", true))
        other, relation = (self.field("votes", "i32"), "eq") if reduction == "and" else ("0", "ne")
        return Value(self, PRED, self.spread("i1", self.emit(f"icmp {relation} i32 {true}, {other}")))

    # --- what the scheduler has to know ----------------------------------------------------------------

    def _take(self, function: str) -> None:
        """Have the handler end in a function for the executing lanes; with none of them it goes on at once."""
        self.control = function
        if self.guarded:
            self.may_pass = True
            some = self.label()
            none = self.emit(f"icmp eq i32 {self.lane_mask}, 0")
            self.lines += [f"  br i1 {none}, label %nobody, label %{some}", f"{some}:"]
        self._tell("taken", self.lane_mask)

    def _tell(self, field: str, value: str) -> None:
        at = self.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of(field)}")
        self.lines.append(f"  store i32 {value}, ptr {at}")

    def _alike(self, value: Value) -> str:
        """The number that all executing lanes have, an i32; where they differ the instruction leaves."""
        kind = vector(lane_type(value.type))
        first = self.intrinsic("llvm.cttz.i32", "i32", [("i32", self.lane_mask), ("i1", "true")])
        number = self.emit(f"extractelement {kind} {value.data}, i32 {first}")
        other = self.value(PRED, f"icmp ne {kind} {value.data}, {self.spread('i32', number)}")
        self.go_on_unless(self.any_lane((other & self.lanes).data))
        return number
