"""Random instructions: forms drawn from the registry; registers, constants and special registers as operands.

A `Writer` holds the text of one function while it grows.  `Forms` is a pool of variants: programs of one pool share
them, so that a native handler is compiled once for many programs.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from emulator.errors import PtxError
from emulator.isa.registry import Entry, Variant, entries
from emulator.isa.signature import OperandPair, OperandSpec
from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.machine.multicast import MULTICAST_WINDOW
from emulator.parse import parse
from emulator.program import link
from emulator.ptx_types import TYPES, ScalarType, bits_type
from tests.engines.native.random_operands import (
    MARGIN,
    MULTICAST,
    OBJECTS,
    REGIONS,
    REGISTERS,
    SELECTORS,
    SPECIALS,
    VECTORS,
    declarations,
    registers,
    suited,
)
from tests.isa.examples import is_computed
from tests.isa.operands import edges
from tests.isa.test_every_variant import elements

VERSION = "9.1"
# Control, barriers and stacks are written by random_programs; traps would end every program.
WRITTEN = {
    "bra", "brx", "call", "ret", "exit", "bar", "barrier", "trap", "brkpt", "alloca", "stackrestore", "nanosleep",
}  # fmt: skip
WEIGHTS = {
    "ld": 6.0,
    "st": 9.0,
    "fence": 0.2,
    "membar": 0.2,
    "pmevent": 0.2,
    "prefetch": 0.3,
    "multimem": 0.15,
    "mbarrier": 0.3,
}
VIDEO = "9.7.18"


# --- pools of forms ------------------------------------------------------------------------------


@cache
def drawable() -> tuple[list[Entry], list[Entry]]:
    """(entries that compute, entries that touch memory or look at it)."""
    computing = [entry for entry in entries() if is_computed(entry)]
    known = {id(entry) for entry in computing}
    machine = [entry for entry in entries() if id(entry) not in known and not _is_written(entry)]
    return computing, machine


def _is_written(entry: Entry) -> bool:
    return entry.mnemonic in WRITTEN


def draw(entry: Entry, choice: random.Random) -> Variant | None:
    """A random variant of a line, if the modifiers drawn are allowed."""
    parts = [entry.mnemonic]
    for slot in entry.signature.slots:
        rare = slot.name in ("L2_cache_hint", "prefetch", "evict", "cop")
        if not slot.optional or choice.random() < (0.1 if rare else 0.5):
            parts.append(choice.choice(list(slot.values)))
    opcode = ".".join(parts)
    modifiers = entry.signature.match(tuple(opcode.split(".")[1:]))
    space = str(modifiers.get("ss")) if modifiers is not None else ""
    if modifiers is None or space == "param::func" or (entry.mnemonic == "st" and space == "param"):
        return None
    return Variant(entry, opcode, modifiers)


class Forms:
    """Variants that are legal for a target: `computing` and `machine` ones; of these only some lines, if given."""

    def __init__(
        self, seed: int, target: str, computing: int, machine: int, lines: Sequence[Entry] | None = None
    ) -> None:
        self.target = target
        choice = random.Random(f"forms {seed} {target}")
        first, second = drawable()
        self.computing = self._draw(first, computing, choice)
        self.machine = self._draw(second if lines is None else lines, machine, choice)

    def _draw(self, lines: Sequence[Entry], count: int, choice: random.Random) -> list[Variant]:
        found: list[Variant] = []
        weights = [WEIGHTS.get(entry.mnemonic, 1.0) for entry in lines]
        while len(found) < count:
            (entry,) = choice.choices(lines, weights)
            variant = draw(entry, choice)
            if variant is not None and self._is_legal(variant):
                found.append(variant)
        return found

    def _is_legal(self, variant: Variant) -> bool:
        writer = Writer(random.Random(1), Pools(self, constants=0.0))
        try:
            writer.emit(writer.instruction(variant))
            link(parse(module([kernel("k", writer.lines)], self.target)), "k")
        except PtxError:
            return False
        return True


@dataclass(frozen=True)
class Pools:
    """What a writer draws from.  constants: the share of sources that are constants where they may be."""

    forms: Forms
    constants: float = 0.2
    guards: float = 0.15


# --- the text ------------------------------------------------------------------------------------


def module(functions: Iterable[str], target: str, before: str = "") -> str:
    """A module with the regions that addresses point into."""
    sizes = {space: size + 2 * MARGIN for space, (_, size) in REGIONS.items()}
    values = ", ".join(str(n * 0x9E37_79B9_7F4A_7C15 & 0xFFFF_FFFF_FFFF_FFFF) for n in range(sizes["const"] // 8))
    return (
        f".version {VERSION}\n.target {target}\n.address_size 64\n"
        f".global .align 128 .b8 gl[{sizes['global']}];\n.shared .align 128 .b8 sh[{sizes['shared']}];\n"
        f".shared .align 8 .b8 {OBJECTS[0]}[{OBJECTS[1]}];\n"
        f".const .align 16 .b64 co[{sizes['const'] // 8}] = {{{values}}};\n{before}" + "\n".join(functions)
    )


def kernel(name: str, lines: Iterable[str], more: str = "") -> str:
    """An entry with its registers, stack variable and parameters."""
    sizes = {space: size + 2 * MARGIN for space, (_, size) in REGIONS.items()}
    parameters = f".param .u64 in, .param .u64 out, .param .align 16 .b8 par[{sizes['param']}]{more}"
    body = "\n".join(lines)
    return (
        f".visible .entry {name}({parameters}) {{\n{declarations()}\n"
        f".local .align 16 .b8 lo[{sizes['local']}];\n{body}\nret;\n}}\n"
    )


@dataclass
class Writer:
    """The text of one function.

    mask: the lanes that are sure to execute the next instruction together, as an operand; None if nobody knows.
    """

    choice: random.Random
    pools: Pools
    lines: list[str] = field(default_factory=list)
    mask: str | None = "-1"
    in_kernel: bool = True
    cluster: int = 1
    names: int = 0

    def emit(self, *lines: str) -> None:
        """Append lines."""
        self.lines += lines

    def name(self, stem: str) -> str:
        """A name that is used nowhere else in the function."""
        self.names += 1
        return f"{stem}{self.names}"

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return self.choice.random() < share

    # --- operands --------------------------------------------------------------------------------

    def register(self, kind: ScalarType | str, *, relaxed: bool = False) -> str:
        """A register for an operand of a type."""
        want = TYPES[kind] if isinstance(kind, str) else kind
        return self.choice.choice(suited(want, relaxed and self.chance(0.3)))

    def constant(self, kind: ScalarType) -> str:
        """A literal of a type."""
        bits = self.choice.choice(edges(kind)) if self.chance(0.6) else self.choice.getrandbits(kind.width)
        if kind.is_float:
            return f"0f{bits:08x}" if kind.width == 32 else f"0d{bits:016x}"
        return hex(bits & (1 << kind.width) - 1)

    def special(self, kind: ScalarType) -> str:
        """A special register of a width, or the address of a variable."""
        rows = [SPECIAL_REGISTERS[name] for name in SPECIALS if SPECIAL_REGISTERS[name].type.width == kind.width]
        if kind.kind == "p":
            return "%is_explicit_cluster"
        if self.chance(0.2) or not rows:
            return self.choice.choice(["gl", "sh", "sh+4", "co", "lo", "lo+8"])
        row = self.choice.choice(rows)
        return f"%{row.name}.{self.choice.choice('xyzw')}" if row.vector else f"%{row.name}"

    def operand(self, variant: Variant, spec: OperandSpec) -> str:
        """One operand that is no address."""
        kind = variant.operand_type(spec)
        assert kind is not None, f"{variant.opcode}: {spec.name}"
        if spec.name == variant.entry.sync:
            return self.members()
        if "discard" in spec.flags:
            return "_"
        if variant.entry.mnemonic == "mbarrier" and spec.name in ("count", "txCount", "phaseParity"):
            return str(self.choice.choice([0, 1, 1] if spec.name == "phaseParity" else [1, 1, 1, 2, 16, 32, 64]))
        if spec.flags & {"immediate", "static"}:
            return self._limited(variant, spec)
        count = elements(variant, spec)
        if count:
            return self._vector(variant, spec, kind, count)
        if spec.is_result and "sink" in spec.flags and self.chance(0.05):
            return "_"
        if "packed" in spec.flags and kind.width >= 32 and self.chance(0.5):
            return self._packed(kind, sinks=spec.is_result and "sink" in spec.flags)
        return self._single(variant, spec, kind)

    def _single(self, variant: Variant, spec: OperandSpec, kind: ScalarType) -> str:
        may_be_constant = not spec.is_result and not spec.flags & {"register", "relaxed"} and not spec.selector
        may_be_special = variant.entry.mnemonic == "mov" and kind.kind in "usbp" and kind.width in (1, 32, 64)
        if may_be_constant and may_be_special and self.chance(0.4):
            return self.special(kind)
        is_number = (kind.kind in "usb" and kind.width <= 64) or (kind.is_float and kind.width > 16)
        limit = variant.entry.limits.get(spec.name)
        if may_be_constant and is_number and not spec.minus and self.chance(self.pools.constants):
            return str(self.choice.choice(limit[:1000])) if limit else self.constant(kind)
        text = self.register(kind, relaxed="relaxed" in spec.flags)
        if "." in text and variant.entry.section.startswith(VIDEO):  # it would be read as a selector
            text = "%b32_0"
        if spec.selector and self.chance(0.5):
            text += "." + self.choice.choice([name for name in SELECTORS if spec.selector.admits(name)])
        if (spec.negatable or (spec.minus and spec.name == "a" and not variant.get("po"))) and self.chance(0.3):
            text = ("!" if spec.negatable else "-") + text
        return text

    def _limited(self, variant: Variant, spec: OperandSpec) -> str:
        limit = variant.entry.limits.get(spec.name, range(256))
        return str(self.choice.choice(limit))

    def _vector(self, variant: Variant, spec: OperandSpec, kind: ScalarType, count: int) -> str:
        if count == 4 and kind.width == 32 and self.chance(0.3):
            return VECTORS["f32" if kind.is_float else "b32"]
        gaps = 0.1 if spec.is_result and spec.flags & {"gaps", "sink"} else 0.0
        return self._list(kind, count, relaxed="relaxed" in spec.flags, gaps=gaps)

    def _packed(self, kind: ScalarType, *, sinks: bool) -> str:
        count = self.choice.choice([2, 4])
        return self._list(bits_type(kind.width // count), count, relaxed=False, gaps=0.1 if sinks else 0.0)

    def _list(self, kind: ScalarType, count: int, *, relaxed: bool, gaps: float) -> str:
        """`{...}` of registers of one declared type, or `_` in the place of some."""
        first = self.register(kind, relaxed=relaxed)
        declared = next(name for name in REGISTERS if first in registers(name))
        rest = ["_" if self.chance(gaps) else self.choice.choice(registers(declared)) for _ in range(count - 1)]
        found = [first, *rest]
        self.choice.shuffle(found)
        return "{" + ", ".join(found) + "}"

    def members(self) -> str:
        """A member mask that the executing lanes are in."""
        if self.mask is not None and self.chance(0.9):
            return self.mask
        self.emit("activemask.b32 %m;")
        return "%m"

    # --- instructions ----------------------------------------------------------------------------

    def instruction(self, variant: Variant) -> str:
        """An instruction of a form; what it needs for its addresses is emitted."""
        texts = []
        for spec in variant.entry.signature.operands:
            if isinstance(spec, OperandPair):
                texts.append(self._pair(variant, spec))
            elif self._is_there(variant, spec):
                place = 4 if any(text[0] == "[" for text in texts) else 1
                texts.append(self._operand_or_address(variant, spec, place=place))
        is_sync = variant.entry.sync is not None or variant.entry.kind == "warp"
        guarded = self.chance(0.02 if is_sync else self.pools.guards)
        guard = f"@{self.choice.choice(['', '!'])}{self.register('pred')} " if guarded else ""
        return f"{guard}{variant.opcode} {', '.join(texts)};"

    def _is_there(self, variant: Variant, spec: OperandSpec) -> bool:
        if "hinted" in spec.flags:
            return bool(variant.get("L2_cache_hint"))
        return not spec.optional or self.chance(0.5)

    def _pair(self, variant: Variant, spec: OperandPair) -> str:
        first = self.operand(variant, spec.first)
        kind = variant.operand_type(spec.first)
        assert kind is not None
        if spec.second_optional and self.chance(0.4):
            return first if first != "_" else self.register(kind)
        first = "%b32_1" if "." in first else first
        second = self.operand(variant, spec.second)
        return f"{first}|{second}" if (first, second) != ("_", "_") else f"{self.register(kind)}|_"

    def _operand_or_address(self, variant: Variant, spec: OperandSpec, place: int) -> str:
        if spec.kind != "address":
            return self.operand(variant, spec)
        space, size = _space(variant, spec), _access_bytes(variant)
        word = variant.entry.mnemonic
        if spec.name in ("mbar", "addr"):
            return self.object(space if variant.get("ss") else "generic", place)
        if word == "multimem":
            return self.multimem(size, place)
        return self.address(space, size, private=word not in ("atom", "red"), read=word == "ld", place=place)

    # --- addresses -------------------------------------------------------------------------------

    def address(self, space: str, size: int, *, private: bool = True, read: bool = False, place: int = 1) -> str:
        """`[...]` of an access, in bounds and aligned; generic ones may be of local memory, or of parameters.

        place: the number of the registers %x and %y that may hold it.
        """
        own = space
        if space == "generic":
            others = [*["local"] * private, *["param"] * (read and self.in_kernel)]
            own = self.choice.choice(["global", "global", "shared", "shared", *others])
        if own == "param" and not self.in_kernel and space == "param":
            return f"[c+{self.choice.randrange(0, 16, size)}]"
        symbol, room = REGIONS[own]
        if self.chance(0.2) and not (own == "param" and space == "generic"):
            return f"[{symbol}+{self.choice.randrange(0, room, size)}]"
        narrow = own not in ("global", "param") and space != "generic" and self.chance(0.5)
        base = self._base(own, symbol, narrow=narrow, generic=space == "generic")
        index = self._index(room, size)
        if narrow:
            address = f"%x{place}"
            self.emit(f"add.u32 {address}, {base}, {index};")
        else:
            address = f"%y{place}"
            self.emit(f"cvt.u64.u32 {address}, {index};", f"add.u64 {address}, {base}, {address};")
        if own == "shared" and self.cluster > 1 and self.chance(0.3):
            self.map_to_another_cta(address, generic=space == "generic")
            return f"[{address}+{MARGIN}]"
        reach = min(2, MARGIN // size)
        return f"[{address}+{MARGIN + size * self.choice.randrange(-reach, reach + 1)}]"

    def map_to_another_cta(self, address: str, *, generic: bool) -> None:
        """Have a register of all threads lead to the same place in one CTA of the cluster, or go to several of them."""
        rank = self.choice.choice(["%tid.x", *map(str, range(self.cluster))])
        self.emit(f"mov.u32 %x2, {rank};", f"and.b32 %x2, %x2, {self.cluster - 1};")
        width = 32 if address.startswith("%x") else 64
        self.emit(f"mapa{'' if generic else '.shared::cluster'}.u{width} {address}, {address}, %x2;")

    def object(self, space: str, place: int) -> str:
        """`[...]` of an mbarrier object."""
        symbol, size = OBJECTS
        offset = self.choice.randrange(0, size, 8)
        if space != "generic" and self.chance(0.5):
            return f"[{symbol}+{offset}]"
        self.emit(f"mov.u64 %y{place}, {symbol};", *[f"cvta.shared.u64 %y{place}, %y{place};"] * (space == "generic"))
        if self.cluster > 1 and self.chance(0.3):
            self.map_to_another_cta(f"%y{place}", generic=space == "generic")
        return f"[%y{place}+{offset}]"

    def multimem(self, size: int, place: int) -> str:
        """`[...]` of a multimem access."""
        index = self._index(MULTICAST, size)
        self.emit(f"cvt.u64.u32 %y{place}, {index};", f"add.u64 %y{place}, %y{place}, {MULTICAST_WINDOW};")
        return f"[%y{place}]"

    def _base(self, own: str, symbol: str, *, narrow: bool, generic: bool) -> str:
        if narrow:
            self.emit(f"mov.u32 %x0, {symbol};")
            return "%x0"
        if generic and own != "global" and self.chance(0.5):
            self.emit(f"cvta.{own}.u64 %y0, {symbol};")
            return "%y0"
        self.emit(f"mov.u64 %y0, {symbol};")
        if generic and own != "global":
            self.emit(f"cvta.{own}.u64 %y0, %y0;")
        return "%y0"

    def _index(self, room: int, size: int) -> str:
        """A multiple of the size below the room, different between lanes or not."""
        shape = self.choice.choice(["any", "few", "thread", "thread", "same"])
        if shape == "thread":
            self.emit("mov.u32 %x2, %tid.x;", f"mul.lo.u32 %x2, %x2, {size};", f"and.b32 %x2, %x2, {room - size};")
            return "%x2"
        if shape == "same":
            return str(self.choice.randrange(0, room, size))
        most = room if shape == "any" else min(room, 4 * size)
        self.emit(f"and.b32 %x2, {self.choice.choice(registers('b32'))}, {most - size};")
        return "%x2"


def _space(variant: Variant, spec: OperandSpec) -> str:
    named = variant.get("ss")
    if named is not None:
        return str(named).partition("::")[0]
    return next((name for name in ("global", "shared", "const", "param") if name in spec.flags), "generic")


def _access_bytes(variant: Variant) -> int:
    """The bytes of an access, or a multiple of them where the form does not say."""
    kind, vec = variant.get("type"), variant.get("vec")
    if variant.entry.mnemonic == "discard" or "tensormap" in variant.opcode:
        return 128
    if variant.entry.mnemonic not in ("ld", "ldu", "st", "atom", "red", "multimem") or not isinstance(kind, ScalarType):
        return 16
    return kind.bytes * (int(vec[1:]) if vec else 1)
