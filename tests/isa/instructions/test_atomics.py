"""atom and red against a model over bytes: CTA by CTA, and in each the lanes one after the other from lane 0 on.

Every run has 1,024 operand sets: CTAs of a warp each, whose lanes crowd on four places that are the CTA's own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from emulator import Device, Kernel, ObjectCode, System
from emulator.errors import IllegalAddress, KernelFault, MisalignedAddress
from emulator.ptx_types import TYPES
from tests import float_oracle
from tests.isa.operands import edges, number

LANES, PLACES, SETS = 32, 4, 1024
SPACES = ("global", "shared", "generic global", "generic shared")
Model = Callable[..., int]

TEXT = """
.version 8.8
.target sm_90a
.address_size 64
.visible .entry k (
    .param .u64 memory, .param .u64 places, .param .u64 b, .param .u64 c, .param .u64 old)
{{
    .reg .b64 %mine, %at, %there, %n, %rb, %rc, %rold, %rplaces;
    .reg .b32 %cta, %lane, %i, %place;
    .reg .pred %first;
    .reg .b{unit} %moved;
    .reg .b{width} %b<8>, %c, %d<8>;
    .shared .align 16 .b8 area[{area}];
    ld.param.u64 %mine, [memory];
    ld.param.u64 %rplaces, [places];
    ld.param.u64 %rb, [b];
    ld.param.u64 %rc, [c];
    ld.param.u64 %rold, [old];
    mov.u32 %cta, %ctaid.x;
    mov.u32 %lane, %tid.x;
    mad.lo.u32 %i, %cta, 32, %lane;
    mul.wide.u32 %n, %i, 4;
    add.u64 %rplaces, %rplaces, %n;
    ld.global.u32 %place, [%rplaces];
    mul.wide.u32 %n, %cta, {area};
    add.u64 %mine, %mine, %n;
    mul.wide.u32 %n, %i, {size};
    add.u64 %rb, %rb, %n;
    add.u64 %rc, %rc, %n;
    add.u64 %rold, %rold, %n;
    mul.wide.u32 %n, %lane, {size};
    mov.u64 %there, area;
    add.u64 %there, %there, %n;
    add.u64 %at, %mine, %n;
    setp.lt.u32 %first, %lane, {places};
    {into}
    mul.wide.u32 %n, %place, {size};
    {point}
    {load}
    {opcode} {operands};
    {keep}
    {back}
    ret;
}}
"""


@dataclass(frozen=True)
class Shape:
    """What an opcode takes: bits of an element, elements of a vector (0: none), operands behind the address."""

    width: int
    vector: int = 0
    sources: int = 1

    @property
    def size(self) -> int:
        """Bytes of a place."""
        return self.width // 8 * max(self.vector, 1)

    @property
    def ctas(self) -> int:
        """So many that there are 1,024 operand sets."""
        return SETS // LANES // max(self.vector, 1)


@cache
def kernel(opcode: str, shape: Shape, where: str) -> Kernel:
    """A kernel whose lanes execute an opcode once, by an address of a space or by a generic one."""
    space = where.removeprefix("generic ")
    unit, size = min(32, 8 * shape.size), shape.size
    steps = range(0, size, unit // 8)
    into = [
        f"@%first ld.global.b{unit} %moved, [%at+{n}]; @%first st.shared.b{unit} [%there+{n}], %moved;" for n in steps
    ]
    back = [
        f"@%first ld.shared.b{unit} %moved, [%there+{n}]; @%first st.global.b{unit} [%at+{n}], %moved;" for n in steps
    ]
    point = "mov.u64 %mine, area;" if space == "shared" else ""
    point += " add.u64 %mine, %mine, %n;"
    if where.startswith("generic"):
        point += f" cvta.{space}.u64 %mine, %mine;"
    elements = range(max(shape.vector, 1))
    load = [f"ld.global.b{shape.width} %b{n}, [%rb+{n * shape.width // 8}];" for n in elements]
    load.append(f"ld.global.b{shape.width} %c, [%rc];")
    keep = [f"st.global.b{shape.width} [%rold+{n * shape.width // 8}], %d{n};" for n in elements]
    text = TEXT.format(
        unit=unit, width=shape.width, area=PLACES * size, size=size, places=PLACES, point=point, opcode=opcode,
        into="\n".join([*into, "bar.sync 0;"] if space == "shared" else []),
        back="\n".join(["bar.sync 0;", *back] if space == "shared" else []),
        load="\n".join(load), keep="\n".join(keep), operands=operands(opcode, shape),
    )  # fmt: skip
    return ObjectCode.from_ptx(text).get_kernel("k")


def operands(opcode: str, shape: Shape) -> str:
    """`%d0, [%mine], %b0, %c` as the opcode takes them."""
    names = ["d", "b"]
    result, source = (f"%{name}0" for name in names)
    if shape.vector:
        result, source = ("{" + ", ".join(f"%{name}{n}" for n in range(shape.vector)) + "}" for name in names)
    parts = ["[%mine]", source, *(["%c"] if shape.sources == 2 else [])]
    return ", ".join(parts if opcode.startswith("red") else [result, *parts])


# --- the model -----------------------------------------------------------------------------------


def sequence(
    model: Model, shape: Shape, memory: bytearray, places: Sequence[int], b: bytes, c: bytes
) -> tuple[bytearray, bytearray]:
    """(memory afterwards, old values): each element of each lane in turn."""
    old = bytearray(len(b))
    octets = shape.width // 8
    for lane, place in enumerate(places):
        for element in range(0, shape.size, octets):
            at = (lane // LANES * PLACES + place) * shape.size + element
            mine = lane * shape.size + element
            value = int.from_bytes(memory[at : at + octets], "little")
            given = [int.from_bytes(row[mine : mine + octets], "little") for row in (b, c)]
            new = model(value, *given[: shape.sources])
            old[mine : mine + octets] = memory[at : at + octets]
            memory[at : at + octets] = (new & (1 << shape.width) - 1).to_bytes(octets, "little")
    return memory, old


def compare(opcode: str, shape: Shape, where: str, model: Model, values: Sequence[int], before: Sequence[int]) -> None:
    """Run an opcode and the model over operands chosen from `values` and places that first hold some of `before`."""
    choice = random.Random(opcode + where)
    octets = shape.width // 8
    elements = max(shape.vector, 1)

    def row(count: int, numbers: Sequence[int]) -> bytes:
        return b"".join(choice.choice(numbers).to_bytes(octets, "little") for _ in range(count * elements))

    count = shape.ctas * LANES
    memory, b, c = row(shape.ctas * PLACES, before), row(count, values), row(count, values)
    places = np.array([choice.randrange(PLACES) for _ in range(count)], np.uint32)
    wanted, old = sequence(model, shape, bytearray(memory), places.tolist(), b, c)
    arrays = [np.frombuffer(bytearray(raw), np.uint8) for raw in (memory, b, c, bytes(len(old)))]
    kernel(opcode, shape, where)[shape.ctas, LANES](arrays[0], places, *arrays[1:])
    assert arrays[0].tobytes() == bytes(wanted)
    if opcode.startswith("atom"):
        assert arrays[3].tobytes() == bytes(old)


def opcode_of(word: str, tail: str, where: str) -> str:
    """An opcode with the state space that it names."""
    return f"{word}.{tail}" if where.startswith("generic") else f"{word}.{where}.{tail}"


# --- integers ------------------------------------------------------------------------------------

INTEGERS: dict[str, Model] = {
    "add": lambda a, b: a + b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "exch": lambda a, b: b,
    "inc": lambda a, b: 0 if a >= b else a + 1,
    "dec": lambda a, b: b if a == 0 or a > b else a - 1,
    "min": min,
    "max": max,
}
KINDS = {
    "add": "u32 s32 u64", "and": "b32 b64", "or": "b32 b64", "xor": "b32 b64", "exch": "b32 b64 b128", "inc": "u32",
    "dec": "u32", "min": "u32 s32 u64 s64", "max": "u32 s32 u64 s64",
}  # fmt: skip
WHERE = {"atom": SPACES, "red": ("global", "generic shared")}
INTEGER_FORMS = [
    (word, f"{operation}.{kind}", where)
    for operation, kinds in KINDS.items()
    for kind in kinds.split()
    for word in ("atom", "red")
    for where in WHERE[word]
    if (word, operation) != ("red", "exch")
]


def values_of(width: int, *, small: bool = False) -> list[int]:
    """Edges and random bits of a width; small numbers so that counters wrap."""
    choice = random.Random(width)
    if small:
        return [*range(6), (1 << width) - 1, 1 << width - 1]
    special = [n for n in edges(TYPES["u64"]) if n < 1 << width]
    return [*special, *[choice.getrandbits(width) for _ in range(64)], (1 << width) - 1, 1 << width - 1]


@pytest.mark.parametrize(("word", "form", "where"), INTEGER_FORMS)
def test_integers(word: str, form: str, where: str) -> None:
    operation, name = form.split(".")
    kind, model = TYPES[name], INTEGERS[operation]
    values = values_of(kind.width, small=operation in ("inc", "dec"))

    def signed(old: int, b: int) -> int:
        return model(number(old, kind), number(b, kind))

    compare(opcode_of(word, form, where), Shape(kind.width), where, signed, values, values)


@pytest.mark.parametrize("where", SPACES)
@pytest.mark.parametrize("width", [16, 32, 64, 128])
def test_compare_and_swap(width: int, where: str) -> None:
    """Values so few that many compare equal; those of b128 differ in one half only."""
    high = 1 << width - 1
    values = [0, 1, high, high + 1, 3]
    opcode = opcode_of("atom", f"cas.b{width}", where)
    compare(opcode, Shape(width, sources=2), where, lambda old, b, c: c if old == b else old, values, values)


# --- floats --------------------------------------------------------------------------------------

FORMATS: dict[str, tuple[Any, Any, int]] = {  # dtype, dtype of the bits, NaN
    "f16": (np.float16, np.uint16, 0x7FFF),
    "bf16": (ml_dtypes.bfloat16, np.uint16, 0x7FFF),
    "f32": (np.float32, np.uint32, 0x7FFFFFFF),
    "f64": (np.float64, np.uint64, float_oracle.NAN["f64"]),
}


@cache
def to_number(kind: str, bits: int) -> float:
    dtype, unsigned, _ = FORMATS[kind]
    return float(np.array([bits], unsigned).view(dtype)[0])


def to_bits(kind: str, value: float) -> int:
    """Rounded once: a sum of two numbers of 24 bits or less is exact in a double, or rounded there without harm."""
    dtype, unsigned, nan = FORMATS[kind]
    with np.errstate(over="ignore"):
        return nan if math.isnan(value) else int(np.array([value]).astype(dtype).view(unsigned)[0])


def flushed(value: float) -> float:
    """Subnormal f32 numbers as zeros of their sign."""
    return math.copysign(0.0, value) if abs(value) < 2.0**-126 else value


def add(kind: str, flush: bool) -> Model:
    def model(old: int, b: int) -> int:
        x, y = to_number(kind, old), to_number(kind, b)
        if not flush:
            return to_bits(kind, x + y)
        return to_bits(kind, flushed(to_number(kind, to_bits(kind, flushed(x) + flushed(y)))))

    return model


def extreme(kind: str, function: Callable[..., float]) -> Model:
    """The number beside a NaN; -0 below +0."""

    def model(old: int, b: int) -> int:
        numbers = [x for x in (to_number(kind, old), to_number(kind, b)) if not math.isnan(x)]
        return to_bits(kind, function(numbers, key=lambda x: (x, math.copysign(1, x)), default=math.nan))

    return model


def float_values(kind: str) -> list[int]:
    """Every edge, and numbers near each other; no NaN of f64, whose payload would count."""
    row = float_oracle.to_bits(kind, float_oracle.operands(kind, 1, 7)[0])
    return [int(bits) for bits in row if kind != "f64" or not math.isnan(to_number(kind, int(bits)))]


def packed(kind: str, model: Model) -> tuple[list[int], Model]:
    """Values and model of two halves in a word."""
    choice = random.Random(kind)
    halves = float_values(kind)[::3]
    values = [choice.choice(halves) | choice.choice(halves) << 16 for _ in range(512)]
    return values, lambda old, b: model(old & 0xFFFF, b & 0xFFFF) | model(old >> 16, b >> 16) << 16


@pytest.mark.parametrize("where", SPACES)
@pytest.mark.parametrize("word", ["atom", "red"])
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_float_sums(word: str, kind: str, where: str) -> None:
    """f32 sums in global memory flush subnormal numbers, by generic addresses too; in shared memory they do not."""
    model = add(kind, flush=kind == "f32" and "global" in where)
    values = float_values(kind)
    compare(opcode_of(word, f"add.{kind}", where), Shape(TYPES[kind].width), where, model, values, values)


@pytest.mark.parametrize("where", SPACES)
@pytest.mark.parametrize("word", ["atom", "red"])
@pytest.mark.parametrize("kind", ["f16", "bf16", "f16x2", "bf16x2"])
def test_half_sums(word: str, kind: str, where: str) -> None:
    values, model = half_model(kind, "add")
    compare(opcode_of(word, f"add.noftz.{kind}", where), Shape(TYPES[kind].width), where, model, values, values)


def half_model(kind: str, operation: str) -> tuple[list[int], Model]:
    half = kind.removesuffix("x2")
    model = add(half, flush=False) if operation == "add" else extreme(half, {"min": min, "max": max}[operation])
    return packed(half, model) if kind != half else (float_values(half), model)


VECTORS = [
    (word, f"{operation}.noftz.v{n}.{kind}", n)
    for kind, sizes in (("f16", (2, 4, 8)), ("bf16", (2, 4, 8)), ("f16x2", (2, 4)), ("bf16x2", (2, 4)))
    for operation in ("add", "min", "max")
    for n in sizes
    for word in ("atom", "red")
]


@pytest.mark.parametrize(("word", "tail", "vector"), VECTORS)
def test_vectors_of_halves(word: str, tail: str, vector: int) -> None:
    kind = tail.rpartition(".")[2]
    where = "global" if word == "atom" else "generic global"
    values, model = half_model(kind, tail.partition(".")[0])
    compare(opcode_of(word, tail, where), Shape(TYPES[kind].width, vector), where, model, values, values)


@pytest.mark.parametrize("where", ["global", "generic global"])
@pytest.mark.parametrize("word", ["atom", "red"])
@pytest.mark.parametrize("vector", [2, 4])
def test_vectors_of_floats(word: str, vector: int, where: str) -> None:
    values = float_values("f32")
    opcode = opcode_of(word, f"add.v{vector}.f32", where)
    compare(opcode, Shape(32, vector), where, add("f32", flush=True), values, values)


# --- what else an atomic operation does ----------------------------------------------------------


def run(body: str, memory: np.ndarray, device: Device | None = None) -> None:
    """A warp on a global array, whose address is in %rd1."""
    text = f""".version 8.8\n.target sm_90a\n.address_size 64
    .visible .entry k (.param .u64 memory) {{
        .reg .b64 %rd<9>; .reg .b32 %r<9>; .reg .f32 %f<9>; .reg .pred %p<3>;
        ld.param.u64 %rd1, [memory]; mov.u32 %r1, %laneid; {body} ret; }}"""
    ObjectCode.from_ptx(text).get_kernel("k")[1, 32](memory, device=device)


def test_lanes_that_are_off_take_no_part() -> None:
    memory = np.zeros(2, np.uint32)
    run("setp.lt.u32 %p1, %r1, 5; @%p1 red.global.add.u32 [%rd1], 1; @!%p1 red.global.add.u32 [%rd1+4], 1;", memory)
    assert memory.tolist() == [5, 27]


def test_result_may_be_thrown_away_or_overwrite_an_operand() -> None:
    memory = np.zeros(4, np.uint32)
    run("atom.global.add.u32 _, [%rd1], 2; atom.global.add.u32 %r1, [%rd1+4], %r1;", memory)
    assert memory.tolist()[:2] == [64, sum(range(32))]
    memory = np.zeros(4, np.float32)
    run(
        "mov.f32 %f1, 0f3f800000; atom.global.add.v2.f32 {_, %f2}, [%rd1], {%f1, 2.0}; st.global.f32 [%rd1+8], %f2;",
        memory,
    )
    assert memory.tolist() == [32.0, 64.0, 62.0, 0.0]


def test_cache_policies_change_nothing() -> None:
    memory = np.zeros(2, np.uint32)
    body = "createpolicy.fractional.L2::evict_last.b64 %rd2; red.global.add.L2::cache_hint.u32 [%rd1], 3, %rd2;"
    run(body, memory)
    assert memory.tolist() == [96, 0]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("red.global.add.u32 [%rd1+2], 1;", MisalignedAddress),
        ("red.global.add.v2.f32 [%rd1+4], {%f1, %f2};", MisalignedAddress),
        ("red.global.add.u32 [%rd1+64], 1;", IllegalAddress),
        ("red.shared.add.u32 [%rd1], 1;", IllegalAddress),
    ],
)
def test_faults(body: str, fault: type[KernelFault]) -> None:
    with System() as system, pytest.raises(fault):
        run(body, np.zeros(16, np.uint32), system.device(0))
