"""Threads that wait for work: handing it over and hearing of its end takes two locks and nothing else."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class _Desk:
    """What the thread shares with those who give it work; it knows nothing else of them."""

    begin: threading.Lock = field(default_factory=_taken)  # released when there is work
    done: threading.Lock = field(default_factory=_taken)  # released when it has been done
    work: Callable[[], object] | None = None
    error: BaseException | None = None

    def serve(self) -> None:
        """Do what comes until it is None."""
        while self.begin.acquire() and self.work is not None:
            try:
                self.work()
            except BaseException as error:
                self.error = error
            self.work = None
            self.done.release()

    def close(self) -> None:
        """Have the thread end."""
        self.work = None
        self.begin.release()


class WorkThread:
    """A thread that ends when nobody knows it any more; it is not waited for when Python ends."""

    def __init__(self, name: str) -> None:
        self._desk = _Desk()
        self._thread = threading.Thread(target=self._desk.serve, name=name, daemon=True)
        self._thread.start()
        weakref.finalize(self, self._desk.close)

    @property
    def native_id(self) -> int:
        """Its number in the operating system."""
        assert self._thread.native_id is not None
        return self._thread.native_id

    @contextmanager
    def doing(self, work: Callable[[], object]) -> Iterator[None]:
        """It does some work meanwhile; at the end that is over, or, where the thread has not come to it, left undone.

        Raises what the work has raised.
        """
        desk = self._desk
        desk.work = work
        desk.begin.release()
        try:
            yield
        finally:
            if desk.begin.acquire(blocking=False):
                desk.work = None
            else:
                desk.done.acquire()
                error, desk.error = desk.error, None
                if error is not None:
                    raise error
