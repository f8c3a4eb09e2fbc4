"""Every form that is accepted runs once, and stops only where it means to; on both engines."""

from __future__ import annotations

from functools import cache

import pytest

from emulator import System
from emulator.errors import IllegalAddress, InstructionLimit, StackOverflow, Trap
from tests.forms import Record
from tests.isa import form_runs
from tests.isa.test_forms import FLOORS, errors_of, listed

OPAQUE = (".param .texref", ".param .surfref")  # a launch has no such arguments


@cache
def accepted(group: str) -> tuple[Record, ...]:
    """The forms of a group that are taken."""
    return tuple(record for record in listed(group) if not errors_of(record))


RUNS = [
    *((group, "reference") for group in FLOORS if FLOORS[group][0]),
    *(pytest.param(group, "native", marks=pytest.mark.slow) for group in FLOORS if FLOORS[group][0]),
]


@pytest.mark.parametrize(("group", "engine"), RUNS)
def test_accepted_forms_run(group: str, engine: str) -> None:
    system = System(engine=engine, output=lambda text: None)
    ran, failed = 0, []
    for record in accepted(group):
        if any(word in record["text"] for word in OPAQUE):
            continue
        try:
            form_runs.run(record, system)
        except Exception as error:
            failed.append(f"{record['id']} {record['text']}: {type(error).__name__}: {error}")
            system.reset()
        ran += 1
    assert not failed, f"{len(failed)} of {ran} forms:\n" + "\n".join(failed[:5])
    assert ran >= FLOORS[group][0] - 2


def one(text: str) -> Record:
    """A record of our own."""
    return {
        "id": text, "kind": "insn", "text": text, "decls": ".reg .b32 %r<3>; .reg .b64 %rd<3>;", "module": "",
        "params": "",
    }  # fmt: skip


def test_a_fault_that_a_form_means_is_seen() -> None:
    assert isinstance(form_runs.run(one("trap;"), System(engine="reference")), Trap)
    assert isinstance(form_runs.run(one("alloca.u64 %rd1, -1;"), System(engine="reference")), StackOverflow)
    assert form_runs.run(one("ld.global.u32 %r1, [%rd1+8];"), System(engine="reference")) is None


@pytest.mark.parametrize("text", ["mov.u64 %rd1, 16; ld.global.u32 %r1, [%rd1];", "add.u32 %r1, %r1, 1; L: bra L;"])
def test_a_fault_that_a_form_does_not_mean_is_raised(text: str) -> None:
    with pytest.raises((IllegalAddress, InstructionLimit)):
        form_runs.run(one(text), System(engine="reference"))
