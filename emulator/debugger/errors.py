"""What is wrong with a command: a sentence, the text with a caret, a likely fix."""

from __future__ import annotations

import textwrap


class DebuggerError(Exception):
    """A command that cannot be done; nothing has changed.  at, end: where the text is wrong."""

    def __init__(self, message: str, text: str = "", at: int = 0, end: int | None = None, *, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.at = at
        self.end = at + 1 if end is None else end
        self.help = help

    def lines(self) -> list[str]:
        """As the console shows it."""
        found = textwrap.wrap(f"error: {self.message}", 80, subsequent_indent=" " * 7)
        if self.text:
            found += [f"  {self.text}", "  " + " " * self.at + "^" * max(1, self.end - self.at)]
        if self.help:
            found += textwrap.wrap(self.help, 80, initial_indent="  help: ", subsequent_indent=" " * 8)
        return found
