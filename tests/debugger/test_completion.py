"""What Tab offers, command by command."""

import pytest

from emulator import samples
from emulator.debugger.commands import COMMANDS, run_line
from emulator.debugger.completion import candidates
from emulator.debugger.session import Session
from tests.debugger.scripted import session_of

OFFERED = {
    "rever": ["reverse-continue", "reverse-finish", "reverse-next", "reverse-step"],
    "sho": [],
    "shar": ["shared"],
    "info ba": ["barriers"],
    "i w": [],
    "step ": ["line", "warps"],
    "set c": ["context"],
    "set step": ["step_divergent_lanes"],
    "break opcode:ba": ["opcode:bar.sync"],
    "tbreak re": ["reverse"],
    "until re": ["reverse"],
    "advance opcode:st.s": ["opcode:st.shared.f32"],
    "jump opcode:r": ["opcode:ret"],
    "list rev": ["reverse"],
    "print %par": ["%partner"],
    "print (%m": ["%mine"],
    "print %mine+%v": ["%value"],
    "lanes %mine %v": ["%value"],
    "x ti": ["tile"],
    "display %of": ["%offset"],
    "info regs %th": ["%thread"],
    "why %va": ["%value"],
    "history %va": ["%value"],
    "watch da": ["data"],
    "rwatch ti": ["tile"],
    "awatch %par": ["%partner"],
    "set %par": ["%partner"],
    "telescope da": ["data"],
    "catch re": ["reconverge"],
    "context co": ["code"],
    "shared ti": ["tile"],
    "restart be": ["before"],
    "delete ": ["1"],
    "disable ": ["1"],
    "enable ": ["1"],
    "ignore ": ["1"],
    "commands ": ["1"],
    "help reverse-c": ["reverse-continue"],
    "seek s": ["start"],
    "set scheduler ra": ["random:"],
    "set step_divergent_lanes of": ["off"],
    "explain PTX-M0101": [],
    "nonsense ": [],
    "": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def session() -> Session:
    opened = session_of(samples.find("03_shared/reverse"))
    for line in ("break 32", "step 8", "checkpoint before"):
        run_line(opened, line)
    return opened


@pytest.mark.parametrize("text", [text for text, offered in OFFERED.items() if offered is not None])
def test_what_is_offered(session: Session, text: str) -> None:
    assert candidates(session, text) == OFFERED[text]


def test_every_command_with_words_of_its_own_is_asked_here() -> None:
    longest_first = sorted(COMMANDS, key=len, reverse=True)
    asked = {next((name for name in longest_first if text.startswith(f"{name} ")), "") for text in OFFERED}
    completed = {name for name, row in COMMANDS.items() if row.completer is not None}
    assert completed - asked - {"info registers"} == set()


def test_everything_is_offered_on_an_empty_line(session: Session) -> None:
    offered = candidates(session, "")
    assert {name.split()[0] for name in COMMANDS} - set(offered) <= {"x"}
    assert offered == sorted(offered)
