"""The approximate units where their tables are decided: all results of one range of inputs each."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import Case, kernel_text, scalar

COUNT = 1 << 23
RANGES = (
    ("rcp.approx.ftz.f32", 0x3F800000),
    ("rsqrt.approx.ftz.f32", 0x3F800000),
    ("rsqrt.approx.ftz.f32", 0x40000000),
    ("sqrt.approx.ftz.f32", 0x3F800000),
    ("ex2.approx.ftz.f32", 0x3F800000),
    ("lg2.approx.ftz.f32", 0x3F800000),
    ("sin.approx.ftz.f32", 0x3F800000),
    ("tanh.approx.f32", 0x3F000000),
)
_BODY = """
    .reg .b32 %first, %x, %r;
    .reg .b64 %from, %to;
    mad.wide.u32 %from, %i, 4, %places;
    ld.global.u32 %x, [%from];
    ld.param.u32 %first, [first];
    add.u32 %x, %first, %x;
    OPCODE %r, %x;
    mad.wide.u32 %to, %i, 4, %y;
    st.global.u32 [%to], %r;
"""


def cases() -> Iterator[Case]:
    """One octave of each function."""
    for opcode, first in RANGES:
        text = kernel_text(("places", "y"), _BODY.replace("OPCODE", opcode))
        text = text.replace(".param .u64 y)", ".param .u64 y, .param .u32 first)")
        arguments = (("places", f"range {COUNT}"), ("y", f"u32[{COUNT}]"), ("first", scalar(first)))
        grid, name = (COUNT // 256,), f"{opcode} {first:#x}"
        yield Case(name, "cores", text, arguments, ("y",), "k", grid, (256,), rows="places")
