"""The command line of the debugger: where lines come from, what is printed, and what the shell is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.commands import main

KERNELS = Path(__file__).resolve().parent / "kernels"


def debug(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["debug", *arguments], input=typed)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("03_shared/reverse", "-ex", "step"), 0),
        (("03_shared/reverse", "-ex", "continue"), 0),
        (("03_shared/reverse", "-ex", "bogus"), 2),
        (("03_shared/reverse", "-ex", "bogus", "-ex", "step"), 2),
        ((str(KERNELS / "past_the_end.ptx"), "-b", "64", "--arg", "u32[50]", "-ex", "continue"), 1),
        ((str(KERNELS / "past_the_end.ptx"), "-b", "64", "--arg", "u32[50]", "-ex", "continue", "-ex", "rs"), 0),
        (("faults/gate_softmax", "-ex", "continue"), 1),
        (("no_such_sample",), 2),
        ((str(KERNELS / "past_the_end.ptx"),), 2),
        (("03_shared/reverse", "--engine", "abacus"), 2),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int) -> None:
    assert debug(*arguments, "--batch").exit_code == code


def test_a_text_that_is_no_ptx_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "bad.ptx").write_text(".version 8.0\n.target sm_80\n.address_size 64\n.entry k() { ad.u32 x; }\n")
    assert debug(str(tmp_path / "bad.ptx"), "--batch").exit_code == 3


def test_batch_shows_answers_alone(tmp_path: Path) -> None:
    result = debug("03_shared/reverse", "-ex", "when", "--batch")
    assert result.output == "event 0\n"


def test_scripts_come_before_commands_and_stdin_last(tmp_path: Path) -> None:
    script = tmp_path / "first.txt"
    script.write_text("# a comment\nstep 2\n\nset context focus\n")
    result = debug("03_shared/reverse", "-x", str(script), "-ex", "step", typed="when\n")
    lines = result.output.splitlines()
    assert lines[-2:] == ["(ptx) when", "event 3"]
    assert sum("event 2 " in line for line in lines) == 1


def test_quit_leaves_at_once() -> None:
    result = debug("03_shared/reverse", "-ex", "quit", "-ex", "step", "--batch", typed="step\n")
    assert result.output == ""
    assert result.exit_code == 0


def test_an_empty_line_repeats_a_step_but_not_a_print() -> None:
    result = debug("03_shared/reverse", typed="step\n\nwhen\nprint 1\n\nwhen\n")
    assert result.output.count("event 2\n") == 2
    assert result.output.count("$1 = 1") == 1


def test_json_is_one_object_a_line() -> None:
    result = debug(
        "03_shared/reverse", "-ex", "step 3 --json", "-ex", "info warps --json", "-ex", "when --json", "--batch"
    )
    stop, warps, when = map(json.loads, result.output.splitlines())
    assert (stop["reason"], stop["time"], stop["warp"]) == ("step", 3, 0)
    assert [row["line"] for row in warps] == [25, 22, 22, 22]
    assert when["time"] == 3


def test_what_a_kernel_prints_is_shown_once() -> None:
    result = debug("06_functions/hello_vprintf", typed="continue\nseek start\ncontinue\n")
    first = result.output.splitlines()
    greetings = [line for line in first if line.lower().startswith("hello")]
    assert greetings
    assert len(set(greetings)) == len(greetings)


def test_commands_of_a_breakpoint_are_done_at_its_stop() -> None:
    lines = "break 33\ncommands 1 print 41 + 1; print %thread@3\ncontinue\nquit\n"
    output = debug("03_shared/reverse", typed=lines).output.splitlines()
    assert output[-3:] == ["$1 = 42", "$2 = 99", "(ptx) quit"]


def test_a_bug_of_ours_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("emulator.debugger.motion.step", broken)
    assert debug("03_shared/reverse", "-ex", "step", "--batch").exit_code == 70
