"""Random programs give the same answers on both engines: memory, time, turns, prints, faults, and warps on the way."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from emulator.engines.native.cache import VARIABLE
from emulator.engines.native.library import Library
from emulator.engines.native.llvm_ops import LaneText
from emulator.engines.schedule import Replay
from tests.engines.native.culprit import culprit
from tests.engines.native.outcomes import Run, code_of
from tests.engines.native.random_programs import PROGRAMS_A_POOL, program
from tests.engines.native.same_answers import differences

QUICK = 150
GROUP = 25
POOLS = 16  # whose first programs are in the slow suite
PROGRAMS = 140  # of each
PROGRAM = """.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 in, .param .u64 out, .param .align 16 .b8 par[288])
{
    .reg .b32 %r<4>; .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    or.b64 %rd1, %rd1, %rd2;
    add.u32 %r2, %r1, 5;
    st.global.u32 [%rd1], %r2;
    ret;
}
"""


def _check(first: int, count: int) -> None:
    found = [text for seed in range(first, first + count) for text in differences(seed)]
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("first", range(0, QUICK, GROUP))
def test_random_programs(first: int) -> None:
    _check(first, GROUP)


@pytest.mark.slow
@pytest.mark.parametrize("pool", range(1, POOLS + 1))
def test_more_random_programs(pool: int) -> None:
    _check(pool * PROGRAMS_A_POOL, PROGRAMS)


def after_a_replay(seed: int) -> list[str]:
    """In what the engines differ when both go on from turns of a random schedule, which end anywhere."""
    chosen, choice = program(seed), random.Random(f"replay {seed}")
    code = code_of(chosen)
    first = Run(chosen, "reference", code, schedule=f"random:{seed}")
    first.until_time(choice.choice([40, 150, 400, 900]))
    turns = [] if first.fault else list(first.system.runner.turns or ())
    outcomes = []
    for engine in ("reference", "native"):
        run = Run(chosen, engine, code)
        run.system.runner.schedule = Replay(turns)
        run.go_on()
        run.system.runner.turns = None
        outcomes.append(run.outcome())
    wanted, found = outcomes
    return [f"program {seed}, {text}" for text in wanted.differences(found)]


@pytest.mark.parametrize("first", [0, 6])
def test_native_code_after_a_replay(first: int) -> None:
    assert [text for seed in range(first, first + 6) for text in after_a_replay(seed)] == []


@pytest.mark.slow
def test_native_code_after_more_replays() -> None:
    assert [text for seed in range(12, QUICK) for text in after_a_replay(seed)] == []


def test_systems_in_several_threads() -> None:
    """Native code runs without Python's lock; systems share the handlers and nothing else."""
    with ThreadPoolExecutor(4) as threads:
        found = [text for part in threads.map(differences, range(8)) for text in part]
    assert found == []


def test_a_difference_is_found_and_its_instruction_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a native addition that is wrong by one."""
    chosen = replace(program(0), text=PROGRAM, kernels=("k",), grid=1, block=32, cluster=None)
    assert culprit(chosen) is None
    right = LaneText.add
    monkeypatch.setattr(LaneText, "add", lambda ops, a, b: right(ops, right(ops, a, b), ops.const(a.type, 1)))
    monkeypatch.setattr("emulator.engines.native.engine.library", lambda _: Library())
    monkeypatch.setenv(VARIABLE, "off")
    assert culprit(chosen) == 4
