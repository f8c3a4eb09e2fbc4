"""Why the session stands where it stands, and the breakpoints that bring it there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emulator.debugger.expressions import Expression
from emulator.debugger.places import Place
from emulator.engines.schedule import WarpKey
from emulator.errors import KernelFault
from emulator.machine.warp import Warp
from emulator.ptx_types import WARP_SIZE


@dataclass(frozen=True)
class Stop:
    """A stop.  reason: "start", "step", "breakpoint", "watch", "fault", "end", "interrupted", "seek", "history".

    key, pc, lanes: the warp in focus, what it executes next, and its lanes there; none after the end.
    """

    reason: str
    time: int
    key: WarpKey | None = None
    pc: int = -1
    lanes: int = 0
    text: str = ""
    number: int = 0
    fault: KernelFault | None = None

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        grid, block, warp = self.key or (None, None, None)
        return {
            "reason": self.reason,
            "time": self.time,
            "kernel": grid,
            "block": block,
            "warp": warp,
            "pc": self.pc if self.key is not None else None,
            "lanes": f"{self.lanes:#010x}",
            "text": self.text,
            "breakpoint": self.number or None,
            "fault": self.fault.diagnostic.to_json() if self.fault is not None else None,
        }


@dataclass(eq=False, kw_only=True)
class Counted:
    """What every breakpoint, watchpoint and catch has.  ignore: hits to let pass.  commands: done at a stop."""

    enabled: bool = True
    ignore: int = 0
    hits: int = 0
    commands: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Breakpoint(Counted):
    """A place at which warps stop.  warp, block: only there."""

    number: int
    place: Place
    condition: Expression | None = None
    warp: int | None = None
    block: int | None = None
    temporary: bool = False

    def covers(self, warp: Warp, pc: int) -> bool:
        """Whether it is about this instruction of this warp."""
        if not self.enabled or pc not in self.place.pcs.get(warp.cta.grid.program, ()):
            return False
        if self.warp is not None and warp.index != self.warp:
            return False
        return self.block is None or warp.cta.linear == self.block

    def describe(self) -> str:
        """Its place and restrictions."""
        text = self.place.text
        if text.isdigit():
            parts = [f"line {text}"]
        else:
            parts = [f"{text} ({self.place.describe()})" if text.strip(".") else self.place.describe()]
        if self.warp is not None:
            parts.append(f"warp {self.warp}")
        if self.block is not None:
            parts.append(f"block {self.block}")
        if self.condition is not None:
            parts.append(f"if {self.condition.text}")
        return " ".join(parts)


def fault_lanes(fault: KernelFault) -> int:
    """The lanes at fault, from the picture in the diagnostic; 0 if it has none."""
    picture = dict(fault.diagnostic.facts).get("lanes", "")[:WARP_SIZE]
    return sum(1 << lane for lane, sign in enumerate(picture) if sign == "!")
