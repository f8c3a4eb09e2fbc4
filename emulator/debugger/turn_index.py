"""Which warp ran when, in a run that native code may have made without telling."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

from emulator.engines.schedule import WarpKey


@dataclass(eq=False)
class TurnIndex:
    """Which warp ran when: entry i is a stretch from starts[i] to the next start, or to the end of the history.

    A key is None where that is not known.
    """

    starts: list[int] = field(default_factory=list)
    keys: list[WarpKey | None] = field(default_factory=list)

    def note(self, time: int, key: WarpKey | None) -> None:
        """A warp runs from a time on, if that is not known; None: nobody knows who."""
        keys = self.keys
        if keys:
            if keys[-1] == key:
                return
            latest = self.starts[-1]
            if time <= latest:
                if time == latest:
                    keys[-1] = key
                return
        self.starts.append(time)
        keys.append(key)

    def forget_from(self, time: int) -> None:
        """Nothing is known from a time on."""
        at = bisect.bisect_left(self.starts, time)
        del self.starts[at:], self.keys[at:]

    def times_before(self, time: int, key: WarpKey, count: int) -> list[int]:
        """When a warp's last `count` instructions before a time were executed, the earliest first."""
        found: list[int] = []
        entry = bisect.bisect_left(self.starts, time) - 1
        following = time
        while entry >= 0 and len(found) < count:
            if self.keys[entry] == key:
                first = max(self.starts[entry], following - (count - len(found)))
                found += range(following - 1, first - 1, -1)
            following = self.starts[entry]
            entry -= 1
        return found[::-1]

    def gap_before(self, time: int, key: WarpKey, count: int) -> tuple[int, int] | None:
        """The first stretch that is not known and that `times_before` meets."""
        entry, following = bisect.bisect_left(self.starts, time) - 1, time
        while entry >= 0 and count > 0:
            if self.keys[entry] is None:
                return self.starts[entry], following
            count -= following - self.starts[entry] if self.keys[entry] == key else 0
            following = self.starts[entry]
            entry -= 1
        return None

    def gap_from(self, time: int, key: WarpKey, end: int) -> tuple[int, int] | None:
        """The first stretch that is not known and that `next_from` meets."""
        for entry in range(max(0, bisect.bisect_right(self.starts, time) - 1), len(self.starts)):
            if self.keys[entry] is None:
                last = self.starts[entry + 1] if entry + 1 < len(self.starts) else end
                return max(time, self.starts[entry]), last
            if self.keys[entry] == key:
                return None
        return None

    def fill(self, first: int, last: int, end: int, notes: list[tuple[int, WarpKey]]) -> None:
        """What has been found out about a part of a stretch that was not known; end: of the history."""
        entry = bisect.bisect_right(self.starts, first) - 1
        following = self.starts[entry + 1] if entry + 1 < len(self.starts) else end
        part = TurnIndex()
        if self.starts[entry] < first:
            part.note(self.starts[entry], None)
        for time, key in notes:
            part.note(max(time, first), key)
        if last < following:
            part.note(last, None)
        self.starts[entry : entry + 1] = part.starts
        self.keys[entry : entry + 1] = part.keys

    def next_from(self, time: int, key: WarpKey) -> int | None:
        """When a warp's first instruction at or after a time was executed."""
        at = max(0, bisect.bisect_right(self.starts, time) - 1)
        for entry in range(at, len(self.starts)):
            if self.keys[entry] == key:
                return max(time, self.starts[entry])
        return None

    def who(self, time: int) -> WarpKey | None:
        """The warp that executed at a time."""
        at = bisect.bisect_right(self.starts, time) - 1
        return self.keys[at] if at >= 0 else None
