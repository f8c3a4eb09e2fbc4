"""Slot offsets: where each register's row of 32 lanes lies in a warp's bytes."""

from __future__ import annotations

from emulator.program.operands import Register
from emulator.ptx_types import WARP_SIZE, ScalarType

ROW_ALIGN = 64  # of a predicate's row 32: no row crosses a cache line that it need not cross


class RowAllocator:
    """One row per virtual register, one after the other.

    Rows: predicates 32 x 1 byte, 8 bits 32 B, 16 bits 64 B, 32 bits 128 B, 64 bits 256 B, 128 bits 512 B.
    """

    def __init__(self) -> None:
        self.size = 0
        self.registers: list[Register] = []

    def allocate(self, name: str, kind: ScalarType) -> Register:
        """A new row behind the last one."""
        align = min(ROW_ALIGN, WARP_SIZE * kind.bytes)
        register = Register(name, kind, -(-self.size // align) * align)
        self.size = register.offset + register.row_bytes
        self.registers.append(register)
        return register
