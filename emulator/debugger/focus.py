"""Coordinates of the focus and the words for them: device, grid, block, warp, lane, thread, as in cuda-gdb.

Words that are left out keep the current focus; brackets are optional: `block (1,0,0) thread 3`, `warp 2 lane 5`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from emulator.debugger.errors import DebuggerError
from emulator.engines.run import Runner
from emulator.engines.schedule import WarpKey
from emulator.machine.cta import Cta
from emulator.machine.device import DeviceState
from emulator.machine.grid import Grid
from emulator.ptx_types import WARP_SIZE, Dim3

WORDS = ("device", "kernel", "grid", "block", "cta", "thread", "warp", "lane")
_WORD = re.compile(r"\s*(?P<word>[A-Za-z]+)\s*(?P<value>\(\s*\d+(?:\s*,\s*\d+){0,2}\s*\)|\d+(?:\s*,\s*\d+){0,2})")


@dataclass(frozen=True)
class Focus:
    """Whom the commands are about: a lane of a warp, by names that outlive a seek."""

    key: WarpKey
    lane: int = 0


def grids_of(runner: Runner) -> Iterator[tuple[DeviceState, Grid]]:
    """Every launch that runs, by device."""
    for device in runner.devices:
        for grid in device.grids:
            yield device, grid


def first_focus(runner: Runner) -> Focus | None:
    """The first live warp of the first launch."""
    for _, grid in grids_of(runner):
        for cta in grid.resident.values():
            for warp in cta.warps:
                if warp.live:
                    lane = (warp.live & -warp.live).bit_length() - 1
                    return Focus((grid.number, cta.linear, warp.index), lane)
    return None


def parse_focus(text: str, focus: Focus, runner: Runner) -> Focus:
    """The focus that words name; DebuggerError if there is no such thing."""
    at = 0
    found: dict[str, tuple[int, ...]] = {}
    while text[at:].strip():
        match = _WORD.match(text, at)
        if match is None or match["word"] not in WORDS:
            raise DebuggerError("this names no coordinate", text, at, help="such as block (1,0,0) warp 2 lane 5")
        numbers = tuple(int(part) for part in re.findall(r"\d+", match["value"]))
        word = {"cta": "block", "grid": "kernel"}.get(match["word"], match["word"])
        found[word] = numbers
        at = match.end()
    for word in ("device", "kernel", "block", "warp", "thread", "lane"):
        if word in found:
            focus = _CHANGES[word](focus, found[word], runner)
    return focus


def _grid(focus: Focus, runner: Runner) -> Grid:
    grids = [grid for _, grid in grids_of(runner)]
    if not grids:
        raise DebuggerError("no kernel is running", help="reverse-step goes back into the run, run starts it again")
    return next((grid for grid in grids if grid.number == focus.key[0]), grids[0])


def _cta(focus: Focus, runner: Runner) -> Cta:
    grid = _grid(focus, runner)
    if focus.key[1] not in grid.resident:
        raise DebuggerError(f"block {grid.config.grid.index(focus.key[1])} is not running: {_running(grid)}")
    return grid.resident[focus.key[1]]


def _running(grid: Grid) -> str:
    names = [str(cta.index) for cta in grid.resident.values()]
    more = f" and {len(names) - 4:,} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more} are" if names else "none is"


def _to_device(focus: Focus, numbers: tuple[int, ...], runner: Runner) -> Focus:
    if numbers[0] >= len(runner.devices):
        count = len(runner.devices)
        raise DebuggerError(f"there {'is one device' if count == 1 else f'are {count} devices'}, numbered from 0")
    grids = runner.devices[numbers[0]].grids
    if not grids:
        raise DebuggerError(f"nothing runs on device {numbers[0]}")
    return _to_grid(focus, (grids[0].number,), runner)


def _to_grid(focus: Focus, numbers: tuple[int, ...], runner: Runner) -> Focus:
    known = {grid.number: grid for _, grid in grids_of(runner)}
    if numbers[0] not in known:
        raise DebuggerError(f"no kernel {numbers[0]} runs", help=f"there is {', '.join(map(str, known)) or 'none'}")
    resident = known[numbers[0]].resident
    return Focus((numbers[0], next(iter(resident), 0), 0), focus.lane)


def _to_block(focus: Focus, numbers: tuple[int, ...], runner: Runner) -> Focus:
    grid = _grid(focus, runner)
    size, index = grid.config.grid, Dim3(*numbers) if len(numbers) > 1 else None
    if index is None:
        linear = numbers[0]
    else:
        index = Dim3(*(*numbers, 0, 0)[:3])
        linear = index.x + size.x * (index.y + size.y * index.z)
        if index.x >= size.x or index.y >= size.y or index.z >= size.z:
            linear = size.count
    if linear >= size.count:
        raise DebuggerError(f"the grid has {size.count:,} block{'s' * (size.count != 1)}, {size}")
    after = Focus((grid.number, linear, focus.key[2]), focus.lane)
    warps = len(_cta(after, runner).warps)
    return after if focus.key[2] < warps else Focus((grid.number, linear, 0), focus.lane)


def _to_warp(focus: Focus, numbers: tuple[int, ...], runner: Runner) -> Focus:
    cta = _cta(focus, runner)
    if numbers[0] >= len(cta.warps):
        raise DebuggerError(f"the block has {len(cta.warps)} warp{'s' * (len(cta.warps) > 1)}, numbered from 0")
    return Focus((*focus.key[:2], numbers[0]), focus.lane)


def _to_thread(focus: Focus, numbers: tuple[int, ...], runner: Runner) -> Focus:
    block = _grid(focus, runner).config.block
    index = Dim3(*(*numbers, 0, 0)[:3])
    linear = index.x + block.x * (index.y + block.y * index.z)
    inside = len(numbers) == 1 or (index.x < block.x and index.y < block.y and index.z < block.z)
    if not inside or linear >= block.count:
        raise DebuggerError(f"a block has {block.count:,} threads, {block}")
    return Focus((*focus.key[:2], linear // WARP_SIZE), linear % WARP_SIZE)


def _to_lane(focus: Focus, numbers: tuple[int, ...], runner: Runner) -> Focus:
    if numbers[0] >= WARP_SIZE:
        raise DebuggerError("a warp has 32 lanes, 0 to 31")
    return replace(focus, lane=numbers[0])


_CHANGES = {
    "device": _to_device,
    "kernel": _to_grid,
    "block": _to_block,
    "warp": _to_warp,
    "thread": _to_thread,
    "lane": _to_lane,
}
