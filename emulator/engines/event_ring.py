"""The events of a run that have not been delivered yet: plain bytes, so that native code adds to them too.

`EventRing` says where the next record goes.  It has room for `BATCH` instructions and for `ACCESSES` accesses with the
slack that one instruction may need; before an instruction `next` is compared with `end`, which is 0 when it is the
accesses that want to be delivered.  So a batch ends at the same instruction on both engines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.machine.layout import Record, aligned_zeros, dtype_of, i64, u64
from emulator.machine.warp import LANE_BITS
from emulator.observer import INSTRUCTION_RECORD, MEMORY_RECORD
from emulator.ptx_types import WARP_SIZE

BATCH = 16384
ACCESSES = 2048
SLACK = 64  # accesses of one instruction
KINDS = ("r", "w", "a")
SPACES = ("generic", "global", "const", "shared", "local", "param")
ACCESS = np.dtype(
    [
        ("time", "u8"),
        ("grid", "u4"),
        ("cta", "u4"),
        ("warp", "u4"),
        ("pc", "u4"),
        ("lanes", "u4"),
        ("kind", "u1"),
        ("space", "u1"),
        ("unused", "u2"),
        ("size", "u8"),
        ("addresses", "u8", WARP_SIZE),
    ]
)
ACCESS_BYTES = ACCESS.itemsize
ADDRESSES = ACCESS_BYTES - 8 * WARP_SIZE  # where they begin
INSTRUCTION_BYTES = INSTRUCTION_RECORD.itemsize
_WHOLE = np.dtype(("V", MEMORY_RECORD.itemsize))  # a record as bytes, which are copied at once
_KIND_NAMES = np.array([name.encode() for name in KINDS], "S1")
_SPACE_NAMES = np.array([name.encode() for name in SPACES], "S7")


class EventRing(Record):
    """Addresses of records; the first and the last ones, and where the next ones go."""

    next: u64  # instruction
    first: u64
    end: u64  # `most`, or 0 when the accesses have to be delivered first
    most: u64
    access_next: u64
    access_first: u64
    access_most: u64
    who: u64  # launch and CTA of the turn in progress, as a record holds them
    wanted: i64  # whether anybody wants events


class Rings:
    """The bytes of both kinds of records.  batch, accesses: how many of a kind are kept until they are delivered."""

    def __init__(self, batch: int = BATCH, accesses: int = ACCESSES) -> None:
        size = dtype_of(EventRing).itemsize
        self._fields: npt.NDArray[np.int64] = aligned_zeros(size).view(np.int64)
        self.address = self._fields.ctypes.data
        self.resize(batch, accesses)

    def resize(self, batch: int, accesses: int) -> None:
        """Have other sizes; what has not been delivered is lost."""
        self._bytes = aligned_zeros(INSTRUCTION_BYTES * batch)
        self._instructions = self._bytes.view(INSTRUCTION_RECORD)
        self._accesses = aligned_zeros(ACCESS_BYTES * (accesses + SLACK)).view(ACCESS)
        first, access_first = self._instructions.ctypes.data, self._accesses.ctypes.data
        most = first + INSTRUCTION_BYTES * batch
        self._fields[:7] = first, first, most, most, access_first, access_first, access_first + ACCESS_BYTES * accesses

    def want(self, wanted: bool) -> None:
        """Say whether anybody wants events."""
        self._fields[8] = wanted

    @property
    def full(self) -> bool:
        """Whether records have to be delivered before the next instruction."""
        return bool(self._fields[0] >= self._fields[2])

    def add_instruction(self, record: tuple[int, ...]) -> None:
        """One more executed instruction."""
        following, first = int(self._fields[0]), int(self._fields[1])
        self._instructions[(following - first) // INSTRUCTION_BYTES] = record
        self._fields[0] = following + INSTRUCTION_BYTES

    def add_access(self, head: tuple[int, ...], kind: str, space: str, size: int, addresses: Any) -> bool:
        """One more access of a warp; False if there is no room."""
        following, first, most = self._fields[4:7].tolist()
        number = (following - first) // ACCESS_BYTES
        if number == len(self._accesses):
            return False
        self._accesses[number] = (*head, KINDS.index(kind), SPACES.index(space), 0, size, addresses)
        self._fields[4] = following + ACCESS_BYTES
        if following + ACCESS_BYTES >= most:
            self._fields[2] = 0
        return True

    def take(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """(INSTRUCTION_RECORDs, MEMORY_RECORDs) so far, which are forgotten."""
        following, first, _, most, access_next, access_first = self._fields[:6].tolist()
        instructions = self._bytes[: following - first].copy().view(INSTRUCTION_RECORD)
        accesses = by_lane(self._accesses[: (access_next - access_first) // ACCESS_BYTES])
        self._fields[0], self._fields[2], self._fields[4] = first, most, access_first
        return instructions, accesses


def by_lane(accesses: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Accesses of warps as MEMORY_RECORDs, one a lane."""
    one = np.zeros(len(accesses), MEMORY_RECORD)
    for name in ("time", "grid", "cta", "warp", "pc", "size"):
        one[name] = accesses[name]
    one["kind"], one["space"] = _KIND_NAMES[accesses["kind"]], _SPACE_NAMES[accesses["space"]]
    found = np.repeat(one.view(_WHOLE), WARP_SIZE).view(MEMORY_RECORD).reshape(-1, WARP_SIZE)
    found["lane"], found["address"] = np.arange(WARP_SIZE), accesses["addresses"]
    executing = accesses["lanes"][:, None] & LANE_BITS != 0
    return found.reshape(-1) if executing.all() else found.view(_WHOLE)[executing].view(MEMORY_RECORD)
