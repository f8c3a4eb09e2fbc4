"""What is shown after every stop: the instruction that was executed and what it changed, code, warps, focus."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from textwrap import wrap

from emulator.debugger.accesses import access_bytes, bank_use, sector_use
from emulator.debugger.changes import edited
from emulator.debugger.lines import HEIGHT, WIDTH, clip, paint
from emulator.debugger.motor import Standing
from emulator.debugger.origins import origin_of
from emulator.debugger.panes import source
from emulator.debugger.panes.registers import changed_lines
from emulator.debugger.panes.tables import state_of
from emulator.debugger.patterns import compress
from emulator.debugger.session import Mark, Session
from emulator.debugger.stops import Stop
from emulator.debugger.values import Row, State, Value, row_of
from emulator.engines.schedule import key_of
from emulator.isa.instructions.load_store import space_of as access_space
from emulator.machine.memory import DEVICE_BASE, SHARED_WINDOW
from emulator.machine.warp import Warp, mask_of
from emulator.program import Instruction
from emulator.program.operands import Memory, Register
from emulator.render import lane_bar, lane_ranges
from emulator.render import lanes_of as lane_numbers


def context(session: Session) -> list[str]:
    """Headline and sections, at most 25 lines."""
    stop = session.stop
    lines = headline(session, stop)
    if session.warp is None:
        return lines[:HEIGHT]
    for name in session.settings.context:
        lines += [clip(line) for line in SECTIONS[name](session)]
    return lines[:HEIGHT]


def headline(session: Session, stop: Stop) -> list[str]:
    """Why it stopped, where that is not plain."""
    if stop.fault is not None:
        caught = [f"Catchpoint {stop.number}, {session.checks[stop.number].describe()}"] if stop.number else []
        return caught + [
            clip(paint((line, "fault" if n == 0 else "value"))) for n, line in enumerate(_fault_lines(stop))
        ]
    if stop.reason == "breakpoint":
        return [clip(paint((f"Breakpoint {stop.number}", "here"), f", {stop.text}"))]
    if stop.reason == "watch":
        return [clip(line) for line in stop.text.splitlines()]
    if stop.reason == "end":
        return [f"The run has ended: {stop.time:,} warp instructions.", *session.launched.finish()[1]]
    if stop.reason == "interrupted":
        return [paint(("Interrupted", "here"), f" at event {stop.time:,}.")]
    if stop.reason == "history":
        return [f"No more history: {stop.text}."]
    if session.warp is None:
        return [f"event {stop.time:,}: nothing is running here"]
    return []


def _fault_lines(stop: Stop) -> list[str]:
    assert stop.fault is not None
    headline, *rest = stop.fault.diagnostic.render().splitlines()
    return [*wrap(headline, WIDTH, subsequent_indent=" " * 7), *rest][:14]


# --- sections -------------------------------------------------------------------------------------


def last(session: Session) -> list[str]:
    """The instruction that the focused warp executed last, if it was one step from the last stop."""
    mark, warp = session.last, session.warp
    if mark is None or warp is None or mark.key != key_of(warp) or warp.executed != mark.executed + 1:
        return []
    standing = mark.standing
    if standing is None:
        return []
    instruction = standing.instruction
    lines: list[str] = [
        paint(f" last {instruction.line:5}  ", source.stripped(source.code(instruction.source, instruction.line)))
    ]
    lanes = standing.group & _guarded(standing, mark.state)
    count = lanes.bit_count()
    lines.append(paint("        lanes  ", (lane_bar(lanes), "value"), f"    {count} of 32    {lanes:#010x}"))
    lines += _off(warp, standing, lanes)
    lines += _address(standing, lanes, mark)
    return lines


def _guarded(standing: Standing, state: State) -> int:
    guard = standing.instruction.guard
    if guard is None:
        return 0xFFFFFFFF
    row = row_of(state, guard).astype(bool)
    return mask_of(~row if standing.instruction.guard_negated else row)


def _off(warp: Warp, standing: Standing, lanes: int) -> list[str]:
    """Lanes that did not execute, and where they are."""
    parts = []
    guarded = standing.group & ~lanes
    if guarded:
        sign = "!" if standing.instruction.guard_negated else ""
        name = standing.instruction.guard.name if standing.instruction.guard is not None else ""
        parts.append(f"{_ranges(guarded)}: not @{sign}{name}")
    for line, mask in _by_line(warp, warp.live & ~standing.group).items():
        parts.append(f"{_ranges(mask)}: at line {line}")
    exited = 0xFFFFFFFF & ~warp.live & ~standing.group
    if exited:
        parts.append(f"{_ranges(exited)}: exited")
    return [f"        off    {', '.join(parts)}"] if parts else []


def _ranges(mask: int) -> str:
    return lane_ranges(lane_numbers(mask))


def _by_line(warp: Warp, mask: int) -> dict[int, int]:
    found: dict[int, int] = {}
    pcs, program = warp.pc, warp.cta.grid.program
    for lane in lane_numbers(mask):
        line = program.instructions[int(pcs[lane])].line
        found[line] = found.get(line, 0) | 1 << lane
    return found


def _address(standing: Standing, lanes: int, mark: Mark) -> list[str]:
    """The addresses of a memory instruction, from the registers as they were."""
    for operand in standing.instruction.sources:
        place = operand.place
        if isinstance(place, Memory) and isinstance(place.base, Register) and lanes:
            row = row_of(mark.state, place.base)
            offset = f"{place.offset:+d}" if place.offset else ""
            served = _served(standing.instruction, row, place.offset, lanes)
            head = f"        addr   {place.base.name}{offset} = "
            return [f"{head}{compress(Value(row), lanes, 16, 78 - len(head) - len(served))}  {served}".rstrip()]
    return []


def _served(instruction: Instruction, row: Row, offset: int, lanes: int) -> str:
    """How banks or sectors serve a load or store: `1 wavefront`, `32 wavefronts (ideal 1)`, `4 sectors`."""
    size = access_bytes(instruction)
    if size is None:
        return ""
    addresses = {lane: int(row[lane]) + offset for lane in lane_numbers(lanes)}
    space = access_space(instruction.variant)
    windows = {address >> 32 for address in addresses.values()}
    if space.startswith("shared") or (space == "generic" and windows == {SHARED_WINDOW >> 32}):
        shared = bank_use({lane: at & 0xFFFFFFFF for lane, at in addresses.items()}, size)
        return _counted(shared.wavefronts, shared.ideal, "wavefront")
    if space == "global" or (space == "generic" and min(windows) >= DEVICE_BASE >> 32):
        used = sector_use(addresses, size)
        return _counted(len(used.sectors), used.ideal, "sector")
    return ""


def _counted(count: int, ideal: int, name: str) -> str:
    return f"{count} {name}{'s' * (count != 1)}" + (f" (ideal {ideal})" if count > ideal else "")


def changed(session: Session) -> list[str]:
    """Registers that have changed since the last stop."""
    return changed_lines(session, session.before)


def code(session: Session) -> list[str]:
    """The line before the next instruction, its line, and the one after; the line of the source that `.loc` names."""
    line = session.instruction.line
    lines = source.marked(session, line - 1, line + 1)
    lines = [paint(" code", text[5:]) if n == 0 and not text[1:5].strip() else text for n, text in enumerate(lines)]
    origin = origin_of(session, session.require_warp().cta.grid.program, session.instruction)
    return lines if origin is None else [*lines, paint(" source ", (str(origin), "label"), f"   {origin.text}")]


def warps(session: Session) -> list[str]:
    """Where the warps of the CTA stand, equal ones together."""
    described = [(warp.index, state_of(warp)) for warp in session.cta.warps]
    parts = []
    for state, run in groupby(described, key=lambda item: item[1]):
        indices = [index for index, _ in run]
        name = f"w{indices[0]}" if len(indices) == 1 else f"w{indices[0]}-{indices[-1]}"
        parts.append(f"{name} {state}")
    text = "    ".join(parts)
    return [clip(f" warps  {text}")]


def focus(session: Session) -> list[str]:
    """Block, warp, lane, thread; the event; the file."""
    name = session.launched.target.rpartition("/")[2]
    mark = ("   edited" if edited(session) else "", "changed")
    line = paint(" focus  ", focus_line(session), f"   event {session.runner.time:,}")
    if len(line) + len(name) + len(mark[0]) + 3 <= WIDTH:
        line = paint(line, f"   {name}")
    return [paint(line, mark)]


def focus_line(session: Session) -> str:
    """`block (0,0,0) warp 0 lane 5 thread (5,0,0)`, with device and kernel where there are several."""
    warp = session.require_warp()
    cta, grid = warp.cta, warp.cta.grid
    head = f"device {grid.device} " if len(session.runner.devices) > 1 else ""
    head += f"kernel {grid.number} " if len(session.programs) > 1 else ""
    thread = cta.thread(warp, session.lane)
    inactive = "" if warp.live >> session.lane & 1 else " (exited)"
    return f"{head}block {cta.index} warp {warp.index} lane {session.lane}{inactive} thread {thread}"


SECTIONS: dict[str, Callable[[Session], list[str]]] = {
    "last": last,
    "code": code,
    "changed": changed,
    "warps": warps,
    "focus": focus,
}
