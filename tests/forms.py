"""The instruction forms that ptxas 13.0 accepts and refuses: records, and a whole PTX text of each."""

from __future__ import annotations

import functools
import json
import lzma
from pathlib import Path
from typing import Any

Record = dict[str, Any]

_FOLDER = Path(__file__).resolve().parent / "data" / "ptx_forms"


@functools.cache
def accepted() -> list[Record]:
    """The 9,043 forms that ptxas takes."""
    return _read("forms.jsonl.xz")


@functools.cache
def rejected() -> list[Record]:
    """The 630 forms that ptxas refuses, each with its message."""
    return _read("rejected.jsonl.xz")


def _read(name: str) -> list[Record]:
    with lzma.open(_FOLDER / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def source(record: Record, arch: str = "sm_90a", name: str = "k") -> str:
    """A PTX module that holds the form, in a kernel of a name, for an architecture."""
    if record["kind"] == "module-raw":
        return str(record["text"]).replace("sm_90a", arch)
    target = record.get("target_line") or arch
    if options := record.get("target_options"):
        target += ", " + options
    header = f".version {record.get('version', '9.0')}\n.target {target}\n.address_size 64\n"
    if record["kind"] == "module":
        return header + str(record["text"])
    module = record["module"] + "\n" if record["module"] else ""
    return header + module + _function(record, name)


def _function(record: Record, name: str) -> str:
    kind = ".visible .func" if record.get("ctx") == "func" else ".visible .entry"
    return f"{kind} {name} ({record['params']}) {{\n{record['decls']}\n{record['text']}\nret;\n}}\n"
