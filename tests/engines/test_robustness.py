"""Whatever a kernel does, it ends with a result or a fault, the same on both engines; other memory stays as it was."""

from itertools import pairwise

import numpy as np
import pytest

from emulator import ObjectCode, System
from emulator.errors import DiagnosedError
from tests.engines.programs import start
from tests.engines.random_kernels import random_kernel

CANARY = 0xA5


def outcome(seed: int, engine: str, schedule: str = "round_robin") -> tuple[object, ...]:
    """(what was raised, time, output, printed) of a random kernel.

    Arrays of the host, buffers of another device and the red zones between allocations must stay as they were.
    """
    printed: list[str] = []
    options = {"schedule": schedule, "max_instructions": 4000, "hang_after": 600, "output": printed.append}
    system = System(devices=2, engine=engine, memory=1 << 24, **options)  # type: ignore[arg-type]
    device = system.device(0)
    hosts = [np.full(4096, CANARY, np.uint8) for _ in range(8)]
    other = system.device(1).array(np.full(4096, CANARY, np.uint8))
    out = device.zeros(96, np.uint32)
    text = random_kernel(seed)
    raised = ""
    try:
        start(ObjectCode.from_ptx(text, name=f"seed {seed}").get_kernel("k"), device, out, grid=2, block=48, shared=64)
        hosts += [np.full(4096, CANARY, np.uint8) for _ in range(8)]
        system.sync()
    except DiagnosedError as error:
        raised = str(error)
    memory = system.runner.memory
    assert all((canary == CANARY).all() for canary in (*hosts, memory.view(other.address, 4096))), f"seed {seed}"
    for first, second in pairwise(memory.allocations()):
        assert not memory.view(first.end, min(second.base - first.end, 4096)).any(), f"seed {seed}"
    data = memory.view(out.address, out.nbytes).tobytes()
    return raised, system.runner.time, data, "".join(printed)


def check(seed: int) -> str:
    """Both engines and a random schedule; what was raised."""
    reference, native = outcome(seed, "reference"), outcome(seed, "native")
    assert native == reference, f"seed {seed}"
    again = outcome(seed, "reference", f"random:{seed}")
    assert outcome(seed, "reference", f"random:{seed}") == again, f"seed {seed}"
    return str(reference[0])


@pytest.mark.parametrize("seed", range(24))
def test_random_kernels(seed: int) -> None:
    check(seed)


def test_random_kernels_end_in_all_ways() -> None:
    """The generator is worth its name: results, and faults of several kinds."""
    raised = [str(outcome(seed, "native")[0]).partition("]")[0] for seed in range(100, 180)]
    assert 20 < raised.count("") < 70, raised.count("")
    assert len(set(raised)) >= 5, set(raised)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(60))
def test_many_random_kernels(block: int) -> None:
    for seed in range(1000 + 30 * block, 1030 + 30 * block):
        check(seed)
