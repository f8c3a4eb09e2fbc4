"""`ptxemu isa`: chapters, coverage, pages, patterns, and what is no instruction."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.commands import main
from emulator.commands.instruction_pages import coverage, is_executed
from emulator.commands.isa import find
from emulator.isa.manual_index import CHAPTERS, SECTIONS, chapter_of, pages, section_of
from emulator.isa.registry import entries

BFE_JSON = {
    "line": "bfe.type d, a, b, c",
    "mnemonic": "bfe",
    "section": "9.7.1.19",
    "chapter": "Integer Arithmetic",
    "kind": "lane",
    "version": "2.0",
    "target": "sm_20",
    "since": {},
    "modifiers": {"type": ["u32", "u64", "s32", "s64"]},
}


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["isa", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_every_mnemonic_stands_in_a_chapter() -> None:
    stdout = run()
    for section, title in CHAPTERS.items():
        assert f"{section} {title}: " in stdout
    words = set(stdout.split())
    assert {head for _, head in pages()} <= words
    assert max(map(len, stdout.splitlines())) <= 80


def test_every_syntax_line_belongs_to_a_page_of_the_manual() -> None:
    known = list(entries())
    executed = [page for page in pages() if is_executed(*page, known)]
    for entry in known:
        assert any(is_executed(*page, [entry]) for page in executed), entry.signature.line


def test_coverage_counts_pages() -> None:
    rows = coverage()
    assert sum(row.total for row in rows) == len(pages())
    lines = run("--coverage").splitlines()
    assert len(lines) == len(CHAPTERS) + 1
    assert lines[0].split() == ["9.7.1", "Integer", "Arithmetic", "24", "of", "24"]
    executed = sum(len(row.executed) for row in rows)
    assert lines[-1].startswith(f"{executed} of the manual's {len(pages())} instructions are executed, in ")
    assert [row["section"] for row in run_json("--coverage")] == list(CHAPTERS)
    assert run_json() == run_json("--coverage")


def test_what_covers_a_page() -> None:
    known = list(entries())
    assert is_executed("9.7.1.1", "add", known)
    assert is_executed("9.7.2.1", "add.cc", known)
    assert not is_executed("9.7.2.1", "add.cc", [e for e in known if "cc" not in e.signature.line])
    assert not is_executed("9.7.3.3", "add", [e for e in known if e.section.startswith("9.7.1.")])


def test_a_page() -> None:
    lines = run("bfe").splitlines()
    assert lines[:6] == [
        "bfe.type d, a, b, c",
        "    .type = .u32 .u64 .s32 .s64",
        "    needs PTX 2.0, sm_20",
        "",
        "  d = the c bits of a from bit b on, extended by the sign of type.",
        "  b and c count with their low 8 bits; what lies beyond the register is like its",
    ]
    assert "  bfe.s32 0x000000f0, 4, 4 -> 0xffffffff" in lines
    assert lines[-2] == "  manual   9.7.1.19, Integer Arithmetic Instructions"
    assert lines[-1].startswith("  meaning  emulator/isa/instructions/integer_bits.py:")
    assert max(map(len, lines)) <= 80


def test_the_place_is_that_of_the_meaning(checkout: Path) -> None:
    place = run_json("bfe")[0]["place"]
    file, _, line = place.rpartition(":")
    assert (checkout / file).read_text().splitlines()[int(line) - 1].startswith("@instruction(")


def test_json() -> None:
    (found,) = run_json("bfe")
    assert {key: found[key] for key in BFE_JSON} == BFE_JSON
    assert found["meaning"].startswith("d = the c bits of a")
    assert "bfe.u32 0xabcd1234, 8, 4 -> 0x2" in found["examples"]


@pytest.mark.parametrize(
    ("pattern", "mnemonics"),
    [
        ("bfe", {"bfe"}),
        ("bf?", {"bfe", "bfi"}),
        ("ld.global.v4.f32", {"ld"}),
        ("9.7.6", {"set", "setp", "selp", "slct"}),
        ("9.7.1.1", {"add"}),
    ],
)
def test_patterns(pattern: str, mnemonics: set[str]) -> None:
    assert {entry["mnemonic"] for entry in run_json(pattern)} == mnemonics


def test_what_is_not_executed_yet_is_named_with_its_section() -> None:
    stdout = run("tcgen05")
    assert stdout.startswith("not executed yet, with the manual's section\n    tcgen05.alloc ")
    assert "    tcgen05.mma                      9.7.16.10.9.1\n" in stdout
    assert run("tex").split()[-2:] == ["tex", "9.7.10.3"]
    assert run_json("tex") == []


@pytest.mark.parametrize(("word", "near"), [("bfx", "bfe"), ("fadd", "add"), ("add.foo", "add")])
def test_an_unknown_instruction_gets_the_nearest(word: str, near: str) -> None:
    result = CliRunner().invoke(main, ["isa", word])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"no instruction {word}: did you mean" in result.stderr
    assert near in result.stderr


def test_exit_codes_of_the_process(checkout: Path) -> None:
    for arguments, code in ((("bfe",), 0), (("xyz",), 2)):
        done = subprocess.run(
            [sys.executable, "cli.py", "isa", *arguments], cwd=checkout, capture_output=True, check=False
        )
        assert done.returncode == code


def test_the_index_has_the_manuals_sections() -> None:
    assert section_of("add.s32") == "9.7.1.1"
    assert section_of("add.cc.u32") == "9.7.2.1"
    assert section_of("cp.async.bulk.tensor.2d.shared::cluster.global") == "9.7.9.27.1.2"
    assert section_of("tcgen05.mma.sp.cta_group::1") == "9.7.16.10.9.2"
    assert section_of("fadd") is None
    assert {chapter_of(section) for section, _ in pages()} == set(CHAPTERS)
    assert set(SECTIONS) - {head for _, head in pages()} == {
        "mbarrier",
        "wmma",
        "wgmma",
        "tcgen05",
        "multimem",
        "tensormap",
        "clusterlaunchcontrol",
    }


@pytest.mark.parametrize(("head", "lines"), [("multimem.st", 6), ("mbarrier.inval", 1), ("cp.async.wait_all", 1)])
def test_the_first_words_of_an_opcode_are_enough(head: str, lines: int) -> None:
    found = find(head)
    assert len(found) == lines
    assert all(entry.signature.line.startswith(head) for entry in found)
    assert find(head[:-1]) == []
