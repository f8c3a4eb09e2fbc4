"""What a declaration or directive must be, beyond the grammar (manual, 5.1 to 5.4, 11.1 and 11.4), as ptxas has it."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.errors import Diagnostic, Label, Source, Span
from emulator.parse import nodes
from emulator.program.layout import align_of
from emulator.program.requirements import target_rank
from emulator.program.size_limits import Problem, declared, too_large
from emulator.ptx_types import OPAQUE_TYPES, TYPES

POSITIVE = ("maxntid", "reqntid", "minnctapersm", "maxnreg", "maxnctapersm")
CONFLICTS = (("maxntid", "reqntid"), ("reqnctapercluster", "maxclusterrank"))
ADDRESS_BITS = (32, 64)


def check_declarations(module: nodes.Module) -> list[Diagnostic]:
    """The wrong declarations and directives of a module."""
    found: list[tuple[Problem, Span]] = []
    found += [(problem, _target_span(module)) for problem in _head(module)]
    for item in module.items:
        if isinstance(item, nodes.Variable):
            found += [(problem, item.span) for problem in _module_variable(module, item)]
        elif isinstance(item, nodes.Registers):
            found += [(problem, item.span) for problem in _registers(item)]
        elif isinstance(item, nodes.Function):
            found += _function(module, item)
    found += _duplicates(module)
    found += _inconsistent(module)
    found += too_large(module)
    return [_diagnostic(module.source, problem, span) for problem, span in found]


def _diagnostic(source: Source, problem: Problem, span: Span) -> Diagnostic:
    return Diagnostic("PTX-P0136", "semantic", problem[0], source, (Label(span),), help=problem[1])


def _target_span(module: nodes.Module) -> Span:
    found = [item.span for item in module.items if isinstance(item, nodes.ModuleDirective) and item.name == "target"]
    return found[-1] if found else Span(0, 1)


# --- the head ------------------------------------------------------------------------------------


def _head(module: nodes.Module) -> Iterator[Problem]:
    names = [item.name for item in module.items if isinstance(item, nodes.ModuleDirective)]
    for name in ("version", "target"):
        if names.count(name) > 1:
            yield f"a second .{name}", "a module has one"
    options = module.target[1:]
    if "map_f64_to_f32" in options and target_rank(module.target[0])[0] >= 13:
        yield "map_f64_to_f32 is for targets below sm_13", "leave the option out"
    if "texmode_unified" in options and "texmode_independent" in options:
        yield "texmode_unified and texmode_independent cannot go together", "leave one out"
    if "debug" in options and not any(isinstance(item, (nodes.Section, nodes.Dwarf)) for item in module.items):
        yield "the target option debug without debug information", "leave the option out, or compile with -G"


# --- variables -----------------------------------------------------------------------------------


def _module_variable(module: nodes.Module, variable: nodes.Variable) -> Iterator[Problem]:
    yield from _variable(module, variable)
    if variable.space == "local":
        yield f"{variable.name} is a .local variable outside of a function", "declare it in the function that uses it"
    if variable.space == "tex" and module.version >= (1, 5):
        yield ".tex variables are gone since PTX 1.5", f".global .texref {variable.name};"
    if variable.linkage == "common" and variable.space != "global":
        yield f"{variable.name} is .common and not .global", "common variables are in .global memory"


def _variable(module: nodes.Module, variable: nodes.Variable, local: frozenset[str] = frozenset()) -> Iterator[Problem]:
    """local: variables of the same function that have addresses."""
    name, space = variable.name, variable.space
    if variable.type == "pred" and space != "reg":
        yield f"{name} is a predicate in .{space} memory", "predicates are registers: .reg .pred"
    if space == "param" and not variable.dimensions and (variable.vector > 1 or variable.type == "f16x2"):
        yield f"{name} is a parameter that is a vector", f"pass bytes: .param .align 16 .b8 {name}[16]"
    if variable.type == "samplerref" and "texmode_independent" not in module.target:
        yield f"{name} is a sampler, in unified texture mode", ".target ..., texmode_independent"
    if variable.type in TYPES and variable.vector * TYPES[variable.type].width > 128:
        yield f"a vector of more than 128 bits: {name}", "use an array"
    if variable.linkage != "extern" and space != "param" and _is_incomplete(variable):
        fix = f".extern .shared, for dynamic shared memory: {name}[]" if space == "shared" else "say how many elements"
        yield f"{name} is an array without a size", fix
    if variable.align & (variable.align - 1):
        yield f"an alignment of {variable.align} bytes", "alignments are powers of two"
    for attribute in variable.attributes:
        word = attribute.lstrip(".").partition("(")[0]
        if space != "global":
            yield f"{name} is .{word} in .{space} memory", "that attribute is for .global variables"
        elif word == "unified":
            yield _unified(name)
    yield from _initial(module, variable, local)


def _is_incomplete(variable: nodes.Variable) -> bool:
    """Whether an array has no size; an initialiser gives the first extent (manual, 5.4.4)."""
    dimensions = variable.dimensions
    return 0 in dimensions[1:] or (dimensions[:1] == (0,) and not variable.initial)


def _unified(name: str) -> Problem:
    """ptxas takes the attribute with --compile-only: the linker unites what has its number, and here is none."""
    return f"{name} is .unified, in a program that is not linked with others", "leave the attribute out"


def _initial(module: nodes.Module, variable: nodes.Variable, local: frozenset[str]) -> Iterator[Problem]:
    if variable.initial is None:
        return
    problem = _misshapen(variable.initial, list(variable.dimensions), variable.vector)
    if problem is not None and variable.type not in OPAQUE_TYPES:  # those are lists of properties (manual, 5.3.1)
        yield f"the initial value of {variable.name} has {problem}", "braces go as deep as dimensions and vectors"
    symbols = {leaf.name for leaf in _leaves(variable) if isinstance(leaf, nodes.SymbolValue)}
    for name in sorted(symbols - _addressable(module) - local if symbols else ()):
        yield f"an initial value of {variable.name} is the address of {name}", "name a .global or .const variable"
    if variable.space not in ("global", "const"):
        yield f"{variable.name} is initialised in .{variable.space} memory", "store the value at run time"
    elif variable.linkage == "extern":
        yield f"{variable.name} is extern and initialised", "initialise it where it is defined"
    elif variable.type == "f16":
        yield f"{variable.name} is a .f16 with an initial value", "declare it as .b16, with the bits"
    elif variable.type not in OPAQUE_TYPES and not all(_suits(leaf, variable.type) for leaf in _leaves(variable)):
        kind = "numbers with a decimal point" if variable.type in ("f32", "f64") else "integers"
        yield f"an initial value of {variable.name} is not of its type .{variable.type}", f"write {kind}"


def _misshapen(initial: nodes.Initial, extents: list[int], vector: int) -> str | None:
    """How an initialiser does not fit dimensions and vector; 0 is an extent that it gives itself (manual, 5.4.4)."""
    if not isinstance(initial, tuple):
        return "a number where braces are needed" if extents or vector > 1 else None
    count = len(initial)
    if extents:
        if extents[0] and count > extents[0]:
            return f"{count} elements for {extents[0]}"
        found = (_misshapen(part, extents[1:], vector) for part in initial)
        return next((problem for problem in found if problem is not None), None)
    if vector == 1 or any(isinstance(part, tuple) for part in initial):
        return "more braces than dimensions"
    return f"{count} elements for a vector of {vector}" if count != vector else None


def _is_static(variable: nodes.Variable) -> bool:
    return variable.space in ("global", "const")


def _addressable(module: nodes.Module) -> frozenset[str]:
    """What an initialiser may name: functions, and variables that are one for all threads."""
    items = module.items
    names = [item.name for item in items if isinstance(item, nodes.Variable) and _is_static(item)]
    return frozenset([*names, *module.functions, *(item.name for item in items if isinstance(item, nodes.Alias))])


def _leaves(variable: nodes.Variable) -> Iterator[nodes.Initial]:
    pending = [variable.initial]
    while pending:
        initial = pending.pop()
        if isinstance(initial, tuple):
            pending += initial
        elif initial is not None:
            yield initial


def _suits(initial: nodes.Initial, kind: str) -> bool:
    """Whether a value may initialise a type: floats suit float and untyped ones, addresses those of 32 and 64 bits."""
    letter = TYPES[kind].kind
    if isinstance(initial, nodes.Float):
        return letter in "fb"
    if isinstance(initial, nodes.SymbolValue) and initial.mask is None:
        return letter in "usb" and TYPES[kind].width in ADDRESS_BITS
    return letter in "usb"


def _registers(node: nodes.Registers) -> Iterator[Problem]:
    if node.type not in TYPES:
        yield f"a register of type .{node.type}", f"declare a .global .{node.type}, or a parameter"
    elif node.vector > 1 and node.type == "pred":
        yield "a vector of predicates", "declare them one by one"
    elif node.vector * TYPES[node.type].width > 128:
        yield "a vector register of more than 128 bits", f"declare {node.vector} registers"


# --- functions -----------------------------------------------------------------------------------


def _function(module: nodes.Module, function: nodes.Function) -> Iterator[tuple[Problem, Span]]:
    for parameter in (*function.parameters, *function.returns):
        yield from ((problem, parameter.span) for problem in _variable(module, parameter))
        if function.kind == "entry" and parameter.space != "param":
            problem = f"the kernel's parameter {parameter.name} is a register", f".param .{parameter.type}"
            yield problem, parameter.span
    if function.linkage == "extern" and function.body is not None:
        yield (f"{function.name} is extern and has a body", "leave .extern or the body out"), function.span
    if any(d.name == "attribute" and any("unified" in str(v) for v in d.values) for d in function.directives):
        yield _unified(function.name), function.span
    yield from ((problem, function.span) for problem in _directives(module, function))
    yield from _repeated(function)
    if function.body is not None:
        inside = list(declared(function.body))
        local = frozenset(node.name for node in inside if isinstance(node, nodes.Variable) and _is_static(node))
        for node in inside:
            problems = _registers(node) if isinstance(node, nodes.Registers) else _variable(module, node, local)
            yield from ((problem, node.span) for problem in problems)


def _directives(module: nodes.Module, function: nodes.Function) -> Iterator[Problem]:
    given = {directive.name: directive.values for directive in function.directives}
    if "maxnctapersm" in given and module.version >= (2, 1):
        yield ".maxnctapersm is gone since PTX 2.1", "use .minnctapersm"
    if "blocksareclusters" in given and not {"reqntid", "reqnctapercluster"} <= set(given):
        yield ".blocksareclusters needs .reqntid and .reqnctapercluster", "give both sizes"
    for first, second in CONFLICTS:
        if first in given and second in given:
            yield f".{first} and .{second} cannot go together", "leave one out"
    for name in POSITIVE:
        if 0 in given.get(name, ()):
            yield f".{name} 0", "the number is at least 1"


# --- names that are there twice ------------------------------------------------------------------


def _repeated(function: nodes.Function) -> Iterator[tuple[Problem, Span]]:
    """Parameters of one name, which no caller can tell from each other, and a kernel's arrays without a size."""
    seen: set[str] = set()
    for parameter in (*function.returns, *function.parameters) if function.body is not None else ():
        if parameter.name in seen:
            yield (f"{function.name} has two parameters {parameter.name}", "rename one of them"), parameter.span
        if function.kind == "entry" and 0 in parameter.dimensions:
            yield (f"the parameter {parameter.name} is an array without a size", "say how many bytes"), parameter.span
        seen.add(parameter.name)


def _signature(function: nodes.Function) -> list[tuple[object, ...]]:
    """What all declarations of a function must have in common."""
    lists = (function.returns, function.parameters)
    return [
        (number, variable.space, variable.type, variable.vector, variable.dimensions, align_of(variable))
        for number, variables in enumerate(lists)
        for variable in variables
    ]


def _inconsistent(module: nodes.Module) -> Iterator[tuple[Problem, Span]]:
    """Functions that are declared with other parameters or results than before."""
    first: dict[str, nodes.Function] = {}
    for item in module.items:
        if isinstance(item, nodes.Function):
            before = first.setdefault(item.name, item)
            if before is not item and _signature(before) != _signature(item):
                fix = "types, sizes and alignments are those of the first declaration"
                yield (f"{item.name} is declared with other parameters or results before", fix), item.span


def _duplicates(module: nodes.Module) -> Iterator[tuple[Problem, Span]]:
    """Two definitions of a variable or function in the module; declarations may be repeated."""
    defined: set[str] = set()
    for item in module.items:
        is_function = isinstance(item, nodes.Function) and item.body is not None
        is_variable = isinstance(item, nodes.Variable) and item.linkage != "extern"
        if not (is_function or is_variable):
            continue
        assert isinstance(item, (nodes.Function, nodes.Variable))
        if item.name in defined:
            yield (f"{item.name} is defined twice", "rename one of them"), item.span
        defined.add(item.name)
