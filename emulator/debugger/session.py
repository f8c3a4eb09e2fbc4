"""A session: the launch, the focus, the stops, the breakpoints, and what the last stop looked like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from emulator.api.system import System
from emulator.debugger import evaluate
from emulator.debugger.errors import DebuggerError
from emulator.debugger.expressions import Expression
from emulator.debugger.focus import Focus, first_focus, grids_of
from emulator.debugger.memory import Variable, variables_of
from emulator.debugger.motor import Halted, Places, Standing, Trap, Watcher, standing_of
from emulator.debugger.stops import Breakpoint, Stop, fault_lanes
from emulator.debugger.timeline import Timeline
from emulator.debugger.values import State, Value
from emulator.engines.schedule import WarpKey, key_of
from emulator.errors import KernelFault
from emulator.machine.cta import Cta
from emulator.machine.grid import Grid
from emulator.machine.warp import Warp, mask_of
from emulator.program import Instruction, Program


class Launched(NamedTuple):
    """What a start gave.  finish: whether everything came out right, and lines that say so."""

    system: System
    target: str
    finish: Callable[[], tuple[bool, list[str]]]


class Check(Protocol):
    """Something that is asked at every instruction, or only at some: watchpoints and catches."""

    number: int
    enabled: bool
    ignore: int
    hits: int
    commands: list[str]

    def begin(self) -> None:
        """The machine is about to run: remember how things are."""

    def before(self, standing: Standing) -> None:
        """An instruction is about to execute, after which `check` is asked."""

    def check(self, standing: Standing) -> str | None:
        """The text of a stop after an instruction; None if it is no stop."""

    def rest(self) -> None:
        """The machine stands."""

    @property
    def traps(self) -> tuple[Trap, ...] | None:
        """The instructions at which it has to be asked; None for all."""

    def catches(self, fault: KernelFault) -> bool:
        """Whether a fault belongs to it."""

    def describe(self) -> str:
        """What it is about, as it was typed."""


@dataclass(frozen=True, eq=False)
class Mark:
    """How the warp in focus was at a stop: its bytes, and the instruction that it was about to execute."""

    time: int
    key: WarpKey
    state: State
    standing: Standing | None
    executed: int


@dataclass
class Settings:
    """What `set` changes, with cuda-gdb's names and defaults.  context: the sections after a stop."""

    step_divergent_lanes: bool = True
    context: tuple[str, ...] = ("last", "code", "changed", "warps", "focus")


@dataclass
class Checkpoint:
    """A moment with a name."""

    name: str
    time: int
    focus: Focus | None


@dataclass
class Session:
    """start: launches everything on a fresh system, with a function that takes what kernels print.

    printed: what kernels have printed since somebody took it.  before: the last stop but one, for what has changed;
    last: just before the last instruction of the focused warp, if a motion executed it alone.
    checks: asked while the machine runs; watchpoints and catches put themselves there.
    """

    start: Callable[[Callable[[str], object]], Launched]
    settings: Settings = field(default_factory=Settings)
    breakpoints: dict[int, Breakpoint] = field(default_factory=dict)
    checks: dict[int, Check] = field(default_factory=dict)
    displays: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.printed: list[str] = []
        self.numbers = 0
        self.programs: list[Program] = []
        self.begin()

    def begin(self) -> Stop:
        """Launch (again) and stand at the first instruction."""
        self.launched = self.start(self.printed.append)
        self.runner = self.launched.system.runner
        self.timeline = Timeline(self.runner)
        self.focus: Focus | None = None
        self.before: Mark | None = None
        self.last: Mark | None = None
        self.checkpoints: dict[str, Checkpoint] = {}
        self.listed: int | None = None
        self._seen: set[tuple[WarpKey, int]] = set()
        self._mark: Mark | None = None
        self._hit: Breakpoint | None = None
        self._hit_check: tuple[int, str] | None = None
        self.timeline.settle()
        self._take(self._programs())
        self.focus = first_focus(self.runner)
        self.stop = self.arrive("start", Halted("time"))
        return self.stop

    def _programs(self) -> list[Program]:
        """The programs of all launches."""
        found = {id(grid.program): grid.program for _, grid in grids_of(self.runner)}
        for device in self.runner.devices:
            for stream in device.streams:
                works = [work for work in stream.pending if isinstance(work, Grid)]
                found.update({id(work.program): work.program for work in works})
        return list(found.values())

    def _take(self, programs: list[Program]) -> None:
        """The programs of this start; breakpoints stand where they stood in those of the start before."""
        new = dict(zip(self.programs, programs, strict=False))
        self.programs = programs
        for breakpoint in self.breakpoints.values():
            pcs = {new.get(program, program): some for program, some in breakpoint.place.pcs.items()}
            breakpoint.place = replace(breakpoint.place, pcs=pcs)

    def next_number(self) -> int:
        """Numbers breakpoints, watchpoints and catches together, as gdb does."""
        self.numbers += 1
        return self.numbers

    def stopper(self, number: int) -> Breakpoint | Check:
        """A breakpoint, watchpoint or catch by its number."""
        return self.breakpoints[number] if number in self.breakpoints else self.checks[number]

    # --- the focus -----------------------------------------------------------------------------------

    @property
    def warp(self) -> Warp | None:
        """The warp in focus, if it is resident."""
        return self.timeline.warp(self.focus.key) if self.focus is not None else None

    def require_warp(self) -> Warp:
        """The warp in focus; DebuggerError if it is not running."""
        warp = self.warp
        if warp is None:
            text = "the kernel has ended" if self.timeline.fault is not None or self.focus else "no kernel is running"
            raise DebuggerError(text, help="reverse-step goes back into the run, run starts it again")
        return warp

    @property
    def lane(self) -> int:
        """The lane in focus."""
        return self.focus.lane if self.focus is not None else 0

    @property
    def cta(self) -> Cta:
        """The CTA in focus."""
        return self.require_warp().cta

    @property
    def pc(self) -> int:
        """Where the lane in focus stands; the lanes that go next, if it has exited."""
        warp = self.require_warp()
        if warp.live >> self.lane & 1:
            return int(warp.pc[self.lane])
        standing = standing_of(warp)
        return standing.pc if standing is not None else int(warp.pc[self.lane])

    @property
    def instruction(self) -> Instruction:
        """The instruction at pc."""
        instruction: Instruction = self.require_warp().cta.grid.program.instructions[self.pc]
        return instruction

    @property
    def group(self) -> int:
        """The lanes that stand with the lane in focus."""
        warp = self.require_warp()
        depth = warp.depth[self.lane]
        return mask_of((warp.pc == self.pc) & (warp.depth == depth)) & warp.live

    # --- expressions -------------------------------------------------------------------------------

    def context(self, standing: Standing | None = None, state: State | None = None) -> evaluate.Context:
        """Where expressions are looked up: the focus, or a warp that is about to execute."""
        if standing is None:
            standing = Standing(self.require_warp(), self.pc, self.group)
        warp, pc, _ = standing
        known: dict[str, Variable] | None = None

        def variables() -> dict[str, Variable]:
            nonlocal known
            if known is None:
                known = variables_of(self.runner, warp, pc)
            return known

        values = self.values | {"pc": pc, "time": self.runner.time, "lane": self.lane, "warp": warp.index}
        values |= {"block": warp.cta.linear, "active": standing.group, "kernel": warp.cta.grid.number}
        return evaluate.Context(
            self.runner,
            warp,
            pc,
            standing.group,
            warp.state if state is None else state,
            values,
            lambda name: variables().get(name),
            lambda: list(variables()),
        )

    def evaluate(self, expression: Expression) -> Value:
        """The value of an expression at the focus."""
        return evaluate.evaluate(expression, self.context())

    # --- stopping ----------------------------------------------------------------------------------

    def watcher(self, *, places: bool = True, also: Places | None = None) -> Watcher:
        """Breakpoints and checks.  also: further places, at which it stops without a hit."""
        self._hit = self._hit_check = None
        found = self._places(also or {}) if places else {}
        accept = self.stops_at if not also else lambda standing: self.stops_at(standing) or _is_among(standing, also)
        active = [check for check in self.checks.values() if check.enabled]
        if not active:
            return Watcher(found, accept)
        self._begin(active)
        known = [check.traps for check in active]
        traps = None if None in known else tuple(trap for some in known for trap in some or ())
        return Watcher(found, accept, self._before, self._check, traps, lambda: self._begin(active))

    @property
    def hit(self) -> Breakpoint | None:
        """The breakpoint that ended the last motion of the machine."""
        return self._hit

    def _places(self, also: Places) -> Places:
        found: dict[Program, frozenset[int]] = dict(also)
        for breakpoint in self.breakpoints.values():
            if breakpoint.enabled:
                for program, pcs in breakpoint.place.pcs.items():
                    found[program] = found.get(program, frozenset()) | pcs
        return found

    def stops_at(self, standing: Standing) -> bool:
        """Whether a breakpoint counts here: its filters, its condition, its ignore count, and no stop here before."""
        if standing.moment in self._seen:
            return False
        for breakpoint in self.breakpoints.values():
            if breakpoint.covers(standing.warp, standing.pc) and self._meets(breakpoint, standing):
                breakpoint.hits += 1
                if breakpoint.ignore:
                    breakpoint.ignore -= 1
                    continue
                self._hit = breakpoint
                return True
        return False

    def _meets(self, breakpoint: Breakpoint, standing: Standing) -> bool:
        return breakpoint.condition is None or evaluate.holds(breakpoint.condition, self.context(standing))

    def covers(self, standing: Standing) -> bool:
        """Whether a breakpoint's place, filters and condition hold; counts nothing (for going back)."""
        for breakpoint in self.breakpoints.values():
            if breakpoint.covers(standing.warp, standing.pc) and self._meets(breakpoint, standing):
                self._hit = breakpoint
                return True
        return False

    def _begin(self, checks: list[Check]) -> None:
        for check in checks:
            check.begin()

    def _before(self, standing: Standing) -> None:
        for check in self.checks.values():
            if check.enabled:
                check.before(standing)

    def _check(self, standing: Standing) -> bool:
        found = []
        for check in self.checks.values():
            text = check.check(standing) if check.enabled else None
            if text is None:
                continue
            check.hits += 1
            if check.ignore:
                check.ignore -= 1
            else:
                found.append((check.number, text))
        if found:
            self._hit_check = found[0][0], "\n".join(text for _, text in found)
        return bool(found)

    def _caught(self, fault: KernelFault) -> int:
        """The number of the catch that a fault belongs to; 0 if there is none."""
        for check in self.checks.values():
            if check.enabled and check.catches(fault):
                check.hits += 1
                return check.number
        return 0

    def mark(self) -> None:
        """Remember how the warp in focus is now, before it moves."""
        self._mark = self.marked()
        self.last = None

    def marked(self) -> Mark | None:
        """How the warp in focus is now."""
        warp = self.warp
        if warp is None:
            return None
        return Mark(self.runner.time, key_of(warp), warp.state.copy(), standing_of(warp), warp.executed)

    def arrive(self, reason: str, halted: Halted, text: str = "") -> Stop:
        """The stop that a motion ended with; moves the focus to whom it is about."""
        number, fault = 0, halted.fault
        if halted.why == "place" and halted.standing is not None:
            self._look_at(halted.standing)
            assert self._hit is not None
            reason, number, text = "breakpoint", self._hit.number, self._hit.describe()
            if self._hit.temporary:
                del self.breakpoints[number]
        elif halted.why == "watch" and self._hit_check is not None and halted.standing is not None:
            self._look_at(halted.standing)
            number, text = self._hit_check
            reason = "watch"
        elif fault is not None:
            reason = "fault"
            number = self._caught(fault)
            self._look_at_fault(halted)
        elif halted.why in ("end", "interrupted"):
            reason = halted.why
        self.before = self._mark
        self.stop = self._stop(reason, text, number, halted)
        for check in self.checks.values():
            check.rest()
        return self.stop

    def _stop(self, reason: str, text: str, number: int, halted: Halted) -> Stop:
        warp = self.warp
        time = self.runner.time
        if warp is None:
            return Stop(reason, time, text=text, number=number, fault=halted.fault)
        standing = standing_of(warp)
        self._seen = {standing.moment} if standing is not None else set()
        return Stop(reason, time, key_of(warp), self.pc, self.group, text, number, halted.fault)

    def _look_at(self, standing: Standing) -> None:
        """Focus on a warp; its lane stays if it is among those that execute."""
        lane = self.lane
        if not standing.group >> lane & 1:
            lane = (standing.group & -standing.group).bit_length() - 1
        self.focus = Focus(key_of(standing.warp), lane)

    def _look_at_fault(self, halted: Halted) -> None:
        """Focus on the first lane at fault."""
        assert halted.fault is not None
        lanes, warp = fault_lanes(halted.fault), halted.fault.warp
        if lanes and warp is not None:
            self.focus = Focus(warp, (lanes & -lanes).bit_length() - 1)

    def take_printed(self) -> str:
        """What kernels have printed since the last time."""
        text = "".join(self.printed)
        self.printed.clear()
        return text


def _is_among(standing: Standing, places: Places) -> bool:
    return standing.pc in places.get(standing.warp.cta.grid.program, ())
