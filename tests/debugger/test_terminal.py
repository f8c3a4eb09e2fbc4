"""`ptxemu debug` in a real terminal: history, completion, Enter, colours, Ctrl-C, the full-screen view."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.commands import main
from tests.debugger.terminal import Terminal

COUNT = """.version 8.0
.target sm_80
.address_size 64
.visible .entry count(.param .u64 out)
{
    .reg .b32 %turns, %next;
    .reg .b64 %out;
    ld.param.u64  %out, [out];
AGAIN:
    add.u32       %next, %turns, 1;
    mov.u32       %turns, %next;
    st.global.u32 [%out], %turns;
    bra           AGAIN;
}
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An empty history."""
    return {"XDG_STATE_HOME": str(tmp_path)}


@pytest.fixture(scope="module")
def shared_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with Terminal(["03_shared/reverse"], {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}) as terminal:
        yield terminal


@pytest.fixture
def reverse(shared_terminal: Terminal) -> Terminal:
    """A terminal that several tests share, at the beginning of the run."""
    shared_terminal.type("run")
    return shared_terminal


def time_of(lines: list[str]) -> int:
    """The event in the last line of a stop."""
    found = re.search(r"event ([\d,]+)", lines[-1])
    assert found is not None, lines
    return int(found[1].replace(",", ""))


def test_enter_repeats_a_step_and_nothing_else(reverse: Terminal) -> None:
    assert time_of(reverse.type("step")) == 1
    assert time_of(reverse.type("")) == 2
    assert time_of(reverse.type("")) == 3
    assert time_of(reverse.type("rs")) == 2
    assert time_of(reverse.type("")) == 1
    assert reverse.type("when") == ["event 1 of 3: the past, 2 before its end"]
    assert reverse.type("") == []


def test_tab_completes_commands_registers_and_places(reverse: Terminal) -> None:
    reverse.press("wher\t")
    reverse.wait(lambda: reverse.last == "(ptx) where")
    reverse.press("\x15print %part\t")
    reverse.wait(lambda: reverse.last == "(ptx) print %partner")
    reverse.press("\x15break opcode:bar\t")
    reverse.wait(lambda: reverse.last == "(ptx) break opcode:bar.sync")
    reverse.press("\x15reverse-\t")
    reverse.wait(lambda: any("reverse-finish" in line for line in reverse.lines))
    reverse.press("\x15")
    reverse.wait(lambda: reverse.last == "(ptx)")


@pytest.mark.slow
def test_history_goes_on_in_the_next_session(home: dict[str, str]) -> None:
    with Terminal(["03_shared/reverse", "-ex", "step"], home) as terminal:
        terminal.type("when")
        terminal.press("quit\r")
        assert terminal.wait_for_end() == 0
    with Terminal(["03_shared/reverse"], home) as terminal:
        terminal.press("\x1b[A\x1b[A")  # up, up
        terminal.wait(lambda: terminal.last == "(ptx) when")
        terminal.press("\r")
        terminal.wait(lambda: "event 0" in terminal.lines)


COMMANDS = ("step 9", "info regs", "lanes %value %mine", "info warps", "help", "list", "break 38", "continue")


def test_no_line_is_longer_than_80_columns_and_no_color_has_none(home: dict[str, str]) -> None:
    with Terminal(["03_shared/reverse"], home | {"NO_COLOR": "1"}, columns=160, rows=60) as terminal:
        shown = [*terminal.lines, *(line for command in COMMANDS for line in terminal.type(command))]
        assert terminal.colours() == set()
    assert len(shown) > 100
    assert max(map(len, shown)) <= 80


def test_a_terminal_shows_colours(reverse: Terminal) -> None:
    assert reverse.type("step")[0] == " last    22  ld.param.u64    %data, [data];"
    assert len(reverse.colours()) >= 3


def test_ctrl_c_stops_a_running_kernel_at_an_exact_state(home: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "count.ptx").write_text(COUNT)
    with Terminal([str(tmp_path / "count.ptx"), "--arg", "u32[1]"], home) as terminal:
        terminal.start("continue")
        terminal.pause(0.5)
        terminal.press("\x03")
        answer = terminal.answer()  # the terminal shows ^C where it likes
        assert any(re.search(r"Interrupted at event [\d,]+\.$", line) for line in answer), answer
        (when,) = terminal.type("when")
        event = int(when.removeprefix("event ").replace(",", ""))
        # After the ld, four instructions a round: add, mov, st, bra.
        rounds, position = divmod(event - 1, 4)
        (turns,) = terminal.type("print %turns")
        assert turns.split("    ")[0] == f"$1 = uniform {rounds + (position > 1)}"
        terminal.type("reverse-step")
        assert time_of(terminal.type("step")) == event
        assert terminal.type("print %turns") == [turns.replace("$1", "$2")]


@pytest.mark.slow
def test_ctrl_c_at_the_prompt_drops_the_line_and_ctrl_d_leaves(home: dict[str, str]) -> None:
    with Terminal(["03_shared/reverse"], home) as terminal:
        terminal.press("nonsense\x03")
        terminal.wait(lambda: terminal.last == "(ptx)")
        assert terminal.type("when") == ["event 0"]
        terminal.press("\x04")
        assert terminal.wait_for_end() == 0


def test_the_full_screen_view_starts_shows_and_quits(home: dict[str, str]) -> None:
    with Terminal(["03_shared/reverse", "--tui", "-ex", "step 8"], home, prompt=False) as terminal:
        terminal.wait(lambda: "─03_shared/reverse   event 8" in terminal.lines[0])
        terminal.wait(lambda: any("0x400 <tile>" in line for line in terminal.lines))
        assert any("=>   32      bar.sync" in line for line in terminal.lines)
        assert any(line.startswith("*   0      ####") for line in terminal.lines)
        terminal.press("\x1b[19~")  # F8
        terminal.wait(lambda: "event 36" in terminal.lines[0])
        terminal.press("print %value\r")
        terminal.wait(lambda: any(line.startswith("$1 = ") for line in terminal.lines))
        terminal.press("q\r")
        assert terminal.wait_for_end() == 0
        assert "\x1b[?1049l" in terminal.raw  # the screen of before is back


def test_the_full_screen_view_without_textual_or_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        result = CliRunner().invoke(main, ["debug", "03_shared/reverse", "--tui"])
        assert result.exit_code == 2
        return result.output

    assert "--tui needs a terminal" in said()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "textual" else find(name))
    assert "--tui needs textual: pip install 'ptxemu[tui]'" in said()
