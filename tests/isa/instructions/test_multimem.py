"""multimem.ld_reduce, .st and .red against a model in Python's numbers, over 1, 2, 4 and 8 devices.

Every run has 1,024 operand sets: CTAs of a warp each.  Lanes of st and red crowd on four places of their CTA; the model
goes device by device, and on each device lane by lane.
"""

from __future__ import annotations

import math
import random
import shutil
import subprocess
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from emulator import Kernel, LaunchConfig, ObjectCode, System, launch
from emulator.isa.registry import entries
from emulator.parse import parse
from emulator.program import check_module
from emulator.ptx_types import TYPES
from tests.isa.instructions.test_atomics import (
    FORMATS,
    INTEGERS,
    KINDS,
    Model,
    add,
    extreme,
    float_values,
    to_bits,
    to_number,
    values_of,
)
from tests.isa.operands import number
from tests.isa.test_registry import opcodes

LANES, PLACES, SETS = 32, 4, 1024
DEVICES = (1, 2, 4, 8)
HALVES = ("f16", "bf16")
ORDERS = {
    "ld_reduce": ("", ".weak.global", ".relaxed.gpu", ".acquire.sys.global", ".relaxed.cta", ".acquire.cluster.global"),
    "st": ("", ".weak.global", ".relaxed.gpu", ".release.sys.global", ".relaxed.cta", ".release.cluster.global"),
    "red": ("", ".global", ".relaxed.gpu", ".release.sys.global", ".relaxed.cta", ".release.cluster.global"),
}

TEXT = """
.version 8.8
.target sm_90a
.address_size 64
.visible .entry k (.param .u64 memory, .param .u64 places, .param .u64 b, .param .u64 d)
{{
    .reg .b64 %at, %rb, %rd, %n, %rplaces;
    .reg .b32 %cta, %lane, %i;
    .reg .b{width} %b<8>, %d<8>;
    ld.param.u64 %at, [memory];
    ld.param.u64 %rplaces, [places];
    ld.param.u64 %rb, [b];
    ld.param.u64 %rd, [d];
    mov.u32 %cta, %ctaid.x;
    mov.u32 %lane, %tid.x;
    mad.lo.u32 %i, %cta, 32, %lane;
    mul.wide.u32 %n, %i, 4;
    add.u64 %rplaces, %rplaces, %n;
    mul.wide.u32 %n, %i, {size};
    add.u64 %rb, %rb, %n;
    add.u64 %rd, %rd, %n;
    ld.global.u32 %i, [%rplaces];
    mul.wide.u32 %n, %i, {size};
    add.u64 %at, %at, %n;
    {load}
    {text};
    {keep}
    ret;
}}
"""


class Form(NamedTuple):
    """An instruction: ld_reduce, st or red; its operation, type, elements of a vector (0: none), wider sums."""

    word: str
    operation: str
    kind: str
    vector: int = 0
    wider: bool = False

    @property
    def opcode(self) -> str:
        """With one of the orders, each form another."""
        order = ORDERS[self.word][sum(map(ord, self.tail)) % len(ORDERS[self.word])]
        return f"multimem.{self.word}{order}{self.tail}"

    @property
    def tail(self) -> str:
        parts = (self.operation, "acc::f32" * self.wider, f"v{self.vector}" * bool(self.vector), self.kind)
        return "".join(f".{part}" for part in parts if part)

    @property
    def width(self) -> int:
        return TYPES[self.kind].width

    @property
    def size(self) -> int:
        """Bytes of a place."""
        return self.width // 8 * max(1, self.vector)

    @property
    def ctas(self) -> int:
        """So many that there are 1,024 operand sets."""
        return SETS // LANES // max(self.vector, 1)


def kernel(form: Form) -> Kernel:
    """Each lane executes the form once, at the place that it is given."""
    names = range(max(form.vector, 1))
    octets = form.width // 8
    group = {name: ", ".join(f"%{name}{n}" for n in names) for name in "bd"}
    if form.vector:
        group = {name: f"{{{text}}}" for name, text in group.items()}
    operands = f"{group['d']}, [%at]" if form.word == "ld_reduce" else f"[%at], {group['b']}"
    load = "\n".join(f"ld.global.b{form.width} %b{n}, [%rb+{n * octets}];" for n in names)
    keep = "\n".join(f"st.global.b{form.width} [%rd+{n * octets}], %d{n};" for n in names)
    text = TEXT.format(
        width=form.width, size=form.size, load=load, text=f"{form.opcode} {operands}",
        keep=keep if form.word == "ld_reduce" else "",
    )  # fmt: skip
    return ObjectCode.from_ptx(text).get_kernel("k")


# --- the model -----------------------------------------------------------------------------------


def model_of(form: Form) -> Model:
    """What two values become, as numbers of bits; f32 sums of red flush subnormals, those of loads do not."""
    kind = form.kind.removesuffix("x2")
    if kind not in FORMATS:
        scalar, integer = TYPES[kind], INTEGERS[form.operation]
        return lambda old, b: integer(number(old, scalar), number(b, scalar)) & (1 << scalar.width) - 1
    if form.operation == "add":
        return add(kind, flush=form.word == "red" and kind == "f32")
    return extreme(kind, {"min": min, "max": max}[form.operation])


def in_f32(kind: str, values: Sequence[int]) -> int:
    """Halves added as f32 and rounded once."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = reduce(lambda x, y: np.float32(x) + np.float32(y), [to_number(kind, bits) for bits in values])
    return to_bits(kind, float(total))


def reduced(form: Form, values: Sequence[int]) -> int:
    """The values of all devices in one."""
    if form.kind.endswith("x2"):
        half = form._replace(kind=form.kind.removesuffix("x2"))
        low, high = ([bits >> shift & 0xFFFF for bits in values] for shift in (0, 16))
        return reduced(half, low) | reduced(half, high) << 16
    return in_f32(form.kind, values) if form.wider else reduce(model_of(form), values)


def changed(form: Form, old: int, b: int) -> int:
    """What a value of one device becomes."""
    if form.word == "st":
        return b
    return reduced(form._replace(word="red", wider=False), [old, b])


def operands_of(form: Form) -> list[int]:
    """Edges and random bits; of packed types both halves."""
    kind = form.kind.removesuffix("x2")
    if kind not in FORMATS:
        return values_of(form.width)
    values = float_values(kind)
    if kind == form.kind:
        return values
    choice = random.Random(form.tail)
    return [choice.choice(values) | choice.choice(values) << 16 for _ in range(512)]


def row(choice: random.Random, form: Form, count: int) -> list[int]:
    values = operands_of(form)
    return [choice.choice(values) for _ in range(count * max(form.vector, 1))]


def raw(form: Form, numbers: Sequence[int]) -> np.ndarray:
    return np.array(numbers, dtype=f"u{form.width // 8}").view(np.uint8)


def run(form: Form, memory: Sequence[Sequence[int]], places: Sequence[int], b: Sequence[int]) -> tuple[list[int], ...]:
    """(values of d, memory of each device) after a run on the last device."""
    with System(len(memory)) as system:
        device = system.device(len(memory) - 1)
        multicast = system.multicast(len(memory[0]) * form.width // 8, "uint8")
        for buffer, values in zip(multicast.buffers, memory, strict=True):
            buffer.write(raw(form, values))
        d = device.zeros(form.ctas * LANES * form.size, "uint8")
        given = [device.array(np.array(places, np.uint32)), device.array(raw(form, b)), d]
        launch(device.default_stream, LaunchConfig(form.ctas, block=LANES), kernel(form), multicast, *given)
        arrays = [d.numpy(), *multicast.numpy()]
    return tuple(array.view(f"u{form.width // 8}").tolist() for array in arrays)


def compare_load(form: Form, devices: int) -> None:
    choice = random.Random(f"{form}{devices}")
    count = form.ctas * LANES
    memory = [row(choice, form, count) for _ in range(devices)]
    places = choice.sample(range(count), count)
    d, *after = run(form, memory, places, row(choice, form, count))
    each = max(form.vector, 1)
    wanted = [reduced(form, [values[place * each + n] for values in memory]) for place in places for n in range(each)]
    assert [hex(bits) for bits in d] == [hex(bits) for bits in wanted]
    assert after == memory


def compare_change(form: Form, devices: int) -> None:
    choice = random.Random(f"{form}{devices}")
    count, each = form.ctas * LANES, max(form.vector, 1)
    memory = [row(choice, form, form.ctas * PLACES) for _ in range(devices)]
    places = [lane // LANES * PLACES + choice.randrange(PLACES) for lane in range(count)]
    b = row(choice, form, count)
    _, *after = run(form, memory, places, b)
    for values in memory:
        for at in range(count * each):
            where = places[at // each] * each + at % each
            values[where] = changed(form, values[where], b[at])
    assert [[hex(bits) for bits in values] for values in after] == [[hex(bits) for bits in values] for values in memory]


# --- all forms -----------------------------------------------------------------------------------

SIZES = [*((kind, n) for kind in HALVES for n in (2, 4, 8)), *((f"{kind}x2", n) for kind in HALVES for n in (0, 2, 4))]
SCALARS = [
    *((word, kind) for word in ("add", "min", "max", "and", "or", "xor") for kind in KINDS[word].split()),
    ("add", "f32"), ("add", "f64"),
]  # fmt: skip
REDUCTIONS = [
    *((operation, kind, 0) for operation, kind in SCALARS),
    *(("add", "f32", n) for n in (2, 4)),
    *((operation, kind, n) for operation in ("add", "min", "max") for kind, n in SIZES),
]
LOADS = [
    *(Form("ld_reduce", *line) for line in REDUCTIONS),
    *(Form("ld_reduce", "add", kind, n, wider=True) for kind, n in SIZES),
]
CHANGES = [
    *(Form("red", *line) for line in REDUCTIONS if line[0] == "add" or line[1:] not in (("f16x2", 0), ("bf16x2", 0))),
    *(Form("st", "", kind) for kind in ("b32", "b64", "u32", "u64", "s32", "s64", "f32", "f64")),
    *(Form("st", "", kind, n) for kind, n in (*SIZES, ("f32", 2), ("f32", 4))),
]


def counts(forms: Sequence[Form]) -> list[tuple[Form, int]]:
    """Each form with one number of devices, seldom with eight."""
    return [(form, (2, 1, 4, 2, 1, 4, 8)[number % 7]) for number, form in enumerate(forms)]


@pytest.mark.parametrize(("form", "devices"), counts(LOADS))
def test_loads_reduce_over_all_devices(form: Form, devices: int) -> None:
    compare_load(form, devices)


@pytest.mark.parametrize(("form", "devices"), counts(CHANGES))
def test_stores_and_reductions_reach_all_devices(form: Form, devices: int) -> None:
    compare_change(form, devices)


@pytest.mark.slow
@pytest.mark.parametrize("devices", DEVICES)
def test_all_forms_over_all_numbers_of_devices(devices: int) -> None:
    for form in LOADS:
        compare_load(form, devices)
    for form in CHANGES:
        compare_change(form, devices)


def test_every_opcode_that_is_taken_is_one_of_ptxas(tmp_path: Path) -> None:
    """Where NVIDIA's assembler is installed; the other direction is in tests/isa/test_forms.py."""
    names = [(entry.mnemonic, name) for entry in entries() if entry.mnemonic == "multimem" for name in opcodes(entry)]
    lines = [statement(name) for _, name in names]
    text = "\n".join([PREFACE, *lines, "ret; }"])
    (tmp_path / "all.ptx").write_text(text)
    assert len(names) > 1000
    assert check_module(parse(text, "all.ptx"))[0] == []
    if ptxas := shutil.which("ptxas"):
        command = [ptxas, "-arch=sm_90a", str(tmp_path / "all.ptx"), "-o", str(tmp_path / "all.cubin")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:2000]


PREFACE = """.version 8.8
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 p)
{ .reg .b64 %at, %l<9>; .reg .b32 %w<9>; .reg .b16 %h<9>; ld.param.u64 %at, [p];"""


def statement(opcode: str) -> str:
    """An opcode with registers of its type."""
    parts = opcode.split(".")
    kind = TYPES[next(part for part in parts if part in TYPES)]
    vector = next((int(part[1:]) for part in parts if part in ("v2", "v4", "v8")), 0)
    name = {16: "%h", 32: "%w", 64: "%l"}[kind.width]
    registers = f"{{{', '.join(f'{name}{n}' for n in range(vector))}}}" if vector else f"{name}1"
    return f"{opcode} {registers}, [%at];" if parts[1] == "ld_reduce" else f"{opcode} [%at], {registers};"


def test_the_order_of_the_devices_is_that_of_the_sum() -> None:
    """1 + 2^-24 + 2^-24 is 1 from the left, and more from the right; in f32 three halves add up without loss."""
    small = [to_bits("f32", x) for x in (1.0, 2.0**-24, 2.0**-24)]
    form = Form("ld_reduce", "add", "f32")
    for values in (small, small[::-1]):
        d, *_ = run(form, [[bits] * SETS for bits in values], range(SETS), [0] * SETS)
        assert d == [reduced(form, values)] * SETS
    assert reduced(form, small) != reduced(form, small[::-1])
    first, second = 0x7FF0000000000001, 0xFFF8000000000002
    form = Form("ld_reduce", "add", "f64")
    d, *_ = run(form, [[bits] * SETS for bits in (first, second)], range(SETS), [0] * SETS)
    assert d == [first | 1 << 51] * SETS  # of two NaNs the first is kept, quiet
    one, half = to_bits("f16", 1.0) * 0x10001, to_bits("f16", 2.0**-11) * 0x10001
    for wider, wanted in ((False, 1.0), (True, 1 + 2.0**-10)):
        form = Form("ld_reduce", "add", "f16x2", wider=wider)
        d, *_ = run(form, [[bits] * SETS for bits in (one, half, half)], range(SETS), [0] * SETS)
        assert d == [to_bits("f16", wanted) * 0x10001] * SETS
        assert math.isfinite(to_number("f16", d[0] & 0xFFFF))
