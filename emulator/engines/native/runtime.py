"""The native code that is written by hand: choosing lanes, control transfers, allocation look-up.

All functions have a handler's form.  They implement engines/divergence.py to the instruction: `dispatch`
chooses the group of lanes that goes next and enters its handlers; `branch_all` and `branch_split` account for
the straight run that a control transfer ends; `join` stops where other lanes stand; `leave` hands one
instruction to the reference engine.
"""

from __future__ import annotations

from emulator.engines.divergence import SLICE
from emulator.engines.native.context import HEADER, global_offset, offset_of
from emulator.machine.warp import HEADER_BYTES

IDLE, TURN_OVER, LEAVE = 0, 2, 3  # statuses: no lane can run; the turn is over; one step for the reference
NOBODY = 0x7FFFFFFF
FORM = "(ptr noalias %ip, ptr noalias %regs, ptr noalias %ctx, i32 %mask)"
PASS = "(ptr noalias %ip, ptr noalias %regs, ptr noalias %ctx, i32 %mask)"
FUNCTIONS = ("dispatch", "branch_all", "branch_split", "join_full", "join_part", "leave", "lookup")


def _at(base: str, offset: int) -> str:
    return f"getelementptr i8, ptr {base}, i64 {offset}"


def _header(field: str) -> str:
    return _at("%regs", HEADER[field] - HEADER_BYTES)


SAVE_PCS = f"""
define internal void @save_pcs(ptr %regs, i32 %mask, i32 %pc) alwaysinline {{
  %at = {_header("pc")}
  %old = load <32 x i32>, ptr %at, align 32
  %lanes = bitcast i32 %mask to <32 x i1>
  %one = insertelement <32 x i32> poison, i32 %pc, i32 0
  %new = shufflevector <32 x i32> %one, <32 x i32> poison, <32 x i32> zeroinitializer
  %all = select <32 x i1> %lanes, <32 x i32> %new, <32 x i32> %old
  store <32 x i32> %all, ptr %at, align 32
  ret void
}}

define internal void @account(ptr %regs, ptr %ctx, i32 %count) alwaysinline {{
  %wide = sext i32 %count to i64
  %at_budget = {_at("%ctx", offset_of("budget"))}
  %budget = load i64, ptr %at_budget
  %less = sub i64 %budget, %wide
  store i64 %less, ptr %at_budget
  %at_time = {_at("%ctx", offset_of("time"))}
  %time = load i64, ptr %at_time
  %later = add i64 %time, %wide
  store i64 %later, ptr %at_time
  %at_run = {_header("run_length")}
  %run = load i32, ptr %at_run
  %longer = add i32 %run, %count
  store i32 %longer, ptr %at_run
  ret void
}}

define internal i32 @runnable(ptr %regs) alwaysinline {{
  %at_live = {_header("live")}
  %live = load i32, ptr %at_live
  %at_waiting = {_header("waiting")}
  %waiting = load i32, ptr %at_waiting
  %ready = xor i32 %waiting, -1
  %both = and i32 %live, %ready
  ret i32 %both
}}

define internal void @take_turns(ptr %regs, i32 %group) alwaysinline {{
  %at_run = {_header("run_length")}
  %length = load i32, ptr %at_run
  store i32 0, ptr %at_run
  %runnable = call i32 @runnable(ptr %regs)
  %together = icmp eq i32 %group, %runnable
  br i1 %together, label %done, label %apart
apart:
  %at_slice = {_header("slice")}
  %slice = load i32, ptr %at_slice
  %left = sub i32 %slice, %length
  %goes_on = icmp sgt i32 %left, 0
  br i1 %goes_on, label %keep, label %rotate
keep:
  store i32 %left, ptr %at_slice
  br label %done
rotate:
  %at_turn = {_header("turn")}
  %turn = load i32, ptr %at_turn
  %at_ran = {_header("ran")}
  %ran = load i32, ptr %at_ran
  %not_ran = xor i32 %ran, -1
  %rest = and i32 %turn, %not_ran
  %can = and i32 %rest, %runnable
  %any = icmp ne i32 %can, 0
  %next = select i1 %any, i32 %rest, i32 -1
  store i32 {SLICE}, ptr %at_slice
  store i32 %next, ptr %at_turn
  store i32 0, ptr %at_ran
  br label %done
done:
  ret void
}}
"""

DISPATCH = f"""
declare i32 @llvm.vector.reduce.smin.v32i32(<32 x i32>)
declare i32 @llvm.vector.reduce.smax.v32i32(<32 x i32>)

define i32 @dispatch{FORM} {{
  %runnable = call i32 @runnable(ptr %regs)
  %none = icmp eq i32 %runnable, 0
  br i1 %none, label %idle, label %choose
idle:
  ret i32 {IDLE}
choose:
  %at_turn = {_header("turn")}
  %turn = load i32, ptr %at_turn
  %in_turn = and i32 %runnable, %turn
  %nobody = icmp eq i32 %in_turn, 0
  %among = select i1 %nobody, i32 %runnable, i32 %in_turn
  %lanes = bitcast i32 %among to <32 x i1>
  %can = bitcast i32 %runnable to <32 x i1>
  %at_pc = {_header("pc")}
  %pcs = load <32 x i32>, ptr %at_pc, align 32
  %at_depth = {_header("depth")}
  %depths = load <32 x i32>, ptr %at_depth, align 32
  %some_depths = select <32 x i1> %lanes, <32 x i32> %depths, <32 x i32> splat (i32 -1)
  %depth = call i32 @llvm.vector.reduce.smax.v32i32(<32 x i32> %some_depths)
  %depth1 = insertelement <32 x i32> poison, i32 %depth, i32 0
  %depth32 = shufflevector <32 x i32> %depth1, <32 x i32> poison, <32 x i32> zeroinitializer
  %deep = icmp eq <32 x i32> %depths, %depth32
  %deepest = and <32 x i1> %deep, %lanes
  %some_pcs = select <32 x i1> %deepest, <32 x i32> %pcs, <32 x i32> splat (i32 {NOBODY})
  %pc = call i32 @llvm.vector.reduce.smin.v32i32(<32 x i32> %some_pcs)
  %pc1 = insertelement <32 x i32> poison, i32 %pc, i32 0
  %pc32 = shufflevector <32 x i32> %pc1, <32 x i32> poison, <32 x i32> zeroinitializer
  %here = icmp eq <32 x i32> %pcs, %pc32
  %here_deep = and <32 x i1> %here, %deep
  %group_lanes = and <32 x i1> %here_deep, %can
  %group = bitcast <32 x i1> %group_lanes to i32
  %above = icmp sgt <32 x i32> %pcs, %pc32
  %above_deep = and <32 x i1> %above, %deep
  %others = and <32 x i1> %above_deep, %can
  %other_pcs = select <32 x i1> %others, <32 x i32> %pcs, <32 x i32> splat (i32 {NOBODY})
  %other = call i32 @llvm.vector.reduce.smin.v32i32(<32 x i32> %other_pcs)
  %at_other = {_at("%ctx", offset_of("other_pc"))}
  store i32 %other, ptr %at_other
  %at_start = {_at("%ctx", offset_of("start_pc"))}
  store i32 %pc, ptr %at_start
  %at_ran = {_header("ran")}
  %together = icmp eq i32 %group, %runnable
  br i1 %together, label %new_round, label %apart
new_round:
  %at_slice = {_header("slice")}
  store i32 {SLICE}, ptr %at_slice
  store i32 -1, ptr %at_turn
  store i32 0, ptr %at_ran
  br label %enter
apart:
  %ran = load i32, ptr %at_ran
  %more = or i32 %ran, %group
  store i32 %more, ptr %at_ran
  br label %enter
enter:
  %at_map = {_at("%ctx", offset_of("map"))}
  %map = load ptr, ptr %at_map
  %wide_pc = sext i32 %pc to i64
  %at_record = getelementptr ptr, ptr %map, i64 %wide_pc
  %record = load ptr, ptr %at_record
  %is_full = icmp eq i32 %group, -1
  %offset = select i1 %is_full, i64 0, i64 8
  %at_handler = getelementptr i8, ptr %record, i64 %offset
  %handler = load ptr, ptr %at_handler
  %status = musttail call i32 %handler(ptr noalias %record, ptr noalias %regs, ptr noalias %ctx, i32 %group)
  ret i32 %status
}}
"""

TRANSFER = f"""
define i32 @branch_all{FORM} {{
  %at_pc = {_at("%ip", 40)}
  %pc = load i32, ptr %at_pc
  %at_start = {_at("%ctx", offset_of("start_pc"))}
  %start = load i32, ptr %at_start
  %less = sub i32 %pc, %start
  %count = add i32 %less, 1
  call void @account(ptr %regs, ptr %ctx, i32 %count)
  %at_target = {_at("%ip", 56)}
  %target = load ptr, ptr %at_target
  %at_target_pc = {_at("%target", 40)}
  %target_pc = load i32, ptr %at_target_pc
  call void @take_turns(ptr %regs, i32 %mask)
  %at_budget = {_at("%ctx", offset_of("budget"))}
  %budget = load i64, ptr %at_budget
  %over = icmp sle i64 %budget, 0
  br i1 %over, label %stop, label %go_on
stop:
  call void @save_pcs(ptr %regs, i32 %mask, i32 %target_pc)
  ret i32 {TURN_OVER}
go_on:
  %runnable = call i32 @runnable(ptr %regs)
  %together = icmp eq i32 %mask, %runnable
  br i1 %together, label %jump, label %apart
jump:
  store i32 %target_pc, ptr %at_start
  %is_full = icmp eq i32 %mask, -1
  %offset = select i1 %is_full, i64 0, i64 8
  %at_handler = getelementptr i8, ptr %target, i64 %offset
  %handler = load ptr, ptr %at_handler
  %status = musttail call i32 %handler(ptr noalias %target, ptr noalias %regs, ptr noalias %ctx, i32 %mask)
  ret i32 %status
apart:
  call void @save_pcs(ptr %regs, i32 %mask, i32 %target_pc)
  %status2 = musttail call i32 @dispatch{PASS}
  ret i32 %status2
}}

define i32 @branch_split{FORM} {{
  %at_pc = {_at("%ip", 40)}
  %pc = load i32, ptr %at_pc
  %at_start = {_at("%ctx", offset_of("start_pc"))}
  %start = load i32, ptr %at_start
  %less = sub i32 %pc, %start
  %count = add i32 %less, 1
  call void @account(ptr %regs, ptr %ctx, i32 %count)
  %at_target = {_at("%ip", 56)}
  %target = load ptr, ptr %at_target
  %at_target_pc = {_at("%target", 40)}
  %target_pc = load i32, ptr %at_target_pc
  %at_taken = {_at("%ctx", offset_of("taken"))}
  %taken = load i32, ptr %at_taken
  %next_pc = add i32 %pc, 1
  call void @save_pcs(ptr %regs, i32 %mask, i32 %next_pc)
  call void @save_pcs(ptr %regs, i32 %taken, i32 %target_pc)
  call void @take_turns(ptr %regs, i32 %mask)
  %at_budget = {_at("%ctx", offset_of("budget"))}
  %budget = load i64, ptr %at_budget
  %over = icmp sle i64 %budget, 0
  br i1 %over, label %stop, label %go_on
stop:
  ret i32 {TURN_OVER}
go_on:
  %status = musttail call i32 @dispatch{PASS}
  ret i32 %status
}}

define i32 @join_full{FORM} {{
  %next = {_at("%ip", 64)}
  %handler = load ptr, ptr %next
  %status = musttail call i32 %handler(ptr noalias %next, ptr noalias %regs, ptr noalias %ctx, i32 %mask)
  ret i32 %status
}}

define i32 @join_part{FORM} {{
  %at_pc = {_at("%ip", 40)}
  %pc = load i32, ptr %at_pc
  %at_other = {_at("%ctx", offset_of("other_pc"))}
  %other = load i32, ptr %at_other
  %meets = icmp eq i32 %pc, %other
  br i1 %meets, label %meet, label %pass
pass:
  %next = {_at("%ip", 64)}
  %at_handler = {_at("%ip", 72)}
  %handler = load ptr, ptr %at_handler
  %status = musttail call i32 %handler(ptr noalias %next, ptr noalias %regs, ptr noalias %ctx, i32 %mask)
  ret i32 %status
meet:
  %at_start = {_at("%ctx", offset_of("start_pc"))}
  %start = load i32, ptr %at_start
  %count = sub i32 %pc, %start
  call void @account(ptr %regs, ptr %ctx, i32 %count)
  call void @save_pcs(ptr %regs, i32 %mask, i32 %pc)
  %status2 = musttail call i32 @dispatch{PASS}
  ret i32 %status2
}}

define i32 @leave{FORM} {{
  %at_pc = {_at("%ip", 40)}
  %pc = load i32, ptr %at_pc
  %at_start = {_at("%ctx", offset_of("start_pc"))}
  %start = load i32, ptr %at_start
  %count = sub i32 %pc, %start
  call void @account(ptr %regs, ptr %ctx, i32 %count)
  call void @save_pcs(ptr %regs, i32 %mask, i32 %pc)
  store i32 %pc, ptr %at_start
  %at_taken = {_at("%ctx", offset_of("taken"))}
  store i32 %mask, ptr %at_taken
  ret i32 {LEAVE}
}}
"""

# The entry of the allocation that holds an address goes into the record's cache; false if there is none.
LOOKUP = f"""
define i1 @lookup(ptr %ip, ptr %ctx, i64 %address) {{
entry:
  %at_globals = {_at("%ctx", offset_of("globals"))}
  %globals = load ptr, ptr %at_globals
  %at_table = {_at("%globals", global_offset("table"))}
  %table = load ptr, ptr %at_table
  %at_count = {_at("%globals", global_offset("count"))}
  %count = load i64, ptr %at_count
  br label %loop
loop:
  %low = phi i64 [ 0, %entry ], [ %low2, %step ]
  %high = phi i64 [ %count, %entry ], [ %high2, %step ]
  %open = icmp ult i64 %low, %high
  br i1 %open, label %step, label %done
step:
  %sum = add i64 %low, %high
  %middle = lshr i64 %sum, 1
  %at_entry = getelementptr [4 x i64], ptr %table, i64 %middle
  %base = load i64, ptr %at_entry
  %below = icmp ule i64 %base, %address
  %after = add i64 %middle, 1
  %low2 = select i1 %below, i64 %after, i64 %low
  %high2 = select i1 %below, i64 %high, i64 %middle
  br label %loop
done:
  %found_any = icmp ne i64 %low, 0
  br i1 %found_any, label %check, label %fail
check:
  %index = sub i64 %low, 1
  %at_found = getelementptr [4 x i64], ptr %table, i64 %index
  %at_end = getelementptr i8, ptr %at_found, i64 8
  %end = load i64, ptr %at_end
  %inside = icmp ult i64 %address, %end
  br i1 %inside, label %remember, label %fail
remember:
  %at_cache = {_at("%ip", 48)}
  store ptr %at_found, ptr %at_cache
  ret i1 true
fail:
  ret i1 false
}}
"""


def runtime_text() -> str:
    """The whole module."""
    return SAVE_PCS + DISPATCH + TRANSFER + LOOKUP
