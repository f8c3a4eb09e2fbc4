"""9.7.18.2 SIMD video instructions: two halves or four bytes at a time, chosen from both sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.isa.instructions.integer_arithmetic import element, saturate
from emulator.isa.instructions.video import difference
from emulator.isa.ops import S32, U32, Ops, Value
from emulator.isa.packed import pack, unpack, unsigned
from emulator.isa.registry import Meaning, Variant, instruction
from emulator.ptx_types import ScalarType

TYPE = "u32 s32"
WIDTHS = {"2": 16, "4": 8}  # of an element, by the last letter of the mnemonic
SELECTORS = {"2": {"mask": "h1?0 h1", "asel": "h[0-3]{2}"}, "4": {"mask": "b(?=.)3?2?1?0?", "asel": "b[0-7]{4}"}}
DEFAULTS = {"2": ("h10", "h10", "h32"), "4": ("b3210", "b3210", "b7654")}  # .mask, .asel, .bsel


def choose(ops: Ops, i: Variant, a: Value, b: Value, selector: str, kind: ScalarType) -> list[Value]:
    """The elements that a selector picks from {b, a}, lowest first, extended by the sign of a type."""
    narrow = element(kind, WIDTHS[i.entry.mnemonic[-1]])
    pool = [number for source in (a, b) for number in unpack(ops, source, narrow)]
    return [ops.cast(pool[int(digit)], S32) for digit in reversed(selector[1:])]


def each(ops: Ops, i: Variant, operation: Callable[[Value, Value], Value], a: Value, b: Value, c: Value) -> Value:
    """An operation on each pair of elements; under .add the masked results are added to c, else merged into it."""
    lanes = i.entry.mnemonic[-1]
    mask, asel, bsel = (
        i.get(name) or text for name, text in zip(("mask", "asel", "bsel"), DEFAULTS[lanes], strict=True)
    )
    kind: ScalarType = i.get("dtype") or U32
    narrow = element(kind, WIDTHS[lanes])
    pairs = zip(choose(ops, i, a, b, asel, i.atype), choose(ops, i, a, b, bsel, i.btype), strict=True)
    results = [operation(x, y) for x, y in pairs]
    if i.get("add"):
        for digit in mask[1:]:
            c = c + ops.cast(results[int(digit)], kind)
        return c
    kept = unpack(ops, c, unsigned(narrow))
    for digit in mask[1:]:
        result = saturate(ops, results[int(digit)], narrow) if i.get("sat") else results[int(digit)]
        kept[int(digit)] = ops.cast(result, unsigned(narrow))
    return pack(ops, kept, kind)


def simd_video(heads: str, *, section: str, **types: Any) -> Callable[[Meaning], Meaning]:
    """Register the lines of an operation on halves and on bytes: merged into c, or added to c."""

    def register(meaning: Meaning) -> Meaning:
        for head in heads.split():
            word = head.partition(".")[0]
            selectors = SELECTORS[word[-1]]
            options: dict[str, Any] = {**types, **selectors, "bsel": selectors["asel"]}
            saturating = "{.sat}" if "dtype" in types else ""
            for more in (saturating, ".add"):
                line = f"{head}{more} d{{.mask}}, a{{.asel}}, b{{.bsel}}, c"
                instruction(line, requires="3.0 sm_30", loose=True, section=section, **options)(meaning)
        return meaning

    return register


ARITHMETIC: dict[str, Any] = {
    "dtype": TYPE, "atype": TYPE, "btype": TYPE, "d": "dtype", "a": "register atype", "b": "register btype",
    "c": "register dtype", "section": "9.7.18.2.1",
}  # fmt: skip


@simd_video("vadd2.dtype.atype.btype vadd4.dtype.atype.btype", **ARITHMETIC)
def vadd(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a + b in each half or byte under the mask, c elsewhere; with .add, c + the sum of all a + b under the mask.

    Selectors name the elements of {b, a}, highest first; they default to those of a and those of b.  .sat limits
    each result to dtype's range in its part; without it they wrap there.  With .add they are exact.

    example: vadd2.u32.u32.u32 0xffff0001, 0x00010001, 0 -> 0x00000002
    example: vadd2.u32.u32.u32.sat 0xffff0001, 0x00010001, 0 -> 0xffff0002
    example: vadd2.u32.u32.u32.add 0xffff0001, 0x00010001, 1 -> 0x10003
    example: vadd2.s32.s32.s32 0x00020001.h01, 0x00200010.h22, 0x12345678 -> 0x00115678.h1
    example: vadd4.s32.s32.s32.sat 0x7f80ff01, 0x01ff0101, 0 -> 0x7f800002
    example: vadd4.u32.u32.u32 0x04030201, 0x40302010.b4567, 0x99999999 -> 0x99239941.b20
    """
    return each(ops, i, ops.add, a, b, c)


@simd_video("vsub2.dtype.atype.btype vsub4.dtype.atype.btype", **ARITHMETIC)
def vsub(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a - b in each half or byte, masked and combined with c as in vadd2.

    example: vsub2.u32.u32.u32.sat 0x00010005, 0x00020003, 0 -> 0x00000002
    example: vsub2.s32.u32.u32.add 0x00010005, 0x00020003, 0 -> 1
    example: vsub4.s32.s32.s32.sat 0x80007f05, 0x7f00ff03, 0 -> 0x80007f02
    """
    return each(ops, i, ops.sub, a, b, c)


@simd_video("vavrg2.dtype.atype.btype vavrg4.dtype.atype.btype", **ARITHMETIC)
def vavrg(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = (a + b) / 2 in each half or byte, a half rounded away from zero, with c as in vadd2.

    example: vavrg2.s32.s32.s32 0x0001ffff, 0x00020000, 0 -> 0x0002ffff
    example: vavrg4.u32.u32.u32 0xff000305, 0xff010206, 0 -> 0xff010306
    """

    def average(x: Value, y: Value) -> Value:
        total = x + y
        return ops.select(total >= 0, total + 1, total) >> 1

    return each(ops, i, average, a, b, c)


@simd_video("vabsdiff2.dtype.atype.btype vabsdiff4.dtype.atype.btype", **ARITHMETIC)
def vabsdiff(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = |a - b| in each half or byte, masked and combined with c as in vadd2.

    example: vabsdiff2.s32.s32.s32.sat 0x80000001, 0x7fff0003, 0 -> 0x7fff0002
    example: vabsdiff4.u32.u32.u32.add 0x00ff0a05, 0xff000a07, 1 -> 513
    """
    return each(ops, i, lambda x, y: difference(ops, x, y), a, b, c)


@simd_video("vmin2.dtype.atype.btype vmin4.dtype.atype.btype", **ARITHMETIC)
def vmin(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = the smaller of a and b in each half or byte, masked and combined with c as in vadd2.

    example: vmin2.s32.s32.s32 0x8000ffff, 0x00010001, 0 -> 0x8000ffff
    example: vmin4.u32.u32.s32 0x80ff0105, 0xff7f0203, 0 -> 0xff7f0103
    """
    return each(ops, i, ops.minimum, a, b, c)


@simd_video("vmax2.dtype.atype.btype vmax4.dtype.atype.btype", **ARITHMETIC)
def vmax(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = the larger of a and b in each half or byte, masked and combined with c as in vadd2.

    example: vmax2.u32.u32.u32 0x8000ffff, 0x00010001, 0 -> 0x8000ffff
    example: vmax4.s32.s32.s32.add 0x80ff0105, 0xff7f0203, 0 -> 133
    """
    return each(ops, i, ops.maximum, a, b, c)


COMPARISON: dict[str, Any] = {
    "atype": TYPE, "btype": TYPE, "cmp": "eq ne lt le gt ge", "d": "u32", "a": "register atype", "b": "register btype",
    "c": "register u32", "section": "9.7.18.2.2",
}  # fmt: skip


@simd_video("vset2.atype.btype.cmp vset4.atype.btype.cmp", **COMPARISON)
def vset(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = 1 or 0 in each half or byte for a cmp b, masked and combined with c as in vadd2.

    example: vset2.s32.s32.lt 0xffff0001, 0x00000001, 0 -> 0x00010000
    example: vset2.u32.s32.eq.add 0xffff0001, 0xffff0001, 41 -> 42
    example: vset4.u32.u32.ge 0x01020304, 0x04030201, 0xaaaaaaaa -> 0xaa00aa01.b20
    """
    return each(ops, i, lambda x, y: ops.cast(ops.compare(i.cmp, x, y), S32), a, b, c)
