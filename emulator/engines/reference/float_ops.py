"""Float operations on NumPy rows, exact in every rounding mode, over all exponents and subnormals.

NaN results are canonical (rounding.py); f32 and f16 in rn are NumPy's own, which are correctly rounded;
everything else goes through f64, see rounding.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from emulator.engines.reference.rounding import (
    canonical,
    directed,
    exactly,
    narrow,
    narrow_bf16,
    to_odd,
    two_product,
    two_sum,
)
from emulator.isa.ops import F64, PRED, Ops, Value
from emulator.ptx_types import ScalarType

Row = Any
FLOAT: dict[int, np.dtype[Any]] = {width: np.dtype(f"float{width}") for width in (16, 32, 64)}
ROUNDINGS = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}
RELATIONS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def quiet(method: Callable[..., Value]) -> Callable[..., Value]:
    """NumPy's warnings off: overflow, NaN and division by zero are results like others."""

    @wraps(method)
    def silent(*arguments: Any, **keywords: Any) -> Value:
        with np.errstate(all="ignore"):
            return method(*arguments, **keywords)

    return silent


class FloatOps(Ops):
    """The float operations of a backend on NumPy rows."""

    def _float(self, kind: ScalarType, data: Row, *operands: Row) -> Value:
        return Value(self, kind, data if kind.name == "bf16" else canonical(data, *operands))

    @quiet
    def fadd(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a + b rounded once."""
        if rnd == "rn":
            return self._float(a.type, a.data + b.data, a.data, b.data)
        return self._float(a.type, _settle(_sum(widen(a), widen(b)), a.type, rnd), a.data, b.data)

    @quiet
    def fmul(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a * b rounded once."""
        if rnd == "rn":
            return self._float(a.type, a.data * b.data, a.data, b.data)
        x, y = widen(a), widen(b)
        if a.type.width < 64:
            return self._float(a.type, narrow(x * y, FLOAT[a.type.width], rnd))
        product, error = two_product(x, y)
        result = directed(product, error, rnd)
        return self._float(F64, _repair("mul", (x, y), product, result, _moderate(x) & _moderate(y), rnd), x, y)

    @quiet
    def fma(self, a: Value, b: Value, c: Value, rnd: str = "rn") -> Value:
        """a * b + c rounded once."""
        x, y, z = widen(a), widen(b), widen(c)
        if a.type.width == 32 and rnd == "rn" and _is_plain(total := x * y + z):
            return self._float(a.type, total.astype(np.float32))
        if a.type.width < 64:
            return self._float(a.type, _settle(_sum(x * y, z), a.type, rnd))
        return self._float(F64, _fma_f64(x, y, z, rnd), x, y, z)

    @quiet
    def fdiv(self, a: Value, b: Value, rnd: str = "rn") -> Value:
        """a / b rounded once.

        A quotient of 24-bit numbers that is no 25-bit number differs from every one by more than f64's rounding
        error, so that f32 and f16 quotients may be rounded to f64 first.
        """
        x, y = widen(a), widen(b)
        quotient = x / y
        if a.type.width < 64:
            return self._float(a.type, narrow(quotient, FLOAT[a.type.width], rnd))
        if rnd == "rn":
            return self._float(F64, quotient, x, y)
        product, error = two_product(quotient, y)
        rest = (x - product) - error
        result = directed(quotient, np.where(y < 0, -rest, rest), rnd)
        safe = _moderate(x) & _moderate(y)
        return self._float(F64, _repair("div", (x, y), quotient, result, safe, rnd), x, y)

    @quiet
    def fsqrt(self, a: Value, rnd: str = "rn") -> Value:
        """The square root rounded once; roots of 24-bit numbers may be rounded to f64 first, as quotients."""
        x = widen(a)
        root = np.sqrt(x)
        if a.type.width < 64:
            return self._float(a.type, narrow(root, FLOAT[a.type.width], rnd))
        if rnd == "rn":
            return self._float(F64, root, x)
        product, error = two_product(root, root)
        result = directed(root, (x - product) - error, rnd)
        return self._float(F64, _repair("sqrt", (x,), root, result, _moderate(x) | (x < 0), rnd), x)

    @quiet
    def fcompare(self, relation: str, a: Value, b: Value) -> Value:
        """Ordered relations are false beside NaN, those with a u are true; num, nan."""
        x, y = a.data, b.data
        unordered = np.isnan(x) | np.isnan(y)
        if relation in ("num", "nan"):
            return Value(self, PRED, unordered if relation == "nan" else ~unordered)
        if relation in RELATIONS:
            return Value(self, PRED, RELATIONS[relation](x, y) & ~unordered)
        return Value(self, PRED, RELATIONS[relation[:-1]](x, y) | unordered)

    @quiet
    def fconvert(self, a: Value, kind: ScalarType, rnd: str = "rn") -> Value:
        """A float (f16, bf16, f32, f64) as another, rounded once."""
        return self._float(kind, _narrow(widen(a).copy(), kind, rnd))

    @quiet
    def fround(self, a: Value, mode: str) -> Value:
        """To an integral value: rni, rzi, rmi, rpi."""
        return self._float(a.type, _narrow(ROUNDINGS[mode](widen(a)), a.type, "rn"), a.data)

    @quiet
    def float_to_int(self, a: Value, kind: ScalarType) -> Value:
        """An integral float as an integer, saturated; NaN gives 0."""
        least = -(1 << kind.width - 1) if kind.is_signed else 0
        greatest = (1 << kind.width - kind.is_signed) - 1
        x = np.trunc(widen(a))
        x = np.where(np.isnan(x), 0.0, np.clip(x, float(least), float(greatest)))
        beyond = x >= 2.0**63
        low = np.where(beyond, x - 2.0**63, x)
        whole = np.where(low >= 2.0**63, 0.0, low).astype(np.int64).view(np.uint64)
        whole = np.where(beyond, whole + np.uint64(1 << 63), whole)
        full = x >= float(greatest)
        return Value(self, kind, np.where(full, np.uint64(greatest), whole).astype(_integer(kind)))

    @quiet
    def int_to_float(self, a: Value, kind: ScalarType, rnd: str = "rn") -> Value:
        """An integer as a float, rounded once: the exact sum of its halves."""
        if a.type.width < 64:
            return self._float(kind, _narrow(a.data.astype(np.float64), kind, rnd))
        low = (a.data & a.data.dtype.type(0xFFFFFFFF)).astype(np.float64)
        high = (a.data >> a.data.dtype.type(32)).astype(np.float64) * 2.0**32
        return self._float(kind, _settle(_sum(high, low), kind, rnd))


def widen(a: Value) -> Row:
    """A float row as f64, exactly."""
    if a.type.name == "bf16":
        return (a.data.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return a.data.astype(np.float64, copy=False)


def _integer(kind: ScalarType) -> np.dtype[Any]:
    return np.dtype(f"{'int' if kind.is_signed else 'uint'}{kind.width}")


def _narrow(x: Row, kind: ScalarType, rnd: str) -> Row:
    """f64 as the row of a float type, rounded once."""
    if kind.name == "bf16":
        return narrow_bf16(x, rnd)
    return x if kind.width == 64 else narrow(x, FLOAT[kind.width], rnd)


def _sum(x: Row, y: Row) -> tuple[Row, Row, Row]:
    """x + y rounded to nearest, its error, and where an exact zero is -0 in rm: unless both are +0."""
    total, error = two_sum(x, y)
    return total, error, (total == 0) & (np.signbit(x) | np.signbit(y))


def _settle(parts: tuple[Row, Row, Row], kind: ScalarType, rnd: str) -> Row:
    """The exact sum of `_sum` as a float type, rounded once."""
    total, error, negative_zero = parts
    if rnd == "rm":
        total = np.where(negative_zero, -0.0, total)
    if kind.width == 64:
        return directed(total, error, rnd)
    return _narrow(to_odd(total, error), kind, rnd)


def _is_plain(total: Row) -> bool:
    """Whether rounding f64 sums to f32 is safe although they were rounded before.

    None lies half-way between two f32 numbers, and none among the subnormal ones, where half-way is elsewhere.
    """
    bits = total.view(np.uint64)
    half_way = (bits & np.uint64(0x1FFFFFFF)) == np.uint64(0x10000000)
    return not (half_way | (np.abs(total) < 2.0**-126)).any()


def _moderate(x: Row) -> Row:
    """Where |x| is so far from both ends of the range that error terms of products are exact."""
    magnitude = np.abs(x)
    return (magnitude > 2.0**-400) & (magnitude < 2.0**400)


def _fma_f64(x: Row, y: Row, z: Row, rnd: str) -> Row:
    """x * y + z by Boldo and Melquiond's algorithm, by integers where it may leave the range."""
    product, low = two_product(x, y)
    upper, lower = two_sum(z, low)
    high, middle = two_sum(product, upper)
    rest = to_odd(*two_sum(middle, lower))
    total, error = two_sum(high, rest)
    plain: Row = np.where(np.isfinite(x) & np.isfinite(y) & ~np.isfinite(z), z, product + z)
    if rnd == "rm":
        exact_zero = (plain == 0) & (np.signbit(product) | np.signbit(z))
        plain = np.where(exact_zero, -0.0, plain)
        total = np.where((total == 0) & (error == 0), -0.0, total)
    safe = _moderate(x) & _moderate(y) & ((z == 0) | ((np.abs(z) > 2.0**-900) & (np.abs(z) < 2.0**900)))
    return _repair("fma", (x, y, z), plain, directed(total, error, rnd), safe, rnd)


def _repair(operation: str, operands: tuple[Row, ...], plain: Row, result: Row, safe: Row, rnd: str) -> Row:
    """The result where it is safe; else the plain one for zeros and infinities, and integers for the others."""
    if safe.all():
        return result
    factors = operands[:2]
    special = np.any([(x == 0) | ~np.isfinite(x) for x in factors] + [~np.isfinite(x) for x in operands[2:]], axis=0)
    fixed: Row = np.where(safe, result, plain)
    for lane in np.flatnonzero(~safe & ~special):
        fixed[lane] = exactly(operation, tuple(float(x[lane]) for x in operands), rnd)
    return fixed
