"""The five kernels' work in plain C: tests/data/bench/bound.c, compiled by the C compiler of this machine."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "data" / "bench" / "bound.c"
FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-fopenmp", "-shared", "-fPIC")


class Bound:
    """The functions of bound.c as a library, on one thread."""

    def __init__(self, library: ctypes.CDLL, compiler: str) -> None:
        self.library = library
        self.compiler = compiler

    def __getattr__(self, name: str) -> ctypes._CFuncPtr:
        return getattr(self.library, name)


def compile_bound() -> Bound | None:
    """bound.c, or None where there is no C compiler that takes it."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="ptxemu-bench-"))
    try:
        target = folder / "bound.so"
        done = subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(target), "-lm"], capture_output=True, text=True)
        if done.returncode:
            return None
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        library = ctypes.CDLL(str(target))
        library.omp_set_num_threads(1)
        version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout.splitlines()
        return Bound(library, version[0] if version else compiler)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
