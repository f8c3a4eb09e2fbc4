"""How a session starts: again with its breakpoints, on as many devices as a sample needs, with the sample's verdict."""

from pathlib import Path

from click.testing import CliRunner

from emulator.commands import main


def screen(*arguments: str) -> list[str]:
    commands = [word for line in arguments[1:] for word in ("-ex", line)]
    return CliRunner().invoke(main, ["debug", arguments[0], *commands, "--batch"]).output.splitlines()


def test_breakpoints_of_a_sample_hold_after_run() -> None:
    lines = screen("03_shared/reverse", "break 38", "run", "continue")
    assert lines.count("Breakpoint 1, line 38") == 1


def test_a_sample_on_several_devices_brings_them_along() -> None:
    lines = screen("07_devices/all_reduce", "device 3", "info devices")
    assert lines[-1].startswith(" *      3  sm_90a")


def test_the_verdict_of_a_sample_fits_the_screen() -> None:
    lines = screen("faults/gate_softmax", "continue")
    assert lines[1].startswith("WRONG  gates  24 of 32 differ; first [1, 0]: 0.114")
    assert max(map(len, lines)) <= 80


def test_the_focus_of_a_seek_is_a_warp_that_runs_then() -> None:
    lines = screen("01_basics/saxpy", "seek end", "seek 30")
    assert lines[-1].startswith(" focus  block (1,0,0) warp 0 lane 0")
    assert lines[-1].endswith("event 30   saxpy")


def test_a_step_over_the_last_instruction_is_the_end_of_the_run() -> None:
    for command in ("step 99", "next 99"):
        lines = screen("faults/gate_softmax", command)
        assert lines[0] == "The run has ended: 19 warp instructions."
        assert lines[1].startswith("WRONG  gates")


def test_a_count_is_at_least_one() -> None:
    assert screen("03_shared/reverse", "step 3", "reverse-step 0")[-4:] == [
        "error: this is no count",
        "  0",
        "  ^",
        "  help: 1 or more",
    ]


def test_a_script_that_is_no_text_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "walk.gdb"
    script.write_bytes(b"step\n\xff\xfe")
    result = CliRunner().invoke(main, ["debug", "03_shared/reverse", "-x", str(script)])
    assert result.exit_code == 2
    assert "is no text: byte 5 is not UTF-8" in " ".join(result.stderr.split())
