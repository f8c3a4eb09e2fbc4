"""Wild addresses in every state space: a result or a fault, the same on both engines, and a process that lives on.

The programs run in a process of their own, so that one that dies is a failure with its seed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emulator.machine.memory import DEVICE_BASE, AddressSpace
from tests.engines.native.hostile_programs import GUARD, Canaries, between

QUICK = 100
SLOW = 2_000
GROUP = 50
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
@pytest.mark.parametrize("first", range(QUICK, QUICK + SLOW, 5 * GROUP))
def test_more_hostile_programs(first: int, checkout: Path) -> None:
    _check(first, 5 * GROUP, checkout)


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


@pytest.mark.parametrize("behind", [0, 300, 700, 5000])
def test_a_byte_between_allocations_is_seen(behind: int) -> None:
    memory = AddressSpace(1)
    first, second = (memory.allocate(0, 100, name) for name in ("first", "second"))
    memory.write(first.base, bytes(range(100)))
    memory.write(second.base, b"x" * 100)
    assert between(memory) == []
    spot = first.end + behind
    memory.view(spot, 1)[:] = 1
    place = first.end if spot < second.base else second.end
    assert between(memory) == [f"the arena behind {place:#x}"]
    memory.view(spot, 1)[:] = 0
    memory.view(DEVICE_BASE + 9, 1)[:] = 1
    assert between(memory) == [f"the arena behind {DEVICE_BASE:#x}"]
