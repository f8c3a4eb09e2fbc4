"""Which instructions may read or write what is watched: traps, at which native code stops by itself."""

from __future__ import annotations

from functools import lru_cache

from emulator.debugger.motor import Reach, Trap
from emulator.debugger.session import Session
from emulator.debugger.targets import MemoryTarget, Target
from emulator.debugger.writers import program_of, registers_read, writers_of
from emulator.machine import memory as m
from emulator.program import Program
from emulator.program.operands import Register

LEAVING = ("exit", "ret")
ALL_BYTES = (1 << 64) - 1
OFFSETS = {"shared": (1 << m.CLUSTER_SHIFT) - 1, "local": m.FRAME_FLAG - 1, "param": m.FRAME_FLAG - 1}


def traps_of(session: Session, target: Target, kinds: str) -> tuple[Trap, ...] | None:
    """The traps for accesses of some kinds (r, w, a); None if that is not known."""
    if isinstance(target, MemoryTarget):
        return (_memory(session, target, kinds),)
    program = program_of(session, target.key)
    if program is None:
        return None
    own, of_all = frozenset[int](), frozenset[int]()
    if "r" in kinds:
        own |= _readers(program, target.register)
    if "w" in kinds:
        writers, of_all = _changes(program, target.register)
        own |= writers
    traps = [Trap({program: own}, None, target.key[:2], target.key[2])]
    return (*traps, Trap({program: of_all}, None, target.key[:2])) if of_all else tuple(traps)


@lru_cache(maxsize=256)
def _readers(program: Program, register: Register) -> frozenset[int]:
    offset = register.offset
    return frozenset(i.pc for i in program.instructions if any(r.offset == offset for r in registers_read(i)))


@lru_cache(maxsize=256)
def _changes(program: Program, register: Register) -> tuple[frozenset[int], frozenset[int]]:
    """Where a warp's register changes: at instructions of the warp, and at those of any warp of its CTA.

    A return gives results and the registers of recursive functions back; a meeting of lanes writes the results of all
    of them where the last ones come or exit; a barrier those of other warps.
    """
    writers = set(writers_of(program).get(register.offset, ()))
    own, of_all = set(writers), set()
    returned = [i for i in program.instructions if i.call is not None and i.pc in writers]
    recursive = any(f.recursive and _has(f.registers, register) for f in program.functions.values())
    for pc in writers:
        entry, opcode = program.instructions[pc].variant.entry, program.instructions[pc].opcode
        if entry.sync is not None:
            own |= {i.pc for i in program.instructions if i.opcode == opcode or i.variant.entry.mnemonic in LEAVING}
        if entry.resume is not None:
            of_all |= {i.pc for i in program.instructions if _may_wake(i.variant.entry.mnemonic)}
    if returned or recursive:
        own |= {i.pc for i in program.instructions if i.variant.entry.mnemonic == "ret"}
    return frozenset(own), frozenset(of_all)


def _may_wake(mnemonic: str) -> bool:
    return mnemonic in LEAVING or mnemonic.startswith("bar")


def _has(registers: tuple[Register, ...] | list[Register], register: Register) -> bool:
    return any(one.offset == register.offset for one in registers)


def _memory(session: Session, target: MemoryTarget, kinds: str) -> Trap:
    if target.space == "global":
        low = target.low & 0xFFFFFFFF  # const addresses may lack what is above
        if low + target.size <= 1 << 32:
            return Trap(reach=Reach(0xFFFFFFFF, low, target.size, kinds))
        return Trap(reach=Reach(ALL_BYTES, target.low, target.size, kinds))
    low = target.low + (m.SHARED_BASE if target.space == "shared" else 0)
    reach = Reach(OFFSETS[target.space], low, target.size, kinds)
    if target.space == "local":
        return Trap({}, reach, target.key[:2], target.key[2])
    return Trap({}, reach, None if target.space == "shared" and _in_cluster(session, target) else target.key[:2])


def _in_cluster(session: Session, target: MemoryTarget) -> bool:
    """Whether other CTAs reach the shared memory."""
    grids = [grid for device in session.runner.devices for grid in device.grids if grid.number == target.key[0]]
    return not grids or grids[0].config.cluster is not None
