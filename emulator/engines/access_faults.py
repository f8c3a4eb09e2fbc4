"""Accesses that must not happen, in words: which object they miss and by how much, and a likely fix."""

from __future__ import annotations

from typing import NamedTuple

from emulator.machine import memory as m
from emulator.machine.multicast import Multicast, is_multicast
from emulator.machine.warp import Warp, lanes_of
from emulator.parse import operand_spans
from emulator.program import Instruction

FAR = 1 << 20  # bytes: further away from every allocation an address is no overrun
NULL_BYTES = 4096

Facts = tuple[tuple[str, str], ...]
Part = tuple[int, int, str]  # start, bytes, name


class Region(NamedTuple):
    """What an address belongs to or misses: an allocation, or a whole state space.

    name: in the headline.  start, size: in the addresses of its space; a negative size is no memory at all.  parts: its
    variables.  row: a fact about it.
    """

    name: str
    start: int
    size: int
    parts: list[Part]
    row: tuple[str, str]
    help: str = "guard the index"

    @property
    def end(self) -> int:
        return self.start + self.size


def report_access(
    fault: m.AccessFault, warp: Warp, instruction: Instruction, memory: m.AddressSpace
) -> tuple[str, Facts, str]:
    """(headline, facts, help) of an access; the first lane at fault is described."""
    lane = (fault.lanes & -fault.lanes).bit_length() - 1
    address = int(fault.addresses[lane])
    space = _space(fault, address)
    if fault.space == "multimem" or is_multicast(address):
        return _report_multimem(fault, warp, instruction, memory, lane)
    region = _region(space, address, lane, warp, memory)
    at = _within_space(space, address)
    headline, help = _headline(fault, instruction, space, address, at, region)
    facts = [("first", f"lane {lane}, thread {warp.cta.thread(warp, lane)}: {_spot(at, address, region)}")]
    if region is not None and _is_near(at, region):
        facts.append(region.row)
    facts.append(("address", _addresses(fault, instruction)))
    return headline, tuple(facts), help


def _report_multimem(
    fault: m.AccessFault, warp: Warp, instruction: Instruction, memory: m.AddressSpace, lane: int
) -> tuple[str, Facts, str]:
    """An access of a multimem address by another instruction, or a multimem access that is none of one."""
    address = int(fault.addresses[lane])
    found = memory.multicasts.at(address) if is_multicast(address) else None
    if found is not None and address - found.end >= FAR:
        found = None
    headline, help = _multimem_headline(fault, instruction, memory, address, found)
    place = f"{address:#x}"
    if found is not None:
        place = f"{found.name}{address - found.base:+d}" if address != found.base else found.name
    facts = [("first", f"lane {lane}, thread {warp.cta.thread(warp, lane)}: {place}")]
    if found is not None:
        devices = ", ".join(str(device) for device in found.members)
        row = f'"{found.name}", {found.size:,} bytes at {found.base:#x} on device{"s" * (len(found.members) > 1)}'
        facts.append(("multicast", f"{row} {devices}"))
    facts.append(("address", _addresses(fault, instruction)))
    return headline, tuple(facts), help


def _multimem_headline(
    fault: m.AccessFault, instruction: Instruction, memory: m.AddressSpace, address: int, found: Multicast | None
) -> tuple[str, str]:
    what = f"{instruction.opcode} of {fault.size} byte{'s' * (fault.size != 1)}"
    if fault.space != "multimem":
        fix = "only multimem.ld_reduce, multimem.st and multimem.red may: use the buffer of a device (manual, 8.2.3)"
        return f"{what} at a multimem address" + (f' of "{found.name}"' if found else ""), fix
    if fault.kind == "misaligned":
        return f"misaligned {what}", f"its address has to be a multiple of {fault.size}"
    if found is None:
        fix = "System.multicast(...) makes multimem addresses; a buffer has none"
        near = None if is_multicast(address) else memory.find(address)
        return what + (f' at "{near.name}"' if near else f" at {address:#x}") + ", which is no multimem address", fix
    if address + fault.size > found.end:
        side = "past" if address >= found.end else "across"
        return f'{what} {side} the end of "{found.name}"', "guard the index, or make the multicast larger"
    missing = [str(device) for device, member in found.members.items() if not memory.holds(member)]
    fix = "every device needs memory first: bind(buffer)"
    return f'{what} while "{found.name}" has no memory on device {", ".join(missing)}', fix


def _space(fault: m.AccessFault, address: int) -> str:
    """The state space of an access; of a generic address that of its window."""
    space = fault.space.partition("::")[0]
    if space == "generic":
        windows = {window >> 32: name for name, window in m.WINDOWS.items() if "::" not in name}
        space = windows.get(address >> 32, "global")
    return "local" if space == "param" and address & m.FRAME_FLAG else space


def _within_space(space: str, address: int) -> int:
    """An address as its own space counts it: without window, rank of the CTA and frame flag."""
    if space == "shared":
        return address & (1 << m.CLUSTER_SHIFT) - 1
    return address if space in ("global", "const") else address & (m.FRAME_FLAG - 1)


def _headline(
    fault: m.AccessFault, instruction: Instruction, space: str, address: int, at: int, region: Region | None
) -> tuple[str, str]:
    """`store of 4 bytes past the end of "out"`, and a help."""
    is_atomic = instruction.variant.entry.mnemonic in ("atom", "red")
    verb = "atomic access" if is_atomic else "store" if fault.is_write else "load"
    what = f"{verb} of {fault.size} byte{'s' * (fault.size != 1)}"
    if fault.kind == "private":
        fix = "atomic operations reach global and shared memory (manual, 9.7.13.5)"
        return f"{what} to {space} memory, which no other thread sees", fix
    if fault.kind == "misaligned":
        return f"misaligned {what} in {space} memory", f"its address has to be a multiple of {fault.size}"
    if fault.kind == "read_only":
        name = region.name if region is not None else "memory"
        fix = "copy it to global, shared or local memory and change it there"
        return f"{what} to {name}, which {'are' if space == 'param' else 'is'} read-only", fix
    where, help = _miss(fault, space, address, at, region)
    return f"{what} {where}", help


def _miss(fault: m.AccessFault, space: str, address: int, at: int, region: Region | None) -> tuple[str, str]:
    """How an address misses a region."""
    if fault.space in ("shared", "local") and address >> 32:
        fix = f"is it a generic address? cvta.to.{space} makes it one of {space} memory"
        return f"at {address:#x}, no address of {space} memory", fix
    if space in ("global", "const") and address < NULL_BYTES:
        return "through a null pointer", "is the pointer set, and was a buffer given for it?"
    if region is None or not _is_near(at, region):
        fix = "is the register that holds the address set, and is it a device address?"
        return f"at {address:#x}, far from every allocation", fix
    if region.size < 0:
        return f"in {region.name}", region.help
    if at < region.start:
        fix = f"shared memory begins at {region.start:#x}: take addresses of its variables with mov"
        return f"before the start of {region.name}", fix if space == "shared" else region.help
    if at >= region.end:
        return f"past the end of {region.name}", region.help
    fix = f"only {region.end - at} of its {fault.size} bytes are inside: use a narrower access at the end"
    return f"across the end of {region.name}", fix


def _is_near(at: int, region: Region) -> bool:
    return region.size < 0 or region.start - FAR <= at < region.end + FAR


def _spot(at: int, address: int, region: Region | None) -> str:
    """`out+128, 0 bytes after its end`, or the bare address where nothing is near."""
    if region is None or not region.parts or not _is_near(at, region):
        return f"{address:#x}"
    start, size, name = next((part for part in reversed(region.parts) if part[0] <= at), region.parts[0])
    offset = at - start
    text = f"{name}{offset:+d}" if offset else name
    if offset >= size:
        return f"{text}, {offset - size:,} bytes after its end"
    return f"{text}, {-offset:,} bytes before its start" if offset < 0 else text


def _addresses(fault: m.AccessFault, instruction: Instruction) -> str:
    """`[%rd1+80] = 0x700000001080 .. 0x7000000010cc`, over the lanes at fault."""
    spans = operand_spans(instruction.source, instruction.node)
    texts = [instruction.source.text[span.start : span.end] for span in spans]
    place = next((f"{' '.join(text.split())} = " for text in texts if text.startswith("[")), "")
    values = fault.addresses[lanes_of(fault.lanes)]
    low, high = int(values.min()), int(values.max())
    return f"{place}{low:#x}" + (f" .. {high:#x}" if high != low else "")


# --- the regions of each space -------------------------------------------------------------------


def _region(space: str, address: int, lane: int, warp: Warp, memory: m.AddressSpace) -> Region | None:
    if space in ("global", "const"):
        return _allocation(address, memory)
    if space == "shared":
        return _shared(address, warp)
    return _parameters(warp) if space == "param" else _local(lane, warp)


def _allocation(address: int, memory: m.AddressSpace) -> Region | None:
    found = memory.nearest(address)
    if found is None:
        return None
    key = "buffer" if found.kind == "buffer" else "variable"
    note = f", {found.note}" if found.note else f", .{found.kind}" if key == "variable" else ""
    row = (key, f'"{found.name}"{note}, {found.size:,} bytes at {found.base:#x}')
    fix = "guard the index, or make the buffer larger" if key == "buffer" else "guard the index"
    return Region(f'"{found.name}"', found.base, found.size, [(found.base, found.size, found.name)], row, fix)


def _shared(address: int, warp: Warp) -> Region:
    cta, grid = warp.cta, warp.cta.grid
    rank = (address & 0xFFFF_FFFF) >> m.CLUSTER_SHIFT
    if rank >= len(cta.cluster):
        row = ("cluster", f"{len(cta.cluster)} CTA{'s' * (len(cta.cluster) != 1)}, this is number {cta.rank}")
        return Region(f"shared memory of CTA {rank} of the cluster", 0, -1, [], row, "the cluster has no such CTA")
    total = len(cta.cluster[rank].shared)
    parts = []
    for storage in grid.program.shared.values():
        offset = storage.offset if storage.offset >= 0 else grid.dynamic_offset
        size = storage.size if storage.offset >= 0 else total - grid.dynamic_offset
        parts.append((m.SHARED_BASE + offset, size, storage.name))
    static = grid.program.shared_bytes
    row = ("shared", f"{static:,} bytes static, {total - static:,} dynamic, from address {m.SHARED_BASE:#x} on")
    fix = "guard the index"
    if any(storage.offset < 0 for storage in grid.program.shared.values()):
        fix = "dynamic shared memory is given at the launch: shmem_size, --shmem"
    return Region("shared memory", m.SHARED_BASE, total, sorted(parts), row, fix)


def _parameters(warp: Warp) -> Region:
    size = len(warp.cta.grid.parameters)
    parts = [(parameter.offset, parameter.size, parameter.name) for parameter in warp.cta.grid.program.parameters]
    return Region("the kernel's parameters", 0, size, parts, ("param", f"{size:,} bytes"))


def _local(lane: int, warp: Warp) -> Region:
    size, entry = warp.stack_bytes, warp.cta.grid.program.entry
    parts = [(storage.offset, storage.size, storage.name) for storage in entry.storages]
    row = ("local", f"{size:,} bytes for each lane")
    return Region("local memory", 0, size, [] if warp.depth[lane] else sorted(parts), row)
