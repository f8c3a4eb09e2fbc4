"""Random straight-line programs of products and sums, and what ptxas fuses in them, recorded.

A program is a list of operations [name, d, a, b] over numbered registers, of which the first INPUTS are loaded and
some are stored.  What comes out is written as expressions, `fma(i0*-i1;i2)`, the same for any order of factors and
terms; from ptxas they are read off the machine code.  Run as a script with ptxas and nvdisasm on the PATH, this
records: python -m tests.program.random_sums.
"""

import json
import lzma
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.program.machine_code import machine_code, offset_of

RECORDING = Path(__file__).resolve().parent.parent / "data" / "contraction" / "random_sums.jsonl.xz"
TYPES = {"f32": 4, "f64": 8, "f16x2": 4, "bf16x2": 4, "f16": 2, "bf16": 2}
INPUTS, STRIDE = 4, 8
Operation = tuple[str, int, int, int]


class Sums(NamedTuple):
    """A program, and the expressions that ptxas stores, by register."""

    type: str
    operations: list[Operation]
    stores: list[int]
    stored: dict[int, str] | None = None


def random_sums(kind: str, choice: random.Random) -> Sums:
    """A program of 3 to 12 operations; no two compute the same."""
    operations: list[Operation] = []
    products: list[int] = []
    seen: set[tuple[str, frozenset[int]]] = set()
    names = ["mul", "mul", "add", "add", "sub"] + (["div"] if kind == "f32" else [])
    while len(operations) < choice.randrange(3, 13):
        name, d = choice.choice(names), INPUTS + len(operations)
        a, b = choice.randrange(d), choice.randrange(d)
        if name in ("add", "sub") and products and choice.random() < 0.8:
            a, b = choice.sample([choice.choice(products), b], 2)
        value = (name.replace("sub", "add"), frozenset((a, b)))
        if value in seen or (a == b and name in ("sub", "div")):
            continue
        seen.add(value)
        operations.append((name, d, a, b))
        products += [d] if name in ("mul", "div") else []
    read = {register for _, _, a, b in operations for register in (a, b)}
    more = choice.choice([0, 0, 0.1, 0.3])
    return Sums(kind, operations, [d for _, d, _, _ in operations if d not in read or choice.random() < more])


def text_of(program: Sums, name: str) -> str:
    """A kernel with the program; .ftz keeps machine code for divisions short."""
    bits = 8 * TYPES[program.type]
    kind = program.type if bits >= 32 and "x" not in program.type else f"b{bits}"
    middle = dict.fromkeys(("mul", "add", "sub"), ".ftz" if program.type == "f32" else "") | {"div": ".approx.ftz"}
    lines = [f"ld.global.b{bits} %f{n}, [%rd2+{STRIDE * n}];" for n in range(INPUTS)]
    lines += [f"{op}{middle[op]}.{program.type} %f{d}, %f{a}, %f{b};" for op, d, a, b in program.operations]
    lines += [f"st.global.b{bits} [%rd1+{STRIDE * d}], %f{d};" for d in program.stores]
    head = f".reg .b64 %rd<3>; .reg .{kind} %f<{INPUTS + len(program.operations)}>;"
    loads = "ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [in];"
    body = "\n".join([head, loads, *lines, "ret;"])
    return f".visible .entry {name}(.param .u64 out, .param .u64 in)\n{{\n{body}\n}}\n"


HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"


# --- expressions -----------------------------------------------------------------------------------------


def negative(x: str) -> str:
    return x[1:] if x.startswith("-") else f"-{x}"


def product(x: str, y: str) -> str:
    sign = "-" if x.startswith("-") != y.startswith("-") else ""
    return f"{sign}mul({','.join(sorted((x.lstrip('-'), y.lstrip('-'))))})"


def total(x: str, y: str) -> str:
    return f"add({','.join(sorted((x, y)))})"


def fma(x: str, y: str, z: str) -> str:
    sign = "-" if x.startswith("-") != y.startswith("-") else ""
    return f"fma({sign}{'*'.join(sorted((x.lstrip('-'), y.lstrip('-'))))};{z})"


def expressions(program: Sums, fused: Mapping[int, int]) -> dict[int, str]:
    """What is stored if some operations, by number, are fused with the product at a position (0 or 1)."""
    values = {n: f"i{n}" for n in range(INPUTS)}
    factors: dict[int, tuple[str, str]] = {}
    for number, (name, d, a, b) in enumerate(program.operations):
        x, y = values[a], values[b]
        if name in ("mul", "div"):
            factors[d] = (x, y if name == "mul" else f"rcp({y})")
            values[d] = product(*factors[d])
        elif number not in fused:
            values[d] = total(x, y if name == "add" else negative(y))
        elif fused[number] == 0:
            values[d] = fma(*factors[a], y if name == "add" else negative(y))
        else:
            first, second = factors[b]
            values[d] = fma(first if name == "add" else negative(first), second, x)
    return {d: values[d] for d in program.stores}


def read_machine_code(lines: list[str]) -> dict[int, str]:
    """What machine code stores; LookupError if it packs halves, which is not followed here."""
    values: dict[str, str] = {}
    stored = {}

    def value(text: str) -> str:
        return negative(value(text[1:])) if text.startswith("-") else values[text]

    for line in lines:
        opcode, _, rest = re.sub(r"\.reuse|\.H0_H0|\.FTZ|\.BF16_V2|\.MMA|\.CONSTANT", "", line).partition(" ")
        d, *sources = rest.split(", ")
        if opcode.startswith("LDG"):
            values[d] = f"i{offset_of(line) // STRIDE}"
        elif opcode.startswith("STG"):
            stored[offset_of(line) // STRIDE] = value(sources[-1])
        elif opcode in ("MOV", "IMAD.MOV.U32") and sources[-1] in values:
            values[d] = values[sources[-1]]
        elif opcode == "MUFU.RCP":
            values[d] = f"rcp({value(sources[0])})"
        elif re.fullmatch("[FDH](MUL|FMA|ADD)2?", opcode):
            values[d] = _arithmetic(opcode, sources, value)
        elif opcode == "PRMT":
            raise LookupError(line)
    return stored


def _arithmetic(opcode: str, sources: list[str], value: Any) -> str:
    """Products also come as a * b - 0, sums of halves as a * {1, 1} + b."""
    if opcode[1:].startswith("FMA") and sources[1:-1] in (["1", "1"], ["-1", "-1"]):
        return total(value(sources[0] if sources[1] == "1" else f"-{sources[0]}"), value(sources[-1]))
    if opcode[1:].startswith("MUL") or sources[-1] == "-RZ":
        return product(value(sources[0]), value(sources[1]))
    return fma(*map(value, sources)) if opcode[1:].startswith("FMA") else total(*map(value, sources))


# --- the recording ---------------------------------------------------------------------------------------


def recorded() -> Iterator[Sums]:
    """The programs with what ptxas 13.0 made of them."""
    with lzma.open(RECORDING, "rt", encoding="utf-8") as lines:
        for line in lines:
            kind, operations, stores, stored = json.loads(line)
            yield Sums(kind, [tuple(o) for o in operations], stores, dict(zip(stores, stored, strict=True)))


def from_ptxas(programs: list[Sums], folder: Path) -> list[Sums]:
    """The programs whose machine code can be read, with what they store."""
    kernels = machine_code(HEAD + "".join(text_of(p, f"k{n}") for n, p in enumerate(programs)), folder)
    found = []
    for number, program in enumerate(programs):
        try:
            found.append(program._replace(stored=read_machine_code(kernels[f"k{number}"])))
        except LookupError:
            continue
    return found


def record(count: int) -> int:
    """Write the recording; how many programs it has."""
    choice = random.Random(2025)
    programs = [random_sums(kind, choice) for kind in TYPES for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        found = from_ptxas(programs, Path(folder))
    with lzma.open(RECORDING, "wt", encoding="utf-8", preset=9) as file:
        for program in found:
            assert program.stored is not None
            file.write(json.dumps([*program[:3], [program.stored[d] for d in program.stores]]) + "\n")
    return len(found)


if __name__ == "__main__":
    sys.stdout.write(f"{record(400)} programs\n")
