"""What may differ by nature, and which loops only wait."""

from __future__ import annotations

import pytest

from emulator.crosscheck.taint import ADDRESS, VALUE, find_taint, spin_loops
from emulator.parse import parse
from emulator.program import Program, link
from tests.crosscheck import kernels
from tests.kernels.regenerate import read_ptx


def program(body: str, before: str = "") -> Program:
    return link(parse(kernels.kernel(body, before)), "k")


def tainted(body: str, before: str = "", **options: bool) -> dict[str, str]:
    """The kind of taint of each tainted register, by name."""
    linked = program(body, before)
    taint = find_taint(linked, **options)
    registers = [register for function in linked.functions.values() for register in function.registers]
    return {r.name: taint.registers[r.offset][0] for r in registers if r.offset in taint.registers}


SHARED = "    .shared .align 4 .b32 fast[64];\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("    mov.u32 %r1, %clock;\n    add.u32 %r2, %r1, 1;", {"%r1": VALUE, "%r2": VALUE}),
        ("    mov.u32 %r1, %tid.x;\n    mov.u32 %r2, %laneid;", {}),
        ("    mov.u32 %r1, %smid;\n    setp.eq.u32 %p1, %r1, 0;", {"%r1": VALUE, "%p1": VALUE}),
        (f"{SHARED}    mov.u32 %r1, fast;\n    ld.shared.u32 %r2, [%r1];", {"%r1": ADDRESS}),
        ("    atom.global.add.u32 %r1, [%out], 1;\n    ld.global.u32 %r2, [%out];", {"%r1": VALUE}),
        ("    ld.acquire.gpu.global.u32 %r1, [%out];", {"%r1": VALUE}),
        ("    ld.volatile.shared.u32 %r1, [%r2];", {}),
        ("    activemask.b32 %r1;", {"%r1": VALUE}),
        (
            "    atom.global.add.u32 %r1, [%out], 1;\n    cvt.u64.u32 %rd1, %r1;\n    add.u64 %rd2, %out, %rd1;\n"
            "    ld.global.u32 %r2, [%rd2];",
            {"%r1": VALUE, "%rd1": VALUE, "%rd2": VALUE, "%r2": VALUE},
        ),
    ],
)
def test_sources_and_what_follows(body: str, expected: dict[str, str]) -> None:
    assert tainted(body) == expected


def test_pointers_differ_where_buffers_lie_elsewhere() -> None:
    body = "    ld.global.u32 %r1, [%mine];"
    assert tainted(body) == {}
    assert tainted(body, pointers_differ=True) == {"%out": ADDRESS, "%mine": ADDRESS}


def test_through_a_function() -> None:
    before = ".func (.param .b32 d) same(.param .b32 a)\n{\n    .reg .b32 %x;\n    ld.param.b32 %x, [a];\n"
    before += "    st.param.b32 [d], %x;\n    ret;\n}\n"
    body = """
    mov.u32 %r1, %smid;
    {
    .param .b32 given;
    .param .b32 taken;
    st.param.b32 [given], %r1;
    call (taken), same, (given);
    ld.param.b32 %r2, [taken];
    }
"""
    assert tainted(body, before) == {"%r1": VALUE, "%r2": VALUE, "%x": VALUE}


FLAG = "L:\n    ld.acquire.gpu.global.u32 %r1, [%out];\n    setp.eq.u32 %p1, %r1, 0;\n@%p1 bra L;"
COUNTED = "    mov.u32 %r1, 0;\nL:\n    add.u32 %r1, %r1, 1;\n    setp.lt.u32 %p1, %r1, 9;\n@%p1 bra L;"
STORING = FLAG.replace("    setp", "    st.global.u32 [%mine], 1;\n    setp")
UNRELATED = COUNTED.replace("    add", "    atom.global.add.u32 %r2, [%out], 1;\n    add", 1)
LOCK = "L:\n    atom.global.cas.b32 %r1, [%out], 0, 1;\n    setp.ne.u32 %p1, %r1, 0;\n@%p1 bra L;"


@pytest.mark.parametrize(
    ("body", "count"), [(FLAG, 1), (COUNTED, 0), (STORING, 0), (UNRELATED, 0), (LOCK, 1)], ids=range(5)
)
def test_loops_that_only_wait(body: str, count: int) -> None:
    assert len(spin_loops(program(body))) == count


def test_waiting_loops_of_compiled_kernels() -> None:
    module = parse(read_ptx("scan_look_back", "sm_90"))
    (kernel,) = module.entries
    assert len(spin_loops(link(module, kernel.name))) == 1
