"""What a module's .version and .target have, as ptxas 13.0 has it: the least pair, and pairs just below it."""

from __future__ import annotations

import pytest

from emulator.errors import Diagnostic
from emulator.parse import parse
from emulator.program import check_module

TEXT = """
.version {version}
.target {target}
.visible .entry k ()
{{
    .reg .pred %p<3>;  .reg .b16 %h<4>;  .reg .b32 %r<4>;  .reg .b64 %rd<4>;  .reg .f32 %f<9>;  .reg .f64 %d<3>;
    {instruction}
    ret;
}}
"""
# instruction | what it needs | one pair for each part that is missing
ROWS = """
ld.global.L2::cache_hint.u32 %r1, [%rd1], %rd2;         | 7.4 sm_80 | 7.3 sm_80 | 7.4 sm_75
ld.global.L1::evict_last.u32 %r1, [%rd1];               | 7.4 sm_70 | 7.3 sm_70
ld.global.L2::64B.u32 %r1, [%rd1];                      | 7.4 sm_75 | 7.3 sm_75 | 7.4 sm_70
ld.global.L2::256B.u32 %r1, [%rd1];                     | 7.4 sm_80 | 7.4 sm_75
ld.relaxed.gpu.u32 %r1, [%rd1];                         | 6.0 sm_70 | 6.0 sm_60
ld.relaxed.cluster.u32 %r1, [%rd1];                     | 7.8 sm_90 | 7.8 sm_80
ld.mmio.relaxed.sys.u32 %r1, [%rd1];                    | 8.2 sm_70 | 8.1 sm_70
ld.shared::cluster.u32 %r1, [%rd1];                     | 7.8 sm_90 | 7.8 sm_80
st.shared::cta.u32 [%rd1], %r1;                         | 7.8 sm_80 | 7.7 sm_80
atom.gpu.add.u32 %r1, [%rd1], 1;                        | 5.0 sm_60 | 5.0 sm_50
atom.relaxed.gpu.add.u32 %r1, [%rd1], 1;                | 6.0 sm_70 | 6.0 sm_60
atom.add.f64 %d1, [%rd1], %d2;                          | 5.0 sm_60 | 5.0 sm_50
atom.add.noftz.f16 %h1, [%rd1], %h2;                    | 6.3 sm_70 | 6.2 sm_70
atom.add.noftz.bf16 %h1, [%rd1], %h2;                   | 7.8 sm_90 | 7.8 sm_80
atom.global.add.v2.f32 {%f1, %f2}, [%rd1], {%f3, %f4};  | 8.1 sm_90 | 8.0 sm_90 | 8.1 sm_80
fence.sc.gpu;                                           | 6.0 sm_70 | 6.0 sm_60
fence.acquire.gpu;                                      | 6.0 sm_70
fence.proxy.async;                                      | 8.0 sm_90 | 7.8 sm_90 | 8.0 sm_80
fence.proxy.tensormap::generic.release.gpu;             | 8.3 sm_90 | 8.2 sm_90
cp.async.ca.shared.global [%rd1], [%rd2], 4;            | 7.0 sm_80 | 7.0 sm_75
cp.async.ca.shared.global [%rd1], [%rd2], 4, %p1;       | 7.5 sm_80 | 7.4 sm_80
bar.cta.sync 0;                                         | 7.8 sm_70 | 7.7 sm_70
barrier.sync 0;                                         | 6.0 sm_70
alloca.u64 %rd1, %rd2;                                  | 7.3 sm_52 | 7.2 sm_52
discard.global.L2 [%rd1], 128;                          | 7.4 sm_80 | 7.3 sm_80 | 7.4 sm_75
createpolicy.fractional.L2::evict_last.b64 %rd1;        | 7.4 sm_80 | 7.4 sm_75
setmaxnreg.dec.sync.aligned.u32 24;                     | 8.0 sm_90a | 8.0 sm_90
griddepcontrol.wait;                                    | 7.8 sm_90 | 7.8 sm_80
"""


def errors(instruction: str, needs: str) -> list[Diagnostic]:
    version, target = needs.split()
    found, _ = check_module(parse(TEXT.format(version=version, target=target, instruction=instruction), "k.ptx"))
    return found


@pytest.mark.parametrize("row", ROWS.strip().splitlines(), ids=lambda row: row.partition(" ")[0])
def test_least_version_and_target(row: str) -> None:
    instruction, least, *missing = (part.strip() for part in row.split("|"))
    assert errors(instruction, least) == []
    for pair in missing:
        (error,) = errors(instruction, pair)
        is_target = pair.split()[1] != least.split()[1]
        assert error.code == ("PTX-P0132" if is_target else "PTX-P0133"), pair
        assert (least.split()[1] if is_target else f"version {least.split()[0]}") in error.message


@pytest.mark.parametrize(
    ("target", "least", "before"),
    [("sm_90a", "8.0", "7.8"), ("sm_90", "7.8", "7.7"), ("sm_87", "7.4", "7.3"), ("sm_35", "3.1", "3.0")],
)
def test_a_target_needs_a_version(target: str, least: str, before: str) -> None:
    assert errors("", f"{least} {target}") == []
    (found,) = errors("", f"{before} {target}")
    assert (found.code, found.help) == ("PTX-P0133", f"write .version {least}")


def test_compute_is_another_name_of_sm() -> None:
    assert errors("", "9.0 compute_90a") == errors("", "9.0 compute_52") == []
    assert errors("", "9.0 compute_200")[0].message == "unknown target sm_200"
