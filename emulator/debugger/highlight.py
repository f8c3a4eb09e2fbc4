"""Styles by name, and lines with colours for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

# Roles of panes, state spaces, and the kinds of tokens of our own lexer.
STYLES = {
    "changed": "yellow",
    "fault": "bold red",
    "here": "bold",
    "breakpoint": "red",
    "dim": "dim",
    "value": "",
    "global": "blue",
    "shared": "green",
    "local": "magenta",
    "const": "cyan",
    "param": "cyan",
    "generic": "blue",
    "error": "bold red",
    "opcode": "bold cyan",
    "label": "bold yellow",
    "register": "green",
    "symbol": "",
    "directive": "blue",
    "number": "magenta",
    "string": "yellow",
    "comment": "dim",
    "punctuation": "",
}


def to_rich(line: str) -> Text:
    """A line as rich prints it."""
    from rich.text import Text

    text = Text(str(line))
    for start, end, style in getattr(line, "spans", ()):
        if STYLES.get(style):
            text.stylize(STYLES[style], start, end)
    return text
