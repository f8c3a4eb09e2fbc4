"""Compile the sources of cuda/ to cuda/ARCH/NAME.ptx, compressed where it is long.

    python -m tests.kernels.regenerate                   write the PTX files of all sources
    python -m tests.kernels.regenerate scan_block sm_80  only of some sources or architectures
    python -m tests.kernels.regenerate --check           say which would change, and write nothing

No GPU is needed; nvcc (13.0 made the files that are kept) is.
"""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import click

from ptx_samples.regenerate import ToolMissing, compile_cuda

SOURCES = Path(__file__).parent / "cuda"
ARCHS = ("sm_75", "sm_80", "sm_90")
LONG = 60_000  # bytes; beyond, the file is compressed


def names() -> list[str]:
    """The names of all sources, sorted."""
    return sorted(path.stem for path in SOURCES.glob("*.cu"))


def source_of(name: str) -> Path:
    return SOURCES / f"{name}.cu"


def head_of(name: str, arch: str) -> str:
    """The first line of a PTX file, which changes with its source."""
    digest = hashlib.sha256(source_of(name).read_bytes()).hexdigest()
    return f"// Compiled from {name}.cu for {arch} by tests/kernels/regenerate.py; source SHA-256 {digest}\n"


def read_ptx(name: str, arch: str) -> str:
    """The PTX of a source that is kept for an architecture."""
    plain = SOURCES / arch / f"{name}.ptx"
    if plain.exists():
        return plain.read_text()
    return lzma.decompress(plain.with_suffix(".ptx.xz").read_bytes()).decode()


def write_ptx(name: str, arch: str, text: str) -> None:
    plain = SOURCES / arch / f"{name}.ptx"
    packed = plain.with_suffix(".ptx.xz")
    plain.parent.mkdir(exist_ok=True)
    plain.unlink(missing_ok=True)
    packed.unlink(missing_ok=True)
    if len(text) > LONG:
        packed.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    else:
        plain.write_text(text)


def compiled(name: str, arch: str) -> str:
    """What the file of a source and an architecture must hold."""
    lines = compile_cuda(source_of(name), arch).strip().splitlines()
    return head_of(name, arch) + "\n".join(line.rstrip() for line in lines) + "\n"


def update(name: str, arch: str, check: bool) -> str:
    """Compile one source for one architecture; `unchanged`, `differs` or `written`."""
    text = compiled(name, arch)
    kept = any((SOURCES / arch).glob(f"{name}.ptx*"))
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
    archs = [arch for arch in ARCHS if arch in only] or ARCHS
    chosen = [name for name in names() if name in only] or names()
    unknown = set(only) - set(archs) - set(chosen)
    if unknown:
        raise click.UsageError(f"no source or architecture is called {', '.join(sorted(unknown))}")
    failures = 0
    for name in chosen:
        for arch in archs:
            try:
                outcome = update(name, arch, check)
            except ToolMissing as missing:
                raise click.ClickException(str(missing)) from missing
            failures += outcome == "differs"
            if outcome != "unchanged":
                click.echo(f"{outcome:9} {arch}/{name}.ptx")
    click.echo(f"{len(chosen) * len(archs)} files, {failures} differ")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
