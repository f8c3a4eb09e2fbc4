"""How fast and how large: parse generated text as nvcc writes it.

    python tests/benchmarks/bench_parse.py [LINES ...]

Prints, for each size, the median CPU time of several parses, lines a second, and the memory that the
module holds for each line (its text not counted).
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from emulator.errors import Source
from emulator.parse import parse

HEADER = ".version 9.0\n.target sm_90a\n.address_size 64\n\n"
FORMS = (
    "ld.global.nc.u32 \t%r{a}, [%rd{b}+{n}];",
    "mad.lo.s32 \t%r{a}, %r{b}, %r{c}, %r{d};",
    "add.s32 \t%r{a}, %r{b}, {n};",
    "fma.rn.f32 \t%f{a}, %f{b}, %f{c}, %f{d};",
    "mul.wide.s32 \t%rd{a}, %r{b}, 4;",
    "setp.ge.s32 \t%p{e}, %r{a}, %r{b};",
    "@%p{e} bra \t$L__BB{f}_{g};",
    "st.shared.v4.f32 \t[%r{a}+{n}], {{%f{a}, %f{b}, %f{c}, %f{d}}};",
    "mov.f32 \t%f{a}, 0f{n:08X};",
    "selp.b32 \t%r{a}, %r{b}, %r{c}, %p{e};",
    "cvt.u64.u32 \t%rd{a}, %r{b};",
    "shl.b32 \t%r{a}, %r{b}, 2;",
    "xor.b32 \t%r{a}, %r{b}, %r{c};",
    "bar.sync \t0;",
    "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{%f{a},%f{b},%f{c},%f{d}}}, {{%r{a},%r{b},%r{c},%r{d}}},"
    " {{%r{a},%r{b}}}, {{%f{a},%f{b},%f{c},%f{d}}};",
)


def generate(lines: int, seed: int = 1) -> str:
    """A module of about so many lines: kernels of 2,000 lines with labels, .loc lines and comments."""
    pick = random.Random(seed)
    out = [HEADER]
    for kernel in range(max(1, lines // 2000)):
        size = min(lines, 2000)
        out.append(f".visible .entry kernel{kernel}(\n\t.param .u64 kernel{kernel}_param_0\n)\n{{\n")
        out.append(f"\t.reg .pred \t%p<99>;\n\t.reg .f32 \t%f<{size}>;\n\t.reg .b32 \t%r<{size}>;\n")
        for line in range(size - 12):
            if line % 25 == 0:
                out.append(f"\n$L__BB{kernel}_{line // 25}:\n")
            elif line % 40 == 1:
                out.append(f"\t.loc\t1 {line} 15\n\t// begin inline asm\n")
            else:
                registers = {name: pick.randrange(max(1, line - 60), line + 1) for name in "abcd"}
                out.append("\t" + pick.choice(FORMS).format(**registers, **_others(pick, kernel, line)) + "\n")
        out.append("\tret;\n}\n")
    return "".join(out)


def _others(pick: random.Random, kernel: int, line: int) -> dict[str, int]:
    return {"e": line % 99, "f": kernel, "g": line // 25, "n": pick.randrange(0, 4096, 4)}


def measure(lines: int) -> str:
    """One row of the table."""
    text = generate(lines)
    count = text.count("\n")
    times = []
    for _ in range(3 if lines > 100_000 else 7):
        gc.collect()
        start = time.process_time()
        parse(text)
        times.append(time.process_time() - start)
    source = Source(text)
    tracemalloc.start()
    module = parse(source)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert module.entries
    seconds = statistics.median(times)
    return f"{count:>9,} {seconds:>9.3f} s {count / seconds:>12,.0f} {held / count:>10.0f} B"


def main() -> None:
    """Measure the sizes of the command line."""
    print(f"{'lines':>9} {'CPU time':>11} {'lines/s':>12} {'a line':>12}")
    for lines in [int(word) for word in sys.argv[1:]] or [1_000, 30_000, 300_000]:
        print(measure(lines))


if __name__ == "__main__":
    main()
