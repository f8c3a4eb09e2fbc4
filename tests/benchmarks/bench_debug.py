"""The debugger: first prompt, stops, steps back, seeks, and what `continue` costs; the table of docs/debugging.md.

    python tests/benchmarks/bench_debug.py [--write] [--rounds N] [--loops N]

CPU time of one core.  The run has 10 million warp instructions with the 1,000 loops of the default.  --write puts the
table into docs/debugging.md and the figures into docs/debugging.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from emulator import LaunchConfig, ObjectCode, System, launch, samples  # noqa: E402
from emulator.debugger.commands import run_line  # noqa: E402
from emulator.debugger.panes.context import context  # noqa: E402
from emulator.debugger.session import Launched, Session  # noqa: E402

PAGE, FIGURES = ROOT / "docs" / "debugging.md", ROOT / "docs" / "debugging.json"
BEGIN, END = "<!-- table: made by tests/benchmarks/bench_debug.py --write -->", "<!-- end of the table -->"
CTAS, THREADS = 256, 128
# Each loop trades a value through shared memory; NEVER is not reached; FIRST comes once in the life of a warp.
MIXER = """.version 8.0
.target sm_80
.address_size 64
.visible .entry mixer(.param .u64 out, .param .u32 rounds)
{
    .shared .align 4 .u32 box[128];
    .reg .b64 %out; .reg .b32 %thread, %cta, %x, %y, %mine, %theirs, %i, %n; .reg .pred %never, %more;
    ld.param.u64  %out, [out];
    ld.param.u32  %n, [rounds];
    mov.u32       %thread, %tid.x;
    mov.u32       %cta, %ctaid.x;
    mad.lo.u32    %x, %cta, 128, %thread;
    mad.wide.u32  %out, %x, 4, %out;
    mov.u32       %mine, box;
    xor.b32       %theirs, %thread, 33;
    mad.lo.u32    %theirs, %theirs, 4, %mine;
    mad.lo.u32    %mine, %thread, 4, %mine;
FIRST:
    mov.u32       %i, 0;
ROUND:
    st.shared.u32 [%mine], %x;
    bar.sync      0;
    ld.shared.u32 %y, [%theirs];
    mad.lo.u32    %x, %x, 1664525, %y;
    setp.eq.u32   %never, %n, 0;
    @%never bra   NEVER;
    bar.sync      0;
    add.u32       %i, %i, 1;
    setp.lt.u32   %more, %i, %n;
    @%more bra    ROUND;
    st.global.u32 [%out], %x;
    ret;
NEVER:
    mov.u32       %x, 0;
    bra           ROUND;
}
"""
Figures = dict[str, Any]


def timed(run: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    run()
    return time.process_time() - start


class Mixer:
    """The kernel with a number of loops.  run, continued: CPU seconds to the end, without and with the debugger."""

    def __init__(self, loops: int) -> None:
        self.loops = loops

    def launch_on(self, system: System) -> None:
        """Launch; it runs when something waits."""
        device = system.device(0)
        out = device.zeros(CTAS * THREADS, np.uint32, name="out")
        kernel = ObjectCode.from_ptx(MIXER.encode(), name="mixer.ptx").get_kernel("mixer")
        launch(device.default_stream, LaunchConfig(CTAS, block=THREADS), kernel, out, np.uint32(self.loops))

    def session(self) -> Session:
        """A session at the first instruction."""

        def start(output: Callable[[str], object]) -> Launched:
            system = System(registers="virtual")
            self.launch_on(system)
            return Launched(system, "mixer", lambda: (True, []))

        return Session(start)

    def run(self, registers: str | None = None) -> float:
        """A run without a debugger."""
        system = System(registers=registers)
        self.launch_on(system)
        return timed(system.sync)

    def continued(self, *commands: str) -> float:
        """`continue` to the end, after some commands."""
        opened = self.session()
        for command in commands:
            run_line(opened, command)
        spent = timed(lambda: run_line(opened, "continue"))
        assert opened.stop.reason == "end"
        return spent


def first_prompts(rounds: int) -> list[float]:
    """The first prompts once Python has compiled the package, as it has where it is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**kept, "PYTHONPYCACHEPREFIX": folder}
        first_prompt(environment)
        return [first_prompt(environment) for _ in range(rounds)]


def first_prompt(environment: dict[str, str]) -> float:
    """A process from its start to the first screen and its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "emulator", "debug", "moe/router"]
    subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def stops() -> tuple[list[float], list[float]]:
    """(rendering, step and rendering) of stops in the router of a mixture-of-experts model."""

    def start(output: Callable[[str], object]) -> Launched:
        system = System(registers="virtual")
        samples.start_sample(samples.find("moe/router"), system)
        return Launched(system, "moe/router", lambda: (True, []))

    opened = Session(start)
    run_line(opened, "step 40")
    both = [timed(lambda: run_line(opened, "step")) for _ in range(100)]
    return [timed(lambda: context(opened)) for _ in range(100)], both


def travels(opened: Session) -> Figures:
    """Back and forth in a run that has ended."""
    end, chance = opened.timeline.end, random.Random(5)
    # The focus is on the first block, which has ended long ago.
    found: Figures = {"long ago": [timed(lambda: run_line(opened, "reverse-step"))]}
    run_line(opened, f"seek {end - 1}")
    found["reverse-step"] = [timed(lambda: run_line(opened, "reverse-step")) for _ in range(50)]
    near = []
    for _ in range(10):
        run_line(opened, f"seek {end - chance.randrange(100_000)}")
        near.append(timed(lambda: run_line(opened, "reverse-step")))
    found["near"] = near
    found["seek"] = [timed(lambda: run_line(opened, f"seek {chance.randrange(end)}")) for _ in range(10)]
    found["reverse-continue"] = []
    run_line(opened, "seek end")
    for block in (CTAS - 1, CTAS // 2, 0):
        run_line(opened, f"break FIRST block {block}")
        found["reverse-continue"].append(timed(lambda: run_line(opened, "reverse-continue")))
        assert opened.stop.reason == "breakpoint", opened.stop
        run_line(opened, f"delete {opened.numbers}")
    run_line(opened, "seek 5000")
    run_line(opened, "watch box[3]")  # of the first block, which has ended long before the end
    run_line(opened, "seek end")
    found["watched"] = [timed(lambda: run_line(opened, "reverse-continue"))]
    assert opened.stop.reason == "watch", opened.stop
    return found


def measured(rounds: int, loops: int) -> Figures:
    """Everything, in seconds."""
    mixer = Mixer(loops)
    found: Figures = {"first prompt": first_prompts(rounds)}
    found["stop"], found["step"] = stops()
    columns = {
        "plain": mixer.run,
        "plain, a row a register": lambda: mixer.run("virtual"),
        "continue": mixer.continued,
        "continue, breakpoint not reached": lambda: mixer.continued("break NEVER"),
        "continue, register watched": lambda: mixer.continued("watch %never"),
        "continue, memory watched": lambda: mixer.continued("rwatch out[9]"),
    }
    mixer.run()
    taken = [[run() for run in columns.values()] for _ in range(rounds)]
    found |= dict(zip(columns, map(list, zip(*taken, strict=True)), strict=True))
    opened = mixer.session()
    run_line(opened, "continue")
    found["instructions"] = opened.timeline.end
    return found | travels(opened)


def table(figures: Figures) -> list[str]:
    """The rows of the page: median, worst, goal."""
    base = statistics.median(figures["plain"])
    millions = figures["instructions"] / 1e6
    rows = [
        ("first prompt, from the shell (`ptxemu debug moe/router`)", "first prompt", "1 s"),
        ("a stop rendered", "stop", "50 ms"),
        ("`step` and its stop", "step", ""),
        ("`reverse-step` from the end of the run, 50 times", "reverse-step", "50 ms"),
        ("`reverse-step` somewhere in the last 100,000 instructions", "near", "50 ms"),
        (f"`seek` to anywhere in {millions:.1f} million instructions", "seek", "2 s"),
        ("the first `reverse-step` of a warp that ended 10 million instructions ago", "long ago", ""),
        ("`reverse-continue` to a breakpoint in the first, middle or last block", "reverse-continue", "2 s"),
        ("`reverse-continue` to the last change of shared memory, 10 million instructions ago", "watched", "2 s"),
    ]
    lines = ["| what | median | worst | goal |", "|---|---|---|---|"]
    for text, key, goal in rows:
        lines.append(f"| {text} | {shown(statistics.median(figures[key]))} | {shown(max(figures[key]))} | {goal} |")
    lines += ["", "| a whole run | median | of the plain run | goal |", "|---|---|---|---|"]
    for key, text, goal in (
        ("plain", "`ptxemu run`", ""),
        ("plain, a row a register", "the same with a row for every register, as the debugger needs it", ""),
        ("continue", "`continue`", "1.3"),
        ("continue, breakpoint not reached", "`continue` with a breakpoint that is not reached", "1.3"),
        ("continue, register watched", "`continue` with `watch` on a register that one warp writes 1,000 times", ""),
        ("continue, memory watched", "`continue` with `rwatch` on memory that nobody reads", ""),
    ):
        middle = statistics.median(figures[key])
        lines.append(f"| {text} | {shown(middle)} | {middle / base:.2f} | {goal} |")
    return lines


def shown(seconds: float) -> str:
    """Milliseconds below a second."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.01 else f"{seconds * 1e3:.2g} ms"


def write(figures: Figures, lines: list[str]) -> None:
    """The table into the page, the figures beside it."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text("\n".join([before + BEGIN, *lines, END + after]), encoding="utf-8")
    rounded = {k: v if isinstance(v, int) else [round(t, 6) for t in v] for k, v in figures.items()}
    FIGURES.write_text(
        json.dumps({"machine": platform.machine(), "seconds": rounded}, indent=1) + "\n", encoding="utf-8"
    )


def main() -> None:
    """Measure and print, perhaps write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, default=1000)
    given = parser.parse_args()
    figures = measured(given.rounds, given.loops)
    lines = table(figures)
    print("\n".join(lines))
    if given.write:
        write(figures, lines)


if __name__ == "__main__":
    main()
