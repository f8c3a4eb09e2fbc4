"""A launch: its configuration, parameters, and how far it is."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.machine.blocks import NEXT, BlockHeader, BlockLayout, Pool
from emulator.machine.layout import Bytes, Record, aligned_zeros, dtype_of, i64, u64, word_at
from emulator.machine.memory import Allocation
from emulator.machine.residents import Residents
from emulator.machine.warp import ALL_LANES, CONTEXT_BYTES
from emulator.ptx_types import WARP_SIZE, Dim3

if TYPE_CHECKING:
    from emulator.machine.residents import ResidentTable
    from emulator.program import Program

_identities = itertools.count(1)


class GridBytes(Record):
    """What native code knows of a launch."""

    next: i64  # the number of the next CTA to be placed
    count: i64
    finished: i64
    identity: i64  # of no other launch of the process
    free: u64  # the first block that no CTA has
    template: u64  # a block as it is at the start of a CTA
    block_bytes: i64
    barrier_bytes: i64
    shared_at: i64
    shared_bytes: i64
    warps_at: i64
    warp_bytes: i64
    warps: i64
    register_bytes: i64
    zero_bytes: i64  # of these, the first ones, those that are zeros at the start
    local_at: i64
    local_bytes: i64
    width: i64  # of the grid, in CTAs
    height: i64
    rows: u64  # the rows that differ between the CTAs
    row_count: i64
    alone: i64  # whether the device runs nothing else and CTAs are placed one by one
    held: u64  # what the SMs of the device hold
    ctas: i64  # what one CTA takes of its SM
    threads: i64
    warps_held: i64
    shared_held: i64
    places: u64  # where the device's first free place of a resident CTA is written
    number: i64  # of the launch
    cluster: i64  # CTAs of a cluster, 1 without clusters
    cluster_x: i64  # its size
    cluster_y: i64
    cluster_z: i64
    capacity: i64  # CTAs that the empty device holds
    fewest: i64  # while CTAs are placed: those that the emptiest SM holds, and
    from_sm: i64  # the number below which all SMs hold more
    spare: u64  # of a share: the first place whose CTA has ended, and
    spares: i64  # how many there are
    whole: u64  # of the share that one of several threads has of a launch: the launch's GridBytes; else 0


@dataclass(frozen=True, slots=True)
class LaunchShape:
    """Sizes of a launch: `grid` counts CTAs, `cluster` CTAs of a cluster, `shared` dynamic bytes."""

    grid: Dim3
    block: Dim3
    cluster: Dim3 | None = None
    shared: int = 0


@dataclass(eq=False)
class Grid:
    """One launched kernel.

    symbols: addresses of the module's global and const variables on this device.  arguments: what the
    parameters were given, for diagnostics: name -> allocation or text.  table: the places of its device.
    """

    number: int
    program: Program
    config: LaunchShape
    parameters: Bytes
    device: int
    symbols: dict[str, int]
    arguments: dict[str, Allocation | str] = field(default_factory=dict)
    workspace: int = 0  # address of the zeroed workspace of a cooperative launch
    table: ResidentTable | None = None
    rows: npt.NDArray[np.int64] | None = None  # of the template, those that differ between CTAs

    def __post_init__(self) -> None:
        static = self.program.shared_bytes
        align = self.program.shared_align
        self.dynamic_offset = -(-static // align) * align if self.config.shared else static
        self.shared_bytes = self.dynamic_offset + self.config.shared
        self.parameters = np.ascontiguousarray(self.parameters)
        self.bytes = aligned_zeros(dtype_of(GridBytes).itemsize)
        self.fields: npt.NDArray[Any] = self.bytes.view(dtype_of(GridBytes))
        self.address = self.bytes.ctypes.data
        self.resident = Residents(self)
        self.fields["number"] = self.number
        self.fields["count"], self.fields["identity"] = self.config.grid.count, next(_identities)
        self.fields["width"], self.fields["height"] = self.config.grid.x, self.config.grid.y
        cluster = self.config.cluster or Dim3(1)
        self.cluster_size = cluster.count
        self.fields["cluster"] = cluster.count
        self.fields["cluster_x"], self.fields["cluster_y"], self.fields["cluster_z"] = cluster.x, cluster.y, cluster.z

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def user_shared_bytes(self) -> int:
        """Shared memory of a CTA without what is reserved for the system."""
        reserved = self.program.reserved_shared
        return self.shared_bytes - (reserved.size if reserved else 0)

    @property
    def next_cta(self) -> int:
        """The number of the next CTA to be placed."""
        return int(self.fields["next"][0])

    @next_cta.setter
    def next_cta(self, number: int) -> None:
        self.fields["next"] = number

    @property
    def finished_ctas(self) -> int:
        """How many CTAs have ended."""
        return int(self.fields["finished"][0])

    @finished_ctas.setter
    def finished_ctas(self, count: int) -> None:
        self.fields["finished"] = count

    @property
    def cta_count(self) -> int:
        return self.config.grid.count

    def members(self, number: int) -> list[int]:
        """The numbers of the CTAs of a cluster, by rank."""
        cluster, size = self.config.cluster, self.config.grid
        if cluster is None:
            return [number]
        at = Dim3(size.x // cluster.x, size.y // cluster.y).index(number)
        found = []
        for rank in range(cluster.count):
            inner = cluster.index(rank)
            x, y, z = at.x * cluster.x + inner.x, at.y * cluster.y + inner.y, at.z * cluster.z + inner.z
            found.append(x + size.x * (y + size.y * z))
        return found

    def cluster_of(self, linear: Any) -> Any:
        """The number of the cluster of a CTA, or of many."""
        size, cluster = self.config.grid, self.config.cluster or Dim3(1)
        x, y, z = linear % size.x, linear // size.x % size.y, linear // (size.x * size.y)
        return x // cluster.x + size.x // cluster.x * (y // cluster.y + size.y // cluster.y * (z // cluster.z))

    @property
    def warps(self) -> int:
        """Warps of a CTA."""
        return -(-self.config.block.count // WARP_SIZE)

    @property
    def finished(self) -> bool:
        return self.finished_ctas == self.cta_count

    @property
    def all_dispatched(self) -> bool:
        return self.next_cta == self.cta_count

    # --- the bytes of its CTAs ---------------------------------------------------------------------

    @functools.cached_property
    def layout(self) -> BlockLayout:
        """What lies where in the block of a CTA; fixed when it is first asked for."""
        return BlockLayout.of(self.program, self.warps, self.shared_bytes)

    @functools.cached_property
    def pool(self) -> Pool:
        """The blocks of its CTAs."""
        return Pool(self.layout)

    def adopt(self, pool: Pool) -> None:
        """Use the blocks that another launch of this layout has used."""
        self.__dict__["pool"] = pool
        self.free_blocks_but(set())

    def deal_blocks(self, count: int) -> list[int]:
        """Divide all blocks, which are all free, into so many lists: the first of each, 0 if it is empty."""
        self.fields["free"] = 0
        return self.pool.chains(count)

    def grow(self) -> None:
        """More free blocks, as far as there are CTAs for them."""
        for address in self.pool.grow(self.cta_count):
            self.give_back(address)

    def free_blocks_but(self, used: set[int]) -> None:
        """All blocks are free but these."""
        self.fields["free"] = self.pool.chain(used)

    def give_back(self, address: int) -> None:
        """A block is free."""
        word_at(address + NEXT).value = int(self.fields["free"][0])
        self.fields["free"] = address

    def take_blocks(self, most: int) -> int:
        """The first of a list of free blocks, not more than `most` of them."""
        if not self.fields["free"][0]:
            self.grow()
        first = last = int(self.fields["free"][0])
        for _ in range(most - 1):
            following = word_at(last + NEXT).value
            if not following:
                break
            last = following
        self.fields["free"] = word_at(last + NEXT).value
        word_at(last + NEXT).value = 0
        return first

    def take_block(self) -> int:
        """A block for a CTA."""
        if not self.fields["free"][0]:
            self.grow()
        address = int(self.fields["free"][0])
        self.fields["free"] = word_at(address + NEXT).value
        return address

    def copy_template(self, template: Bytes) -> None:
        """Have the template of another launch, engines' constants included."""
        copied = aligned_zeros(self.layout.size)
        copied[:] = template
        copied[:64].view(dtype_of(BlockHeader))["format"] = self.fields["identity"]
        self.__dict__["template"] = copied

    @functools.cached_property
    def template(self) -> Bytes:
        """A block as it is at the start of a CTA: pcs, masks, stacks; engines add their constants."""
        layout, program = self.layout, self.program
        block = aligned_zeros(layout.size)
        header = block[:64].view(dtype_of(BlockHeader))
        header["format"], header["live"] = self.fields["identity"][0], (1 << layout.warps) - 1
        for index in range(layout.warps):
            start = layout.warps_at + index * layout.warp_bytes + CONTEXT_BYTES
            words = block[start : start + 704].view(np.uint32)
            words[:32], words[128:160] = program.entry.first_pc, program.entry.frame_size
            threads = min(WARP_SIZE, self.config.block.count - index * WARP_SIZE)
            words[168], words[172] = ALL_LANES >> (WARP_SIZE - threads), ALL_LANES
        return block
