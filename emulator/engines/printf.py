"""The conversions of printf, as device code calls them through vprintf."""

from __future__ import annotations

import re
from typing import Any, Protocol

_CONVERSION = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d+)?)?(?P<dot>)(?P<length>hh|h|ll|l|j|z|t|L)?"
    r"(?P<kind>[diouxXeEfFgGaAcspn%])"
)
_INT64 = {"l", "ll", "j", "z", "t"}


class Reader(Protocol):
    """Where arguments come from."""

    def number(self, address: int, code: str) -> Any:
        """One number at an address."""

    def string(self, address: int) -> str:
        """A C string at an address."""


class _Arguments:
    """The arguments one after the other, each aligned to its size."""

    def __init__(self, address: int, reader: Reader) -> None:
        self.at = address
        self.reader = reader
        self.count = 0

    def next(self, code: str, size: int) -> Any:
        self.at = -(-self.at // size) * size
        value = self.reader.number(self.at, code)
        self.at += size
        self.count += 1
        return value


def format_text(text: str, address: int, reader: Reader) -> tuple[str, int]:
    """(the text with its conversions filled in, how many arguments were taken)."""
    arguments = _Arguments(address, reader)

    def convert(match: re.Match[str]) -> str:
        if match["kind"] == "%":
            return "%"
        width, precision = match["width"], match["precision"]
        if width == "*":
            width = str(arguments.next("i", 4))
        if precision == "*":
            precision = str(arguments.next("i", 4))
        has_precision = "." in match.group()
        spec = match["flags"] + (width or "") + (f".{precision or 0}" if has_precision else "")
        return _one(match["kind"], match["length"] or "", spec, arguments)

    return _CONVERSION.sub(convert, text), arguments.count


def _one(kind: str, length: str, spec: str, arguments: _Arguments) -> str:
    if kind == "s":
        return str(f"%{spec}s" % arguments.reader.string(arguments.next("Q", 8)))
    if kind == "p":
        return f"%{spec}s" % f"{arguments.next('Q', 8):#x}"
    if kind == "c":
        return f"%{spec}c" % chr(arguments.next("i", 4) & 0xFF)
    if kind in "aA":
        value = float(arguments.next("d", 8)).hex()
        return f"%{spec.partition('.')[0]}s" % (value.upper() if kind == "A" else value)
    if kind in "eEfFgG":
        return str(f"%{spec}{kind}" % arguments.next("d", 8))
    if kind == "n":
        arguments.next("Q", 8)
        return ""
    signed = kind in "di"
    wide = length in _INT64
    value = arguments.next(("q" if signed else "Q") if wide else ("i" if signed else "I"), 8 if wide else 4)
    if length in ("h", "hh"):
        bits = 16 if length == "h" else 8
        value &= (1 << bits) - 1
        if signed and value >> (bits - 1):
            value -= 1 << bits
    if "#" in spec and kind == "o":
        spec = spec.replace("#", "")
        return f"%{spec}s" % f"0{value:o}"
    return str(f"%{spec}{'d' if kind in 'diu' else kind}" % value)
