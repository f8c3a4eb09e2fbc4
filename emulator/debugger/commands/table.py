"""The table of commands: names and abbreviations, `help`, suggestions, and the running of a line.

A command is a function (session, text) -> Answer with a row: @command("lanes", "la", usage="lanes EXPR...").  Its
docstring is its help; an indented line that begins with `(ptx)` is its example.  `--json` as the last word of a looking
command prints the object instead of the lines.
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import Answer, clip
from emulator.debugger.session import Session

Run = Callable[[Session, str], Answer]
Completer = Callable[[Session, str], Iterable[str]]
LONGEST_LINE = 4000
TOPICS = ("running", "time", "stopping", "focus", "looking", "changing", "other")


@dataclass(frozen=True)
class Command:
    """A row.  repeat: Enter does it again.  looks: it has --json.  completer: words that may come next."""

    name: str
    aliases: tuple[str, ...]
    usage: str
    topic: str
    run: Run
    repeat: bool
    looks: bool
    completer: Completer | None

    @property
    def help(self) -> str:
        """The docstring, indentation removed."""
        return inspect.cleandoc(self.run.__doc__ or "")

    @property
    def summary(self) -> str:
        """Its first line."""
        return self.help.partition("\n")[0]


COMMANDS: dict[str, Command] = {}
_NAMES: dict[str, Command] = {}
_FIRST = {"i": "info", "s": "step", "inf": "info"}


def command(
    name: str,
    *aliases: str,
    usage: str,
    topic: str,
    repeat: bool = False,
    looks: bool = False,
    completer: Completer | None = None,
) -> Callable[[Run], Run]:
    """Put a function into the table; names have one or two words."""

    def enter(run: Run) -> Run:
        row = Command(name, aliases, usage, topic, run, repeat, looks, completer)
        COMMANDS[name] = row
        for word in (name, *aliases):
            assert word not in _NAMES, word
            _NAMES[word] = row
        return run

    return enter


def names() -> list[str]:
    """All names and aliases."""
    return list(_NAMES)


def find(line: str) -> tuple[Command, str]:
    """The command of a line and the rest of it; DebuggerError for an unknown or ambiguous word.

    Two words win over one (`info regs`, `step warps`), an alias over an abbreviation; a unique beginning is enough.
    `x/4xw` and `p/x` are commands with their format.
    """
    words = line.split(None, 2)
    head, slash, form = words[0].partition("/")
    rest = line.strip()[len(words[0]) :].strip()
    if slash:
        rest = f"/{form} {rest}".strip()
    if head == "cuda" and rest:
        return find(rest)
    if len(words) > 1 and not slash:
        two = _two_words(head, words[1])
        if two is not None:
            return two, rest[len(words[1]) :].strip()
    if head in _NAMES:
        return _NAMES[head], rest
    return _abbreviated(head), rest


def _two_words(first: str, second: str) -> Command | None:
    """The command of two words, each of which may be abbreviated; None if the first word stands alone."""
    second = second.partition("/")[0]
    first = _FIRST.get(first, first)
    pairs = [tuple(name.split(" ", 1)) for name in _NAMES if " " in name]
    firsts = sorted({one for one, _ in pairs})
    if first not in firsts and first not in _NAMES:
        close = [one for one in firsts if one.startswith(first)]
        first = close[0] if len(close) == 1 else first
    seconds = [two for one, two in pairs if one == first]
    if second in seconds:
        return _NAMES[f"{first} {second}"]
    near = {_NAMES[f"{first} {two}"].name: two for two in seconds if two.startswith(second)}
    if len(near) == 1:
        return COMMANDS[next(iter(near))]
    if not seconds or first in _NAMES:
        return None
    if near:
        raise DebuggerError(f"{first} {second} is ambiguous: {', '.join(sorted(near))}")
    raise DebuggerError(
        f"{first} has no {second!r}", help=_nearest(second, seconds) or f"there is {', '.join(seconds)}"
    )


def _abbreviated(word: str) -> Command:
    found = {row.name: row for name, row in _NAMES.items() if name.startswith(word) and " " not in name}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise DebuggerError(f"{word} is ambiguous: {', '.join(sorted(found))}")
    firsts = {name.split()[0] for name in _NAMES if " " in name}
    if word in firsts or word == "i":
        seconds = sorted(name.split()[1] for name in _NAMES if " " in name and name.startswith(f"{word} "))
        raise DebuggerError(f"{word} what?", help=", ".join(seconds))
    raise DebuggerError(f"no command is called {word!r}", help=_nearest(word, [*_NAMES, *firsts]) or "help lists them")


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def run_line(session: Session, line: str) -> Answer:
    """Do what a line says; DebuggerError if it cannot be done.  An empty line and a comment do nothing."""
    line = "".join(sign if sign.isprintable() else " " for sign in line).strip()
    if not line or line.startswith("#"):
        return Answer()
    if len(line) > LONGEST_LINE:
        raise DebuggerError(f"a line has at most {LONGEST_LINE:,} signs, this one {len(line):,}")
    row, rest = find(line)
    if not row.looks or not (rest == "--json" or rest.endswith(" --json")):
        answer = row.run(session, rest)
        return replace(answer, lines=[clip(line) for line in answer.lines])
    answer = row.run(session, rest.removesuffix("--json").strip())
    return Answer([json.dumps(answer.data)], answer.data, answer.stop)


@command("help", "h", usage="help [COMMAND]", topic="other")
def help_(session: Session, text: str) -> Answer:
    """List the commands, or say what one does.

    (ptx) help step
    """
    if not text:
        lines = []
        for topic in TOPICS:
            found = [row.name for row in COMMANDS.values() if row.topic == topic]
            lines += _wrapped(f"{topic:9}", found)
        return Answer([*lines, "", "help COMMAND says more; the beginning of a name is enough; Enter repeats a step."])
    row, _ = find(text)
    aliases = f"   ({', '.join(row.aliases)})" if row.aliases else ""
    return Answer([f"{row.usage}{aliases}", *row.help.splitlines()])


def _wrapped(head: str, words: list[str]) -> list[str]:
    import textwrap

    return textwrap.wrap(", ".join(words), 80, initial_indent=f"{head} ", subsequent_indent=" " * 10)


@command("quit", "q", "exit", usage="quit", topic="other")
def quit_(session: Session, text: str) -> Answer:
    """Leave the debugger.

    (ptx) quit
    """
    return Answer(quit=True)
