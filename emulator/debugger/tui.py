"""The full-screen view: source, lanes, shared memory and warps in one window, above the console's command line.

Commands, panes and session are those of the console; only where their lines go differs.  A command runs in a thread,
so that Ctrl-C can stop it; the panes are drawn when it has ended.  textual is imported here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from rich.text import Text
from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Input, Label, RichLog, Static

from emulator.debugger.completion import candidates
from emulator.debugger.console import PROMPT, Console
from emulator.debugger.highlight import to_rich
from emulator.debugger.panes import window
from emulator.debugger.session import Session

WIDE = 161  # columns: two panes of 80 side by side
KEYS = "F2 answers  F3 F4 warp  F5 continue  F6 back  F7 step back  F8 step  F10 quit"

Pane = Callable[[Session, int], list[str]]
PANES: dict[str, tuple[Callable[[Session], str], Pane]] = {
    "source": (window.source_title, window.source),
    "lanes": (window.lanes_title, window.lanes),
    "shared": (window.shared_title, window.shared),
    "warps": (window.warps_title, window.warps),
}


class Answers(Console):
    """The console, with its answers written into the window.  written: how many lines the last command gave."""

    def __init__(self, session: Session, write: Callable[[Text], Any]) -> None:
        super().__init__(session, colour=True)
        self.write = write
        self.written = 0

    def show(self, lines: Iterable[str]) -> None:
        """Write lines with their colours."""
        self.show_printed()
        for line in lines:
            self.written += 1
            self.write(to_rich(line))

    def show_printed(self) -> None:
        """What kernels have printed."""
        for line in self.session.take_printed().splitlines():
            self.written += 1
            self.write(Text(line))


class CommandLine(Input):
    """One line with history and completion."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
        Binding("tab", "complete", show=False),
    ]

    def __init__(self, offered: Callable[[str], list[str]], show: Callable[[list[str]], None]) -> None:
        super().__init__(id="command", compact=True, select_on_focus=False)
        self.lines: list[str] = []
        self._offered, self._show = offered, show
        self._at = 0

    def enter(self) -> str:
        """Take the line; it joins the history."""
        line = self.value.strip()
        if line and self.lines[-1:] != [line]:
            self.lines.append(line)
        self._at = len(self.lines)
        self.value = ""
        return line

    def action_older(self) -> None:
        """The line before in the history."""
        self._recall(max(0, self._at - 1))

    def action_newer(self) -> None:
        """The line after in the history; behind the last one an empty one."""
        self._recall(min(len(self.lines), self._at + 1))

    def _recall(self, at: int) -> None:
        self._at = at
        self.value = self.lines[at] if at < len(self.lines) else ""
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """Add what all completions of the last word begin with; show them if there are several."""
        words = self._offered(self.value)
        if not words:
            return
        first, last = min(words), max(words)
        start = first[: next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
        typed = next(size for size in range(len(start), -1, -1) if self.value.endswith(start[:size]))
        self.value += start[typed:] + (" " if len(words) == 1 else "")
        self.cursor_position = len(self.value)
        if len(words) > 1:
            self._show(words)


class DebuggerApp(App[None]):
    """The window.  lines: commands that are done at the start."""

    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  textual's
    BINDINGS: ClassVar[list[BindingType]] = [
        ("f2", "answers"),
        ("f3", "warp(-1)"),
        ("f4", "warp(1)"),
        ("f5", "do('continue')"),
        ("f6", "do('reverse-continue')"),
        ("f7", "do('reverse-step')"),
        ("f8", "do('step')"),
        ("pageup", "scroll(-1)"),
        ("pagedown", "scroll(1)"),
        Binding("ctrl+c", "interrupt", priority=True),
        Binding("f10,ctrl+q", "quit", priority=True),
    ]
    CSS = """
    Screen { background: ansi_default; }
    #panes { height: 18fr; }
    .-wide #panes { layout: horizontal; }
    #left, #right { height: 1fr; }
    .-narrow #left { height: 6fr; }
    .-narrow #right { height: 12fr; }
    .pane { border-top: solid $primary; border-title-color: $text-accent; height: 1fr; }
    #lanes { height: 6fr; }
    #shared { height: 3fr; }
    #warps { height: 3fr; }
    #answers { height: 5fr; border-top: solid $primary; background: ansi_default; scrollbar-size: 0 0; }
    #line, #keys { height: 1; }
    #line Label { width: auto; text-style: bold; }
    #command, #command:focus { width: 1fr; background: ansi_default; border: none; padding: 0; }
    .-answers #panes { display: none; }
    """

    def __init__(self, session: Session, lines: Iterable[str] = ()) -> None:
        super().__init__()
        self.session = session
        self.lines = list(lines)
        self.busy = False
        self.answers = Answers(session, lambda text: self.call_from_thread(self.answer_pane.write, text))
        session.settings.context = ("last",)  # the panes show the rest

    def compose(self) -> ComposeResult:
        """Two columns that lie above each other on a narrow screen, the answers, the command line."""
        panes = {name: Static(id=name, classes="pane") for name in PANES}
        with Container(id="panes"):
            with Vertical(id="left"):
                yield panes["source"]
            with Vertical(id="right"):
                yield from (panes[name] for name in ("lanes", "shared", "warps"))
        log = RichLog(id="answers", wrap=False)
        log.border_title, log.can_focus = "answers", False
        yield log
        with Horizontal(id="line"):
            yield Label(PROMPT, markup=False)
            yield CommandLine(self._candidates, self._show_words)
        yield Label(KEYS, id="keys", markup=False)

    @property
    def answer_pane(self) -> RichLog:
        return self.query_one("#answers", RichLog)

    def on_mount(self) -> None:
        """The first screen."""
        self.query_one(CommandLine).focus()
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self.draw()
        if self.lines:
            self.run_lines(self.lines)

    def on_resize(self, event: events.Resize) -> None:
        """Panes show as much as there is room for."""
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Fill the panes from the session, unless a command runs."""
        if self.busy:
            return
        for name, (title, pane) in PANES.items():
            widget = self.query_one(f"#{name}", Static)
            widget.border_title = title(self.session)
            lines = pane(self.session, max(1, widget.content_size.height))
            widget.update(Text("\n").join(to_rich(line) for line in lines))

    # --- commands ----------------------------------------------------------------------------------

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A command was typed; an empty line repeats a step."""
        self.action_do(self.query_one(CommandLine).enter())

    def action_do(self, line: str) -> None:
        """Do a command as if it were typed."""
        if self.busy:
            self.answer_pane.write(Text("a command is running: Ctrl-C stops it"))
            return
        self.run_lines([line])

    @work(thread=True)
    def run_lines(self, lines: list[str]) -> None:
        """Do commands in a thread, then draw."""
        self.busy = True
        self.answers.written = 0
        stop = self.session.stop
        go_on = True
        for line in lines:
            if line:
                self.answers.write(Text(f"{PROMPT}{line}", "bold"))
            go_on = go_on and self.answers.execute(line)
        self.busy = False
        self.call_from_thread(self._done, go_on, self.session.stop is stop)

    def _done(self, go_on: bool, stood: bool) -> None:
        """Leave, or draw; a long answer takes the room of the panes until the next stop."""
        if not go_on:
            self.exit()
            return
        pane, written = self.answer_pane, self.answers.written
        hidden = written > pane.size.height
        pane.border_title = f"answers (F2 shows all {written} lines)" if hidden else "answers"
        self.set_class(stood and hidden, "-answers")
        self.call_after_refresh(self.draw)

    def action_interrupt(self) -> None:
        """Stop what runs at an exact state."""
        self.session.timeline.motor.interrupted = self.busy
        if not self.busy:
            self.query_one(CommandLine).value = ""

    def action_answers(self) -> None:
        """Give the room of the panes to the answers, and back."""
        self.toggle_class("-answers")
        self.answer_pane.border_title = "answers (F2: back)" if self.has_class("-answers") else "answers"
        self.call_after_refresh(self.draw)

    def action_scroll(self, pages: int) -> None:
        """Through the answers."""
        pane = self.answer_pane
        pane.scroll_relative(y=pages * max(1, pane.size.height - 2), animate=False)

    def action_warp(self, by: int) -> None:
        """Focus on the next or the previous live warp of the kernel."""
        if not self.busy and (words := window.other_warp(self.session, by)):
            self.action_do(words)

    # --- completion --------------------------------------------------------------------------------

    def _candidates(self, text: str) -> list[str]:
        return [] if self.busy else candidates(self.session, text)

    def _show_words(self, words: list[str]) -> None:
        shown = " ".join(words[:60]) + (f" ... {len(words) - 60} more" if len(words) > 60 else "")
        self.answer_pane.write(Text(shown, "dim"))


def run(session: Session, lines: Iterable[str] = ()) -> None:
    """Show the window until the user leaves."""
    DebuggerApp(session, lines).run()
