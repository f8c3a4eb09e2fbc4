"""What a System takes and refuses; threads that share one; what observers and `output` may call."""

import contextlib
import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from emulator import Events, LaunchConfig, ObjectCode, Observer, System, configure, launch, samples
from emulator.api.system import AFTER_A_FAULT
from emulator.errors import IllegalAddress
from emulator.machine.device import Grid

TWICE = """
.version 9.0
.target sm_90a
.address_size 64
.visible .entry twice(.param .u64 values)
{
    .reg .u64 %a<3>;
    .reg .u32 %r<5>;
    .reg .pred %p;
    ld.param.u64 %a1, [values];
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, %ctaid.x;
    mad.lo.u32 %r1, %r2, 32, %r1;
    mad.wide.u32 %a1, %r1, 4, %a1;
    mov.u32 %r3, 2000;
LOOP:
    sub.u32 %r3, %r3, 1;
    setp.ne.u32 %p, %r3, 0;
@%p bra LOOP;
    ld.global.u32 %r4, [%a1];
    add.u32 %r4, %r4, %r4;
    st.global.u32 [%a1], %r4;
    ret;
}
"""
NUMBERS = np.arange(32, dtype=np.uint32)
each_engine = pytest.mark.parametrize("engine", ["native", "reference"])


def kernel() -> Any:
    return ObjectCode.from_ptx(TWICE).get_kernel("twice")


def begin(system: System, buffer: Any) -> Grid:
    return launch(system.device().create_stream(), LaunchConfig(1, block=32), kernel(), buffer)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"jobs": 1.5}, TypeError),
        ({"jobs": "2"}, TypeError),
        ({"jobs": 257}, ValueError),
        ({"devices": 10**9}, ValueError),
        ({"sms": 10**9}, ValueError),
        ({"memory": -1}, ValueError),
        ({"max_instructions": 0}, ValueError),
        ({"max_instructions": 10**30}, ValueError),
        ({"max_instructions": "5"}, TypeError),
        ({"hang_after": -1}, ValueError),
        ({"hang_after": 2**70}, ValueError),
        ({"schedule": "round_robin:0"}, ValueError),
        ({"schedule": "round_robin:99999999999999999999"}, ValueError),
        ({"output": 5}, TypeError),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_before_anything_runs(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        System(**options)


@pytest.mark.parametrize(
    "size", [np.int64(1), np.uint32(1), (np.int32(1), 1), [1, 1], np.array([1, 1]), (True,)], ids=repr
)
def test_a_size_may_be_whatever_python_counts_with(size: Any) -> None:
    values = NUMBERS.copy()
    kernel()[size, np.int64(32)](values)
    assert np.array_equal(values, 2 * NUMBERS)


@pytest.mark.parametrize("size", ["1", 1.5, (1, 2.5), (), (1, 1, 1, 1), None])
def test_a_size_that_is_none_is_refused(size: Any) -> None:
    with pytest.raises(TypeError):
        kernel()[size, 32](NUMBERS.copy())


def test_what_the_kernel_writes_to_a_read_only_array_is_not_lost_in_silence() -> None:
    values = NUMBERS.copy()
    values.flags.writeable = False
    with pytest.raises(ValueError, match="twice has written to values: a read-only NumPy array"):
        kernel()[1, 32](values)
    zeros = np.broadcast_to(np.uint32(0), (32,))
    kernel()[1, 32](zeros)  # two times nothing


def test_numbers_of_the_other_byte_order_are_refused() -> None:
    with pytest.raises(TypeError, match="big-endian"):
        kernel()[1, 32](NUMBERS.astype(">u4"))


@each_engine
def test_threads_may_share_a_system(engine: str) -> None:
    system = System(engine=engine)
    wrong: list[object] = []

    def work() -> None:
        for _ in range(3):
            buffer = system.device().array(NUMBERS)
            begin(system, buffer)
            if not np.array_equal(buffer.numpy(), 2 * NUMBERS):
                wrong.append(buffer)
            buffer.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(system.runner.memory.allocations()) == []


class Calling(Observer):
    """Calls a function at the first batch of records."""

    wants = Events.INSTRUCTION

    def __init__(self, function: Callable[[], object]) -> None:
        self.function: Callable[[], object] | None = function

    def on_instructions(self, records: np.ndarray[Any, Any]) -> None:
        function, self.function = self.function, None
        if function is not None:
            function()


@each_engine
def test_an_observer_may_launch(engine: str) -> None:
    """Its first batch is the last one, too: nothing else runs by then."""
    observer = Calling(lambda: begin(system, second))
    system = System(engine=engine, schedule="round_robin:100000", observers=[observer])
    first, second = system.device().array(NUMBERS), system.device().array(NUMBERS)
    begin(system, first)
    assert np.array_equal(first.numpy(), 2 * NUMBERS)
    assert np.array_equal(second.numpy(), 2 * NUMBERS)


@each_engine
@pytest.mark.parametrize("call", [System.sync, System.reset, System.step, System.snapshot])
def test_an_observer_cannot_wait_for_what_it_watches(engine: str, call: Callable[[System], object]) -> None:
    system = System(engine=engine, observers=[Calling(lambda: call(system))])
    buffer = system.device().array(NUMBERS)
    begin(system, buffer)
    with pytest.raises(RuntimeError, match="kernels are running"):
        system.sync()
    assert np.array_equal(buffer.numpy(), 2 * NUMBERS)


def test_a_fault_that_is_raised_again_says_how_to_go_on() -> None:
    system = configure()
    with pytest.raises(IllegalAddress) as first:
        kernel()[1, 32](NUMBERS[:4].copy())
    assert not hasattr(first.value, "__notes__")
    for _ in range(2):
        with pytest.raises(IllegalAddress) as again:
            kernel()[1, 32](NUMBERS.copy())
        assert again.value.__notes__ == [AFTER_A_FAULT]
    system.reset()
    kernel()[1, 32](NUMBERS.copy())


def test_a_system_without_output_prints_to_the_stdout_of_the_moment() -> None:
    system = System()
    code = ObjectCode.from_ptx(samples.find("06_functions/hello_vprintf").path.read_bytes())
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        launch(system.device().default_stream, LaunchConfig(1, block=1), code.get_kernel(code.kernels[0]), 1)
        system.sync()
    assert printed.getvalue().startswith("Hello")
