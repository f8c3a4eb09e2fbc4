"""Programs that access wild addresses: each ends with a result or a fault, alike on both engines, and breaks nothing.

Run as a module with the first seed and a number of seeds it prints a JSON object a line: the seed before its program
runs, then what is wrong.  A process that dies, by a fault of its own or at a guard page, has printed its seed.
"""

from __future__ import annotations

import faulthandler
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.engines.native.engine import NativeEngine
from emulator.engines.native.runs import Policy
from emulator.errors import KernelFault
from emulator.machine import blocks
from emulator.machine import memory as m
from emulator.machine.blocks import BlockLayout, Pool
from emulator.machine.grid import Grid
from emulator.machine.multicast import MULTICAST_WINDOW
from tests.engines.native import guard_pages
from tests.engines.native.guard_pages import PAGE
from tests.engines.native.random_instructions import Forms, Pools, Writer, kernel, module
from tests.engines.native.random_operands import MARGIN, MULTICAST, OBJECTS, REGIONS, registers
from tests.engines.native.random_programs import HEAP, PRINTF

PROGRAMS_A_POOL = 500
POOL_SIZE = (4, 90)
CANARY = 0xA5
GUARD = 4096
NEAR = 16 * GUARD
DEVICE_START = m.DEVICE_BASE
DISTANCES = (0, 1, 2, 3, 4, 8, 16, 60, 64, 128, 255, 256, 4096, 1 << 24, 1 << 31, 1 << 32, 1 << 36, 1 << 47)
OFFSETS = (0, 0, 0, 0, 0, 0, 0, 0, 16, 16, 1, 4, -4, 16, -16, 128, -128, 4096, -4096, 0x7FFF_FFFF, -0x8000_0000)
MOST_INSTRUCTIONS = 20_000
MULTIMEM = "multimem."


@dataclass
class Row:
    """The addresses of 32 lanes: the space they are for, the bytes accessed, how many lanes are wild."""

    space: str
    size: int
    wild: int


@dataclass
class HostileProgram:
    """A kernel `k`(in, out, par), where `in` holds the addresses."""

    seed: int
    text: str
    rows: list[Row]
    block: int
    grid: int

    @property
    def cluster(self) -> int | None:
        """CTAs of a cluster, of which each may reach the shared memory of the others."""
        return 4 if self.seed % 8 == 7 else None

    def addresses(self, regions: dict[str, list[tuple[int, int]]]) -> npt.NDArray[np.uint64]:
        """The table of addresses, a row for each use; regions: (start, end) by space."""
        choice = random.Random(f"addresses {self.seed}")
        edges = [edge for places in regions.values() for place in places for edge in place]
        table = []
        for row in self.rows:
            start, end = choice.choice(regions[row.space])
            lanes = [choice.randrange(start, max(start + 1, end - row.size + 1), row.size) for _ in range(32)]
            if choice.random() < 0.3:
                lanes = [start, (end - row.size) & -row.size] * 16
            for lane in choice.sample(range(32), row.wild):
                near = choice.choice((start, end)) if choice.random() < 0.6 else choice.choice(edges)
                distance = choice.choice((-1, 1)) * choice.choice(DISTANCES)
                lanes[lane] = near + (distance & -row.size if choice.random() < 0.7 else distance)
                if choice.random() < 0.05:
                    lanes[lane] = choice.getrandbits(64)
            table.append([address & 2**64 - 1 for address in lanes])
        return np.array(table, np.uint64)


@dataclass
class HostileWriter(Writer):
    """Takes every address from the table."""

    rows: list[Row] = field(default_factory=list)

    def address(self, space: str, size: int, *, private: bool = True, read: bool = False, place: int = 1) -> str:
        """`[...]` of an access, in bounds or not."""
        if self.chance(0.1) and space != "generic":
            offset = self.choice.choice([-4096, -size, REGIONS[space][1] + 2 * MARGIN, 1 << 20])
            return f"[{REGIONS[space][0]}+{offset}]"
        self.row(space, size, f"%y{place}")
        offset = self.choice.choice(OFFSETS)
        narrow = space in ("shared", "local", "const", "param") and self.chance(0.4)
        if narrow:
            self.emit(f"cvt.u32.u64 %x{place}, %y{place};")
        return f"[{'%x' if narrow else '%y'}{place}+{offset}]"

    def object(self, space: str, place: int) -> str:
        """`[...]` of an mbarrier object, or of something else."""
        if self.chance(0.3):
            return f"[{OBJECTS[0]}]"
        return self.address(space, 8, place=place)

    def multimem(self, size: int, place: int) -> str:
        """`[...]` of a multimem access."""
        self.row("multimem", size, f"%y{place}")
        return f"[%y{place}+{self.choice.choice(OFFSETS)}]"

    def row(self, space: str, size: int, name: str = "%y1") -> None:
        """A new row of the table into a register."""
        wild = self.choice.choice([0, 0, 1, 1, 2, 32])
        self.emit(f"ld.global.u64 {name}, [%table+{256 * len(self.rows)}];")
        self.rows.append(Row(space, size, wild))


def program(seed: int) -> HostileProgram:
    """The program of a seed."""
    choice = random.Random(f"hostile {seed}")
    forms = _forms(seed // PROGRAMS_A_POOL)
    writer = HostileWriter(choice, Pools(forms, guards=0.3))
    writer.emit(".reg .b64 %table; mov.u32 %x0, %laneid; mul.wide.u32 %y0, %x0, 8; ld.param.u64 %table, [in];")
    writer.emit("add.u64 %table, %table, %y0;")
    for name in registers("b32")[:6]:
        writer.emit(f"mov.u32 {name}, {choice.getrandbits(32)};")
    for _ in range(choice.randrange(1, 5)):
        if choice.random() < 0.85:
            writer.emit(writer.instruction(choice.choice(forms.machine)))
        else:
            choice.choice(ODDITIES)(writer)
    functions = ".func (.param .b32 r) f0(.param .b32 a) { st.param.b32 [r], 7; ret; }"
    text = module([functions, kernel("k", writer.lines)], "sm_90a", PRINTF + HEAP)
    return HostileProgram(seed, text, writer.rows, choice.choice([32, 17, 64]), choice.choice([1, 1, 2]))


_pools: dict[int, Forms] = {}


def _forms(number: int) -> Forms:
    if number not in _pools:
        _pools[number] = Forms(1000 + number, "sm_90a", *POOL_SIZE)
    return _pools[number]


# --- what is no memory instruction ---------------------------------------------------------------


def _jump(writer: HostileWriter) -> None:
    """A table with a wild index."""
    writer.row("shared", 4)
    label = writer.name("CASE")
    writer.emit("cvt.u32.u64 %x1, %y1;", "shr.u32 %x1, %x1, 9;", f"T{label}: .branchtargets {label}, {label};")
    writer.emit(f"brx.idx %x1, T{label};", f"{label}:")


def _call(writer: HostileWriter) -> None:
    """A function at a wild address."""
    label = writer.name("PROTO")
    writer.row("code", 256)
    writer.emit("mov.u64 %y2, f0;", f"{label}: .callprototype (.param .b32 _) _ (.param .b32 _);")
    writer.emit("{ .param .b32 p; .param .b32 q;", f"call (q), %y1, (p), {label}; }}")


def _stack(writer: HostileWriter) -> None:
    """A stack that ends somewhere, and one that is too large."""
    writer.row("local", 8)
    writer.emit(writer.choice.choice(["stackrestore.u64 %y1;", "alloca.u64 %y2, %y1;"]))
    writer.emit(f"alloca.u64 %y2, {writer.choice.choice([0, 1, 65536, 1 << 31])}; st.local.u32 [%y2], %x0;")


def _print(writer: HostileWriter) -> None:
    """A format and arguments at wild addresses."""
    writer.row("generic", 8)
    writer.emit("{ .param .b64 p; .param .b64 q; .param .b32 r;", "st.param.b64 [p], %y1;")
    writer.row("generic", 8)
    writer.emit("st.param.b64 [q], %y1;", "call (r), vprintf, (p, q); }")


def _heap(writer: HostileWriter) -> None:
    """Heap memory of a wild size, or given back at a wild address."""
    writer.row("generic", 8)
    name = writer.choice.choice(["malloc", "free"])
    result = "(r), " if name == "malloc" else ""
    writer.emit("{ .param .b64 p; .param .b64 r; st.param.b64 [p], %y1;", f"call {result}{name}, (p); }}")


def _barrier(writer: HostileWriter) -> None:
    """A barrier of a wild number and count."""
    writer.row("shared", 4)
    writer.emit("cvt.u32.u64 %x1, %y1;", f"and.b32 %x1, %x1, {writer.choice.choice([15, 31, -1])};")
    writer.emit(
        writer.choice.choice(["bar.sync %x1;", "bar.sync 1, %x1;", "bar.arrive 1, %x1;", "barrier.sync %x1, 32;"])
    )


def _members(writer: HostileWriter) -> None:
    """A wild member mask."""
    writer.row("shared", 4)
    writer.emit("cvt.u32.u64 %x1, %y1;", "bar.warp.sync %x1;")


ODDITIES = (_jump, _call, _stack, _print, _heap, _barrier, _members)

# --- runs between canaries -----------------------------------------------------------------------


class Canaries:
    """Memory of a run that stands between guards."""

    def __init__(self) -> None:
        self.places: list[tuple[str, npt.NDArray[np.uint8], int]] = []
        self.pools: list[Pool] = []
        self.host = np.full(GUARD, CANARY, np.uint8)

    def around(self, name: str, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A copy of bytes, between guards."""
        raw = np.full(len(data) + 2 * GUARD + 64, CANARY, np.uint8)
        start = GUARD + (-(raw.ctypes.data + GUARD) % 64)
        self.places.append((name, raw, len(data)))
        raw[start : start + len(data)] = data
        return raw[start : start + len(data)]

    def harmed(self) -> list[str]:
        """Whose guards are not what they were."""
        found = [f"what lies beside {name}" for pool in self.pools for name in _broken_gaps(pool)]
        for name, raw, size in self.places:
            start = GUARD + (-(raw.ctypes.data + GUARD) % 64)
            if (raw[:start] != CANARY).any() or (raw[start + size :] != CANARY).any():
                found.append(name)
        return found + ["memory of the host"] * bool((self.host != CANARY).any())

    def install(self) -> None:
        """Have shared memory, stacks, registers and parameters of all launches from now on between guards."""
        make_pool, make_grid, make_template = Pool.__init__, Grid.__post_init__, Grid.__dict__["template"].func
        blocks.GAP = GUARD

        def pool(this: Pool, layout: BlockLayout) -> None:
            make_pool(this, layout)
            self.pools.append(this)

        def grid(this: Grid) -> None:
            make_grid(this)
            this.parameters = self.around("parameters", this.parameters)

        def template(this: Grid) -> npt.NDArray[np.uint8]:
            block: npt.NDArray[np.uint8] = make_template(this)
            for _, start in _gaps(this.layout):
                assert not block[start : start + GUARD].any()
                block[start : start + GUARD] = CANARY
            return block

        Pool.__init__, Grid.__post_init__ = pool, grid  # type: ignore[method-assign]
        Grid.__dict__["template"].func = template


def _gaps(layout: BlockLayout) -> Iterator[tuple[str, int]]:
    """(what stands before it, its start) of every gap of a block."""
    yield "barriers", layout.shared_at - GUARD
    yield "shared memory", layout.warps_at - GUARD
    for index in range(layout.warps):
        start = layout.warps_at + index * layout.warp_bytes
        yield "registers", start + layout.local_at - GUARD
        yield "a stack", start + layout.calls_at - GUARD
        yield "a call stack", start + layout.warp_bytes - GUARD


def _broken_gaps(pool: Pool) -> Iterator[str]:
    """What stands before the guards that are not what they were; a block that nobody has had yet has none."""
    for address in pool.addresses:
        block = pool.block(address)
        if block[16:24].any():  # the launch whose template it is a copy of
            for name, start in _gaps(pool.layout):
                if (block[start : start + GUARD] != CANARY).any():
                    yield name


def run(chosen: HostileProgram, code: ObjectCode, engine: str, canaries: Canaries) -> tuple[dict[str, Any], list[str]]:
    """(what the run left, what it broke)."""
    printed: list[str] = []
    limits: dict[str, Any] = {"hang_after": 2000, "max_instructions": MOST_INSTRUCTIONS}
    system = System(2 if MULTIMEM in chosen.text else 1, engine=engine, output=printed.append, **limits)
    if MULTIMEM in chosen.text:
        system.multicast(MULTICAST, np.uint8)
    device = system.device(0)
    loaded = code.load(device)
    out = device.zeros(1024, np.uint8, name="out")
    given = device.zeros((max(1, len(chosen.rows)), 32), np.uint64, name="in")
    buffers = [(b.address, b.address + b.nbytes) for b in (out, given)]
    regions = _regions(code, loaded, buffers, in_cluster=chosen.cluster is not None)
    host = canaries.host.ctypes.data
    regions["generic"] += [(host, host + GUARD)] * (chosen.seed % 2)
    if chosen.rows:
        system.runner.memory.write(given.address, chosen.addresses(regions).view(np.uint8).ravel())
    fault = ""
    try:
        parameter = bytes(REGIONS["param"][1] + 2 * MARGIN)
        config = LaunchConfig(chosen.grid, cluster=chosen.cluster, block=chosen.block)
        launch(device.default_stream, config, code.get_kernel("k"), given, out, parameter)
        device.sync()
    except KernelFault as found:
        fault = str(found)
    memory = system.runner.memory
    left = [(a.name, a.base, a.size, memory.view(a.base, min(a.size, 1 << 16)).tobytes()) for a in memory.allocations()]
    result = {"memory": left, "time": system.runner.time, "fault": fault, "printed": "".join(printed)}
    return result, canaries.harmed() + between(memory, PAGE if guard_pages.AVAILABLE else NEAR)


def _regions(
    code: ObjectCode, loaded: dict[str, int], buffers: list[tuple[int, int]], *, in_cluster: bool
) -> dict[str, list[tuple[int, int]]]:
    """(start, end) of what a kernel may access, by state space; in a cluster the second CTA's shared memory as well."""
    sizes = {space: size + 2 * MARGIN for space, (_, size) in REGIONS.items()}
    stack = code.get_kernel("k").program.stack_bytes
    glob, const = loaded["gl"], loaded["co"]
    shared = [(m.SHARED_BASE + rank, m.SHARED_BASE + rank + sizes["shared"]) for rank in (0, 1 << m.CLUSTER_SHIFT)]
    found = {
        "global": [(glob, glob + sizes["global"]), *buffers],
        "const": [(const, const + sizes["const"])],
        "shared": shared[: 1 + in_cluster],
        "local": [(0, stack)],
        "param": [(0, 16 + sizes["param"])],
        "multimem": [(MULTICAST_WINDOW, MULTICAST_WINDOW + MULTICAST)],
        "code": [(0x6B00_0000_0000 + 256, 0x6B00_0000_0000 + 512)],
    }
    windows = [("shared", m.SHARED_WINDOW), ("local", m.LOCAL_WINDOW), ("param", m.PARAM_WINDOW)]
    generic = [(start + window, end + window) for name, window in windows for start, end in found[name]]
    last = m.DEVICE_BASE + m.DEVICE_STRIDE
    found["generic"] = [*generic, *found["global"], *found["const"], (m.DEVICE_BASE, last), (0, m.FRAME_FLAG)]
    return found


def between(memory: m.AddressSpace, near: int) -> list[str]:
    """Bytes in the `near` bytes beside an allocation that belong to none and are not zero any more."""
    spans = sorted((a.base, a.end) for a in memory.allocations())
    found = []
    last = -(-spans[-1][1] // near) * near
    for (_, start), (end, _) in pairwise([(DEVICE_START, DEVICE_START), *spans, (last, last)]):
        behind, before = min(end, -(-start // near) * near), max(start, end // near * near)
        if memory.view(start, behind - start).any() or memory.view(before, end - before).any():
            found.append(f"the arena behind {start:#x}")
    return found


def wrong_with(seed: int, canaries: Canaries) -> list[str]:
    """What is wrong with the runs of a program, if anything."""
    chosen = program(seed)
    code = ObjectCode.from_ptx(chosen.text.encode())
    outcomes = []
    problems: list[str] = []
    for engine in ("reference", "native"):
        canaries.places.clear()
        canaries.pools.clear()
        result, harmed = run(chosen, code, engine, canaries)
        problems += [f"{engine} changed {name}" for name in harmed]
        outcomes.append(result)
    wanted, found = outcomes
    return problems + [
        f"{key}: {wanted[key]!r} or {found[key]!r}"[:3000] for key in wanted if wanted[key] != found[key]
    ]


def main(first: int, count: int, *, in_runs: bool) -> None:
    """Run programs, a line before each and one after those that go wrong.  in_runs: with all code in runs."""
    faulthandler.enable()
    NativeEngine.policy = Policy(everything=in_runs)
    guard_pages.install()
    canaries = Canaries()
    canaries.install()
    for seed in range(first, first + count):
        print(json.dumps({"seed": seed}), flush=True)
        try:
            problems = wrong_with(seed, canaries)
        except Exception as error:
            problems = [f"{type(error).__name__}: {error}"]
        if problems:
            print(json.dumps({"seed": seed, "wrong": problems}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), in_runs="runs" in sys.argv)
