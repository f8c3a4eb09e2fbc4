"""Which registers may differ by nature between two right machines, and which loops only wait.

Two kinds of taint:
    value     clocks, numbers of SMs, old values of atomics, flags that another thread sets: all that follows from one
              may differ, what is loaded from such an address too
    address   addresses of variables and of functions: they may differ, but what lies there does not

A register is tainted if any instruction gives it something tainted: too much rather than too little, so that what is
compared must be equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from emulator.program import Instruction, Program
from emulator.program.dataflow import labels_of, reads, registers_of, writes
from emulator.program.instruction import FunctionInfo
from emulator.program.operands import Callee, Memory, Operand, Packed, Register, Special, Storage, Symbol

VALUE, ADDRESS = "value", "address"
_UNSTABLE = """
    clock clock_hi clock64 globaltimer globaltimer_lo globaltimer_hi smid nsmid warpid nwarpid gridid
    reserved_smem_offset_begin reserved_smem_offset_end reserved_smem_offset_cap reserved_smem_offset_0
    reserved_smem_offset_1 total_smem_size aggr_smem_size current_graph_exec
"""
UNSTABLE = frozenset(_UNSTABLE.split())
STRONG = frozenset({"volatile", "relaxed", "acquire", "mmio"})
STORES = ("st", "red", "atom")
WAITS = ("mbarrier.test_wait", "mbarrier.try_wait")
LONGEST_SPIN = 64  # instructions of a loop that only waits


@dataclass
class Taint:
    """What was found: the kind and why, of registers by offset and of what functions pass to each other by identity.

    spins: pcs of loops that only wait.
    """

    registers: dict[int, tuple[str, str]] = field(default_factory=dict)
    passed: dict[int, tuple[str, str]] = field(default_factory=dict)
    spins: frozenset[int] = frozenset()

    def of(self, instruction: Instruction) -> tuple[str, str] | None:
        """The taint of what an instruction writes; of a store or an atomic, of what it leaves in memory.

        Where it does so counts too, if that is a matter of chance.
        """
        if instruction.variant.entry.mnemonic not in STORES:
            places = writes(instruction)
        else:
            operands = [o for o in instruction.sources if not isinstance(o.place, Memory)]
            places = [register for operand in operands for register in registers_of(operand.place)]
        found = [self.registers[register.offset] for register in places if register.offset in self.registers]
        if instruction.variant.entry.mnemonic in STORES:
            based = [place.base for place in _memories(instruction) if isinstance(place.base, Register)]
            chance = [self.registers[r.offset] for r in based if r.offset in self.registers]
            found += [known for known in chance if known[0] == VALUE]
        return min(found, key=lambda item: item[0] != VALUE, default=None)

    def compares(self, instruction: Instruction, result: Register) -> bool:
        """Whether a result is recorded: untainted, and outside of waiting loops."""
        return instruction.pc not in self.spins and result.offset not in self.registers


def find_taint(program: Program, *, pointers_differ: bool = False, maps: frozenset[str] = frozenset()) -> Taint:
    """The taint of a program.

    pointers_differ: whether buffers have other addresses on the other machine.  maps: parameters that are tensor maps,
    whose bytes are each driver's own.
    """
    taint = Taint(spins=frozenset(pc for first, last in spin_loops(program) for pc in range(first, last + 1)))
    changed = True
    while changed:
        changed = False
        for instruction in program.instructions:
            found = _source_of(instruction, taint, pointers_differ) or _passed_on(instruction, taint)
            found = found or _of_map(instruction, maps)
            if found is None:
                continue
            for register in writes(instruction):
                known = taint.registers.get(register.offset)
                if known is None or (known[0] == ADDRESS and found[0] == VALUE):
                    taint.registers[register.offset] = found
                    changed = True
        for instruction in program.instructions:
            changed |= _through_calls(program, instruction, taint)
    return taint


def _through_calls(program: Program, instruction: Instruction, taint: Taint) -> bool:
    """Pass taint on through parameters and results of functions; whether something was new."""
    moved: list[tuple[object, tuple[str, str]]] = []
    if instruction.variant.entry.mnemonic == "st":
        stored = [taint.registers.get(r.offset) for o in instruction.sources[1:] for r in registers_of(o.place)]
        for memory, kept in product(_memories(instruction), filter(None, stored)):
            if isinstance(memory.base, Symbol):
                moved.append((memory.base.storage, kept))
    if instruction.call is not None:
        for info in _callees(program, instruction):
            given, taken = instruction.call.arguments.elements, instruction.call.results.elements
            for source, target in [*zip(given, info.parameters, strict=False), *zip(info.returns, taken, strict=False)]:
                known = _taint_of_place(source, taint)
                if known is not None:
                    moved.append((target, known))
            if info.external:
                moved += [(target, (ADDRESS, f"the call of line {instruction.line}")) for target in taken]
    before = len(taint.registers) + len(taint.passed)
    for place, kept in moved:
        _mark(place, kept, taint)
    return len(taint.registers) + len(taint.passed) > before


def _callees(program: Program, instruction: Instruction) -> Iterator[FunctionInfo]:
    for operand in instruction.sources:
        if isinstance(operand.place, Callee) and isinstance(operand.place.place, str):
            yield program.functions[operand.place.place]


def _key_of(place: object) -> tuple[bool, int] | None:
    """(whether it is a register, its key) of what a call passes."""
    inner = place.place if isinstance(place, Operand) else place
    if isinstance(inner, Register):
        return True, inner.offset
    return (False, id(inner)) if isinstance(inner, Storage) else None


def _taint_of_place(place: object, taint: Taint) -> tuple[str, str] | None:
    key = _key_of(place)
    return None if key is None else (taint.registers if key[0] else taint.passed).get(key[1])


def _mark(place: object, found: tuple[str, str], taint: Taint) -> None:
    key = _key_of(place)
    if key is not None:
        (taint.registers if key[0] else taint.passed).setdefault(key[1], found)


def _source_of(instruction: Instruction, taint: Taint, pointers_differ: bool) -> tuple[str, str] | None:
    """Why an instruction's results differ by themselves."""
    word = instruction.variant.entry.mnemonic
    at = f"line {instruction.line}"
    if is_strong_read(instruction):
        return VALUE, f"{instruction.opcode} of {at}"
    if word in ("activemask", "createpolicy", "stacksave") or instruction.opcode.startswith("mbarrier.arrive"):
        return VALUE, f"{word} of {at}"
    if word == "alloca":
        return ADDRESS, f"alloca of {at}"
    if word == "ld" and pointers_differ and _loads_pointer(instruction):
        return ADDRESS, f"the parameter of {at}"
    for operand in instruction.sources:
        found = _of_operand(operand, at)
        if found is not None:
            return found
    if word == "cvta" and ".to" not in instruction.opcode and instruction.variant.get("ss") not in ("global", "const"):
        return ADDRESS, f"the generic window of {at}"
    for memory in _memories(instruction):
        if word == "ld" and isinstance(memory.base, Symbol) and id(memory.base.storage) in taint.passed:
            return taint.passed[id(memory.base.storage)]
    return None


def _of_map(instruction: Instruction, maps: frozenset[str]) -> tuple[str, str] | None:
    """The bytes of a tensor map."""
    if instruction.variant.entry.mnemonic != "ld" or instruction.variant.get("ss") != "param":
        return None
    names = {memory.base.storage.name for memory in _memories(instruction) if isinstance(memory.base, Symbol)}
    return next(((VALUE, f"the tensor map {name}, line {instruction.line}") for name in names & maps), None)


def _of_operand(operand: Operand, at: str) -> tuple[str, str] | None:
    place = operand.place
    if isinstance(place, Special) and (place.name in UNSTABLE or place.name.startswith(("pm", "envreg"))):
        return VALUE, f"%{place.name} of {at}"
    if isinstance(place, Symbol):
        return ADDRESS, f"the address of {place.storage.name}, {at}"
    if isinstance(place, Packed):
        return next((found for element in place.elements if (found := _of_operand(element, at))), None)
    return None


def _loads_pointer(instruction: Instruction) -> bool:
    return instruction.variant.get("ss") == "param" and writes(instruction)[0].type.width == 64


def is_strong_read(instruction: Instruction) -> bool:
    """Whether its result depends on what other threads did just before: atomics, flags, waits."""
    word = instruction.variant.entry.mnemonic
    if word == "atom" or instruction.opcode.startswith(WAITS):
        return True
    parts = set(instruction.opcode.split("."))
    return word == "ld" and bool(parts & STRONG) and "shared" not in parts


def _passed_on(instruction: Instruction, taint: Taint) -> tuple[str, str] | None:
    """The taint that results take from sources; an address taints what is loaded from it only as a value."""
    based = {place.base.offset for place in _memories(instruction) if isinstance(place.base, Register)}
    found = None
    for register in reads(instruction):
        known = taint.registers.get(register.offset)
        if known is None or (known[0] == ADDRESS and register.offset in based):
            continue
        if known[0] == VALUE:
            return known
        found = found or known
    return found


def _memories(instruction: Instruction) -> Iterator[Memory]:
    for operand in instruction.sources:
        if isinstance(operand.place, Memory):
            yield operand.place


# --- loops that wait -----------------------------------------------------------------------------------


def spin_loops(program: Program) -> list[tuple[int, int]]:
    """(first pc, last pc) of the loops that only wait for another thread.

    Such a loop is short, stores nothing, and leaves depending on what a strong read in it gives: how often it turns
    is chance.
    """
    found = []
    for function in program.functions.values():
        for first, last in _backward_branches(program, function):
            body = program.instructions[first : last + 1]
            if len(body) <= LONGEST_SPIN and _only_waits(body):
                found.append((first, last))
    return found


def _backward_branches(program: Program, function: FunctionInfo) -> Iterator[tuple[int, int]]:
    for instruction in program.instructions[max(function.first_pc, 0) : max(function.end_pc, 0)]:
        for target in labels_of(instruction.sources):
            if function.first_pc <= target <= instruction.pc:
                yield target, instruction.pc


def _only_waits(body: list[Instruction]) -> bool:
    if not any(is_strong_read(instruction) or _reads_flag(instruction) for instruction in body):
        return False
    if any(instruction.variant.entry.mnemonic in ("st", "red", "bar", "barrier", "call", "cp") for instruction in body):
        return False
    follows: set[int] = set()
    for _ in body:
        for instruction in body:
            strong = is_strong_read(instruction) or _reads_flag(instruction)
            if strong or any(register.offset in follows for register in reads(instruction)):
                follows |= {register.offset for register in writes(instruction)}
    leaving = [i for i in body if i.guard is not None and i.variant.entry.mnemonic in ("bra", "exit", "ret")]
    return any(branch.guard is not None and branch.guard.offset in follows for branch in leaving)


def _reads_flag(instruction: Instruction) -> bool:
    """A volatile load of shared memory: a flag where a loop turns on it, data elsewhere."""
    return instruction.variant.entry.mnemonic == "ld" and "volatile" in instruction.opcode
