"""A text that stores the results of its own instructions: the parser reads it, the printer writes it again.

Every thread of the examined warp counts its events, a result that is written to a register, in the order in which it
executes them, and rolls them into a hash.  Some events are stored: from a first one on, every stride-th, as many as
there is room for.  What may differ by nature, and loops that only wait, make no events (taint.py).  All threads execute
the same inserted instructions; those of other warps under a false guard.

    xc_config     4 x u64: buffer, CTA, warp, stride
    buffer        32 lanes x 32 bytes: hash u64, next record u64, events u32, events to skip u32, end u64
                  then the records of each lane, 32 bytes each: value u64, event u32, key u32, hash u64, time u64
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from emulator.crosscheck.canonical import instructions_of, rewrite, statements
from emulator.crosscheck.taint import Taint
from emulator.parse import nodes, parse
from emulator.parse.printer import print_module, print_operand
from emulator.program import Instruction, link
from emulator.program.dataflow import writes
from emulator.program.operands import Register

CONFIG = "xc_config"
PREFIX = "%xc_"
HEADER_BYTES, RECORD_BYTES, LANES = 32, 32, 32
PARTS = 64  # most results of one instruction, and the factor between a pc and a key
PRIME = 0x9E3779B97F4A7C15
LEAVING = ("ret", "exit", "trap")

DECLARATIONS = """
.reg .pred %xc_on, %xc_guard, %xc_store, %xc_room;
.reg .b16 %xc_half;
.reg .b32 %xc_word, %xc_left, %xc_stride, %xc_count, %xc_key;
.reg .b64 %xc_value, %xc_upper, %xc_hash, %xc_next, %xc_end, %xc_time, %xc_lane, %xc_tag;
"""
LOAD = """
@%xc_on ld.global.v2.u64 {%xc_hash, %xc_next}, [%xc_lane];
@%xc_on ld.global.v2.u32 {%xc_count, %xc_left}, [%xc_lane+16];
@%xc_on ld.global.u64 %xc_end, [%xc_lane+24];
"""
SAVE = """
@%xc_on st.global.v2.u64 [%xc_lane], {%xc_hash, %xc_next};
@%xc_on st.global.v2.u32 [%xc_lane+16], {%xc_count, %xc_left};
"""
PROLOGUE = f"""
mov.u64 %xc_tag, {CONFIG};
ld.global.u64 %xc_lane, [%xc_tag];
mov.u32 %xc_word, %ctaid.z;
mov.u32 %xc_count, %nctaid.y;
mov.u32 %xc_left, %ctaid.y;
mad.lo.u32 %xc_word, %xc_word, %xc_count, %xc_left;
mov.u32 %xc_count, %nctaid.x;
mov.u32 %xc_left, %ctaid.x;
mad.lo.u32 %xc_word, %xc_word, %xc_count, %xc_left;
cvt.u64.u32 %xc_time, %xc_word;
ld.global.u64 %xc_value, [%xc_tag+8];
setp.eq.u64 %xc_on, %xc_time, %xc_value;
mov.u32 %xc_word, %tid.z;
mov.u32 %xc_count, %ntid.y;
mov.u32 %xc_left, %tid.y;
mad.lo.u32 %xc_word, %xc_word, %xc_count, %xc_left;
mov.u32 %xc_count, %ntid.x;
mov.u32 %xc_left, %tid.x;
mad.lo.u32 %xc_word, %xc_word, %xc_count, %xc_left;
shr.u32 %xc_count, %xc_word, 5;
cvt.u64.u32 %xc_time, %xc_count;
ld.global.u64 %xc_value, [%xc_tag+16];
setp.eq.and.u64 %xc_on, %xc_time, %xc_value, %xc_on;
and.b32 %xc_word, %xc_word, 31;
mad.wide.u32 %xc_lane, %xc_word, {HEADER_BYTES}, %xc_lane;
ld.global.u64 %xc_value, [%xc_tag+24];
cvt.u32.u64 %xc_stride, %xc_value;
mov.u64 %xc_hash, 0;
mov.u64 %xc_next, 0;
mov.u64 %xc_end, 0;
mov.u32 %xc_count, 0;
mov.u32 %xc_left, 0;
{LOAD}"""
EVENT = f"""
@GUARD xor.b64 %xc_hash, %xc_hash, VALUE;
@GUARD add.u64 %xc_hash, %xc_hash, KEY;
@GUARD mul.lo.u64 %xc_hash, %xc_hash, {PRIME}U;
@GUARD add.u32 %xc_count, %xc_count, 1;
@GUARD sub.u32 %xc_left, %xc_left, 1;
setp.eq.and.u32 %xc_store, %xc_left, 0, GUARD;
@%xc_store mov.u32 %xc_key, KEY;
@%xc_store mov.b64 %xc_tag, {{%xc_count, %xc_key}};
@%xc_store mov.u64 %xc_time, %clock64;
@%xc_store st.global.v2.u64 [%xc_next], {{VALUE, %xc_tag}};
@%xc_store st.global.v2.u64 [%xc_next+16], {{%xc_hash, %xc_time}};
@%xc_store add.u64 %xc_next, %xc_next, {RECORD_BYTES};
setp.lt.u64 %xc_room, %xc_next, %xc_end;
@%xc_store selp.b32 %xc_left, %xc_stride, -1, %xc_room;
"""


@dataclass(frozen=True)
class Instrumented:
    """A text with stores, and what its keys mean: (instruction of the untraced program, register)."""

    ptx: str
    keys: dict[int, tuple[Instruction, Register]]


def instrument(ptx: str, name: str, kernel: str, taint: Taint) -> Instrumented:
    """The text of a kernel with stores of its results; taint: of the same text."""
    module = parse(ptx, name=name)
    program = link(module, kernel)
    keys: dict[int, tuple[Instruction, Register]] = {}
    by_node = {id(instruction.node): instruction for instruction in program.instructions}
    for function in program.functions.values():
        if function.node.body is not None:
            _instrument_body(function.node.body, by_node, taint, keys)
    items = list(module.items)
    at = next(n for n, item in enumerate(items) if not isinstance(item, (nodes.ModuleDirective, nodes.File)))
    items.insert(at, nodes.Variable("global", "b64", CONFIG, linkage="visible", align=16, dimensions=(4,)))
    module.items[:] = items
    return Instrumented(print_module(module), keys)


def is_inserted(instruction: nodes.Instruction) -> bool:
    """Whether `instrument` put it there."""
    return any(PREFIX in print_operand(operand) for operand in instruction.operands)


def _instrument_body(
    body: nodes.Block, by_node: dict[int, Instruction], taint: Taint, keys: dict[int, tuple[Instruction, Register]]
) -> None:
    def change(node: nodes.Instruction) -> list[nodes.Statement] | None:
        word = node.opcode.partition(".")[0]
        if word in LEAVING:
            return [*statements(SAVE), node]
        instruction = by_node.get(id(node))
        if instruction is None:
            return None
        recorded = [(n, r) for n, r in enumerate(writes(instruction)[:PARTS]) if taint.compares(instruction, r)]
        if word == "call":
            after = statements(LOAD + "".join(_events(instruction, recorded, keys)))
            return [*statements(SAVE), node, *after]
        if not recorded:
            return None
        before = statements(_guard_text(node)) if node.guard is not None else []
        return [*before, node, *statements("".join(_events(instruction, recorded, keys)))]

    last = list(instructions_of(body))[-1:]
    rewrite(body, change)
    body.statements[:0] = statements(DECLARATIONS + PROLOGUE)
    if not last or last[0].guard is not None or last[0].opcode.partition(".")[0] not in LEAVING:
        body.statements += statements(SAVE)


def _guard_text(node: nodes.Instruction) -> str:
    """Whether the instruction executes, kept before it may overwrite its own guard."""
    assert node.guard is not None
    if not node.guard.negated:
        return f"and.pred %xc_guard, {node.guard.name}, %xc_on;"
    return f"not.pred %xc_guard, {node.guard.name};\nand.pred %xc_guard, %xc_guard, %xc_on;"


def _events(
    instruction: Instruction, recorded: list[tuple[int, Register]], keys: dict[int, tuple[Instruction, Register]]
) -> Iterator[str]:
    guard = "%xc_on" if instruction.node.guard is None or instruction.call is not None else "%xc_guard"
    for part, register in recorded:
        key = instruction.pc * PARTS + part
        keys[key] = instruction, register
        yield _value_text(register)
        for value in ("%xc_value", "%xc_upper")[: 2 if register.type.width == 128 else 1]:
            yield EVENT.replace("GUARD", guard).replace("VALUE", value).replace("KEY", str(key))


def _value_text(register: Register) -> str:
    """The bits of a register in %xc_value."""
    name, width = register.name, register.type.width
    if width == 1:
        return f"selp.u64 %xc_value, 1, 0, {name};\n"
    if width == 8:
        return f"cvt.u64.u8 %xc_value, {name};\n"
    if width == 16:
        return f"mov.b16 %xc_half, {name};\ncvt.u64.u16 %xc_value, %xc_half;\n"
    if width == 32:
        return f"mov.b32 %xc_word, {name};\ncvt.u64.u32 %xc_value, %xc_word;\n"
    if width == 64:
        return f"mov.b64 %xc_value, {name};\n"
    return f"mov.b128 {{%xc_value, %xc_upper}}, {name};\n"
