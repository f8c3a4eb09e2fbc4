"""A linked instruction and the functions and program around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.errors import Source, Span
from emulator.isa.registry import Variant
from emulator.parse import nodes
from emulator.program.operands import RESERVED_SHARED, CallList, Memory, Operand, Register, Storage
from emulator.program.scopes import Scope

FRAME_ALIGN = 16


@dataclass(eq=False, slots=True)
class Instruction:
    """One instruction bound to a variant, places and a pc."""

    pc: int
    variant: Variant
    results: tuple[Operand | None, ...]
    sources: tuple[Operand, ...]
    guard: Register | None
    guard_negated: bool
    node: nodes.Instruction
    function: FunctionInfo
    loc: nodes.Loc | None = None
    call: CallInfo | None = None

    @property
    def names_address(self) -> bool:
        """Whether one of its operands is an address, so that it may access memory."""
        return any(isinstance(operand.place, Memory) for operand in self.sources)

    @property
    def opcode(self) -> str:
        return self.node.opcode

    @property
    def span(self) -> Span:
        return self.node.span

    @property
    def source(self) -> Source:
        return self.function.source

    @property
    def line(self) -> int:
        """1-based line in the PTX text."""
        return self.source.position(self.node.span.start)[0]

    @property
    def text(self) -> str:
        """The statement as written, white space folded."""
        return " ".join(self.source.text[self.node.span.start : self.node.span.end].split())


@dataclass(eq=False, slots=True)
class CallInfo:
    """What a call copies: results and arguments at the caller's side."""

    results: CallList
    arguments: CallList
    prototype: nodes.CallPrototype | None


@dataclass(eq=False, slots=True)
class FunctionInfo:
    """A linked function: its pcs, rows, frame and formal parameters.

    recursive: may be active more than once in a lane, so a call keeps the lane's columns of its rows.
    external: declared without a body; calling it is a runtime call or a fault.
    """

    name: str
    node: nodes.Function
    source: Source
    first_pc: int = -1
    end_pc: int = -1
    frame_size: int = 0
    registers: list[Register] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)
    scopes: list[tuple[int, Scope]] = field(default_factory=list)
    parameters: list[Register | Storage] = field(default_factory=list)
    returns: list[Register | Storage] = field(default_factory=list)
    recursive: bool = False
    address: int = 0

    @property
    def external(self) -> bool:
        return self.node.body is None

    @property
    def frame_align(self) -> int:
        """Of what a frame's start is a multiple."""
        return max([FRAME_ALIGN, *(storage.align for storage in self.storages)])

    def scope_at(self, pc: int) -> Scope:
        """The innermost scope of an instruction of this function."""
        return next(scope for first, scope in reversed(self.scopes) if first <= pc)


@dataclass(frozen=True, slots=True)
class KernelParameter:
    """A parameter of a kernel: its place in the parameter space and its declaration."""

    name: str
    offset: int
    size: int
    align: int
    node: nodes.Variable

    @property
    def is_pointer(self) -> bool:
        """Whether the text says so (`.ptr`)."""
        return self.node.pointer is not None

    @property
    def is_struct(self) -> bool:
        """An array of bytes: a struct passed by value."""
        return bool(self.node.dimensions)


@dataclass(eq=False, slots=True)
class Program:
    """A kernel and every function it can reach, linked: one space of pcs, one of rows.

    joins: pcs where lanes that went apart can meet (branch targets and instructions after branches and waits).
    call_bytes: of a lane's call stack; of a recursive program what it begins with.
    constant_bytes: what an engine needs behind the rows of a warp for its constants.  zero_bytes: of a warp's rows the
    first ones, which must be zeros at its start; what stands in the others is never read.  statics: global and const
    variables of blocks, by a name of their own.
    """

    module: nodes.Module
    entry: FunctionInfo
    functions: dict[str, FunctionInfo]
    instructions: list[Instruction]
    row_bytes: int
    zero_bytes: int
    parameters: list[KernelParameter]
    parameter_bytes: int
    shared: dict[str, Storage]
    shared_bytes: int
    shared_align: int
    stack_bytes: int
    call_bytes: int
    joins: frozenset[int]
    constant_bytes: int = 0
    statics: dict[str, Storage] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def reserved_shared(self) -> Storage | None:
        """The bytes that %reserved_smem_offset_1 leads to, if the program has it."""
        return self.shared.get(RESERVED_SHARED)

    @property
    def source(self) -> Source:
        return self.module.source

    def function_at(self, pc: int) -> FunctionInfo:
        """The function of a pc."""
        return self.instructions[pc].function
