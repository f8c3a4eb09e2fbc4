"""The first and the last instructions of a random kernel: its registers from numbers, and into the thread's record."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emulator.ptx_types import TYPES
from tests.engines.native.random_operands import OBJECTS, REGISTERS, VECTORS, registers

RECORD = 512  # bytes that a thread loads and stores
COMPARED = ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3), (2, 1), (3, 2))  # words that make a predicate


def prologue(block: tuple[int, ...], used: set[str]) -> Iterator[str]:
    """The address of the thread's record in %record, the registers that are used loaded from two records of numbers."""
    yield from (".reg .b64 %record;", "mov.u32 %fuel, 12;", *_thread_number(block))
    yield from ("ld.param.u64 %y0, [in];", "ld.param.u64 %record, [out];")
    yield from ("mul.lo.u32 %x3, %x2, 48;", f"and.b32 %x3, %x3, {2 * RECORD - 16};", "cvt.u64.u32 %y1, %x3;")
    yield from ("add.u64 %y0, %y0, %y1;", f"mad.wide.u32 %record, %x2, {RECORD}, %record;")
    yield "ld.global.v4.b32 {%x0, %x1, %x2, %x3}, [%y0];"
    for name, (a, b) in zip(registers("pred"), COMPARED, strict=True):
        if name in used:
            yield f"setp.lt.u32 {name}, %x{a}, %x{b};"
    for width, vector, operand, at in _places(used):
        if width == 128:
            yield from (f"ld.global.v2.b64 {{%y2, %y3}}, [%y0+{at}];", f"mov.b128 {operand}, {{%y2, %y3}};")
        else:
            yield f"ld.global{vector}.b{width} {operand}, [%y0+{at}];"


def objects(counts: list[int]) -> Iterator[str]:
    """The mbarrier objects, made by one thread."""
    yield from ("mov.u32 %x0, %tid.x;", "mov.u32 %x1, %tid.y;", "or.b32 %x0, %x0, %x1;", "mov.u32 %x1, %tid.z;")
    yield from ("or.b32 %x0, %x0, %x1;", "setp.eq.u32 %g0, %x0, 0;")
    yield from (f"@%g0 mbarrier.init.shared.b64 [{OBJECTS[0]}+{8 * n}], {count};" for n, count in enumerate(counts))
    yield "bar.sync 0;"


def epilogue(used: set[str]) -> Iterator[str]:
    """The registers that are used and the carry bit to the thread's record."""
    yield from ("addc.u32 %m, 0, 0;", "mov.u32 %x0, 0;")
    for number, name in enumerate(name for name in registers("pred") if name in used):
        yield f"@{name} or.b32 %x0, %x0, {1 << number};"
    yield "st.global.v2.u32 [%record], {%m, %x0};"
    for width, vector, operand, at in _places(used):
        yield f"st.global{vector}.b{width} [%record+{at}], {operand};"


def _thread_number(block: tuple[int, ...]) -> Iterator[str]:
    """The linear number of the thread in the grid, in %x2."""
    yield "mov.u32 %x2, %tid.x;"
    for axis, below in (("y", block[:1]), ("z", block[:2])):
        if len(block) > len(below):
            yield from (f"mov.u32 %x0, %tid.{axis};", f"mad.lo.u32 %x2, %x0, {int(np.prod(below))}, %x2;")
    yield from ("mov.u32 %x0, %ctaid.x;", f"mad.lo.u32 %x2, %x0, {int(np.prod(block))}, %x2;")


def _places(used: set[str]) -> Iterator[tuple[int, str, str, int]]:
    """(width, ".v2" or the like, operand, where in a record) of the registers that are used, but for predicates."""
    at = 16
    for kind in REGISTERS:
        size = TYPES[kind].bytes
        for vector, operand in _operands(kind, used) if kind != "pred" else ():
            whole = size * int(vector[2:] or 1)
            at = -(-at // whole) * whole
            yield TYPES[kind].width, vector, operand, at
            at += whole
    assert at <= RECORD


def _operands(kind: str, used: set[str]) -> Iterator[tuple[str, str]]:
    """The registers of a type that are used, as many together as an access takes."""
    names = [name for name in registers(kind) if name in used and "." not in name]
    while names:
        count = next(n for n in (4, 2, 1) if n <= len(names) and n * TYPES[kind].bytes <= 16)
        yield (f".v{count}", f"{{{', '.join(names[:count])}}}") if count > 1 else ("", names[0])
        names = names[count:]
    if VECTORS.get(kind) in used:
        yield ".v4", VECTORS[kind]
