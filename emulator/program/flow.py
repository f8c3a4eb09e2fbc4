"""Where control can go: join points, the call graph, recursion and the depth of the stack."""

from __future__ import annotations

from collections.abc import Iterable

from emulator.program.instruction import Instruction
from emulator.program.operands import Callee, Targets


def join_points(instructions: Iterable[Instruction]) -> frozenset[int]:
    """Pcs where lanes that went apart can meet: branch targets, instructions behind control and those that suspend."""
    found: set[int] = set()
    for instruction in instructions:
        targets = [s.place.pcs for s in instruction.sources if isinstance(s.place, Targets)]
        for pcs in targets:
            found.update(pcs)
        entry = instruction.variant.entry
        if entry.suspends:
            found.add(instruction.pc)
        if targets or entry.kind == "machine" or entry.sync is not None:
            found.add(instruction.pc + 1)
    return frozenset(found)


def call_graph(instructions: Iterable[Instruction], addressed: list[str]) -> dict[str, set[str]]:
    """Callees by caller; an indirect call may reach every function whose address is taken."""
    graph: dict[str, set[str]] = {}
    for instruction in instructions:
        callees = graph.setdefault(instruction.function.name, set())
        if instruction.call is not None:
            place = instruction.sources[0].place
            assert isinstance(place, Callee)
            callees.update([place.place] if isinstance(place.place, str) else addressed)
    return graph


def reachable(start: Iterable[str], graph: dict[str, set[str]]) -> set[str]:
    """Functions that can be reached from some, over one call or more."""
    found: set[str] = set()
    pending = list(start)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += graph.get(name, ())
    return found


def cyclic(graph: dict[str, set[str]]) -> set[str]:
    """Functions that can call themselves, directly or over others."""
    return {name for name, callees in graph.items() if name in reachable(callees, graph)}


def deepest_path(name: str, graph: dict[str, set[str]], frames: dict[str, int]) -> int:
    """The most stack bytes along any chain of calls of an acyclic graph."""
    below = max((deepest_path(callee, graph, frames) for callee in graph.get(name, ())), default=0)
    return frames.get(name, 0) + below
