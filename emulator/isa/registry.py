"""The registry of instructions: one entry a syntax line of the manual.

    @instruction("bfe.type d, a, b, c", type="u32 u64 s32 s64", b="u32", c="u32", section="9.7.1.19")
    def bfe(ops, i, a, b, c):
        \"\"\"d = the c bits of a from bit b, extended by the sign of type.
        example: bfe.u32 0xabcd1234, 8, 4 -> 0x2
        \"\"\"

Several lines may decorate one function.  The registry is frozen after import.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any

from emulator.isa.signature import OperandPair, OperandSpec, Signature, mnemonic_of, signature
from emulator.ptx_types import ScalarType

Meaning = Callable[..., Any]
Check = Callable[["Variant"], "str | None"]
Limit = range | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """The least PTX version and target that have an instruction or modifier."""

    version: tuple[int, int] = (1, 0)
    target: str = "sm_10"

    @staticmethod
    def parse(text: str) -> Requirement:
        """From `"7.8 sm_90"`; either part may be missing."""
        version, target = (1, 0), "sm_10"
        for word in text.split():
            if word.startswith("sm_"):
                target = word
            else:
                major, _, minor = word.partition(".")
                version = (int(major), int(minor))
        return Requirement(version, target)


@dataclass(frozen=True)
class Entry:
    """One syntax line with its meaning.

    compiled: makes the signature, when it is first asked for: most programs need few of the lines.
    kind: "lane" (a function of values, lane by lane), "warp" (sees all lanes), "machine" (memory, barriers,
    control).  sync: the operand with the member mask of a warp rendezvous.  resume: the second half of a
    meaning that waits.  check: a rule that the line cannot say; it returns what is wrong.  removed: from this
    version on, targets from this one on do not have it any more.  limits: the numbers that a constant operand may be.
    suspends: whether lanes may stand at it until their warp's next turn.
    """

    mnemonic: str
    compiled: Callable[[], Signature]
    meaning: Meaning
    section: str
    kind: str
    requires: Requirement
    since: dict[str, Requirement]
    sync: str | None = None
    resume: Meaning | None = None
    check: Check | None = None
    removed: Requirement | None = None
    limits: Mapping[str, Limit] = field(default_factory=dict)
    suspends: bool = False

    @cached_property
    def signature(self) -> Signature:
        """What the syntax line admits."""
        return self.compiled()

    @property
    def summary(self) -> str:
        """The first line of the meaning's docstring."""
        return (inspect.getdoc(self.meaning) or "").partition("\n")[0]

    @property
    def place(self) -> tuple[str, int]:
        """File and line of the meaning."""
        code = inspect.unwrap(self.meaning).__code__
        return code.co_filename, code.co_firstlineno

    def examples(self) -> list[Example]:
        """The examples of the docstring that this entry's syntax line matches."""
        found = []
        for line in (inspect.getdoc(self.meaning) or "").splitlines():
            matched = _EXAMPLE.match(line.strip())
            if matched:
                word, *parts = matched["opcode"].split(".")
                if word == self.mnemonic and self.signature.match(tuple(parts)) is not None:
                    found.append(Example(matched["opcode"], _split(matched["inputs"]), _split(matched["results"])))
        return found


@dataclass(frozen=True, slots=True)
class Example:
    """`opcode inputs -> results`, operands as PTX literals."""

    opcode: str
    inputs: tuple[str, ...]
    results: tuple[str, ...]


_EXAMPLE = re.compile(r"example: (?P<opcode>[\w.:]+)\s*(?P<inputs>.*?)\s*->\s*(?P<results>.*)$")


_COMMA = re.compile(r",(?![^{]*\})")  # outside the braces of a vector


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _COMMA.split(text)) if text else ()


class Variant:
    """An entry with its modifiers filled in; what a meaning receives as `i`.

    Modifiers are attributes: placeholders hold their text (`i.rnd == "rz"`) or their ScalarType (`i.type`), None
    where absent; literal modifiers hold True or None (`i.sat`); so do the selectors and signs of video operands.
    """

    __slots__ = ("entry", "modifiers", "opcode")

    def __init__(self, entry: Entry, opcode: str, modifiers: dict[str, Any]) -> None:
        self.entry = entry
        self.opcode = opcode
        self.modifiers = modifiers

    def __getattr__(self, name: str) -> Any:
        try:
            return self.modifiers[name]
        except KeyError:
            raise AttributeError(f"{self.entry.signature.line!r} has no modifier {name!r}") from None

    def get(self, name: str) -> Any:
        """A modifier that not every syntax line of the meaning has; None where absent."""
        return self.modifiers.get(name)

    def with_modifiers(self, found: dict[str, Any]) -> Variant:
        """This variant with the modifiers that stand at its operands (video selectors and signs)."""
        return Variant(self.entry, self.opcode, {**self.modifiers, **found}) if found else self

    def operand_type(self, spec: OperandSpec) -> ScalarType | None:
        """The type of one of the line's operands in this variant."""
        return spec.resolve(self.modifiers)

    def __repr__(self) -> str:
        return f"Variant({self.opcode})"


ENTRIES: dict[str, list[Entry]] = {}


def instruction(
    line: str,
    *,
    section: str,
    kind: str = "lane",
    requires: str = "",
    since: dict[str, str] | None = None,
    sync: str | None = None,
    resume: Meaning | None = None,
    check: Check | None = None,
    removed: str = "",
    limits: Mapping[str, Limit] | None = None,
    suspends: bool = False,
    loose: bool = False,
    first: str = "",
    **keywords: str,
) -> Callable[[Meaning], Meaning]:
    """Register a meaning under a syntax line of the manual.

    section: of the manual.  requires: "7.8 sm_90", the least version and target.  since: the same for single
    modifiers, {".e4m3": "8.1 sm_89"}.  removed: "6.4 sm_70", gone from these targets from that version on.
    limits: {"size": (4, 8, 16)}, what an operand may be where it is a constant.  suspends: it calls ops.suspend.
    loose: modifiers may come in any order, as ptxas takes them, except that those named in `first` stand first.
    """
    word, compiled = mnemonic_of(line), partial(signature, line, loose=loose, first=first, **keywords)
    needs = {part.lstrip("."): Requirement.parse(text) for part, text in (since or {}).items()}

    def register(meaning: Meaning) -> Meaning:
        least, gone = Requirement.parse(requires), Requirement.parse(removed) if removed else None
        details = (section, kind, least, needs, sync, resume, check, gone, limits or {}, suspends)
        ENTRIES.setdefault(word, []).append(Entry(word, compiled, meaning, *details))
        lookup.cache_clear()
        return meaning

    return register


def entries() -> Iterator[Entry]:
    """All entries, by mnemonic."""
    _load()
    for mnemonic in sorted(ENTRIES):
        yield from ENTRIES[mnemonic]


@lru_cache(maxsize=65536)
def lookup(opcode: str) -> tuple[Variant, ...]:
    """The variants whose syntax line admits an opcode such as "add.sat.s32"; empty if none does."""
    _load()
    word, *parts = opcode.split(".")
    found = []
    for entry in ENTRIES.get(word, ()):
        modifiers = entry.signature.match(tuple(parts))
        if modifiers is not None:
            found.append(Variant(entry, opcode, modifiers))
    return tuple(found)


def candidates(mnemonic: str) -> list[Entry]:
    """Entries by the first word of an opcode."""
    _load()
    return ENTRIES.get(mnemonic, [])


def _load() -> None:
    """Import the chapters, which fill the registry."""
    import emulator.isa.instructions  # noqa: F401


def flat_operands(operands: tuple[OperandSpec | OperandPair, ...]) -> Iterator[OperandSpec]:
    """Operand specs with pairs taken apart."""
    for spec in operands:
        if isinstance(spec, OperandPair):
            yield spec.first
            yield spec.second
        else:
            yield spec
