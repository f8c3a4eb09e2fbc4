"""What an mbarrier object does not allow is a fault in words, and leaves everything as it was."""

from __future__ import annotations

import pytest

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.errors import IllegalAddress, IllegalBarrier, KernelFault, MisalignedAddress, PtxError
from tests.isa.instructions.test_mbarrier import ENGINES, HEAD, Model

AFTER_INIT = (
    ("mbarrier.arrive.shared.b64 %s, [bar], 21;", "mbarrier.arrive: 21 arrivals, but 20 are pending in this phase"),
    ("mov.b32 %n, 0; mbarrier.arrive.shared.b64 %s, [bar], %n;", "mbarrier.arrive with a count of 0"),
    ("mov.b32 %n, -1; mbarrier.arrive.shared.b64 %s, [bar], %n;", "a count of 4,294,967,295: it is 1 to 1,048,575"),
    ("mbarrier.arrive.noComplete.shared.b64 %s, [bar], 20;", "mbarrier.arrive.noComplete would complete the phase"),
    ("mbarrier.arrive_drop.noComplete.b64 %s, [bar], 20;", "arrive_drop.noComplete would complete the phase"),
    ("mbarrier.expect_tx.shared.b64 [bar], 1048576;", "a tx-count of 0 bytes and 1,048,576 more leave its range"),
    ("mbarrier.complete_tx.b64 [bar], 1048576;", "mbarrier.complete_tx: a tx-count of 0 bytes"),
    ("mbarrier.arrive.expect_tx.b64 _, [bar], 2000000;", "mbarrier.arrive: a tx-count of 0 bytes and 2,000,000 more"),
    ("mbarrier.arrive_drop.shared.b64 _, [bar], 21;", "mbarrier.arrive_drop: 21 arrivals"),
    ("mbarrier.inval.shared.b64 [bar]; mbarrier.arrive.shared.b64 %s, [bar];", "no mbarrier object: its 8 bytes are z"),
    ("mbarrier.init.shared.b64 [bar], 1048576;", "mbarrier.init with a count of 1,048,576"),
    ("mov.b32 %n, 0; mbarrier.init.shared.b64 [bar], %n;", "mbarrier.init with a count of 0"),
    ("mbarrier.init.shared.b64 [bar], 1048575; cp.async.mbarrier.arrive.shared.b64 [bar];",
     "cp.async.mbarrier.arrive: more than 1,048,575 arrivals would be pending"),
    ("st.async.mbarrier::complete_tx::bytes.v4.b32 [bar+16], {%n, %n, %n, %n}, [bar+8];", "st.async where there is no"),
    ("red.async.relaxed.cluster.mbarrier::complete_tx::bytes.add.u32 [bar+16], %n, [bar+8];", "red.async where there"),
)  # fmt: skip
BEFORE_INIT = (
    "mbarrier.arrive.shared.b64 %s, [bar];",
    "mbarrier.expect_tx.shared.b64 [bar], 1;",
    "mbarrier.complete_tx.shared.b64 [bar], 1;",
    "mbarrier.test_wait.shared.b64 %p, [bar], %s;",
    "mbarrier.try_wait.parity.shared.b64 %p, [bar], 1;",
    "mbarrier.inval.shared.b64 [bar];",
    "cp.async.mbarrier.arrive.noinc.shared.b64 [bar];",
)


def fault_of(body: str, engine: str, block: int = 1) -> tuple[KernelFault, bytes]:
    """The fault of a kernel, and the shared memory of its CTA as it was left."""
    text = f"""{HEAD}.visible .entry k () {{
    .shared .align 16 .b64 bar[6]; .reg .b64 %s, %at; .reg .b32 %n; .reg .pred %p;
    {body}
    ret; }}"""
    with System(engine=engine) as system:
        kernel = ObjectCode.from_ptx(text).get_kernel("k")
        launch(system.device(0).default_stream, LaunchConfig(1, block=block), kernel)
        with pytest.raises(KernelFault) as caught:
            system.device(0).sync()
        (grid,) = system.runner.devices[0].grids
        return caught.value, grid.resident[0].shared.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("body", "words"), AFTER_INIT)
def test_a_broken_rule_is_a_fault_in_words(body: str, words: str, engine: str) -> None:
    fault, _ = fault_of("mbarrier.init.shared.b64 [bar], 20;\n" + body, engine)
    assert isinstance(fault, IllegalBarrier) and words in str(fault), str(fault)
    assert fault.diagnostic.code == "PTX-B0303"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("body", BEFORE_INIT)
@pytest.mark.parametrize("bytes_", ["0", "0x3f8000003f800000", "0x4000000000000001"])
def test_bytes_that_are_no_object_are_a_fault(body: str, bytes_: str, engine: str) -> None:
    """Zeros; floats; a first bit but a tx-count beyond its range."""
    if bytes_.startswith("0x40"):
        bytes_ = f"{1 | 1 << 42:#x}"
    fault, shared = fault_of(f"mov.b64 %s, {bytes_}; st.shared.b64 [bar], %s; " + body, engine)
    assert "where there is no mbarrier object" in str(fault)
    assert shared[:8] == int(bytes_, 0).to_bytes(8, "little")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fault_of_a_later_lane_takes_the_earlier_lanes_back(engine: str) -> None:
    fault, shared = fault_of(
        "mov.u32 %n, %tid.x; setp.eq.u32 %p, %n, 0; @%p mbarrier.init.shared.b64 [bar], 20; bar.warp.sync -1;"
        "mbarrier.arrive.noComplete.shared.b64 %s, [bar], 1;",
        engine, block=32,
    )  # fmt: skip
    assert "lane 19, thread" in str(fault) and "1 of 20 arrivals pending" in str(fault) and "bar (0x400)" in str(fault)
    assert shared[:8] == Model.made(20).word.to_bytes(8, "little")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_async_store_that_cannot_tell_does_not_store(engine: str) -> None:
    fault, shared = fault_of(
        "mov.b32 %n, 7; st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [bar+16], %n, [bar];", engine
    )
    assert isinstance(fault, IllegalBarrier) and shared == bytes(48)
    fault, shared = fault_of(
        "mov.b32 %n, 7; mov.u64 %at, 0x8000; mbarrier.init.shared.b64 [bar], 1;"
        "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%at], %n, [bar];", engine,
    )  # fmt: skip
    assert isinstance(fault, IllegalAddress) and shared[:8] == Model.made(1).word.to_bytes(8, "little")


@pytest.mark.parametrize("engine", ENGINES)
def test_addresses_that_cannot_be_an_object(engine: str) -> None:
    fault, _ = fault_of("mbarrier.init.shared.b64 [bar+4], 1;", engine)
    assert isinstance(fault, MisalignedAddress)
    fault, _ = fault_of("mbarrier.init.shared.b64 [bar+48], 1;", engine)
    assert isinstance(fault, IllegalAddress)
    fault, _ = fault_of("mov.u64 %at, 0x700000001000; mbarrier.arrive.b64 _, [%at];", engine)
    assert "mbarrier.arrive on an address that is not in shared memory" in str(fault)
    fault, _ = fault_of("mov.u64 %at, bar; mbarrier.try_wait.parity.b64 %p, [%at], 0;", engine)
    assert "not in shared memory" in str(fault)
    fault, _ = fault_of("mov.u64 %at, bar; add.u64 %at, %at, 0x1000000; mbarrier.arrive.shared.b64 _, [%at];", engine)
    assert "CTA 1 of the cluster" in str(fault)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mbarrier.arrive.relaxed.b64 %s, [bar];", "needs a scope"),
        ("mbarrier.test_wait.cta.shared.b64 %p, [bar], %s;", "needs an order"),
        ("mbarrier.arrive.shared::cluster.b64 %s, [bar];", "write _ instead of %s"),
        ("mbarrier.test_wait.parity.shared.b64 %p, [bar], 2;", "cannot be 2"),
        ("mbarrier.arrive.shared.b64 %s, [bar], 0;", "cannot be 0"),
        ("mbarrier.init.b64 [far], 1;", ".global"),
        ("mbarrier.test_wait.shared::cluster.b64 %p, [bar], %s;", "::cluster"),
        ("mbarrier.arrive.shared.expect_tx.b64 %s, [bar], 1;", "expect_tx"),
        ("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b64 [%s], {%s, %s, %s, %s}, [%s];", "128 bits"),
    ],
)
def test_what_ptxas_refuses_is_refused(line: str, words: str) -> None:
    text = f"""{HEAD}.global .b64 far; .visible .entry k () {{ .shared .align 8 .b64 bar; .reg .b64 %s; .reg .pred %p;
    {line} ret; }}"""
    with pytest.raises(PtxError) as caught:
        ObjectCode.from_ptx(text).get_kernel("k")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ((".version 7.7", ".target sm_90"), "mbarrier.arrive.shared.b64 %s, [bar], 3;"),
        ((".version 8.0", ".target sm_80"), "mbarrier.arrive.shared.b64 %s, [bar], 3;"),
        ((".version 7.8", ".target sm_80"), "mbarrier.arrive.release.cta.shared.b64 %s, [bar];"),
        ((".version 8.0", ".target sm_80"), "mbarrier.arrive.release.cluster.shared.b64 %s, [bar];"),
        ((".version 8.0", ".target sm_90"), "mbarrier.arrive.relaxed.cta.shared.b64 %s, [bar];"),
        ((".version 7.8", ".target sm_80"), "mbarrier.try_wait.shared.b64 %p, [bar], %s;"),
        ((".version 7.0", ".target sm_80"), "mbarrier.test_wait.parity.shared.b64 %p, [bar], 1;"),
        ((".version 7.7", ".target sm_80"), "mbarrier.init.shared::cta.b64 [bar], 1;"),
        ((".version 7.8", ".target sm_90"), "mbarrier.arrive.shared::cluster.b64 _, [bar];"),
        ((".version 8.0", ".target sm_90"), "st.async.mbarrier::complete_tx::bytes.b64 [%s], %s, [%s];"),
    ],
)
def test_what_needs_newer_ptx_is_refused_before(header: tuple[str, str], line: str) -> None:
    body = ".visible .entry k () { .shared .align 8 .b64 bar; .reg .b64 %s; .reg .pred %p;\n"
    text = "\n".join(header) + "\n.address_size 64\n" + body + line + " ret; }"
    with pytest.raises(PtxError, match=r"needs \.(version|target)"):
        ObjectCode.from_ptx(text).get_kernel("k")
    newer = text.replace(header[0], ".version 9.0").replace(header[1], ".target sm_90")
    ObjectCode.from_ptx(newer).get_kernel("k")
