"""Commands that explain: an instruction or a code in words, where pointers lead."""

from __future__ import annotations

from emulator.debugger.commands.looking import address_of
from emulator.debugger.commands.table import command
from emulator.debugger.commands.words import registers
from emulator.debugger.errors import DebuggerError
from emulator.debugger.lines import Answer, shorten
from emulator.debugger.panes import explained
from emulator.debugger.session import Session
from emulator.errors import CODES


@command("explain", "ex", usage="explain [OPCODE|CODE]", topic="looking", looks=True, completer=lambda s, t: CODES)
def explain(session: Session, text: str) -> Answer:
    """What the next instruction does, with the values of its operands; or an opcode, or a diagnostic's code.

    (ptx) explain
    (ptx) explain shfl.sync.bfly.b32
    (ptx) explain PTX-M0101
    """
    if text in ("", "."):
        session.require_warp()
        return Answer(shorten(explained.here(session)), explained.instruction_json(session.instruction))
    code = text.upper() if text.upper().startswith("PTX-") else f"PTX-{text.upper()}"
    lines = explained.of_code(code) if code in CODES else explained.of_opcode(text)
    return Answer(shorten(lines, hint="a whole opcode shows one form"), {"text": [str(line) for line in lines]})


@command("telescope", "tele", usage="telescope ADDR", topic="looking", looks=True, completer=registers)
def telescope(session: Session, text: str) -> Answer:
    """What lies at an address of the lane in focus, and what that points to, with the names of buffers.

    (ptx) telescope %data
    (ptx) telescope tile
    """
    if not text:
        raise DebuggerError("which address?", help="telescope %rd3, telescope out")
    address, space = address_of(session, text)
    lines, rows = explained.chain(session, space, address)
    return Answer(lines, rows)
