"""The native engine against plain C and against the reference engine: the table of docs/benchmarks.md.

    python tests/benchmarks/bench_native.py [--write] [--threads] [--rounds N] [KERNEL ...]

CPU time of one core, medians of rounds in which the C code and the emulator take turns.  The results of every kernel
are checked.  --write puts the table and the figures into docs/benchmarks.md and docs/benchmarks.json.  --threads
measures two threads only, in wall-clock time: it says something only where two cores have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from emulator import LaunchConfig, ObjectCode, System, launch  # noqa: E402
from emulator.engines.native.compiler import host_features  # noqa: E402
from emulator.engines.native.engine import NativeEngine  # noqa: E402
from emulator.engines.native.library import library  # noqa: E402
from emulator.engines.native.runs import Policy  # noqa: E402
from emulator.machine.warp import HEADER_BYTES  # noqa: E402
from tests.benchmarks.bound import compile_bound  # noqa: E402
from tests.benchmarks.five_kernels import WORKLOADS, Launch, Port, Workload  # noqa: E402
from tests.benchmarks.long_kernel import long_kernel  # noqa: E402

GOALS = {  # C function -> how many times its time a kernel may take
    "vecadd": 10, "alu_simd": 14, "sgemm_ikj": 10, "reduce_tree": 20, "mandel_simd": 14,
    "alu_scalar": 1, "mandel_scalar": 1.2, "sgemm_tiled": 1,
}  # fmt: skip
THREADED = ("alu", "sgemm", "mandel")
CORES = sorted(os.sched_getaffinity(0))[:2]
os.environ.setdefault("GOMP_CPU_AFFINITY", " ".join(map(str, CORES)))  # where the threads of the C code run
AVX2 = "+sse4.2,+popcnt,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,-avx512f"
PAGE, FIGURES = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.json"
BEGIN, END = "<!-- table: made by make bench ARGS=--write -->", "<!-- end of the table -->"
Figures = dict[str, Any]


def timed(run: Callable[[], None]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def interleaved(runs: list[Callable[[], None]], rounds: int) -> list[float]:
    """The median CPU time of each, all of them once a round."""
    for run in runs:
        run()
    times = [[timed(run) for run in runs] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def settle(mine: Launch, system: System) -> None:
    """Launch until the kernel's runs are in place."""
    engine = system.runner.engine
    assert isinstance(engine, NativeEngine)
    mine.run()
    while not engine.is_settled():
        mine.run()


@contextmanager
def handlers_alone() -> Iterator[None]:
    """Without runs of hot code (native/runs.py)."""
    usual = NativeEngine.policy
    NativeEngine.policy = Policy(look_after=1 << 62)
    try:
        yield
    finally:
        NativeEngine.policy = usual


def kernel_figures(workload: Workload, rounds: int) -> Figures:
    """One kernel: its time, that of C, what a warp takes; AssertionError if a result is wrong."""
    system = System(engine="native")
    mine = Launch(workload, system)
    bound = compile_bound()
    ports = [Port(workload, bound, name) for name in workload.bounds] if bound else []
    settle(mine, system)
    with handlers_alone():
        plain = Launch(workload, System(engine="native"))
        plain.run()
    before = system.runner.time
    mine.run()
    instructions = system.runner.time - before
    seconds, alone, *theirs = interleaved([mine.run, plain.run, *(port.run for port in ports)], rounds)
    results = mine.results()
    assert workload.check(results), f"{workload.name}: wrong results"
    if ports and workload.exact:
        same = all(
            (a.view(np.uint32) == b.view(np.uint32)).all() for a, b in zip(results, ports[0].outputs, strict=True)
        )
        assert same, f"{workload.name}: other bits than {workload.bounds[0]}"
    program = mine.kernel.code.program(workload.name, system.contract, system.registers)
    found: Figures = {"seconds": seconds, "warp_instructions": instructions, "ns": seconds / instructions * 1e9}
    found["handlers"] = alone
    found["c"] = {name: {"seconds": t, "ratio": seconds / t} for name, t in zip(workload.bounds, theirs, strict=False)}
    found["warp_bytes"] = HEADER_BYTES + program.row_bytes + program.constant_bytes
    return found


def reference_ratio(workload: Workload, native_ns: float) -> float:
    """How many times longer the reference engine takes an instruction, on the kernel scaled down; same results."""
    results, system = [], System(engine="native")
    for engine in ("native", "reference"):
        system = System(engine=engine)
        mine = Launch(workload, system, small=True)
        start = time.process_time()
        mine.run()
        spent = time.process_time() - start
        results.append([array.tobytes() for array in mine.results()])
    assert results[0] == results[1], f"{workload.name}: the engines differ"
    return spent / system.runner.time * 1e9 / native_ns


def child(code: str, **environment: str) -> float:
    """The CPU time of a Python process, which keeps compiled modules as an installed program does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=variables)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


START = """
from tests.benchmarks.five_kernels import WORKLOADS, Launch
from emulator import System
for workload in WORKLOADS[:{count}]:
    Launch(workload, System(engine="native"), small=True).run()
"""
FIRST = """
import numpy
from pathlib import Path
from emulator import LaunchConfig, ObjectCode, System, launch
with System(engine="native") as system:
    device = system.device(0)
    a = device.zeros(1024, numpy.float32)
    kernel = ObjectCode.from_ptx(Path("tests/data/bench/vecadd.ptx")).get_kernel("vecadd")
    launch(device.default_stream, LaunchConfig(4, block=256), kernel, a, a, a, numpy.int32(1024))
    device.sync()
"""


def start_figures() -> Figures:
    """CPU time of a process with an empty cache over the five kernels, and with a full one to the end of a launch."""
    with tempfile.TemporaryDirectory() as folder:
        cold = child(START.format(count=5), PTXEMU_CACHE=folder)
    child(FIRST)
    return {"cold": cold, "warm": statistics.median(child(FIRST) for _ in range(5))}


def long_figures() -> Figures:
    """A kernel of 20,000 instructions: parse and link, and the time of an instruction."""
    text = long_kernel(20_000).encode()
    parse, link = [], []
    for _ in range(3):
        start = time.process_time()
        code = ObjectCode.from_ptx(text)
        middle = time.process_time()
        kernel = code.get_kernel("long")
        code.program("long")
        parse.append(middle - start)
        link.append(time.process_time() - middle)
    system = System(engine="native")
    device = system.device(0)
    out = device.zeros(64 * 256, np.uint32)

    def run() -> None:
        launch(device.default_stream, LaunchConfig(64, block=256), kernel, out)
        device.sync()

    first = timed(run)
    before = system.runner.time
    seconds = statistics.median(timed(run) for _ in range(3))
    count = (system.runner.time - before) / 3
    records = first - seconds
    return {"parse": statistics.median(parse), "link": statistics.median(link), "records": records,
            "ns": seconds / count * 1e9}  # fmt: skip


def counter_ratio(name: str) -> float:
    """How many times longer a kernel takes while `Counters` count its instructions."""
    from emulator.observers.counters import Counters

    workload = next(w for w in WORKLOADS if w.name == name)
    with handlers_alone():
        plain = Launch(workload, System(engine="native"))
        plain.run()
    counted = Launch(workload, System(engine="native", registers="compact", observers=[Counters()]))
    mine, theirs = interleaved([plain.run, counted.run], 3)
    return theirs / mine


def dirty_cost() -> float:
    """What marking pages costs vecadd, in parts of the time without: processes of both kinds in turns, the median."""
    code = """
import statistics, sys, time
from emulator import System
from emulator.engines.native.patterns import Pattern
from tests.benchmarks.five_kernels import WORKLOADS, Launch
if {off}:
    Pattern._mark_dirty = lambda self, one: None
mine = Launch(WORKLOADS[0], System(engine="native"))
mine.run()
times = []
for _ in range(9):
    start = time.process_time(); mine.run(); times.append(time.process_time() - start)
print(statistics.median(times))
"""
    with tempfile.TemporaryDirectory() as marking, tempfile.TemporaryDirectory() as not_marking:

        def seconds(folder: str, off: bool) -> float:
            done = subprocess.run([sys.executable, "-c", code.format(off=off)], cwd=ROOT, check=True, text=True,
                                  capture_output=True, env={**os.environ, "PTXEMU_CACHE": folder})  # fmt: skip
            return float(done.stdout)

        return statistics.median(seconds(marking, False) / seconds(not_marking, True) for _ in range(9)) - 1


def feature_times(features: str, rounds: int) -> Figures:
    """The kernels' times with other CPU features."""
    import emulator.engines.native.engine as engine

    usual = engine.library
    try:
        engine.library = lambda _=None: library(features)  # type: ignore[assignment]
        found = {}
        for workload in WORKLOADS:
            system = System(engine="native")
            mine = Launch(workload, system)
            settle(mine, system)
            found[workload.name] = interleaved([mine.run], rounds)[0]
            assert workload.check(mine.results()), f"{workload.name}: wrong results"
        return found
    finally:
        engine.library = usual


def bind_threads(system: System) -> None:
    """Give the two threads of a system that has run a core each."""
    engine = system.runner.engine
    assert isinstance(engine, NativeEngine)
    if engine.jobs is None or len(CORES) < 2:
        return
    os.sched_setaffinity(engine.jobs.threads[0].native_id, CORES[1:])
    os.sched_setaffinity(0, CORES[:1])


def thread_figures(bound: Any, rounds: int) -> Figures:
    """The wall-clock gain of two threads, and that of C, which run in turns; checked results.

    Threads of both are bound to cores: a thread that wakes up on a busy machine may share the core of the other one.
    """
    found = {}
    for workload in WORKLOADS:
        if workload.name not in THREADED:
            continue
        port = Port(workload, bound, workload.bounds[0])
        systems = [System(engine="native", jobs=jobs) for jobs in (1, 2)]
        mine = [Launch(workload, system) for system in systems]
        for launched, system in zip(mine, systems, strict=True):
            settle(launched, system)
        bind_threads(systems[1])
        walls: list[list[float]] = [[], [], [], []]
        for _ in range(rounds + 1):
            for number, run in enumerate((mine[0].run, mine[1].run, port.run, port.run)):
                bound.omp_set_num_threads(2 if number == 3 else 1)
                start = time.perf_counter()
                run()
                walls[number].append(time.perf_counter() - start)
        one, two, c_one, c_two = (statistics.median(times[1:]) for times in walls)
        assert workload.check(mine[1].results()), f"{workload.name}: wrong results"
        found[workload.name] = {"gain": one / two, "c": c_one / c_two}
        print(_thread_row(workload.name, found[workload.name]), flush=True)
    bound.omp_set_num_threads(1)
    os.sched_setaffinity(0, CORES)
    return found


def measure(names: list[str], rounds: int) -> Figures:
    """Everything, or only the kernels that are named."""
    found: Figures = {"kernels": {}}
    for workload in WORKLOADS:
        if not names or workload.name in names:
            figures = found["kernels"][workload.name] = kernel_figures(workload, rounds)
            figures["reference"] = reference_ratio(workload, figures["ns"])
            print(_kernel_row(workload.name, figures), flush=True)
    if names:
        return found
    found["start"], found["long"] = start_figures(), long_figures()
    found["counters"] = {workload.name: counter_ratio(workload.name) for workload in WORKLOADS}
    found["dirty"] = dirty_cost()
    if "+avx512f" in host_features().split(","):
        found["avx2"] = feature_times(AVX2, rounds)
    bound = compile_bound()
    if bound is not None:
        found["compiler"] = bound.compiler
        found["threads"] = thread_figures(bound, rounds)
    return found


def _kernel_row(name: str, figures: Figures) -> str:
    ratios = [f"{c['ratio']:.1f} x `{port}`" + (f" (goal {GOALS[port]})" if port in GOALS else "")
              for port, c in figures["c"].items()]  # fmt: skip
    size = f"{figures['warp_bytes'] / 1024:.1f} KB"
    return (f"| {name} | {figures['seconds'] * 1e3:.2f} ms | {figures['ns']:.2f} ns | {', '.join(ratios)} | "
            f"{figures['handlers'] / figures['seconds']:.2f} x | "
            f"{figures['reference']:,.0f} x | {size} |")  # fmt: skip


def _thread_row(name: str, two: Figures) -> str:
    share = two["gain"] / two["c"]
    return f"| two threads, {name}: wall-clock gain | {two['gain']:.2f} x, C {two['c']:.2f} x: {share:.2f} | 0.85 |"


def table(found: Figures) -> str:
    """The figures as Markdown."""
    rows = [
        "| kernel | CPU time | a warp instruction | against C | gain by runs | the reference engine takes | a warp |",
        "|---|---|---|---|---|---|---|",
    ]
    rows += [_kernel_row(name, figures) for name, figures in found["kernels"].items()]
    long, start = found["long"], found["start"]
    rows += ["", "| measure | result | goal |", "|---|---|---|"]
    rows.append(f"| five kernels, small, from an empty cache: CPU time of the process | {start['cold']:.2f} s | 3 s |")
    rows.append(f"| a process from its start to the end of its first launch, warm | {start['warm']:.2f} s | 0.6 s |")
    total = long["parse"] + long["link"]
    rows.append(
        f"| 20,000 instructions: parse + link | {long['parse']:.2f} + {long['link']:.2f} = {total:.2f} s | 0.5 s |"
    )
    rows.append(f"| 20,000 instructions: records, before the first launch | {long['records']:.2f} s | |")
    rows.append(f"| 20,000 instructions: a warp instruction | {long['ns']:.1f} ns | 15 ns |")
    rows.append(f"| marking dirty pages, vecadd | {found['dirty'] * 100:+.0f} % | |")
    rows += [f"| counters on, {name} | {ratio:,.1f} x | |" for name, ratio in found["counters"].items()]
    for name, seconds in found.get("avx2", {}).items():
        plain = found["kernels"][name]["seconds"]
        rows.append(f"| {name} with AVX2 alone | {seconds * 1e3:.2f} ms, {seconds / plain:.2f} x | |")
    rows += [_thread_row(name, two) for name, two in found.get("threads", {}).items()]
    machine = f"{platform.machine()}, Python {platform.python_version()}, {found.get('compiler', 'no C compiler')}"
    return "\n".join(["", f"Measured on: {machine}.", "", *rows, ""])


def write(found: Figures) -> None:
    """Put the table into the page and the figures beside it."""
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table(found)}\n{END}{rest.partition(END)[2]}")
    FIGURES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("kernels", nargs="*")
    parser.add_argument("--threads", action="store_true")
    options = parser.parse_args()
    if options.threads:
        bound = compile_bound()
        assert bound is not None, "there is no C compiler to compare with"
        found = {**json.loads(FIGURES.read_text()), "threads": thread_figures(bound, options.rounds)}
        if options.write:
            write(found)
        return
    found = measure(options.kernels, options.rounds)
    if not options.kernels:
        print(table(found))
        if options.write:
            write(found)


if __name__ == "__main__":
    main()
