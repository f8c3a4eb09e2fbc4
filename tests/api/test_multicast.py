"""System.multicast: its life, what may access it, and the faults of those that may not."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import Kernel, LaunchConfig, Multicast, ObjectCode, System, launch
from emulator.errors import IllegalAddress, KernelFault, MisalignedAddress, UsageError

TEXT = """
.version 8.8
.target sm_90a
.address_size 64
.visible .entry k (.param .u64 x, .param .u64 y)
{{
    .reg .b64 %x, %y, %n;
    .reg .b32 %lane, %r, %s;
    .reg .pred %low, %p;
    ld.param.u64 %x, [x];
    ld.param.u64 %y, [y];
    mov.u32 %lane, %laneid;
    setp.lt.u32 %low, %lane, 16;
    mul.wide.u32 %n, %lane, 4;
    {text}
    ret;
}}
"""


def kernel(text: str) -> Kernel:
    return ObjectCode.from_ptx(TEXT.format(text=text)).get_kernel("k")


def start(system: System, text: str, x: object, y: object, *, device: int = 0, lanes: int = 32) -> None:
    launch(system.device(device).default_stream, LaunchConfig(1, block=lanes), kernel(text), x, y)


@pytest.fixture(params=["native", "reference"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


ADD = "add.u64 %x, %x, %n; multimem.ld_reduce.add.u32 %r, [%x]; add.u64 %y, %y, %n; st.global.u32 [%y], %r;"


def test_one_array_a_device_and_one_address(engine: str) -> None:
    with System(3, engine=engine) as system:
        multicast = system.multicast((4, 8), "uint32", name="gradient")
        assert [system.runner.memory.device_of(buffer.address) for buffer in multicast.buffers] == [0, 1, 2]
        assert multicast.address == int(multicast) == 0x6C00_0000_0000
        assert (multicast.nbytes, multicast.shape, multicast.dtype, multicast.devices) == (
            128,
            (4, 8),
            np.uint32,
            (0, 1, 2),
        )
        assert repr(multicast) == "Multicast(gradient, uint32[4, 8] on (0, 1, 2), 0x6c0000000000)"
        for n, buffer in enumerate(multicast.buffers):
            buffer.write(np.full((4, 8), 10**n))
        out = system.device(1).zeros(32, "uint32")
        start(system, ADD, multicast, out, device=1)
        assert out.numpy().tolist() == [111] * 32
        assert multicast.numpy().shape == (3, 4, 8)


def test_lanes_of_one_instruction_may_use_different_objects() -> None:
    """Those of one device go on alone where the others have more; lanes that are off are not looked at."""
    with System(3) as system:
        few, many = system.multicast(32, "uint32", [2]), system.multicast(32, "uint32")
        for n, buffer in enumerate((*few.buffers, *many.buffers)):
            buffer.write(np.full(32, 10**n, np.uint32))
        text = """
            selp.b64 %x, %x, %y, %low;
            add.u64 %x, %x, %n;
            setp.ne.u32 %p, %lane, 20;
            @!%p mov.u64 %x, 0;
            @%p multimem.red.add.u32 [%x], 1;
            mov.u32 %r, 0;
            @%p multimem.ld_reduce.add.u32 %r, [%x];
            @%p multimem.st.u32 [%x], %r;
        """
        start(system, text, few, many)
        assert few.numpy().tolist() == [[2] * 16 + [1] * 16]
        rest = [1113 if lane != 20 else None for lane in range(16, 32)]
        for n, row in enumerate(many.numpy().tolist()):
            assert row == [10 ** (n + 1)] * 16 + [10 ** (n + 1) if wanted is None else wanted for wanted in rest]


def test_the_devices_are_reduced_in_the_order_in_which_they_are_named() -> None:
    with System(3) as system:
        multicast = system.multicast(32, "float32", (2, 0, 1))
        for buffer, value in zip(multicast.buffers, (1.0, 2.0**-24, 2.0**-24), strict=True):
            buffer.write(np.full(32, value))
        assert [system.runner.memory.device_of(buffer.address) for buffer in multicast.buffers] == [2, 0, 1]
        out = system.device(0).zeros(32)
        start(system, ADD.replace("u32 %r", "f32 %r"), multicast, out)
        assert out.numpy().tolist() == [1.0] * 32


def test_multimem_addresses_are_global_and_generic() -> None:
    with System(2) as system:
        multicast, out = system.multicast(32, "uint32"), system.device(0).zeros(1, "uint32")
        text = """
            cvta.to.global.u64 %x, %x;
            isspacep.global %p, %x;
            selp.u32 %r, 5, 0, %p;
            multimem.st.global.u32 [%x], %r;
            cvta.global.u64 %x, %x;
            multimem.red.max.u32 [%x], 3;
            st.global.u32 [%y], %r;
        """
        start(system, text, multicast, out, lanes=1)
        assert out.numpy().tolist() == [5]
        assert multicast.numpy()[:, 0].tolist() == [5, 5]


# --- faults ---------------------------------------------------------------------------------------

PLAIN = "only multimem.ld_reduce, multimem.st and multimem.red may"


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("ld.global.u32 %r, [%x];", 'of 4 bytes at a multimem address of "grad"', PLAIN),
        ("ld.u32 %r, [%x+4];", 'of 4 bytes at a multimem address of "grad"', PLAIN),
        ("st.global.v2.u32 [%x], {%r, %s};", 'of 8 bytes at a multimem address of "grad"', PLAIN),
        ("atom.global.add.u32 %r, [%x], 1;", 'of 4 bytes at a multimem address of "grad"', PLAIN),
        ("red.add.u32 [%x], 1;", 'of 4 bytes at a multimem address of "grad"', PLAIN),
        ("multimem.st.u32 [%y], 1;", 'of 4 bytes at "out", which is no multimem address', "a buffer has none"),
        ("mov.u64 %x, 64; multimem.st.u32 [%x], 1;", "of 4 bytes at 0x40, which is no multimem", "System"),
        ("multimem.st.u32 [%x+128], 1;", 'of 4 bytes past the end of "grad"', "make the multicast larger"),
        ("multimem.red.add.u64 [%x+120], %n; multimem.st.u64 [%x+136], %n;", "of 8 bytes past the end", "guard"),
        ("multimem.ld_reduce.add.v4.f32 {%r, %r, %r, %s}, [%x+128];", "of 16 bytes past the end", ""),
        ("multimem.ld_reduce.max.u32 %r, [%x+-4];", "of 4 bytes at 0x6bfffffffffc, which is no", ""),
        ("add.u64 %x, %x, 0x8000000; multimem.st.u32 [%x], 1;", "of 4 bytes at 0x6c0008000000, which is no", ""),
    ],
)  # fmt: skip
def test_what_must_not_be(engine: str, text: str, message: str, help: str) -> None:
    system = System(2, engine=engine)
    multicast, out = system.multicast(32, "uint32", name="grad"), system.device(0).zeros(1, "uint32", name="out")
    start(system, text, multicast, out, lanes=1)
    with pytest.raises(IllegalAddress) as caught:
        system.sync()
    opcode = text.split("; ")[-1].split()[0]
    assert caught.value.diagnostic.message.startswith(f"{opcode} {message}")
    assert help in caught.value.diagnostic.help
    assert caught.value.diagnostic.code == "PTX-M0101"
    assert "lane 0" in str(caught.value)


@pytest.mark.parametrize("text", ["multimem.st.u32 [%x+2], 1;", "multimem.red.add.v4.f32 [%x+8], {%r, %r, %r, %r};"])
def test_misaligned(text: str) -> None:
    system = System(2)
    multicast = system.multicast(32, "uint32")
    start(system, text, multicast, 0)
    with pytest.raises(MisalignedAddress, match="misaligned multimem"):
        system.sync()


def test_a_fault_of_one_lane_leaves_all_devices_as_they_were(engine: str) -> None:
    system = System(2, engine=engine)
    multicast = system.multicast(31, "uint32", name="grad")
    start(system, "add.u64 %x, %x, %n; multimem.st.u32 [%x], 7;", multicast, 0)
    with pytest.raises(IllegalAddress, match='past the end of "grad"') as caught:
        system.sync()
    assert "lane 31" in str(caught.value)
    for buffer in multicast.buffers:
        assert not system.runner.memory.view(buffer.address, buffer.nbytes).any()


def test_every_device_needs_memory(engine: str) -> None:
    system = System(3, engine=engine)
    multicast = system.multicast(32, "uint32", name="grad")
    multicast.buffers[1].close()
    start(system, "multimem.st.u32 [%x], 7;", multicast, 0)
    with pytest.raises(IllegalAddress, match='while "grad" has no memory on device 1'):
        system.sync()


# --- binding, closing, snapshots ------------------------------------------------------------------


def test_another_buffer_can_be_bound() -> None:
    with System(2) as system:
        multicast = system.multicast(4, "uint32")
        first = multicast.buffers[1]
        other = system.device(1).zeros(4, "uint32")
        multicast.bind(other)
        assert multicast.buffers[1] is other
        start(system, "multimem.st.u32 [%x], 7;", multicast, 0, lanes=1)
        assert (other.numpy()[0], first.numpy()[0]) == (7, 0)


def test_what_cannot_be_bound() -> None:
    system = System(3)
    multicast = system.multicast(4, "uint32", [0, 1], name="grad")
    closed = system.device(0).zeros(4, "uint32")
    closed.close()
    code = ObjectCode.from_ptx(
        ".version 8.0\n.target sm_90a\n.address_size 64\n.const .b32 c[4];\n.visible .entry k() { ret; }"
    )
    for buffer, why in (
        (system.device(0).zeros(5, "uint32"), "is 20 bytes, grad needs 16 bytes"),
        (system.device(2).zeros(4, "uint32"), "is on device 2, grad has the devices"),
        (code.get_global("c", system.device(0)), "c is read-only"),
        (closed, "is closed"),
    ):
        with pytest.raises(ValueError, match=why):
            multicast.bind(buffer)
    multicast.close()
    with pytest.raises(ValueError, match="is closed"):
        multicast.bind(system.device(0).zeros(4, "uint32"))


@pytest.mark.parametrize("devices", [(), (0, 0), (2,), (-1,)])
def test_devices_that_there_are_not(devices: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a multicast has one or more, each once, of 2"):
        System(2).multicast(4, devices=devices)


def test_closing_gives_addresses_and_memory_back() -> None:
    with System(2) as system:
        used = system.runner.memory.used
        objects = [system.multicast(size, "uint8") for size in (1, 2 << 20, 1, 5)]
        assert [int(one) - 0x6C00_0000_0000 >> 20 for one in objects] == [0, 2, 6, 8]
        for one in objects[1:3]:
            one.close()
            one.close()
        assert objects[1].closed and not objects[0].closed
        with pytest.raises(UsageError, match="the multicast multicast 2 is closed"):
            start(system, "", objects[1], 0)
        assert int(system.multicast(3, "uint8")) - 0x6C00_0000_0000 >> 20 == 2
        system.reset()
        assert objects[0].closed
        assert system.runner.memory.used == used


def test_it_fits_no_parameter_of_four_bytes() -> None:
    system = System(2)
    text = ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u32 x) { ret; }"
    with pytest.raises(UsageError, match="a multicast's address does not fit"):
        launch(
            system.device(0).default_stream,
            LaunchConfig(1),
            ObjectCode.from_ptx(text).get_kernel("k"),
            system.multicast(1),
        )


def test_a_snapshot_keeps_what_is_bound(engine: str) -> None:
    """Bytes, and the addresses: what was given back later is there again."""
    system = System(2, engine=engine)
    multicast = system.multicast(32, "uint32")
    text = """
        add.u64 %x, %x, %n;
        multimem.st.u32 [%x], %lane;
        multimem.red.add.u32 [%x], 1;
        multimem.ld_reduce.add.u32 %r, [%x];
        multimem.st.u32 [%x], %r;
    """
    start(system, text, multicast, 0)
    for _ in range(7):
        system.step()
    before = system.snapshot()
    system.sync()
    wanted = multicast.numpy()
    assert wanted[0].tolist() == wanted[1].tolist() == [2 * lane + 2 for lane in range(32)]
    time = system.runner.time
    system.runner.memory.multicasts.free(multicast.address)
    system.restore(before)
    system.sync()
    assert system.runner.time == time
    assert multicast.numpy().tolist() == wanted.tolist()


@pytest.mark.parametrize("schedule", ["round_robin", "random:3"])
def test_devices_tell_each_other_by_a_flag(schedule: str) -> None:
    """Each device adds one to a counter on all of them and waits until its own copy says that all have come."""
    text = """
        multimem.red.release.sys.global.add.u32 [%x], 1;
    SPIN:
        ld.acquire.sys.global.u32 %r, [%y];
        setp.ne.u32 %p, %r, 4;
        @%p bra SPIN;
    """
    with System(4, schedule=schedule) as system:
        counter = system.multicast(1, "uint32")
        for device, buffer in enumerate(counter.buffers):
            start(system, text, counter, buffer, device=device, lanes=1)
        assert counter.numpy().tolist() == [[4]] * 4


def test_the_multicast_is_public() -> None:
    assert isinstance(System(1).multicast(4), Multicast)
    assert issubclass(IllegalAddress, KernelFault)
