"""The console: reads lines, has them done, prints the answers.  The only place of the debugger that prints."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.debugger.commands import find, run_line
from emulator.debugger.commands.looking import displayed
from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import Answer, paint
from emulator.debugger.panes.context import context
from emulator.debugger.session import Session

if TYPE_CHECKING:
    from types import FrameType

PROMPT = "(ptx) "


class Console:
    """A session and where its answers go.  failed: whether a command could not be done."""

    def __init__(self, session: Session, colour: bool | None = None) -> None:
        self.session = session
        self.failed = False
        self._last = ""
        self._colour = colour if colour is not None else sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._rich: Any = None

    # --- output ------------------------------------------------------------------------------------

    def show(self, lines: Iterable[str]) -> None:
        """Print lines, with colours on a terminal."""
        self.show_printed()
        for line in lines:
            if not self._colour:
                print(line)
            else:
                self._in_colour(line)
        sys.stdout.flush()

    def _in_colour(self, line: str) -> None:
        from emulator.debugger.highlight import to_rich

        if self._rich is None:
            from rich.console import Console as RichConsole

            self._rich = RichConsole(highlight=False, markup=False, emoji=False)
        self._rich.print(to_rich(line), soft_wrap=True)

    def show_printed(self) -> None:
        """What kernels have printed."""
        text = self.session.take_printed()
        if text:
            sys.stdout.write(text if text.endswith("\n") else text + "\n")

    def welcome(self) -> None:
        """The first screen."""
        self.show(context(self.session))

    # --- commands ----------------------------------------------------------------------------------

    def execute(self, line: str) -> bool:
        """Do a line and what breakpoints say; whether to go on.  An empty line repeats a step."""
        line = line.strip() or self._last
        self._last = ""
        waiting = [line]
        while waiting:
            text = waiting.pop(0)
            answer = self._answer(text)
            if answer is None:
                return True
            self.show(answer.lines)
            if answer.quit:
                return False
            if answer.stop is not None and not text.endswith("--json"):
                self.show(displayed(self.session))
                if answer.stop.number in (*self.session.breakpoints, *self.session.checks):
                    waiting = [*self.session.stopper(answer.stop.number).commands, *waiting]
        return True

    def _answer(self, line: str) -> Answer | None:
        """The answer to a line; None if it could not be done, which is said."""
        try:
            with self._interruptible():
                answer = run_line(self.session, line)
            if line and not line.startswith("#") and find(line)[0].repeat:
                self._last = line
        except DebuggerError as error:
            self.failed = True
            first, *rest = error.lines()
            self.show([paint((first, "error")), *rest])
            return None
        return answer

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C stops a running kernel at an exact state, instead of the program."""
        motor = self.session.timeline.motor
        motor.interrupted = False

        def interrupt(number: int, frame: FrameType | None) -> None:
            self.session.timeline.motor.interrupted = True

        try:
            before = signal.signal(signal.SIGINT, interrupt)
        except ValueError:  # not the main thread: nobody presses Ctrl-C here
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self.session.timeline.motor.interrupted = False

    # --- where lines come from -----------------------------------------------------------------------

    def script(self, lines: Iterable[str], *, echo: bool = False) -> bool:
        """Do lines in order; whether to go on after them.

        echo: show them as if they were typed; then an empty one repeats a step.
        """
        for line in lines:
            text = line.rstrip("\n")
            if not echo and not text.strip():
                continue
            if echo and not text.rstrip().endswith("--json"):
                self.show([f"{PROMPT}{text}".rstrip()])
            if not self.execute(text):
                return False
        return True

    def terminal(self) -> None:
        """Ask for lines on a terminal, with history and completion, until the user leaves."""
        ask = _prompt(self.session)
        while True:
            try:
                line = ask(PROMPT)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            try:
                if not self.execute(line):
                    return
            except KeyboardInterrupt:  # between the prompt and the machine: nothing runs that has to be stopped
                print()


def _prompt(session: Session) -> Any:
    """A function that asks for a line: prompt_toolkit's, or input() where it is not installed."""
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import Completer, Completion
        from prompt_toolkit.history import FileHistory
    except ImportError:
        return input
    from emulator.debugger.completion import candidates

    class Words(Completer):
        """Our candidates for prompt_toolkit."""

        def get_completions(self, document: Any, complete_event: Any) -> Iterable[Completion]:
            text = document.text_before_cursor
            for word in candidates(session, text):
                yield Completion(word, start_position=-_typed(text, word))

    history = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "ptxemu" / "debug_history"
    history.parent.mkdir(parents=True, exist_ok=True)
    return PromptSession(history=FileHistory(str(history)), completer=Words(), complete_while_typing=False).prompt


def _typed(text: str, word: str) -> int:
    """How many signs at the end of a text begin a word."""
    return next((size for size in range(min(len(text), len(word)), 0, -1) if word.startswith(text[-size:])), 0)
