"""The profiler's counters of the access patterns: ncu runs this module, and its table is read.

python -m emulator.crosscheck.counters        launches every pattern once, in order; ncu watches
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterable

from emulator.crosscheck.backend import Backend
from emulator.crosscheck.case import Case
from emulator.crosscheck.cases import cases_of
from emulator.crosscheck.job import run

METRICS = {
    "global requests": "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum",
    "global sectors": "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum",
    "shared load wavefronts": "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum",
    "shared load conflicts": "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum",
    "shared store wavefronts": "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_st.sum",
    "shared store conflicts": "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_st.sum",
}
SECONDS = 180


def launch_all(backend: Backend, cases: Iterable[Case]) -> int:
    """Launch every pattern once; how many."""
    count = 0
    for case in cases:
        run(backend, case.job())
        count += 1
    return count


def command(profiler: str) -> list[str]:
    """The profiler's command line."""
    watched = [sys.executable, "-m", "emulator.crosscheck.counters"]
    options = ["--csv", "--print-units", "base", "--clock-control", "none", "--metrics", ",".join(METRICS.values())]
    return [profiler, *options, *watched]


def read_table(text: str, cases: list[Case]) -> dict[str, dict[str, float]]:
    """Counters by case and by our names, from the profiler's CSV; ValueError if the launches are not all there."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    names = {metric: name for name, metric in METRICS.items()}
    found: dict[int, dict[str, float]] = {}
    for row in csv.DictReader(lines):
        value = row["Metric Value"].replace(",", "")
        found.setdefault(int(row["ID"]), {})[names[row["Metric Name"]]] = float(value)
    if len(found) != len(cases):
        raise ValueError(f"the profiler saw {len(found)} launches of {len(cases)}")
    return {case.name: found[number] for number, case in zip(sorted(found), cases, strict=True)}


def measure() -> tuple[dict[str, dict[str, float]], str]:
    """(counters, why there are none)."""
    profiler = shutil.which("ncu")
    if profiler is None:
        return {}, "there is no ncu on PATH"
    cases = list(cases_of("patterns"))
    try:
        done = subprocess.run(command(profiler), capture_output=True, text=True, timeout=SECONDS)
        return read_table(done.stdout, cases), ""
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        return {}, f"ncu: {error}"


if __name__ == "__main__":
    from emulator.crosscheck.gpu import GpuBackend

    launch_all(GpuBackend(), cases_of("patterns"))
