"""The first difference of a warp: traced launches on both machines, each of which narrows the search.

A launch stores the rolling hash of each lane at up to CAPACITY events.  The first hash that differs leaves the events
since the one before it, which the next launch divides again; at a stride of one the records are the values themselves.
So N events take 1 + log(N) / log(CAPACITY) launches, which is never more than log2(N) + 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.crosscheck.backend import Backend
from emulator.crosscheck.compare import Mask, compare
from emulator.crosscheck.instrument import CONFIG, HEADER_BYTES, LANES, PARTS, RECORD_BYTES, Instrumented
from emulator.crosscheck.job import Array, Job, Placed, place

CAPACITY = 1024  # records a lane and launch
NEVER = 0x7FFF_FFFF  # events to skip in a lane that is not looked at
SIZE = LANES * (HEADER_BYTES + CAPACITY * RECORD_BYTES)
HEADER = np.dtype([("hash", "u8"), ("next", "u8"), ("events", "u4"), ("skip", "u4"), ("end", "u8")])
RECORD = np.dtype([("value", "u8"), ("event", "u4"), ("key", "u4"), ("hash", "u8"), ("time", "u8")])


@dataclass
class Traced:
    """What one launch recorded of one warp, by lane, and the job's outputs."""

    records: list[npt.NDArray[Any]]
    events: list[int]
    hashes: list[int]
    outputs: list[Array]


@dataclass(frozen=True)
class Event:
    """A result of one lane: the key of its instruction and register, its bits, and its place in emulated time."""

    key: int
    value: int
    time: int

    @property
    def pc(self) -> int:
        return self.key // PARTS


@dataclass(frozen=True)
class Difference:
    """The first event of a lane in which the machines differ; None where a machine has no more events."""

    cta: int
    warp: int
    lane: int
    number: int
    emulator: Event | None
    gpu: Event | None

    @property
    def same_place(self) -> bool:
        """Whether both machines executed the same instruction there, with other results."""
        return self.emulator is not None and self.gpu is not None and self.emulator.key == self.gpu.key

    @property
    def time(self) -> int:
        return self.emulator.time if self.emulator is not None else 1 << 62


@dataclass
class Search:
    """The search in one warp: what it found, and what it took."""

    differences: list[Difference]
    events: int
    launches: int
    perturbed: str = ""

    @property
    def first(self) -> Difference | None:
        """The one that the emulator executed first."""
        return min(self.differences, key=lambda item: (item.time, item.lane), default=None)


def trace(
    backend: Backend, job: Job, addresses: list[int], warp: tuple[int, int], first: list[int], stride: int
) -> Traced:
    """Launch an instrumented job; of each lane record event `first` (from 0) and every stride-th after it."""
    placed = place(backend, job, addresses)
    base, starts = prepare(placed, warp, first, stride)
    placed.launch()
    raw = backend.read(base, SIZE)
    header = np.frombuffer(raw, HEADER, LANES)
    stored = np.frombuffer(raw, RECORD, offset=LANES * HEADER_BYTES).reshape(LANES, CAPACITY)
    counts = (header["next"] - starts) // RECORD_BYTES
    records = [stored[lane, : int(counts[lane])].copy() for lane in range(LANES)]
    return Traced(records, header["events"].tolist(), header["hash"].tolist(), placed.outputs())


def prepare(placed: Placed, warp: tuple[int, int], first: list[int], stride: int) -> tuple[int, npt.NDArray[np.uint64]]:
    """Give a placed job its trace buffer: (its address, where the records of each lane begin)."""
    backend = placed.backend
    base = backend.allocate(SIZE, "trace")
    header = np.zeros(LANES, HEADER)
    header["next"] = base + LANES * HEADER_BYTES + np.arange(LANES) * CAPACITY * RECORD_BYTES
    header["end"] = header["next"] + CAPACITY * RECORD_BYTES
    header["skip"] = np.minimum(np.array(first, np.int64) + 1, NEVER)
    starts = header["next"].copy()
    backend.write(base, header.tobytes())
    config = np.array([base, warp[0], warp[1], min(stride, NEVER)], np.uint64)
    backend.write(backend.symbol(placed.code, CONFIG), config.tobytes())
    return base, starts


def nth_execution(emulator: Backend, traced: Job, addresses: list[int], at: Difference) -> int:
    """How often the lane had executed the instruction of a difference before, on the emulator."""
    assert at.emulator is not None
    placed = place(emulator, traced, addresses)
    size = at.number * RECORD_BYTES
    base = emulator.allocate(LANES * HEADER_BYTES + size, "trace")
    header = np.zeros(LANES, HEADER)
    header["skip"] = NEVER
    header["next"] = base + LANES * HEADER_BYTES
    header["end"] = header["next"] + size
    header["skip"][at.lane] = 1 if at.number else NEVER
    emulator.write(base, header.tobytes())
    config = np.array([base, at.cta, at.warp, 1], np.uint64)
    emulator.write(emulator.symbol(placed.code, CONFIG), config.tobytes())
    placed.launch()
    records = np.frombuffer(emulator.read(base + LANES * HEADER_BYTES, size), RECORD)
    return int((records["key"] == at.emulator.key).sum())


def search(
    emulator: Backend,
    gpu: Backend,
    job: Job,
    instrumented: Instrumented,
    addresses: tuple[list[int], list[int]],
    warp: tuple[int, int],
    expected: tuple[list[Array], list[Array]],
    excluded: Sequence[Mask | None] = (),
) -> Search:
    """Look for the first difference in each lane of (cta, warp).

    addresses and expected: where the buffers lie, and what the untraced launch left in them, emulator first.
    excluded: elements of them that differ by nature.
    """
    traced = job.with_text(instrumented.ptx)
    events = max(trace(emulator, traced, addresses[0], warp, [NEVER] * LANES, NEVER).events)
    stride = max(1, -(-events // CAPACITY))
    low = [0] * LANES
    found = Search([], events, 0)
    while True:
        first = [lane + stride - 1 for lane in low]
        ours = trace(emulator, traced, addresses[0], warp, first, stride)
        theirs = trace(gpu, traced, addresses[1], warp, first, stride)
        found.launches += 1
        for who, outputs, wanted in (("emulator", ours.outputs, expected[0]), ("GPU", theirs.outputs, expected[1])):
            if _are_changed(outputs, wanted, excluded):
                found.perturbed = f"storing intermediate results changed the outputs of the {who}"
                return found
        places = [_first_record(ours, theirs, lane) if low[lane] < NEVER else None for lane in range(LANES)]
        if stride == 1:
            found.differences += [
                _difference(ours, theirs, warp, lane, low[lane] + k, k)
                for lane, k in enumerate(places)
                if k is not None
            ]
            return found
        low = [NEVER if k is None else low[lane] + k * stride for lane, k in enumerate(places)]
        if all(lane == NEVER for lane in low):
            return found
        stride = -(-stride // CAPACITY)


def _are_changed(outputs: list[Array], wanted: list[Array], excluded: Sequence[Mask | None]) -> bool:
    masks = excluded or [None] * len(outputs)
    triples = zip(outputs, wanted, masks, strict=True)
    return any(not compare("", one, other, excluded=mask).equal for one, other, mask in triples)


def _first_record(ours: Traced, theirs: Traced, lane: int) -> int | None:
    """The first record in which a lane's hashes differ; the one behind the last if only what follows it does."""
    mine, other = ours.records[lane], theirs.records[lane]
    both = min(len(mine), len(other))
    differ = (mine["hash"][:both] != other["hash"][:both]) | (mine["key"][:both] != other["key"][:both])
    if differ.any():
        return int(differ.argmax())
    same_end = ours.hashes[lane] == theirs.hashes[lane] and ours.events[lane] == theirs.events[lane]
    return None if same_end else both


def _difference(ours: Traced, theirs: Traced, warp: tuple[int, int], lane: int, number: int, record: int) -> Difference:
    events = [
        Event(int(found[record]["key"]), int(found[record]["value"]), int(found[record]["time"]))
        if record < len(found)
        else None
        for found in (ours.records[lane], theirs.records[lane])
    ]
    return Difference(*warp, lane, number, *events)
