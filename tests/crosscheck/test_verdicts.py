"""Every verdict, from a kernel and a stand-in that bring it about."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from emulator import ObjectCode
from emulator.crosscheck import verdict as v
from emulator.crosscheck.backend import EmulatorBackend
from emulator.crosscheck.check import CrossCheck, Report
from emulator.crosscheck.job import Job
from emulator.crosscheck.report import lines, to_json
from emulator.crosscheck.stand_in import Lie, StandIn, everywhere
from tests.crosscheck import kernels

SCALE = """
    ld.global.f32 %f1, [%mine];
    mul.rn.f32 %f2, %f1, 0f40400000;
    st.global.f32 [%mine], %f2;
"""


def check(job: Job, gpu: StandIn) -> Report:
    report = CrossCheck(EmulatorBackend(), gpu).run(job)
    text = list(lines(report))
    assert len(text) <= 30
    assert all(len(line) <= 120 for line in text)
    assert f"verdict: {report.verdict.word}." in "\n".join(text)
    assert to_json(report)["verdict"] == report.verdict.word
    return report


def test_equal() -> None:
    report = check(kernels.job(SCALE), StandIn())
    assert (report.verdict.word, report.ok, report.launches) == (v.EQUAL, True, 0)


def test_emulator_bug() -> None:
    job = kernels.job(SCALE)
    report = check(job, StandIn([Lie("k", kernels.pc_of(job, "mul.rn"), 0, 0, 33, 0)]))
    assert report.verdict.word == v.EMULATOR_BUG
    assert "\n".join(lines(report)).count("%f1 = 0x42080000, b = 0x40400000: equal") == 1
    assert to_json(report)["first_difference"]["lanes"] == [1]


THROUGH = """
    .shared .align 4 .f32 fast[64];
    ld.global.f32 %f1, [%mine];
    mul.rn.f32 %f2, %f1, 0f40400000;
    mov.u32 %r1, fast;
    mad.lo.u32 %r1, %thread, 4, %r1;
    st.shared.f32 [%r1], %f2;
    ld.shared.f32 %f3, [%r1];
    add.rn.f32 %f4, %f3, 0f3F800000;
    add.rn.f32 %f5, %f4, 0f3F800000;
    add.rn.f32 %f6, %f5, 0f3F800000;
    max.f32 %f7, %f6, %f1;
    st.global.f32 [%mine], %f7;
"""


def test_the_way_to_the_output_is_told() -> None:
    job = kernels.job(THROUGH)
    pc = kernels.pc_of(job, "mul.rn")
    report = check(job, StandIn([Lie("k", pc, 20, 0, 33, 0)]))
    assert report.finding is not None
    words = [instruction.opcode for instruction in report.finding.path]
    assert words == ["mul.rn.f32", "st.shared.f32", "ld.shared.f32", *["add.rn.f32"] * 3, "max.f32", "st.global.f32"]
    text = " ".join(" ".join(lines(report)).split())
    start = kernels.program_of(job).instructions[pc].line
    assert f"after: {start} mul.rn.f32 -> {start + 3} st.shared.f32 -> {start + 4} ld.shared.f32 -> 2 more -> " in text
    assert "-> out[33]" in text
    assert "before: the 8 results of the lane until then are equal" in text


def test_a_report_has_thirty_lines_at_most() -> None:
    job = kernels.job(SCALE)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "mul.rn"), 0))]))
    assert sum("block 0 warp" in line for line in lines(report)) == 6  # the writer, the search, four lanes
    report.outputs = report.outputs * 9
    report.printed = ["a"] * 3, ["b"] * 3
    report.excluded = [
        f"out, as line {n} writes it: a reason of so many words that it takes two lines" for n in range(3)
    ]
    text = lines(report)
    assert len(text) <= 30
    assert "  3 more: different" in text
    assert sum("block 0 warp" in line for line in text) == 3


def test_race_is_not_searched() -> None:
    job = kernels.job(SCALE)
    report = check(job, StandIn([Lie("k", kernels.pc_of(job, "mul.rn"), 0)], unstable=True))
    assert (report.verdict.word, report.launches) == (v.RACE, 0)


def test_order_of_float_atomics() -> None:
    body = "    mov.f32 %f1, 0f3DCCCCCD;\n    red.global.add.f32 [%out], %f1;"
    job = kernels.job(body)
    report = check(job, StandIn([Lie("k", kernels.pc_of(job, "mov.f32"), 22, 0, 5)], unstable=True))
    assert (report.verdict.word, report.launches) == (v.ORDER, 0)


SUM_OF_WARPS = """
    mov.f32 %f1, 0f3F800000;
    setp.eq.u32 %p1, %thread, 32;
@%p1 mov.f32 %f1, 0f4C000000;
    red.global.add.f32 [%out], %f1;
"""


class OtherOrder(StandIn):
    """The second warp adds before the first."""

    def load(self, ptx: str, name: str) -> ObjectCode:
        adds = "red.global.add.f32 [%out], %f1;"
        before = ".reg .pred %early;\nsetp.lt.u32 %early, %thread, 32;\n@%early bar.sync 1, 64;\n"
        return super().load(ptx.replace(adds, f"{before}{adds}\n@!%early bar.arrive 1, 64;"), name)


def test_order_of_float_atomics_that_the_gpu_repeats() -> None:
    """2^25 swallows each 1 that comes behind it."""
    job = kernels.job(SUM_OF_WARPS)
    report = check(job, OtherOrder())
    assert (report.verdict.word, report.outputs[0].differ) == (v.ORDER, 1)
    assert "red.global.add.f32 of line" in report.verdict.text
    assert report.finding is None


THROUGH_A_SUM = (
    SUM_OF_WARPS
    + """
    bar.sync 0;
    ld.volatile.global.f32 %f2, [%out];
    ld.global.f32 %f3, [%out];
    bar.sync 0;
    st.global.f32 [%mine], %f3;
"""
)


def test_order_through_a_load_of_the_sum() -> None:
    report = check(kernels.job(THROUGH_A_SUM), OtherOrder())
    assert report.verdict.word == v.ORDER
    assert "It reads what red.global.add.f32 adds up" in report.verdict.text


APPROXIMATE = """
    ld.global.f32 %f1, [%mine];
    mul.rn.f32 %f2, %f1, 0f3C800000;
    ex2.approx.ftz.f32 %f3, %f2;
    st.global.f32 [%mine], %f3;
"""


def test_allowed_within_the_manuals_bound() -> None:
    job = kernels.job(APPROXIMATE, tolerance=1e-6)
    lie = everywhere(Lie("k", kernels.pc_of(job, "ex2"), 0))
    report = check(job, StandIn([lie]))
    assert (report.verdict.word, report.ok) == (v.ALLOWED, True)
    assert "stay in the declared tolerance (out: rtol 1e-06, atol 1e-06)" in report.verdict.text
    strict = check(kernels.job(APPROXIMATE), StandIn([lie]))
    assert (strict.verdict.word, strict.ok) == (v.ALLOWED, False)


def test_an_approximation_beyond_its_bound_is_a_bug() -> None:
    job = kernels.job(APPROXIMATE)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "ex2"), 4))]))
    assert report.verdict.word == v.EMULATOR_BUG
    assert "beyond the manual's error bound" in report.verdict.text


FUSIBLE = """
    ld.global.f32 %f1, [%mine];
    mul.f32 %f2, %f1, 0f3F800001;
    add.f32 %f3, %f2, 0f3F800000;
    mul.f32 %f4, %f1, 0f40000000;
    add.f32 %f5, %f4, 0f3F800000;
    max.f32 %f6, %f3, %f5;
    st.global.f32 [%mine], %f3;
"""


def test_contraction_names_the_pair() -> None:
    out = np.random.default_rng(1).standard_normal(64).astype(np.float32)
    report = check(kernels.job(FUSIBLE, out=out), StandIn(contract="ptxas"))
    assert (report.verdict.word, report.launches) == (v.CONTRACTION, 0)
    assert report.pair is not None
    assert (report.pair.product.text, report.pair.addition.text) == (
        "mul.f32 %f2, %f1, 0f3F800001;",
        "add.f32 %f3, %f2, 0f3F800000;",
    )


def test_a_difference_behind_a_contraction_is_searched_in_canonical_text() -> None:
    out = np.random.default_rng(1).standard_normal(64).astype(np.float32)
    job = kernels.job(FUSIBLE, out=out)
    lie = Lie("k", kernels.pc_of(job, "add.f32 %f3"), 0, 0, 40, 0)
    report = check(job, StandIn([lie], contract="ptxas"))
    assert report.verdict.word == v.EMULATOR_BUG
    assert report.finding is not None
    assert report.finding.instruction.pc == lie.pc


def test_perturbed_when_tracing_changes_the_outputs() -> None:
    job = kernels.job(SCALE)
    pc = kernels.pc_of(job, "mul.rn")
    report = check(job, StandIn([Lie("k", pc, 1, 0, 2), Lie("k", pc, 3, 0, 4, traced_only=True)]))
    assert report.verdict.word == v.PERTURBED
    assert report.finding is None


UNINITIALISED = """
    .shared .align 4 .f32 fast[64];
    mov.u32 %r1, fast;
    shl.b32 %r2, %thread, 2;
    add.u32 %r3, %r1, %r2;
    ld.shared.f32 %f1, [%r3];
    st.global.f32 [%mine], %f1;
"""


def test_undefined_when_nobody_wrote_what_is_read() -> None:
    job = kernels.job(UNINITIALISED)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "ld.shared"), 30))]))
    assert report.verdict.word == v.UNDEFINED
    assert "shared memory" in report.verdict.text


SHUFFLE = """
    mul.lo.u32 %r1, %thread, 3;
    setp.ge.u32 %p1, %thread, 16;
@%p1 bra DONE;
    shfl.sync.idx.b32 %r2, %r1, 20, 31, 0x0000ffff;
    st.global.u32 [%mine], %r2;
DONE:
"""


def test_undefined_when_a_lane_outside_of_the_mask_is_read() -> None:
    job = kernels.job(SHUFFLE, block=32)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "shfl.sync"), 4))]))
    assert report.verdict.word == v.UNDEFINED
    assert "lanes that its member mask does not have" in report.verdict.text


PLACE = """
    mov.u64 %rd1, totals;
    mul.wide.u32 %rd2, %thread, 8;
    add.u64 %rd1, %rd1, %rd2;
    st.global.u32 [%rd1], %thread;
"""


def test_not_found_when_what_differs_is_not_recorded() -> None:
    """An address is wrong, and addresses of variables may differ by nature."""
    job = kernels.job(PLACE, before=".visible .global .align 8 .u32 totals[128];\n")
    report = check(job, StandIn([Lie("k", kernels.pc_of(job, "mov.u64 %rd1"), 2, 0, 40, 0)]))
    assert (report.verdict.word, report.ok, report.finding) == (v.NOT_FOUND, False, None)
    assert [search.first for _, _, search in report.searches] == [None, None]


WAY = """
    mov.u64 %rd1, flag;
    ld.relaxed.gpu.global.u32 %r1, [%rd1];
    setp.eq.u32 %p1, %r1, 0;
    mov.u32 %r2, 1;
@%p1 bra DONE;
    mov.u32 %r2, 2;
DONE:
    st.global.u32 [%mine], %r2;
"""


def test_environment_when_a_branch_depends_on_a_flag() -> None:
    job = kernels.job(WAY, before=".visible .global .u32 flag;\n")
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "ld.relaxed"), 0))]))
    assert report.verdict.word == v.ENVIRONMENT
    assert "ld.relaxed.gpu.global.u32 of line" in report.verdict.text


def test_a_machine_that_goes_another_way_is_wrong() -> None:
    """Equal results, and then one thread leaves the branch that it should take."""
    body = "    setp.lt.u32 %p1, %thread, 40;\n    mov.u32 %r2, 1;\n@%p1 bra DONE;\n    mov.u32 %r2, 2;\nDONE:\n"
    job = kernels.job(body + "    st.global.u32 [%mine], %r2;")

    class Astray(StandIn):
        def load(self, ptx: str, name: str) -> ObjectCode:
            lie = "setp.lt.u32 %other, %thread, 41;\n@%other bra DONE;"
            text = ptx.replace("@%p1 bra DONE;", lie).replace("{", "{\n.reg .pred %other;", 1)
            return super().load(text, name)

    report = check(job, Astray())
    assert report.verdict.word == v.EMULATOR_BUG
    assert "went different ways" in report.verdict.text


def test_every_verdict_is_brought_about_here() -> None:
    words = {name for name, value in vars(v).items() if name.isupper() and isinstance(value, str)}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {word for word in words if f"v.{word}" not in text} == set()


CLOCK = """
    mov.u32 %r1, %clock;
    st.global.u32 [%mine], %r1;
"""


def test_what_differs_by_nature_is_excluded() -> None:
    job = kernels.job(CLOCK)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "%clock"), 7))]))
    assert (report.verdict.word, report.ok) == (v.EQUAL, True)
    assert report.outputs[0].excluded == 64
    assert "%clock of line" in report.excluded[0]


BOTH_KINDS = """
    mov.u32 %r1, %clock;
    ld.global.f32 %f1, [%mine];
    mul.rn.f32 %f2, %f1, 0f40400000;
    setp.lt.u32 %p1, %thread, 32;
@%p1 st.global.u32 [%mine], %r1;
@!%p1 st.global.f32 [%mine], %f2;
"""


def test_what_differs_by_nature_does_not_hide_a_difference() -> None:
    job = kernels.job(BOTH_KINDS)
    clock = everywhere(Lie("k", kernels.pc_of(job, "%clock"), 7))
    report = check(job, StandIn([clock, Lie("k", kernels.pc_of(job, "mul.rn"), 3, 0, 40, 0)]))
    assert report.verdict.word == v.EMULATOR_BUG
    assert report.finding is not None
    assert report.finding.difference.lane == 8
    assert (report.outputs[0].excluded, report.outputs[0].differ) == (32, 1)


COUNTER = """
    add.u32 %r2, %thread, 1;
    atom.global.add.u32 %r1, [%out], %r2;
"""


def test_a_sum_of_atomics_is_compared_though_its_old_values_are_not() -> None:
    job = kernels.job(COUNTER)
    report = check(job, StandIn([Lie("k", kernels.pc_of(job, "%thread, 1;"), 3, 0, 40, 0)]))
    assert report.verdict.word == v.EMULATOR_BUG
    assert report.outputs[0].excluded == 0
    assert report.finding is not None
    assert report.finding.instruction.text == "add.u32 %r2, %thread, 1;"


ENVIRONMENT = """
    mov.u32 %r1, %smid;
    setp.gt.u32 %p1, %r1, 5;
    mov.u32 %r2, 1;
@%p1 bra DONE;
    mov.u32 %r2, 2;
DONE:
    st.global.u32 [%mine], %r2;
"""


def test_environment_when_a_branch_depends_on_it() -> None:
    job = kernels.job(ENVIRONMENT)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "%smid"), 7))]))
    assert report.verdict.word == v.ENVIRONMENT
    assert "%smid" in report.verdict.text


THROUGH_MEMORY = """
    .shared .align 4 .u32 seen;
    setp.eq.u32 %p1, %thread, 0;
    mov.u32 %r1, %smid;
    mov.u32 %r4, seen;
@%p1 st.shared.u32 [%r4], %r1;
    bar.sync 0;
    ld.shared.u32 %r2, [%r4];
    add.u32 %r3, %r2, 1;
    st.global.u32 [%mine], %r3;
"""


def test_environment_through_memory() -> None:
    job = kernels.job(THROUGH_MEMORY)
    report = check(job, StandIn([everywhere(Lie("k", kernels.pc_of(job, "%smid"), 3))]))
    assert report.verdict.word == v.ENVIRONMENT
    assert "%smid" in report.verdict.text
