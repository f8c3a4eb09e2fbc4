"""What is wrong with a command: a sentence, the text with a caret, a likely fix."""

from __future__ import annotations

import textwrap

ROOM = 76  # for the text


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
            found += [f"  {line}" for line in self._pointed_at()]
        if self.help:
            found += textwrap.wrap(self.help, 80, initial_indent="  help: ", subsequent_indent=" " * 8)
        return found

    def _pointed_at(self) -> list[str]:
        """The text, or what of it fits around the place that is wrong, and carets below that."""
        text = "".join(sign if sign.isprintable() else "?" for sign in self.text)
        start, end = self.at, max(self.at + 1, self.end)
        if len(text) > ROOM:
            first = max(0, min(start - ROOM // 3, len(text) - ROOM))
            text = ("..." if first else "") + text[first + 3 * bool(first) : first + ROOM - 3] + "..."
            start, end = start - first, end - first
        return [text, " " * start + "^" * (min(end, ROOM) - start)]
