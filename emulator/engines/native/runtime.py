"""The native code that belongs to no instruction: one module, from the functions of the scheduler and their vectors."""

from __future__ import annotations

from emulator.engines.native import (
    allocations,
    calls,
    cta_life,
    lanes,
    lanes_text,
    meeting,
    multimem,
    noting,
    parking,
    recording,
    scalar,
    turns,
    watching,
)
from emulator.engines.native.lanes_text import LEAVE

FUNCTIONS = (
    "leave", "branch_all", "branch_split", "join_full", "join_part",
    "arrive", "exit_some", "ret_some", "call_some", "go_apart", "give_up",
    "lookup", "run_turn_of", "run_ready_of", "place_all_of", "begin_of",
    "note_all", "note_where", "note_unless", "note_taken", "make_room", "original", "claim_of",
    "leave_watched", "concerned_of", "each_inside_of", "each_in_cluster_of", "replicas_of",
)  # fmt: skip
PARTS = (
    allocations,
    calls,
    cta_life,
    lanes,
    meeting,
    multimem,
    noting,
    parking,
    recording,
    turns,
    watching,
)  # importing them declares their functions
ENTRIES = """
define i64 @run_turn_of(i64 %regs, i64 %ctx, i64 %left, i64 %exact) {
  %status = call i64 @run_turn(i64 %regs, i64 %ctx, i64 %left, i64 %exact)
  ret i64 %status
}
define i64 @run_ready_of(i64 %run) {
  %status = call i64 @run_ready(i64 %run)
  ret i64 %status
}
define void @place_all_of(i64 %run, i64 %grid) {
  call void @place_all(i64 %run, i64 %grid)
  ret void
}
define i64 @begin_of(i64 %record) {
  %done = call i64 @begin(i64 %record)
  ret i64 %done
}
define i1 @each_inside_of(ptr %ctx, ptr %addresses, i32 %lanes, i64 %size, i64 %write) {
  %context = ptrtoint ptr %ctx to i64
  %place = ptrtoint ptr %addresses to i64
  %mask = zext i32 %lanes to i64
  %all = call i64 @each_inside(i64 %context, i64 %place, i64 %mask, i64 %size, i64 %write)
  %inside = icmp ne i64 %all, 0
  ret i1 %inside
}
define i1 @each_in_cluster_of(ptr %ctx, ptr %addresses, i32 %lanes, i64 %size, ptr %out) {
  %context = ptrtoint ptr %ctx to i64
  %place = ptrtoint ptr %addresses to i64
  %mask = zext i32 %lanes to i64
  %found = ptrtoint ptr %out to i64
  %all = call i64 @each_in_cluster(i64 %context, i64 %place, i64 %mask, i64 %size, i64 %found)
  %inside = icmp ne i64 %all, 0
  ret i1 %inside
}
define i64 @replicas_of(ptr %ctx, ptr %addresses, i32 %lanes, i64 %size, i64 %number, ptr %out) {
  %context = ptrtoint ptr %ctx to i64
  %given = ptrtoint ptr %addresses to i64
  %mask = zext i32 %lanes to i64
  %found = ptrtoint ptr %out to i64
  %here = call i64 @replicas(i64 %context, i64 %given, i64 %mask, i64 %size, i64 %number, i64 %found)
  ret i64 %here
}
define ptr @claim_of(ptr %ip, ptr %ctx, i32 %lanes, i64 %what) {
  %record = ptrtoint ptr %ip to i64
  %context = ptrtoint ptr %ctx to i64
  %mask = zext i32 %lanes to i64
  %at = call i64 @claim(i64 %record, i64 %context, i64 %mask, i64 %what)
  %place = inttoptr i64 %at to ptr
  ret ptr %place
}
define i64 @concerned_of(ptr %ctx, i64 %hits, i64 %kind) {
  %context = ptrtoint ptr %ctx to i64
  %found = call i64 @concerned(i64 %context, i64 %hits, i64 %kind)
  ret i64 %found
}
attributes #0 = { nounwind }
"""


def runtime_text() -> str:
    """The whole module."""
    return lanes_text.vector_text() + scalar.module_text() + ENTRIES


__all__ = ["FUNCTIONS", "LEAVE", "PARTS", "runtime_text"]
