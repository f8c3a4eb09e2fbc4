"""What README.md shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from emulator.commands import main

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(checkout: Path, language: str) -> list[str]:
    """The fenced blocks of a language in README.md."""
    text = (checkout / "README.md").read_text(encoding="utf-8")
    return [match[2] for match in BLOCK.finditer(text) if match[1] == language]


def test_the_script_runs(checkout: Path) -> None:
    (script,) = blocks(checkout, "python")
    result = subprocess.run([sys.executable, "-c", script], cwd=checkout, capture_output=True, text=True, check=True)
    numbers = [int(number) for number in re.findall(r"\d+", result.stdout)]
    assert numbers == [2 * lane for lane in range(32)]


def test_the_commands_run(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "k.ptx").write_text(".version 9.0\n.target sm_90a\n.address_size 64\n.visible .entry k() { ret; }\n")
    lines = [line for block in blocks(checkout, "") for line in block.splitlines() if line.startswith("ptxemu ")]
    assert len(lines) >= 3
    for line in lines:
        words = line.partition("#")[0].replace("kernels/", str(tmp_path)).split()[1:]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, f"{line}\n{result.output}"


def links(file: Path) -> list[str]:
    """The files that a page's links lead to, seen from the page."""
    return re.findall(r"\]\(([^)#:]+)\)", BLOCK.sub("", file.read_text(encoding="utf-8")))


def test_the_map_names_what_is_there(checkout: Path) -> None:
    paths = re.findall(r"^\| `([^`]+)` \|", (checkout / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(paths) >= 6
    assert [path for path in paths if not (checkout / path).exists()] == []


def test_no_link_of_a_page_is_dead(checkout: Path) -> None:
    pages = [*checkout.glob("*.md"), *(checkout / "docs").glob("*.md"), *(checkout / "ptx_samples").glob("*.md")]
    dead = [f"{page.name}: {link}" for page in pages for link in links(page) if not (page.parent / link).exists()]
    assert links(checkout / "README.md") != []
    assert dead == []


def test_the_index_of_the_documentation_names_every_page(checkout: Path) -> None:
    index = checkout / "docs" / "README.md"
    pages = {page.name for page in index.parent.glob("*.md")} - {index.name}
    assert pages <= set(links(index))


def test_make_has_the_targets_that_are_named(checkout: Path) -> None:
    text = (checkout / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([a-z-]+)", text))
    rules = set(re.findall(r"^([a-z-]+):", (checkout / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= targets <= rules
