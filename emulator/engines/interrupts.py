"""Ctrl-C while kernels run: noted when it comes, acted on where the state of the run is whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def interruptions_later(stop: Callable[[], object]) -> Iterator[None]:
    """Meanwhile Ctrl-C only calls `stop`; afterwards it does what it does otherwise."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    came: list[tuple[int, Any]] = []

    def note(number: int, frame: Any) -> None:
        came.append((number, frame))
        stop()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        for number, frame in came[:1]:
            usual(number, frame)
