"""The bytes of a resident CTA: one block, laid out once a launch, used again by CTA after CTA.

    header    what the CTA is, which of its warps live, which of its barriers are in use
    barriers  sixteen, plain bytes (machine/cta.py)
    shared    its shared memory
    warps     one after the other: context, header, rows, local stacks, call stacks (machine/warp.py)

A block is taken when a CTA's first warp begins, not when the CTA is placed on its SM, and given back when its last
warp has ended; the block that was given back last is taken first, since it is in the cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from emulator.machine.layout import Bytes, Record, aligned_zeros, bytes_at, i64, offset_of, size_of, u32, u64, word_at
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
    used: u32  # those that have been in use
    rank: u32  # of the CTA that had it and has ended, while others of its cluster have not
    sm: u32
    unused0: u32
    unused1: u64
    unused2: u64


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
NEXT = offset_of(BlockHeader, "next")
Words = npt.NDArray[np.uint64]


class BlockLayout(NamedTuple):
    """Where what lies in a block, in bytes from its start."""

    warps: int
    barrier_bytes: int
    shared_at: int
    shared_bytes: int
    warps_at: int
    warp_bytes: int
    register_bytes: int
    zero_bytes: int
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
            warps, barrier, shared_at, shared_bytes, warps_at, each, program.row_bytes, program.zero_bytes, rows,
            local_at, program.stack_bytes, calls_at, program.call_bytes, warps_at + warps * each,
        )  # fmt: skip


def _rounded(size: int) -> int:
    return -(-size // 64) * 64


class Chunk(NamedTuple):
    """Blocks that were taken from the host at once."""

    links: Words  # where each names the next free one, in its header
    following: Words  # the block behind each


class Pool:
    """The blocks of one launch at a time; which of them are free, the launch knows."""

    def __init__(self, layout: BlockLayout) -> None:
        self.layout = layout
        self.addresses: list[int] = []
        self._chunks: list[Chunk] = []

    def grow(self, most: int) -> list[int]:
        """More blocks, no more than so many; their addresses."""
        count = max(1, min(most, CHUNK // self.layout.size))
        words = aligned_zeros(count * self.layout.size).view(np.uint64)
        start = words.ctypes.data
        new = [start + n * self.layout.size for n in range(count)]
        if self._chunks:
            self._chunks[-1].following[-1] = start
        self._chunks.append(Chunk(words[NEXT // 8 :: self.layout.size // 8], np.array([*new[1:], 0], np.uint64)))
        self.addresses += new
        return new

    def chain(self, used: set[int]) -> int:
        """Make a list of all blocks but these, in which each names the next one; the first, 0 if there is none."""
        if used:
            return chain([address for address in self.addresses if address not in used])
        for chunk in self._chunks:
            chunk.links[:] = chunk.following
        return self.addresses[0] if self.addresses else 0

    def chains(self, count: int) -> list[int]:
        """Make so many lists of about equal length of all blocks."""
        self.chain(set())
        bounds = [len(self.addresses) * n // count for n in range(count + 1)]
        for bound in filter(None, bounds[1:]):
            word_at(self.addresses[bound - 1] + NEXT).value = 0
        return [self.addresses[first] if first < end else 0 for first, end in itertools.pairwise(bounds)]

    def block(self, address: int) -> Bytes:
        """The bytes of a block."""
        return bytes_at(address, self.layout.size)


def chain(blocks: Sequence[int]) -> int:
    """Make a list of free blocks, in which each names the next one; the first of them, 0 if there is none."""
    for block, following in zip(blocks, [*blocks[1:], 0], strict=False):
        word_at(block + NEXT).value = following
    return blocks[0] if blocks else 0


def chained(block: int) -> list[int]:
    """The blocks of such a list."""
    found = []
    while block:
        found.append(block)
        block = word_at(block + NEXT).value
    return found
