"""The mutation script: what it changes, that a change is seen, and a few mutants from end to end."""

import types

import pytest

from emulator.isa.registry import lookup
from tests.isa.examples import rows
from tests.mutate import (
    EQUIVALENT,
    Instruction,
    all_mutants,
    chosen,
    first_false_example,
    functions_of,
    instructions,
    mutants,
    put,
    try_apart,
)


def meaning(opcode: str) -> types.FunctionType:
    return functions_of(lookup(opcode)[0].entry.meaning)[0]


def after(opcode: str) -> set[str]:
    return {mutant.after for mutant, _ in mutants(meaning(opcode))}


def test_a_shift_is_turned_and_its_operands_mistaken() -> None:
    assert after("shl.b32") == {"a >> b", "b << a", "b << b"}


def test_limits_flushes_and_roundings_are_dropped() -> None:
    wanted = {"(a, b)", "ops.fadd(a, b, i.rnd or 'rn')", "i.rnd or 'rz'", "flushed(ops, i, b, a)"}
    assert wanted <= after("add.f32")


def test_a_mutant_is_in_force_until_the_code_is_put_back() -> None:
    function = meaning("shl.b32")
    code = function.__code__
    (tree,) = (tree for mutant, tree in mutants(function) if mutant.after == "a >> b")
    instruction = next(one for one in instructions() if one.mnemonic == "shl")
    assert first_false_example(instruction) == ""
    put(function, tree)
    try:
        assert rows("shl.b32", [8], [1]) == [[4]]
        assert first_false_example(instruction) == "example shl.b32"
    finally:
        function.__code__ = code
    assert rows("shl.b32", [8], [1]) == [[16]]


def test_equivalent_mutants_are_still_there() -> None:
    functions = {function for one in instructions() for function in one.functions}
    texts = {mutant.describe() for function in functions for mutant, _ in all_mutants(function)}
    texts |= {text.partition(":")[0] for text in texts}
    assert set(EQUIVALENT) <= texts
    assert all(reason.endswith(".") for reason in EQUIVALENT.values())


def test_most_instructions_have_mutants() -> None:
    def count(instruction: Instruction) -> int:
        return sum(len(mutants(function)) for function in instruction.functions)

    assert sum(count(one) > 0 for one in instructions()) >= 150


@pytest.mark.slow
def test_five_mutants_are_killed() -> None:
    outcomes = [try_apart(instruction, mutant) for instruction, mutant in chosen(5, seed=5)]
    assert len(outcomes) == 5
    assert [outcome.line() for outcome in outcomes if not outcome.killed_by] == []
