"""Pages about instructions from the registry: syntax lines, modifiers, meaning, examples, place of the code."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import emulator
from emulator.isa.manual_index import CHAPTERS, chapter_of, pages
from emulator.isa.registry import Entry, Meaning, Requirement, entries, flat_operands

WIDTH = 80


class Group(NamedTuple):
    """The syntax lines that share one meaning."""

    meaning: Meaning
    entries: list[Entry]


class Coverage(NamedTuple):
    """A chapter of the manual: its pages that are executed, and those that are not yet."""

    section: str
    title: str
    executed: list[str]
    missing: list[str]

    @property
    def total(self) -> int:
        """All pages of the chapter."""
        return len(self.executed) + len(self.missing)

    @property
    def progress(self) -> str:
        """How many are executed."""
        return f"{len(self.executed)} of {self.total}"


def groups(found: Iterable[Entry]) -> list[Group]:
    """Entries by their meaning, in order."""
    by_meaning: dict[Meaning, list[Entry]] = {}
    for entry in found:
        by_meaning.setdefault(entry.meaning, []).append(entry)
    return [Group(meaning, list(reversed(lines))) for meaning, lines in by_meaning.items()]


def coverage() -> list[Coverage]:
    """Every chapter of the manual's 9.7."""
    known = list(entries())
    rows = {section: Coverage(section, title, [], []) for section, title in CHAPTERS.items()}
    for section, head in pages():
        row = rows[chapter_of(section)]
        (row.executed if is_executed(section, head, known) else row.missing).append(head)
    return list(rows.values())


def is_executed(section: str, head: str, known: Iterable[Entry]) -> bool:
    """Whether a syntax line covers a page of the manual."""
    word, *parts = head.split(".")
    return any(
        entry.mnemonic == word and _within(entry.section, section) and set(parts) <= words_of(entry) for entry in known
    )


def _within(section: str, other: str) -> bool:
    """Whether two sections are the same or one lies in the other."""
    return f"{section}.".startswith(f"{other}.") or f"{other}.".startswith(f"{section}.")


def words_of(entry: Entry) -> set[str]:
    """Every dotted word that a syntax line admits."""
    return {word for slot in entry.signature.slots for word in slot.values}


def page(group: Group) -> Iterator[str]:
    """Everything about one meaning, in 80 columns."""
    for entry in group.entries:
        yield entry.signature.line
        yield from _slots(entry)
        for number, text in enumerate(requirement_texts(entry)):
            head = "    needs " if number == 0 else " " * 10
            yield from textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * 12)
    meaning, examples = meaning_of(group.meaning)
    yield ""
    for paragraph in meaning:
        yield from textwrap.wrap(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ") or [""]
    if examples:
        yield ""
        yield from (f"  {example}" for example in examples)
    yield ""
    sections = dict.fromkeys(entry.section for entry in group.entries)
    chapters = dict.fromkeys(CHAPTERS.get(chapter_of(section), "") for section in sections)
    yield f"  manual   {', '.join(sections)}, {' and '.join(chapters)} Instructions"
    yield f"  meaning  {place_of(group.meaning)}, for each {'lane' if group.entries[0].kind == 'lane' else 'warp'}"


def _slots(entry: Entry) -> Iterator[str]:
    """The values of every placeholder that the line names."""
    named = {slot.name: list(slot.values) for slot in entry.signature.slots if not slot.literal}
    for name, values in named.items():
        head = f"    .{name} = "
        text = " ".join(f".{value}" for value in values)
        yield from textwrap.wrap(
            text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
        )


def requirement_texts(entry: Entry) -> list[str]:
    """The least version and target, and those of single modifiers; empty where every module has it."""
    texts = [_needs(entry.requires)] if _needs(entry.requires) else []
    words: dict[str, list[str]] = {}
    for word, requirement in entry.since.items():
        words.setdefault(_needs(requirement), []).append(f".{word}")
    texts += [f"{needs} for {' '.join(with_it)}" for needs, with_it in words.items()]
    if entry.removed is not None:
        texts.append(f"less than {_needs(entry.removed)}")
    return texts


def _needs(requirement: Requirement) -> str:
    version = "" if requirement.version == (1, 0) else "PTX {}.{}".format(*requirement.version)
    target = "" if requirement.target == "sm_10" else requirement.target
    return ", ".join(part for part in (version, target) if part)


def meaning_of(meaning: Meaning) -> tuple[list[str], list[str]]:
    """(paragraphs, examples) of a meaning's docstring."""
    lines = (inspect.getdoc(meaning) or "").splitlines()
    examples = [line.strip().removeprefix("example: ") for line in lines if line.strip().startswith("example:")]
    rest = "\n".join(line for line in lines if not line.strip().startswith("example:"))
    return [" ".join(part.split()) for part in rest.split("\n\n") if part.strip()], examples


def place_of(meaning: Meaning) -> str:
    """File and line of a meaning, from the root of the package."""
    code = inspect.unwrap(meaning).__code__
    file = Path(code.co_filename)
    root = Path(emulator.__file__).parent.parent
    return f"{file.relative_to(root) if file.is_relative_to(root) else file}:{code.co_firstlineno}"


def to_json(entry: Entry) -> dict[str, Any]:
    """One syntax line as JSON."""
    meaning, examples = meaning_of(entry.meaning)
    return {
        "line": entry.signature.line,
        "mnemonic": entry.mnemonic,
        "section": entry.section,
        "chapter": CHAPTERS.get(chapter_of(entry.section), ""),
        "kind": entry.kind,
        "version": "{}.{}".format(*entry.requires.version),
        "target": entry.requires.target,
        "since": {word: _needs(needs) for word, needs in entry.since.items()},
        "modifiers": {slot.name: list(slot.values) for slot in entry.signature.slots},
        "meaning": "\n\n".join(meaning),
        "examples": examples,
        "place": place_of(entry.meaning),
    }


def operand_lines(entry: Entry, modifiers: dict[str, Any]) -> Iterator[str]:
    """The operands of a line with their types in one variant."""
    for spec in flat_operands(entry.signature.operands):
        role = "result" if spec.is_result else "source"
        kind = spec.resolve(modifiers) if spec.kind == "value" else None
        what = {"address": "address", "value": f"{kind}"}.get(spec.kind, spec.kind)
        notes = [text for flag, text in _FLAGS.items() if flag in spec.flags]
        notes += ["optional"] * spec.optional + ["may be negated with !"] * spec.negatable
        name = f"[{spec.name}]" if spec.kind == "address" else spec.name
        yield f"  {name:8} {role}, {', '.join([what, *notes])}"


_FLAGS = {
    "relaxed": "the register may be wider",
    "packed": "or a {vector} that is packed into it",
    "vec": "one register for each element",
    "sink": "_ throws it away",
    "immediate": "a constant",
    "special": "special registers and addresses of variables too",
}
