"""Catches: stops at faults by kind, at numbers that are none, where lanes part and meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from emulator.debugger.lines import clip
from emulator.debugger.motor import Standing, Trap
from emulator.debugger.stops import Counted
from emulator.debugger.values import Row, dtype_of, row_of
from emulator.debugger.writers import registers_in
from emulator.errors import KernelFault
from emulator.machine.warp import Warp, lanes_of, mask_of
from emulator.program import Program
from emulator.program.operands import Register
from emulator.ptx_types import ScalarType
from emulator.render import lane_ranges
from emulator.render import lanes_of as lane_numbers

if TYPE_CHECKING:
    from emulator.debugger.session import Session

FAULTS = {  # kind -> beginnings of the codes of the faults that it means
    "oob": ("PTX-M0101", "PTX-M0103"),
    "align": ("PTX-M0102",),
    "barrier": ("PTX-B", "PTX-H0401"),
    "trap": ("PTX-T",),
}
Rows = list[tuple[Register, ScalarType]]


@dataclass(eq=False)
class Catch(Counted):
    """A Check of the session.  kind: one of KINDS."""

    session: Session
    number: int
    kind: str

    def begin(self) -> None:
        """Nothing has to be remembered."""

    def rest(self) -> None:
        """Nothing to do."""

    @property
    def traps(self) -> tuple[Trap, ...] | None:
        """Faults stop by themselves; where lanes meet is seen instruction by instruction."""
        if self.kind in FAULTS:
            return ()
        if self.kind not in PLACES:
            return None
        return (Trap({program: PLACES[self.kind](program) for program in self.session.programs}),)

    def before(self, standing: Standing) -> None:
        """Nothing has to be remembered."""

    def catches(self, fault: KernelFault) -> bool:
        """Whether a fault is of the kind."""
        return fault.diagnostic.code.startswith(FAULTS.get(self.kind, ("none",)))

    def check(self, standing: Standing) -> str | None:
        """The text of a stop after an instruction."""
        found = SEEN[self.kind](standing) if self.kind in SEEN else ""
        if not found:
            return None
        line = f"  line {standing.instruction.line}  {standing.instruction.text}"
        return "\n".join(clip(one) for one in (f"Catchpoint {self.number} ({self.kind}): {found}", line))

    def describe(self) -> str:
        """As it was typed."""
        return f"catch {self.kind}"


@lru_cache(maxsize=64)
def _float_results(program: Program) -> dict[int, Rows]:
    """By pc: the registers that an instruction writes as floats."""
    found: dict[int, Rows] = {}
    for instruction in program.instructions:
        for operand in instruction.results:
            kind = operand.type if operand is not None else None
            if kind is None or kind.kind != "f" or kind.width not in (16, 32, 64):
                continue
            rows = [(one, kind) for one in registers_in(operand) if one.type.width == kind.width]
            found.setdefault(instruction.pc, []).extend(rows)
    return found


def _numbers(standing: Standing, wanted: Callable[[Row], Row], name: str) -> str:
    """`%f4 is NaN in lanes 3, 5`."""
    for register, kind in _float_results(standing.warp.cta.grid.program).get(standing.pc, ()):
        row = row_of(standing.warp.state, register).view(dtype_of(kind))
        lanes = mask_of(wanted(row)) & executed_lanes(standing)
        if lanes:
            numbers = lane_numbers(lanes)
            return f"{register.name} is {name} in lane{'s' * (len(numbers) > 1)} {lane_ranges(numbers)}"
    return ""


def executed_lanes(standing: Standing) -> int:
    """The lanes whose guard held."""
    guard = standing.instruction.guard
    if guard is None:
        return standing.group
    row = row_of(standing.warp.state, guard).astype(bool)
    return standing.group & mask_of(~row if standing.instruction.guard_negated else row)


def _places(warp: Warp, lanes: int) -> Iterator[tuple[int, int]]:
    """(line, lanes) of the lanes that are live, by where they stand."""
    lanes &= warp.live
    for pc in np.unique(warp.pc[lanes_of(lanes)]).tolist() if lanes else ():
        line = warp.cta.grid.program.instructions[pc].line
        yield line, lanes & mask_of(warp.pc == pc)


def _diverges(standing: Standing) -> str:
    """Lanes that stood together stand at several places."""
    if standing.pc not in _transfers(standing.warp.cta.grid.program):
        return ""
    places = list(_places(standing.warp, standing.group))
    if len(places) < 2:
        return ""
    return "lanes part: " + ", ".join(f"{lane_ranges(lane_numbers(lanes))} at line {line}" for line, lanes in places)


@lru_cache(maxsize=64)
def _transfers(program: Program) -> frozenset[int]:
    """The pcs of instructions after which lanes may stand at several places."""
    found = [i for i in program.instructions if i.opcode.startswith(("bra", "brx", "call", "ret"))]
    return frozenset(i.pc for i in found if i.guard is not None or not i.opcode.startswith("bra"))


def _reconverges(standing: Standing) -> str:
    """All live lanes stand together, and did not before."""
    warp = standing.warp
    if not warp.live or not warp.live & ~standing.group:
        return ""
    places = list(_places(warp, warp.live))
    return f"all live lanes meet at line {places[0][0]}" if len(places) == 1 else ""


SEEN: dict[str, Callable[[Standing], str]] = {
    "nan": lambda standing: _numbers(standing, np.isnan, "NaN"),
    "inf": lambda standing: _numbers(standing, np.isinf, "infinite"),
    "diverge": _diverges,
    "reconverge": _reconverges,
}
PLACES: dict[str, Callable[[Program], frozenset[int]]] = {  # kind -> the instructions that may be what it means
    "nan": lambda program: frozenset(_float_results(program)),
    "inf": lambda program: frozenset(_float_results(program)),
    "diverge": _transfers,
}
KINDS = (*FAULTS, *SEEN)
