"""Random PTX programs by a seed: divergence, calls, barriers, warp operations, memory and atomics around random forms.

A program that hangs or faults is a program too, as long as it does so at the same instruction on both engines.  At
its end every thread stores all its registers, or waits for ever with them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from emulator.ptx_types import TYPES
from tests.engines.native.kernel_frame import RECORD
from tests.engines.native.random_instructions import Forms, Pools, Writer, kernel, module
from tests.engines.native.random_operands import MARGIN, OBJECTS, REGIONS, declarations
from tests.engines.native.random_statements import DYNAMIC, Body
from tests.isa.operands import one

LARGE = 0.04  # the share of programs that are about six times as long as others
POOL_SIZE = (45, 40)
PROGRAMS_A_POOL = 2000
SMALL_SHAPES = (1, 31, 32, 32, 32, 33, 64, (5, 7))
SHAPES = (1, 31, 32, 33, 64, 96, (8, 4), (5, 7), (16, 2, 2), (3, 3, 3))
SIGNATURE = ".param .b32 a, .param .b64 b, .param .align 16 .b8 c[16]"
PRINTF = ".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);\n"
HEAP = ".extern .func (.param .b64 r) malloc(.param .b64 s);\n.extern .func free(.param .b64 p);\n"
FORMAT = ".global .align 1 .b8 format[8] = {37, 100, 32, 37, 120, 10, 0, 0};\n"  # "%d %x" and a line's end


@dataclass(frozen=True)
class RandomProgram:
    """A module with kernels (in, out, par), and how they are launched, one after the other on streams of their own."""

    seed: int
    text: str
    arch: str
    grid: int
    block: int | tuple[int, ...]
    cluster: int | None
    shared: int
    kernels: tuple[str, ...]
    contract: str
    most: int  # instructions after which a run is stopped

    @property
    def threads(self) -> int:
        sizes = self.block if isinstance(self.block, tuple) else (self.block,)
        return self.grid * (self.cluster or 1) * int(np.prod(sizes))

    def input(self) -> npt.NDArray[np.uint8]:
        """What the threads load their registers from: numbers of all types, many of them edges."""
        choice = random.Random(f"input {self.seed}")
        kinds = [TYPES[name] for name in ("u8", "u16", "f16", "bf16", "u32", "f32", "s64", "f64")]
        data = bytearray()
        while len(data) < 4 * RECORD:
            kind = choice.choice(kinds)
            bits = one(kind, choice) & (1 << kind.width) - 1
            data += bits.to_bytes(kind.bytes, "little") * (8 // kind.bytes)
        return np.frombuffer(bytes(data), np.uint8)

    def parameter(self) -> bytes:
        """The kernel's parameter by value."""
        return bytes(n * 7 & 0xFF for n in range(REGIONS["param"][1] + 2 * MARGIN))


@cache
def forms(number: int, target: str, sizes: tuple[int, int] = POOL_SIZE) -> Forms:
    """A pool of forms."""
    return Forms(number, target, *sizes)


def program(seed: int, chosen: Forms | None = None) -> RandomProgram:
    """The program of a seed, with the forms of its pool or with other ones."""
    choice = random.Random(f"program {seed}")
    pool = seed // PROGRAMS_A_POOL
    target = "sm_100a" if pool % 4 == 3 else "sm_90a"
    if chosen is not None:
        target = chosen.target
    pools = Pools(forms(pool, target) if chosen is None else chosen)
    large = choice.random() < LARGE
    cluster = 2 if choice.random() < 0.1 else None
    block = choice.choice(SHAPES if large else SMALL_SHAPES)
    functions = _functions(choice, pools)
    known = list(functions)
    kernels = choice.choice([("k",), ("k",), ("k",), ("k",), ("k", "k"), ("k", "m")])
    halts = choice.random() < 0.5
    for name in sorted(set(kernels)):
        size = choice.choice((8, 12, 16, 30) if large else (3, 4, 6))
        body = Body(Writer(choice, pools, cluster=cluster or 1), known, block, size)
        body.whole(halts=halts, objects_used=any(OBJECTS[0] in text for text in functions.values()))
        functions[f"{name} kernel"] = kernel(name, body.writer.lines)
    before = PRINTF + HEAP + FORMAT + ".extern .shared .align 16 .b8 dyn[];\n.shared .u32 flags[256];\n"
    text = module(functions.values(), target, before)
    grid = choice.choice([1, 1, 2, 3] if large else [1, 1, 1, 2])
    contract = choice.choice(["ptx", "ptx", "ptx", "ptxas"])
    return RandomProgram(
        seed, text, target, grid, block, cluster, DYNAMIC, kernels, contract, 15_000 if large else 2500
    )


# --- functions -----------------------------------------------------------------------------------


def _functions(choice: random.Random, pools: Pools) -> dict[str, str]:
    """Up to three functions of one signature, of which each may call those before it, a recursive one among them.

    Another has its parameters in registers.
    """
    found: dict[str, str] = {}
    if choice.random() < 0.3:
        found["fregs"] = _function_of_registers(choice, pools)
    for number in range(choice.randrange(3)):
        found[f"f{number}"] = _function(f"f{number}", list(found), choice, pools, recursive=False)
    if choice.random() < 0.5:
        found["frec"] = _function("frec", list(found), choice, pools, recursive=True)
    return found


def _function_of_registers(choice: random.Random, pools: Pools) -> str:
    body = Body(Writer(choice, pools, in_kernel=False, mask=None), [], 0, 4)
    for _ in range(choice.randrange(1, 4)):
        body.compute("lane")
    body.writer.emit(f"add.u32 q, p, {body.writer.register('u32')};", "cvt.u32.u64 %x0, s;", "xor.b32 q, q, %x0;")
    lines = "\n".join(body.writer.lines)
    return (
        f".func (.reg .b32 q) fregs(.reg .b32 p, .reg .b64 s) {{\n{declarations()}\n"
        f".local .align 16 .b8 lo[{REGIONS['local'][1] + 2 * MARGIN}];\n{lines}\nret;\n}}\n"
    )


def _function(name: str, known: list[str], choice: random.Random, pools: Pools, *, recursive: bool) -> str:
    body = Body(Writer(choice, pools, in_kernel=False, mask=None), known, 0, choice.choice((3, 6, 9)))
    writer = body.writer
    writer.emit("ld.param.b32 %b32_0, [a];", "ld.param.b64 %b64_0, [b];", "mov.u32 %fuel, 6;")
    if recursive:
        writer.emit("and.b32 %depth, %b32_0, 3;", "setp.eq.u32 %g0, %depth, 0;", "@%g0 bra BASE;")
    body.statements(choice.randrange(2, 7), level="lane")
    if recursive:
        writer.emit("sub.u32 %depth, %depth, 1;")
        body.call("frec", "%depth")
        writer.emit("BASE:")
    body.statements(choice.randrange(1, 3), level="lane")
    writer.emit(f"st.param.b32 [r], {writer.register('u32')};", "ret;")
    size = REGIONS["local"][1] + 2 * MARGIN
    lines = "\n".join(writer.lines)
    return (
        f".func (.param .b32 r) {name}({SIGNATURE}) {{\n{declarations()} .reg .b32 %depth;\n"
        f".local .align 16 .b8 lo[{size}];\n{lines}\n}}\n"
    )
