"""9.7.9 Data movement instructions between registers; memory is in load_store.py."""

from __future__ import annotations

from emulator.isa.ops import Ops, Value
from emulator.isa.registry import Variant, instruction


@instruction("mov.type d, {!}a", type="pred", a="special type", section="9.7.9.3")
@instruction("mov.type d, a", type="u16 u32 u64 s16 s32 s64 f32 f64", a="special type", section="9.7.9.3")
@instruction("mov.type d, a", type="b16 b32 b64", d="packed type", a="packed special type", section="9.7.9.4")
@instruction("mov.type d, a", type="b128", d="packed type", a="packed type", requires="8.3 sm_70", section="9.7.9.4")
def mov(ops: Ops, i: Variant, a: Value) -> Value:
    """d = a, bit by bit; a is a register, a constant, a special register, an address or a packed vector.

    example: mov.u32 0xffffffff -> 0xffffffff
    example: mov.b64 0x0123456789abcdef -> 0x0123456789abcdef
    example: mov.f32 0f7f800001 -> 0f7f800001
    example: mov.pred true -> true
    """
    return a
