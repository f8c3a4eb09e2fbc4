"""Compile the sources of cuda/ and triton/ to the .ptx files beside them.

    python -m ptx_samples.regenerate            rewrite the .ptx files
    python -m ptx_samples.regenerate --check    say which would change, and write nothing

The //! lines of a source, which make its .ptx a sample, go on top of the compiler's output. No GPU is needed; nvcc
(13.0 made the files that are kept) and Triton (3.9; pip install triton) are.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).parent
DIRECTIVE = re.compile(r"^(?:# )?(//! .*)$", re.MULTILINE)
NVCC_OPTIONS = re.compile(r"^// nvcc (-.*)$", re.MULTILINE)
FILE_FOLDER = re.compile(r'(?<=")/[^"\n]*/(?=[^"/\n]*"$)', re.MULTILINE)  # in `.file 1 "/folder/name"`
CUDA_TARGET = "sm_90"
TRITON_TARGET = 90
PTX_VERSION = 90  # the newest that ptxas 13.0 reads; Triton 3.9 would write 9.4


class ToolMissing(Exception):
    """A compiler is not installed; the message says which and how to get it."""


def compile_cuda(source: Path, target: str = CUDA_TARGET) -> str:
    """The PTX of a .cu file by nvcc, with the options of its `// nvcc -...` lines; no path of this machine is in it."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        raise ToolMissing("nvcc is not on PATH: install the CUDA toolkit 13.0")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.ptx"
        options = " ".join(NVCC_OPTIONS.findall(source.read_text())).split()
        command = [nvcc, "-std=c++17", f"-arch={target}", *options, "-ptx", source.name, "-o", str(out)]
        # The debug information of -G names the folder, as the environment does.
        subprocess.run(command, cwd=source.parent, env=os.environ | {"PWD": "/proc/self/cwd"}, check=True)
        return FILE_FOLDER.sub("", out.read_text())


def compile_triton(source: Path) -> str:
    """The PTX of the @triton.jit function that is named like its file."""
    return str(triton_kernel(source).asm["ptx"])


def triton_kernel(source: Path) -> Any:
    """That function, compiled; SIGNATURE, CONSTANTS and ALIGNED (arguments divisible by 16) describe its call."""
    # File names and lines would put the paths of the compiling machine into the PTX. Triton reads this when imported.
    os.environ["TRITON_DISABLE_LINE_INFO"] = "1"
    try:
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource
    except ImportError as error:
        raise ToolMissing("Triton is not installed here: pip install triton==3.9.0") from error
    specification = importlib.util.spec_from_file_location(source.stem, source)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    order = list(module.SIGNATURE)
    aligned = {(order.index(name),): [["tt.divisibility", 16]] for name in getattr(module, "ALIGNED", ())}
    kernel = ASTSource(getattr(module, source.stem), module.SIGNATURE, module.CONSTANTS, aligned)
    options = {"num_warps": 4, "ptx_version": PTX_VERSION, "enable_fp_fusion": True}
    return triton.compile(kernel, target=GPUTarget("cuda", TRITON_TARGET, 32), options=options)


def sources() -> dict[Path, Callable[[Path], str]]:
    """Every source with the function that compiles it."""
    cuda = sorted((HERE / "cuda").glob("*.cu"))
    triton = sorted(path for path in (HERE / "triton").glob("*.py") if path.stem != "reference")
    return dict.fromkeys(cuda, compile_cuda) | dict.fromkeys(triton, compile_triton)


def with_directives(source: Path, ptx: str) -> str:
    """The compiler's PTX under the //! lines of its source, without trailing blanks."""
    lines = DIRECTIVE.findall(source.read_text())
    lines += [f"// Compiled from {source.name} by ptx_samples/regenerate.py: change that file, not this one.", ""]
    return "\n".join(line.rstrip() for line in lines + ptx.strip().splitlines()) + "\n"


@click.command(help=(__doc__ or "").replace("\n\n    python", "\n\n\b\n    python"))
@click.option("--check", is_flag=True, help="Compare with the files that are there; exit 1 if one differs.")
def main(check: bool) -> None:
    failures = 0
    for source, compiler in sources().items():
        target = source.with_suffix(".ptx")
        name = target.relative_to(HERE).as_posix()
        try:
            text = with_directives(source, compiler(source))
        except ToolMissing as missing:
            click.echo(f"{name:24} not compiled: {missing}", err=True)
            failures += 1
            continue
        same = target.exists() and target.read_text() == text
        failures += check and not same
        if not check:
            target.write_text(text)
        click.echo(f"{name:24} {'unchanged' if same else 'differs' if check else 'written'}")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
