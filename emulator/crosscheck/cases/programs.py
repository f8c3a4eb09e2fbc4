"""Random programs: straight code, guards, forward branches, bounded loops, shuffles and barriers."""

from __future__ import annotations

import random
from collections.abc import Iterator

from emulator.crosscheck.case import Case, address, kernel_text

COUNT = 150
THREADS = 128
WORDS, FLOATS, LONGS = 6, 4, 2

INTEGER = (
    "add.u32 D, A, B", "sub.u32 D, A, B", "mul.lo.u32 D, A, B", "mul.hi.s32 D, A, B", "mad.lo.u32 D, A, B, C",
    "and.b32 D, A, B", "xor.b32 D, A, B", "shl.b32 D, A, 3", "shr.s32 D, A, 5", "prmt.b32 D, A, B, 0x3715",
    "lop3.b32 D, A, B, C, 0xd8", "bfe.s32 D, A, 7, 11", "bfi.b32 D, A, B, 4, 9", "popc.b32 D, A", "clz.b32 D, A",
    "min.s32 D, A, B", "max.u32 D, A, B", "shf.l.wrap.b32 D, A, B, 9", "dp4a.s32.u32 D, A, B, C", "brev.b32 D, A",
    "sad.s32 D, A, B, C", "abs.s32 D, A", "vadd4.s32.s32.s32 D, A, B, C",
)  # fmt: skip
FLOAT = (
    "add.rn.f32 D, A, B", "mul.rn.f32 D, A, B", "fma.rn.f32 D, A, B, C", "sub.rz.f32 D, A, B", "div.rn.f32 D, A, B",
    "sqrt.rn.f32 D, A", "max.f32 D, A, B", "min.NaN.f32 D, A, B", "add.rp.ftz.f32 D, A, B", "fma.rm.sat.f32 D, A, B, C",
    "neg.f32 D, A", "abs.f32 D, A", "copysign.f32 D, A, B", "cvt.rni.f32.f32 D, A", "rcp.rn.f32 D, A",
)  # fmt: skip
CROSSING = ("cvt.rn.f32.s32 F, A", "cvt.rzi.s32.f32 W, E", "mov.b32 W, E", "cvt.rz.f32.u32 F, A")
LONG = ("add.u64 D, A, B", "mul.lo.u64 D, A, B", "xor.b64 D, A, B", "shr.u64 D, A, 13", "mul.hi.u64 D, A, B")


class Author:
    """Writes one kernel by a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.labels = 0

    def text(self) -> str:
        """The module."""
        body = "    .shared .align 4 .b32 fast[128];\n"
        body += f"    .reg .b32 %w<{WORDS}>, %n, %place;\n    .reg .f32 %f<{FLOATS}>;\n    .reg .b64 %l<{LONGS}>;\n"
        body += "    .reg .pred %p<3>, %turn;\n" + address("%at", "x", 4 * WORDS) + address("%to", "y", 64)
        body += "".join(f"    ld.global.u32 %w{n}, [%at+{4 * n}];\n" for n in range(WORDS))
        body += "".join(f"    mov.b32 %f{n}, %w{n};\n" for n in range(FLOATS))
        body += "".join(f"    mul.wide.u32 %l{n}, %w{n}, %w{n + 1};\n" for n in range(LONGS))
        body += "".join(f"    setp.lt.s32 %p{n}, %w{n}, %w{n + 1};\n" for n in range(3))
        body += "".join(self.statement(0) for _ in range(self.random.randrange(8, 20)))
        body += "".join(f"    st.global.b32 [%to+{4 * n}], %w{n};\n" for n in range(WORDS))
        body += "".join(f"    st.global.b32 [%to+{4 * WORDS + 4 * n}], %f{n};\n" for n in range(FLOATS))
        body += "".join(f"    st.global.b64 [%to+{48 + 8 * n}], %l{n};\n" for n in range(LONGS))
        return kernel_text(("x", "y"), body)

    def statement(self, depth: int) -> str:
        """One construct; meetings of all lanes only where all lanes are."""
        kinds = ["compute"] * 8 + ["compare"] * 2
        kinds += ["branch", "loop"] if depth < 2 else []
        kinds += ["shuffle", "exchange", "vote"] if depth == 0 else []
        return str(getattr(self, f"_{self.random.choice(kinds)}")(depth))

    def _register(self, letter: str) -> str:
        return f"%{letter}{self.random.randrange({'w': WORDS, 'f': FLOATS, 'l': LONGS, 'p': 3}[letter])}"

    def _compute(self, depth: int) -> str:
        draw = self.random.random()
        pools: list[tuple[float, tuple[str, ...], str]] = [(0.45, INTEGER, "w"), (0.8, FLOAT, "f"), (0.9, LONG, "l")]
        pool, letter = next(((pool, letter) for most, pool, letter in pools if draw < most), (CROSSING, "w"))
        text = self.random.choice(pool)
        opcode, _, operands = text.partition(" ")
        names = {"F": "f", "E": "f", "W": "w"}
        filled = [
            self._register(names.get(part, letter)) if part.isalpha() and len(part) == 1 else part
            for part in operands.split(", ")
        ]
        guard = f"@{self.random.choice(('', '!'))}{self._register('p')} " if self.random.random() < 0.25 else ""
        return f"    {guard}{opcode} {', '.join(filled)};\n"

    def _compare(self, depth: int) -> str:
        whole = self.random.random() < 0.5
        letter, kind = ("w", "s32") if whole else ("f", "f32")
        relation = self.random.choice(("lt", "ge", "eq") if whole else ("lt", "gtu", "num"))
        p, a, b = self._register("p"), self._register(letter), self._register(letter)
        return f"    setp.{relation}.{kind} {p}, {a}, {b};\n"

    def _label(self) -> str:
        self.labels += 1
        return f"L{self.labels}"

    def _branch(self, depth: int) -> str:
        label = self._label()
        inner = "".join(self.statement(depth + 1) for _ in range(self.random.randrange(1, 4)))
        return f"@{self._register('p')} bra {label};\n{inner}{label}:\n"

    def _loop(self, depth: int) -> str:
        label = self._label()
        counter = f"%turns{self.labels}"
        inner = "".join(self.statement(2) for _ in range(self.random.randrange(1, 4)))
        return (
            f"    .reg .b32 {counter};\n    and.b32 {counter}, {self._register('w')}, 7;\n{label}:\n{inner}"
            f"    sub.u32 {counter}, {counter}, 1;\n    setp.gt.s32 %turn, {counter}, 0;\n@%turn bra {label};\n"
        )

    def _shuffle(self, depth: int) -> str:
        mode = self.random.choice(("bfly", "down", "idx"))
        lane = self.random.randrange(1, 31)
        return f"    shfl.sync.{mode}.b32 {self._register('w')}, {self._register('w')}, {lane}, 31, -1;\n"

    def _vote(self, depth: int) -> str:
        return f"    vote.sync.ballot.b32 {self._register('w')}, {self._register('p')}, -1;\n"

    def _exchange(self, depth: int) -> str:
        """Every thread reads what the thread with the other number stored."""
        mine, got = self._register("w"), self._register("w")
        return (
            f"    bar.sync 0;\n    mov.u32 %place, fast;\n    mad.lo.u32 %place, %thread, 4, %place;\n"
            f"    st.shared.u32 [%place], {mine};\n    bar.sync 0;\n    xor.b32 %n, %thread, 127;\n"
            f"    mov.u32 %place, fast;\n    mad.lo.u32 %place, %n, 4, %place;\n    ld.shared.u32 {got}, [%place];\n"
        )


def cases() -> Iterator[Case]:
    """The programs of the first seeds."""
    for seed in range(COUNT):
        arguments = (("x", f"edges u32 32 {THREADS * WORDS} 2"), ("y", f"u32[{THREADS * 16}]"))
        text = Author(seed).text()
        yield Case(f"program {seed}", "programs", text, arguments, ("y",), "k", (1,), (THREADS,), seed=seed)
