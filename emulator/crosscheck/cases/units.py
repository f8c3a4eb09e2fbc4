"""The approximate units: every f32 input as 65,536 hashes of 65,536 results, every f16 and bf16 input as it is.

A hash is FNV-1a over the 32-bit results of the inputs [block << 16, (block + 1) << 16): one thread a block.  `rows`
lets a test run a few of the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.crosscheck.case import Case, address, kernel_text

BLOCKS = 65536
OFFSET_BASIS, PRIME = 1469598103934665603, 1099511628211
FUNCTIONS = (
    "rcp.approx.ftz.f32", "rsqrt.approx.ftz.f32", "sqrt.approx.ftz.f32", "ex2.approx.ftz.f32", "lg2.approx.ftz.f32",
    "sin.approx.ftz.f32", "cos.approx.ftz.f32", "tanh.approx.f32",
    "rcp.approx.f32", "rsqrt.approx.f32", "sqrt.approx.f32", "ex2.approx.f32", "lg2.approx.f32",
)  # fmt: skip
HALVES = ("ex2.approx.f16", "ex2.approx.ftz.bf16", "tanh.approx.f16", "tanh.approx.bf16")
HIGH_WORDS = ("rcp.approx.ftz.f64", "rsqrt.approx.ftz.f64")
QUESTION = "Are the tables of the G80 still those of the unit, and how does it round?"
GUESS = "the G80's tables (docs/deviations.md)"

_HASH = f"""
    .reg .pred %more;
    .reg .b32 %block, %x, %r, %left;
    .reg .b64 %hash, %wide;
    ld.global.u32 %block, [%at];
    shl.b32 %x, %block, 16;
    mov.u32 %left, 65536;
    mov.u64 %hash, {OFFSET_BASIS};
AGAIN:
APPLY
    cvt.u64.u32 %wide, %r;
    xor.b64 %hash, %hash, %wide;
    mul.lo.u64 %hash, %hash, {PRIME};
    add.u32 %x, %x, 1;
    sub.u32 %left, %left, 1;
    setp.ne.u32 %more, %left, 0;
@%more bra AGAIN;
    st.global.u64 [%to], %hash;
"""
_HIGH = """
    .reg .b32 %low, %high;
    .reg .b64 %operand, %result;
    mov.b64 %operand, {0x12345678, %x};
    OPCODE %result, %operand;
    mov.b64 {%low, %high}, %result;
    xor.b32 %r, %low, %high;
"""


def cases() -> Iterator[Case]:
    """All functions."""
    for opcode in FUNCTIONS:
        yield _hashed(opcode, f"    {opcode} %r, %x;")
    for opcode in HIGH_WORDS:
        yield _hashed(opcode, _HIGH.replace("OPCODE", opcode))
    for opcode in HALVES:
        yield _halves(opcode)


def _hashed(opcode: str, apply: str) -> Case:
    declared: list[str] = []
    used: list[str] = []
    for line in apply.splitlines():
        (declared if line.strip().startswith(".reg") else used).append(line)
    body = "\n".join(declared) + _HASH.replace("APPLY", "\n".join(used))
    text = kernel_text(("blocks", "hashes"), address("%at", "blocks", 4) + address("%to", "hashes", 8) + body)
    return Case(
        opcode,
        "units",
        text,
        (("blocks", f"range {BLOCKS}"), ("hashes", f"u64[{BLOCKS}]")),
        ("hashes",),
        grid=(BLOCKS // 128,),
        block=(128,),
        question=QUESTION,
        guess=GUESS,
        rows="blocks",
    )


def _halves(opcode: str) -> Case:
    body = address("%at", "x", 4) + address("%to", "y", 2) + "    .reg .b16 %h, %r;\n    ld.global.u16 %h, [%at];\n"
    text = kernel_text(("x", "y"), f"{body}    {opcode} %r, %h;\n    st.global.u16 [%to], %r;")
    arguments = (("x", "range 65536"), ("y", "u16[65536]"))
    return Case(opcode, "units", text, arguments, ("y",), grid=(512,), block=(128,), question=QUESTION, rows="x")
