"""Which instructions read and write a register, and which accesses touch some bytes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emulator.debugger.recording import Records
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, RegisterTarget
from emulator.engines.schedule import WarpKey
from emulator.machine import memory as m
from emulator.program import Instruction, Program
from emulator.program.operands import Callee, CallList, Elements, Memory, Operand, Packed, Register, Storage

Flags = npt.NDArray[np.bool_]
MOST_LOOKED_AT = 20_000  # warp instructions that a search executes again


def registers_in(operand: Operand | Storage | None) -> Iterator[Register]:
    """The registers that an operand names as values, not those of addresses."""
    if operand is None or isinstance(operand, Storage):
        return
    place = operand.place
    if isinstance(place, Register):
        yield place
    elif isinstance(place, Elements | Packed | CallList):
        for element in place.elements:
            yield from registers_in(element)


def written_by(program: Program, instruction: Instruction) -> Iterator[Register]:
    """The registers that an instruction writes; a call also the parameters of its callee and its own results."""
    for operand in instruction.results:
        yield from registers_in(operand)
    if instruction.call is None:
        return
    for result in instruction.call.results.elements:
        yield from registers_in(result)
    for operand in instruction.sources:
        if isinstance(operand.place, Callee) and isinstance(operand.place.place, str):
            callee = program.functions.get(operand.place.place)
            yield from (one for one in (callee.parameters if callee else ()) if isinstance(one, Register))


def registers_read(instruction: Instruction) -> Iterator[Register]:
    """The registers that an instruction reads, those of addresses and its guard included."""
    if instruction.guard is not None:
        yield instruction.guard
    for operand in instruction.sources:
        yield from registers_in(operand)
        if isinstance(operand.place, Memory) and isinstance(operand.place.base, Register):
            yield operand.place.base


@lru_cache(maxsize=64)
def writers_of(program: Program) -> dict[int, list[int]]:
    """By offset of a row: the pcs that write it."""
    found: dict[int, list[int]] = {}
    for instruction in program.instructions:
        for register in written_by(program, instruction):
            found.setdefault(register.offset, []).append(instruction.pc)
    return found


def register_hits(target: RegisterTarget, program: Program, instructions: Records) -> Records:
    """The instructions that write a register in one of its lanes."""
    grid, block, warp = target.key
    pcs = writers_of(program).get(target.register.offset, [])
    mine = (instructions["grid"] == grid) & (instructions["cta"] == block) & (instructions["warp"] == warp)
    mine &= np.isin(instructions["pc"], pcs) & (instructions["lanes"] & np.uint32(target.lanes) != 0)
    found: Records = instructions[mine]
    return found


def access_hits(session: Session, target: MemoryTarget, accesses: Records, kinds: bytes = b"wa") -> Records:
    """The accesses of some kinds (r, w, a) that touch a byte of a target."""
    wanted = np.isin(accesses["kind"], [bytes([kind]) for kind in kinds])
    found: Records = accesses[wanted & touches(session, target, accesses)]
    return found


def touches(session: Session, target: MemoryTarget, accesses: Records) -> Flags:
    """Which accesses reach a byte of a target."""
    address, size, space = accesses["address"], accesses["size"], accesses["space"]
    window = address >> np.uint64(32)
    low = (address & np.uint64(0xFFFFFFFF)).astype(np.int64)
    generic = space == b"generic"
    if target.space == "global":
        inside = np.isin(space, [b"global", b"const", b"generic"])
        upper = np.uint64(target.low >> 32 << 32)
        at = np.where((space == b"const") & (window == 0), address | upper, address).astype(np.int64)
        mine: Flags = inside
        return mine & _overlap(at, size, target)
    mine = (accesses["grid"] == target.key[0]) & np.isin(accesses["cta"], _ctas(session, target))
    if target.space == "shared":
        mine &= np.char.startswith(space, b"shared") | (generic & (window == m.SHARED_WINDOW >> 32))
        mine &= low >> m.CLUSTER_SHIFT == _rank(session, target)
        at = _in_shared(low)
    elif target.space == "local":
        mine &= (accesses["warp"] == target.key[2]) & (accesses["lane"] == target.lane)
        own = (space == b"param") & (low & m.FRAME_FLAG != 0)
        mine &= (space == b"local") | own | (generic & (window == m.LOCAL_WINDOW >> 32))
        at = low & ~m.FRAME_FLAG
    else:
        mine &= ((space == b"param") & (low & m.FRAME_FLAG == 0)) | (generic & (window == m.PARAM_WINDOW >> 32))
        at = low
    return mine & _overlap(at, size, target)


def offsets_in(target: MemoryTarget, accesses: Records) -> npt.NDArray[np.int64]:
    """Where accesses of shared memory begin, counted from a target's first byte."""
    return _in_shared((accesses["address"] & np.uint64(0xFFFFFFFF)).astype(np.int64)) - target.low


def _in_shared(low: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """From addresses of shared memory to the bytes of a CTA."""
    return (low & (1 << m.CLUSTER_SHIFT) - 1) - m.SHARED_BASE


def _overlap(at: Records, size: Records, target: MemoryTarget) -> Flags:
    found: Flags = (at < target.low + target.size) & (at + size.astype(np.int64) > target.low)
    return found


def _ctas(session: Session, target: MemoryTarget) -> list[int]:
    """The CTAs that reach the bytes: those of the cluster for shared memory."""
    warp = session.timeline.warp((target.key[0], target.key[1], 0))
    if target.space != "shared" or warp is None:
        return [target.key[1]]
    return [cta.linear for cta in warp.cta.cluster]


def _rank(session: Session, target: MemoryTarget) -> int:
    warp = session.timeline.warp((target.key[0], target.key[1], 0))
    return warp.cta.rank if warp is not None else 0


def program_of(session: Session, key: WarpKey) -> Program | None:
    """The program that a warp runs or ran."""
    for device in session.runner.devices:
        for grid in device.grids:
            if grid.number == key[0]:
                program: Program = grid.program
                return program
    return session.programs[0] if len(session.programs) == 1 else None
