"""9.7.17 Stack manipulation instructions.

A lane's stack grows towards higher addresses here, behind the frames of the functions that it is in.
"""

from __future__ import annotations

from emulator.isa.ops import U64, Ops, Value
from emulator.isa.registry import Variant, instruction

LARGEST = 1 << 32
FRAME_ALIGN = 8
ALIGNMENTS = tuple(1 << n for n in range(24))


@instruction("stacksave.type d", type="u32 u64", kind="machine", requires="7.3 sm_52", section="9.7.17.1")
def stacksave(ops: Ops, i: Variant) -> Value:
    """d = where the lane's stack in use ends, an address of local memory."""
    return ops.cast(ops.stack_top(), i.type)


@instruction("stackrestore.type a", type="u32 u64", a="register type", kind="machine", requires="7.3 sm_52",
             section="9.7.17.2")  # fmt: skip
def stackrestore(ops: Ops, i: Variant, a: Value) -> None:
    """The lane's stack in use ends at a again, which stacksave gave; what alloca made behind it is gone.

    An address beyond the stack is a fault; another that stacksave did not give is undefined.
    """
    ops.set_stack_top(ops.cast(a, U64))


@instruction("alloca.type d, size{, align}", type="u32 u64", align="static u32", limits={"align": ALIGNMENTS},
             kind="machine", requires="7.3 sm_52", section="9.7.17.3")  # fmt: skip
def alloca(ops: Ops, i: Variant, size: Value) -> Value:
    """d = the address in local memory of size new bytes on the lane's stack, aligned to 8 bytes or to align.

    They are gone when the function returns.  A stack that is too small is a fault.
    """
    align = max(FRAME_ALIGN, i.align or 0)
    start = ops.stack_top() + (align - 1) & -align
    ops.set_stack_top(start + ops.minimum(ops.cast(size, U64), ops.const(U64, LARGEST)))
    return ops.cast(start, i.type)
