"""Many random programs on both engines: `python -m tests.engines.native.long_run --first 0 --count 100000 --out FILE`.

FILE is JSON: where the run is, what it has counted, every difference.  A run that was stopped goes on from there, if
the engines are still the same.  Every line of progress is for CHUNK programs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emulator.engines.native.cache import source_stamp
from emulator.isa.registry import entries
from tests.engines.native.same_answers import Tally, differences

CHUNK = 100
SHOWN = 1500  # characters of a difference


@dataclass
class State:
    """A run so far.  `next` is the next seed; `executed` are instructions by engine."""

    first: int
    next: int
    stamp: str
    commit: str
    cpu_seconds: float = 0.0
    executed: dict[str, int] = field(default_factory=lambda: {"reference": 0, "native": 0, "left to reference": 0})
    lines: dict[str, int] = field(default_factory=dict)
    opcodes: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def add(self, part: dict[str, Any]) -> None:
        """What a chunk of programs has found."""
        self.next += part["count"]
        self.cpu_seconds = round(self.cpu_seconds + part["cpu_seconds"], 2)
        self.differences += part["differences"]
        for name in ("executed", "lines", "opcodes"):
            total = Counter(getattr(self, name))
            total.update(part[name])  # a sum of two would lose what is 0
            setattr(self, name, dict(total))

    def summary(self) -> str:
        """One line."""
        known = list(entries())
        mnemonics = {line.partition(" ")[0].partition(".")[0].partition("{")[0] for line in self.lines}
        counts = ", ".join(f"{count:,} {name}" for name, count in self.executed.items())
        return (
            f"{self.next - self.first:,} programs from {self.first}; instructions: {counts}; "
            f"{len(mnemonics)} of {len({entry.mnemonic for entry in known})} opcodes in {len(self.lines)} of "
            f"{len({entry.signature.line for entry in known})} lines and {len(self.opcodes):,} forms; "
            f"{self.cpu_seconds:,.0f} s of CPU; commit {self.commit}; {len(self.differences)} differences"
        )


def chunk(first: int, count: int) -> dict[str, Any]:
    """What some programs have found."""
    start, tally, found = time.process_time(), Tally(), []
    for seed in range(first, first + count):
        try:
            found += [text[:SHOWN] for text in differences(seed, tally)]
        except Exception as error:  # a run that ends with something else than a fault of the kernel
            found.append(f"program {seed}, {type(error).__name__}: {error}"[:SHOWN])
    reference = sum(tally.opcodes.values())
    executed = {"reference": reference, "native": tally.native - tally.left, "left to reference": tally.left}
    return {
        "count": count, "cpu_seconds": time.process_time() - start, "executed": executed, "lines": dict(tally.lines),
        "opcodes": dict(tally.opcodes), "differences": found,
    }  # fmt: skip


def commit() -> str:
    """The checkout's commit."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def resumed(out: Path, first: int) -> State:
    """The state in a file, or a new one; SystemExit if it belongs to other engines."""
    if not out.exists():
        return State(first, first, source_stamp(), commit())
    state = State(**json.loads(out.read_text()))
    if (state.stamp, state.first) != (source_stamp(), first):
        raise SystemExit(f"{out} is about other engines or another first seed")
    return state


def main(arguments: list[str]) -> int:
    """Run programs; 1 if there is any difference."""
    parser = argparse.ArgumentParser(prog="long_run", description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    state = resumed(options.out, options.first)
    starts = range(state.next, options.first + options.count, CHUNK)
    counts = [min(CHUNK, options.first + options.count - start) for start in starts]
    with ExitStack() as open_pools:
        several = open_pools.enter_context(ProcessPoolExecutor(options.jobs)).map if options.jobs > 1 else map
        for part in several(chunk, starts, counts):
            state.add(part)
            options.out.write_text(json.dumps(asdict(state), indent=0) + "\n")
            print(f"{state.next - state.first:,} programs, {state.cpu_seconds:,.0f} s, "
                  f"{len(state.differences)} differences", flush=True)  # fmt: skip
    print(state.summary(), *state.differences[:20], sep="\n")
    return bool(state.differences)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
