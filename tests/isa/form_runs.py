"""Runs one accepted form on an engine: its registers get values that it can work with, its addresses lead somewhere.

A register between brackets points into memory of the state space that the instruction accesses, of multimem
instructions into a multicast, so that the address with its offset is a multiple of 128; a member mask has all lanes, a
barrier a number and a count; every other register holds a number of its type.  The values are set by instructions in
front of the form.
"""

from __future__ import annotations

from typing import Any

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.api.kernel import Kernel
from emulator.errors import IllegalAddress, IllegalBarrier, KernelFault, MisalignedAddress, StackOverflow, Trap
from emulator.isa.mbarrier import MOST
from emulator.isa.registry import flat_operands
from emulator.machine.warp import ALL_LANES
from emulator.parse import parse
from emulator.program import Instruction, Program, link
from emulator.program.instruction import KernelParameter
from emulator.program.operands import Immediate, Memory, Operand, Register, Symbol
from tests import forms
from tests.forms import Record

GROUND = {space: f"ground_{space}" for space in ("global", "const", "shared", "local", "param")}
MODULE = f".global .align 128 .b8 {GROUND['global']}[8192];\n.const .align 128 .b8 {GROUND['const']}[4096];\n"
BODY = f".shared .align 128 .b8 {GROUND['shared']}[4096];\n.local .align 128 .b8 {GROUND['local']}[4096];\n"
PARAMETER = f".param .align 128 .b8 {GROUND['param']}[2048]"
MIDDLE = 1024  # of the memory that a pointer points into
NUMBERS = {1: "1", 8: "9", 16: "12", 32: "64", 64: "72"}
FLOATS = {"f16": "0x3e00", "f16x2": "0x3e003e00", "f32": "0f3fc00000", "f64": "0d3ff8000000000000"}
BARRIERS = "9.7.13.1"
MOST_INSTRUCTIONS = 4000
ARRIVALS = 100_000  # that the mbarrier objects of forms expect


def run(record: Record, system: System) -> KernelFault | None:
    """Run a form's kernels; the fault that its meaning demands, if any.  Whatever else goes wrong is raised."""
    if record["kind"] != "insn":
        return _launch(ObjectCode.from_ptx(forms.source(record).encode()), system)
    program = program_of(record)
    multicast = system.multicast(2 * MIDDLE, "uint8") if "multimem" in record["text"] else None
    settings = [*_settings(program, int(multicast or 0) + MIDDLE), *_objects(program)]
    fault = _launch(ObjectCode.from_ptx(_source(record, "\n".join(settings)).encode(), name=record["id"]), system)
    if multicast is not None:
        multicast.close()
    return fault


def program_of(record: Record) -> Program:
    """The form linked, before its registers get values."""
    return link(parse(_source(record, ""), record["id"]), "k")


def programs_of(record: Record) -> list[Program]:
    """All programs of a form: that of an instruction, or the kernels of a module."""
    if record["kind"] == "insn":
        return [program_of(record)]
    code = ObjectCode.from_ptx(forms.source(record).encode(), name=record["id"])
    return [code.program(name) for name in code.kernels]


def _source(record: Record, settings: str) -> str:
    """The form's module with ground to point to; a function is called by a kernel."""
    parameters = ", ".join(filter(None, (record["params"], PARAMETER)))
    changed = {
        **record,
        "module": MODULE + record["module"],
        "decls": BODY + record["decls"],
        "text": f"{settings}\n{record['text']}",
        "params": parameters,
    }
    if record.get("ctx") != "func":
        return forms.source(changed)
    names = [f"argument{n}" for n in range(parameters.count(".param"))]
    arguments = "".join(f".param .align 128 .b8 {name}[2048];" for name in names)
    kernel = f".visible .entry caller () {{ {arguments} call k, ({', '.join(names)}); ret; }}\n"
    return forms.source(changed) + kernel


# --- values for registers ------------------------------------------------------------------------


def _settings(program: Program, multimem: int) -> list[str]:
    """Instructions that set every register that the kernel's outermost block declares and uses."""
    pointers: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for instruction in program.instructions:
        for operand in instruction.sources:
            _note(instruction, operand, multimem, pointers, numbers)
    scope = program.entry.scopes[0][1]
    registers = [r for r in program.entry.registers if scope.find(r.name.partition(".")[0]) is not None]
    return [_set(register, pointers, numbers) for register in registers]


def _note(
    instruction: Instruction, operand: Operand, multimem: int, pointers: dict[str, str], numbers: dict[str, str]
) -> None:
    place, entry = operand.place, instruction.variant.entry
    if isinstance(place, Memory) and isinstance(place.base, Register) and entry.mnemonic == "multimem":
        pointers[place.base.name] = str(multimem - place.offset)
    elif isinstance(place, Memory) and isinstance(place.base, Register):
        pointers[place.base.name] = f"{GROUND[_space(instruction, operand)]}+{MIDDLE - place.offset}"
        if _is_generic(instruction, operand) and place.base.type.width == 64:
            pointers[place.base.name] += f"; cvta.shared.u64 {place.base.name}, {place.base.name}"
    elif isinstance(place, Register) and operand.name == entry.sync:
        numbers[place.name] = "-1"
    elif isinstance(place, Register) and entry.section == BARRIERS:
        numbers[place.name] = "1" if operand.name == "a" else "64"
    elif isinstance(place, Register) and entry.mnemonic in ("brx", "stackrestore"):
        numbers[place.name] = "0"


def _space(instruction: Instruction, operand: Operand) -> str:
    named = instruction.variant.get("ss")
    if named is not None:
        return str(named).partition("::")[0]
    return "shared" if _is_shared(instruction, operand) else "global"


def _is_shared(instruction: Instruction, operand: Operand) -> bool:
    """Whether an address leads to shared memory without a modifier that says so."""
    specs = flat_operands(instruction.variant.entry.signature.operands)
    return any(spec.name == operand.name and "shared" in spec.flags for spec in specs)


def _is_generic(instruction: Instruction, operand: Operand) -> bool:
    return instruction.variant.get("ss") is None and _is_shared(instruction, operand) and operand.name != "dst"


def _objects(program: Program) -> list[str]:
    """Instructions that make the mbarrier objects which others need."""
    places = [o.place for i in program.instructions for o in i.sources if o.name in ("addr", "mbar")]
    made = []
    for place in places:
        if isinstance(place, Memory) and isinstance(place.base, Symbol):
            made.append(f"{place.base.storage.name}+{place.base.addend + place.offset}")
        elif isinstance(place, Memory):
            made.append(f"{GROUND['shared']}+{MIDDLE}")
    return [f"mbarrier.init.shared.b64 [{name}], {ARRIVALS};" for name in made]


def _set(register: Register, pointers: dict[str, str], numbers: dict[str, str]) -> str:
    name, kind = register.name, register.type
    if name in pointers and kind.width >= 32:
        return f"mov.u{kind.width} {name}, {pointers[name]};"
    if kind.kind == "p":
        return f"mov.pred {name}, 1;"
    number = numbers.get(name) or FLOATS.get(kind.name) or NUMBERS.get(kind.width)
    if kind.width == 128:
        return f"mov.b128 {name}, {{1, 2}};"
    if kind.width == 8:
        return f"cvt.u8.u16 {name}, {number};"
    return f"mov.b{kind.width} {name}, {number};"


# --- launches ------------------------------------------------------------------------------------


def _launch(code: ObjectCode, system: System) -> KernelFault | None:
    names = ["caller"] if "caller" in code.kernels else code.kernels
    for name in names:
        kernel = code.get_kernel(name)
        fault = _run_kernel(kernel, system)
        if fault is not None:
            return fault
    return None


def _run_kernel(kernel: Kernel, system: System) -> KernelFault | None:
    device = system.device(0)
    system.runner.limits.max_instructions = system.runner.time + MOST_INSTRUCTIONS
    arguments = [_argument(parameter) for parameter in kernel.program.parameters]
    try:
        launch(device.default_stream, _config(kernel.program), kernel, *arguments)
        device.sync()
    except KernelFault as fault:
        system.reset()
        if not is_demanded(kernel.program, fault):
            raise
        return fault
    return None


def _argument(parameter: KernelParameter) -> Any:
    """Zeros of a parameter's type."""
    return bytes(parameter.size) if parameter.is_struct else 0.0 if parameter.node.type in ("f32", "f64") else 0


def _config(program: Program) -> LaunchConfig:
    """One CTA: a warp, or two where barriers count 64 threads, or a thread for mbarriers; what directives ask for."""
    given = {directive.name: directive.values for directive in program.entry.node.directives}
    counted = any(instruction.variant.entry.section == BARRIERS for instruction in program.instructions)
    block: Any = given.get("reqntid") or (64 if counted else 1 if _objects(program) else 32)
    cluster: Any = given.get("reqnctapercluster") or None
    return LaunchConfig(1, cluster=cluster, block=block)


def is_demanded(program: Program, fault: KernelFault) -> bool:
    """Whether a form means the fault.

    Traps and failed assertions; an alloca of more than there is; a constant mask without an executing lane; a count
    beyond an mbarrier's; an element of an array of bytes that is no multiple of the access; a variable, which has no
    multimem address; pointers that a whole module leaves unset.
    """
    words = {instruction.variant.entry.mnemonic for instruction in program.instructions}
    places = [operand.place for instruction in program.instructions for operand in instruction.sources]
    if isinstance(fault, StackOverflow):
        return "alloca" in words
    if isinstance(fault, Trap):
        return bool(words & {"trap", "brkpt"}) or "__assertfail" in program.functions
    if isinstance(fault, IllegalBarrier) and "mbarrier" in words:
        return any(isinstance(place, Immediate) and place.bits > MOST for place in places)
    if isinstance(fault, IllegalBarrier):
        return any(isinstance(place, Immediate) and place.bits & ALL_LANES != ALL_LANES for place in places)
    if isinstance(fault, MisalignedAddress):
        return any(isinstance(place, Memory) and isinstance(place.base, Symbol) and place.offset for place in places)
    if "multimem" in words and any(isinstance(place, Memory) and isinstance(place.base, Symbol) for place in places):
        return isinstance(fault, IllegalAddress)
    return isinstance(fault, IllegalAddress) and GROUND["global"] not in program.source.text
