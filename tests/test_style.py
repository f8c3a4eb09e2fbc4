"""The hard limits of the house: sizes, names, and no `import *`.

The rules that people follow are tighter (a file of about 400 lines, a function of 40); see CONTRIBUTING.md.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 450
FUNCTION_LINES = 60
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc"}


def findings(root: Path) -> list[str]:
    """Everything in root/emulator and root/ptx_samples that is beyond a limit, as `file:line: what`."""
    files = sorted(file for package in ("emulator", "ptx_samples") for file in (root / package).rglob("*.py"))
    found = [
        f"{folder.relative_to(root)}: a name that says nothing"
        for folder in sorted({file.parent for file in files})
        if folder.name in EMPTY_NAMES
    ]
    for file in files:
        found += [f"{file.relative_to(root)}:{line}: {what}" for line, what in findings_of(file)]
    return found


def findings_of(file: Path) -> Iterator[tuple[int, str]]:
    """The (line, what) of everything in a file that is beyond a limit."""
    text = file.read_text(encoding="utf-8")
    if file.stem in EMPTY_NAMES:
        yield 1, "a name that says nothing"
    if (lines := len(text.splitlines())) > FILE_LINES:
        yield lines, f"a file of {lines} lines, limit {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            yield node.lineno, "import *"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {length} lines, limit {FUNCTION_LINES}"


def test_the_package_keeps_the_limits() -> None:
    assert (ROOT / "emulator" / "errors.py").exists()
    assert findings(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "finding"),
    [
        ("utils.py", "", "utils.py:1: a name that says nothing"),
        ("helpers/rows.py", "", "helpers: a name that says nothing"),
        ("rows.py", "\n" * 451, "rows.py:451: a file of 451 lines, limit 450"),
        ("rows.py", "from os import *", "rows.py:1: import *"),
        ("rows.py", "x = 1\ndef f():\n" + "    x\n" * 60, "rows.py:2: f has 61 lines, limit 60"),
        ("rows.py", "class A:\n    async def f():\n" + "        x\n" * 60, "rows.py:2: f has 61 lines, limit 60"),
    ],
)
def test_finds_what_is_beyond_a_limit(tmp_path: Path, file: str, text: str, finding: str) -> None:
    planted = tmp_path / "emulator" / file
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    assert findings(tmp_path) == [f"emulator/{finding}"]


def test_lets_what_is_at_the_limit_pass(tmp_path: Path) -> None:
    planted = tmp_path / "emulator" / "rows.py"
    planted.parent.mkdir()
    planted.write_text("def f():\n" + "    x\n" * 59 + "\n" * 390)
    assert findings(tmp_path) == []
