"""Who wrote a byte last, and when: the memory accesses of one emulated launch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.job import Job, place
from emulator.machine.memory import LOCAL_WINDOW, SHARED_WINDOW, WINDOW_BYTES
from emulator.observer import MEMORY_RECORD, Events, Observer

END = 1 << 62
_WINDOWS = {b"shared": SHARED_WINDOW, b"local": LOCAL_WINDOW}


@dataclass(frozen=True)
class Access:
    """One lane's access.  kind: "r", "w" or "a" for an atomic operation."""

    time: int
    cta: int
    warp: int
    lane: int
    pc: int
    kind: str
    space: str
    address: int
    size: int

    @property
    def thread(self) -> int:
        """Linear in the CTA."""
        return 32 * self.warp + self.lane


class MemoryLog(Observer):
    """All accesses to global and shared memory, by time; generic addresses are told apart by their window."""

    wants = Events.MEMORY

    def __init__(self) -> None:
        self._batches: list[npt.NDArray[Any]] = []

    def on_memory(self, records: np.ndarray[Any, Any]) -> None:
        """Keep a batch."""
        records = records.copy()
        generic = records["space"] == b"generic"
        window = records["address"] // WINDOW_BYTES * WINDOW_BYTES
        for space, start in _WINDOWS.items():
            inside = generic & (window == start)
            records["space"][inside] = space
            records["address"][inside] -= start
        records["space"][generic & (records["space"] == b"generic")] = b"global"
        records["space"][np.char.startswith(records["space"], b"shared")] = b"shared"
        self._batches.append(records[np.isin(records["space"], [b"global", b"shared", b"local"])])

    def records(self) -> npt.NDArray[Any]:
        """Everything, as MEMORY_RECORDs."""
        if len(self._batches) != 1:
            self._batches = [np.concatenate([*self._batches, np.zeros(0, MEMORY_RECORD)])]
        return self._batches[0]

    def read(self, cta: int, warp: int, lane: int, pc: int, execution: int) -> Access | None:
        """What a thread read when it executed an instruction for the n-th time, from 0."""
        found = self.records()
        here = (found["cta"] == cta) & (found["warp"] == warp) & (found["lane"] == lane) & (found["pc"] == pc)
        reads = found[here & (found["kind"] != b"w")]
        return _last(reads[execution : execution + 1])

    def last_writer(self, read: Access) -> Access | None:
        """Who wrote any of the bytes of an access last before it; None if nobody did."""
        return self.writer(read.space, read.address, read.size, read.cta, read.time, (read.warp, read.lane))

    def writing_pcs(self, address: int, size: int) -> npt.NDArray[np.int64]:
        """The pc that wrote each byte of a range of global memory last; -1 where nobody did."""
        found = self.records()
        inside = (found["space"] == b"global") & (found["kind"] != b"r")
        inside &= (found["address"] < address + size) & (found["address"] + found["size"] > address)
        here = found[inside]
        last = np.full(size, -1, np.int64)
        start = here["address"].astype(np.int64) - address
        for byte in range(int(here["size"].max(initial=0))):
            place = start + byte
            valid = (here["size"] > byte) & (place >= 0) & (place < size)
            np.maximum.at(last, place[valid], np.flatnonzero(valid))
        return np.where(last >= 0, here["pc"].astype(np.int64)[last], -1) if len(here) else last

    def writer(
        self,
        space: str,
        address: int,
        size: int,
        cta: int | None = None,
        before: int = END,
        owner: tuple[int, int] | None = None,
    ) -> Access | None:
        """The last write to a range of a space; cta for shared memory, owner (warp, lane) for local memory."""
        found = self.records()
        here = (found["space"] == space.encode()) & (found["kind"] != b"r") & (found["time"] < before)
        here &= (found["address"] < address + size) & (found["address"] + found["size"] > address)
        if space != "global":
            here &= found["cta"] == cta
        if space == "local" and owner is not None:
            here &= (found["warp"] == owner[0]) & (found["lane"] == owner[1])
        return _last(found[here])


def _last(records: npt.NDArray[Any]) -> Access | None:
    if not len(records):
        return None
    row = records[-1]
    time, cta, warp, lane, pc, address, size = (
        int(row[name]) for name in ("time", "cta", "warp", "lane", "pc", "address", "size")
    )
    return Access(time, cta, warp, lane, pc, row["kind"].decode(), row["space"].decode(), address, size)


def log_of(emulator: EmulatorBackend, job: Job, addresses: list[int]) -> MemoryLog:
    """Run a job once more and keep all its accesses."""
    log = MemoryLog()
    placed = place(emulator, job, addresses)
    emulator.system.runner.add_observer(log)
    placed.launch()
    return log
