"""The byte layout of a warp: everything that its 32 lanes know, as plain bytes at fixed offsets.

    offset  size  field
      -256     8  executed      s64        instructions of the warp so far
      -248     8  left          s64        instructions left of its turn, if it was interrupted by a wait
      -240   240  context                  what native code keeps beside the warp (engines/native/context.py)
         0   128  pc            32 x s32
       128   128  depth         32 x s32   calls that the lane is in
       256   128  frame         32 x u32   start of the lane's current frame in its stack
       384   128  call_top      32 x u32   bytes on the lane's call stack
       512   128  stack_top     32 x u32   end of the lane's stack in use
       640    32  carry         32 x u8    CC.CF
       672    32  masks          8 x u32   live, waiting, slice, run length, turn, ran, suspended, grown
       704  64*n  rows          registers at the offsets of the program, then constants
                  local         32 stacks
                  calls         32 call stacks

These bytes are a part of the block of the warp's CTA (machine/blocks.py); a `Warp` is a view of them, made when
somebody looks.  After every instruction the bytes are exact: both engines, the debugger and the cross-check look at
them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.ptx_types import WARP_SIZE

if TYPE_CHECKING:
    from emulator.machine.blocks import BlockLayout
    from emulator.machine.cta import Cta

HEADER_BYTES = 704
CONTEXT_BYTES = 256
ALL_LANES = 0xFFFF_FFFF
CALL_STACK_LIMIT = 1 << 20
LANE_BITS = np.uint32(1) << np.arange(WARP_SIZE, dtype=np.uint32)


@lru_cache(maxsize=4096)
def lanes_of(mask: int) -> npt.NDArray[np.bool_]:
    """A mask as 32 booleans, read-only."""
    lanes: npt.NDArray[np.bool_] = (LANE_BITS & np.uint32(mask)) != 0
    lanes.flags.writeable = False
    return lanes


def lowest_lane(mask: int) -> int:
    """The number of the first lane of a mask."""
    return (mask & -mask).bit_length() - 1


def mask_of(lanes: npt.NDArray[np.bool_]) -> int:
    """32 booleans as a mask."""
    return int(np.packbits(lanes, bitorder="little").view("<u4")[0])


def local_offset(row_bytes: int) -> int:
    """Where the rows end in the bytes of a warp."""
    return CONTEXT_BYTES + HEADER_BYTES + row_bytes


class Warp:
    """One warp: its bytes, and views into them.

    key: what names it in schedules and histories.
    live: lanes that have not exited.  waiting: lanes that stand at an instruction until something else
    happens.  slice, turn and ran belong to the rotation between lanes that went apart (engines/divergence.py).
    suspended: lanes that wait until the others of the run have had a turn, and then try once more (try_wait).
    rendezvous: lanes that wait for the other lanes of a member mask, by (opcode, mask).
    call_stack: the call stacks of all lanes: those of the block, until one of them has to be larger (`grown`).
    """

    def __init__(self, cta: Cta, index: int, raw: npt.NDArray[np.uint8], layout: BlockLayout) -> None:
        """raw: the warp's part of its CTA's block."""
        self.cta = cta
        self.index = index
        self.key = (cta.grid.number, cta.linear, index)
        self.stack_bytes = layout.stack_bytes
        self.state = raw[CONTEXT_BYTES : CONTEXT_BYTES + HEADER_BYTES + layout.row_bytes]
        self.local = raw[layout.local_at : layout.local_at + WARP_SIZE * layout.stack_bytes]
        self.context = raw[:CONTEXT_BYTES]
        calls = raw[layout.calls_at : layout.calls_at + WARP_SIZE * layout.call_bytes]
        self.call_stack = self._calls = calls.reshape(WARP_SIZE, layout.call_bytes)
        self._map_views()
        self.rendezvous: dict[tuple[str, int], int] = {}

    def _map_views(self) -> None:
        state = self.state
        self.pc = state[0:128].view(np.int32)
        self.depth = state[128:256].view(np.int32)
        self.frame = state[256:384].view(np.uint32)
        self.call_top = state[384:512].view(np.uint32)
        self.stack_top = state[512:640].view(np.uint32)
        self.carry = state[640:672].view(np.bool_)
        self._masks = state[672:704].view(np.uint32)
        self._counts = self.context[:16].view(np.int64)
        self.rows = state[HEADER_BYTES:]

    @property
    def executed(self) -> int:
        """Instructions of the warp so far."""
        return int(self._counts[0])

    @executed.setter
    def executed(self, count: int) -> None:
        self._counts[0] = count

    @property
    def left(self) -> int:
        """Instructions left of the turn that a wait interrupted; 0 if it begins a new one."""
        return int(self._counts[1])

    @left.setter
    def left(self, count: int) -> None:
        self._counts[1] = count

    @property
    def address(self) -> int:
        """Names the warp among all that are resident: the address of its CTA's record, and its number in the CTA."""
        return self.cta.address | self.index

    @property
    def queued(self) -> bool:
        """Whether it stands in the queue of the warps that are ready."""
        return bool(self.cta.queued >> self.index & 1)

    @queued.setter
    def queued(self, queued: bool) -> None:
        bit = 1 << self.index
        self.cta.queued = self.cta.queued | bit if queued else self.cta.queued & ~bit

    @property
    def live(self) -> int:
        return int(self._masks[0])

    @live.setter
    def live(self, mask: int) -> None:
        self._masks[0] = mask
        self.cta.note_live(self.index, mask)

    @property
    def waiting(self) -> int:
        return int(self._masks[1])

    @waiting.setter
    def waiting(self, mask: int) -> None:
        self._masks[1] = mask

    @property
    def slice(self) -> int:
        """Instructions left before lanes that went apart take turns."""
        return int(self._masks[2])

    @slice.setter
    def slice(self, count: int) -> None:
        self._masks[2] = count

    @property
    def run_length(self) -> int:
        """Instructions since the last control transfer."""
        return int(self._masks[3])

    @run_length.setter
    def run_length(self, count: int) -> None:
        self._masks[3] = count

    @property
    def turn(self) -> int:
        """Lanes among which the next group is chosen; the others have had their turn in this round."""
        return int(self._masks[4])

    @turn.setter
    def turn(self, mask: int) -> None:
        self._masks[4] = mask

    @property
    def ran(self) -> int:
        """Lanes that have executed in this slice, while not all went together."""
        return int(self._masks[5])

    @ran.setter
    def ran(self, mask: int) -> None:
        self._masks[5] = mask

    @property
    def suspended(self) -> int:
        """Lanes that try once more in the warp's next turn, or have yet to in this one."""
        return int(self._masks[6])

    @suspended.setter
    def suspended(self, mask: int) -> None:
        self._masks[6] = mask

    @property
    def grown(self) -> int:
        """Whether the call stacks have left the block: one had to be larger."""
        return int(self._masks[7])

    @property
    def runnable(self) -> int:
        """Lanes that can execute."""
        return self.live & ~self.waiting

    @property
    def wants_turn(self) -> int:
        """Lanes that can execute in the warp's next turn."""
        return self.runnable | self.suspended

    def wake(self) -> None:
        """At the start of a turn: lanes that were suspended go on."""
        if self.suspended:
            self.waiting &= ~self.suspended

    @property
    def first_thread(self) -> int:
        """The linear index of lane 0 in its CTA."""
        return self.index * WARP_SIZE

    def row(self, offset: int, count: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """A view of `count` bytes of the registers."""
        return self.rows[offset : offset + count].view(dtype)

    # --- the call stack: return pc, frame, and the saved columns of a lane ------------------------

    def read(self, name: str) -> npt.NDArray[Any]:
        """A copy of a register's 32 values in its declared type, .b as unsigned; KeyError if there is none.

        Names are those of the kernel, then of the functions that it calls; the first declaration of a name counts.
        """
        functions = self.cta.grid.program.functions.values()
        for function in sorted(functions, key=lambda function: function is not self.cta.grid.program.entry):
            for register in function.registers:
                if register.name == name:
                    kind = register.type
                    letter = {"f": "f", "s": "i"}.get(kind.kind, "u")
                    dtype = f"V{kind.bytes}" if kind.width > 64 else f"{letter}{kind.bytes}"
                    return self.row(register.offset, register.row_bytes, dtype).copy()
        raise KeyError(f'{name}: no such register, or it shares a row: System(registers="virtual") keeps all')

    def push_call(self, lane: int, return_pc: int, saved: npt.NDArray[np.uint8]) -> bool:
        """Record a call of one lane; False if its stack is full."""
        top = int(self.call_top[lane])
        need = top + 12 + len(saved)
        if need > CALL_STACK_LIMIT:
            return False
        if need > self.call_stack.shape[1]:
            grown = np.zeros((WARP_SIZE, max(256, 2 * need)), dtype=np.uint8)
            grown[:, : self.call_stack.shape[1]] = self.call_stack
            self.call_stack = grown
            self._masks[7] = 1
        stack = self.call_stack[lane]
        stack[top : top + len(saved)] = saved
        record = np.array([return_pc, int(self.frame[lane]), len(saved)], dtype=np.int32)
        stack[need - 12 : need] = record.view(np.uint8)
        self.call_top[lane] = need
        self.depth[lane] += 1
        return True

    def pop_call(self, lane: int) -> tuple[int, int, npt.NDArray[np.uint8]]:
        """(return pc, frame, saved columns) of a lane's last call."""
        top = int(self.call_top[lane])
        return_pc, frame, saved = (int(n) for n in self.call_stack[lane, top - 12 : top].view(np.int32))
        start = top - 12 - saved
        self.call_top[lane] = start
        self.depth[lane] -= 1
        return return_pc, frame, self.call_stack[lane, start : start + saved].copy()

    # --- snapshots --------------------------------------------------------------------------------

    def snapshot(self) -> tuple[Any, ...]:
        """Copies of all bytes."""
        calls = self._calls.copy(), self.grown_calls()
        return self.state.copy(), self.local.copy(), calls, self.executed, dict(self.rendezvous)

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Bring back a snapshot."""
        state, local, (calls, grown), self.executed, rendezvous = snapshot
        self.rendezvous = dict(rendezvous)
        self.state[:] = state
        self.cta.note_live(self.index, self.live)
        self.local[:] = local
        self._calls[:] = calls
        self.bring_calls(grown)

    def grown_calls(self) -> npt.NDArray[np.uint8] | None:
        """A copy of the call stacks, if they have left the block."""
        return self.call_stack.copy() if self.grown else None

    def bring_calls(self, saved: npt.NDArray[np.uint8] | None) -> None:
        """Have the call stacks of a copy, or those of the block if there is none."""
        self.call_stack = self._calls
        if saved is not None:
            self.call_stack = saved.copy()
