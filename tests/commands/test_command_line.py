"""The command line as a whole: exit codes, the table of verbs, a reader that leaves."""

import importlib
import os
import shlex
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from emulator import commands, errors
from emulator.commands import ExitCode, main


def diagnostic(kind: str) -> errors.Diagnostic:
    return errors.Diagnostic("PTX-P0001", kind, f"a finding of kind {kind}")


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


@pytest.fixture
def run_verb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], object]], Result]]:
    """Runs `ptxemu planted`, a verb whose body is the given function."""
    monkeypatch.setattr(commands, "VERBS", (*commands.VERBS, commands.Verb("planted", "planted", "Planted by a test.")))

    def run(body: Callable[[], object]) -> Result:
        module = types.ModuleType("emulator.commands.planted")
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
        module.command = click.command("planted")(body)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return CliRunner().invoke(main, ["planted"])

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PtxSyntaxError(diagnostic("syntax")), 3),
        (errors.PtxSemanticError(diagnostic("semantic")), 3),
        (errors.UnsupportedInstruction(diagnostic("unsupported")), 5),
        (errors.PtxSemanticError(diagnostic("unsupported"), diagnostic("semantic")), 3),
        (errors.PtxSemanticError(diagnostic("unsupported"), diagnostic("unsupported")), 5),
        (errors.UsageError(diagnostic("usage")), 2),
        (errors.IllegalAddress(diagnostic("fault")), 1),
        (errors.Trap(diagnostic("fault")), 1),
        (errors.Hang(diagnostic("hang")), 1),
        (errors.InstructionLimit(diagnostic("hang")), 124),
        (click.UsageError("wrong"), 2),
        (click.FileError("k.ptx", "gone"), 2),
        (FileNotFoundError(2, "No such file or directory", "k.ptx"), 2),
        (OSError(28, "No space left on device"), 2),
        (MemoryError(), 2),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("ours"), 70),
        (OSError("no file in sight"), 70),
    ],
)
def test_an_error_has_its_exit_code(run_verb, error: BaseException, code: int) -> None:
    result = run_verb(raising(error))
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr != ""


def test_a_returned_code_is_the_exit_code(run_verb) -> None:
    assert run_verb(lambda: None).exit_code == 0
    assert run_verb(lambda: ExitCode.NO_GPU).exit_code == 4


def test_a_diagnosed_error_is_rendered_without_a_traceback(run_verb) -> None:
    assert run_verb(raising(errors.Trap(diagnostic("fault")))).stderr == "error[PTX-P0001]: a finding of kind fault\n"


def test_our_bug_shows_a_traceback_and_where_to_report_it(run_verb) -> None:
    stderr = run_verb(raising(ZeroDivisionError("ours"))).stderr
    assert "Traceback (most recent call last)" in stderr
    assert "ZeroDivisionError: ours" in stderr
    assert "bug in ptxemu" in stderr


def test_help_lists_exactly_the_verbs_that_are_there() -> None:
    result = CliRunner().invoke(main, ["--help"])
    folder = Path(commands.__file__).parent
    there = [
        verb for verb in commands.VERBS if (folder / f"{verb.module}.py").exists() or (folder / verb.module).is_dir()
    ]
    listed = result.stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == [verb.name for verb in there]
    assert result.exit_code == 0


@pytest.mark.parametrize("arguments", [[], ["nosuchverb"], ["--nosuchoption"]])
def test_wrong_usage_is_two(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_every_verb_has_help() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(f"Usage: ptxemu {name} ")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path, checkout: Path) -> None:
    for index in range(1000):
        (tmp_path / f"{index}.ptx").write_text("not PTX at all")
    command = [sys.executable, "-m", "emulator", "check", str(tmp_path)]
    with subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("arguments", ["isa", "run 04_warp/warp_sum", "--help"])
def test_a_full_disk_and_a_closed_stdout_are_no_bugs_of_ours(arguments: str, tmp_path: Path, checkout: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m emulator {arguments}"
    full = f"ulimit -f 0; exec {command} > {shlex.quote(str(tmp_path / 'full'))}"
    limited = subprocess.run(["bash", "-c", full], cwd=checkout, stderr=subprocess.PIPE, text=True)
    assert (limited.returncode, limited.stderr) == (2, "ptxemu: File too large\n")
    closed = subprocess.run(["bash", "-c", f"exec {command} >&- 2>&-"], cwd=checkout)
    assert closed.returncode == 0
