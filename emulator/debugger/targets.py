"""What `why`, `watch`, `history` and `set` are about: a register in some lanes, or bytes of memory with an owner.

A target outlives a seek: it names its warp or CTA by its key, and finds the bytes anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emulator.debugger import expressions as e
from emulator.debugger.errors import DebuggerError
from emulator.debugger.evaluate import evaluate
from emulator.debugger.expressions import parse_expression
from emulator.debugger.memory import Variable, variables_of
from emulator.debugger.patterns import format_one
from emulator.debugger.session import Session
from emulator.debugger.values import Row, State, dtype_of, reinterpret, row_of, type_shown
from emulator.engines.schedule import WarpKey, key_of
from emulator.machine import memory as m
from emulator.machine.warp import ALL_LANES, Warp
from emulator.program.operands import Register
from emulator.ptx_types import TYPES, WARP_SIZE, ScalarType

MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class RegisterTarget:
    """A register of a warp, in all lanes or in one.  base: in which it is shown."""

    text: str
    key: WarpKey
    register: Register
    lanes: int
    kind: ScalarType
    base: int = 10

    def bytes_of(self, session: Session) -> State | None:
        """A view of its row in the warp; None while the warp is not there."""
        warp = session.timeline.warp(self.key)
        return row_of(warp.state, self.register).view(np.uint8).reshape(-1) if warp is not None else None

    def values(self, raw: State) -> Row:
        """The row as numbers."""
        if self.register.type.width == 128:
            return raw.view(np.uint64).reshape(WARP_SIZE, 2)
        return raw.view(dtype_of(self.kind))

    def changed(self, old: State, new: State) -> int:
        """The lanes whose bits differ."""
        size = self.register.type.bytes
        differs = (old.reshape(WARP_SIZE, size) != new.reshape(WARP_SIZE, size)).any(axis=1)
        return sum(1 << int(lane) for lane in np.flatnonzero(differs)) & self.lanes

    def show(self, raw: State, lane: int) -> str:
        """The value in a lane."""
        value = self.values(raw)[lane]
        if np.ndim(value):
            return f"{int(value[1]) << 64 | int(value[0]):#x}"
        return format_one(value, self.base, 8 * self.register.type.bytes)


@dataclass(frozen=True)
class MemoryTarget:
    """Bytes: of global memory, of the shared memory of a CTA, of a lane's own memory or of the parameters.

    low: the address (global), else the offset in the CTA's, the lane's or the grid's bytes.  key: a warp of the owner.
    """

    text: str
    space: str
    low: int
    size: int
    kind: ScalarType
    key: WarpKey
    lane: int = 0
    address: int = 0

    @property
    def lanes(self) -> int:
        """Not by lanes."""
        return ALL_LANES

    def bytes_of(self, session: Session) -> State | None:
        """A view of the bytes; None while their owner is not there."""
        if self.space == "global":
            return session.runner.memory.view(self.low, self.size)
        warp = session.timeline.warp((self.key[0], self.key[1], self.key[2] if self.space == "local" else 0))
        if warp is None:
            return None
        if self.space == "shared":
            return warp.cta.shared[self.low : self.low + self.size]
        if self.space == "param":
            return warp.cta.grid.parameters[self.low : self.low + self.size]
        start = self.lane * warp.stack_bytes + self.low
        return warp.local[start : start + self.size]

    def values(self, raw: State) -> Row:
        """The bytes as numbers of the type."""
        bits = np.ascontiguousarray(raw).view(np.dtype(f"u{self.kind.bytes}"))
        return reinterpret(bits, self.kind)

    def changed(self, old: State, new: State) -> int:
        """All lanes if a byte differs."""
        return ALL_LANES if not np.array_equal(old, new) else 0

    def show(self, raw: State, lane: int = 0) -> str:
        """The values; the first of many."""
        base = 16 if self.kind.kind == "b" else 10
        cells = [format_one(value, base, self.kind.width) for value in self.values(raw)[:4].ravel()]
        return " ".join(cells) + (" ..." if self.size > 4 * self.kind.bytes else "")


Target = RegisterTarget | MemoryTarget


def target_of(session: Session, text: str) -> Target:
    """The register or the bytes that a text names; DebuggerError for anything else."""
    expression = parse_expression(text)
    node, lane = expression.root, None
    if isinstance(node, e.OfLane):
        number = evaluate(e.Expression(expression.text, node.lane), session.context())
        lane = int(number.data[0])
        if not number.uniform or not 0 <= lane < WARP_SIZE:
            raise DebuggerError("a lane is one of 0 to 31", expression.text, node.lane.start, node.lane.end)
        node = node.operand
    is_register = session.warp is not None and isinstance(node, e.Named) and session.context().register(node.name)
    if isinstance(node, e.Named) and (node.name[:1] in "%$" or is_register):
        return _register(session, expression.text, node, lane)
    if isinstance(node, e.Named | e.Element):
        return _element(session, expression.text, node, session.lane if lane is None else lane)
    if isinstance(node, e.Memory):
        return _memory(session, expression.text, node, session.lane if lane is None else lane)
    raise DebuggerError(
        "this is no register and no memory", expression.text, node.start, node.end, help="%r3@5, out[17], shared[0x400]"
    )


def _register(session: Session, text: str, node: e.Named, lane: int | None) -> RegisterTarget:
    register = session.context().register(node.name)
    if register is None:
        evaluate(e.Expression(text, node), session.context())  # says which name is near
        raise DebuggerError(f"{node.name} is no register that a kernel writes", text, node.start, node.end)
    warp = session.require_warp()
    return register_target(warp, register, ALL_LANES if lane is None else 1 << lane, text)


def register_target(warp: Warp, register: Register, lanes: int, text: str = "") -> RegisterTarget:
    """A register of a warp, shown as `info regs` shows it."""
    from emulator.debugger.panes.registers import base_of, value_of

    program = warp.cta.grid.program
    base = base_of(program, register, value_of(program, register, warp.state))
    lane = f"@{lanes.bit_length() - 1}" if lanes.bit_count() == 1 else ""
    return RegisterTarget(
        text or register.name + lane, key_of(warp), register, lanes, type_shown(program, register), base
    )


def _element(session: Session, text: str, node: e.Named | e.Element, lane: int) -> MemoryTarget:
    warp = session.warp
    variable = variables_of(session.runner, warp, session.pc if warp is not None else 0).get(node.name)
    if variable is None:
        evaluate(e.Expression(text, node), session.context())  # says which name is near
        raise DebuggerError(f"{node.name} is no variable", text, node.start, node.end)
    index, count = 0, variable.count
    if isinstance(node, e.Element):
        index, count = _number(session, text, node.index, lane), 1
        if not 0 <= index < variable.count:
            message = f"{variable.name} has {variable.count:,} elements, {index} is none of them"
            raise DebuggerError(message, text, node.index.start, node.index.end)
    address = int(np.broadcast_to(np.asarray(variable.address), (WARP_SIZE,))[lane]) + index * variable.kind.bytes
    size = min(count * variable.kind.bytes, MOST_BYTES)
    return located(session, variable.space, address, size, variable.kind, lane, text)


def _memory(session: Session, text: str, node: e.Memory, lane: int) -> MemoryTarget:
    address = _number(session, text, node.address, lane) & 2**64 - 1
    kind = TYPES[node.type] if node.type else None
    size = _number(session, text, node.size, lane) if node.size is not None else kind.bytes if kind else 4
    if not 0 < size <= MOST_BYTES:
        raise DebuggerError(f"1 to {MOST_BYTES:,} bytes", text, node.start, node.end)
    if kind is None or size % kind.bytes:
        kind = None
    return located(session, node.space, address, size, kind, lane, text)


def _number(session: Session, text: str, node: e.Node, lane: int) -> int:
    if isinstance(node, e.Number) and isinstance(node.value, int):
        return node.value
    value = evaluate(e.Expression(text, node), session.context())
    if value.is_float or value.data.ndim > 1 or not value.lanes >> lane & 1:
        raise DebuggerError("a whole number is needed here", text, node.start, node.end)
    return int(value.data[lane])


def located(
    session: Session, space: str, address: int, size: int, kind: ScalarType | None, lane: int, text: str = ""
) -> MemoryTarget:
    """The bytes at an address as a lane of the focused warp sees them; DebuggerError if they are not all there."""
    warp = session.warp
    key = key_of(warp) if warp is not None else (0, 0, 0)
    variable = variable_at(session, space, address)
    if kind is None:
        named = variable is not None and size % variable.kind.bytes == 0
        fitting = TYPES.get(f"b{8 * size}", TYPES["b32"] if size % 4 == 0 else TYPES["b8"])
        kind = variable.kind if named and variable is not None else fitting
    owner, low, key = _owner(session, warp, key, space, address)
    made = MemoryTarget(text or name_at(variable, space, address, size), owner, low, size, kind, key, lane, address)
    raw = made.bytes_of(session)
    found = session.runner.memory.find(address) if owner == "global" else None
    if raw is None or len(raw) < size or (owner == "global" and (found is None or address + size > found.end)):
        hint = "shared memory begins at 0x400" if owner == "shared" and address < 0x400 else "info buffers lists memory"
        raise DebuggerError(f"{size} bytes at {space}:{address:#x} are not all allocated", help=hint)
    return made


def _owner(session: Session, warp: Warp | None, key: WarpKey, space: str, address: int) -> tuple[str, int, WarpKey]:
    """(space without windows, offset, a warp of the owner) of an address."""
    base = space.partition("::")[0]
    if base == "generic":
        base = next((name for name, low in m.WINDOWS.items() if address >> 32 == low >> 32), "global")
    if base in ("global", "const"):
        if base == "const" and address >> 32 == 0 and warp is not None:
            address |= session.runner.memory.const_window(warp.cta.grid.device) >> 32 << 32
        return "global", address, key
    if warp is None:
        raise DebuggerError("no kernel is running", help="reverse-step goes back into the run")
    low = address & 0xFFFFFFFF
    if base == "shared":
        rank = low >> m.CLUSTER_SHIFT
        if rank >= len(warp.cta.cluster):
            raise DebuggerError(f"shared:{address:#x} is in no CTA of the cluster")
        return "shared", (low & (1 << m.CLUSTER_SHIFT) - 1) - m.SHARED_BASE, (key[0], warp.cta.cluster[rank].linear, 0)
    if base == "local" or low & m.FRAME_FLAG:
        return "local", low & ~m.FRAME_FLAG, key
    return "param", low, key


def variable_at(session: Session, space: str, address: int) -> Variable | None:
    """The variable or buffer that an address lies in."""
    warp = session.warp
    flat = ("global", "const", "generic")
    offset = address & 0xFFFFFFFF if space == "generic" and address >> 32 == m.SHARED_WINDOW >> 32 else None
    for variable in variables_of(session.runner, warp, session.pc if warp is not None else 0).values():
        if np.ndim(variable.address):
            continue
        at = address
        if offset is not None and variable.space == "shared":
            at = offset
        elif variable.space != space.partition("::")[0] and not (variable.space in flat and space in flat):
            continue
        if 0 <= at - int(variable.address) < variable.size:
            return variable
    return None


def name_at(variable: Variable | None, space: str, address: int, size: int) -> str:
    """`out[17]`, or `shared:0x440`."""
    if variable is None:
        return f"{space}:{address:#x}"
    offset = (address & 0xFFFFFFFF if variable.space == "shared" else address) - int(variable.address)
    if offset % variable.kind.bytes or size % variable.kind.bytes:
        return f"{variable.name}+{offset}"
    return f"{variable.name}[{offset // variable.kind.bytes}]"


def spoken(target: Target, lane: int) -> str:
    """`%r3@5` or `out[17]`."""
    return f"{target.register.name}@{lane}" if isinstance(target, RegisterTarget) else target.text


def copied(raw: Any) -> State | None:
    """The bytes as they are now."""
    return raw.copy() if raw is not None else None
