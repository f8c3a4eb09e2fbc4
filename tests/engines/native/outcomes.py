"""Runs a program on an engine and keeps everything that can be seen of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.engines.snapshots import Snapshot
from emulator.errors import KernelFault
from emulator.machine.warp import HEADER_BYTES
from tests.engines.native.kernel_frame import RECORD
from tests.engines.native.random_operands import MULTICAST
from tests.engines.native.random_programs import RandomProgram

HANG_AFTER = 4000
MULTIMEM = "multimem."


@dataclass
class Outcome:
    """What a run left: bytes of every allocation by name, time, turns, warps, printed text, the fault's report."""

    memory: dict[str, bytes]
    time: int
    turns: list[Any]
    launches: int
    printed: str
    fault: str
    warps: dict[str, bytes]

    def differences(self, other: Outcome) -> list[str]:
        """What differs from another run, a line each."""
        found = []
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if isinstance(mine, dict) and mine.keys() == theirs.keys():
                found += [_where(f"{field.name} {key}", mine[key], theirs[key]) for key in mine]
            elif mine != theirs:
                found.append(f"{field.name}: {str(mine)[:1500]}\n  or {str(theirs)[:1500]}")
        return [text for text in found if text]


def _where(name: str, mine: bytes, theirs: bytes) -> str:
    if mine == theirs:
        return ""
    if len(mine) != len(theirs):
        return f"{name}: {len(mine)} bytes or {len(theirs)}"
    at = int(np.flatnonzero(np.frombuffer(mine, np.uint8) != np.frombuffer(theirs, np.uint8))[0])
    start = at & -8
    return f"{name} from byte {at}: {mine[start : start + 16].hex(' ')} or {theirs[start : start + 16].hex(' ')}"


class Run:
    """A program, launched on a system of its own."""

    def __init__(
        self,
        program: RandomProgram,
        engine: str,
        code: ObjectCode,
        *,
        schedule: str = "round_robin",
        registers: str = "virtual",
    ) -> None:
        self.program = program
        self.engine = engine
        self.printed: list[str] = []
        self.fault = ""
        self.system = System(
            devices=2 if MULTIMEM in program.text else 1,
            engine=engine,
            arch=program.arch,
            schedule=schedule,
            registers=registers,
            contract=program.contract,
            hang_after=HANG_AFTER,
            max_instructions=program.most,
            output=self.printed.append,
        )
        self.system.runner.turns = []
        self._launch(code)

    def _launch(self, code: ObjectCode) -> None:
        program, device = self.program, self.system.device(0)
        if MULTIMEM in program.text:
            self.system.multicast(MULTICAST, np.uint8)
        given, out = device.array(program.input(), name="in"), device.zeros(RECORD * program.threads, np.uint8)
        config = LaunchConfig(program.grid, cluster=program.cluster, block=program.block, shmem_size=program.shared)
        for number, name in enumerate(program.kernels):
            stream = device.default_stream if number == 0 else device.create_stream()
            launch(stream, config, code.get_kernel(name), given, out, program.parameter())

    def go_on(self, until: Callable[[], bool] = lambda: False) -> None:
        """Run until a condition holds between turns, or to the end."""
        try:
            self.system.run_until(until)
        except KernelFault as fault:
            self.fault = str(fault)

    def steps(self, count: int) -> None:
        """Single instructions, which the reference engine executes."""
        try:
            for _ in range(count):
                if self.system.step() is None:
                    return
        except KernelFault as fault:
            self.fault = str(fault)

    def go_back(self, snapshot: Snapshot) -> None:
        """Be as at the snapshot."""
        self.system.restore(snapshot)
        self.fault = ""

    def until_time(self, time: int) -> None:
        """Run turns until so many instructions have been executed."""
        runner = self.system.runner
        self.go_on(lambda: runner.time >= time)

    def outcome(self) -> Outcome:
        """What there is to see now."""
        runner = self.system.runner
        memory = {f"{a.name} at {a.base:#x}": runner.memory.view(a.base, a.size).tobytes()
                  for a in runner.memory.allocations()}  # fmt: skip
        turns = list(runner.turns or ())
        return Outcome(
            memory, runner.time, turns, runner.launches.count, "".join(self.printed), self.fault, self._warps()
        )

    def _warps(self) -> dict[str, bytes]:
        """The bytes of every resident warp without the rows of an engine's constants, stacks and shared memory."""
        found: dict[str, bytes] = {}
        grids = [grid for device in self.system.runner.devices for grid in device.grids]
        for grid in grids:
            for cta in grid.resident.values():
                found[f"shared {grid.number} {cta.linear}"] = cta.shared.tobytes()
                for warp in cta.warps:
                    name = f"{grid.number} {cta.linear} {warp.index}"
                    found[f"state {name}"] = warp.state[: HEADER_BYTES + grid.program.row_bytes].tobytes()
                    found[f"local {name}"] = warp.local.tobytes()
        return found


def code_of(program: RandomProgram) -> ObjectCode:
    """The program's module."""
    return ObjectCode.from_ptx(program.text.encode(), name=f"program {program.seed}")
