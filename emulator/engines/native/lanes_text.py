"""What the scheduler needs of vectors, as LLVM text: the pcs of 32 lanes, splats, the look-up of an allocation.

`enter` chooses the group of lanes that goes next, as engines/divergence.py says, and runs its handlers.
"""

from __future__ import annotations

from emulator.engines.divergence import SLICE
from emulator.engines.native.context import HEADER, global_offset, offset_of
from emulator.machine.warp import HEADER_BYTES

IDLE, TURN_OVER, LEAVE = 0, 2, 3  # statuses: no lane can run; the turn is over; one step for the reference
DELIVER = 8  # events have to be delivered
AGAIN, STOPPED, STRAY = 4, 5, 6  # choose anew; a planted stop; lanes stand where nobody looks
YIELDED = 9  # the turn ends, whatever is left of it
NOBODY = 0x7FFFFFFF
FORM = "(ptr noalias %ip, ptr noalias %regs, ptr noalias %ctx, i32 %mask)"


def _at(base: str, offset: int) -> str:
    return f"getelementptr i8, ptr {base}, i64 {offset}"


def _header(field: str) -> str:
    return _at("%regs", HEADER[field] - HEADER_BYTES)


VECTORS = f"""
define internal void @save_pcs(i64 %warp, i64 %lanes, i64 %wide) alwaysinline {{
  %regs = inttoptr i64 %warp to ptr
  %mask = trunc i64 %lanes to i32
  %pc = trunc i64 %wide to i32
  %at = {_header("pc")}
  %old = load <32 x i32>, ptr %at, align 64
  %on = bitcast i32 %mask to <32 x i1>
  %one = insertelement <32 x i32> poison, i32 %pc, i32 0
  %new = shufflevector <32 x i32> %one, <32 x i32> poison, <32 x i32> zeroinitializer
  %all = select <32 x i1> %on, <32 x i32> %new, <32 x i32> %old
  store <32 x i32> %all, ptr %at, align 64
  ret void
}}

define internal void @step_on(i64 %warp, i64 %lanes) alwaysinline {{
  %regs = inttoptr i64 %warp to ptr
  %mask = trunc i64 %lanes to i32
  %at = {_header("pc")}
  %old = load <32 x i32>, ptr %at, align 64
  %on = bitcast i32 %mask to <32 x i1>
  %one = zext <32 x i1> %on to <32 x i32>
  %new = add <32 x i32> %old, %one
  store <32 x i32> %new, ptr %at, align 64
  ret void
}}

define internal i64 @fetch_add64(i64 %address, i64 %value) alwaysinline {{
  %at = inttoptr i64 %address to ptr
  %old = atomicrmw add ptr %at, i64 %value seq_cst, align 8
  ret i64 %old
}}

define internal i64 @guarded(i64 %record, i64 %warp, i64 %negated) alwaysinline {{
  %ip = inttoptr i64 %record to ptr
  %regs = inttoptr i64 %warp to ptr
  %at_guard = {_at("%ip", 44)}
  %offset = load i32, ptr %at_guard
  %at = getelementptr i8, ptr %regs, i32 %offset
  %row = load <32 x i8>, ptr %at, align 32
  %on = icmp ne <32 x i8> %row, zeroinitializer
  %mask = bitcast <32 x i1> %on to i32
  %flip = trunc i64 %negated to i32
  %all = sub i32 0, %flip
  %taken = xor i32 %mask, %all
  %wide = zext i32 %taken to i64
  ret i64 %wide
}}
"""


STANDING = f"""
define internal i64 @standing_at(i64 %warp, i64 %wide) alwaysinline {{
  %regs = inttoptr i64 %warp to ptr
  %pc = trunc i64 %wide to i32
  %at = {_header("pc")}
  %pcs = load <32 x i32>, ptr %at, align 64
  %one = insertelement <32 x i32> poison, i32 %pc, i32 0
  %here = shufflevector <32 x i32> %one, <32 x i32> poison, <32 x i32> zeroinitializer
  %same = icmp eq <32 x i32> %pcs, %here
  %mask = bitcast <32 x i1> %same to i32
  %lanes = zext i32 %mask to i64
  ret i64 %lanes
}}
"""


def _spread(width: int) -> str:
    kind = f"<32 x i{width}>"
    narrow = "%value" if width == 64 else "%narrow"
    cut = "" if width == 64 else f"  %narrow = trunc i64 %value to i{width}\n"
    return f"""
define internal void @spread{width}(i64 %address, i64 %value) {{
  %at = inttoptr i64 %address to ptr
{cut}  %one = insertelement {kind} poison, i{width} {narrow}, i32 0
  %all = shufflevector {kind} %one, {kind} poison, <32 x i32> zeroinitializer
  store {kind} %all, ptr %at, align 32
  ret void
}}
"""


CHOOSE = f"""
declare i32 @llvm.vector.reduce.smin.v32i32(<32 x i32>)
declare i32 @llvm.vector.reduce.smax.v32i32(<32 x i32>)

define internal i64 @choose(i64 %warp, i64 %context) alwaysinline {{
  %regs = inttoptr i64 %warp to ptr
  %ctx = inttoptr i64 %context to ptr
  %at_live = {_header("live")}
  %live = load i32, ptr %at_live
  %at_waiting = {_header("waiting")}
  %waiting = load i32, ptr %at_waiting
  %ready = xor i32 %waiting, -1
  %runnable = and i32 %live, %ready
  %at_start = {_at("%ctx", offset_of("start_pc"))}
  %at_other = {_at("%ctx", offset_of("other_pc"))}
  %at_free = {_at("%ctx", offset_of("free_pc"))}
  %at_others = {_at("%ctx", offset_of("others"))}
  store i32 0, ptr %at_others
  %at_ran = {_header("ran")}
  %at_turn = {_header("turn")}
  %none = icmp eq i32 %runnable, 0
  br i1 %none, label %idle, label %look
idle:
  ret i64 0
look:
  %at_slice = {_header("slice")}
  %slice = load i32, ptr %at_slice
  %turn = load i32, ptr %at_turn
  %ran = load i32, ptr %at_ran
  %at_budget = {_at("%ctx", offset_of("budget"))}
  %budget = load i64, ptr %at_budget
  %keep_slice = {_at("%ctx", offset_of("slice"))}
  store i32 %slice, ptr %keep_slice
  %keep_turn = {_at("%ctx", offset_of("turn"))}
  store i32 %turn, ptr %keep_turn
  %keep_ran = {_at("%ctx", offset_of("ran"))}
  store i32 %ran, ptr %keep_ran
  %keep_budget = {_at("%ctx", offset_of("chosen"))}
  store i64 %budget, ptr %keep_budget
  %can = bitcast i32 %runnable to <32 x i1>
  %at_pc = {_header("pc")}
  %pcs = load <32 x i32>, ptr %at_pc, align 64
  %at_depth = {_header("depth")}
  %depths = load <32 x i32>, ptr %at_depth, align 64
  %lane = call i32 @llvm.cttz.i32(i32 %runnable, i1 true)
  %at_first = getelementptr i32, ptr %at_pc, i32 %lane
  %first = load i32, ptr %at_first
  %first1 = insertelement <32 x i32> poison, i32 %first, i32 0
  %first32 = shufflevector <32 x i32> %first1, <32 x i32> poison, <32 x i32> zeroinitializer
  %at_level = getelementptr i32, ptr %at_depth, i32 %lane
  %level = load i32, ptr %at_level
  %level1 = insertelement <32 x i32> poison, i32 %level, i32 0
  %level32 = shufflevector <32 x i32> %level1, <32 x i32> poison, <32 x i32> zeroinitializer
  %same_pc = icmp eq <32 x i32> %pcs, %first32
  %same_level = icmp eq <32 x i32> %depths, %level32
  %same = and <32 x i1> %same_pc, %same_level
  %same_mask = bitcast <32 x i1> %same to i32
  %apart_mask = xor i32 %same_mask, -1
  %stray_mask = and i32 %apart_mask, %runnable
  %together = icmp eq i32 %stray_mask, 0
  br i1 %together, label %new_round, label %apart
new_round:
  store i32 %first, ptr %at_start
  store i32 {NOBODY}, ptr %at_other
  store i32 {NOBODY}, ptr %at_free
  store i32 {SLICE}, ptr %at_slice
  store i32 -1, ptr %at_turn
  store i32 0, ptr %at_ran
  %whole = zext i32 %runnable to i64
  ret i64 %whole
apart:
  %in_turn = and i32 %runnable, %turn
  %nobody = icmp eq i32 %in_turn, 0
  %among = select i1 %nobody, i32 %runnable, i32 %in_turn
  %one_place = and i32 %same_mask, %runnable
  %stray = call i32 @llvm.cttz.i32(i32 %stray_mask, i1 true)
  %at_second = getelementptr i32, ptr %at_pc, i32 %stray
  %second = load i32, ptr %at_second
  %second1 = insertelement <32 x i32> poison, i32 %second, i32 0
  %second32 = shufflevector <32 x i32> %second1, <32 x i32> poison, <32 x i32> zeroinitializer
  %at_b = icmp eq <32 x i32> %pcs, %second32
  %level_b = and <32 x i1> %at_b, %same_level
  %b_mask = bitcast <32 x i1> %level_b to i32
  %b_place = and i32 %b_mask, %runnable
  %both = or i32 %one_place, %b_place
  %only_two = icmp eq i32 %both, %runnable
  br i1 %only_two, label %two, label %many
two:
  %in_order = icmp slt i32 %first, %second
  %low = select i1 %in_order, i32 %first, i32 %second
  %high = select i1 %in_order, i32 %second, i32 %first
  %low_lanes = select i1 %in_order, i32 %one_place, i32 %b_place
  %high_lanes = select i1 %in_order, i32 %b_place, i32 %one_place
  %low_among = and i32 %low_lanes, %among
  %goes_high = icmp eq i32 %low_among, 0
  %two_group = select i1 %goes_high, i32 %high_lanes, i32 %low_lanes
  %two_pc = select i1 %goes_high, i32 %high, i32 %low
  %two_other = select i1 %goes_high, i32 {NOBODY}, i32 %high
  %two_free = select i1 %goes_high, i32 -1, i32 %high
  store i32 %two_pc, ptr %at_start
  store i32 %two_other, ptr %at_other
  store i32 %two_free, ptr %at_free
  %two_others = select i1 %goes_high, i32 0, i32 %high_lanes
  store i32 %two_others, ptr %at_others
  %two_ran = or i32 %ran, %two_group
  store i32 %two_ran, ptr %at_ran
  %two_wide = zext i32 %two_group to i64
  ret i64 %two_wide
many:
  %lanes = bitcast i32 %among to <32 x i1>
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
  %deep_can = and <32 x i1> %deep, %can
  %here = icmp eq <32 x i32> %pcs, %pc32
  %group_lanes = and <32 x i1> %here, %deep_can
  %group = bitcast <32 x i1> %group_lanes to i32
  %above = icmp sgt <32 x i32> %pcs, %pc32
  %others = and <32 x i1> %above, %deep_can
  %other_pcs = select <32 x i1> %others, <32 x i32> %pcs, <32 x i32> splat (i32 {NOBODY})
  %other = call i32 @llvm.vector.reduce.smin.v32i32(<32 x i32> %other_pcs)
  %under = icmp slt <32 x i32> %pcs, %pc32
  %below = and <32 x i1> %under, %deep_can
  %below_mask = bitcast <32 x i1> %below to i32
  %none_below = icmp eq i32 %below_mask, 0
  %free = select i1 %none_below, i32 %other, i32 -1
  store i32 %pc, ptr %at_start
  store i32 %other, ptr %at_other
  store i32 %free, ptr %at_free
  %more = or i32 %ran, %group
  store i32 %more, ptr %at_ran
  %part = zext i32 %group to i64
  ret i64 %part
}}
declare i32 @llvm.cttz.i32(i32, i1)

define internal i64 @start(i64 %warp, i64 %context, i64 %lanes) {{
  %regs = inttoptr i64 %warp to ptr
  %ctx = inttoptr i64 %context to ptr
  %mask = trunc i64 %lanes to i32
  %status = call i32 @jump(ptr null, ptr %regs, ptr %ctx, i32 %mask)
  %wide = sext i32 %status to i64
  ret i64 %wide
}}

define internal i32 @jump{FORM} {{
  %at_start = {_at("%ctx", offset_of("start_pc"))}
  %pc = load i32, ptr %at_start
  %at_map = {_at("%ctx", offset_of("map"))}
  %map = load ptr, ptr %at_map
  %wide_pc = sext i32 %pc to i64
  %at_record = getelementptr ptr, ptr %map, i64 %wide_pc
  %record = load ptr, ptr %at_record
  %is_full = icmp eq i32 %mask, -1
  %offset = select i1 %is_full, i64 0, i64 8
  %at_handler = getelementptr i8, ptr %record, i64 %offset
  %handler = load ptr, ptr %at_handler
  %status = musttail call i32 %handler(ptr noalias %record, ptr noalias %regs, ptr noalias %ctx, i32 %mask)
  ret i32 %status
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


def vector_text() -> str:
    """All of it."""
    return "\n".join([VECTORS, STANDING, *(_spread(width) for width in (8, 16, 32, 64)), CHOOSE, LOOKUP])
