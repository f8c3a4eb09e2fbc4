"""Nothing imports upwards: the import rule of the package, read off its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOUNDATION = ("errors", "ptx_types", "observer")
LANGUAGE = (*FOUNDATION, "parse", "isa", "program")
RUN = (*LANGUAGE, "machine", "engines")
TEXT = ("arguments", "render", "explanations")  # kernel arguments from text, values to text, codes explained
API = (*RUN, *TEXT, "observers", "api", "")
# Part of the package -> the parts that it may import. "" is emulator/__init__.py, the API on top.
ALLOWED: dict[str, tuple[str, ...]] = {
    "errors": (),
    "ptx_types": ("errors",),
    "observer": ("errors", "ptx_types"),
    "parse": FOUNDATION,
    "isa": (*FOUNDATION, "parse"),
    "program": (*FOUNDATION, "parse", "isa"),
    "machine": FOUNDATION,
    "engines": (*LANGUAGE, "machine"),
    **dict.fromkeys(TEXT, FOUNDATION),
    "observers": (*RUN, *TEXT),
    "api": API[:-2],
    "": API[:-1],
    "samples": API,
    "debugger": API,
    "crosscheck": (*API, "samples"),
    "pytest_plugin": (*API, "samples", "debugger", "crosscheck"),
    "commands": (*API, "samples", "debugger", "crosscheck"),
    "__main__": ("commands",),
}
# For type checkers alone: a Grid carries its Program for the engines and never looks inside its instructions.
ALLOWED_AS_TYPES = {"machine": ("program",)}
COMPILERS = ("numba", "llvmlite")
COMPILER_PLACES = (("engines", "native"), ("isa", "tiles"))


class Import:
    """One imported module: its dotted name, the line, and where the statement stands.

    lazy: inside a function; types: inside `if TYPE_CHECKING`.
    """

    def __init__(self, module: str, line: int, lazy: bool, types: bool) -> None:
        self.module, self.line, self.lazy, self.types = module, line, lazy, types

    def part(self, root: Path) -> str | None:
        """The part of the emulator that is imported; None for other packages."""
        package, _, rest = self.module.partition(".")
        if package != "emulator":
            return None
        name = rest.split(".")[0]
        is_module = (root / "emulator" / name).is_dir() or (root / "emulator" / f"{name}.py").exists()
        return name if name and is_module else ""


def imports(file: Path, root: Path) -> Iterator[Import]:
    """Every import of a file, relative ones made absolute; those for type checkers alone too."""
    package = file.relative_to(root).parent.parts

    def visit(node: ast.AST, lazy: bool, types: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy, types)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield Import(f"{module}.{alias.name}", node.lineno, lazy, types)
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        types = types or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy, types)

    yield from visit(ast.parse(file.read_text(encoding="utf-8")), False, False)


def place(file: Path, root: Path) -> tuple[str, ...]:
    """A file's place in the package: ("isa", "tiles"), ("errors",), ("",) for emulator/__init__.py."""
    parts = file.relative_to(root / "emulator").with_suffix("").parts
    return ("",) if parts == ("__init__",) else parts


def violations(root: Path) -> list[str]:
    """Every import under root/emulator that breaks the rule, as `file:line: what`."""
    found = []
    for file in sorted((root / "emulator").rglob("*.py")):
        here = place(file, root)
        for item in imports(file, root):
            problem = problem_of(item, here, root)
            if problem:
                found.append(f"{file.relative_to(root)}:{item.line}: {problem}")
    return found


def problem_of(item: Import, here: tuple[str, ...], root: Path) -> str | None:
    """Why an import at a place is wrong; None if it is right."""
    package, part = item.module.split(".")[0], item.part(root)
    if package in ("ptx_samples", "tests", "cli"):
        return f"the package does not import {package}"
    if package in COMPILERS:
        if here[:2] not in COMPILER_PLACES:
            return f"{package} belongs to engines/native and isa/tiles"
        return None if item.lazy or item.types else f"{package} is imported inside functions only"
    if here[0] not in ALLOWED:
        return f"{here[0]} has no place in the layers: name it in ALLOWED"
    if part is None or part == here[0] or part in ALLOWED[here[0]]:
        return None
    if item.types and part in ALLOWED_AS_TYPES.get(here[0], ()):
        return None
    return f"{here[0] or 'emulator'} does not import {part or 'the API'}"


def test_nothing_imports_upwards() -> None:
    assert (ROOT / "emulator" / "errors.py").exists()
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("parse/lexer.py", "from emulator.isa import registry", "parse does not import isa"),
        ("parse/lexer.py", "import emulator.machine.warp", "parse does not import machine"),
        ("parse/lexer.py", "from emulator import isa", "parse does not import isa"),
        ("parse/lexer.py", "from ..isa.registry import lookup", "parse does not import isa"),
        ("parse/lexer.py", "def f():\n    from .. import isa", "parse does not import isa"),
        ("machine/warp.py", "from emulator.program import Program", "machine does not import program"),
        ("machine/warp.py", "if TYPE_CHECKING:\n    from emulator import isa", "machine does not import isa"),
        ("isa/registry.py", "if TYPE_CHECKING:\n    from emulator.machine import warp", "isa does not import machine"),
        ("engines/run.py", "from emulator.observers import trace", "engines does not import observers"),
        ("engines/run.py", "from emulator import launch", "engines does not import the API"),
        ("engines/reference/step.py", "def f():\n    import numba", "numba belongs to engines/native and isa/tiles"),
        ("engines/native/link.py", "import llvmlite.binding", "llvmlite is imported inside functions only"),
        ("isa/tiles.py", "from numba import cfunc", "numba is imported inside functions only"),
        ("commands/run.py", "from ptx_samples import moe", "the package does not import ptx_samples"),
        ("toolbox/x.py", "import os", "toolbox has no place in the layers: name it in ALLOWED"),
    ],
)
def test_finds_a_planted_violation(tmp_path: Path, file: str, text: str, problem: str) -> None:
    for part in ("parse", "isa", "machine", "program", "engines", "observers"):
        (tmp_path / "emulator" / part).mkdir(parents=True)
    planted = tmp_path / "emulator" / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text)
    line = len(text.splitlines())
    assert violations(tmp_path) == [f"emulator/{file}:{line}: {problem}"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("engines/native/link.py", "def f():\n    import llvmlite.binding"),
        ("isa/tiles.py", "def f():\n    from numba import cfunc"),
        ("machine/grid.py", "if TYPE_CHECKING:\n    from emulator.program import Program"),
        ("isa/registry.py", "from emulator.parse import nodes\nfrom .signature import compile_line\nimport numpy"),
        ("engines/run.py", "from emulator.machine import warp\nfrom emulator.program.decode import decode"),
        ("__init__.py", "from emulator.engines.run import launch"),
        ("commands/run.py", "from emulator import launch\nfrom emulator.debugger import session"),
    ],
)
def test_lets_a_right_import_pass(tmp_path: Path, file: str, text: str) -> None:
    for part in ("parse", "isa", "machine", "program", "engines", "observers", "debugger"):
        (tmp_path / "emulator" / part).mkdir(parents=True)
    planted = tmp_path / "emulator" / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text)
    assert violations(tmp_path) == []
