"""What ptxas makes of a PTX text, as lines of machine code by kernel: where ptxas and a disassembler are there."""

import re
import shutil
import subprocess
from pathlib import Path

_LINE = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?(.*?)\s*;")


def is_here() -> bool:
    """Whether both tools are on the PATH."""
    return all(shutil.which(tool) for tool in ("ptxas", "nvdisasm"))


def machine_code(text: str, folder: Path) -> dict[str, list[str]]:
    """The instructions of each kernel for sm_90a, without their predicates."""
    source, binary = folder / "k.ptx", folder / "k.cubin"
    source.write_text(text)
    command = ["ptxas", "-arch=sm_90a", str(source), "-o", str(binary)]
    assembled = subprocess.run(command, capture_output=True, text=True)
    assert assembled.returncode == 0, assembled.stdout + assembled.stderr
    shown = subprocess.run(["nvdisasm", "-hex", str(binary)], capture_output=True, text=True, check=True).stdout
    kernels: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in shown.splitlines():
        if found := re.match(r"\.text\.(\w+):", line):
            lines = kernels.setdefault(found[1], [])
        elif found := _LINE.match(line):
            lines.append(re.sub(r"\s+", " ", found[1]))
    return kernels


def offset_of(line: str) -> int:
    """The constant in the address of a load or store."""
    found = re.search(r"\+0x([0-9a-f]+)\]", line)
    return int(found[1], 16) if found else 0
