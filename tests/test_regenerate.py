"""The compiled samples come from the sources beside them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ptx_samples import regenerate

SOURCES = ["cuda/block_scan.cu", "cuda/softmax.cu", "cuda/top_k.cu", "triton/rms_norm.py"]


def test_these_are_the_sources():
    assert [path.relative_to(regenerate.HERE).as_posix() for path in regenerate.sources()] == SOURCES


def test_says_which_compiler_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.setenv("TRITON_DISABLE_LINE_INFO", "1")
    before = [path.with_suffix(".ptx").read_text() for path in regenerate.sources()]
    result = CliRunner().invoke(regenerate.main)
    assert result.exit_code == 1
    assert result.output.count("not compiled: nvcc is not on PATH: install the CUDA toolkit 13.0") == 3
    assert "triton/rms_norm.ptx      not compiled: Triton is not installed here: pip install" in result.output
    assert [path.with_suffix(".ptx").read_text() for path in regenerate.sources()] == before


def test_directives_go_on_top(tmp_path):
    source = tmp_path / "k.py"
    source.write_text('# //! title: t\n# //! launch: k<<<1, 1>>>()\n"""Not //! this."""\n')
    text = regenerate.with_directives(source, "\n.version 9.0   \n\n.target sm_90\n")
    assert text.splitlines() == [
        "//! title: t",
        "//! launch: k<<<1, 1>>>()",
        "// Compiled from k.py by ptx_samples/regenerate.py: change that file, not this one.",
        "",
        ".version 9.0",
        "",
        ".target sm_90",
    ]


@pytest.mark.parametrize("name", SOURCES[:3])
def test_the_same_compiler_gives_the_same_text(name):
    """With the nvcc that made the file; with another one, or none, the file names the one that did."""
    source = regenerate.HERE / name
    text = source.with_suffix(".ptx").read_text()
    builds = [line for line in text.splitlines() if line.startswith("// Cuda compilation tools")]
    assert len(builds) == 1
    nvcc = shutil.which("nvcc")
    version = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout if nvcc else ""
    if builds[0].removeprefix("// ") in version:
        assert regenerate.with_directives(source, regenerate.compile_cuda(Path(source))) == text
