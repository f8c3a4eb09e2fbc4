"""From a module and the name of a kernel to a linked program.

Decoding is lazy: only the kernel and the functions that it can reach are decoded.  Pass one numbers the
instructions of a function and collects its names by block; pass two binds every instruction.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.errors import Diagnostic, Label, PtxError, PtxSemanticError, Span
from emulator.isa.registry import Requirement
from emulator.parse import nodes
from emulator.parse.parser import collector_paused
from emulator.program import flow
from emulator.program.decode import decode
from emulator.program.instruction import FRAME_ALIGN, FunctionInfo, Instruction, Program
from emulator.program.layout import align_of, align_up, kernel_parameters, size_of
from emulator.program.operands import (
    RESERVED_SHARED,
    RESERVED_SHARED_BYTES,
    FunctionAddress,
    Register,
    Storage,
    Symbol,
)
from emulator.program.registers import RowAllocator
from emulator.program.requirements import check
from emulator.program.scopes import RegisterRange, Scope
from emulator.ptx_types import TYPES

CODE_WINDOW = 0x6B00_0000_0000
FUNCTION_STRIDE = 0x100
RECURSION_STACK = 64 << 10
RECURSION_CALLS = 8 << 10
CALL_RECORD = 12  # bytes on a lane's call stack for a call


def link(module: nodes.Module, name: str) -> Program:
    """Link a kernel, or a function as if it were one; PtxError with every error found."""
    with collector_paused():
        return Linker(module).link(name)


class Linker:
    """Links one program; also what binding asks about names outside a function."""

    def __init__(self, module: nodes.Module) -> None:
        self.module = module
        self.source = module.source
        self.rows = RowAllocator()
        self.functions: dict[str, FunctionInfo] = {}
        self.instructions: list[Instruction] = []
        self.errors: list[Diagnostic] = []
        self.shared: dict[str, Storage] = {}
        self.statics: dict[str, Storage] = {}
        self.allowed: set[tuple[str, str]] = set()  # opcodes and syntax lines that the module's target has
        self.shared_bytes = 0
        self.shared_align = 16
        self.nodes = module.functions
        self.globals = Scope()
        self._aliases = {item.name: item.target for item in module.items if isinstance(item, nodes.Alias)}
        self._pending: list[str] = []
        self._addressed: dict[str, None] = {}
        self._indirect = False
        self._reserved = Storage(RESERVED_SHARED, "shared", "b8", RESERVED_SHARED_BYTES, 8)
        self._span = Span(0, 0)
        self._declare_module()

    def link(self, name: str) -> Program:
        """Link everything that `name` reaches."""
        entry = self.function(self.reach(name))
        while self._pending:
            self._link_function(self.functions[self._pending.pop(0)])
        if self.errors:
            raise _raise(self.errors)
        parameters, size = kernel_parameters(entry.node)
        graph = flow.call_graph(self.instructions, list(self._addressed))
        recursive = flow.cyclic(graph)
        for info in self.functions.values():
            info.recursive = info.name in recursive
        return Program(
            module=self.module,
            entry=entry,
            functions=self.functions,
            instructions=self.instructions,
            row_bytes=align_up(self.rows.size, 64),
            zero_bytes=align_up(self.rows.size, 64),
            parameters=parameters,
            parameter_bytes=size,
            shared=self.shared,
            shared_bytes=self.shared_bytes,
            shared_align=self.shared_align,
            stack_bytes=self._stack_bytes(entry, graph, bool(recursive)),
            call_bytes=self._call_bytes(entry, graph, bool(recursive)),
            joins=flow.join_points(self.instructions),
            statics=self.statics,
        )

    def _stack_bytes(self, entry: FunctionInfo, graph: dict[str, set[str]], recursive: bool) -> int:
        frames = {f.name: f.frame_size + f.frame_align - FRAME_ALIGN for f in self.functions.values()}
        dynamic = any(i.variant.entry.mnemonic == "alloca" for i in self.instructions)
        deepest = sum(frames.values()) if recursive else flow.deepest_path(entry.name, graph, frames)
        return align_up(deepest, 16) + (RECURSION_STACK if recursive or dynamic else 0)

    def _call_bytes(self, entry: FunctionInfo, graph: dict[str, set[str]], recursive: bool) -> int:
        """A record for each call that can be open, which holds nothing else unless functions are recursive."""
        calls = {name: CALL_RECORD for name in self.functions if name != entry.name}
        return RECURSION_CALLS if recursive else flow.deepest_path(entry.name, graph, calls)

    # --- what binding asks ----------------------------------------------------------------------

    def function(self, name: str) -> FunctionInfo:
        """A function that has been reached."""
        return self.functions[self._aliases.get(name, name)]

    def reach(self, name: str) -> str:
        """Have a function linked; its name behind aliases."""
        name = self._aliases.get(name, name)
        if name not in self.functions:
            node = self.nodes[name]
            info = FunctionInfo(name, node, self.source, address=self.function_address(name))
            self.functions[name] = info
            if node.body is not None:
                self._pending.append(name)
        return name

    def function_address(self, name: str) -> int:
        """The code address of a function, the same in every program of the module."""
        order = list(self.nodes).index(name)
        return CODE_WINDOW + (order + 1) * FUNCTION_STRIDE

    def reference_function(self, name: str) -> None:
        """A function's address was taken; memory may bring it to an indirect call in any kernel."""
        self._addressed[self.reach(name)] = None

    def reach_addresses(self) -> None:
        """There is an indirect call: every function whose address the module takes can be reached."""
        if self._indirect:
            return
        self._indirect = True
        for name in addresses_taken(self.module):
            if self._aliases.get(name, name) in self.nodes:
                self.reference_function(name)

    def use_storage(self, storage: Storage) -> Storage:
        """Give a shared variable its place when it is first used."""
        if storage.space == "shared" and not any(storage is placed for placed in self.shared.values()):
            self.place_shared(storage)
        return storage

    def place_shared(self, storage: Storage) -> None:
        """Lay out a shared variable behind the others; extern ones all start where the static ones end."""
        key = storage.name
        while key in self.shared:
            key += "'"
        self.shared[key] = storage
        self.shared_align = max(self.shared_align, storage.align)
        if storage.node is None or storage.node.linkage != "extern":
            storage.offset = align_up(self.shared_bytes, storage.align)
            self.shared_bytes = storage.offset + storage.size

    def reserved_shared(self) -> Symbol:
        """What %reserved_smem_offset_1 holds: the address of reserved bytes, as if a variable had that name."""
        return Symbol(self.use_storage(self._reserved))

    def require(self, requirement: Requirement, what: str) -> None:
        """Check that the module's version and target have something named by the current instruction."""
        check(requirement, what, self._span, self)

    # --- declarations ---------------------------------------------------------------------------

    def _declare_module(self) -> None:
        for name in self.nodes:
            self.globals.names[name] = FunctionAddress(name)
        for name in self._aliases:
            self.globals.names[name] = FunctionAddress(name)
        for item in self.module.items:
            if isinstance(item, nodes.Variable):
                for variable in expand(item):
                    self.globals.names[variable.name] = storage_of(variable, variable.space)
            elif isinstance(item, nodes.Registers):
                self._declare_registers(item, self.globals)

    def _declare_registers(self, node: nodes.Registers, scope: Scope) -> None:
        for name, count in node.names:
            if name in (scope.names if count is None else scope.ranges) or scope.has_both(name, count):
                self._error("PTX-P0123", f"{name} is declared twice in one block", node.span)
            if count is not None and node.vector == 1:
                scope.ranges[name] = RegisterRange(name, count, node.type, self.rows)
                continue
            for single in [name] if count is None else [f"{name}{n}" for n in range(count)]:
                if node.vector > 1:
                    parts = tuple(
                        self.rows.allocate(f"{single}.{'xyzw'[n]}", TYPES[node.type]) for n in range(node.vector)
                    )
                    scope.names[single] = parts
                else:
                    scope.names[single] = self.rows.allocate(single, TYPES[node.type])

    def _declare_variable(self, node: nodes.Variable, scope: Scope, info: FunctionInfo) -> None:
        for variable in expand(node):
            if variable.name in scope.names:
                self._error("PTX-P0123", f"{variable.name} is declared twice in one block", node.span)
            space = "frame" if variable.space in ("local", "param") else variable.space
            storage = storage_of(variable, space)
            if space == "frame":
                self._place_in_frame(storage, info)
            elif space != "shared":
                self._name_static(storage, info)
            scope.names[variable.name] = storage

    def _name_static(self, storage: Storage, info: FunctionInfo) -> None:
        """A global or const variable of a block: one for all kernels that reach the function."""
        storage.name = f"{info.name}.{storage.name}"
        while storage.name in self.statics:
            storage.name += "'"
        self.statics[storage.name] = storage

    def _place_in_frame(self, storage: Storage, info: FunctionInfo) -> None:
        storage.offset = align_up(info.frame_size, storage.align)
        info.frame_size = align_up(storage.offset + storage.size, FRAME_ALIGN)
        info.storages.append(storage)

    def _declare_parameters(self, info: FunctionInfo, scope: Scope) -> None:
        if info.node.kind == "entry":
            parameters, _ = kernel_parameters(info.node)
            for parameter in parameters:
                size, align = parameter.size, parameter.align
                node = parameter.node
                scope.names[parameter.name] = Storage(
                    parameter.name, "param", node.type, size, align, parameter.offset, node
                )
            return
        for group, formal in ((info.node.returns, info.returns), (info.node.parameters, info.parameters)):
            for node in group:
                if node.space == "reg":
                    register = self.rows.allocate(node.name, TYPES[node.type])
                    scope.names[node.name] = register
                    formal.append(register)
                else:
                    storage = storage_of(node, "frame")
                    self._place_in_frame(storage, info)
                    scope.names[node.name] = storage
                    formal.append(storage)

    # --- functions ------------------------------------------------------------------------------

    def _link_function(self, info: FunctionInfo) -> None:
        body = info.node.body
        assert body is not None
        scope = Scope(self.globals)
        info.first_pc = len(self.instructions)
        first_register = len(self.rows.registers)
        self._declare_parameters(info, scope)
        flat: list[tuple[nodes.Instruction, Scope, nodes.Loc | None]] = []
        self._flatten(body, scope, info, flat, None)
        flat.append((nodes.Instruction("ret", (), None, Span(body.span.end - 1, body.span.end)), scope, None))
        info.end_pc = info.first_pc + len(flat)
        for offset, (node, inner, loc) in enumerate(flat):
            self._span = node.span
            try:
                instruction = decode(node, info.first_pc + offset, inner, info, self)
            except PtxError as error:
                self.errors += error.diagnostics
                continue
            instruction.loc = loc
            self.instructions.append(instruction)
        info.registers = self.rows.registers[first_register:]
        if not self.errors:
            assert len(self.instructions) == info.end_pc

    def _flatten(
        self,
        block: nodes.Block,
        scope: Scope,
        info: FunctionInfo,
        flat: list[tuple[nodes.Instruction, Scope, nodes.Loc | None]],
        loc: nodes.Loc | None,
    ) -> nodes.Loc | None:
        info.scopes.append((info.first_pc + len(flat), scope))
        for node in block.statements:
            if isinstance(node, nodes.Instruction):
                flat.append((node, scope, loc))
            elif isinstance(node, nodes.Loc):
                loc = node
            elif isinstance(node, nodes.LabelMark):
                if node.name in scope.labels:
                    self._error("PTX-P0123", f"the label {node.name} stands twice in one block", node.span)
                elif node.name in scope.names:
                    self._error("PTX-P0123", f"{node.name} is a label and a variable in one block", node.span)
                scope.labels[node.name] = info.first_pc + len(flat)
            elif isinstance(node, nodes.Registers):
                self._declare_registers(node, scope)
            elif isinstance(node, nodes.Variable):
                self._declare_variable(node, scope, info)
            elif isinstance(node, (nodes.BranchTargets, nodes.CallTargets, nodes.CallPrototype)):
                scope.lists[node.name] = node
            elif isinstance(node, nodes.Block):
                loc = self._flatten(node, Scope(scope), info, flat, loc)
                info.scopes.append((info.first_pc + len(flat), scope))
        return loc

    def _error(self, code: str, text: str, span: Span) -> None:
        self.errors.append(Diagnostic(code, "semantic", text, self.source, (Label(span),)))


def storage_of(node: nodes.Variable, space: str) -> Storage:
    """The storage of a declaration, not placed yet."""
    return Storage(node.name, space, node.type, size_of(node), align_of(node), node=node)


def expand(node: nodes.Variable) -> list[nodes.Variable]:
    """A parameterised variable name `name<N>` as N variables."""
    if node.count is None:
        return [node]
    fields = {name: getattr(node, name) for name in node.__slots__ if name not in ("name", "count")}
    return [nodes.Variable(**fields, name=f"{node.name}{n}") for n in range(node.count)]


def symbols_of(initial: nodes.Initial) -> list[nodes.SymbolValue]:
    """The symbols whose addresses an initialiser holds."""
    if isinstance(initial, nodes.SymbolValue):
        return [initial]
    if isinstance(initial, tuple):
        return [symbol for part in initial for symbol in symbols_of(part)]
    return []


def addresses_taken(module: nodes.Module) -> list[str]:
    """The names whose addresses initialisers and instructions anywhere in a module take."""
    found: dict[str, None] = {}
    for item in module.items:
        if isinstance(item, nodes.Variable) and item.initial is not None:
            found.update((symbol.name, None) for symbol in symbols_of(item.initial))
        elif isinstance(item, nodes.Function) and item.body is not None:
            found.update((name, None) for name in _moved_names(item.body))
    return list(found)


def _moved_names(block: nodes.Block) -> Iterator[str]:
    for node in block.statements:
        if isinstance(node, nodes.Block):
            yield from _moved_names(node)
        elif isinstance(node, nodes.Instruction) and node.opcode.startswith(("mov.", "cvta.")):
            yield from (operand.name for operand in node.operands if isinstance(operand, nodes.Name))


def _raise(errors: list[Diagnostic]) -> PtxError:
    from emulator.errors import UnsupportedInstruction

    if all(error.kind == "unsupported" for error in errors):
        return UnsupportedInstruction(*errors)
    return PtxSemanticError(*errors)


__all__ = ["Linker", "Register", "link", "storage_of", "symbols_of"]
