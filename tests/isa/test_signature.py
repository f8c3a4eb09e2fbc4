"""Syntax lines of the manual become matchers."""

from __future__ import annotations

import pytest

from emulator.isa.signature import OperandPair, OperandSpec, Signature, signature
from emulator.ptx_types import TYPES


def match(compiled: Signature, opcode: str) -> dict[str, object] | None:
    word, *parts = opcode.split(".")
    assert word == compiled.mnemonic
    return compiled.match(tuple(parts))


def operands(compiled: Signature) -> list[OperandSpec]:
    assert all(isinstance(spec, OperandSpec) for spec in compiled.operands)
    return list(compiled.operands)  # type: ignore[arg-type]


def test_placeholders_and_literals() -> None:
    add = signature("add{.sat}.type d, a, b", type="s32 u32")
    assert match(add, "add.s32") == {"sat": None, "type": TYPES["s32"]}
    assert match(add, "add.sat.u32") == {"sat": True, "type": TYPES["u32"]}
    assert match(add, "add") is None
    assert match(add, "add.s64") is None
    assert match(add, "add.s32.sat") is None
    assert match(add, "add.sat.sat.s32") is None


def test_only_type_placeholders_hold_types() -> None:
    odd = signature("x.dtype.mode d", dtype="u8", mode="b16 lo", d="dtype")
    assert match(odd, "x.u8.b16") == {"dtype": TYPES["u8"], "mode": "b16"}


def test_optional_parts_give_way() -> None:
    line = signature("ld{.weak}{.ss}{.type} d, [a]", ss="global shared", type="u32", d="u32")
    assert match(line, "ld.u32") == {"weak": None, "ss": None, "type": TYPES["u32"]}
    assert match(line, "ld.shared") == {"weak": None, "ss": "shared", "type": None}
    assert match(line, "ld.shared.weak") is None


def test_names_with_colons() -> None:
    line = signature("st{.L2::cache_hint}.space.type [a], b", space="shared::cta global", type="u32")
    assert match(line, "st.L2::cache_hint.shared::cta.u32") == {
        "L2_cache_hint": True,
        "space": "shared::cta",
        "type": TYPES["u32"],
    }


def test_loose_order_keeps_the_order_of_types() -> None:
    line = signature("set.op{.ftz}.dtype.stype d, a", op="eq lt", dtype="u32 f16", stype="u32 f16", loose=True)
    wanted = {"op": "lt", "ftz": True, "dtype": TYPES["f16"], "stype": TYPES["u32"]}
    for opcode in ("set.lt.ftz.f16.u32", "set.f16.ftz.u32.lt", "set.f16.lt.u32.ftz"):
        assert match(line, opcode) == wanted
    narrow = signature("set.op.dtype.stype d, a", op="eq", dtype="u32", stype="f16", loose=True)
    assert match(narrow, "set.eq.u32.f16") is not None
    assert match(narrow, "set.eq.f16.u32") is None
    assert match(narrow, "set.u32.f16") is None
    assert match(narrow, "set.eq.eq.u32.f16") is None


def test_one_modifier_may_be_nailed_to_the_front() -> None:
    line = signature("mad.mode.cc.type d, a", mode="hi lo", type="u32", loose=True, first="mode")
    assert match(line, "mad.lo.u32.cc") == match(line, "mad.lo.cc.u32") != None  # noqa: E711
    assert match(line, "mad.cc.lo.u32") is None
    assert match(line, "mad.u32.lo.cc") is None
    assert match(line, "mad") is None


def test_results_stand_first() -> None:
    assert [spec.is_result for spec in operands(signature("bfi.type f, a, b, c, d", type="b32"))] == [True] + [
        False
    ] * 4
    assert [spec.is_result for spec in operands(signature("st.type [a], d", type="b32"))] == [False, False]
    assert [spec.is_result for spec in operands(signature("x.type d0, d1, a", type="b32"))] == [True, True, False]


def test_operand_types() -> None:
    line = signature("mad.wide.type d, a, b, c", type="u16 s32", d="wide type", b="u32", c="wide type")
    found = match(line, "mad.wide.s32")
    assert found is not None
    kinds = [spec.resolve(found) for spec in operands(line)]
    assert [kind.name for kind in kinds if kind] == ["s64", "s32", "u32", "s64"]


def test_a_literal_type_is_no_placeholder() -> None:
    line = signature("slct.dtype.f32 d, c", dtype="u64", d="dtype", c="f32")
    found = match(line, "slct.u64.f32")
    assert found is not None
    assert [spec.resolve(found) for spec in operands(line)] == [TYPES["u64"], TYPES["f32"]]


def test_a_size_placeholder_gives_types_too() -> None:
    line = signature("cvta.space.size p, a", space="global", size="u64", p="size", a="size special")
    found = match(line, "cvta.global.u64")
    assert found is not None
    assert {spec.resolve(found) for spec in operands(line)} == {TYPES["u64"]}
    assert operands(line)[1].flags == {"special"}


def test_pairs_negation_and_optional_operands() -> None:
    setp = signature("setp.type p{|q}, a, {!}c", type="u32", p="pred sink", q="pred", c="pred")
    pair, a, c = setp.operands
    assert isinstance(pair, OperandPair)
    assert (pair.first.name, pair.second.name, pair.second_optional) == ("p", "q", True)
    assert pair.first.flags == {"sink"}
    assert isinstance(a, OperandSpec)
    assert isinstance(c, OperandSpec)
    assert (a.negatable, c.negatable) == (False, True)
    elect = signature("elect.sync d|p, m", d="u32", p="pred", m="u32").operands[0]
    assert isinstance(elect, OperandPair)
    assert not elect.second_optional
    barrier = signature("bar.sync a{, b}", a="u32", b="u32")
    assert [spec.optional for spec in operands(barrier)] == [False, True]
    assert barrier.operand_counts == (1, 2)


def test_addresses_and_vectors() -> None:
    line = signature("ld.vec.type d, [a]{, e}", vec="v2 v4", type="u32", d="vec type", e="b64")
    d, a, e = operands(line)
    assert (d.flags, a.kind, a.type_name, e.optional) == ({"vec"}, "address", "", True)
    fixed = operands(signature("mma.type d, a", type="f32", d="4 type", a="2 b32"))
    assert [(spec.count, spec.type_name) for spec in fixed] == [(4, "type"), (2, "b32")]


def test_describes_its_parts() -> None:
    line = signature("add{.sat}.type d, a", type="s32")
    assert [slot.describe() for slot in line.slots] == ["{.sat}", ".type"]
    assert line.unknown_part(("sat", "f32")) == "f32"
    assert line.unknown_part(("sat", "s32")) is None


@pytest.mark.parametrize(
    ("line", "keywords", "message"),
    [
        ("add.type d, a", {"type": "u32", "e": "u32"}, "no part named"),
        ("add.type d, a", {"type": "u32", "a": "u33"}, "is no type"),
        ("add.type d, a", {"type": "u32", "a": "u32 s32"}, "names 2 types"),
        ("add.type d, a", {"type": "u32", "a": "sink"}, "names 0 types"),
        ("add..type d", {"type": "u32"}, "cannot read"),
        ("add.type d a", {"type": "u32"}, "cannot read the operands"),
        (".type d", {"type": "u32"}, "no mnemonic"),
        ("add.type d", {"type": "u32", "first": "type"}, "not loose"),
    ],
)
def test_wrong_lines_are_refused(line: str, keywords: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        signature(line, **keywords)
