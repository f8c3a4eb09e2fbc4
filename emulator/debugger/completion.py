"""What Tab offers: commands at the start of a line, the words of the command after it."""

from __future__ import annotations

import re

from emulator.debugger.commands.table import find, names
from emulator.debugger.errors import DebuggerError
from emulator.debugger.session import Session

_WORD = re.compile(r"[^\s,()+*/<>=!&|^~@-]*$")


def candidates(session: Session, text: str) -> list[str]:
    """Completions of the last word of a text."""
    found = _WORD.search(text)
    word = text.lstrip()
    first, blank, rest = word.partition(" ")
    if blank and first in ("help", "h"):
        word = rest.lstrip()
    elif blank:  # behind the command; `-` ends a word of an expression, but reverse-step is one
        word = found[0] if found is not None else ""
    before = text[: len(text) - len(word)].strip()
    offered: set[str] = set()
    if not before:
        offered = {name.split()[0] for name in names() if len(name) > 1}
    else:
        offered |= {name.split()[1] for name in names() if name.startswith(f"{before} ")}
        try:
            row, _ = find(f"{before} {word}".strip())
        except (DebuggerError, IndexError):
            row = None
        if row is not None and row.completer is not None:
            offered |= set(row.completer(session, text))
        if row is not None and row.name == "help":
            offered |= set(names())
    return sorted(one for one in offered if one.startswith(word) and one != word)
