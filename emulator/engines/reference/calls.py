"""Calls and returns, lane by lane (manual, 7.1 and 9.7.12.5).

A call puts the return pc and the lane's frame on the lane's call stack; a function that may be active more
than once keeps the lane's columns of its rows there too.  Parameters are copied between the frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.engines.reference.operands import read, register_row, write
from emulator.errors import KernelFault
from emulator.isa.ops import PRED
from emulator.machine.warp import HEADER_BYTES, Warp, mask_of
from emulator.program import FunctionInfo, Instruction
from emulator.program.operands import Callee, Operand, Register, Storage
from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps

LANE_INDEX = np.arange(WARP_SIZE, dtype=np.int64)


def call(ops: ReferenceOps, lanes: Any, target: Callee) -> None:
    """Enter a function; lanes of an indirect call that name different functions enter one after the other."""
    if isinstance(target.place, str):
        _enter(ops, lanes, ops.program.functions[target.place])
        return
    addresses = register_row(ops.warp, target.place).astype(np.uint64)
    by_address = {function.address: function for function in ops.program.functions.values()}
    unknown = lanes & ~np.isin(addresses, list(by_address))
    if unknown.any():
        raise bad_target(ops, unknown, f"{int(addresses[unknown][0]):#x} is the address of no function")
    for address in np.unique(addresses[lanes]):
        _enter(ops, lanes & (addresses == address), by_address[int(address)])


def bad_target(ops: ReferenceOps, lanes: Any, why: str) -> KernelFault:
    """The fault of an indirect branch or call."""
    return ops.runner.faults.illegal_target(ops.warp, mask_of(lanes), ops.instruction, why)


def _enter(ops: ReferenceOps, lanes: Any, callee: FunctionInfo) -> None:
    info = ops.instruction.call
    assert info is not None
    if not lanes.any():
        return
    if callee.external:
        ops.runner.runtime_call(ops, lanes, callee, info)
        return
    arguments = [argument_bytes(ops, argument) for argument in info.arguments.elements]
    _push(ops, lanes, callee)
    for formal, data in zip(callee.parameters, arguments, strict=False):
        put_bytes(ops, lanes, formal, data)
    ops.warp.pc[lanes] = callee.first_pc
    ops.moved |= mask_of(lanes)


def _push(ops: ReferenceOps, lanes: Any, callee: FunctionInfo) -> None:
    warp = ops.warp
    frame = -(-warp.stack_top.astype(np.int64) // callee.frame_align) * callee.frame_align
    full = lanes & (frame + callee.frame_size > warp.stack_bytes)
    columns = _columns(callee)
    for lane in np.flatnonzero(lanes & ~full):
        saved = warp.state[columns[0] + lane * columns[1]] if callee.recursive else columns[0][:0].astype(np.uint8)
        if not warp.push_call(int(lane), ops.instruction.pc + 1, saved):
            full[lane] = True
    if full.any():
        raise ops.runner.faults.stack_overflow(warp, mask_of(full), ops.instruction, callee.name)
    warp.frame[lanes] = frame[lanes]
    warp.stack_top[lanes] = frame[lanes] + callee.frame_size


def _columns(function: FunctionInfo) -> tuple[Any, Any]:
    """(offset of lane 0, distance between lanes) of every byte of a lane's column of the function's rows."""
    starts: list[int] = []
    widths: list[int] = []
    for register in function.registers:
        size = register.type.bytes
        starts += [HEADER_BYTES + register.offset + n for n in range(size)]
        widths += [size] * size
    return np.array(starts, dtype=np.int64), np.array(widths, dtype=np.int64)


def ret(ops: ReferenceOps, lanes: Any) -> None:
    """Return these lanes, or end them where they are in the kernel itself."""
    warp = ops.warp
    outermost = lanes & (warp.depth == 0)
    if outermost.any():
        ops.exit(ops.row(PRED, outermost))
    inner = lanes & ~outermost
    if not inner.any():
        return
    callee = ops.instruction.function
    results = [argument_bytes(ops, formal) for formal in callee.returns]
    columns = _columns(callee)
    for lane in np.flatnonzero(inner):
        warp.stack_top[lane] = warp.frame[lane]
        return_pc, frame, saved = warp.pop_call(int(lane))
        warp.pc[lane], warp.frame[lane] = return_pc, frame
        if len(saved):
            warp.state[columns[0] + lane * columns[1]] = saved
    ops.moved |= mask_of(inner)
    _return_values(ops, inner, results)


def _return_values(ops: ReferenceOps, lanes: Any, results: list[Any]) -> None:
    """Copy return values into each caller's own places; lanes may return to different calls."""
    for pc in np.unique(ops.warp.pc[lanes]):
        part = lanes & (ops.warp.pc == pc)
        info = ops.program.instructions[int(pc) - 1].call
        assert info is not None
        for place, data in zip(info.results.elements, results, strict=False):
            put_bytes(ops, part, place, data)


def argument_bytes(ops: ReferenceOps, place: Operand | Storage | Register) -> Any:
    """(32, size) bytes of an argument, parameter or result."""
    if isinstance(place, Storage):
        rows = ops.warp.local.reshape(WARP_SIZE, ops.warp.stack_bytes)
        where = ops.warp.frame.astype(np.int64)[:, None] + place.offset + np.arange(place.size)
        where = np.minimum(where, max(0, ops.warp.stack_bytes - 1))
        return np.take_along_axis(rows, where, axis=1)
    data = register_row(ops.warp, place) if isinstance(place, Register) else read(ops, place).data
    return np.ascontiguousarray(data).view(np.uint8).reshape(WARP_SIZE, -1).copy()


def put_bytes(ops: ReferenceOps, lanes: Any, place: Operand | Storage | Register, data: Any) -> None:
    """Write (32, size) bytes to a parameter or result, cut or filled with zeros to its size."""
    size = place.size if isinstance(place, Storage) else _operand_bytes(place)
    if data.shape[1] < size:
        data = np.concatenate((data, np.zeros((WARP_SIZE, size - data.shape[1]), np.uint8)), axis=1)
    data = data[:, :size]
    if isinstance(place, Storage):
        rows = ops.warp.local.reshape(WARP_SIZE, ops.warp.stack_bytes)
        for lane in np.flatnonzero(lanes):
            start = int(ops.warp.frame[lane]) + place.offset
            rows[lane, start : start + size] = data[lane]
        return
    if isinstance(place, Register):
        row = register_row(ops.warp, place).view(np.uint8).reshape(WARP_SIZE, -1)
        row[lanes] = data[lanes]
        return
    if isinstance(place.place, Register):
        put_bytes(ops, lanes, place.place, data)


def _operand_bytes(place: Operand | Register) -> int:
    kind = place.type
    return kind.bytes if kind is not None else 0


__all__ = ["Instruction", "Warp", "argument_bytes", "bad_target", "call", "put_bytes", "ret", "write"]
