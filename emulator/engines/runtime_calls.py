"""Functions that the device runtime provides: vprintf, malloc, free, __assertfail (CUDA programming guide)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.engines.printf import format_text
from emulator.engines.reference.access import Access, gather
from emulator.engines.reference.calls import argument_bytes, bad_target, put_bytes
from emulator.errors import (
    Diagnostic,
    Label,
    PtxSemanticError,
    UnsupportedInstruction,
    UsageError,
)
from emulator.machine.memory import AccessFault
from emulator.machine.warp import Warp, lanes_of, mask_of
from emulator.program import FunctionInfo
from emulator.program.instruction import CallInfo
from emulator.program.operands import Callee, Register
from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.engines.reference.ops import ReferenceOps
    from emulator.engines.run import Runner

LONGEST_STRING = 1 << 16
PARAMETER_BYTES = {"vprintf": (8, 8), "malloc": (8,), "free": (8,), "__assertfail": (8, 8, 4, 8, 8)}


class RuntimeCalls:
    """Executes calls of functions that have no body in the module."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.functions = {
            "vprintf": self.vprintf,
            "malloc": self.malloc,
            "free": self.free,
            "__assertfail": self.assertfail,
        }

    def call(self, ops: ReferenceOps, lanes: Any, callee: FunctionInfo, info: CallInfo) -> None:
        """Execute a call for these lanes, in lane order."""
        function = self.functions.get(callee.name)
        if function is None:
            node = ops.instruction
            text = f"{callee.name} is declared but has no body in this module"
            fix = "link the module that defines it into this one"
            label = (Label(node.span),)
            raise UnsupportedInstruction(Diagnostic("PTX-P0201", "unsupported", text, node.source, label, help=fix))
        arguments = [argument_bytes(ops, argument) for argument in info.arguments.elements]
        why = _wrong_sizes(callee.name, arguments)
        if why and isinstance(_target(ops), str):
            label, fix = (Label(ops.instruction.span),), "declare it as the CUDA programming guide does"
            raise PtxSemanticError(Diagnostic("PTX-P0114", "semantic", why, ops.instruction.source, label, help=fix))
        if why:  # an address led here
            raise bad_target(ops, lanes, why)
        result = function(ops, lanes, arguments)
        if result is not None and info.results.elements:
            put_bytes(ops, lanes, info.results.elements[0], result)

    # --- the functions -------------------------------------------------------------------------------

    def vprintf(self, ops: ReferenceOps, lanes: Any, arguments: list[Any]) -> Any:
        """Print a format with the arguments that lie one after the other in memory.

        The result is the number of arguments, or -1 for a null format (CUDA programming guide, formatted output).
        """
        formats, buffers = _words(arguments[0]), _words(arguments[1])
        counts = np.zeros(WARP_SIZE, dtype=np.int32)
        for lane in np.flatnonzero(lanes):
            reader = LaneMemory(self.runner, ops.warp, int(lane))
            if not formats[lane]:
                counts[lane] = -1
                continue
            text = reader.string(int(formats[lane]))
            written, counts[lane] = format_text(text, int(buffers[lane]), reader)
            self.runner.write_output(written)
        return counts.view(np.uint8).reshape(WARP_SIZE, 4)

    def malloc(self, ops: ReferenceOps, lanes: Any, arguments: list[Any]) -> Any:
        """Memory from the device's heap, 16-byte aligned; 0 where there is none.  No bytes have an address too."""
        sizes = np.maximum(_words(arguments[0]), 1)
        device = ops.warp.cta.grid.device
        found = np.zeros(WARP_SIZE, dtype=np.uint64)
        for lane in np.flatnonzero(lanes):
            try:
                block = self.runner.memory.allocate(device, int(sizes[lane]), "malloc", kind="heap", align=16)
            except UsageError:
                continue
            found[lane] = block.base
        return found.view(np.uint8).reshape(WARP_SIZE, 8)

    def free(self, ops: ReferenceOps, lanes: Any, arguments: list[Any]) -> None:
        """Give heap memory back; a null pointer is nothing, any other address is a fault."""
        for lane in np.flatnonzero(lanes):
            address = int(_words(arguments[0])[lane])
            if not address:
                continue
            block = self.runner.memory.find(address)
            if block is None or block.kind != "heap" or block.base != address:
                text = f"free of {address:#x}, which malloc did not return or which is free already"
                raise self.runner.faults.assertion(ops.warp, 1 << int(lane), ops.instruction, text)
            self.runner.memory.free(block)

    def assertfail(self, ops: ReferenceOps, lanes: Any, arguments: list[Any]) -> None:
        """A failed assert(): message, file, line, function, size of a character."""
        lane = int(np.flatnonzero(lanes)[0])
        reader = LaneMemory(self.runner, ops.warp, lane)
        message, file, function = (reader.string(int(_words(arguments[n])[lane])) for n in (0, 1, 3))
        line = int(arguments[2][lane].view(np.uint32)[0])
        thread = ops.warp.cta.thread(ops.warp, lane)
        where = f"block {ops.warp.cta.index}, thread {thread}"
        text = f"{file}:{line}: {function}: {where} Assertion `{message}` failed"
        raise self.runner.faults.assertion(ops.warp, mask_of(lanes), ops.instruction, text)


def _target(ops: ReferenceOps) -> str | Register:
    """Whom the instruction calls: a name, or the register with an address."""
    return next(o.place.place for o in ops.instruction.sources if isinstance(o.place, Callee))


def _wrong_sizes(name: str, arguments: list[Any]) -> str:
    """What is wrong if a call has other parameters than the runtime's function."""
    found = tuple(argument.shape[1] for argument in arguments)
    if found == PARAMETER_BYTES[name]:
        return ""
    wanted, given = (", ".join(map(str, sizes)) or "no" for sizes in (PARAMETER_BYTES[name], found))
    return f"{name} is called with arguments of {given} bytes, the runtime's takes {wanted}"


def _words(data: Any) -> Any:
    """(32, 8) bytes as 64-bit numbers."""
    return np.ascontiguousarray(data).view(np.uint64)[:, 0]


class LaneMemory:
    """Generic addresses as one lane sees them, for the runtime; AccessFault where there is no memory."""

    def __init__(self, runner: Runner, warp: Warp, lane: int) -> None:
        self.runner = runner
        self.warp = warp
        self.lanes = lanes_of(1 << lane)
        self.lane = lane

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at an address that is a multiple of it."""
        addresses = np.full(WARP_SIZE, address, dtype=np.uint64)
        pieces = Access(self.warp, self.runner.memory, "generic", addresses, size).pieces(self.lanes, write=False)
        return bytes(gather(pieces, size)[self.lane])

    def string(self, address: int) -> str:
        """A C string."""
        found = b""
        for piece in self._pieces(address):
            text, zero, _ = piece.partition(b"\0")
            found += text
            if zero or len(found) >= LONGEST_STRING:
                break
        return found.decode("utf-8", "replace")

    def _pieces(self, address: int) -> Iterator[bytes]:
        """The bytes from an address on: 16 at once where they can be read, else one by one."""
        while True:
            size = 1 if address % 16 else 16
            try:
                yield self.read(address, size)
            except AccessFault:
                if size == 1:
                    raise
                yield from (self.read(address + offset, 1) for offset in range(size))
            address += size

    def number(self, address: int, code: str) -> Any:
        """One number in `struct`'s little-endian code."""
        return struct.unpack("<" + code, self.read(address, struct.calcsize(code)))[0]
