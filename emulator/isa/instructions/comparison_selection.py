"""9.7.6 Comparison and selection instructions, 9.7.7 half precision comparison instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.isa.floats import ONE, flush
from emulator.isa.ops import F32, Ops, Value
from emulator.isa.packed import pack, unpack, unsigned
from emulator.isa.registry import Meaning, Variant, instruction
from emulator.ptx_types import TYPES, ScalarType

OF_SIGNED = ["eq", "ne", "lt", "le", "gt", "ge"]
OF_UNSIGNED = [*OF_SIGNED, "lo", "ls", "hi", "hs"]
OF_FLOATS = [*OF_SIGNED, "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"]
OPERATORS = "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan"
UNSIGNED_WORDS = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
NUMBERS = "b16 b32 b64 u16 u32 u64 s16 s32 s64 f32 f64"
HALVES = {".f16": "4.2 sm_53", ".f16x2": "4.2 sm_53", ".bf16": "7.8 sm_90", ".bf16x2": "7.8 sm_90"}


def wrong_comparison(i: Variant) -> str | None:
    """What is wrong with a comparison: the operator for this type of number, or .ftz."""
    kind: ScalarType = i.get("stype") or i.type
    admitted = {"b": OF_SIGNED[:2], "s": OF_SIGNED, "u": OF_UNSIGNED}.get(kind.kind, OF_FLOATS)
    if i.CmpOp not in admitted:
        return f".{i.CmpOp} does not compare {kind}; it has {' '.join('.' + word for word in admitted)}"
    if i.get("ftz") and kind.name not in ("f16", "f16x2", "f32"):
        return f".ftz is for .f32, .f16 and .f16x2, not for {kind}"
    if i.get("ftz") and i.get("dtype") and i.dtype.name == "bf16":
        return ".ftz does not go with a result of .bf16"
    return None


def relation(ops: Ops, i: Variant, a: Value, b: Value) -> Value:
    """a CmpOp b.  Floats: -0 equals 0, a NaN makes ordered operators false and the others true."""
    if a.type.kind in "usb":
        return ops.compare(UNSIGNED_WORDS.get(i.CmpOp, i.CmpOp), a, b)
    if i.get("ftz"):
        a, b = flush(ops, a), flush(ops, b)
    if a.type.name == "bf16":
        a, b = ops.fconvert(a, F32), ops.fconvert(b, F32)
    return ops.fcompare(i.CmpOp, a, b)


def combine(ops: Ops, i: Variant, t: Value, c: Value | None) -> Value:
    """t BoolOp c; t alone where there is no BoolOp."""
    if c is None:
        return t
    return {"and": ops.and_, "or": ops.or_, "xor": ops.xor}[i.BoolOp](t, c)


def truth(ops: Ops, t: Value, kind: ScalarType) -> Value:
    """What set writes for a predicate: 1.0 for a float type, all ones for an integer, else 0."""
    bits = unsigned(kind)
    yes = ONE.get(kind.name, -1)
    return ops.view(ops.select(t, ops.const(bits, yes), ops.const(bits, 0)), kind)


def comparison(line: str, *, section: str, **types: Any) -> Callable[[Meaning], Meaning]:
    """Register a comparison under two lines: as it stands, and with .BoolOp and its predicate {!}c."""
    word, tail = line.split(".", 1)
    head = f"{word}.CmpOp{{.ftz}}.{tail}"
    combined = f"{word}.CmpOp.BoolOp{{.ftz}}.{tail}, {{!}}c"
    half = HALVES if section.startswith("9.7.7") else None
    options: dict[str, Any] = {"section": section, "since": half, "check": wrong_comparison, "loose": True}
    plain = instruction(head, CmpOp=OPERATORS, **options, **types)
    boolean = instruction(combined, CmpOp=OPERATORS, BoolOp="and or xor", c="pred", **options, **types)
    return lambda meaning: boolean(plain(meaning))


OPERANDS: dict[str, Any] = {"d": "dtype", "a": "stype", "b": "stype"}
# ptxas takes integer registers, but not .f16 ones, for a result of bf16 or bf16x2.
BF16: dict[str, Any] = {**OPERANDS, "d": "u16", "dtype": "bf16", "section": "9.7.7.1"}
BF16X2: dict[str, Any] = {**OPERANDS, "d": "u32", "dtype": "bf16x2", "section": "9.7.7.1"}


@comparison("set.dtype.stype d, a, b", dtype="u32 s32 f32", stype=NUMBERS, **OPERANDS, section="9.7.6.1")
@comparison("set.dtype.stype d, a, b", dtype="f16", stype=f"{NUMBERS} f16", **OPERANDS, section="9.7.7.1")
@comparison("set.dtype.stype d, a, b", stype=f"{NUMBERS} f16", **BF16)
@comparison("set.dtype.stype d, a, b", dtype="u16 s16 u32 s32", stype="f16 bf16", **OPERANDS, section="9.7.7.1")
@comparison("set.dtype.stype d, a, b", stype="bf16", **BF16)
def set_(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = all ones (1.0 for a float type) if (a CmpOp b) BoolOp c, else 0.

    Operators ending in u, and .nan, are true where a or b is NaN; the other float operators are false there.

    example: set.lt.u32.s32 -1, 0 -> 0xffffffff
    example: set.hi.f32.u32 -1, 0 -> 0f3f800000
    example: set.eq.s32.f64 0d0000000000000000, 0d8000000000000000 -> -1
    example: set.ne.u32.f32 0f7fffffff, 0f00000000 -> 0
    example: set.neu.xor.u32.f32 0f7fffffff, 0f00000000, true -> 0
    example: set.lt.ftz.u32.f32 0f80000001, 0f00000001 -> 0
    example: set.num.bf16.f32 0f7f800000, 0f00000000 -> 0x3f80
    example: set.ge.and.f16.s64 3, -4, true -> 0x3c00
    example: set.gtu.u16.bf16 0x7fc0, 0x0000 -> 0xffff
    """
    return truth(ops, combine(ops, i, relation(ops, i, a, b), c), i.dtype)


@comparison("set.dtype.stype d, a, b", dtype="f16x2 u32 s32", stype="f16x2", **OPERANDS, section="9.7.7.1")
@comparison("set.dtype.stype d, a, b", dtype="u32 s32", stype="bf16x2", **OPERANDS, section="9.7.7.1")
@comparison("set.dtype.stype d, a, b", stype="bf16x2", **BF16X2)
def set_pair(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> Value:
    """d = in each half all ones (1.0 for a float type) if (a CmpOp b) BoolOp c, else 0.

    example: set.lt.u32.f16x2 0x3c00bc00, 0x00008000 -> 0x0000ffff
    example: set.equ.or.bf16x2.bf16x2 0x7fc00000, 0x00003f80, false -> 0x3f800000
    """
    element = TYPES[i.stype.name.removesuffix("x2")]
    half = TYPES["u16"] if i.dtype.is_integer else element
    pairs = zip(unpack(ops, a, element), unpack(ops, b, element), strict=True)
    return pack(ops, [truth(ops, combine(ops, i, relation(ops, i, x, y), c), half) for x, y in pairs], i.dtype)


PREDICATES: dict[str, Any] = {"p": "pred sink", "q": "pred sink"}


@comparison("setp.type p{|q}, a, b", type=NUMBERS, **PREDICATES, section="9.7.6.2")
@comparison("setp.type p, a, b", type="f16 bf16", p="pred sink", section="9.7.7.2")
def setp(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> tuple[Value, Value]:
    """p = (a CmpOp b) BoolOp c, q = not (a CmpOp b) BoolOp c.

    Operators ending in u, and .nan, are true where a or b is NaN; the other float operators are false there.

    example: setp.lt.s32 0x80000000, 1 -> true, false
    example: setp.lt.u32 0x80000000, 1 -> false, true
    example: setp.hs.u16 0xffff, 0xffff -> true, false
    example: setp.ne.b64 1, 0x100000001 -> true, false
    example: setp.eq.f32 0f00000000, 0f80000000 -> true, false
    example: setp.ne.f64 0d7ff8000000000000, 0d0000000000000000 -> false, true
    example: setp.nan.f32 0f3f800000, 0f7f800001 -> true, false
    example: setp.eq.ftz.f32 0f00000001, 0f807fffff -> true, false
    example: setp.lt.and.s32 1, 2, false -> false, false
    example: setp.lt.or.s32 2, 1, false -> false, true
    example: setp.lt.xor.s32 1, 2, true -> false, true
    example: setp.ge.f16 0x0001, 0x8001 -> true
    example: setp.ltu.bf16 0x3f80, 0x7fff -> true
    """
    t = relation(ops, i, a, b)
    return combine(ops, i, t, c), combine(ops, i, ~t, c)


@comparison("setp.type p{|q}, a, b", type="f16x2 bf16x2", **PREDICATES, section="9.7.7.2")
def setp_pair(ops: Ops, i: Variant, a: Value, b: Value, c: Value | None = None) -> tuple[Value, ...]:
    """p = (a CmpOp b) BoolOp c of the low halves, q of the high halves.

    example: setp.lt.f16x2 0x3c00bc00, 0x00000000 -> true, false
    example: setp.eq.ftz.f16x2 0x000103ff, 0x80000000 -> true, true
    example: setp.num.and.bf16x2 0x7f807fc0, 0x00000000, true -> false, true
    """
    element = TYPES[i.type.name.removesuffix("x2")]
    pairs = zip(unpack(ops, a, element), unpack(ops, b, element), strict=True)
    return tuple(combine(ops, i, relation(ops, i, x, y), c) for x, y in pairs)


@instruction("selp.type d, a, b, {!}c", type=NUMBERS, c="pred", section="9.7.6.3")
def selp(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a if c, else b; bits are kept, those of a NaN too.

    example: selp.b32 1, 2, true -> 1
    example: selp.s64 1, -2, false -> -2
    example: selp.f32 0f7f800001, 0f80000000, true -> 0f7f800001
    """
    return ops.select(c, a, b)


@instruction("slct.dtype.s32 d, a, b, c", dtype=NUMBERS, d="dtype", a="dtype", b="dtype", c="s32", section="9.7.6.4")
def slct(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a if c >= 0, else b; bits are kept.

    example: slct.u32.s32 1, 2, 0 -> 1
    example: slct.f64.s32 0d7ff0000000000001, 0d0000000000000000, 0x7fffffff -> 0d7ff0000000000001
    example: slct.b16.s32 1, 2, 0x80000000 -> 2
    """
    return ops.select(c >= 0, a, b)


@instruction(
    "slct{.ftz}.dtype.f32 d, a, b, c", dtype=NUMBERS, d="dtype", a="dtype", b="dtype", c="f32", section="9.7.6.4"
)
def slct_f32(ops: Ops, i: Variant, a: Value, b: Value, c: Value) -> Value:
    """d = a if c >= 0, else b; -0 selects a, a NaN selects b, under .ftz a negative subnormal selects a.

    example: slct.u32.f32 1, 2, 0f80000000 -> 1
    example: slct.u32.f32 1, 2, 0f80000001 -> 2
    example: slct.ftz.u32.f32 1, 2, 0f80000001 -> 1
    example: slct.s64.f32 1, 2, 0f7fffffff -> 2
    example: slct.f32.f32 0f7f800001, 0f00000000, 0f7f800000 -> 0f7f800001
    """
    c = flush(ops, c) if i.ftz else c
    return ops.select(ops.fcompare("ge", c, ops.const(F32, 0.0)), a, b)
