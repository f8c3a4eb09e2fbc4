"""The approximate units where their tables are decided: the results of one or two octaves each, as they are."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import Case, kernel_text, scalar
from emulator.crosscheck.cases.units import HIGH_WORDS, high_word

OCTAVE = 1 << 23
# instruction, bits of the first input, step, results
RANGES = (
    ("rcp.approx.ftz.f32", 0x3F800000, 1, OCTAVE),
    ("rsqrt.approx.ftz.f32", 0x3F800000, 1, 2 * OCTAVE),
    ("sqrt.approx.ftz.f32", 0x3F800000, 1, 2 * OCTAVE),
    ("ex2.approx.ftz.f32", 0x3F800000, 1, OCTAVE),
    ("ex2.approx.ftz.f32", 0xBF000000, 1, OCTAVE),
    ("lg2.approx.ftz.f32", 0x3F000000, 1, 2 * OCTAVE),
    ("sin.approx.ftz.f32", 0x3F800000, 1, OCTAVE),
    ("cos.approx.ftz.f32", 0x3F800000, 1, OCTAVE),
    ("tanh.approx.f32", 0x3F000000, 1, OCTAVE),
    ("tanh.approx.f32", 0x3C800000, 16, OCTAVE // 2),
    *((opcode, 0x3FF00000, 1, OCTAVE // 4) for opcode in HIGH_WORDS),
)
_BODY = """
    .reg .b32 %first, %step, %x, %r;
    .reg .b64 %from, %to;
    mad.wide.u32 %from, %i, 4, %places;
    ld.global.u32 %x, [%from];
    ld.param.u32 %first, [first];
    ld.param.u32 %step, [step];
    mad.lo.u32 %x, %x, %step, %first;
APPLY
    mad.wide.u32 %to, %i, 4, %y;
    st.global.u32 [%to], %r;
"""


def cases() -> Iterator[Case]:
    """All ranges."""
    for opcode, first, step, count in RANGES:
        apply = high_word(opcode) if opcode in HIGH_WORDS else f"    {opcode} %r, %x;"
        text = kernel_text(("places", "y"), _BODY.replace("APPLY", apply))
        text = text.replace(".param .u64 y)", ".param .u64 y, .param .u32 first, .param .u32 step)")
        arrays = (("places", f"range {count}"), ("y", f"u32[{count}]"))
        arguments = (*arrays, ("first", scalar(first)), ("step", scalar(step)))
        name, grid = f"{opcode} from {first:#x}", (count // 256,)
        yield Case(name, "cores", text, arguments, ("y",), "k", grid, (256,), rows=("places",))
