"""Nothing that is typed ends a session: random lines get an answer or an error that says what is wrong."""

import random

import pytest

from emulator import samples
from emulator.debugger.commands import COMMANDS, run_line
from emulator.debugger.commands.table import names
from emulator.debugger.completion import candidates
from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import HEIGHT, WIDTH
from tests.debugger.scripted import session_of

TARGETS = (
    "03_shared/reverse",
    "faults/gate_softmax",
    "cuda/top_k",
    "07_devices/all_reduce",
    "06_functions/hello_vprintf",
)
WORDS = (
    "%value", "%mine", "%p1", "%r1", "%rd1", "%nothing", "%tid.x", "%tid.w", "%clock", "%v.x", "data", "tile",
    "tile[3]", "tile[-1]", "tile[999999999999]", "data[%mine]", "shared[0x400:4]", "shared[0x400:99999999999]",
    "shared[0]", "param[0]", "global.f32[data]", "local.b64[8:16]", "global[0]", "const[0]", "generic[0:0]", "lane",
    "lane 5", "lane -1", "lane 77", "@5", "@-1", "@%value", "@1e300", "if", "all", "changed", "pred", "inactive",
    "warp", "block", "thread", "(1,0,0)", "(0,0,0)", "(1,2", "(9,9,9,9)", "warp 0", "warp 99", "block 0",
    "block -1", "opcode:bar.sync", "opcode:", "reverse.ptx:30", ":", "::", "file:99999999999999999999", "START",
    "DONE", "*0", "*-1", "*0x10", "0", "1", "-1", "7", "31", "32", "1e9", "0x", "0xffffffffffffffffffff",
    "99999999999999999999999", "1.5", "nan", "inf", "0f7fc00000", "0d7ff0000000000000", "+", "-", "*", "/", "%",
    "<<", ">>", "&", "|", "^", "&&", "==", "!=", "!", "~", "=", "(", ")", "[", "]", ",", ";", ":", "any(",
    "all(%p1)", "count(%value)", "min(1,2)", "bf16(%r1)", "e4m3x4(%r1)", "f64(%r1)", "tf32(%value)", "s4(%r1)",
    "$1", "$pc", "$", "$time", "--json", "--banks", "-n 3", "-n 0", "-n 99999999999999999999", "-n", "-exact",
    "start", "end", "fault", "on", "off", "random:3", "random:x", "round_robin", "round_robin:0", "random:-1", "/x",
    "/", "/4xw", "/99999999999x", "/8f", "/zz", "tile+", "&data", "&", "\xe9\xfc\u4e2d\U0001f600", "\u0661\u0662",
    "\xb2", "\x00", "\x1b[31m", '"', "'", "\\", "#", "a" * 300, "(" * 40, "-" * 40, "{}", "%s", "0o7", "1_000",
    "9" * 5000,
)  # fmt: skip


def line_of(draw: random.Random) -> str:
    """A command, or something like it, with words behind it."""
    kind = draw.random()
    head = draw.choice(names())
    if kind < 0.1:
        head = head[: draw.randrange(1, len(head) + 1)]
    elif kind < 0.15:
        head = draw.choice(WORDS)
    elif kind < 0.2:
        at = draw.randrange(len(head))
        head = head[:at] + draw.choice("xq/-. %") + head[at + 1 :]
    glue = draw.choice((" ", " ", " ", "", "  "))
    return (
        head
        + draw.choice((" ", " ", " ", ""))
        + glue.join(draw.choice(WORDS) for _ in range(draw.choice((0, 1, 1, 2, 3, 5))))
    )


def survive(seed: int, lines: int) -> None:
    draw = random.Random(seed)
    session = session_of(samples.find(TARGETS[seed % len(TARGETS)]), most=5_000)
    for _ in range(lines):
        line = line_of(draw)
        candidates(session, line[: draw.randrange(len(line) + 1)])
        try:
            answer = run_line(session, line)
        except DebuggerError as error:
            shown = list(error.lines())
            assert shown and shown[0], line
            assert len(shown) <= HEIGHT and max(map(len, shown)) <= WIDTH, (line, shown)
        else:
            wide = [one for one in answer.lines if len(one) > WIDTH and not one.startswith(("{", "["))]
            assert not wide and len(answer.lines) <= HEIGHT, (line, answer.lines)
            assert not any("\x1b" in one or "\n" in one for one in answer.lines), line


@pytest.mark.parametrize("seed", range(20))
def test_random_lines(seed: int) -> None:
    survive(seed, 25)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_many_random_lines(seed: int) -> None:
    survive(seed, 100)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_with_every_word(name: str) -> None:
    session = session_of(samples.find("03_shared/reverse"), most=5_000)
    run_line(session, "step 9")
    for word in ("", *WORDS):
        try:
            run_line(session, f"{name} {word}")
        except DebuggerError as error:
            assert error.message
