"""Mutation of meanings: a wrong body, in memory, must make the tests of its instruction fail.

    python -m tests.mutate                  50 random instructions, one wrong body each
    python -m tests.mutate --count 200 --seed 7
    python -m tests.mutate --only vadd      every wrong body of an instruction

A mutant changes one place of an instruction's meaning or of a function that it uses: operands swapped, a mask, clamp
or sign dropped, a constant off by one, a comparison or operator turned, the wrong rounding or sign of a type.  First
the instruction's examples run, then the tests that judge it (tests/isa/verified_by.py), each mutant in a process of
its own.  Mutants that mean the same as the original are named in EQUIVALENT with the reason.
"""

import argparse
import ast
import copy
import functools
import inspect
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from emulator.isa.registry import Entry, entries
from tests.isa.examples import check_example, is_computed
from tests.isa.verified_by import FORMS_RUN, oracle_of

ROOT = Path(__file__).resolve().parent.parent
MOST_SECONDS = 900

# Mutants that cannot be told apart, by the text of `describe` or the name of the function, and why.
EQUIVALENT = {
    "conversion.cvt_f32_f64: -126 -> -127": "Times a number below 2^-126 both give zero.",
    "conversion_packed.cvt_tf32: ops.view(a, U32) -> ops.view(a, S32)": "Without its sign it is the same number.",
    "data_movement.prmt: ops.view(octet, S8) >> 7 -> ops.view(octet, S8) >> 8": "The sign moves in behind itself.",
    "extended_precision.difference_of: a.type -> b.type": "Both have one type.",
    "extended_precision.sum_of: as_bits(ops, a, b) -> as_bits(ops, b, a)": "Symmetric.",
    "floats.saturate: bits > one -> bits >= one": "One is limited to one.",
    "floats.smaller: _key(ops, a) < _key(ops, b) -> _key(ops, a) <= _key(ops, b)": "Equal keys are equal bits.",
    "floating_point_functions.rcp_approximate: 2.0 ** 24 -> 2.0 ** 25": "Any power that makes the number normal.",
    "floating_point_functions.sqrt: result(ops, i, ops.fsqrt(a, i.rnd)) -> ops.fsqrt(a, i.rnd)": "None is subnormal.",
    "load_store.order_of": "Every access is sequentially consistent, whatever its order.",
    "integer_arithmetic.abs_: a < 0 -> a < 1": "-0 is 0.",
    "integer_arithmetic.max_: extreme(ops, i, ops.maximum, a, b) -> extreme(ops, i, ops.maximum, b, a)": "Symmetric.",
    "integer_arithmetic.min_: extreme(ops, i, ops.minimum, a, b) -> extreme(ops, i, ops.minimum, b, a)": "Symmetric.",
    "integer_arithmetic.by_halves: zip(unpack(ops, a, half), unpack(ops, b, half), strict=True) -> "
    "zip(unpack(ops, b, half), unpack(ops, a, half), strict=True)": "For sums, minima and maxima.",
    "stack.alloca: i.align or 0 -> i.align or 1": "The least alignment, 8, is more than both.",
    "video_simd.vavrg: total >= 0 -> total >= 1": "0 + 1 >> 1 is 0.",
    "warp_ops.redux: (16, 8, 4, 2, 1) -> (16, 8, 5, 2, 1)": "These steps, too, join every lane with every other once.",
}


class Mutant(NamedTuple):
    """A changed place of a function: its number among the function's mutants, the text before and after."""

    function: str
    number: int
    before: str
    after: str

    def describe(self) -> str:
        """One line."""
        name = ".".join(self.function.split(".")[-2:])
        return f"{name}: {self.before} -> {self.after}"


# --- what can be changed -----------------------------------------------------------------------------------

COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip
ORDERED = (ast.Sub, ast.LShift, ast.RShift)
_SYMMETRIC = "fadd fmul add mul and_ or_ xor minimum maximum mul_high max min"
SYMMETRIC = {*_SYMMETRIC.split(), "difference", "product", "product24", "dot", "sum_of"}
TYPED = {"cast", "view", "const", "fconvert", "range"}  # a type or bound among the arguments: a swap only crashes
NO_VALUE = re.compile(r"lambda .*|.*type|kind|element|ops|i|[A-Z].*|'.*'|.*\((i|kind)\)|i\..*")
DROPPED = {"minimum": 0, "maximum": 0, "saturate": 1, "flush": 1, "relu": 1, "canonical": 1, "negate": 1, "result": 2}
NAMES = {
    "U32": "S32", "S32": "U32", "U64": "S64", "S64": "U64", "u32": "s32", "s32": "u32", "rn": "rz", "rz": "rn",
    "rm": "rp", "rp": "rm", "clamp": "wrap", "h0": "h1", "lo": "hi", "hi": "lo",
}  # fmt: skip


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
        if isinstance(node.op, ORDERED):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Call):
        yield from changed_calls(node)
    elif isinstance(node, (ast.Constant, ast.Name)):
        yield from changed_words(node)


def changed_calls(node: ast.Call) -> Iterator[ast.AST]:
    """Neighbouring arguments swapped; a limit or flush dropped."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    for place in range(len(node.args) - 1):
        texts = [ast.unparse(argument) for argument in node.args[place : place + 2]]
        if (
            name not in SYMMETRIC | TYPED
            and texts[0] != texts[1]
            and not any(NO_VALUE.fullmatch(text) for text in texts)
        ):
            swapped = [*node.args]
            swapped[place : place + 2] = swapped[place : place + 2][::-1]
            yield ast.Call(node.func, swapped, node.keywords)
    if name in DROPPED and len(node.args) > DROPPED[name]:
        yield node.args[DROPPED[name]]
    if name == "flushed":
        yield ast.Tuple(node.args[2:], ast.Load())


def changed_words(node: ast.Constant | ast.Name) -> Iterator[ast.AST]:
    """A number off by one, the other truth, rounding or sign."""
    if isinstance(node, ast.Name):
        if node.id in NAMES:
            yield ast.Name(NAMES[node.id], node.ctx)
    elif isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node.value, str) and node.value in NAMES:
        yield ast.Constant(NAMES[node.value])


def mistaken_operands(node: ast.AST, others: Mapping[str, str]) -> Iterator[ast.AST]:
    """The next operand for one that is read."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in others:
        yield ast.Name(others[node.id], node.ctx)


# --- mutants of a function ---------------------------------------------------------------------------------


@functools.cache
def tree_of(function: types.FunctionType) -> ast.FunctionDef:
    """The function without decorators, annotations and docstring."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef), function
    tree.decorator_list = []
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:]
    return tree


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, by: ast.AST) -> None:
        self.target, self.by = target, by

    def visit(self, node: ast.AST) -> Any:
        """The other node in the place of one."""
        return self.by if node is self.target else self.generic_visit(node)


def mutants(function: types.FunctionType) -> list[tuple[Mutant, ast.FunctionDef]]:
    """The changed functions that differ in what they mean."""
    name = ".".join(name_of(function).split(".")[-2:])
    return [pair for pair in all_mutants(function) if not {name, pair[0].describe()} & EQUIVALENT.keys()]


@functools.cache
def all_mutants(function: types.FunctionType) -> list[tuple[Mutant, ast.FunctionDef]]:
    """Every changed function, with the text of what was changed."""
    tree = tree_of(function)
    found: list[tuple[Mutant, ast.FunctionDef]] = []
    name = name_of(function)
    operands = [argument.arg for argument in tree.args.args if len(argument.arg) == 1 and argument.arg != "i"]
    mistaken = dict(itertools.pairwise(operands))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in (inner for statement in tree.body for inner in ast.walk(statement)):
        for change in (*changes(node), *mistaken_operands(node, mistaken)):
            shown = parents[node] if isinstance(node, (ast.Name, ast.Constant)) else node
            memo: dict[int, Any] = {}
            changed = copy.deepcopy(tree, memo)
            new = _Replace(memo[id(node)], change).visit(changed)
            after = change if shown is node else memo[id(shown)]
            mutant = Mutant(name, len(found), one_line(shown), one_line(after))
            found.append((mutant, ast.fix_missing_locations(new)))
    return found


def one_line(node: ast.AST) -> str:
    """An expression or statement as text."""
    return " ".join(ast.unparse(node).split())


def put(function: types.FunctionType, tree: ast.FunctionDef) -> None:
    """Make a function behave as a tree says, wherever it is referred to."""
    flags = annotations_flag()
    code = compile(ast.Module([tree], []), inspect.getsourcefile(function) or "", "exec", flags, dont_inherit=True)
    function.__code__ = next(c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == tree.name)


def annotations_flag() -> int:
    """`from __future__ import annotations`, which every module has."""
    import __future__

    return __future__.annotations.compiler_flag


# --- instructions and their functions ------------------------------------------------------------------------


def functions_of(meaning: Callable[..., Any]) -> list[types.FunctionType]:
    """A meaning and the functions of the chapters that it uses, the meaning first."""
    found: list[types.FunctionType] = []
    pending: list[Any] = [inspect.unwrap(meaning)]
    while pending:
        function = pending.pop(0)
        is_plain = isinstance(function, types.FunctionType) and not function.__code__.co_freevars
        if is_plain and function not in found and is_of_a_chapter(function):
            found.append(function)
            pending += used_by(function.__code__, function.__globals__)
    return found


def is_of_a_chapter(function: types.FunctionType) -> bool:
    """Whether it computes results, and does not register or describe."""
    module = function.__module__
    shared = ("emulator.isa.floats", "emulator.isa.packed", "emulator.isa.approximate", "emulator.isa.reductions")
    return module.startswith("emulator.isa.instructions.") or module in shared


def used_by(code: types.CodeType, names: dict[str, Any]) -> Iterator[Any]:
    """What a code object names: functions, and those of modules."""
    for word in code.co_names:
        found = names.get(word)
        if isinstance(found, types.ModuleType):
            yield from (getattr(found, other, None) for other in code.co_names)
        elif found is not None:
            yield found
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from used_by(inner, names)


class Instruction(NamedTuple):
    """The syntax lines of a mnemonic that share a meaning."""

    chapter: str
    mnemonic: str
    entries: tuple[Entry, ...]

    @property
    def functions(self) -> list[types.FunctionType]:
        return functions_of(self.entries[0].meaning)


@functools.cache
def instructions() -> list[Instruction]:
    """All that have a judge, in a fixed order."""
    found: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries():
        chapter = entry.meaning.__module__.rpartition(".")[2]
        if oracle_of(chapter, entry.mnemonic) != FORMS_RUN:
            found.setdefault((chapter, entry.mnemonic, entry.meaning.__name__), []).append(entry)
    return [Instruction(key[0], key[1], tuple(found[key])) for key in sorted(found)]


def tests_of(instruction: Instruction, function: str) -> list[str]:
    """The judges of all instructions that use a function, the instruction's own first."""
    own = oracle_of(instruction.chapter, instruction.mnemonic).test
    users = [one for one in instructions() if any(name_of(f) == function for f in one.functions)]
    return list(dict.fromkeys([own, *(oracle_of(one.chapter, one.mnemonic).test for one in users)]))


def name_of(function: types.FunctionType) -> str:
    return f"{function.__module__}.{function.__name__}"


# --- runs ----------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What became of a mutant: the example or test that killed it, or nothing."""

    mutant: Mutant
    killed_by: str
    seconds: float

    def line(self) -> str:
        """One line of the report."""
        verdict = f"killed by {self.killed_by}" if self.killed_by else "SURVIVED"
        return f"{verdict:44} {self.seconds:5.1f} s  {self.mutant.describe()}"


def first_false_example(instruction: Instruction) -> str:
    """The first example that is not true any more, or that raises."""
    for entry in instruction.entries:
        for example in entry.examples() if is_computed(entry) else ():
            try:
                wrong = bool(check_example(example))
            except Exception:
                wrong = True
            if wrong:
                return f"example {example.opcode}"
    return ""


def try_here(instruction: Instruction, mutant: Mutant) -> str:
    """Put a mutant into this process; what kills it."""
    import pytest

    function = next(f for f in instruction.functions if name_of(f) == mutant.function)
    found, tree = all_mutants(function)[mutant.number]
    assert found == mutant, (found, mutant)
    put(function, tree)
    if example := first_false_example(instruction):
        return example
    for test in tests_of(instruction, mutant.function):
        options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-m", "not slow"]
        if pytest.main([*options, str(ROOT / test)]) != 0:
            return test.rpartition("/")[2]
    return ""


def try_apart(instruction: Instruction, mutant: Mutant) -> Outcome:
    """The same in a process of its own, which leaves no compiled code behind."""
    began = time.monotonic()
    place = instructions().index(instruction)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PTXEMU_CACHE": folder}
        command = [sys.executable, "-m", "tests.mutate", "--child", str(place), mutant.function, str(mutant.number)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MOST_SECONDS
            )
        except subprocess.TimeoutExpired:
            return Outcome(mutant, "a test that does not end", time.monotonic() - began)
    assert done.returncode == 0, done.stdout + done.stderr
    return Outcome(
        mutant, done.stdout.rstrip("\n").rpartition("\n")[2].removeprefix("verdict: "), time.monotonic() - began
    )


def child(place: int, function: str, number: int) -> None:
    """Try one mutant; the last line of the output is the verdict."""
    instruction = instructions()[place]
    owner = next(f for f in instruction.functions if name_of(f) == function)
    killed_by = try_here(instruction, all_mutants(owner)[number][0])
    sys.stdout.write(f"\nverdict: {killed_by}\n")


def chosen(count: int, seed: int) -> Iterator[tuple[Instruction, Mutant]]:
    """A random mutant of each of some random instructions; half of them in the meaning itself."""
    choice = random.Random(seed)
    mutable = [one for one in instructions() if any(mutants(f) for f in one.functions)]
    for instruction in choice.sample(mutable, min(count, len(mutable))):
        functions = [f for f in instruction.functions if mutants(f)]
        function = functions[0] if choice.random() < 0.5 else choice.choice(functions)
        yield instruction, choice.choice(mutants(function))[0]


def all_of(mnemonic: str) -> Iterator[tuple[Instruction, Mutant]]:
    """Every mutant of the meanings of a mnemonic."""
    for instruction in instructions():
        if instruction.mnemonic == mnemonic:
            yield from ((instruction, mutant) for mutant, _ in mutants(instruction.functions[0]))


def main() -> int:
    """Try mutants and report; 1 if any survived."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="MNEMONIC")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(int(given.child[0]), given.child[1], int(given.child[2]))
        return 0
    survived = total = 0
    for instruction, mutant in all_of(given.only) if given.only else chosen(given.count, given.seed):
        outcome = try_apart(instruction, mutant)
        total, survived = total + 1, survived + (not outcome.killed_by)
        sys.stdout.write(f"{instruction.mnemonic:10} {outcome.line()}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{total - survived} of {total} mutants are killed\n")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
