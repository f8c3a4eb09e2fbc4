"""Wild addresses in every state space: a result or a fault, the same on both engines, and a process that lives on.

The programs run in a process of their own, so that one that dies is a failure with its seed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emulator.machine.memory import DEVICE_BASE, AddressSpace
from tests.engines.native.hostile_programs import GUARD, NEAR, PROGRAMS_A_POOL, Canaries, between

QUICK = 100
SLOW = 10_000
GROUP = 50
SIGNAL = int(signal.SIGSEGV if sys.platform == "linux" else signal.SIGBUS)
COMMAND = [sys.executable, "-m", "tests.engines.native.hostile_programs"]


def failures(command: list[str], checkout: Path) -> list[str]:
    """What went wrong in a process that runs programs."""
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [f"program {line['seed']}: {text}" for line in lines for text in line.get("wrong", ())]
    if done.returncode:
        last = lines[-1]["seed"] if lines else "none"
        found.append(f"program {last}: the process ended with {done.returncode}: {done.stderr[-2000:]}")
    return found


def _check(first: int, count: int, checkout: Path) -> None:
    found = failures([*COMMAND, str(first), str(count)], checkout)
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("first", range(0, QUICK, GROUP))
def test_hostile_programs(first: int, checkout: Path) -> None:
    _check(first, GROUP, checkout)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SLOW, PROGRAMS_A_POOL))
def test_more_hostile_programs(first: int, checkout: Path) -> None:
    _check(first, PROGRAMS_A_POOL, checkout)


@pytest.mark.parametrize(
    "first", [0, pytest.param(40, marks=pytest.mark.slow), pytest.param(100, marks=pytest.mark.slow)]
)
def test_hostile_programs_in_runs(first: int, checkout: Path) -> None:
    found = failures([*COMMAND, str(first), "10" if first == 0 else "60", "runs"], checkout)
    assert not found, "\n".join(found[:20])


# --- that harm would be seen -----------------------------------------------------------------------


def test_a_process_that_dies_is_reported_with_its_seed(checkout: Path) -> None:
    code = "import os; print('{\"seed\": 7}', flush=True); os.abort()"
    assert failures([sys.executable, "-c", code], checkout) == ["program 7: the process ended with -6: "]


def test_a_difference_is_reported_with_its_seed(checkout: Path) -> None:
    code = 'print(\'{"seed": 8}\\n{"seed": 8, "wrong": ["time: 1 or 2"]}\')'
    assert failures([sys.executable, "-c", code], checkout) == ["program 8: time: 1 or 2"]


@pytest.mark.parametrize("at", [-1, -GUARD, 10, 9 + GUARD])
def test_a_byte_beside_guarded_memory_is_seen(at: int) -> None:
    canaries = Canaries()
    data = canaries.around("ten bytes", np.arange(10, dtype=np.uint8))
    data[:] = 1
    assert canaries.harmed() == []
    _, raw, _ = canaries.places[0]
    raw[data.ctypes.data - raw.ctypes.data + at] ^= 1
    assert canaries.harmed() == ["ten bytes"]


def test_a_byte_of_the_host_is_seen() -> None:
    canaries = Canaries()
    canaries.host[5] = 0
    assert canaries.harmed() == ["memory of the host"]


PROCESS = """
import ctypes
import numpy as np
from tests.engines.native import guard_pages
guard_pages.install()
from emulator import ObjectCode, System
from emulator.engines.native.engine import NativeEngine
from emulator.machine.memory import DEVICE_BASE, AddressSpace
print('{"seed": 1}', flush=True)
"""
MEMORY = """
memory = AddressSpace(1)
arena = memory.bytes.ctypes.data
page = arena + memory.allocate(0, 4096, "a page").base - DEVICE_BASE
far = arena + memory.allocate(0, 1 << 20, "far", align=1 << 16).base - DEVICE_BASE
block = guard_pages.guarded_zeros((1 << 16) + 64)
for where in (WHERES):
    ctypes.memset(where, 1, 1)
"""
START = "block.ctypes.data"
INSIDE = f"page, page + 4095, far, far + 5000, {START}, {START} + len(block) - 1"
OUTSIDE = (
    "arena", "page - 1", "page + 4096", "far - 1", "arena + len(memory.bytes) - 1", f"{START} - 4096",
    f"{START} + len(block)",
)  # fmt: skip
KERNEL = """
text = '''.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 out) {
    .reg .b64 %d<2>; .reg .b32 %r; mov.u32 %r, 7; ld.param.u64 %d0, [out]; st.global.u32 [%d0+DISTANCE], %r; ret; }
'''
refresh = NativeEngine._refresh_allocations
def wrong(engine):
    refresh(engine)
    engine._table["end"] += 1 << 24
NativeEngine._refresh_allocations = wrong
kernel = ObjectCode.from_ptx(text.encode()).get_kernel("k")
kernel[1, 32](np.zeros(4, np.uint32), device=System(engine="native").device(0))
"""


def dies(code: str, checkout: Path) -> bool:
    """Whether a process with guard pages dies by a signal; it must not end with an error of another kind."""
    found = failures([sys.executable, "-c", PROCESS + code], checkout)
    assert found in ([], [f"program 1: the process ended with -{SIGNAL}: "]), found
    return bool(found)


@pytest.mark.parametrize("where", [INSIDE, *OUTSIDE])
def test_a_touch_beside_the_memory_of_kernels_is_death(where: str, checkout: Path) -> None:
    assert dies(MEMORY.replace("WHERES", f"{where},"), checkout) == (where in OUTSIDE)


@pytest.mark.parametrize(("distance", "harms"), [(8, False), (4096, True), (65536, True)])
def test_a_native_store_that_strays_is_death(distance: int, harms: bool, checkout: Path) -> None:
    """Past a check that takes the allocation for larger than it is."""
    assert dies(KERNEL.replace("DISTANCE", str(distance)), checkout) == harms


@pytest.mark.parametrize("behind", [0, 300, 700, 5000])
def test_a_byte_between_allocations_is_seen(behind: int) -> None:
    memory = AddressSpace(1)
    first, second = (memory.allocate(0, 100, name) for name in ("first", "second"))
    memory.write(first.base, bytes(range(100)))
    memory.write(second.base, b"x" * 100)
    assert between(memory, NEAR) == []
    spot = first.end + behind
    memory.view(spot, 1)[:] = 1
    place = first.end if spot < second.base else second.end
    assert between(memory, NEAR) == [f"the arena behind {place:#x}"]
    memory.view(spot, 1)[:] = 0
    memory.view(DEVICE_BASE + 9, 1)[:] = 1
    assert between(memory, NEAR) == [f"the arena behind {DEVICE_BASE:#x}"]
