"""The cases that are recorded: all there, legal PTX, and asking what they should ask."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emulator.crosscheck import counters, operands
from emulator.crosscheck.case import Case
from emulator.crosscheck.cases import GROUPS, cases_of, units
from emulator.crosscheck.recordings import record
from emulator.crosscheck.stand_in import StandIn
from emulator.isa import approximate
from emulator.isa.registry import entries
from emulator.parse import parse
from tests.crosscheck import kernels
from tests.lane_backend import LaneBackend, value

HARDWARE_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")
CASES = {group: kernels.cases(group) for group in GROUPS}


@pytest.mark.parametrize("group", GROUPS)
def test_names_are_unique_and_outputs_are_buffers(group: str) -> None:
    cases = CASES[group]
    assert max(Counter(case.name for case in cases).values()) == 1
    for case in cases:
        assert case.group == group
        assert set(case.outputs) <= {name for name, source in case.arguments if not source.startswith("=")}
        declared = re.search(rf"\.entry {case.kernel}\s*\(([^)]*)\)", case.ptx)
        assert declared is not None, case.name
        assert declared[1].count(".param") == len(case.arguments), case.name


def test_an_unknown_group_is_none() -> None:
    with pytest.raises(KeyError):
        list(cases_of("nothing"))


def test_every_instruction_that_computes_is_asked() -> None:
    asked = {case.name.split(".")[0].split()[0] for case in CASES["opcodes"]}
    computing = {entry.mnemonic for entry in entries() if entry.kind in ("lane", "warp")}
    others = {"activemask", "bar", "elect", "getctarank", "ld", "ldu", "mapa", "mov", "st"}  # probes, or no function
    assert computing - asked == others
    assert len(CASES["opcodes"]) > 1000


def test_a_family_of_opcodes_is_asked_for_ten_thousand_results_and_for_its_examples() -> None:
    results: Counter[str] = Counter()
    shown = set()
    for case in CASES["opcodes"]:
        word = case.name.split(".")[0].split()[0]
        results[word] += case.grid[0] * case.block[0]
        shown |= {word for _, source in case.arguments if source.startswith("edges") and len(source.split()) > 5}
    assert min(results.values()) >= 16_384
    told = re.search(r"([\d,]+) results in all, at least ([\d,]+) of each of (\d+) mnemonics", HARDWARE_PAGE)
    assert told is not None
    least = min(results.values())
    assert [int(n.replace(",", "")) for n in told.groups()] == [sum(results.values()), least, len(results)]
    with_lanes_carry_or_constants = {"addc", "lop3", "madc", "match", "redux", "shfl", "subc", "vote"}
    assert set(results) - shown == with_lanes_carry_or_constants


def test_every_question_has_a_guess_or_says_what_it_asks() -> None:
    for case in CASES["probes"]:
        assert case.question.endswith("?")
    assert sum(bool(case.guess) for case in CASES["probes"]) > 25


def sampled() -> Iterator[Case]:
    for group in GROUPS:
        yield from random.Random(group).sample(CASES[group], min(3, len(CASES[group])))


@pytest.mark.parametrize("case", list(sampled()), ids=lambda case: f"{case.group}-{case.name}")
def test_a_case_is_legal_ptx(case: Case, tmp_path: Path) -> None:
    ptxas = shutil.which("ptxas")
    if ptxas is None:
        assert parse(case.ptx).entries
        return
    file = tmp_path / "k.ptx"
    file.write_text(case.ptx)
    done = subprocess.run([ptxas, "-arch=sm_90a", "-O0", str(file), "-o", "/dev/null"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_all_cases_are_legal_ptx(group: str, tmp_path: Path) -> None:
    """All of a group."""
    for case in CASES[group]:
        test_a_case_is_legal_ptx(case, tmp_path)


def test_the_hash_of_a_unit_is_that_of_its_results() -> None:
    case = next(case for case in CASES["units"] if case.name == "rcp.approx.ftz.f32")
    case = replace(case, short=()).part(2)
    (answer,) = record(StandIn(engine="native"), "units", [case], "2026-01-01").answers
    for block, found in zip((0, 65535), answer.outputs[0].tolist(), strict=True):
        inputs = (np.uint32(block << 16) + np.arange(65536, dtype=np.uint32)).view(np.float32)
        ops = LaneBackend(65536)
        words = approximate.rcp(ops, value(ops, "f32", inputs)).data.view(np.uint32).tolist()
        digest = units.OFFSET_BASIS
        for word in words:
            digest = (digest ^ word) * units.PRIME & (1 << 64) - 1
        assert digest == found


# --- operands -------------------------------------------------------------------------------------------


def test_random_bits_are_the_same_everywhere() -> None:
    words = operands.raw_bits(1, "x", 2).tolist()
    assert words == [15783344767938739475, 8715775266887860500]


@pytest.mark.parametrize("kind", ["f16", "bf16", "f32", "f64"])
def test_edges_of_floats_hold_all_classes(kind: str) -> None:
    fraction, exponent = operands.FLOAT_BITS[kind]
    found = operands.float_edges(kind)
    exponents = {bits >> fraction & (1 << exponent) - 1 for bits in found}
    assert {0, 1, (1 << exponent) - 1, (1 << exponent - 1) - 1} <= exponents
    assert len(set(found)) == len(found) >= 36


def test_every_pair_of_edges_meets() -> None:
    edges = operands.edges_of("u32", 32)
    a, b = (operands.operand("u32", 32, 4096, 1, n).tolist() for n in (0, 1))
    assert {(x, y) for x in edges for y in edges} <= set(zip(a, b, strict=True))


# --- the profiler ---------------------------------------------------------------------------------------

TABLE = """==PROF== Connected
"ID","Process ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"""


def test_the_profilers_table_is_read_in_order() -> None:
    cases = CASES["patterns"][:2]
    rows = [
        f'"{launch}","7","k","{metric}","","{1000 * launch + number:,}"'
        for launch in (0, 1)
        for number, metric in enumerate(counters.METRICS.values())
    ]
    found = counters.read_table(TABLE + "\n".join(rows), cases)
    assert found[cases[1].name]["global sectors"] == 1001
    assert list(found) == [case.name for case in cases]
    with pytest.raises(ValueError, match="2 launches of 20"):
        counters.read_table(TABLE + "\n".join(rows), CASES["patterns"])


def test_what_is_profiled_is_one_launch_a_pattern() -> None:
    gpu = StandIn()
    assert counters.launch_all(gpu, CASES["patterns"]) == gpu.launches == 20
    assert counters.command("ncu")[-3:][1:] == ["-m", "emulator.crosscheck.counters"]


def test_no_profiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert counters.measure() == ({}, "there is no ncu on PATH")
