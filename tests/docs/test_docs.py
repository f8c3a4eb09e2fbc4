"""The Python that the pages under docs/ show runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPTS = [
    pytest.param(match[1], id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, match in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")))
    if "@instruction" not in match[1]  # an entry of a chapter's file, shown where it belongs
]


def test_there_are_scripts() -> None:
    assert any(str(script.id).startswith("execution-model") for script in SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_runs(script: str) -> None:
    result = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
