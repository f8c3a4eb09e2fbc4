"""Whole texts: every form of ptxas, what nvcc writes, the printer's round trip, and mutations of them all."""

from __future__ import annotations

import hashlib
import lzma
import random
import re
from pathlib import Path

import pytest

from emulator.errors import PtxSyntaxError
from emulator.parse import Token, fast, parse, print_module, tokens
from emulator.parse.nodes import Block, Instruction, Statement
from tests import forms

TESTS = Path(__file__).resolve().parent.parent
BENCH = sorted((TESTS / "data" / "bench").glob("*.ptx"))
NVCC = sorted((TESTS / "parse" / "nvcc").glob("*.ptx.xz"))

# Refused by ptxas's grammar and not by ours: what a target may be set twice for, and an opcode that the
# decoder refuses.  Refused by our grammar and by a later check of ptxas: types and initialisers.
ONLY_PTXAS_CALLS_IT_SYNTAX = {"r0827", "r0892"}
ONLY_WE_CALL_IT_SYNTAX = {"r0436", "r0836", "r0871"}


def instructions(statements: list[Statement]) -> list[Instruction]:
    found: list[Instruction] = []
    for statement in statements:
        if isinstance(statement, Block):
            found += instructions(statement.statements)
        elif isinstance(statement, Instruction):
            found.append(statement)
    return found


def nvcc_text(path: Path) -> str:
    return lzma.decompress(path.read_bytes()).decode()


@pytest.mark.parametrize("name", ["forms", "rejected"])
def test_the_forms_are_the_recorded_ones(name: str) -> None:
    folder = TESTS / "data" / "ptx_forms"
    digest = hashlib.sha256(lzma.decompress((folder / f"{name}.jsonl.xz").read_bytes())).hexdigest()
    assert f"{name}.jsonl `{digest}`" in (folder / "README.md").read_text()


def test_every_form_of_ptxas_parses_and_prints_back() -> None:
    parsed = 0
    for record in forms.accepted():
        arch = "sm_90a" if "sm_90a" in record["targets"] else record["targets"][0]
        module = parse(forms.source(record, arch), record["id"])
        assert parse(print_module(module)) == module, record["id"]
        parsed += 1
    assert parsed == 9043


def test_refused_forms_parse_unless_their_grammar_is_wrong() -> None:
    refused = set()
    for record in forms.rejected():
        try:
            module = parse(forms.source(record), record["id"])
        except PtxSyntaxError:
            refused.add(record["id"])
        else:
            assert parse(print_module(module)) == module, record["id"]
    assert len(forms.rejected()) == 630
    by_ptxas = {record["id"] for record in forms.rejected() if record["message"].startswith("Parsing error")}
    assert by_ptxas - refused == ONLY_PTXAS_CALLS_IT_SYNTAX
    assert refused - by_ptxas == ONLY_WE_CALL_IT_SYNTAX


def test_the_place_of_every_operand_spells_the_operand() -> None:
    checked = 0
    for record in forms.accepted()[::7]:
        module = parse(forms.source(record))
        for function in module.functions.values():
            for instruction in instructions(function.body.statements if function.body else []):
                spans = module.operand_spans(instruction)
                written = [module.source.text[start:end] for start, end in spans]
                bare = Instruction("mov", instruction.operands)
                again = parse(WRAPPER.format("call" if "(" in "".join(written) else "mov", ", ".join(written)))
                found = instructions(again.functions["f"].body.statements)[0]  # type: ignore[union-attr]
                assert found.operands == bare.operands, record["id"]
                checked += 1
    assert checked > 2500


WRAPPER = ".version 9.0\n.target sm_90a\n.func f() {{ {} {}; }}"


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.name)
def test_benchmark_kernels_parse(path: Path) -> None:
    module = parse(path.read_bytes(), path.name)
    assert [entry.name for entry in module.entries] == [path.stem]
    assert parse(print_module(module)) == module


@pytest.mark.parametrize(("name", "count"), [("plain", 155), ("lineinfo", 155), ("debug", 295)])
def test_what_nvcc_writes_parses(name: str, count: int) -> None:
    text = nvcc_text(TESTS / "parse" / "nvcc" / f"{name}.ptx.xz")
    module = parse(text, name)
    assert sorted(entry.name for entry in module.entries) == [
        "_Z15inline_assemblyPyj",
        "_Z8indirect8SettingsPii",
        "_Z8switchesPii",
    ]
    bodies = [function.body for function in module.functions.values() if function.body]
    assert sum(len(instructions(body.statements)) for body in bodies) == count
    assert parse(print_module(module)) == module


def whole_texts() -> list[str]:
    sampled = [forms.source(record) for record in forms.accepted()[::40]]
    return [*sampled, *(path.read_text() for path in BENCH), nvcc_text(NVCC[-1])]


def test_the_fast_way_and_the_slow_way_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = whole_texts()
    modules = [parse(text) for text in texts]
    spans = [places(text) for text in texts]
    monkeypatch.setattr(fast.FastStatements, "read", lambda self, at, statements: at)
    for text, module, span in zip(texts, modules, spans, strict=True):
        assert parse(text) == module
        assert places(text) == span


def places(text: str) -> list[tuple[int, int]]:
    bodies = [function.body for function in parse(text).functions.values()]
    return [statement.span for body in bodies if body for statement in body.statements]


@pytest.mark.parametrize("text", whole_texts()[::10])
def test_tokens_cover_a_text_but_for_white_space(text: str) -> None:
    at = 0
    for token in tokens(text):
        assert text[at : token.span.start].strip() == ""
        assert text[token.span.start : token.span.end] == token.text
        assert token.kind != "error", token
        at = token.span.end
    assert text[at:].strip() == ""


def test_opcodes_of_the_token_stream_are_those_of_the_module() -> None:
    for text in whole_texts():
        coloured = sorted(re.sub(r"\s", "", token.text) for token in tokens(text) if token.kind == "opcode")
        bodies = [function.body for function in parse(text).functions.values() if function.body]
        parsed = sorted(found.opcode for body in bodies for found in instructions(body.statements))
        assert coloured == parsed


PIECES = [*';{}[]()@!,.:"/*#%$_+-?<>=|&^~\n\0', "/*", "//", "@@DWARF", "0f", "0x9", ".version", ".entry", "((", "é"]


def mutate(text: str, random_: random.Random) -> str:
    """The text with a few pieces removed, repeated, inserted or moved."""
    for _ in range(random_.randrange(1, 5)):
        at = random_.randrange(len(text) + 1)
        end = min(len(text), at + random_.randrange(1, 30))
        other = random_.randrange(len(text) + 1)
        text = random_.choice(
            [
                text[:at] + text[end:],
                text[:at] + random_.choice(PIECES) + text[at:],
                text[:at] + random_.choice(PIECES) + text[end:],
                text[:at] + text[at:end] * 3 + text[end:],
                text[:at] + text[other : other + 60] + text[at:],
                text[:at] + chr(random_.randrange(256)) + text[at:],
            ]
        )
    return text


def survive(seed: int, count: int) -> int:
    """Parse mutations; the number that is still PTX.  Anything but a PtxSyntaxError fails the test."""
    random_, texts, survivors = random.Random(seed), whole_texts(), 0
    for _ in range(count):
        text = mutate(random_.choice(texts), random_)
        assert all(isinstance(token, Token) for token in tokens(text))
        try:
            module = parse(text)
        except PtxSyntaxError as error:
            assert str(error)
            for diagnostic in error.diagnostics:
                assert diagnostic.code == "PTX-P0002" or 0 <= diagnostic.labels[0].span.start <= len(text)
        else:
            survivors += 1
            assert parse(print_module(module)) == module
    return survivors


def test_mutated_texts_are_parsed_or_diagnosed() -> None:
    assert survive(seed=1, count=2000) > 20


@pytest.mark.slow
def test_many_mutated_texts_are_parsed_or_diagnosed() -> None:
    assert survive(seed=2, count=50_000) > 500
