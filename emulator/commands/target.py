"""What a TARGET on the command line is: a .ptx file or a sample, and one of its kernels."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from emulator import samples
from emulator.errors import Diagnostic, Source, UsageError
from emulator.samples import Sample

if TYPE_CHECKING:
    from emulator import Kernel, ObjectCode


@dataclass(frozen=True)
class Target:
    """A parsed text; sample is None for a file without `//! launch:` line."""

    name: str
    code: ObjectCode
    sample: Sample | None


def find_target(text: str, *, plain: bool = False) -> Target:
    """The file or sample of a TARGET; a path wins if it exists.  plain: its `//!` lines do not matter."""
    from emulator import ObjectCode

    path = Path(text)
    if path.exists():
        if path.is_dir():
            raise _unreadable(text, "this is a folder: name one of its .ptx files")
        code = ObjectCode.from_ptx(path)
        is_sample = not plain and samples.has_directives(code.module.source.text)
        return Target(text, code, samples.read(path, path.parent, text) if is_sample else None)
    if text.endswith(".ptx") or text.startswith((".", "/", "~")):
        near = difflib.get_close_matches(path.stem, [file.stem for file in path.parent.glob("*.ptx")], n=1)
        raise _unreadable(text, "no such file", f"did you mean {path.with_name(near[0] + '.ptx')}?" if near else "")
    sample = samples.find(text)
    with resources.as_file(sample.path) as file:
        code = ObjectCode.from_ptx(file, name=file.name)
    return Target(sample.name, code, None if plain else sample)


def _unreadable(name: str, why: str, help: str = "") -> UsageError:
    return UsageError(Diagnostic("PTX-L0106", "usage", why, Source("", name), help=help))


def choose_kernel(code: ObjectCode, wanted: str | None) -> Kernel:
    """The kernel of a name, of a part that only one kernel's name has, or the only one."""
    names = code.kernels
    if wanted is None:
        if len(names) == 1:
            return code.get_kernel(names[0])
        raise _not_chosen(code)
    holding = [name for name in names if wanted in name]
    return code.get_kernel(holding[0] if wanted not in names and len(holding) == 1 else wanted)


def _not_chosen(code: ObjectCode) -> UsageError:
    names = code.kernels
    if not names:
        help = "a kernel is an .entry with a body: .visible .entry name() { ... }"
        return UsageError(Diagnostic("PTX-L0101", "usage", "no kernel in this file", code.module.source, help=help))
    facts = (("kernels", "\n".join(signature_of(code, name) for name in names)),)
    message = f"{len(names)} kernels in this file: choose one with -k"
    return UsageError(Diagnostic("PTX-L0101", "usage", message, code.module.source, facts=facts, help=f"-k {names[0]}"))


def signature_of(code: ObjectCode, name: str) -> str:
    """A kernel with the types and names of its parameters: `saxpy(.u64 x, .f32 a, .b8 options[16])`."""
    parts = []
    for node in code.module.functions[name].parameters:
        sizes = "".join(f"[{size}]" for size in node.dimensions)
        parts.append(f".{node.type} {node.name}{sizes}")
    return f"{name}({', '.join(parts)})"
