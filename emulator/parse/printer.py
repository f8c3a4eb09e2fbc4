"""A module as text again: what is printed parses to the same nodes.

Layout is ours (a statement a line, tabs as nvcc writes them); constants come out in a form that keeps
their bits: hexadecimal floats, `U` behind unsigned integers.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.parse.nodes import (
    Address,
    Alias,
    Block,
    BranchTargets,
    CallPrototype,
    CallTargets,
    Dwarf,
    Element,
    File,
    Float,
    Function,
    FunctionDirective,
    Group,
    Initial,
    Instruction,
    Integer,
    Item,
    LabelMark,
    Loc,
    Module,
    ModuleDirective,
    Name,
    Negative,
    Not,
    Offset,
    Operand,
    Pair,
    Pragma,
    Property,
    Registers,
    Section,
    Statement,
    SymbolValue,
    Variable,
    Vector,
)


def print_module(module: Module) -> str:
    """The text of a module; a header is made where the items have none."""
    lines: list[str] = []
    if not any(isinstance(item, ModuleDirective) and item.name == "version" for item in module.items):
        lines += [
            f".version {module.version[0]}.{module.version[1]}",
            f".target {', '.join(module.target)}",
            f".address_size {module.address_size}",
        ]
    for item in module.items:
        lines += _item(item)
    return "\n".join(lines) + "\n"


def print_instruction(instruction: Instruction) -> str:
    """One instruction with its semicolon."""
    words = []
    if instruction.guard:
        words.append(f"@{'!' if instruction.guard.negated else ''}{instruction.guard.name}")
    words.append(instruction.opcode)
    if instruction.operands:
        words.append(_list(instruction.operands))
    return " ".join(words) + ";"


def print_operand(operand: Operand) -> str:
    """One operand."""
    match operand:
        case Name(name, component):
            return name if component is None else f"{name}.{component}"
        case Integer() | Float():
            return _constant(operand)
        case Vector(elements):
            return f"{{{_list(elements)}}}"
        case Pair(first, second):
            return f"{print_operand(first)}|{print_operand(second)}"
        case Not(inner):
            return f"!{print_operand(inner)}"
        case Negative(inner):
            return f"-{print_operand(inner)}"
        case Offset(base, offset):
            return f"{print_operand(base)}+{_signed(offset)}"
        case Element(base, index):
            return f"{print_operand(base)}[{print_operand(index)}]"
        case Address(elements, attribute):
            return f"[{_list(elements)}]" + (f".{attribute}" if attribute else "")
        case Group(elements):
            return f"({_list(elements)})"


def _list(operands: tuple[Operand, ...]) -> str:
    return ", ".join(map(print_operand, operands))


def _constant(constant: Integer | Float) -> str:
    if isinstance(constant, Float):
        return f"0f{constant.bits:08X}" if constant.width == 32 else f"0d{constant.bits:016X}"
    return f"{constant.value}U" if constant.unsigned else _signed(constant.value)


def _signed(value: int) -> str:
    """A .s64 constant; the lowest one has no literal, since 2^63 is unsigned (manual, 4.5.1)."""
    return "(.s64)0x8000000000000000" if value == -(1 << 63) else str(value)


# --- statements ------------------------------------------------------------------------------------


def _statements(statements: list[Statement], indent: str) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, Block):
            yield indent + "{"
            yield from _statements(statement.statements, indent + "\t")
            yield indent + "}"
        elif isinstance(statement, LabelMark):
            yield f"{statement.name}:"
        else:
            yield indent + _statement(statement)


def _statement(
    statement: Instruction | Registers | Variable | Loc | Pragma | BranchTargets | CallTargets | CallPrototype,
) -> str:
    match statement:
        case Instruction():
            return print_instruction(statement)
        case Registers():
            names = ", ".join(name if count is None else f"{name}<{count}>" for name, count in statement.names)
            return f".reg {_align(statement.align)}{_vector(statement.vector)}.{statement.type} {names};"
        case Variable():
            return _variable(statement) + ";"
        case Loc():
            return _loc(statement)
        case Pragma(strings):
            return _pragma(strings)
        case BranchTargets(name, labels):
            return f"{name}: .branchtargets {', '.join(labels)};"
        case CallTargets(name, functions):
            return f"{name}: .calltargets {', '.join(functions)};"
        case CallPrototype():
            return _prototype(statement)


def _align(align: int) -> str:
    return f".align {align} " if align else ""


def _vector(vector: int) -> str:
    return f".v{vector} " if vector > 1 else ""


def _variable(variable: Variable) -> str:
    """A declaration or a parameter, without what ends it."""
    words = [f".{variable.linkage}"] if variable.linkage else []
    bank = "" if variable.bank is None else f"[{variable.bank}]"
    words.append(f".{variable.space}{bank}")
    if variable.attributes:
        words.append(f".attribute({', '.join(variable.attributes)})")
    words.append(f"{_align(variable.align)}{_vector(variable.vector)}.{variable.type}")
    if variable.pointer is not None:
        space, align = variable.pointer
        words.append(".ptr" + (f" .{space}" if space else "") + (f" .align {align}" if align else ""))
    count = "" if variable.count is None else f"<{variable.count}>"
    words.append(variable.name + count + "".join(f"[{size or ''}]" for size in variable.dimensions))
    if variable.initial is not None:
        words.append("= " + _initial(variable.initial))
    return " ".join(words)


def _initial(initial: Initial) -> str:
    match initial:
        case Integer() | Float():
            return _constant(initial)
        case Property(name, value):
            return f"{name} = {value}"
        case SymbolValue():
            name = f"generic({initial.name})" if initial.generic else initial.name
            text = f"{name}+{_signed(initial.offset)}" if initial.offset else name
            return text if initial.mask is None else f"0x{initial.mask:X}({text})"
        case _:
            return f"{{{', '.join(map(_initial, initial))}}}"


def _loc(loc: Loc) -> str:
    text = f".loc {loc.file} {loc.line} {loc.column}"
    if loc.function_name is not None:
        text += f", function_name {loc.function_name}" + (f"+{loc.function_offset}" if loc.function_offset else "")
    if loc.inlined_at is not None:
        text += ", inlined_at {} {} {}".format(*loc.inlined_at)
    return text


def _pragma(strings: tuple[int | str, ...]) -> str:
    return ".pragma " + ", ".join(f'"{string}"' for string in strings) + ";"


def _prototype(prototype: CallPrototype) -> str:
    returns = _parameters(prototype.returns) + " " if prototype.returns else ""
    given = " " + _parameters(prototype.parameters) if prototype.parameters else ""
    directives = "".join(" " + _function_directive(directive) for directive in prototype.directives)
    return f"{prototype.name}: .callprototype {returns}_{given}{directives};"


def _parameters(parameters: tuple[Variable, ...], variadic: bool = False) -> str:
    return f"({', '.join([*map(_variable, parameters), *(['...'] if variadic else [])])})"


# --- items -----------------------------------------------------------------------------------------


def _item(item: Item) -> Iterator[str]:
    match item:
        case Function():
            yield from _function(item)
        case Section(name, section_lines):
            yield f".section {name}"
            yield "{"
            yield from section_lines
            yield "}"
        case ModuleDirective(name, values):
            yield f".{name} {', '.join(values)}"
        case File():
            numbers = [str(number) for number in (item.timestamp, item.size) if number is not None]
            yield ", ".join([f'.file {item.index} "{item.path}"', *numbers])
        case Dwarf(text):
            yield f"@@DWARF {text}"
        case Alias(name, target):
            yield f".alias {name}, {target};"
        case _:
            yield _statement(item)


def _function(function: Function) -> Iterator[str]:
    words = [f".{function.linkage}"] if function.linkage else []
    words.append(f".{function.kind}")
    words += [_function_directive(directive) for directive in function.directives if directive.name == "attribute"]
    if function.returns:
        words.append(_parameters(function.returns))
    words.append(function.name + _parameters(function.parameters, function.variadic))
    words += [_function_directive(directive) for directive in function.directives if directive.name != "attribute"]
    if function.body is None:
        yield " ".join(words) + ";"
        return
    yield " ".join(words)
    yield "{"
    yield from _statements(function.body.statements, "\t")
    yield "}"


def _function_directive(directive: FunctionDirective) -> str:
    if directive.name == "pragma":
        return _pragma(directive.values)
    values = ", ".join(map(str, directive.values))
    return f".attribute({values})" if directive.name == "attribute" else f".{directive.name} {values}".rstrip()
