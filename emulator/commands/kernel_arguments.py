"""`--arg NAME=SPEC` on the command line, bound to the parameters of a kernel."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from emulator.arguments import TYPE_NAMES, Spec, parse_spec, spec_error
from emulator.errors import Diagnostic, Label, UsageError
from emulator.program import KernelParameter, Program

_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|nan)")


class Argument(NamedTuple):
    """A parameter and the SPEC that was given for it."""

    parameter: KernelParameter
    spec: Spec


def find_parameter(program: Program, text: str, option: str) -> KernelParameter:
    """A parameter by name, by the unique end of its name, or by position, counted from 1 as in every message."""
    parameters = program.parameters
    for parameter in parameters:
        if parameter.name == text:
            return parameter
    if text.isdigit() and 1 <= int(text) <= len(parameters):
        return parameters[int(text) - 1]
    ending = [parameter for parameter in parameters if text and parameter.name.endswith("_" + text)]
    if len(ending) == 1 and not text.isdigit():
        return ending[0]
    names = [parameter.name for parameter in parameters]
    near = difflib.get_close_matches(text, names, n=1)
    help = f"did you mean {near[0]}?" if near else ""
    if text.isdigit():
        help = f"positions are 1 to {len(parameters)}"
    message = f"{option}: {program.name} has no parameter {text}"
    raise UsageError(Diagnostic("PTX-L0103", "usage", message, program.source, facts=(_takes(program),), help=help))


def bind_arguments(program: Program, texts: Sequence[str]) -> list[Argument]:
    """Every parameter with its SPEC, in order; UsageError for what does not fit or is missing.

    A text is NAME=SPEC, or SPEC alone, which goes to the first parameter that has none yet.  A bare number takes the
    parameter's type.
    """
    named: dict[str, str] = {}
    in_order: list[str] = []
    for text in texts:
        name, equals, spec = text.partition("=")
        if not equals or _is_spec(program, name):
            in_order.append(text)
            continue
        parameter = find_parameter(program, name.strip(), f"--arg {text}")
        if parameter.name in named:
            message = f"--arg {text}: {parameter.name} was given already, {named[parameter.name]}"
            raise UsageError(Diagnostic("PTX-L0103", "usage", message))
        named[parameter.name] = spec
    for parameter in program.parameters:
        if parameter.name not in named and in_order:
            named[parameter.name] = in_order.pop(0)
    found = [Argument(p, _spec(p, named[p.name])) for p in program.parameters if p.name in named]
    if in_order or len(found) < len(program.parameters):
        raise _wrong_count(program, named, in_order)
    return found


def _is_spec(program: Program, head: str) -> bool:
    """Whether what stands before the first = begins a SPEC: a type or a file, and no parameter's name."""
    if head in (parameter.name for parameter in program.parameters):
        return False
    return head.startswith("@") or head.partition("[")[0].strip() in TYPE_NAMES


def _spec(parameter: KernelParameter, text: str) -> Spec:
    where = f"--arg {parameter.name}"
    if not _NUMBER.fullmatch(text.strip()):
        return parse_spec(text, where)
    kind = parameter.node.type
    if parameter.is_struct or kind not in TYPE_NAMES:
        example = f"u8[{parameter.size}]" if parameter.is_struct else "b32=7"
        raise spec_error(
            where, text, f"a number alone does not say what {parameter.name} is", text, f"such as {example}"
        )
    return Spec(text.strip(), kind, None, text.strip(), where)


def _wrong_count(program: Program, named: dict[str, str], left: list[str]) -> UsageError:
    count, found = len(program.parameters), len(named) + len(left)
    message = f"{program.name} takes {count} argument{'s' * (count != 1)}, found {found}"
    label = Label(program.entry.node.span)
    missing = [(n, parameter) for n, parameter in enumerate(program.parameters, 1) if parameter.name not in named]
    facts, help = [_takes(program)], ""
    if missing:
        facts.append(("missing", ", ".join(parameter.name for _, parameter in missing)))
        help = "give the others too, such as\n" + " ".join(f"--arg {_example(n, p)}" for n, p in missing[:3])
    return UsageError(Diagnostic("PTX-L0102", "usage", message, program.source, (label,), tuple(facts), help))


def _example(position: int, parameter: KernelParameter) -> str:
    name = parameter.name if len(parameter.name) <= 12 else position
    if parameter.is_struct:
        return f"{name}=u8[{parameter.size}]"
    return f"{name}=f32[1024]" if parameter.size == 8 and parameter.node.type[0] != "f" else f"{name}=7"


def _takes(program: Program) -> tuple[str, str]:
    parts = []
    for parameter in program.parameters:
        size = f"[{parameter.size}]" if parameter.is_struct else ""
        parts.append(f".{parameter.node.type} {parameter.name}{size}")
    return "takes", "\n".join(parts) or "nothing"


def values_of(arguments: Sequence[Argument], seed: int) -> dict[str, Any]:
    """The arrays and NumPy scalars of arguments by parameter name; the seed is that of `random`."""
    return {parameter.name: spec.value(seed, parameter.name) for parameter, spec in arguments}
