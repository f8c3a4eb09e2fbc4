"""The registry: lookup, requirements, examples, and what holds for every entry in it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.isa import registry
from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Entry, Requirement, Variant, candidates, entries, flat_operands, instruction, lookup
from emulator.ptx_types import TYPES


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry to write into."""
    registry.candidates("add")
    monkeypatch.setattr(registry, "ENTRIES", {word: list(found) for word, found in registry.ENTRIES.items()})
    lookup.cache_clear()
    yield
    lookup.cache_clear()


def test_lookup_fills_in_modifiers() -> None:
    (variant,) = lookup("mad.hi.sat.s32")
    assert (variant.mode, variant.sat, variant.type) == ("hi", True, TYPES["s32"])
    assert variant.get("nothing") is None
    assert variant.opcode == "mad.hi.sat.s32"
    with pytest.raises(AttributeError, match="has no modifier 'nothing'"):
        _ = variant.nothing


def test_lookup_of_what_is_not_there() -> None:
    assert lookup("add.u33") == ()
    assert lookup("no_such_word.u32") == ()
    assert candidates("no_such_word") == []
    assert {entry.mnemonic for entry in candidates("add")} == {"add"}


@pytest.mark.parametrize(
    ("text", "version", "target"),
    [("", (1, 0), "sm_10"), ("7.8", (7, 8), "sm_10"), ("sm_90", (1, 0), "sm_90"), ("8.0 sm_90a", (8, 0), "sm_90a")],
)
def test_requirements(text: str, version: tuple[int, int], target: str) -> None:
    assert Requirement.parse(text) == Requirement(version, target)


@pytest.mark.usefixtures("scratch")
def test_registering() -> None:
    @instruction(
        "frob{.fast}.type d, a", type="u32", section="1.2", requires="7.0 sm_80", since={".fast": "8.0 sm_90"},
        removed="9.0 sm_100",
    )  # fmt: skip
    def frob(ops: Ops, i: Variant, a: Value) -> Value:
        """d = a.

        example: frob.u32 1 -> 1
        example: frob.fast.u32 {1, 2}, 3 -> {4, 5}, 6
        example: other.u32 1 -> 1
        """
        return a

    (entry,) = candidates("frob")
    assert entry.summary == "d = a."
    assert (entry.requires, entry.since["fast"]) == (Requirement((7, 0), "sm_80"), Requirement((8, 0), "sm_90"))
    assert entry.removed == Requirement((9, 0), "sm_100")
    assert [(e.opcode, e.inputs, e.results) for e in entry.examples()] == [
        ("frob.u32", ("1",), ("1",)),
        ("frob.fast.u32", ("{1, 2}", "3"), ("{4, 5}", "6")),
    ]
    file, line = entry.place
    assert Path(file) == Path(__file__)
    assert "frob{.fast}" in Path(file).read_text().splitlines()[line]
    assert lookup("frob.u32")[0].operand_type(next(flat_operands(entry.signature.operands))) == TYPES["u32"]


ENTRIES = list(entries())


def opcodes(entry: Entry, most: int = 20_000) -> Iterator[str]:
    """The opcodes that a line admits."""
    choices = [["", *slot.values] if slot.optional else list(slot.values) for slot in entry.signature.slots]
    for parts in itertools.islice(itertools.product(*choices), most):
        yield ".".join([entry.mnemonic, *filter(None, parts)])


def test_no_two_lines_mean_the_same() -> None:
    """An opcode with operands of given kinds and types has one meaning."""
    twice = set()
    for opcode in {opcode for entry in ENTRIES for opcode in opcodes(entry, 4_000)}:
        shapes = Counter(shape(v) for v in lookup(opcode) if v.entry.check is None or v.entry.check(v) is None)
        if shapes and max(shapes.values()) > 1:
            twice.add(opcode)
    assert twice == set()


def shape(variant: Variant) -> tuple[object, ...]:
    signature = variant.entry.signature
    kinds = [(spec.kind, variant.operand_type(spec)) for spec in flat_operands(signature.operands)]
    return signature.operand_counts, tuple(kinds)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.signature.line)
def test_entry_is_complete(entry: Entry) -> None:
    assert entry.kind in ("lane", "warp", "machine")
    assert entry.section.startswith("9.7."), "a section of the manual"
    assert len(entry.summary) > 5, "the docstring's first line says what it does"
    names = [spec.name for spec in flat_operands(entry.signature.operands)]
    assert entry.sync is None or (entry.sync in names and entry.kind == "warp")
    parts = {part for slot in entry.signature.slots for part in slot.values}
    assert set(entry.since) & parts or not entry.since, "since= names a modifier of the line"
