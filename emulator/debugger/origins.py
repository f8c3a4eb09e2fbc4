"""The source that PTX was compiled from: file and line of `.loc`, and the text of that line if the file is there."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePath
from typing import NamedTuple

from emulator.debugger.places import files_of
from emulator.debugger.session import Session
from emulator.program import Instruction, Program

MOST_BYTES = 1 << 22


class Origin(NamedTuple):
    """A line of a source file.  text: empty where the file was not found."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def origin_of(session: Session, program: Program, instruction: Instruction) -> Origin | None:
    """Where an instruction comes from; None without `.loc`."""
    loc = instruction.loc
    path = files_of(program).get(loc.file) if loc is not None else None
    if loc is None or path is None:
        return None
    lines = _lines(path, session.launched.target)
    text = lines[loc.line - 1].strip() if 0 < loc.line <= len(lines) else ""
    return Origin(PurePath(path).name, loc.line, "".join(sign if sign.isprintable() else " " for sign in text))


@lru_cache(maxsize=32)
def _lines(path: str, target: str) -> tuple[str, ...]:
    """The lines of a source: as `.file` names it, or of this name here, beside the PTX or one folder above."""
    name, beside = PurePath(path).name, Path(target).parent
    for found in (Path(path), Path(name), beside / name, beside.parent / name):
        try:
            if found.is_file() and found.stat().st_size <= MOST_BYTES:
                return tuple(found.read_text(encoding="utf-8", errors="replace").expandtabs(4).splitlines())
        except OSError:
            continue
    return ()
