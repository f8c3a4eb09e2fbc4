"""What float instructions share: NaN, flushing, clamping, signs, order; f16, bf16, f32 and f64 alike."""

from __future__ import annotations

from emulator.isa.ops import Ops, Value
from emulator.isa.packed import unsigned
from emulator.isa.registry import Variant
from emulator.ptx_types import TYPES, ScalarType

ROUNDING = "rn rz rm rp"
EXPONENT = {"f16": 0x7C00, "bf16": 0x7F80, "f32": 0x7F800000, "f64": 0x7FF << 52}  # also the bits of infinity
NAN = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0xFFF8 << 48}
ONE = {"f16": 0x3C00, "bf16": 0x3F80, "f32": 0x3F800000, "f64": 0x3FF << 52}


def sign_bit(kind: ScalarType) -> int:
    """The mask of the sign."""
    return 1 << kind.width - 1


def from_bits(ops: Ops, kind: ScalarType, bits: int) -> Value:
    """A float constant from its bits."""
    return ops.view(ops.const(unsigned(kind), bits), kind)


def canonical_nan(ops: Ops, kind: ScalarType) -> Value:
    """The NaN that results have."""
    return from_bits(ops, kind, NAN[kind.name])


def bits_of(ops: Ops, a: Value) -> Value:
    """A float's bits as an unsigned integer."""
    return ops.view(a, unsigned(a.type))


def magnitude(ops: Ops, a: Value) -> Value:
    """The bits without the sign: ordered as the absolute values are, NaN above infinity."""
    return bits_of(ops, a) & sign_bit(a.type) - 1


def is_nan(ops: Ops, a: Value) -> Value:
    """Whether a is NaN."""
    return magnitude(ops, a) > EXPONENT[a.type.name]


def is_negative(ops: Ops, a: Value) -> Value:
    """Whether the sign is set, of zeros and NaN too."""
    return bits_of(ops, a) >= sign_bit(a.type)


def negate(ops: Ops, a: Value) -> Value:
    """The sign turned over, of zeros and NaN too."""
    return ops.view(bits_of(ops, a) ^ sign_bit(a.type), a.type)


def without_sign(ops: Ops, a: Value) -> Value:
    """The sign cleared, of NaN too."""
    return ops.view(magnitude(ops, a), a.type)


def flush(ops: Ops, a: Value) -> Value:
    """Subnormal numbers as zeros of their sign."""
    bits = bits_of(ops, a)
    return ops.view(ops.select((bits & EXPONENT[a.type.name]) == 0, bits & sign_bit(a.type), bits), a.type)


def saturate(ops: Ops, a: Value) -> Value:
    """Clamped to [0, 1]; +0 for NaN and -0."""
    bits, one = bits_of(ops, a), ops.const(unsigned(a.type), ONE[a.type.name])
    inside = ops.select(bits > one, one, bits)
    return ops.view(ops.select(is_negative(ops, a) | is_nan(ops, a), ops.const(inside.type, 0), inside), a.type)


def relu(ops: Ops, a: Value) -> Value:
    """+0 for negative numbers and -0; NaN is canonical."""
    bits = bits_of(ops, a)
    positive = ops.select(is_negative(ops, a), ops.const(bits.type, 0), bits)
    return ops.select(is_nan(ops, a), canonical_nan(ops, a.type), ops.view(positive, a.type))


def flushed(ops: Ops, i: Variant, *values: Value) -> tuple[Value, ...]:
    """Operands as the instruction sees them: with .ftz, subnormal f32 and f16 are zeros."""
    return tuple(flush(ops, a) for a in values) if i.get("ftz") else values


def result(ops: Ops, i: Variant, a: Value) -> Value:
    """A result as .ftz, .sat and .relu leave it."""
    if i.get("ftz"):
        a = flush(ops, a)
    if i.get("relu"):
        a = relu(ops, a)
    return saturate(ops, a) if i.get("sat") else a


def smaller(ops: Ops, a: Value, b: Value) -> Value:
    """Whether a < b for numbers, where -0 < +0."""
    return _key(ops, a) < _key(ops, b)


def _key(ops: Ops, a: Value) -> Value:
    """A signed integer in the order of the floats."""
    bits = ops.view(a, TYPES[f"s{a.type.width}"])
    return bits ^ (bits >> a.type.width - 1 & sign_bit(a.type) - 1)


def number_of(ops: Ops, a: Value, b: Value, *, least: bool) -> Value:
    """The smaller or the larger number; the other operand where one is NaN."""
    chosen = smaller(ops, a, b) if least else smaller(ops, b, a)
    return ops.select(chosen & ~is_nan(ops, a) | is_nan(ops, b), a, b)


def extreme(ops: Ops, i: Variant, a: Value, b: Value, *, least: bool) -> Value:
    """min or max with .NaN and .xorsign.abs (manual, 9.7.3.11): one NaN gives the other operand, unless .NaN."""
    sign = bits_of(ops, a) ^ bits_of(ops, b)
    if i.get("abs"):
        a, b = without_sign(ops, a), without_sign(ops, b)
    nan_a, nan_b = is_nan(ops, a), is_nan(ops, b)
    number = number_of(ops, a, b, least=least)
    if i.get("xorsign"):
        number = ops.view(bits_of(ops, number) | sign & sign_bit(a.type), a.type)
    nan = nan_a | nan_b if i.get("NaN") else nan_a & nan_b
    return ops.select(nan, canonical_nan(ops, a.type), number)
