"""Names of a function by block: registers, variables and labels (manual, 4.3.2 and 5.4)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from emulator.parse import nodes
from emulator.program.operands import FunctionAddress, Register, Storage
from emulator.program.registers import RowAllocator
from emulator.ptx_types import TYPES

VectorRegister = tuple[Register, ...]
Declared = Register | VectorRegister | Storage | FunctionAddress


@dataclass(frozen=True, slots=True)
class RegisterRange:
    """`%r<5>`: registers that get their rows when they are first used."""

    prefix: str
    count: int
    type: str
    rows: RowAllocator


@dataclass(eq=False)
class Scope:
    """One block's names; an inner block hides outer names."""

    parent: Scope | None = None
    names: dict[str, Declared] = field(default_factory=dict)
    ranges: dict[str, RegisterRange] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    lists: dict[str, nodes.BranchTargets | nodes.CallTargets | nodes.CallPrototype] = field(default_factory=dict)

    def chain(self) -> Iterator[Scope]:
        """This scope and the ones around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def find(self, name: str) -> Declared | None:
        """A register, variable or function by name."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is None and scope.ranges:
                found = scope.from_range(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def from_range(self, name: str) -> Register | None:
        """The register of a parameterised name such as %r<5>, with a row from now on."""
        digits = len(name) - len(name.rstrip("0123456789"))
        for length in range(digits, 0, -1):
            number = name[-length:]
            found = self.ranges.get(name[:-length])
            if found is not None and int(number) < found.count and (length == 1 or number[0] != "0"):
                register = found.rows.allocate(name, TYPES[found.type])
                self.names[name] = register
                return register
        return None

    def has_both(self, name: str, count: int | None) -> bool:
        """Whether `%r1` beside `%r<5>` of this block would be two registers of one name, whichever comes first."""
        if count is not None:
            return any(is_numbered(known, name, count) for known in self.names)
        return any(is_numbered(name, prefix, numbered.count) for prefix, numbered in self.ranges.items())

    def find_label(self, name: str) -> int | None:
        """The pc of a label."""
        return next((scope.labels[name] for scope in self.chain() if name in scope.labels), None)

    def find_list(self, name: str) -> nodes.BranchTargets | nodes.CallTargets | nodes.CallPrototype | None:
        """A list of targets or a prototype by its label."""
        return next((scope.lists[name] for scope in self.chain() if name in scope.lists), None)

    def visible(self) -> set[str]:
        """All names that can be used here."""
        found = {name for scope in self.chain() for name in scope.names}
        for scope in self.chain():
            for numbered in scope.ranges.values():
                found |= {f"{numbered.prefix}{n}" for n in range(min(numbered.count, 1000))}
        return found

    def visible_predicates(self) -> set[str]:
        """The predicate registers that can be used here."""
        names = {name for scope in self.chain() for name, found in scope.names.items() if _is_predicate(found)}
        for scope in self.chain():
            for numbered in scope.ranges.values():
                if numbered.type == "pred":
                    names |= {f"{numbered.prefix}{n}" for n in range(min(numbered.count, 1000))}
        return names

    def beyond_range(self, name: str) -> str:
        """`%r<5> declares %r0 to %r4` for a name such as %r7; empty for any other name."""
        prefix = name.rstrip("0123456789")
        for scope in self.chain():
            numbered = scope.ranges.get(prefix)
            if numbered is not None and numbered.count and name != prefix:
                last = f"{prefix}{numbered.count - 1}"
                return f"{prefix}<{numbered.count}> declares {prefix}0 to {last}: raise the number"
        return ""

    def visible_labels(self) -> set[str]:
        """All labels that can be used here."""
        return {name for scope in self.chain() for name in scope.labels}


def is_numbered(name: str, prefix: str, count: int) -> bool:
    """Whether `prefix<count>` declares a name."""
    number = name.removeprefix(prefix)
    return name.startswith(prefix) and number.isdecimal() and str(int(number)) == number and int(number) < count


def _is_predicate(found: Declared) -> bool:
    return isinstance(found, Register) and found.type.kind == "p"


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean ...?` for a name, or an empty string; of equally close names the one that begins alike."""
    close = difflib.get_close_matches(name, list(known), n=8, cutoff=0.6)

    def likeness(word: str) -> tuple[float, int]:
        begins_alike = takewhile(lambda pair: pair[0] == pair[1], zip(word, name, strict=False))
        return difflib.SequenceMatcher(None, word, name).ratio(), len(list(begins_alike))

    return f"did you mean {max(close, key=likeness)}?" if close else ""
