"""Random small kernels: divergence, loops, barriers, meetings, atomics, calls, and memory at wild addresses.

Nothing is right about them but the syntax: each ends with a result or a fault.  The same seed gives the same text.
"""

import random

from tests.engines.programs import kernel_text

DECLARATIONS = """
.extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);
.extern .func (.param .b64 r) malloc(.param .b64 n);
.extern .func free(.param .b64 p);
.extern .shared .align 16 .b8 dynamic[];
.const .align 8 .b8 fixed[64] = {1, 2, 3};
.global .align 8 .b8 mutable[64];
.global .align 1 .b8 text[32] = {37, 100, 32, 37, 115, 32, 37, 102, 32, 37, 42, 108, 108, 120, 10, 0};
.func (.reg .u32 r) leaf(.reg .u32 a)
{ .local .align 8 .b8 mine[24]; st.local.u32 [mine+4], a; ld.local.u32 r, [mine+4]; add.u32 r, r, 1; ret; }
.func (.reg .u32 r) deeper(.reg .u32 a)
{
    .reg .pred %p; .reg .u32 %x;
    and.b32 a, a, 7;
    setp.eq.u32 %p, a, 0;
    mov.u32 r, 1;
@%p ret;
    sub.u32 %x, a, 1;
    call (%x), deeper, (%x);
    add.u32 r, r, %x;
    ret;
}
.global .align 8 .u64 table[4] = {leaf, deeper, leaf, mutable};
"""
BASES = (
    "%out", "%mine", "table", "mutable", "fixed", "text",
    0x6F00_0000_0400, 0x6F00_0100_0400, 0x6E00_0000_0000, 0x6E00_8000_0000, 0x6D00_0000_0000, 0x6D00_8000_0000,
    0x6B00_0000_0100, 0x7000_0000_1000, 0x700F_FC00_0000, 0x7010_0000_0000, 0, 0x400, 0x8000_0000, 2**63, 2**64 - 64,
)  # fmt: skip
OFFSETS = (0, 0, 0, 4, 8, 16, -4, -8, 1, 2, 60, 64, 128, 400, 4096, 1 << 20, 1 << 32)
TYPES = ("u8", "s8", "u16", "b16", "u32", "s32", "b64", "f32", "f64", "v2.u32", "v4.u32", "v2.u64", "v4.u8")
ATOMICS = ("add.u32", "exch.b32", "cas.b32", "min.s32", "inc.u32", "or.b64", "add.u64", "cas.b64", "add.f32")


class Author:
    """Writes one kernel by a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.labels = 0
        self.wild = self.random.random() < 0.6

    def text(self) -> str:
        """The module."""
        draw = self.random
        body = ["    .shared .align 16 .b8 fast[128];", "    .local .align 16 .b8 stack[64];"]
        body += [f"    mad.lo.u32 %r{n}, %i, {draw.randrange(1, 99)}, {draw.randrange(99)};" for n in range(8)]
        body += [f"    mul.wide.u32 %rd{n}, %r{n}, {draw.randrange(1, 9)};" for n in range(4)]
        body += [f"    setp.lt.u32 %p{n}, %r{n}, {draw.randrange(1, 3000)};" for n in range(4)]
        for _ in range(draw.randrange(4, 14)):
            body += self.statement(0)
        body += ["    st.global.u32 [%mine], %r0;"]
        return kernel_text("\n".join(body), before=DECLARATIONS)

    def label(self) -> str:
        self.labels += 1
        return f"L{self.labels}"

    def number(self) -> str:
        """A 32-bit source."""
        draw = self.random
        return draw.choice((f"%r{draw.randrange(8)}", str(draw.choice((0, 1, 3, 31, 32, 2**31, 2**32 - 1)))))

    def guard(self) -> str:
        draw = self.random
        return f"@{draw.choice(('', '!'))}%p{draw.randrange(4)} " if draw.random() < 0.4 else ""

    def statement(self, depth: int) -> list[str]:
        """One construct; barriers and meetings of all lanes mostly where all lanes are."""
        kinds = ["compute"] * 5 + ["compare", "memory", "memory", "atomic", "call", "vote"]
        kinds += ["branch", "loop", "table"] if depth < 3 else []
        if depth == 0 or self.random.random() < 0.05:
            kinds += ["barrier", "meet", "runtime"]
        if self.random.random() < 0.05:
            kinds += ["leave", "indirect", "odd_barrier"]
        lines: list[str] = getattr(self, "write_" + self.random.choice(kinds))(depth)
        return lines

    def write_compute(self, depth: int) -> list[str]:
        draw = self.random
        operation = draw.choice(
            ("add.u32", "sub.s32", "mul.lo.u32", "xor.b32", "and.b32", "shl.b32", "min.s32", "div.u32")
        )
        return [f"    {self.guard()}{operation} %r{draw.randrange(8)}, {self.number()}, {self.number()};"]

    def write_compare(self, depth: int) -> list[str]:
        draw = self.random
        relation = draw.choice(("eq.u32", "lt.s32", "ge.u32"))
        return [f"    setp.{relation} %p{draw.randrange(4)}, {self.number()}, {self.number()};"]

    def address(self, size: int = 4, *, private: bool = True) -> list[str]:
        """An address in %rd9: mostly inside of a variable, else anywhere; private: it may be of local memory."""
        draw = self.random
        if not self.wild or draw.random() < 0.9:
            spaces = ["fast", "mutable", *(["stack"] if private else []), *(["%mine"] if size <= 4 else [])]
            space = draw.choice(spaces)
            into = {"fast": "cvta.shared.u64 %rd9, fast;", "stack": "cvta.local.u64 %rd9, stack;"}
            lines = [into.get(space, f"mov.u64 %rd9, {space};")]
            return [*lines, f"add.u64 %rd9, %rd9, {draw.choice((0, 0, 16, 32))};"] if space != "%mine" else lines
        lines = [f"mov.u64 %rd9, {draw.choice(BASES)};", f"add.u64 %rd9, %rd9, {draw.choice(OFFSETS)};"]
        if draw.random() < 0.3:
            lines += [f"mul.wide.u32 %rd8, {self.number()}, {draw.choice((1, 4, 8))};", "add.u64 %rd9, %rd9, %rd8;"]
        return lines

    def space(self) -> str:
        draw = self.random
        return (
            draw.choice((".global", ".shared", ".local", ".param", ".const"))
            if self.wild and draw.random() < 0.05
            else ""
        )

    def write_memory(self, depth: int) -> list[str]:
        draw = self.random
        kind = draw.choice(TYPES)
        count = {"v2": 2, "v4": 4}.get(kind[:2], 1)
        names = {"f32": "%f", "f64": "%d", "b64": "%rd", "u64": "%rd", "b16": "%h"}
        names["u16"] = "%h"
        name = names.get(kind.rpartition(".")[2], "%r")
        registers = [f"{name}{n}" for n in draw.sample(range(4), count)]
        operand = registers[0] if count == 1 else "{" + ", ".join(registers) + "}"
        space = self.space()
        address = self.address(count * int(kind[-2:].lstrip("us")) // 8)
        if draw.random() < 0.5 and space not in (".const", ".param"):
            return [*address, f"    {self.guard()}st{space}.{kind} [%rd9], {operand};"]
        return [*address, f"    {self.guard()}ld{space}.{kind} {operand}, [%rd9];"]

    def write_atomic(self, depth: int) -> list[str]:
        draw = self.random
        operation = draw.choice(ATOMICS)
        register = {"f32": "%f", "u64": "%rd", "b64": "%rd"}.get(operation[-3:], "%r")
        more = f", {register}3" if operation.startswith("cas") else ""
        space = self.space()
        space = "" if space in (".local", ".param", ".const") else space
        address = self.address(int(operation[-2:]) // 8, private=draw.random() < 0.02)
        return [*address, f"    {self.guard()}atom{space}.{operation} {register}1, [%rd9], {register}2{more};"]

    def write_branch(self, depth: int) -> list[str]:
        other, end = self.label(), self.label()
        lines = [f"    @%p{self.random.randrange(4)} bra {other};"]
        for _ in range(self.random.randrange(1, 4)):
            lines += self.statement(depth + 1)
        lines += [f"    bra {end};", f"{other}:"]
        for _ in range(self.random.randrange(3)):
            lines += self.statement(depth + 1)
        return [*lines, f"{end}:"]

    def write_loop(self, depth: int) -> list[str]:
        head, counter = self.label(), f"%r{20 + self.labels}"
        limit = self.random.choice(("%l", "5", "%r1"))
        lines = [f"    and.b32 %r9, {limit}, 7;", f"    mov.u32 {counter}, 0;", f"{head}:"]
        for _ in range(self.random.randrange(1, 3)):
            lines += self.statement(depth + 1)
        lines += [f"    add.u32 {counter}, {counter}, 1;", "    and.b32 %r9, %l, 7;"]
        return [*lines, f"    setp.lt.u32 %p5, {counter}, %r9;", f"    @%p5 bra {head};"]

    def write_table(self, depth: int) -> list[str]:
        first, second, end, name = self.label(), self.label(), self.label(), self.label()
        mask = 1 if not self.wild or self.random.random() < 0.8 else 3
        lines = [f"    and.b32 %r9, {self.number()}, {mask};", f"{name}: .branchtargets {first}, {second};"]
        lines += [f"    brx.idx %r9, {name};", f"{first}:", *self.statement(depth + 1), f"    bra {end};"]
        return [*lines, f"{second}:", *self.statement(depth + 1), f"{end}:"]

    def write_call(self, depth: int) -> list[str]:
        function = self.random.choice(("leaf", "deeper"))
        return [f"    {self.guard()}call (%r{self.random.randrange(8)}), {function}, (%r{self.random.randrange(8)});"]

    def write_indirect(self, depth: int) -> list[str]:
        index, name = self.random.randrange(4 if self.wild else 3), self.label()
        lines = [
            f"    ld.global.u64 %rd7, [table+{8 * index}];",
            f"{name}: .callprototype (.reg .u32 _) _ (.reg .u32 _);",
        ]
        return [*lines, f"    call (%r2), %rd7, (%r3), {name};"]

    def write_vote(self, depth: int) -> list[str]:
        return [self.random.choice(("    activemask.b32 %r4;", "    mov.u32 %r4, %clock;", "    fence.acq_rel.gpu;"))]

    def write_meet(self, depth: int) -> list[str]:
        mask = "-1" if self.random.random() < 0.97 else self.number()
        lines = (
            f"bar.warp.sync {mask};", f"shfl.sync.bfly.b32 %r3, %r4, 5, 31, {mask};",
            f"vote.sync.ballot.b32 %r5, %p1, {mask};", f"redux.sync.add.u32 %r6, %r7, {mask};",
            f"match.any.sync.b32 %r2, %r3, {mask};", f"elect.sync %r1|%p2, {mask};",
        )  # fmt: skip
        return ["    " + self.random.choice(lines)]

    def write_barrier(self, depth: int) -> list[str]:
        lines = ("bar.sync 0;", "barrier.sync 3;", "bar.red.popc.u32 %r3, 1, %p1;", "bar.red.or.pred %p2, 2, !%p1;")
        return ["    " + self.random.choice(lines)]

    def write_odd_barrier(self, depth: int) -> list[str]:
        lines = ("bar.sync %r2;", "bar.sync 1, %r3;", "bar.arrive 2, 64;", "bar.sync 4, 32;", "@%p1 bar.sync 0;")
        return ["    " + self.random.choice(lines)]

    def write_leave(self, depth: int) -> list[str]:
        return ["    " + self.random.choice(("@%p1 exit;", "@%p2 ret;", "@%p3 trap;", "exit;"))]

    def write_runtime(self, depth: int) -> list[str]:
        draw = self.random
        if draw.random() < 0.5:
            size = draw.choice(("16", "0", "%rd1", "-1"))
            lines = [f"mov.u64 %rd6, {size};", "{ .param .b64 n, p; st.param.b64 [n], %rd6; call (p), malloc, (n);"]
            lines += ["ld.param.b64 %rd5, [p]; }"]
            if draw.random() < 0.7:
                lines += ["{ .param .b64 p; st.param.b64 [p], %rd5; call free, (p); }"]
            return lines
        lines = [*self.address(), "mov.u64 %rd6, text;", "setp.eq.u32 %p5, %t, 0;"]
        end = self.label()
        lines += [f"@!%p5 bra {end};", "{ .param .b64 f, a; .param .b32 r; st.param.b64 [f], %rd6;"]
        return [*lines, "st.param.b64 [a], %rd9; call (r), vprintf, (f, a); }", f"{end}:"]


def random_kernel(seed: int) -> str:
    """The text of a random kernel."""
    return Author(seed).text()
