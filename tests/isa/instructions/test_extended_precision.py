"""Extended-precision arithmetic: each instruction against Python's integers, and chains of them on long numbers."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.isa.examples import rows, variant_of
from tests.isa.operands import kinds_of, number, samples

WORDS = ("u32", "s32", "u64", "s64")


def verify_carry(opcode: str, count: int, oracle: Callable[..., int], *, writes: bool, borrow: bool = False) -> None:
    """Compare result and CC.CF; the oracle gets unsigned operands and the carry in, and returns the whole number."""
    kinds = kinds_of(variant_of(opcode, count))
    width = kinds[0].width
    given = samples(kinds, opcode)
    carry = [random.Random(opcode).getrandbits(1) for _ in given[0]]
    results, after = rows(opcode, *given, carry=carry)
    for lane, operands in enumerate(zip(*given, strict=True)):
        exact = oracle(*operands, carry[lane])
        out = exact >= 0 if borrow else exact >> width & 1
        assert results[lane] == exact & (1 << width) - 1, (opcode, operands, carry[lane])
        assert after[lane] == (out if writes else carry[lane]), (opcode, operands, carry[lane])


@pytest.mark.parametrize("kind", WORDS)
def test_add_sub(kind: str) -> None:
    verify_carry(f"add.cc.{kind}", 2, lambda a, b, carry: a + b, writes=True)
    verify_carry(f"addc.{kind}", 2, lambda a, b, carry: a + b + carry, writes=False)
    verify_carry(f"addc.cc.{kind}", 2, lambda a, b, carry: a + b + carry, writes=True)
    verify_carry(f"sub.cc.{kind}", 2, lambda a, b, carry: a - b, writes=True, borrow=True)
    verify_carry(f"subc.{kind}", 2, lambda a, b, carry: a - b - 1 + carry, writes=False, borrow=True)
    verify_carry(f"subc.cc.{kind}", 2, lambda a, b, carry: a - b - 1 + carry, writes=True, borrow=True)


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("mode", ["lo", "hi"])
def test_mad(kind: str, mode: str) -> None:
    scalar = kinds_of(variant_of(f"add.cc.{kind}", 2))[0]

    def part(a: int, b: int) -> int:
        whole = number(a, scalar) * number(b, scalar)
        return (whole >> scalar.width if mode == "hi" else whole) & (1 << scalar.width) - 1

    verify_carry(f"mad.{mode}.cc.{kind}", 3, lambda a, b, c, carry: part(a, b) + c, writes=True)
    verify_carry(f"madc.{mode}.{kind}", 3, lambda a, b, c, carry: part(a, b) + c + carry, writes=False)
    verify_carry(f"madc.{mode}.cc.{kind}", 3, lambda a, b, c, carry: part(a, b) + c + carry, writes=True)


def long_numbers(words: int, seed: str) -> list[int]:
    choice = random.Random(seed)
    return [choice.choice([0, 1, (1 << 32 * words) - 1, choice.getrandbits(32 * words)]) for _ in range(256)]


def word(numbers: list[int], place: int) -> list[int]:
    return [n >> 32 * place & 0xFFFFFFFF for n in numbers]


@pytest.mark.parametrize(("operation", "sign"), [("add", 1), ("sub", -1)])
def test_chain_of_four_words(operation: str, sign: int) -> None:
    a, b = long_numbers(4, operation + "a"), long_numbers(4, operation + "b")
    carry, total = [1] * len(a), [0] * len(a)
    for place, opcode in enumerate((f"{operation}.cc.u32", *[f"{operation}c.cc.u32"] * 2, f"{operation}c.u32")):
        part, carry = rows(opcode, word(a, place), word(b, place), carry=carry)
        total = [t | p << 32 * place for t, p in zip(total, part, strict=True)]
    assert total == [(x + sign * y) % (1 << 128) for x, y in zip(a, b, strict=True)]


def test_an_addition_reads_the_flag_of_a_subtraction() -> None:
    """As nvcc's 128-bit division does: 1 where nothing was borrowed."""
    a, b = [5, 5, 5, 0, 0xFFFFFFFF], [4, 5, 6, 1, 0]
    carry = rows("sub.cc.u32", a, b, carry=[0] * 5)[1]
    assert rows("addc.u32", [0] * 5, [0] * 5, carry=carry)[0] == [1, 1, 0, 0, 1]
    carry = rows("add.cc.u32", a, b, carry=[0] * 5)[1]
    assert rows("subc.u32", [9] * 5, [3] * 5, carry=carry)[0] == [5, 5, 5, 5, 5]
    carry = rows("add.cc.u32", [0xFFFFFFFF] * 5, [1] * 5, carry=[0] * 5)[1]
    assert rows("subc.u32", [9] * 5, [3] * 5, carry=carry)[0] == [6] * 5


def test_product_of_two_words_by_two() -> None:
    """The manual's example in 9.7.2.6."""
    a, b = long_numbers(2, "a"), long_numbers(2, "b")
    (r4, r5), (r6, r7), zero = (word(a, 0), word(a, 1)), (word(b, 0), word(b, 1)), [0] * len(a)
    r0, r1 = rows("mul.lo.u32", r4, r6)[0], rows("mul.hi.u32", r4, r6)[0]
    r1, carry = rows("mad.lo.cc.u32", r5, r6, r1, carry=zero)
    r2, carry = rows("madc.hi.u32", r5, r6, zero, carry=carry)
    r1, carry = rows("mad.lo.cc.u32", r4, r7, r1, carry=carry)
    r2, carry = rows("madc.hi.cc.u32", r4, r7, r2, carry=carry)
    r3, carry = rows("addc.u32", zero, zero, carry=carry)
    r2, carry = rows("mad.lo.cc.u32", r5, r7, r2, carry=carry)
    r3, carry = rows("madc.hi.u32", r5, r7, r3, carry=carry)
    found = [w0 | w1 << 32 | w2 << 64 | w3 << 96 for w0, w1, w2, w3 in zip(r0, r1, r2, r3, strict=True)]
    assert found == [x * y for x, y in zip(a, b, strict=True)]
