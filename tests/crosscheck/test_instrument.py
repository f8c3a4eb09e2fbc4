"""Canonical and instrumented texts: legal PTX, the same outputs, and only what belongs to it is changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.canonical import canonical, is_unqualified
from emulator.crosscheck.instrument import CONFIG, instrument
from emulator.crosscheck.job import run
from emulator.crosscheck.taint import find_taint
from emulator.crosscheck.trace import NEVER, trace
from emulator.errors import PtxError
from emulator.parse import parse
from emulator.program import link
from tests.crosscheck import kernels
from tests.kernels.regenerate import names, read_ptx

SAMPLES = ("03_shared/block_sum", "04_warp/warp_sum", "06_functions/device_function", "cuda/block_scan")


@pytest.mark.parametrize(
    ("opcode", "unqualified"),
    [
        ("add.f32", True),
        ("mul.ftz.f32", True),
        ("sub.ftz.sat.f32", True),
        ("add.f64", True),
        ("mul.f16x2", True),
        ("add.bf16", True),
        ("add.rn.f32", False),
        ("add.rz.f32", False),
        ("add.u32", False),
        ("mul.lo.s32", False),
        ("max.f32", False),
        ("fma.rn.f32", False),
    ],
)
def test_what_the_compiler_may_fuse(opcode: str, unqualified: bool) -> None:
    assert is_unqualified(opcode) == unqualified


def test_canonical_text_changes_only_roundings() -> None:
    job = kernels.sample("cuda/softmax")
    text = canonical(job.ptx)
    assert canonical(text) == text
    pairs = zip(kernels.program_of(job).instructions, link(parse(text), job.kernel).instructions, strict=True)
    changed = [(a.opcode, b.opcode) for a, b in pairs if a.opcode != b.opcode]
    assert len(changed) > 10
    assert all(b == a.replace(".", ".rn.", 1) for a, b in changed)


def test_instructions_can_be_kept() -> None:
    text = kernels.kernel("    add.f32 %f1, %f2, %f3;\n    mul.f32 %f1, %f2, %f3;")
    kept = canonical(text, keep=frozenset({8}))
    assert ("add.rn.f32" in kept, "mul.f32" in kept) == (True, True)


def instrumented(text: str, name: str, kernel: str) -> str:
    return instrument(text, name, kernel, find_taint(link(parse(text), kernel))).ptx


@pytest.mark.parametrize("name", SAMPLES)
def test_outputs_and_time_of_the_program_stay(name: str) -> None:
    job = kernels.sample(name)
    emulator = EmulatorBackend()
    right, addresses = run(emulator, job)
    traced = job.with_text(instrumented(job.ptx, job.name, job.kernel))
    found = trace(emulator, traced, addresses, (0, 0), [0] * 32, 1)
    assert [array.tobytes() for array in found.outputs] == [array.tobytes() for array in right]
    assert min(found.events[: job.shape.block.count]) > 0
    assert [len(records) for records in found.records] == [min(1024, events) for events in found.events]


def test_only_the_chosen_warp_is_recorded_and_every_stride_th_event() -> None:
    job = kernels.job("    add.u32 %r1, %i, 1;\n    add.u32 %r2, %r1, 1;\n    st.global.u32 [%mine], %r2;", block=96)
    traced = job.with_text(instrumented(job.ptx, "k.ptx", "k"))
    emulator = EmulatorBackend()
    _, addresses = run(emulator, job)
    first = [1] * 31 + [NEVER]
    found = trace(emulator, traced, addresses, (0, 2), first, 3)
    assert found.events == [9] * 32
    assert [record["event"].tolist() for record in found.records] == [[2, 5, 8]] * 31 + [[]]
    last = [record["value"][-1] for record in found.records[:31]]
    assert last == [65 + lane for lane in range(31)]  # %r1, the eighth result
    assert len(np.unique(found.hashes)) == 32


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_traced_texts_of_compiled_kernels_are_legal(name: str, tmp_path: Path) -> None:
    text = canonical(read_ptx(name, "sm_90"))
    module = parse(text)
    for kernel in module.entries:
        try:
            traced = instrumented(text, name, kernel.name)
        except PtxError:
            continue  # of a later milestone
        assert CONFIG in traced
        program = link(parse(traced), kernel.name)
        assert len(program.instructions) > 10
        ptxas = shutil.which("ptxas")
        if ptxas is not None:
            file = tmp_path / "k.ptx"
            file.write_text(traced)
            command = [ptxas, "-arch=sm_90a", "-O0", str(file), "-o", "/dev/null"]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
