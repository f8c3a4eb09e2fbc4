"""9.7.18.1 Scalar video instructions: bytes, halves and words of 32-bit registers, in 34-bit arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.isa.instructions.integer_arithmetic import element, saturate
from emulator.isa.ops import S32, S64, U32, U64, Ops, Value
from emulator.isa.packed import unsigned
from emulator.isa.registry import Meaning, Variant, instruction
from emulator.ptx_types import TYPES, ScalarType

SELECTORS = dict.fromkeys(("asel", "bsel", "dsel"), "b[0-3] h[01]")
TYPE = "u32 s32"


def width_of(selector: str | None) -> int:
    """The bits that a selector picks: .b 8, .h 16, none 32."""
    return {"b": 8, "h": 16}[selector[0]] if selector else 32


def place_of(selector: str | None) -> int:
    """The lowest bit that a selector picks."""
    return int(selector[1]) * width_of(selector) if selector else 0


def part(ops: Ops, a: Value, selector: str | None) -> Value:
    """The byte, half or word of a that a selector picks, extended by the sign of a's type to 64 bits."""
    kind = element(a.type, width_of(selector))
    bits = ops.cast(ops.view(a, U32) >> place_of(selector), unsigned(kind))
    return ops.cast(ops.view(bits, kind), S64)


def finish(ops: Ops, i: Variant, number: Value, c: Value | None) -> Value:
    """d of a 34-bit result: limited to d's type and width under .sat, then combined with c or merged into it.

    ptxas takes a c with neither a second operation nor a part of d, and c then plays no role (9.7.18.1, `optMerge`).
    """
    kind: ScalarType = i.get("dtype") or U32
    dsel: str | None = i.get("dsel")
    number = number << 30 >> 30
    if i.get("sat"):
        number = ops.cast(saturate(ops, number, element(kind, width_of(dsel))), S64)
    if c is not None and i.get("op2"):
        combine = {"add": ops.add, "min": ops.minimum, "max": ops.maximum}[i.op2]
        number = combine(number, ops.cast(c, S64))
    bits = ops.cast(number, U32)
    if c is not None and dsel is not None:
        field = (1 << width_of(dsel)) - 1 << place_of(dsel)
        bits = ops.view(c, U32) & ~field | bits << place_of(dsel) & field
    return ops.view(bits, kind)


def scalar_video(head: str, **types: Any) -> Callable[[Meaning], Meaning]:
    """Register the three lines of an operation: alone, with a second operation on c, merged into c."""
    lines = {
        f"{head} d, a{{.asel}}, b{{.bsel}}": {},
        f"{head}.op2 d, a{{.asel}}, b{{.bsel}}, c": {"c": types["d"], "op2": "add min max"},
        f"{head} d{{.dsel}}, a{{.asel}}, b{{.bsel}}, c": {"c": types["d"], "dsel": SELECTORS["dsel"]},
    }

    def register(meaning: Meaning) -> Meaning:
        for line, more in lines.items():
            options: dict[str, Any] = {**types, **more, "asel": SELECTORS["asel"], "bsel": SELECTORS["bsel"]}
            instruction(line, requires="2.0 sm_20", loose=True, **options)(meaning)
        return meaning

    return register


ARITHMETIC: dict[str, Any] = {
    "dtype": TYPE, "atype": TYPE, "btype": TYPE, "d": "dtype", "a": "atype", "b": "btype", "section": "9.7.18.1.1",
}  # fmt: skip


@scalar_video("vadd.dtype.atype.btype{.sat}", **ARITHMETIC)
def vadd(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = a + b of the selected parts, then + c, or the smaller or larger of it and c; or merged into c.

    The sum is exact; .sat limits it to the range of d's type and part, else it is cut off where d ends.

    example: vadd.u32.u32.u32 0xffffffff, 1 -> 0
    example: vadd.u32.u32.u32.sat 0xffffffff, 1 -> 0xffffffff
    example: vadd.u32.s32.s32.sat 0x80.b0, 1 -> 0
    example: vadd.s32.u32.u32.sat.add 0xffffffff, 1, -1 -> 0x7ffffffe
    example: vadd.s32.u32.s32 0xff00.b1, 0xfffe0000.h1, 0x12345678 -> 0xfd345678.b3
    example: vadd.s32.s32.s32.sat 0x7fff.h0, 1, 0x12345678 -> 0x7fff5678.h1
    example: vadd.u32.u32.u32.max 0xffffffff, 1, 5 -> 0
    example: vadd.u32.u32.u32 5, 0x0700.b1, 1000 -> 12
    """
    return finish(ops, i, part(ops, a, i.asel) + part(ops, b, i.bsel), c)


@scalar_video("vsub.dtype.atype.btype{.sat}", **ARITHMETIC)
def vsub(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = a - b of the selected parts, then as vadd.

    example: vsub.u32.u32.u32 0, 1 -> 0xffffffff
    example: vsub.u32.u32.u32.sat 0, 1 -> 0
    example: vsub.s32.u32.s32.sat 0xffffffff, 0x80000000 -> 0x7fffffff
    example: vsub.s32.s32.s32.sat 0x80.b0, 0x7f.b0, 0 -> 0x80.b0
    example: vsub.s32.s32.s32.min 5, 7, -1 -> -2
    """
    return finish(ops, i, part(ops, a, i.asel) - part(ops, b, i.bsel), c)


def difference(ops: Ops, x: Value, y: Value) -> Value:
    """|x - y|."""
    return ops.select(x < y, y - x, x - y)


@scalar_video("vabsdiff.dtype.atype.btype{.sat}", **ARITHMETIC)
def vabsdiff(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = |a - b| of the selected parts, then as vadd.

    example: vabsdiff.u32.s32.s32 0x80000000, 0x7fffffff -> 0xffffffff
    example: vabsdiff.s32.s32.s32.sat 0x80000000, 0x7fffffff -> 0x7fffffff
    example: vabsdiff.u32.u32.u32.add 0x0a.b0, 0xff00.b1, 1000 -> 1245
    """
    return finish(ops, i, difference(ops, part(ops, a, i.asel), part(ops, b, i.bsel)), c)


@scalar_video("vmin.dtype.atype.btype{.sat}", **ARITHMETIC)
def vmin(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = the smaller of a and b of the selected parts as signed numbers, then as vadd.

    example: vmin.u32.u32.s32 0xffffffff, -1 -> -1
    example: vmin.u32.s32.s32.sat -1, 1 -> 0
    example: vmin.s32.s32.s32 0x80ff.b0, 0x7f, 0 -> 0xffff0000.h1
    """
    return finish(ops, i, ops.minimum(part(ops, a, i.asel), part(ops, b, i.bsel)), c)


@scalar_video("vmax.dtype.atype.btype{.sat}", **ARITHMETIC)
def vmax(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = the larger of a and b of the selected parts as signed numbers, then as vadd.

    example: vmax.s32.u32.s32 0x80000000, 0x7fffffff -> 0x80000000
    example: vmax.s32.u32.s32.sat 0x80000000, 0x7fffffff -> 0x7fffffff
    example: vmax.u32.s32.s32.min -5, -7, 3 -> -5
    """
    return finish(ops, i, ops.maximum(part(ops, a, i.asel), part(ops, b, i.bsel)), c)


SHIFT: dict[str, Any] = {
    "dtype": TYPE, "atype": TYPE, "mode": "clamp wrap", "d": "dtype", "a": "atype", "b": "u32", "section": "9.7.18.1.2",
}  # fmt: skip


def amount(ops: Ops, i: Variant, b: Value) -> Value:
    """How far to shift: at most 32 (.clamp), or modulo 32 (.wrap)."""
    n = ops.cast(part(ops, b, i.bsel), U32)
    return ops.minimum(n, ops.const(U32, 32)) if i.mode == "clamp" else n & 31


@scalar_video("vshl.dtype.atype.u32{.sat}.mode", **SHIFT)
def vshl(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = a << b of the selected parts, cut off at 34 bits, then as vadd.

    example: vshl.u32.u32.u32.clamp 1, 99 -> 0
    example: vshl.u32.u32.u32.wrap 1, 33 -> 2
    example: vshl.u32.u32.u32.sat.clamp 0xff, 25 -> 0xffffffff
    example: vshl.s32.s32.u32.sat.clamp -1, 32 -> 0x80000000
    example: vshl.u32.u32.u32.sat.wrap 0x10, 30 -> 0
    """
    return finish(ops, i, part(ops, a, i.asel) << amount(ops, i, b), c)


@scalar_video("vshr.dtype.atype.u32{.sat}.mode", **SHIFT)
def vshr(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = a >> b of the selected parts, filled with a's sign, then as vadd.

    example: vshr.s32.s32.u32.clamp 0x80000000, 99 -> -1
    example: vshr.u32.u32.u32.clamp 0x80000000, 32 -> 0
    example: vshr.u32.s32.u32.sat.wrap 0x80000000, 33 -> 0
    example: vshr.s32.s32.u32.wrap.add 0x8000.b1, 1, 100 -> 36
    """
    return finish(ops, i, part(ops, a, i.asel) >> amount(ops, i, b), c)


COMPARISON: dict[str, Any] = {
    "atype": TYPE, "btype": TYPE, "cmp": "eq ne lt le gt ge", "d": "u32", "a": "atype", "b": "btype",
    "section": "9.7.18.1.4",
}  # fmt: skip


@scalar_video("vset.atype.btype.cmp", **COMPARISON)
def vset(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = 1 if the selected parts are in the relation, else 0; then as vadd, where c is unsigned.

    example: vset.s32.u32.lt -1, 0 -> 1
    example: vset.u32.u32.lt -1, 0 -> 0
    example: vset.s32.u32.eq -1, 0xffffffff -> 0
    example: vset.u32.u32.ge.add 0xff00.b1, 0xff, 41 -> 42
    example: vset.s32.s32.ne 1, 1, 0x12345678 -> 0x12005678.b2
    """
    t = ops.compare(i.cmp, part(ops, a, i.asel), part(ops, b, i.bsel))
    return finish(ops, i, ops.cast(t, S64), c)


def wrong_signs(i: Variant) -> str | None:
    """Whether signs stand where vmad does not take them."""
    negated = [i.get(name) for name in ("a_negated", "b_negated", "c_negated")]
    if i.get("po") and any(negated):
        return ".po and a negated operand exclude each other"
    if bool(negated[0]) != bool(negated[1]) and negated[2]:
        return "either the product or c may be negated, not both"
    return None


def plus_wide(ops: Ops, low: Value, high: Value, b: Value, carry: int) -> tuple[Value, Value]:
    """A 128-bit number plus a signed 64-bit one plus a constant carry of 0 or 1."""
    addend = ops.view(b, U64)
    total = low + addend
    over = ops.cast(total < addend, U64)
    more = total + carry
    over = over + ops.cast(more < total, U64)
    return more, high + ops.view(b >> 63, U64) + over


def multiply_add(ops: Ops, i: Variant, a: Value, b: Value, c: Value, *, minus: bool, signed: bool) -> Value:
    """64 bits of (a * b + c) >> scale, computed in 128; minus negates the product, signed extends c by its sign."""
    low, high = ops.view(a * b, U64), ops.view(ops.mul_high(a, b), U64)
    if minus:
        low, high = ~low, ~high
    addend = ~c if i.c_negated else c
    wide = ops.cast(ops.view(addend, S32 if signed else U32), S64)
    low, high = plus_wide(ops, low, high, wide, 1 if i.get("po") or minus or i.c_negated else 0)
    shift = int(i.scale[3:]) if i.scale else 0
    return low >> shift | high << 64 - shift


@instruction("vmad.dtype.atype.btype{.sat}{.scale} d, {-}a{.asel}, {-}b{.bsel}, {-}c", dtype=TYPE, atype=TYPE,
             btype=TYPE, scale="shr7 shr15", d="dtype", a="atype", b="btype", c="btype", asel=SELECTORS["asel"],
             bsel=SELECTORS["bsel"], check=wrong_signs, requires="2.0 sm_20", loose=True,
             section="9.7.18.1.3")  # fmt: skip
@instruction("vmad.dtype.atype.btype.po{.sat}{.scale} d, {-}a{.asel}, {-}b{.bsel}, {-}c", dtype=TYPE, atype=TYPE,
             btype=TYPE, scale="shr7 shr15", d="dtype", a="atype", b="btype", c="btype", asel=SELECTORS["asel"],
             bsel=SELECTORS["bsel"], check=wrong_signs, requires="2.0 sm_20", loose=True,
             section="9.7.18.1.3")  # fmt: skip
def vmad(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = (a * b + c) >> scale, of the selected parts; .po adds one more.

    One sign in front of a or b negates the product, one in front of c negates c.  The result is signed, and c with
    it, if a or b is or if anything is negated; .sat limits it to the 32 bits of that sign, whatever dtype is.

    example: vmad.u32.u32.u32 0x0300.b1, 5, 7 -> 22
    example: vmad.s32.s32.s32 -3, -(5), -7 -> 8
    example: vmad.s32.u32.u32 3, 5, -(7) -> 8
    example: vmad.u32.u32.u32.po 3, 5, 7 -> 23
    example: vmad.s32.s32.u32.shr7 -1, 1, 0 -> -1
    example: vmad.u32.u32.u32.sat 0xffffffff, 0xffffffff, 0xffffffff -> 0xffffffff
    example: vmad.s32.s32.s32.sat 0x80000000, 0x7fffffff, 0 -> 0x80000000
    example: vmad.u32.u32.u32.shr15 0xffffffff, 0xffffffff, 0xffffffff -> 0xfffe0000
    """
    minus = bool(i.a_negated) != bool(i.b_negated)
    signed = i.atype.is_signed or i.btype.is_signed or minus or bool(i.c_negated)
    result = multiply_add(ops, i, part(ops, a, i.asel), part(ops, b, i.bsel), c, minus=minus, signed=signed)
    if i.sat and signed:
        return ops.view(saturate(ops, ops.view(result, S64), TYPES["s32"]), i.dtype)
    return ops.cast(ops.minimum(result, ops.const(U64, 0xFFFFFFFF)) if i.sat else result, i.dtype)
