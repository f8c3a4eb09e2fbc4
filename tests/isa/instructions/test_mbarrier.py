"""mbarrier against a model of the phase machine in Python's integers, lane after lane."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from emulator import ObjectCode, System

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
MOST = 2**20 - 1
LANES, OBJECTS, STEPS = 32, 4, 48
ENGINES = ("reference", "native")


class Broken(Exception):
    """The manual allows no such operation."""


@dataclass
class Model:
    """One object (manual, 9.7.13.15.2 to 9.7.13.15.7)."""

    parity: int = 0
    pending: int = 0
    expected: int = 0
    tx: int = 0
    alive: bool = False

    @staticmethod
    def made(count: int) -> Model:
        if not 1 <= count <= MOST:
            raise Broken
        return Model(0, count, count, 0, True)

    @property
    def word(self) -> int:
        """The 64 bits: valid, minus expected, tx-count, minus pending, parity."""
        if not self.alive:
            return 0
        fields = ((1, 1), (-self.expected, 20), (self.tx, 22), (-self.pending, 20), (self.parity, 1))
        word = place = 0
        for value, width in fields:
            word |= (value % 2**width) << place
            place += width
        assert place == 64
        return word

    def settle(self) -> None:
        if self.pending == 0 and self.tx == 0:
            self.parity, self.pending = 1 - self.parity, self.expected

    def bytes_change(self, difference: int) -> None:
        self.tx += difference
        if abs(self.tx) > MOST:
            raise Broken
        self.settle()

    def arrive(self, count: int, *, drop: bool = False, completes: bool = True) -> None:
        if not 1 <= count <= self.pending or (drop and count > self.expected):
            raise Broken
        self.expected -= count if drop else 0
        self.pending -= count
        if not completes and self.pending == self.tx == 0:
            raise Broken
        self.settle()

    def copies_arrive(self, *, noinc: bool) -> None:
        if not noinc:
            self.pending += 1
            if self.pending > MOST:
                raise Broken
        self.arrive(1)


# Texts of the steps: {ss} an address modifier, {sem} an order and a scope; %at the object, %n a number, %s a state.
TEXTS = (
    "mbarrier.init{ss}.b64 [%at], %n;",
    "mbarrier.inval{ss}.b64 [%at];",
    "mbarrier.expect_tx{relaxed}{ss}.b64 [%at], %n;",
    "mbarrier.complete_tx{relaxed}{ss}.b64 [%at], %n;",
    "mbarrier.arrive{release}{ss}.b64 %found, [%at];",
    "mbarrier.arrive{release}{ss}.b64 %found, [%at], %n;",
    "mbarrier.arrive.expect_tx{release}{ss}.b64 %found, [%at], %n;",
    "mbarrier.arrive.noComplete{ss}.b64 %found, [%at], %n;",
    "mbarrier.arrive_drop{release}{ss}.b64 %found, [%at];",
    "mbarrier.arrive_drop{release}{ss}.b64 %found, [%at], %n;",
    "mbarrier.arrive_drop.expect_tx{release}{ss}.b64 %found, [%at], %n;",
    "mbarrier.arrive_drop.noComplete{ss}.b64 %found, [%at], %n;",
    "cp.async.mbarrier.arrive{ss}.b64 [%at];",
    "cp.async.mbarrier.arrive.noinc{ss}.b64 [%at];",
    "mbarrier.test_wait{acquire}{ss}.b64 %yes, [%at], %s; selp.b64 %found, 1, 0, %yes;",
    "mbarrier.test_wait.parity{acquire}{ss}.b64 %yes, [%at], %n; selp.b64 %found, 1, 0, %yes;",
    "mbarrier.try_wait{acquire}{ss}.b64 %yes, [%at], %s; selp.b64 %found, 1, 0, %yes;",
    "mbarrier.try_wait.parity{acquire}{ss}.b64 %yes, [%at], %n, 20; selp.b64 %found, 1, 0, %yes;",
    "mbarrier.arrive{release}.shared::cluster.b64 _, [%far];",
    "mbarrier.arrive.expect_tx{release}.shared::cluster.b64 _, [%far], %n;",
    "mbarrier.pending_count.b64 %count, %s; cvt.u64.u32 %found, %count;",
)
INIT, INVAL, PENDING_COUNT = 0, 1, len(TEXTS) - 1
FORMS: dict[str, dict[str, str]] = {
    "shared": {"ss": ".shared", "relaxed": "", "release": "", "acquire": ""},
    "shared::cta": {
        "ss": ".shared::cta", "relaxed": ".relaxed.cta", "release": ".release.cta", "acquire": ".acquire.cta",
    },
    "generic": {"ss": "", "relaxed": ".relaxed.cluster", "release": ".relaxed.cluster", "acquire": ".relaxed.cluster"},
}  # fmt: skip


def applied(step: int, model: Model, n: int, state: int) -> int:
    """What a lane gets from a step, which changes the model; Broken if the manual does not allow it."""
    if step == PENDING_COUNT:
        return 2**20 - (state >> 43) % 2**20
    before = model.word
    if step == INIT:
        model.__dict__.update(Model.made(n).__dict__)
        return 0
    if not model.alive:
        raise Broken
    name = TEXTS[step]
    if step == INVAL:
        model.__dict__.update(Model().__dict__)
        return 0
    if "_wait" in name:
        return int((n & 1 if "parity" in name else state >> 63) != model.parity)
    drop, count = "_drop" in name, n if "count" in name or name.endswith(("], %n;",)) else 1
    if "complete_tx" in name:
        model.bytes_change(-n)
        return 0
    if "expect_tx" in name:
        model.bytes_change(n)
        if ".arrive" not in name:
            return 0
        model.arrive(1, drop=drop)
    elif name.startswith("cp.async"):
        model.copies_arrive(noinc="noinc" in name)
        return 0
    else:
        model.arrive(count, drop=drop, completes="noComplete" not in name)
    return 0 if " _," in name else before


@dataclass
class Script:
    """A random sequence of steps for a CTA of one warp, and what the model makes of them."""

    opcodes: list[int] = field(default_factory=list)
    lanes: list[list[tuple[int, int, int, int]]] = field(default_factory=list)  # active, object, number, state
    found: list[list[int]] = field(default_factory=list)
    words: list[list[int]] = field(default_factory=list)


def script(seed: int) -> Script:
    """Steps that the manual allows: lanes for which a step is not are off."""
    rng = random.Random(seed)
    objects = [Model() for _ in range(OBJECTS)]
    states: list[list[int]] = [[0] for _ in range(OBJECTS)]
    made = Script()
    for _ in range(STEPS):
        step = rng.randrange(len(TEXTS)) if rng.random() < 0.8 and any(o.alive for o in objects) else INIT
        if step == INVAL and rng.random() < 0.7:
            step = 4
        busy = set(range(OBJECTS))
        rows, found = [], []
        for _ in range(LANES):
            row, result = attempt(rng, step, objects, states, busy)
            rows.append(row)
            found.append(result)
        made.opcodes.append(step)
        made.lanes.append(rows)
        made.found.append(found)
        made.words.append([model.word for model in objects])
    return made


def attempt(
    rng: random.Random, step: int, objects: list[Model], states: list[list[int]], busy: set[int]
) -> tuple[tuple[int, int, int, int], int]:
    """One lane's part of a step: (active, object, number, state) and its result."""
    number = rng.randrange(OBJECTS)
    model, state = objects[number], rng.choice(states[number][-4:])
    n = rng.choice((1, 1, 2, 3, rng.randrange(1, 40), max(1, model.pending - 1), max(1, model.pending), MOST))
    if "tx" in TEXTS[step]:
        n = rng.choice((1, 16, 16, 128, 4096, abs(model.tx), MOST, 2**32 - 1))
    elif "parity" in TEXTS[step]:
        n = rng.randrange(2)
    changes_life = step in (INIT, INVAL)
    if rng.random() < 0.2 or (changes_life and (number not in busy or (step == INIT and model.alive))):
        return (0, number, n, state), 0
    tried = Model(**model.__dict__)
    try:
        result = applied(step, tried, n, state)
    except Broken:
        return (0, number, n, state), 0
    if changes_life:
        busy.discard(number)
    objects[number].__dict__.update(tried.__dict__)
    if "found, [" in TEXTS[step]:
        states[number].append(result)
    return (1, number, n, state), result


def kernel_text(form: str) -> str:
    """A kernel that interprets a script: at each step all lanes take one branch."""
    cases = "\n".join(f"C{n}: @%on {text.format(**FORMS[form])} bra NEXT;" for n, text in enumerate(TEXTS))
    cases = cases.replace("; selp", "; @%on selp").replace("; cvt.u64", "; @%on cvt.u64")
    labels = ", ".join(f"C{n}" for n in range(len(TEXTS)))
    generic = "cvta.shared.u64 %at, %at;" if form == "generic" else ""
    return f"""{HEAD}.visible .entry k (.param .u64 opcodes, .param .u64 lanes, .param .u64 found, .param .u64 words)
{{
    .shared .align 8 .b64 objects[{OBJECTS}];
    .reg .b64 %ops, %in, %out, %dump, %at, %far, %base, %s, %found, %word, %x, %y; .reg .pred %on, %yes, %more, %few;
    .reg .b32 %lane, %cta, %op, %active, %object, %n, %count, %i;
    ld.param.u64 %ops, [opcodes]; ld.param.u64 %in, [lanes]; ld.param.u64 %out, [found]; ld.param.u64 %dump, [words];
    mov.u32 %lane, %tid.x; mov.u32 %cta, %ctaid.x; mov.u64 %base, objects;
    mad.wide.u32 %ops, %cta, {4 * STEPS}, %ops;
    mad.lo.u32 %i, %cta, {STEPS * LANES}, %lane;
    mad.wide.u32 %in, %i, 24, %in; mad.wide.u32 %out, %i, 8, %out;
    mad.lo.u32 %i, %cta, {STEPS * OBJECTS}, %lane; mad.wide.u32 %dump, %i, 8, %dump;
    setp.lt.u32 %few, %lane, {OBJECTS}; mov.u32 %i, 0;
STEP:
    ld.global.u32 %op, [%ops];
    ld.global.v2.u32 {{%active, %object}}, [%in]; ld.global.u32 %n, [%in+8]; ld.global.u64 %s, [%in+16];
    setp.ne.u32 %on, %active, 0; mul.wide.u32 %x, %object, 8; add.u64 %far, %base, %x; mov.u64 %at, %far; {generic}
    mov.u64 %found, 0;
TABLE: .branchtargets {labels};
    brx.idx %op, TABLE;
{cases}
NEXT:
    bar.warp.sync -1;
    st.global.u64 [%out], %found;
    mul.wide.u32 %x, %lane, 8; add.u64 %x, %base, %x;
    @%few ld.shared.u64 %word, [%x]; @%few st.global.u64 [%dump], %word;
    add.u64 %ops, %ops, 4; add.u64 %in, %in, {24 * LANES}; add.u64 %out, %out, {8 * LANES};
    add.u64 %dump, %dump, {8 * OBJECTS}; add.u32 %i, %i, 1; setp.lt.u32 %more, %i, {STEPS};
    @%more bra STEP;
    ret;
}}"""


def run_scripts(form: str, engine: str, scripts: list[Script]) -> tuple[np.ndarray, np.ndarray, int]:
    """(results of all lanes, the objects after each step, time)."""
    opcodes = np.array([one.opcodes for one in scripts], np.uint32)
    lanes = np.zeros((len(scripts), STEPS, LANES, 6), np.uint32)
    for number, one in enumerate(scripts):
        rows = np.array(one.lanes, np.uint64)
        lanes[number, :, :, :3] = rows[..., :3]
        lanes[number, :, :, 4], lanes[number, :, :, 5] = rows[..., 3] & 0xFFFFFFFF, rows[..., 3] >> 32
    found = np.zeros((len(scripts), STEPS, LANES), np.uint64)
    words = np.zeros((len(scripts), STEPS, OBJECTS), np.uint64)
    with System(engine=engine) as system:
        kernel = ObjectCode.from_ptx(kernel_text(form)).get_kernel("k")
        kernel[len(scripts), LANES](opcodes, lanes, found, words, device=system.device(0))
        return found, words, system.runner.time


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_random_sequences_give_what_the_model_gives(form: str, count: int) -> None:
    scripts = [script(1000 * len(form) + seed) for seed in range(count)]
    times = []
    for engine in ENGINES:
        found, words, time = run_scripts(form, engine, scripts)
        assert np.array_equal(words, np.array([one.words for one in scripts], np.uint64)), engine
        assert np.array_equal(found, np.array([one.found for one in scripts], np.uint64)), engine
        times.append(time)
    assert times[0] == times[1]


def test_scripts_do_a_bit_of_everything() -> None:
    scripts = [script(seed) for seed in range(12)]
    steps = {one.opcodes[n] for one in scripts for n in range(STEPS) if any(row[0] for row in one.lanes[n])}
    assert steps == set(range(len(TEXTS)))
    words = {word for one in scripts for row in one.words for word in row}
    assert any(word >> 63 for word in words) and any(word >> 42 & 1 for word in words) and 0 in words
