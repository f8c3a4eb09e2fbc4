"""Threads that wait for work: what they raise arrives, what they have not begun stays, they end by themselves."""

import gc
import threading

import pytest

from emulator.engines.native.threads import WorkThread, _Desk


def test_work_is_done_meanwhile_and_over_afterwards() -> None:
    thread, found = WorkThread("test"), []
    for number in range(50):
        begun = threading.Event()

        def work(number: int = number, begun: threading.Event = begun) -> None:
            begun.set()
            found.append((number, threading.get_native_id()))

        with thread.doing(work):
            assert begun.wait(10)
        assert found[-1] == (number, thread.native_id)
    assert thread.native_id != threading.get_native_id()


def test_what_work_raises_arrives_and_the_thread_goes_on() -> None:
    thread, begun = WorkThread("test"), threading.Semaphore(0)

    def fails() -> None:
        begun.release()
        raise LookupError("of the work")

    for _ in range(2):
        with pytest.raises(LookupError, match="of the work"), thread.doing(fails):
            assert begun.acquire(timeout=10)
    with thread.doing(begun.release):
        assert begun.acquire(timeout=10)


def test_work_that_has_not_begun_is_left_undone() -> None:
    """As in a process that was forked, which has the object and not its thread."""
    thread, done = WorkThread("test"), []
    thread._desk = _Desk()  # nobody serves it
    with thread.doing(lambda: done.append(1)):
        pass
    assert done == [] and thread._desk.work is None


def test_a_thread_that_nobody_knows_ends() -> None:
    thread = WorkThread("test")
    inner = thread._thread
    assert inner.is_alive()
    del thread
    gc.collect()
    inner.join(10)
    assert not inner.is_alive()
