"""Rows of registers that are alive: which share one, and which must not."""

from __future__ import annotations

import time

import numpy as np
import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.errors import Source
from emulator.parse import parse
from emulator.program import Program, link
from emulator.program.compaction import compact
from emulator.program.dataflow import reads, writes
from tests.benchmarks.long_kernel import long_kernel

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
REGISTERS = ".reg .pred %p<4>; .reg .b32 %r<10>; .reg .b64 %d<6>;"
ENGINES = ("reference", "native")


def text_of(body: str) -> str:
    return f"{HEAD}.visible .entry k(.param .u64 out)\n{{\n{REGISTERS}\n{body}\n}}\n"


def program_of(body: str) -> Program:
    return link(parse(Source(text_of(body))), "k")


def rows_of(body: str) -> dict[str, int]:
    """The offset of each register after compaction, by name."""
    found: dict[str, int] = {}
    for instruction in compact(program_of(body)).instructions:
        found |= {register.name: register.offset for register in [*reads(instruction), *writes(instruction)]}
    return found


def test_a_row_is_free_for_the_result_of_the_instruction_that_reads_it_last() -> None:
    rows = rows_of("mov.u32 %r0, %tid.x;\nadd.u32 %r1, %r0, 1;\nadd.u32 %r2, %r1, 1;\nadd.u32 %r3, %r2, %r2;")
    assert len(set(rows.values())) == 1


def test_two_results_of_one_instruction_have_two_rows() -> None:
    rows = rows_of("mov.u32 %r0, 1;\nmov.b64 %d0, {%r0, %r0};\nmov.b64 {%r1, %r2}, %d0;")
    assert rows["%r1"] != rows["%r2"]


def test_a_result_that_nobody_reads_has_its_row_for_itself_too() -> None:
    """It is the last mention of its register, and the other result the first of another one."""
    body = "mov.u32 %r0, 1;\nmov.b64 %d0, {%r0, %r0};\nmov.b64 {%r1, %r0}, %d0;\nadd.u32 %r2, %r1, 1;"
    rows = rows_of(body)
    assert rows["%r1"] != rows["%r0"]


def test_a_value_that_a_loop_brings_back_keeps_its_row_through_the_loop() -> None:
    body = """mov.u32 %r0, 0;
    mov.u32 %r1, 1;
    LOOP: add.u32 %r2, %r0, %r1;
    add.u32 %r3, %r2, 1;
    add.u32 %r0, %r3, 1;
    setp.lt.u32 %p0, %r0, 100;
    @%p0 bra LOOP;
    """
    rows = rows_of(body)
    assert rows["%r1"] not in (rows["%r0"], rows["%r2"], rows["%r3"])
    assert rows["%r2"] == rows["%r0"] or rows["%r3"] == rows["%r2"]


def test_a_register_that_only_some_lanes_write_keeps_the_others_zeros() -> None:
    body = "mov.u32 %r0, 5;\nsetp.eq.u32 %p0, %r0, 5;\n@%p0 mov.u32 %r1, 7;\nadd.u32 %r2, %r1, 1;"
    rows = rows_of(body)
    assert rows["%r1"] != rows["%r0"]


ZEROS = """
    ld.param.u64 %d0, [out];
    mov.u32 %r0, %tid.x;
    setp.eq.u32 %p0, %r0, 5;
    @%p0 mov.u32 %r1, 7;
    add.u32 %r2, %r1, 1;
    atom.global.add.u32 %r9, [%d0], %r2;
    mov.u32 %r3, -1; mov.u32 %r4, -1; mov.u32 %r5, -1; mov.u32 %r6, -1; mov.u32 %r7, -1;
    add.u32 %r3, %r3, %r4; add.u32 %r5, %r6, %r7; add.u32 %r3, %r3, %r5; add.u32 %r3, %r3, %r9;
    st.global.u32 [%d0+4], %r3;
    ret;
"""


def test_only_rows_that_are_read_before_they_are_written_must_be_zeros() -> None:
    """The row of %r1, first of all rows; a CTA that takes the block of another one finds there what that one left."""
    program = compact(program_of(ZEROS))
    assert program.zero_bytes == 128 < program.row_bytes
    assert compact(program_of("mov.u32 %r0, 1; ret;")).zero_bytes == 0
    assert program_of(ZEROS).zero_bytes == program_of(ZEROS).row_bytes
    with System(engine="native", registers="compact") as system:
        out = system.device(0).zeros(2, np.uint32)
        kernel = ObjectCode.from_ptx(text_of(ZEROS)).get_kernel("k")
        launch(system.device(0).default_stream, LaunchConfig(5000, block=32), kernel, out)
        system.sync()
        assert out.numpy()[0] == 5000 * (31 + 8)


def test_a_kernel_that_calls_keeps_its_rows() -> None:
    text = f"{HEAD}.func f() {{ ret; }}\n.visible .entry k() {{ .reg .b32 %r<9>; mov.u32 %r1, 1; call f, (); }}"
    program = link(parse(Source(text)), "k")
    assert compact(program) is program


APART = """
    ld.param.u64 %d0, [out];
    mov.u32 %r0, %tid.x;
    mul.wide.u32 %d1, %r0, 4;
    add.u64 %d2, %d0, %d1;
    and.b32 %r1, %r0, 3;
    setp.eq.u32 %p0, %r1, 1;
    setp.eq.u32 %p1, %r1, 2;
    @%p0 bra ONE;
    @%p1 bra TWO;
    mul.lo.u32 %r2, %r0, 10;
    mov.u32 %r3, 0;
LOOP: add.u32 %r3, %r3, 1;
    add.u32 %r2, %r2, %r3;
    setp.lt.u32 %p2, %r3, %r0;
    @%p2 bra LOOP;
    st.global.u32 [%d2], %r2;
    bra END;
ONE: add.u32 %r4, %r0, 1000;
    shl.b32 %r5, %r4, 2;
    st.global.u32 [%d2], %r5;
    bra END;
TWO: add.u32 %r6, %r7, %r0;
    st.global.u32 [%d2], %r6;
END:
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("schedule", ["round_robin", "random:3"])
def test_lanes_that_went_apart_share_rows_without_harm(engine: str, schedule: str) -> None:
    code = ObjectCode.from_ptx(text_of(APART).encode())
    assert code.program("k", registers="compact").row_bytes < code.program("k").row_bytes
    with System(engine=engine, registers="compact", schedule=schedule) as system:
        device = system.device(0)
        out = device.zeros(64, np.uint32)
        launch(device.default_stream, LaunchConfig(1, block=64), code.get_kernel("k"), out)
        found = out.numpy().tolist()

    def wanted(lane: int) -> int:
        most = max(lane, 1)
        return {1: (lane + 1000) * 4, 2: lane}.get(lane & 3, lane * 10 + most * (most + 1) // 2)

    assert found == [wanted(lane) for lane in range(64)]


def test_a_long_kernel_is_linked_and_compacted_in_time_that_grows_with_its_length() -> None:
    times = []
    for size in (1000, 8000):
        module = parse(Source(long_kernel(size)))
        start = time.process_time()
        found = compact(link(module, "long"))
        times.append(time.process_time() - start)
        assert found.row_bytes < 12_000
    assert times[1] < 24 * times[0]


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="registers 'few'"):
        System(registers="few")
