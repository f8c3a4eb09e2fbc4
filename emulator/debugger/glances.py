"""The last change of what is watched by turns: one run at full speed, then the turns that changed it once more."""

from __future__ import annotations

from collections.abc import Callable

from emulator.debugger.motor import Halted, Watcher
from emulator.debugger.timeline import Timeline

NEAREST = 1024  # instructions before now that are looked at one by one, first


def last_change(timeline: Timeline, watcher_of: Callable[[], Watcher]) -> Halted | None:
    """Go to the last stop before now of checks that all let whole turns pass; None if there is none.

    The history must hold no deeds: they are done again by Timeline.run alone.
    """
    now = timeline.now
    longest = max((len(grid.program.instructions) for device in timeline.runner.devices for grid in device.grids),
                  default=0)  # fmt: skip
    limit = max(0, now - NEAREST - 4 * longest)
    timeline.seek(limit)
    found = _last_between(timeline, now, watcher_of)
    if found is not None or not limit:
        return found
    for since, end in reversed(_changes(timeline, limit, watcher_of)):
        if timeline.motor.interrupted:
            return Halted("interrupted")
        timeline.seek(since)
        found = _last_between(timeline, end + 1, watcher_of)
        if found is not None:
            return found
    return None


def _changes(timeline: Timeline, limit: int, watcher_of: Callable[[], Watcher]) -> list[tuple[int, int]]:
    """(beginning, end) of the turns before a time after which something was another one."""
    timeline.seek(0)
    glance = watcher_of().glance
    assert glance is not None
    found: list[tuple[int, int]] = []
    while timeline.now < limit:
        halted = timeline.motor.run(None, Watcher(glance=glance), limit)
        if halted.why != "turn":
            break
        found.append((halted.since, timeline.now))
        glance.begin()
    return found


def _last_between(timeline: Timeline, upper: int, watcher_of: Callable[[], Watcher]) -> Halted | None:
    """The last stop from now on and before a time, and go there."""
    best = None
    while True:
        halted = timeline.run(upper, watcher_of())
        if halted.why == "interrupted":
            return halted
        if halted.why != "watch" or timeline.now >= upper:
            break
        best = timeline.now
    if best is None:
        return None
    timeline.seek(best - 1)
    return timeline.run(best, watcher_of())
