"""Compile the sources of cuda/ and triton/ to FOLDER/ARCH/NAME.ptx, compressed where it is long.

    python -m tests.kernels.regenerate                   write the PTX files of all sources
    python -m tests.kernels.regenerate scan_block sm_80  only of some sources or architectures
    python -m tests.kernels.regenerate --check           say which would change, and write nothing

No GPU is needed; nvcc (13.0 made the files that are kept) and Triton (3.9; pip install triton) are.
"""

from __future__ import annotations

import hashlib
import lzma
import re
from pathlib import Path

import click

from ptx_samples.regenerate import ToolMissing, compile_cuda, triton_kernel

HERE = Path(__file__).parent
ARCHS = ("sm_75", "sm_80", "sm_90")
TRITON_ARCHS = ("sm_90a",)
LONG = 60_000  # bytes; beyond, the file is compressed
FOLDER_HASH = re.compile(r"(?:_INTERNAL_|_GLOBAL__N__|__nv_static_\d+__)([0-9a-f]{8})_")


def names() -> list[str]:
    """The names of the CUDA sources, sorted."""
    return sorted(path.stem for path in (HERE / "cuda").glob("*.cu"))


def triton_names() -> list[str]:
    """The names of the Triton sources, sorted; none is a CUDA source's too."""
    return sorted(path.stem for path in (HERE / "triton").glob("*.py"))


def source_of(name: str) -> Path:
    cuda = HERE / "cuda" / f"{name}.cu"
    return cuda if cuda.exists() else HERE / "triton" / f"{name}.py"


def archs_of(name: str) -> tuple[str, ...]:
    return ARCHS if source_of(name).suffix == ".cu" else TRITON_ARCHS


def ptx_of(name: str, arch: str) -> Path:
    """Where the PTX is kept, if it is short."""
    source = source_of(name)
    return source.parent / arch / f"{name}.ptx"


def head_of(name: str, arch: str) -> str:
    """The first line of a PTX file, which changes with its source."""
    source = source_of(name)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return f"// Compiled from {source.name} for {arch} by tests/kernels/regenerate.py; source SHA-256 {digest}\n"


def read_ptx(name: str, arch: str) -> str:
    """The PTX of a source that is kept for an architecture."""
    plain = ptx_of(name, arch)
    if plain.exists():
        return plain.read_text()
    return lzma.decompress(plain.with_suffix(".ptx.xz").read_bytes()).decode()


def write_ptx(name: str, arch: str, text: str) -> None:
    plain = ptx_of(name, arch)
    packed = plain.with_suffix(".ptx.xz")
    plain.parent.mkdir(exist_ok=True)
    plain.unlink(missing_ok=True)
    packed.unlink(missing_ok=True)
    if len(text) > LONG:
        packed.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    else:
        plain.write_text(text)


def without_folder(ptx: str) -> str:
    """Internal names have a hash of the source's folder: zeros for it, also among the bytes of debug information."""
    for digits in set(FOLDER_HASH.findall(ptx)):
        zeros = "0" * len(digits)
        ptx = ptx.replace(digits, zeros).replace(
            ",".join(map(str, digits.encode())), ",".join(map(str, zeros.encode()))
        )
    return ptx


def compiled(name: str, arch: str) -> str:
    """What the file of a source and an architecture must hold; under Triton's head, what a launch needs to know."""
    source = source_of(name)
    head = head_of(name, arch)
    if source.suffix == ".cu":
        text = without_folder(compile_cuda(source, arch))
    else:
        kernel = triton_kernel(source)
        size = kernel.metadata
        head += f"// Launch: {32 * size.num_warps} threads, {size.shared} bytes of shared memory\n"
        text = str(kernel.asm["ptx"])
    return head + "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def update(name: str, arch: str, check: bool) -> str:
    """Compile one source for one architecture; `unchanged`, `differs` or `written`."""
    text = compiled(name, arch)
    plain = ptx_of(name, arch)
    kept = any(plain.parent.glob(f"{plain.name}*"))
    if kept and read_ptx(name, arch) == text:
        return "unchanged"
    if check:
        return "differs"
    write_ptx(name, arch, text)
    return "written"


@click.command(help=__doc__)
@click.argument("only", nargs=-1)
@click.option("--check", is_flag=True, help="Compare with the files that are there; exit 1 if one differs.")
def main(only: tuple[str, ...], check: bool) -> None:
    every = names() + triton_names()
    archs = [arch for arch in ARCHS + TRITON_ARCHS if arch in only] or ARCHS + TRITON_ARCHS
    chosen = [name for name in every if name in only] or every
    unknown = set(only) - set(archs) - set(chosen)
    if unknown:
        raise click.UsageError(f"no source or architecture is called {', '.join(sorted(unknown))}")
    files = [(name, arch) for name in chosen for arch in archs_of(name) if arch in archs]
    outcomes: list[str] = []
    missing: set[str] = set()
    for name, arch in files:
        try:
            outcomes.append(update(name, arch, check))
        except ToolMissing as tool:
            missing.add(str(tool))
            outcomes.append("not compiled")
        if outcomes[-1] != "unchanged":
            click.echo(f"{outcomes[-1]:12} {ptx_of(name, arch).relative_to(HERE).as_posix()}")
    for message in sorted(missing):
        click.echo(message, err=True)
    click.echo(", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in sorted(set(outcomes))))
    raise SystemExit(1 if {"differs", "not compiled"} & set(outcomes) else 0)


if __name__ == "__main__":
    main()
