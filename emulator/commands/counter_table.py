"""What `--counters` shows: executed warp instructions by opcode, and how many of their lanes were on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.observers.counters import Count, Counters

MOST_ROWS = 20  # the rest is one row


def table(counters: Counters) -> Iterator[str]:
    """A row an opcode, the most executed first: instructions, their part of all, lanes on."""
    found, total = list(counters.by_opcode().items()), counters.total
    shown, rest = found[:MOST_ROWS], [count for _, count in found[MOST_ROWS:]]
    if rest:
        others = rest[0]
        for count in rest[1:]:
            others = others.plus(count)
        shown.append((f"{len(rest)} others", others))
    shown.append(("total", total))
    width = max(len(name) for name, _ in shown)
    digits = len(f"{total.instructions:,}")
    yield f"{'opcode':{width}}  {'executed':>{max(digits, 8)}}    part  lanes on"
    for name, count in shown:
        yield f"{name:{width}}  {count.instructions:>{max(digits, 8)},}  {_part(count, total)}  {count.lanes_on:7.1%}"


def _part(count: Count, total: Count) -> str:
    return f"{count.instructions / max(1, total.instructions):6.1%}"


def to_json(counters: Counters) -> dict[str, Any]:
    """The same for --json: (warp instructions, lanes) by opcode and in all."""
    total = counters.total
    return {
        "instructions": total.instructions,
        "lanes": total.lanes,
        "opcodes": {
            name: {"instructions": n.instructions, "lanes": n.lanes} for name, n in counters.by_opcode().items()
        },
    }
