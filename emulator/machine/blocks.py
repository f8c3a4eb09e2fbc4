"""The bytes of a resident CTA: one block, laid out once a launch, used again by CTA after CTA.

    header    what the CTA is, which of its warps live, which of its barriers are in use
    barriers  sixteen, plain bytes (machine/cta.py)
    shared    its shared memory
    warps     one after the other: context, header, rows, local stacks, call stacks (machine/warp.py)

A block is taken when a CTA's first warp begins, not when the CTA is placed on its SM, and given back when its last
warp has ended; the block that was given back last is taken first, since it is in the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from emulator.machine.layout import Bytes, Record, aligned_zeros, bytes_at, i64, size_of, u32, u64
from emulator.machine.warp import local_offset
from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.program import Program

BARRIERS = 16
CHUNK = 1 << 20  # bytes that are taken from the host at a time
GAP = 0  # bytes between the parts of a block, in which tests put guards; a multiple of 64


class BlockHeader(Record):
    """The first 64 bytes of a block."""

    resident: u64  # the record of the CTA that has the block
    next: u64  # the next free block, while no CTA has this one
    format: i64  # the launch whose constants the block holds
    live: u32  # warps that have a live lane
    open: u32  # barriers in use
    rank: u32  # of the CTA that had it and has ended, while others of its cluster have not
    sm: u32
    unused1: u64
    unused2: u64
    unused3: u64


class BarrierHead(Record):
    """A named barrier; masks are of warps."""

    count: u32  # threads expected; 0: all warps with a live lane
    phase: u32
    partial: u32  # warps of which some lanes have come
    arrived: u32  # warps that have arrived
    arrivals: u32  # how often
    voted: u32  # warps that take part in a reduction
    unused0: u32
    unused1: u32


class BarrierWarp(Record):
    """A warp at a barrier; masks are of lanes."""

    partial: u32  # that have come, while others have not
    arrived: u32  # number of complete arrivals
    waiting: u32  # that wait for the barrier
    passing: u32  # that go on once their warp has arrived
    voted: u32  # that take part in a reduction
    in_favour: u32  # those of them whose predicate is true


HEADER = size_of(BlockHeader)


class BlockLayout(NamedTuple):
    """Where what lies in a block, in bytes from its start."""

    warps: int
    barrier_bytes: int
    shared_at: int
    shared_bytes: int
    warps_at: int
    warp_bytes: int
    register_bytes: int
    row_bytes: int
    local_at: int
    stack_bytes: int
    calls_at: int
    call_bytes: int
    size: int

    @staticmethod
    def of(program: Program, warps: int, shared_bytes: int) -> BlockLayout:
        """The layout for CTAs of a program."""
        barrier = size_of(BarrierHead) + warps * size_of(BarrierWarp)
        shared_at = _rounded(HEADER + BARRIERS * barrier) + GAP
        warps_at = shared_at + _rounded(shared_bytes) + GAP
        rows = _rounded(program.row_bytes + program.constant_bytes)
        local_at = local_offset(rows) + GAP
        calls_at = _rounded(local_at + WARP_SIZE * program.stack_bytes) + GAP
        each = _rounded(calls_at + WARP_SIZE * program.call_bytes) + GAP
        return BlockLayout(
            warps, barrier, shared_at, shared_bytes, warps_at, each, program.row_bytes, rows, local_at,
            program.stack_bytes, calls_at, program.call_bytes, warps_at + warps * each,
        )  # fmt: skip


def _rounded(size: int) -> int:
    return -(-size // 64) * 64


class Pool:
    """The blocks of one launch at a time; which of them are free, the launch knows."""

    def __init__(self, layout: BlockLayout) -> None:
        self.layout = layout
        self.addresses: list[int] = []
        self._chunks: list[Bytes] = []

    def grow(self, most: int) -> list[int]:
        """More blocks, no more than so many; their addresses."""
        count = max(1, min(most, CHUNK // self.layout.size))
        chunk = aligned_zeros(count * self.layout.size)
        self._chunks.append(chunk)
        start = chunk.ctypes.data
        new = [start + n * self.layout.size for n in range(count)]
        self.addresses += new
        return new

    def block(self, address: int) -> Bytes:
        """The bytes of a block."""
        return bytes_at(address, self.layout.size)
