"""The examples in the docstrings of the instructions are true."""

import pytest

from emulator.isa.registry import Example, entries
from tests.isa.examples import all_examples, check_example, is_computed

EXAMPLES = list(all_examples())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 500


@pytest.mark.parametrize("example", [pytest.param(e, id=f"{e.opcode} {', '.join(e.inputs)}") for _, e in EXAMPLES])
def test_example(example: Example) -> None:
    assert check_example(example) == []


def test_every_mnemonic_has_an_example() -> None:
    have = {entry.mnemonic for entry, _ in EXAMPLES}
    assert {entry.mnemonic for entry in entries() if is_computed(entry)} - have == set()


@pytest.mark.parametrize(
    ("opcode", "inputs", "results"),
    [
        ("add.u32", ("1", "2"), ("4",)),
        ("setp.lt.s32", ("1", "2"), ("true", "true")),
        ("add.u32", ("1", "2"), ("3", "3")),
    ],
)
def test_finds_a_false_example(opcode: str, inputs: tuple[str, ...], results: tuple[str, ...]) -> None:
    assert check_example(Example(opcode, inputs, results)) != []
