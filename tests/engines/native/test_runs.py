"""Runs of instructions that are one function: the same bytes and times as one handler after the other."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emulator import Kernel, ObjectCode, System
from emulator.engines.native import cache
from emulator.engines.native.compiler import binding
from emulator.engines.native.engine import NativeEngine
from emulator.engines.native.fused import Part, RunKey
from emulator.engines.native.handlers import HandlerKey, Shape
from emulator.engines.native.library import Library, library
from emulator.engines.native.modules import is_short, run_module_text
from emulator.engines.native.records import NativeProgram
from emulator.engines.native.runs import ACCESSES, ALONE, ENDS, Policy, straight_runs
from emulator.errors import KernelFault
from emulator.isa.registry import Variant
from emulator.machine.warp import HEADER_BYTES
from emulator.observers.counters import Counters
from emulator.ptx_types import TYPES
from tests.benchmarks.five_kernels import WORKLOADS, Launch, Workload
from tests.engines.native import test_compact_rows, test_features, test_same_answers
from tests.engines.native.handler_harness import key_of
from tests.engines.native.same_answers import differences
from tests.engines.native.test_handlers import native_variants
from tests.engines.programs import kernel, start

EVERYTHING, NOTHING = Policy(everything=True), Policy(look_after=1 << 60)
BENCH = Path(__file__).resolve().parents[2] / "data" / "bench"
LOOP = """
    .shared .align 4 .b32 s[256];
    mov.u32 %r1, %l;  mov.u64 %rd1, 7;  mov.u16 %h1, 3;  mov.u32 %r9, 0;
    setp.ne.u32 %p3, %r9, 0;
    mul.lo.u32 %r20, %t, 4;  mov.u32 %r21, s;  add.u32 %r20, %r20, %r21;
    add.u32 %r30, %c, TIMES;
    BEFORE
AGAIN:
    mad.lo.u32 %r1, %r1, 5, %r9;
    cvt.u64.u32 %rd2, %r1;
    add.u64 %rd1, %rd1, %rd2;
    add.u16 %h1, %h1, 9;
@%p3 add.u32 %r1, %r1, 1;
    setp.gt.u32 %p3, %r1, 0x7fffffff;
    st.shared.u32 [%r20], %r1;
    ld.shared.u32 %r2, [%r20];
    xor.b32 %r1, %r2, %l;
    MORE
    add.u32 %r9, %r9, 1;
    setp.lt.u32 %p1, %r9, %r30;
@%p1 bra AGAIN;
    cvt.u32.u16 %r3, %h1;  cvt.u32.u64 %r4, %rd1;
    add.u32 %r1, %r1, %r3;  add.u32 %r1, %r1, %r4;
@%p3 add.u32 %r1, %r1, 1;
    st.global.u32 [%mine], %r1;
"""


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """All code is in runs."""
    monkeypatch.setattr(NativeEngine, "policy", EVERYTHING)


def looping(times: int, more: str = "", before: str = "") -> str:
    return LOOP.replace("TIMES", str(times)).replace("MORE", more).replace("BEFORE", before)


def native_program(system: System) -> NativeProgram:
    engine = system.runner.engine
    assert isinstance(engine, NativeEngine)
    (found,) = engine.native_programs()
    return found


def is_fused(program: NativeProgram) -> bool:
    """Whether there are runs, and the record of each has its handlers."""
    records = program.records.view(np.uint64).reshape(-1, 8)[:, :2]
    runs = [run for found in program.handlers.covered.values() for run in found]
    pairs = [pair for run in runs for pair in zip(records[run.straight.place], run.handlers, strict=True)]
    return bool(runs) and all(handler in (None, found) for found, handler in pairs)


# --- the same answers ----------------------------------------------------------------------------------


MORE = {
    "nothing": "",
    "a branch of some": "@%p3 bra SKIP; add.u32 %r1, %r1, 77; SKIP:",
    "a vote": "vote.sync.any.pred %p2, %p3, -1;",
    "a guard of all": "setp.lt.u32 %p5, %l, 40; @%p5 ld.shared.u32 %r7, [%r20]; add.u32 %r1, %r1, %r7;",
    "none, then all": "setp.gt.u32 %p5, %r9, 25; @%p5 st.shared.u32 [%r20], %r9; ld.shared.u32 %r8, [%r20];"
    "add.u32 %r1, %r1, %r8;",
    "a guard of some": "setp.gt.u32 %p5, %l, 9; @!%p5 st.shared.u32 [%r20], %r9; @%p5 ld.shared.u32 %r8, [%r20];"
    "xor.b32 %r1, %r1, %r8;",
}


def check_both_engines(code: Kernel, schedule: str, grid: int) -> None:
    """The same words at the same time."""
    found = []
    for engine in ("reference", "native"):
        with System(engine=engine, schedule=schedule) as system:
            device = system.device(0)
            out = device.zeros(grid * 80, np.uint32)
            start(code, device, out, grid=grid, block=80)
            found.append((out.numpy().tolist(), system.runner.time))
    assert found[0] == found[1]


LANES_APART = {
    "one after the other": "add.u32 %r30, %r30, %l;",
    "two groups": "shr.u32 %r31, %l, 4; mad.lo.u32 %r30, %r31, 150, %r30;",
    "some never": "setp.lt.u32 %p6, %l, 3; @%p6 bra BEHIND;",
}


@pytest.mark.parametrize("schedule", ["round_robin", "round_robin:64", "random:5"])
@pytest.mark.parametrize("before", LANES_APART.values(), ids=LANES_APART)
def test_loops_of_partial_groups(schedule: str, before: str, fused: None) -> None:
    """Lanes leave the loop at different times, so that those that stay are accounted for as a partial group."""
    body = looping(40, MORE["a branch of some"], before).replace("    cvt.u32.u16 %r3", "BEHIND:\n    cvt.u32.u16 %r3")
    check_both_engines(kernel(body), schedule, grid=2)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_the_five_kernels(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for policy in (NOTHING, EVERYTHING):
        monkeypatch.setattr(NativeEngine, "policy", policy)
        system = System(engine="native")
        mine = Launch(workload, system, small=True)
        mine.run()
        assert is_fused(native_program(system)) == policy.everything
        found.append(([array.tobytes() for array in mine.results()], system.runner.time))
    assert found[0] == found[1]


@pytest.mark.parametrize("schedule", ["round_robin", "round_robin:64", "round_robin:1", "random:5"])
@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_what_a_loop_carries(schedule: str, more: str, fused: None) -> None:
    """Registers of every width and predicates, over the ends of turns, in full warps and a partial one."""
    check_both_engines(kernel(looping(50, more)), schedule, grid=3)


@pytest.mark.parametrize("registers", ["virtual", "compact"])
def test_a_fault_in_a_loop_finds_all_registers(registers: str, fused: None) -> None:
    """The seventh time around lane 5 leaves its buffer: what was carried in registers is in its rows."""
    more = "setp.eq.u32 %p2, %r9, 6; selp.b32 %r5, 4096, 0, %p2; setp.eq.u32 %p4, %l, 5; selp.b32 %r5, %r5, 0, %p4;\n"
    more += "cvt.u64.u32 %rd5, %r5; add.u64 %rd6, %mine, %rd5; ld.global.u32 %r6, [%rd6];"
    code, found = kernel(looping(50, more)), []
    for engine in ("reference", "native"):
        system = System(engine=engine, registers=registers)
        device = system.device(0)
        start(code, device, device.zeros(32, np.uint32, name="out"))
        with pytest.raises(KernelFault) as raised:
            device.sync()
        (grid,) = system.runner.devices[0].grids
        state = next(iter(grid.resident.values())).warps[0].state[: HEADER_BYTES + grid.program.row_bytes]
        found.append((str(raised.value), system.runner.time, state.tobytes()))
    assert found[0][:2] == found[1][:2]
    assert registers == "compact" or found[0] == found[1]  # there rows of values that nobody reads are others'


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed: int, fused: None) -> None:
    assert differences(seed) == []
    assert seed % 4 or test_same_answers.after_a_replay(seed) == []


@pytest.mark.parametrize("seed", range(3))
def test_random_programs_over_few_rows(seed: int, fused: None) -> None:
    assert test_compact_rows.differences(seed)[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 300, 25))
def test_more_random_programs(first: int, fused: None) -> None:
    found = [text for seed in range(first, first + 25) for text in differences(seed)]
    found += [text for seed in range(first, first + 5) for text in test_same_answers.after_a_replay(seed)]
    found += [text for seed in range(first, first + 10) for text in test_compact_rows.differences(seed)[1]]
    assert not found, "\n".join(found[:20])


@pytest.mark.slow
@pytest.mark.parametrize("name", test_features.targets())
@pytest.mark.parametrize("first", [0, 10])
def test_other_targets(name: str, first: int, fused: None, monkeypatch: pytest.MonkeyPatch) -> None:
    features = test_features.targets()[name]
    monkeypatch.setattr("emulator.engines.native.engine.library", lambda _: library(features))
    found = [text for seed in range(first, first + 10) for text in differences(seed)]
    assert not found, "\n".join(found[:10])


def keys_of(variant: Variant) -> list[HandlerKey]:
    """With operands in registers; of an access with an address of 64 and of 32 bits."""
    key = key_of(variant)
    if variant.entry.mnemonic not in ACCESSES:
        return [key]
    return [replace(key, sources=(Shape(TYPES["u64"], (width,), "address"), *key.sources[1:])) for width in (64, 32)]


def doubled(variant: Variant, key: HandlerKey, group: str, guard: bool) -> tuple[RunKey, tuple[Variant, Variant]]:
    """An instruction twice, of which the second reads what the first one has read and has its results in its rows."""
    widths = [width for shape in (*key.results, *key.sources) if shape for width in shape.widths if width]
    results = sum(bool(width) for shape in key.results if shape for width in shape.widths)
    rows = tuple(range(len(widths) + guard))
    access, mode = variant.entry.mnemonic in ACCESSES, "guard" if guard else group
    first = Part(key, mode, rows, rows, results, access=access)
    again = replace(first, values=(*(number + 1000 for number in rows[:results]), *rows[results:]))
    return RunKey((first, again), group, (*widths, *[1] * guard), loop=False), (variant, variant)


def check_forms(found: list[Variant]) -> int:
    """How many forms can be parts of runs, whose text LLVM takes."""
    possible = [
        variant
        for variant in found
        if is_short(variant, key_of(variant), "full")
        and variant.entry.mnemonic not in (*ENDS, *ALONE, "bra")
        and variant.entry.resume is None
    ]
    runs = [
        doubled(variant, key, group, guard)
        for variant in possible
        for key in keys_of(variant)
        for group in ("full", "part")
        for guard in (False, True)
    ]
    names, text = run_module_text(runs)
    assert all(names)
    binding().parse_assembly(text).verify()
    return len(possible)


def test_forms_in_runs() -> None:
    found, _ = native_variants(1)
    assert check_forms(random.Random(3).sample(found, 60)) > 40


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_all_forms_in_runs(part: int) -> None:
    found, _ = native_variants(3)
    assert check_forms(found[part::4]) > 100


# --- who wants to see or stop at instructions ----------------------------------------------------------


def test_runs_make_room_for_observers(fused: None) -> None:
    """While somebody counts, every instruction is seen; then runs are executed again."""
    counts, code = [], kernel(looping(20))
    for engine in ("reference", "native"):
        with System(engine=engine) as system:
            device = system.device(0)
            out = device.zeros(64, np.uint32)
            start(code, device, out, block=64)
            device.sync()
            counters = Counters()
            system.runner.add_observer(counters)
            start(code, device, out, block=64)
            device.sync()
            counts.append({opcode: count.instructions for opcode, count in counters.by_opcode().items()})
            if engine == "native":
                assert not is_fused(native_program(system))
            system.runner.events.remove(counters)
            start(code, device, out, block=64)
            device.sync()
            if engine == "native":
                assert is_fused(native_program(system))
    assert counts[0] == counts[1]
    assert counts[0]["mad.lo.u32"] > 40


def test_a_planted_handler_is_reached(fused: None) -> None:
    """A stop within a run takes the run out of the records, until it is cleared."""
    with System(engine="native") as system:
        device = system.device(0)
        start(kernel(looping(20)), device, device.zeros(64, np.uint32), block=64)
        device.sync()
        program = native_program(system)
        records = program.records.view(np.uint64).reshape(-1, 8)[:, :2]
        before = records.copy()
        covered = sorted(program.handlers.covered)
        assert len(covered) > 20
        for pc in covered:
            program.handlers.plant(pc, 4711)
            assert (records[program.places[pc]] == 4711).all()
            changed = {int(place) for place in np.flatnonzero((records != before).any(axis=1))}
            assert changed == {program.places[pc], *(run.straight.place for run in program.handlers.covered[pc])}
            program.handlers.clear(pc)
            assert (records == before).all()
        for pc in covered:
            program.handlers.plant(pc, 4711)
        for pc in covered:
            program.handlers.clear(pc)
        assert (records == before).all()


# --- when runs are made --------------------------------------------------------------------------------


def bench_runs(name: str, policy: Policy) -> list[range]:
    program = ObjectCode.from_ptx(BENCH / f"{name}.ptx").program(name)
    found = Library()
    return [run.pcs for run in straight_runs(NativeProgram(program, found), found, policy)]


def test_runs_of_loops_come_first() -> None:
    assert bench_runs("alu", Policy()) == [range(16, 22)]
    assert bench_runs("mandel", Policy()) == [range(23, 36), range(28, 36)]  # and what is left of it behind its way out
    assert bench_runs("vecadd", Policy())[0].start == 0  # there is no loop
    assert bench_runs("alu", Policy(most=3)) == []
    assert len(bench_runs("alu", EVERYTHING)) > 1


SIDES = """
    and.b32 %r0, %i, 1; setp.eq.u32 %p0, %r0, 0; setp.lt.u32 %p1, %i, 9; mov.u32 %r1, 0;
MORE:
@%p0 bra EVEN;
    mul.lo.u32 %r2, %r2, 3; add.u32 %r2, %r2, 7;
@%p1 bra EVEN;
    add.u32 %r2, %r2, %i; xor.b32 %r2, %r2, 5;
    bra JOIN;
EVEN:
    add.u32 %r2, %r2, %r1;
JOIN:
    add.u32 %r1, %r1, 1; setp.lt.u32 %p2, %r1, 20;
@%p2 bra MORE;
    st.global.u32 [%mine], %r2;
"""


def test_what_a_branch_leaves_alone_is_a_run_of_partial_groups(fused: None) -> None:
    """Each up to the next branch: whole groups go on in the run that the branch stands in."""
    with System(engine="native") as system:
        device = system.device(0)
        out = device.zeros(32, np.uint32)
        start(kernel(SIDES), device, out)
        device.sync()
        handlers = native_program(system).handlers
        runs = {run.straight.pcs: run for found in handlers.covered.values() for run in found}
        wanted = out.numpy().tolist()
    texts = [run.variants for run in (one.straight for one in runs.values()) if run.full is None]
    opcodes = [[variant.opcode for variant in variants if variant is not None] for variants in texts]
    assert opcodes == [["mul.lo.u32", "add.u32", "bra"], ["add.u32", "xor.b32", "bra"], ["st.global.u32", "ret"]]
    assert all((run.handlers[0] is None) == (run.straight.full is None) for run in runs.values())
    with System(engine="reference") as system:
        out = system.device(0).zeros(32, np.uint32)
        start(kernel(SIDES), system.device(0), out)
        assert out.numpy().tolist() == wanted


def test_runs_are_made_when_a_program_has_run_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first system compiles, late; the next one finds them on the disk, early."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    code, policy = kernel(looping(100)), Policy(look_after=1000, compile_after=1000)
    made: list[int] = []
    for _ in range(2):
        found = Library()
        monkeypatch.setattr("emulator.engines.native.engine.library", lambda _, found=found: found)
        monkeypatch.setattr(NativeEngine, "policy", policy)
        with System(engine="native") as system, cache.heard_by(made.append):
            device = system.device(0)
            out = device.zeros(32, np.uint32)
            launches = 0
            while not launches or not is_fused(native_program(system)):
                start(code, device, out)
                device.sync()
                launches += 1
                assert launches < 100
            made.append(-launches)
    (late, early) = [-count for count in made if count < 0]
    assert late > early == 1
    assert made.index(-late) > 0
    assert not [count for count in made[made.index(-late) + 1 :] if count > 0]


def test_what_several_systems_execute_counts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Library()
    monkeypatch.setenv(cache.VARIABLE, "off")
    monkeypatch.setattr("emulator.engines.native.engine.library", lambda _: found)
    monkeypatch.setattr(NativeEngine, "policy", Policy(look_after=1000, compile_after=1000))
    code, fused_in = kernel(looping(100)), []
    for number in range(30):
        with System(engine="native") as system:
            device = system.device(0)
            start(code, device, device.zeros(32, np.uint32))
            device.sync()
            if is_fused(native_program(system)):
                fused_in.append(number)
    assert fused_in == list(range(fused_in[0], 30)) and fused_in[0] > 3


def test_a_policy_can_leave_everything_to_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NativeEngine, "policy", replace(NOTHING))
    with System(engine="native") as system:
        device = system.device(0)
        start(kernel(looping(2000)), device, device.zeros(2560, np.uint32), grid=10, block=256)
        device.sync()
        assert not is_fused(native_program(system))
