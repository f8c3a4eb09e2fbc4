"""PTX's scalar types, state spaces and scopes: one row each (manual, 5.1, 5.2 and 8.5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import index

WARP_SIZE = 32


@dataclass(frozen=True, slots=True, eq=False)
class ScalarType:
    """A scalar type of the manual's tables 5.2.1, 5.2.3 and 5.2.5; there is one object of each.

    kind: "u" unsigned, "s" signed, "f" float, "b" untyped bits, "p" predicate,
    "a" alternate float format (bf16, tf32, fp8 ...), "v" packed (f16x2 ...).
    """

    name: str
    width: int  # bits; a predicate is one bit kept in a byte
    kind: str

    @property
    def bytes(self) -> int:
        """Size in memory, in bytes."""
        return max(1, self.width // 8)

    @property
    def is_integer(self) -> bool:
        return self.kind in "us"

    @property
    def is_float(self) -> bool:
        return self.kind == "f"

    @property
    def is_signed(self) -> bool:
        return self.kind == "s"

    def __str__(self) -> str:
        return "." + self.name


_ROWS = """
u8 8 u     u16 16 u    u32 32 u    u64 64 u
s8 8 s     s16 16 s    s32 32 s    s64 64 s
b8 8 b     b16 16 b    b32 32 b    b64 64 b    b128 128 b   b1 1 b
f16 16 f   f32 32 f    f64 64 f
pred 1 p
bf16 16 a  tf32 32 a   e4m3 8 a    e5m2 8 a    ue8m0 8 a    ue4m3 8 a  e2m1 4 a  e2m3 6 a  e3m2 6 a
u4 4 u     s4 4 s      u16x2 32 v  s16x2 32 v  u8x4 32 v    s8x4 32 v  u4x8 32 v  s4x8 32 v
f16x2 32 v f32x2 64 v  bf16x2 32 v e4m3x2 16 v e5m2x2 16 v  e4m3x4 32 v e5m2x4 32 v
ue8m0x2 16 v  e2m1x2 8 v  e2m3x2 16 v  e3m2x2 16 v  e2m1x4 16 v  e2m3x4 32 v  e3m2x4 32 v
"""

_WORDS = _ROWS.split()
TYPES: dict[str, ScalarType] = {
    name: ScalarType(name, int(width), kind)
    for name, width, kind in zip(_WORDS[::3], _WORDS[1::3], _WORDS[2::3], strict=True)
}
OPAQUE_TYPES = ("texref", "samplerref", "surfref", "tensormap", "branchtargets", "calltargets", "callprototype")


def scalar(name: str) -> ScalarType:
    """The scalar type of a name without its dot; KeyError if there is none."""
    return TYPES[name]


def bits_type(width: int) -> ScalarType:
    """The untyped type of a width in bits: 8, 16, 32, 64 or 128; 1 is the predicate."""
    return TYPES["pred"] if width == 1 else TYPES[f"b{width}"]


STATE_SPACES = ("reg", "sreg", "const", "global", "local", "param", "shared", "tex")
SCOPES = ("cta", "cluster", "gpu", "sys")


@dataclass(frozen=True, slots=True)
class Dim3:
    """A size or index in three dimensions; x is the fastest."""

    x: int
    y: int = 1
    z: int = 1

    @property
    def count(self) -> int:
        return self.x * self.y * self.z

    def __str__(self) -> str:
        return f"({self.x},{self.y},{self.z})"

    @staticmethod
    def of(value: int | tuple[int, ...] | Dim3) -> Dim3:
        """A Dim3 from an int, a tuple of up to three ints, or a Dim3."""
        if isinstance(value, Dim3):
            return value
        parts = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
        if not 1 <= len(parts) <= 3:
            raise TypeError(f"a size has one to three numbers, not {value!r}")
        return Dim3(*(index(part) for part in parts))

    def index(self, linear: int) -> Dim3:
        """The position of a linear number inside this size."""
        return Dim3(linear % self.x, linear // self.x % self.y, linear // (self.x * self.y))
