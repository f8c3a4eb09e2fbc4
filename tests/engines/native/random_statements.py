"""Random statements of a function: straight code, branches and loops, calls, barriers and waiting.

Loops end, barriers are reached by all warps and member masks name lanes that come, with few exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from tests.engines.native.kernel_frame import epilogue, objects, prologue
from tests.engines.native.random_instructions import Writer
from tests.engines.native.random_operands import OBJECTS

DYNAMIC = 256


class Body:
    """Writes the statements of a function.

    level: "cta" where all warps of a CTA come together, "warp" where all lanes of a warp do, "lane" elsewhere.
    size: how many statements there may be.
    """

    def __init__(self, writer: Writer, functions: list[str], block: int | tuple[int, ...], size: int) -> None:
        self.writer = writer
        self.choice = writer.choice
        self.functions = functions
        self.block = block if isinstance(block, tuple) else (block,)
        self.warps = -(-int(np.prod(self.block)) // 32)
        self.left = size
        self.loops = 0
        self.spins = 0

    def whole(self, *, halts: bool, objects_used: bool) -> None:
        """A kernel's body: load registers, do things, then store the registers or wait for ever with them."""
        writer = self.writer
        self.statements(self.left, level="cta")
        text = "\n".join(writer.lines)
        used = set(re.findall(r"%\w+", text))
        first = list(prologue(self.block, used))
        if objects_used or OBJECTS[0] in text:
            threads = int(np.prod(self.block))
            first += objects([self.choice.choice([1, 2, 32, threads, threads, 2 * threads]) for _ in range(4)])
        writer.lines[:0] = first
        writer.emit(*["bar.sync 15, 1024;"] if halts else epilogue(used))

    def statements(self, count: int, level: str) -> None:
        """Statements, as many as the program has left."""
        for _ in range(count):
            if self.left <= 0:
                return
            self.left -= 1
            table = self._table(level)
            (statement,) = self.choice.choices(list(table), list(table.values()))
            statement(level)

    def _table(self, level: str) -> dict[Callable[[str], None], float]:
        table = {
            self.compute: 12.0, self.memory: 7.0, self.branch: 2.5, self.loop: 1.5, self.web: 0.8, self.table: 0.8,
            self.leave_early: 0.3, self.stack: 0.5, self.carry_chain: 0.6, self.sleep: 0.2, self.print: 0.25,
            self.warp_sync: 0.6, self.pair_votes: 0.6, self.heap: 0.15, self.lane_spin: 0.06, self.long_loop: 0.06,
            self.stop: 0.03,
        }  # fmt: skip
        if self.functions:
            table[self.any_call] = 1.2
        if level == "cta":
            table |= {self.barrier: 1.5, self.spin: 0.5, self.dynamic: 0.5}
        elif self.choice.random() < 0.03 and self.writer.in_kernel:
            table |= {self.barrier: 0.5}
        return table

    @contextmanager
    def _apart(self, mask: str | None = None) -> Iterator[None]:
        """Statements inside are executed by some lanes, of which `mask` names those that come together."""
        writer = self.writer
        before, writer.mask = writer.mask, mask
        yield
        writer.mask = before

    # --- straight ----------------------------------------------------------------------------------

    def compute(self, level: str) -> None:
        """A few computing instructions."""
        for _ in range(self.choice.randrange(1, 6)):
            self.writer.emit(self.writer.instruction(self.choice.choice(self.writer.pools.forms.computing)))

    def memory(self, level: str) -> None:
        """Accesses and what else looks at the machine."""
        for _ in range(self.choice.randrange(1, 3)):
            self.writer.emit(self.writer.instruction(self.choice.choice(self.writer.pools.forms.machine)))

    def carry_chain(self, level: str) -> None:
        """A sum or product of several words."""
        pick = self.writer.register
        names = self.choice.choice([("add.cc", "addc.cc", "addc"), ("sub.cc", "subc.cc", "subc")])
        for name in names:
            self.writer.emit(f"{name}.u32 {pick('u32')}, {pick('u32')}, {pick('u32')};")
        if self.choice.random() < 0.5:
            operands = ", ".join(pick("u32") for _ in range(4))
            self.writer.emit(f"mad.lo.cc.u32 {operands};", f"madc.hi.u32 {operands};")

    def stack(self, level: str) -> None:
        """Memory from the stack, given back or not."""
        writer, value = self.writer, self.writer.register("u32")
        writer.emit("stacksave.u64 %y2;", f"and.b32 %x0, {self.writer.register('u32')}, 63;", "add.u32 %x0, %x0, 8;")
        writer.emit("cvt.u64.u32 %y3, %x0;", f"alloca.u64 %y0, %y3, {self.choice.choice([8, 16, 32])};")
        writer.emit(f"st.local.b32 [%y0+4], {value};", f"ld.local.b32 {value}, [%y0+4];")
        if self.choice.random() < 0.8:
            writer.emit("stackrestore.u64 %y2;")

    def sleep(self, level: str) -> None:
        """Give up the turn."""
        self.writer.emit(f"nanosleep.u32 {self.writer.register('u32')};")

    def print(self, level: str) -> None:
        """A line with two numbers, from a few lanes."""
        writer, one, other = self.writer, self.writer.register("u32"), self.writer.register("u32")
        writer.emit(f"st.local.v2.b32 [lo+8], {{{one}, {other}}};", "mov.u64 %y0, format;", "mov.u64 %y1, lo;")
        writer.emit("cvta.local.u64 %y1, %y1;", "add.u64 %y1, %y1, 8;")
        writer.emit("{ .param .b64 p0; .param .b64 p1; .param .b32 q;")
        writer.emit("st.param.b64 [p0], %y0;", "st.param.b64 [p1], %y1;")
        writer.emit("mov.u32 %x3, %laneid;", f"setp.lt.u32 %g0, %x3, {self.choice.choice([1, 2, 3, 32])};")
        writer.emit("@%g0 call (q), vprintf, (p0, p1);", f"ld.param.b32 {one}, [q]; }}")

    def heap(self, level: str) -> None:
        """Memory of each lane's own, given back or not; sometimes used after that."""
        writer, value = self.writer, self.writer.register("u32")
        writer.emit("{ .param .b64 p; .param .b64 q;", f"st.param.b64 [p], {self.choice.choice([8, 40, 500])};")
        writer.emit("call (q), malloc, (p);", "ld.param.b64 %y3, [q]; }")
        writer.emit(f"st.global.u32 [%y3+4], {value};", f"ld.u32 {writer.register('u32')}, [%y3+4];")
        if self.choice.random() < 0.7:
            writer.emit("{ .param .b64 p; st.param.b64 [p], %y3; call free, (p); }")
        if self.choice.random() < 0.1:
            writer.emit(f"ld.global.u32 {value}, [%y3];")

    def dynamic(self, level: str) -> None:
        """Dynamic shared memory."""
        value, size = self.writer.register("u32"), DYNAMIC - 4
        self.writer.emit(f"and.b32 %x1, {self.writer.register('u32')}, {size & -4};", "mov.u32 %x0, dyn;")
        self.writer.emit("add.u32 %x1, %x1, %x0;", f"atom.shared.add.u32 {value}, [%x1], {value};")

    # --- control -----------------------------------------------------------------------------------

    def _condition(self, level: str) -> str:
        """A predicate register; one in every lane alike where the level says so."""
        writer = self.writer
        kind = self.choice.choice(["any", "lane", "number"])
        if level != "lane" and self.choice.random() < 0.3:
            writer.emit("mov.u32 %x3, %ctaid.x;", "setp.eq.u32 %g0, %x3, 0;")
        elif kind == "any":
            return writer.register("pred")
        elif kind == "lane":
            writer.emit("mov.u32 %x3, %laneid;", f"setp.lt.u32 %g0, %x3, {self.choice.randrange(1, 32)};")
        else:
            writer.emit(f"setp.lt.s32 %g0, {writer.register('u32')}, {writer.register('u32')};")
        return "%g0"

    def branch(self, level: str) -> None:
        """If, with or without else; the lanes of both sides may be known."""
        writer, otherwise, end = self.writer, self.writer.name("ELSE"), self.writer.name("END")
        condition = self._condition("lane")
        masks: list[str | None] = [None, None]
        if writer.mask is not None and self.choice.random() < 0.5:
            masks = [writer.name("%mask"), writer.name("%mask")]
            writer.emit(f".reg .b32 {masks[0]}, {masks[1]};")
            writer.emit(f"vote.sync.ballot.b32 {masks[0]}, {condition}, {writer.mask};")
            writer.emit(f"vote.sync.ballot.b32 {masks[1]}, !{condition}, {writer.mask};")
        writer.emit(f"@!{condition} bra {otherwise};")
        with self._apart(masks[0]):
            self.statements(self.choice.randrange(1, 4), "lane")
        if self.choice.random() < 0.5:
            writer.emit(f"bra{self.choice.choice(['', '.uni'])} {end};", f"{otherwise}:")
            with self._apart(masks[1]):
                self.statements(self.choice.randrange(1, 4), "lane")
            writer.emit(f"{end}:")
        else:
            writer.emit(f"{otherwise}:")

    def loop(self, level: str) -> None:
        """A loop of a few rounds, as many in every lane or not."""
        if self.loops >= 3:
            return
        writer, top, counter = self.writer, self.writer.name("LOOP"), self.writer.name("%n")
        self.loops += 1
        alike = self.choice.random() < 0.4
        writer.emit(f".reg .b32 {counter};")
        source = str(self.choice.randrange(1, 4)) if alike else writer.register("u32")
        writer.emit(f"mov.b32 {counter}, {source};", f"and.b32 {counter}, {counter}, 3;", f"{top}:")
        with self._apart(writer.mask if alike else None):
            self.statements(self.choice.randrange(1, 4), level if alike else "lane")
        writer.emit(f"sub.u32 {counter}, {counter}, 1;", f"setp.gt.s32 %g1, {counter}, 0;", f"@%g1 bra {top};")
        self.loops -= 1

    def long_loop(self, level: str) -> None:
        """So many rounds that the lanes apart take turns."""
        writer, top, counter = self.writer, self.writer.name("LONG"), self.writer.name("%n")
        if self.loops:
            return
        writer.emit(f".reg .b32 {counter};", f"and.b32 {counter}, {writer.register('u32')}, 511;", f"{top}:")
        with self._apart():
            writer.emit(writer.instruction(self.choice.choice(writer.pools.forms.computing)))
        writer.emit(f"sub.u32 {counter}, {counter}, 1;", f"setp.gt.s32 %g1, {counter}, 0;", f"@%g1 bra {top};")

    def lane_spin(self, level: str) -> None:
        """Lanes that wait for another lane of their warp, which stands behind them."""
        if self.loops or not self.writer.in_kernel:
            return
        writer, wait, end = self.writer, self.writer.name("WAIT"), self.writer.name("END")
        condition = self._condition("lane")
        writer.emit("mov.u32 %x1, 0;", "st.local.u32 [lo], %x1;", "mov.u32 %x3, %warpid;", "shl.b32 %x3, %x3, 2;")
        writer.emit("mov.u32 %x2, flags;", "add.u32 %x2, %x2, %x3;", f"@{condition} bra {wait}_SET;")
        writer.emit(f"{wait}:", "ld.volatile.shared.u32 %x1, [%x2+992];", "setp.eq.u32 %g1, %x1, 0;")
        writer.emit(f"@%g1 bra {wait};", f"bra {end};")
        writer.emit(f"{wait}_SET:", "mov.u32 %x1, 1;", "st.shared.u32 [%x2+992], %x1;", f"{end}:")

    def stop(self, level: str) -> None:
        """A trap in some lanes."""
        writer = self.writer
        writer.emit("mov.u32 %x3, %laneid;", f"setp.eq.u32 %g0, %x3, {self.choice.randrange(64)};")
        writer.emit(f"@%g0 {self.choice.choice(['trap', 'brkpt'])};")

    def web(self, level: str) -> None:
        """Blocks that jump to each other, as long as there is fuel."""
        writer, count = self.writer, self.choice.randrange(2, 5)
        labels = [writer.name("WEB") for _ in range(count)]
        end = writer.name("END")
        with self._apart():
            for label in labels:
                writer.emit(f"{label}:")
                self.statements(self.choice.randrange(1, 3), "lane")
                writer.emit("sub.u32 %fuel, %fuel, 1;", "setp.lt.s32 %g1, %fuel, 0;", f"@%g1 bra {end};")
                condition = self._condition("lane")
                writer.emit(f"@{self.choice.choice(['', '!'])}{condition} bra {self.choice.choice([*labels, end])};")
            writer.emit(f"{end}:")

    def table(self, level: str) -> None:
        """A jump by number."""
        writer, count, end = self.writer, self.choice.choice([2, 4]), self.writer.name("END")
        labels = [writer.name("CASE") for _ in range(count)]
        targets = writer.name("TARGETS")
        writer.emit(f"{targets}: .branchtargets {', '.join(self.choice.choice(labels) for _ in range(count))};")
        most = count if self.choice.random() < 0.02 else count - 1
        writer.emit(f"and.b32 %x3, {writer.register('u32')}, {most};", f"brx.idx %x3, {targets};")
        with self._apart():
            for label in labels:
                writer.emit(f"{label}:")
                self.statements(self.choice.randrange(1, 3), "lane")
                writer.emit(*[f"bra {end};"] * (self.choice.random() < 0.8))
        writer.emit(f"{end}:")

    def leave_early(self, level: str) -> None:
        """Some lanes end, or return from a function."""
        condition = self._condition("lane")
        word = self.choice.choice(["ret", "exit"] if self.writer.in_kernel else ["ret", "ret", "ret", "exit"])
        if not self.writer.in_kernel:
            self.writer.emit(f"st.param.b32 [r], {self.writer.register('u32')};")
        self.writer.emit(f"@{condition} {word};")

    def any_call(self, level: str) -> None:
        """A call of a function by name or address, or of one with parameters in registers."""
        name, pick = self.choice.choice(self.functions), self.writer.register
        if name == "fregs":
            result, argument = (self.choice.choice(["%b32_1", "%b32_2", "%s32_0"]) for _ in range(2))
            self.writer.emit(f"call ({result}), fregs, ({argument}, {pick('u64')});")
        else:
            self.call(name, pick("u32"))

    def call(self, name: str, argument: str) -> None:
        """A call with the functions' common signature."""
        writer, guard = self.writer, ""
        if self.choice.random() < 0.2:
            guard = f"@{writer.register('pred')} "
        target, prototype = name, ""
        if self.choice.random() < 0.3 and name != "frec":
            label = writer.name("PROTO")
            other = self.choice.choice([known for known in self.functions if known != "fregs"] or [name])
            writer.emit(f"mov.u64 %y2, {name};", f"mov.u64 %y3, {other};")
            writer.emit(f"selp.b64 %y2, %y2, %y3, {writer.register('pred')};")
            writer.emit(f"{label}: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b64 _, "
                        ".param .align 16 .b8 _[16]);")  # fmt: skip
            target, prototype = "%y2", f", {label}"
        writer.emit("{ .param .b32 p0; .param .b64 p1; .param .align 16 .b8 p2[16]; .param .b32 q;")
        writer.emit(f"st.param.b32 [p0], {argument};", f"st.param.b64 [p1], {writer.register('b64')};")
        pair = f"{{{writer.register('u32')}, {writer.register('u32')}}}"
        writer.emit(f"st.param.v2.b32 [p2], {pair};", f"st.param.b64 [p2+8], {writer.register('b64')};")
        writer.emit(f"{guard}call (q), {target}, (p0, p1, p2){prototype};")
        writer.emit(f"ld.param.b32 {writer.register('u32')}, [q]; }}")

    # --- together ------------------------------------------------------------------------------------

    def warp_sync(self, level: str) -> None:
        """bar.warp.sync, and a shuffle through shared memory that needs it."""
        mask = self.writer.members()
        self.writer.emit(f"bar.warp.sync {mask};")

    def pair_votes(self, level: str) -> None:
        """Lanes of one mask that meet from two copies of an instruction."""
        writer = self.writer
        if writer.mask is None:
            return self.warp_sync(level)
        condition, other, end = self._condition("lane"), writer.name("OTHER"), writer.name("END")
        form = self.choice.choice(
            ["shfl.sync.idx.b32 {d}, {a}, 5, 31, {m};", "vote.sync.ballot.b32 {d}, {p}, {m};",
             "match.any.sync.b32 {d}, {a}, {m};", "redux.sync.add.u32 {d}, {a}, {m};", "bar.warp.sync {m};"]
        )  # fmt: skip

        def line() -> str:
            names = {key: writer.register("u32") for key in "da"}
            return form.format(**names, p=writer.register("pred"), m=writer.mask)

        writer.emit(f"@{condition} bra {other};", line(), f"bra {end};", f"{other}:", line(), f"{end}:")
        return None

    def barrier(self, level: str) -> None:
        """A barrier of the CTA, in one of its forms."""
        writer, number = self.writer, self.choice.randrange(15)
        count = self.choice.choice(["", f", {32 * self.warps}"])
        word = self.choice.choice(["bar", "barrier", "barrier.cta", "bar.cta"])
        aligned = ".aligned" if word.startswith("barrier") and self.choice.random() < 0.5 else ""
        index = str(number)
        if self.choice.random() < 0.2:
            writer.emit(f"mov.u32 %x3, {number};")
            index = "%x3"
        form = self.choice.choice(["sync", "sync", "red", "arrive"])
        if form == "sync":
            writer.emit(f"{word}.sync{aligned} {index}{count};")
        elif form == "red":
            operation = self.choice.choice(["popc.u32", "and.pred", "or.pred"])
            result = writer.register("u32" if operation.startswith("popc") else "pred")
            sign = self.choice.choice(["", "!"])
            writer.emit(f"{word}.red{aligned}.{operation} {result}, {index}{count}, {sign}{writer.register('pred')};")
        elif self.warps > 1:
            self._producers(number)

    def _producers(self, number: int) -> None:
        """The first warp waits for the others, which only arrive."""
        writer, consumer, end = self.writer, self.writer.name("CONSUMER"), self.writer.name("END")
        total = 32 * self.warps
        writer.emit("mov.u32 %x3, %tid.y;", "mov.u32 %x2, %ntid.x;", "mov.u32 %x1, %tid.x;")
        writer.emit("mad.lo.u32 %x3, %x3, %x2, %x1;", "setp.lt.u32 %g0, %x3, 32;", f"@%g0 bra {consumer};")
        writer.emit(f"bar.arrive {number}, {total};", f"bra {end};", f"{consumer}:", f"bar.sync {number}, {total};")
        writer.emit(f"{end}:")

    def spin(self, level: str) -> None:
        """Every warp waits for the one before it."""
        if self.loops or self.spins >= 8:
            return
        writer, top = self.writer, self.writer.name("SPIN")
        slot = 32 * self.spins
        self.spins += 1
        writer.emit("mov.u32 %x3, %warpid;", "shl.b32 %x3, %x3, 2;", "mov.u32 %x2, flags;", "add.u32 %x2, %x2, %x3;")
        writer.emit("setp.eq.u32 %g0, %x3, 0;", f"{top}:", f"@!%g0 ld.volatile.shared.u32 %x1, [%x2+{slot - 4}];")
        writer.emit("@%g0 mov.u32 %x1, 1;", "setp.eq.u32 %g1, %x1, 0;", f"@%g1 bra {top};")
        writer.emit("mov.u32 %x1, 1;", f"st.shared.u32 [%x2+{slot}], %x1;")
