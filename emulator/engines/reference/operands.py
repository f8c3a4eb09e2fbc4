"""Reading and writing the places of a linked instruction (manual, 6 and 9.4.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.engines.reference.lane_ops import constant, dtype_of, unsigned_of
from emulator.engines.reference.specials import special_row
from emulator.isa.ops import U64, Value
from emulator.machine import memory as m
from emulator.machine.warp import Warp
from emulator.program.operands import (
    Elements,
    FunctionAddress,
    Immediate,
    Memory,
    Operand,
    Packed,
    Register,
    Sink,
    Special,
    Storage,
    Symbol,
    space_of,
)
from emulator.ptx_types import WARP_SIZE, ScalarType, bits_type

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps

Row = Any
ADDRESS_MASK = 2**64 - 1


def register_row(warp: Warp, register: Register) -> Row:
    """The register's row in the warp's bytes, in its declared type's dtype; a view."""
    data = warp.row(register.offset, register.row_bytes, dtype_of(register.type))
    return data.reshape(WARP_SIZE, 2) if register.type.width == 128 else data


def read(ops: ReferenceOps, operand: Operand) -> Any:
    """An operand as the meaning sees it: a Value, a list of them for a vector, or the place itself."""
    place = operand.place
    kind = operand.type
    if kind is None:
        return place
    if isinstance(place, Elements):
        return [read(ops, element) for element in place.elements]
    if isinstance(place, Memory):
        return ops.row(U64, _address(ops, place))
    if isinstance(place, Packed):
        return ops.row(kind, _pack(ops, place, kind))
    value = ops.row(kind, _row(ops, place, kind))
    return ~value if operand.negated else value


def _row(ops: ReferenceOps, place: Any, kind: ScalarType) -> Row:
    if isinstance(place, Register):
        return _narrow(register_row(ops.warp, place), place.type, kind)
    if isinstance(place, Immediate):
        return _constant(place.bits, kind)
    if isinstance(place, Special):
        row = special_row(place.name, place.component, ops.warp, ops.runner)
        return row if kind.kind == "p" else row.astype(unsigned_of(kind.width)).view(dtype_of(kind))
    if isinstance(place, Symbol):
        return symbol_address(ops, place).astype(unsigned_of(kind.width)).view(dtype_of(kind))
    if isinstance(place, FunctionAddress):
        return _constant(ops.program.functions[place.name].address, kind)
    raise TypeError(f"cannot read {place!r}")


def constant_row(ops: ReferenceOps, place: Immediate | Special | Symbol | FunctionAddress, kind: ScalarType) -> Row:
    """The row of a place that no instruction can change."""
    return _row(ops, place, kind)


def _constant(bits: int, kind: ScalarType) -> Row:
    if kind.kind == "f":
        return constant(bits_type(kind.width), bits, WARP_SIZE, False).view(dtype_of(kind))
    return constant(kind, bits, WARP_SIZE, False)


def _narrow(row: Row, have: ScalarType, want: ScalarType) -> Row:
    """A register's row in the instruction's type: the low bits."""
    if have.width == want.width:
        return row.view(dtype_of(want))
    if have.width == 128:
        row = row[:, 0]
    bits = row.view(unsigned_of(min(have.width, 64)))
    return bits.astype(unsigned_of(max(8, want.width))).view(dtype_of(want))


def _pack(ops: ReferenceOps, place: Packed, kind: ScalarType) -> Row:
    parts = [read(ops, element).data.view(np.uint8).reshape(WARP_SIZE, -1) for element in place.elements]
    data = np.concatenate(parts, axis=1).view(dtype_of(kind))
    return data if kind.width == 128 else data[:, 0]


def symbol_address(ops: ReferenceOps, place: Symbol) -> Row:
    """The address of a variable in its own state space or, if the symbol says so, a generic one, as u64."""
    storage, addend = place.storage, place.addend
    window = np.uint64(m.WINDOWS.get(space_of(storage), 0) if place.generic else 0)
    if storage.space == "frame":
        offset = ops.warp.frame.astype(np.uint64) + np.uint64(storage.offset + addend & ADDRESS_MASK)
        is_param = space_of(storage) == "param"
        return window + (offset | np.uint64(m.FRAME_FLAG) if is_param else offset)
    return np.full(WARP_SIZE, fixed_address(ops, storage) + addend & ADDRESS_MASK, dtype=np.uint64) + window


def fixed_address(ops: ReferenceOps, storage: Storage) -> int:
    """The address of a variable that is the same for all lanes."""
    grid = ops.warp.cta.grid
    if storage.space == "shared":
        offset = grid.dynamic_offset if storage.offset < 0 else storage.offset
        return (ops.warp.cta.rank << m.CLUSTER_SHIFT) + m.SHARED_BASE + offset
    if storage.space == "param":
        return storage.offset
    return grid.symbols[storage.name]


def _address(ops: ReferenceOps, place: Memory) -> Row:
    """The address between brackets, as u64; 32-bit registers wrap at 32 bits."""
    base = place.base
    if isinstance(base, Symbol):
        return symbol_address(ops, replace(base, addend=base.addend + place.offset))
    if isinstance(base, Immediate):
        return np.full(WARP_SIZE, base.bits + place.offset & ADDRESS_MASK, dtype=np.uint64)
    row = register_row(ops.warp, base).view(unsigned_of(base.type.width))
    if place.offset:
        row = row + row.dtype.type(place.offset & ((1 << base.type.width) - 1))
    return row.astype(np.uint64)


def write(ops: ReferenceOps, operand: Operand, result: Any) -> None:
    """Write a result under the mask of the executing lanes."""
    place = operand.place
    if isinstance(place, Sink):
        return
    if isinstance(place, Elements):
        for element, value in zip(place.elements, result, strict=True):
            write(ops, element, value)
        return
    assert operand.type is not None
    if isinstance(place, Packed):
        _unpack(ops, place, result)
        return
    assert isinstance(place, Register)
    row = register_row(ops.warp, place)
    new = _widen(result, operand.type, place.type)
    lanes = ops.lanes.data
    np.copyto(row, new.view(row.dtype), where=lanes[:, None] if row.ndim == 2 else lanes)


def _widen(result: Value, kind: ScalarType, have: ScalarType) -> Row:
    """A result in the width of its register: sign- or zero-extended by the instruction's type."""
    data = result.data.view(dtype_of(kind))
    if have.width == kind.width:
        return data
    if have.width == 128:
        low = data.astype(np.int64) if kind.is_signed else data.view(unsigned_of(kind.width)).astype(np.uint64)
        high = low >> 63 if kind.is_signed else np.zeros(WARP_SIZE, np.uint64)
        return np.stack((low.view(np.uint64), high.view(np.uint64)), axis=1)
    if kind.is_signed:
        return data.astype(np.dtype(f"int{have.width}")).view(dtype_of(have))
    return data.view(unsigned_of(max(8, kind.width))).astype(unsigned_of(have.width)).view(dtype_of(have))


def _unpack(ops: ReferenceOps, place: Packed, result: Value) -> None:
    raw = np.ascontiguousarray(result.data).view(np.uint8).reshape(WARP_SIZE, -1)
    size = raw.shape[1] // len(place.elements)
    for number, element in enumerate(place.elements):
        assert element.type is not None
        part = np.ascontiguousarray(raw[:, number * size : (number + 1) * size])
        dtype = dtype_of(element.type)
        row = part.view(dtype) if element.type.width == 128 else part.view(dtype)[:, 0]
        write(ops, element, ops.row(element.type, row))
