"""The conversions of printf, as device code calls them through vprintf (CUDA programming guide, formatted output)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Protocol

_CONVERSION = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\*|\d+)?(?P<dot>\.(?P<precision>\*|\d+)?)?(?P<length>hh|h|ll|l|j|z|t|L)?"
    r"(?P<kind>[diouxXeEfFgGaAcspn%])"
)
_INT64 = {"l", "ll", "j", "z", "t"}
WIDEST = 4096  # a width or precision beyond is taken as this


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


@dataclass(frozen=True, slots=True)
class _Field:
    """What stands between % and the letter; precision: None where there is none."""

    flags: str
    width: int
    precision: int | None

    def pad(self, sign: str, body: str, *, zeros: bool) -> str:
        """A number or text in its width."""
        if zeros and "0" in self.flags and "-" not in self.flags:
            body = body.rjust(self.width - len(sign), "0")
        return (sign + body).ljust(self.width) if "-" in self.flags else (sign + body).rjust(self.width)

    def sign(self, negative: bool) -> str:
        """The sign of a signed number."""
        return "-" if negative else "+" if "+" in self.flags else " " if " " in self.flags else ""


def format_text(text: str, address: int, reader: Reader) -> tuple[str, int]:
    """(the text with its conversions filled in, how many arguments were taken)."""
    arguments = _Arguments(address, reader)

    def convert(match: re.Match[str]) -> str:
        if match["kind"] == "%":
            return "%"
        flags, width = match["flags"], _number(match["width"], arguments)
        if width < 0:
            flags += "-"
        precision = _number(match["precision"], arguments) if match["dot"] else None
        if precision is not None:
            precision = min(precision, WIDEST) if precision >= 0 else None
        field = _Field(flags, min(abs(width), WIDEST), precision)
        return _one(match["kind"], match["length"] or "", field, arguments)

    return _CONVERSION.sub(convert, text), arguments.count


def _number(text: str | None, arguments: _Arguments) -> int:
    if text == "*":
        return int(arguments.next("i", 4))
    return int(text or 0)


def _one(kind: str, length: str, field: _Field, arguments: _Arguments) -> str:
    if kind in "diouxX":
        return _integer(kind, _argument(kind, length, arguments), field)
    if kind in "eEfFgGaA":
        return _float(kind, arguments.next("d", 8), field)
    if kind == "c":
        return field.pad("", chr(arguments.next("i", 4) & 0xFF), zeros=False)
    address = arguments.next("Q", 8)
    if kind == "n":
        return ""
    if kind == "p":
        return field.pad("", f"{address:#x}" if address else "(nil)", zeros=False)
    text = arguments.reader.string(address) if address else "(null)"
    return field.pad("", text[: field.precision], zeros=False)


def _argument(kind: str, length: str, arguments: _Arguments) -> int:
    """An integer argument: 64 bits for the long lengths, else an int, cut for the short ones."""
    signed, wide = kind in "di", length in _INT64
    value = int(arguments.next(("q" if signed else "Q") if wide else ("i" if signed else "I"), 8 if wide else 4))
    if length in ("h", "hh"):
        bits = 16 if length == "h" else 8
        value &= (1 << bits) - 1
        if signed and value >> (bits - 1):
            value -= 1 << bits
    return value


def _integer(kind: str, value: int, field: _Field) -> str:
    sign = field.sign(value < 0) if kind in "di" else ""
    digits = format(abs(value), "d" if kind in "diu" else kind)
    if field.precision is not None:
        digits = digits.rjust(field.precision, "0") if value or field.precision else ""
    if "#" in field.flags and kind in "xX" and value:
        sign = "0" + kind
    if "#" in field.flags and kind == "o" and not digits.startswith("0"):
        digits = "0" + digits
    return field.pad(sign, digits, zeros=field.precision is None)


def _float(kind: str, value: float, field: _Field) -> str:
    sign = field.sign(math.copysign(1, value) < 0)
    value = abs(value)
    if not math.isfinite(value):
        text = "inf" if value > 0 else "nan"
        return field.pad(sign, text.upper() if kind.isupper() else text, zeros=False)
    if kind in "aA":
        text = _hexadecimal(value, field.precision, "#" in field.flags)
        body = text.upper() if kind == "A" else text
        return field.pad(sign + body[:2], body[2:], zeros=True)
    precision = 6 if field.precision is None else field.precision
    return field.pad(sign, f"%{'#' if '#' in field.flags else ''}.{precision}{kind}" % value, zeros=True)


def _hexadecimal(value: float, precision: int | None, point: bool) -> str:
    """0x1.8p+1, the fraction as short as possible or rounded to nearest even."""
    fraction, exponent = math.frexp(value)
    shift = max(0, -1021 - exponent)  # subnormals have the least exponent and no leading one
    bits = int(math.ldexp(fraction, 53 - shift))
    power = exponent - 1 + shift if value else 0
    digits = 13
    if precision is not None and precision < digits:
        cut = 4 * (digits - precision)
        low, bits = bits & ((1 << cut) - 1), bits >> cut
        bits += low > 1 << (cut - 1) or (low == 1 << (cut - 1) and bits & 1)
        digits = precision
    tail = f"{bits & ((1 << 4 * digits) - 1):0{digits}x}" if digits else ""
    tail = tail.rstrip("0") if precision is None else tail.ljust(precision, "0")
    return f"0x{bits >> 4 * digits}{'.' if tail or point else ''}{tail}p{power:+d}"
