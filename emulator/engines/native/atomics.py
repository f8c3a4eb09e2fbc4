"""Atomic operations as LLVM text: a loop over the executing lanes, the lowest first.

Where other threads may change the bytes, the new value is exchanged for the old one if that is still there, else the
lane tries again; with one thread it is stored, which costs less.  Of 16 bytes nobody is sure to have such an exchange:
with several threads they are left to the reference engine (machine_ops.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.engines.native.context import offset_of
from emulator.engines.native.text import lane_type, vector
from emulator.isa.ops import PRED, Value
from emulator.isa.reductions import combine
from emulator.ptx_types import ScalarType, bits_type

if TYPE_CHECKING:
    from emulator.engines.native.machine_ops import MachineOps

RELATIONS = {("min", True): "slt", ("min", False): "ult", ("max", True): "sgt", ("max", False): "ugt"}
QUIET_F64 = 1 << 51
NAN = {32: 0x7FFFFFFF, 64: 0xFFF8000000000000}


def atomic_text(
    ops: MachineOps,
    pointers: str,
    operation: str,
    kind: ScalarType,
    operands: Sequence[Sequence[Value]],
    in_global: str,
    contended: str,
) -> list[Value]:
    """Read, modify and write consecutive elements at the pointers of the executing lanes; the old ones, 0 in lanes off.

    operands: those of each element.  in_global: which lanes' pointers are to global memory, where f32 additions flush
    subnormal numbers.  contended: an i1, whether other threads may change the bytes.
    """
    if len(operands) > 1 or not is_scalar(operation, kind):
        return _by_meaning(ops, pointers, operation, kind, operands, in_global, contended)
    element = f"i{kind.width}"
    places = [spill(ops, vector("ptr"), pointers)]
    places += [spill(ops, vector(element), _bits(ops, value, element)) for value in operands[0]]
    flushes = spill(ops, vector("i8"), ops.emit(f"zext {vector('i1')} {in_global} to {vector('i8')}"))
    out = spill(ops, vector(element), "zeroinitializer")
    with each_lane(ops) as lane:
        kinds = ["ptr"] + [element] * len(operands[0])
        at, *given = [pick(ops, place, kind_, lane) for place, kind_ in zip(places, kinds, strict=True)]
        flush = ops.emit(f"trunc i8 {pick(ops, flushes, 'i8', lane)} to i1")
        with _attempt(ops, at, kind, contended) as attempt:
            attempt.new = _combine(ops, operation, kind, attempt.old, given, flush)
        put(ops, out, element, lane, attempt.old)
    return [_taken(ops, out, kind)]


def is_scalar(operation: str, kind: ScalarType) -> bool:
    """Whether `_combine` does it for one lane: faster than the meaning over a vector of which one lane counts."""
    return kind.width >= 32 and (kind.kind in "usb" or (kind.kind == "f" and operation == "add"))


def _by_meaning(
    ops: MachineOps,
    pointers: str,
    operation: str,
    kind: ScalarType,
    operands: Sequence[Sequence[Value]],
    in_global: str,
    contended: str,
) -> list[Value]:
    element, bits = f"i{kind.width}", bits_type(kind.width)
    flushes = Value(ops, PRED, in_global)
    places = spill(ops, vector("ptr"), pointers)
    outs = [spill(ops, vector(element), "zeroinitializer") for _ in operands]
    with each_lane(ops) as lane:
        first = pick(ops, places, "ptr", lane)
        for number, (out, given) in enumerate(zip(outs, operands, strict=True)):
            at = ops.emit(f"getelementptr i8, ptr {first}, i64 {number * kind.bytes}") if number else first
            with _attempt(ops, at, kind, contended) as attempt:
                old = ops.view(Value(ops, bits, ops.spread(element, attempt.old)), kind)
                new = ops.view(combine(ops, operation, kind, old, given, flushes), bits)
                attempt.new = ops.emit(f"extractelement {vector(element)} {new.data}, i32 {lane}")
            put(ops, out, element, lane, attempt.old)
    return [_taken(ops, out, kind) for out in outs]


@contextmanager
def each_lane(ops: MachineOps) -> Iterator[str]:
    """A loop over the executing lanes, the lowest first; the number of the lane."""
    lanes = ops.emit(f"bitcast {vector('i1')} {ops.lanes.data} to i32")
    start, loop, body, last, done = (ops.label() for _ in range(5))
    rest, after = ops.emit_later(), ops.emit_later()
    ops.lines += [f"  br label %{start}", f"{start}:", f"  br label %{loop}", f"{loop}:"]
    ops.lines.append(f"  {rest} = phi i32 [ {lanes}, %{start} ], [ {after}, %{last} ]")
    more = ops.emit(f"icmp ne i32 {rest}, 0")
    ops.lines += [f"  br i1 {more}, label %{body}, label %{done}", f"{body}:"]
    yield ops.intrinsic("llvm.cttz.i32", "i32", [("i32", rest), ("i1", "true")])
    ops.lines += [f"  br label %{last}", f"{last}:"]
    less = ops.emit(f"sub i32 {rest}, 1")
    ops.lines += [f"  {after} = and i32 {rest}, {less}", f"  br label %{loop}", f"{done}:"]


@dataclass
class _Attempt:
    """The bits that are there, and those that shall be."""

    old: str
    new: str = ""


@contextmanager
def _attempt(ops: MachineOps, at: str, kind: ScalarType, contended: str) -> Iterator[_Attempt]:
    """Replace the bits at a place by those made of them, again where another thread was faster."""
    element = f"i{kind.width}"
    if kind.width > 64:
        alone = _Attempt(ops.emit(f"load {element}, ptr {at}, align 1"))
        yield alone
        ops.lines.append(f"  store {element} {alone.new}, ptr {at}, align 1")
        count_change(ops, element, alone.old, alone.new)
        return
    attempt, exchange, put, made = (ops.label() for _ in range(4))
    ops.lines += [f"  br label %{attempt}", f"{attempt}:"]
    found = _Attempt(ops.emit(f"load atomic {element}, ptr {at} monotonic, align {kind.bytes}"))
    yield found
    ops.lines += [f"  br i1 {contended}, label %{exchange}, label %{put}", f"{exchange}:"]
    places = f"ptr {at}, {element} {found.old}, {element} {found.new}"
    pair = ops.emit(f"cmpxchg {places} seq_cst seq_cst, align {kind.bytes}")
    same = ops.emit(f"extractvalue {{ {element}, i1 }} {pair}, 1")
    ops.lines += [f"  br i1 {same}, label %{made}, label %{attempt}", f"{put}:"]
    ops.lines += [f"  store {element} {found.new}, ptr {at}, align 1", f"  br label %{made}", f"{made}:"]
    count_change(ops, element, found.old, found.new)


def put(ops: MachineOps, out: str, element: str, lane: str, old: str) -> None:
    """What a lane has found."""
    slot = ops.emit(f"getelementptr {element}, ptr {out}, i32 {lane}")
    ops.lines.append(f"  store {element} {old}, ptr {slot}")


def _taken(ops: MachineOps, out: str, kind: ScalarType) -> Value:
    """What the lanes have found."""
    found = Value(ops, bits_type(kind.width), ops.emit(f"load {vector(f'i{kind.width}')}, ptr {out}, align 64"))
    return ops.view(found, kind)


def _bits(ops: MachineOps, value: Value, element: str) -> str:
    have = lane_type(value.type)
    return value.data if have == element else ops.emit(f"bitcast {vector(have)} {value.data} to {vector(element)}")


def spill(ops: MachineOps, kind: str, data: str) -> str:
    """A vector in memory of the function's own, to be read lane by lane."""
    place = ops.emit_later()
    ops.rooms.append(f"  {place} = alloca {kind}, align 64")
    ops.lines.append(f"  store {kind} {data}, ptr {place}, align 64")
    return place


def pick(ops: MachineOps, place: str, element: str, lane: str) -> str:
    """One lane of a spilled vector."""
    at = ops.emit(f"getelementptr {element}, ptr {place}, i32 {lane}")
    return ops.emit(f"load {element}, ptr {at}")


def count_change(ops: MachineOps, element: str, old: str, new: str) -> None:
    """One change of memory more, if a value is another."""
    at = ops.emit(f"getelementptr i8, ptr %ctx, i64 {offset_of('progress')}")
    so_far = ops.emit(f"load i64, ptr {at}")
    changed = ops.emit(f"icmp ne {element} {old}, {new}")
    total = ops.emit(f"add i64 {so_far}, {ops.emit(f'zext i1 {changed} to i64')}")
    ops.lines.append(f"  store i64 {total}, ptr {at}")


def _combine(ops: MachineOps, operation: str, kind: ScalarType, old: str, given: list[str], flush: str) -> str:
    """What one lane makes of an old value (manual, 9.7.13.5)."""
    element, b = f"i{kind.width}", given[0]
    if operation == "exch":
        return b
    if operation == "cas":
        same = ops.emit(f"icmp eq {element} {old}, {b}")
        return ops.emit(f"select i1 {same}, {element} {given[1]}, {element} {old}")
    if kind.is_float:
        return _float_add(ops, kind, old, b, flush)
    if operation in ("min", "max"):
        first = ops.emit(f"icmp {RELATIONS[operation, kind.is_signed]} {element} {b}, {old}")
        return ops.emit(f"select i1 {first}, {element} {b}, {element} {old}")
    if operation == "inc":
        wraps = ops.emit(f"icmp uge {element} {old}, {b}")
        return ops.emit(f"select i1 {wraps}, {element} 0, {element} {ops.emit(f'add {element} {old}, 1')}")
    if operation == "dec":
        none = ops.emit(f"icmp eq {element} {old}, 0")
        wraps = ops.emit(f"or i1 {none}, {ops.emit(f'icmp ugt {element} {old}, {b}')}")
        return ops.emit(f"select i1 {wraps}, {element} {b}, {element} {ops.emit(f'sub {element} {old}, 1')}")
    return ops.emit(f"{operation} {element} {old}, {b}")


def _float_add(ops: MachineOps, kind: ScalarType, old: str, b: str, flush: str) -> str:
    element, name, width = f"i{kind.width}", lane_type(kind), kind.width
    if width == 32:
        old, b = _flushed(ops, old, flush), _flushed(ops, b, flush)
    x, y = ops.emit(f"bitcast {element} {old} to {name}"), ops.emit(f"bitcast {element} {b} to {name}")
    total = ops.emit(f"fadd {name} {x}, {y}")
    bits = ops.emit(f"bitcast {name} {total} to {element}")
    nan = str(NAN[width])
    if width == 64:
        for number, data in ((y, b), (x, old)):
            inherits = ops.emit(f"fcmp uno double {number}, {number}")
            quiet = ops.emit(f"or i64 {data}, {QUIET_F64}")
            nan = ops.emit(f"select i1 {inherits}, i64 {quiet}, i64 {nan}")
    bits = _flushed(ops, bits, flush) if width == 32 else bits
    is_nan = ops.emit(f"fcmp uno {name} {total}, {total}")
    return ops.emit(f"select i1 {is_nan}, {element} {nan}, {element} {bits}")


def _flushed(ops: MachineOps, bits: str, flush: str) -> str:
    """A subnormal f32 as a zero of its sign, if `flush`."""
    exponent = ops.emit(f"and i32 {bits}, {0x7F800000}")
    tiny = ops.emit(f"and i1 {ops.emit(f'icmp eq i32 {exponent}, 0')}, {flush}")
    return ops.emit(f"select i1 {tiny}, i32 {ops.emit(f'and i32 {bits}, {0x80000000}')}, i32 {bits}")
