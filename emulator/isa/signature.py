"""Compiles a syntax line of the manual into a matcher.

    signature("mul.mode.type d, a, b", mode="lo hi", type="u16 s16 u32 s32")

A dotted word of the line that has a keyword is a placeholder with the keyword's values; any other is literal;
braces make a part optional.  Operands are named as in the manual: `d`, `p`, `q`, `f` and `dst` at the head are
results, all others are sources.  An operand has the type of the placeholder `type` unless a keyword says otherwise:

    d="wide type"       twice the width of type
    d="relaxed type"    a register may be wider than the instruction's type (manual, 9.4.1)
    d="packed type"     a register, or a {vector} of smaller ones that is packed into one value (mov)
    d="vec type"        as many elements as the `.vec` modifier says
    d="type sink"       `_` may stand for the result or for elements of it
    d="type discard"    `_` must stand for the result
    d="vec type gaps"   `_` may stand for elements of the result, not for all of it
    c="immediate u32"   a constant
    n="static u32"      a constant, which a meaning finds as a modifier and not as an argument
    a="special type"    special registers and symbol addresses may stand here (mov, cvt)
    a="register u32"    no constant
    a="shared generic u64"  a symbol is a shared variable, and stands for its generic address
    e="hinted b64"      stands there exactly if the modifier `.L2::cache_hint` does
    a="global narrow unified"   of an address `[a]`: its state space, where no modifier `.ss` names it; whether a
                        register of 32 bits may hold it, and whether `.unified` may stand behind it
    a="shared generic wide"  of an address: variables are shared ones, also where it is generic; no 16-bit register
    t="label", "function", "labels", "any"     what no register holds

A video operand `a{.asel}` has a selector, whose keyword lists what it admits as regular expressions
(asel="b[0-3] h[01]"); `{-}a` may be negated.  A meaning finds them as modifiers, `asel` and `a_negated`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emulator.ptx_types import TYPES, ScalarType, bits_type

RESULTS = ("d", "p", "q", "f", "dst")
FLAGS = (
    "wide", "relaxed", "packed", "vec", "sink", "discard", "gaps", "immediate", "static", "register", "special",
    "hinted", "shared", "generic",
)  # fmt: skip
KINDS = ("label", "labels", "function", "prototype", "any", "group", "texture")


@dataclass(frozen=True, slots=True)
class Slot:
    """One dotted part of the mnemonic: a literal (one value) or a placeholder."""

    name: str
    values: Mapping[str, Any]
    optional: bool
    literal: bool

    @property
    def is_type(self) -> bool:
        """Whether a type stands here."""
        return self.name.endswith("type") or self.name in TYPES

    def describe(self) -> str:
        """As the manual writes it."""
        text = "." + (next(iter(self.values)) if self.literal else self.name)
        return "{" + text + "}" if self.optional else text


@dataclass(frozen=True, slots=True)
class Selector:
    """Which part of a register a video operand is: `.b0`, `.h1`, `.b3210`."""

    name: str
    pattern: str

    def admits(self, text: str) -> bool:
        """Whether a component such as "b0" is one of the selector's."""
        return re.fullmatch(self.pattern, text) is not None


@dataclass(frozen=True, slots=True)
class OperandSpec:
    """One operand of a syntax line."""

    name: str
    kind: str = "value"  # "value", "address", or one of KINDS
    type_name: str = "type"  # a scalar type or a placeholder; "" for other kinds
    flags: frozenset[str] = frozenset()
    optional: bool = False
    negatable: bool = False
    count: int = 1  # elements of a fixed vector
    behind_source: bool = False
    selector: Selector | None = None
    minus: str = ""  # the modifier that says that `-` stands in front

    @property
    def is_result(self) -> bool:
        """Whether the instruction writes it: it is named d, p, q ... and stands in front of all sources."""
        return self.name.rstrip("0123456789") in RESULTS and self.kind == "value" and not self.behind_source

    def resolve(self, modifiers: Mapping[str, Any]) -> ScalarType | None:
        """The scalar type of this operand in a variant; None for kinds without one."""
        if not self.type_name:
            return None
        found = modifiers.get(self.type_name)
        kind = found if isinstance(found, ScalarType) else TYPES[found if isinstance(found, str) else self.type_name]
        if "wide" not in self.flags:
            return kind
        return TYPES[f"{kind.name[0]}{kind.width * 2}"] if kind.kind in "usbf" else bits_type(kind.width * 2)


@dataclass(frozen=True, slots=True)
class OperandPair:
    """`d|p`: two results in one place; the second may be optional."""

    first: OperandSpec
    second: OperandSpec
    second_optional: bool


@dataclass(frozen=True)
class Signature:
    """A compiled syntax line."""

    line: str
    mnemonic: str
    slots: tuple[Slot, ...]
    operands: tuple[OperandSpec | OperandPair, ...]
    loose: bool = False
    attributes: tuple[str, ...] = field(default=())
    first: str = ""

    def match(self, parts: tuple[str, ...]) -> dict[str, Any] | None:
        """Modifier values by slot name for the dotted parts after the first word, or None."""
        found = self._match_loose(parts) if self.loose else self._match_ordered(parts, 0, 0, {})
        if found is None:
            return None
        return {name: found.get(name) for name in self.attributes}

    def _match_ordered(
        self, parts: tuple[str, ...], at: int, slot: int, found: dict[str, Any]
    ) -> dict[str, Any] | None:
        if slot == len(self.slots):
            return found if at == len(parts) else None
        this = self.slots[slot]
        if at < len(parts) and parts[at] in this.values:
            rest = self._match_ordered(parts, at + 1, slot + 1, {**found, this.name: this.values[parts[at]]})
            if rest is not None:
                return rest
        return self._match_ordered(parts, at, slot + 1, found) if this.optional else None

    def _match_loose(self, parts: tuple[str, ...]) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        free = list(self.slots)
        passed: set[str] = set()
        opening = zip(self.first.split(), (*parts, ""), strict=False)
        if any(part not in self.slot(name).values for name, part in opening):
            return None
        for part in parts:
            slot = next((s for s in free if part in s.values), None)
            if slot is None or (slot.is_type and slot.name in passed):
                return None
            free.remove(slot)
            if slot.is_type:  # types keep their order: set.f32.u32 has dtype f32
                passed.update(s.name for s in self.slots[: self.slots.index(slot)])
            found[slot.name] = slot.values[part]
        return None if any(not slot.optional for slot in free) else found

    def slot(self, name: str) -> Slot:
        """The dotted part of a name."""
        return next(slot for slot in self.slots if slot.name == name)

    def unknown_part(self, parts: tuple[str, ...]) -> str | None:
        """The first dotted part that no slot admits, for messages."""
        return next((part for part in parts if not any(part in slot.values for slot in self.slots)), None)

    @functools.cached_property
    def operand_counts(self) -> tuple[int, int]:
        """The least and the greatest number of operands."""
        optional = sum(isinstance(spec, OperandSpec) and spec.optional for spec in self.operands)
        return len(self.operands) - optional, len(self.operands)


def signature(line: str, *, loose: bool = False, first: str = "", **keywords: str) -> Signature:
    """Compile a syntax line; a keyword belongs to the placeholder or operand of its name (ValueError if to none).

    loose: the modifiers may come in any order.  first: but these placeholders, part of the opcode, stand first.
    """
    head, _, tail = line.strip().partition(" ")
    names: list[str] = []
    word, slots = _compile_head(head, keywords, names)
    operands = _results_first(_compile_operands(tail.strip(), keywords, names, {slot.name for slot in slots}))
    unknown = set(keywords) - set(names)
    if unknown:
        raise ValueError(f"{line!r} has no part named {sorted(unknown)}")
    attributes = tuple(dict.fromkeys([slot.name for slot in slots] + list(_operand_attributes(operands))))
    signature = Signature(line, word, slots, operands, loose, attributes, first)
    if first and not (loose and {*first.split()} <= {slot.name for slot in slots}):
        raise ValueError(f"{line!r} is not loose or has no {first!r} to stand first")
    return signature


_WORD = re.compile(r"\w+")


def mnemonic_of(line: str) -> str:
    """The first word of the opcode of a syntax line."""
    matched = _WORD.match(line.strip())
    if matched is None:
        raise ValueError(f"no mnemonic in {line!r}")
    return matched.group()


_HEAD_PART = re.compile(r"(\{)?\.([\w:]+)(\})?")


def _compile_head(head: str, keywords: Mapping[str, str], names: list[str]) -> tuple[str, tuple[Slot, ...]]:
    word, slots = mnemonic_of(head), []
    at = len(word)
    for part in _HEAD_PART.finditer(head, at):
        if part.start() != at:
            raise ValueError(f"cannot read {head!r} at {head[at:]!r}")
        at = part.end()
        text, optional = part.group(2), part.group(1) is not None
        if text in keywords:
            values = {value: TYPES.get(value, value) for value in keywords[text].split()}
            values = {text_: _modifier_value(text, value) for text_, value in values.items()}
            slots.append(Slot(text, values, optional, literal=False))
            names.append(text)
        else:
            slots.append(Slot(attribute_name(text), {text: True}, optional, literal=True))
    if at != len(head):
        raise ValueError(f"cannot read {head!r} at {head[at:]!r}")
    return word, tuple(slots)


def _modifier_value(slot: str, value: Any) -> Any:
    """Type placeholders (`type`, `dtype`, ...) hold ScalarTypes; all others hold their text."""
    if isinstance(value, ScalarType) and not slot.endswith("type"):
        return value.name
    return value


def attribute_name(modifier: str) -> str:
    """`L2::cache_hint` -> `L2_cache_hint`: the name under which a meaning finds a literal modifier."""
    return modifier.replace("::", "_")


def _results_first(operands: Iterable[OperandSpec | OperandPair]) -> tuple[OperandSpec | OperandPair, ...]:
    """Mark the operands behind the first source: they are sources too, whatever their name (lop3's q)."""
    found: list[OperandSpec | OperandPair] = []
    behind = False
    for spec in operands:
        if isinstance(spec, OperandSpec):
            if behind:
                spec = replace(spec, behind_source=True)
            behind = behind or not spec.is_result
        found.append(spec)
    return tuple(found)


def _operand_attributes(operands: Iterable[OperandSpec | OperandPair]) -> Iterator[str]:
    """The modifiers that stand at operands."""
    for spec in operands:
        if isinstance(spec, OperandSpec) and "static" in spec.flags:
            yield spec.name
        if isinstance(spec, OperandSpec) and spec.selector is not None:
            yield spec.selector.name
        if isinstance(spec, OperandSpec) and spec.minus:
            yield spec.minus


_OPERAND = re.compile(
    r"(?P<open>\{\s*,\s*)?(?P<sign>\{[!-]\})?"
    r"(?P<body>\[[\w, {}|:-]+\]|\{\w+(?:\s*,\s*\w+)*\}|[\w-]+)"
    r"(?P<selector>\{\.\w+\})?(?P<pair>\{?\|[\w-]+\}?)?"
)


def _compile_operands(
    text: str, keywords: Mapping[str, str], names: list[str], placeholders: set[str]
) -> Iterator[OperandSpec | OperandPair]:
    at = 0
    while at < len(text):
        matched = _OPERAND.match(text, at)
        if matched is None:
            raise ValueError(f"cannot read the operands {text!r} at {text[at:]!r}")
        spec = _compile_operand(matched["body"], matched["sign"] == "{!}", keywords, names, placeholders)
        if matched["sign"] == "{-}":
            spec = replace(spec, minus=f"{spec.name}_negated")
        if matched["selector"]:
            spec = replace(spec, selector=_compile_selector(matched["selector"], keywords, names))
        at = matched.end()
        optional = matched["open"] is not None
        if optional:
            at = text.index("}", at) + 1
            spec = replace(spec, optional=True)
        if matched["pair"]:
            second = _compile_operand(matched["pair"].strip("{|}"), False, keywords, names, placeholders)
            yield OperandPair(spec, second, matched["pair"].startswith("{"))
        else:
            yield spec
        separator = re.compile(r"\s*,?\s*(?=\{\s*,|$)|\s*,\s*").match(text, at)
        if separator is None:
            raise ValueError(f"cannot read the operands {text!r} at {text[at:]!r}")
        at = separator.end()


def _compile_selector(text: str, keywords: Mapping[str, str], names: list[str]) -> Selector:
    name = text.strip("{.}")
    if name not in keywords:
        raise ValueError(f"a keyword says what the selector {text} admits")
    names.append(name)
    return Selector(name, "|".join(keywords[name].split()))


def _compile_operand(
    body: str, negatable: bool, keywords: Mapping[str, str], names: list[str], placeholders: set[str]
) -> OperandSpec:
    if body.startswith("["):
        name = body[1:-1].strip()
        names.append(name)
        flags = frozenset(keywords.get(name, "").split())
        return OperandSpec(name, "address", "", flags)
    name, count = body, 1
    words = keywords.get(name, "type" if "type" in placeholders else "any").split()
    names.append(name)
    flags = frozenset(word for word in words if word in FLAGS)
    rest = [word for word in words if word not in FLAGS]
    for word in list(rest):
        if word.isdigit():
            count = int(word)
            rest.remove(word)
    if len(rest) != 1:
        raise ValueError(f"operand {name!r}: {words} names {len(rest)} types")
    if rest[0] in KINDS:
        return OperandSpec(name, rest[0], "", flags, negatable=negatable)
    if rest[0] not in placeholders and rest[0] not in TYPES:
        raise ValueError(f"operand {name!r}: {rest[0]!r} is no type")
    return OperandSpec(name, "value", rest[0], flags, negatable=negatable, count=count)
