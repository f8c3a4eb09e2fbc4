"""Which lanes of a warp go next is the same on both engines: every lane keeps the times at which it executes.

Random control flow of 32 lanes, nested branches and loops whose counts differ from lane to lane; each lane folds what
%clock says into a number, again and again.  The slices of divergence.py are used up many times.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from emulator import System
from emulator.engines.divergence import SLICE
from emulator.engines.native.engine import NativeEngine
from emulator.engines.native.runs import Policy
from emulator.engines.run import Runner
from emulator.machine.warp import HEADER_BYTES
from tests.engines.programs import kernel, start

DRAW = "mad.lo.u32 %r0, %r0, 1664525, 1013904223;"
FOLDS = (  # the second one has an instruction that the reference engine executes
    "mov.u32 %r1, %clock; mad.lo.u32 %r2, %r2, 31, %r1;",
    "mov.b64 %rd4, {%clock, %clock_hi}; cvt.u32.u64 %r1, %rd4; mad.lo.u32 %r2, %r2, 31, %r1;",
)
ROUNDS = 1000
MOST = 12 * SLICE


class Flow:
    """Draws the text of a body.  %r0 is a lane's random number, %r2 what it has folded."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.labels = 0
        self.lines: list[str] = []

    def label(self) -> str:
        self.labels += 1
        return f"L{self.labels}"

    def decide(self) -> str:
        """A predicate that holds in some lanes: bits of the random number."""
        bits, shift = self.draw.choice((1, 1, 3, 7)), self.draw.randrange(8, 28)
        number = self.draw.randrange(4, 9)
        self.lines += [DRAW, f"shr.u32 %r3, %r0, {shift}; and.b32 %r3, %r3, {bits}; setp.eq.u32 %p{number}, %r3, 0;"]
        return f"%p{number}"

    def statements(self, depth: int, leave: str) -> None:
        for _ in range(self.draw.randrange(1, 4)):
            self.draw.choice((self.fold, self.branch, self.branch, self.loop, self.leave))(depth, leave)

    def fold(self, depth: int = 0, leave: str = "") -> None:
        """Note the time."""
        self.lines.append(self.draw.choices(FOLDS, (8, 1))[0])

    def leave(self, depth: int, leave: str) -> None:
        """Some lanes go on behind the loop, or to its next time around."""
        self.lines.append(f"@{self.decide()} bra {leave};")

    def branch(self, depth: int, leave: str) -> None:
        """An if, perhaps with an else, whose two sides stand in any order."""
        other, end = self.label(), self.label()
        self.lines.append(f"@{self.draw.choice(('', '!'))}{self.decide()} bra {other};")
        self.inner(depth, leave)
        if self.draw.randrange(2):
            self.lines.append(f"bra {end};")
        self.lines.append(f"{other}:")
        self.inner(depth, leave)
        self.lines.append(f"{end}:")

    def loop(self, depth: int, leave: str) -> None:
        """A loop that each lane leaves when it likes."""
        again, end = self.label(), self.label()
        self.lines.append(f"{again}:")
        self.inner(depth, self.draw.choice((end, leave)))
        self.fold()
        self.lines += [f"@{self.draw.choice(('', '!'))}{self.decide()} bra {again};", f"{end}:"]

    def inner(self, depth: int, leave: str) -> None:
        self.fold()
        if depth:
            self.statements(depth - 1, leave)


def body_of(seed: int) -> str:
    """A loop of ROUNDS times around random control flow; some lanes end early."""
    flow = Flow(seed)
    flow.statements(2, "NEXT")
    early = "setp.eq.u32 %p2, %r4, %l;\n@%p2 bra END;" if seed % 3 == 0 else ""
    return "\n".join([
        "mul.lo.u32 %r0, %i, 40503; mov.u32 %r2, 0; mov.u32 %r4, 0;", "MORE:", *flow.lines, "NEXT:", early, FOLDS[0],
        f"add.u32 %r4, %r4, 1; setp.lt.u32 %p1, %r4, {ROUNDS};", "@%p1 bra MORE;", "END:",
        "st.global.u32 [%mine], %r2;",
    ])  # fmt: skip


def registers_of(runner: Runner) -> list[bytes]:
    """Of the resident warps, with pcs, masks and slices."""
    return [
        warp.state[: HEADER_BYTES + grid.program.row_bytes].tobytes()
        for grid in runner.running
        for cta in grid.resident.values()
        for warp in cta.warps
    ]


def outcome(engine: str, seed: int, *, stepped: bool = False) -> tuple[Any, ...]:
    """After MOST instructions: every warp's registers and masks, or what they have left; the time.

    stepped: single instructions in between, which are the reference's.
    """
    schedule = ("round_robin", "round_robin:97", "round_robin:700", "random:5")[seed % 4]
    system = System(engine=engine, registers="virtual", schedule=schedule)
    device, runner = system.device(0), system.runner
    out = device.zeros(64, np.uint32)
    start(kernel(body_of(seed)), device, out, grid=2, block=20 if seed % 5 == 0 else 32)
    draw = random.Random(seed)
    for goal in sorted(draw.sample(range(MOST), 12)) * stepped:
        system.run_until(lambda goal=goal: runner.time >= goal)
        for _ in range(draw.randrange(1, 40)):
            system.step()
    system.run_until(lambda: runner.time >= MOST)
    return registers_of(runner) or out.numpy().tolist(), runner.time


def check(seed: int) -> int:
    """Both engines do the same; the instructions."""
    wanted = outcome("reference", seed)
    assert outcome("native", seed) == wanted
    assert outcome("native", seed, stepped=True) == outcome("reference", seed, stepped=True)
    return int(wanted[-1])


@pytest.mark.parametrize("first", range(0, 12, 6))
def test_lanes_execute_at_the_same_times(first: int) -> None:
    assert sum(check(seed) for seed in range(first, first + 6)) > 24 * SLICE


@pytest.mark.parametrize("first", range(24, 30, 3))
def test_in_runs_too(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NativeEngine, "policy", Policy(look_after=0, compile_after=0, everything=True))
    assert sum(check(seed) for seed in range(first, first + 3)) > 12 * SLICE


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1100, 25))
def test_more_lanes_execute_at_the_same_times(first: int) -> None:
    assert sum(check(seed) for seed in range(first, first + 25)) > 50 * SLICE
