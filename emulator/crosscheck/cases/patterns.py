"""Access patterns, one warp and one access each: for the profiler's counters of sectors, requests and wavefronts."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import Case, kernel_text

WORDS = 16384
# name, state space, instruction type, %o as a function of the lane %i (bytes)
PATTERNS = (
    ("global words in order", "global", "u32", "mul.lo.u32 %o, %i, 4"),
    ("global words shifted by one", "global", "u32", "mad.lo.u32 %o, %i, 4, 4"),
    ("global words in reverse", "global", "u32", "mad.lo.u32 %o, %i, -4, 124"),
    ("global every second word", "global", "u32", "mul.lo.u32 %o, %i, 8"),
    ("global every eighth word", "global", "u32", "mul.lo.u32 %o, %i, 32"),
    ("global a line a lane", "global", "u32", "mul.lo.u32 %o, %i, 128"),
    ("global one word for all", "global", "u32", "mov.u32 %o, 64"),
    ("global bytes in order", "global", "u8", "mov.u32 %o, %i"),
    ("global 8 bytes in order", "global", "v2.u32", "mul.lo.u32 %o, %i, 8"),
    ("global 16 bytes in order", "global", "v4.u32", "mul.lo.u32 %o, %i, 16"),
    ("global 16 bytes a line apart", "global", "v4.u32", "mul.lo.u32 %o, %i, 128"),
    ("shared words in order", "shared", "u32", "mul.lo.u32 %o, %i, 4"),
    ("shared every second word", "shared", "u32", "mul.lo.u32 %o, %i, 8"),
    ("shared every fourth word", "shared", "u32", "mul.lo.u32 %o, %i, 16"),
    ("shared one bank", "shared", "u32", "mul.lo.u32 %o, %i, 128"),
    ("shared one bank with padding", "shared", "u32", "mul.lo.u32 %o, %i, 132"),
    ("shared one word for all", "shared", "u32", "mov.u32 %o, 64"),
    ("shared 8 bytes in order", "shared", "v2.u32", "mul.lo.u32 %o, %i, 8"),
    ("shared 16 bytes in order", "shared", "v4.u32", "mul.lo.u32 %o, %i, 16"),
    ("shared 16 bytes a bank apart", "shared", "v4.u32", "mul.lo.u32 %o, %i, 144"),
)
_BODY = """
    .shared .align 16 .b8 fast[16384];
    .reg .b32 %o, %base, %v<4>;
    .reg .b64 %wide, %from, %to;
    OFFSET;
    LOAD
    mad.wide.u32 %to, %i, 4, %y;
    st.global.u32 [%to], %v0;
"""


def cases() -> Iterator[Case]:
    """All patterns; the output is the loaded word, so that nothing is left out by the compiler."""
    for name, space, kind, offset in PATTERNS:
        count = int(kind[1]) if kind.startswith("v") else 1
        target = "{" + ", ".join(f"%v{n}" for n in range(count)) + "}" if count > 1 else "%v0"
        if space == "global":
            load = f"cvt.u64.u32 %wide, %o;\n    add.u64 %from, %x, %wide;\n    ld.global.{kind} {target}, [%from];"
        else:
            load = "mov.u32 %base, fast;\n    add.u32 %base, %base, %o;\n    st.shared.u32 [%base], %i;\n"
            load += f"    ld.volatile.shared.{kind} {target}, [%base];"
        text = kernel_text(("x", "y"), _BODY.replace("OFFSET", offset).replace("LOAD", load))
        arguments = (("x", f"u32[{WORDS}] = arange"), ("y", "u32[32]"))
        outputs = ("y",) if space == "global" or count == 1 else ()
        yield Case(name, "patterns", text, arguments, outputs)
