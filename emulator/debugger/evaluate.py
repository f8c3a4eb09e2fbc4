"""The values of expressions in the 32 lanes of a warp."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from emulator.debugger import expressions as e
from emulator.debugger.errors import DebuggerError
from emulator.debugger.memory import Variable, read_lanes, read_space
from emulator.debugger.values import Row, State, Value, dtype_of, reinterpret, row_of, type_shown
from emulator.engines.reference.specials import special_row
from emulator.engines.run import Runner
from emulator.isa.special_registers import SPECIAL_REGISTERS
from emulator.machine.memory import FRAME_FLAG
from emulator.machine.warp import Warp, lanes_of, mask_of
from emulator.program.operands import Register
from emulator.program.scopes import nearest
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType

LANES = np.arange(WARP_SIZE, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Context:
    """Where expressions are looked up: a warp that executes next at pc with some lanes.

    state: the warp's bytes, or earlier ones.  values: what `$name` means.  variables: buffers and the like by name.
    """

    runner: Runner
    warp: Warp
    pc: int
    lanes: int
    state: State
    values: dict[str, Any]
    variables: Callable[[str], Variable | None]
    names: Callable[[], list[str]]

    def register(self, name: str) -> Register | None:
        """A register as the text at pc sees it; %v.x is a part of a vector."""
        program = self.warp.cta.grid.program
        function = program.function_at(self.pc)
        base, _, part = name.partition(".")
        found = function.scope_at(self.pc).find(base)
        if found is None:
            found = next((r for f in program.functions.values() for r in f.registers if r.name == name), None)
        if isinstance(found, tuple):
            return found["xyzw".index(part)] if part else None
        return found if isinstance(found, Register) and not part else None


def evaluate(expression: e.Expression, context: Context) -> Value:
    """The value of an expression; DebuggerError with a caret for what has none."""
    return _Evaluator(expression.text, context).value(expression.root)


def holds(expression: e.Expression, context: Context) -> bool:
    """Whether a condition holds in any executing lane."""
    value = evaluate(expression, context)
    return bool((value.truth() & lanes_of(context.lanes & value.lanes)).any())


class _Evaluator:
    """Walks one tree."""

    def __init__(self, text: str, context: Context) -> None:
        self.text = text
        self.context = context

    def refuse(self, node: e.Node, message: str, help: str = "") -> DebuggerError:
        return DebuggerError(message, self.text, node.start, node.end, help=help)

    def value(self, node: e.Node) -> Value:
        found = getattr(self, f"_{type(node).__name__}")(node)
        assert isinstance(found, Value)
        return found

    # --- operands ----------------------------------------------------------------------------------

    def _Number(self, node: e.Number) -> Value:
        dtype: Any = np.float64 if isinstance(node.value, float) else object
        return Value(narrow(np.full(WARP_SIZE, node.value, dtype=dtype)), uniform=True)

    def _Named(self, node: e.Named) -> Value:
        if node.name.startswith("%"):
            return self._register(node)
        if node.name.startswith("$"):
            return self._session_value(node)
        if node.name == "lane":
            return Value(LANES.copy())
        if self.context.variables(node.name) is None and self.context.register(node.name) is not None:
            return self._register(node)
        variable = self._variable(node, node.name)
        if variable.count == 1:
            return self._element(node, variable, np.zeros(WARP_SIZE, dtype=object), True)
        raise self.refuse(node, f"{node.name} is an array of {variable.count}", f"such as {node.name}[0], &{node.name}")

    def _register(self, node: e.Named) -> Value:
        context = self.context
        register = context.register(node.name)
        if register is not None:
            kind = type_shown(context.warp.cta.grid.program, register)
            row = row_of(context.state, register)
            if register.type.width == 128:
                return Value(row.copy(), register.type)
            return Value(row.view(dtype_of(kind)).copy(), kind)
        base, _, part = node.name[1:].partition(".")
        if base in SPECIAL_REGISTERS:
            row = special_row(base, "xyzw".index(part) if part else 0, context.warp, context.runner)
            return Value(row.copy(), uniform=bool((row == row[0]).all()))
        scope = context.warp.cta.grid.program.function_at(context.pc).scope_at(context.pc)
        hint = nearest(node.name, scope.visible()) or "info regs shows those that there are"
        raise self.refuse(node, f"no register {node.name} here", hint)

    def _session_value(self, node: e.Named) -> Value:
        name = node.name[1:]
        values = self.context.values
        if name in values:
            found = values[name]
            if isinstance(found, Value):
                return found
            return Value(narrow(np.full(WARP_SIZE, found, dtype=object)), uniform=True)
        if name.partition(".")[0] in SPECIAL_REGISTERS:
            return self._register(e.Named(node.start, node.end, f"%{name}"))
        known = [*(f"${one}" for one in values), *(f"${one}" for one in SPECIAL_REGISTERS)]
        raise self.refuse(node, f"nothing is called {node.name}", nearest(node.name, known))

    def _variable(self, node: e.Node, name: str) -> Variable:
        variable = self.context.variables(name)
        if variable is None:
            hint = nearest(name, [*self.context.names(), *e.FUNCTIONS])
            if self.context.register(f"%{name}") is not None:
                hint = f"did you mean %{name}?"
            hint = hint or "info buffers and info params show those that there are"
            raise self.refuse(node, f"no buffer, variable or parameter {name}", hint)
        return variable

    def _AddressOf(self, node: e.AddressOf) -> Value:
        address = self._variable(node, node.name).address
        row = np.broadcast_to(np.asarray(address, dtype=np.uint64), (WARP_SIZE,)).copy()
        return Value(row, TYPES["u64"], uniform=np.ndim(address) == 0)

    def _OfLane(self, node: e.OfLane) -> Value:
        value, lane = self.value(node.operand), self.value(node.lane)
        number = int(lane.data[0])
        if not lane.uniform or not 0 <= number < WARP_SIZE:
            raise self.refuse(node.lane, "a lane is one of 0 to 31")
        known = value.lanes if value.lanes >> number & 1 else 0
        return Value(
            np.repeat(value.data[number : number + 1], WARP_SIZE, axis=0), value.type, -bool(known) & 0xFFFFFFFF, True
        )

    def _LaneExecutes(self, node: e.LaneExecutes) -> Value:
        if node.lane >= WARP_SIZE:
            raise self.refuse(node, "a lane is one of 0 to 31")
        return Value(np.full(WARP_SIZE, bool(self.context.lanes >> node.lane & 1)), TYPES["pred"], uniform=True)

    # --- memory ------------------------------------------------------------------------------------

    def _Element(self, node: e.Element) -> Value:
        variable = self._variable(node, node.name)
        index = self.value(node.index)
        return self._element(node, variable, index.data.astype(object), index.uniform, index.lanes)

    def _element(self, node: e.Node, variable: Variable, index: Row, uniform: bool, lanes: int = 0xFFFFFFFF) -> Value:
        inside = np.array([0 <= int(i) < max(variable.count, 1) for i in index])
        known = mask_of(inside) & lanes
        asked = lanes if uniform else lanes & self.context.lanes
        if not known or (uniform and not inside.all()) or asked & ~known:
            bad = next(int(i) for i, ok in zip(index, inside, strict=True) if not ok)
            raise self.refuse(node, f"{variable.name} has {variable.count:,} elements, {bad} is none of them")
        addresses = np.asarray(variable.address, dtype=object) + index * variable.kind.bytes
        addresses = np.array([int(a) if ok else 0 for a, ok in zip(addresses, inside, strict=True)], dtype=np.uint64)
        return self._load(node, variable.space, addresses, variable.kind, known, uniform)

    def _Memory(self, node: e.Memory) -> Value:
        size = None if node.size is None else int(self.value(node.size).data[0])
        if size is not None and size not in (1, 2, 4, 8):
            raise self.refuse(node.size or node, "1, 2, 4 or 8 bytes", "x shows more: x/16xw shared:0x40")
        kind = TYPES[node.type] if node.type else TYPES[f"b{8 * (size or 4)}"]
        address = self.value(node.address)
        if address.is_float:
            raise self.refuse(node.address, "an address is no float")
        row = np.array([int(a) & 2**64 - 1 for a in address.data], dtype=np.uint64)
        return self._load(node, node.space, row, kind, address.lanes, address.uniform)

    def _load(self, node: e.Node, space: str, addresses: Row, kind: ScalarType, lanes: int, uniform: bool) -> Value:
        context = self.context
        if space == "local" or (space == "param" and int(addresses[0]) & FRAME_FLAG):
            uniform = False  # every lane has its own
        if uniform:
            raw = read_space(context.runner, context.warp, space, int(addresses[0]), kind.bytes, self._lane())
            if raw is None:
                raise self.refuse(node, f"{space}:{int(addresses[0]):#x} is in no allocation")
            data = np.tile(raw, (WARP_SIZE, 1))
        else:
            data, lanes = read_lanes(context.runner, context.warp, space, addresses, kind.bytes, lanes)
            if not lanes & context.lanes:
                raise self.refuse(node, f"no lane's address is in {space} memory")
        bits = np.ascontiguousarray(data).view(np.dtype(f"u{kind.bytes}"))[:, 0]
        return Value(reinterpret(bits, kind), kind, lanes, uniform)

    def _lane(self) -> int:
        return int(self.context.values.get("lane", 0))

    # --- operations --------------------------------------------------------------------------------

    def _Unary(self, node: e.Unary) -> Value:
        value = self.value(node.operand)
        row = self._numbers(node.operand, value)
        if node.sign == "~" and value.is_float:
            raise self.refuse(node, "~ of a float")
        change: dict[str, Callable[[Any], Any]] = {
            "-": operator.neg,
            "+": operator.pos,
            "~": operator.invert,
            "!": lambda x: x == 0,
        }
        return Value(narrow(change[node.sign](row)), None, value.lanes, value.uniform)

    def _numbers(self, node: e.Node, value: Value) -> Row:
        """Integers as Python's, which have no width; floats as f64."""
        if value.is_wide:
            return np.array(value.numbers(), dtype=object)
        if value.data.ndim > 1:
            raise self.refuse(node, "this has several values in each lane")
        return value.data.astype(np.float64 if value.is_float else object)

    def _Binary(self, node: e.Binary) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        x, y = self._numbers(node.left, left), self._numbers(node.right, right)
        lanes, uniform = left.lanes & right.lanes, left.uniform and right.uniform
        if node.sign in ("<<", ">>", "&", "|", "^") and (left.is_float or right.is_float):
            raise self.refuse(node, f"{node.sign} of a float", "f32 bits as an integer: b32(%f1)")
        if left.is_float != right.is_float:
            x, y = x.astype(np.float64), y.astype(np.float64)
        if node.sign in ("/", "%"):
            return Value(narrow(self._divide(node, x, y, lanes)), None, lanes, uniform)
        if node.sign in ("<<", ">>") and any(not 0 <= int(n) < 4096 for n in y):
            raise self.refuse(node.right, "a shift by 0 to 4095 bits")
        with np.errstate(all="ignore"):
            return Value(narrow(_SIGNS[node.sign](x, y)), None, lanes, uniform)

    def _divide(self, node: e.Binary, x: Row, y: Row, lanes: int) -> Row:
        """Integers towards zero, as PTX; a zero divisor in an executing lane is an error."""
        if x.dtype.kind == "f" or y.dtype.kind == "f":
            with np.errstate(all="ignore"):
                x, y = x.astype(np.float64), y.astype(np.float64)
                return x / y if node.sign == "/" else np.fmod(x, y)
        zero = mask_of(np.array([n == 0 for n in y]))
        if zero & lanes & self.context.lanes:
            raise self.refuse(node.right, "division by zero")
        y = np.where(lanes_of(zero), 1, y)
        quotient = np.array(
            [abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) for a, b in zip(x, y, strict=True)], object
        )
        return quotient if node.sign == "/" else x - quotient * y

    def _Call(self, node: e.Call) -> Value:
        values = [self.value(argument) for argument in node.arguments]
        if node.name in TYPES:
            if len(values) != 1:
                raise self.refuse(node, f"{node.name}() takes one value")
            return self._reinterpreted(node, values[0], TYPES[node.name])
        return self._function(node, values)

    def _function(self, node: e.Call, values: list[Value]) -> Value:
        first = values[0]
        if node.name in ("any", "all", "count"):
            lanes = first.lanes & self.context.lanes
            true = mask_of(first.truth()) & lanes
            number = {"any": int(true != 0), "all": int(true == lanes), "count": true.bit_count()}[node.name]
            return Value(np.full(WARP_SIZE, number, dtype=np.int64), uniform=True)
        rows = [self._numbers(argument, value) for argument, value in zip(node.arguments, values, strict=True)]
        if (node.name == "abs") != (len(rows) == 1):
            raise self.refuse(
                node, f"{node.name}() takes {'one value' if node.name == 'abs' else 'two values or more'}"
            )
        row = rows[0] if len(rows) > 1 else abs(rows[0])
        for other in rows[1:]:
            row = np.minimum(row, other) if node.name == "min" else np.maximum(row, other)
        lanes = first.lanes
        for value in values:
            lanes &= value.lanes
        return Value(narrow(row), None, lanes, all(value.uniform for value in values))

    def _reinterpreted(self, node: e.Call, value: Value, kind: ScalarType) -> Value:
        if value.data.ndim > 1 or kind.width > 64 or kind.width == 1:
            raise self.refuse(node, f"these bits cannot be seen as {kind.name}")
        have = value.type.width if value.type is not None else 64
        if kind.width > max(have, 8):
            raise self.refuse(node, f"{kind.name} has {kind.width} bits, this has {have}")
        raw = np.ascontiguousarray(value.data)
        bits = raw.view(np.dtype(f"u{raw.itemsize}"))
        return Value(reinterpret(bits, kind), kind, value.lanes, value.uniform)


def _logical(change: Callable[[Any, Any], Any], x: Row, y: Row) -> Row:
    return change(x.astype(bool), y.astype(bool))  # type: ignore[no-any-return]


_SIGNS: dict[str, Callable[[Row, Row], Row]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "<<": operator.lshift, ">>": operator.rshift,
    "&": operator.and_, "|": operator.or_, "^": operator.xor, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "&&": partial(_logical, operator.and_), "||": partial(_logical, operator.or_),
}  # fmt: skip


def narrow(row: Row) -> Row:
    """Python integers as int64 where they fit, else as the low 64 bits; truth values as 0 and 1."""
    if row.dtype == np.bool_:
        return row.astype(np.int64)
    if row.dtype != object:
        return row
    numbers = [int(n) for n in row]
    if all(-(2**63) <= n < 2**63 for n in numbers):
        return np.array(numbers, dtype=np.int64)
    return np.array([n & 2**64 - 1 for n in numbers], dtype=np.uint64)
