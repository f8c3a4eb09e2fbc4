"""Watchpoints: stops where a register or bytes change, are read, or are written.

A plain `watch` stops where the value has become another one, `watch -exact` at every write, `rwatch` and `awatch` at
reads too.  The native engine stops by itself at the instructions that may do so (traps.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emulator.debugger.evaluate import holds
from emulator.debugger.expressions import Expression
from emulator.debugger.lines import clip
from emulator.debugger.motor import Standing, Trap
from emulator.debugger.patterns import compress
from emulator.debugger.recording import Collector
from emulator.debugger.stops import Counted
from emulator.debugger.targets import MemoryTarget, RegisterTarget, Target, copied
from emulator.debugger.traps import traps_of
from emulator.debugger.values import State, Value
from emulator.debugger.writers import access_hits, register_hits, registers_read
from emulator.engines.schedule import key_of
from emulator.errors import KernelFault
from emulator.render import lane_ranges
from emulator.render import lanes_of as lane_numbers

if TYPE_CHECKING:
    from emulator.debugger.session import Session
    from emulator.engines.run import Runner

KINDS = {"watch": "wa", "rwatch": "ra", "awatch": "rwa"}  # accesses: read, write, atomic
NAMES = {"watch": "watchpoint", "rwatch": "read watchpoint", "awatch": "access watchpoint"}


@dataclass(eq=False)
class Watchpoint(Counted):
    """A Check of the session.  exact: every access by the records of the reference engine, not changes of the value."""

    session: Session
    number: int
    kind: str
    target: Target
    condition: Expression | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        self.exact = self.exact or self.kind != "watch"
        self.lanes = 0  # that accessed it last, if it is exact
        self._old: State | None = None
        self._listening: tuple[Runner, Collector] | None = None
        self.begin()
        self.rest()

    # --- the Check ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """The machine is about to run: remember the value."""
        self._old = copied(self.target.bytes_of(self.session))

    def before(self, standing: Standing) -> None:
        """Listen to the accesses of an instruction if that is needed; the owner may have begun since."""
        if self._old is None or self.exact:
            self._old = copied(self.target.bytes_of(self.session))
        if self.exact:
            self.rest()
            self._listening = self.session.runner, Collector(memory=True)
            self.session.runner.events.add(self._listening[1])

    def rest(self) -> None:
        """Nobody has to listen."""
        if self._listening is not None:
            runner, collector = self._listening
            runner.events.remove(collector)
            self._listening = None

    @property
    def traps(self) -> tuple[Trap, ...] | None:
        """The instructions that may access the target."""
        return traps_of(self.session, self.target, KINDS[self.kind])

    def catches(self, fault: KernelFault) -> bool:
        """Not faults."""
        return False

    def check(self, standing: Standing) -> str | None:
        """The text of a stop after an instruction; None if it is no stop."""
        old, now = self._old, self.target.bytes_of(self.session)
        changed = self._changed(old, now)
        if changed or self.exact:
            self._old = copied(now)
        if self.exact:
            text = self._accessed(standing, old, now)
        else:
            text = self._text(standing, old, now, changed) if changed else None
        if text is None or (self.condition is not None and not holds(self.condition, self.session.context(standing))):
            return None
        return text

    def describe(self) -> str:
        """What it watches."""
        condition = f" if {self.condition.text}" if self.condition is not None else ""
        exact = " -exact" if self.exact and self.kind == "watch" else ""
        return f"{self.kind}{exact} {self.target.text}{condition}"

    # --- what happened -----------------------------------------------------------------------------

    def _changed(self, old: State | None, now: State | None) -> int:
        """The lanes in which the value changed; bytes that come into being or go have no old or new value."""
        if old is None or now is None:
            self._old = copied(now)
            return 0
        return self.target.changed(old, now)

    def _accessed(self, standing: Standing, old: State | None, now: State | None) -> str | None:
        """What the instruction's records say."""
        if self._listening is None:
            return None
        runner, collector = self._listening
        self.rest()
        instructions, accesses = collector.within(runner.time - 1, runner.time)
        if isinstance(self.target, MemoryTarget):
            hits = access_hits(self.session, self.target, accesses, KINDS[self.kind].encode())
            lanes = sum(1 << int(lane) for lane in set(hits["lane"].tolist()))
        else:
            program = standing.warp.cta.grid.program
            found = register_hits(self.target, program, instructions) if self.kind != "rwatch" else instructions[:0]
            reads = standing.instruction if self.kind != "watch" else None
            if reads is not None and any(r.offset == self.target.register.offset for r in registers_read(reads)):
                found = instructions if key_of(standing.warp) == self.target.key else found
            lanes = int(np.bitwise_or.reduce(found["lanes"])) & self.target.lanes if len(found) else 0
        self.lanes = lanes or self.lanes
        return self._text(standing, old, now, lanes) if lanes else None

    def _text(self, standing: Standing, old: State | None, now: State | None, lanes: int) -> str:
        """Headline, old and new value, and who did it."""
        lines = [f"{NAMES[self.kind].capitalize()} {self.number}: {self.target.text}"]
        shown = isinstance(self.target, MemoryTarget)
        if old is None or now is None:
            lines.append("  its owner starts or ends here")
        elif shown:
            lane = standing.group.bit_length() - 1
            lines.append(f"  {self._values(self.target.show(old, lane), self.target.show(now, lane))}")
        else:
            before, after = (self._row(raw, lanes) for raw in (old, now))
            lines.append(f"  {self._values(before, after)}")
        return "\n".join(clip(line) for line in [*lines, self._who(standing, lanes)])

    def _values(self, before: str, after: str) -> str:
        return f"{before} -> {after}" if before != after else f"{after} (the same value)"

    def _row(self, raw: State, lanes: int) -> str:
        """A register's values in the lanes that are concerned."""
        assert isinstance(self.target, RegisterTarget)
        if lanes.bit_count() == 1:
            return self.target.show(raw, lanes.bit_length() - 1)
        return compress(Value(self.target.values(raw), self.target.kind), lanes, self.target.base, 34)

    def _who(self, standing: Standing, lanes: int) -> str:
        """`  by warp 2 lane 5, line 37 `st.shared...``."""
        warp, instruction = standing.warp, standing.instruction
        if isinstance(self.target, MemoryTarget) and not self.exact:
            lanes = lanes_touching(self.session, self.target, standing) or standing.group
        numbers = lane_numbers(lanes)
        who = f"lane{'s' * (len(numbers) > 1)} {lane_ranges(numbers)}" if lanes != 0xFFFFFFFF else "all lanes"
        block = f"block {warp.cta.index} " if warp.cta.grid.cta_count > 1 else ""
        return f"  line {instruction.line}  {instruction.text}   by {block}warp {warp.index} {who}"


def lanes_touching(session: Session, target: MemoryTarget, standing: Standing) -> int:
    """The lanes of an instruction whose addresses meet a target; 0 where its operands do not say."""
    from emulator.debugger.inputs import memory_of
    from emulator.program.operands import Memory

    found = 0
    for operand in standing.instruction.sources:
        if not isinstance(operand.place, Memory):
            continue
        for lane in lane_numbers(standing.group):
            one = memory_of(session, standing.warp, standing.instruction, operand, lane)
            if (
                one is not None
                and one.space == target.space
                and (one.space == "global" or one.key[:2] == target.key[:2])
            ):
                found |= (one.low < target.low + target.size and target.low < one.low + one.size) << lane
    return found
