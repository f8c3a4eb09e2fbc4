"""A terminal of 80 columns and 25 lines with `ptxemu debug` in it: pexpect types, pyte shows the screen."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from types import TracebackType

import pexpect
import pyte

PATIENCE = 60.0  # seconds; a loaded machine is slow
CURSOR_REQUEST = "\x1b[6n"


class Terminal:
    """environment: added to the process's own.  raw: everything that was written, with its escape sequences."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        columns: int = 80,
        rows: int = 25,
        *,
        prompt: bool = True,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.raw = ""
        self._stream = pyte.Stream(self.screen)
        plain = {
            name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES", "CI")
        }
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "emulator", "debug", *arguments],
            dimensions=(rows, columns),
            encoding="utf-8",
            env={**plain, "TERM": "xterm-256color", **environment},
        )
        if prompt:
            self.wait_for_prompt()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.close(force=True)

    @property
    def lines(self) -> list[str]:
        """The screen, without blanks at the ends of lines."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def last(self) -> str:
        """The line with the cursor."""
        return self.lines[self.screen.cursor.y]

    def wait(self, holds: Callable[[], bool]) -> None:
        """Read until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise AssertionError("\n".join(["this does not come:", *self.lines]))
            self._read()

    def _read(self) -> None:
        try:
            text = self.process.read_nonblocking(1 << 16, 0.05)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.raw += text
        self._stream.feed(text)
        for _ in range(text.count(CURSOR_REQUEST)):
            self.process.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")

    def wait_for_prompt(self) -> None:
        """Until a command may be typed."""
        self.wait(lambda: self.last == "(ptx)")

    def press(self, keys: str) -> None:
        """Send keys as they are."""
        self.process.send(keys)

    def start(self, line: str) -> None:
        """Type a line on an empty screen and wait until it is being done."""
        self.press("\x0c")  # Ctrl-L
        self.wait(lambda: self.screen.cursor.y == 0 and self.last == "(ptx)")
        seen = len(self.raw)
        self.press(f"{line}\r")
        self.wait(lambda: "\x1b[?2004l" in self.raw[seen:])  # the line editor has let go of the terminal

    def answer(self) -> list[str]:
        """Wait for the next prompt: what stands before it, without the line that was typed."""
        self.wait(lambda: self.screen.cursor.y > 0 and self.last == "(ptx)")
        return self.lines[1 : self.screen.cursor.y]

    def type(self, line: str) -> list[str]:
        """Type a line and wait for its answer."""
        self.start(line)
        return self.answer()

    def pause(self, seconds: float) -> None:
        """Let the program run."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def wait_for_end(self) -> int:
        """Until the program has ended; its exit code."""
        self.wait(lambda: not self.process.isalive())
        self.process.close()
        return int(self.process.exitstatus)

    def colours(self) -> set[str]:
        """The colours and styles that were asked for, besides `plain again`."""
        return set(re.findall(r"\x1b\[([\d;]*)m", self.raw)) - {"", "0"}
