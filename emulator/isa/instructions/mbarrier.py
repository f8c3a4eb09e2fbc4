"""9.7.13.15 mbarrier: barriers as objects in shared memory, and the asynchronous operations that they track."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.isa.instructions.load_store import misplaced, space_of
from emulator.isa.mbarrier import Mbarrier, pending_of, phase_of
from emulator.isa.ops import B64, U32, Ops, Value
from emulator.isa.registry import Meaning, Variant, instruction

OWN, REMOTE = "shared shared::cta", "shared::cluster"
SINCE = {
    ".shared::cta": "7.8", ".shared::cluster": "8.0 sm_90", ".release": "8.0", ".acquire": "8.0", ".cta": "8.0",
    ".cluster": "8.0 sm_90", ".relaxed": "8.6 sm_90",
}  # fmt: skip
TX_SINCE = SINCE | {".relaxed": "8.0 sm_90"}
SHARED: dict[str, Any] = {"ss": OWN, "addr": "shared generic", "kind": "machine", "loose": True}
SCOPES = "cta cluster"
PARTS = {"arrive": "9.7.13.15.13", "arrive_drop": "9.7.13.15.14"}


def unpaired(i: Variant) -> str | None:
    """An order without a scope, or a scope without an order."""
    if bool(i.sem) == bool(i.scope):
        return None
    return f".{i.sem} needs a scope, .cta or .cluster" if i.sem else f".{i.scope} needs an order, such as .relaxed"


def _since(keywords: dict[str, Any], table: dict[str, str] = SINCE) -> dict[str, str]:
    """The rows of a table for the words that a line has."""
    words = {word for text in keywords.values() if isinstance(text, str) for word in text.split()}
    return {part: needs for part, needs in table.items() if part[1:] in words}


def _changed(ops: Ops, i: Variant, addr: Value, change: Callable[[Mbarrier], None]) -> Value:
    """Have an operation change the lanes' objects, one lane after the other; the words before."""

    def after(word: Value) -> tuple[Value, Value]:
        found = Mbarrier(ops, word)
        change(found)
        return found.word(), found.fault

    return ops.mbarrier(space_of(i), addr, after)


# --- init, inval, tx-count -------------------------------------------------------------------------


@instruction("mbarrier.init{.ss}.b64 [addr], count", count="u32", first="init", requires="7.0 sm_80",
             since=_since(SHARED), section="9.7.13.15.9", **SHARED)  # fmt: skip
def mbarrier_init(ops: Ops, i: Variant, addr: Value, count: Value) -> None:
    """Make an mbarrier object at addr: phase 0, count (1 to 2^20 - 1) arrivals expected and pending, no bytes.

    An object that is there already is overwritten.
    """

    def after(word: Value) -> tuple[Value, Value]:
        fresh = Mbarrier.fresh(ops, count)
        return fresh.word(), fresh.fault

    ops.mbarrier(space_of(i), addr, after)


@instruction("mbarrier.inval{.ss}.b64 [addr]", first="inval", requires="7.0 sm_80", since=_since(SHARED),
             section="9.7.13.15.10", **SHARED)  # fmt: skip
def mbarrier_inval(ops: Ops, i: Variant, addr: Value) -> None:
    """End the life of the object at addr: its memory is zeros, and free for other use."""
    ops.mbarrier(space_of(i), addr, lambda word: (word & 0, Mbarrier(ops, word).fault))


TX: dict[str, Any] = {
    **SHARED, "sem": "relaxed", "scope": SCOPES, "ss": f"{OWN} {REMOTE}", "txCount": "u32", "requires": "8.0 sm_90",
    "check": unpaired,
}  # fmt: skip


@instruction("mbarrier.expect_tx{.sem}{.scope}{.ss}.b64 [addr], txCount", first="expect_tx", section="9.7.13.15.11",
             **TX)  # fmt: skip
def mbarrier_expect_tx(ops: Ops, i: Variant, addr: Value, count: Value) -> None:
    """The current phase waits for txCount more bytes: they are added to its tx-count."""
    _changed(ops, i, addr, lambda found: found.expect(count))


@instruction("mbarrier.complete_tx{.sem}{.scope}{.ss}.b64 [addr], txCount", first="complete_tx",
             section="9.7.13.15.12", **TX)  # fmt: skip
def mbarrier_complete_tx(ops: Ops, i: Variant, addr: Value, count: Value) -> None:
    """txCount bytes count as arrived, as after an asynchronous copy; the tx-count may be below 0 in between."""
    _changed(ops, i, addr, lambda found: found.complete(count))


# --- arrivals ----------------------------------------------------------------------------------------


def _arrivals(tail: str, *, words: str = "", requires: str, remote: bool = True, **keywords: Any) -> Callable[..., Any]:
    """The lines of arrive and arrive_drop: in the own CTA with a state, in the cluster without one."""
    counted: dict[str, Any] = {"sem": "release relaxed", "scope": SCOPES, **keywords}

    def register(meaning: Meaning) -> Meaning:
        for name, section in PARTS.items():
            line = f"mbarrier.{name}{words}{{.sem}}{{.scope}}{{}}.b64 d, [addr]{tail}"
            rest: dict[str, Any] = {
                "first": f"{name}{words}".replace(".noComplete", "").replace(".", " "), "check": unpaired,
                "section": section, **counted,
            }  # fmt: skip
            own: dict[str, Any] = {**SHARED, **rest}
            instruction(line.replace("{}", "{.ss}"), d="b64 sink", requires=requires, since=_since(own), **own)(meaning)
            far: dict[str, Any] = {**own, "ss": REMOTE}
            if remote:
                instruction(line.replace("{}", ".ss"), d="b64 discard", requires="8.0 sm_90", since=_since(far),
                            **far)(meaning)  # fmt: skip
        return meaning

    return register


@_arrivals("", requires="7.0 sm_80")
@_arrivals(", count", requires="7.8 sm_90", count="u32", limits={"count": range(1, 1 << 31)})
@_arrivals(", count", words=".noComplete", requires="7.0 sm_80", count="u32", limits={"count": range(1, 1 << 31)},
           remote=False, sem="release", scope="cta")  # fmt: skip
def mbarrier_arrive(ops: Ops, i: Variant, addr: Value, count: Value | None = None) -> Value:
    """count (1 if not given) arrivals less are pending; d = the state before, for a test of this phase.

    The phase completes when no arrival is pending and the tx-count is 0: the next one begins with the expected count.
    arrive_drop takes count off the expected count first, for all later phases.  .noComplete must not complete the
    phase.  Lanes arrive one after the other, each with a state of its own.
    """
    number = ops.const(U32, 1) if count is None else count

    def arrive(found: Mbarrier) -> None:
        if i.get("arrive_drop"):
            found.drop(number)
        found.arrive(number, completes=not i.get("noComplete"))

    return ops.view(_changed(ops, i, addr, arrive), B64)


@_arrivals(", txCount", words=".expect_tx", requires="8.0 sm_90", txCount="u32")
def mbarrier_arrive_expect_tx(ops: Ops, i: Variant, addr: Value, count: Value) -> Value:
    """expect_tx of txCount bytes, then one arrival (or arrive_drop); d = the state before."""

    def arrive(found: Mbarrier) -> None:
        found.expect(count)
        if i.get("arrive_drop"):
            found.drop(ops.const(U32, 1))
        found.arrive(ops.const(U32, 1))

    return ops.view(_changed(ops, i, addr, arrive), B64)


@instruction("cp.async.mbarrier.arrive{.noinc}{.ss}.b64 [addr]", first="async mbarrier arrive", requires="7.0 sm_80",
             since=_since(SHARED), section="9.7.13.15.15", **SHARED)  # fmt: skip
def cp_async_mbarrier_arrive(ops: Ops, i: Variant, addr: Value) -> None:
    """Arrive when the thread's earlier cp.async operations have completed, which is at once here.

    Without .noinc the pending count is raised by one first, so that the arrival does not count in the end.
    """

    def arrive(found: Mbarrier) -> None:
        if not i.noinc:
            found.wait_for_one_more()
        found.arrive(ops.const(U32, 1))

    _changed(ops, i, addr, arrive)


# --- waits -------------------------------------------------------------------------------------------

WAITS: dict[str, Any] = {**SHARED, "sem": "acquire relaxed", "scope": SCOPES, "check": unpaired, "d": "pred"}
WAIT: dict[str, Any] = {"since": _since(WAITS), "section": "9.7.13.15.16", **WAITS}
STATE: dict[str, Any] = {"state": "b64", **WAIT}
PARITY: dict[str, Any] = {"phaseParity": "u32", "limits": {"phaseParity": range(2)}, **WAIT}
TEST, TRY = "mbarrier.test_wait{}{{.sem}}{{.scope}}{{.ss}}.b64", "mbarrier.try_wait{}{{.sem}}{{.scope}}{{.ss}}.b64"


def _completed(ops: Ops, i: Variant, addr: Value, phase: Value) -> Value:
    """Whether the phase of a state or parity is not the current one."""
    number = phase & 1 if i.get("parity") else phase_of(ops, phase)
    word = ops.mbarrier_word(space_of(i), addr, lambda word: Mbarrier(ops, word).fault)
    return phase_of(ops, word) != number


@instruction(TEST.format("") + " d, [addr], state", first="test_wait", requires="7.0 sm_80", **STATE)
@instruction(TEST.format(".parity") + " d, [addr], phaseParity", first="test_wait parity", requires="7.1 sm_80",
             **PARITY)  # fmt: skip
def mbarrier_test_wait(ops: Ops, i: Variant, addr: Value, phase: Value) -> Value:
    """d = whether the phase of a state, or of a parity, has completed; one before the last is taken for the current.

    Only the current phase and the one before it can be asked for: a new object answers true for parity 1.
    """
    return _completed(ops, i, addr, phase)


@instruction(TRY.format("") + " d, [addr], state{, suspendTimeHint}", first="try_wait", requires="7.8 sm_90",
             suspendTimeHint="u32", suspends=True, **STATE)  # fmt: skip
@instruction(TRY.format(".parity") + " d, [addr], phaseParity{, suspendTimeHint}", first="try_wait parity",
             requires="7.8 sm_90", suspendTimeHint="u32", suspends=True, **PARITY)  # fmt: skip
def mbarrier_try_wait(ops: Ops, i: Variant, addr: Value, phase: Value, hint: Value | None = None) -> Value:
    """As test_wait; a lane whose phase has not completed waits for its warp's next turn, and then looks once more.

    That is the time limit here, whatever the hint.
    """
    completed = _completed(ops, i, addr, phase)
    ops.suspend(ops.lanes & ~completed)
    return completed


@instruction("mbarrier.pending_count.b64 d, state", first="pending_count", d="u32", state="b64", kind="lane",
             loose=True, requires="7.0 sm_80", section="9.7.13.15.17")  # fmt: skip
def mbarrier_pending_count(ops: Ops, i: Variant, state: Value) -> Value:
    """d = the arrivals that were pending before the arrive.noComplete that gave the state.

    example: mbarrier.pending_count.b64 0xfffff80000000001 -> 1
    example: mbarrier.pending_count.b64 0x7fffe80000000001 -> 3
    example: mbarrier.pending_count.b64 0x0000080000000000 -> 0xfffff
    example: mbarrier.pending_count.b64 9 -> 0x100000
    """
    return pending_of(ops, state)


# --- asynchronous stores and reductions --------------------------------------------------------------

ASYNC: dict[str, Any] = {
    "ss": f"{OWN} {REMOTE}", "completion": "mbarrier::complete_tx::bytes", "a": "shared generic narrow wide",
    "mbar": "shared generic narrow",
    "kind": "machine", "loose": True, "first": "async", "requires": "8.1 sm_90",
}  # fmt: skip
STORED: dict[str, Any] = {"vec": "v2 v4", "type": "b32 b64 u32 u64 s32 s64 f32 f64", "b": "vec type",
                          "check": misplaced, "section": "9.7.9.12", **ASYNC}  # fmt: skip
REDUCED: dict[str, Any] = {**ASYNC, "ss": REMOTE, "sem": "relaxed", "scope": "cluster", "section": "9.7.13.7"}
REDUCTION = "red.async.sem.scope{.ss}.completion.op.type [a], b, [mbar]"


def _bytes_come(ops: Ops, count: int) -> Callable[[Value], tuple[Value, Value]]:
    """complete-tx of so many bytes."""

    def after(word: Value) -> tuple[Value, Value]:
        found = Mbarrier(ops, word)
        found.complete(ops.const(U32, count))
        return found.word(), found.fault

    return after


@instruction("st.async{.weak}{.ss}.completion{.vec}.type [a], b, [mbar]", **STORED)
@instruction("st.async.scope{.ss}.completion{.vec}.type [a], b, [mbar]", scope="cluster", **{**STORED, "ss": REMOTE})
def st_async(ops: Ops, i: Variant, a: Value, b: Value | list[Value], mbar: Value) -> None:
    """The value at address a in shared memory = b, then complete_tx of its bytes on mbar; done at once.

    A vector is aligned as a whole.
    """
    values = b if isinstance(b, list) else [b]
    ops.update_async(space_of(i), "", i.type, a, values, mbar, _bytes_come(ops, i.type.bytes * len(values)))


@instruction(REDUCTION, op="inc dec", type="u32", **REDUCED)
@instruction(REDUCTION, op="min max", type="u32 s32", **REDUCED)
@instruction(REDUCTION, op="and or xor", type="b32", **REDUCED)
@instruction(REDUCTION, op="add", type="u32 s32 u64 s64", **REDUCED)
def red_async(ops: Ops, i: Variant, a: Value, b: Value, mbar: Value) -> None:
    """The value at address a in shared memory becomes op(old, b), then complete_tx of its bytes on mbar: at once."""
    ops.update_async(space_of(i), i.op, i.type, a, [b], mbar, _bytes_come(ops, i.type.bytes))
