"""Progress on stderr: what is compiled for the first time; CTAs done of all, warp instructions and their rate."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from emulator import System

SHOW_AFTER = 0.5  # seconds: short runs show nothing and import nothing
BAR_EVERY = 0.1
LINE_EVERY = 2.0


@contextmanager
def compile_notice(wanted: bool | None = None) -> Iterator[None]:
    """Say when the native engine compiles what is not in its cache yet.  wanted: as for Progress."""
    from emulator.engines.native import cache

    terminal = sys.stderr.isatty()

    def say(count: int) -> None:
        where = cache.folder()
        kept = "once, then they are kept"
        if not cache.can_be_written():
            kept = "the cache is off" if where is None else "the cache cannot be written"
        text = f"ptxemu: compiling {count:,} handlers ({kept})"
        if terminal:
            click.echo(f"\r{text}" if count else "\r\x1b[K", err=True, nl=False)
        elif count:
            click.echo(text, err=True)

    if terminal if wanted is None else wanted:
        with cache.heard_by(say):
            yield
    else:
        yield


class Progress:
    """Shows how far a system is, at most every tenth of a second; a context manager.

    wanted: None shows a bar if stderr is a terminal; True also writes lines where it is not; False shows nothing.
    seconds: how long `run` took.
    """

    def __init__(self, system: System, wanted: bool | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._system = system
        self._clock = clock
        self._terminal = sys.stderr.isatty()
        self._shown = self._terminal if wanted is None else wanted
        self._start = 0.0
        self._next = 0.0
        self.seconds = 0.0
        self._bar: Any = None

    def run(self) -> None:
        """Run everything that was launched to its end; kernel faults are raised here."""
        self._start = self._clock()
        self._next = self._start + SHOW_AFTER
        try:
            self._system.run_until(self._tick, every_turn=False)
        finally:
            self.seconds = self._clock() - self._start

    def write(self, text: str) -> None:
        """What a kernel prints, to stdout, where no bar stands at the moment."""
        self._clear()
        click.echo(text, nl=False)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._clear()

    def _tick(self) -> bool:
        now = self._clock()
        if self._shown and now >= self._next and self._ctas()[1]:
            self._next = now + (BAR_EVERY if self._terminal else LINE_EVERY)
            self._show()
        return False

    def _ctas(self) -> tuple[int, int]:
        grids = [grid for device in self._system.runner.devices for grid in device.grids]
        return sum(grid.finished_ctas for grid in grids), sum(grid.cta_count for grid in grids)

    def _text(self) -> str:
        count = self._system.runner.time
        done, total = self._ctas()
        rate = count / (self._clock() - self._start)
        return f"{done:,} of {total:,} CTAs, {count:,} instructions, {rate:,.0f}/s"

    def _show(self) -> None:
        if not self._terminal:
            click.echo(f"ptxemu: {self._text()}", err=True)
            return
        if self._bar is None:
            self._bar = _new_bar()
            self._bar.start()
            self._bar.add_task("")
        done, total = self._ctas()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, description=self._text())

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _new_bar() -> Any:
    """A bar that vanishes when it stops."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
    console = Console(stderr=True)
    return Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
