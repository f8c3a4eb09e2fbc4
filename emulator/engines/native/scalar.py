"""Small functions over plain bytes, written in a part of Python, as LLVM text.

The scheduler of native code is written in it.  Every value is a 64-bit integer, or a record in memory (a class of
machine/layout.py, made from an address) whose fields are read and written by name:

    @native
    def pop(run: Run) -> int:
        entry = load64(run.ring + 8 * run.head)
        run.head = (run.head + 1) & run.ring_mask
        return entry

There are while, if, return, break and continue, `a if c else b` (both sides are computed), + - * // % & | ^ << >>
(// and % are unsigned, >> shifts zeros in), signed comparisons, `in` a tuple, and, or, not, constants of the module,
calls of other native functions and of those that are written as text.  A function that takes (ip, regs, ctx, mask)
has a handler's form; `return tail(f, ip, regs, ctx, mask)` jumps to another.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from emulator.machine.layout import Record, dtype_of

F = TypeVar("F", bound=Callable[..., Any])
NATIVE: dict[str, Callable[..., Any]] = {}
TEXT: dict[str, Callable[..., Any]] = {}
HANDLER_FORM = "(ptr noalias %ip, ptr noalias %regs, ptr noalias %ctx, i32 %mask)"
HANDLER_PARAMETERS = ["ip", "regs", "ctx", "mask"]
BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "udiv", ast.Mod: "urem", ast.BitAnd: "and",
    ast.BitOr: "or", ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "lshr",
}  # fmt: skip
COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "slt", ast.LtE: "sle", ast.Gt: "sgt", ast.GtE: "sge",
}  # fmt: skip
INTEGERS = {"<u4": ("i32", "zext"), "<i4": ("i32", "sext"), "<u8": ("i64", ""), "<i8": ("i64", "")}
DECLARATIONS = """
declare i64 @llvm.cttz.i64(i64, i1)
declare i64 @llvm.ctlz.i64(i64, i1)
declare i64 @llvm.ctpop.i64(i64)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""


def native(function: F) -> F:
    """A function that is compiled."""
    NATIVE[function.__name__] = function
    return function


def text(function: F) -> F:
    """A function that the module's text defines; its parameters and result are i64."""
    TEXT[function.__name__] = function
    return function


def load64(address: int) -> int:
    """Eight bytes at an address."""
    raise NotImplementedError


def store64(address: int, value: int) -> None:
    """Write eight bytes."""
    raise NotImplementedError


def load32(address: int) -> int:
    """Four bytes at an address, without a sign."""
    raise NotImplementedError


def store32(address: int, value: int) -> None:
    """Write four bytes."""
    raise NotImplementedError


def lowest(mask: int) -> int:
    """The number of the lowest bit of a mask that is not 0."""
    raise NotImplementedError


def highest(mask: int) -> int:
    """The number of the highest bit of a mask that is not 0."""
    raise NotImplementedError


def bits(mask: int) -> int:
    """How many bits are set."""
    raise NotImplementedError


def clear(address: int, size: int) -> None:
    """Write zeros."""
    raise NotImplementedError


def copy(to: int, source: int, size: int) -> None:
    """Copy bytes that do not overlap."""
    raise NotImplementedError


def buffer(size: int) -> int:
    """The address of so many bytes, a constant number, that are the function's own."""
    raise NotImplementedError


def tail(handler: Any, ip: Any, regs: int, ctx: Any, mask: int) -> int:
    """Jump to a handler: a native function of that form, or the address of one; `return` must stand before it."""
    raise NotImplementedError


def call(handler: Any, ip: Any, regs: int, ctx: Any, mask: int) -> int:
    """Call the handler at an address, and come back with its status."""
    raise NotImplementedError


def planted(handler: Any) -> int:
    """The address of a handler, to be written into a record."""
    raise NotImplementedError


def module_text() -> str:
    """All functions that have been declared native."""
    return DECLARATIONS + "\n".join(_Function(function).text() for function in NATIVE.values())


class _Value:
    """An i64 by its name; record: what it is the address of."""

    def __init__(self, name: str, record: type[Record] | None = None) -> None:
        self.name = name
        self.record = record


class _Function:
    """Translates one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self.globals = function.__globals__
        self.node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        self.hints = get_type_hints(function)
        self.lines: list[str] = []
        self.slots: dict[str, tuple[str, type[Record] | None]] = {}
        self.count = 0
        self.loops: list[tuple[str, str]] = []
        self.buffers: list[str] = []
        self.is_handler = False

    def text(self) -> str:
        """The function's definition."""
        assert isinstance(self.node, ast.FunctionDef)
        names = [argument.arg for argument in self.node.args.args]
        self.is_handler = names == HANDLER_PARAMETERS
        for name in names:
            self._declare_parameter(name)
        self.block(self.node.body)
        self.lines.append("  unreachable" if self.hints["return"] is not type(None) else "  ret void")
        slots = [*self.buffers, *(f"  {slot} = alloca i64" for slot, _ in self.slots.values())]
        head = f"define i32 @{self.name}{HANDLER_FORM}" if self.is_handler else self._head(names)
        return "\n".join([f"{head} #0 {{", *slots, *self.lines, "}", ""])

    def _head(self, names: list[str]) -> str:
        result = "void" if self.hints["return"] is type(None) else "i64"
        return f"define internal {result} @{self.name}({', '.join(f'i64 %{name}' for name in names)})"

    def _declare_parameter(self, name: str) -> None:
        given = f"%{name}"
        if self.is_handler:
            given = self.emit(f"zext i32 %{name} to i64" if name == "mask" else f"ptrtoint ptr %{name} to i64")
        self.assign(name, _Value(given, _record(self.hints[name])))

    # --- text --------------------------------------------------------------------------------------

    def emit(self, text: str) -> str:
        """Append `%name = text`; the name."""
        self.count += 1
        self.lines.append(f"  %t{self.count} = {text}")
        return f"%t{self.count}"

    def label(self) -> str:
        """A new label's name."""
        self.count += 1
        return f"l{self.count}"

    def pointer(self, address: str) -> str:
        """An address as a pointer."""
        return self.emit(f"inttoptr i64 {address} to ptr")

    def start(self, label: str) -> None:
        """A block begins; the one before falls into it."""
        self.lines += [f"  br label %{label}", f"{label}:"]

    def fail(self, node: ast.AST) -> SyntaxError:
        """What is not in the language."""
        return SyntaxError(f"{self.name}: {ast.unparse(node)}")

    # --- statements ----------------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt]) -> None:
        """Statements in order."""
        for statement in statements:
            method = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if method is None:
                raise self.fail(statement)
            method(statement)

    def assign(self, name: str, value: _Value) -> None:
        """Give a local variable a value; the first one says whether it is a record."""
        slot, _ = self.slots.setdefault(name, (f"%v.{name}", value.record))
        self.lines.append(f"  store i64 {value.name}, ptr {slot}")

    def _assign(self, node: ast.Assign) -> None:
        self._set(node.targets[0], self.value(node.value))

    def _set(self, target: ast.expr, value: _Value) -> None:
        if isinstance(target, ast.Name):
            self.assign(target.id, value)
            return
        if not isinstance(target, ast.Attribute):
            raise self.fail(target)
        place, kind, _ = self._field(target)
        if kind == "i32":
            value = _Value(self.emit(f"trunc i64 {value.name} to i32"))
        self.lines.append(f"  store {kind} {value.name}, ptr {place}, align 4")

    def _augassign(self, node: ast.AugAssign) -> None:
        left, right = self.value(node.target), self.value(node.value)
        self._set(node.target, _Value(self.emit(f"{BINARY[type(node.op)]} i64 {left.name}, {right.name}"), left.record))

    def _expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def _if(self, node: ast.If) -> None:
        then, other, after = self.label(), self.label(), self.label()
        self.branch(node.test, then, other)
        self.lines.append(f"{then}:")
        self.block(node.body)
        self.lines += [f"  br label %{after}", f"{other}:"]
        self.block(node.orelse)
        self.start(after)

    def _while(self, node: ast.While) -> None:
        again, body, after = self.label(), self.label(), self.label()
        self.start(again)
        self.branch(node.test, body, after)
        self.lines.append(f"{body}:")
        self.loops.append((again, after))
        self.block(node.body)
        self.loops.pop()
        self.lines += [f"  br label %{again}", f"{after}:"]

    def _break(self, node: ast.Break) -> None:
        self._leave(f"br label %{self.loops[-1][1]}")

    def _continue(self, node: ast.Continue) -> None:
        self._leave(f"br label %{self.loops[-1][0]}")

    def _leave(self, text: str) -> None:
        self.lines += [f"  {text}", f"{self.label()}:"]

    def _return(self, node: ast.Return) -> None:
        if node.value is None:
            self._leave("ret void")
            return
        if isinstance(node.value, ast.Call) and _called(node.value) == "tail":
            self._tail(node.value)
            return
        value = self.value(node.value).name
        if self.is_handler:
            self._leave(f"ret i32 {self.emit(f'trunc i64 {value} to i32')}")
        else:
            self._leave(f"ret i64 {value}")

    def _tail(self, node: ast.Call) -> None:
        callee, *given = node.args
        name = callee.id if isinstance(callee, ast.Name) else ""
        target = f"@{name}" if name in NATIVE or name in TEXT else self.pointer(self.value(callee).name)
        ip, regs, ctx, mask = (self.value(argument).name for argument in given)
        arguments = ", ".join(f"ptr noalias {self.pointer(at)}" for at in (ip, regs, ctx))
        narrow = self.emit(f"trunc i64 {mask} to i32")
        status = self.emit(f"musttail call i32 {target}({arguments}, i32 {narrow})")
        self._leave(f"ret i32 {status}")

    # --- expressions -----------------------------------------------------------------------------------

    def branch(self, test: ast.expr, yes: str, no: str) -> None:
        """Jump by a condition; `and` and `or` look at their right side only where it counts."""
        if isinstance(test, ast.BoolOp):
            for part in test.values[:-1]:
                following = self.label()
                self.branch(part, following, no) if isinstance(test.op, ast.And) else self.branch(part, yes, following)
                self.lines.append(f"{following}:")
            self.branch(test.values[-1], yes, no)
        elif isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.In):
            choices = test.comparators[0]
            assert isinstance(choices, ast.Tuple)
            equal: list[ast.expr] = [ast.Compare(test.left, [ast.Eq()], [choice]) for choice in choices.elts]
            self.branch(ast.BoolOp(ast.Or(), equal), yes, no)
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self.branch(test.operand, no, yes)
        elif isinstance(test, ast.Constant):
            self.lines.append(f"  br label %{yes if test.value else no}")
        else:
            condition = self._condition(test)
            self.lines.append(f"  br i1 {condition}, label %{yes}, label %{no}")

    def _condition(self, test: ast.expr) -> str:
        if isinstance(test, ast.Compare):
            left, right = self.value(test.left), self.value(test.comparators[0])
            return self.emit(f"icmp {COMPARE[type(test.ops[0])]} i64 {left.name}, {right.name}")
        return self.emit(f"icmp ne i64 {self.value(test).name}, 0")

    def value(self, node: ast.expr) -> _Value:
        """An expression's value."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return _Value(str(int(node.value)))
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.BinOp):
            left, right = self.value(node.left), self.value(node.right)
            return _Value(self.emit(f"{BINARY[type(node.op)]} i64 {left.name}, {right.name}"))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert)):
            inner = self.value(node.operand).name
            return _Value(self.emit(f"sub i64 0, {inner}" if isinstance(node.op, ast.USub) else f"xor i64 {inner}, -1"))
        if isinstance(node, ast.Attribute):
            return self._read(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, (ast.BoolOp, ast.Compare)):
            return self._truth(node)
        if isinstance(node, ast.IfExp):
            yes, no = self.value(node.body), self.value(node.orelse)
            return _Value(self.emit(f"select i1 {self._condition(node.test)}, i64 {yes.name}, i64 {no.name}"))
        raise self.fail(node)

    def _truth(self, node: ast.expr) -> _Value:
        yes, no, after = self.label(), self.label(), self.label()
        self.branch(node, yes, no)
        self.lines += [f"{yes}:", f"  br label %{after}", f"{no}:", f"  br label %{after}", f"{after}:"]
        return _Value(self.emit(f"phi i64 [ 1, %{yes} ], [ 0, %{no} ]"))

    def _name(self, node: ast.Name) -> _Value:
        if node.id in self.slots:
            slot, record = self.slots[node.id]
            return _Value(self.emit(f"load i64, ptr {slot}"), record)
        constant = self.globals.get(node.id)
        if not isinstance(constant, int):
            raise self.fail(node)
        return _Value(str(constant))

    def _field(self, node: ast.Attribute) -> tuple[str, str, str]:
        """(pointer, LLVM type, extension) of a record's field."""
        base = self.value(node.value)
        fields = dtype_of(base.record).fields if base.record is not None else None
        if fields is None or node.attr not in fields:
            raise self.fail(node)
        kind, offset = fields[node.attr][:2]
        at = self.emit(f"add i64 {base.name}, {offset}")
        return (self.pointer(at), *INTEGERS[kind.str])

    def _read(self, node: ast.Attribute) -> _Value:
        if node.attr == "address":
            return _Value(self.value(node.value).name)
        place, kind, extension = self._field(node)
        found = self.emit(f"load {kind}, ptr {place}, align 4")
        return _Value(self.emit(f"{extension} {kind} {found} to i64") if extension else found)

    def _call(self, node: ast.Call) -> _Value:
        name = _called(node)
        if name == "planted":
            return _Value(self.emit(f"ptrtoint ptr @{ast.unparse(node.args[0])} to i64"))
        arguments = [self.value(argument) for argument in node.args]
        given = [argument.name for argument in arguments]
        builtin = getattr(self, f"_call_{name}", None)
        if builtin is not None:
            return _Value(builtin(*given))
        if name in NATIVE or name in TEXT:
            result = get_type_hints(NATIVE.get(name) or TEXT[name])["return"]
            call = f"call {{}} @{name}({', '.join(f'i64 {argument}' for argument in given)})"
            if result is type(None):
                self.lines.append("  " + call.format("void"))
                return _Value("0")
            return _Value(self.emit(call.format("i64")), _record(result))
        record = self.globals.get(name)
        if isinstance(record, type) and issubclass(record, Record):
            return _Value(given[0], record)
        raise self.fail(node)

    def _call_load64(self, address: str) -> str:
        return self.emit(f"load i64, ptr {self.pointer(address)}, align 1")

    def _call_store64(self, address: str, value: str) -> str:
        self.lines.append(f"  store i64 {value}, ptr {self.pointer(address)}, align 1")
        return "0"

    def _call_load32(self, address: str) -> str:
        found = self.emit(f"load i32, ptr {self.pointer(address)}, align 1")
        return self.emit(f"zext i32 {found} to i64")

    def _call_store32(self, address: str, value: str) -> str:
        narrow = self.emit(f"trunc i64 {value} to i32")
        self.lines.append(f"  store i32 {narrow}, ptr {self.pointer(address)}, align 1")
        return "0"

    def _call_call(self, handler: str, ip: str, regs: str, ctx: str, mask: str) -> str:
        arguments = ", ".join(f"ptr noalias {self.pointer(at)}" for at in (ip, regs, ctx))
        narrow, target = self.emit(f"trunc i64 {mask} to i32"), self.pointer(handler)
        return self.emit(f"sext i32 {self.emit(f'call i32 {target}({arguments}, i32 {narrow})')} to i64")

    def _call_buffer(self, size: str) -> str:
        self.count += 1
        self.buffers.append(f"  %b{self.count} = alloca [{size} x i8], align 16")
        return self.emit(f"ptrtoint ptr %b{self.count} to i64")

    def _call_lowest(self, mask: str) -> str:
        return self.emit(f"call i64 @llvm.cttz.i64(i64 {mask}, i1 true)")

    def _call_highest(self, mask: str) -> str:
        zeros = self.emit(f"call i64 @llvm.ctlz.i64(i64 {mask}, i1 true)")
        return self.emit(f"sub i64 63, {zeros}")

    def _call_bits(self, mask: str) -> str:
        return self.emit(f"call i64 @llvm.ctpop.i64(i64 {mask})")

    def _call_clear(self, address: str, size: str) -> str:
        at = self.pointer(address)
        self.lines.append(f"  call void @llvm.memset.p0.i64(ptr {at}, i8 0, i64 {size}, i1 false)")
        return "0"

    def _call_copy(self, to: str, source: str, size: str) -> str:
        places = f"ptr {self.pointer(to)}, ptr {self.pointer(source)}"
        self.lines.append(f"  call void @llvm.memcpy.p0.p0.i64({places}, i64 {size}, i1 false)")
        return "0"


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _record(hint: Any) -> type[Record] | None:
    return hint if isinstance(hint, type) and issubclass(hint, Record) else None
